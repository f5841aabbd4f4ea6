//! What must come of a case: a pattern for each member of what came ([`super::came`]), with the short forms that make
//! a file readable.
//!
//! | member | short form |
//! | --- | --- |
//! | `status` | `SUCCEEDED` if neither it nor `error`, `cause` or `waits` is given |
//! | `callbacks` | a text is the disposition; of one that had several, `early, then delivered` or the last |
//! | `alerts` | a text is the description |
//! | `services` | of each service: how many `requests` and `callbacks`, or which ([`super::served`]) |
//! | `passes`, `never` | states that are entered in this order, others between; states that are not |
//! | `invariants` | promises that this is about, however it ends; every case is held to all of them ([`crate::invariant`]) |
//! | `ended`, and `at` in a callback, an alert, a call | a length of time: `30s`, `> 5s` |

use serde_json::Value;
use server::gateway::Disposition;

use super::acts::Known;
use super::came;
use super::given::{Given, Members};
use super::pattern::{Mismatch, Pattern, shown};
use super::served::{self, Served};
use crate::invariant::INVARIANTS;

/// What must come of a case.
#[derive(Debug, Default)]
pub struct Expect {
    members: Vec<(&'static str, Pattern)>,
    passes: Vec<String>,
    never: Vec<String>,
    /// The states that `retries` names.
    retried: Vec<String>,
    /// Whether promises are named, and so it is not said how it ends.
    promises: bool,
    services: Vec<Served>,
}

const STATUSES: [&str; 5] = ["SUCCEEDED", "FAILED", "TIMED_OUT", "ABORTED", "RUNNING"];

const ENDED_BADLY: [&str; 3] = ["FAILED", "TIMED_OUT", "ABORTED"];

pub(super) const NAMES: [&str; 15] = [
    "status",
    "output",
    "error",
    "cause",
    "ended",
    "waits",
    "states",
    "retries",
    "callbacks",
    "alerts",
    "calls",
    "services",
    "passes",
    "never",
    "invariants",
];

/// The members of `expect`; others are faults.
pub(super) fn members<'f>(given: &Given<'f>) -> Members<'f> {
    given.members(&NAMES)
}

impl Expect {
    /// Reads what a case expects.
    pub(super) fn read(members: &Members<'_>, known: &Known<'_>) -> Expect {
        let mut expect = Expect::default();
        let states = known.states();
        let named = |item: &Given<'_>| item.word("state", &states).map(str::to_owned);
        let names = |given: &Given<'_>| -> Vec<String> {
            let items = given.some_items("Name a state, or leave it out.");
            items.iter().filter_map(named).collect()
        };
        for (name, given) in members {
            let (name, pattern) = match *name {
                "status" => {
                    given.word("status", &STATUSES);
                    ("status", Pattern::Same(given.value.clone()))
                }
                "output" => ("output", Pattern::read(given)),
                "error" => ("error", Pattern::read(given)),
                "cause" => ("cause", Pattern::read(given)),
                "waits" => ("waits", Pattern::read(given)),
                "ended" => ("ended", Pattern::time(given)),
                "states" => {
                    let same = |item: &Given<'_>| Pattern::Same(named(item).into());
                    ("states", list(given, &same))
                }
                "retries" => {
                    let counted = given.only("exactly").unwrap_or_else(|| given.clone());
                    for (state, count) in counted.entries() {
                        if !states.contains(&state) {
                            count.unknown_name("state", state, &states);
                        }
                        expect.retried.push(state.to_owned());
                    }
                    ("retries", Pattern::read(given))
                }
                "callbacks" => ("callbacks", list(given, &disposition)),
                "alerts" => ("alerts", list(given, &|item| alert(item, known))),
                "calls" => ("calls", list(given, &|item| call(item, known))),
                "services" => {
                    expect.services = served::read(given, known);
                    continue;
                }
                "passes" => {
                    expect.passes = names(given);
                    continue;
                }
                "never" => {
                    expect.never = names(given);
                    continue;
                }
                "invariants" => {
                    let known = INVARIANTS.map(|(name, _)| name);
                    for item in given.some_items("Name an invariant, or leave it out.") {
                        item.word("invariant", &known);
                    }
                    expect.promises = true;
                    continue;
                }
                _ => continue,
            };
            expect.members.push((name, pattern));
        }
        let says_how = |(name, pattern): &(&str, Pattern)| {
            // That there is none leaves it open how else it ends.
            let is_none = matches!(pattern, Pattern::Same(Value::Null));
            ["status", "error", "cause", "waits"].contains(name) && !is_none
        };
        if !expect.promises && !expect.members.iter().any(says_how) {
            let well = Pattern::Same("SUCCEEDED".into());
            expect.members.insert(0, ("status", well));
        }
        expect
    }

    /// All that is not as it must be.
    pub(super) fn mismatches(&self, came: &Value) -> Vec<Mismatch> {
        let mut mismatches = Vec::new();
        for (name, pattern) in &self.members {
            match *name {
                "retries" => pattern.compare(Some(&self.retries(came)), name, &mut mismatches),
                _ => pattern.compare(came.get(name), name, &mut mismatches),
            }
        }
        for served in &self.services {
            served.compare(came, &mut mismatches);
        }
        let states: Vec<&str> = came["states"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .collect();
        let mut rest = states.iter();
        for state in &self.passes {
            if !rest.any(|passed| passed == state) {
                mismatches.push(Mismatch {
                    at: "passes".to_owned(),
                    expected: self.passes.join(", "),
                    got: states.join(", "),
                });
                break;
            }
        }
        for state in &self.never {
            if states.contains(&state.as_str()) {
                mismatches.push(Mismatch {
                    at: "never".to_owned(),
                    expected: format!("{state} is not entered"),
                    got: states.join(", "),
                });
            }
        }
        self.explain(came, &mut mismatches);
        mismatches
    }

    /// How often each state was tried again; the states that are named have a number, if it is none.
    fn retries(&self, came: &Value) -> Value {
        let mut retries = came["retries"].clone();
        for state in &self.retried {
            if retries.get(state).is_none() {
                retries[state] = 0.into();
            }
        }
        retries
    }

    /// How it ended explains the rest, and is said first.
    fn explain(&self, came: &Value, mismatches: &mut Vec<Mismatch>) {
        let says = |wanted: &str| self.members.iter().any(|(name, _)| *name == wanted);
        let status = came["status"].as_str().unwrap_or_default();
        // Who names an error has said that it is to end badly.
        if says("error") && !says("status") && !ENDED_BADLY.contains(&status) {
            mismatches.retain(|mismatch| !["error", "cause"].contains(&mismatch.at.as_str()));
            mismatches.push(Mismatch {
                at: "status".to_owned(),
                expected: "FAILED".to_owned(),
                got: status.to_owned(),
            });
        }
        mismatches.sort_by_key(|mismatch| {
            let order = ["status", "error", "cause", "waits"];
            order
                .iter()
                .position(|name| mismatch.at == *name)
                .unwrap_or(order.len())
        });
        if let Some(status) = mismatches.first_mut().filter(|first| first.at == "status") {
            for (name, before) in [
                ("error", " "),
                ("cause", ": "),
                ("waits", ": it never ends, "),
            ] {
                if let Some(value) = came.get(name) {
                    status.got = format!("{}{before}{}", status.got, shown(value));
                }
            }
        }
    }
}

/// A list of things that have a short form; without `includes` it is complete, so `exactly` adds nothing.
pub(super) fn list(given: &Given<'_>, item: &dyn Fn(&Given<'_>) -> Pattern) -> Pattern {
    if let Some(inside) = given.only("includes") {
        return Pattern::includes(&inside, item);
    }
    let given = given.only("exactly").unwrap_or_else(|| given.clone());
    Pattern::List(given.items().iter().map(item).collect())
}

fn disposition(given: &Given<'_>) -> Pattern {
    let known: Vec<&str> = Disposition::ALL.iter().map(|d| d.name()).collect();
    match given.value {
        Value::String(text) => {
            for word in text.split(", then ") {
                if !known.contains(&word) {
                    given.unknown_word("disposition", word, &known);
                }
            }
            let member = match text.contains(", then ") {
                true => "became",
                false => "disposition",
            };
            Pattern::Object(vec![(
                member.to_owned(),
                Pattern::Same(given.value.clone()),
            )])
        }
        _ => timed(given, None, &mut |name, value| {
            if name == "disposition" {
                value.word("disposition", &known);
            }
        }),
    }
}

fn alert(given: &Given<'_>, known: &Known<'_>) -> Pattern {
    match given.value {
        Value::String(_) => Pattern::Object(vec![("description".to_owned(), Pattern::read(given))]),
        _ => timed(given, None, &mut |name, value| {
            if name == "topic" {
                value.word("topic", &known.topics());
            }
        }),
    }
}

fn call(given: &Given<'_>, known: &Known<'_>) -> Pattern {
    let tasks = known.tasks();
    let tasks: Vec<&str> = tasks.iter().map(String::as_str).collect();
    if let Value::String(state) = given.value {
        given.word("Task state", &tasks);
        let same = |name: &str, text: &str| (name.to_owned(), Pattern::Same(text.into()));
        // A state of another machine may be called `MACHINE.STATE`.
        return Pattern::Object(match known.elsewhere(state) {
            Some((machine, state)) => vec![same("machine", machine), same("state", state)],
            None => vec![same("state", state)],
        });
    }
    timed(given, Some(&came::OF_CALLS), &mut |name, value| {
        if name == "state" {
            value.word("Task state", &tasks);
        }
    })
}

/// An object whose `at` is a time; `known` are its members, if that can be told.
pub(super) fn timed(
    given: &Given<'_>,
    known: Option<&[&str]>,
    look: &mut dyn FnMut(&str, &Given<'_>),
) -> Pattern {
    let exactly = given.only("exactly");
    let inside = exactly.as_ref().unwrap_or(given);
    // Only an object has members to compare.
    if !inside.is_object() {
        return Pattern::Object(Vec::new());
    }
    let entries = match known {
        Some(known) => inside.members(known),
        None => inside.entries(),
    };
    let mut members = Vec::with_capacity(entries.len());
    for (name, value) in entries {
        look(name, &value);
        let pattern = match (name, &exactly) {
            ("at", _) => Pattern::time(&value),
            (_, Some(_)) => Pattern::read_exactly(&value),
            (_, None) => Pattern::read(&value),
        };
        members.push((name.to_owned(), pattern));
    }
    match exactly {
        Some(_) => Pattern::Closed(members),
        None => Pattern::Object(members),
    }
}
