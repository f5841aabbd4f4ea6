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
//! A cell keeps its execution for a while ([`RESIDENT_MAX`] in all), then only the store has it. Express
//! executions are not stored (`volatile`): for them a commit is nothing, and the cell stays.

mod volatile;

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock, Weak};
use std::time::{Duration, Instant};

use asl::{Data, StateMachine, Timestamp};
use engine::execution::{EndedWait, OpenWait, wait_end};
use engine::{
    ClosedWait, Command, CommandKind, Event, EventKind, Execution, ExecutionKey, Identity, Outcome,
    Quotas, Refusal, Slice, Status, Surroundings, Token, TokenKey, WaitId,
};
use hashbrown::HashMap;
use parking_lot::Mutex;
use store::{Commit, CommitError, ExecutionCommit, MachineKey, Store, Summary, WaitChanges};
use tokio::sync::oneshot;

use crate::activity::Activities;
use crate::aside::{self, Aside};
use crate::clock::{Busy, Clock, Slow};
use crate::dispatch::{Dispatcher, WeakDispatcher};
use crate::logs::{Logging, Logs};
use crate::machines::Machines;
use crate::redrives::Redrives;
use crate::status_changes::StatusChanges;
use crate::telemetry::Telemetry;
use crate::trace::Sent;
use crate::unstored::Open;
use crate::waits::Waits;
pub use volatile::Ended;
use volatile::Volatile;

/// How many executions at rest stay in memory. Enough for those whose callbacks come within moments;
/// a parked one costs a read of about ten microseconds when its callback comes.
const RESIDENT_MAX: usize = 1024;

/// A snapshot is stored with the commit that brings the events since the last one to this number:
/// loading then never replays more than about as many.
const SNAPSHOT_EVENTS: usize = 256;

/// How many times a batch is decided again after a conflict. This server is the only writer of its
/// store, so one retry is already a surprise.
const CONFLICTS_MAX: usize = 3;

/// Cells are spread over this many locks.
const SHARDS: usize = 16;

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

/// One execution's queue and, while it is in memory, the execution.
#[derive(Default)]
struct Cell(Mutex<CellState>);

#[derive(Default)]
struct CellState {
    queue: Vec<Request>,
    driven: bool,
    resident: Option<Resident>,
    /// Whether [`Inner::resident`] counts this cell.
    counted: bool,
}

struct Resident {
    execution: Execution,
    keeping: Keeping,
    /// What its log is to have.
    logging: Option<Arc<Logging>>,
}

/// Where an execution is kept.
enum Keeping {
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
    fn of(identity: &Identity, synchronous: bool) -> Keeping {
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
    fn is_unfinished(&self) -> bool {
        self.execution.is_unfinished()
    }

    fn is_volatile(&self) -> bool {
        matches!(self.keeping, Keeping::Volatile(_))
    }
}

/// What is queued for an execution.
enum Request {
    Start {
        machine: Arc<StateMachine>,
        identity: Identity,
        /// Whether whoever started it waits for its end.
        synchronous: bool,
        logging: Option<Arc<Logging>>,
        reply: oneshot::Sender<Result<Started, String>>,
    },
    /// A pick-up is answered with the task's input.
    Command {
        kind: CommandKind,
        reply: oneshot::Sender<Result<Option<PickedUp>, NotDone>>,
    },
    /// After a restart: dispatch again what has no answer. The sender is told once it is loaded.
    Resume(oneshot::Sender<()>),
    /// The next slice of what is not finished.
    GoOn,
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

/// Why a token could not be used. Messages for clients are the API's business.
#[derive(Debug)]
pub enum TokenError {
    /// Not a token of this server.
    Invalid,
    /// The task timed out, its execution ended, or it was completed before: AWS says `TaskTimedOut`
    /// ("Task Timed Out: 'Provided task does not exist anymore'").
    Ended(Box<EndedWait>),
    /// The execution is gone (retention).
    Gone,
    /// The store failed.
    Server(String),
}

/// A wait as the gateway and operators see it.
#[derive(Debug)]
pub struct WaitView {
    /// Whose.
    pub identity: Identity,
    /// Open, or how it ended.
    pub wait: Result<OpenWait, EndedWait>,
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
            Request::Start {
                machine,
                identity,
                synchronous,
                logging,
                reply,
            },
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

    /// `SendTaskSuccess` and `SendTaskFailure`: returns when the result, and all that followed from it, is durable.
    ///
    /// # Errors
    /// [`TokenError`].
    pub async fn complete(&self, token: &str, outcome: Outcome) -> Result<(), TokenError> {
        let token = self.check(token)?;
        self.with_token(
            token,
            CommandKind::Complete {
                wait: token.wait,
                outcome,
            },
        )
        .await
    }

    /// `SendTaskHeartbeat`.
    ///
    /// # Errors
    /// [`TokenError`].
    pub async fn heartbeat(&self, token: &str) -> Result<(), TokenError> {
        let token = self.check(token)?;
        self.with_token(token, CommandKind::Heartbeat { wait: token.wait })
            .await
    }

    async fn with_token(&self, token: Token, kind: CommandKind) -> Result<(), TokenError> {
        match self.command(token.execution, kind).await {
            Ok(()) => Ok(()),
            Err(NotDone::Unknown) => Err(TokenError::Gone),
            Err(NotDone::Server(what)) => Err(TokenError::Server(what)),
            Err(NotDone::Refused(Refusal::NoSuchWait)) => Err(TokenError::Invalid),
            Err(NotDone::Refused(_)) => {
                let events = self
                    .events(token.execution)
                    .await
                    .map_err(TokenError::Server)?;
                match wait_end(&events, token.wait) {
                    Some(ended) => Err(TokenError::Ended(Box::new(ended))),
                    None => Err(TokenError::Gone),
                }
            }
        }
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

    /// The text of a wait's token.
    pub fn token(&self, token: Token) -> String {
        self.0.tokens.mint(token)
    }

    /// The token behind a text.
    ///
    /// # Errors
    /// [`TokenError::Invalid`].
    pub fn check(&self, token: &str) -> Result<Token, TokenError> {
        self.0.tokens.check(token).ok_or(TokenError::Invalid)
    }

    /// What is known of a token's wait. `None`: the execution is gone.
    ///
    /// # Errors
    /// The store's, as text for the log.
    pub async fn wait(&self, token: Token) -> Result<Option<WaitView>, String> {
        let Some(resident) = self.0.load(token.execution).await? else {
            return Ok(None);
        };
        let identity = resident.execution.identity().clone();
        if let Some(open) = resident.execution.open_wait(token.wait) {
            return Ok(Some(WaitView {
                identity,
                wait: Ok(open),
            }));
        }
        let events = self.events(token.execution).await?;
        Ok(wait_end(&events, token.wait).map(|ended| WaitView {
            identity,
            wait: Err(ended),
        }))
    }

    fn downgrade(&self) -> WeakRunner {
        WeakRunner(Arc::downgrade(&self.0))
    }

    /// Queues a request and sees to it that somebody works the queue.
    fn enqueue(&self, key: ExecutionKey, request: Request) {
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

    /// Decides on a batch, makes it durable, answers, and acts.
    async fn work(
        &self,
        key: ExecutionKey,
        resident: &mut Option<Resident>,
        mut batch: Vec<Request>,
        mut aside: bool,
    ) {
        let mut conflicts = 0;
        loop {
            if resident.is_none() {
                match self.0.load(key).await {
                    Ok(loaded) => *resident = loaded,
                    Err(what) => return answer_all(batch, Vec::new(), Some(&what)),
                }
            }
            let surroundings = match self.0.surroundings(resident.as_ref(), &batch).await {
                Ok(surroundings) => surroundings,
                Err(what) => return answer_all(batch, Vec::new(), Some(&what)),
            };
            let definition = definition(resident.as_ref(), &batch);
            let slow = |hash: &Arc<str>| self.0.aside.is_slow(hash);
            // What takes too long is given up and begun again from the store, where a volatile execution is not.
            let irreplaceable = resident.as_ref().is_some_and(Resident::is_volatile);
            let sent = !aside && (irreplaceable || definition.as_ref().is_some_and(slow));
            let inner = self.0.clone();
            let there = resident.take();
            let decide = move |patience| inner.decide_in_time(there, batch, surroundings, patience);
            let tried = match aside || sent {
                true => self.0.aside.run(|| decide(None)).await,
                false => decide(Some(aside::PATIENCE)),
            };
            let decided;
            (*resident, batch, decided) = (tried.resident, tried.batch, tried.decided);
            if let Some(definition) = definition {
                let finished = !resident.as_ref().is_some_and(Resident::is_unfinished);
                if !aside && !sent && tried.slow {
                    self.0.aside.remember(definition, true);
                } else if sent && finished && !tried.slow {
                    self.0.aside.remember(definition, false);
                }
            }
            let Some(mut decided) = decided else {
                // As after a commit that failed: the value is gone, and nothing has happened.
                *resident = None;
                aside = true;
                continue;
            };
            let waits = self.0.wait_changes(resident.as_ref(), &decided);
            let committed = self
                .0
                .commit(key, resident.as_mut(), &decided.events, waits.clone())
                .await;
            match committed {
                Ok(()) => {
                    answer_all(batch, std::mem::take(&mut decided.verdicts), None);
                    if let Some(Resident {
                        execution,
                        keeping,
                        logging,
                    }) = resident
                    {
                        if let (Some(logging), Some(logs)) = (logging, self.0.logs.get()) {
                            logs.offer(logging, key, &decided.events, decided.history_before);
                        }
                        if let Some(telemetry) = self.0.telemetry.get() {
                            let volatile = matches!(keeping, Keeping::Volatile(_));
                            let (events, before) = (&decided.events, decided.history_before);
                            telemetry.offer(key, execution.identity(), volatile, events, before);
                        }
                        if let (Keeping::Volatile(_), Some(shows)) =
                            (&*keeping, self.0.shows_unstored.get())
                        {
                            shows(execution.identity(), &decided.events);
                        }
                        if let Some(watch) = self.0.waits.get() {
                            watch.changed(execution, &decided.events, &waits, &decided.ended);
                        }
                        self.act(key, execution, &decided);
                        if let Keeping::Volatile(volatile) = keeping {
                            volatile.arm(self, key, execution);
                        }
                    }
                    return;
                }
                Err(CommitError::Conflict) if conflicts < CONFLICTS_MAX => {
                    conflicts += 1;
                    *resident = None;
                }
                Err(error) => {
                    *resident = None;
                    return answer_all(batch, Vec::new(), Some(&error.to_string()));
                }
            }
        }
    }

    /// The fourth beat.
    fn act(&self, key: ExecutionKey, execution: &Execution, decided: &Decided) {
        let mut effects = execution.effects(&decided.events);
        if decided.resume {
            // These are among all that have no answer yet.
            effects.retain(|effect| {
                !matches!(
                    effect,
                    engine::Effect::Dispatch(_) | engine::Effect::StartMapRun(_)
                )
            });
            effects.extend(execution.undelivered());
        }
        let dispatcher = self
            .0
            .dispatcher
            .get()
            .expect("a runner is connected before it runs");
        // If the app is gone, what it leaves undone is undelivered in the store, for the next start.
        let Some(dispatcher) = dispatcher.upgrade() else {
            return;
        };
        for effect in effects {
            match effect {
                engine::Effect::Dispatch(dispatch) => {
                    dispatcher.dispatch(key, execution.identity(), dispatch)
                }
                engine::Effect::StartMapRun(wait) => dispatcher.start_map_run(key, wait),
                engine::Effect::WaitEnded(wait) => dispatcher.wait_ended(key, wait),
                engine::Effect::ExecutionEnded => {
                    self.0.tell_end(key, execution);
                    for watcher in self.0.watchers.lock().remove(&key).into_iter().flatten() {
                        let _ = watcher.send(self.0.clock.busy());
                    }
                    dispatcher.execution_ended(execution.identity(), execution.status());
                }
            }
        }
    }
}

/// A runner as what it sets off knows it: an alarm must not keep a server alive.
struct WeakRunner(Weak<Inner>);

impl WeakRunner {
    fn upgrade(&self) -> Option<Runner> {
        self.0.upgrade().map(Runner)
    }
}

/// An attempt to decide on a batch.
struct Tried {
    resident: Option<Resident>,
    batch: Vec<Request>,
    /// Nothing if it was given up; the resident is then not to be used.
    decided: Option<Decided>,
    /// Whether it took longer than others are to be held up.
    slow: bool,
}

/// What came of a batch before it was durable.
struct Decided {
    events: Arc<[Event]>,
    /// How many events the AWS history had before these.
    history_before: u64,
    verdicts: Vec<Verdict>,
    /// The waits that they have ended.
    ended: Vec<ClosedWait>,
    resume: bool,
}

/// Which definition a batch is about, by its hash.
fn definition(resident: Option<&Resident>, batch: &[Request]) -> Option<Arc<str>> {
    if let Some(resident) = resident {
        return Some(resident.execution.identity().definition.clone());
    }
    batch.iter().find_map(|request| match request {
        Request::Start { identity, .. } => Some(identity.definition.clone()),
        _ => None,
    })
}

/// The answer to one request of a batch, in its order.
enum Verdict {
    Started(Timestamp),
    Existing(Box<Execution>),
    Done(Result<Option<PickedUp>, NotDone>),
    None,
}

impl Inner {
    fn shard(&self, key: ExecutionKey) -> &Mutex<HashMap<ExecutionKey, Arc<Cell>>> {
        &self.shards[key.0 as usize % SHARDS]
    }

    fn seed(&self) -> u64 {
        // Each command's seed is the next of a sequence with a random start; the engine mixes it.
        self.seed
            .fetch_add(0x9E37_79B9_7F4A_7C15, Ordering::Relaxed)
    }

    /// The second and third beats' reading side: snapshot and events to a value.
    async fn load(&self, key: ExecutionKey) -> Result<Option<Resident>, String> {
        let Some(loaded) = self.store.load(key).await.map_err(|e| e.to_string())? else {
            return Ok(None);
        };
        let tail = loaded.events.len();
        let mut execution = match loaded.snapshot {
            Some(snapshot) => {
                let machine = self
                    .machines
                    .definition(&snapshot.identity().definition)
                    .await?;
                let mut execution = Execution::restore(machine, snapshot);
                for event in &loaded.events {
                    execution.apply(event);
                }
                execution
            }
            None => {
                let first = loaded.events.first().and_then(Execution::identity_of);
                let identity = first.ok_or("an execution's first event is not its start")?;
                let machine = self.machines.definition(&identity.definition).await?;
                Execution::replay(machine, &loaded.events)
            }
        };
        execution.look_for_unfinished();
        let logging = self.logging(execution.identity()).await?;
        Ok(Some(Resident {
            execution,
            logging,
            keeping: Keeping::Durable {
                version: loaded.version,
                tail,
            },
        }))
    }

    /// What the log of an execution is to have.
    async fn logging(&self, identity: &Identity) -> Result<Option<Arc<Logging>>, String> {
        match self.logs.get() {
            Some(logs) => logs.wanted(identity).await,
            None => Ok(None),
        }
    }

    /// Tells whoever started a volatile execution what it came to.
    fn tell_end(&self, key: ExecutionKey, execution: &Execution) {
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

    /// The quotas, and which activities of the batch's machine are not there. A machine without activities
    /// costs nothing here, and those that are there are known in memory.
    async fn surroundings(
        &self,
        resident: Option<&Resident>,
        batch: &[Request],
    ) -> Result<Surroundings, String> {
        let machine = match resident {
            Some(resident) => Some(resident.execution.machine()),
            None => batch.iter().find_map(|request| match request {
                Request::Start { machine, .. } => Some(&**machine),
                _ => None,
            }),
        };
        let mut deleted_activities = Vec::new();
        for arn in machine.into_iter().flat_map(StateMachine::activities) {
            if self.activities.find(arn).await?.is_none() {
                deleted_activities.push(arn.clone());
            }
        }
        Ok(Surroundings {
            deleted_activities,
            quotas: self.quotas,
            synchronous: matches!(
                resident.map(|resident| &resident.keeping),
                Some(Keeping::Volatile(Volatile {
                    synchronous: true,
                    ..
                }))
            ),
        })
    }

    /// The first beat, with so much patience, or aside with all that it takes.
    fn decide_in_time(
        &self,
        mut resident: Option<Resident>,
        batch: Vec<Request>,
        surroundings: Surroundings,
        patience: Option<Duration>,
    ) -> Tried {
        let began = Instant::now();
        let most = patience.unwrap_or(aside::SLICE);
        let slice = Slice {
            patience,
            enough: &|| began.elapsed() >= most,
        };
        let decided = self.decide(&mut resident, &batch, surroundings, slice);
        Tried {
            resident,
            batch,
            slow: decided.is_none() || began.elapsed() >= aside::PATIENCE,
            decided,
        }
    }

    /// The first beat, for everything in a batch; nothing if the slice was given up.
    fn decide(
        &self,
        resident: &mut Option<Resident>,
        batch: &[Request],
        surroundings: Surroundings,
        slice: Slice<'_>,
    ) -> Option<Decided> {
        let mut events: Vec<Event> = Vec::new();
        let mut verdicts = Vec::with_capacity(batch.len());
        let mut ended = Vec::new();
        let mut resume = false;
        let at = self.clock.now();
        let mut history_before = 0;
        if let Some(Resident { execution, .. }) = resident {
            execution.set_surroundings(surroundings.clone());
            history_before = execution.history_events();
        }
        for request in batch {
            let verdict = match request {
                Request::Start {
                    machine,
                    identity,
                    synchronous,
                    logging,
                    ..
                } => match resident {
                    Some(existing) => Verdict::Existing(Box::new(existing.execution.clone())),
                    None => {
                        let (mut execution, first) = Execution::begin_within(
                            machine.clone(),
                            identity.clone(),
                            self.seed(),
                            &self.tokens,
                            Surroundings {
                                synchronous: *synchronous,
                                ..surroundings.clone()
                            },
                            slice,
                        )?;
                        events.extend(first);
                        ended.extend(execution.take_ended());
                        *resident = Some(Resident {
                            execution,
                            keeping: Keeping::of(identity, *synchronous),
                            logging: logging.clone(),
                        });
                        Verdict::Started(identity.started_at)
                    }
                },
                Request::Command { kind, .. } => match resident {
                    None => Verdict::Done(Err(NotDone::Unknown)),
                    Some(Resident { execution, .. }) => {
                        let overdue = !matches!(kind, CommandKind::Tick)
                            && execution.next_timer().is_some_and(|next| next <= at);
                        let mut order = |kind: CommandKind| {
                            let command = Command {
                                at,
                                seed: self.seed(),
                                kind,
                            };
                            let decided = execution.decide_within(command, &self.tokens, slice);
                            ended.extend(execution.take_ended());
                            decided
                        };
                        // What is due comes first: an answer after its deadline is late even if
                        // the scheduler has not come round yet.
                        if overdue && let Ok(due) = order(CommandKind::Tick) {
                            events.extend(due?);
                        }
                        match order(kind.clone()) {
                            Ok(more) => {
                                events.extend(more?);
                                Verdict::Done(match kind {
                                    // The pick-up itself may have filled the history, which ends all.
                                    CommandKind::PickedUp { wait, .. } => execution
                                        .parameters(*wait)
                                        .map(|input| {
                                            let trace = Sent::of(execution.identity(), *wait);
                                            Some(PickedUp { input, trace })
                                        })
                                        .ok_or(NotDone::Refused(Refusal::WaitEnded)),
                                    _ => Ok(None),
                                })
                            }
                            Err(refusal) => Verdict::Done(Err(NotDone::Refused(refusal))),
                        }
                    }
                },
                Request::Resume(_) => {
                    resume = true;
                    Verdict::None
                }
                Request::GoOn => {
                    if let Some(Resident { execution, .. }) = resident {
                        let command = Command {
                            at,
                            seed: self.seed(),
                            kind: CommandKind::GoOn,
                        };
                        let more = execution.decide_within(command, &self.tokens, slice);
                        events.extend(more.expect("going on is never refused")?);
                        ended.extend(execution.take_ended());
                    }
                    Verdict::None
                }
            };
            verdicts.push(verdict);
        }
        Some(Decided {
            events: events.into(),
            history_before,
            verdicts,
            ended,
            resume,
        })
    }

    /// What a commit says of waits. Those of an Express execution are in memory with it, for minutes at most.
    fn wait_changes(&self, resident: Option<&Resident>, decided: &Decided) -> WaitChanges {
        match (resident, self.waits.get()) {
            (Some(resident), Some(watch)) if !resident.is_volatile() => {
                watch.changes(&resident.execution, &decided.events, &decided.ended)
            }
            _ => WaitChanges::default(),
        }
    }

    /// The second beat.
    async fn commit(
        &self,
        key: ExecutionKey,
        resident: Option<&mut Resident>,
        events: &Arc<[Event]>,
        waits: WaitChanges,
    ) -> Result<(), CommitError> {
        let Some(resident) = resident else {
            return Ok(());
        };
        if events.is_empty() {
            return Ok(());
        }
        let execution = &resident.execution;
        let Keeping::Durable { version, tail } = &mut resident.keeping else {
            return Ok(());
        };
        let new_tail = *tail + events.len();
        let running = execution.status() == Status::Running;
        let snapshot = (running && new_tail >= SNAPSHOT_EVENTS).then(|| execution.snapshot());
        let new_tail = if snapshot.is_some() { 0 } else { new_tail };
        let identity = execution.identity();
        let redriven = events
            .iter()
            .any(|event| matches!(event.kind, EventKind::ExecutionRedriven { .. }));
        let changes = self.status_changes.get();
        let told = changes.map(|changes| changes.documents(execution, events));
        let told = told.into_iter().flatten();
        let commit = Commit {
            execution: Some(ExecutionCommit {
                key,
                expected_version: *version,
                events: events.clone(),
                snapshot,
                summary: Summary {
                    name: identity.name.clone(),
                    // A child is listed with its Map Run, and not with the machine.
                    state_machine: MachineKey::of(match &identity.map_run {
                        Some(child) => &child.arn,
                        None => &identity.state_machine_arn,
                    }),
                    status: execution.status(),
                    started_at: identity.started_at,
                    stopped_at: execution.closing().map(|closing| closing.at),
                    next_timer: execution.next_timer(),
                    // What is not finished has to be taken up after a restart, too.
                    undelivered: execution.has_undelivered() || execution.is_unfinished(),
                },
                waits,
            }),
            documents: redriven
                .then(|| Redrives::change(key, execution))
                .flatten()
                .into_iter()
                .chain(told)
                .collect(),
        };
        *version = self.store.commit(commit).await?;
        *tail = new_tail;
        Ok(())
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

fn not_before_next_start(error: Option<&str>) {
    if let Some(what) = error {
        crate::log::say!("an execution can't go on before the next start: {what}");
    }
}

/// Answers the requests of a batch: with their verdicts, or all with the same error.
fn answer_all(batch: Vec<Request>, verdicts: Vec<Verdict>, error: Option<&str>) {
    let mut verdicts = verdicts.into_iter();
    for request in batch {
        let verdict = verdicts.next().unwrap_or(Verdict::None);
        // Whoever asked may have hung up; what was decided stands all the same.
        match request {
            Request::Start { reply, .. } => {
                let _ = reply.send(match (error, verdict) {
                    (Some(what), _) => Err(what.to_owned()),
                    (None, Verdict::Started(at)) => Ok(Started::New(at)),
                    (None, Verdict::Existing(execution)) => Ok(Started::Existing(execution)),
                    (None, _) => unreachable!("a start is answered as a start"),
                });
            }
            Request::Command { reply, .. } => {
                let _ = reply.send(match (error, verdict) {
                    (Some(what), _) => Err(NotDone::Server(what.to_owned())),
                    (None, Verdict::Done(done)) => done,
                    (None, _) => unreachable!("a command is answered as a command"),
                });
            }
            Request::Resume(resumed) => {
                not_before_next_start(error);
                let _ = resumed.send(());
            }
            Request::GoOn => not_before_next_start(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::time::Duration;

    use store::{Options, Table};

    use super::*;
    use crate::app::{App, Place, Settings};

    const NOW: Timestamp = Timestamp(1_700_000_000_000);
    const WAITS: &str = r#"{"StartAt":"W","States":{"W":{"Type":"Wait","Seconds":60,"End":true}}}"#;

    /// A runner that nobody has connected: its drives panic as soon as there is something to act on,
    /// after the commit and after the answers.
    fn unconnected() -> Runner {
        let (store, _) = Store::open(Options { directory: None }).expect("a store in memory");
        Runner::new(
            Clock::standing_at(NOW),
            store.clone(),
            TokenKey::new(&[7; 32]),
            Machines::new(store.clone()),
            Activities::new(store, Table::Activity),
            Quotas::default(),
            1,
        )
    }

    async fn app() -> App {
        app_in(None).await
    }

    async fn app_in(directory: Option<std::path::PathBuf>) -> App {
        let settings = Settings {
            place: Place {
                region: "us-east-1".to_owned(),
                account: "123456789012".to_owned(),
            },
            clock: Clock::standing_at(NOW),
            directory,
            retention_days: 90,
            quotas: Default::default(),
            stuck_waits: Default::default(),
            environment: Default::default(),
            functions: BTreeMap::new(),
            topics: BTreeMap::new(),
            routes: Vec::new(),
            alerts: Default::default(),
            status_changes: Vec::new(),
            address: ([127, 0, 0, 1], 1).into(),
        };
        let (app, _) = App::open(settings).await.expect("the store opens");
        app
    }

    const ROUND: &str = r#"{"StartAt":"R","States":{"R":{"Type":"Pass","Next":"C"},
        "C":{"Type":"Choice","Choices":[{"Variable":"$.x","IsPresent":true,"Next":"E"}],"Default":"R"},"E":{"Type":"Succeed"}}}"#;

    /// With the seats taken, a loop stands still after its first slice, and others have their say.
    #[tokio::test]
    async fn a_machine_that_loops_can_be_stopped() {
        let app = app().await;
        let seats = app.runner.0.aside.take_all().await;
        let key = begun_with(&app.runner, ROUND).await;
        let stopped = app.runner.command(key, stop());
        tokio::pin!(stopped);
        not_yet(stopped.as_mut()).await;
        drop(seats);
        stopped.await.expect("it had not ended");
        let summary = app.store.summary(key).await.expect("the store works");
        let status = summary.map(|summary| summary.status);
        assert_eq!(status, Some(Status::Aborted));
    }

    #[test]
    fn what_a_slice_left_goes_on_after_a_restart() {
        let name = format!("rejoin-slices-{}", std::process::id());
        let directory = std::env::temp_dir().join(name);
        let _ = std::fs::remove_dir_all(&directory);
        let runtime = || tokio::runtime::Runtime::new().expect("there are threads");
        let created = serde_json::json!({"name": "m", "definition": ROUND, "roleArn": "arn:aws:iam::123456789012:role/r"});
        let started = serde_json::json!({"stateMachineArn": "arn:aws:states:us-east-1:123456789012:stateMachine:m", "name": "e"});
        let key = ExecutionKey::of("arn:aws:states:us-east-1:123456789012:execution:m:e");

        // With this runtime ends all that it has spawned: a crash between two slices.
        let before = runtime().block_on(async {
            let app = app_in(Some(directory.clone())).await;
            let _seats = app.runner.0.aside.take_all().await;
            for (operation, body) in [("CreateStateMachine", created), ("StartExecution", started)]
            {
                let body = body.to_string();
                let busy = app.clock.busy();
                let given = crate::trace::Given::inside(None);
                let done =
                    crate::api::perform_holding(&app, operation, body.as_bytes(), &given, busy);
                let (done, _) = done.await;
                assert!(done.is_ok(), "{operation}");
            }
            assert_eq!(app.store.undelivered(None, 10).await, [key]);
            app.runner.events(key).await.expect("they are stored").len()
        });
        runtime().block_on(async {
            let app = app_in(Some(directory.clone())).await;
            drop(app.runner.until_ended(key).await.expect("it ends"));
            let events = app.runner.events(key).await.expect("they are stored");
            assert!(events.len() > before);
            assert_eq!(engine::history::project(&events, false).len(), 25_000);
        });
        let _ = std::fs::remove_dir_all(&directory);
    }

    /// A waiting execution; it stays in memory, so its definition need not be stored.
    async fn begun(runner: &Runner) -> ExecutionKey {
        begun_with(runner, WAITS).await
    }

    async fn begun_with(runner: &Runner, definition: &str) -> ExecutionKey {
        let machine = asl::parse(definition).machine.expect("a sound machine");
        let arn = "arn:aws:states:us-east-1:123456789012:execution:m:e";
        let identity = Identity {
            arn: arn.into(),
            name: "e".into(),
            state_machine_arn: "arn:aws:states:us-east-1:123456789012:stateMachine:m".into(),
            state_machine_name: "m".into(),
            definition: "none".into(),
            role_arn: "arn:aws:iam::123456789012:role/r".into(),
            input: Data::parse("{}").expect("JSON"),
            started_at: NOW,
            version: None,
            alias: None,
            map_run: None,
            test_case: None,
            trace_context: None,
            trace_header: None,
        };
        let started = runner.start(Arc::new(machine), identity).await;
        assert!(matches!(started, Ok(Started::New(_))));
        ExecutionKey::of(arn)
    }

    fn stop() -> CommandKind {
        CommandKind::Stop {
            error: None,
            cause: None,
        }
    }

    /// Polls once, and expects no answer yet.
    async fn not_yet<T>(future: std::pin::Pin<&mut impl Future<Output = T>>) {
        tokio::select! {
            biased;
            _ = future => panic!("it is not to end yet"),
            () = std::future::ready(()) => {}
        }
    }

    #[tokio::test]
    async fn a_drive_that_panics_does_not_block_its_execution() {
        let runner = unconnected();
        let key = begun(&runner).await;
        // Its driver has panicked by now.
        let again = tokio::time::timeout(Duration::from_secs(10), runner.command(key, stop()));
        let answer = again.await.expect("somebody answers");
        // The definition of this execution can't be loaded, which is an answer too.
        assert!(matches!(answer, Err(NotDone::Server(_))), "{answer:?}");
    }

    #[tokio::test]
    async fn who_gives_up_waiting_for_an_end_is_forgotten() {
        let app = app().await;
        let key = begun(&app.runner).await;
        let mut stays = Box::pin(app.runner.until_ended(key));
        not_yet(stays.as_mut()).await;
        {
            let mut leaves = Box::pin(app.runner.until_ended(key));
            not_yet(leaves.as_mut()).await;
        }
        assert_eq!(app.runner.0.watchers.lock()[&key].len(), 1);
        app.runner.command(key, stop()).await.expect("it runs");
        drop(stays.await.expect("it ended"));
        assert!(app.runner.0.watchers.lock().is_empty());
    }

    #[tokio::test]
    async fn one_who_finds_an_execution_ended_does_not_send_the_others_away() {
        let app = app().await;
        let key = begun(&app.runner).await;
        let mut first = Box::pin(app.runner.until_ended(key));
        not_yet(first.as_mut()).await;
        // The moment after the commit of its end and before its effects: durable, and nobody told.
        let watchers = std::mem::take(&mut *app.runner.0.watchers.lock());
        app.runner.command(key, stop()).await.expect("it runs");
        *app.runner.0.watchers.lock() = watchers;
        drop(app.runner.until_ended(key).await.expect("it ended"));
        not_yet(first.as_mut()).await;
    }

    #[tokio::test]
    async fn what_is_resumed_and_ended_at_once_still_tells_who_waits() {
        let app = app().await;
        let key = begun(&app.runner).await;
        let mut ended = Box::pin(app.runner.until_ended(key));
        not_yet(ended.as_mut()).await;
        // Without an await between them, both are one batch.
        app.runner
            .enqueue(key, Request::Resume(oneshot::channel().0));
        app.runner.command(key, stop()).await.expect("it runs");
        let told = tokio::time::timeout(Duration::from_secs(10), ended).await;
        drop(told.expect("it is told").expect("it ended"));
    }
}
