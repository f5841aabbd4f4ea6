//! Who asks: deliveries, newest first, and one in full.

use hyper::StatusCode;
use serde_json::{Value, json};
use store::{StoreError, Table};

use super::record::{Delivery, Place};
use super::{Disposition, Gateway, server_error};
use crate::http::{Call, Reply};

/// How many deliveries a page has if nothing is said, and at most.
const LIMIT_DEFAULT: usize = 50;
const LIMIT_MAX: usize = 1000;

/// How many deliveries one call looks at: a filter that fits few of them gives `next` instead of an
/// answer that takes long.
const LOOKED_AT_MAX: usize = 20_000;

/// How many are read at a time.
const SCAN_PAGE: usize = 256;

/// Which deliveries are wanted.
struct Filter {
    route: Option<String>,
    reference: Option<String>,
    disposition: Option<String>,
    /// An execution's ARN or name.
    execution: Option<String>,
}

/// What a delivery that has none yet is called.
const PENDING: &str = "pending";

impl Filter {
    fn fits(&self, delivery: &Delivery) -> bool {
        let is = |wanted: &Option<String>, found: Option<&str>| {
            wanted.as_deref().is_none_or(|wanted| found == Some(wanted))
        };
        let place = delivery.target.as_ref().map(|holder| &holder.place);
        is(&self.route, Some(&delivery.route))
            && is(&self.reference, delivery.reference.as_deref())
            && is(&self.disposition, Some(disposition_name(delivery)))
            && self.execution.as_deref().is_none_or(|wanted| {
                place.is_some_and(|p| p.execution_arn == wanted || p.execution_name == wanted)
            })
    }
}

impl Gateway {
    /// `GET /rejoin/deliveries?route=&reference=&disposition=&execution=&limit=&after=`.
    pub(super) async fn list_deliveries(&self, call: &Call) -> Reply {
        let limit = match call.parameter("limit").map(|limit| limit.parse()) {
            None => LIMIT_DEFAULT,
            Some(Ok(limit)) if (1..=LIMIT_MAX).contains(&limit) => limit,
            Some(_) => {
                return Reply::refusal(
                    StatusCode::BAD_REQUEST,
                    "InvalidLimit",
                    "`limit` is not a number that is possible",
                    &format!("it must be from 1 to {LIMIT_MAX}"),
                );
            }
        };
        let disposition = call.parameter("disposition");
        if let Some(name) = &disposition
            && name != PENDING
            && Disposition::named(name).is_none()
        {
            let known: Vec<_> = Disposition::ALL.iter().map(|d| d.name()).collect();
            return Reply::refusal(
                StatusCode::BAD_REQUEST,
                "InvalidDisposition",
                format!("there is no disposition \"{name}\""),
                &format!("there are: {}, {PENDING}", known.join(", ")),
            );
        }
        let filter = Filter {
            route: call.parameter("route"),
            reference: call.parameter("reference"),
            disposition,
            execution: call.parameter("execution"),
        };
        match self.find(&filter, call.parameter("after"), limit).await {
            Err(what) => server_error(&what),
            Ok((found, next)) => {
                let mut body = json!({
                    "deliveries": found.iter().map(in_brief).collect::<Vec<_>>(),
                });
                if let Some(next) = next {
                    body["next"] = next.into();
                }
                Reply::json(StatusCode::OK, &body)
            }
        }
    }

    /// `GET /rejoin/deliveries/{id}`.
    pub(super) async fn show_delivery(&self, id: &str) -> Reply {
        match self.delivery(id).await {
            Err(what) => server_error(&what),
            Ok(Some((_, delivery))) => Reply::json(StatusCode::OK, &in_full(&delivery)),
            Ok(None) => Reply::refusal(
                StatusCode::NOT_FOUND,
                "NotFound",
                format!("there is no delivery {id:?}"),
                "GET /rejoin/deliveries lists them, newest first",
            ),
        }
    }

    /// Those that fit, newest first, and where to go on if there may be more.
    async fn find(
        &self,
        filter: &Filter,
        mut after: Option<String>,
        limit: usize,
    ) -> Result<(Vec<Delivery>, Option<String>), String> {
        let mut found = Vec::new();
        let mut looked_at = 0;
        loop {
            let page = self
                .0
                .store
                .scan(Table::Delivery, "", after.as_deref(), SCAN_PAGE, true)
                .await
                .map_err(|StoreError(what)| what)?;
            let last = page.len() < SCAN_PAGE;
            for (key, document) in page {
                let delivery: Delivery = serde_json::from_slice(&document.content)
                    .map_err(|why| format!("the stored delivery {key} can't be read: {why}"))?;
                looked_at += 1;
                if filter.fits(&delivery) {
                    found.push(delivery);
                }
                if found.len() == limit || looked_at == LOOKED_AT_MAX {
                    return Ok((found, Some(key)));
                }
                after = Some(key);
            }
            if last {
                return Ok((found, None));
            }
        }
    }
}

fn disposition_name(delivery: &Delivery) -> &'static str {
    delivery
        .disposition()
        .map_or(PENDING, |disposition| disposition.name())
}

fn in_brief(delivery: &Delivery) -> Value {
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
    if let Some(refused) = &delivery.refused {
        shown["refused"] = json!(refused);
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
    match (&delivery.body.text, &delivery.body.base64) {
        (Some(text), _) => shown["body"] = text.as_str().into(),
        (None, Some(base64)) => shown["bodyBase64"] = base64.as_str().into(),
        (None, None) => {}
    }
    shown
}

/// Adds where a wait is to what is shown.
pub(super) fn place_members(shown: &mut Value, place: &Place) {
    // What the worker has not said of a wait elsewhere is empty.
    let known = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    shown["executionArn"] = known(&place.execution_arn).into();
    shown["executionName"] = known(&place.execution_name).into();
    shown["stateMachineArn"] = known(&place.state_machine_arn).into();
    shown["stateName"] = known(&place.state_name).into();
    shown["waitBeganAt"] = place.wait_began_at.to_string().into();
    shown["waitDeadline"] = place.wait_deadline.map(|at| at.to_string()).into();
}
