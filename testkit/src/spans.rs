//! The promise that an execution's spans are a tree: whatever happens, each has an id of its own and lies inside of
//! one that lasts as long, and with the execution's end nothing is left open.

use std::collections::HashMap;

use engine::spans::Step;
use engine::{Event, EventKind, Execution, Span, SpanId, Spans, Status};

/// Checks the promise for one execution, all of whose events are `events`.
///
/// # Errors
/// A sentence that says which span breaks it.
pub fn check(execution: &Execution, events: &[Event]) -> Result<(), String> {
    let first = events.first().ok_or("an execution has events")?;
    let mut spans = Spans::of(first).ok_or("the first event is the start")?;
    let ended: Vec<Span> = events
        .iter()
        .flat_map(|event| spans.follow(event))
        .collect();
    if spans.history_events() != execution.history_events() {
        return Err("the spans have counted other events than the execution".to_owned());
    }
    let mut by_id: HashMap<SpanId, &Span> = HashMap::new();
    for span in &ended {
        if by_id.insert(span.id, span).is_some() {
            return Err(format!("there are two spans {}: {:?}", span.id, span.step));
        }
        if span.began > span.ended {
            return Err(format!("a span ends before it begins: {:?}", span.step));
        }
    }
    if execution.status() == Status::Running {
        // What the others are inside of is still open.
        return Ok(());
    }
    for span in &ended {
        let parent = span.parent.and_then(|parent| by_id.get(&parent));
        match (&span.step, parent) {
            (Step::Execution { .. }, _) => {}
            (_, Some(outer)) if outer.began <= span.began && span.ended <= outer.ended => {}
            (step, Some(outer)) => {
                return Err(format!("{step:?} does not lie inside of {:?}", outer.step));
            }
            (step, None) => return Err(format!("nothing is around {step:?}")),
        }
    }
    let count = |counts: fn(&EventKind) -> bool| events.iter().filter(|e| counts(&e.kind)).count();
    let scheduled = count(|kind| {
        matches!(
            kind,
            EventKind::TaskScheduled { .. }
                | EventKind::MapRunStarted { .. }
                | EventKind::MapRunRedriven { .. }
        )
    });
    let tasks = |step: &Step| matches!(step, Step::Task { .. } | Step::MapRun { .. });
    let waited = ended.iter().filter(|span| tasks(&span.step)).count();
    let ends = count(EventKind::ends_execution);
    let executions = |step: &Step| matches!(step, Step::Execution { .. });
    let told = ended.iter().filter(|span| executions(&span.step)).count();
    match (scheduled == waited, ends == told) {
        (true, true) => Ok(()),
        (false, _) => Err(format!("of {scheduled} attempts {waited} have spans")),
        (_, false) => Err(format!("of {ends} ends {told} have spans")),
    }
}
