//! References that the workflow chooses itself: a key of the business that goes out with the task's
//! request, an execution's name, or what the task's resource answers with.
//!
//! | `registers` | looked for in | registered |
//! | --- | --- | --- |
//! | `from_request` | the task's request | before it leaves: no callback can be faster |
//! | `from_result` | what the resource answers | before the task counts as submitted; a callback that is faster is early |
//!
//! Both also see `$execution`: its `name`, `id`, `startTime` and `input`. Registering again (after a crash
//! the task goes out again) changes nothing; a retry adopts the reference of the attempt before it.

use std::sync::Arc;

use asl::jsonata::Session;
use asl::{Context, Failure, Random, Scope, Timestamp, Variables};
use engine::Identity;
use serde_json::{Value, json};

use super::Gateway;
use super::expression::Query;
use super::register::Registered;
use super::route::{REFERENCE_BYTES_MAX, Route};
use crate::log::About;

/// The error of a task whose reference another execution holds, or that has none to give.
const REFERENCE_TAKEN: &str = "Rejoin.ReferenceTaken";
const REFERENCE_INVALID: &str = "Rejoin.ReferenceInvalid";

/// Where a chosen reference is looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// In the request that is about to leave.
    Request,
    /// In what the resource answered.
    Result,
}

/// The routes on which a task's own references are registered. Most tasks have none.
#[derive(Default)]
pub struct Choosing(Vec<Arc<Route>>);

impl Choosing {
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// The variables that such an expression has.
pub(super) const VARIABLES: [&str; 1] = ["execution"];

impl Gateway {
    /// The routes that register references of this task by themselves.
    pub(super) fn choosing(&self, state_machine_arn: &str, state_name: &str) -> Choosing {
        let names = self.0.expected.by(state_machine_arn, state_name);
        if names.is_empty() {
            return Choosing::default();
        }
        let routes = self.routes();
        let chosen = names.iter().filter_map(|name| routes.named(name));
        Choosing(chosen.filter(|route| route.registers()).collect())
    }

    /// Registers what the workflow has chosen, if it has.
    ///
    /// # Errors
    /// The failure of the task: its callback would never reach it.
    pub async fn register_chosen(
        &self,
        choosing: &Choosing,
        token: &str,
        phase: Phase,
        said: &Value,
    ) -> Result<(), Failure> {
        for route in &choosing.0 {
            let Some(query) = route.chosen(phase) else {
                continue;
            };
            self.register_one(route, query, token, said).await?;
        }
        Ok(())
    }

    async fn register_one(
        &self,
        route: &Arc<Route>,
        query: &Query,
        token: &str,
        said: &Value,
    ) -> Result<(), Failure> {
        // Whatever is wrong with the token or the store shows when the task is completed.
        let Ok(checked) = self.0.engine.check(token) else {
            return Ok(());
        };
        let Ok(Some(view)) = self.0.engine.wait(checked).await else {
            return Ok(());
        };
        let invalid = |what: String| {
            let cause = format!(
                "The route {} looks for the reference of this task: {what}",
                route.name
            );
            Failure::new(REFERENCE_INVALID, cause)
        };
        let task = Task {
            said,
            execution: shown(&view.identity),
            now: self.0.clock.now(),
            session: Session::default(),
        };
        let Some(reference) = query.identity(task.scope()).map_err(invalid)? else {
            // A task that names none may still have it registered by its worker.
            return Ok(());
        };
        if reference.is_empty() || reference.len() > REFERENCE_BYTES_MAX {
            return Err(invalid(format!(
                "it has {} bytes, and 1 to {REFERENCE_BYTES_MAX} are possible.",
                reference.len()
            )));
        }
        let Ok((holder, checked)) = self.holder(token.to_owned()).await else {
            return Ok(());
        };
        match self.hold(route, &reference, holder, Some(checked)).await {
            Ok(Registered::Taken { holder, .. }) => Err(Failure::new(
                REFERENCE_TAKEN,
                format!(
                    "The reference {reference:?} on the route {} belongs to the execution {}, in {}.",
                    route.name, holder.place.execution_name, holder.place.state_name
                ),
            )),
            Ok(Registered::Started { execution }) => Err(Failure::new(
                REFERENCE_TAKEN,
                format!(
                    "The reference {reference:?} on the route {} has started the execution {execution}.",
                    route.name
                ),
            )),
            Ok(Registered::Held | Registered::Early { .. }) => Ok(()),
            Err(what) => {
                crate::log::say_about!(
                    About::execution(&view.identity),
                    "the reference of a task could not be registered: {what}"
                );
                Err(invalid("it could not be stored.".into()))
            }
        }
    }
}

fn shown(identity: &Identity) -> Value {
    json!({
        "name": &*identity.name,
        "id": &*identity.arn,
        "startTime": identity.started_at.to_string(),
        "input": identity.input.value(),
    })
}

/// What an expression looks at.
struct Task<'a> {
    said: &'a Value,
    execution: Value,
    now: Timestamp,
    session: Session,
}

impl Task<'_> {
    fn scope(&self) -> Scope<'_> {
        Scope {
            input: self.said,
            context: self,
            random: self,
            now: self.now,
            variables: self,
            result: None,
            error_output: None,
            session: &self.session,
        }
    }
}

impl Variables for Task<'_> {
    fn get(&self, name: &str) -> Option<&Value> {
        (name == "execution").then_some(&self.execution)
    }
}

impl Context for Task<'_> {
    fn value(&self) -> &Value {
        &Value::Null
    }
}

impl Random for Task<'_> {
    fn next(&self) -> u64 {
        0
    }
}
