//! `sns:publish` as a task: what its parameters mean, what its result looks like, what can be wrong.
//!
//! Members, headers and texts are those of the recorded cases `test_sns_task_service.py`.

use serde_json::{Value, json};
use uuid::Uuid;

use super::Publish;
use crate::clock::Clock;
use crate::functions::task_result::http_date;

/// SNS's own limit, in bytes of UTF-8.
const MESSAGE_BYTES_MAX: usize = 256 * 1024;

/// SNS's own limit.
const SUBJECT_CHARS_MAX: usize = 100;

/// The topic's ARN and the message.
///
/// With `MessageStructure` `json` every subscriber gets the `default` entry.
///
/// # Errors
/// Error and cause of a task that SNS would refuse.
pub fn publish_parameters(parameters: &Value) -> Result<(String, Publish), (String, String)> {
    let text = |name: &str| parameters.get(name).and_then(Value::as_str);
    let topic = text("TopicArn").or_else(|| text("TargetArn"));
    let Some(topic) = topic.filter(|topic| !topic.is_empty()) else {
        return Err(invalid(
            "TopicArn or TargetArn Reason: no value for required parameter",
        ));
    };
    if topic.ends_with(".fifo") && text("MessageGroupId").is_none() {
        return Err(invalid(
            "The MessageGroupId parameter is required for FIFO topics",
        ));
    }
    let message = match parameters.get("Message") {
        None | Some(Value::Null) => {
            return Err(refused(
                "AmazonSNSException",
                400,
                "ValidationError",
                "1 validation error detected: Value null at 'message' failed to satisfy constraint: Member must not be null",
            ));
        }
        Some(Value::String(text)) => text.clone(),
        Some(value) => value.to_string(),
    };
    if message.is_empty() {
        return Err(invalid("Empty message"));
    }
    if message.len() > MESSAGE_BYTES_MAX {
        return Err(invalid("Message too long"));
    }
    let subject = text("Subject").map(str::to_owned);
    if let Some(subject) = &subject {
        let fits = (1..=SUBJECT_CHARS_MAX).contains(&subject.chars().count());
        if !fits || subject.chars().any(char::is_control) {
            return Err(invalid("Subject"));
        }
    }
    let message = match text("MessageStructure") {
        Some("json") => default_entry(&message)?,
        _ => message,
    };
    let publish = Publish {
        message,
        subject,
        attributes: parameters.get("MessageAttributes").cloned(),
        trace: None,
    };
    Ok((topic.to_owned(), publish))
}

/// The task result of a message that was published.
pub fn publish_result(message_id: &str) -> Value {
    let request_id = Uuid::new_v4().to_string();
    let date = http_date(Clock::machine_time());
    json!({
        "MessageId": message_id,
        "SdkHttpMetadata": {
            "AllHttpHeaders": {
                "x-amzn-RequestId": [request_id],
                "connection": ["keep-alive"],
                "Content-Length": ["294"],
                "Date": [date],
                "Content-Type": ["text/xml"],
            },
            "HttpHeaders": {
                "connection": "keep-alive",
                "Content-Length": "294",
                "Content-Type": "text/xml",
                "Date": date,
                "x-amzn-RequestId": request_id,
            },
            "HttpStatusCode": 200,
        },
        "SdkResponseMetadata": { "RequestId": request_id },
    })
}

/// Error and cause of a message to a topic that there is not.
pub fn topic_not_found() -> (String, String) {
    refused("NotFoundException", 404, "NotFound", "Topic does not exist")
}

/// `MessageStructure: json`: an object with a text for each protocol, and one for all others.
fn default_entry(message: &str) -> Result<String, (String, String)> {
    let Ok(Value::Object(entries)) = serde_json::from_str(message) else {
        return Err(invalid(
            "Message Structure - JSON message body failed to parse",
        ));
    };
    match entries.get("default") {
        Some(Value::String(text)) => Ok(text.clone()),
        _ => Err(invalid(
            "Message Structure - No default entry in JSON message body",
        )),
    }
}

fn invalid(what: &str) -> (String, String) {
    refused(
        "InvalidParameterException",
        400,
        "InvalidParameter",
        &format!("Invalid parameter: {what}"),
    )
}

fn refused(exception: &str, status: u16, code: &str, message: &str) -> (String, String) {
    let request_id = Uuid::new_v4();
    (
        format!("SNS.{exception}"),
        format!(
            "{message} (Service: AmazonSNS; Status Code: {status}; Error Code: {code}; Request ID: {request_id}; Proxy: null)"
        ),
    )
}
