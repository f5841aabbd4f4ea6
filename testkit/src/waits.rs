//! Waits as scripts and outlines name them.

use std::collections::HashMap;
use std::sync::Arc;

use engine::{EndedWait, Event, EventKind, Execution, WaitEnd, WaitId};

use crate::script::WaitName;

/// A wait that a script names.
#[derive(Debug, Clone)]
pub struct NamedWait {
    /// Its number.
    pub wait: WaitId,
    /// Who was asked: the `Resource` as written, or the Map Run.
    pub resource: Arc<str>,
}

/// The wait behind a script's name, of an execution all of whose events are `events`.
///
/// # Errors
/// A sentence, if there is none.
pub fn find(events: &[Event], execution: &Execution, name: &WaitName) -> Result<NamedWait, String> {
    let mut waits = Vec::new();
    let mut states = HashMap::new();
    for event in events {
        match &event.kind {
            EventKind::StateEntered { name, .. } => {
                states.insert(event.frame, name.clone());
            }
            EventKind::TaskScheduled { wait, resource, .. }
                if *states[&event.frame] == *name.state =>
            {
                waits.push(NamedWait {
                    wait: *wait,
                    resource: resource.clone(),
                });
            }
            EventKind::MapRunStarted { wait, run } if *states[&event.frame] == *name.state => {
                waits.push(NamedWait {
                    wait: *wait,
                    resource: run.arn.clone(),
                });
            }
            EventKind::MapRunRedriven { wait, arn, .. } if *states[&event.frame] == *name.state => {
                waits.push(NamedWait {
                    wait: *wait,
                    resource: arn.clone(),
                });
            }
            _ => {}
        }
    }
    let open = waits
        .iter()
        .find(|named| execution.open_wait(named.wait).is_some());
    let found = match name.number {
        Some(number) => waits.get(number - 1),
        None => open.or(waits.last()),
    };
    found
        .cloned()
        .ok_or_else(|| format!("'{}' has had no such wait", name.state))
}

/// How a wait ended, in a script's words.
pub fn ending(ended: &EndedWait) -> String {
    let mut words = match ended.end {
        WaitEnd::Succeeded { .. } => "succeeded",
        WaitEnd::Failed { .. } => "failed",
        WaitEnd::TimedOut => "timed out",
        WaitEnd::HeartbeatTimedOut => "heartbeat timed out",
        WaitEnd::Aborted => "aborted",
    }
    .to_owned();
    if ended.superseded {
        words.push_str(", superseded");
    }
    words
}

/// An outline with each task token shown by the number of its wait; `token` gives a wait's token.
pub fn name_tokens(
    mut outline: String,
    events: &[Event],
    token: impl Fn(WaitId) -> String,
) -> String {
    for event in events {
        if let EventKind::TaskScheduled { wait, .. } = &event.kind {
            outline = outline.replace(&token(*wait), &format!("TOKEN-{}", wait.0));
        }
    }
    outline
}
