//! What tasks answer when nobody says: as much as their service always answers.

use asl::{ItemReader, ItemSource, Pattern, Resource};
use serde_json::{Value, json};

/// What a Map's reader finds: one item.
pub fn items(reader: &ItemReader) -> Value {
    match reader.source {
        ItemSource::ListObjects if !reader.config.load_and_flatten => json!([{
            "Etag": "\"d41d8cd98f00b204e9800998ecf8427e\"", "Key": "made-up-key", "LastModified": 1_700_000_000,
            "Size": 0, "StorageClass": "STANDARD",
        }]),
        _ => json!([{}]),
    }
}

/// The result of a task that goes well.
pub fn result(resource: &Resource) -> Value {
    let Resource::Service {
        service,
        action,
        pattern,
        ..
    } = resource
    else {
        return json!({});
    };
    if *pattern == Pattern::WaitForTaskToken {
        return json!({});
    }
    let operation = action.split('.').next().unwrap_or(action);
    let service = service.strip_prefix("aws-sdk:").unwrap_or(service);
    match (service, operation) {
        ("lambda", "invoke") => {
            json!({ "ExecutedVersion": "$LATEST", "Payload": {}, "StatusCode": 200 })
        }
        ("sns", "publish") => json!({ "MessageId": "00000000-0000-0000-0000-000000000001" }),
        ("sqs", "sendMessage") => json!({
            "MD5OfMessageBody": "d41d8cd98f00b204e9800998ecf8427e",
            "MessageId": "00000000-0000-0000-0000-000000000001",
        }),
        ("dynamodb", "getItem") => json!({ "Item": {} }),
        ("dynamodb", "query" | "scan") => json!({ "Items": [], "Count": 0, "ScannedCount": 0 }),
        ("events" | "eventbridge", "putEvents") => json!({
            "Entries": [{ "EventId": "00000000-0000-0000-0000-000000000001" }],
            "FailedEntryCount": 0,
        }),
        ("states" | "sfn", "startExecution") => match (pattern, action.ends_with(":2")) {
            (Pattern::Sync, true) => json!({ "Output": {}, "Status": "SUCCEEDED" }),
            (Pattern::Sync, false) => json!({ "Output": "{}", "Status": "SUCCEEDED" }),
            _ => json!({
                "ExecutionArn": "arn:aws:states:us-east-1:123456789012:execution:Other:made-up",
                "StartDate": 1_700_000_000.0,
            }),
        },
        ("batch", "submitJob") if *pattern == Pattern::Sync => json!({ "Status": "SUCCEEDED" }),
        ("glue", "startJobRun") if *pattern == Pattern::Sync => {
            json!({ "JobRunState": "SUCCEEDED" })
        }
        ("http", "invoke") => {
            json!({ "ResponseBody": {}, "StatusCode": 200, "StatusText": "OK", "Headers": {} })
        }
        _ => json!({}),
    }
}
