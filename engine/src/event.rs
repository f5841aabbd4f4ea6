//! All that can happen to an execution. Stored as written here, so a variant or a field is never
//! renamed or taken away; a new field at the end of a struct variant has `#[serde(default)]`.
use asl::Timestamp;
use serde::{Deserialize, Serialize};

/// One durable fact.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// When, by the server's clock.
    pub at: Timestamp,
    // the engine's author: frame, kind, ...
}
