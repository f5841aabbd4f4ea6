//! What waits for ever, or for longer than anybody means.

use super::{Evidence, cases, states};
use crate::explore::finding::{Finding, Severity, listed, span};
use crate::explore::row::{End, Row};
use crate::explore::site::Kind;
use crate::explore::way::{Class, Way};

/// An execution of AWS lives no longer, so that no timeout of this length ever comes.
const YEAR: i64 = 365 * 86_400_000;

/// Waits that nothing ends but an answer.
pub(super) fn for_ever(evidence: &Evidence<'_>) -> Vec<Finding> {
    let waits = |row: &&Row| matches!(row.end, End::Waits(_));
    let mut found = Vec::new();
    let mut patient: Vec<&Row> = Vec::new();
    for site in evidence.sites {
        let rows: Vec<&Row> = evidence
            .single()
            .filter(waits)
            .filter(|row| row.case.fault().state == site.state)
            .collect();
        if rows.is_empty() {
            continue;
        }
        if site.kind == Kind::Answer {
            patient.extend(rows);
            continue;
        }
        let (whom, severity) = match site.kind {
            Kind::Callback => ("for its callback", Severity::Error),
            Kind::Activity => ("for a worker", Severity::Error),
            _ => ("for the end of its job", Severity::Warning),
        };
        let state = &site.state;
        found.push(Finding {
            severity,
            code: "waits-for-ever",
            states: vec![state.clone()],
            what: format!("{state} waits {whom} for ever: nothing ends the wait but an answer"),
            why: "The execution is neither done nor failed, and nobody hears of it; on AWS it hangs until it is a year old."
                .to_owned(),
            todo: format!("Give {state} TimeoutSeconds, and catch States.Timeout."),
            cases: cases(&rows),
        });
    }
    if !patient.is_empty() {
        let states = states(evidence, &patient);
        found.push(Finding {
            severity: Severity::Info,
            code: "no-timeout",
            what: format!(
                "{} {} no TimeoutSeconds: a resource that does not answer is waited for as long as it takes",
                listed(&states),
                if states.len() == 1 { "has" } else { "have" }
            ),
            why: "A Lambda function ends after 15 minutes at most; other services may take longer than anybody wants to wait."
                .to_owned(),
            todo: "Give TimeoutSeconds where the time matters.".to_owned(),
            states,
            cases: cases(&patient),
        });
    }
    found
}

/// Timeouts that come too late for anybody.
pub(super) fn too_long(evidence: &Evidence<'_>) -> Vec<Finding> {
    let silent = evidence
        .single()
        .filter(|row| row.case.fault().way.class() == Class::Silence);
    let long = silent.filter(|row| row.after > YEAR && !matches!(row.end, End::Waits(_)));
    long.map(|row| {
        let state = &row.case.fault().state;
        Finding {
            severity: Severity::Error,
            code: "waits-too-long",
            states: vec![state.clone()],
            what: format!("{state} is given up only after {}", span(row.after)),
            why: "No execution on AWS lives for more than a year, so that this timeout never comes and no Catch ever takes it."
                .to_owned(),
            todo: format!("Give {state} a TimeoutSeconds that somebody would wait for."),
            cases: vec![row.case.to_string()],
        }
    })
    .collect()
}

/// Heartbeats that can't do what they are for.
pub(super) fn heartbeats(evidence: &Evidence<'_>) -> Vec<Finding> {
    let mut found = Vec::new();
    for row in evidence.single() {
        let fault = row.case.fault();
        let first = row.timeouts.iter().find(|(state, _)| *state == fault.state);
        if fault.way == Way::HeartbeatsStop && matches!(first, Some((_, false))) {
            let state = &fault.state;
            found.push(Finding {
                severity: Severity::Warning,
                code: "heartbeat-never-fires",
                states: vec![state.clone()],
                what: format!("{state} has HeartbeatSeconds, and its TimeoutSeconds is over before a missing heartbeat counts"),
                why: "Heartbeats that stop are noticed no earlier than without HeartbeatSeconds.".to_owned(),
                todo: "Make HeartbeatSeconds a fraction of TimeoutSeconds.".to_owned(),
                cases: vec![row.case.to_string()],
            });
        }
    }
    for site in evidence
        .sites
        .iter()
        .filter(|site| site.heartbeat.is_some())
    {
        let bounded = site.timeout.is_some() || evidence.model.timeout_seconds.is_some();
        let played = evidence
            .single()
            .find(|row| row.case.fault().state == site.state);
        if let (false, true, Some(row)) = (bounded, site.kind.waits_for_others(), played) {
            let state = &site.state;
            found.push(Finding {
                severity: Severity::Info,
                code: "heartbeats-alone",
                states: vec![state.clone()],
                what: format!("{state} has HeartbeatSeconds and no TimeoutSeconds: as long as heartbeats come it is not given up"),
                why: "A worker that hangs and whose heartbeats go on keeps the execution for ever.".to_owned(),
                todo: format!("Give {state} TimeoutSeconds, too, if there is a longest time that it may take."),
                cases: vec![row.case.to_string()],
            });
        }
    }
    for site in evidence.sites {
        let played = evidence
            .single()
            .find(|row| row.case.fault().state == site.state);
        let (None, Some(row), Kind::Callback) = (site.heartbeat, played, site.kind) else {
            continue;
        };
        let state = &site.state;
        let route = site.door().filter(|door| door.has_heartbeats());
        let catches = site
            .catches
            .iter()
            .flatten()
            .any(|name| name == "States.HeartbeatTimeout");
        let reason = match (route, catches) {
            (Some(door), true) => format!(
                "route {} takes heartbeats and a Catch is for States.HeartbeatTimeout",
                door.route
            ),
            (Some(door), false) => format!("route {} takes heartbeats", door.route),
            (None, true) => "a Catch is for States.HeartbeatTimeout".to_owned(),
            (None, false) => continue,
        };
        let noticed = match site.timeout {
            Some(timeout) => format!("only when TimeoutSeconds is over, after {}", span(timeout)),
            None => "never".to_owned(),
        };
        found.push(Finding {
            severity: Severity::Info,
            code: "heartbeat-not-watched",
            states: vec![state.clone()],
            what: format!("{state} has no HeartbeatSeconds, though {reason}"),
            why: format!("That heartbeats stop is noticed {noticed}."),
            todo: format!("If the other side sends heartbeats, give {state} HeartbeatSeconds."),
            cases: vec![row.case.to_string()],
        });
    }
    found
}
