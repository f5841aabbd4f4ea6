//! What a route asks of a callback: fixed text, a JSONPath, or a JSONata expression.

use asl::jsonata::{self, Expression};
use asl::{Path, Scope};
use serde_json::{Number, Value};

use super::callback::{Callback, VARIABLES};
use super::words::did_you_mean;

/// Something to be found in a callback. In the configuration it begins with `$` or is in `{% ... %}`.
pub(super) enum Query {
    Path(Path),
    Jsonata(Box<Expression>),
}

/// Text that is fixed, or is to be found.
pub(super) enum Text {
    Fixed(String),
    Found(Query),
}

/// Something that a callback must say.
pub(super) struct Condition {
    query: Query,
    equals: Value,
}

impl Query {
    /// Reads `text`, which stands under `key`.
    ///
    /// # Errors
    /// One sentence that begins with the key.
    pub fn parse(key: &str, text: &str) -> Result<Query, String> {
        Query::parse_with(key, text, &VARIABLES)
    }

    /// As [`Query::parse`], of something that has these variables.
    pub fn parse_with(key: &str, text: &str, variables: &[&str]) -> Result<Query, String> {
        let known = |name: &str| match variables.contains(&name) {
            true => Ok(()),
            false => {
                let hint = did_you_mean(name, variables);
                Err(format!(
                    "`{key}` {text:?} reads ${name}, which is not there; {hint}"
                ))
            }
        };
        if let Some(inside) = jsonata::between_braces(text) {
            let expression = Expression::parse(inside, key).map_err(|faults| {
                let why = faults.first().map_or("", |fault| &fault.message);
                format!(
                    "`{key}` {text:?} is not JSONata: {why}; there is ${} there",
                    variables.join(", $")
                )
            })?;
            // `$states.input` is the body too; the language has it everywhere.
            for name in expression.names().filter(|name| *name != "states") {
                known(name)?;
            }
            return Ok(Query::Jsonata(Box::new(expression)));
        }
        if !text.starts_with('$') || text.starts_with("$$") {
            return Err(format!(
                "`{key}` is {text:?}; it must be a JSONPath into the callback's body, for example \"$.{}\", or JSONata in {{% %}}",
                key.rsplit('.').next().unwrap_or(key)
            ));
        }
        let path = Path::parse(text)
            .map_err(|why| format!("`{key}` {text:?} is not a JSONPath: {why}"))?;
        path.variable().map_or(Ok(()), known)?;
        Ok(Query::Path(path))
    }

    /// Whether it is the body as it is.
    pub fn is_body(&self) -> bool {
        matches!(self, Query::Path(path) if path.is_root())
    }

    /// What it finds; none if there is nothing.
    ///
    /// # Errors
    /// Why the expression could not be evaluated.
    pub fn find(&self, scope: Scope<'_>) -> Result<Option<Value>, String> {
        match self {
            Query::Path(path) => {
                let found = path.select(scope).ok();
                Ok(found.map(std::borrow::Cow::into_owned))
            }
            Query::Jsonata(expression) => match expression.evaluate(scope) {
                Ok(value) => Ok(Some(value)),
                Err(failure) => {
                    let cause = failure.cause.unwrap_or_default();
                    match cause.ends_with(NOTHING) {
                        true => Ok(None),
                        false => Err(cause),
                    }
                }
            },
        }
    }

    /// As [`Query::find`], where only text will do; a number is as good, and `null` is nothing.
    pub fn text(&self, scope: Scope<'_>) -> Result<Option<String>, String> {
        Ok(text_of(self.find(scope)?))
    }

    /// As [`Query::text`], of text that tells things apart.
    ///
    /// # Errors
    /// A number that may have been another one.
    pub fn identity(&self, scope: Scope<'_>) -> Result<Option<String>, String> {
        match self.find(scope)? {
            Some(Value::Number(number)) => exact(&number)
                .map(Some)
                .map_err(|what| format!("What is at {} is {what}", self.written())),
            other => Ok(text_of(other)),
        }
    }

    /// As written.
    pub fn written(&self) -> String {
        match self {
            Query::Path(path) => path.text().to_owned(),
            Query::Jsonata(expression) => format!("{{% {} %}}", expression.text()),
        }
    }
}

fn text_of(found: Option<Value>) -> Option<String> {
    match found? {
        Value::Null => None,
        Value::String(text) => Some(text),
        other => Some(other.to_string()),
    }
}

/// From here on two numbers may be the same once they are read.
const INEXACT: f64 = 9_007_199_254_740_992.0;

/// A number as text that is its alone.
///
/// # Errors
/// Completes the sentence "it is ...".
pub(super) fn exact(number: &Number) -> Result<String, String> {
    // An integer of 64 bits is read as it is, and anything larger as the nearest of those that there are.
    let inexact = number.is_f64() && number.as_f64().is_none_or(|it| it.abs() >= INEXACT);
    match inexact {
        false => Ok(number.to_string()),
        true => {
            Err("a number with more digits than are read of one; it has to be sent as text.".into())
        }
    }
}

/// How the evaluator says that there is nothing, which is no mistake where a callback may lack something.
const NOTHING: &str = "returned nothing (undefined).";

impl Text {
    /// Reads `text`, which stands under `key`.
    pub fn parse(key: &str, text: &str) -> Result<Text, String> {
        match text.starts_with('$') || jsonata::between_braces(text).is_some() {
            true => Query::parse(key, text).map(Text::Found),
            false => Ok(Text::Fixed(text.to_owned())),
        }
    }

    pub fn of(&self, callback: &Callback<'_>) -> Result<Option<String>, String> {
        match self {
            Text::Fixed(text) => Ok(Some(text.clone())),
            Text::Found(query) => query.text(callback.scope()),
        }
    }
}

impl Condition {
    pub fn parse(key: &str, when: &str, equals: Option<Value>) -> Result<Condition, String> {
        Ok(Condition {
            query: Query::parse(key, when)?,
            equals: equals.unwrap_or(Value::Bool(true)),
        })
    }

    pub fn holds(&self, callback: &Callback<'_>) -> Result<bool, String> {
        let found = self.query.find(callback.scope())?;
        Ok(found.is_some_and(|found| found == self.equals))
    }
}
