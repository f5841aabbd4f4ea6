//! Activities: who may fetch tasks, and the queues they are fetched from.

use std::time::Duration;

/// The queues of activity tasks. Cloning is a reference count.
#[derive(Clone)]
pub struct ActivityQueues {}

/// A task for a worker.
#[derive(Debug)]
pub struct ActivityTask {
    /// Its token.
    pub token: String,
    /// Its input, JSON text.
    pub input: String,
}

impl ActivityQueues {
    /// The next task of an activity: at once, or when one comes within `patience` (real time).
    /// The pick-up is durable before this returns.
    ///
    /// # Errors
    /// The store's, as text for the log.
    pub async fn fetch(
        &self,
        activity_arn: &str,
        worker: Option<String>,
        patience: Duration,
    ) -> Result<Option<ActivityTask>, String> {
        let _ = (activity_arn, worker, patience);
        todo!()
    }
}
