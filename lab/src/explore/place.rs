//! Where a value stands in a document: the part of JSONPath that names one place.

use serde_json::{Map, Value, json};

/// How many elements a list is made to have at most so that an index is there.
const INDEX_MAX: usize = 100;

/// One step into a document.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Step {
    /// A member.
    Name(String),
    /// An element.
    Index(usize),
}

/// Reads `.a.b[0]['c']`, what stands behind the root of a path; `[*]` is the first element, since what is made up
/// has one. Gives what could be read: a filter or a function ends it.
pub fn steps(mut text: &str) -> Vec<Step> {
    let mut steps = Vec::new();
    loop {
        if let Some(rest) = text.strip_prefix('[') {
            let Some(end) = rest.find(']') else {
                return steps;
            };
            let (inside, after) = (rest[..end].trim(), &rest[end + 1..]);
            let quoted = inside
                .strip_prefix('\'')
                .and_then(|inside| inside.strip_suffix('\''))
                .or_else(|| inside.strip_prefix('"')?.strip_suffix('"'));
            match (quoted, inside.parse()) {
                (Some(name), _) => steps.push(Step::Name(name.to_owned())),
                (None, Ok(index)) => steps.push(Step::Index(index)),
                (None, Err(_)) if inside == "*" => steps.push(Step::Index(0)),
                _ => return steps,
            }
            text = after;
        } else if let Some(rest) = text.strip_prefix('.') {
            let end = rest
                .find(|c: char| !(c.is_alphanumeric() || matches!(c, '_' | '-' | '@')))
                .unwrap_or(rest.len());
            if end == 0 || rest[end..].starts_with('(') {
                return steps;
            }
            steps.push(Step::Name(rest[..end].to_owned()));
            text = &rest[end..];
        } else {
            return steps;
        }
    }
}

/// The value there.
pub fn get<'v>(value: &'v Value, steps: &[Step]) -> Option<&'v Value> {
    steps.iter().try_fold(value, |value, step| match step {
        Step::Name(name) => value.get(name),
        Step::Index(index) => value.get(index),
    })
}

/// Puts a value there, and what is needed for it to be there. What is no object or list becomes one.
pub fn set(value: &mut Value, steps: &[Step], new: Value) {
    let Some((first, rest)) = steps.split_first() else {
        *value = new;
        return;
    };
    match first {
        Step::Name(name) => {
            if !value.is_object() {
                *value = Value::Object(Map::new());
            }
            set(&mut value[name.as_str()], rest, new);
        }
        Step::Index(index) => {
            if !value.is_array() {
                *value = json!([]);
            }
            let items = value.as_array_mut().expect("it has just been made a list");
            let index = (*index).min(INDEX_MAX);
            while items.len() <= index {
                items.push(json!({}));
            }
            set(&mut items[index], rest, new);
        }
    }
}

/// As a path, for people.
pub fn written(root: &str, steps: &[Step]) -> String {
    let mut text = root.to_owned();
    for step in steps {
        match step {
            Step::Name(name) => {
                text.push('.');
                text.push_str(name);
            }
            Step::Index(index) => text.push_str(&format!("[{index}]")),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_read_and_written_to() {
        let place = steps(".a['b c'][2].d");
        assert_eq!(written("$", &place), "$.a.b c[2].d");
        let mut value = json!({ "a": 1, "z": 2 });
        set(&mut value, &place, json!("there"));
        assert_eq!(get(&value, &place), Some(&json!("there")));
        assert_eq!(value["z"], 2);
        assert_eq!(steps(".items[?(@.x > 1)].y"), steps(".items"));
        assert_eq!(steps(".items.length()"), steps(".items"));
    }
}
