//! The driver of one Map Run, from its start (or the server's) to its end.
//!
//! A driver starts children as long as there are items and room, and otherwise waits for messages. While
//! it waits it holds neither time nor the server: virtual time may go on to what its children wait for,
//! and a server that is dropped takes its drivers along.

use std::sync::Arc;

use asl::{Data, Failure, StateMachine, Timestamp};
use engine::{
    CommandKind, Execution, ExecutionKey, Identity, Item, MapRunChild, Outcome, Status, WaitId,
};
use hashbrown::HashMap;
use serde_json::Value;
use store::{Expect, ListQuery, MachineKey};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::app::{App, WeakApp};
use crate::clock::Busy;
use crate::runner::Started;

use super::Progress;
use super::document::{self, Record, Standing};
use super::tally::{Settings, Tally};

/// How many starts may be on their way to the disk at once: enough to fill a sync.
const STARTS_MAX: usize = 256;

/// What a driver is told.
pub(super) enum Message {
    /// A child ended.
    Ended(u32, Status, Busy),
    /// UpdateMapRun.
    Settings(Settings, Busy),
    /// The Map state's wait is over.
    Abandon(Busy),
}

/// One Map Run's driver.
pub(super) struct Driver {
    app: WeakApp,
    key: ExecutionKey,
    wait: WaitId,
    messages: mpsc::UnboundedReceiver<Message>,
    progress: Progress,
}

impl Driver {
    pub(super) fn new(
        app: WeakApp,
        key: ExecutionKey,
        wait: WaitId,
        messages: mpsc::UnboundedReceiver<Message>,
        progress: Progress,
    ) -> Driver {
        Driver {
            app,
            key,
            wait,
            messages,
            progress,
        }
    }

    /// Drives the Map Run to its end.
    ///
    /// # Errors
    /// One sentence for the log: the store does not work.
    pub(super) async fn run(&mut self, busy: Busy) -> Result<(), String> {
        let Some(app) = self.app.upgrade() else {
            return Ok(());
        };
        let Some(parent) = app.runner.execution(self.key).await? else {
            return Ok(());
        };
        let Some(open) = parent.map_run(self.wait) else {
            return self.clear_away(&app, &parent, busy).await;
        };
        let arn = open.run.arn.clone();
        app.map_runs.named((self.key, self.wait), &arn);
        let record = taken_up(&app, &parent, self.wait).await?;
        let work = Work::new(&app, parent, self.wait, &record).await?;
        match record.standing {
            Standing::Running => self.drive(app, work, busy).await,
            Standing::Succeeded { output } => {
                // It ended before the server did, and nobody was told.
                let outcome = match output {
                    Some(output) => Outcome::Success(output),
                    None => work.list(&app).await?,
                };
                self.tell(&app, outcome).await
            }
            Standing::Failed { failure } => self.tell(&app, Outcome::Failure(failure)).await,
            Standing::Aborted => Ok(()),
        }
    }

    async fn drive(&mut self, app: App, mut work: Work, busy: Busy) -> Result<(), String> {
        let (mut app, mut busy) = (app, busy);
        let mut under_way: JoinSet<(Result<Option<Ended>, String>, Busy)> = JoinSet::new();
        loop {
            work.check_failures();
            while work.has_room() && under_way.len() < STARTS_MAX {
                match work.next_child() {
                    Ok(Some(child)) => {
                        under_way.spawn(start(app.clone(), child, app.clock.busy()));
                    }
                    Ok(None) => break,
                    Err(failure) => work.end(Ending::Failed(failure)),
                }
            }
            // A child whose start is under way can't be stopped yet.
            if work.is_to_stop() && under_way.is_empty() {
                for arn in work.take_to_stop() {
                    under_way.spawn(stop(app.clone(), arn, app.clock.busy()));
                }
            }
            *self.progress.lock() = work.known();
            if work.is_over() && under_way.is_empty() {
                return self.finish(&app, work, busy).await;
            }
            // Nothing to do until somebody has something to say, with their own hold on time.
            drop((app, busy));
            busy = tokio::select! {
                message = self.messages.recv() => match message {
                    Some(message) => work.hear(message),
                    None => return Ok(()),
                },
                Some(done) = under_way.join_next(), if !under_way.is_empty() => {
                    let (done, busy) = done.map_err(|e| format!("a child's start failed: {e}"))?;
                    if let Some(ended) = done? {
                        work.ended(ended.index, ended.status);
                    }
                    busy
                }
            };
            while let Ok(message) = self.messages.try_recv() {
                drop(work.hear(message));
            }
            app = match self.app.upgrade() {
                Some(app) => app,
                None => return Ok(()),
            };
        }
    }

    /// The last child has ended.
    async fn finish(&mut self, app: &App, mut work: Work, _busy: Busy) -> Result<(), String> {
        let (standing, outcome) = match work.ending.take() {
            Some(Ending::Abandoned) => (Standing::Aborted, None),
            Some(Ending::Failed(failure)) => (
                Standing::Failed {
                    failure: failure.clone(),
                },
                Some(Outcome::Failure(failure)),
            ),
            None => {
                let outcome = work.list(app).await?;
                let standing = match &outcome {
                    Outcome::Success(_) => Standing::Succeeded { output: None },
                    Outcome::Failure(failure) => Standing::Failed {
                        failure: failure.clone(),
                    },
                };
                work.tally.written();
                (standing, Some(outcome))
            }
        };
        let (tally, at) = (work.known(), app.clock.now());
        close(app, &work.arn, standing, tally, at).await?;
        match outcome {
            Some(outcome) => self.tell(app, outcome).await,
            None => Ok(()),
        }
    }

    /// The Map state hears how it ended.
    async fn tell(&self, app: &App, outcome: Outcome) -> Result<(), String> {
        use crate::runner::NotDone;
        let wait = self.wait;
        let told = app
            .runner
            .command(self.key, CommandKind::Complete { wait, outcome });
        match told.await {
            // Refused: it did not want to know any longer.
            Ok(()) | Err(NotDone::Refused(_) | NotDone::Unknown) => Ok(()),
            Err(NotDone::Server(what)) => Err(what),
        }
    }

    /// The Map state does not wait any longer, and the server ended before all of the children did.
    async fn clear_away(
        &mut self,
        app: &App,
        parent: &Execution,
        busy: Busy,
    ) -> Result<(), String> {
        let events = app.runner.events(self.key).await?;
        let arn = events.iter().find_map(|event| match &event.kind {
            engine::EventKind::MapRunStarted { wait, run } if *wait == self.wait => {
                Some(run.arn.clone())
            }
            _ => None,
        });
        let Some(arn) = arn else {
            return Ok(());
        };
        let Some((_, record)) = document::read(&app.store, &arn).await? else {
            return Ok(());
        };
        if record.standing != Standing::Running {
            return Ok(());
        }
        let names = Names::new(&arn, parent.identity());
        let mut tally = Tally::default();
        for (name, status) in children(app, &arn).await? {
            let arn = names.execution(&name);
            let key = ExecutionKey::of(&arn);
            if status == Status::Running {
                app.runner.stop(key, None, None).await?;
            }
            let child = app.runner.execution(key).await?;
            let items = child
                .and_then(|child| Some((child.identity().map_run.as_ref()?.items, child.status())));
            if let Some((items, status)) = items {
                tally.begin(items);
                tally.end(status, items);
            }
        }
        close(
            app,
            &arn,
            Standing::Aborted,
            tally.known(None, 1),
            app.clock.now(),
        )
        .await?;
        drop(busy);
        Ok(())
    }
}

/// Why children are started no longer.
enum Ending {
    Failed(Failure),
    Abandoned,
}

/// A child that was found to have ended.
struct Ended {
    index: u32,
    status: Status,
}

/// A child to be started.
struct Child {
    machine: Arc<StateMachine>,
    identity: Identity,
    index: u32,
}

/// The work of one Map Run: the items, the children, and how far they are.
struct Work {
    arn: Arc<str>,
    wait: WaitId,
    parent: Execution,
    machine: Arc<StateMachine>,
    names: Names,
    settings: Settings,
    tally: Tally,
    /// Children that were found, by name, and what was last heard of those that were not come to yet.
    found: HashMap<String, Status>,
    /// Children that run, by their place, and how many items each has.
    open: HashMap<u32, u32>,
    /// The place of the next child, which is the number of those before.
    next: u32,
    items: Items,
    ending: Option<Ending>,
    stopping: bool,
    now: Timestamp,
}

impl Work {
    async fn new(
        app: &App,
        parent: Execution,
        wait: WaitId,
        record: &Record,
    ) -> Result<Work, String> {
        let arn = record.arn.clone();
        let found = children(app, &arn).await?.into_iter().collect();
        let machine = app.machines.definition(&parent.identity().definition);
        let open = parent
            .map_run(wait)
            .expect("the caller saw that it is open");
        let ending = not_supported(&open);
        let items = Items {
            list: open.items.clone(),
            next: 0,
        };
        Ok(Work {
            names: Names::new(&arn, parent.identity()),
            machine: machine.await?,
            arn,
            wait,
            parent,
            settings: record.settings,
            tally: Tally::default(),
            found,
            open: HashMap::new(),
            next: 0,
            items,
            ending,
            stopping: false,
            now: app.clock.now(),
        })
    }

    fn has_room(&self) -> bool {
        self.ending.is_none() && self.open.len() < self.settings.concurrency()
    }

    /// The next child that is not there yet.
    fn next_child(&mut self) -> Result<Option<Child>, Failure> {
        while let Some((index, value)) = self.items.next() {
            let items = 1;
            let place = self.next;
            let name = self.names.child(place);
            let found = self.found.remove(&name);
            self.next += 1;
            match found {
                Some(Status::Running) => {
                    self.tally.begin(items);
                    self.open.insert(place, items);
                    if !self.has_room() {
                        return Ok(None);
                    }
                }
                Some(status) => {
                    self.tally.begin(items);
                    self.tally.end(status, items);
                }
                None => {
                    let seed = ExecutionKey::of(&name).0 as u64;
                    let item = Item {
                        index,
                        value: &value,
                    };
                    let input = self.parent.item_input(self.wait, &item, self.now, seed)?;
                    self.tally.begin(items);
                    self.open.insert(place, items);
                    let identity = self.identity(name, place, items, input);
                    let machine = self.machine.clone();
                    return Ok(Some(Child {
                        machine,
                        identity,
                        index: place,
                    }));
                }
            }
        }
        Ok(None)
    }

    fn identity(&self, name: String, index: u32, items: u32, input: Data) -> Identity {
        let parent = self.parent.identity();
        let state = self.parent.map_run(self.wait);
        let state = state.expect("children are started while the wait is open");
        Identity {
            arn: self.names.execution(&name).into(),
            name: name.into(),
            state_machine_arn: self.names.machine_arn.clone(),
            state_machine_name: self.names.machine_name.clone(),
            definition: parent.definition.clone(),
            role_arn: parent.role_arn.clone(),
            input,
            started_at: self.now,
            version: None,
            alias: None,
            map_run: Some(MapRunChild {
                arn: self.arn.clone(),
                state: state.state_name.clone(),
                index,
                items,
            }),
        }
    }

    /// Takes a message in; gives its hold on time.
    fn hear(&mut self, message: Message) -> Busy {
        match message {
            Message::Ended(index, status, busy) => {
                self.ended(index, status);
                busy
            }
            Message::Settings(settings, busy) => {
                self.settings = settings;
                busy
            }
            Message::Abandon(busy) => {
                self.ending = Some(Ending::Abandoned);
                busy
            }
        }
    }

    fn ended(&mut self, index: u32, status: Status) {
        match self.open.remove(&index) {
            Some(items) => self.tally.end(status, items),
            // It ran before the server was started, and is not come to yet.
            None if index >= self.next => {
                self.found.insert(self.names.child(index), status);
            }
            None => {}
        }
    }

    fn end(&mut self, ending: Ending) {
        self.ending.get_or_insert(ending);
    }

    fn check_failures(&mut self) {
        let total = self.items.total();
        if self.settings.exceeded_by(&self.tally.items, total) {
            let cause = "The specified tolerated failure threshold was exceeded";
            let failure = Failure::new("States.ExceedToleratedFailureThreshold", cause);
            self.end(Ending::Failed(failure));
        }
    }

    fn is_to_stop(&self) -> bool {
        self.ending.is_some() && !self.stopping
    }

    /// The ARNs of the children that run.
    fn take_to_stop(&mut self) -> Vec<String> {
        self.stopping = true;
        let open = self.open.keys();
        open.map(|index| self.names.execution(&self.names.child(*index)))
            .collect()
    }

    fn is_over(&self) -> bool {
        let done = self.items.is_done() || (self.ending.is_some() && self.stopping);
        done && self.open.is_empty()
    }

    fn known(&self) -> Tally {
        self.tally.known(self.items.total(), 1)
    }

    /// The outputs of the children that succeeded, in the order of their items.
    async fn list(&self, app: &App) -> Result<Outcome, String> {
        let mut results = Vec::new();
        let mut bytes = 0;
        let count = match self.next {
            0 => self.items.total().unwrap_or(0) as u32,
            next => next,
        };
        for index in 0..count {
            let arn = self.names.execution(&self.names.child(index));
            let child = app.runner.execution(ExecutionKey::of(&arn)).await?;
            let output = child.and_then(|child| child.closing()?.output.clone());
            if let Some(output) = output {
                bytes += output.text().len() + 1;
                results.push(output.value().clone());
            }
            if bytes > app.quotas.payload_bytes {
                break;
            }
        }
        Ok(Outcome::Success(Data::from(Value::Array(results))))
    }
}

fn not_supported(open: &engine::map_run::OpenRun<'_>) -> Option<Ending> {
    let run = open.run;
    let asked = [
        ("ItemReader", run.reading.is_some()),
        ("ItemBatcher", run.batches.is_some()),
        ("ResultWriter", run.destination.is_some()),
    ];
    let (name, _) = asked.into_iter().find(|(_, asked)| *asked)?;
    let cause = format!("{name} is not supported by this version of Rejoin");
    Some(Ending::Failed(Failure::runtime(cause)))
}

/// The items, one after the other.
struct Items {
    list: Data,
    next: usize,
}

impl Items {
    fn all(&self) -> &[Value] {
        self.list.value().as_array().map_or(&[], Vec::as_slice)
    }

    fn next(&mut self) -> Option<(u32, Value)> {
        let value = self.all().get(self.next)?.clone();
        self.next += 1;
        Some((self.next as u32 - 1, value))
    }

    fn total(&self) -> Option<u64> {
        Some(self.all().len() as u64)
    }

    fn is_done(&self) -> bool {
        self.next >= self.all().len()
    }
}

/// What children are called.
struct Names {
    run: Arc<str>,
    /// `arn:aws:states:REGION:ACCOUNT:execution:MACHINE/LABEL:`.
    executions: String,
    machine_arn: Arc<str>,
    /// `MACHINE/LABEL`.
    machine_name: Arc<str>,
}

impl Names {
    fn new(run: &Arc<str>, parent: &Identity) -> Names {
        let (head, _) = run.rsplit_once(':').unwrap_or((run, ""));
        let (_, label) = head.rsplit_once('/').unwrap_or((head, ""));
        let machine_arn = format!("{}/{label}", parent.defined_machine_arn());
        let machine_name = machine_arn.rsplit(':').next().unwrap_or_default();
        Names {
            run: run.clone(),
            executions: head.replacen(":mapRun:", ":execution:", 1) + ":",
            machine_name: machine_name.into(),
            machine_arn: machine_arn.into(),
        }
    }

    /// The name of the child at this place, which is always the same.
    fn child(&self, index: u32) -> String {
        engine::map_run::drawn(&[&self.run, &index.to_string()])
    }

    fn execution(&self, name: &str) -> String {
        format!("{}{name}", self.executions)
    }
}

/// The children of a Map Run that there are, by name.
async fn children(app: &App, arn: &str) -> Result<Vec<(String, Status)>, String> {
    const PAGE: usize = 1000;
    let mut found = Vec::new();
    let mut after = None;
    loop {
        let query = ListQuery {
            state_machine: Some(MachineKey::of(arn)),
            status: None,
            after,
            limit: PAGE,
        };
        let page = app.store.list(query).await.map_err(|e| e.to_string())?;
        let named = page.executions.into_iter();
        found.extend(named.map(|(_, summary)| (summary.name.to_string(), summary.status)));
        after = page.next;
        if after.is_none() {
            return Ok(found);
        }
    }
}

/// The Map Run's document, made if there is none.
async fn taken_up(app: &App, parent: &Execution, wait: WaitId) -> Result<Record, String> {
    let open = parent
        .map_run(wait)
        .expect("the caller saw that it is open");
    if let Some((_, record)) = document::read(&app.store, &open.run.arn).await? {
        return Ok(record);
    }
    let record = Record {
        arn: open.run.arn.clone(),
        execution_arn: parent.identity().arn.clone(),
        wait,
        settings: Settings {
            max_concurrency: open.run.max_concurrency,
            tolerated_failure_count: open.run.tolerated_failure_count,
            tolerated_failure_percentage: open.run.tolerated_failure_percentage,
        },
        standing: Standing::Running,
        started_at: open.opened_at,
        stopped_at: None,
        tally: Tally::default(),
    };
    document::write(&app.store, &record, Expect::Absent).await?;
    Ok(record)
}

async fn close(
    app: &App,
    arn: &str,
    standing: Standing,
    tally: Tally,
    at: Timestamp,
) -> Result<(), String> {
    let changed = document::change(&app.store, arn, |record| {
        record.standing = standing.clone();
        record.tally = tally;
        record.stopped_at = Some(at);
    });
    changed.await.map(drop)
}

async fn start(app: App, child: Child, busy: Busy) -> (Result<Option<Ended>, String>, Busy) {
    let Child {
        machine,
        mut identity,
        index,
    } = child;
    identity.started_at = app.clock.now();
    let runner = app.runner.clone();
    drop(app);
    let started = runner.start(machine, identity).await;
    let ended = started.map(|started| match started {
        // Its end will be told.
        Started::New(_) => None,
        Started::Existing(execution) => match execution.status() {
            Status::Running => None,
            status => Some(Ended { index, status }),
        },
    });
    (ended, busy)
}

async fn stop(app: App, arn: String, busy: Busy) -> (Result<Option<Ended>, String>, Busy) {
    let runner = app.runner.clone();
    drop(app);
    let stopped = runner.stop(ExecutionKey::of(&arn), None, None).await;
    (stopped.map(|_| None), busy)
}
