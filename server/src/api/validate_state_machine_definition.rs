//! `ValidateStateMachineDefinition`.

use asl::{Diagnostic, Severity};
use serde::{Deserialize, Serialize};

use crate::app::App;

use super::definition;
use super::request::{Answer, Text, read, write};
use super::validation::{self, Check, STATE_MACHINE_TYPES};

/// `ValidateStateMachineDefinitionSeverity`.
const SEVERITIES: &[&str] = &["ERROR", "WARNING"];
/// `ValidateStateMachineDefinitionMaxResult`; 0 stands for it too.
const MAX_RESULTS: i64 = 100;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Request<'a> {
    #[serde(borrow)]
    definition: Option<Text<'a>>,
    r#type: Option<Text<'a>>,
    severity: Option<Text<'a>>,
    max_results: Option<i64>,
}

#[derive(Serialize)]
struct Response {
    result: &'static str,
    diagnostics: Vec<Item>,
    truncated: bool,
}

#[derive(Serialize)]
struct Item {
    severity: &'static str,
    code: &'static str,
    message: String,
    location: String,
}

impl Item {
    /// Nothing for a note: the API has errors and warnings.
    fn of(diagnostic: Diagnostic) -> Option<Item> {
        Some(Item {
            severity: match diagnostic.severity {
                Severity::Error => "ERROR",
                Severity::Warning => "WARNING",
                Severity::Note => return None,
            },
            code: diagnostic.code,
            message: diagnostic.message,
            location: diagnostic.pointer,
        })
    }
}

pub(super) async fn answer(app: &App, body: &[u8]) -> Answer {
    let request: Request = read(body)?;
    let mut check = Check::within(&app.quotas);
    let text = check.required("definition", &request.definition, validation::DEFINITION);
    let kind = check.one_of("type", &request.r#type, STATE_MACHINE_TYPES);
    let severity = check.one_of("severity", &request.severity, SEVERITIES);
    let limit = request.max_results.unwrap_or(0);
    check.range("maxResults", limit, 0, MAX_RESULTS);
    check.done()?;
    let limit = if limit == 0 { MAX_RESULTS } else { limit } as usize;
    let kind = definition::machine_type(kind);
    let (machine, mut found) = definition::examine(text, kind);
    if severity != Some("WARNING") {
        found.retain(|diagnostic| diagnostic.severity == Severity::Error);
    }
    let mut diagnostics: Vec<Item> = found.into_iter().filter_map(Item::of).collect();
    let truncated = diagnostics.len() > limit;
    diagnostics.truncate(limit);
    write(&Response {
        result: if machine.is_some() { "OK" } else { "FAIL" },
        diagnostics,
        truncated,
    })
}
