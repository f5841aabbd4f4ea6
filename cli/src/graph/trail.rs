//! An execution's way, read off its history: each event names the one before it, so what led to a state, and
//! what became of it, is found by going back.

use std::collections::{BTreeMap, BTreeSet};

use graph::{Mark, Overlay, Status, Step};
use serde_json::Value;

/// The events so far.
#[derive(Default)]
pub struct Trail {
    events: BTreeMap<u64, Event>,
}

/// What is kept of an event.
struct Event {
    previous: u64,
    kind: String,
    /// The state's name, where a state is entered or left.
    name: Option<String>,
    /// The event with which the state was entered that this is about.
    entered: Option<u64>,
}

impl Trail {
    /// Takes the next event, as `GetExecutionHistory` has it.
    pub fn add(&mut self, event: &Value) {
        let id = event["id"].as_u64().unwrap_or_default();
        let previous = event["previousEventId"].as_u64().unwrap_or_default();
        let kind = event["type"].as_str().unwrap_or_default().to_owned();
        let details = ["stateEnteredEventDetails", "stateExitedEventDetails"];
        let name = details.iter().find_map(|d| event[d]["name"].as_str());
        let entered = if kind.ends_with("StateEntered") {
            Some(id)
        } else {
            self.events.get(&previous).and_then(|e| e.entered)
        };
        self.events.insert(
            id,
            Event {
                previous,
                kind,
                name: name.map(str::to_owned),
                entered,
            },
        );
    }

    /// What is shown of it.
    pub fn overlay(&self, running: bool) -> Overlay {
        let mut states: BTreeMap<&str, State> = BTreeMap::new();
        let mut steps = BTreeSet::new();
        let mut latest: BTreeMap<u64, Last> = BTreeMap::new();
        let mut led_on: BTreeSet<u64> = BTreeSet::new();
        for (id, event) in &self.events {
            if let Some(entered) = event.entered {
                let last = latest.entry(entered).or_default();
                last.failed |= is_failure(&event.kind);
                last.over |= is_container(&event.kind);
                if event.kind.ends_with("Scheduled") {
                    // It is tried again.
                    last.failed = false;
                }
            }
            let Some(name) = event.name.as_deref() else {
                continue;
            };
            let state = states.entry(name).or_default();
            if event.kind.ends_with("StateEntered") {
                state.entries += 1;
                state.entered = *id;
                state.container =
                    event.kind.starts_with("Map") || event.kind.starts_with("Parallel");
                let before = self.events.get(&event.previous);
                let before = before.filter(|e| e.kind.ends_with("StateExited"));
                led_on.insert(event.previous);
                steps.insert(Step {
                    from: before.and_then(|e| e.name.clone()),
                    to: Some(name.to_owned()),
                    caught: before.is_some_and(|e| self.failed(e)),
                });
            } else {
                state.exits += 1;
                state.caught = self.failed(event);
                state.outcome = Some(*id);
            }
        }
        for (name, state) in &states {
            // Another pass through the same state may have led on, so each exit is looked at for itself.
            let ends = state.outcome.is_some_and(|exit| !led_on.contains(&exit));
            if ends && !state.caught {
                steps.insert(Step {
                    from: Some((*name).to_owned()),
                    to: None,
                    caught: false,
                });
            }
        }
        let marks = states.into_iter().map(|(name, state)| {
            let last = latest.get(&state.entered).copied().unwrap_or_default();
            let mark = Mark {
                status: Some(state.status(last, running)),
                visits: state.entries,
                finding: None,
            };
            (name.to_owned(), mark)
        });
        Overlay {
            states: marks.collect(),
            steps,
        }
    }

    /// Whether a state was left because it had failed.
    fn failed(&self, exit: &Event) -> bool {
        let before = self.events.get(&exit.previous);
        before.is_some_and(|event| is_failure(&event.kind))
    }
}

fn is_failure(kind: &str) -> bool {
    ["Failed", "TimedOut"].iter().any(|end| kind.ends_with(end))
}

/// What is known of all passes through one state.
#[derive(Default)]
struct State {
    entries: u64,
    exits: u64,
    /// The last event with which it was entered.
    entered: u64,
    /// The last one with which it was left.
    outcome: Option<u64>,
    caught: bool,
    container: bool,
}

/// What happened last in a state.
#[derive(Default, Clone, Copy)]
struct Last {
    failed: bool,
    /// What the state is inside of has gone on without it.
    over: bool,
}

/// Whether an event is about the whole of a Map or Parallel state, and not about its beginning.
fn is_container(kind: &str) -> bool {
    let of = ["MapIteration", "MapState", "ParallelState"];
    let begins = ["Started", "Entered"];
    of.iter().any(|of| kind.starts_with(of)) && !begins.iter().any(|end| kind.ends_with(end))
}

impl State {
    /// What became of it.
    fn status(&self, last: Last, running: bool) -> Status {
        if self.entries <= self.exits {
            match self.caught {
                true => Status::Caught,
                false => Status::Passed,
            }
        } else if running && (self.container || !last.over) {
            Status::Current
        } else if last.failed || self.container {
            Status::Failed
        } else {
            Status::Stopped
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn overlay(events: &[(u64, u64, &str, &str)], running: bool) -> Overlay {
        let mut trail = Trail::default();
        for (id, previous, kind, name) in events {
            let mut event = json!({"id": id, "previousEventId": previous, "type": kind});
            if kind.ends_with("Entered") {
                event["stateEnteredEventDetails"] = json!({"name": name});
            } else if kind.ends_with("StateExited") {
                event["stateExitedEventDetails"] = json!({"name": name});
            }
            trail.add(&event);
        }
        trail.overlay(running)
    }

    fn steps(overlay: &Overlay) -> Vec<String> {
        let shown = |step: &Step| {
            let end = |name: &Option<String>| name.clone().unwrap_or("-".into());
            let sign = if step.caught { "!" } else { ">" };
            format!("{}{sign}{}", end(&step.from), end(&step.to))
        };
        overlay.steps.iter().map(shown).collect()
    }

    fn statuses(overlay: &Overlay) -> Vec<(&str, Status, u64)> {
        let marks = overlay.states.iter();
        marks
            .map(|(name, mark)| {
                let status = mark.status.expect("an execution's states have one");
                (name.as_str(), status, mark.visits)
            })
            .collect()
    }

    #[test]
    fn a_caught_timeout_leads_along_the_catch_and_ends_in_a_failure() {
        let overlay = overlay(
            &[
                (1, 0, "ExecutionStarted", ""),
                (2, 0, "TaskStateEntered", "Ask"),
                (3, 2, "TaskScheduled", ""),
                (4, 3, "TaskTimedOut", ""),
                (5, 4, "TaskStateExited", "Ask"),
                (6, 5, "PassStateEntered", "Tell"),
                (7, 6, "PassStateExited", "Tell"),
                (8, 7, "FailStateEntered", "Failed"),
                (9, 8, "ExecutionFailed", ""),
            ],
            false,
        );
        assert_eq!(steps(&overlay), ["->Ask", "Ask!Tell", "Tell>Failed"]);
        assert_eq!(
            statuses(&overlay),
            [
                ("Ask", Status::Caught, 1),
                ("Failed", Status::Failed, 1),
                ("Tell", Status::Passed, 1)
            ]
        );
    }

    #[test]
    fn what_waits_is_current_and_what_ended_leads_to_the_end() {
        let events = [
            (1, 0, "ExecutionStarted", ""),
            (2, 0, "PassStateEntered", "A"),
            (3, 2, "PassStateExited", "A"),
            (4, 3, "TaskStateEntered", "B"),
            (5, 4, "TaskScheduled", ""),
            (6, 5, "TaskFailed", ""),
            (7, 6, "TaskScheduled", ""),
            (8, 7, "TaskSucceeded", ""),
            (9, 8, "TaskStateExited", "B"),
        ];
        let waiting = overlay(&events[..6], true);
        assert_eq!(
            statuses(&waiting),
            [("A", Status::Passed, 1), ("B", Status::Current, 1)]
        );
        let stopped = overlay(&events[..5], false);
        assert_eq!(statuses(&stopped)[1], ("B", Status::Stopped, 1));
        let ended = overlay(&events, false);
        assert_eq!(steps(&ended), ["->A", "A>B", "B>-"]);
    }

    #[test]
    fn what_failed_in_a_map_is_not_running_when_the_map_was_caught() {
        let overlay = overlay(
            &[
                (1, 0, "ExecutionStarted", ""),
                (2, 0, "MapStateEntered", "Each"),
                (3, 2, "MapStateStarted", ""),
                (4, 3, "MapIterationStarted", ""),
                (5, 4, "TaskStateEntered", "Work"),
                (6, 5, "TaskFailed", ""),
                (7, 6, "MapIterationFailed", ""),
                (8, 7, "MapStateFailed", ""),
                (9, 8, "MapStateExited", "Each"),
                (10, 9, "WaitStateEntered", "Later"),
            ],
            true,
        );
        assert_eq!(
            statuses(&overlay),
            [
                ("Each", Status::Caught, 1),
                ("Later", Status::Current, 1),
                ("Work", Status::Failed, 1)
            ]
        );
    }
}
