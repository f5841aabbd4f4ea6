//! A frame: one thread of states, and where it stands.
//!
//! | phase | what it waits for | what ends it |
//! | --- | --- | --- |
//! | `Idle` | nothing: between two events of one command | the next event |
//! | `Waiting` | a Wait state's time | StateExited |
//! | `Task` | an answer, `TimeoutSeconds`, `HeartbeatSeconds` | TaskSucceeded, TaskFailed, TaskTimedOut, WaitAborted |
//! | `Backoff` | the time of the next attempt | TaskScheduled, ParallelStarted, MapStarted |
//! | `Children` | the frames of its branches or iterations | ChildrenSucceeded, a child's failure |
//! | `MapRun` | the end of its Map Run | MapRunSucceeded, MapRunFailed, WaitAborted |
//!
//! Frames are part of a snapshot, so their fields keep to the rules of [`crate::event`].

use std::collections::BTreeMap;
use std::sync::Arc;

use asl::{Data, StateId, Timestamp};
use serde::{Deserialize, Serialize};

use crate::event::{FrameId, StateType};
use crate::identity::WaitId;
use crate::map_run::MapRun;
use crate::waiting::Beats;

/// One thread of states.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Frame {
    /// Whose branch or iteration it is; the execution's own frame has none.
    pub(crate) parent: Option<FrameId>,
    /// Which branch or iteration.
    pub(crate) index: u32,
    /// Where it is, or was last.
    pub(crate) state: Option<Place>,
    /// What the state was given; once it is left, what it gave.
    pub(crate) data: Data,
    /// The result of the state's task, while the state's output is being made.
    pub(crate) result: Option<Data>,
    /// How often each retrier of the state has been used.
    pub(crate) retries: Vec<u32>,
    /// What it waits for.
    pub(crate) phase: Phase,
    /// The workflow variables that have been assigned in it. Frames inside of it read them too.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) variables: BTreeMap<String, Data>,
}

/// A state that a frame has entered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Place {
    pub(crate) name: Arc<str>,
    pub(crate) state_type: StateType,
    pub(crate) entered_at: Timestamp,
    /// The history's id of its entering, for causes.
    pub(crate) entered_event: u64,
    /// Where the definition has it: found again by name when a snapshot is read.
    #[serde(skip, default = "unresolved")]
    pub(crate) id: StateId,
}

impl Place {
    /// What AWS puts before the cause of a failure that happened here.
    pub(crate) fn told(&self) -> String {
        format!(
            "An error occurred while executing the state '{}' (entered at the event id #{}). ",
            self.name, self.entered_event
        )
    }
}

fn unresolved() -> StateId {
    StateId(u32::MAX)
}

/// What a frame waits for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) enum Phase {
    Idle,
    Waiting {
        until: Timestamp,
    },
    Task(OpenTask),
    Backoff {
        until: Timestamp,
    },
    Children(Children),
    /// Until the state is left or tried again; its wait is over before that.
    MapRun(OpenMapRun),
}

/// A Map Run, asked for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct OpenMapRun {
    pub(crate) wait: WaitId,
    pub(crate) opened_at: Timestamp,
    pub(crate) run: Arc<MapRun>,
    /// How often it has been redriven.
    #[serde(default)]
    pub(crate) redrives: u32,
}

/// An open wait.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct OpenTask {
    pub(crate) wait: WaitId,
    pub(crate) opened_at: Timestamp,
    pub(crate) parameters: Data,
    pub(crate) timeout_at: Option<Timestamp>,
    pub(crate) heartbeat_seconds: Option<u64>,
    pub(crate) heartbeat_at: Option<Timestamp>,
    /// Whether the work is with somebody: the request was taken, or a worker has the task.
    pub(crate) delivered: bool,
    /// Its heartbeats.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) beats: Option<Beats>,
}

impl OpenTask {
    /// When it is given up, and whether that is for want of a heartbeat. Where both times are the
    /// same, it is `TimeoutSeconds` that passed.
    pub(crate) fn deadline(&self) -> Option<(Timestamp, bool)> {
        match (self.timeout_at, self.heartbeat_at) {
            (Some(timeout), Some(heartbeat)) if heartbeat < timeout => Some((heartbeat, true)),
            (Some(timeout), _) => Some((timeout, false)),
            (None, Some(heartbeat)) => Some((heartbeat, true)),
            (None, None) => None,
        }
    }
}

/// The branches or iterations of a Parallel or Map state.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Children {
    /// A Map state's items; none for a Parallel state.
    pub(crate) items: Option<Data>,
    /// Every child's output, in order, once it is there.
    pub(crate) outputs: Vec<Option<Data>>,
    /// How many children have succeeded.
    pub(crate) succeeded: u32,
    /// The next item to start.
    pub(crate) next: u32,
    /// How many iterations run at once.
    pub(crate) concurrency: u32,
}

impl Children {
    /// All outputs as a list; only when every child has one.
    pub(crate) fn output(&self) -> Data {
        let list = self.outputs.iter().map(|output| {
            output
                .as_ref()
                .expect("every child has succeeded")
                .value()
                .clone()
        });
        Data::from(serde_json::Value::Array(list.collect()))
    }
}

impl Frame {
    /// A frame that is about to enter its first state.
    pub(crate) fn new(parent: Option<FrameId>, index: u32, data: Data) -> Frame {
        Frame {
            parent,
            index,
            state: None,
            data,
            result: None,
            retries: Vec::new(),
            phase: Phase::Idle,
            variables: BTreeMap::new(),
        }
    }

    /// When it wants a tick.
    pub(crate) fn timer(&self) -> Option<Timestamp> {
        match &self.phase {
            Phase::Waiting { until } | Phase::Backoff { until } => Some(*until),
            Phase::Task(task) => task.deadline().map(|(at, _)| at),
            Phase::Idle | Phase::Children(_) | Phase::MapRun(_) => None,
        }
    }

    /// Its state.
    ///
    /// # Panics
    /// If it has not entered one; only called where a state is running.
    pub(crate) fn place(&self) -> &Place {
        self.state.as_ref().expect("a running frame is in a state")
    }
}
