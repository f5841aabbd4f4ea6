//! The driver of one Map Run, from its start (or the server's) to its end.
//!
//! A driver starts children as long as there are items and room, and otherwise waits for messages. While
//! it waits it holds neither time nor the server: virtual time may go on to what its children wait for,
//! and a server that is dropped takes its drivers along.

use std::pin::Pin;

use asl::Failure;
use asl::Timestamp;
use engine::{CommandKind, EventKind, Execution, ExecutionKey, Outcome, Status, WaitId};
use store::{Expect, ListQuery, MachineKey, Summary};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::app::{App, WeakApp};
use crate::clock::{Busy, Clock};
use crate::functions::with_grace;
use crate::items::batch::Batch;
use crate::redrives::Redrives;
use crate::runner::{NotDone, Runner, Started};

use super::Progress;
use super::document::{self, Record, Standing};
use super::gather::{Gathered, gather};
use super::inputs::Inputs;
use super::tally::{Settings, Tally};
use super::work::{self, Again, Child, Ending, Found, Task, Work};

/// How many starts may be on their way to the disk at once: enough to fill a sync.
const STARTS_MAX: usize = 256;

/// What a driver is told.
pub(super) enum Message {
    /// The child at this place ended.
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

/// Children that are being started, redriven or stopped; what is known of those that are not run.
type UnderWay = JoinSet<(Result<Option<Over>, String>, Busy)>;

/// A child that had ended before, and that is not run again.
struct Over {
    place: u32,
    status: Status,
    redrivable: bool,
}

/// The next input, on its way: reading it may take its time, and messages do not wait for it.
type Reading = Pin<Box<dyn Future<Output = (Inputs, Result<Option<Batch>, Failure>, Busy)> + Send>>;

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
            return self.clear_away(&app).await;
        };
        let arn = open.run.arn.clone();
        // From now on it hears of children, so none ends unseen between the look and the watch.
        while let Err(before) = app.map_runs.claim((self.key, self.wait), &arn) {
            before.closed().await;
        }
        let record = taken_up(&app, &parent, self.wait).await?;
        let found = children(&app, &record).await?;
        let machine = app.machines.definition(&parent.identity().definition);
        let work = Work::new(
            &record,
            (parent.identity(), self.wait),
            &open,
            machine.await?,
            found,
        );
        match record.standing {
            Standing::Running => self.drive(app, parent, work, busy).await,
            // It ended before the server did, and the Map state was not told.
            Standing::Succeeded { output } => {
                let outcome = match output {
                    Some(output) => Outcome::Success(output),
                    None => match gather(&app, &parent, self.wait, &work, None).await? {
                        Gathered::List(result) | Gathered::Written(result) => {
                            Outcome::Success(result)
                        }
                        Gathered::Failed(failure) => Outcome::Failure(failure),
                    },
                };
                self.tell(&app, outcome).await
            }
            Standing::Failed { failure } => self.tell(&app, Outcome::Failure(failure)).await,
            Standing::Aborted => Ok(()),
        }
    }

    async fn drive(
        &mut self,
        app: App,
        parent: Execution,
        mut work: Work,
        busy: Busy,
    ) -> Result<(), String> {
        let (mut app, mut busy) = (app, busy);
        let inputs = Inputs::open(&app.services, parent.clone(), self.wait, app.clock.now());
        let mut inputs = match inputs {
            Ok(inputs) => {
                work.items = (inputs.total(), inputs.most());
                Some(inputs)
            }
            Err(failure) => {
                work.end(Ending::Failed(failure));
                None
            }
        };
        let mut reading: Option<Reading> = None;
        let mut under_way = UnderWay::new();
        loop {
            work.check_failures();
            let may_start = work.has_room() && under_way.len() < STARTS_MAX;
            if may_start && let Some(inputs) = inputs.take() {
                reading = Some(Box::pin(next(app.clock.clone(), inputs, app.clock.busy())));
            }
            // Nobody waits for what a source has to say, which may be nothing.
            if matches!(work.ending, Some(Ending::Abandoned)) {
                reading = None;
            }
            // A child whose start is under way, or may come to be, can't be stopped yet.
            if under_way.is_empty() && reading.is_none() {
                for arn in work.take_to_stop() {
                    under_way.spawn(stop(app.clone(), arn, app.clock.busy()));
                }
            }
            *self.progress.lock() = work.known();
            if work.is_over() && under_way.is_empty() && reading.is_none() {
                return self.finish(&app, &parent, work, inputs, busy).await;
            }
            // Nothing to do until somebody has something to say, with their own hold on time.
            drop((app, busy));
            let mut came = None;
            busy = tokio::select! {
                biased;
                message = self.messages.recv() => match message {
                    Some(message) => hear(&mut work, message),
                    None => return Ok(()),
                },
                Some(done) = under_way.join_next(), if !under_way.is_empty() => {
                    let (done, busy) = done.map_err(|e| format!("a child's start failed: {e}"))?;
                    if let Some(over) = done? {
                        if !over.redrivable {
                            work.not_redrivable(over.place);
                        }
                        work.ended(over.place, over.status);
                    }
                    busy
                }
                (rest, next, busy) = pending(&mut reading) => {
                    work.items = (rest.total(), rest.most());
                    inputs = Some(rest);
                    came = Some(next);
                    busy
                }
            };
            app = match self.app.upgrade() {
                Some(app) => app,
                None => return Ok(()),
            };
            if let Some(next) = came {
                reading = None;
                match next {
                    Ok(Some(batch)) => {
                        let taken = work.take(batch, app.clock.now());
                        let (app, busy) = (app.clone(), app.clock.busy());
                        match taken {
                            Some(Task::Start(child)) => {
                                under_way.spawn(start(app, child, busy));
                            }
                            Some(Task::Redrive(child)) => {
                                under_way.spawn(redrive(app, child, busy));
                            }
                            None => {}
                        }
                    }
                    Ok(None) => work.exhausted = true,
                    Err(failure) => work.end(Ending::Failed(failure)),
                }
            }
        }
    }

    /// The last child has ended.
    async fn finish(
        &mut self,
        app: &App,
        parent: &Execution,
        mut work: Work,
        mut inputs: Option<Inputs>,
        busy: Busy,
    ) -> Result<(), String> {
        let ending = work.ending.take();
        if let Some(Ending::Abandoned) = ending {
            let (tally, at) = (work.known(), app.clock.now());
            return close(app, &work.arn, Standing::Aborted, tally, at).await;
        }
        let known = work.known();
        let gathered = async {
            let gathered = gather(app, parent, self.wait, &work, inputs.as_mut()).await;
            (gathered, app.clock.busy())
        };
        let (gathered, _busy) = with_grace(&app.clock, busy, gathered).await;
        let gathered = gathered?;
        let (standing, outcome) = match (ending, gathered) {
            (Some(Ending::Failed(failure)), _) | (_, Gathered::Failed(failure)) => {
                let told = Outcome::Failure(failure.clone());
                (Standing::Failed { failure }, told)
            }
            (_, Gathered::List(result)) => (
                Standing::Succeeded { output: None },
                Outcome::Success(result),
            ),
            (_, Gathered::Written(result)) => {
                let output = Some(result.clone());
                (Standing::Succeeded { output }, Outcome::Success(result))
            }
        };
        let mut tally = known;
        if matches!(standing, Standing::Succeeded { .. }) {
            tally.written();
        }
        close(app, &work.arn, standing, tally, app.clock.now()).await?;
        self.tell(app, outcome).await
    }

    /// The Map state hears how it ended.
    async fn tell(&self, app: &App, outcome: Outcome) -> Result<(), String> {
        let wait = self.wait;
        let command = CommandKind::Complete { wait, outcome };
        match app.runner.command(self.key, command).await {
            // Refused: it did not want to know any longer.
            Ok(()) | Err(NotDone::Refused(_) | NotDone::Unknown) => Ok(()),
            Err(NotDone::Server(what)) => Err(what),
        }
    }

    /// The Map state does not wait any longer, and the server ended before all of the children did.
    async fn clear_away(&self, app: &App) -> Result<(), String> {
        let events = app.runner.events(self.key).await?;
        let arn = events.iter().find_map(|event| match &event.kind {
            EventKind::MapRunStarted { wait, run } if *wait == self.wait => Some(run.arn.clone()),
            EventKind::MapRunRedriven { wait, arn, .. } if *wait == self.wait => Some(arn.clone()),
            _ => None,
        });
        let Some(arn) = arn else {
            return Ok(());
        };
        // A redrive has taken it up already.
        if app.map_runs.claim((self.key, self.wait), &arn).is_err() {
            return Ok(());
        }
        let Some((_, record)) = document::read(&app.store, &arn).await? else {
            return Ok(());
        };
        if record.standing != Standing::Running || record.wait != self.wait {
            return Ok(());
        }
        let mut tally = Tally::default();
        for (key, status) in keys(app, &arn).await? {
            if status == Status::Running {
                app.runner.stop(key, None, None).await?;
            }
            if let Some(child) = app.runner.execution(key).await? {
                let items = child.identity().map_run.as_ref().map_or(1, |run| run.items);
                tally.begin(items);
                tally.end(child.status(), items);
            }
        }
        let (tally, at) = (tally.known(None, 1), app.clock.now());
        close(app, &arn, Standing::Aborted, tally, at).await
    }
}

/// Takes a message in; gives its hold on time.
fn hear(work: &mut Work, message: Message) -> Busy {
    match message {
        Message::Ended(place, status, busy) => {
            work.ended(place, status);
            busy
        }
        Message::Settings(settings, busy) => {
            work.settings = settings;
            busy
        }
        Message::Abandon(busy) => {
            work.end(Ending::Abandoned);
            busy
        }
    }
}

/// Reads the next input. A source that hangs holds virtual time for a while only.
async fn next(
    clock: Clock,
    mut inputs: Inputs,
    busy: Busy,
) -> (Inputs, Result<Option<Batch>, Failure>, Busy) {
    let read = async { (inputs.next().await, clock.busy()) };
    let (next, busy) = with_grace(&clock, busy, read).await;
    (inputs, next, busy)
}

/// What is being read, or never.
async fn pending(reading: &mut Option<Reading>) -> (Inputs, Result<Option<Batch>, Failure>, Busy) {
    match reading {
        Some(reading) => reading.await,
        None => std::future::pending().await,
    }
}

/// The children of a Map Run that there are, by name.
async fn children(app: &App, record: &Record) -> Result<Vec<(String, Found)>, String> {
    let token = work::token(&record.arn, record.redrives);
    let mut found = Vec::new();
    for (key, summary) in listed(app, &record.arn).await? {
        let status = summary.status;
        let asked = record.redrives > 0 && matches!(status, Status::Running | Status::Succeeded);
        let again = asked && redriven_for(app, key, &token).await?;
        found.push((summary.name.to_string(), Found { status, again }));
    }
    Ok(found)
}

/// Whether a redrive with this token was one of the execution's. Few were redriven at all, and only these are
/// loaded.
async fn redriven_for(app: &App, key: ExecutionKey, token: &str) -> Result<bool, String> {
    if Redrives::of(&app.store, key).await?.is_none() {
        return Ok(false);
    }
    let execution = app.runner.execution(key).await?;
    Ok(execution.is_some_and(|execution| execution.redriven_with(token)))
}

/// The same, by key.
async fn keys(app: &App, arn: &str) -> Result<Vec<(ExecutionKey, Status)>, String> {
    let listed = listed(app, arn).await?.into_iter();
    Ok(listed.map(|(key, summary)| (key, summary.status)).collect())
}

async fn listed(app: &App, arn: &str) -> Result<Vec<(ExecutionKey, Summary)>, String> {
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
        found.extend(page.executions);
        after = page.next;
        if after.is_none() {
            return Ok(found);
        }
    }
}

/// The Map Run's document, made if there is none.
async fn taken_up(app: &App, parent: &Execution, wait: WaitId) -> Result<Record, String> {
    let open = parent.map_run(wait);
    let open = open.expect("the caller saw that it is open");
    let arn = &open.run.arn;
    // One that is there for another wait has been redriven.
    let taken_up = document::change(&app.store, arn, |record| {
        if record.wait != wait {
            record.wait = wait;
            record.standing = Standing::Running;
            record.stopped_at = None;
            record.forget_at = None;
            record.tally = record.tally.to_redrive();
            record.redrives = open.redrives;
            record.redriven_at = Some(open.opened_at);
        }
    });
    if let Some(record) = taken_up.await? {
        return Ok(record);
    }
    let record = Record {
        arn: arn.clone(),
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
        forget_at: None,
        redrives: open.redrives,
        redriven_at: (open.redrives > 0).then_some(open.opened_at),
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
        record.forget_at = app.map_runs.forget_at(app, at);
    });
    changed.await.map(drop)
}

async fn start(app: App, child: Child, busy: Busy) -> (Result<Option<Over>, String>, Busy) {
    let runner = app.runner.clone();
    drop(app);
    let started = runner.start(child.machine, child.identity).await;
    let ended = started.map(|started| match started {
        // Its end will be told.
        Started::New(_) => None,
        Started::Existing(execution) => match execution.status() {
            Status::Running => None,
            status => Some(Over {
                place: child.place,
                status,
                redrivable: true,
            }),
        },
    });
    (ended, busy)
}

async fn redrive(app: App, child: Again, busy: Busy) -> (Result<Option<Over>, String>, Busy) {
    let runner = app.runner.clone();
    drop(app);
    (redriven(&runner, child).await, busy)
}

/// Redrives a child, unless that was done before the server was started.
async fn redriven(runner: &Runner, child: Again) -> Result<Option<Over>, String> {
    let Again { arn, token, place } = child;
    let key = ExecutionKey::of(&arn);
    let Some(execution) = runner.execution(key).await? else {
        return Err(format!("the child {arn} is gone"));
    };
    let over = |redrivable| match execution.status() {
        Status::Running => None,
        status => Some(Over {
            place,
            status,
            redrivable,
        }),
    };
    if execution.redriven_with(&token) {
        return Ok(over(true));
    }
    match runner.redrive(key, Some(token)).await {
        Ok(_) => Ok(None),
        Err(NotDone::Refused(_) | NotDone::Unknown) => Ok(over(false)),
        Err(NotDone::Server(what)) => Err(what),
    }
}

async fn stop(app: App, arn: String, busy: Busy) -> (Result<Option<Over>, String>, Busy) {
    let runner = app.runner.clone();
    drop(app);
    let stopped = runner.stop(ExecutionKey::of(&arn), None, None).await;
    (stopped.map(|_| None), busy)
}
