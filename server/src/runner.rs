//! The four beats for all executions: decide, append, apply, act.
//!
//! Commands for one execution queue in its *cell*; whoever finds the cell at rest sets off a driver,
//! which takes all that is queued, lets the engine decide on each in turn (the engine applies as it
//! decides), and makes one commit of everything. So commands of one execution never overlap, and a
//! Map whose thousand tasks end together costs few commits. Only after the commit do answers and
//! effects leave. The driver is a task of its own: a client that hangs up halfway cannot stop it.
//!
//! One command may be a long way. It goes in slices ([`engine::slice`]), with the first three beats for each,
//! and what comes in meanwhile has its turn between two of them; [`crate::aside`] says on which threads.
//!
//! A cell keeps its execution for a while, then only the store has it. Express executions are not stored
//! (`volatile`): for them a commit is nothing, and the cell stays.
//!
//! Here is what others ask of executions. Below it: `token` (the same for one who has a task token), `ending` (who
//! waits for an end), `cell` (the queues, and what is in memory), `request` (what is queued, and its answer),
//! `beats` (what is done about it), `decide` (the first of them).

mod beats;
mod cell;
mod decide;
mod ending;
mod request;
mod token;
mod volatile;

use std::collections::VecDeque;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, OnceLock};

use asl::{Data, StateMachine, Timestamp};
use engine::{
    CommandKind, Event, Execution, ExecutionKey, Identity, Quotas, Refusal, TokenKey, WaitId,
};
use hashbrown::HashMap;
use parking_lot::Mutex;
use store::Store;
use tokio::sync::oneshot;

use self::cell::{Cell, SHARDS};
use self::request::{Request, Start};
use crate::activity::Activities;
use crate::aside::Aside;
use crate::clock::{Busy, Clock};
use crate::dispatch::{Dispatcher, WeakDispatcher};
use crate::log::About;
use crate::logs::Logs;
use crate::machines::Machines;
use crate::status_changes::StatusChanges;
use crate::telemetry::Telemetry;
use crate::trace::Sent;
use crate::unstored::Open;
use crate::waits::Waits;

pub use self::token::{TokenError, WaitView};
pub use self::volatile::Ended;

/// Shows somebody what happens in an execution.
type Shows = dyn Fn(&Identity, &[Event]) + Send + Sync;

/// Runs executions. Cloning is a reference count.
#[derive(Clone)]
pub struct Runner(Arc<Inner>);

struct Inner {
    clock: Clock,
    store: Store,
    tokens: TokenKey,
    machines: Machines,
    activities: Activities,
    quotas: Quotas,
    shards: [Mutex<HashMap<ExecutionKey, Arc<Cell>>>; SHARDS],
    /// Executions at rest that are still in memory, oldest first.
    resident: Mutex<VecDeque<ExecutionKey>>,
    /// Who started a volatile execution and is told what it comes to.
    ends: Mutex<HashMap<ExecutionKey, (oneshot::Sender<Ended>, Open)>>,
    /// Who wants to know when an execution ends.
    watchers: Mutex<HashMap<ExecutionKey, Vec<oneshot::Sender<Busy>>>>,
    seed: AtomicU64,
    aside: Aside,
    logs: OnceLock<Logs>,
    waits: OnceLock<Waits>,
    status_changes: OnceLock<StatusChanges>,
    telemetry: OnceLock<Telemetry>,
    shows_unstored: OnceLock<Box<Shows>>,
    /// The dispatcher knows the runner too, and the app holds both.
    dispatcher: OnceLock<WeakDispatcher>,
}

/// What a worker gets with an activity's task.
#[derive(Debug)]
pub struct PickedUp {
    /// The task's input.
    pub input: Data,
    /// The trace that it is part of.
    pub trace: Sent,
}

/// Why a command changed nothing.
#[derive(Debug)]
pub enum NotDone {
    /// The engine says it does not apply.
    Refused(Refusal),
    /// There is no such execution.
    Unknown,
    /// The store failed; text for the log.
    Server(String),
}

/// What came of a start.
#[derive(Debug)]
pub enum Started {
    /// A new execution.
    New(Timestamp),
    /// There was one of this name; the caller compares inputs and status.
    Existing(Box<Execution>),
}

impl Runner {
    /// A runner without executions in memory; [`Runner::resume`] follows once `connect` was called.
    pub fn new(
        clock: Clock,
        store: Store,
        tokens: TokenKey,
        machines: Machines,
        activities: Activities,
        quotas: Quotas,
        seed: u64,
    ) -> Runner {
        Runner(Arc::new(Inner {
            clock,
            store,
            tokens,
            machines,
            activities,
            quotas,
            shards: Default::default(),
            resident: Mutex::default(),
            ends: Mutex::default(),
            watchers: Mutex::default(),
            seed: AtomicU64::new(seed),
            aside: Aside::new(),
            logs: OnceLock::new(),
            waits: OnceLock::new(),
            status_changes: OnceLock::new(),
            telemetry: OnceLock::new(),
            shows_unstored: OnceLock::new(),
            dispatcher: OnceLock::new(),
        }))
    }

    /// Names where the logs of executions go; without it they go nowhere.
    pub fn log_to(&self, logs: Logs) {
        assert!(self.0.logs.set(logs).is_ok(), "a runner logs to one place");
    }

    /// Names who watches over waits; without that nobody does.
    pub fn watched_by(&self, waits: Waits) {
        assert!(self.0.waits.set(waits).is_ok(), "one watches over waits");
    }

    /// Names who hears of status changes; without it nobody does.
    pub fn tell_of_changes(&self, changes: StatusChanges) {
        let set = self.0.status_changes.set(changes);
        assert!(set.is_ok(), "a runner tells of changes in one way");
    }

    /// Names who sees what happens in executions that are not stored, as it happens: nobody can read it later.
    /// They wait for whoever looks.
    pub fn show_unstored(&self, shows: impl Fn(&Identity, &[Event]) + Send + Sync + 'static) {
        let set = self.0.shows_unstored.set(Box::new(shows));
        assert!(set.is_ok(), "a runner shows what it does not store to one");
    }

    /// Names where executions are told of as parts of traces; without it nowhere.
    pub fn trace_to(&self, telemetry: Telemetry) {
        let set = self.0.telemetry.set(telemetry);
        assert!(set.is_ok(), "a runner's traces go to one place");
    }

    /// Names who takes tasks to their resources; it needs the runner itself, so it comes after.
    pub fn connect(&self, dispatcher: &Dispatcher) {
        assert!(
            self.0.dispatcher.set(dispatcher.downgrade()).is_ok(),
            "a runner is connected once"
        );
    }

    /// After a start of the server: dispatches again whatever has no answer yet.
    pub async fn resume(&self) {
        // A page at a time: there may be a million, and each is read from the disk.
        const PAGE: usize = 256;
        let mut after = None;
        loop {
            let page = self.0.store.undelivered(after, PAGE).await;
            let resumed = page.iter().map(|&key| {
                let (resumed, done) = oneshot::channel();
                self.enqueue(key, Request::Resume(resumed));
                done
            });
            for done in resumed.collect::<Vec<_>>() {
                // A driver that panicked has said so.
                let _ = done.await;
            }
            match page.last() {
                Some(&last) if page.len() == PAGE => after = Some(last),
                _ => return,
            }
            tokio::task::yield_now().await;
        }
    }

    /// Starts an execution and runs it as far as it goes; returns when that is durable.
    ///
    /// # Errors
    /// The store's, as text for the log.
    pub async fn start(
        &self,
        machine: Arc<StateMachine>,
        identity: Identity,
    ) -> Result<Started, String> {
        self.begin(machine, identity, false).await
    }

    /// Starts an Express execution, which is not stored, and runs it as far as it goes; what comes back
    /// waits for its end. `synchronous` is [`Surroundings::synchronous`]. Each needs an ARN of its own:
    /// the caller draws a new one for each start.
    ///
    /// # Errors
    /// Text for the log. What comes back gives an error if the execution is lost by a fault of ours.
    pub async fn start_express(
        &self,
        machine: Arc<StateMachine>,
        identity: Identity,
        synchronous: bool,
    ) -> Result<oneshot::Receiver<Ended>, String> {
        assert!(
            identity.is_express(),
            "only Express executions are volatile"
        );
        let key = ExecutionKey::of(&identity.arn);
        let (told, ended) = oneshot::channel();
        let open = self.0.machines.unstored().open(&identity.state_machine_arn);
        self.0.ends.lock().insert(key, (told, open));
        let started = self.begin(machine, identity, synchronous).await;
        if started.is_err() {
            self.0.ends.lock().remove(&key);
        }
        started.map(|_| ended)
    }

    async fn begin(
        &self,
        machine: Arc<StateMachine>,
        identity: Identity,
        synchronous: bool,
    ) -> Result<Started, String> {
        let logging = self.0.logging(&identity).await?;
        let (reply, answer) = oneshot::channel();
        self.enqueue(
            ExecutionKey::of(&identity.arn),
            Request::Start(
                Start {
                    machine,
                    identity,
                    synchronous,
                    logging,
                },
                reply,
            ),
        );
        answer
            .await
            .unwrap_or_else(|_| Err("the execution's driver ended".into()))
    }

    /// Gives a command to an execution; returns when its consequences are durable.
    ///
    /// # Errors
    /// [`NotDone`]; nothing has changed then.
    pub async fn command(&self, key: ExecutionKey, kind: CommandKind) -> Result<(), NotDone> {
        self.order(key, kind).await.map(drop)
    }

    /// A worker takes an activity task.
    ///
    /// # Errors
    /// [`NotDone`]: the task is over, or with another worker.
    pub async fn pick_up(
        &self,
        key: ExecutionKey,
        wait: WaitId,
        worker: Option<String>,
    ) -> Result<PickedUp, NotDone> {
        let picked_up = self
            .order(key, CommandKind::PickedUp { wait, worker })
            .await?;
        Ok(picked_up.expect("a pick-up is answered with the task's input"))
    }

    async fn order(
        &self,
        key: ExecutionKey,
        kind: CommandKind,
    ) -> Result<Option<PickedUp>, NotDone> {
        let (reply, answer) = oneshot::channel();
        self.enqueue(key, Request::Command { kind, reply });
        answer
            .await
            .unwrap_or_else(|_| Err(NotDone::Server("the execution's driver ended".into())))
    }

    /// `StopExecution`; returns when it stopped, also if it had ended before. `None`: no such execution.
    ///
    /// # Errors
    /// The store's, as text for the log.
    pub async fn stop(
        &self,
        key: ExecutionKey,
        error: Option<String>,
        cause: Option<String>,
    ) -> Result<Option<Timestamp>, String> {
        match self.command(key, CommandKind::Stop { error, cause }).await {
            Ok(()) | Err(NotDone::Refused(_)) => {
                let execution = self.execution(key).await?;
                Ok(execution.and_then(|execution| execution.closing().map(|closing| closing.at)))
            }
            Err(NotDone::Unknown) => Ok(None),
            Err(NotDone::Server(what)) => Err(what),
        }
    }

    /// `RedriveExecution`; returns when the execution goes on, with the time at which it was redriven (also
    /// if that was before, with the same token).
    ///
    /// # Errors
    /// [`NotDone`]; nothing has changed then.
    pub async fn redrive(
        &self,
        key: ExecutionKey,
        client_token: Option<String>,
    ) -> Result<Timestamp, NotDone> {
        let past = self.events(key).await.map_err(NotDone::Server)?;
        let kind = CommandKind::Redrive {
            past: past.into(),
            client_token,
        };
        match self.command(key, kind).await {
            Ok(()) => {
                let execution = self.execution(key).await.map_err(NotDone::Server)?;
                let redriven = execution.and_then(|execution| execution.redrives().1);
                Ok(redriven.unwrap_or_else(|| self.0.clock.now()))
            }
            Err(NotDone::Refused(Refusal::RedrivenBefore(at))) => Ok(at),
            Err(error) => Err(error),
        }
    }

    /// The scheduler says that a timer of this execution is due.
    ///
    /// # Errors
    /// The store's, as text for the log.
    pub async fn tick(&self, key: ExecutionKey) -> Result<(), String> {
        match self.command(key, CommandKind::Tick).await {
            Ok(()) | Err(NotDone::Refused(_) | NotDone::Unknown) => Ok(()),
            Err(NotDone::Server(what)) => Err(what),
        }
    }

    /// The execution as it is on disk now.
    ///
    /// # Errors
    /// The store's, as text for the log.
    pub async fn execution(&self, key: ExecutionKey) -> Result<Option<Execution>, String> {
        Ok(self.0.load(key).await?.map(|resident| resident.execution))
    }

    /// All its events; empty if there is no such execution.
    ///
    /// # Errors
    /// The store's, as text for the log.
    pub async fn events(&self, key: ExecutionKey) -> Result<Vec<Event>, String> {
        self.0.store.events(key).await.map_err(|e| e.to_string())
    }

    /// What a line of the log about an execution names, as far as it can be read.
    pub(crate) async fn about(&self, key: ExecutionKey) -> About {
        if let Ok(Some(execution)) = self.execution(key).await {
            return About::execution(execution.identity());
        }
        // Perhaps it is only its definition that can't.
        let events = self.events(key).await.unwrap_or_default();
        let identity = events.first().and_then(Execution::identity_of);
        identity.map_or_else(About::default, About::execution)
    }

    /// Does what may take long where no request waits for it.
    pub(crate) async fn beside<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> T {
        self.0.aside.run(work).await
    }

    /// Gives away its events one by one, as [`Store::each_event`] does.
    ///
    /// # Errors
    /// The store's, as text for the log.
    pub async fn each_event(
        &self,
        key: ExecutionKey,
        enough: impl FnMut(Event) -> bool,
    ) -> Result<(), String> {
        let shown = self.0.store.each_event(key, enough).await;
        shown.map_err(|e| e.to_string())
    }
}

#[cfg(test)]
mod tests;
