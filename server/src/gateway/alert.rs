//! What is told about a delivery.

use asl::Timestamp;

use super::record::{Delivery, Step};
use super::trail;
use crate::alerts::{Alert, GIVEN_UP, Kind};

/// The alert about `step` of `delivery`.
pub(super) fn about(delivery: &Delivery, step: &Step) -> Alert {
    let kind = Kind::Callback(step.disposition);
    let alert = Alert::new(
        kind,
        format!("rejoin gateway, route {}", delivery.route),
        format!("{}: {}", kind.title(), step.note),
    );
    let body = delivery.body.shown();
    // What was redacted has another length, and is all there is.
    let body_bytes = match delivery.redacted.is_empty() || !delivery.is_whole() {
        true => delivery.body_bytes,
        false => body.len(),
    };
    let mut alert = Alert {
        since: step.wait_ended_at.map(Into::into),
        route: Some(delivery.route.clone()),
        reference: delivery.reference.clone(),
        delivery_id: Some(delivery.id.clone()),
        disposition: Some(step.disposition),
        doubt: step.doubt,
        received_at: Some(delivery.received_at.into()),
        peer: Some(delivery.peer.clone()),
        event_request_id: Some(request_id(delivery).to_owned()),
        trace_id: trail::about(delivery).trace_id,
        wait_ended_at: step.wait_ended_at.map(Into::into),
        // One that was kept for its reference came in time, and its wait did not last.
        late_by_seconds: step
            .wait_ended_at
            .map(|ended| late_by(delivery, ended))
            .filter(|late| *late >= 0.0),
        ..alert.with_event_body(body, body_bytes)
    };
    if step.given_up {
        alert.next_step = GIVEN_UP.to_owned();
    }
    if let Some(holder) = &delivery.target {
        let place = &holder.place;
        alert.execution_arn = known(&place.execution_arn);
        alert.execution_name = known(&place.execution_name);
        alert.state_machine_arn = known(&place.state_machine_arn);
        alert.state_name = known(&place.state_name);
        alert.wait_began_at = Some(place.wait_began_at.into());
        alert.wait_deadline = place.wait_deadline.map(Into::into);
    } else if let Some(start) = &delivery.start {
        alert.execution_arn = Some(start.execution_arn.clone());
        alert.execution_name = Some(start.name.clone());
        alert.state_machine_arn = Some(start.state_machine_arn.clone());
    }
    alert
}

/// What the worker has not said of a wait elsewhere is empty.
fn known(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
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
