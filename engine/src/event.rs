//! All that can happen to an execution. Stored as written here, so a variant or a field is never
//! renamed or taken away; a new field at the end of a struct variant has `#[serde(default)]`.
//!
//! These events are ours and compact; the AWS history is a projection of them ([`crate::history`]),
//! in which one of ours is none, one or two of AWS's. No payload is stored twice: a state's input
//! is what its frame held (the execution's input, the output before, a branch's input, an item), so
//! [`EventKind::StateEntered`] does not repeat it, and a state's output is stored only if it is none
//! of the documents that are there already ([`Output`]). Whoever reads events follows the frames.
//!
//! A *frame* is one thread of states: the execution itself (0), a Parallel state's branch, a Map
//! state's iteration. Frames are numbered in the order in which they open; a number is not used again.
//!
//! States are named, not numbered: a number is the parser's, and the parser may change.

use std::sync::Arc;

use asl::{Data, Failure, StateKind, Timestamp};
use serde::{Deserialize, Serialize};

use crate::identity::{Identity, WaitId};
use crate::map_run::MapRun;
use crate::redrive::Resumed;

/// One durable fact.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// When, by the server's clock.
    pub at: Timestamp,
    /// To which frame.
    pub frame: FrameId,
    /// What.
    pub kind: EventKind,
}

/// A frame's number within its execution; the execution's own frame is 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct FrameId(pub u32);

impl FrameId {
    /// The execution's own frame.
    pub const ROOT: FrameId = FrameId(0);
}

/// What can happen.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum EventKind {
    /// The execution began.
    ExecutionStarted {
        /// With what.
        identity: Arc<Identity>,
    },
    /// The frame is in a state now; its input is what the frame held.
    StateEntered {
        /// The state.
        name: Arc<str>,
        /// Its type.
        state_type: StateType,
    },
    /// The frame left its state.
    StateExited {
        /// With what.
        output: Output,
        /// The variables that it assigned, as an object; `None` if there are none.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        assigned: Option<Data>,
    },
    /// A Wait state knows until when.
    WaitStarted {
        /// Until when.
        until: Timestamp,
    },
    /// A Task state's work was asked for.
    TaskScheduled {
        /// Under which number.
        wait: WaitId,
        /// From whom: the `Resource` as written.
        resource: Arc<str>,
        /// The parameters; `None` if they are the state's input, unchanged.
        parameters: Option<Data>,
        /// `TimeoutSeconds`, if the state has it.
        timeout_seconds: Option<u64>,
        /// `HeartbeatSeconds`, if the state has it.
        heartbeat_seconds: Option<u64>,
        /// The role that `Credentials` name.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        role_arn: Option<Arc<str>>,
    },
    /// The resource took the request.
    TaskSubmitted {
        /// Which wait.
        wait: WaitId,
        /// Its answer.
        output: Data,
    },
    /// An activity worker fetched the task.
    TaskPickedUp {
        /// Which wait.
        wait: WaitId,
        /// `workerName`, if it gave one.
        worker: Option<String>,
    },
    /// A sign of life.
    TaskHeartbeat {
        /// Which wait.
        wait: WaitId,
    },
    /// The wait ended well.
    TaskSucceeded {
        /// Which wait.
        wait: WaitId,
        /// The result.
        output: Data,
    },
    /// The wait ended badly.
    TaskFailed {
        /// Which wait.
        wait: WaitId,
        /// How.
        failure: Failure,
    },
    /// Nobody answered in time.
    TaskTimedOut {
        /// Which wait.
        wait: WaitId,
        /// Whether it was `HeartbeatSeconds` that passed, and not `TimeoutSeconds`.
        heartbeat: bool,
    },
    /// The wait ended because the execution or its branch did.
    WaitAborted {
        /// Which wait.
        wait: WaitId,
    },
    /// The frame's state failed and will be tried again.
    RetryScheduled {
        /// Which entry of `Retry`.
        retrier: u16,
        /// When.
        until: Timestamp,
    },
    /// A Parallel state opened its branches.
    ParallelStarted {
        /// The input of every branch; `None` if it is the state's input, unchanged.
        input: Option<Data>,
        /// The first branch's frame; the others follow.
        first_frame: FrameId,
        /// How many.
        branches: u32,
    },
    /// A branch came to its end; its frame is gone.
    BranchSucceeded,
    /// A branch failed; its frame is gone.
    BranchFailed,
    /// A branch was given up because of another's failure; its frame is gone.
    BranchAborted,
    /// A Map state has its items.
    MapStarted {
        /// The items; `None` if they are the state's input, unchanged.
        items: Option<Data>,
        /// How many.
        length: u32,
        /// How many iterations run at once.
        concurrency: u32,
    },
    /// An iteration opened, in this frame.
    IterationStarted {
        /// The Map state's frame.
        parent: FrameId,
        /// Which item.
        index: u32,
        /// The iteration's input; `None` if it is the item.
        input: Option<Data>,
    },
    /// An iteration came to its end; its frame is gone.
    IterationSucceeded,
    /// An iteration failed; its frame is gone.
    IterationFailed,
    /// An iteration was given up because of another's failure; its frame is gone.
    IterationAborted,
    /// All branches or iterations have succeeded.
    ChildrenSucceeded,
    /// A Parallel or Map state failed for good: it is left by a Catch, or not at all.
    ChildrenFailed,
    /// The execution ended well; its output is what its frame holds.
    ExecutionSucceeded,
    /// The execution ended badly.
    ExecutionFailed {
        /// How.
        failure: Failure,
    },
    /// `TimeoutSeconds` of the machine passed.
    ExecutionTimedOut,
    /// Somebody stopped it.
    ExecutionAborted {
        /// As given.
        error: Option<String>,
        /// As given.
        cause: Option<String>,
    },
    /// A JSONata expression of the frame's state failed; what becomes of it follows.
    EvaluationFailed {
        /// How.
        failure: Failure,
        /// In which field, if it was one.
        location: Option<String>,
    },
    /// A distributed Map state has its items, or will have them read.
    DistributedMapStarted {
        /// How many; none are known before they are read.
        length: u32,
    },
    /// A distributed Map state asked for its Map Run.
    MapRunStarted {
        /// Under which number.
        wait: WaitId,
        /// What is to be done.
        run: Arc<MapRun>,
    },
    /// The Map Run ended well.
    MapRunSucceeded {
        /// Which wait.
        wait: WaitId,
        /// The results, or where they are.
        output: Data,
    },
    /// The Map Run ended badly.
    MapRunFailed {
        /// Which wait.
        wait: WaitId,
        /// How.
        failure: Failure,
    },
    /// Somebody redrove it: it is running again.
    ExecutionRedriven {
        /// How often it has been redriven now.
        count: u32,
        /// As given.
        client_token: Option<String>,
        /// What goes on.
        frames: Resumed,
    },
    /// A redriven distributed Map state asked for its Map Run to go on.
    MapRunRedriven {
        /// Under which number.
        wait: WaitId,
        /// Which one it is; what is to be done is what it was.
        arn: Arc<str>,
        /// How often it has been redriven now.
        count: u32,
    },
}

/// A state's output, stored only where it is new.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Output {
    /// The state's own input.
    Input,
    /// The result of its task.
    Result,
    /// The outputs of its branches or iterations, as a list.
    Children,
    /// Another document.
    Document(Data),
}

/// The eight state types, as the history names them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub enum StateType {
    Task,
    Pass,
    Wait,
    Choice,
    Succeed,
    Fail,
    Parallel,
    Map,
}

impl StateType {
    /// The type of a state of a machine.
    pub fn of(kind: &StateKind) -> StateType {
        match kind {
            StateKind::Task(_) => StateType::Task,
            StateKind::Pass(_) => StateType::Pass,
            StateKind::Wait(_) => StateType::Wait,
            StateKind::Choice(_) => StateType::Choice,
            StateKind::Succeed => StateType::Succeed,
            StateKind::Fail(_) => StateType::Fail,
            StateKind::Parallel(_) => StateType::Parallel,
            StateKind::Map(_) => StateType::Map,
        }
    }

    /// As a definition spells it, and as the history's event types begin.
    pub fn name(self) -> &'static str {
        match self {
            StateType::Task => "Task",
            StateType::Pass => "Pass",
            StateType::Wait => "Wait",
            StateType::Choice => "Choice",
            StateType::Succeed => "Succeed",
            StateType::Fail => "Fail",
            StateType::Parallel => "Parallel",
            StateType::Map => "Map",
        }
    }

    /// What the history calls a state of this type that is given up; the others are over at once.
    pub(crate) fn aborted_name(self) -> Option<&'static str> {
        match self {
            StateType::Task => Some("TaskStateAborted"),
            StateType::Wait => Some("WaitStateAborted"),
            StateType::Parallel => Some("ParallelStateAborted"),
            StateType::Map => Some("MapStateAborted"),
            StateType::Pass | StateType::Choice | StateType::Succeed | StateType::Fail => None,
        }
    }
}

impl EventKind {
    /// Whether the execution is over with it, for now at least: it may be redriven.
    pub fn ends_execution(&self) -> bool {
        matches!(
            self,
            EventKind::ExecutionSucceeded
                | EventKind::ExecutionFailed { .. }
                | EventKind::ExecutionTimedOut
                | EventKind::ExecutionAborted { .. }
        )
    }

    /// How many events of the AWS history this is; `state` is the type of the frame's state.
    ///
    /// The execution counts with it and the projection writes by it, so that the event ids in
    /// failures' causes are those of the history.
    pub(crate) fn history_events(&self, state: Option<StateType>) -> u64 {
        match self {
            EventKind::WaitStarted { .. }
            | EventKind::TaskHeartbeat { .. }
            | EventKind::WaitAborted { .. }
            | EventKind::RetryScheduled { .. }
            | EventKind::BranchSucceeded => 0,
            // A branch that fails or is given up shows what became of its state, if anything can.
            EventKind::BranchFailed | EventKind::BranchAborted => {
                u64::from(state.and_then(StateType::aborted_name).is_some())
            }
            // An activity's start is the worker's fetching it; everything else starts at once.
            EventKind::TaskScheduled { resource, .. } => {
                if is_activity(resource) {
                    1
                } else {
                    2
                }
            }
            EventKind::ExecutionStarted { .. }
            | EventKind::StateEntered { .. }
            | EventKind::StateExited { .. }
            | EventKind::TaskSubmitted { .. }
            | EventKind::TaskPickedUp { .. }
            | EventKind::TaskSucceeded { .. }
            | EventKind::TaskFailed { .. }
            | EventKind::TaskTimedOut { .. }
            | EventKind::ParallelStarted { .. }
            | EventKind::MapStarted { .. }
            | EventKind::IterationStarted { .. }
            | EventKind::IterationSucceeded
            | EventKind::IterationFailed
            | EventKind::IterationAborted
            | EventKind::ChildrenSucceeded
            | EventKind::ChildrenFailed
            | EventKind::ExecutionSucceeded
            | EventKind::ExecutionFailed { .. }
            | EventKind::ExecutionTimedOut
            | EventKind::ExecutionAborted { .. }
            | EventKind::ExecutionRedriven { .. }
            | EventKind::EvaluationFailed { .. }
            | EventKind::DistributedMapStarted { .. }
            | EventKind::MapRunStarted { .. }
            | EventKind::MapRunRedriven { .. }
            | EventKind::MapRunSucceeded { .. }
            | EventKind::MapRunFailed { .. } => 1,
        }
    }
}

impl Event {
    /// How many bytes it takes, about.
    pub fn bytes(&self) -> usize {
        let cause = match &self.kind {
            EventKind::TaskFailed { failure, .. }
            | EventKind::MapRunFailed { failure, .. }
            | EventKind::ExecutionFailed { failure }
            | EventKind::EvaluationFailed { failure, .. } => failure.cause.as_ref(),
            EventKind::ExecutionAborted { cause, .. } => cause.as_ref(),
            _ => None,
        };
        size_of::<Event>() + self.kind.payload_bytes() + cause.map_or(0, String::len)
    }
}

impl EventKind {
    /// How many bytes of documents are stored with it.
    pub(crate) fn payload_bytes(&self) -> usize {
        let bytes = |data: &Data| data.text().len();
        let given = |data: &Option<Data>| data.as_ref().map_or(0, bytes);
        match self {
            EventKind::StateExited { output, assigned } => {
                let output = match output {
                    Output::Document(data) => bytes(data),
                    Output::Input | Output::Result | Output::Children => 0,
                };
                output + given(assigned)
            }
            EventKind::TaskScheduled { parameters, .. } => given(parameters),
            EventKind::ParallelStarted { input, .. }
            | EventKind::IterationStarted { input, .. }
            | EventKind::MapStarted { items: input, .. } => given(input),
            EventKind::TaskSubmitted { output, .. } | EventKind::TaskSucceeded { output, .. } => {
                bytes(output)
            }
            _ => 0,
        }
    }
}

/// Whether a `Resource` is an activity: `arn:PARTITION:states:REGION:ACCOUNT:activity:NAME`.
pub(crate) fn is_activity(resource: &str) -> bool {
    let mut parts = resource.split(':').skip(2);
    parts.next() == Some("states") && parts.nth(2) == Some("activity")
}
