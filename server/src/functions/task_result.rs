//! An answer as the result of `lambda:invoke`: what the AWS SDK makes of Lambda's HTTP answer.
//!
//! The members, their order and the headers are those of the recorded case
//! `TestTaskServiceLambda::test_invoke_json_values`.

use asl::Timestamp;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{failure, runtime_api};
use crate::clock::Clock;

/// The task result of an invocation that was answered.
pub fn lambda_result(payload: Value, request_id: &str) -> Value {
    let now = Clock::machine_time();
    let content_length = payload.to_string().len().to_string();
    let date = http_date(now);
    let trace_id = runtime_api::trace_id(None, now);
    json!({
        "ExecutedVersion": "$LATEST",
        "Payload": payload,
        "SdkHttpMetadata": {
            "AllHttpHeaders": {
                "X-Amz-Executed-Version": ["$LATEST"],
                "x-amzn-Remapped-Content-Length": ["0"],
                "Connection": ["keep-alive"],
                "x-amzn-RequestId": [request_id],
                "Content-Length": [content_length],
                "Date": [date],
                "X-Amzn-Trace-Id": [trace_id],
                "Content-Type": ["application/json"],
            },
            "HttpHeaders": {
                "Connection": "keep-alive",
                "Content-Length": content_length,
                "Content-Type": "application/json",
                "Date": date,
                "X-Amz-Executed-Version": "$LATEST",
                "x-amzn-Remapped-Content-Length": "0",
                "x-amzn-RequestId": request_id,
                "X-Amzn-Trace-Id": trace_id,
            },
            "HttpStatusCode": 200,
        },
        "SdkResponseMetadata": { "RequestId": request_id },
        "StatusCode": 200,
    })
}

/// Error and cause of an invocation of a function that there is not (recorded case
/// `test_no_such_function`).
pub fn function_not_found(arn: &str) -> (String, String) {
    failure::service(
        "ResourceNotFoundException",
        404,
        "ResourceNotFoundException",
        &Uuid::new_v4().to_string(),
        &format!("Function not found: {arn}:$LATEST"),
    )
}

/// Error and cause of an invocation with a payload that is a text, and not one of JSON. The words are
/// those of Lambda's API; no recording shows what Step Functions makes of them.
pub fn payload_not_json(fault: &str) -> (String, String) {
    failure::service(
        "InvalidRequestContentException",
        400,
        "InvalidRequestContentException",
        &Uuid::new_v4().to_string(),
        &format!(
            "Could not parse request body into json: Could not parse payload into json: {fault}"
        ),
    )
}

/// As in a `Date` header: `Sun, 22 Nov 2026 16:06:09 GMT`.
pub(crate) fn http_date(time: Timestamp) -> String {
    jiff::Timestamp::from_millisecond(time.0)
        .map(|instant| instant.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string())
        .unwrap_or_default()
}
