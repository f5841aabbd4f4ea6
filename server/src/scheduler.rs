//! What is due is handed to whoever deals with it; what has been kept long enough is forgotten, and what has
//! been open for too long times out.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::Duration;

use asl::Timestamp;
use store::{Commit, Due, Store, Table};
use tokio::sync::Semaphore;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::task::JoinSet;

use crate::abandoned;
use crate::app::App;
use crate::clock::{Busy, Clock};
use crate::redrives::Redrives;
use crate::runner::Runner;

/// How many due things are taken at a time. Executions among them are waited for before the next
/// are taken, so a million timers of the same moment don't become a million tasks.
const BATCH: usize = 256;

/// How many due documents are attended at a time. One may be a message for an endpoint that takes its
/// time, and after a long stop there may be a million of them.
const DOCUMENTS_MAX: usize = 1024;

/// When a timer that could not be served is tried again, in real time: a disk that could not be read
/// does not get better at once.
const AGAIN_AFTER: Duration = Duration::from_secs(5);

/// Hands out what is due, for as long as the server runs.
pub async fn run(app: App) {
    let (documents, due) = unbounded_channel();
    tokio::spawn(attend_documents(app.clone(), due));
    loop {
        let busy = app.clock.until_due(&app.store).await;
        let mut ticks = JoinSet::new();
        for due in app.store.take_due(app.clock.now(), BATCH) {
            let (app, busy) = (app.clone(), busy.clone());
            match due {
                Due::Execution(_) => drop(ticks.spawn(attend(app, due, busy))),
                // Sending fails when the server stops, and what is due is so after its next start, too.
                Due::Document(..) => drop(documents.send((due, busy))),
            }
        }
        // One that panicked has said so, and must not take the timers of all others with it.
        while ticks.join_next().await.is_some() {}
    }
}

async fn attend_documents(app: App, mut due: UnboundedReceiver<(Due, Busy)>) {
    let seats = Arc::new(Semaphore::new(DOCUMENTS_MAX));
    while let Some((due, busy)) = due.recv().await {
        let seat = seats.clone().acquire_owned().await;
        let app = app.clone();
        tokio::spawn(async move {
            attend(app, due, busy).await;
            drop(seat);
        });
    }
}

fn try_again(store: Store, due: Due) {
    tokio::spawn(async move {
        tokio::time::sleep(AGAIN_AFTER).await;
        // A store that can't be written any more is not what time mends.
        if store.write_problem().is_none() {
            store.give_back(due);
        }
    });
}

async fn attend(app: App, due: Due, _busy: Busy) {
    match &due {
        Due::Execution(key) => {
            let Err(what) = app.runner.tick(*key).await else {
                return;
            };
            let seconds = AGAIN_AFTER.as_secs();
            crate::log::say_about!(
                app.runner.about(*key).await,
                "a timer could not be served, and is tried again in {seconds} s: {what}"
            );
            try_again(app.store.clone(), due);
        }
        Due::Document(Table::Abandoned, key) => {
            let Err(what) = abandoned::attend(&app, key).await else {
                return;
            };
            let seconds = AGAIN_AFTER.as_secs();
            crate::log::say!(
                "the execution of a task that was given up could not be stopped, which is tried again in {seconds} s: {what}"
            );
            try_again(app.store.clone(), due);
        }
        Due::Document(Table::Message, key) => app.topics.attend(key).await,
        Due::Document(Table::Alerting, key) => app.alerts.attend(key).await,
        Due::Document(Table::MapRun, arn) => app.map_runs.attend(arn).await,
        Due::Document(table, key) => app.gateway.attend(*table, key).await,
    }
}

/// Forgets executions that ended long ago, and ends those that are too old.
///
/// What is to be forgotten has no timer (on the virtual clock that would be a reason for time to move): it is looked
/// for as executions end, at most once a minute, when the virtual clock is moved, and each hour of real time. An
/// execution is ended at the moment at which it is too old, if time comes by there.
#[derive(Clone)]
pub struct Retention(Arc<Sweep>);

struct Sweep {
    clock: Clock,
    store: Store,
    runner: Runner,
    keep_seconds: i64,
    execution_seconds: u64,
    swept_at: AtomicI64,
    /// Whether the log has the reason why disk space does not come back.
    told: AtomicBool,
}

/// How often a sweep may begin, after how long an execution that could not be ended is tried again, and how many executions one commit forgets.
const SWEEP_MILLIS: i64 = 60_000;
const SWEEP_BATCH: usize = 1000;

/// How often a server looks in which no execution ends.
const IDLE_SWEEP: Duration = Duration::from_secs(3600);

impl Retention {
    /// Keeps ended executions for `keep_seconds`, and lets none be open for longer than `execution_seconds`.
    pub fn new(
        clock: Clock,
        store: Store,
        runner: Runner,
        keep_seconds: i64,
        execution_seconds: u64,
    ) -> Retention {
        Retention(Arc::new(Sweep {
            clock,
            store,
            runner,
            keep_seconds,
            execution_seconds,
            swept_at: AtomicI64::new(i64::MIN),
            told: AtomicBool::new(false),
        }))
    }

    /// Ends each execution when it is too old, for as long as the server runs; and may be called once at most. That an
    /// execution hangs is no reason for a virtual year to go by, so the moment is only seen in passing.
    pub fn watch_the_oldest(&self) {
        let sweep = self.0.clone();
        let mut busy = sweep.clock.busy();
        tokio::spawn(async move {
            loop {
                let now = sweep.clock.now();
                let oldest = sweep.store.oldest_open().unwrap_or(now);
                // Longer than allowed is a millisecond more. What could not be ended is tried again.
                let too_old = oldest.plus_seconds(sweep.open_seconds()).plus_millis(1);
                let alarm = match too_old {
                    at if at <= now => now.plus_millis(SWEEP_MILLIS),
                    at => at,
                };
                let alarm = sweep.clock.alarm_in_passing(alarm);
                drop(busy);
                busy = alarm.await;
                sweep.end_the_oldest(sweep.clock.now()).await;
            }
        });
    }

    /// Looks each hour, for as long as the server runs.
    pub async fn watch(self) {
        loop {
            tokio::time::sleep(IDLE_SWEEP).await;
            self.sweep_sometimes();
        }
    }

    /// Forgets and ends what is too old, unless that was done less than a minute ago.
    pub fn sweep_sometimes(&self) {
        let now = self.0.clock.now();
        let swept_at = self.0.swept_at.load(Ordering::Relaxed);
        let due = swept_at.saturating_add(SWEEP_MILLIS) <= now.0;
        if due
            && self
                .0
                .swept_at
                .compare_exchange(swept_at, now.0, Ordering::Relaxed, Ordering::Relaxed)
                .is_ok()
        {
            let (sweep, busy) = (self.0.clone(), self.0.clock.busy());
            tokio::spawn(async move { sweep.run(now, busy).await });
        }
    }
}

impl Sweep {
    /// Takes away what is noted of the redrives of executions that are forgotten.
    async fn forget_redrives(&self) {
        let mut after: Option<String> = None;
        loop {
            let scanned =
                self.store
                    .scan(Table::Redriven, "", after.as_deref(), SWEEP_BATCH, false);
            let page = scanned.await.unwrap_or_default();
            let Some((last, _)) = page.last() else {
                return;
            };
            after = Some(last.clone());
            let mut documents = Vec::new();
            for (key, _) in page {
                let execution = Redrives::execution(&key);
                let there = match execution {
                    Some(execution) => self.store.summary(execution).await,
                    None => Ok(None),
                };
                if matches!(there, Ok(None)) {
                    documents.push(Redrives::removal(key));
                }
            }
            let commit = Commit {
                execution: None,
                documents,
            };
            if !commit.documents.is_empty()
                && let Err(error) = self.store.commit(commit).await
            {
                return crate::log::say!("old redrives could not be forgotten: {error}");
            }
        }
    }

    async fn run(&self, now: Timestamp, _busy: Busy) {
        if let Some(what) = self.store.cleaning_problem()
            && !self.told.swap(true, Ordering::Relaxed)
        {
            crate::log::say!("disk space is not given back before the next start: {what}");
        }
        let before = now.plus_seconds(self.keep_seconds.saturating_neg());
        loop {
            match self.store.forget_ended_before(before, SWEEP_BATCH).await {
                Ok(SWEEP_BATCH) => {}
                Ok(0) => return,
                Ok(_) => return self.forget_redrives().await,
                Err(error) => {
                    crate::log::say!("old executions could not be forgotten: {error}");
                    return;
                }
            }
        }
    }

    fn open_seconds(&self) -> i64 {
        i64::try_from(self.execution_seconds).unwrap_or(i64::MAX)
    }

    async fn end_the_oldest(&self, now: Timestamp) {
        let before = now.plus_seconds(self.open_seconds().saturating_neg());
        loop {
            let old = self.store.open_since_before(before, SWEEP_BATCH);
            for key in &old {
                if let Err(what) = self.runner.tick(*key).await {
                    crate::log::say_about!(
                        self.runner.about(*key).await,
                        "an execution that is too old could not be ended: {what}"
                    );
                    return;
                }
            }
            if old.len() < SWEEP_BATCH {
                return;
            }
        }
    }
}
