//! The promises, checked against what was seen.
//!
//! | name | what holds |
//! | --- | --- |
//! | `one-completion-per-wait` | a wait ends once, whoever competes for it |
//! | `no-acknowledged-callback-lost` | what was answered 2xx is in the inbox, and every success that was acknowledged as the result has ended a wait |
//! | `every-non-delivery-alerted` | a topic hears of each kind of callback that came to nothing and that its route alerts of |
//! | `nothing-before-its-time` | no timeout, retry or Wait is over early |

use std::collections::{BTreeMap, BTreeSet, HashMap};

use engine::{EventKind, FrameId, WaitId};

use crate::explore::site::{Kind, Site};
use crate::seen::Seen;
use crate::world::Settings;

/// A promise that does not hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// Which.
    pub invariant: &'static str,
    /// What shows it.
    pub what: String,
}

/// One run's books.
pub struct Books<'b> {
    seen: &'b Seen,
    sites: &'b [Site],
    settings: &'b Settings,
}

impl<'b> Books<'b> {
    /// Of what was seen.
    pub fn of(seen: &'b Seen, sites: &'b [Site], settings: &'b Settings) -> Books<'b> {
        Books {
            seen,
            sites,
            settings,
        }
    }

    /// The promises that do not hold.
    pub fn violations(&self) -> Vec<Violation> {
        let mut found = Vec::new();
        let mut say = |invariant: &'static str, what: Vec<String>| {
            found.extend(what.into_iter().map(|what| Violation { invariant, what }));
        };
        say("one-completion-per-wait", self.completed_twice());
        say("no-acknowledged-callback-lost", self.lost());
        say("every-non-delivery-alerted", self.not_alerted());
        say("nothing-before-its-time", self.early());
        found
    }

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
        let acknowledged = self.seen.deeds.iter().filter(|deed| {
            deed.what.contains("callback to ") && (200..300).contains(&deed.answer.0)
        });
        let acknowledged = acknowledged.count();
        let kept = self.seen.deliveries.len();
        if acknowledged > kept {
            lost.push(format!(
                "{acknowledged} callbacks were acknowledged and {kept} are in the inbox"
            ));
        }
        let by_route = self
            .last_dispositions()
            .filter(|name| *name == "delivered")
            .count();
        let by_token = self
            .seen
            .deeds
            .iter()
            .filter(|deed| deed.what.starts_with("SendTaskSuccess") && deed.answer.0 == 200);
        let successes = by_route + by_token.count();
        let results = self.results();
        if successes != results {
            lost.push(format!("{successes} successes were acknowledged as the result, and {results} waits for a callback ended with one"));
        }
        lost
    }

    /// How many waits for a token ended well.
    fn results(&self) -> usize {
        let callbacks: BTreeSet<&str> = self
            .sites
            .iter()
            .filter(|site| site.kind == Kind::Callback)
            .map(|site| &*site.state)
            .collect();
        let mut states: HashMap<FrameId, &str> = HashMap::new();
        let mut results = 0;
        for event in &self.seen.events {
            match &event.kind {
                EventKind::StateEntered { name, .. } => {
                    states.insert(event.frame, name);
                }
                EventKind::TaskSucceeded { .. } => {
                    let state = states.get(&event.frame);
                    results += usize::from(state.is_some_and(|state| callbacks.contains(state)));
                }
                _ => {}
            }
        }
        results
    }

    fn last_dispositions(&self) -> impl Iterator<Item = &str> {
        let all = self.seen.deliveries.iter();
        all.filter_map(|delivery| {
            delivery["dispositions"].as_array()?.last()?["disposition"].as_str()
        })
    }

    fn not_alerted(&self) -> Vec<String> {
        let mut missing = BTreeSet::new();
        for delivery in &self.seen.deliveries {
            let last = delivery["dispositions"]
                .as_array()
                .and_then(|steps| steps.last());
            let Some(name) = last.and_then(|step| step["disposition"].as_str()) else {
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
            let told = |told: &crate::seen::Told| {
                told.message["kind"] == name || told.message["disposition"] == name
            };
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
