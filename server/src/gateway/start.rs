//! Start or deliver: a callback that no wait is registered for starts an execution, on a route that says so
//! (`starts`).
//!
//! It is one execution for each reference, whatever crashes: the first commit stores the delivery and moves
//! its reference to *started*; then the execution is started, under a name that is drawn from the reference;
//! the second commit records the outcome. A crash between the two leaves a delivery that is due, and starting
//! again under the same name with the same input finds the execution of the first time. (`StartExecution` of an
//! Express machine knows no names, so there a crash may start a second one.)
//!
//! The execution may register the same reference for the callbacks that come later. As long as it is open and
//! has not, such a callback is early, and the same one again is a duplicate.
//!
//! A callback that says that something failed, or a heartbeat, starts nothing.

use std::sync::Arc;

use asl::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use store::{Expect, Table};

use super::callback::Callback;
use super::deliver::used_keep_seconds;
use super::disposition::Disposition;
use super::engine::Answering;
use super::expression::Query;
use super::flights::Flight;
use super::found::Found;
use super::receive::Arrival;
use super::record::{Delivery, Intent, Receipt, Reference, Standing, Step, receipt_key};
use super::route::Route;
use super::route::config::StartsConfig;
use super::{Gateway, NotStored};
use crate::api;
use crate::app::{App, WeakApp};

/// The errors of `StartExecution` that the same callback would meet again.
const NEVER: [&str; 4] = [
    "InvalidExecutionInput",
    "InvalidName",
    "InvalidArn",
    "ValidationException",
];

/// How long an execution's name may be.
const NAME_CHARS_MAX: usize = 80;

/// `starts` of a route, checked.
pub(super) struct Starts {
    state_machine: String,
    input: Option<Query>,
    name: Option<Query>,
}

/// An execution that a callback starts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Start {
    pub state_machine_arn: String,
    pub name: String,
    /// Its input as JSON; none once it is started, if it may hold what was redacted.
    pub input: Option<String>,
    /// Known before it is started: an execution's ARN is made of its machine's and its name.
    pub execution_arn: String,
}

/// An execution that a reference's first callback has started, and that may register the reference.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Started {
    pub start: Start,
    pub delivery: String,
    pub digest: String,
    /// What became of the start is recorded.
    pub done: bool,
    /// A callback that is kept until the execution registers the reference.
    pub kept: Option<Kept>,
}

/// A callback that came before its reference was registered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Kept {
    pub delivery: String,
    pub digest: String,
    pub until: Timestamp,
}

/// Performs operations of the Step Functions API: in this process, or at another endpoint.
pub(super) trait Operations: Send + Sync {
    /// One operation; its answer, or the error that the API names.
    fn perform<'a>(
        &'a self,
        operation: &'a str,
        request: Value,
    ) -> Answering<'a, Result<Value, Refusal>>;
}

/// An error of the API.
pub(super) struct Refusal {
    /// For example `ExecutionAlreadyExists`.
    pub kind: String,
    pub message: String,
}

/// Who starts executions.
pub(super) struct Starter {
    operations: Arc<dyn Operations>,
    /// What stands before a machine's name in its ARN.
    machine_prefix: String,
}

/// What is known of an execution.
struct Known {
    started_at: Timestamp,
    stopped_at: Option<Timestamp>,
    input: Option<String>,
}

impl Starter {
    /// Starts executions of this region and account.
    pub fn new(operations: Arc<dyn Operations>, region: &str, account: &str) -> Starter {
        Starter {
            operations,
            machine_prefix: format!("arn:aws:states:{region}:{account}:stateMachine:"),
        }
    }

    /// Starts executions of this server.
    pub fn of(app: &App) -> Starter {
        let place = &app.place;
        Starter::new(Arc::new(app.downgrade()), &place.region, &place.account)
    }
}

impl Operations for WeakApp {
    fn perform<'a>(
        &'a self,
        operation: &'a str,
        request: Value,
    ) -> Answering<'a, Result<Value, Refusal>> {
        Box::pin(async move {
            let Some(app) = self.upgrade() else {
                // The server is being stopped; after the next start the delivery is due.
                return std::future::pending().await;
            };
            let (body, busy) = (request.to_string(), app.clock.busy());
            let (answer, _busy) =
                api::perform_holding(&app, operation, body.as_bytes(), busy).await;
            match answer {
                Ok(answer) => Ok(serde_json::from_slice(&answer).unwrap_or_default()),
                Err(error) => Err(Refusal {
                    kind: error.kind.to_owned(),
                    message: error.log.unwrap_or(error.message),
                }),
            }
        })
    }
}

impl Starts {
    /// Checks `starts` of a route.
    ///
    /// # Errors
    /// One sentence: which key, what instead.
    pub fn checked(config: &StartsConfig) -> Result<Starts, String> {
        let machine = &config.state_machine;
        let is_arn = machine.starts_with("arn:") && machine.contains(":stateMachine:");
        if machine.is_empty() || (machine.contains(':') && !is_arn) {
            return Err(format!(
                "`starts.state_machine` is {machine:?}; give the state machine's name, or its ARN"
            ));
        }
        let query = |key: &str, text: &Option<String>| {
            let text = text.as_deref();
            text.map(|text| Query::parse(&format!("starts.{key}"), text))
                .transpose()
        };
        Ok(Starts {
            state_machine: machine.clone(),
            input: query("input", &config.input)?.filter(|query| !query.is_body()),
            name: query("name", &config.name)?,
        })
    }

    /// What a callback starts; its machine is as it is written in the configuration.
    ///
    /// # Errors
    /// What is missing, in a sentence.
    pub fn read(&self, callback: &Callback<'_>, reference: &str) -> Result<Start, String> {
        let input = match &self.input {
            None => callback.body.to_string(),
            Some(query) => query
                .find(callback.scope())?
                .ok_or_else(|| format!("There is no input at {}.", query.written()))?
                .to_string(),
        };
        let name = match &self.name {
            None => name_for(reference),
            Some(query) => query
                .text(callback.scope())?
                .ok_or_else(|| format!("There is no name at {}.", query.written()))?,
        };
        Ok(Start {
            state_machine_arn: self.state_machine.clone(),
            name,
            input: Some(input),
            execution_arn: String::new(),
        })
    }
}

/// The name of the execution that a reference starts: itself if that is possible, else a hash of it.
fn name_for(reference: &str) -> String {
    let simple = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if reference.len() <= NAME_CHARS_MAX && reference.chars().all(simple) {
        return reference.to_owned();
    }
    let hash = Sha256::digest(reference.as_bytes());
    let hex: String = hash[..16].iter().map(|b| format!("{b:02x}")).collect();
    format!("reference-{hex}")
}

impl Gateway {
    /// Names the server, which holds this; so it comes after.
    pub fn connect(&self, app: &App) {
        self.start_with(Starter::of(app));
    }

    pub(super) fn start_with(&self, starter: Starter) {
        assert!(
            self.0.starter.set(starter).is_ok(),
            "a part is connected once"
        );
    }

    /// A callback that starts an execution: stores both as being started, then starts it.
    pub(super) async fn begin(
        &self,
        route: &Route,
        arrival: &mut Arrival,
        name: &str,
        expect: Expect,
    ) -> Result<Step, NotStored> {
        let start = match arrival.start.clone() {
            Some(Ok(start)) => self.addressed(start),
            Some(Err(reason)) => {
                arrival.receipts.clear();
                let step = self.step(Disposition::Malformed, reason);
                return self.settle(route, arrival, None, step, None).await;
            }
            None => return Err(NotStored::Conflict),
        };
        let receipts = arrival.receipts();
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
        Ok(self.start(&mut arrival.delivery, flight).await?)
    }

    /// What a callback is that has started an execution before: it is not the answer to what that one waits
    /// for, though it has the same reference.
    pub(super) async fn begun_before(
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
    pub(super) async fn start(
        &self,
        delivery: &mut Delivery,
        _flight: Flight,
    ) -> Result<Step, String> {
        let Some(start) = delivery.start.clone() else {
            return Err(format!("delivery {} has nothing to start", delivery.id));
        };
        delivery.attempts += 1;
        let step = self.try_to_start(delivery, &start).await;
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
            match self.record_start(delivery, &step, news).await {
                Ok(()) => return Ok(step),
                Err(NotStored::Conflict) => {}
                Err(NotStored::Server(what)) => return Err(what),
            }
        }
    }

    async fn try_to_start(&self, delivery: &Delivery, start: &Start) -> Step {
        let later = |what: &str| {
            eprintln!(
                "rejoin: delivery {} could not start its execution and will be tried again: {what}",
                delivery.id
            );
            let note = format!(
                "The execution {} could not be started; it is tried again: {what}",
                start.name
            );
            self.step(Disposition::Undeliverable, note)
        };
        let Some(starter) = self.0.starter.get() else {
            return later("this server starts none");
        };
        let request = json!({
            "stateMachineArn": start.state_machine_arn,
            "name": start.name,
            "input": start.input,
        });
        match starter.operations.perform("StartExecution", request).await {
            Ok(answer) => self.begun(delivery, start, moment(&answer["startDate"])),
            Err(refusal) if refusal.kind == "ExecutionAlreadyExists" => {
                match self.known(&start.execution_arn).await {
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

    /// The execution runs. One that is older than the callback was started by somebody else.
    fn begun(&self, delivery: &Delivery, start: &Start, started_at: Timestamp) -> Step {
        if started_at < delivery.received_at {
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
        if known.started_at >= delivery.received_at && known.input == start.input {
            return self.begun(delivery, start, known.started_at);
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
        step: &Step,
        news: bool,
    ) -> Result<(), NotStored> {
        let route = self.route_named(&delivery.route);
        let undeliverable = step.disposition == Disposition::Undeliverable;
        let due = match undeliverable {
            true => self.retry_due(delivery.attempts),
            false => None,
        };
        // The flight keeps everybody else away from the delivery's document.
        let mut documents = delivery.changes(Expect::Any, due);
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
        }
        self.commit(documents).await
    }

    /// A callback for a reference under which an execution was started, and which is not registered.
    pub(super) async fn meet_started(
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
        if !started.done || started.digest == arrival.digest {
            let step = self.repeat(&started.delivery, started.digest == arrival.digest);
            return self.settle(route, arrival, None, step, None).await;
        }
        if let Some(kept) = &started.kept {
            let step = self.repeat(&kept.delivery, kept.digest == arrival.digest);
            return self.settle(route, arrival, None, step, None).await;
        }
        let known = self.known(&started.start.execution_arn).await?;
        let stopped_at = known.as_ref().map(|known| known.stopped_at);
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
    pub(super) async fn look_at_started(
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
            let found = self.document(Table::Delivery, &kept.delivery).await?;
            let found: Option<(u64, Delivery)> = found;
            if let Some((read, mut delivery)) = found {
                let note = format!(
                    "Execution {} did not register {:?} on this route within {} s.",
                    started.start.name,
                    reference.reference,
                    (now.0 - delivery.received_at.0) / 1000
                );
                let step = self.step(Disposition::UnknownReference, note);
                delivery.steps.push(step.clone());
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
    pub(super) async fn runs(&self, start: &Start) -> Result<bool, String> {
        let known = self.known(&start.execution_arn).await?;
        Ok(known.is_some_and(|known| known.stopped_at.is_none()))
    }

    /// What is known of an execution; none if it is not kept.
    async fn known(&self, execution_arn: &str) -> Result<Option<Known>, String> {
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

/// Where it is remembered that a callback has started an execution.
fn begun_key(route: &Route, reference: &str, digest: &str) -> String {
    receipt_key(&route.name, "started", &format!("{reference}\n{digest}"))
}

/// A moment of the API's answers, which are seconds with a fraction.
fn moment(seconds: &Value) -> Timestamp {
    Timestamp((seconds.as_f64().unwrap_or_default() * 1000.0).round() as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_execution_has_the_name_of_its_reference_where_that_is_possible() {
        for same in ["order-7", "A_1.b", &"x".repeat(80)] {
            assert_eq!(name_for(same), same);
        }
        let long = "x".repeat(81);
        let others = ["order 7", "order/7", "ordér", &long];
        let names: Vec<String> = others.iter().map(|text| name_for(text)).collect();
        for (index, name) in names.iter().enumerate() {
            assert!(name.starts_with("reference-") && name.len() == 42, "{name}");
            assert!(!names[..index].contains(name), "{name}");
        }
    }
}
