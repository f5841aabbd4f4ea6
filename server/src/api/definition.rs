//! Definitions as they come in: what the language says of them, and what Express machines may not do.

use asl::{Diagnostic, Severity, StateMachine};
use serde_json::Value;

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
    let parsed = asl::parse(text);
    let mut found = parsed.diagnostics;
    if kind == MachineType::Express
        && let Ok(definition) = serde_json::from_str::<Value>(text)
    {
        express(&definition, &mut String::new(), &mut found);
    }
    let refused = found.iter().any(|d| d.severity == Severity::Error);
    (parsed.machine.filter(|_| !refused), found)
}

/// An Express machine doesn't wait for anybody: no activities, no task tokens, no jobs, no Map Runs. (What
/// AWS says of the last is not recorded; the words are ours.)
///
/// `at` is the pointer to `scope`, an object with `States`.
fn express(scope: &Value, at: &mut String, found: &mut Vec<Diagnostic>) {
    let Some(states) = scope.get("States").and_then(Value::as_object) else {
        return;
    };
    let length = at.len();
    for (name, state) in states {
        at.push_str("/States/");
        at.push_str(name);
        if let Some(resource) = state.get("Resource").and_then(Value::as_str)
            && let Some(message) = express_refusal(resource)
        {
            found.push(refused(message, format!("{at}/Resource")));
        }
        let branches = state.get("Branches").and_then(Value::as_array);
        for (i, branch) in branches.into_iter().flatten().enumerate() {
            nested(branch, &format!("/Branches[{i}]"), at, found);
        }
        for field in ["ItemProcessor", "Iterator"] {
            let Some(processor) = state.get(field) else {
                continue;
            };
            if processor.pointer("/ProcessorConfig/Mode") == Some(&"DISTRIBUTED".into()) {
                found.push(refused(
                    "Express state machine does not support Map state in DISTRIBUTED mode",
                    format!("{at}/{field}/ProcessorConfig/Mode"),
                ));
            }
            nested(processor, &format!("/{field}"), at, found);
        }
        at.truncate(length);
    }
}

fn refused(message: impl Into<String>, pointer: String) -> Diagnostic {
    Diagnostic {
        severity: Severity::Error,
        code: "SCHEMA_VALIDATION_FAILED",
        message: message.into(),
        pointer,
        hint: Some("Make it a STANDARD state machine, or take another resource.".to_owned()),
    }
}

fn nested(scope: &Value, step: &str, at: &mut String, found: &mut Vec<Diagnostic>) {
    let length = at.len();
    at.push_str(step);
    express(scope, at, found);
    at.truncate(length);
}

/// In AWS's words; the blank before "at" is theirs (recorded in `test_illegal_callbacks`).
fn express_refusal(resource: &str) -> Option<String> {
    let (service, last) = resource.rsplit_once('.').unwrap_or((resource, ""));
    if service.starts_with("arn:aws:states:::")
        && matches!(last, "waitForTaskToken" | "sync" | "sync:2")
    {
        return Some(format!(
            "Express state machine does not support '.{last}' service integration "
        ));
    }
    let mut parts = resource.split(':');
    let activity = parts.nth(2) == Some("states") && parts.nth(2) == Some("activity");
    activity.then(|| "Express state machine does not support Activity ARN".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_express_machine_does_not_wait_for_anybody() {
        let definition = serde_json::json!({"StartAt": "A", "States": {
            "A": {"Type": "Task", "Resource": "arn:aws:states:us-east-1:111111111111:activity:a"},
            "B": {"Type": "Task", "Resource": "arn:aws:states:::sns:publish"},
            "C": {"Type": "Parallel", "Branches": [{"States": {
                "D": {"Type": "Task", "Resource": "arn:aws:states:::sns:publish.waitForTaskToken"},
            }}]},
            "E": {"Type": "Map", "ItemProcessor": {"States": {
                "F": {"Type": "Task", "Resource": "arn:aws:states:::states:startExecution.sync:2"},
            }}},
            "H": {"Type": "Map", "ItemProcessor": {"ProcessorConfig": {"Mode": "DISTRIBUTED"}}},
            "G": {"Type": "Task", "Resource": "arn:aws:lambda:us-east-1:111111111111:function:f"},
        }});
        let mut found = Vec::new();
        express(&definition, &mut String::new(), &mut found);
        let found: Vec<String> = found.iter().map(Diagnostic::to_string).collect();
        assert_eq!(
            found,
            [
                "SCHEMA_VALIDATION_FAILED: Express state machine does not support Activity ARN at \
                 /States/A/Resource",
                "SCHEMA_VALIDATION_FAILED: Express state machine does not support \
                 '.waitForTaskToken' service integration  at \
                 /States/C/Branches[0]/States/D/Resource",
                "SCHEMA_VALIDATION_FAILED: Express state machine does not support '.sync:2' \
                 service integration  at /States/E/ItemProcessor/States/F/Resource",
                "SCHEMA_VALIDATION_FAILED: Express state machine does not support Map state in \
                 DISTRIBUTED mode at /States/H/ItemProcessor/ProcessorConfig/Mode",
            ]
        );
    }
}
