//! What answers a Task state, as a file says it: attempt by attempt, the last one for all that follow.

use asl::{Failure, Resource};
use serde_json::{Value, json};

use super::acts::{self, Doing, Known, Planned};
use super::given::{Given, member};
use super::template::Template;

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
}

/// The answer.
#[derive(Debug)]
pub(super) enum Answer {
    Real,
    Never,
    Returns(Template),
    Throws(Failure),
}

const NAMES: [&str; 8] = [
    "returns",
    "throws",
    "never",
    "real",
    "after",
    "registers",
    "then",
    "times",
];

const ANSWERS: &str = "Say what does: `{returns: ...}`, `{throws: ERROR}`, `never`, or `real`.";

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
    let answers: Vec<_> = members
        .iter()
        .filter(|(name, _)| ["returns", "throws", "never", "real"].contains(name))
        .collect();
    let reply = match answers.as_slice() {
        [] => Answer::Returns(Template::plain(json!({}))),
        [("returns", value)] => Answer::Returns(returned(value, resource)),
        [("throws", value)] => Answer::Throws(acts::failure(value)?),
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
        },
    ))
}

impl Attempt {
    fn of(reply: Answer) -> Attempt {
        Attempt {
            reply,
            delay: 0,
            deeds: Vec::new(),
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
