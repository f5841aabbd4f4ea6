//! The parts, joined.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Weak};

use engine::TokenKey;
use store::log::Sizes;
use store::log::disk::Disk;
use store::{Commit, DocumentChange, Expect, Opening, Options, Store, Table};

use crate::activities::ActivityQueues;
use crate::activity::Activities;
use crate::alerts::{Alerts, AlertsConfig};
use crate::client::Client;
use crate::clock::Clock;
use crate::dispatch::{Dispatcher, Resources};
use crate::express::Express;
use crate::functions::{FunctionConfig, Functions};
use crate::gateway::{Elsewhere, Gateway, InboxLimits, RouteConfig};
use crate::logs::Logs;
use crate::machines::Machines;
use crate::map_runs::MapRuns;
use crate::metrics::Metrics;
use crate::quotas::Quotas;
use crate::runner::Runner;
use crate::scheduler::{self, Retention};
use crate::services::{CloudWatchLogs, Environment, Services};
use crate::status_changes::{StatusChangeConfig, StatusChanges};
use crate::telemetry::Telemetry;
use crate::time_control::TimeControl;
use crate::topics::{TopicConfig, Topics};
use crate::waits::Waits;
use crate::waits::policy::StuckWaits;

/// One server. Cloning is a reference count.
#[derive(Clone)]
pub struct App(Arc<Parts>);

/// What a server is made of.
pub struct Parts {
    /// It is a gateway alone, in front of engines elsewhere.
    pub alone: bool,
    /// Which region and account the server's ARNs name.
    pub place: Place,
    /// How much of everything there may be.
    pub quotas: Quotas,
    /// What time it is.
    pub clock: Clock,
    /// Who moves it.
    pub time_control: TimeControl,
    /// What is durable.
    pub store: Store,
    /// Requests out.
    pub client: Client,
    /// State machines.
    pub machines: Machines,
    /// Executions.
    pub runner: Runner,
    /// Executions that are not stored.
    pub express: Express,
    /// What executions leave in logs.
    pub logs: Logs,
    /// What executions and callbacks leave in traces.
    pub telemetry: Telemetry,
    /// Tasks to their resources.
    pub dispatcher: Dispatcher,
    /// Map Runs.
    pub map_runs: MapRuns,
    /// Activities.
    pub activity_documents: Activities,
    /// Activity tasks.
    pub activities: ActivityQueues,
    /// Functions.
    pub functions: Functions,
    /// Topics.
    pub topics: Topics,
    /// What somebody should know.
    pub alerts: Alerts,
    /// Callbacks.
    pub gateway: Gateway,
    /// Calls to other services.
    pub services: Services,
    /// What is too old.
    pub retention: Retention,
    /// Open waits.
    pub waits: Waits,
    /// What Prometheus is told.
    pub metrics: Metrics,
}

/// The region and account of the server's ARNs.
#[derive(Debug, Clone)]
pub struct Place {
    /// For example `us-east-1`.
    pub region: String,
    /// Twelve digits, for example `123456789012`.
    pub account: String,
}

impl Place {
    /// The ARN of an execution of a state machine.
    pub fn execution_arn(&self, machine: &str, name: &str) -> String {
        let Place { region, account } = self;
        format!("arn:aws:states:{region}:{account}:execution:{machine}:{name}")
    }
}

/// How a server is to be.
pub struct Settings {
    /// Which region and account its ARNs name.
    pub place: Place,
    /// What time it is.
    pub clock: Clock,
    /// Where it keeps its data; `None` keeps it in memory.
    pub directory: Option<PathBuf>,
    /// For how many days ended executions are kept; AWS keeps them for 90.
    pub retention_days: u32,
    /// `[quotas]`.
    pub quotas: Quotas,
    /// `[functions]`.
    pub functions: BTreeMap<String, FunctionConfig>,
    /// `[topics]`.
    pub topics: BTreeMap<String, TopicConfig>,
    /// `[alerts]`.
    pub alerts: AlertsConfig,
    /// `[[status_changes]]`.
    pub status_changes: Vec<StatusChangeConfig>,
    /// `[[routes]]`.
    pub routes: Vec<RouteConfig>,
    /// `[stuck_waits]`.
    pub stuck_waits: StuckWaits,
    /// Where it listens, for the functions that call it.
    pub address: SocketAddr,
    /// Where other services are.
    pub environment: Environment,
}

impl App {
    /// Opens the store, joins the parts, and takes up what a former run left undone.
    ///
    /// # Errors
    /// One sentence: what is wrong and what to do.
    pub async fn open(settings: Settings) -> Result<(App, Opening), String> {
        let (store, opening) = kept(settings.directory.clone())?;
        App::start(settings, store, opening, false).await
    }

    /// The same with its data on a disk of one's own, such as memory that outlives the server.
    ///
    /// # Errors
    /// As [`App::open`].
    pub async fn open_on(
        settings: Settings,
        disk: Arc<dyn Disk>,
    ) -> Result<(App, Opening), String> {
        let (store, opening) = Store::open_on(disk, Sizes::default()).map_err(|e| e.to_string())?;
        App::start(settings, store, opening, false).await
    }

    /// The same without an engine: callbacks for engines elsewhere, and nothing else.
    ///
    /// # Errors
    /// As [`App::open`]; also if a route names no engine, or if the data has executions.
    pub async fn open_gateway(settings: Settings) -> Result<(App, Opening), String> {
        let (store, opening) = kept(settings.directory.clone())?;
        App::start(settings, store, opening, true).await
    }

    async fn start(
        settings: Settings,
        store: Store,
        opening: Opening,
        alone: bool,
    ) -> Result<(App, Opening), String> {
        let Settings {
            place,
            clock,
            directory: _,
            retention_days,
            quotas,
            functions,
            topics,
            alerts,
            status_changes,
            routes,
            stuck_waits,
            address,
            environment,
        } = settings;
        quotas.check()?;
        if alone && opening.executions > 0 {
            return Err(format!(
                "the data has {} executions, which `rejoin gateway` does not run; use `rejoin serve`, or another --data-dir",
                opening.executions
            ));
        }
        clock.attach(Arc::new(store.clone()));
        let client = Client::beside(environment.nearby().cloned());
        let machines = Machines::new(store.clone());
        let activity_documents = Activities::new(store.clone(), Table::Activity);
        let tokens = token_key(&store).await?;
        let runner = Runner::new(
            clock.clone(),
            store.clone(),
            tokens,
            machines.clone(),
            activity_documents.clone(),
            quotas.engine(),
            random_seed(),
        );
        let functions = functions
            .into_iter()
            .map(|(name, config)| (name, told_where(config, address)))
            .collect();
        let functions = Functions::new(functions, &place.region, clock.clone(), client.clone())?;
        let topics = Topics::new(
            topics,
            place.clone(),
            clock.clone(),
            store.clone(),
            functions.clone(),
            client.clone(),
        )?;
        if !status_changes.is_empty() {
            let changes = StatusChanges::new(status_changes, place.clone(), topics.clone())?;
            runner.tell_of_changes(changes);
        }
        let alerts = Alerts::new(alerts, clock.clone(), store.clone(), topics.clone())?;
        alerts.announce(address);
        let environment = environment.in_region(&place.region);
        let gateway = Gateway::new(
            routes,
            clock.clone(),
            store.clone(),
            runner.clone(),
            topics.clone(),
            alerts.clone(),
            &Elsewhere {
                environment: &environment,
                client: &client,
                alone,
            },
        )?;
        gateway.limit_inbox(InboxLimits {
            keep_days: quotas.inbox_keep_days,
            bytes_max: quotas.inbox_bytes_max,
        });
        gateway.load_routes().await?;
        gateway.say_all_misnamed(&machines, &place).await;
        gateway.announce(address);
        let activities = ActivityQueues::default();
        activities.connect(runner.clone());
        let retention = Retention::new(
            clock.clone(),
            store.clone(),
            runner.clone(),
            i64::from(retention_days).saturating_mul(86_400),
            quotas.execution_seconds,
        );
        let logs = Logs::new(
            environment.logs().cloned(),
            CloudWatchLogs::of(client.clone(), environment.clone()),
            clock.clone(),
            store.clone(),
            machines.clone(),
        )?;
        runner.log_to(logs.clone());
        let export = environment.telemetry().cloned();
        let telemetry = Telemetry::new(export, client.clone(), store.clone());
        runner.trace_to(telemetry.clone());
        gateway.trace_to(telemetry.clone());
        let metrics = Metrics::default();
        gateway.count_in(metrics.clone());
        alerts.count_in(metrics.clone());
        gateway.watch_elsewhere(stuck_waits.clone());
        let waits = Waits::new(stuck_waits, clock.clone(), store.clone(), metrics.clone())?;
        runner.watched_by(waits.clone());
        let services = Services::new(
            environment,
            clock.clone(),
            client.clone(),
            functions.clone(),
            topics.clone(),
        );
        let map_runs = MapRuns::new(i64::from(retention_days).saturating_mul(86_400));
        let dispatcher = Dispatcher::new(Resources {
            runner: runner.clone(),
            clock: clock.clone(),
            activities: activities.clone(),
            services: services.clone(),
            gateway: gateway.clone(),
            map_runs: map_runs.clone(),
            retention: retention.clone(),
        });
        runner.connect(&dispatcher);
        let express = Express::new(
            clock.clone(),
            store.clone(),
            machines.clone(),
            runner.clone(),
        );
        let parts = Parts {
            alone,
            place,
            quotas,
            clock,
            time_control: TimeControl::default(),
            store,
            client,
            machines,
            runner,
            express,
            logs,
            telemetry,
            dispatcher,
            map_runs,
            activity_documents,
            activities,
            functions,
            topics,
            alerts,
            gateway,
            services: services.clone(),
            retention: retention.clone(),
            waits,
            metrics,
        };
        let app = App(Arc::new(parts));
        services.connect(app.downgrade());
        app.topics.connect(app.downgrade());
        app.map_runs.connect(app.downgrade());
        app.telemetry.connect(app.downgrade());
        app.gateway.connect(&app);
        app.waits.begin(app.downgrade()).await?;
        // Before anybody else has a say: what is dispatched from now on must not be taken for
        // something that a former run left.
        app.runner.resume().await;
        app.gateway.recall(&app.runner);
        app.express.resume().await?;
        tokio::spawn(scheduler::run(app.clone()));
        tokio::spawn(retention.clone().watch());
        retention.watch_the_oldest();
        retention.sweep_sometimes();
        Ok((app, opening))
    }
}

/// A server as one of its own parts knows it: if each held the other, a server that is dropped would
/// never let go of its store.
#[derive(Clone)]
pub struct WeakApp(Weak<Parts>);

impl App {
    /// For a part of the server.
    pub fn downgrade(&self) -> WeakApp {
        WeakApp(Arc::downgrade(&self.0))
    }
}

impl WeakApp {
    /// The server, as long as it is there.
    pub fn upgrade(&self) -> Option<App> {
        self.0.upgrade().map(App)
    }
}

impl std::ops::Deref for App {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.0
    }
}

/// The data in a directory, or in memory.
fn kept(directory: Option<PathBuf>) -> Result<(Store, Opening), String> {
    Store::open(Options { directory }).map_err(|e| e.to_string())
}

/// A function that calls back through an AWS SDK, or registers a reference, finds this server
/// without being configured for it; what the configuration says wins.
fn told_where(mut config: FunctionConfig, address: SocketAddr) -> FunctionConfig {
    let url = format!("http://{address}");
    for name in ["REJOIN_URL", "AWS_ENDPOINT_URL_SFN"] {
        config
            .environment
            .entry(name.to_owned())
            .or_insert_with(|| url.clone());
    }
    for name in ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"] {
        config
            .environment
            .entry(name.to_owned())
            .or_insert_with(|| "rejoin".to_owned());
    }
    config
}

/// The store's token key, made when the store is new: tokens stay good as long as the store does.
async fn token_key(store: &Store) -> Result<TokenKey, String> {
    const KEY: &str = "token-key";
    if let Some(document) = store
        .get(Table::Meta, KEY)
        .await
        .map_err(|e| e.to_string())?
    {
        let secret: [u8; 32] = document
            .content
            .try_into()
            .map_err(|_| "the store's token key is damaged".to_owned())?;
        return Ok(TokenKey::new(&secret));
    }
    let mut secret = [0; 32];
    getrandom::fill(&mut secret).map_err(|e| format!("the system gives no random bytes: {e}"))?;
    let change = DocumentChange {
        table: Table::Meta,
        key: KEY.to_owned(),
        expect: Expect::Absent,
        content: Some(secret.to_vec()),
        due: None,
    };
    let commit = Commit {
        execution: None,
        documents: vec![change],
    };
    store.commit(commit).await.map_err(|e| e.to_string())?;
    Ok(TokenKey::new(&secret))
}

/// Where the sequence of seeds starts.
fn random_seed() -> u64 {
    getrandom::u64().unwrap_or_else(|_| Clock::machine_time().0 as u64)
}
