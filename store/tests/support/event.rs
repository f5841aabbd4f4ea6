//! The one place where the store's tests and benchmark make events and snapshots.

use asl::Timestamp;
use engine::{Event, Snapshot};

/// An event that is told from others by its time.
pub fn event(at: i64) -> Event {
    Event { at: Timestamp(at) }
}

/// Some snapshot.
#[allow(dead_code)] // The benchmark takes none.
pub fn snapshot() -> Snapshot {
    Snapshot {}
}
