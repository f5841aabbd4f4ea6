//! JSONata, behind one door.
//!
//! An [`Expression`] is the text between `{%` and `%}`, compiled when the definition is read, and
//! evaluated in a [`Scope`]. What it reads is not copied: the input, the variables and the context
//! object are looked at where they are.
//!
//! The way of an expression: [`lexer`] and [`parse`] read it, [`top`] tells what a state does not
//! have, [`compile`] works out what it means, [`evaluate`] (with [`path`] and [`call`]) gives its
//! value, [`value`] turns that into JSON. The built-in functions are in [`functions`].
//!
//! An expression is trusted with nothing. Its time, its depth, the length of its sequences and texts
//! and all that its values hold are limited, each where it could grow. What it gives is as free of
//! the outside as the rest of this crate: `$now`, `$millis`, `$random` and `$uuid` come from the
//! scope. `$eval` is not there, as on AWS.
//!
//! It is tested by the official suite of the language ([`suite`]).

mod call;
mod compile;
mod effort;
mod error;
mod evaluate;
mod functions;
mod lexer;
mod parse;
mod path;
mod regex;
mod session;
mod signature;
mod stack;
mod top;
mod value;

#[cfg(test)]
mod suite;
#[cfg(test)]
mod tests;

use serde_json::Value;

use crate::failure::Failure;
use crate::scope::Scope;
use compile::Program;
use error::Failed;
pub use session::Session;
use top::Reference;

/// The error name of all that goes wrong in an expression.
pub const QUERY_EVALUATION_ERROR: &str = "States.QueryEvaluationError";

/// How long one expression may take; a build without optimization is several times slower.
const EVALUATION_MILLIS_MAX: u64 = if cfg!(debug_assertions) { 1_000 } else { 200 };
/// How long the expressions of one state may take together.
const SESSION_MILLIS_MAX: u64 = 5 * EVALUATION_MILLIS_MAX;
/// AWS's words for an expression that takes too long.
const TIMEOUT: &str = "Expression evaluation timeout: Check for infinite loop";
/// How deep evaluation may nest, what AWS was measured to take (floci-io/floci#2737): a hundred terms of a sum, or
/// about 30 calls of a function that calls itself, and not as its last step.
const DEPTH_MAX: usize = 100;
/// How long a sequence may become: what AWS was measured to take (floci-io/floci#2783).
const SEQUENCE_MAX: usize = 873_782;
/// How long `$range` may make one, measured in the same way.
const RANGE_MAX: usize = 360_145;
/// How many bytes the values of one evaluation may hold together, about.
const MEMORY_BYTES_MAX: usize = 64 * 1024 * 1024;
/// How many bytes one text may have: what AWS was measured to take, as many as the longest sequence has with eight
/// for each of its numbers.
const TEXT_BYTES_MAX: usize = SEQUENCE_MAX * 8;
/// How deep a value may nest while it is worked on. What walks one recurses.
const VALUE_DEPTH_MAX: u32 = 400;
/// How large, about, the value of one expression may be: larger fits no output and no variable.
const RESULT_BYTES_MAX: usize = 4 * 1024 * 1024;
/// How long an expression may be. AWS takes definitions of 1 MiB in all.
const EXPRESSION_BYTES_MAX: usize = 64 * 1024;

/// An expression, compiled.
#[derive(Debug)]
pub struct Expression {
    /// As written, without the braces and the blanks beside them: part of AWS's messages.
    text: Box<str>,
    /// Where it stands, for example `Arguments/FunctionName`; part of AWS's messages.
    field: Box<str>,
    /// Apart, since a definition holds many places where an expression may stand, and few expressions.
    program: Box<Program>,
}

/// What is wrong with an expression, as a definition's diagnostics have it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// AWS's code.
    pub code: &'static str,
    /// AWS's words.
    pub message: String,
}

/// The text between `{%` and `%}`, if `text` is an expression and not just text.
pub fn between_braces(text: &str) -> Option<&str> {
    text.strip_prefix("{%")?.strip_suffix("%}").map(str::trim)
}

/// Whether one of the two is missing, which AWS's documentation says is refused. With blanks around
/// both it is text (recorded).
pub(crate) fn is_half_braced(text: &str) -> bool {
    let text = text.trim();
    text.starts_with("{%") != text.ends_with("%}")
}

impl Expression {
    /// Compiles `text`, which stands in `field`.
    ///
    /// # Errors
    /// What is wrong with it: that it cannot be read, or everything it refers to that is not there.
    pub fn parse(text: &str, field: &str) -> Result<Expression, Vec<Fault>> {
        let (expression, unsupported) = Expression::compile(text, field).map_err(|why| {
            vec![Fault {
                code: "INVALID_JSONATA_EXPRESSION",
                message: why.message,
            }]
        })?;
        // Only there does `$states` have an error.
        let in_catch = field.starts_with("Catch[");
        let unsupported = unsupported
            .iter()
            .filter(|reference| !(in_catch && **reference == Reference::ErrorOutput))
            .map(|reference| Fault {
                code: "UNSUPPORTED_JSONATA_EXPRESSION",
                message: reference.to_string(),
            });
        let faults: Vec<Fault> = unsupported.collect();
        match faults.is_empty() {
            true => Ok(expression),
            false => Err(faults),
        }
    }

    /// The expression, and what it refers to that a state does not have.
    fn compile(text: &str, field: &str) -> Result<(Expression, Vec<Reference>), Failed> {
        if text.len() > EXPRESSION_BYTES_MAX {
            let what = format!("An expression has at most {EXPRESSION_BYTES_MAX} bytes");
            return Err(error::error("", what));
        }
        let tree = parse::parse(text)?;
        let unsupported = top::references(&tree);
        let expression = Expression {
            text: text.into(),
            field: field.into(),
            program: Box::new(compile::compile(tree)?),
        };
        Ok((expression, unsupported))
    }

    /// As written, without the braces.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The names that it reads and does not bind itself, without those of functions: the workflow
    /// variables it refers to, and `states`.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.program.free.iter().map(String::as_str)
    }

    /// Evaluates it.
    ///
    /// # Errors
    /// `States.QueryEvaluationError`, with AWS's cause; the scope's session then knows where.
    pub fn evaluate(&self, scope: Scope<'_>) -> Result<Value, Failure> {
        match scope.session.run(self, scope) {
            Ok(Some(value)) => Ok(value),
            Ok(None) => Err(self.failure(scope, "returned nothing (undefined).")),
            Err(why) => {
                // An error of the language has a code; AWS puts a colon before one of its own.
                let mark = if why.is_limit() { ':' } else { '.' };
                let why = why.text();
                Err(self.failure(
                    scope,
                    format!("threw an error during evaluation{mark} {why}"),
                ))
            }
        }
    }

    /// Evaluates it where only a value of one type will do: `read` takes it, or does not.
    ///
    /// # Errors
    /// As [`Expression::evaluate`]; also if `read` gives nothing.
    pub fn evaluate_as<T>(
        &self,
        scope: Scope<'_>,
        expected: &str,
        read: impl FnOnce(&Value) -> Option<T>,
    ) -> Result<T, Failure> {
        let value = self.evaluate(scope)?;
        read(&value).ok_or_else(|| {
            let kind = kind(&value);
            self.failure(
                scope,
                format!(
                    "returned an unexpected result type. Expected '{expected}', but was '{kind}' \
                     for value: {value}"
                ),
            )
        })
    }

    /// Evaluates it where only a whole number from 0 to `most` will do, in the field called `name`.
    ///
    /// # Errors
    /// As [`Expression::evaluate_as`].
    pub fn evaluate_integer(
        &self,
        scope: Scope<'_>,
        name: &str,
        most: u64,
    ) -> Result<u64, Failure> {
        let number = self.evaluate_whole(scope, name)?;
        let fits = u64::try_from(number).ok().filter(|n| *n <= most);
        fits.ok_or_else(|| {
            let cause = format!("{name} must be between 0 and {most} but was: {number}");
            failure(scope, &self.field, cause)
        })
    }

    /// Evaluates it where only a whole number will do, in the field called `name`.
    ///
    /// # Errors
    /// As [`Expression::evaluate_as`].
    pub fn evaluate_whole(&self, scope: Scope<'_>, name: &str) -> Result<i64, Failure> {
        let number = self.evaluate_as(scope, "number", |value| value.as_number().cloned())?;
        number.as_i64().ok_or_else(|| {
            let cause = format!("The {name} field cannot be parsed as an integer: {number}");
            failure(scope, &self.field, cause)
        })
    }

    fn failure(&self, scope: Scope<'_>, what: impl std::fmt::Display) -> Failure {
        failure(
            scope,
            &self.field,
            format!(
                "The JSONata expression '{}' specified for the field '{}' {what}",
                self.text, self.field
            ),
        )
    }
}

/// A failure of what stands in `field`, in the caller's words.
pub fn failure(scope: Scope<'_>, field: &str, cause: impl Into<String>) -> Failure {
    scope.session.failed_at(field);
    Failure::new(QUERY_EVALUATION_ERROR, cause)
}

/// A value's type as AWS names it.
pub fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}
