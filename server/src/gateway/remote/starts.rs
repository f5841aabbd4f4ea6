//! Callbacks that start an execution at an engine elsewhere.
//!
//! What is stored, and under which name, is as for the engine in this process ([`crate::gateway::start`]); the name
//! is drawn from the reference, and an engine that is asked twice to start the same gives the execution of the first
//! time. What differs is what differs for deliveries: the breaker has its say, nobody waits for long, and what is
//! stored is acknowledged. There are no lanes: what comes behind a start is kept until the execution's worker has
//! registered the reference.

use std::sync::Arc;
use std::time::Duration;

use asl::Timestamp;
use serde_json::Value;
use store::DocumentChange;

use super::breaker::State;
use super::lane::{Admitted, PATIENCE};
use super::verdict::{Verdict, verdict};
use super::{Remote, unreachable};
use crate::gateway::flights::Flight;
use crate::gateway::record::{Delivery, Step};
use crate::gateway::start::{Refusal, Tried};
use crate::gateway::{Gateway, start};
use crate::services::Refused;

/// How long it may take to find out what is there already, in real time: nothing is stored by then.
const LOOK_PATIENCE: Duration = Duration::from_secs(1);

impl Remote {
    /// Looks something up, unless the engine is left alone or takes too long.
    pub(in crate::gateway) async fn look(
        &self,
        operation: &str,
        request: &Value,
    ) -> Result<Value, Refusal> {
        if self.breaker.lock().state() != State::Closed {
            return Err(Refusal::unknown("the engine does not answer"));
        }
        let asked = tokio::time::timeout(LOOK_PATIENCE, self.api.ask(operation, request));
        match asked.await {
            Ok(asked) => asked.map_err(Refusal::from),
            Err(_) => Err(Refusal::unknown("the engine takes too long")),
        }
    }
}

impl From<Refused> for Refusal {
    fn from(refused: Refused) -> Refusal {
        match refused {
            Refused::Said { code, message, .. } => Refusal {
                kind: code,
                message,
            },
            Refused::NoAnswer { what, .. } => Refusal::unknown(&what),
        }
    }
}

impl Gateway {
    /// Starts the execution of a stored delivery at an engine elsewhere, once.
    pub(in crate::gateway) async fn start_at(
        &self,
        engine: &str,
        delivery: &Delivery,
        start: &start::Start,
        request: &Value,
    ) -> Tried {
        let Some(engine) = self.0.engines.named(engine) else {
            let note = format!(
                "The engine {engine} is not configured any more; the execution is started once it is: add [engines.{engine}] and start again."
            );
            return self.start_later(self.kept(note), None, delivery);
        };
        let seat = engine.seats.acquire().await;
        let _seat = seat.expect("the seats of an engine are never closed");
        if !engine.breaker.lock().admit(self.0.clock.now()) {
            let note = format!(
                "The engine {} does not answer and is left alone for a while; the execution is started when it does.",
                engine.name
            );
            return self.start_later(self.kept(note), Some(&engine), delivery);
        }
        let mut admitted = Admitted {
            gateway: self,
            engine: &engine,
            told: false,
        };
        let asked = engine.api.ask("StartExecution", request).await;
        admitted.told = true;
        let came_to = match &asked {
            Ok(_) => Verdict::Taken,
            Err(refused) => verdict(refused.clone()),
        };
        let alert = self.tell_breaker(&engine, delivery, &came_to);
        let step = self
            .judge_start(delivery, start, asked.map_err(Refusal::from))
            .await;
        let mut tried = match step.disposition.is_undeliverable() {
            true => {
                let step = Step { kept: true, ..step };
                self.start_later(step, Some(&engine), delivery)
            }
            false => Tried::done(step),
        };
        if let Some(alert) = alert {
            let remembered = unreachable::remembered(&engine.name, &alert);
            let told: [DocumentChange; 2] = [remembered, self.0.alerts.prepare(None, alert)];
            tried.beside.extend(told);
        }
        tried
    }

    /// It is tried again: when the breaker lets it, or after a pause that grows.
    fn start_later(&self, step: Step, engine: Option<&Arc<Remote>>, delivery: &Delivery) -> Tried {
        let open: Option<Timestamp> =
            engine.and_then(|engine| match engine.breaker.lock().state() {
                State::Open(until) => Some(until),
                State::Closed | State::HalfOpen => None,
            });
        Tried {
            due: open.or_else(|| self.retry_due(delivery.attempts)),
            ..Tried::done(step)
        }
    }

    /// Starts the execution of a stored delivery at an engine elsewhere, and says what came of it, if that is known
    /// before the third party has waited for too long.
    pub(in crate::gateway) async fn start_soon(
        &self,
        delivery: &Delivery,
        flight: Flight,
    ) -> Result<Option<Step>, String> {
        let (gateway, mut delivery) = (self.clone(), delivery.clone());
        let busy = self.0.clock.busy();
        let starting = tokio::spawn(async move {
            let _busy = busy;
            gateway.start(&mut delivery, flight).await
        });
        match tokio::time::timeout(PATIENCE, starting).await {
            Ok(Ok(started)) => started.map(Some),
            Ok(Err(broken)) => Err(broken.to_string()),
            Err(_) => Ok(None),
        }
    }
}
