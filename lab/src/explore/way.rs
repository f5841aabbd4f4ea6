//! The ways in which a task can go wrong, and cases: which of them happen in one run.
//!
//! | way | what happens |
//! | --- | --- |
//! | `ERROR` | the resource fails with it, each time; `ERROR:once`: the first time only |
//! | `no-answer` | nothing comes: neither the resource's answer nor a worker's |
//! | `no-callback` | the request is taken, and nobody calls back |
//! | `heartbeats-stop` | a few heartbeats, then nothing |
//! | `heartbeats-go-on` | heartbeats as they should be, and never an answer |
//! | `failed:ERROR` | whoever has the token, or the third party, says that it failed |
//! | `late` | the answer comes when the wait is over |
//! | `duplicate-identical`, `duplicate-contradicting` | a second answer |
//! | `unknown-reference`, `malformed`, `forged` | a callback that is none, and no other |
//! | `early` | the callback is there before its reference is |
//! | `restart-asked` | the server is killed before the resource has answered |
//! | `restart-waiting` | the server is killed while it waits for the callback, or in a Wait state |
//! | `restart-retrying` | the server is killed before the task is tried again |

use std::fmt;

/// A way to go wrong.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs, reason = "the table above")]
pub enum Way {
    Error(String),
    NoAnswer,
    NoCallback,
    HeartbeatsStop,
    HeartbeatsGoOn,
    Failed(String),
    Late,
    DuplicateIdentical,
    DuplicateContradicting,
    UnknownReference,
    Malformed,
    Forged,
    Early,
    RestartAsked,
    RestartWaiting,
    RestartPaused { retrying: bool, at: i64 },
}

/// What kind of trouble a way is, for those who look at many.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    /// The resource fails.
    Error,
    /// Nobody answers in time.
    Silence,
    /// Heartbeats stop.
    Heartbeat,
    /// The outside says that it failed.
    Failed,
    /// A callback that is not what it should be.
    Odd,
    /// The server ends.
    Restart,
}

impl Way {
    /// Its class.
    pub fn class(&self) -> Class {
        match self {
            Way::Error(_) => Class::Error,
            Way::NoAnswer | Way::NoCallback | Way::HeartbeatsGoOn => Class::Silence,
            Way::HeartbeatsStop => Class::Heartbeat,
            Way::Failed(_) => Class::Failed,
            Way::RestartAsked | Way::RestartWaiting | Way::RestartPaused { .. } => Class::Restart,
            _ => Class::Odd,
        }
    }

    /// The error that the resource or the outside gives, if the way is one.
    pub fn error(&self) -> Option<&str> {
        match self {
            Way::Error(name) | Way::Failed(name) => Some(name),
            _ => None,
        }
    }

    /// When the server is killed, in milliseconds from the execution's start, if that is all that happens.
    pub fn killed_at(&self) -> Option<i64> {
        match self {
            Way::RestartPaused { at, .. } => Some(*at),
            _ => None,
        }
    }

    /// Whether the right answer still comes, so that the execution should end as if nothing had been.
    pub fn is_harmless(&self) -> bool {
        matches!(
            self,
            Way::DuplicateIdentical
                | Way::DuplicateContradicting
                | Way::Early
                | Way::RestartAsked
                | Way::RestartWaiting
                | Way::RestartPaused { .. }
        )
    }
}

impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Way::Error(name) => name,
            Way::NoAnswer => "no-answer",
            Way::NoCallback => "no-callback",
            Way::HeartbeatsStop => "heartbeats-stop",
            Way::HeartbeatsGoOn => "heartbeats-go-on",
            Way::Failed(name) => return write!(f, "failed:{name}"),
            Way::Late => "late",
            Way::DuplicateIdentical => "duplicate-identical",
            Way::DuplicateContradicting => "duplicate-contradicting",
            Way::UnknownReference => "unknown-reference",
            Way::Malformed => "malformed",
            Way::Forged => "forged",
            Way::Early => "early",
            Way::RestartAsked => "restart-asked",
            Way::RestartWaiting
            | Way::RestartPaused {
                retrying: false, ..
            } => "restart-waiting",
            Way::RestartPaused { retrying: true, .. } => "restart-retrying",
        })
    }
}

/// Which attempts of a task go wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Attempts {
    /// All.
    Every,
    /// The first.
    First,
    /// All but the first.
    Later,
}

impl Attempts {
    /// Whether this one does, from 0.
    pub fn include(self, attempt: u32) -> bool {
        match self {
            Attempts::Every => true,
            Attempts::First => attempt == 0,
            Attempts::Later => attempt > 0,
        }
    }
}

/// A task that goes wrong in one way.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fault {
    /// The Task state.
    pub state: String,
    /// How.
    pub way: Way,
    /// When.
    pub attempts: Attempts,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.state, self.failure())
    }
}

impl Fault {
    /// It without the state: `late`, `Lambda.ServiceException:once`.
    pub fn failure(&self) -> String {
        let when = match self.attempts {
            Attempts::Every => "",
            Attempts::First => ":once",
            Attempts::Later => ":then",
        };
        format!("{}{when}", self.way)
    }
}

/// What goes wrong in one run; nothing in the first, with which all are compared.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Case {
    /// One, or two; before them those that lead to where they can happen.
    pub faults: Vec<Fault>,
    /// How many of the faults only lead there.
    pub lead: usize,
    /// Which of the courses that the machine takes when all goes well ([`super::course`]).
    pub course: usize,
}

impl Case {
    /// What the case is about.
    ///
    /// # Panics
    /// If nothing goes wrong in it.
    pub fn fault(&self) -> &Fault {
        &self.faults[self.lead]
    }

    /// Whether one thing goes wrong, but for what leads there.
    pub fn is_single(&self) -> bool {
        self.faults.len() == self.lead + 1
    }
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.faults.is_empty() {
            return f.write_str("all goes well");
        }
        for (at, fault) in self.faults.iter().enumerate() {
            let and = if at > 0 { " + " } else { "" };
            write!(f, "{and}{fault}")?;
        }
        Ok(())
    }
}
