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
//! - [`effect`]: what has to leave the process once events are durable.
//! - [`token`]: task tokens.
//! - [`history`]: the AWS history, a projection of the events.

pub mod command;
pub mod effect;
pub mod event;
pub mod execution;
pub mod history;
pub mod identity;
pub mod token;

pub use command::{Command, CommandKind, Outcome, Refusal, WaitEnd};
pub use effect::{Dispatch, Effect};
pub use event::Event;
pub use execution::{Closing, Execution, Snapshot, Status};
pub use history::HistoryEvent;
pub use identity::{ExecutionKey, Identity, WaitId};
pub use token::{Token, TokenKey};
