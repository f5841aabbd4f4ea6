//! Definitions as they come in, and the errors of those that do not run.

use asl::{Diagnostic, Severity, StateMachine};

use crate::machines::{Definition, MachineType};

use super::error::ApiError;
use super::recorded_label;

/// `type`, whose default is `STANDARD`. That it is one of the two was checked.
pub(super) fn machine_type(name: Option<&str>) -> MachineType {
    match name {
        Some("EXPRESS") => MachineType::Express,
        _ => MachineType::Standard,
    }
}

/// A definition that runs, or all that stands in its way.
pub(super) fn accept(text: &str, kind: MachineType) -> Result<Definition, ApiError> {
    match examine(text, kind) {
        (Some(compiled), _) => Ok(Definition::new(text.to_owned(), compiled)),
        (None, found) => {
            let faults = found.iter().filter(|d| d.severity == Severity::Error);
            let faults: Vec<String> = faults.map(Diagnostic::to_string).collect();
            Err(recorded_label::refusal(text, &found)
                .unwrap_or_else(|| ApiError::invalid_definition(&faults.join(", "))))
        }
    }
}

/// Everything found in a definition, and the machine if it runs.
pub(super) fn examine(text: &str, kind: MachineType) -> (Option<StateMachine>, Vec<Diagnostic>) {
    let parsed = match kind {
        MachineType::Standard => asl::parse(text),
        MachineType::Express => asl::parse_express(text),
    };
    (parsed.machine, parsed.diagnostics)
}
