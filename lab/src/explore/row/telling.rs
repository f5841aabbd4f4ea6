//! Which tasks tell people or other systems of something, and what they say.

use asl::Resource;
use serde_json::Value;

use crate::seen::Call;

/// Where a task tells people or other systems of something, if it is of the kind that does.
pub(super) fn told_by(call: &Call) -> Option<String> {
    let parameters = &call.parameters;
    let text = |name: &str| parameters.get(name).and_then(Value::as_str);
    let resource = call.resource.strip_prefix("arn:aws:states:::")?;
    let action = resource.strip_prefix("aws-sdk:").unwrap_or(resource);
    let (service, action) = action.split_once(':')?;
    let last = |arn: &str| arn.rsplit([':', '/']).next().unwrap_or(arn).to_owned();
    let action = action.strip_suffix(".waitForTaskToken").unwrap_or(action);
    match (service, action) {
        ("sns", "publish" | "publishBatch") => {
            let topic = text("TopicArn").or_else(|| text("TargetArn")).map(last);
            Some(
                topic
                    .or_else(|| text("PhoneNumber").map(str::to_owned))
                    .unwrap_or_else(|| "sns".into()),
            )
        }
        ("sqs", "sendMessage" | "sendMessageBatch") => {
            Some(text("QueueUrl").map_or_else(|| "sqs".into(), last))
        }
        ("events" | "eventbridge", "putEvents") => Some("EventBridge".into()),
        ("ses" | "sesv2", action) if action.starts_with("send") => Some("mail".into()),
        ("cloudwatch", "putMetricData") => Some("CloudWatch".into()),
        _ => None,
    }
}

/// A message in a few words.
pub(super) fn what_is_said(message: &Value) -> String {
    let members = [
        "description",
        "title",
        "Subject",
        "subject",
        "error",
        "Message",
        "detail-type",
    ];
    let said = members.iter().find_map(|name| match message.get(name)? {
        Value::String(text) => Some(text.clone()),
        inner @ Value::Object(_) => Some(what_is_said(inner)),
        _ => None,
    });
    let said = said.unwrap_or_else(|| match message {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    });
    said.chars().take(100).collect()
}

/// Whether a resource is one whose tasks tell somebody; for tasks that a run has not asked.
pub fn is_telling(resource: &Resource) -> bool {
    let call = Call {
        at: 0,
        machine: String::new(),
        execution_arn: String::new(),
        state: String::new(),
        attempt: 0,
        asked: 1,
        resource: resource.as_written().to_string(),
        parameters: Value::Null,
    };
    told_by(&call).is_some()
}
