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
//! On a route of an engine elsewhere the execution is started there, by the same rules (`remote/starts`).
//!
//! A callback that says that something failed, or a heartbeat, starts nothing.
//!
//! `begin`: a callback starts one. `later`: what comes, and what passes, once it is started.

mod begin;
mod later;

use std::sync::Arc;

use asl::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};
use store::DocumentChange;

use super::Gateway;
use super::callback::Callback;
use super::engine::Answering;
use super::expression::Query;
use super::record::Step;
use super::route::config::StartsConfig;
use crate::api;
use crate::app::{App, WeakApp};
use crate::trace::Given;

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
    /// When the execution of this name began that was there before: somebody else has started it. Asked before the
    /// delivery is stored, since times can't tell: clocks step back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub there_since: Option<Timestamp>,
    /// The engine elsewhere that starts it; none if it is this server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub engine: Option<String>,
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

/// What came of an attempt to start one.
pub(super) struct Tried {
    pub step: Step,
    /// When the next attempt is made, if there is to be one.
    pub due: Option<Timestamp>,
    /// What else becomes durable with it.
    pub beside: Vec<DocumentChange>,
}

impl Tried {
    /// There is no more to be done.
    pub fn done(step: Step) -> Tried {
        Tried {
            step,
            due: None,
            beside: Vec::new(),
        }
    }
}

/// Performs operations of the Step Functions API in this process.
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

impl Refusal {
    /// Nobody has said anything.
    pub fn unknown(what: &str) -> Refusal {
        Refusal {
            kind: "NoAnswer".to_owned(),
            message: what.to_owned(),
        }
    }
}

/// Who starts executions.
pub(super) struct Starter {
    operations: Arc<dyn Operations>,
    /// What stands before a machine's name in its ARN.
    machine_prefix: String,
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
                api::perform_holding(&app, operation, body.as_bytes(), &Given::inside(None), busy)
                    .await;
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
                .identity(callback.scope())?
                .ok_or_else(|| format!("There is no name at {}.", query.written()))?,
        };
        Ok(Start {
            state_machine_arn: self.state_machine.clone(),
            name,
            input: Some(input),
            execution_arn: String::new(),
            there_since: None,
            engine: None,
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
