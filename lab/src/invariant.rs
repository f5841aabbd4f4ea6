//! What holds in every execution, whatever the outside does: promises, checked against what was seen. Chaos looks for a
//! run that breaks one, and every case of a scenario is held to them.
//!
//! | name | what holds |
//! | --- | --- |
//! | `one-completion-per-wait` | a wait ends once, whoever competes for it |
//! | `no-acknowledged-callback-lost` | what was answered 2xx is in the inbox, and every answer that was acknowledged has ended a wait |
//! | `every-non-delivery-alerted` | a topic hears of each kind of callback that came to nothing and that its route alerts of |
//! | `nothing-before-its-time` | no timeout, retry or Wait is over early |

use std::collections::{BTreeMap, BTreeSet, HashMap};

use engine::{EventKind, FrameId, WaitId};

use crate::seen::{Done, Seen, Told};
use crate::world::Settings;

/// The names, and what holds.
pub const INVARIANTS: [(&str, &str); 4] = [
    ("one-completion-per-wait", "a wait ends once"),
    (
        "no-acknowledged-callback-lost",
        "what was acknowledged is kept, and counts",
    ),
    (
        "every-non-delivery-alerted",
        "somebody is told of a callback that came to nothing",
    ),
    (
        "nothing-before-its-time",
        "no timeout, retry or Wait is over early",
    ),
];

/// What one of them says.
pub fn holds(invariant: &str) -> &'static str {
    let found = INVARIANTS.iter().find(|(name, _)| *name == invariant);
    found.map_or("", |(_, holds)| holds)
}

/// A promise that does not hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// Which: one of [`INVARIANTS`].
    pub invariant: &'static str,
    /// What shows it.
    pub what: String,
}

/// The promises that do not hold.
pub fn violations(seen: &Seen, settings: &Settings) -> Vec<Violation> {
    let books = Books { seen, settings };
    let found = [
        books.completed_twice(),
        books.lost(),
        books.not_alerted(),
        books.early(),
    ];
    let each = INVARIANTS
        .iter()
        .zip(found)
        .flat_map(|((invariant, _), what)| {
            let of = move |what| Violation { invariant, what };
            what.into_iter().map(of)
        });
    each.collect()
}

/// One run's books.
struct Books<'b> {
    seen: &'b Seen,
    settings: &'b Settings,
}

/// What a state's waits came to: with a result, with a failure.
type Ends<'s> = BTreeMap<&'s str, [usize; 2]>;

impl Books<'_> {
    fn completed_twice(&self) -> Vec<String> {
        let mut ends: BTreeMap<u32, Vec<i64>> = BTreeMap::new();
        for event in &self.seen.events {
            if let EventKind::TaskSucceeded { wait, .. }
            | EventKind::TaskFailed { wait, .. }
            | EventKind::TaskTimedOut { wait, .. }
            | EventKind::WaitAborted { wait } = &event.kind
            {
                let at = event.at.0 - self.seen.started_at.0;
                ends.entry(wait.0).or_default().push(at);
            }
        }
        let twice = ends.iter().filter(|(_, ends)| ends.len() > 1);
        twice
            .map(|(wait, ends)| format!("wait {wait} ended {} times, at {ends:?} ms", ends.len()))
            .collect()
    }

    fn lost(&self) -> Vec<String> {
        let mut lost = Vec::new();
        let is_callback = |done: &&Done| {
            done.what.contains("callback to ") && (200..300).contains(&done.answer.0)
        };
        let acknowledged = self.seen.deeds.iter().filter(is_callback).count();
        let kept = self.seen.deliveries.len();
        if acknowledged > kept {
            lost.push(format!(
                "{acknowledged} callbacks were acknowledged and {kept} are in the inbox"
            ));
        }
        let ended = self.ended();
        for (state, acknowledged) in self.acknowledged() {
            let ended = ended.get(state).copied().unwrap_or_default();
            for (at, as_what) in ["result", "failure"].into_iter().enumerate() {
                if acknowledged[at] > ended[at] {
                    lost.push(format!(
                        "{} answers were acknowledged as the {as_what} of {state}, and {} of its waits ended with one",
                        acknowledged[at], ended[at]
                    ));
                }
            }
        }
        lost
    }

    /// The answers that were acknowledged as what ends a wait of this execution.
    fn acknowledged(&self) -> Ends<'_> {
        let mut acknowledged = Ends::new();
        for delivery in &self.seen.deliveries {
            let of_this = delivery["executionArn"] == *self.seen.execution_arn;
            let at = match last_disposition(delivery) {
                Some("delivered") => 0,
                Some("delivered-as-failure") => 1,
                _ => continue,
            };
            if let (true, Some(state)) = (of_this, delivery["stateName"].as_str()) {
                acknowledged.entry(state).or_default()[at] += 1;
            }
        }
        for done in self.seen.deeds.iter().filter(|done| done.answer.0 == 200) {
            let at = match &done.what {
                what if what.starts_with("SendTaskSuccess") => 0,
                what if what.starts_with("SendTaskFailure") => 1,
                _ => continue,
            };
            let call = done.call.and_then(|call| self.seen.calls.get(call));
            if let Some(call) = call.filter(|call| call.execution_arn == self.seen.execution_arn) {
                acknowledged.entry(&call.state).or_default()[at] += 1;
            }
        }
        acknowledged
    }

    /// What ended the waits of each state.
    fn ended(&self) -> Ends<'_> {
        let mut states: HashMap<FrameId, &str> = HashMap::new();
        let mut ended = Ends::new();
        for event in &self.seen.events {
            let at = match &event.kind {
                EventKind::StateEntered { name, .. } => {
                    states.insert(event.frame, name);
                    continue;
                }
                EventKind::TaskSucceeded { .. } => 0,
                EventKind::TaskFailed { .. } => 1,
                _ => continue,
            };
            if let Some(state) = states.get(&event.frame) {
                ended.entry(state).or_default()[at] += 1;
            }
        }
        ended
    }

    fn not_alerted(&self) -> Vec<String> {
        let mut missing = BTreeSet::new();
        for delivery in &self.seen.deliveries {
            let Some(name) = last_disposition(delivery) else {
                continue;
            };
            let route = self
                .settings
                .routes
                .iter()
                .find(|route| delivery["route"] == *route.name);
            let Some(route) = route else {
                continue;
            };
            let has_topic = route.topic.is_some() || self.settings.alerts.topic.is_some();
            let alerts = match &route.alerts {
                Some(alerts) => alerts.iter().any(|known| known == name),
                None => server::gateway::Disposition::named(name)
                    .is_some_and(|known| known.alerts_by_default()),
            };
            // Of many of a kind the first is told, and how many there were.
            let told =
                |told: &Told| told.message["kind"] == name || told.message["disposition"] == name;
            if has_topic && alerts && !self.seen.told.iter().any(told) {
                missing.insert(format!(
                    "nobody was told of a callback to {} that was {name}",
                    route.name
                ));
            }
        }
        missing.into_iter().collect()
    }

    fn early(&self) -> Vec<String> {
        let mut early = Vec::new();
        let since = |at: i64| at - self.seen.started_at.0;
        let mut waits: HashMap<WaitId, (i64, i64, Option<u64>, Option<u64>)> = HashMap::new();
        let mut until: HashMap<FrameId, i64> = HashMap::new();
        for event in &self.seen.events {
            let at = event.at.0;
            match &event.kind {
                EventKind::TaskScheduled {
                    wait,
                    timeout_seconds,
                    heartbeat_seconds,
                    ..
                } => {
                    if let Some(until) = until.remove(&event.frame).filter(|until| at < *until) {
                        early.push(format!(
                            "a retry was made at {} ms and not at {} ms",
                            since(at),
                            since(until)
                        ));
                    }
                    waits.insert(*wait, (at, at, *timeout_seconds, *heartbeat_seconds));
                }
                EventKind::TaskHeartbeat { wait } | EventKind::TaskPickedUp { wait, .. } => {
                    if let Some(known) = waits.get_mut(wait) {
                        known.1 = at;
                    }
                }
                EventKind::TaskTimedOut { wait, heartbeat } => {
                    let Some((begun, seen, timeout, beat)) = waits.get(wait) else {
                        continue;
                    };
                    let (from, seconds) = match heartbeat {
                        true => (*seen, *beat),
                        false => (*begun, *timeout),
                    };
                    let due = seconds
                        .and_then(|seconds| from.checked_add_unsigned(seconds.checked_mul(1000)?));
                    if due.is_none_or(|due| at < due) {
                        early.push(format!(
                            "wait {} timed out early, at {} ms",
                            wait.0,
                            since(at)
                        ));
                    }
                }
                EventKind::RetryScheduled { until: then, .. }
                | EventKind::WaitStarted { until: then } => {
                    until.insert(event.frame, then.0);
                }
                // Who redrives does not wait for what was given up.
                EventKind::ExecutionRedriven { .. } => until.clear(),
                EventKind::StateExited { .. } => {
                    if let Some(until) = until.remove(&event.frame).filter(|until| at < *until) {
                        early.push(format!(
                            "a Wait was over at {} ms and not at {} ms",
                            since(at),
                            since(until)
                        ));
                    }
                }
                _ => {}
            }
        }
        early
    }
}

fn last_disposition(delivery: &serde_json::Value) -> Option<&str> {
    delivery["dispositions"].as_array()?.last()?["disposition"].as_str()
}
