//! What takes long is decided aside, on few threads of its own.
//!
//! Nearly every command is decided in microseconds, on the thread that its request came in on. An
//! expression may take a fifth of a second, though, and a machine that loops takes as long as its history
//! has room; a few of those on the threads that answer requests, and nobody is answered. So a decision
//! begins with little patience ([`PATIENCE`]); one that takes longer is thrown away and made again here,
//! in slices, each of which waits for a [`Aside::seat`] behind those of all others.

use std::sync::Arc;
use std::time::Duration;

use hashbrown::HashSet;
use parking_lot::Mutex;
use tokio::sync::{Semaphore, SemaphorePermit};

/// How long a decision may hold up other requests; a build without optimization is several times slower.
pub(crate) const PATIENCE: Duration =
    Duration::from_millis(if cfg!(debug_assertions) { 25 } else { 5 });

/// How long a slice takes, about, once it is aside.
pub(crate) const SLICE: Duration = Duration::from_millis(50);

/// So many definitions are remembered as slow.
const SLOW_MAX: usize = 10_000;

/// The seats, and who is sent to them at once.
pub(crate) struct Aside {
    seats: Semaphore,
    /// By hash, the definitions whose last command took long.
    slow: Mutex<HashSet<Arc<str>>>,
}

impl Aside {
    /// Seats for half of the machine, so that the other half is free for all that is quick.
    pub(crate) fn new() -> Aside {
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        Aside {
            seats: Semaphore::new((threads / 2).max(1)),
            slow: Mutex::default(),
        }
    }

    /// Does `work` on a thread that nobody else waits for.
    ///
    /// # Panics
    /// If `work` does.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> T {
        let _seat = self.seat().await;
        match tokio::task::spawn_blocking(work).await {
            Ok(done) => done,
            Err(failed) => std::panic::resume_unwind(failed.into_panic()),
        }
    }

    /// All seats, so that nobody else gets one.
    #[cfg(test)]
    pub(crate) async fn take_all(&self) -> SemaphorePermit<'_> {
        let all = self.seats.available_permits() as u32;
        self.seats
            .acquire_many(all)
            .await
            .expect("the seats are never closed")
    }

    async fn seat(&self) -> SemaphorePermit<'_> {
        self.seats
            .acquire()
            .await
            .expect("the seats are never closed")
    }

    /// Whether executions of this definition begin here.
    pub(crate) fn is_slow(&self, definition: &str) -> bool {
        self.slow.lock().contains(definition)
    }

    /// Remembers whether the last command for this definition took long.
    pub(crate) fn remember(&self, definition: Arc<str>, slow: bool) {
        let mut known = self.slow.lock();
        if !slow {
            known.remove(&definition);
        } else if known.len() < SLOW_MAX {
            known.insert(definition);
        }
    }
}
