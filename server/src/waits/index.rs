//! What a commit says of an execution's waits, for the store's index of them.
//!
//! Only waits that may take long are in it: for a callback, a worker, a job, a Map Run. A resource that was
//! called and answers has a timeout of its own.

use std::sync::Arc;

use asl::Timestamp;
use engine::{
    ClosedWait, Event, EventKind, Execution, Identity, Status, WaitId, WaitKind, Waiting,
};
use store::{OpenedWait, WaitChanges};

use super::policy::Silence;

/// Separates a machine's name from a state's; the first can't contain it.
const SEPARATOR: char = '/';

/// Silence is never odd at the moment of a heartbeat, whatever the policy says.
const LEAST_SILENCE_MILLIS: i64 = 1000;

/// Where an execution waits in a state, as the store's index has it.
pub fn place(identity: &Identity, state_name: &str) -> Arc<str> {
    let machine = machine_name(identity.defined_machine_arn());
    format!("{machine}{SEPARATOR}{state_name}").into()
}

/// The machine and the state of a [`place`].
pub fn machine_and_state(place: &str) -> (&str, &str) {
    place.split_once(SEPARATOR).unwrap_or((place, ""))
}

/// The name at the end of a state machine's ARN.
pub fn machine_name(arn: &str) -> &str {
    arn.rsplit(':').next().unwrap_or_default()
}

/// Whether a wait of this kind is in the index.
pub fn is_kept(kind: WaitKind) -> bool {
    kind != WaitKind::Answer
}

/// What `events`, which `execution` has just decided on, change; `ended` are the waits that they have ended.
pub fn changes(
    execution: &Execution,
    events: &[Event],
    ended: &[ClosedWait],
    silence: &Silence,
) -> WaitChanges {
    // With the execution all its waits are over, and the store knows that.
    if execution.status() != Status::Running {
        return WaitChanges::default();
    }
    let mut opened: Vec<OpenedWait> = Vec::new();
    for event in events {
        let Some((wait, is_new)) = touched(&event.kind) else {
            continue;
        };
        let Some(waiting) = execution.waiting(wait) else {
            continue;
        };
        // With a deadline for heartbeats there is nothing to wonder about.
        let said_before = !is_new && waiting.heartbeat_at.is_some() && !is_picked_up(&event.kind);
        if said_before || !is_kept(waiting.kind) || opened.iter().any(|known| known.wait == wait) {
            continue;
        }
        opened.push(OpenedWait {
            wait,
            since: waiting.opened_at,
            place: place(execution.identity(), &waiting.state_name),
            endless: waiting.is_endless(),
            quiet_at: quiet_at(&waiting, silence),
        });
    }
    let closed = ended.iter().filter(|ended| is_kept(ended.waiting.kind));
    WaitChanges {
        opened,
        closed: closed.map(|ended| ended.wait).collect(),
    }
}

/// The wait that an event opens, or says something new of.
fn touched(event: &EventKind) -> Option<(WaitId, bool)> {
    match event {
        EventKind::TaskScheduled { wait, .. }
        | EventKind::MapRunStarted { wait, .. }
        | EventKind::MapRunRedriven { wait, .. } => Some((*wait, true)),
        EventKind::TaskHeartbeat { wait } | EventKind::TaskPickedUp { wait, .. } => {
            Some((*wait, false))
        }
        _ => None,
    }
}

fn is_picked_up(event: &EventKind) -> bool {
    matches!(event, EventKind::TaskPickedUp { .. })
}

/// When the silence of a wait becomes odd: it has had heartbeats, though none were asked for.
pub fn quiet_at(waiting: &Waiting, silence: &Silence) -> Option<Timestamp> {
    if waiting.heartbeat_at.is_some() || silence.times == 0 {
        return None;
    }
    let beats = waiting.beats?;
    let usual = beats.usual_millis()?;
    let patience = usual.saturating_mul(i64::from(silence.times));
    let least = (i64::from(silence.seconds) * 1000).max(LEAST_SILENCE_MILLIS);
    Some(beats.last.plus_millis(patience.max(least)))
}
