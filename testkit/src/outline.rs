//! A history in one line an event: when (since the start), `id <- previousEventId`, type, and what
//! matters of the details. The last line is how the execution stands.

use std::fmt::Write as _;

use asl::Timestamp;
use engine::{Execution, HistoryEvent, Status};
use serde_json::Value;

/// The outline of an execution.
pub fn outline(execution: &Execution, history: &[HistoryEvent]) -> String {
    let start = execution.identity().started_at;
    let mut text = String::new();
    for event in history {
        let since = since(start, event.at);
        let _ = write!(
            text,
            "{since:>5} {:>3} <- {:<3} {}",
            event.id, event.previous_event_id, event.event_type
        );
        for (name, value) in event.details.iter().flatten() {
            text.push_str(&detail(name, value));
        }
        text.push('\n');
    }
    text.push_str(&standing(execution, start));
    text
}

/// What a detail adds to its line; what every event has in common adds nothing.
fn detail(name: &str, value: &Value) -> String {
    match (name, value) {
        (
            "inputDetails" | "outputDetails" | "assignedVariablesDetails" | "roleArn" | "region",
            _,
        ) => String::new(),
        ("cause", Value::String(cause)) => format!(" {:?}", cause),
        (
            "resourceType" | "resource" | "name" | "error" | "input" | "output" | "parameters"
            | "workerName",
            Value::String(text),
        ) => {
            format!(" {text}")
        }
        ("index", index) => format!(" {index}"),
        (name, value) => format!(" {name}={value}"),
    }
}

fn standing(execution: &Execution, start: Timestamp) -> String {
    let mut text = execution.status().name().to_owned();
    if let Some(closing) = execution.closing() {
        if let Some(output) = &closing.output {
            let _ = write!(text, " {}", output.text());
        }
        if let Some(failure) = &closing.failure {
            if let Some(error) = &failure.error {
                let _ = write!(text, " {error}");
            }
            if let Some(cause) = &failure.cause {
                let _ = write!(text, " {cause:?}");
            }
        }
    }
    if execution.status() == Status::Running {
        let waits: Vec<String> = execution
            .open_waits()
            .filter_map(|wait| execution.open_wait(wait))
            .map(|wait| wait.state_name.to_string())
            .collect();
        if !waits.is_empty() {
            let _ = write!(text, ", waits for {}", waits.join(", "));
        }
        if let Some(at) = execution.next_timer() {
            let _ = write!(text, ", next timer {}", since(start, at));
        }
    }
    text
}

fn since(start: Timestamp, at: Timestamp) -> String {
    let millis = at.0 - start.0;
    match millis % 1_000 {
        0 => format!("{}s", millis / 1_000),
        _ => format!("{millis}ms"),
    }
}
