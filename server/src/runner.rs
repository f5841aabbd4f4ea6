//! The four beats for all executions: decide, append, apply, act.

use std::sync::Arc;

use asl::{StateMachine, Timestamp};
use engine::execution::{EndedWait, OpenWait};
use engine::{Event, Execution, ExecutionKey, Identity, Outcome, Token};

/// Runs executions. Cloning is a reference count.
#[derive(Clone)]
pub struct Runner {}

/// What came of a start.
#[derive(Debug)]
pub enum Started {
    /// A new execution.
    New(Timestamp),
    /// There was one of this name; the caller compares inputs and status.
    Existing(Box<Execution>),
}

/// Why a token could not be used. Messages for clients are the API's business.
#[derive(Debug)]
pub enum TokenError {
    /// Not a token of this server.
    Invalid,
    /// The task timed out, its execution ended, or it was completed before: AWS says `TaskTimedOut`
    /// ("Task Timed Out: 'Provided task does not exist anymore'").
    Ended(Box<EndedWait>),
    /// The execution is gone (retention).
    Gone,
    /// The store failed.
    Server(String),
}

/// A wait as the gateway and operators see it.
#[derive(Debug)]
pub struct WaitView {
    /// Whose.
    pub identity: Identity,
    /// Open, or how it ended.
    pub wait: Result<OpenWait, EndedWait>,
}

impl Runner {
    /// Starts an execution and runs it as far as it goes; returns when that is durable.
    ///
    /// # Errors
    /// The store's, as text for the log.
    pub async fn start(
        &self,
        machine: Arc<StateMachine>,
        identity: Identity,
    ) -> Result<Started, String> {
        let _ = (machine, identity);
        todo!()
    }

    /// `SendTaskSuccess` and `SendTaskFailure`: returns when the result, and all that followed from it, is durable.
    ///
    /// # Errors
    /// [`TokenError`].
    pub async fn complete(&self, token: &str, outcome: Outcome) -> Result<(), TokenError> {
        let _ = (token, outcome);
        todo!()
    }

    /// `SendTaskHeartbeat`.
    ///
    /// # Errors
    /// [`TokenError`].
    pub async fn heartbeat(&self, token: &str) -> Result<(), TokenError> {
        let _ = token;
        todo!()
    }

    /// `StopExecution`; returns when it stopped, also if it had ended before. `None`: no such execution.
    ///
    /// # Errors
    /// The store's, as text for the log.
    pub async fn stop(
        &self,
        key: ExecutionKey,
        error: Option<String>,
        cause: Option<String>,
    ) -> Result<Option<Timestamp>, String> {
        let _ = (key, error, cause);
        todo!()
    }

    /// The execution as it is now.
    ///
    /// # Errors
    /// The store's, as text for the log.
    pub async fn execution(&self, key: ExecutionKey) -> Result<Option<Execution>, String> {
        let _ = key;
        todo!()
    }

    /// All its events; empty if there is no such execution.
    ///
    /// # Errors
    /// The store's, as text for the log.
    pub async fn events(&self, key: ExecutionKey) -> Result<Vec<Event>, String> {
        let _ = key;
        todo!()
    }

    /// Returns when the execution has ended (at once if it has, or if there is none).
    ///
    /// # Errors
    /// The store's, as text for the log.
    pub async fn until_ended(&self, key: ExecutionKey) -> Result<(), String> {
        let _ = key;
        todo!()
    }

    /// The token behind a text.
    ///
    /// # Errors
    /// [`TokenError::Invalid`].
    pub fn check(&self, token: &str) -> Result<Token, TokenError> {
        let _ = token;
        todo!()
    }

    /// What is known of a token's wait. `None`: the execution is gone.
    ///
    /// # Errors
    /// The store's, as text for the log.
    pub async fn wait(&self, token: Token) -> Result<Option<WaitView>, String> {
        let _ = token;
        todo!()
    }
}
