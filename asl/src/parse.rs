//! Definition text to model: all faults at once, each with its place.

use crate::diagnostic::Diagnostic;
use crate::model::StateMachine;

/// What came of a definition.
#[derive(Debug)]
pub struct Parsed {
    /// The machine, if no diagnostic is an error.
    pub machine: Option<StateMachine>,
    /// Everything found, in the order of the text.
    pub diagnostics: Vec<Diagnostic>,
}

/// Reads a definition.
pub fn parse(text: &str) -> Parsed {
    let _ = text;
    todo!()
}
