//! The gateway's view of an engine: what it needs of the one that keeps the waits.
//!
//! In this process that is the [`Runner`]. Another Step Functions endpoint can take the same seat:
//! nothing here says where a token comes from.

use std::future::Future;
use std::pin::Pin;

use engine::{Outcome, Token};

use crate::runner::{Runner, TokenError, WaitView};

/// What an [`Engine`] answers with, later.
pub(super) type Answering<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Keeps waits, and takes their results.
pub(super) trait Engine: Send + Sync {
    /// `SendTaskSuccess`, `SendTaskFailure`: durable when it returns.
    fn complete<'a>(
        &'a self,
        token: &'a str,
        outcome: Outcome,
    ) -> Answering<'a, Result<(), TokenError>>;
    /// `SendTaskHeartbeat`.
    fn heartbeat<'a>(&'a self, token: &'a str) -> Answering<'a, Result<(), TokenError>>;
    /// The token behind a text.
    fn check(&self, token: &str) -> Result<Token, TokenError>;
    /// What is known of a token's wait. `None`: the execution is gone.
    fn wait(&self, token: Token) -> Answering<'_, Result<Option<WaitView>, String>>;
}

impl Engine for Runner {
    fn complete<'a>(
        &'a self,
        token: &'a str,
        outcome: Outcome,
    ) -> Answering<'a, Result<(), TokenError>> {
        Box::pin(Runner::complete(self, token, outcome))
    }

    fn heartbeat<'a>(&'a self, token: &'a str) -> Answering<'a, Result<(), TokenError>> {
        Box::pin(Runner::heartbeat(self, token))
    }

    fn check(&self, token: &str) -> Result<Token, TokenError> {
        Runner::check(self, token)
    }

    fn wait(&self, token: Token) -> Answering<'_, Result<Option<WaitView>, String>> {
        Box::pin(Runner::wait(self, token))
    }
}
