//! Subscribers that are AWS's own, or stand in for them: a topic of SNS, a bus of EventBridge. Where they are
//! and as whom they are called the environment says, as for tasks.

use serde::Deserialize;
use serde_json::{Value, json};

use super::All;
use super::delivery::Undelivered;
use super::message::Message;
use super::reading::Reading;
use crate::services::Services;

/// `{ eventbridge = {...} }`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EventBridgeConfig {
    /// A bus's name or ARN.
    pub bus: String,
    /// The events' `Source`; default `rejoin`. AWS keeps what begins with `aws.` to itself.
    #[serde(default = "source")]
    pub source: String,
}

fn source() -> String {
    "rejoin".to_owned()
}

/// Publishes to a topic of SNS.
pub(super) async fn publish(
    all: &All,
    topic_arn: &str,
    message: &Message,
) -> Result<(), Undelivered> {
    let mut request = json!({ "TopicArn": topic_arn, "Message": message.message });
    if let Some(subject) = &message.subject {
        request["Subject"] = subject.as_str().into();
    }
    if let Some(attributes) = &message.attributes {
        request["MessageAttributes"] = attributes.clone();
    }
    let published = services(all)?.publish_to_sns(&request).await;
    published.map_err(Undelivered::ForNow)
}

/// Puts an event on a bus: one about an execution under the name that AWS has for it, with its detail; an
/// alert, or whatever else was published, as the detail.
pub(super) async fn put_event(
    all: &All,
    config: &EventBridgeConfig,
    reading: &Reading,
    message: &Message,
) -> Result<(), Undelivered> {
    let details = &reading.details;
    let (kind, detail) = match (details.get("detail-type"), details.get("detail")) {
        (Some(Value::String(kind)), Some(detail)) => (kind.as_str(), detail),
        _ if reading.schema.is_some() => ("Rejoin Alert", details),
        _ => ("Rejoin Message", details),
    };
    let resources: Vec<&Value> = details
        .get("resources")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .collect();
    let about = reading
        .about
        .as_deref()
        .filter(|about| about.starts_with("arn:"));
    let resources = match (resources.is_empty(), about) {
        (true, Some(about)) => json!([about]),
        _ => json!(resources),
    };
    let request = json!({ "Entries": [{
        "EventBusName": config.bus,
        "Source": config.source,
        "DetailType": kind,
        "Detail": detail.to_string(),
        "Resources": resources,
        "Time": message.published_at.0.div_euclid(1000),
    }] });
    let put = services(all)?.put_event_for(&request).await;
    put.map_err(Undelivered::ForNow)
}

fn services(all: &All) -> Result<Services, Undelivered> {
    let app = all.app();
    let app = app.ok_or_else(|| Undelivered::ForNow("the server is stopping".to_owned()))?;
    Ok(app.services.clone())
}
