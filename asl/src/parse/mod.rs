//! Definition text to model: all faults at once, each with its place.
//!
//! One file per state type, all alike: the fields the type has, then a function that reads them.
//! [`fields`] reads single fields, [`scope`] a `States` object with its names and transitions,
//! [`recovery`] `Retry` and `Catch`, [`analysis`] warns of what can't be meant, [`reader`] collects what comes of it. A function that finds a
//! fault reports it and goes on with a stand-in, so that one run finds everything; the stand-ins
//! never leave this module, since a definition with an error has no model.
//!
//! Codes and messages are AWS's where recordings or its documentation have them. What this version
//! does not run yet has the code [`NOT_SUPPORTED_YET`]: it is refused, never run otherwise than meant.

mod analysis;
mod arguments;
mod choice;
mod fail;
mod fields;
mod map;
pub(crate) mod near;
mod parallel;
mod pass;
mod reader;
mod recovery;
mod resource;
mod scope;
mod state;
mod succeed;
mod task;
mod wait;

#[cfg(test)]
mod tests;

use serde_json::Value;

use crate::diagnostic::{Diagnostic, Severity};
use crate::model::StateMachine;
use fields::Fields;
pub use map::label::{LabelFault, label_fault};
use reader::Reader;

/// The code of everything that AWS runs and this version does not.
pub const NOT_SUPPORTED_YET: &str = "NOT_SUPPORTED_YET";

/// The fields of a whole definition.
const FIELDS: &[&str] = &[
    "Comment",
    "StartAt",
    "States",
    "Version",
    "TimeoutSeconds",
    "QueryLanguage",
];

/// What came of a definition.
#[derive(Debug)]
pub struct Parsed {
    /// The machine, if no diagnostic is an error.
    pub machine: Option<StateMachine>,
    /// Everything found, in the order of the text; what concerns the graph as a whole comes last.
    pub diagnostics: Vec<Diagnostic>,
}

/// Reads the definition of a Standard state machine.
pub fn parse(text: &str) -> Parsed {
    read(text, Reader::new(false))
}

/// Reads the definition of an Express state machine, which has neither activities nor task tokens.
pub fn parse_express(text: &str) -> Parsed {
    read(text, Reader::new(true))
}

/// What CreateStateMachine says of refused text: `Invalid State Machine Definition: '...'` has this
/// between its quotes.
pub fn definition_message(diagnostics: &[Diagnostic]) -> String {
    let errors = diagnostics.iter().filter(|d| d.severity == Severity::Error);
    errors
        .map(Diagnostic::to_string)
        .collect::<Vec<_>>()
        .join(", ")
}

fn read(text: &str, mut reader: Reader) -> Parsed {
    let document: Value = match serde_json::from_str(text) {
        Ok(document) => document,
        Err(why) => {
            let (code, message) = match why.to_string() {
                _ if text.trim().is_empty() => {
                    ("MISSING_DESCRIPTION", "The definition is empty".to_owned())
                }
                // serde_json stops at 128 levels, which keeps every recursion over a definition bounded.
                why if why.starts_with("recursion limit") => (
                    "TOO_DEEPLY_NESTED",
                    "The states are too deeply nested".to_owned(),
                ),
                why => ("INVALID_JSON_DESCRIPTION", why),
            };
            reader.nowhere(code, message, None);
            return reader.finish(None);
        }
    };
    let Some(fields) = Fields::of(&mut reader, &document, "") else {
        return reader.finish(None);
    };
    if fields.has("Resources") && !fields.has("States") {
        let message = "These fields are required: [StartAt, States]";
        let hint = "This looks like a CloudFormation template: give the definition inside of it.";
        reader.schema_hint("", message, hint);
        return reader.finish(None);
    }
    fields.only(&mut reader, FIELDS);
    fields.one_of(&mut reader, "Version", &["1.0"]);
    let comment = fields.string(&mut reader, "Comment").map(str::to_owned);
    let timeout_seconds = fields.integer(&mut reader, "TimeoutSeconds", 1, fields::SECONDS_MAX);
    if let Some(language) = fields.query_language(&mut reader) {
        reader.top_language = language;
    }
    let start_at = scope::read(&mut reader, &fields);
    let machine = start_at.map(|start_at| (comment, start_at, timeout_seconds));
    reader.finish(machine)
}
