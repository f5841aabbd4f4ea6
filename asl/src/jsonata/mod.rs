//! JSONata, behind one door.
//!
//! An [`Expression`] is the text between `{%` and `%}`, parsed when the definition is read. It is
//! evaluated in a [`Scope`], by way of the scope's [`Session`], which keeps what has been converted
//! into the evaluator's own values, so that a state with ten expressions converts its input once.
//!
//! The evaluator is a crate of its own (`jsonata-core`), and nothing outside of this module names
//! it. It is trusted with the language and not with the server's life: [`rewrite`] leads the
//! built-in functions that can take the process down, or all of its memory, to guards in
//! [`functions`]; time, depth and the sizes of sequences, strings and results are limited; a panic
//! in it is a failure of the expression.
//!
//! What an expression gives is as free of the outside as the rest of this crate: `$now`, `$millis`,
//! `$random` and `$uuid` come from the scope. `$eval` is not there, as on AWS.

mod functions;
mod rewrite;
mod session;
mod top;
mod value;

#[cfg(test)]
mod suite;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use jsonata_core::ast::AstNode;
use jsonata_core::evaluator::error_code_prefix;
use jsonata_core::parser;
use serde_json::Value;

use crate::failure::Failure;
use crate::scope::Scope;
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
/// How deep evaluation may nest: about 150 calls of a function that calls itself.
const DEPTH_MAX: usize = 500;
/// How long a sequence may become: what AWS was measured to take (floci-io/floci#2783).
const SEQUENCE_MAX: usize = 873_782;
/// How long `$range` may make one, measured in the same way.
const RANGE_MAX: usize = 360_145;
/// AWS's words for an expression that takes too much memory.
const MEMORY: &str =
    "Expression evaluation memory limit exceeded: Check for excessive memory usage";
/// How many bytes of text the string functions and `&` may make in one evaluation.
const TEXT_BYTES_MAX: usize = 16 * 1024 * 1024;
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
    ast: Arc<AstNode>,
    uses: rewrite::Uses,
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
            let message = without_code(&why).to_owned();
            vec![Fault {
                code: "INVALID_JSONATA_EXPRESSION",
                message,
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
    fn compile(text: &str, field: &str) -> Result<(Expression, Vec<Reference>), String> {
        if text.len() > EXPRESSION_BYTES_MAX {
            return Err(format!(
                "An expression has at most {EXPRESSION_BYTES_MAX} bytes"
            ));
        }
        let parsed = std::panic::catch_unwind(|| parser::parse(text));
        let mut ast = match parsed {
            Ok(Ok(ast)) => ast,
            Ok(Err(why)) => return Err(words(&why.to_string())),
            Err(_) => return Err("The expression cannot be read".to_owned()),
        };
        let unsupported = top::references(&ast);
        let uses = rewrite::guard(&mut ast);
        let expression = Expression {
            text: text.into(),
            field: field.into(),
            ast: Arc::new(ast),
            uses,
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
        self.uses.names.iter().map(String::as_str)
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
                let mark = error_code_prefix(&why).map_or(':', |_| '.');
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

/// The evaluator's message in the form of the reference implementation, which is AWS's: the code
/// comes first, and a function that is none is not named.
fn words(message: &str) -> String {
    const NO_FUNCTION: &str = "T1006: Attempted to invoke a non-function";
    let coded = [
        "Invalid syntax: ",
        "Invalid number: ",
        "Signature validation failed: ",
    ]
    .iter()
    .find_map(|prefix| message.strip_prefix(prefix))
    .filter(|rest| error_code_prefix(rest).is_some());
    let message = coded.unwrap_or(message);
    match error_code_prefix(message) {
        Some("T1006") if message.starts_with(NO_FUNCTION) => NO_FUNCTION.to_owned(),
        Some("D1011" | "U1001") => format!(
            "Stack overflow error: Check for non-terminating recursive function.  Consider rewriting as \
             tail-recursive. Depth={} max={DEPTH_MAX}",
            DEPTH_MAX + 1
        ),
        Some("D1012") => TIMEOUT.to_owned(),
        Some("D2014" | "D2015") => MEMORY.to_owned(),
        _ => message.to_owned(),
    }
}

/// A message of the parser as AWS shows it.
fn without_code(message: &str) -> &str {
    match error_code_prefix(message) {
        Some(code) => message[code.len() + 1..].trim_start(),
        None => message,
    }
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
