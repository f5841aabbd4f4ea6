//! Definitions: read, and if sound, run for a while.

use asl::{Data, Failure};
use engine::{Command, CommandKind, Event, Execution, Outcome};
use serde_json::json;

use crate::rebuild;
use crate::world::{STARTED_AT, identity, machine, tokens};

/// How many commands an execution gets.
const COMMANDS_MAX: usize = 24;
/// An execution that has made more events than this goes no further.
const EVENTS_MAX: usize = 2_000;

/// A definition; every task is answered, by turns with a result, with a failure and not in time.
pub fn definition(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let parsed = asl::parse(text);
    assert!(parsed.machine.is_some() || !parsed.diagnostics.is_empty());
    if !parsed.diagnostics.is_empty() {
        asl::definition_message(&parsed.diagnostics);
    }
    asl::parse_express(text);
    let Ok(machine) = machine(text) else {
        return;
    };
    let input = json!({"a": {"b": 1}, "items": [1, {"x": "y"}, [3]], "text": "t", "n": 5, "t": "2026-01-01T00:00:05Z"});
    let (mut execution, mut events) =
        Execution::begin(machine.clone(), identity(Data::from(input)), 1, &tokens());
    let mut at = STARTED_AT;
    for turn in 0..COMMANDS_MAX {
        if events.len() > EVENTS_MAX {
            break;
        }
        let Some(kind) = next(&execution, turn) else {
            break;
        };
        if let CommandKind::Tick = kind {
            at = at.max(execution.next_timer().unwrap_or(at));
        }
        let command = Command {
            at,
            seed: turn as u64,
            kind,
        };
        events.extend(execution.decide(command, &tokens()).unwrap_or_default());
    }
    if events.len() <= EVENTS_MAX {
        promised(&execution, &events, || {
            rebuild::check(&machine, &execution, &events)
        });
    }
    engine::history::project(&events, false);
}

/// What happens next: an answer to the oldest wait, or the next timer's time.
fn next(execution: &Execution, turn: usize) -> Option<CommandKind> {
    let wait = execution.open_waits().next();
    let timer = execution.next_timer().map(|_| CommandKind::Tick);
    let answer = |outcome| wait.map(|wait| CommandKind::Complete { wait, outcome });
    match turn % 3 {
        0 => answer(Outcome::Success(Data::from(
            json!({"b": [1, null], "Payload": "p"}),
        )))
        .or(timer),
        1 => answer(Outcome::Failure(Failure::new("Oops", "on purpose"))).or(timer),
        _ => timer.or_else(|| answer(Outcome::Success(Data::from(json!([]))))),
    }
}

fn promised(execution: &Execution, events: &[Event], check: impl FnOnce() -> Result<(), String>) {
    if let Err(broken) = check() {
        panic!(
            "{broken}: {:?} after {} events",
            execution.status(),
            events.len()
        );
    }
}
