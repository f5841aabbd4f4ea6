//! What a row says of an execution, read off its events.

use std::collections::BTreeMap;

use asl::{StateKind, StateMachine};
use engine::{Event, EventKind, FrameId};

use super::{Row, begins};
use crate::seen::Seen;

/// Walks over the events, those of a Map Run's children too; gives the time of the last one.
pub(super) fn read(seen: &Seen, machine: &StateMachine, row: &mut Row) -> i64 {
    let mut last = 0;
    for (index, events) in seen.runs().enumerate() {
        let told_before = row.story.len();
        last = last.max(read_run(events, seen.started_at.0, machine, row));
        if index > 0 {
            for (_, what) in &mut row.story[told_before..] {
                *what = format!("child {index}: {what}");
            }
        }
    }
    // Children have gone on at the same time.
    row.story.sort_by_key(|(at, _)| *at);
    let restarted = seen
        .deeds
        .iter()
        .find(|deed| deed.what.starts_with("the server is killed"));
    if let (None, Some(restarted)) = (row.failed_at, restarted) {
        row.failed_at = Some(restarted.at);
    }
    last
}

/// One execution, or one child.
fn read_run(events: &[Event], started_at: i64, machine: &StateMachine, row: &mut Row) -> i64 {
    let mut places: BTreeMap<FrameId, String> = BTreeMap::new();
    // What a frame's state has failed with, if nothing came of it yet.
    let mut raised: BTreeMap<FrameId, (String, bool)> = BTreeMap::new();
    let mut last = 0;
    for event in events {
        let at = event.at.0 - started_at;
        last = last.max(at);
        let place = places.get(&event.frame).cloned().unwrap_or_default();
        let failed = |row: &mut Row| {
            row.failed_at = Some(row.failed_at.map_or(at, |first| first.min(at)));
        };
        match &event.kind {
            EventKind::StateEntered { name, .. } => {
                if let Some(from) = places.get(&event.frame)
                    && let Some(failure) = raised.remove(&event.frame)
                {
                    let from = from.clone();
                    note_catcher(machine, row, &from, name, &failure);
                }
                places.insert(event.frame, name.to_string());
                row.states.insert(name.to_string());
                row.story.push((at, begins(name)));
            }
            EventKind::TaskScheduled {
                timeout_seconds,
                heartbeat_seconds,
                ..
            } => {
                let millis = |seconds: &Option<u64>| {
                    seconds.and_then(|seconds| i64::try_from(seconds).ok()?.checked_mul(1000))
                };
                let deadlines = (millis(timeout_seconds), millis(heartbeat_seconds));
                row.deadlines.insert(place, deadlines);
            }
            EventKind::TaskFailed { failure, .. } => {
                failed(row);
                let error = failure.error.as_deref().unwrap_or_default().to_owned();
                row.story.push((at, format!("{place} fails with {error}")));
                raised.insert(event.frame, (error, false));
            }
            EventKind::TaskTimedOut { heartbeat, .. } => {
                failed(row);
                let how = if *heartbeat {
                    "no heartbeat came"
                } else {
                    "no answer came in time"
                };
                row.story.push((at, format!("{place}: {how}")));
                row.timeouts.push((place, *heartbeat));
                raised.insert(event.frame, ("States.Timeout".to_owned(), *heartbeat));
            }
            EventKind::EvaluationFailed { failure, .. } => {
                failed(row);
                let error = failure.error.as_deref().unwrap_or_default().to_owned();
                raised.insert(event.frame, (error, false));
            }
            EventKind::ChildrenFailed | EventKind::MapRunFailed { .. } => {
                failed(row);
                raised.insert(event.frame, (String::new(), false));
            }
            EventKind::WaitStarted { until } => {
                row.pause(place, false, at, until.0 - started_at);
            }
            EventKind::RetryScheduled { retrier, until } => {
                row.pause(place.clone(), true, at, until.0 - started_at);
                raised.remove(&event.frame);
                row.retries += 1;
                let since = row.failed_at.unwrap_or(at);
                row.retried_for = until.0 - started_at - since;
                row.retriers.insert((place.clone(), usize::from(*retrier)));
                let wait = (until.0 - event.at.0) / 1000;
                row.story
                    .push((at, format!("{place} is tried again after {wait} s")));
            }
            kind => {
                if let Some(what) = ending(kind) {
                    if !matches!(kind, EventKind::ExecutionSucceeded) {
                        failed(row);
                    }
                    row.story.push((at, what));
                }
            }
        }
    }
    last
}

fn ending(kind: &EventKind) -> Option<String> {
    Some(match kind {
        EventKind::ExecutionSucceeded => "the execution SUCCEEDED".to_owned(),
        EventKind::ExecutionFailed { failure } => format!(
            "the execution FAILED with {}: {}",
            failure.error.as_deref().unwrap_or("no error"),
            failure.cause.as_deref().unwrap_or("no cause")
        ),
        EventKind::ExecutionTimedOut => "the execution TIMED_OUT".to_owned(),
        EventKind::ExecutionAborted { .. } => "the execution was ABORTED".to_owned(),
        _ => return None,
    })
}

/// Which Catch has led from a state to another.
fn note_catcher(
    machine: &StateMachine,
    row: &mut Row,
    from: &str,
    to: &str,
    (error, heartbeat): &(String, bool),
) {
    let Some(id) = machine.find(from) else {
        return;
    };
    let recovery = match &machine.state(id).kind {
        StateKind::Task(task) => &task.recovery,
        StateKind::Parallel(parallel) => &parallel.recovery,
        StateKind::Map(map) => &map.recovery,
        _ => return,
    };
    let names = |names: &[std::sync::Arc<str>]| {
        names.iter().any(|name| match &**name {
            "States.ALL" => true,
            "States.TaskFailed" => error != "States.Timeout",
            "States.HeartbeatTimeout" => *heartbeat,
            name => name == error,
        })
    };
    let leads = |next| &*machine.state(next).name == to;
    let mut catchers = recovery.catchers.iter();
    // Of Parallel and Map it is not known here which error it was.
    let found = catchers.position(|c| leads(c.next) && (error.is_empty() || names(&c.errors)));
    if let Some(index) = found {
        row.catchers.insert((from.to_owned(), index));
    }
}
