//! The execution as a value.
//!
//! `decide` turns a command into events and applies each as it makes it, because the next decision
//! of the same command rests on it; the caller stores the events before anything else happens, and
//! throws the value away if that fails. `apply` alone rebuilds the same value from stored events.

use std::sync::Arc;

use asl::{Data, Failure, StateMachine, Timestamp};
use serde::{Deserialize, Serialize};

use crate::command::{Command, Refusal, WaitEnd};
use crate::effect::Effect;
use crate::event::Event;
use crate::identity::{Identity, WaitId};
use crate::token::TokenKey;

/// An execution's status, in the API's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[allow(missing_docs)]
pub enum Status {
    Running,
    Succeeded,
    Failed,
    TimedOut,
    Aborted,
}

impl Status {
    /// As the API spells it.
    pub fn name(self) -> &'static str {
        match self {
            Status::Running => "RUNNING",
            Status::Succeeded => "SUCCEEDED",
            Status::Failed => "FAILED",
            Status::TimedOut => "TIMED_OUT",
            Status::Aborted => "ABORTED",
        }
    }
}

/// How an execution ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Closing {
    /// When.
    pub at: Timestamp,
    /// If it succeeded.
    pub output: Option<Data>,
    /// If it failed, timed out or was stopped.
    pub failure: Option<Failure>,
}

/// An execution at one moment. (Fields: the engine's author.)
#[derive(Debug, Clone)]
pub struct Execution {}

/// All of an [`Execution`] but its compiled definition, to be stored beside its events.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Snapshot {}

impl Execution {
    /// A new execution, run as far as it goes without the outside.
    pub fn begin(
        machine: Arc<StateMachine>,
        identity: Identity,
        seed: u64,
        tokens: &TokenKey,
    ) -> (Execution, Vec<Event>) {
        let _ = (machine, identity, seed, tokens);
        todo!()
    }

    /// What the execution was started with, from its first stored event: enough to find the
    /// definition before `replay`.
    pub fn identity_of(first: &Event) -> Option<&Identity> {
        let _ = first;
        todo!()
    }

    /// The execution after all of `events`, the first of which is its start.
    pub fn replay(machine: Arc<StateMachine>, events: &[Event]) -> Execution {
        let _ = (machine, events);
        todo!()
    }

    /// The execution as it was when `snapshot` was taken; later events are then applied.
    pub fn restore(machine: Arc<StateMachine>, snapshot: Snapshot) -> Execution {
        let _ = (machine, snapshot);
        todo!()
    }

    /// All but the definition.
    pub fn snapshot(&self) -> Snapshot {
        todo!()
    }

    /// Turns a command into events and applies them.
    ///
    /// # Errors
    /// A [`Refusal`]; the execution is then unchanged.
    pub fn decide(&mut self, command: Command, tokens: &TokenKey) -> Result<Vec<Event>, Refusal> {
        let _ = (command, tokens);
        todo!()
    }

    /// Brings the value to where it is after `event`, deciding nothing.
    pub fn apply(&mut self, event: &Event) {
        let _ = event;
        todo!()
    }

    /// What it was started with.
    pub fn identity(&self) -> &Identity {
        todo!()
    }

    /// Its status.
    pub fn status(&self) -> Status {
        todo!()
    }

    /// How it ended, if it has.
    pub fn closing(&self) -> Option<&Closing> {
        todo!()
    }

    /// When it next wants a [`crate::CommandKind::Tick`].
    pub fn next_timer(&self) -> Option<Timestamp> {
        todo!()
    }

    /// What has to leave the process because of `events`, which `decide` or `begin` just gave.
    pub fn effects(&self, events: &[Event]) -> Vec<Effect> {
        let _ = events;
        todo!()
    }

    /// The dispatches that have no answer yet: after a restart they go out again, with the same
    /// idempotency key. An activity task that a worker holds, and a `.waitForTaskToken` task whose
    /// request was taken, are not among them.
    pub fn undelivered(&self) -> Vec<Effect> {
        todo!()
    }

    /// Whether [`Execution::undelivered`] would name anything; kept by the store beside the execution.
    pub fn has_undelivered(&self) -> bool {
        todo!()
    }

    /// The wait, if it is open: its state, when it began, its deadline.
    pub fn open_wait(&self, wait: WaitId) -> Option<OpenWait> {
        let _ = wait;
        todo!()
    }
}

/// A wait, described for people.
#[derive(Debug, Clone, PartialEq)]
pub struct OpenWait {
    /// The Task state.
    pub state_name: Arc<str>,
    /// When the task was scheduled.
    pub opened_at: Timestamp,
    /// When `TimeoutSeconds` will have passed.
    pub timeout_at: Option<Timestamp>,
    /// When `HeartbeatSeconds` will have passed without another heartbeat.
    pub heartbeat_at: Option<Timestamp>,
}

/// A wait that is over, read off an execution's events.
#[derive(Debug, Clone, PartialEq)]
pub struct EndedWait {
    /// As it was while it was open.
    pub wait: OpenWait,
    /// When it ended.
    pub ended_at: Timestamp,
    /// What ended it.
    pub end: WaitEnd,
    /// Whether a later attempt (a retry) of the same state took its place.
    pub superseded: bool,
}

/// What became of `wait`, if it ever was and is over.
pub fn wait_end(events: &[Event], wait: WaitId) -> Option<EndedWait> {
    let _ = (events, wait);
    todo!()
}
