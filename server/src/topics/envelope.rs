//! A message in SNS's shapes.
//!
//! Members, their order and their spelling (`SigningCertURL` here, `SigningCertUrl` there) are SNS's.
//! Those about signatures are there, since readers insist on them, and empty: Rejoin does not sign, and a
//! subscriber that checks signatures rightly refuses. Configured subscribers are not asked to confirm.

use serde_json::{Map, Value, json};

use super::message::Message;

/// What an HTTP(S) endpoint is sent.
pub fn notification(topic_arn: &str, subscription_arn: &str, message: &Message) -> Value {
    let mut envelope = Map::new();
    envelope.insert("Type".into(), "Notification".into());
    envelope.insert("MessageId".into(), message.id.as_str().into());
    envelope.insert("TopicArn".into(), topic_arn.into());
    if let Some(subject) = &message.subject {
        envelope.insert("Subject".into(), subject.as_str().into());
    }
    envelope.insert("Message".into(), message.message.as_str().into());
    envelope.insert("Timestamp".into(), message.published_at.to_string().into());
    envelope.insert("SignatureVersion".into(), "1".into());
    envelope.insert("Signature".into(), "".into());
    envelope.insert("SigningCertURL".into(), "".into());
    envelope.insert(
        "UnsubscribeURL".into(),
        unsubscribe(subscription_arn).into(),
    );
    let attributes = attributes(message);
    if !attributes.is_empty() {
        envelope.insert("MessageAttributes".into(), attributes.into());
    }
    envelope.into()
}

/// What a function is sent.
pub fn event(topic_arn: &str, subscription_arn: &str, message: &Message) -> Value {
    json!({
        "Records": [{
            "EventSource": "aws:sns",
            "EventVersion": "1.0",
            "EventSubscriptionArn": subscription_arn,
            "Sns": {
                "Type": "Notification",
                "MessageId": message.id,
                "TopicArn": topic_arn,
                "Subject": message.subject,
                "Message": message.message,
                "Timestamp": message.published_at.to_string(),
                "SignatureVersion": "1",
                "Signature": "",
                "SigningCertUrl": "",
                "UnsubscribeUrl": unsubscribe(subscription_arn),
                "MessageAttributes": attributes(message),
            },
        }],
    })
}

/// What a webhook is sent: the members that Standard Webhooks recommends.
pub fn webhook(topic_arn: &str, message: &Message) -> Value {
    let topic = topic_arn.rsplit(':').next().unwrap_or(topic_arn);
    json!({
        "type": format!("topic.{topic}"),
        "timestamp": message.published_at.to_string(),
        "data": message.clone().view(topic_arn).message,
    })
}

/// A line of a file: what people look for, the message as JSON if it is an object or an array.
pub fn line(topic_arn: &str, message: &Message) -> Value {
    let view = message.clone().view(topic_arn);
    let mut line = Map::new();
    line.insert("message_id".into(), view.message_id.into());
    line.insert("topic_arn".into(), view.topic_arn.into());
    line.insert("published_at".into(), view.published_at.into());
    if let Some(subject) = view.subject {
        line.insert("subject".into(), subject.into());
    }
    line.insert("message".into(), view.message);
    if let Some(attributes) = view.attributes {
        line.insert("attributes".into(), attributes);
    }
    line.into()
}

/// Nothing listens there: a subscription ends in the configuration. It says which one it is.
fn unsubscribe(subscription_arn: &str) -> String {
    format!("http://localhost/?Action=Unsubscribe&SubscriptionArn={subscription_arn}")
}

/// `{"DataType", "StringValue"}` as it is published becomes `{"Type", "Value"}` as it is received.
fn attributes(message: &Message) -> Map<String, Value> {
    let given = message.attributes.as_ref().and_then(Value::as_object);
    let read = |(name, attribute): (&String, &Value)| {
        let value = attribute
            .get("StringValue")
            .or_else(|| attribute.get("BinaryValue"))
            .unwrap_or(&Value::Null);
        let kind = attribute.get("DataType").unwrap_or(&Value::Null);
        (name.clone(), json!({ "Type": kind, "Value": value }))
    };
    given.into_iter().flatten().map(read).collect()
}
