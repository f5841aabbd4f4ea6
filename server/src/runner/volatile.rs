//! Executions that are not stored: those of EXPRESS machines.
//!
//! The engine, the beats and the effects are those of every execution; only *append* has nothing to
//! do. So the cell is all there is: it stays in memory for as long as the execution runs, its timer is
//! one of the clock's and none of the store's, and with its end it is gone. What it came to is told
//! to whoever started it.

use asl::Timestamp;
use engine::{Closing, CommandKind, Execution, ExecutionKey, Status};
use tokio::task::AbortHandle;

use super::{Request, Runner};
use crate::clock::Busy;

/// What a volatile execution came to.
#[derive(Debug)]
pub struct Ended {
    /// Its status; never `RUNNING`.
    pub status: Status,
    /// How it ended.
    pub closing: Closing,
    /// Virtual time stands until whoever waits has seen it.
    pub busy: Busy,
}

/// What a volatile execution has in place of the store.
pub(super) struct Volatile {
    /// [`engine::Surroundings::synchronous`].
    pub(super) synchronous: bool,
    alarm: Option<(Timestamp, AbortHandle)>,
}

impl Volatile {
    pub(super) fn new(synchronous: bool) -> Volatile {
        Volatile {
            synchronous,
            alarm: None,
        }
    }

    /// Sees to it that the execution gets its next tick. Whoever calls holds virtual time.
    pub(super) fn arm(&mut self, runner: &Runner, key: ExecutionKey, execution: &Execution) {
        let next = execution.next_timer();
        if self.alarm.as_ref().map(|(at, _)| *at) == next {
            return;
        }
        self.disarm();
        if let Some(at) = next {
            let alarm = runner.0.clock.alarm(at);
            let runner = runner.downgrade();
            let task = tokio::spawn(async move {
                let _busy = alarm.await;
                // Without the runner there is no execution either.
                if let Some(runner) = runner.upgrade() {
                    let (reply, _) = tokio::sync::oneshot::channel();
                    let kind = CommandKind::Tick;
                    runner.enqueue(key, Request::Command { kind, reply });
                }
            });
            self.alarm = Some((at, task.abort_handle()));
        }
    }

    fn disarm(&mut self) {
        if let Some((_, task)) = self.alarm.take() {
            task.abort();
        }
    }
}

impl Drop for Volatile {
    fn drop(&mut self) {
        self.disarm();
    }
}
