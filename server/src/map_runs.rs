//! Map Runs: the children of distributed Map states, started, watched and counted.
//!
//! A Map Run is a document of the store (settings, status, what came of it), and its children are
//! executions like others. For each that goes on there is a driver, and all that it knows it
//! can find out again: the items are read anew, a child's name is drawn from the Map Run and its place,
//! and a child that is there already is watched and not started. So a driver needs no journal of its own.
//!
//! | what happens | what becomes of the Map Run |
//! | --- | --- |
//! | its Map state asks for it (or still does, after a restart) | a driver takes it up |
//! | a child ends | it is counted, and the next one starts |
//! | more failed than are tolerated, or the items can't be read | children are stopped; it failed |
//! | the last child ends | it succeeded |
//! | its Map state's wait is over otherwise | children are stopped; it is aborted |
//! | a redriven Map state asks for it to go on | a driver takes it up, and redrives children that ended badly |
//!
//! The end is stored before the Map state is told. A Map Run that is found ended while its Map state still
//! waits is told of again.
//!
//! In reading order: [`tally`] counts, [`document`] is what is stored, `names` and `inputs` are what
//! children are called and given, `work` says what is to be done, `driver` does it, `gather` makes the
//! result.

use std::sync::{Arc, OnceLock};

use asl::Timestamp;
use engine::{ExecutionKey, Identity, Status, WaitId};
use hashbrown::HashMap;
use parking_lot::Mutex;
use tokio::sync::mpsc;

use crate::app::{App, WeakApp};
use crate::clock::Busy;

pub mod document;
mod driver;
mod gather;
mod inputs;
mod names;
pub mod tally;
mod work;

use document::Record;
use driver::{Driver, Message};
use tally::{Settings, Tally};

/// The Map Runs of a server. Cloning is a reference count.
#[derive(Clone)]
pub struct MapRuns(Arc<Inner>);

struct Inner {
    keep_seconds: i64,
    app: OnceLock<WeakApp>,
    drivers: Mutex<Drivers>,
}

/// Who drives what.
#[derive(Default)]
struct Drivers {
    by_wait: HashMap<(ExecutionKey, WaitId), Handle>,
    /// The same, by the Map Run's ARN, as soon as that is known.
    by_arn: HashMap<Arc<str>, (ExecutionKey, WaitId)>,
}

struct Handle {
    inbox: mpsc::UnboundedSender<Message>,
    progress: Progress,
}

/// A driver's counts, for who asks.
type Progress = Arc<Mutex<Tally>>;

impl MapRuns {
    /// Keeps those that have ended for `keep_seconds`.
    pub fn new(keep_seconds: i64) -> MapRuns {
        MapRuns(Arc::new(Inner {
            keep_seconds,
            app: OnceLock::new(),
            drivers: Mutex::default(),
        }))
    }

    /// When one that ends at this time may be forgotten. On the virtual clock never: a moment that
    /// something waits for is one that time goes to.
    fn forget_at(&self, app: &App, ended_at: Timestamp) -> Option<Timestamp> {
        let forget_at = ended_at.plus_seconds(self.0.keep_seconds);
        (!app.clock.is_virtual()).then_some(forget_at)
    }

    /// Names the server; it holds this, so it comes after.
    pub fn connect(&self, app: WeakApp) {
        assert!(self.0.app.set(app).is_ok(), "a part is connected once");
    }

    /// A Map state asked for its Map Run, or still does.
    pub fn start(&self, key: ExecutionKey, wait: WaitId, busy: Busy) {
        let Some(app) = self.0.app.get().cloned() else {
            return;
        };
        let (inbox, messages) = mpsc::unbounded_channel();
        let progress = Progress::default();
        {
            let mut drivers = self.0.drivers.lock();
            if drivers.by_wait.contains_key(&(key, wait)) {
                return;
            }
            let handle = Handle {
                inbox,
                progress: progress.clone(),
            };
            drivers.by_wait.insert((key, wait), handle);
        }
        let mut driver = Driver::new(app, key, wait, messages, progress);
        let driving = Driving(Arc::downgrade(&self.0), (key, wait));
        tokio::spawn(async move {
            let _driving = driving;
            if let Err(what) = driver.run(busy).await {
                crate::log::say!(
                    "a Map Run is left, and will be taken up after the next start: {what}"
                );
            }
        });
    }

    /// The scheduler hands out each Map Run that is not over, once after every start of the server, and
    /// each that is, when it has been kept long enough.
    pub async fn attend(&self, arn: &str) {
        let Some(app) = self.app() else {
            return;
        };
        match document::read(&app.store, arn).await {
            Ok(Some((_, record))) if record.standing != document::Standing::Running => {
                // One that has just ended was handed out as long as it ran.
                let forgotten = record.forget_at.is_some_and(|at| at <= app.clock.now());
                if forgotten && let Err(what) = document::forget(&app.store, arn).await {
                    crate::log::say!("a Map Run could not be forgotten: {what}");
                }
            }
            Ok(Some((_, record))) => {
                let key = ExecutionKey::of(&record.execution_arn);
                self.start(key, record.wait, app.clock.busy());
            }
            Ok(None) => {}
            Err(what) => crate::log::say!("{what}"),
        }
    }

    /// A Map state's wait is over, whatever ended it.
    pub fn wait_ended(&self, key: ExecutionKey, wait: WaitId, busy: Busy) {
        self.tell((key, wait), Message::Abandon(busy));
    }

    /// An execution is over, which may be a Map Run's child.
    pub fn execution_ended(&self, identity: &Identity, status: Status, busy: Busy) {
        let Some(child) = &identity.map_run else {
            return;
        };
        let drivers = self.0.drivers.lock();
        let driver = drivers.by_arn.get(&child.arn).copied();
        drop(drivers);
        // Without a driver, the next one finds the child ended.
        if let Some(driver) = driver {
            let index = child.index;
            self.tell(driver, Message::Ended(index, status, busy));
        }
    }

    /// A Map Run, and how far it is.
    ///
    /// # Errors
    /// The store's, as text for the log.
    pub async fn find(&self, arn: &str) -> Result<Option<(Record, Tally)>, String> {
        let Some(app) = self.app() else {
            return Ok(None);
        };
        let Some((_, record)) = document::read(&app.store, arn).await? else {
            return Ok(None);
        };
        let drivers = self.0.drivers.lock();
        let live = drivers
            .by_arn
            .get(arn)
            .and_then(|key| drivers.by_wait.get(key))
            .filter(|_| record.standing == document::Standing::Running);
        let tally = live.map_or(record.tally, |handle| *handle.progress.lock());
        Ok(Some((record, tally)))
    }

    /// Changes the settings of a Map Run; `None` if there is none.
    ///
    /// # Errors
    /// The store's, as text for the log.
    pub async fn update(
        &self,
        arn: &str,
        change: impl Fn(&mut Settings),
    ) -> Result<Option<Record>, String> {
        let Some(app) = self.app() else {
            return Ok(None);
        };
        let changed = document::change(&app.store, arn, |record| {
            if record.standing == document::Standing::Running {
                change(&mut record.settings);
            }
        });
        let changed = changed.await?;
        if let Some(record) = &changed {
            let key = ExecutionKey::of(&record.execution_arn);
            let message = Message::Settings(record.settings, app.clock.busy());
            self.tell((key, record.wait), message);
        }
        Ok(changed)
    }

    fn tell(&self, driver: (ExecutionKey, WaitId), message: Message) {
        if let Some(handle) = self.0.drivers.lock().by_wait.get(&driver) {
            // One that has just ended needs to hear nothing more.
            let _ = handle.inbox.send(message);
        }
    }

    /// A driver knows the ARN of its Map Run: from now on it hears of children. After a redrive the
    /// driver of before may still be at work; the other one then gets its inbox, which is closed when it
    /// is gone.
    fn claim(
        &self,
        driver: (ExecutionKey, WaitId),
        arn: &Arc<str>,
    ) -> Result<(), mpsc::UnboundedSender<Message>> {
        let mut drivers = self.0.drivers.lock();
        let other = drivers.by_arn.get(arn).filter(|other| **other != driver);
        if let Some(handle) = other.and_then(|other| drivers.by_wait.get(other)) {
            return Err(handle.inbox.clone());
        }
        drivers.by_arn.insert(arn.clone(), driver);
        Ok(())
    }

    fn app(&self) -> Option<App> {
        self.0.app.get().and_then(WeakApp::upgrade)
    }
}

/// A driver at work; when it is gone, however that came, another may take its place.
struct Driving(std::sync::Weak<Inner>, (ExecutionKey, WaitId));

impl Drop for Driving {
    fn drop(&mut self) {
        if let Some(inner) = self.0.upgrade() {
            let mut drivers = inner.drivers.lock();
            drivers.by_wait.remove(&self.1);
            drivers.by_arn.retain(|_, driver| *driver != self.1);
        }
    }
}
