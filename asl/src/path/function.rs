//! The functions that may end a path: `$.items.length()`, `$..price.sum()`.

use serde_json::{Number, Value};

use super::evaluate::{self, Budget};
use super::filter::Query;

/// A function with what stands between its parentheses.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) name: Name,
    pub(super) arguments: Vec<Argument>,
}

/// An argument: JSON, or a path.
#[derive(Debug)]
pub(super) enum Argument {
    Literal(Value),
    Query(Query),
}

/// The functions that Jayway has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub(super) enum Name {
    Length,
    Size,
    Min,
    Max,
    Sum,
    Avg,
    Stddev,
    Concat,
    Keys,
    First,
    Last,
    Index,
    Append,
}

impl Name {
    const ALL: [(Name, &'static str); 13] = [
        (Name::Length, "length"),
        (Name::Size, "size"),
        (Name::Min, "min"),
        (Name::Max, "max"),
        (Name::Sum, "sum"),
        (Name::Avg, "avg"),
        (Name::Stddev, "stddev"),
        (Name::Concat, "concat"),
        (Name::Keys, "keys"),
        (Name::First, "first"),
        (Name::Last, "last"),
        (Name::Index, "index"),
        (Name::Append, "append"),
    ];

    pub(super) fn from_text(text: &str) -> Option<Name> {
        Name::ALL
            .iter()
            .find(|(_, spelling)| *spelling == text)
            .map(|(name, _)| *name)
    }

    pub(super) fn text(self) -> &'static str {
        Name::ALL
            .iter()
            .find(|(name, _)| *name == self)
            .map_or("", |(_, spelling)| spelling)
    }
}

impl Call {
    /// The function of `value`; its own paths start at `value` (`@`) or at `root` (`$`).
    pub(super) fn apply(
        &self,
        value: &Value,
        root: &Value,
        budget: &Budget,
    ) -> Result<Value, String> {
        let mut arguments = Vec::with_capacity(self.arguments.len());
        for argument in &self.arguments {
            match argument {
                Argument::Literal(literal) => arguments.push(literal.clone()),
                Argument::Query(query) => {
                    let document = if query.from_root { root } else { value };
                    let found =
                        evaluate::select(&query.tokens, query.definite, document, root, budget)?;
                    budget.copy(&found)?;
                    arguments.push(found.into_owned());
                }
            }
        }
        let looks_at_one = matches!(
            self.name,
            Name::Length | Name::Size | Name::First | Name::Last | Name::Index
        );
        if !looks_at_one {
            budget.copy(value)?;
        }
        match self.name {
            Name::Length | Name::Size => Ok(match arguments.first().unwrap_or(value) {
                Value::Array(items) => Value::from(items.len()),
                Value::Object(members) => Value::from(members.len()),
                _ => Value::Null,
            }),
            Name::Keys => Ok(match value {
                Value::Object(members) => members
                    .keys()
                    .map(|name| Value::from(name.as_str()))
                    .collect(),
                _ => Value::Null,
            }),
            Name::First => at(value, 0),
            Name::Last => at(value, -1),
            Name::Index => match arguments.first().and_then(Value::as_i64) {
                Some(index) => at(value, index),
                None => Err("index() takes one whole number".to_owned()),
            },
            Name::Append => Ok(match value {
                Value::Array(items) => items.iter().cloned().chain(arguments).collect(),
                other => other.clone(),
            }),
            Name::Concat => {
                let mut text = String::new();
                let parts = value.as_array().into_iter().flatten().chain(&arguments);
                for part in parts {
                    append_text(&mut text, part);
                }
                Ok(Value::String(text))
            }
            Name::Min | Name::Max | Name::Sum | Name::Avg | Name::Stddev => {
                self.aggregate(value, &arguments)
            }
        }
    }

    fn aggregate(&self, value: &Value, arguments: &[Value]) -> Result<Value, String> {
        let own = value.as_array().into_iter().flatten();
        let given = arguments.iter().flat_map(|argument| match argument {
            Value::Array(items) => items.as_slice(),
            other => std::slice::from_ref(other),
        });
        let numbers: Vec<f64> = own.chain(given).filter_map(Value::as_f64).collect();
        if numbers.is_empty() {
            return Err(
                "Aggregation function attempted to calculate value using empty array".to_owned(),
            );
        }
        let count = numbers.len() as f64;
        let sum: f64 = numbers.iter().sum();
        let result = match self.name {
            Name::Min => numbers.iter().copied().fold(f64::INFINITY, f64::min),
            Name::Max => numbers.iter().copied().fold(f64::NEG_INFINITY, f64::max),
            Name::Sum => sum,
            Name::Avg => sum / count,
            _ => {
                let squares: f64 = numbers.iter().map(|number| number * number).sum();
                (squares / count - sum * sum / count / count)
                    .max(0.0)
                    .sqrt()
            }
        };
        Ok(Number::from_f64(result).map_or(Value::Null, Value::Number))
    }
}

fn at(value: &Value, index: i64) -> Result<Value, String> {
    let items = value.as_array().map_or(&[][..], Vec::as_slice);
    evaluate::item(items, index)
        .cloned()
        .ok_or_else(|| format!("There is no item {index} in a list of {}", items.len()))
}

/// Strings as they are, numbers and truth values as JSON, lists one by one.
fn append_text(text: &mut String, part: &Value) {
    match part {
        Value::String(part) => text.push_str(part),
        Value::Array(items) => items.iter().for_each(|item| append_text(text, item)),
        Value::Null | Value::Object(_) => {}
        other => text.push_str(&other.to_string()),
    }
}
