//! All that can be asked of an execution, and how it says no.

use std::sync::Arc;

use asl::{Data, Failure, Timestamp};
use serde::{Deserialize, Serialize};

use crate::event::Event;
use crate::identity::WaitId;
use crate::redrive::NotRedrivable;

/// A command with what the engine may not fetch for itself.
#[derive(Debug, Clone)]
pub struct Command {
    /// Now, by the server's clock.
    pub at: Timestamp,
    /// For jitter, `States.UUID` and `States.MathRandom`.
    pub seed: u64,
    /// What is asked.
    pub kind: CommandKind,
}

/// The commands.
#[derive(Debug, Clone)]
pub enum CommandKind {
    /// A result for a wait: from `SendTaskSuccess`, `SendTaskFailure`, or from the resource's response.
    /// For a `.waitForTaskToken` task, the response of the resource is [`CommandKind::Submitted`]
    /// if it is good, and `Complete` with a failure if it is not.
    Complete {
        /// Which wait.
        wait: WaitId,
        /// How the work ended.
        outcome: Outcome,
    },
    /// The resource of a `.waitForTaskToken` task took the request; the wait goes on.
    Submitted {
        /// Which wait.
        wait: WaitId,
        /// What the resource answered.
        output: Data,
    },
    /// A mock's word for all that a resource would say. What came before the result is made up, so that the
    /// history is that of a real task: the request was taken, or a worker fetched the task.
    Mocked {
        /// Which wait.
        wait: WaitId,
        /// How the work ended.
        outcome: Outcome,
    },
    /// An activity worker fetched the task.
    PickedUp {
        /// Which wait.
        wait: WaitId,
        /// `workerName`, if it gave one.
        worker: Option<String>,
    },
    /// `SendTaskHeartbeat`.
    Heartbeat {
        /// Which wait.
        wait: WaitId,
    },
    /// The clock has moved: everything that is due by [`Command::at`] happens, in order of its time.
    Tick,
    /// The slice before ended early ([`crate::slice`]): on with what it left.
    GoOn,
    /// `StopExecution`.
    Stop {
        /// As given.
        error: Option<String>,
        /// As given.
        cause: Option<String>,
    },
    /// `RedriveExecution`.
    Redrive {
        /// All events of the execution so far: what failed is found in them.
        past: Arc<[Event]>,
        /// As given.
        client_token: Option<String>,
    },
}

/// How a piece of work ended.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// With a result.
    Success(Data),
    /// With an error name and a cause, either of which may be missing.
    Failure(Failure),
}

/// Why a command does not apply. Nothing has changed then.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// The wait is over, whether or not the execution is; what ended it stands in the execution's
    /// events ([`crate::execution::wait_end`]), or will once the tick that is due has been sent.
    WaitEnded,
    /// The execution never had such a wait.
    NoSuchWait,
    /// The execution has ended: it cannot be stopped.
    NotRunning,
    /// The activity task is already with a worker.
    AlreadyPickedUp,
    /// The execution can't be redriven.
    NotRedrivable(NotRedrivable),
    /// It was redriven with the same token, then.
    RedrivenBefore(Timestamp),
}

/// What ended a wait: exactly one of these wins.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum WaitEnd {
    /// A result came.
    Succeeded {
        /// The result.
        output: Data,
    },
    /// A failure came.
    Failed {
        /// The failure.
        failure: Failure,
    },
    /// `TimeoutSeconds` passed.
    TimedOut,
    /// `HeartbeatSeconds` passed without a heartbeat.
    HeartbeatTimedOut,
    /// The execution was stopped, timed out or failed elsewhere while the wait was open.
    Aborted,
}
