//! `Retry` and `Catch`.

use std::sync::Arc;

use serde_json::Value;

use super::fields::{Fields, SECONDS_MAX};
use super::reader::{Reader, shared};
use super::scope::Scope;
use super::{analysis, state};
use crate::model::{Catcher, Recovery, Retrier};

const RETRIER: &[&str] = &[
    "Comment",
    "ErrorEquals",
    "IntervalSeconds",
    "MaxAttempts",
    "BackoffRate",
    "MaxDelaySeconds",
    "JitterStrategy",
];
const CATCHER: &[&str] = &[
    "Comment",
    "ErrorEquals",
    "ResultPath",
    "Next",
    "Assign",
    "Output",
];

/// ASL's defaults for a retrier.
const INTERVAL_SECONDS: u64 = 1;
const MAX_ATTEMPTS: u64 = 3;
const BACKOFF_RATE: f64 = 2.0;
/// The greatest `MaxDelaySeconds`: one year and a day (AWS).
const MAX_DELAY_SECONDS: u64 = 31_622_400;

pub(super) fn read(reader: &mut Reader, scope: &mut Scope<'_>, fields: &Fields<'_>) -> Recovery {
    analysis::handlers(reader, fields);
    let mut recovery = Recovery::default();
    each(reader, fields, "Retry", |reader, entry| {
        recovery.retriers.push(retrier(reader, entry))
    });
    each(reader, fields, "Catch", |reader, entry| {
        recovery.catchers.push(catcher(reader, scope, entry))
    });
    recovery
}

fn each(
    reader: &mut Reader,
    fields: &Fields<'_>,
    name: &str,
    mut read: impl FnMut(&mut Reader, &Fields<'_>),
) {
    let entries = fields.array(reader, name).map_or(&[][..], Vec::as_slice);
    for (at, value) in entries.iter().enumerate() {
        let Some(entry) = Fields::of(reader, value, &format!("{}[{at}]", fields.at(name))) else {
            continue;
        };
        let errors = entry
            .get("ErrorEquals")
            .and_then(Value::as_array)
            .map_or(&[][..], Vec::as_slice);
        if errors.iter().any(|error| error == "States.ALL")
            && (errors.len() > 1 || at + 1 < entries.len())
        {
            reader.schema_hint(
                &entry.at("ErrorEquals"),
                "States.ALL must appear alone and at end of list",
                "What comes after it would never be asked.",
            );
        }
        read(reader, &entry);
    }
}

fn retrier(reader: &mut Reader, fields: &Fields<'_>) -> Retrier {
    fields.only(reader, RETRIER);
    let errors = errors(reader, fields);
    let interval_seconds = fields
        .integer(reader, "IntervalSeconds", 0, SECONDS_MAX)
        .unwrap_or(INTERVAL_SECONDS);
    let max_attempts = fields
        .integer(reader, "MaxAttempts", 0, SECONDS_MAX)
        .unwrap_or(MAX_ATTEMPTS);
    let backoff_rate = fields
        .number(reader, "BackoffRate", 1.0, f64::MAX)
        .unwrap_or(BACKOFF_RATE);
    let max_delay_seconds = fields.integer(reader, "MaxDelaySeconds", 1, MAX_DELAY_SECONDS);
    if max_delay_seconds.is_some_and(|most| most <= interval_seconds) {
        reader.schema(
            &fields.at("MaxDelaySeconds"),
            "MaxDelaySeconds must be greater than IntervalSeconds",
        );
    }
    let full_jitter = fields.one_of(reader, "JitterStrategy", &["NONE", "FULL"]) == Some("FULL");
    let max_attempts = u32::try_from(max_attempts).expect("the limit fits");
    Retrier {
        errors,
        interval_seconds,
        max_attempts,
        backoff_rate,
        max_delay_seconds,
        full_jitter,
    }
}

fn catcher(reader: &mut Reader, scope: &mut Scope<'_>, fields: &Fields<'_>) -> Catcher {
    fields.only(reader, CATCHER);
    state::refuse_other_language(reader, fields, &["Output"]);
    let errors = errors(reader, fields);
    fields.require(reader, &["Next"]);
    Catcher {
        errors,
        result_path: fields.result_path(reader),
        assign: state::assign(reader, fields),
        output: state::output(reader, fields),
        next: scope.target(reader, fields, "Next"),
    }
}

fn errors(reader: &mut Reader, fields: &Fields<'_>) -> Vec<Arc<str>> {
    fields.require(reader, &["ErrorEquals"]);
    let Some(values) = fields.array(reader, "ErrorEquals") else {
        return Vec::new();
    };
    fields.not_empty(reader, "ErrorEquals", values);
    let names: Vec<Arc<str>> = values
        .iter()
        .filter_map(|value| value.as_str().map(shared))
        .collect();
    if names.len() < values.len() {
        reader.schema(&fields.at("ErrorEquals"), "Expected an array of strings");
    }
    names
}
