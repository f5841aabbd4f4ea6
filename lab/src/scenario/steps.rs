//! The steps of a script, once they were done: each has to be taken, unless the file says that it is refused.
//!
//! A redrive of what still runs, a heartbeat after the end: whoever writes these has mistaken the time or the state, and
//! a case that goes on without them tests something else. What becomes of a callback is `callbacks`' to say, as far as
//! the gateway has one; a callback to a path where there is no route is refused as any other act is.

use serde_json::Value;

use super::acts::{Doing, Planned};
use super::given::{Given, spoken};
use super::pattern::Mismatch;
use crate::seen::{Done, Seen};

/// How a step has to be answered.
#[derive(Debug)]
pub(super) enum Refused {
    /// It is taken.
    Not,
    /// It is refused, however.
    Somehow,
    /// It is refused with this error.
    With(String),
}

impl Refused {
    /// `refused: true`, or `refused: TaskTimedOut`.
    pub(super) fn read(given: &Given<'_>, act: &str) -> Option<Refused> {
        match (act, given.value) {
            ("restart", _) => {
                given.wrong_name("a restart is refused by nobody", None);
                None
            }
            ("callback", Value::String(_)) => {
                let hint = "`expect: {callbacks: [...]}` says what becomes of it; `refused: true` is for a path without a route.";
                given.wrong_but("a callback is refused with no name of an error", hint);
                None
            }
            (_, Value::Bool(true)) => Some(Refused::Somehow),
            (_, Value::String(error)) => Some(Refused::With(error.clone())),
            _ => {
                let hint = "Write `refused: true`, or the error's name: `refused: TaskTimedOut`.";
                given.wrong_but("it has to be true or the name of an error", hint);
                None
            }
        }
    }

    fn words(&self) -> String {
        match self {
            Refused::Not => "it is taken".to_owned(),
            Refused::Somehow => "it is refused".to_owned(),
            Refused::With(error) => format!("it is refused with {error}"),
        }
    }

    fn fits(&self, refusal: Option<&str>) -> bool {
        match (self, refusal) {
            (Refused::Not, None) | (Refused::Somehow, Some(_)) => true,
            (Refused::With(expected), Some(error)) => expected == error,
            _ => false,
        }
    }
}

/// The steps that were not answered as they have to be, and those whose time never came.
pub(super) fn mismatches(script: &[Planned], seen: &Seen) -> Vec<Mismatch> {
    let mut mismatches = Vec::new();
    for (step, planned) in script.iter().enumerate() {
        let done = seen.deeds.iter().find(|done| done.step == Some(step));
        let got = match done {
            None => "it was never done: all was over before".to_owned(),
            Some(done) => {
                let refusal = refusal(planned, done);
                if planned.refused.fits(refusal) {
                    continue;
                }
                match (refusal, done.answer.1["message"].as_str()) {
                    (None, _) => "it was taken".to_owned(),
                    (Some(error), None) => format!("{} {error}", done.answer.0),
                    (Some(error), Some(why)) => format!("{} {error}: {why}", done.answer.0),
                }
            }
        };
        mismatches.push(Mismatch {
            at: format!("script, {} {}", spoken(planned.after), planned.doing.word()),
            expected: planned.refused.words(),
            got,
        });
    }
    mismatches
}

/// The error with which a step was refused, if it was.
fn refusal<'d>(planned: &Planned, done: &'d Done) -> Option<&'d str> {
    let (status, said) = &done.answer;
    let taken = match planned.doing {
        // What the gateway has stored has a disposition, however it was answered.
        Doing::Callback { .. } => *status < 400 || said["deliveryId"].is_string(),
        _ => *status < 400,
    };
    if taken {
        return None;
    }
    let named = said["__type"].as_str().or_else(|| said["error"].as_str());
    let named = named.map(|name| name.rsplit('#').next().unwrap_or(name));
    Some(named.unwrap_or_default())
}
