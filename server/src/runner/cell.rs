//! Cells: each execution's queue and, while it is in memory, the execution.

use std::sync::{Arc, Weak};

use engine::{Execution, ExecutionKey, Identity, Status};
use hashbrown::HashMap;
use parking_lot::Mutex;

use super::request::Request;
use super::volatile::Volatile;
use super::{Inner, Runner};
use crate::clock::{Busy, Slow};
use crate::logs::Logging;

/// How many executions at rest stay in memory. Enough for those whose callbacks come within moments;
/// a parked one costs a read of about ten microseconds when its callback comes.
const RESIDENT_MAX: usize = 1024;

/// Cells are spread over this many locks.
pub(super) const SHARDS: usize = 16;

/// One execution's queue and, while it is in memory, the execution.
#[derive(Default)]
pub(super) struct Cell(Mutex<CellState>);

#[derive(Default)]
struct CellState {
    queue: Vec<Request>,
    driven: bool,
    resident: Option<Resident>,
    /// Whether [`Inner::resident`] counts this cell.
    counted: bool,
}

pub(super) struct Resident {
    pub(super) execution: Execution,
    pub(super) keeping: Keeping,
    /// What its log is to have.
    pub(super) logging: Option<Arc<Logging>>,
}

/// Where an execution is kept.
pub(super) enum Keeping {
    /// In the store.
    Durable {
        version: u32,
        /// Events since the last stored snapshot.
        tail: usize,
    },
    /// Here, as long as it runs.
    Volatile(Volatile),
}

impl Keeping {
    /// That of an execution which begins. The Express children of a Map Run are stored as others are:
    /// AWS describes them too, and their results are the Map Run's.
    pub(super) fn of(identity: &Identity, synchronous: bool) -> Keeping {
        match identity.is_express() && identity.map_run.is_none() {
            true => Keeping::Volatile(Volatile::new(synchronous)),
            false => Keeping::Durable {
                version: 0,
                tail: 0,
            },
        }
    }
}

impl Resident {
    pub(super) fn is_unfinished(&self) -> bool {
        self.execution.is_unfinished()
    }

    pub(super) fn is_volatile(&self) -> bool {
        matches!(self.keeping, Keeping::Volatile(_))
    }
}

impl Runner {
    pub(super) fn downgrade(&self) -> WeakRunner {
        WeakRunner(Arc::downgrade(&self.0))
    }

    /// Queues a request and sees to it that somebody works the queue.
    pub(super) fn enqueue(&self, key: ExecutionKey, request: Request) {
        let mut shard = self.0.shard(key).lock();
        let cell = shard.entry(key).or_default();
        let mut state = cell.0.lock();
        state.queue.push(request);
        if !state.driven {
            state.driven = true;
            drop(state);
            let (runner, cell, busy) = (self.clone(), cell.clone(), self.0.clock.busy());
            tokio::spawn(async move { runner.drive(key, cell, busy).await });
        }
    }

    /// Works a cell's queue until it is empty.
    async fn drive(&self, key: ExecutionKey, cell: Arc<Cell>, busy: Busy) {
        let mut work = Slow::new(busy);
        let _driving = Driving {
            inner: &self.0,
            key,
            cell: &cell,
        };
        let mut resident = cell.0.lock().resident.take();
        // Once a slice was not enough, whoever drives this stands back.
        let mut aside = false;
        loop {
            let unfinished = resident.as_ref().is_some_and(Resident::is_unfinished);
            let mut batch = std::mem::take(&mut cell.0.lock().queue);
            if unfinished {
                batch.push(Request::GoOn);
            }
            if batch.is_empty() {
                if self.0.rest(key, &cell, &mut resident) {
                    return;
                }
                continue;
            }
            self.work(key, &mut resident, batch, aside).await;
            aside |= resident.as_ref().is_some_and(Resident::is_unfinished);
            // No history that fills ends a loop of which nothing is stored, but only its time.
            let endless = |resident: &Resident| resident.is_volatile() && resident.is_unfinished();
            if resident.as_ref().is_some_and(endless) {
                work.goes_on();
            }
        }
    }
}

/// A runner as what it sets off knows it: an alarm must not keep a server alive.
pub(super) struct WeakRunner(Weak<Inner>);

impl WeakRunner {
    pub(super) fn upgrade(&self) -> Option<Runner> {
        self.0.upgrade().map(Runner)
    }
}

impl Inner {
    fn shard(&self, key: ExecutionKey) -> &Mutex<HashMap<ExecutionKey, Arc<Cell>>> {
        &self.shards[key.0 as usize % SHARDS]
    }

    /// Ends a drive if nothing has come in meanwhile; keeps a running execution in memory for a while.
    fn rest(&self, key: ExecutionKey, cell: &Arc<Cell>, resident: &mut Option<Resident>) -> bool {
        let mut shard = self.shard(key).lock();
        let mut state = cell.0.lock();
        if !state.queue.is_empty() {
            return false;
        }
        state.driven = false;
        let keep = resident
            .as_ref()
            .is_some_and(|r| r.execution.status() == Status::Running);
        if !keep {
            shard.remove(&key);
            return true;
        }
        state.resident = resident.take();
        let stored = !state.resident.as_ref().is_some_and(Resident::is_volatile);
        // What is nowhere else is not to be forgotten.
        let count = stored && !std::mem::replace(&mut state.counted, true);
        drop(state);
        drop(shard);
        if count {
            let oldest = {
                let mut resident = self.resident.lock();
                resident.push_back(key);
                if resident.len() > RESIDENT_MAX {
                    resident.pop_front()
                } else {
                    None
                }
            };
            if let Some(oldest) = oldest {
                self.forget(oldest);
            }
        }
        true
    }

    /// Lets go of an execution in memory, unless it is at work.
    fn forget(&self, key: ExecutionKey) {
        let mut shard = self.shard(key).lock();
        let Some(cell) = shard.get(&key) else { return };
        let at_rest = {
            let mut state = cell.0.lock();
            state.counted = false;
            !state.driven
        };
        if at_rest {
            shard.remove(&key);
        }
    }
}

/// A drive under way. One that panics leaves neither a queue that nobody works nor an execution in
/// memory that is not the one on disk: those in the queue are told, and the next request begins afresh.
struct Driving<'a> {
    inner: &'a Inner,
    key: ExecutionKey,
    cell: &'a Arc<Cell>,
}

impl Drop for Driving<'_> {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            return;
        }
        let mut shard = self.inner.shard(self.key).lock();
        if shard
            .get(&self.key)
            .is_some_and(|cell| Arc::ptr_eq(cell, self.cell))
        {
            shard.remove(&self.key);
        }
        self.cell.0.lock().queue.clear();
        self.inner.ends.lock().remove(&self.key);
    }
}
