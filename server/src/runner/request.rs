//! What is queued for an execution, and how it is answered.

use std::sync::Arc;

use asl::{StateMachine, Timestamp};
use engine::{CommandKind, Execution, Identity};
use tokio::sync::oneshot;

use super::{NotDone, PickedUp, Started};
use crate::logs::Logging;

/// An execution that is to begin.
pub(super) struct Start {
    pub(super) machine: Arc<StateMachine>,
    pub(super) identity: Identity,
    /// Whether whoever started it waits for its end.
    pub(super) synchronous: bool,
    pub(super) logging: Option<Arc<Logging>>,
}

/// What is queued for an execution.
pub(super) enum Request {
    Start(Start, oneshot::Sender<Result<Started, String>>),
    /// A pick-up is answered with the task's input.
    Command {
        kind: CommandKind,
        reply: oneshot::Sender<Result<Option<PickedUp>, NotDone>>,
    },
    /// After a restart: dispatch again what has no answer. The sender is told once it is loaded.
    Resume(oneshot::Sender<()>),
    /// The next slice of what is not finished.
    GoOn,
}

/// The answer to one request of a batch, in its order.
pub(super) enum Verdict {
    Started(Timestamp),
    Existing(Box<Execution>),
    Done(Result<Option<PickedUp>, NotDone>),
    None,
}

impl Request {
    /// Whether nobody waits for the answer who would say that something went wrong.
    pub(super) fn is_own(&self) -> bool {
        matches!(self, Request::Resume(_) | Request::GoOn)
    }
}

/// Answers the requests of a batch: with their verdicts, or all with the same error.
pub(super) fn answer_all(batch: Vec<Request>, verdicts: Vec<Verdict>, error: Option<&str>) {
    let mut verdicts = verdicts.into_iter();
    for request in batch {
        let verdict = verdicts.next().unwrap_or(Verdict::None);
        // Whoever asked may have hung up; what was decided stands all the same.
        match request {
            Request::Start(_, reply) => {
                let _ = reply.send(match (error, verdict) {
                    (Some(what), _) => Err(what.to_owned()),
                    (None, Verdict::Started(at)) => Ok(Started::New(at)),
                    (None, Verdict::Existing(execution)) => Ok(Started::Existing(execution)),
                    (None, _) => unreachable!("a start is answered as a start"),
                });
            }
            Request::Command { reply, .. } => {
                let _ = reply.send(match (error, verdict) {
                    (Some(what), _) => Err(NotDone::Server(what.to_owned())),
                    (None, Verdict::Done(done)) => done,
                    (None, _) => unreachable!("a command is answered as a command"),
                });
            }
            Request::Resume(resumed) => {
                let _ = resumed.send(());
            }
            Request::GoOn => {}
        }
    }
}
