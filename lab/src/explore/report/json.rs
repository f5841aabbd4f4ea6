//! The exploration as one JSON document.

use serde_json::{Value, json};

use crate::explore::row::{End, Row};
use crate::explore::{Course, Exploration};

/// The document.
pub fn document(exploration: &Exploration) -> Value {
    json!({
        "machine": exploration.name,
        "notes": exploration.notes,
        "courses": exploration.courses.iter().map(course).collect::<Vec<_>>(),
        "cases": exploration.rows.iter().map(row).collect::<Vec<_>>(),
        "findings": exploration.findings,
    })
}

fn course(course: &Course) -> Value {
    json!({
        "name": course.name,
        "input": course.input,
        "madeUp": course.made_up,
        "status": course.well.end.name(),
        "error": course.well.error,
        "cause": course.well.cause,
        "states": course.well.states,
    })
}

fn row(row: &Row) -> Value {
    let fault = row.case.fault();
    let waits_for = match &row.end {
        End::Waits(what) => Some(what),
        _ => None,
    };
    let told: Vec<Value> = row
        .told
        .iter()
        .map(|told| json!({ "atMillis": told.at, "by": told.by, "to": told.to, "what": told.what }))
        .collect();
    json!({
        "case": row.case.to_string(),
        "task": fault.state,
        "failure": fault.failure(),
        "status": row.end.name(),
        "waitsFor": waits_for,
        "error": row.error,
        "cause": row.cause,
        "afterMillis": row.after,
        "retries": row.retries,
        "told": told,
        "dispositions": row.dispositions,
        "askedAgain": row.asked_again().collect::<Vec<_>>(),
    })
}
