//! A wait (a task's, or a Map Run's), described for people: while it is open, and after it is over.

use std::sync::Arc;

use asl::Timestamp;

use crate::command::WaitEnd;
use crate::event::{Event, EventKind, is_activity};
use crate::identity::WaitId;

/// A wait, described for people.
#[derive(Debug, Clone, PartialEq)]
pub struct OpenWait {
    /// The Task state.
    pub state_name: Arc<str>,
    /// When the task was scheduled.
    pub opened_at: Timestamp,
    /// When `TimeoutSeconds` will have passed.
    pub timeout_at: Option<Timestamp>,
    /// When `HeartbeatSeconds` will have passed without another heartbeat.
    pub heartbeat_at: Option<Timestamp>,
}

/// A wait that is over, read off an execution's events.
#[derive(Debug, Clone, PartialEq)]
pub struct EndedWait {
    /// As it was while it was open.
    pub wait: OpenWait,
    /// When it ended.
    pub ended_at: Timestamp,
    /// What ended it.
    pub end: WaitEnd,
    /// Whether the same state is tried again, or was: another attempt takes this wait's place.
    pub superseded: bool,
}

/// What became of `wait`, if it ever was and is over.
pub fn wait_end(events: &[Event], wait: WaitId) -> Option<EndedWait> {
    let scheduled = events.iter().position(|event| match &event.kind {
        EventKind::TaskScheduled { wait: its, .. }
        | EventKind::MapRunStarted { wait: its, .. }
        | EventKind::MapRunRedriven { wait: its, .. } => *its == wait,
        _ => false,
    })?;
    let frame = events[scheduled].frame;
    let mut open = opened(events, scheduled)?;
    let mut ended = None;
    for event in &events[scheduled + 1..] {
        if event.frame != frame {
            continue;
        }
        if ended.is_some() {
            // Either the state is tried again, or it was left and no attempt follows.
            let superseded = matches!(event.kind, EventKind::RetryScheduled { .. });
            return finish(open, ended, superseded);
        }
        let heartbeat_seconds = heartbeat_seconds(&events[scheduled]);
        let end = match &event.kind {
            EventKind::TaskHeartbeat { .. } | EventKind::TaskPickedUp { .. } => {
                open.heartbeat_at = heartbeat_seconds.map(|seconds| event.at.plus_seconds(seconds));
                continue;
            }
            EventKind::TaskSucceeded { output, .. } | EventKind::MapRunSucceeded { output, .. } => {
                WaitEnd::Succeeded {
                    output: output.clone(),
                }
            }
            EventKind::TaskFailed { failure, .. } | EventKind::MapRunFailed { failure, .. } => {
                WaitEnd::Failed {
                    failure: failure.clone(),
                }
            }
            EventKind::TaskTimedOut {
                heartbeat: false, ..
            } => WaitEnd::TimedOut,
            EventKind::TaskTimedOut {
                heartbeat: true, ..
            } => WaitEnd::HeartbeatTimedOut,
            EventKind::WaitAborted { .. } => WaitEnd::Aborted,
            _ => continue,
        };
        ended = Some((event.at, end));
    }
    finish(open, ended, false)
}

fn finish(
    wait: OpenWait,
    ended: Option<(Timestamp, WaitEnd)>,
    superseded: bool,
) -> Option<EndedWait> {
    let (ended_at, end) = ended?;
    Some(EndedWait {
        wait,
        ended_at,
        end,
        superseded,
    })
}

/// The wait as its scheduling opened it.
fn opened(events: &[Event], scheduled: usize) -> Option<OpenWait> {
    let event = &events[scheduled];
    let state_name = events[..scheduled]
        .iter()
        .rev()
        .find_map(|earlier| match &earlier.kind {
            EventKind::StateEntered { name, .. } if earlier.frame == event.frame => {
                Some(name.clone())
            }
            _ => None,
        })?;
    let EventKind::TaskScheduled {
        timeout_seconds,
        heartbeat_seconds,
        resource,
        ..
    } = &event.kind
    else {
        return Some(OpenWait {
            state_name,
            opened_at: event.at,
            timeout_at: None,
            heartbeat_at: None,
        });
    };
    Some(OpenWait {
        state_name,
        opened_at: event.at,
        timeout_at: timeout_seconds.map(|seconds| after_seconds(event.at, seconds)),
        heartbeat_at: heartbeat_seconds
            .filter(|_| !is_activity(resource))
            .map(|seconds| after_seconds(event.at, seconds)),
    })
}

fn heartbeat_seconds(scheduled: &Event) -> Option<i64> {
    match &scheduled.kind {
        EventKind::TaskScheduled {
            heartbeat_seconds, ..
        } => heartbeat_seconds.map(|seconds| seconds.min(i64::MAX as u64) as i64),
        _ => None,
    }
}

/// An instant and a number of seconds from a definition; saturates at the end of time.
pub(crate) fn after_seconds(at: Timestamp, seconds: u64) -> Timestamp {
    at.plus_seconds(seconds.min(i64::MAX as u64) as i64)
}
