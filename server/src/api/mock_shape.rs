//! What the results of the optimized service integrations look like, for `TestState` to check a mock against.
//!
//! Names and types are those of the services' own API references, as a Task state sees them: a time is a
//! text there, and a blob that holds JSON is any value. A service that is not in the table is not checked:
//! this module does not know the models of all of AWS (`aws-sdk:*`).

use serde_json::Value;

use super::error::ApiError;

/// How strictly a mock is checked: `MockResponseValidationMode`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    /// What is required has to be there, and what is there has to be right.
    Strict,
    /// What is there has to be right.
    Present,
    /// Nothing is checked.
    None,
}

#[derive(Debug, Clone, Copy)]
enum Shape {
    Text,
    Number,
    Any,
    List(&'static Shape),
    /// Keys are the user's.
    Map(&'static Shape),
    Object(&'static [Field]),
}

/// A member: its name, whether it is required, and its shape.
type Field = (&'static str, bool, Shape);

use Shape::{Any, List, Number, Object, Text};

const CAPACITY: Shape = Object(&[
    ("ReadCapacityUnits", false, Number),
    ("WriteCapacityUnits", false, Number),
    ("CapacityUnits", false, Number),
]);

const CONSUMED_CAPACITY: Shape = Object(&[
    ("TableName", false, Text),
    ("CapacityUnits", false, Number),
    ("ReadCapacityUnits", false, Number),
    ("WriteCapacityUnits", false, Number),
    ("Table", false, CAPACITY),
    ("LocalSecondaryIndexes", false, Shape::Map(&CAPACITY)),
    ("GlobalSecondaryIndexes", false, Shape::Map(&CAPACITY)),
]);

const ITEM: Shape = Shape::Map(&Any);

const WRITTEN_ITEM: &[Field] = &[
    ("Attributes", false, ITEM),
    ("ConsumedCapacity", false, CONSUMED_CAPACITY),
    (
        "ItemCollectionMetrics",
        false,
        Object(&[
            ("ItemCollectionKey", false, ITEM),
            ("SizeEstimateRangeGB", false, List(&Number)),
        ]),
    ),
];

/// The results by the resource's service and action, the pattern left out.
const RESULTS: &[(&str, &[Field])] = &[
    ("dynamodb:deleteItem", WRITTEN_ITEM),
    (
        "dynamodb:getItem",
        &[
            ("Item", false, ITEM),
            ("ConsumedCapacity", false, CONSUMED_CAPACITY),
        ],
    ),
    ("dynamodb:putItem", WRITTEN_ITEM),
    ("dynamodb:updateItem", WRITTEN_ITEM),
    (
        "events:putEvents",
        &[
            ("FailedEntryCount", false, Number),
            (
                "Entries",
                false,
                List(&Object(&[
                    ("EventId", false, Text),
                    ("ErrorCode", false, Text),
                    ("ErrorMessage", false, Text),
                ])),
            ),
        ],
    ),
    (
        "lambda:invoke",
        &[
            ("StatusCode", false, Number),
            ("FunctionError", false, Text),
            ("LogResult", false, Text),
            ("Payload", false, Any),
            ("ExecutedVersion", false, Text),
        ],
    ),
    (
        "sns:publish",
        &[("MessageId", false, Text), ("SequenceNumber", false, Text)],
    ),
    (
        "sqs:sendMessage",
        &[
            ("MD5OfMessageBody", false, Text),
            ("MD5OfMessageAttributes", false, Text),
            ("MD5OfMessageSystemAttributes", false, Text),
            ("MessageId", false, Text),
            ("SequenceNumber", false, Text),
        ],
    ),
    (
        "states:startExecution",
        &[("ExecutionArn", true, Text), ("StartDate", true, Text)],
    ),
];

/// Checks the mocked result of a Task state with this `Resource`.
pub(super) fn check(resource: &str, result: &Value, mode: Mode) -> Result<(), ApiError> {
    // What a token or the end of a job brings is not the service's response.
    let action = resource
        .strip_prefix("arn:aws:states:::")
        .unwrap_or_default();
    let known = RESULTS.iter().find(|(known, _)| *known == action);
    match known {
        Some((_, fields)) if mode != Mode::None => {
            object(result, "result", fields, mode).map_err(|why| {
                ApiError::validation(format!("Mock result schema validation error: {why}"))
            })
        }
        _ => Ok(()),
    }
}

fn object(value: &Value, name: &str, fields: &[Field], mode: Mode) -> Result<(), String> {
    let Some(members) = value.as_object() else {
        return Err(format!("Field '{name}' must be an object"));
    };
    for (name, required, shape) in fields {
        match members.get(*name) {
            Some(member) => matches(member, name, *shape, mode)?,
            None if *required && mode == Mode::Strict => {
                return Err(format!("Required field '{name}' is missing"));
            }
            None => {}
        }
    }
    Ok(())
}

/// The name is that of the member, also for what is in a list (recorded in
/// `test_strict_mode_eventbridge_task`).
fn matches(value: &Value, name: &str, shape: Shape, mode: Mode) -> Result<(), String> {
    let must = |fits: bool, what: &str| match fits {
        true => Ok(()),
        false => Err(format!("Field '{name}' must be {what}")),
    };
    match shape {
        Any => Ok(()),
        Text => must(value.is_string(), "a string"),
        Number => must(value.is_number(), "a number"),
        List(item) => {
            must(value.is_array(), "an array")?;
            let mut items = value.as_array().into_iter().flatten();
            items.try_for_each(|value| matches(value, name, *item, mode))
        }
        Shape::Map(item) => {
            must(value.is_object(), "an object")?;
            let mut items = value.as_object().into_iter().flatten();
            items.try_for_each(|(key, value)| matches(value, key, *item, mode))
        }
        Object(fields) => object(value, name, fields, mode),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_mock_is_checked_as_strictly_as_was_asked() {
        use Mode::{None, Present, Strict};
        for (action, result, mode, expected) in [
            (
                "states:startExecution",
                json!({}),
                Strict,
                "Required field 'ExecutionArn' is missing",
            ),
            ("states:startExecution", json!({}), Present, ""),
            (
                "states:startExecution",
                json!({"StartDate": 1}),
                Present,
                "Field 'StartDate' must be a string",
            ),
            (
                "states:startExecution",
                json!({"StartDate": true}),
                None,
                "",
            ),
            // A name in another case is another name.
            (
                "states:startExecution",
                json!({"startDate": 1}),
                Present,
                "",
            ),
            ("states:startExecution.sync", json!({}), Strict, ""),
            ("lambda:invoke", json!({"Payload": [1]}), Strict, ""),
            (
                "lambda:invoke",
                json!({"StatusCode": "200"}),
                Strict,
                "Field 'StatusCode' must be a number",
            ),
            (
                "lambda:invoke",
                json!("text"),
                Strict,
                "Field 'result' must be an object",
            ),
            (
                "events:putEvents",
                json!({"Entries": "e"}),
                Strict,
                "Field 'Entries' must be an array",
            ),
            (
                "events:putEvents",
                json!({"Entries": [{"EventId": "e"}, {"EventId": []}]}),
                Strict,
                "Field 'EventId' must be a string",
            ),
            (
                "dynamodb:putItem",
                json!({"ConsumedCapacity": {"Table": {"CapacityUnits": "1"}}}),
                Strict,
                "Field 'CapacityUnits' must be a number",
            ),
            (
                "dynamodb:getItem",
                json!({"Item": []}),
                Strict,
                "Field 'Item' must be an object",
            ),
            (
                "aws-sdk:s3:getObject",
                json!({"ContentLength": "1"}),
                Strict,
                "",
            ),
        ] {
            let outcome = check(&format!("arn:aws:states:::{action}"), &result, mode);
            let message = outcome.err().map(|error| error.message).unwrap_or_default();
            let message = message.trim_start_matches("Mock result schema validation error: ");
            assert_eq!(message, expected, "{action} {result} {mode:?}");
        }
    }
}
