//! The gateway's view of an engine: what it needs of the one that keeps the waits.
//!
//! In this process that is the [`Runner`]. Another Step Functions endpoint can take the same seat:
//! nothing here says where a token comes from.

use std::future::Future;
use std::pin::Pin;

use engine::execution::OpenWait;
use engine::{ExecutionKey, Outcome, Token, WaitKind};

use crate::runner::{Runner, TokenError, WaitView};

/// What an [`Engine`] answers with, later.
pub(super) type Answering<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Waits that are open, with their tokens.
pub(super) type OpenWaits = Vec<(String, OpenWait, WaitKind)>;

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
    /// The waits of an execution that are open, with their tokens; `None` if the engine tells nobody.
    fn open_waits(
        &self,
        _execution: ExecutionKey,
    ) -> Answering<'_, Result<Option<OpenWaits>, String>> {
        Box::pin(async { Ok(None) })
    }
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

    fn open_waits(&self, key: ExecutionKey) -> Answering<'_, Result<Option<OpenWaits>, String>> {
        Box::pin(async move {
            let Some(execution) = self.execution(key).await? else {
                return Ok(Some(Vec::new()));
            };
            let open = execution.open_waits().filter_map(|wait| {
                let token = self.token(Token {
                    execution: key,
                    wait,
                });
                let kind = execution.waiting(wait)?.kind;
                Some((token, execution.open_wait(wait)?, kind))
            });
            Ok(Some(open.collect()))
        })
    }

    fn check(&self, token: &str) -> Result<Token, TokenError> {
        Runner::check(self, token)
    }

    fn wait(&self, token: Token) -> Answering<'_, Result<Option<WaitView>, String>> {
        Box::pin(Runner::wait(self, token))
    }
}
