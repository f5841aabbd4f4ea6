//! Those who wait for an execution's end.

use engine::{Execution, ExecutionKey, Status};
use tokio::sync::oneshot;

use super::{Ended, Inner, Runner};
use crate::clock::Busy;

impl Runner {
    /// Returns when the execution has ended (at once if it has, or if there is none), with the time
    /// of that moment held.
    ///
    /// # Errors
    /// The store's, as text for the log.
    pub async fn until_ended(&self, key: ExecutionKey) -> Result<Busy, String> {
        let _leaving = Leaving(self, key);
        let ended = self.ending(key).await?.await;
        ended.ok_or_else(|| "the server is stopping".into())
    }

    /// [`Runner::until_ended`] for one who must not keep the runner alive meanwhile: what it waits on comes
    /// to nothing if the runner goes first.
    ///
    /// # Errors
    /// The store's, as text for the log.
    pub async fn ending(
        &self,
        key: ExecutionKey,
    ) -> Result<impl Future<Output = Option<Busy>> + use<>, String> {
        let (watcher, ended) = oneshot::channel();
        // First watch, then look: an end between the two is told to the watcher.
        self.0.watchers.lock().entry(key).or_default().push(watcher);
        let summary = self.0.store.summary(key).await;
        let ended = match summary {
            Ok(Some(summary)) if summary.status == Status::Running => Ok(ended),
            summary => {
                drop(ended);
                drop(Leaving(self, key));
                summary.map_err(|e| e.to_string())?;
                Err(self.0.clock.busy())
            }
        };
        Ok(async move {
            match ended {
                Ok(ended) => ended.await.ok(),
                Err(busy) => Some(busy),
            }
        })
    }
}

impl Inner {
    /// Tells whoever started a volatile execution what it came to.
    pub(super) fn tell_end(&self, key: ExecutionKey, execution: &Execution) {
        let told = self.ends.lock().remove(&key);
        if let (Some((told, open)), Some(closing)) = (told, execution.closing()) {
            // Whoever hears of the end may delete the machine, and it is then gone at once.
            drop(open);
            // One who has given up waiting does not mind.
            let _ = told.send(Ended {
                status: execution.status(),
                closing: closing.clone(),
                busy: self.clock.busy(),
            });
        }
    }
}

/// One who waits for an execution's end, and may give up: takes along all that nobody listens to.
struct Leaving<'a>(&'a Runner, ExecutionKey);

impl Drop for Leaving<'_> {
    fn drop(&mut self) {
        let mut watchers = self.0.0.watchers.lock();
        if let Some(those) = watchers.get_mut(&self.1) {
            those.retain(|watcher| !watcher.is_closed());
            if those.is_empty() {
                watchers.remove(&self.1);
            }
        }
    }
}
