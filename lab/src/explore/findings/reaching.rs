//! What no case has come to, and what `asl` says of the definition.

use std::collections::BTreeSet;
use std::sync::Arc;

use asl::{Recovery, StateKind};

use super::Evidence;
use crate::explore::course;
use crate::explore::errors::is_the_engines_own;
use crate::explore::finding::{Finding, Severity, listed};
use crate::explore::row::Row;

/// That no course ends well, so that not much of the machine was explored.
pub(super) fn ends_badly(evidence: &Evidence<'_>) -> Option<Finding> {
    let how = course::ends_badly(evidence.courses)?;
    let (what, todo) = how.split_once("; ").unwrap_or((&how, ""));
    let last = evidence.courses.first()?.well.states.last();
    Some(Finding {
        severity: Severity::Warning,
        code: "ends-badly",
        states: last.cloned().into_iter().collect(),
        what: what.to_owned(),
        why: "What comes after that was not explored.".to_owned(),
        todo: format!("If it should not, {todo}."),
        cases: Vec::new(),
    })
}

/// Entries of Retry and Catch, and states, that were not reached.
pub(super) fn unreached(evidence: &Evidence<'_>) -> Vec<Finding> {
    if !evidence.is_whole {
        return Vec::new();
    }
    let all = || {
        evidence
            .rows
            .iter()
            .chain(evidence.courses.iter().map(|course| &course.well))
    };
    let reached: BTreeSet<&str> = all()
        .flat_map(|row| row.states.iter().map(String::as_str))
        .collect();
    let mut found = Vec::new();
    for state in evidence
        .model
        .states
        .iter()
        .filter(|state| reached.contains(&*state.name))
    {
        let name = state.name.to_string();
        for Handlers {
            field,
            entries,
            used,
        } in handlers(&state.kind)
        {
            let never: Vec<usize> = (0..entries.len())
                .filter(|index| !all().any(|row| used(row).contains(&(name.clone(), *index))))
                // What the engine alone raises is not tried, except for time.
                .filter(|index| !entries[*index].iter().all(|name| is_not_tried(name)))
                .collect();
            for index in never {
                let names = listed(&entries[index]);
                let pointer = format!("/States/{}/{field}[{index}]", name);
                let reason = evidence.diagnostics.iter().find(|diagnostic| {
                    diagnostic.pointer.starts_with(&pointer)
                        || diagnostic
                            .pointer
                            .contains(&format!("/{}/{field}[{index}]", name))
                });
                found.push(Finding {
                    severity: Severity::Info,
                    code: "never-reached",
                    states: vec![name.clone()],
                    what: format!(
                        "{field}[{index}] of {} ({names}) was reached by no failure",
                        name
                    ),
                    why: match reason {
                        Some(diagnostic) => {
                            format!("{}.", diagnostic.message.trim_end_matches('.'))
                        }
                        None => {
                            "It handles what does not happen, or something before it takes that."
                                .to_owned()
                        }
                    },
                    todo: match reason.and_then(|diagnostic| diagnostic.hint.clone()) {
                        Some(hint) => hint,
                        None => "Remove it, or correct its ErrorEquals.".to_owned(),
                    },
                    cases: Vec::new(),
                });
            }
        }
    }
    let never: Vec<String> = evidence
        .model
        .states
        .iter()
        .filter(|state| !reached.contains(&*state.name))
        .map(|state| state.name.to_string())
        .collect();
    if !never.is_empty() {
        found.push(Finding {
            severity: Severity::Info,
            code: "state-not-reached",
            what: format!(
                "{} {} reached by no case",
                listed(&never),
                if never.len() == 1 { "was" } else { "were" }
            ),
            why: "What would go wrong there was not tried.".to_owned(),
            todo: "If nothing is wrong with the definition, give the --input or --results that lead there.".to_owned(),
            states: never,
            cases: Vec::new(),
        });
    }
    found
}

/// The entries of `Retry` or of `Catch`, each with its errors.
struct Handlers {
    field: &'static str,
    entries: Vec<Vec<String>>,
    /// The entries that a run has used, with their states.
    used: fn(&Row) -> &BTreeSet<(String, usize)>,
}

fn handlers(kind: &StateKind) -> Vec<Handlers> {
    let Recovery { retriers, catchers } = match kind {
        StateKind::Task(task) => &task.recovery,
        StateKind::Parallel(parallel) => &parallel.recovery,
        StateKind::Map(map) => &map.recovery,
        _ => return Vec::new(),
    };
    let names = |errors: &[Arc<str>]| errors.iter().map(ToString::to_string).collect();
    vec![
        Handlers {
            field: "Retry",
            entries: retriers.iter().map(|one| names(&one.errors)).collect(),
            used: |row| &row.retriers,
        },
        Handlers {
            field: "Catch",
            entries: catchers.iter().map(|one| names(&one.errors)).collect(),
            used: |row| &row.catchers,
        },
    ]
}

fn is_not_tried(name: &str) -> bool {
    is_the_engines_own(name)
        && !matches!(
            name,
            "States.ALL" | "States.Timeout" | "States.HeartbeatTimeout"
        )
}

/// What `asl` warns of, unless a case has shown it.
pub(super) fn diagnosed(evidence: &Evidence<'_>, found: &[Finding]) -> Vec<Finding> {
    let shown = |diagnostic: &&asl::Diagnostic| match diagnostic.code {
        "REJOIN_CALLBACK_WITHOUT_TIMEOUT" => {
            found.iter().any(|finding| finding.code == "waits-for-ever")
        }
        "REJOIN_HANDLER_NOT_REACHED" | "REJOIN_ERROR_NEVER_RAISED" => found.iter().any(|finding| {
            finding.code == "never-reached"
                && finding.why.trim_end_matches('.') == diagnostic.message.trim_end_matches('.')
        }),
        _ => false,
    };
    let warnings = evidence
        .diagnostics
        .iter()
        .filter(|diagnostic| diagnostic.severity == asl::Severity::Warning);
    let each = warnings
        .filter(|diagnostic| !shown(diagnostic))
        .map(|diagnostic| {
            let state = evidence
                .model
                .states
                .iter()
                .filter(|state| diagnostic.pointer.contains(&format!("/{}", state.name)))
                .max_by_key(|state| state.name.len());
            Finding {
                severity: Severity::Warning,
                code: "definition",
                states: state
                    .map(|state| state.name.to_string())
                    .into_iter()
                    .collect(),
                what: format!("{} ({})", diagnostic.message, diagnostic.pointer),
                why: format!("`rejoin validate` says {}.", diagnostic.code),
                todo: diagnostic
                    .hint
                    .clone()
                    .unwrap_or_else(|| "See `rejoin validate`.".to_owned()),
                cases: Vec::new(),
            }
        });
    each.collect()
}
