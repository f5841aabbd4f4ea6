//! A callback as expressions see it.
//!
//! `$` in a JSONPath is the body. Beside it there are variables, in both languages: `$body`, `$headers`
//! (by their names in small letters), `$query`, `$path` (what the `{...}` of the route's path stand
//! for) and `$method`. Each is made only if an expression asks for it.

use std::cell::OnceCell;

use asl::jsonata::Session;
use asl::{Context, Random, Scope, Timestamp, Variables};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::http::{Call, percent_decode};

/// The variables that there are.
pub(super) const VARIABLES: [&str; 5] = ["body", "headers", "query", "path", "method"];

/// What a body is read as.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum BodyFormat {
    /// JSON, whatever its Content-Type says; an empty one is `null`.
    #[default]
    Json,
    /// `a=1&b=2`, as HTML forms send it: an object of texts, and of arrays of texts where a name
    /// comes again.
    Form,
    /// Text as it is, XML for example.
    Text,
}

impl BodyFormat {
    /// The body as a value.
    ///
    /// # Errors
    /// Why it is none, in a sentence.
    pub(super) fn read(self, call: &Call) -> Result<Value, String> {
        match self {
            BodyFormat::Json if call.body.is_empty() => Ok(Value::Null),
            BodyFormat::Json => serde_json::from_slice(json(&call.body)).map_err(|why| {
                // Where somebody sends something else altogether, that is what is wrong.
                let said = match call.header("content-type") {
                    Some(kind) if !kind.contains("json") => {
                        format!(" Its Content-Type is {kind:?}.")
                    }
                    _ => String::new(),
                };
                format!("The body is not JSON: {why}.{said}")
            }),
            BodyFormat::Form => Ok(pairs(text(call)?)),
            BodyFormat::Text => Ok(text(call)?.into()),
        }
    }
}

/// What some programs write before text in UTF-8. JSON has no place for it, and whoever reads JSON may pass over it, says
/// RFC 8259.
const MARK: &str = "\u{feff}";

/// Text without the mark before it.
pub(super) fn without_mark(text: &str) -> &str {
    text.strip_prefix(MARK).unwrap_or(text)
}

fn json(body: &[u8]) -> &[u8] {
    body.strip_prefix(MARK.as_bytes()).unwrap_or(body)
}

fn text(call: &Call) -> Result<&str, String> {
    std::str::from_utf8(&call.body).map_err(|why| {
        format!(
            "The body is not text: it is no UTF-8 from byte {}.",
            why.valid_up_to()
        )
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
            let first_value = first.take();
            *first = vec![first_value, value].into();
        }
    }
}

/// A callback whose body was read.
pub(super) struct Callback<'a> {
    pub body: Value,
    call: &'a Call,
    /// What the `{...}` of the path stand for.
    parameters: &'a [(String, String)],
    now: Timestamp,
    session: Session,
    headers: OnceCell<Value>,
    query: OnceCell<Value>,
    path: OnceCell<Value>,
    method: OnceCell<Value>,
}

impl<'a> Callback<'a> {
    pub fn new(
        body: Value,
        call: &'a Call,
        parameters: &'a [(String, String)],
        now: Timestamp,
    ) -> Callback<'a> {
        Callback {
            body,
            call,
            parameters,
            now,
            session: Session::default(),
            headers: OnceCell::new(),
            query: OnceCell::new(),
            path: OnceCell::new(),
            method: OnceCell::new(),
        }
    }

    /// What an expression may look at.
    pub fn scope(&self) -> Scope<'_> {
        Scope {
            input: &self.body,
            context: &Nothing,
            random: &Nothing,
            now: self.now,
            variables: self,
            result: None,
            error_output: None,
            session: &self.session,
        }
    }

    fn headers(&self) -> Value {
        let mut object = Map::new();
        for (name, value) in &self.call.headers {
            let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
            add(&mut object, name.as_str().to_owned(), value);
        }
        object.into()
    }

    fn parameters(&self) -> Value {
        let parameters = self.parameters.iter();
        parameters
            .map(|(name, value)| (name.clone(), Value::from(value.as_str())))
            .collect::<Map<_, _>>()
            .into()
    }
}

impl Variables for Callback<'_> {
    fn get(&self, name: &str) -> Option<&Value> {
        Some(match name {
            "body" => &self.body,
            "headers" => self.headers.get_or_init(|| self.headers()),
            "query" => self.query.get_or_init(|| pairs(&self.call.query)),
            "path" => self.path.get_or_init(|| self.parameters()),
            "method" => self.method.get_or_init(|| self.call.method.as_str().into()),
            _ => return None,
        })
    }
}

/// A callback has no context object and asks for no randomness.
struct Nothing;

impl Context for Nothing {
    fn value(&self) -> &Value {
        &Value::Null
    }
}

impl Random for Nothing {
    fn next(&self) -> u64 {
        0
    }
}
