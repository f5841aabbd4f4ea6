//! Subscribers that are AWS's own, or stand in for them: a topic of SNS, a bus of EventBridge. Where they are
//! and as whom they are called the environment says, as for tasks.

use serde::Deserialize;
use serde_json::{Value, json};

use super::All;
use super::delivery::Undelivered;
use super::message::Message;
use super::reading::Reading;
use crate::services::Services;
use crate::trace::{Sent, TRACEPARENT, TRACESTATE};

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
    let trace = message.sent();
    if let Some(attributes) = attributes(message.attributes.as_ref(), trace.as_ref()) {
        request["MessageAttributes"] = attributes;
    }
    let services = services(all, trace)?;
    let published = services.publish_to_sns(&request).await;
    published.map_err(Undelivered::ForNow)
}

/// How many attributes a message may have for a queue that hears no more than it: SNS drops one with more.
const ATTRIBUTES_MAX: usize = 10;

/// A message's attributes, with those of its trace as far as there is room: SNS has no member for it, and hands
/// attributes on to whoever subscribes.
fn attributes(given: Option<&Value>, trace: Option<&Sent>) -> Option<Value> {
    let mut attributes = given.cloned();
    let members = trace.into_iter().flat_map(Sent::headers);
    for (name, value) in members.filter(|(name, _)| [TRACEPARENT, TRACESTATE].contains(name)) {
        let all = attributes.get_or_insert_with(|| json!({})).as_object_mut();
        if let Some(all) = all.filter(|all| all.len() < ATTRIBUTES_MAX) {
            let attribute = || json!({ "DataType": "String", "StringValue": value });
            all.entry(name).or_insert_with(attribute);
        }
    }
    attributes
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
    let mut entry = json!({
        "EventBusName": config.bus,
        "Source": config.source,
        "DetailType": kind,
        "Detail": detail.to_string(),
        "Resources": resources,
        "Time": message.published_at.0.div_euclid(1000),
    });
    let trace = message.sent();
    if let Some(trace) = &trace {
        entry["TraceHeader"] = trace.x_ray().into();
    }
    let request = json!({ "Entries": [entry] });
    let services = services(all, trace)?;
    let put = services.put_event_for(&request).await;
    put.map_err(Undelivered::ForNow)
}

/// The services that are called, by requests that belong to this trace.
fn services(all: &All, trace: Option<Sent>) -> Result<Services, Undelivered> {
    let app = all.app();
    let app = app.ok_or_else(|| Undelivered::ForNow("the server is stopping".to_owned()))?;
    Ok(match trace {
        Some(trace) => app.services.traced(trace),
        None => app.services.clone(),
    })
}
