//! One execution of a state machine, as a value: commands in, events and effects out.
//!
//! This crate has no IO, no clock, no randomness and no async. The time and a random seed come in
//! with each [`Command`]; what has to happen outside is read off the events as [`Effect`]s, after
//! they were stored. It does not know HTTP, functions, stores or other executions.
//!
//! In reading order:
//! - [`command`]: all that can be asked of an execution.
//! - [`event`]: all that can happen to one; these are stored, and are never decided again.
//! - [`execution`]: the value itself, `decide` and `apply`.
//! - [`slice`]: how far one command goes.
//! - [`effect`]: what has to leave the process once events are durable.
//! - [`token`]: task tokens.
//! - [`trace`]: which distributed trace it is part of. [`spans`]: its steps in that trace, a projection of the events.
//! - [`waiting`]: what can be told of an open wait.
//! - [`history`]: the AWS history, a projection of the events.
//! - [`trial`]: one state on its own.
//! - [`map_run`]: what a distributed Map state asks for.
//! - [`redrive`]: on from where it failed.
//! - [`limits`]: AWS's limits, which hold here too.
//!
//! Behind the door: `decide` drives, `states` has a file for each state type, `recovery` is Retry and
//! Catch, `timers` is what falls due, `flow` and `context` are the data, `frame` and `apply` the value,
//! `invocations` what a test case counts.

mod apply;
pub mod command;
mod context;
mod decide;
pub mod effect;
pub mod event;
pub mod execution;
mod flow;
mod frame;
pub mod history;
pub mod identity;
mod invocations;
pub mod limits;
pub mod map_run;
mod random;
mod recovery;
pub mod redrive;
pub mod slice;
pub mod spans;
mod states;
mod timers;
pub mod token;
pub mod trace;
pub mod trial;
mod wait;
pub mod waiting;

pub use command::{Command, CommandKind, Outcome, Refusal, WaitEnd};
pub use effect::{Dispatch, Effect};
pub use event::{Event, EventKind, FrameId};
pub use execution::{
    Closing, EndedWait, Execution, OpenWait, Snapshot, Status, Surroundings, wait_end,
};
pub use history::HistoryEvent;
pub use identity::{ExecutionKey, Identity, MapRunChild, WaitId};
pub use limits::Quotas;
pub use map_run::{Item, MapRun};
pub use redrive::NotRedrivable;
pub use slice::Slice;
pub use spans::{Span, Spans};
pub use token::{Token, TokenKey};
pub use trace::{SpanId, TraceContext, TraceId};
pub use waiting::{Beats, ClosedWait, EndKind, WaitKind, Waiting};
