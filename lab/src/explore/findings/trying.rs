//! Retries without end, work that is done twice, and what a restart changes.

use super::{Evidence, cases, states};
use crate::explore::finding::{Finding, Severity, listed, span, verb};
use crate::explore::row::{End, Row};
use crate::explore::way::{Attempts, Class, Way};

/// How often a task is tried before it is a storm.
const ATTEMPTS_MAX: u32 = 10;
/// For how long.
const RETRYING_MAX: i64 = 3_600_000;

/// Retries that go on for too long or too often.
pub(super) fn storms(evidence: &Evidence<'_>) -> Vec<Finding> {
    let mut found: Vec<Finding> = Vec::new();
    for row in evidence.single() {
        let state = &row.case.fault().state;
        let attempts = row.calls.iter().filter(|call| call.state == *state).count();
        let attempts = u32::try_from(attempts)
            .unwrap_or(u32::MAX)
            .min(row.retries + 1);
        // Silence takes time of its own, which is no fault of Retry.
        let fails = matches!(row.case.fault().way.class(), Class::Error | Class::Failed);
        let long = fails && row.retried_for > RETRYING_MAX;
        let recovers = row.case.fault().attempts == Attempts::First;
        if row.retries == 0 || recovers || (attempts <= ATTEMPTS_MAX && !long) {
            continue;
        }
        let case = row.case.to_string();
        if let Some(known) = found.iter_mut().find(|known| known.states[0] == *state) {
            known.cases.push(case);
            continue;
        }
        let over = span(row.retried_for);
        found.push(Finding {
            severity: Severity::Warning,
            code: "retry-storm",
            states: vec![state.clone()],
            what: match is_without_end(row) {
                true => format!("{state} is tried again and again: {attempts} times over {over} here, and no end in sight"),
                false => format!("{state} is tried {attempts} times over {over} before it is given up"),
            },
            why:
                "Nobody hears of the failure until then, and what is down is asked again and again."
                    .to_owned(),
            todo: "Lower MaxAttempts, or set MaxDelaySeconds and a timeout of the machine."
                .to_owned(),
            cases: vec![case],
        });
    }
    found
}

/// Whether the case was cut off.
fn is_without_end(row: &Row) -> bool {
    matches!(row.end, End::NoEnd | End::Runs)
}

/// What AWS says happens to every function now and then.
const PASSING: &str = "Lambda.ServiceException";

/// Functions that are not asked again after an error that passes.
pub(super) fn not_retried(evidence: &Evidence<'_>) -> Option<Finding> {
    let rows: Vec<&Row> = evidence
        .single()
        .filter(|row| {
            let fault = row.case.fault();
            fault.way == Way::Error(PASSING.to_owned())
                && fault.attempts == Attempts::Every
                && row.end.is_bad()
                && row.retries == 0
                && row.catchers.is_empty()
        })
        .collect();
    if rows.is_empty() {
        return None;
    }
    let states = states(evidence, &rows);
    Some(Finding {
        severity: Severity::Info,
        code: "passing-error-not-retried",
        what: format!(
            "{} {} neither tried again nor caught after {PASSING} and its like",
            listed(&states),
            verb(&states, "is", "are")
        ),
        why: "Invoking a function fails now and then with nothing wrong with it; AWS says to retry these errors.".to_owned(),
        todo: "Retry Lambda.ClientExecutionTimeoutException, Lambda.ServiceException, Lambda.AWSLambdaException and Lambda.SdkClientException."
            .to_owned(),
        states,
        cases: cases(&rows),
    })
}

/// Failures after which an execution goes round and round.
pub(super) fn without_end(evidence: &Evidence<'_>) -> Option<Finding> {
    let well = |row: &Row| evidence.well(row).end != End::NoEnd;
    let rows: Vec<&Row> = evidence
        .single()
        // What Retry alone does is a storm.
        .filter(|row| is_without_end(row) && row.retries <= ATTEMPTS_MAX && well(row))
        .collect();
    if rows.is_empty() {
        return None;
    }
    let states = states(evidence, &rows);
    Some(Finding {
        severity: Severity::Warning,
        code: "no-end",
        what: format!(
            "{} {}, and the execution goes on and on",
            listed(&states),
            verb(&states, "fails", "fail")
        ),
        why: "It was stopped here after hundreds of tasks; on AWS its history is full after 25,000 events.".to_owned(),
        todo: "Count the rounds, or give the machine TimeoutSeconds.".to_owned(),
        states,
        cases: cases(&rows),
    })
}

/// A restart must change nothing. If it does, the fault is Rejoin's.
pub(super) fn restarts(evidence: &Evidence<'_>) -> Vec<Finding> {
    let restarted = evidence
        .single()
        .filter(|row| row.case.fault().way.class() == Class::Restart);
    let differs = restarted.filter(|row| {
        let well = evidence.well(row);
        // A task that is asked again takes its time again; nothing else may take longer.
        let in_time = row.case.fault().way == Way::RestartAsked || row.after == well.after;
        let same = row.end == well.end && row.error == well.error && in_time;
        !same && !matches!(row.end, End::NotPlayed(_))
    });
    differs
        .map(|row| {
            let well = evidence.well(row);
            let fault = row.case.fault();
            Finding {
                severity: Severity::Error,
                code: "restart-differs",
                states: vec![fault.state.clone()],
                what: format!(
                    "After a restart in {} the execution ends {} after {} and not {} after {}",
                    fault.state,
                    row.end.name(),
                    span(row.after),
                    well.end.name(),
                    span(well.after)
                ),
                why: "Rejoin promises that a restart changes nothing.".to_owned(),
                todo: "Report it, with the definition and this case.".to_owned(),
                cases: vec![row.case.to_string()],
            }
        })
        .collect()
}

/// Tasks whose work may be done twice.
pub(super) fn asked_again(evidence: &Evidence<'_>) -> Option<Finding> {
    let rows: Vec<&Row> = evidence
        .single()
        .filter(|row| {
            row.asked_again()
                .any(|state| state == row.case.fault().state)
        })
        .collect();
    if rows.is_empty() {
        return None;
    }
    let states = states(evidence, &rows);
    Some(Finding {
        severity: Severity::Info,
        code: "asked-again",
        what: format!(
            "{} {} asked again if the server ends before the answer is there",
            listed(&states),
            verb(&states, "is", "are")
        ),
        why: "Tasks are dispatched at least once, so that none is lost; what they do may be done twice.".to_owned(),
        todo: "Let the other side know a repeat by the execution and the state, or do no harm with it.".to_owned(),
        states,
        cases: cases(&rows),
    })
}
