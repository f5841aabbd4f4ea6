//! The callback gateway: references, callbacks, dispositions, alerts.
//!
//! A third party knows nothing of tasks and tokens; it calls back with a *reference* of its own. A
//! worker registers `reference -> task token`; a *route* says how to read the callback; and each
//! callback, a *delivery*, is stored before it is acknowledged, and gets exactly one *disposition*.
//!
//! The life of a reference (one document each, `record::Reference`):
//!
//! | standing | a callback comes | it is registered | its time comes |
//! | --- | --- | --- | --- |
//! | none | Kept: early or unknown | Waiting | |
//! | Kept | duplicate, or unknown again | Delivering | removed; early becomes unknown, with the alert |
//! | Waiting | Delivering | the same token: nothing; another: see below | removed once its wait is over for long enough |
//! | Delivering | waits for the outcome | the same | the same |
//! | Answered | duplicate | the same | removed |
//! | Started | duplicate, or early | Waiting or Delivering, by the execution that was started | removed once that one has ended for long enough |
//!
//! From Delivering it goes to Answered if the wait took the callback, back to Waiting if the wait was
//! over (the callback is late, and further ones will be), and stays if the engine could not be
//! reached; the delivery is then tried again.
//!
//! Another token takes a reference over only within the same execution and only when the earlier
//! wait is over: a retry that got the same reference from the third party. A reference of another
//! execution is refused for as long as it is remembered, since a late answer to the one must not
//! become the answer to the other.
//!
//! What a crash leaves: the first commit has the delivery and the reference as Delivering together.
//! If the process dies after it, the delivery is due and is handed to the engine again. Either the
//! wait is still open, or it ended with the very result that this delivery brings, in which case it
//! was this one that did it; anything else is late.
//!
//! Early or unknown? On arrival they look alike. A route that names the tasks it `expects` references
//! from can tell: while such a task is open and has not registered, the callback may be for it
//! (202, early); else there is nobody left who could register it (404, unknown, alert at once). It
//! is kept all the same, and delivered should it be registered within the time. A route that
//! `expects` nothing can't tell: all are early, and the alert comes when their time is over.
//!
//! Tokens are stored with references, for they have to be used, and appear nowhere else: what is
//! shown of one is its fingerprint.
//!
//! A callback is verified before anything of it is believed. A signed id that comes again is a replay,
//! and a replay is a duplicate, whatever has become of its reference: `record::Receipt` remembers the
//! ids for as long as the same callback would pass verification.
//!
//! This module does not know where a callback's body comes from: [`crate::http`] has read it.
//!
//! In reading order:
//! - [`disposition`]: what can become of a delivery.
//! - [`route`]: how a callback is read; the configuration. `address`, `callback`, `expression`: its path,
//!   its values, what is asked of them. `routes`: all of them. [`verify`]: who a callback comes from.
//! - `record`: what is stored.
//! - `rate`, `refuse`: how many are taken from one source, and what becomes of those that are too many.
//! - `receive`: a callback comes. `register`: a reference comes. `deliver`: the two meet.
//! - `start`: a callback that nobody waits for starts an execution.
//! - `attend`: time passes. `sweep`: much time has passed.
//! - `alert`: what is told. `inbox`: who asks. `manage`: routes over the API.
//! - `trail`: what a story is made of.
//! - `held`: references by their waits. `in_hand`: a delivery that an operator works on.
//! - `urls`: a URL for each wait. `chosen`: references that the workflow chooses itself.
//! - `misnamed`: what routes expect of a state machine in vain.
//! - `remote`: engines elsewhere, AWS's too. `expected`, `recall`, `flights`, `engine`: what the above needs.

mod address;
mod alert;
mod arrival;
mod astray;
mod attend;
pub mod callback;
mod chosen;
mod deliver;
pub mod disposition;
mod engine;
mod expected;
mod expression;
mod flights;
mod found;
mod held;
mod in_hand;
mod inbox;
mod keep;
mod manage;
mod marks;
mod misnamed;
mod rate;
mod recall;
mod receive;
mod record;
mod redact;
mod refuse;
mod register;
mod remote;
pub mod route;
mod routes;
mod start;
mod sweep;
#[cfg(test)]
mod tests;
pub(crate) mod trail;
mod urls;
pub mod verify;
mod words;

use std::net::SocketAddr;
use std::sync::atomic::{AtomicI64, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use ::engine::{ExecutionKey, WaitId};
use hyper::{Method, StatusCode};
use parking_lot::RwLock;
use store::{Commit, CommitError, Document, DocumentChange, Store, StoreError, Table};
use uuid::Uuid;

pub use self::chosen::{Choosing, Phase};
pub use self::disposition::Disposition;
pub use self::misnamed::misnamed;
pub(crate) use self::record::Place;
pub use self::remote::EngineConfig;
pub use self::route::config::RouteConfig;
pub use self::sweep::InboxLimits;
pub use self::verify::Doubt;
pub use self::verify::config::VerifyConfig;

use self::astray::Astray;
use self::engine::Engine;
use self::expected::Expected;
use self::flights::Flights;
use self::found::Found;
use self::rate::Floods;
use self::receive::Wrong;
use self::record::{Delivery, Reference, Step, reference_key};
use self::remote::Engines;
use self::route::Route;
use self::routes::{Found as FoundRoute, Routes};
use self::start::Starter;
use self::verify::{UrlKey, Verification};
use crate::alerts::Alerts;
use crate::client::Client;
use crate::clock::Clock;
use crate::http::{Call, Reply, Unreadable, percent_decode};
use crate::metrics::Metrics;
use crate::runner::Runner;
use crate::services::Environment;
use crate::telemetry::Telemetry;
use crate::topics::Topics;
use crate::waits::StuckWaits;

/// The gateway of a server. Cloning is a reference count.
#[derive(Clone)]
pub struct Gateway(Arc<Inner>);

struct Inner {
    clock: Clock,
    store: Store,
    engine: Arc<dyn Engine>,
    topics: Topics,
    alerts: Alerts,
    routes: RwLock<Arc<Routes>>,
    /// Held by whoever changes the stored routes, across the whole of it.
    routes_turn: tokio::sync::Mutex<()>,
    /// Signs callback URLs; read when the server starts.
    url_key: OnceLock<UrlKey>,
    expected: Expected,
    flights: Flights,
    /// Those elsewhere.
    engines: Engines,
    /// Drawn at the start: tells what this process has written from what an earlier one has.
    run: u64,
    /// Who starts executions, once the server is there.
    starter: OnceLock<Starter>,
    astray: Astray,
    floods: Floods,
    /// Held by whoever stores a count of refused callbacks.
    floods_turn: tokio::sync::Mutex<()>,
    /// Orders the ids of deliveries of the same millisecond.
    sequence: AtomicU32,
    base_url: OnceLock<String>,
    swept_at: AtomicI64,
    /// How many bytes have come since.
    came_bytes: AtomicU64,
    inbox_limits: OnceLock<InboxLimits>,
    metrics: OnceLock<Metrics>,
    /// When a wait elsewhere counts as stuck.
    stuck_waits: OnceLock<StuckWaits>,
    telemetry: OnceLock<Telemetry>,
}

/// What engines elsewhere are reached with.
pub struct Elsewhere<'a> {
    /// Where they are, and who signs.
    pub environment: &'a Environment,
    /// Requests out.
    pub client: &'a Client,
    /// There is no engine in this process: every route has to name one.
    pub alone: bool,
}

/// What alerts name before [`Gateway::announce`] was called: the default address of a server.
const DEFAULT_BASE_URL: &str = "http://127.0.0.1:8083";

/// Why something could not be stored.
enum NotStored {
    /// Somebody else was first; look again.
    Conflict,
    /// The store failed; text for the log.
    Server(String),
}

impl Gateway {
    /// Makes the routes of the configuration.
    ///
    /// # Errors
    /// One sentence: which route, what is wrong, what to do.
    pub fn new(
        routes: Vec<RouteConfig>,
        clock: Clock,
        store: Store,
        runner: Runner,
        topics: Topics,
        alerts: Alerts,
        elsewhere: &Elsewhere<'_>,
    ) -> Result<Gateway, String> {
        for route in routes.iter().filter(|route| route.verify.is_none()) {
            crate::log::say!(
                "the route \"{}\" verifies nothing, so anybody who reaches it can answer; add [routes.verify], with scheme = \"none\" if that is meant",
                route.name
            );
        }
        let Elsewhere {
            environment,
            client,
            alone,
        } = *elsewhere;
        let engines = Engines::new(environment.engines(), environment, client, alone)?;
        let runner = Arc::new(runner);
        Gateway::with_engine(routes, clock, store, runner, topics, alerts, engines)
    }

    fn with_engine(
        configs: Vec<RouteConfig>,
        clock: Clock,
        store: Store,
        engine: Arc<dyn Engine>,
        topics: Topics,
        alerts: Alerts,
        engines: Engines,
    ) -> Result<Gateway, String> {
        let expected = Expected::default();
        let mut routes = Routes::default();
        for config in configs {
            engines.check(&config)?;
            let route = Route::checked(&config, &topics)?;
            expected.add(&route);
            routes = routes.with(route)?;
        }
        let swept_at = AtomicI64::new(clock.now().0);
        Ok(Gateway(Arc::new(Inner {
            clock,
            store,
            engine,
            topics,
            alerts,
            routes: RwLock::new(Arc::new(routes)),
            routes_turn: tokio::sync::Mutex::default(),
            url_key: OnceLock::new(),
            expected,
            flights: Flights::default(),
            engines,
            run: getrandom::u64().unwrap_or_default(),
            starter: OnceLock::new(),
            astray: Astray::default(),
            floods: Floods::default(),
            floods_turn: tokio::sync::Mutex::default(),
            sequence: AtomicU32::new(0),
            base_url: OnceLock::new(),
            swept_at,
            came_bytes: AtomicU64::new(0),
            inbox_limits: OnceLock::new(),
            metrics: OnceLock::new(),
            stuck_waits: OnceLock::new(),
            telemetry: OnceLock::new(),
        })))
    }

    /// Says where the server listens, for the commands in alerts. The first call counts.
    pub fn announce(&self, address: SocketAddr) {
        let _ = self.0.base_url.set(format!("http://{address}"));
    }

    /// Says where callbacks are counted. The first call counts.
    pub fn count_in(&self, metrics: Metrics) {
        let _ = self.0.metrics.set(metrics);
    }

    /// Says where callbacks are told of as parts of traces. The first call counts.
    pub fn trace_to(&self, telemetry: Telemetry) {
        let _ = self.0.telemetry.set(telemetry);
    }

    /// A delivery got a disposition, and that is durable.
    fn counted(&self, delivery: &Delivery, step: &Step) {
        if let Some(metrics) = self.0.metrics.get() {
            let late = step
                .wait_ended_at
                .map(|ended| delivery.received_at.0 - ended.0);
            metrics.callback(&delivery.route, step.disposition, late);
        }
        if let Some(telemetry) = self.0.telemetry.get().filter(|t| t.is_on()) {
            telemetry.callback(self.told(delivery));
        }
    }

    /// Answers a call on a route's path, or on the gateway's own API under `/rejoin/`; `None` if it is neither.
    pub async fn handle(&self, call: &Call) -> Option<Reply> {
        match self.routes().at(&call.path, &call.method) {
            FoundRoute::Route(route, entrance, parameters) => {
                return Some(self.receive(route, entrance, &parameters, call, None).await);
            }
            FoundRoute::OtherMethod(place, parameters, methods) if is_sent(&call.method) => {
                let (route, entrance) = place;
                let wrong = Wrong::Method(methods);
                let received = self.receive(route, entrance, &parameters, call, Some(wrong));
                return Some(received.await);
            }
            FoundRoute::OtherMethod(.., methods) => {
                return Some(match self.routes().at(&call.path, &Method::POST) {
                    FoundRoute::Route(route, entrance, parameters)
                        if urls::is_visit(call)
                            && matches!(route.verification, Verification::SignedUrl) =>
                    {
                        self.confirm(&route, entrance, &parameters).await
                    }
                    _ => not_allowed(&methods),
                });
            }
            FoundRoute::Nobody if call.path.starts_with("/rejoin/") => {}
            FoundRoute::Nobody if is_sent(&call.method) => {
                let ((route, entrance), parameters) = self.routes().meant(&call.path)?;
                let wrong = Wrong::Path(route.entrances[entrance].address.text().to_owned());
                let received = self.receive(route, entrance, &parameters, call, Some(wrong));
                return Some(received.await);
            }
            FoundRoute::Nobody => {}
        }
        if let Some(rest) = call.path.strip_prefix("/rejoin/references/") {
            return Some(match (&call.method, rest.contains('/')) {
                (&Method::POST, false) => self.make_url(&percent_decode(rest), call).await,
                (&Method::PUT, _) => self.register(rest, call).await,
                (&Method::GET, _) => self.show_reference(rest).await,
                (&Method::DELETE, _) => self.release(rest, call).await,
                _ => not_allowed("DELETE, GET, PUT"),
            });
        }
        if let Some(rest) = call.path.strip_prefix("/rejoin/routes")
            && (rest.is_empty() || rest.starts_with('/'))
        {
            return Some(self.manage_routes(rest, call).await);
        }
        if call.path == "/rejoin/engines" {
            return Some(match call.method {
                Method::GET => self.show_engines(),
                _ => not_allowed("GET"),
            });
        }
        let rest = call.path.strip_prefix("/rejoin/deliveries")?;
        if !rest.is_empty() && !rest.starts_with('/') {
            return None;
        }
        Some(self.inbox(rest, call).await)
    }

    /// Answers a call on a route's path whose body is not to be had whole: it is kept with what came of it.
    pub async fn handle_unreadable(&self, call: &Call, why: Unreadable) -> Option<Reply> {
        let FoundRoute::Route(route, entrance, parameters) =
            self.routes().at(&call.path, &call.method)
        else {
            return None;
        };
        Some(
            self.receive(route, entrance, &parameters, call, Some(why.into()))
                .await,
        )
    }

    /// The scheduler hands over a reference or a delivery that is due (an early callback expires, a
    /// used reference is forgotten, an undelivered one is tried again).
    pub async fn attend(&self, table: Table, key: &str) {
        let attended = match table {
            Table::Reference => self.attend_reference(key).await,
            Table::Delivery => self.attend_delivery(key).await,
            Table::Receipt => self.attend_receipt(key).await,
            Table::Remote => {
                self.attend_lane(key).await;
                Ok(())
            }
            _ => Ok(()),
        };
        if let Err(what) = attended {
            // The document is due again after a restart, which is what a failed store needs.
            crate::log::say!("the gateway could not look after what was due: {what}");
        }
    }

    /// A task with a token is about to be handed to its resource; a reference may follow. Gives the
    /// routes on which it is registered without a worker, for [`Gateway::register_chosen`].
    pub fn wait_opened(
        &self,
        execution: ExecutionKey,
        wait: WaitId,
        state_machine_arn: &str,
        state_name: &str,
    ) -> Choosing {
        self.0
            .expected
            .opened(execution, wait, state_machine_arn, state_name);
        self.choosing(state_machine_arn, state_name)
    }

    /// A wait is over, whatever ended it.
    pub fn wait_ended(&self, execution: ExecutionKey, wait: WaitId) {
        self.0.expected.settled(execution, wait, None);
    }

    /// A reference's document, with its version.
    async fn reference(
        &self,
        route: &str,
        reference: &str,
    ) -> Result<Option<(u64, Reference)>, String> {
        self.document(Table::Reference, &reference_key(route, reference))
            .await
    }

    /// A delivery's document, with its version.
    async fn delivery(&self, id: &str) -> Result<Option<(u64, Delivery)>, String> {
        let mut read: Option<(u64, Delivery)> = self.document(Table::Delivery, id).await?;
        if let Some((_, delivery)) = &mut read {
            delivery.found = Found::of(delivery);
        }
        Ok(read)
    }

    async fn document<T: serde::de::DeserializeOwned>(
        &self,
        table: Table,
        key: &str,
    ) -> Result<Option<(u64, T)>, String> {
        let found = self.0.store.get(table, key).await;
        let Some(document) = found.map_err(|StoreError(what)| what)? else {
            return Ok(None);
        };
        Ok(Some((document.version, read(&document)?)))
    }

    /// Makes changes durable together.
    async fn commit(&self, documents: Vec<DocumentChange>) -> Result<(), NotStored> {
        let commit = Commit {
            execution: None,
            documents,
        };
        match self.0.store.commit(commit).await {
            Ok(_) => Ok(()),
            Err(CommitError::Conflict) => Err(NotStored::Conflict),
            Err(error @ CommitError::Storage(_)) => Err(NotStored::Server(error.to_string())),
        }
    }

    /// An id that sorts by the server's time, and by arrival within a millisecond: a UUID of version 7.
    fn delivery_id(&self) -> String {
        let now = u64::try_from(self.0.clock.now().0).unwrap_or_default();
        let sequence = self.0.sequence.fetch_add(1, Ordering::Relaxed) % (1 << 12);
        let random = Uuid::new_v4().into_bytes();
        let mut tail = [0; 10];
        tail[..2].copy_from_slice(&(sequence as u16).to_be_bytes());
        tail[2..].copy_from_slice(&random[..8]);
        uuid::Builder::from_unix_timestamp_millis(now, &tail)
            .into_uuid()
            .to_string()
    }

    fn base_url(&self) -> &str {
        self.0.base_url.get().map_or(DEFAULT_BASE_URL, |url| url)
    }

    fn routes(&self) -> Arc<Routes> {
        self.0.routes.read().clone()
    }

    /// Whether there is a route of this name.
    pub(crate) fn has_route(&self, name: &str) -> bool {
        self.route_named(name).is_some()
    }

    fn route_named(&self, name: &str) -> Option<Arc<Route>> {
        self.routes().named(name)
    }
}

impl From<String> for NotStored {
    fn from(what: String) -> NotStored {
        NotStored::Server(what)
    }
}

fn read<T: serde::de::DeserializeOwned>(document: &Document) -> Result<T, String> {
    serde_json::from_slice(&document.content)
        .map_err(|why| format!("a stored document of the gateway can't be read: {why}"))
}

/// Whether a request of this method brings something. One of another that comes to a route is somebody who looks, and no
/// callback.
fn is_sent(method: &Method) -> bool {
    [Method::POST, Method::PUT, Method::PATCH, Method::DELETE].contains(method)
}

fn not_allowed(allow: &str) -> Reply {
    let mut reply = Reply::refusal(
        StatusCode::METHOD_NOT_ALLOWED,
        "MethodNotAllowed",
        format!("this path takes {allow}"),
        "send the request with that method",
    );
    reply.headers.push(("Allow", allow.to_owned()));
    reply
}

fn server_error(what: &str) -> Reply {
    crate::log::say!("the gateway could not read or write: {what}");
    Reply::refusal(
        StatusCode::SERVICE_UNAVAILABLE,
        "Unavailable",
        "the server can't reach its store",
        "try again later; the server's log says what is wrong",
    )
}
