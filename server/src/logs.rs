//! The logs of executions: what `loggingConfiguration` of a machine asks for.
//!
//! An execution's history goes, event by event as it happens, to the machine's log group in CloudWatch
//! Logs, or where the operator wants it ([`LogsTo`]). Of an Express execution this is all that remains.
//!
//! An execution never waits for its log. The runner hands over what has become durable and goes on; a
//! task of its own makes the events of the history out of that (`line`), leaves out what the level does
//! not let through (`level`), and hands the rest to the group's queue (`delivery`). Whatever does not fit
//! is dropped and counted. After a restart an execution's history is followed again from its stored
//! events; what happened between the last delivery and a crash is not logged, as on AWS, where logs are
//! delivered as well as possible and without a guarantee.

mod delivery;
mod level;
mod line;

use std::path::PathBuf;
use std::sync::Arc;

use engine::history::Projection;
use engine::{Event, EventKind, ExecutionKey, Identity, TraceId};
use hashbrown::HashMap;
use serde::Deserialize;
use store::Store;
use tokio::sync::mpsc;

use crate::clock::Clock;
use crate::machines::{LoggingConfiguration, Machines};
use crate::services::CloudWatchLogs;
use delivery::{Delivery, Held, Outlet};
use level::Level;
use line::Line;

/// How many commits may wait to be made into lines.
const OFFERS_MAX: usize = 8_192;

/// How many stored executions are followed at once; others are followed anew when they go on.
const FOLLOWED_MAX: usize = 1_024;

/// Where logs go, whatever group a machine names.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogsTo {
    /// To CloudWatch Logs, where the variables of AWS say.
    CloudWatch,
    /// To this server's standard error, as lines of JSON.
    Stderr,
    /// To the end of a file, as lines of JSON.
    File(PathBuf),
    /// Nowhere.
    Nowhere,
}

/// Takes what executions have to say. Cloning is a reference count.
#[derive(Clone)]
pub struct Logs(Option<Arc<Inner>>);

struct Inner {
    machines: Machines,
    offers: mpsc::Sender<Offer>,
    delivery: Delivery,
}

/// What an execution's log is to have.
#[derive(Debug)]
pub struct Logging {
    execution_arn: Arc<str>,
    trace: TraceId,
    /// Whether it can't be read again.
    volatile: bool,
    group: Arc<str>,
    machine: Arc<str>,
    level: Level,
    include_data: bool,
}

/// What has happened to an execution.
struct Offer {
    logging: Arc<Logging>,
    key: ExecutionKey,
    events: Arc<[Event]>,
    /// How many events the history had before.
    before: u64,
    /// Until it has been made into lines.
    _held: Held,
}

impl Logs {
    /// Logs to a place: where `to` says; without it to CloudWatch Logs, if the environment names it or
    /// has credentials for it, else to standard error.
    ///
    /// # Errors
    /// One sentence, if CloudWatch Logs is asked for and not to be had.
    pub fn new(
        to: Option<LogsTo>,
        service: Option<CloudWatchLogs>,
        clock: Clock,
        store: Store,
        machines: Machines,
    ) -> Result<Logs, String> {
        let outlet = match (to, service) {
            (Some(LogsTo::Nowhere), _) => return Ok(Logs(None)),
            (Some(LogsTo::File(path)), _) => Outlet::File(path),
            (Some(LogsTo::CloudWatch) | None, Some(service)) => {
                Outlet::CloudWatch(Box::new(service))
            }
            (Some(LogsTo::Stderr) | None, _) => Outlet::Stderr,
            (Some(LogsTo::CloudWatch), None) => {
                return Err(
                    "logs are to go to CloudWatch Logs, and neither AWS_ENDPOINT_URL_LOGS \
                            nor credentials are set"
                        .to_owned(),
                );
            }
        };
        let delivery = Delivery::to(outlet, clock);
        let (offers, taken) = mpsc::channel(OFFERS_MAX);
        let inner = Arc::new(Inner {
            machines,
            offers,
            delivery: delivery.clone(),
        });
        let follower = Follower {
            store,
            delivery,
            followed: HashMap::new(),
        };
        tokio::spawn(follower.run(taken));
        Ok(Logs(Some(inner)))
    }

    /// What is to be logged of an execution; nothing, as a rule. Asked when an execution begins or is read
    /// again: a change of its machine concerns it from then on.
    ///
    /// # Errors
    /// The store's, as text for the log.
    pub async fn wanted(&self, identity: &Identity) -> Result<Option<Arc<Logging>>, String> {
        let Some(inner) = &self.0 else {
            return Ok(None);
        };
        let found = inner.machines.find(identity.defined_machine_arn()).await?;
        let Some(machine) = found else {
            return Ok(None);
        };
        let version = identity.version.and_then(|number| machine.version(number));
        let configuration = version.map_or(&machine.logging, |version| &version.logging);
        Ok(Logging::of(configuration, &machine.name, identity).map(Arc::new))
    }

    /// Takes events that have just become durable (or, for a volatile execution, have just happened).
    /// Returns at once; what can't be taken is dropped.
    pub(crate) fn offer(
        &self,
        logging: &Arc<Logging>,
        key: ExecutionKey,
        events: &Arc<[Event]>,
        before: u64,
    ) {
        let Some(inner) = self.0.as_ref().filter(|_| !events.is_empty()) else {
            return;
        };
        let offer = Offer {
            logging: logging.clone(),
            key,
            events: events.clone(),
            before,
            _held: inner.delivery.hold(),
        };
        if inner.offers.try_send(offer).is_err() {
            inner.delivery.drop_lines(events.len() as u64);
        }
    }

    /// Returns when all that was offered has been delivered or dropped.
    pub async fn settled(&self) {
        if let Some(inner) = &self.0 {
            inner.delivery.settled().await;
        }
    }
}

impl Logging {
    fn of(
        configuration: &LoggingConfiguration,
        machine: &Arc<str>,
        identity: &Identity,
    ) -> Option<Logging> {
        let level = Level::of(&configuration.level)?;
        let destination = configuration.destinations.as_ref()?.first()?;
        let arn = destination
            .cloud_watch_logs_log_group
            .as_ref()?
            .log_group_arn
            .as_deref()?;
        // `arn:aws:logs:REGION:ACCOUNT:log-group:NAME:*`
        let name = arn.splitn(7, ':').nth(6)?.trim_end_matches(":*");
        Some(Logging {
            execution_arn: identity.arn.clone(),
            trace: identity.trace_id(),
            volatile: identity.is_express() && identity.map_run.is_none(),
            group: name.into(),
            machine: machine.clone(),
            level,
            include_data: configuration.include_execution_data,
        })
    }
}

/// Makes lines of events.
struct Follower {
    store: Store,
    delivery: Delivery,
    followed: HashMap<ExecutionKey, Followed>,
}

struct Followed {
    projection: Projection,
    redrives: u32,
    volatile: bool,
}

impl Followed {
    fn note(&mut self, event: &Event) {
        if let EventKind::ExecutionRedriven { count, .. } = &event.kind {
            self.redrives = *count;
        }
    }
}

impl Follower {
    async fn run(mut self, mut offers: mpsc::Receiver<Offer>) {
        while let Some(offer) = offers.recv().await {
            if let Err(what) = self.take(&offer).await {
                self.delivery.drop_lines(offer.events.len() as u64);
                crate::log::say!(
                    "{} could not be logged: {what}",
                    offer.logging.execution_arn
                );
            }
        }
    }

    async fn take(&mut self, offer: &Offer) -> Result<(), String> {
        let known = self.followed.remove(&offer.key);
        let known = known.filter(|followed| followed.projection.written() == offer.before);
        let mut followed = match known {
            Some(followed) => followed,
            None => self.catch_up(offer).await?,
        };
        followed.projection.show(0..u64::MAX);
        let mut ended = false;
        // AWS's lines have no trace in them.
        let trace = (!self.delivery.is_to_cloud_watch()).then_some(offer.logging.trace);
        for event in offer.events.iter() {
            followed.note(event);
            followed.projection.follow(event);
            for shown in followed.projection.take() {
                if offer.logging.level.logs(&shown.event_type) {
                    let line = Line::of(
                        shown,
                        &offer.logging.execution_arn,
                        followed.redrives,
                        trace,
                    );
                    self.delivery
                        .take(&offer.logging.group, &offer.logging.machine, line);
                }
            }
            ended = event.kind.ends_execution();
        }
        if !ended {
            if self.followed.len() >= FOLLOWED_MAX {
                // What is stored can be followed again.
                self.followed.retain(|_, followed| followed.volatile);
            }
            self.followed.insert(offer.key, followed);
        }
        Ok(())
    }

    /// An execution as it was before what is offered.
    async fn catch_up(&self, offer: &Offer) -> Result<Followed, String> {
        let mut followed = Followed {
            projection: Projection::new(offer.logging.include_data),
            redrives: 0,
            volatile: offer.logging.volatile,
        };
        if offer.before == 0 {
            return Ok(followed);
        }
        if offer.logging.volatile {
            return Err("some of its events were dropped, and it is not stored".to_owned());
        }
        followed.projection.show(0..0);
        let events = self.store.events(offer.key).await;
        for event in events.map_err(|e| e.to_string())? {
            if followed.projection.written() == offer.before {
                break;
            }
            followed.note(&event);
            followed.projection.follow(&event);
        }
        Ok(followed)
    }
}
