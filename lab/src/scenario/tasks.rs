//! What answers a Task state, as a file says it: attempt by attempt, the last one for all that follow.

use asl::{Data, Failure, Resource};
use serde_json::{Value, json};

use super::acts::{self, Doing, Known, Planned};
use super::asks::Asks;
use super::given::{Given, member};
use super::steps::Refused;
use super::template::{Surroundings, Template};
use crate::part::{Deed, Part, Reply};

/// What answers a state.
#[derive(Debug)]
pub(super) struct Mock {
    attempts: Vec<(u32, Attempt)>,
}

/// What answers one attempt.
#[derive(Debug)]
pub(super) struct Attempt {
    pub(super) reply: Answer,
    pub(super) delay: i64,
    pub(super) deeds: Vec<Planned>,
    /// Whom it asks before it answers so; what it answers if that goes wrong is in there.
    pub(super) asks: Option<Asks>,
}

/// The answer.
#[derive(Debug)]
pub(super) enum Answer {
    Real,
    Never,
    Returns(Template),
    Throws(Failure),
}

pub(super) const NAMES: [&str; 9] = [
    "asks",
    "returns",
    "throws",
    "never",
    "real",
    "after",
    "registers",
    "then",
    "times",
];

const ANSWERS: &str =
    "Say what does: `{returns: ...}`, `{throws: ERROR}`, `{asks: ...}`, `never`, or `real`.";

impl Mock {
    /// Reads what answers a state with this resource.
    pub(super) fn read(given: &Given<'_>, known: &Known<'_>, resource: &Resource) -> Mock {
        let items = given.some_items(ANSWERS);
        let attempts = items
            .iter()
            .filter_map(|item| attempt(item, known, resource));
        Mock {
            attempts: attempts.collect(),
        }
    }

    /// What answers the attempt, from 0.
    pub(super) fn attempt(&self, attempt: u32) -> Option<&Attempt> {
        let mut before = 0;
        for (times, answer) in &self.attempts {
            before += times;
            if attempt < before {
                return Some(answer);
            }
        }
        self.attempts.last().map(|(_, answer)| answer)
    }
}

fn attempt(given: &Given<'_>, known: &Known<'_>, resource: &Resource) -> Option<(u32, Attempt)> {
    if given.value.is_null() {
        given.wrong_but("nothing answers", ANSWERS);
        return None;
    }
    if let Value::String(_) = given.value {
        let reply = match given.word("answer", &["never", "real"])? {
            "never" => Answer::Never,
            _ => Answer::Real,
        };
        return Some((1, Attempt::of(reply)));
    }
    let members = given.members(&NAMES);
    let of = |name| member(&members, name);
    let asks = match of("asks") {
        Some(asks) => Some(Asks::read(asks, of("throws"), known)?),
        None => None,
    };
    // Of a task that asks a service, `throws` says what it does if that goes wrong.
    let is_answer = |name: &str| match name {
        "returns" | "never" | "real" => true,
        "throws" => asks.is_none(),
        _ => false,
    };
    let answers: Vec<_> = members.iter().filter(|(name, _)| is_answer(name)).collect();
    let reply = match answers.as_slice() {
        [] => Answer::Returns(Template::plain(json!({}))),
        [("returns", value)] => Answer::Returns(returned(value, resource)),
        [("throws", value)] => Answer::Throws(acts::failure(value)?),
        [(word @ ("never" | "real"), value)] if asks.is_some() => {
            let message =
                format!("who asks a service answers by itself, and `{word}` is another answer");
            value.wrong_name(message, Some("Leave one of them out.".to_owned()));
            return None;
        }
        [(word @ ("never" | "real"), value)] => {
            if !value.truth()? {
                value.wrong_but(format!("`{word}: false` says nothing"), ANSWERS);
                return None;
            }
            match *word {
                "never" => Answer::Never,
                _ => Answer::Real,
            }
        }
        [_, (second, value), ..] => {
            let message = format!("an attempt has one answer, and `{second}` is another one");
            let hint = "A list says what answers the first attempt, the second, and so on.";
            value.wrong_name(message, Some(hint.to_owned()));
            return None;
        }
        _ => return None,
    };
    let delay = match of("after") {
        Some(after) => after.duration()?,
        None => 0,
    };
    let mut deeds = Vec::new();
    for registers in of("registers").map(Given::items).into_iter().flatten() {
        // Whoever takes a request registers what came of it before it answers.
        deeds.extend(
            acts::registers(&registers, known).map(|doing: Doing| Planned {
                after: delay,
                of: None,
                doing,
                refused: Refused::Not,
            }),
        );
    }
    if let Some(then) = of("then") {
        deeds.extend(acts::read(then, known, false));
    }
    let times = match of("times") {
        Some(times) => match times.count()? {
            0 => {
                times.wrong_but(
                    "no attempt is answered so",
                    "Leave it out, or say 1 or more.",
                );
                return None;
            }
            count => u32::try_from(count).unwrap_or(u32::MAX),
        },
        None => 1,
    };
    Some((
        times,
        Attempt {
            reply,
            delay,
            deeds,
            asks,
        },
    ))
}

impl Attempt {
    /// What the outside does then.
    ///
    /// # Errors
    /// What an expression says is wrong.
    pub(super) fn part(&self, mut surroundings: Surroundings) -> Result<Part, String> {
        let now = surroundings.now;
        let mut part = Part::of(match &self.reply {
            Answer::Real => Reply::Real,
            Answer::Never => Reply::Never,
            Answer::Throws(failure) => Reply::Throw(failure.clone()),
            Answer::Returns(result) => Reply::Return(Data::from(result.evaluate(&surroundings)?)),
        });
        part.delay = self.delay;
        for planned in &self.deeds {
            surroundings.now = now.plus_millis(planned.after);
            part.deeds.push(Deed {
                after: planned.after,
                act: planned.doing.act(&surroundings)?,
            });
        }
        Ok(part)
    }

    fn of(reply: Answer) -> Attempt {
        Attempt {
            reply,
            delay: 0,
            deeds: Vec::new(),
            asks: None,
        }
    }
}

/// A result, which has to be one of its service.
fn returned(given: &Given<'_>, resource: &Resource) -> Template {
    let template = Template::read(given);
    let Some(result) = template.known() else {
        return template;
    };
    let written = resource.as_written();
    let is_invocation = written.ends_with(":states:::lambda:invoke");
    let checked = server::mocks::check_result(written, result).and_then(|()| match result {
        // The model has no member that is required, yet a response without these is none of Lambda's.
        Value::Object(members) if is_invocation => {
            let is_one = ["StatusCode", "Payload"]
                .iter()
                .any(|name| members.contains_key(*name));
            match is_one || members.is_empty() {
                true => Ok(()),
                false => Err("it has neither StatusCode nor Payload".to_owned()),
            }
        }
        _ => Ok(()),
    });
    if let Err(why) = checked {
        let message = format!("it is no result of {written}: {why}");
        match is_invocation {
            true => given.wrong_but(message, "What the function returns is the `Payload` in it."),
            false => given.wrong(message),
        }
    }
    template
}
