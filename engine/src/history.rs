//! The AWS history of an execution: a projection of its events.

use serde::Serialize;

use crate::event::Event;

/// One event as `GetExecutionHistory` reports it: `id`, `previousEventId`, `timestamp`, `type` and details.
#[derive(Debug, Clone, Serialize)]
pub struct HistoryEvent {
    /// From 1, without gaps.
    pub id: u64,
    // the engine's author
}

/// The whole history; `include_data` is `includeExecutionData`.
pub fn project(events: &[Event], include_data: bool) -> Vec<HistoryEvent> {
    let _ = (events, include_data);
    todo!()
}
