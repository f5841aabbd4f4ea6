//! What one who has a task token may do and know.

use engine::execution::{EndedWait, OpenWait, wait_end};
use engine::{CommandKind, Identity, Outcome, Refusal, Token};

use super::{NotDone, Runner};

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
    /// `SendTaskSuccess` and `SendTaskFailure`: returns when the result, and all that followed from it, is durable.
    ///
    /// # Errors
    /// [`TokenError`].
    pub async fn complete(&self, token: &str, outcome: Outcome) -> Result<(), TokenError> {
        let token = self.check(token)?;
        self.with_token(
            token,
            CommandKind::Complete {
                wait: token.wait,
                outcome,
            },
        )
        .await
    }

    /// `SendTaskHeartbeat`.
    ///
    /// # Errors
    /// [`TokenError`].
    pub async fn heartbeat(&self, token: &str) -> Result<(), TokenError> {
        let token = self.check(token)?;
        self.with_token(token, CommandKind::Heartbeat { wait: token.wait })
            .await
    }

    async fn with_token(&self, token: Token, kind: CommandKind) -> Result<(), TokenError> {
        match self.command(token.execution, kind).await {
            Ok(()) => Ok(()),
            Err(NotDone::Unknown) => Err(TokenError::Gone),
            Err(NotDone::Server(what)) => Err(TokenError::Server(what)),
            Err(NotDone::Refused(Refusal::NoSuchWait)) => Err(TokenError::Invalid),
            Err(NotDone::Refused(_)) => {
                let events = self
                    .events(token.execution)
                    .await
                    .map_err(TokenError::Server)?;
                match wait_end(&events, token.wait) {
                    Some(ended) => Err(TokenError::Ended(Box::new(ended))),
                    None => Err(TokenError::Gone),
                }
            }
        }
    }

    /// The text of a wait's token.
    pub fn token(&self, token: Token) -> String {
        self.0.tokens.mint(token)
    }

    /// The token behind a text.
    ///
    /// # Errors
    /// [`TokenError::Invalid`].
    pub fn check(&self, token: &str) -> Result<Token, TokenError> {
        self.0.tokens.check(token).ok_or(TokenError::Invalid)
    }

    /// What is known of a token's wait. `None`: the execution is gone.
    ///
    /// # Errors
    /// The store's, as text for the log.
    pub async fn wait(&self, token: Token) -> Result<Option<WaitView>, String> {
        let Some(resident) = self.0.load(token.execution).await? else {
            return Ok(None);
        };
        let identity = resident.execution.identity().clone();
        if let Some(open) = resident.execution.open_wait(token.wait) {
            return Ok(Some(WaitView {
                identity,
                wait: Ok(open),
            }));
        }
        let events = self.events(token.execution).await?;
        Ok(wait_end(&events, token.wait).map(|ended| WaitView {
            identity,
            wait: Err(ended),
        }))
    }
}
