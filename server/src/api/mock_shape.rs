//! What the results of service integrations look like, for `TestState` to check a mock against.
//!
//! Names and types are those of the services' own API references, as a Task state sees them: a time is a
//! text there, and a blob that holds JSON is any value. The optimized integrations have their table here, those
//! of `aws-sdk` in [`super::mock_results`]. A result that is in neither is not checked.

use serde_json::Value;

use super::error::ApiError;
use super::mock_results::{self, Bounds, Service};

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
    if mode == Mode::None {
        return Ok(());
    }
    let checked = match action.strip_prefix("aws-sdk:") {
        Some(action) => mock_results::result(action).map_or(Ok(()), |(service, shape)| {
            fits(result, "result", service, shape, mode)
        }),
        None => RESULTS
            .iter()
            .find(|(known, _)| *known == action)
            .map_or(Ok(()), |(_, fields)| object(result, "result", fields, mode)),
    };
    checked
        .map_err(|why| ApiError::validation(format!("Mock result schema validation error: {why}")))
}

/// Whether a value is of a shape of a service.
fn fits(
    value: &Value,
    name: &str,
    service: &Service,
    shape: &mock_results::Shape,
    mode: Mode,
) -> Result<(), String> {
    use mock_results::Shape;
    match shape {
        Shape::Text(bounds) => {
            let text = value.as_str().ok_or_else(|| must_be(name, "a string"))?;
            within(text.chars().count() as f64, *bounds).map_err(|breach| match breach {
                Breach::Below => format!("Field '{name}' is smaller than the minimum length"),
                Breach::Above => format!("Field '{name}' exceeds the maximum length"),
            })
        }
        Shape::Number(bounds) => {
            let number = value.as_f64().ok_or_else(|| must_be(name, "a number"))?;
            within(number, *bounds).map_err(|breach| match breach {
                Breach::Below => format!("Field '{name}' is less than the minimum value"),
                Breach::Above => format!("Field '{name}' exceeds the maximum value"),
            })
        }
        Shape::Boolean {} => match value.is_boolean() {
            true => Ok(()),
            false => Err(must_be(name, "a boolean")),
        },
        Shape::Enum(set) => {
            let text = value.as_str().ok_or_else(|| must_be(name, "a string"))?;
            match set.iter().any(|known| **known == *text) {
                true => Ok(()),
                false => Err(format!("Field '{name}' is not an expected value")),
            }
        }
        Shape::List(item) => {
            let items = value.as_array().ok_or_else(|| must_be(name, "an array"))?;
            let shape = service.shape(item);
            items
                .iter()
                .try_for_each(|item| fits(item, name, service, shape, mode))
        }
        Shape::Map(item) => {
            let items = value
                .as_object()
                .ok_or_else(|| must_be(name, "an object"))?;
            let shape = service.shape(item);
            items
                .iter()
                .try_for_each(|(key, item)| fits(item, key, service, shape, mode))
        }
        Shape::Object { members, required } => {
            let found = value
                .as_object()
                .ok_or_else(|| must_be(name, "an object"))?;
            let missing = required.iter().find(|name| !found.contains_key(&***name));
            if let (Some(name), Mode::Strict) = (missing, mode) {
                return Err(format!("Required field '{name}' is missing"));
            }
            found
                .iter()
                .try_for_each(|(name, value)| match members.get(name.as_str()) {
                    Some(member) => fits(value, name, service, service.shape(member), mode),
                    None => Ok(()),
                })
        }
    }
}

/// Which end of its bounds something is beyond.
enum Breach {
    Below,
    Above,
}

fn within(number: f64, Bounds { min, max }: Bounds) -> Result<(), Breach> {
    if min.is_some_and(|min| number < min) {
        return Err(Breach::Below);
    }
    match max.is_some_and(|max| number > max) {
        true => Err(Breach::Above),
        false => Ok(()),
    }
}

fn must_be(name: &str, what: &str) -> String {
    format!("Field '{name}' must be {what}")
}

fn object(value: &Value, name: &str, fields: &[Field], mode: Mode) -> Result<(), String> {
    let Some(members) = value.as_object() else {
        return Err(must_be(name, "an object"));
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
        false => Err(must_be(name, what)),
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
                "Field 'ContentLength' must be a number",
            ),
            (
                "aws-sdk:s3:getObject",
                json!({"StorageClass": "Papyrus"}),
                Present,
                "Field 'StorageClass' is not an expected value",
            ),
            (
                "aws-sdk:s3:listBuckets",
                json!({"Buckets": [{"Name": "b"}, {"Name": 1}]}),
                Strict,
                "Field 'Name' must be a string",
            ),
            (
                "aws-sdk:kms:encrypt",
                json!({"CiphertextBlob": ""}),
                Strict,
                "Field 'CiphertextBlob' is smaller than the minimum length",
            ),
            (
                "aws-sdk:lambda:getFunction",
                json!({"Configuration": {"MemorySize": 10_241}}),
                Present,
                "Field 'MemorySize' exceeds the maximum value",
            ),
            (
                "aws-sdk:lambda:getFunction",
                json!({"Configuration": {"MemorySize": 127}}),
                Strict,
                "Field 'MemorySize' is less than the minimum value",
            ),
            (
                "aws-sdk:sfn:startExecution",
                json!({"StartDate": "now"}),
                Strict,
                "Required field 'ExecutionArn' is missing",
            ),
            ("aws-sdk:sfn:startExecution", json!({}), Present, ""),
            ("aws-sdk:ec2:describeVpcs", json!(1), Strict, ""),
        ] {
            let outcome = check(&format!("arn:aws:states:::{action}"), &result, mode);
            let message = outcome.err().map(|error| error.message).unwrap_or_default();
            let message = message.trim_start_matches("Mock result schema validation error: ");
            assert_eq!(message, expected, "{action} {result} {mode:?}");
        }
    }
}
