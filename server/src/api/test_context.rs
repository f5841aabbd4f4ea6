//! The `context` of a `TestState` request: a context object that somebody wrote, checked for its shape.

use serde_json::Value;

use super::error::ApiError;

/// What a field of the context object may hold.
#[derive(Debug, Clone, Copy)]
enum Shape {
    Text,
    Number,
    Any,
    Object(&'static [(&'static str, Shape)]),
}

use Shape::{Any, Number, Object, Text};

/// The context object of Step Functions.
const CONTEXT: &[(&str, Shape)] = &[
    (
        "Execution",
        Object(&[
            ("Id", Text),
            ("Input", Any),
            ("Name", Text),
            ("RoleArn", Text),
            ("StartTime", Text),
            ("RedriveCount", Number),
            ("RedriveTime", Text),
        ]),
    ),
    (
        "State",
        Object(&[
            ("EnteredTime", Text),
            ("Name", Text),
            ("RetryCount", Number),
        ]),
    ),
    ("StateMachine", Object(&[("Id", Text), ("Name", Text)])),
    ("Task", Object(&[("Token", Text)])),
    (
        "Map",
        Object(&[(
            "Item",
            Object(&[
                ("Index", Number),
                ("Key", Text),
                ("Value", Any),
                ("Source", Text),
            ]),
        )]),
    ),
];

/// The context object that `text` is.
pub(super) fn accept(text: &str) -> Result<Value, ApiError> {
    let context: Value =
        serde_json::from_str(text).map_err(|_| invalid("it must be valid JSON".to_owned()))?;
    check(&context, "", Object(CONTEXT))?;
    Ok(context)
}

fn check(value: &Value, at: &str, shape: Shape) -> Result<(), ApiError> {
    let must = |what: &str| {
        let at = if at.is_empty() { "Context" } else { at };
        Err(invalid(format!("{at} must be {what}")))
    };
    match shape {
        Any => Ok(()),
        Text if value.is_string() => Ok(()),
        Text => must("a string"),
        Number if value.is_number() => Ok(()),
        Number => must("a number"),
        Object(known) => {
            let Some(fields) = value.as_object() else {
                return must("an object");
            };
            for (name, value) in fields {
                let Some((_, shape)) = known.iter().find(|(known, _)| known == name) else {
                    return Err(invalid(format!("Field '{name}' is not allowed")));
                };
                let inner = match at {
                    "" => name.clone(),
                    at => format!("{at}.{name}"),
                };
                check(value, &inner, *shape)?;
            }
            Ok(())
        }
    }
}

fn invalid(why: String) -> ApiError {
    ApiError::validation(format!("Invalid Context object provided: {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_context_has_the_fields_that_the_service_gives_it() {
        for good in [
            "{}",
            r#"{"Execution":{},"State":{},"StateMachine":{}}"#,
            r#"{"Execution":{"Input":[1]},"Map":{"Item":{"Index":0,"Value":null}}}"#,
        ] {
            assert!(accept(good).is_ok(), "{good}");
        }
        for (bad, why) in [
            (
                r#"{"Execution":{"pokemon":"x"}}"#,
                "Field 'pokemon' is not allowed",
            ),
            (r#"{"Execution":{"Id":1}}"#, "Execution.Id must be a string"),
            (
                r#"{"State":{"RetryCount":"1"}}"#,
                "State.RetryCount must be a number",
            ),
            (r#"{"State":1}"#, "State must be an object"),
            ("[]", "Context must be an object"),
            ("{", "it must be valid JSON"),
        ] {
            let error = accept(bad).expect_err("it is refused");
            let message = format!("Invalid Context object provided: {why}");
            assert_eq!(error.message, message);
        }
    }
}
