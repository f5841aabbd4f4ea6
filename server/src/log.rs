//! What operators read on standard error: a line for each thing that went wrong, as text or as JSON.
//!
//! A line that is about an execution, a callback or an alert names the trace that this belongs to, as spans, alerts and
//! `rejoin trace` do: one id finds all of it. Lines in JSON have the members `time`, `level` and `message`, and those of
//! `trace_id`, `execution_arn`, `delivery_id` and `message_id` that are known.
//!
//! The format is one for the whole process, since standard error is. Not known here: histories of executions, which
//! go where `logs` sends them.

use std::fmt;
use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use engine::Identity;
use parking_lot::Mutex;
use serde_json::{Map, Value};

use crate::clock::Clock;

/// How lines are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// For people: `rejoin: ...`.
    Text,
    /// For machines: an object a line.
    Json,
}

static IN_JSON: AtomicBool = AtomicBool::new(false);

/// Writes lines in this format from now on.
pub fn write_as(format: Format) {
    IN_JSON.store(format == Format::Json, Ordering::Relaxed);
}

/// The format that lines are written in.
pub fn format() -> Format {
    match IN_JSON.load(Ordering::Relaxed) {
        true => Format::Json,
        false => Format::Text,
    }
}

/// What a line is about, as far as that is known.
#[derive(Debug, Default)]
pub(crate) struct About {
    pub trace_id: Option<String>,
    pub execution_arn: Option<String>,
    pub delivery_id: Option<String>,
    pub message_id: Option<String>,
}

impl About {
    /// An execution.
    pub fn execution(identity: &Identity) -> About {
        About {
            trace_id: Some(identity.trace_id().to_string()),
            execution_arn: Some(identity.arn.to_string()),
            ..About::default()
        }
    }
}

/// Writes a line that says that something went wrong.
pub fn tell(what: impl fmt::Display) {
    say_of("warn", &About::default(), format_args!("{what}"));
}

/// What was said in the last minute, and how often more.
static SAID: Mutex<Repeats> = Mutex::new(Repeats(Vec::new()));

/// Writes a line about nothing in particular, such as a disk that is full: each request may fail by it.
pub(crate) fn say_in_general(what: fmt::Arguments<'_>) {
    let said = SAID.lock().again(what.to_string(), Instant::now());
    if let Some(what) = said {
        say_of("warn", &About::default(), format_args!("{what}"));
    }
}

/// Lines that were said, the oldest first.
struct Repeats(Vec<Repeated>);

struct Repeated {
    what: String,
    said: Instant,
    more: u64,
}

impl Repeats {
    /// For so long a line is not said again.
    const QUIET: Duration = Duration::from_secs(60);
    /// So many lines are remembered; who says more different ones than that says them all.
    const REMEMBERED: usize = 32;

    /// What is to be said, if anything is.
    fn again(&mut self, what: String, now: Instant) -> Option<String> {
        let before = self.0.iter().position(|line| line.what == what);
        let more = match before {
            Some(at) if now.duration_since(self.0[at].said) < Repeats::QUIET => {
                self.0[at].more += 1;
                return None;
            }
            Some(at) => self.0.remove(at).more,
            None => 0,
        };
        if self.0.len() == Repeats::REMEMBERED {
            self.0.remove(0);
        }
        let said = match more {
            0 => what.clone(),
            more => format!("{what} ({more} times more since it was said last)"),
        };
        self.0.push(Repeated {
            what,
            said: now,
            more: 0,
        });
        Some(said)
    }
}

/// Writes a line; whoever has closed standard error does not want it.
pub(crate) fn say_of(level: &str, about: &About, what: fmt::Arguments<'_>) {
    let line = line(format(), level, about, what);
    let _ = writeln!(std::io::stderr().lock(), "{line}");
}

/// A line as it is written.
pub fn plain_line(format: Format, level: &str, what: &str) -> String {
    match format {
        Format::Text => what.to_owned(),
        Format::Json => line(format, level, &About::default(), format_args!("{what}")),
    }
}

fn line(format: Format, level: &str, about: &About, what: fmt::Arguments<'_>) -> String {
    if format == Format::Text {
        return match &about.trace_id {
            Some(trace) => format!("rejoin: {what} (trace_id={trace})"),
            None => format!("rejoin: {what}"),
        };
    }
    let mut members = beginning(&Clock::machine_time().to_string(), level);
    members.insert("message".to_owned(), what.to_string().into());
    about.add_to(&mut members);
    Value::Object(members).to_string()
}

/// The first members of a line in JSON.
pub(crate) fn beginning(time: &str, level: &str) -> Map<String, Value> {
    let members = [("time", time), ("level", level)];
    members
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value.into()))
        .collect()
}

impl About {
    /// Adds what is known to a line in JSON.
    pub fn add_to(&self, members: &mut Map<String, Value>) {
        for (name, value) in [
            ("trace_id", &self.trace_id),
            ("execution_arn", &self.execution_arn),
            ("delivery_id", &self.delivery_id),
            ("message_id", &self.message_id),
        ] {
            if let Some(value) = value.as_ref().filter(|value| !value.is_empty()) {
                members.insert(name.to_owned(), value.as_str().into());
            }
        }
    }
}

/// Says that something went wrong; what was said within the last minute is counted, and not said again.
macro_rules! say {
    ($($what:tt)+) => {
        $crate::log::say_in_general(format_args!($($what)+))
    };
}

/// Says that something went wrong with an execution, a callback or an alert.
macro_rules! say_about {
    ($about:expr, $($what:tt)+) => {
        $crate::log::say_of("warn", &$about, format_args!($($what)+))
    };
}

pub(crate) use {say, say_about};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_the_same_is_said_once_a_minute_and_counted() {
        let mut said = Repeats(Vec::new());
        let begin = Instant::now();
        let mut say =
            |what: &str, seconds| said.again(what.to_owned(), begin + Duration::from_secs(seconds));
        assert_eq!(
            say("the disk is full", 0).as_deref(),
            Some("the disk is full")
        );
        assert_eq!(say("the disk is full", 1), None);
        assert_eq!(say("the disk is full", 59), None);
        assert_eq!(
            say("the door is open", 59).as_deref(),
            Some("the door is open")
        );
        assert_eq!(
            say("the disk is full", 60).as_deref(),
            Some("the disk is full (2 times more since it was said last)")
        );
        assert_eq!(say("the disk is full", 119), None);
        assert_eq!(
            say("the door is open", 119).as_deref(),
            Some("the door is open")
        );
        for other in 0..Repeats::REMEMBERED {
            assert!(say(&other.to_string(), 119).is_some());
        }
        assert!(say("the disk is full", 119).is_some(), "it was forgotten");
    }

    #[test]
    fn a_line_names_what_it_is_about() {
        let about = About {
            trace_id: Some("4bf92f3577b34da6a3ce929d0e0e4736".to_owned()),
            execution_arn: Some(String::new()),
            delivery_id: Some("d-1".to_owned()),
            message_id: None,
        };
        let what = || format_args!("it said \"no\"\nand hung up").to_string();
        let text = line(Format::Text, "warn", &about, format_args!("{}", what()));
        assert!(text.starts_with("rejoin: it said"), "{text}");
        assert!(text.ends_with("(trace_id=4bf92f3577b34da6a3ce929d0e0e4736)"));
        let json = line(Format::Json, "warn", &about, format_args!("{}", what()));
        assert!(!json.contains('\n'), "a line is one line: {json}");
        let read: Value = serde_json::from_str(&json).expect("JSON");
        let members: Vec<_> = read.as_object().expect("an object").keys().collect();
        assert_eq!(
            members,
            ["time", "level", "message", "trace_id", "delivery_id"]
        );
        assert_eq!(read["message"], what());
        assert_eq!(read["trace_id"], "4bf92f3577b34da6a3ce929d0e0e4736");
    }
}
