//! What `rejoin validate --json` prints: what ValidateStateMachineDefinition answers, a file at a
//! time, with the place in the file.

use asl::Severity;
use serde_json::{Value, json};

use super::Examined;
use source::Found;

pub(super) fn document(examined: &[Examined<'_>]) -> Value {
    let files: Vec<Value> = examined.iter().map(file).collect();
    json!({ "files": files })
}

fn file(one: &Examined<'_>) -> Value {
    let said = one
        .found
        .iter()
        .map(|found| diagnostic(&one.source.name, found));
    json!({
        "file": one.source.name,
        "result": if one.states.is_some() { "OK" } else { "FAIL" },
        "diagnostics": said.collect::<Vec<_>>(),
    })
}

fn diagnostic(file: &str, found: &Found<'_>) -> Value {
    let said = &found.diagnostic;
    json!({
        "severity": match said.severity {
            Severity::Error => "ERROR",
            Severity::Warning => "WARNING",
            Severity::Note => "NOTE",
        },
        "code": said.code,
        "message": said.message,
        "location": said.pointer,
        "file": file,
        "line": found.place.as_ref().map(|place| place.line),
        "column": found.place.as_ref().map(|place| place.column),
        "hint": said.hint,
    })
}
