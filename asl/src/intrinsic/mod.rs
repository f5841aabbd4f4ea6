//! The intrinsic functions, `States.Format` to `States.UUID`.
//!
//! An [`Expression`] is what a member whose name ends in `.$` holds: a path, or a call of a function
//! whose arguments are paths, literals and further calls. [`parse`] reads it once. The functions
//! stand in one file per family, as in the AWS documentation: [`array`], [`encoding`], [`json`],
//! [`math`], [`text`]. Each takes values and gives a value, or a sentence that says why not; here
//! that becomes `States.IntrinsicFailure`.

mod array;
mod encoding;
mod json;
mod math;
mod parse;
mod text;

#[cfg(test)]
mod tests;

use std::borrow::Cow;

use serde_json::Value;

use crate::failure::Failure;
use crate::path::Path;
use crate::scope::{Random, Scope};
pub(crate) use encoding::{digest, uuid_of};

/// A path or a call of an intrinsic function, compiled.
#[derive(Debug)]
pub struct Expression {
    /// Where it stands, for example `taskToken.$` or `CausePath`; part of AWS's messages.
    field: Box<str>,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    Path(Path),
    Call(Call),
}

/// A call with its arguments.
#[derive(Debug)]
struct Call {
    /// As written.
    text: Box<str>,
    function: Function,
    arguments: Vec<Argument>,
}

#[derive(Debug)]
enum Argument {
    Path(Path),
    Literal(Value),
    Call(Call),
}

/// What a function does: its arguments and randomness to a value, or why not.
type Run = fn(&[Cow<'_, Value>], &dyn Random) -> Result<Value, String>;

/// A function and how many arguments it takes.
#[derive(Debug, Clone, Copy)]
struct Function {
    name: &'static str,
    arguments: (usize, usize),
    run: Run,
}

/// Every function that there is. A limit of arguments without a number is far above any real call.
const FUNCTIONS: [Function; 18] = [
    Function {
        name: "States.Array",
        arguments: (0, usize::MAX),
        run: array::array,
    },
    Function {
        name: "States.ArrayPartition",
        arguments: (2, 2),
        run: array::partition,
    },
    Function {
        name: "States.ArrayContains",
        arguments: (2, 2),
        run: array::contains,
    },
    Function {
        name: "States.ArrayRange",
        arguments: (3, 3),
        run: array::range,
    },
    Function {
        name: "States.ArrayGetItem",
        arguments: (2, 2),
        run: array::get_item,
    },
    Function {
        name: "States.ArrayLength",
        arguments: (1, 1),
        run: array::length,
    },
    Function {
        name: "States.ArrayUnique",
        arguments: (1, 1),
        run: array::unique,
    },
    Function {
        name: "States.Base64Encode",
        arguments: (1, 1),
        run: encoding::base64_encode,
    },
    Function {
        name: "States.Base64Decode",
        arguments: (1, 1),
        run: encoding::base64_decode,
    },
    Function {
        name: "States.Hash",
        arguments: (2, 2),
        run: encoding::hash,
    },
    Function {
        name: "States.UUID",
        arguments: (0, 0),
        run: encoding::uuid,
    },
    Function {
        name: "States.JsonMerge",
        arguments: (3, 3),
        run: json::merge,
    },
    Function {
        name: "States.StringToJson",
        arguments: (1, 1),
        run: json::string_to_json,
    },
    Function {
        name: "States.JsonToString",
        arguments: (1, 1),
        run: json::json_to_string,
    },
    Function {
        name: "States.MathRandom",
        arguments: (2, 3),
        run: math::random,
    },
    Function {
        name: "States.MathAdd",
        arguments: (2, 2),
        run: math::add,
    },
    Function {
        name: "States.StringSplit",
        arguments: (2, 2),
        run: text::split,
    },
    Function {
        name: "States.Format",
        arguments: (1, usize::MAX),
        run: text::format,
    },
];

impl Expression {
    /// Compiles `text`, the value of `field`.
    ///
    /// # Errors
    /// A sentence that says what is wrong with it.
    pub fn parse(text: &str, field: &str) -> Result<Expression, String> {
        let kind = if text.starts_with('$') {
            Kind::Path(Path::parse(text)?)
        } else {
            Kind::Call(parse::call(text)?)
        };
        Ok(Expression {
            field: field.into(),
            kind,
        })
    }

    /// As written.
    pub fn text(&self) -> &str {
        match &self.kind {
            Kind::Path(path) => path.text(),
            Kind::Call(call) => &call.text,
        }
    }

    /// The workflow variables that it reads.
    pub fn variables(&self) -> Vec<&str> {
        fn of<'c>(call: &'c Call, names: &mut Vec<&'c str>) {
            for argument in &call.arguments {
                match argument {
                    Argument::Path(path) => names.extend(path.variable()),
                    Argument::Call(call) => of(call, names),
                    Argument::Literal(_) => {}
                }
            }
        }
        let mut names = Vec::new();
        match &self.kind {
            Kind::Path(path) => names.extend(path.variable()),
            Kind::Call(call) => of(call, &mut names),
        }
        names
    }

    /// Evaluates it.
    ///
    /// # Errors
    /// `States.IntrinsicFailure` if a function refuses its arguments, `States.Runtime` with AWS's
    /// cause if a path finds nothing.
    pub fn evaluate(&self, scope: Scope<'_>) -> Result<Value, Failure> {
        match &self.kind {
            Kind::Path(path) => path.find_or_past_the_end(scope).map(Cow::into_owned).map_err(|_| {
                Failure::runtime(format!(
                    "The JSONPath '{}' specified for the field '{}' could not be found in the input '{}'",
                    path.text(),
                    self.field,
                    scope.input
                ))
            }),
            Kind::Call(call) => call.run(scope),
        }
    }
}

impl Call {
    fn run(&self, scope: Scope<'_>) -> Result<Value, Failure> {
        let mut values = Vec::with_capacity(self.arguments.len());
        for argument in &self.arguments {
            values.push(match argument {
                Argument::Literal(value) => Cow::Borrowed(value),
                Argument::Call(call) => Cow::Owned(call.run(scope)?),
                Argument::Path(path) => path.find(scope).map_err(|_| {
                    Failure::runtime(format!(
                        "The JsonPath argument for the field '{}' could not be found in the input '{}'",
                        path.text(),
                        scope.input
                    ))
                })?,
            });
        }
        (self.function.run)(&values, scope.random).map_err(|why| {
            Failure::new(
                "States.IntrinsicFailure",
                format!(
                    "The function '{}' had the following error: {why}",
                    self.text
                ),
            )
        })
    }
}

/// The argument at `at` as a list.
fn list<'v>(values: &'v [Cow<'_, Value>], at: usize) -> Result<&'v Vec<Value>, String> {
    values[at].as_array().ok_or_else(|| {
        format!(
            "argument {} must be an array, and is {}",
            at + 1,
            kind(&values[at])
        )
    })
}

/// The argument at `at` as a string.
fn string<'v>(values: &'v [Cow<'_, Value>], at: usize) -> Result<&'v str, String> {
    values[at].as_str().ok_or_else(|| {
        format!(
            "argument {} must be a string, and is {}",
            at + 1,
            kind(&values[at])
        )
    })
}

/// The argument at `at` as a whole number; a fraction is rounded as Java's `Math.round` does, half up.
fn whole(values: &[Cow<'_, Value>], at: usize) -> Result<i64, String> {
    let Value::Number(number) = &*values[at] else {
        return Err(format!(
            "argument {} must be a number, and is {}",
            at + 1,
            kind(&values[at])
        ));
    };
    let rounded = match number.as_i64() {
        Some(number) => Some(number),
        // Below 2^53 every whole number has an exact f64; above it nothing is lost by the cast.
        None => number.as_f64().map(|number| (number + 0.5).floor() as i64),
    };
    rounded
        .filter(|number| i32::try_from(*number).is_ok())
        .ok_or_else(|| {
            format!(
                "argument {} must be between -2147483648 and 2147483647, and is {number}",
                at + 1
            )
        })
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}
