//! A number that a definition gives, or says where to look up.
//!
//! `ToleratedFailureCount` and its like come in three forms: the number itself, a path to it under a
//! name that ends in `Path`, and a JSONata expression. Here are all three, and what AWS says of a
//! place where no number stands. Which numbers are sensible, each field knows for itself.

use serde_json::Value;

use crate::failure::Failure;
use crate::jsonata;
use crate::path::Path;
use crate::scope::Scope;

/// A number of type `T`, given or looked up.
#[derive(Debug)]
pub struct Amount<T> {
    /// The field, for example `MaxItems`; its path is `MaxItemsPath`.
    field: &'static str,
    form: Form<T>,
}

#[derive(Debug)]
enum Form<T> {
    Fixed(T),
    Path(Path),
    Jsonata(jsonata::Expression),
}

impl<T> Amount<T> {
    /// The number itself, of the field called `field`.
    pub fn fixed(field: &'static str, number: T) -> Amount<T> {
        Amount {
            field,
            form: Form::Fixed(number),
        }
    }

    /// A path to it.
    pub fn path(field: &'static str, path: Path) -> Amount<T> {
        Amount {
            field,
            form: Form::Path(path),
        }
    }

    /// An expression for it.
    pub fn jsonata(field: &'static str, expression: jsonata::Expression) -> Amount<T> {
        Amount {
            field,
            form: Form::Jsonata(expression),
        }
    }

    /// The number, if it need not be looked up.
    pub fn given(&self) -> Option<&T> {
        match &self.form {
            Form::Fixed(number) => Some(number),
            Form::Path(_) | Form::Jsonata(_) => None,
        }
    }
}

impl Amount<u64> {
    /// The whole number, which may be below zero where it is looked up.
    ///
    /// # Errors
    /// `States.Runtime` if the path leads to nothing or to something else; it takes text that is a
    /// number, as AWS does (recorded: `MAP_STATE_REFERENCE_IN_TOLERATED_FAILURE_PATH`).
    /// `States.QueryEvaluationError` if the expression does.
    pub fn evaluate(&self, scope: Scope<'_>) -> Result<i64, Failure> {
        match &self.form {
            Form::Fixed(number) => Ok(i64::try_from(*number).unwrap_or(i64::MAX)),
            Form::Path(path) => {
                let found = path.select(scope)?;
                let shown = shown(&found);
                let number = shown.parse();
                number.map_err(|_| self.is_not(path, &shown, "integer"))
            }
            Form::Jsonata(expression) => expression.evaluate_whole(scope, self.field),
        }
    }
}

impl Amount<f64> {
    /// The number, which may have a fraction.
    ///
    /// # Errors
    /// As [`Amount::<u64>::evaluate`].
    pub fn evaluate(&self, scope: Scope<'_>) -> Result<f64, Failure> {
        match &self.form {
            Form::Fixed(number) => Ok(*number),
            Form::Path(path) => {
                let found = path.select(scope)?;
                let shown = shown(&found);
                let number: Option<f64> = shown.parse().ok();
                number
                    .filter(|number| number.is_finite())
                    .ok_or_else(|| self.is_not(path, &shown, "float"))
            }
            Form::Jsonata(expression) => expression.evaluate_as(scope, "number", Value::as_f64),
        }
    }
}

impl<T> Amount<T> {
    fn is_not(&self, path: &Path, shown: &str, kind: &str) -> Failure {
        Failure::runtime(format!(
            "The {}Path field refers to value \"{shown}\" which is not a valid {kind}: {}",
            self.field,
            path.text()
        ))
    }
}

/// Text as it is, all else as JSON.
fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::fixture::World;

    #[test]
    fn a_path_leads_to_a_number_or_to_text_that_is_one() {
        fn not<T>(field: &str, shown: &str, kind: &str) -> Result<T, String> {
            Err(format!(
                "The {field}Path field refers to value \"{shown}\" which is not a valid {kind}: $.n"
            ))
        }
        let rows = [
            (json!(3), Ok(3), Ok(3.0)),
            (json!(-1), Ok(-1), Ok(-1.0)),
            (json!("7"), Ok(7), Ok(7.0)),
            (json!(1.5), not("Count", "1.5", "integer"), Ok(1.5)),
            (
                json!("NoNumber"),
                not("Count", "NoNumber", "integer"),
                not("Share", "NoNumber", "float"),
            ),
            (
                json!({}),
                not("Count", "{}", "integer"),
                not("Share", "{}", "float"),
            ),
            (
                json!("inf"),
                not("Count", "inf", "integer"),
                not("Share", "inf", "float"),
            ),
        ];
        let path = || Path::parse("$.n").expect("a path");
        for (value, whole, broken) in rows {
            let input = json!({ "n": value });
            let world = World::seeded(1);
            let cause = |failure: Failure| failure.cause.expect("it says why");
            let count = Amount::<u64>::path("Count", path());
            assert_eq!(count.evaluate(world.scope(&input)).map_err(cause), whole);
            let share = Amount::<f64>::path("Share", path());
            assert_eq!(share.evaluate(world.scope(&input)).map_err(cause), broken);
        }
    }
}
