//! A callback starts an execution, and what came of it is recorded.

use serde_json::{Value, json};
use store::{Expect, Table};

use super::later::Known;
use super::{Refusal, Start, Started, Tried};
use crate::api;
use crate::gateway::arrival::Arrival;
use crate::gateway::disposition::Disposition;
use crate::gateway::flights::Flight;
use crate::gateway::found::Found;
use crate::gateway::record::{Delivery, Receipt, Reference, Standing, Step, receipt_key};
use crate::gateway::route::Route;
use crate::gateway::trail::{about, own_trace_of};
use crate::gateway::{Gateway, NotStored};

/// The errors of `StartExecution` that the same callback would meet again.
const NEVER: [&str; 4] = [
    "InvalidExecutionInput",
    "InvalidName",
    "InvalidArn",
    "ValidationException",
];

impl Gateway {
    /// A callback that starts an execution: stores both as being started, then starts it.
    pub(in crate::gateway) async fn begin(
        &self,
        route: &Route,
        arrival: &mut Arrival,
        name: &str,
        expect: Expect,
    ) -> Result<Step, NotStored> {
        let start = match arrival.start.clone() {
            Some(Ok(start)) => {
                let start = self.addressed(Start {
                    engine: route.config.engine.clone(),
                    ..start
                });
                // If the engine can't say it, it is tried again later, and what runs then is taken for ours.
                let known = self.known(&start).await.unwrap_or_default();
                Start {
                    there_since: known.map(|known| known.started_at),
                    ..start
                }
            }
            Some(Err(reason)) => {
                arrival.receipts.clear();
                let step = self.step(Disposition::Malformed, reason);
                return self.settle(route, arrival, None, step, None).await;
            }
            None => return Err(NotStored::Conflict),
        };
        let receipts = arrival.beside();
        let flight = self.0.flights.begin(&arrival.delivery.id);
        let flight = flight.expect("nobody else knows of a delivery before it is stored");
        let mut delivery = arrival.delivery.clone();
        delivery.start = Some(start.clone());
        let reference = Reference {
            route: route.name.clone(),
            reference: name.to_owned(),
            standing: Standing::Started(Started {
                start: Start {
                    input: None,
                    ..start
                },
                delivery: delivery.id.clone(),
                digest: arrival.digest.clone(),
                done: false,
                kept: None,
            }),
        };
        let mut documents = delivery.changes(Expect::Absent, self.look_after());
        documents.push(reference.change(expect, None));
        documents.extend(receipts);
        let receipt = Receipt {
            delivery: delivery.id.clone(),
            digest: arrival.digest.clone(),
        };
        let until = delivery.received_at.plus_seconds(route.used_keep_seconds);
        let key = begun_key(route, name, &arrival.digest);
        documents.push(receipt.change(&key, Expect::Any, until));
        self.commit(documents).await?;
        delivery.found = Found::of(&delivery);
        arrival.delivery = delivery;
        if let Some(engine) = &route.config.engine {
            let started = self.start_soon(&arrival.delivery, flight).await?;
            let stored = || format!("It is stored, and the engine {engine} is asked to start it.");
            return Ok(started.unwrap_or_else(|| self.kept(stored())));
        }
        Ok(self.start(&mut arrival.delivery, flight).await?)
    }

    /// What a callback is that has started an execution before: it is not the answer to what that one waits
    /// for, though it has the same reference.
    pub(in crate::gateway) async fn begun_before(
        &self,
        route: &Route,
        arrival: &Arrival,
    ) -> Result<Option<Step>, String> {
        let (Some(_), Some(name)) = (&arrival.start, &arrival.delivery.reference) else {
            return Ok(None);
        };
        let key = begun_key(route, name, &arrival.digest);
        let found: Option<(u64, Receipt)> = self.document(Table::Receipt, &key).await?;
        let Some((_, receipt)) = found else {
            return Ok(None);
        };
        // What becomes of the first one decides: wait for it, or try it again now.
        self.attend_delivery(&receipt.delivery).await?;
        let first = self.delivery(&receipt.delivery).await?;
        let counts = matches!(
            first.map(|(_, first)| first.disposition()),
            Some(None | Some(Disposition::Started | Disposition::Undeliverable))
        );
        Ok(counts.then(|| self.repeat(&receipt.delivery, true)))
    }

    /// With the ARNs of this server.
    fn addressed(&self, mut start: Start) -> Start {
        if let Some(starter) = self.0.starter.get()
            && !start.state_machine_arn.starts_with("arn:")
        {
            start
                .state_machine_arn
                .insert_str(0, &starter.machine_prefix);
        }
        let (machine, _) = api::qualified(&start.state_machine_arn);
        let execution = machine.replacen(":stateMachine:", ":execution:", 1);
        start.execution_arn = format!("{execution}:{}", start.name);
        start
    }

    /// Starts the execution of a stored delivery and records what came of it.
    pub(in crate::gateway) async fn start(
        &self,
        delivery: &mut Delivery,
        _flight: Flight,
    ) -> Result<Step, String> {
        let Some(start) = delivery.start.clone() else {
            return Err(format!("delivery {} has nothing to start", delivery.id));
        };
        delivery.attempts += 1;
        let tried = self.try_to_start(delivery, &start).await;
        let step = tried.step.clone();
        let again = delivery.disposition() == Some(Disposition::Undeliverable);
        let news = !again || step.disposition != Disposition::Undeliverable;
        if news {
            delivery.steps.push(step.clone());
        }
        if !matches!(
            step.disposition,
            Disposition::Undeliverable | Disposition::UnknownReference
        ) && !delivery.redacted.is_empty()
        {
            delivery.forget_what_was_redacted();
            delivery.start = Some(Start {
                input: None,
                ..start
            });
        }
        loop {
            match self.record_start(delivery, &tried, news).await {
                Ok(()) => {
                    if news {
                        self.counted(delivery, &step);
                    }
                    return Ok(step);
                }
                Err(NotStored::Conflict) => {}
                Err(NotStored::Server(what)) => return Err(what),
            }
        }
    }

    async fn try_to_start(&self, delivery: &Delivery, start: &Start) -> Tried {
        let request = json!({
            "stateMachineArn": start.state_machine_arn,
            "name": start.name,
            "input": start.input,
            "traceHeader": own_trace_of(delivery).x_ray_header(),
        });
        if let Some(engine) = &start.engine {
            return self.start_at(engine, delivery, start, &request).await;
        }
        let answer = match self.0.starter.get() {
            Some(starter) => starter.operations.perform("StartExecution", request).await,
            None => Err(Refusal::unknown("this server starts none")),
        };
        let step = self.judge_start(delivery, start, answer).await;
        Tried {
            due: match step.disposition.is_undeliverable() {
                true => self.retry_due(delivery.attempts),
                false => None,
            },
            ..Tried::done(step)
        }
    }

    /// What the answer to `StartExecution` means.
    pub(in crate::gateway) async fn judge_start(
        &self,
        delivery: &Delivery,
        start: &Start,
        answer: Result<Value, Refusal>,
    ) -> Step {
        let later = |what: &str| {
            crate::log::say_about!(
                about(delivery),
                "delivery {} could not start its execution and will be tried again: {what}",
                delivery.id
            );
            let note = format!(
                "The execution {} could not be started; it is tried again: {what}",
                start.name
            );
            self.step(Disposition::Undeliverable, note)
        };
        match answer {
            Ok(_) => self.begun(start),
            Err(refusal) if refusal.kind == "ExecutionAlreadyExists" => {
                match self.known(start).await {
                    Ok(Some(known)) => self.there_already(delivery, start, &known),
                    Ok(None) => self.step(
                        Disposition::LateEnded,
                        format!(
                            "Execution {} has had this name, and is no longer kept.",
                            start.name
                        ),
                    ),
                    Err(what) => later(&what),
                }
            }
            Err(refusal) if NEVER.contains(&refusal.kind.as_str()) => {
                let note = format!("No execution can be started with it: {}", refusal.message);
                self.step(Disposition::Malformed, note)
            }
            Err(refusal) => later(&format!("{}: {}", refusal.kind, refusal.message)),
        }
    }

    /// The execution runs.
    fn begun(&self, start: &Start) -> Step {
        if let Some(started_at) = start.there_since {
            let note = format!(
                "Execution {} was started before, at {started_at}, with the same input.",
                start.name
            );
            return self.step(Disposition::DuplicateIdentical, note);
        }
        let note = format!("It started execution {}.", start.name);
        self.step(Disposition::Started, note)
    }

    /// An execution has this name, and does not run or has another input.
    fn there_already(&self, delivery: &Delivery, start: &Start, known: &Known) -> Step {
        // It was this delivery that started it, before the process died; it is over by now.
        if start.there_since.is_none() && known.input == start.input {
            return self.begun(start);
        }
        let Some(stopped_at) = known.stopped_at else {
            let note = format!(
                "Execution {} runs and was started otherwise, at {}; it has not registered this reference.",
                start.name, known.started_at
            );
            return self.step(Disposition::UnknownReference, note);
        };
        let note = format!(
            "Execution {}, which has this name, had ended {} s before the callback came.",
            start.name,
            (delivery.received_at.0 - stopped_at.0) as f64 / 1000.0
        );
        Step {
            wait_ended_at: Some(stopped_at),
            ..self.step(Disposition::LateEnded, note)
        }
    }

    /// Stores a start's outcome, with what becomes of its reference, and the alert.
    async fn record_start(
        &self,
        delivery: &Delivery,
        tried: &Tried,
        news: bool,
    ) -> Result<(), NotStored> {
        let route = self.route_named(&delivery.route);
        let step = &tried.step;
        let undeliverable = step.disposition.is_undeliverable();
        // The flight keeps everybody else away from the delivery's document.
        let mut documents = delivery.changes(Expect::Any, tried.due);
        documents.extend(tried.beside.iter().cloned());
        let name = delivery.reference.as_deref().unwrap_or_default();
        let found = self.reference(&delivery.route, name).await?;
        if let Some((version, reference)) = found
            && let Standing::Started(started) = &reference.standing
            && started.delivery == delivery.id
            && !undeliverable
        {
            documents.push(match step.disposition {
                // The next one may say it right.
                Disposition::Malformed => reference.removal(version),
                // Whoever registers it gets this one.
                Disposition::UnknownReference => {
                    let keep = route.as_ref().map_or(0, |route| route.early_keep_seconds);
                    let kept = Reference {
                        standing: Standing::Kept {
                            delivery: delivery.id.clone(),
                            digest: started.digest.clone(),
                            unknown: true,
                        },
                        ..reference
                    };
                    let until = step.at.plus_seconds(keep);
                    kept.change(Expect::Version(version), Some(until))
                }
                _ => {
                    let started = Started {
                        done: true,
                        ..started.clone()
                    };
                    let due = started.kept.as_ref().map(|kept| kept.until);
                    let due = due.or_else(|| self.look_at_start_again(&started));
                    let done = Reference {
                        standing: Standing::Started(started),
                        ..reference
                    };
                    done.change(Expect::Version(version), due)
                }
            });
        }
        if news {
            documents.extend(self.alert(route.as_deref(), delivery, step));
            documents.extend(self.all_clear(route.as_deref(), delivery, step));
        }
        self.commit(documents).await
    }
}

/// Where it is remembered that a callback has started an execution.
fn begun_key(route: &Route, reference: &str, digest: &str) -> String {
    receipt_key(&route.name, "started", &format!("{reference}\n{digest}"))
}
