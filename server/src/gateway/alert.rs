//! Alerts: what is published about a delivery, so that the reader needs nothing else to begin.

use asl::Timestamp;
use serde::Serialize;
use serde_json::json;

use super::disposition::Disposition;
use super::record::{Delivery, Step};
use super::route::Route;
use crate::topics::Publish;

/// How much of a body an alert repeats: with all else it stays far below the 256 KiB that SNS takes.
const EVENT_BODY_BYTES_MAX: usize = 65_536;

/// How long SNS lets a subject be.
const SUBJECT_BYTES_MAX: usize = 100;

/// A message about a delivery. Absent members are not known, or do not apply.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Alert<'a> {
    source: String,
    description: String,
    event_request_id: &'a str,
    event_body: &'a str,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    event_body_truncated: bool,
    disposition: Disposition,
    delivery_id: &'a str,
    route: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reference: Option<&'a str>,
    received_at: String,
    peer: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    execution_arn: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    execution_name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    state_machine_arn: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    state_name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    wait_began_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    wait_deadline: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    wait_ended_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    late_by_seconds: Option<f64>,
    look_further: LookFurther,
}

/// Commands to paste.
#[derive(Serialize)]
struct LookFurther {
    delivery: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    execution: Option<String>,
}

/// The message about `step` of `delivery`.
pub(super) fn message(route: &Route, delivery: &Delivery, step: &Step, base_url: &str) -> Publish {
    let place = delivery.target.as_ref().map(|holder| &holder.place);
    let late_by_seconds = step.wait_ended_at.map(|ended| late_by(delivery, ended));
    // One that was kept for its reference came in time, and its wait did not last.
    let late_by_seconds = late_by_seconds.filter(|late| *late >= 0.0);
    let body = delivery.body.shown();
    let event_body = head(body, EVENT_BODY_BYTES_MAX);
    let alert = Alert {
        source: format!("rejoin gateway, route {}", route.name),
        description: format!("{}: {}", step.disposition.title(), step.note),
        event_request_id: request_id(delivery),
        event_body,
        event_body_truncated: event_body.len() < delivery.body_bytes,
        disposition: step.disposition,
        delivery_id: &delivery.id,
        route: &route.name,
        reference: delivery.reference.as_deref(),
        received_at: delivery.received_at.to_string(),
        peer: &delivery.peer,
        execution_arn: place.map(|place| place.execution_arn.as_str()),
        execution_name: place.map(|place| place.execution_name.as_str()),
        state_machine_arn: place.map(|place| place.state_machine_arn.as_str()),
        state_name: place.map(|place| place.state_name.as_str()),
        wait_began_at: place.map(|place| place.wait_began_at.to_string()),
        wait_deadline: place
            .and_then(|place| place.wait_deadline)
            .map(|at| at.to_string()),
        wait_ended_at: step.wait_ended_at.map(|at| at.to_string()),
        late_by_seconds,
        look_further: LookFurther {
            delivery: format!("curl {base_url}/rejoin/deliveries/{}", delivery.id),
            execution: place.map(|place| {
                format!(
                    "aws stepfunctions get-execution-history --endpoint-url {base_url} --execution-arn {}",
                    place.execution_arn
                )
            }),
        },
    };
    let subject = format!("{} on route {}", step.disposition.title(), route.name);
    let attribute = |value: &str| json!({"DataType": "String", "StringValue": value});
    Publish {
        message: serde_json::to_string(&alert).expect("an alert is text and finite numbers"),
        subject: Some(head(&subject, SUBJECT_BYTES_MAX).to_owned()),
        attributes: Some(json!({
            "disposition": attribute(step.disposition.name()),
            "route": attribute(&route.name),
        })),
    }
}

/// How long after the end of its wait a delivery came.
pub(super) fn late_by(delivery: &Delivery, ended: Timestamp) -> f64 {
    (delivery.received_at.0 - ended.0) as f64 / 1000.0
}

/// The third party's own id of the request, by which it can be asked about it; else ours.
fn request_id(delivery: &Delivery) -> &str {
    ["webhook-id", "x-request-id", "x-amzn-requestid"]
        .into_iter()
        .find_map(|wanted| {
            let found = delivery.headers.iter().find(|(name, _)| name == wanted);
            found.map(|(_, value)| value.as_str())
        })
        .unwrap_or(&delivery.id)
}

/// The first characters of `text` that fit into `bytes_max`.
fn head(text: &str, bytes_max: usize) -> &str {
    if text.len() <= bytes_max {
        return text;
    }
    let mut end = bytes_max;
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}
