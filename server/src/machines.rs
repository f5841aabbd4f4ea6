//! State machines: stored, compiled once, found by ARN or by the hash of their definition.

use std::sync::Arc;

use asl::StateMachine;

/// The state machines of a server. Cloning is a reference count.
#[derive(Clone)]
pub struct Machines {}

impl Machines {
    /// The compiled definition with this hash (`engine::Identity::definition`), from the cache or the store.
    ///
    /// # Errors
    /// The store's, or that there is none, as text for the log.
    pub async fn definition(&self, hash: &str) -> Result<Arc<StateMachine>, String> {
        let _ = hash;
        todo!()
    }
}
