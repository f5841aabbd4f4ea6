//! A request as templates see it, and what is drawn from the seed for it.
//!
//! | name | what it is |
//! | --- | --- |
//! | `$request.method`, `.path` | as sent |
//! | `$request.params` | what the `{names}` of the route's path stand for |
//! | `$request.query` | an object; of a name that comes again, a list |
//! | `$request.headers` | the same, with names in small letters |
//! | `$request.body` | JSON; an HTML form as an object; else text; `null` if it is empty |

use std::cell::Cell;

use hyper::HeaderMap;
use serde_json::{Map, Value, json};
use server::http::percent_decode;

/// A request, read to its end.
pub(crate) fn request(
    method: &str,
    path: &str,
    query: &str,
    headers: &HeaderMap,
    body: &[u8],
) -> Value {
    let mut by_name = Map::new();
    for (name, value) in headers {
        let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
        add(&mut by_name, name.as_str().to_owned(), value);
    }
    let is_form = headers.get("content-type").is_some_and(|kind| {
        kind.as_bytes()
            .starts_with(b"application/x-www-form-urlencoded")
    });
    let body = match serde_json::from_slice(body) {
        _ if body.is_empty() => Value::Null,
        // Whatever it says it is: who writes JSON by hand seldom says so.
        Ok(value) => value,
        Err(_) if is_form => pairs(&String::from_utf8_lossy(body)),
        Err(_) => String::from_utf8_lossy(body).into(),
    };
    json!({
        "method": method,
        "path": path,
        "params": {},
        "query": pairs(query),
        "headers": by_name,
        "body": body,
    })
}

/// `a=1&b=2&b=3` as an object.
fn pairs(text: &str) -> Value {
    let mut object = Map::new();
    for pair in text.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let plain = |text: &str| percent_decode(&text.replace('+', " "));
        add(&mut object, plain(name), plain(value));
    }
    object.into()
}

/// Adds a value under a name that may be there already.
fn add(object: &mut Map<String, Value>, name: String, value: String) {
    let value = Value::String(value);
    match object.get_mut(&name) {
        None => {
            object.insert(name, value);
        }
        Some(Value::Array(values)) => values.push(value),
        Some(first) => {
            let one = first.take();
            *first = vec![one, value].into();
        }
    }
}

/// Randomness that is the same for the same seed and the same names (SplitMix64 over FNV-1a).
#[derive(Debug, Clone)]
pub(crate) struct Seed(Cell<u64>);

impl Seed {
    pub fn of(seed: u64) -> Seed {
        Seed(Cell::new(seed))
    }

    /// Apart from all that have another name.
    pub fn named(&self, name: impl std::fmt::Display) -> Seed {
        let mut hash = 0xcbf2_9ce4_8422_2325 ^ self.0.get();
        for byte in name.to_string().bytes() {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
        let named = Seed::of(hash);
        // Names that differ in their last letter alone are close together before they are mixed.
        Seed::of(named.draw())
    }

    pub fn draw(&self) -> u64 {
        let state = self.0.get().wrapping_add(0x9e37_79b9_7f4a_7c15);
        self.0.set(state);
        let mut z = state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// An id as most services have them: a UUID of version 4.
    pub fn id(&self) -> String {
        let (high, low) = (self.draw(), self.draw());
        format!(
            "{:08x}-{:04x}-4{:03x}-{:04x}-{:012x}",
            high >> 32,
            (high >> 16) & 0xffff,
            high & 0xfff,
            0x8000 | ((low >> 48) & 0x3fff),
            low & 0xffff_ffff_ffff
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_the_same_for_the_same_names_and_else_not() {
        let seed = Seed::of(7);
        assert_eq!(seed.named("a").id(), seed.named("a").id());
        assert_ne!(seed.named("a").id(), seed.named("b").id());
        assert_ne!(seed.named("a").id(), Seed::of(8).named("a").id());
        let id = seed.named("a").id();
        assert_eq!(id.len(), 36, "{id}");
        assert_eq!(&id[14..15], "4", "{id}");
        assert!("89ab".contains(&id[19..20]), "{id}");
    }

    #[test]
    fn a_body_is_json_a_form_or_text() {
        let mut form = HeaderMap::new();
        let kind = "application/x-www-form-urlencoded"
            .parse()
            .expect("a header");
        form.insert("content-type", kind);
        let none = HeaderMap::new();
        for (headers, body, expected) in [
            (&none, "{\"a\": 1}", json!({"a": 1})),
            (&none, "", Value::Null),
            (&none, "a=1", json!("a=1")),
            (&form, "{\"a\": 1}", json!({"a": 1})),
            (
                &form,
                "a=1&a=2&b=x+y%21",
                json!({"a": ["1", "2"], "b": "x y!"}),
            ),
        ] {
            let request = request("POST", "/", "", headers, body.as_bytes());
            assert_eq!(request["body"], expected, "{body}");
        }
    }
}
