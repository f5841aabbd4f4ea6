//! What was done with a delivery after it came: by the gateway, which hands it to an engine, and by operators.

use asl::Timestamp;
use serde::{Deserialize, Serialize};

use super::record::Delivery;
use crate::runner::TokenError;

/// How many tries are kept at the start and at the end: an engine that is away for long is tried for ever.
const FIRST_TRIES: usize = 10;
const LAST_TRIES: usize = 40;

/// How many marks are kept; more are the work of a program that runs in a circle.
const MARKS_MAX: usize = 200;

/// One time that a delivery was handed to the engine.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Try {
    pub at: Timestamp,
    /// When the engine had answered; none if nobody was there any more to hear it.
    pub answered_at: Option<Timestamp>,
    pub result: TryResult,
    /// What else is known, in a sentence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// What the engine said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum TryResult {
    /// The wait took it.
    Taken,
    /// The wait is over.
    WaitOver,
    /// There is no such wait.
    NoSuchWait,
    /// It could not be reached, or failed.
    Unreachable,
    /// The process ended, or could not write, before the answer was recorded.
    NotRecorded,
    /// The engine did not take what it says, or did not allow it.
    Refused,
}

impl Try {
    /// What came of one that was begun at `at`.
    pub fn of(at: Timestamp, answered_at: Timestamp, answer: &Result<(), TokenError>) -> Try {
        let (result, note) = match answer {
            Ok(()) => (TryResult::Taken, None),
            Err(TokenError::Ended(ended)) => {
                let note = format!("It ended at {}.", ended.ended_at);
                (TryResult::WaitOver, Some(note))
            }
            Err(TokenError::Gone) => {
                let note = "Its execution is no longer kept.".to_owned();
                (TryResult::NoSuchWait, Some(note))
            }
            Err(TokenError::Invalid) => {
                let note = "The engine does not know the task token.".to_owned();
                (TryResult::NoSuchWait, Some(note))
            }
            Err(TokenError::Server(what)) => (TryResult::Unreachable, Some(what.clone())),
        };
        Try {
            at,
            answered_at: Some(answered_at),
            result,
            note,
        }
    }
}

/// Something that an operator did.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Mark {
    pub at: Timestamp,
    /// Who; as they say themselves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    #[serde(flatten)]
    pub deed: Deed,
}

/// What an operator can do with a delivery.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "deed", rename_all = "kebab-case")]
pub(super) enum Deed {
    /// Nobody has to look at it any more.
    Dismissed,
    /// Somebody has to, after all.
    Restored,
    /// It was run through its route again, as another delivery.
    Replayed {
        delivery: String,
        /// What the client calls its request, if it may send it again.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        key: Option<String>,
    },
    /// It was sent to another wait, as another delivery.
    Rematched {
        delivery: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        key: Option<String>,
    },
}

impl Deed {
    /// The delivery that was made, and the key of the request for it.
    pub fn made(&self) -> Option<(&str, Option<&str>)> {
        match self {
            Deed::Replayed { delivery, key } | Deed::Rematched { delivery, key } => {
                Some((delivery, key.as_deref()))
            }
            Deed::Dismissed | Deed::Restored => None,
        }
    }
}

impl Delivery {
    /// Notes a try.
    pub fn tried(&mut self, one: Try) {
        if self.tries.len() >= FIRST_TRIES + LAST_TRIES {
            self.tries.remove(FIRST_TRIES);
        }
        self.tries.push(one);
    }

    /// Notes what an operator did.
    pub fn mark(&mut self, mark: Mark) {
        if self.marks.len() >= MARKS_MAX {
            self.marks.remove(0);
        }
        self.marks.push(mark);
    }

    /// Who said that nobody has to look at it, if that still holds.
    pub fn dismissal(&self) -> Option<&Mark> {
        let last = self
            .marks
            .iter()
            .rfind(|mark| matches!(mark.deed, Deed::Dismissed | Deed::Restored));
        last.filter(|mark| mark.deed == Deed::Dismissed)
    }

    /// The deliveries that were made of it, oldest first, with the keys of the requests.
    pub fn made(&self) -> impl DoubleEndedIterator<Item = (&str, Option<&str>)> {
        self.marks.iter().filter_map(|mark| mark.deed.made())
    }
}
