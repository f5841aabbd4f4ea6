//! What is shown of a delivery.

use hyper::StatusCode;
use hyper::header::CONTENT_TYPE;
use serde_json::{Value, json};

use super::super::record::{Delivery, Place};
use super::search::PENDING;
use super::{Gateway, no_such_delivery};
use crate::http::Reply;

impl Gateway {
    /// `GET /rejoin/deliveries/{id}`.
    pub(super) async fn show_delivery(&self, id: &str) -> Result<Reply, String> {
        Ok(match self.delivery(id).await? {
            Some((_, delivery)) => Reply::json(StatusCode::OK, &in_full(&delivery)),
            None => no_such_delivery(id),
        })
    }

    /// `GET /rejoin/deliveries/{id}/body`: its bytes.
    pub(super) async fn show_body(&self, id: &str) -> Result<Reply, String> {
        let Some((_, delivery)) = self.delivery(id).await? else {
            return Ok(no_such_delivery(id));
        };
        let said = delivery
            .headers
            .iter()
            .find(|(name, _)| name == CONTENT_TYPE.as_str());
        let mut headers = vec![
            // It is a stranger's: no browser is to run it, whatever it is.
            ("X-Content-Type-Options", "nosniff".to_owned()),
            (
                "Content-Security-Policy",
                "sandbox; default-src 'none'".to_owned(),
            ),
            (
                "Content-Disposition",
                format!("attachment; filename=\"{}\"", delivery.id),
            ),
        ];
        if !delivery.is_whole() {
            headers.push(("Rejoin-Body-Bytes", delivery.body_bytes.to_string()));
        }
        if !delivery.redacted.is_empty() {
            headers.push(("Rejoin-Body-Redacted", "true".to_owned()));
        }
        Ok(Reply {
            status: StatusCode::OK,
            content_type: safe_type(said.map_or("", |(_, kind)| kind)),
            headers,
            body: delivery.body.bytes().into_owned().into(),
        })
    }
}

/// A content type under which a stranger's bytes do nothing: the one that they came with, if it is data.
fn safe_type(said: &str) -> &'static str {
    let kind = said.split(';').next().unwrap_or_default().trim();
    let kind = kind.to_ascii_lowercase();
    const DATA: [&str; 4] = [
        "application/json",
        "application/cloudevents+json",
        "application/x-www-form-urlencoded",
        "application/octet-stream",
    ];
    if let Some(data) = DATA.into_iter().find(|data| *data == kind) {
        return data;
    }
    match () {
        () if kind.ends_with("+json") => "application/json",
        // XML and HTML can hold programs; to look at, they are text.
        () if kind.starts_with("text/") || kind.ends_with("/xml") || kind.ends_with("+xml") => {
            "text/plain; charset=utf-8"
        }
        () => "application/octet-stream",
    }
}

pub(super) fn disposition_name(delivery: &Delivery) -> &'static str {
    delivery
        .disposition()
        .map_or(PENDING, |disposition| disposition.name())
}

pub(super) fn in_brief(delivery: &Delivery) -> Value {
    let mut shown = json!({
        "id": delivery.id,
        "route": delivery.route,
        "reference": delivery.reference,
        "receivedAt": delivery.received_at.to_string(),
        "disposition": disposition_name(delivery),
        "note": delivery.steps.last().map(|step| &step.note),
        "dispositions": delivery.steps.iter().map(|step| json!({
            "at": step.at.to_string(),
            "disposition": step.disposition,
            "note": step.note,
        })).collect::<Vec<_>>(),
        "attempts": delivery.attempts,
        "peer": delivery.peer,
        "bodyBytes": delivery.body_bytes,
        "verifiedBy": delivery.verified_by,
    });
    if let Some(holder) = &delivery.target {
        place_members(&mut shown, &holder.place);
    }
    if let Some(start) = &delivery.start
        && delivery.target.is_none()
    {
        shown["executionArn"] = start.execution_arn.as_str().into();
        shown["executionName"] = start.name.as_str().into();
        shown["stateMachineArn"] = start.state_machine_arn.as_str().into();
    }
    if let Some(refused) = &delivery.refused {
        shown["refused"] = json!(refused);
    }
    if let Some(origin) = &delivery.replay_of {
        shown["replayOf"] = origin.as_str().into();
    }
    let made: Vec<&str> = delivery.made().map(|(id, _)| id).collect();
    if !made.is_empty() {
        shown["replayedAs"] = made.into();
    }
    if let Some(mark) = delivery.dismissal() {
        shown["dismissed"] = json!({
            "at": mark.at.to_string(),
            "by": mark.by,
            "note": mark.note,
        });
    }
    shown
}

fn in_full(delivery: &Delivery) -> Value {
    let mut shown = in_brief(delivery);
    shown["headers"] = delivery
        .headers
        .iter()
        .map(|(name, value)| json!([name, value]))
        .collect();
    if let Some(sent_to) = &delivery.sent_to {
        shown["method"] = sent_to.method.as_str().into();
        shown["path"] = sent_to.path.as_str().into();
        shown["query"] = sent_to.query.as_str().into();
    }
    shown["tries"] = delivery
        .tries
        .iter()
        .map(|one| {
            json!({
                "at": one.at.to_string(),
                "answeredAt": one.answered_at.map(|at| at.to_string()),
                "result": one.result,
                "note": one.note,
            })
        })
        .collect();
    shown["marks"] = delivery
        .marks
        .iter()
        .map(|mark| {
            let mut shown = json!(mark);
            shown["at"] = mark.at.to_string().into();
            shown
        })
        .collect();
    shown["redacted"] = json!(delivery.redacted);
    shown["bodyWhole"] = delivery.is_whole().into();
    match (&delivery.body.text, &delivery.body.base64) {
        (Some(text), _) => shown["body"] = text.as_str().into(),
        (None, Some(base64)) => shown["bodyBase64"] = base64.as_str().into(),
        (None, None) => {}
    }
    shown
}

/// Adds where a wait is to what is shown.
pub(in super::super) fn place_members(shown: &mut Value, place: &Place) {
    // What the worker has not said of a wait elsewhere is empty.
    let known = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    shown["executionArn"] = known(&place.execution_arn).into();
    shown["traceId"] = place.trace_id.clone().into();
    shown["executionName"] = known(&place.execution_name).into();
    shown["stateMachineArn"] = known(&place.state_machine_arn).into();
    shown["stateName"] = known(&place.state_name).into();
    shown["waitBeganAt"] = place.wait_began_at.to_string().into();
    shown["waitDeadline"] = place.wait_deadline.map(|at| at.to_string()).into();
}
