//! OpenTelemetry: executions, their states, tasks and waits, and callbacks, as spans of a trace.
//!
//! Sent as OTLP over HTTP, in JSON, to where the configuration says ([`config`]); without an endpoint nothing of this
//! is there. Only traces that are recorded are sent: who starts an execution, and whose callback it is, says so in
//! its `traceparent`.
//!
//! An execution never waits for its spans. The runner hands over what has become durable, the gateway what a callback
//! has become, and both go on; a task of its own makes spans of that ([`engine::spans`], `execution`, `callback`),
//! and hands them to the queue (`delivery`). A span is sent when it ends: an execution's after those of its states. All
//! ids follow from the execution, so one that has ended after a restart, found again in its stored events, has the
//! spans that it would have had without. What has ended within the last moments before a crash is not sent again.
//!
//! Whatever does not fit is dropped and counted. Not known here: what runs on whose behalf; that is `trace`'s.

pub(crate) mod callback;
pub mod config;
mod delivery;
mod execution;
mod otlp;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use engine::spans::Step;
use engine::{Event, EventKind, ExecutionKey, Identity, Span, Spans};
use hashbrown::HashMap;
use store::Store;
use tokio::sync::mpsc;

use crate::app::WeakApp;
use crate::client::Client;
use crate::log::About;
use callback::CallbackTold;
pub use config::{Export, TelemetryConfig};
use delivery::{Delivery, Held};

/// How much may wait to be made into spans: so many commits and callbacks, with so many bytes of documents.
const OFFERS_MAX: usize = 8_192;
const OFFERS_BYTES_MAX: usize = 64 * 1024 * 1024;

/// How many stored executions are followed at once, a few hundred bytes each. One more, and those are let go that
/// are found again in so few events; each is followed anew when it goes on.
const FOLLOWED_MAX: usize = 16_384;
const FEW_EVENTS: u64 = 256;

/// Takes what there is to tell. Cloning is a reference count.
#[derive(Clone)]
pub struct Telemetry(Option<Arc<Inner>>);

struct Inner {
    offers: mpsc::Sender<Offer>,
    offered_bytes: Arc<AtomicUsize>,
    delivery: Delivery,
    app: Arc<std::sync::OnceLock<WeakApp>>,
}

/// What has happened.
struct Offer {
    what: What,
    /// Until it has been made into spans.
    _held: Held,
}

enum What {
    Execution {
        key: ExecutionKey,
        /// Whether it can't be read again.
        volatile: bool,
        events: Arc<[Event]>,
        /// How many events the history had before.
        before: u64,
        _bytes: Bytes,
    },
    Callback(Box<CallbackTold>),
}

/// A share of [`OFFERS_BYTES_MAX`].
struct Bytes(Arc<AtomicUsize>, usize);

impl Drop for Bytes {
    fn drop(&mut self) {
        self.0.fetch_sub(self.1, Ordering::Relaxed);
    }
}

impl Telemetry {
    /// Spans go where `export` says; nowhere without it.
    pub fn new(export: Option<Export>, client: Client, store: Store) -> Telemetry {
        let Some(export) = export else {
            return Telemetry(None);
        };
        let delivery = Delivery::to(export, client);
        let (offers, taken) = mpsc::channel(OFFERS_MAX);
        let app = Arc::new(std::sync::OnceLock::new());
        let follower = Follower {
            store,
            delivery: delivery.clone(),
            app: app.clone(),
            followed: HashMap::new(),
        };
        tokio::spawn(follower.run(taken));
        Telemetry(Some(Arc::new(Inner {
            offers,
            offered_bytes: Arc::default(),
            delivery,
            app,
        })))
    }

    /// Names the server whose gateway knows what came for a wait. The first call counts.
    pub fn connect(&self, app: WeakApp) {
        if let Some(inner) = &self.0 {
            let _ = inner.app.set(app);
        }
    }

    /// Whether anything is told.
    pub(crate) fn is_on(&self) -> bool {
        self.0.is_some()
    }

    /// Takes events that have just become durable (or, for a volatile execution, have just happened).
    /// Returns at once; what can't be taken is dropped.
    pub(crate) fn offer(
        &self,
        key: ExecutionKey,
        identity: &Identity,
        volatile: bool,
        events: &Arc<[Event]>,
        before: u64,
    ) {
        let Some(inner) = self.0.as_ref().filter(|_| !events.is_empty()) else {
            return;
        };
        let sampled = identity.trace_context.as_ref().is_none_or(|c| c.sampled);
        if !sampled {
            return;
        }
        let bytes = events.iter().map(Event::bytes).sum();
        let others = inner.offered_bytes.fetch_add(bytes, Ordering::Relaxed);
        let bytes = Bytes(inner.offered_bytes.clone(), bytes);
        let fits = others == 0 || others + bytes.1 <= OFFERS_BYTES_MAX;
        let what = What::Execution {
            key,
            volatile,
            events: events.clone(),
            before,
            _bytes: bytes,
        };
        if !fits || !inner.hand_over(what) {
            inner.delivery.drop_spans(spans_of(events));
        }
    }

    /// Takes a callback that has just got a disposition.
    pub(crate) fn callback(&self, told: CallbackTold) {
        if let Some(inner) = &self.0
            && !inner.hand_over(What::Callback(Box::new(told)))
        {
            inner.delivery.drop_spans(1);
        }
    }

    /// How many spans were taken by the collector, and how many were dropped; nothing if none are sent.
    pub(crate) fn figures(&self) -> Option<(u64, u64)> {
        self.0.as_ref().map(|inner| inner.delivery.figures())
    }

    /// Returns when all that was offered has been delivered or dropped. Nothing waits for others to go with then.
    pub async fn settled(&self) {
        if let Some(inner) = &self.0 {
            inner.delivery.settled().await;
        }
    }
}

impl Inner {
    fn hand_over(&self, what: What) -> bool {
        let offer = Offer {
            what,
            _held: self.delivery.hold(),
        };
        self.offers.try_send(offer).is_ok()
    }
}

/// How many spans end with these events.
fn spans_of(events: &[Event]) -> u64 {
    let ends = |event: &&Event| {
        matches!(event.kind, EventKind::StateExited { .. })
            || event.kind.ends_execution()
            || engine::EndKind::of(&event.kind).is_some()
    };
    events.iter().filter(ends).count() as u64
}

/// Makes spans of what has happened.
struct Follower {
    store: Store,
    delivery: Delivery,
    app: Arc<std::sync::OnceLock<WeakApp>>,
    followed: HashMap<ExecutionKey, Followed>,
}

struct Followed {
    spans: Spans,
    /// How many events it has had.
    seen: u64,
    volatile: bool,
}

impl Follower {
    async fn run(mut self, mut offers: mpsc::Receiver<Offer>) {
        while let Some(offer) = offers.recv().await {
            match &offer.what {
                What::Execution {
                    key,
                    volatile,
                    events,
                    before,
                    ..
                } => {
                    if let Err(what) = self.follow(*key, *volatile, events, *before).await {
                        self.delivery.drop_spans(spans_of(events));
                        let app = self.app.get().and_then(WeakApp::upgrade);
                        let about = match app {
                            Some(app) => app.runner.about(*key).await,
                            None => About::default(),
                        };
                        crate::log::say_about!(about, "an execution has no spans: {what}");
                    }
                }
                What::Callback(told) => self.callback(told).await,
            }
        }
    }

    async fn follow(
        &mut self,
        key: ExecutionKey,
        volatile: bool,
        events: &[Event],
        before: u64,
    ) -> Result<(), String> {
        let known = self.followed.remove(&key);
        let (mut followed, mut ended) = match known {
            Some(known) if known.spans.history_events() == before => (known, Vec::new()),
            known => {
                let known = known.map(|known| known.seen);
                self.catch_up(key, volatile, events, before, known).await?
            }
        };
        for event in events {
            followed.seen += 1;
            ended.extend(followed.spans.follow(event));
        }
        self.write(key, followed.spans.identity(), ended).await;
        let goes_on = !events.last().is_some_and(|last| last.kind.ends_execution());
        if goes_on {
            if self.followed.len() >= FOLLOWED_MAX {
                self.let_go();
            }
            self.followed.insert(key, followed);
        }
        Ok(())
    }

    /// What is stored can be followed again.
    fn let_go(&mut self) {
        let dear = |followed: &Followed| followed.volatile || followed.seen > FEW_EVENTS;
        self.followed.retain(|_, followed| dear(followed));
        if self.followed.len() >= FOLLOWED_MAX {
            self.followed.retain(|_, followed| followed.volatile);
        }
    }

    /// An execution as it was before what is offered, and the spans that have ended since it was seen last.
    async fn catch_up(
        &self,
        key: ExecutionKey,
        volatile: bool,
        events: &[Event],
        before: u64,
        known: Option<u64>,
    ) -> Result<(Followed, Vec<Span>), String> {
        let begun = |first: &Event| {
            let spans = Spans::of(first)?;
            Some(Followed {
                spans,
                seen: 0,
                volatile,
            })
        };
        let no_start = || "its first event is not its start".to_owned();
        if before == 0 {
            let begun = events.first().and_then(begun).ok_or_else(no_start)?;
            return Ok((begun, Vec::new()));
        }
        if volatile {
            return Err("some of its events were dropped, and it is not stored".to_owned());
        }
        let mut followed: Option<Followed> = None;
        let mut missed = Vec::new();
        let shown = self.store.each_event(key, |event| {
            if followed.is_none() {
                followed = begun(&event);
            }
            let Some(followed) = &mut followed else {
                return true;
            };
            // Some events are none of the history's, so the number of those does not tell alone.
            if followed.spans.history_events() == before && events.first() == Some(&event) {
                return true;
            }
            followed.seen += 1;
            let ended = followed.spans.follow(&event);
            if known.is_some_and(|known| followed.seen > known) {
                missed.extend(ended);
            }
            false
        });
        shown.await.map_err(|e| e.to_string())?;
        Ok((followed.ok_or_else(no_start)?, missed))
    }

    async fn write(&self, key: ExecutionKey, identity: &Identity, ended: Vec<Span>) {
        for span in ended {
            let mut written = execution::written(identity, &span);
            if let Step::Task { wait, .. } = span.step
                && execution::waits(&span.step)
                && let Some(app) = self.app.get().and_then(WeakApp::upgrade)
            {
                match app.gateway.trail_of_wait(key, wait).await {
                    Ok(trail) => callback::add(&mut written, identity, wait, &trail),
                    Err(what) => crate::log::say_about!(
                        About::execution(identity),
                        "what came for a wait can't be read, and its span is sent without: {what}"
                    ),
                }
            }
            self.delivery.take(written.text());
        }
    }

    async fn callback(&self, told: &CallbackTold) {
        let execution = match (&told.execution_arn, self.app.get()) {
            (Some(arn), Some(app)) if !arn.is_empty() => match app.upgrade() {
                Some(app) => app.runner.execution(ExecutionKey::of(arn)).await,
                None => Ok(None),
            },
            _ => Ok(None),
        };
        let execution = execution.unwrap_or_else(|what| {
            crate::log::say!(
                "a callback's execution can't be read, and its span is sent without: {what}"
            );
            None
        });
        let identity = execution.as_ref().map(engine::Execution::identity);
        if let Some(written) = told.written(identity) {
            self.delivery.take(written.text());
        }
    }
}
