//! What a service does wrong: one word each, with as few settings as possible.
//!
//! The crate's header has the table of them.

use std::sync::Arc;

use serde_json::{Map, Value};
use source::Part;

use crate::reading::Reading;
use crate::template::Template;

const SECOND: i64 = 1_000;
const HOUR: i64 = 3_600 * SECOND;

/// What a service does wrong. Times are milliseconds.
#[derive(Debug, Clone)]
pub enum Fault {
    /// Nothing.
    None,
    /// It never answers.
    NoAnswer,
    /// It answers this much later.
    Delay(i64),
    /// It answers with an error and does nothing.
    Error(ErrorReply),
    /// It resets the connection and does nothing.
    Reset,
    /// It sends the second half of the answer's body this much later.
    SlowBody(i64),
    /// It answers with half of a body.
    MalformedReply,
    /// It does the work and resets the connection.
    Crash,
    /// It never calls back.
    NoCallback,
    /// It calls back this long after the request.
    Late(i64),
    /// It calls back before it answers.
    Early,
    /// It calls back again, this much later.
    Duplicate(i64),
    /// It calls back again and says something else.
    Contradicting(Contradiction),
    /// What should come last comes first.
    OutOfOrder,
    /// It calls back with another reference.
    WrongReference,
    /// It calls back with half of a body.
    Malformed,
    /// Somebody calls back who does not know the secret.
    Forged,
    /// It does not sign.
    Unsigned,
    /// It signed this long ago.
    Expired(i64),
    /// It says that it failed.
    Failed,
    /// Heartbeats, then the callback.
    Heartbeats(Beats),
    /// Heartbeats, then silence.
    HeartbeatsStop(Beats),
    /// Heartbeats every so often, as long as they are taken.
    HeartbeatsOnly(i64),
}

/// What an answer of [`Fault::Error`] says.
#[derive(Debug, Clone)]
pub struct ErrorReply {
    /// 500, as a rule.
    pub status: u16,
    pub(crate) body: Option<Arc<Template>>,
}

/// The second callback of [`Fault::Contradicting`].
#[derive(Debug, Clone)]
pub struct Contradiction {
    /// How much later it comes, in milliseconds.
    pub after: i64,
    pub(crate) body: Option<Arc<Template>>,
}

/// Heartbeats before something else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Beats {
    /// Milliseconds from the request to the first, and between two.
    pub every: i64,
    /// How many.
    pub count: u32,
}

/// All that have a name, as they are without settings; and which settings they have.
static WORDS: [(&str, &[&str], Fault); 23] = [
    ("none", &[], Fault::None),
    ("no-answer", &[], Fault::NoAnswer),
    ("delay", &["after"], Fault::Delay(30 * SECOND)),
    (
        "error",
        &["status", "body"],
        Fault::Error(ErrorReply {
            status: 500,
            body: None,
        }),
    ),
    ("reset", &[], Fault::Reset),
    ("slow-body", &["after"], Fault::SlowBody(30 * SECOND)),
    ("malformed-reply", &[], Fault::MalformedReply),
    ("crash", &[], Fault::Crash),
    ("no-callback", &[], Fault::NoCallback),
    ("late", &["after"], Fault::Late(HOUR)),
    ("early", &[], Fault::Early),
    ("duplicate", &["after"], Fault::Duplicate(2 * SECOND)),
    (
        "contradicting",
        &["after", "body"],
        Fault::Contradicting(Contradiction {
            after: 2 * SECOND,
            body: None,
        }),
    ),
    ("out-of-order", &[], Fault::OutOfOrder),
    ("wrong-reference", &[], Fault::WrongReference),
    ("malformed", &[], Fault::Malformed),
    ("forged", &[], Fault::Forged),
    ("unsigned", &[], Fault::Unsigned),
    ("expired", &["ago"], Fault::Expired(HOUR)),
    ("failed", &[], Fault::Failed),
    (
        "heartbeats",
        &["every", "count"],
        Fault::Heartbeats(Beats {
            every: 5 * SECOND,
            count: 4,
        }),
    ),
    (
        "heartbeats-stop",
        &["every", "count"],
        Fault::HeartbeatsStop(Beats {
            every: 5 * SECOND,
            count: 3,
        }),
    ),
    (
        "heartbeats-only",
        &["every"],
        Fault::HeartbeatsOnly(5 * SECOND),
    ),
];

/// As many heartbeats as one callback may have: they must end some time.
pub(crate) const BEATS_MAX: u32 = 1_000;

impl Fault {
    /// The words of all faults, in the order of the crate's table.
    pub fn words() -> impl Iterator<Item = &'static str> {
        WORDS.iter().map(|(word, _, _)| *word)
    }

    /// The fault that has this word, as it is without settings.
    pub fn named(word: &str) -> Option<Fault> {
        let found = WORDS.iter().find(|(known, _, _)| *known == word);
        found.map(|(_, _, fault)| fault.clone())
    }

    /// Its word.
    pub fn word(&self) -> &'static str {
        let same = std::mem::discriminant(self);
        let found = WORDS
            .iter()
            .find(|(_, _, fault)| std::mem::discriminant(fault) == same);
        found.expect("every fault has a word").0
    }

    /// A word, or an object of one word with its settings.
    pub(crate) fn read(reading: &mut Reading, value: &Value, at: &str) -> Option<Fault> {
        let words: Vec<&str> = Fault::words().collect();
        let (word, settings, part) = match value {
            Value::String(word) => (word, None, Part::Value),
            Value::Object(one) if one.len() == 1 => {
                let (word, settings) = one.iter().next()?;
                (word, Some(settings), Part::Name)
            }
            other => {
                let hint = "Write `late`, or with settings `{late: {after: 45s}}`.";
                reading.expected(at, "a fault", other);
                if let Some(found) = reading.found.last_mut() {
                    found.hint = Some(hint.to_owned());
                }
                return None;
            }
        };
        let at = match part {
            Part::Name => format!("{at}/{word}"),
            Part::Value | Part::Named => at.to_owned(),
        };
        let Some((_, known, fault)) = WORDS.iter().find(|(known, _, _)| known == word) else {
            reading.unknown(&at, part, word, &words);
            return None;
        };
        let fault = fault.clone();
        match settings {
            None => Some(fault),
            Some(settings) => {
                if known.is_empty() {
                    reading.wrong(
                        &at,
                        format!("`{word}` has no settings"),
                        match word.as_str() {
                            "failed" => {
                                "Write `failed` alone; what it says is the callback's `failure`."
                                    .to_owned()
                            }
                            word => format!("Write `{word}` alone."),
                        },
                    );
                    return None;
                }
                let settings = reading.object(settings, &at, known)?;
                fault.with(reading, settings, &at)
            }
        }
    }

    fn with(
        mut self,
        reading: &mut Reading,
        settings: &Map<String, Value>,
        at: &str,
    ) -> Option<Fault> {
        for (name, value) in settings {
            let at = format!("{at}/{name}");
            match (&mut self, name.as_str()) {
                (
                    Fault::Delay(millis)
                    | Fault::SlowBody(millis)
                    | Fault::Late(millis)
                    | Fault::Duplicate(millis)
                    | Fault::Contradicting(Contradiction { after: millis, .. }),
                    "after",
                )
                | (Fault::Expired(millis), "ago")
                | (
                    Fault::Heartbeats(Beats { every: millis, .. })
                    | Fault::HeartbeatsStop(Beats { every: millis, .. })
                    | Fault::HeartbeatsOnly(millis),
                    "every",
                ) => *millis = reading.duration(value, &at)?,
                (Fault::Heartbeats(beats) | Fault::HeartbeatsStop(beats), "count") => {
                    let count = reading.whole(value, &at, 1, BEATS_MAX.into())?;
                    beats.count = u32::try_from(count).unwrap_or(BEATS_MAX);
                }
                (Fault::Error(reply), "status") => reply.status = status(reading, value, &at)?,
                (Fault::Error(reply), "body") => {
                    reply.body = Some(Arc::new(Template::read(reading, value, &at, None)?));
                }
                (Fault::Contradicting(second), "body") => {
                    second.body =
                        Some(Arc::new(Template::read(reading, value, &at, Some("body"))?));
                }
                // Unknown names have been told of.
                _ => return None,
            }
        }
        let never_moves = match &self {
            Fault::Heartbeats(beats) | Fault::HeartbeatsStop(beats) => beats.every == 0,
            Fault::HeartbeatsOnly(every) => *every == 0,
            _ => false,
        };
        if never_moves {
            reading.wrong(
                &format!("{at}/every"),
                "heartbeats need some time between them",
                "Write for example `every: 5s`.",
            );
            return None;
        }
        Some(self)
    }
}

/// A status that an answer can have.
pub(crate) fn status(reading: &mut Reading, value: &Value, at: &str) -> Option<u16> {
    let status = reading.whole(value, at, 200, 599)?;
    u16::try_from(status).ok()
}
