//! The driver of one Map Run, from its start (or the server's) to its end.
//!
//! A driver starts children as long as there are items and room, and otherwise waits for messages. While
//! it waits it holds neither time nor the server: virtual time may go on to what its children wait for,
//! and a server that is dropped takes its drivers along.

use std::sync::Arc;

use asl::{Data, Failure, ResultWriter, StateMachine, Timestamp, Transformation};
use engine::{
    CommandKind, Execution, ExecutionKey, Identity, Item, MapRunChild, Outcome, Status, WaitId,
};
use hashbrown::HashMap;
use serde_json::Value;
use store::{Expect, ListQuery, MachineKey};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::app::{App, WeakApp};
use crate::clock::{Busy, Clock};
use crate::functions::with_grace;
use crate::items::Items;
use crate::items::batch::{Batch, Batcher};
use crate::items::results::{self, Writer};
use crate::runner::Started;

use super::Progress;
use super::document::{self, Record, Standing};
use super::feed::{self, Feed, Portion};
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
                let output = match output {
                    Some(output) => output,
                    None => work.list(&app, record.tally.executions.total).await?,
                };
                self.tell(&app, Outcome::Success(output)).await
            }
            Standing::Failed { failure } => self.tell(&app, Outcome::Failure(failure)).await,
            Standing::Aborted => Ok(()),
        }
    }

    async fn drive(&mut self, app: App, mut work: Work, busy: Busy) -> Result<(), String> {
        let (mut app, mut busy) = (app, busy);
        let mut under_way: JoinSet<(Result<Option<Ended>, String>, Busy)> = JoinSet::new();
        let mut reading: JoinSet<(Portion, Busy)> = JoinSet::new();
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
            if work.has_room()
                && let Some(items) = work.feed.begin()
            {
                reading.spawn(read(app.clock.clone(), items, app.clock.busy()));
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
                Some(done) = reading.join_next(), if !reading.is_empty() => {
                    let (portion, busy) = done.map_err(|e| format!("reading items failed: {e}"))?;
                    if let Err(failure) = work.feed.end(portion) {
                        work.end(Ending::Failed(failure));
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
    async fn finish(&mut self, app: &App, mut work: Work, busy: Busy) -> Result<(), String> {
        let ending = work.ending.take();
        let export = async {
            let exported = match &ending {
                Some(Ending::Abandoned) => Ok(None),
                Some(Ending::Failed(_)) | None => work.export(app).await,
            };
            (exported, app.clock.busy())
        };
        let (exported, _busy) = with_grace(&app.clock, busy, export).await;
        let exported = exported?;
        let failed = |failure: Failure| {
            let told = Outcome::Failure(failure.clone());
            (Standing::Failed { failure }, Some(told))
        };
        let (standing, outcome) = match (ending, exported) {
            (Some(Ending::Abandoned), _) => (Standing::Aborted, None),
            // If what was done cannot be exported either, the first failure is told.
            (Some(Ending::Failed(failure)), exported) => {
                if let Some(Ok(_)) = exported {
                    work.tally.written();
                }
                failed(failure)
            }
            (None, Some(Err(failure))) => failed(failure),
            (None, exported) => {
                let output = exported.and_then(Result::ok);
                let told = match &output {
                    Some(output) => output.clone(),
                    None => work.list(app, u64::from(work.next)).await?,
                };
                work.tally.written();
                let standing = Standing::Succeeded { output };
                (standing, Some(Outcome::Success(told)))
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
    feed: Feed,
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
        let (feed, ending) = match Feed::new(&app.services, &open) {
            Ok(feed) => (feed, None),
            Err(failure) => (Feed::empty(), Some(Ending::Failed(failure))),
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
            feed,
            ending,
            stopping: false,
            now: app.clock.now(),
        })
    }

    fn has_room(&self) -> bool {
        self.ending.is_none() && self.open.len() < self.settings.concurrency()
    }

    /// The next child that is not there yet, if the items for it are.
    fn next_child(&mut self) -> Result<Option<Child>, Failure> {
        while self.has_room() {
            let place = self.next;
            let name = self.names.child(place);
            let Some(load) = self.next_load(self.found.contains_key(&name))? else {
                break;
            };
            self.next += 1;
            let items = load.items;
            match self.found.remove(&name) {
                Some(Status::Running) => {
                    self.tally.begin(items);
                    self.open.insert(place, items);
                }
                Some(status) => {
                    self.tally.begin(items);
                    self.tally.end(status, items);
                }
                None => {
                    self.tally.begin(items);
                    self.open.insert(place, items);
                    let identity = self.identity(name, place, items, load.input);
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

    /// What the next child is given, if the items for it are there. A child that is there already was
    /// given it before, so that what a single item makes need not be known again.
    fn next_load(&mut self, is_there: bool) -> Result<Option<Load>, Failure> {
        loop {
            if let Some(batcher) = &mut self.feed.batcher
                && batcher.is_full()
            {
                return Ok(batcher.take().map(Load::from));
            }
            let Some((index, value)) = self.feed.next() else {
                let at_end = self.feed.is_at_end();
                let batcher = self.feed.batcher.as_mut().filter(|_| at_end);
                return Ok(batcher.and_then(Batcher::take).map(Load::from));
            };
            if is_there && self.feed.batcher.is_none() {
                let input = Data::from(Value::Null);
                return Ok(Some(Load { input, items: 1 }));
            }
            let item = Item {
                index,
                value: &value,
            };
            let seed = ExecutionKey::of(&self.names.child(index)).0 as u64;
            let input = self.parent.item_input(self.wait, &item, self.now, seed)?;
            match &mut self.feed.batcher {
                None => return Ok(Some(Load { input, items: 1 })),
                Some(batcher) => {
                    if let Some(batch) = batcher.push(&input) {
                        return Ok(Some(batch.into()));
                    }
                }
            }
        }
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
        let total = self.feed.total();
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
        let done = self.feed.is_done() || (self.ending.is_some() && self.stopping);
        done && self.open.is_empty()
    }

    fn known(&self) -> Tally {
        let batcher = self.feed.batcher.as_ref();
        let most = batcher.map_or(1, Batcher::most);
        self.tally.known(self.feed.total(), most)
    }

    /// The results of the children, in the order of their items, in the form that the `ResultWriter` says.
    async fn list(&self, app: &App, children: u64) -> Result<Data, String> {
        let writer = self.writer();
        let form = writer.map_or(Transformation::Compact, |w| w.transformation);
        let mut results = Vec::new();
        let mut bytes = 0;
        for place in 0..children as u32 {
            let Some(child) = self.child(app, place).await? else {
                continue;
            };
            // One that failed has only a description, which nobody has asked for.
            if writer.is_none() && child.status() != Status::Succeeded {
                continue;
            }
            let made = results::Child::of(&child).results(form);
            let output = child.closing().and_then(|closing| closing.output.as_ref());
            bytes += output.map_or(0, |output| output.text().len() + 1);
            results.extend(made);
            if bytes > app.quotas.payload_bytes {
                break;
            }
        }
        Ok(Data::from(Value::Array(results)))
    }

    /// Writes the results of all children to where the `ResultWriter` says; nothing if there is none.
    async fn export(&mut self, app: &App) -> Result<Option<Result<Data, Failure>>, String> {
        let open = self.parent.map_run(self.wait);
        let destination = open.and_then(|open| open.run.destination.clone());
        let (Some(writer), Some(destination)) = (self.writer(), destination) else {
            return Ok(None);
        };
        let mut writer = match Writer::new(&app.services, writer, &destination, &self.arn) {
            Ok(writer) => writer,
            Err(failure) => return Ok(Some(Err(failure))),
        };
        for place in 0..self.next {
            let Some(child) = self.child(app, place).await? else {
                continue;
            };
            if let Err(failure) = writer.push(&results::Child::of(&child)).await {
                return Ok(Some(Err(failure)));
            }
        }
        // What was never started, if the Map Run failed before.
        while let Some(load) = self.pending().await {
            let name = self.names.child(self.next);
            self.next += 1;
            let arn = self.names.execution(&name);
            let machine = &self.names.machine_arn;
            let child = results::Child::pending(&arn, &name, machine, &load.input);
            if let Err(failure) = writer.push(&child).await {
                return Ok(Some(Err(failure)));
            }
        }
        Ok(Some(writer.finish().await))
    }

    /// What a child that will not be started would have been given. Items that cannot be read any more
    /// are not told of.
    async fn pending(&mut self) -> Option<Load> {
        loop {
            if let Some(load) = self.next_load(false).ok()? {
                return Some(load);
            }
            let items = self.feed.begin()?;
            self.feed.end(feed::read(items).await).ok()?;
        }
    }

    async fn child(&self, app: &App, place: u32) -> Result<Option<Execution>, String> {
        let arn = self.names.execution(&self.names.child(place));
        app.runner.execution(ExecutionKey::of(&arn)).await
    }

    fn writer(&self) -> Option<&ResultWriter> {
        let open = self.parent.map_run(self.wait)?;
        open.map.distributed.as_ref()?.writer.as_ref()
    }
}

/// What a child is given.
struct Load {
    input: Data,
    /// How many items there are in it.
    items: u32,
}

impl From<Batch> for Load {
    fn from(batch: Batch) -> Load {
        Load {
            input: batch.input,
            items: batch.items,
        }
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

async fn read(clock: Clock, items: Box<Items>, busy: Busy) -> (Portion, Busy) {
    let reading = async { (feed::read(items).await, clock.busy()) };
    with_grace(&clock, busy, reading).await
}
