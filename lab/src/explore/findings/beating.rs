//! Heartbeats that can't do what they are for.

use super::Evidence;
use crate::explore::finding::{Finding, Severity, span};
use crate::explore::row::{End, Row};
use crate::explore::site::{Kind, Site};
use crate::explore::way::Way;

/// All of them.
pub(super) fn heartbeats(evidence: &Evidence<'_>) -> Vec<Finding> {
    let mut found = Vec::new();
    for site in evidence.sites {
        let mut played = evidence.single();
        // What no case was played of nobody has asked about.
        let Some(row) = played.find(|row| row.case.fault().state == site.state) else {
            continue;
        };
        let case = row.case.to_string();
        match site.heartbeat {
            Some(heartbeat) => {
                let never = never_fires(evidence, site, heartbeat);
                if never.is_none() {
                    found.extend(not_sent(site, heartbeat, &case));
                }
                found.extend(never);
                found.extend(alone(evidence, site, &case));
            }
            None => found.extend(not_watched(site, &case)),
        }
    }
    found
}

/// Whatever ends the wait does so before a missing heartbeat counts.
fn never_fires(evidence: &Evidence<'_>, site: &Site, heartbeat: i64) -> Option<Finding> {
    let state = &site.state;
    let machines = evidence.model.timeout_seconds;
    let machines = machines.and_then(|seconds| i64::try_from(seconds).ok()?.checked_mul(1000));
    let fires_late = |row: &&Row| {
        let first = row
            .timeouts
            .iter()
            .find(|(timed_out, _)| timed_out == state);
        match first {
            Some((_, by_heartbeat)) => !by_heartbeat,
            None => {
                row.end == End::TimedOut && machines.is_some_and(|machines| machines <= heartbeat)
            }
        }
    };
    let stopped = |row: &&Row| {
        let fault = row.case.fault();
        fault.state == *state && fault.way == Way::HeartbeatsStop
    };
    let row = evidence.single().filter(stopped).find(fires_late)?;
    let whose = match row.end == End::TimedOut && row.timeouts.is_empty() {
        true => "the machine's",
        false => "its",
    };
    Some(Finding {
        severity: Severity::Warning,
        code: "heartbeat-never-fires",
        states: vec![state.clone()],
        what: format!(
            "{state} has HeartbeatSeconds, and {whose} TimeoutSeconds is over before a missing heartbeat counts"
        ),
        why: "Heartbeats that stop are noticed no earlier than without HeartbeatSeconds."
            .to_owned(),
        todo: "Make HeartbeatSeconds a fraction of TimeoutSeconds.".to_owned(),
        cases: vec![row.case.to_string()],
    })
}

/// Nobody can send any, so that what was meant for heartbeats is how long it may take.
fn not_sent(site: &Site, heartbeat: i64, case: &str) -> Option<Finding> {
    let why_not = match (site.kind, site.door()) {
        (Kind::Answer | Kind::Job, _) => {
            "its resource gets no token to send heartbeats with".to_owned()
        }
        (Kind::Callback, Some(door)) if !door.has_heartbeats() => {
            format!("route {} takes no heartbeats", door.route)
        }
        _ => return None,
    };
    let state = &site.state;
    Some(Finding {
        severity: Severity::Info,
        code: "heartbeat-not-sent",
        states: vec![state.clone()],
        what: format!("{state} has HeartbeatSeconds, and {why_not}"),
        why: format!(
            "It is given up after {} without an answer, as if that were its TimeoutSeconds.",
            span(heartbeat)
        ),
        todo: match site.door() {
            Some(door) => format!(
                "If the third party sends heartbeats, give route {} `heartbeat`; else remove HeartbeatSeconds.",
                door.route
            ),
            None => "Say TimeoutSeconds instead.".to_owned(),
        },
        cases: vec![case.to_owned()],
    })
}

/// As long as they come, nothing else ends the wait.
fn alone(evidence: &Evidence<'_>, site: &Site, case: &str) -> Option<Finding> {
    let bounded = site.timeout.is_some() || evidence.model.timeout_seconds.is_some();
    if bounded || !site.kind.waits_for_others() {
        return None;
    }
    let state = &site.state;
    Some(Finding {
        severity: Severity::Info,
        code: "heartbeats-alone",
        states: vec![state.clone()],
        what: format!(
            "{state} has HeartbeatSeconds and no TimeoutSeconds: as long as heartbeats come it is not given up"
        ),
        why: "A worker that hangs and whose heartbeats go on keeps the execution for ever."
            .to_owned(),
        todo: format!(
            "Give {state} TimeoutSeconds, too, if there is a longest time that it may take."
        ),
        cases: vec![case.to_owned()],
    })
}

/// They come, or somebody counts on them, and nobody looks.
fn not_watched(site: &Site, case: &str) -> Option<Finding> {
    if site.kind != Kind::Callback {
        return None;
    }
    let state = &site.state;
    let route = site.door().filter(|door| door.has_heartbeats());
    // Beside States.Timeout it says that both are meant, and does no harm.
    let mut catches = site.catches.iter();
    let catches = catches.any(|names| {
        let has = |wanted: &str| names.iter().any(|name| name == wanted);
        has("States.HeartbeatTimeout") && !has("States.Timeout")
    });
    let reason = match (route, catches) {
        (Some(door), true) => format!(
            "route {} takes heartbeats and a Catch is for States.HeartbeatTimeout",
            door.route
        ),
        (Some(door), false) => format!("route {} takes heartbeats", door.route),
        (None, true) => "a Catch is for States.HeartbeatTimeout".to_owned(),
        (None, false) => return None,
    };
    let noticed = match site.timeout {
        Some(timeout) => format!("only when TimeoutSeconds is over, after {}", span(timeout)),
        None => "never".to_owned(),
    };
    Some(Finding {
        severity: Severity::Info,
        code: "heartbeat-not-watched",
        states: vec![state.clone()],
        what: format!("{state} has no HeartbeatSeconds, though {reason}"),
        why: format!("That heartbeats stop is noticed {noticed}."),
        todo: format!("If the other side sends heartbeats, give {state} HeartbeatSeconds."),
        cases: vec![case.to_owned()],
    })
}
