//! An execution was started under a reference: callbacks that come before it registers that, and time that passes.

use asl::Timestamp;
use serde_json::json;
use store::Expect;

use super::{Kept, Refusal, Start, Started};
use crate::gateway::arrival::Arrival;
use crate::gateway::deliver::used_keep_seconds;
use crate::gateway::disposition::Disposition;
use crate::gateway::record::{Intent, Reference, Standing, Step};
use crate::gateway::route::Route;
use crate::gateway::{Gateway, NotStored};
use crate::services::moment;

/// How often an execution elsewhere is asked for, once its reference could be forgotten.
const LOOK_AGAIN_SECONDS: i64 = 86_400;

/// What is known of an execution.
pub(super) struct Known {
    pub started_at: Timestamp,
    pub stopped_at: Option<Timestamp>,
    pub input: Option<String>,
}

impl Gateway {
    /// A callback for a reference under which an execution was started, and which is not registered.
    pub(in crate::gateway) async fn meet_started(
        &self,
        route: &Route,
        arrival: &mut Arrival,
        name: &str,
        expect: Expect,
        started: Started,
    ) -> Result<Step, NotStored> {
        let execution = started.start.name.clone();
        if arrival.delivery.intent == Some(Intent::Heartbeat) {
            let note = format!(
                "Execution {execution} has not registered {name:?} yet, so no wait was extended."
            );
            let step = self.step(Disposition::Heartbeat, note);
            return self.settle(route, arrival, None, step, None).await;
        }
        if started.digest == arrival.digest {
            let step = self.repeat(&started.delivery, true);
            return self.settle(route, arrival, None, step, None).await;
        }
        if let Some(kept) = &started.kept
            && !arrival.repeats(&kept.delivery)
        {
            let step = self.repeat(&kept.delivery, kept.digest == arrival.digest);
            return self.settle(route, arrival, None, step, None).await;
        }
        // One that could not be started yet is tried again, and may have an answer in this callback.
        let stopped_at = match started.done {
            true => self.known_now(&started.start).await?,
            false => Some(None),
        };
        if stopped_at != Some(None) {
            let note = format!(
                "Execution {execution}, which its reference had started, has ended and waits for nothing."
            );
            let step = Step {
                wait_ended_at: stopped_at.flatten(),
                ..self.step(Disposition::LateEnded, note)
            };
            return self.settle(route, arrival, None, step, None).await;
        }
        let until = arrival
            .delivery
            .received_at
            .plus_seconds(route.early_keep_seconds);
        let note =
            format!("Execution {execution} has not registered {name:?} yet; kept until {until}.");
        let kept = Kept {
            delivery: arrival.delivery.id.clone(),
            digest: arrival.digest.clone(),
            until,
        };
        let reference = Reference {
            route: route.name.clone(),
            reference: name.to_owned(),
            standing: Standing::Started(Started {
                kept: Some(kept),
                ..started
            }),
        };
        let step = self.step(Disposition::Early, note);
        let change = reference.change(expect, Some(until));
        self.settle(route, arrival, None, step, Some(change)).await
    }

    /// Time has passed over a reference under which an execution was started.
    pub(in crate::gateway) async fn look_at_started(
        &self,
        version: u64,
        reference: &Reference,
        started: &Started,
    ) -> Result<(), NotStored> {
        let route = self.route_named(&reference.route);
        let now = self.0.clock.now();
        let again = |started: Started, due| {
            let reference = Reference {
                standing: Standing::Started(started),
                ..reference.clone()
            };
            reference.change(Expect::Version(version), due)
        };
        if let Some(kept) = started.kept.as_ref().filter(|kept| kept.until <= now) {
            let mut documents = vec![again(
                Started {
                    kept: None,
                    ..started.clone()
                },
                self.look_at_start_again(started),
            )];
            if let Some((read, mut delivery)) = self.delivery(&kept.delivery).await? {
                let note = format!(
                    "Execution {} did not register {:?} on this route within {} s.",
                    started.start.name,
                    reference.reference,
                    (now.0 - delivery.received_at.0) / 1000
                );
                let step = self.step(Disposition::UnknownReference, note);
                delivery.steps.push(step.clone());
                delivery.forget_what_was_redacted();
                documents.extend(delivery.changes(Expect::Version(read), None));
                documents.extend(self.alert(route.as_deref(), &delivery, &step));
            }
            return self.commit(documents).await;
        }
        if !started.done || started.kept.is_some() {
            return Ok(());
        }
        let keep = used_keep_seconds(route.as_deref());
        let elsewhere = started.start.engine.is_some();
        match self.known_now(&started.start).await? {
            // There is no moment to look again: it is looked for as callbacks come (`sweep`).
            Some(None) if !elsewhere => Ok(()),
            Some(None) => {
                let due = self.look_at_start_again(started);
                self.commit(vec![again(started.clone(), due)]).await
            }
            Some(Some(at)) if at.plus_seconds(keep) > now => match elsewhere {
                false => Ok(()),
                true => {
                    let due = Some(at.plus_seconds(keep));
                    self.commit(vec![again(started.clone(), due)]).await
                }
            },
            _ => self.commit(vec![reference.removal(version)]).await,
        }
    }

    /// When an execution elsewhere is asked for again; one of this server is asked for as callbacks come.
    pub(super) fn look_at_start_again(&self, started: &Started) -> Option<Timestamp> {
        let pause = LOOK_AGAIN_SECONDS;
        let now = self.0.clock.now();
        started
            .start
            .engine
            .as_ref()
            .map(|_| now.plus_seconds(pause))
    }

    /// When an execution has stopped, if it has; none if there is none. One of an engine that does not answer is
    /// taken to run: what comes for it is kept.
    async fn known_now(&self, start: &Start) -> Result<Option<Option<Timestamp>>, String> {
        match self.known(start).await {
            Ok(known) => Ok(known.map(|known| known.stopped_at)),
            Err(_) if start.engine.is_some() => Ok(Some(None)),
            Err(what) => Err(what),
        }
    }

    /// Whether an execution that a reference has started runs.
    pub(in crate::gateway) async fn runs(&self, start: &Start) -> Result<bool, String> {
        Ok(self.known_now(start).await? == Some(None))
    }

    /// What is known of an execution; none if it is not kept.
    pub(super) async fn known(&self, start: &Start) -> Result<Option<Known>, String> {
        const OPERATION: &str = "DescribeExecution";
        let request = json!({ "executionArn": start.execution_arn });
        let asked = match &start.engine {
            Some(engine) => match self.0.engines.named(engine) {
                Some(engine) => engine.look(OPERATION, &request).await,
                None => Err(Refusal::unknown("the engine is not configured any more")),
            },
            None => match self.0.starter.get() {
                Some(starter) => starter.operations.perform(OPERATION, request).await,
                None => return Ok(None),
            },
        };
        match asked {
            Ok(said) => Ok(Some(Known {
                started_at: moment(&said["startDate"]).unwrap_or(Timestamp(0)),
                stopped_at: moment(&said["stopDate"]),
                input: said["input"].as_str().map(str::to_owned),
            })),
            Err(refusal)
                if ["ExecutionDoesNotExist", "InvalidArn"].contains(&refusal.kind.as_str()) =>
            {
                Ok(None)
            }
            Err(refusal) => Err(format!("{}: {}", refusal.kind, refusal.message)),
        }
    }
}
