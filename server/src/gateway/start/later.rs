//! An execution was started under a reference: callbacks that come before it registers that, and time that passes.

use asl::Timestamp;
use serde_json::{Value, json};
use store::Expect;

use super::{Kept, Start, Started};
use crate::gateway::arrival::Arrival;
use crate::gateway::deliver::used_keep_seconds;
use crate::gateway::disposition::Disposition;
use crate::gateway::record::{Intent, Reference, Standing, Step};
use crate::gateway::route::Route;
use crate::gateway::{Gateway, NotStored};

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
            true => {
                let known = self.known(&started.start.execution_arn).await?;
                known.as_ref().map(|known| known.stopped_at)
            }
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
                None,
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
        match self.known(&started.start.execution_arn).await? {
            // There is no moment to look again: it is looked for as callbacks come (`sweep`).
            Some(Known {
                stopped_at: None, ..
            }) => Ok(()),
            Some(Known {
                stopped_at: Some(at),
                ..
            }) if at.plus_seconds(keep) > now => Ok(()),
            _ => self.commit(vec![reference.removal(version)]).await,
        }
    }

    /// Whether an execution that a reference has started runs.
    pub(in crate::gateway) async fn runs(&self, start: &Start) -> Result<bool, String> {
        let known = self.known(&start.execution_arn).await?;
        Ok(known.is_some_and(|known| known.stopped_at.is_none()))
    }

    /// What is known of an execution; none if it is not kept.
    pub(super) async fn known(&self, execution_arn: &str) -> Result<Option<Known>, String> {
        let Some(starter) = self.0.starter.get() else {
            return Ok(None);
        };
        let request = json!({ "executionArn": execution_arn });
        let asked = starter.operations.perform("DescribeExecution", request);
        match asked.await {
            Ok(said) => Ok(Some(Known {
                started_at: moment(&said["startDate"]),
                stopped_at: said.get("stopDate").map(moment),
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

/// A moment of the API's answers, which are seconds with a fraction.
pub(super) fn moment(seconds: &Value) -> Timestamp {
    Timestamp((seconds.as_f64().unwrap_or_default() * 1000.0).round() as i64)
}
