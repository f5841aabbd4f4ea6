//! What came of a case, as one document: what expectations are held against, and what `--json` prints.

use std::collections::BTreeMap;

use engine::EventKind;
use serde_json::{Value, json};

use super::served;
use crate::seen::Seen;

/// The members of one of `calls`.
pub(super) const OF_CALLS: [&str; 6] = [
    "at",
    "machine",
    "state",
    "attempt",
    "resource",
    "parameters",
];

/// The document. Times are milliseconds after the start; what is not there has not come.
///
/// | | |
/// | --- | --- |
/// | `status`, `output`, `error`, `cause`, `ended` | how the execution ended; `RUNNING` if it has not |
/// | `waits` | what it waits for, if nothing will come any more |
/// | `states` | the states that were entered, in order; those of a distributed Map's items where it is, if they are kept |
/// | `retries` | how often each state was tried again |
/// | `callbacks` | as `GET /rejoin/deliveries/ID`, with `at` and the last `disposition` |
/// | `alerts` | what topics were told: `topic`, `at`, and the message's own members; of a text, `description` |
/// | `calls` | the tasks that went out: `state`, `attempt` from 1, `at`, `resource`, `parameters` |
/// | `services` | of each service the `requests` that it was asked and the `callbacks` that it sent |
pub fn document(seen: &Seen) -> Value {
    let mut came = json!({ "status": "RUNNING" });
    if let Some(ended) = &seen.ended {
        came["status"] = ended.status.into();
        came["ended"] = ended.at.into();
        if let Some(output) = &ended.output {
            came["output"] = output.clone();
        }
        if let Some(failure) = &ended.failure {
            if let Some(error) = &failure.error {
                came["error"] = error.as_ref().into();
            }
            if let Some(cause) = &failure.cause {
                came["cause"] = cause.as_str().into();
            }
        }
    }
    if let Some(stuck) = &seen.stuck {
        came["waits"] = stuck.as_str().into();
    }
    let states = seen.states.iter().map(|passed| passed.name.as_str());
    came["states"] = states.collect();
    came["retries"] = json!(retries(seen));
    came["callbacks"] = seen
        .deliveries
        .iter()
        .map(|delivery| callback(seen, delivery))
        .collect();
    came["alerts"] = seen
        .told
        .iter()
        .map(|told| {
            let mut alert = match &told.message {
                Value::Object(_) => told.message.clone(),
                message => json!({ "description": message }),
            };
            alert["topic"] = told.topic.as_str().into();
            alert["at"] = told.at.into();
            alert
        })
        .collect();
    came["calls"] = seen
        .calls
        .iter()
        .map(|call| {
            json!({
                "at": call.at,
                "machine": call.machine,
                "state": call.state,
                "attempt": call.attempt + 1,
                "resource": call.resource,
                "parameters": call.parameters,
            })
        })
        .collect();
    if !seen.services.is_empty() {
        came["services"] = served::document(seen);
    }
    came
}

fn callback(seen: &Seen, delivery: &Value) -> Value {
    let mut callback = delivery.clone();
    let received: Option<asl::Timestamp> = delivery["receivedAt"]
        .as_str()
        .and_then(|at| at.parse().ok());
    if let Some(received) = received {
        callback["at"] = (received.0 - seen.started_at.0).into();
    }
    callback["disposition"] = dispositions(delivery).last().copied().into();
    callback["became"] = dispositions(delivery).join(", then ").into();
    callback
}

/// What became of a callback, in order.
pub fn dispositions(delivery: &Value) -> Vec<&str> {
    let steps = delivery["dispositions"].as_array().into_iter().flatten();
    steps
        .filter_map(|step| step["disposition"].as_str())
        .collect()
}

fn retries(seen: &Seen) -> BTreeMap<&str, u64> {
    let mut retries = BTreeMap::new();
    for events in seen.runs() {
        let mut states = BTreeMap::new();
        for event in events {
            match &event.kind {
                EventKind::StateEntered { name, .. } => {
                    states.insert(event.frame, &**name);
                }
                EventKind::RetryScheduled { .. } => {
                    if let Some(state) = states.get(&event.frame) {
                        *retries.entry(*state).or_default() += 1;
                    }
                }
                _ => {}
            }
        }
    }
    retries
}
