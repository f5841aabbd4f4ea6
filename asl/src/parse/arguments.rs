//! What a call of a service must be given.
//!
//! The fields of the optimized integrations that AWS asks for are those that were measured with
//! ValidateStateMachineDefinition (badmintoncryer/cdk-preflight). What else is wrong with a request, its service says.

use serde_json::Value;

use super::fields::Fields;
use super::reader::Reader;
use crate::model::QueryLanguage;

/// An integration, and the fields that its request has to have.
const REQUIRED: &[(&str, &[&str])] = &[
    ("dynamodb:getItem", &["TableName", "Key"]),
    ("dynamodb:putItem", &["TableName", "Item"]),
    ("ecs:runTask", &["TaskDefinition"]),
    ("events:putEvents", &["Entries"]),
    ("glue:startJobRun", &["JobName"]),
    ("lambda:invoke", &["FunctionName"]),
    ("sns:publish", &["Message"]),
    ("sqs:sendMessage", &["QueueUrl", "MessageBody"]),
    ("states:startExecution", &["StateMachineArn"]),
];

/// Checks `Parameters`, or `Arguments`, of a task whose resource is the integration `arn`.
pub(super) fn check(reader: &mut Reader, fields: &Fields<'_>, arn: &str) {
    let (name, suffix) = match reader.language {
        QueryLanguage::JsonPath => ("Parameters", ".$"),
        QueryLanguage::Jsonata => ("Arguments", ""),
    };
    let Some(value) = fields.get(name) else {
        reader.schema(
            &fields.pointer,
            format!("{name} field is required for resource ARN: {arn}"),
        );
        return;
    };
    // An expression gives what nobody knows yet.
    let Value::Object(given) = value else { return };
    let action = arn.split(":::").nth(1).unwrap_or_default();
    let action = action.split('.').next().unwrap_or_default();
    let known = REQUIRED.iter().find(|(call, _)| *call == action);
    for field in known.map_or(&[][..], |(_, required)| *required) {
        if !given.contains_key(*field) && !given.contains_key(&format!("{field}{suffix}")) {
            reader.schema(
                &fields.at(name),
                format!("The field '{field}' is required but was missing"),
            );
        }
    }
}
