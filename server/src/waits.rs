//! Open waits: which there are, and which are stuck.
//!
//! A wait that may take long (for a callback, a worker of an activity, a `.sync` job, a Map Run) is in an index
//! of the store, by its place (the machine and the state) and its age. Each commit of an execution says what
//! changes ([`index`]), so the index is as durable as the execution, and costs some 80 bytes of memory a wait.
//! What else there is to say of a wait is read from its execution when somebody asks.
//!
//! - [`policy`]: `[stuck_waits]`: when a wait counts as stuck.
//! - [`index`]: what an execution's events change.
//! - `list`: `GET /rejoin/waits`.
//! - `watch`: looks for stuck ones when their time has come.
//!
//! This module does not know how waits end; that is the engine's.

pub mod index;
mod list;
pub mod policy;
mod say;
mod watch;

use std::sync::Arc;

use engine::{ClosedWait, EndKind, Event, EventKind, Execution, WaitKind};
use store::{OpenedWait, Store, WaitChanges};

use self::watch::Watch;
use crate::clock::Clock;
use crate::metrics::Metrics;

pub use self::list::handle;
pub use self::policy::StuckWaits;
pub(crate) use self::say::span;

/// Watches over waits. Cloning is a reference count.
#[derive(Clone)]
pub struct Waits(Arc<Inner>);

struct Inner {
    clock: Clock,
    store: Store,
    policy: StuckWaits,
    metrics: Metrics,
    watch: Watch,
}

impl Waits {
    /// Watches by this policy.
    ///
    /// # Errors
    /// A sentence: what is wrong with the policy.
    pub fn new(
        policy: StuckWaits,
        clock: Clock,
        store: Store,
        metrics: Metrics,
    ) -> Result<Waits, String> {
        policy.check()?;
        Ok(Waits(Arc::new(Inner {
            clock,
            store,
            policy,
            metrics,
            watch: Watch::default(),
        })))
    }

    /// What a commit of these events, which `execution` has just decided on, says of its waits.
    pub fn changes(
        &self,
        execution: &Execution,
        events: &[Event],
        ended: &[ClosedWait],
    ) -> WaitChanges {
        index::changes(execution, events, ended, &self.0.policy.silence())
    }

    /// That commit is durable.
    pub fn changed(
        &self,
        execution: &Execution,
        events: &[Event],
        changes: &WaitChanges,
        ended: &[ClosedWait],
    ) {
        for event in events {
            match &event.kind {
                EventKind::ExecutionStarted { .. } => self.0.metrics.execution_started(),
                EventKind::TaskHeartbeat { wait } => self.came_back(execution, *wait),
                kind if kind.ends_execution() => {
                    self.0.metrics.execution_ended(execution.status());
                }
                _ => {}
            }
        }
        for opened in &changes.opened {
            self.opened(execution, opened);
        }
        for ended in ended {
            self.ended(execution, ended);
        }
    }

    fn opened(&self, execution: &Execution, opened: &OpenedWait) {
        let (machine, state) = index::machine_and_state(&opened.place);
        let policy = &self.0.policy;
        let old_at = policy
            .after_seconds(machine, state, opened.endless)
            .map(|after| opened.since.plus_seconds(after.into()));
        if let Some(at) = old_at.into_iter().chain(opened.quiet_at).min() {
            self.look_at(at);
        }
        if opened.endless
            && let Some(waiting) = execution.waiting(opened.wait)
        {
            self.warn(execution, opened.wait, &waiting);
        }
    }

    fn ended(&self, execution: &Execution, ended: &ClosedWait) {
        let waiting = &ended.waiting;
        self.0.metrics.wait_ended(waiting.kind, ended.end);
        if !index::is_kept(waiting.kind) {
            return;
        }
        if waiting.kind == WaitKind::Callback && ended.end.is_answer() {
            let place = index::place(execution.identity(), &waiting.state_name);
            let millis = self.0.clock.now().0 - waiting.opened_at.0;
            self.0.metrics.round_trip(&place, millis);
        }
        let how = match ended.end {
            EndKind::Succeeded => "was answered",
            EndKind::Failed => "was answered with a failure",
            EndKind::TimedOut => "timed out",
            EndKind::HeartbeatTimedOut => "timed out for want of a heartbeat",
            EndKind::Aborted => "was given up with its branch or execution",
        };
        self.resolve(execution, ended.wait, waiting, how);
    }
}
