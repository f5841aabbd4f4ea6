//! What can be told of a wait that is open: for whoever looks for those that are stuck.

use std::sync::Arc;

use asl::{Pattern, Resource, StateKind, Timestamp};
use serde::{Deserialize, Serialize};

use crate::event::EventKind;
use crate::execution::Execution;
use crate::frame::Phase;
use crate::identity::WaitId;

/// An open wait in full.
#[derive(Debug, Clone, PartialEq)]
pub struct Waiting {
    /// For what.
    pub kind: WaitKind,
    /// In which state.
    pub state_name: Arc<str>,
    /// Since when.
    pub opened_at: Timestamp,
    /// When `TimeoutSeconds` of the state will have passed.
    pub timeout_at: Option<Timestamp>,
    /// When `HeartbeatSeconds` will have passed without another heartbeat.
    pub heartbeat_at: Option<Timestamp>,
    /// When `TimeoutSeconds` of the machine will have passed.
    pub execution_timeout_at: Option<Timestamp>,
    /// Which attempt of the state it is: 1 if it was not tried before.
    pub attempt: u32,
    /// The heartbeats so far.
    pub beats: Option<Beats>,
}

impl Waiting {
    /// Whether no time is set at which it ends: neither the state's nor the machine's.
    pub fn is_endless(&self) -> bool {
        let ends = [
            self.timeout_at,
            self.heartbeat_at,
            self.execution_timeout_at,
        ];
        ends.iter().all(Option::is_none)
    }
}

/// What a wait is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum WaitKind {
    /// The answer of a resource that was called.
    Answer,
    /// Somebody who has the token (`.waitForTaskToken`).
    Callback,
    /// A worker of an activity.
    Activity,
    /// The end of a job (`.sync`).
    Sync,
    /// The end of a Map Run.
    MapRun,
}

/// Signs of life of a task.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Beats {
    /// How many.
    pub count: u32,
    /// When the first came.
    pub first: Timestamp,
    /// When the last came.
    pub last: Timestamp,
    /// When the one before that came.
    #[serde(default)]
    pub last_but_one: Option<Timestamp>,
}

impl Beats {
    /// These and another one.
    pub(crate) fn and(before: Option<Beats>, at: Timestamp) -> Beats {
        Beats {
            count: before.map_or(0, |beats| beats.count).saturating_add(1),
            first: before.map_or(at, |beats| beats.first),
            last: at,
            last_but_one: before.map(|beats| beats.last),
        }
    }

    /// Those before the last one, as far as is remembered.
    pub fn before(&self) -> Option<Beats> {
        Some(Beats {
            count: self.count - 1,
            first: self.first,
            last: self.last_but_one?,
            last_but_one: None,
        })
    }

    /// How far they are from one another, on average, in milliseconds; one alone does not say.
    pub fn usual_millis(&self) -> Option<i64> {
        let distances = i64::from(self.count.checked_sub(1)?);
        (distances > 0).then(|| (self.last.0 - self.first.0) / distances)
    }
}

/// A wait that a command has ended.
#[derive(Debug, Clone, PartialEq)]
pub struct ClosedWait {
    /// Its number.
    pub wait: WaitId,
    /// As it was.
    pub waiting: Waiting,
    /// By what.
    pub end: EndKind,
}

/// [`crate::WaitEnd`] without what came with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub enum EndKind {
    Succeeded,
    Failed,
    TimedOut,
    HeartbeatTimedOut,
    Aborted,
}

impl EndKind {
    /// All of them.
    pub const ALL: [EndKind; 5] = [
        EndKind::Succeeded,
        EndKind::Failed,
        EndKind::TimedOut,
        EndKind::HeartbeatTimedOut,
        EndKind::Aborted,
    ];

    /// For people.
    pub fn name(self) -> &'static str {
        match self {
            EndKind::Succeeded => "succeeded",
            EndKind::Failed => "failed",
            EndKind::TimedOut => "timed-out",
            EndKind::HeartbeatTimedOut => "heartbeat-timed-out",
            EndKind::Aborted => "aborted",
        }
    }

    /// Whether somebody answered.
    pub fn is_answer(self) -> bool {
        matches!(self, EndKind::Succeeded | EndKind::Failed)
    }

    /// Which wait an event ends, and how.
    pub fn of(event: &EventKind) -> Option<(WaitId, EndKind)> {
        match event {
            EventKind::TaskSucceeded { wait, .. } | EventKind::MapRunSucceeded { wait, .. } => {
                Some((*wait, EndKind::Succeeded))
            }
            EventKind::TaskFailed { wait, .. } | EventKind::MapRunFailed { wait, .. } => {
                Some((*wait, EndKind::Failed))
            }
            EventKind::TaskTimedOut { wait, heartbeat } => Some((
                *wait,
                match heartbeat {
                    true => EndKind::HeartbeatTimedOut,
                    false => EndKind::TimedOut,
                },
            )),
            EventKind::WaitAborted { wait } => Some((*wait, EndKind::Aborted)),
            _ => None,
        }
    }
}

impl Execution {
    /// The waits that the last command has ended, as they were while they were open. They are handed out
    /// once.
    pub fn take_ended(&mut self) -> Vec<ClosedWait> {
        std::mem::take(&mut self.ended)
    }

    /// An event is about to be applied that may end a wait.
    pub(crate) fn note_end(&mut self, event: &EventKind) {
        if let Some((wait, end)) = EndKind::of(event)
            && let Some(waiting) = self.waiting(wait)
        {
            self.ended.push(ClosedWait { wait, waiting, end });
        }
    }

    /// An open wait, in full.
    pub fn waiting(&self, wait: WaitId) -> Option<Waiting> {
        let frame = self.now.frames.get(self.now.waits.get(&wait)?)?;
        let place = frame.place();
        let attempt = 1 + frame.retries.iter().sum::<u32>();
        let waiting = Waiting {
            kind: WaitKind::MapRun,
            state_name: place.name.clone(),
            opened_at: place.entered_at,
            timeout_at: None,
            heartbeat_at: None,
            execution_timeout_at: self.now.deadline,
            attempt,
            beats: None,
        };
        match &frame.phase {
            Phase::MapRun(run) => Some(Waiting {
                opened_at: run.opened_at,
                ..waiting
            }),
            Phase::Task(task) => {
                let StateKind::Task(definition) = &self.machine.state(place.id).kind else {
                    unreachable!("only a Task state has a task");
                };
                Some(Waiting {
                    kind: WaitKind::of(&definition.resource),
                    opened_at: task.opened_at,
                    timeout_at: task.timeout_at,
                    heartbeat_at: task.heartbeat_at,
                    beats: task.beats,
                    ..waiting
                })
            }
            _ => None,
        }
    }
}

impl WaitKind {
    /// All of them.
    pub const ALL: [WaitKind; 5] = [
        WaitKind::Answer,
        WaitKind::Callback,
        WaitKind::Activity,
        WaitKind::Sync,
        WaitKind::MapRun,
    ];

    fn of(resource: &Resource) -> WaitKind {
        match resource {
            Resource::Function { .. } => WaitKind::Answer,
            Resource::Activity { .. } => WaitKind::Activity,
            Resource::Service { pattern, .. } => match pattern {
                Pattern::RequestResponse => WaitKind::Answer,
                Pattern::Sync => WaitKind::Sync,
                Pattern::WaitForTaskToken => WaitKind::Callback,
            },
        }
    }

    /// As the API spells it.
    pub fn name(self) -> &'static str {
        match self {
            WaitKind::Answer => "answer",
            WaitKind::Callback => "callback",
            WaitKind::Activity => "activity",
            WaitKind::Sync => "sync",
            WaitKind::MapRun => "map-run",
        }
    }
}
