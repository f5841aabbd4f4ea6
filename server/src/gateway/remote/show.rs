//! `GET /rejoin/engines`: where callbacks go, and whether they get there.

use asl::Timestamp;
use hyper::StatusCode;
use serde_json::{Value, json};
use uuid::Uuid;

use super::Remote;
use super::breaker::State;
use super::lane::{Queue, queue};
use crate::gateway::Gateway;
use crate::http::Reply;

impl Gateway {
    /// All engines, by name.
    pub(in crate::gateway) fn show_engines(&self) -> Reply {
        let engines = self.0.engines.named.values();
        let shown: Vec<Value> = engines
            .map(|engine| shown(engine, &queue(self, &engine.name)))
            .collect();
        Reply::json(
            StatusCode::OK,
            &json!({ "inProcess": !self.0.engines.alone, "engines": shown }),
        )
    }
}

fn shown(engine: &Remote, queue: &Queue) -> Value {
    let breaker = engine.breaker.lock();
    let (state, until) = match breaker.state() {
        State::Closed => ("closed", None),
        State::Open(until) => ("open", Some(until.to_string())),
        State::HalfOpen => ("half-open", None),
    };
    let (problem, problem_at) = match &breaker.problem {
        Some((at, what)) => (Some(what.as_str()), Some(at.to_string())),
        None => (None, None),
    };
    json!({
        "name": engine.name,
        "endpoint": engine.api.endpoint(),
        "region": engine.api.region(),
        "breaker": state,
        "openUntil": until,
        "failuresInARow": breaker.failures,
        "lastProblem": problem,
        "lastProblemAt": problem_at,
        "lastAnswerAt": breaker.answered_at.map(|at| at.to_string()),
        "queued": queue.deliveries,
        "lanes": queue.lanes,
        "oldestDelivery": queue.oldest,
        "oldestAt": queue.oldest.as_deref().and_then(received_at).map(|at| at.to_string()),
        "inFlight": engine.concurrency.saturating_sub(engine.seats.available_permits()),
        "concurrency": engine.concurrency,
    })
}

/// When a delivery came: its id has the time in it.
fn received_at(id: &str) -> Option<Timestamp> {
    let at = Uuid::try_parse(id).ok()?.get_timestamp()?;
    let (seconds, nanos) = at.to_unix();
    Some(Timestamp(
        i64::try_from(seconds).ok()? * 1000 + i64::from(nanos / 1_000_000),
    ))
}
