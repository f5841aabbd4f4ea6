//! Failures that nobody hears of.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{Evidence, cases, named, states};
use crate::explore::finding::{Finding, Severity, listed, verb};
use crate::explore::row::{End, Row};
use crate::explore::site::Kind;
use crate::explore::way::{Attempts, Class, Way};
use crate::seen::Call;

/// Executions that end badly with nobody told: one finding for each class of failures.
pub(super) fn untold(evidence: &Evidence<'_>) -> Vec<Finding> {
    let mut by_class: BTreeMap<(Class, bool), Vec<&Row>> = BTreeMap::new();
    for row in evidence.plain() {
        let nobody = row.told.is_empty() && !evidence.is_handled(row);
        if row.end.is_bad() && nobody && !evidence.well(row).end.is_bad() {
            let timed_out = row.end == End::TimedOut;
            // A callback that is none leaves the wait as silence does.
            let class = match row.case.fault().way.class() {
                Class::Odd => Class::Silence,
                class => class,
            };
            by_class.entry((class, timed_out)).or_default().push(row);
        }
    }
    let mut found = Vec::new();
    for ((class, timed_out), rows) in by_class {
        let states = states(evidence, &rows);
        let (end, todo) = match timed_out {
            false => (
                "FAILED",
                "Catch it and publish to a topic on the way, or have status changes to FAILED told of ([[status_changes]], an EventBridge rule).",
            ),
            true => (
                "TIMED_OUT",
                "Have status changes to TIMED_OUT told of ([[status_changes]], an EventBridge rule): no Catch takes the machine's own TimeoutSeconds.",
            ),
        };
        let errors = errors(&rows);
        found.push(Finding {
            severity: Severity::Warning,
            code: "nobody-is-told",
            what: format!(
                "{}: {} ends the execution {end}{errors}, and nobody is told",
                listed(&states),
                named(class),
            ),
            why: "Whoever does not look at the list of executions does not know.".to_owned(),
            todo: todo.to_owned(),
            states,
            cases: cases(&rows),
        });
    }
    found
}

/// Tasks that tell of a failure, and that fail themselves.
pub(super) fn notifications(evidence: &Evidence<'_>) -> Option<Finding> {
    let silent = evidence.single().filter(|row| {
        let told = |row: &Row| !row.told.is_empty();
        row.case.lead > 0 && row.end.is_bad() && !told(row) && told(evidence.well(row))
    });
    let rows: Vec<&Row> = silent.collect();
    if rows.is_empty() {
        return None;
    }
    let states = states(evidence, &rows);
    Some(Finding {
        severity: Severity::Info,
        code: "notification-fails",
        what: format!(
            "{} {} of what went wrong; if {} too, nobody is told",
            listed(&states),
            verb(&states, "tells", "tell"),
            verb(&states, "it fails", "they fail")
        ),
        why: "What tells of failures fails when much else does, too.".to_owned(),
        todo: "Give it a Retry, and have status changes to FAILED told of by another way."
            .to_owned(),
        states,
        cases: cases(&rows),
    })
}

/// Messages that do not say which execution they are about.
pub(super) fn anonymous(evidence: &Evidence<'_>) -> Option<Finding> {
    let rows: Vec<(&Row, &str)> = evidence
        .plain()
        .filter_map(|row| Some((row, teller(evidence, row)?)))
        .collect();
    let mut states: Vec<String> = Vec::new();
    let mut shown: Vec<&Row> = Vec::new();
    for (row, state) in rows {
        if !states.iter().any(|known| known == state) {
            states.push(state.to_owned());
            shown.push(row);
        }
    }
    if states.is_empty() {
        return None;
    }
    Some(Finding {
        severity: Severity::Info,
        code: "notification-anonymous",
        what: format!(
            "What {} {} does not say which execution it is about",
            listed(&states),
            verb(&states, "tells", "tell")
        ),
        why: "Whoever reads it has to search for what failed.".to_owned(),
        todo: "Put $$.Execution.Id into it ($states.context.Execution.Id), or something of the input that names the work.".to_owned(),
        states,
        cases: cases(&shown),
    })
}

/// The task that tells of this failure without a word of what is this execution's own.
fn teller<'r>(evidence: &Evidence<'_>, row: &'r Row) -> Option<&'r str> {
    let course = &evidence.courses[row.case.course];
    let own: Vec<String> = std::iter::once(&course.input)
        .chain(course.script.results.values())
        .flat_map(leaves)
        .collect();
    let mut tellers = row
        .told
        .iter()
        .filter_map(|told| Some((told.at, told.by.as_deref()?)));
    tellers.find_map(|(at, state)| {
        let asked = |call: &&Call| call.state == state && call.at == at;
        let call = row.calls.iter().find(asked)?;
        let said = call.parameters.to_string();
        let name = call.execution_arn.rsplit(':').next().unwrap_or_default();
        let names = said.contains(&call.execution_arn)
            || leaves(&call.parameters).iter().any(|leaf| leaf == name)
            || own.iter().any(|own| said.contains(own));
        (!names).then_some(state)
    })
}

/// The texts and numbers of a document that are long enough to name something.
fn leaves(document: &Value) -> Vec<String> {
    match document {
        Value::String(text) if text.len() > 2 => vec![text.clone()],
        Value::Number(number) if number.to_string().len() > 2 => vec![number.to_string()],
        Value::Array(items) => items.iter().flat_map(leaves).collect(),
        Value::Object(members) => members.values().flat_map(leaves).collect(),
        _ => Vec::new(),
    }
}

/// Errors of the language itself: what handles a failure can't be evaluated.
const OWN_ERRORS: [&str; 5] = [
    "States.Runtime",
    "States.ParameterPathFailure",
    "States.ResultPathMatchFailure",
    "States.IntrinsicFailure",
    "States.QueryEvaluationError",
];

/// Handlers that fail themselves, and so hide what they are for.
pub(super) fn handlers(evidence: &Evidence<'_>) -> Vec<Finding> {
    let mut by_cause: BTreeMap<String, Vec<&Row>> = BTreeMap::new();
    for row in evidence.plain() {
        let error = row.error.as_deref().unwrap_or_default();
        let own = OWN_ERRORS.contains(&error) && row.case.fault().way.error() != Some(error);
        if own && row.end.is_bad() && !evidence.well(row).end.is_bad() && !row.catchers.is_empty() {
            let cause = row.cause.clone().unwrap_or_default();
            // Which state it is, without which event.
            let cause = cause
                .split(" (entered at")
                .next()
                .unwrap_or_default()
                .to_owned();
            by_cause.entry(cause).or_default().push(row);
        }
    }
    let each = by_cause.into_iter().map(|(place, rows)| {
        let first = rows[0];
        let cause = first.cause.as_deref().unwrap_or_default();
        let reason = cause.split_once("). ").map_or(cause, |(_, reason)| reason);
        let states = states(evidence, &rows);
        let handler = place.rsplit_once("state '").map(|(_, name)| name.trim_end_matches('\''));
        Finding {
            severity: Severity::Warning,
            code: "handler-fails",
            what: format!(
                "What handles a failure of {} fails itself with {}{}: {reason}",
                listed(&states),
                first.error.as_deref().unwrap_or_default(),
                handler.map_or_else(String::new, |name| format!(", in {name}")),
            ),
            why: "The execution ends with another error than the one that happened, and the handler's work is not done."
                .to_owned(),
            todo: "Look at what the handler reads. If it is only missing from a made-up input, give the --input.".to_owned(),
            states,
            cases: cases(&rows),
        }
    });
    each.collect()
}

/// ` with A, B`, the errors that executions ended with.
fn errors(rows: &[&Row]) -> String {
    let mut errors: Vec<&str> = Vec::new();
    for error in rows.iter().filter_map(|row| row.error.as_deref()) {
        if !errors.contains(&error) {
            errors.push(error);
        }
    }
    match errors.is_empty() {
        true => String::new(),
        false => format!(" with {}", listed(&errors)),
    }
}

/// Failures after which an execution SUCCEEDED, of which neither anybody was told nor anything is left.
pub(super) fn swallowed(evidence: &Evidence<'_>) -> Vec<Finding> {
    let mut by_state: BTreeMap<&str, Vec<&Row>> = BTreeMap::new();
    for row in evidence.plain() {
        let fault = row.case.fault();
        let failed = !matches!(fault.way.class(), Class::Odd | Class::Restart);
        // Tried again and well: what a Retry is for.
        let recovered = fault.attempts == Attempts::First;
        if row.end != End::Succeeded || !failed || recovered || !row.told.is_empty() {
            continue;
        }
        let well = evidence.well(row);
        if !says_that_it_failed(row, well) && !evidence.is_handled(row) && has_failed(row) {
            by_state.entry(&fault.state).or_default().push(row);
        }
    }
    let each = by_state.into_iter().map(|(state, rows)| Finding {
        severity: Severity::Warning,
        code: "error-swallowed",
        states: vec![state.to_owned()],
        what: format!(
            "{state} fails, and the execution ends SUCCEEDED: the error is not in its output, and nobody is told"
        ),
        why: "Work that was not done looks as if it had been.".to_owned(),
        todo: "Let the Catch keep the error (ResultPath, or $states.errorOutput), tell somebody, or end in a Fail state."
            .to_owned(),
        cases: cases(&rows),
    });
    each.collect()
}

/// Whether the output has the error in it, or words for a failure that are not in it when all goes well.
fn says_that_it_failed(row: &Row, well: &Row) -> bool {
    let text = |row: &Row| {
        let output = row.output.as_ref().map(ToString::to_string);
        output.unwrap_or_default().to_lowercase()
    };
    let (left, usual) = (text(row), text(well));
    let fault = row.case.fault();
    let named = fault.way.error().unwrap_or("States.Timeout").to_lowercase();
    let words = [
        "error",
        "fail",
        "timed out",
        "timeout",
        "reject",
        "cancel",
        "abort",
    ];
    left.contains(&named)
        || words
            .iter()
            .any(|word| left.matches(word).count() > usual.matches(word).count())
}

/// Whether the task failed for good.
fn has_failed(row: &Row) -> bool {
    row.failed_at.is_some()
}

/// Callbacks that came to nothing and of which nobody was told, and those that anybody may send.
pub(super) fn lost_callbacks(evidence: &Evidence<'_>) -> Vec<Finding> {
    const PLAIN: [&str; 5] = [
        "delivered",
        "delivered-as-failure",
        "started",
        "heartbeat",
        "early",
    ];
    let mut found = Vec::new();
    for site in evidence.sites {
        let Some(door) = site.door() else {
            continue;
        };
        let of_site = |row: &&Row| row.case.fault().state == site.state;
        let lost: Vec<&Row> = evidence
            .single()
            .filter(of_site)
            .filter(|row| {
                let odd = row
                    .dispositions
                    .iter()
                    .any(|name| !PLAIN.contains(&name.as_str()));
                odd && row.told.iter().all(|telling| telling.by.is_some())
            })
            .collect();
        if !lost.is_empty() {
            let kinds: Vec<String> = lost
                .iter()
                .map(|row| row.case.fault().way.to_string())
                .collect();
            found.push(Finding {
                severity: Severity::Warning,
                code: "callback-lost",
                states: vec![site.state.clone()],
                what: format!(
                    "Callbacks for {} that go wrong ({}) alert nobody",
                    site.state,
                    listed(&kinds)
                ),
                why: "The third party believes that it has answered.".to_owned(),
                todo: format!(
                    "Give route {} a `topic`, and `alerts` that have these in them.",
                    door.route
                ),
                cases: cases(&lost),
            });
        }
        let forged: Vec<&Row> = evidence
            .single()
            .filter(of_site)
            .filter(|row| {
                row.case.fault().way == Way::Forged
                    && row.dispositions.iter().any(|name| name == "delivered")
            })
            .collect();
        if !forged.is_empty() {
            found.push(Finding {
                severity: Severity::Warning,
                code: "callback-not-verified",
                states: vec![site.state.clone()],
                what: format!("Anybody who knows a reference can answer {}", site.state),
                why: format!("Route {} does not ask who calls back.", door.route),
                todo: format!("Give route {} a `verify`.", door.route),
                cases: cases(&forged),
            });
        }
    }
    found
}

/// Answers that come too late and that only their sender hears of.
pub(super) fn late_answers(evidence: &Evidence<'_>) -> Option<Finding> {
    let rows: Vec<&Row> = evidence
        .single()
        .filter(|row| {
            let fault = row.case.fault();
            let by_token = evidence
                .site(&fault.state)
                .is_some_and(|site| site.kind == Kind::Callback && site.door().is_none());
            let refused = row
                .answers
                .iter()
                .any(|(_, what, status)| what.starts_with("SendTask") && *status >= 400);
            fault.way == Way::Late && by_token && refused
        })
        .collect();
    if rows.is_empty() {
        return None;
    }
    let states = states(evidence, &rows);
    Some(Finding {
        severity: Severity::Info,
        code: "late-answer-refused",
        what: format!("An answer to {} that comes too late is refused, and only its sender hears that", listed(&states)),
        why: "SendTaskSuccess fails with TaskTimedOut; a sender that does not look has lost the work.".to_owned(),
        todo: "Have senders alert on TaskTimedOut, or take callbacks in through a route, which keeps and tells of late ones."
            .to_owned(),
        states,
        cases: cases(&rows),
    })
}
