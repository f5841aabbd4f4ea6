//! What waits for ever, or for longer than anybody means.

use super::{Evidence, cases, states};
use crate::explore::finding::{Finding, Severity, listed, span};
use crate::explore::row::{End, Row};
use crate::explore::site::Kind;
use crate::explore::way::Class;

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
