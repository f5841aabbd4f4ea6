//! The promise that what is stored is enough: an execution rebuilt from its events, or restored from
//! a snapshot, is the very same value. Both go through MessagePack, as in the store.

use std::sync::Arc;

use asl::StateMachine;
use engine::{Event, Execution, Snapshot};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Checks the promise for one execution, all of whose events are `events`.
///
/// # Errors
/// A sentence that says which way of rebuilding it fails.
pub fn check(
    machine: &Arc<StateMachine>,
    execution: &Execution,
    events: &[Event],
) -> Result<(), String> {
    let stored_events: Vec<Event> = stored(&events)?;
    let replayed = Execution::replay(machine.clone(), &stored_events);
    same(&replayed, execution).map_err(|what| format!("the events do not rebuild {what}"))?;
    let snapshot: Snapshot = stored(&execution.snapshot())?;
    let restored = Execution::restore(machine.clone(), snapshot);
    same(&restored, execution).map_err(|what| format!("the snapshot does not restore {what}"))
}

fn stored<T: Serialize, R: DeserializeOwned>(value: &T) -> Result<R, String> {
    let bytes = rmp_serde::to_vec(value).map_err(|e| format!("it can't be stored: {e}"))?;
    rmp_serde::from_slice(&bytes).map_err(|e| format!("it can't be read back: {e}"))
}

fn same(rebuilt: &Execution, execution: &Execution) -> Result<(), &'static str> {
    if rebuilt.snapshot() != execution.snapshot() {
        return Err("the execution");
    }
    if rebuilt.next_timer() != execution.next_timer() {
        return Err("its timers");
    }
    if rebuilt.undelivered().len() != execution.undelivered().len() {
        return Err("its dispatches");
    }
    Ok(())
}
