//! What came of a case.

mod reading;
mod telling;

use std::collections::{BTreeMap, BTreeSet};

use asl::StateMachine;
use serde_json::Value;

use super::outside::NO_END;
use super::way::{Attempts, Case, Class};
use crate::seen::{Call, Done, Ended, Seen};
use telling::{told_by, what_is_said};

pub use telling::is_telling;

/// How an execution ended, if it did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    /// `SUCCEEDED`.
    Succeeded,
    /// `FAILED`.
    Failed,
    /// `TIMED_OUT`: the machine's own TimeoutSeconds.
    TimedOut,
    /// `ABORTED`.
    Aborted,
    /// It waits, and nothing is due any more; for what.
    Waits(String),
    /// It asked one task after the other, with no end in sight.
    NoEnd,
    /// It still ran when the time was up.
    Runs,
    /// It could not be played; why.
    NotPlayed(String),
}

impl End {
    /// As the matrix shows it.
    pub fn name(&self) -> &'static str {
        match self {
            End::Succeeded => "SUCCEEDED",
            End::Failed => "FAILED",
            End::TimedOut => "TIMED_OUT",
            End::Aborted => "ABORTED",
            End::Waits(_) => "WAITS",
            End::NoEnd => "NO END",
            End::Runs => "RUNS",
            End::NotPlayed(_) => "NOT PLAYED",
        }
    }

    /// Whether it ended, and not well.
    pub fn is_bad(&self) -> bool {
        matches!(self, End::Failed | End::TimedOut | End::Aborted)
    }
}

/// Somebody who was told.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Telling {
    /// When, in milliseconds from the start.
    pub at: i64,
    /// By whom: the state, or the server itself if none.
    pub by: Option<String>,
    /// Where: a topic, a queue, a bus.
    pub to: String,
    /// What, in a few words.
    pub what: String,
}

/// A time in which nothing but the clock is waited for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pause {
    /// The state.
    pub state: String,
    /// Whether it is to be tried again; else it is a Wait state.
    pub retrying: bool,
    /// From when, in milliseconds from the start.
    pub from: i64,
    /// Until when.
    pub until: i64,
}

/// One row of the matrix.
#[derive(Debug, Clone)]
pub struct Row {
    /// What went wrong.
    pub case: Case,
    /// How it ended.
    pub end: End,
    /// The error that it ended with.
    pub error: Option<String>,
    /// Its cause.
    pub cause: Option<String>,
    /// After how many milliseconds of virtual time.
    pub after: i64,
    /// With what.
    pub output: Option<Value>,
    /// How often a Retry tried again.
    pub retries: u32,
    /// From the first failure to the last retry.
    pub retried_for: i64,
    /// Who was told that something is wrong.
    pub told: Vec<Telling>,
    /// What became of callbacks.
    pub dispositions: Vec<String>,
    /// How often each callback with a disposition that should be known of was told.
    pub calls: Vec<Call>,
    /// The states that it was in.
    pub states: BTreeSet<String>,
    /// The entries of Retry that were used, as state and index.
    pub retriers: BTreeSet<(String, usize)>,
    /// The same of Catch.
    pub catchers: BTreeSet<(String, usize)>,
    /// What ended waits without an answer: whether it was the heartbeat, by state.
    pub timeouts: Vec<(String, bool)>,
    /// Deadlines that waits had, in milliseconds: timeout and heartbeat, by state.
    pub deadlines: BTreeMap<String, (Option<i64>, Option<i64>)>,
    /// When it waited for the clock alone.
    pub pauses: Vec<Pause>,
    /// When something first failed or was restarted.
    pub failed_at: Option<i64>,
    /// What happened, in order.
    pub story: Vec<(i64, String)>,
    /// What the outside was answered, in the order of what it did: `410 SendTaskSuccess ...`.
    pub answers: Vec<(i64, String, u16)>,
}

impl Row {
    /// A case that could not be played.
    pub fn not_played(case: Case, why: String) -> Row {
        Row {
            case,
            end: End::NotPlayed(why),
            error: None,
            cause: None,
            after: 0,
            output: None,
            retries: 0,
            retried_for: 0,
            told: Vec::new(),
            dispositions: Vec::new(),
            calls: Vec::new(),
            states: BTreeSet::new(),
            retriers: BTreeSet::new(),
            catchers: BTreeSet::new(),
            timeouts: Vec::new(),
            deadlines: BTreeMap::new(),
            pauses: Vec::new(),
            failed_at: None,
            story: Vec::new(),
            answers: Vec::new(),
        }
    }

    /// What was seen, as a row.
    pub fn of(case: Case, seen: Seen, machine: &StateMachine, cut: bool, limit: i64) -> Row {
        let mut row = Row::not_played(case, String::new());
        let last = reading::read(&seen, machine, &mut row);
        let last = last.max(seen.deeds.last().map_or(0, |deed| deed.at));
        (row.end, row.after) = match &seen.ended {
            Some(ended) => (end_of(ended, cut), ended.at),
            None => match &seen.stuck {
                Some(what) => (End::Waits(what.clone()), last),
                None if cut => (End::NoEnd, last),
                None => (End::Runs, limit),
            },
        };
        if let Some(ended) = seen.ended.as_ref().filter(|_| row.end != End::NoEnd) {
            let failure = ended.failure.as_ref();
            row.error = failure
                .and_then(|failure| failure.error.as_deref())
                .map(str::to_owned);
            row.cause = failure.and_then(|failure| failure.cause.clone());
            row.output = ended.output.clone();
        }
        for delivery in &seen.deliveries {
            let steps = delivery["dispositions"].as_array();
            let last = steps.and_then(|steps| steps.last());
            if let Some(name) = last.and_then(|step| step["disposition"].as_str()) {
                row.dispositions.push(name.to_owned());
            }
        }
        for told in &seen.told {
            row.told.push(Telling {
                at: told.at,
                by: None,
                to: told.topic.clone(),
                what: what_is_said(&told.message),
            });
        }
        for deed in &seen.deeds {
            row.place_deed(deed, &seen.calls);
            row.answers
                .push((deed.at, deed.what.clone(), deed.answer.0));
        }
        row.calls = seen.calls;
        row
    }

    /// Puts what the outside did before what happened at the same time because of it: after the task that it was about
    /// began, and at last if it was refused.
    fn place_deed(&mut self, deed: &Done, calls: &[Call]) {
        let line = (deed.at, format!("{} -> {}", deed.what, deed.answer.0));
        let same = |(at, _): &(i64, String)| *at == deed.at;
        let first = self.story.partition_point(|(at, _)| *at < deed.at);
        let behind = first
            + self.story[first..]
                .iter()
                .take_while(|line| same(line))
                .count();
        let call = deed.call.and_then(|call| calls.get(call));
        let began = call.filter(|call| call.at == deed.at).and_then(|call| {
            let begins = begins(&call.state);
            let begun = self.story[first..behind]
                .iter()
                .rposition(|(_, what)| *what == begins)?;
            Some(first + begun + 1)
        });
        let at = match began {
            _ if deed.answer.0 >= 400 => behind,
            Some(began) => began,
            None => first,
        };
        // Behind other deeds of that place.
        let others = self.story[at..behind].iter();
        let others = others.take_while(|(_, what)| what.contains(" -> ")).count();
        self.story.insert(at + others, line);
    }

    /// All that happened, with who was told.
    pub fn chronicle(&self) -> Vec<(i64, String)> {
        let mut all = self.story.clone();
        for told in &self.told {
            let line = (told.at, format!("{} is told: {}", told.to, told.what));
            let first = all.partition_point(|(at, _)| *at < told.at);
            let same = all[first..].iter().take_while(|(at, _)| *at == told.at);
            let same: Vec<&str> = same.map(|(_, what)| what.as_str()).collect();
            let by = told.by.as_deref().map(begins);
            let begun = by.and_then(|by| same.iter().rposition(|what| *what == by));
            let end = same
                .iter()
                .position(|what| what.starts_with("the execution "));
            let at = match (begun, end) {
                (Some(begun), _) => begun + 1,
                (None, Some(end)) => end,
                (None, None) => same.len(),
            };
            all.insert(first + at, line);
        }
        all
    }

    /// Adds the tasks that tell somebody: those that were asked after the first failure, and not just as they are
    /// when all goes well.
    pub fn tell(&mut self, well: &Row) {
        let goes_on = self.case.faults.iter().all(|fault| fault.way.is_harmless());
        let Some(failed_at) = self.failed_at.filter(|_| !goes_on) else {
            return;
        };
        for call in self.calls.iter().filter(|call| call.at >= failed_at) {
            let Some(to) = told_by(call) else {
                continue;
            };
            let goes_wrong = self.case.faults.iter().any(|fault| {
                fault.state == call.state
                    && fault.attempts != Attempts::First
                    && matches!(fault.way.class(), Class::Error | Class::Silence)
            });
            // A request with its token is never the same twice.
            let is_request = call.resource.ends_with(".waitForTaskToken");
            let same = |other: &Call| {
                other.state == call.state && (is_request || other.parameters == call.parameters)
            };
            if goes_wrong || well.calls.iter().any(same) {
                continue;
            }
            self.told.push(Telling {
                at: call.at,
                by: Some(call.state.clone()),
                to,
                what: what_is_said(&call.parameters),
            });
        }
        self.told.sort();
    }

    fn pause(&mut self, state: String, retrying: bool, from: i64, until: i64) {
        self.pauses.push(Pause {
            state,
            retrying,
            from,
            until,
        });
    }

    /// Whether a state that this is about was asked again under the same token, after a restart.
    pub fn asked_again(&self) -> impl Iterator<Item = &str> {
        let again = self.calls.iter().filter(|call| call.asked > 1);
        again.map(|call| &*call.state)
    }

    /// States that are passed here and not where all goes well.
    pub fn detour<'r>(&'r self, well: &'r Row) -> impl Iterator<Item = &'r str> {
        self.states.difference(&well.states).map(String::as_str)
    }
}

/// What is said of a state that is entered.
fn begins(state: &str) -> String {
    format!("{state} begins")
}

fn end_of(ended: &Ended, cut: bool) -> End {
    let error = ended
        .failure
        .as_ref()
        .and_then(|failure| failure.error.as_deref());
    match ended.status {
        "SUCCEEDED" => End::Succeeded,
        "FAILED" => End::Failed,
        "TIMED_OUT" => End::TimedOut,
        _ if cut && error == Some(NO_END) => End::NoEnd,
        _ => End::Aborted,
    }
}
