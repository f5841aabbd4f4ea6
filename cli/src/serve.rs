//! `rejoin serve`: a server until it is told to stop.

use std::io::Write;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use server::app::{App, Place, Settings};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

use crate::config::{ClockKind, Config, LogFormat};
use crate::mocks::{self, MockFlags};

/// The port that Step Functions Local uses.
const LISTEN_DEFAULT: &str = "127.0.0.1:8083";
const DATA_DIR_DEFAULT: &str = "rejoin-data";
const GATEWAY_DATA_DIR_DEFAULT: &str = "rejoin-gateway-data";
/// The account that Step Functions Local uses.
pub const ACCOUNT_DEFAULT: &str = "123456789012";
/// The region in ARNs, where nothing else is said.
pub const REGION_DEFAULT: &str = "us-east-1";
/// For how many days ended executions are kept; as on AWS.
pub const RETENTION_DAYS_DEFAULT: u32 = 90;
/// How long a server that stops goes on delivering logs and spans.
const LOGS_PATIENCE: Duration = Duration::from_secs(5);

const EXAMPLES: &str = "\
In another terminal (any credentials do):
  export AWS_ACCESS_KEY_ID=any AWS_SECRET_ACCESS_KEY=any AWS_DEFAULT_REGION=us-east-1
  aws stepfunctions list-state-machines --endpoint-url http://127.0.0.1:8083

For a test: no data, any free port, and time that you move:
  rejoin serve --in-memory --listen 127.0.0.1:0 --clock virtual
  rejoin clock advance 1h --url http://127.0.0.1:PORT

It stops cleanly on Ctrl-C or SIGTERM. What it acknowledged survives kill -9.";

/// The flags of `rejoin serve`.
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Serve {
    /// Address and port; port 0 picks a free one and says which [default: 127.0.0.1:8083]
    #[arg(long, value_name = "HOST:PORT")]
    pub(crate) listen: Option<String>,
    /// Where everything durable is kept; made if it is not there [default: rejoin-data]
    #[arg(long, value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,
    /// Keep everything in memory and forget it at the end
    #[arg(long, conflicts_with = "data_dir")]
    pub(crate) in_memory: bool,
    /// Which time it goes by: real, or virtual, which stands until it is moved [default: real]
    #[arg(long, value_enum, hide_possible_values = true)]
    pub(crate) clock: Option<ClockKind>,
    /// Functions, topics, callback routes, and all of the above; rejoin.sample.toml shows every key
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// How the log is written, on standard error: text, or json, an object a line [default: text]
    #[arg(long, value_enum, hide_possible_values = true)]
    pub(crate) log_format: Option<LogFormat>,
    #[command(flatten)]
    pub(crate) mocks: MockFlags,
}

impl Serve {
    /// Runs the server.
    pub fn run(self) -> Result<ExitCode, String> {
        let config = match &self.config {
            Some(path) => Config::read(path)?,
            None => Config::default(),
        };
        runtime()?.block_on(self.serve(config, DATA_DIR_DEFAULT, false))
    }

    /// Runs the gateway alone: `rejoin gateway`.
    pub fn run_gateway(self) -> Result<ExitCode, String> {
        let path = self.config.as_ref().ok_or("--config is missing")?;
        let config = Config::read(path)?;
        if config.engines.is_empty() {
            return Err(format!(
                "{} has no engines, and `rejoin gateway` has none in its process; add [engines.NAME], or run `rejoin serve`",
                path.display()
            ));
        }
        runtime()?.block_on(self.serve(config, GATEWAY_DATA_DIR_DEFAULT, true))
    }

    async fn serve(self, config: Config, data_dir: &str, alone: bool) -> Result<ExitCode, String> {
        if let Some(format) = self.log_format.or(config.server.log_format) {
            format.begin();
        }
        let mocks = match alone {
            true => None,
            false => self.mocks.read(config.mocks)?,
        };
        let about_mocks = mocks.as_ref().map(mocks::told);
        let listen = self
            .listen
            .or(config.server.listen)
            .unwrap_or_else(|| LISTEN_DEFAULT.to_owned());
        server::crowd::make_room();
        let listener = bind(&listen).await?;
        let address = listener
            .local_addr()
            .map_err(|e| format!("the listening address is not known: {e}"))?;
        let directory = (!self.in_memory).then(|| {
            self.data_dir
                .or(config.server.data_dir)
                .unwrap_or_else(|| data_dir.into())
        });
        let place = Place {
            region: config
                .server
                .region
                .unwrap_or_else(|| REGION_DEFAULT.to_owned()),
            account: config
                .server
                .account
                .unwrap_or_else(|| ACCOUNT_DEFAULT.to_owned()),
        };
        let kind = self
            .clock
            .or(config.server.clock)
            .unwrap_or(ClockKind::Real);
        let export = config.telemetry.export(variables())?;
        let spans_to = export.as_ref().map(|export| export.url().to_owned());
        let engines: Vec<String> = config.engines.keys().cloned().collect();
        let settings = Settings {
            place,
            clock: kind.start(),
            directory: directory.clone(),
            retention_days: config
                .server
                .retention_days
                .unwrap_or(RETENTION_DAYS_DEFAULT),
            quotas: config.quotas,
            functions: config.functions,
            topics: config.topics,
            routes: config.routes,
            alerts: config.alerts,
            status_changes: config.status_changes,
            address,
            stuck_waits: config.stuck_waits,
            environment: config
                .services
                .environment(variables())
                .logging_to(config.logs.to)
                .with_buckets(config.s3.directory)
                .with_engines(config.engines)
                .traced_to(export)
                .mocked_by(mocks),
        };
        let (app, opening) = match alone {
            true => App::open_gateway(settings).await?,
            false => App::open(settings).await?,
        };
        for note in &opening.notes {
            server::log::tell(note);
        }
        let what = if alone { "rejoin gateway" } else { "rejoin" };
        say(&format!(
            "{what} {} listens on http://{address}",
            env!("CARGO_PKG_VERSION")
        ));
        if !engines.is_empty() {
            say(&format!(
                "callbacks go to {}: GET http://{address}/rejoin/engines",
                engines.join(", ")
            ));
        }
        match &directory {
            Some(directory) if alone => say(&format!("data in {}", directory.display())),
            Some(directory) => {
                let executions = match opening.executions {
                    1 => "1 execution".to_owned(),
                    count => format!("{count} executions"),
                };
                say(&format!("data in {} ({executions})", directory.display()));
            }
            None => say("data in memory: gone at the end"),
        }
        if let Some(url) = &spans_to {
            say(&format!("traces go to {url}"));
        }
        if let Some(about) = &about_mocks {
            say(about);
        }
        if kind == ClockKind::Virtual {
            let now = app.clock.now();
            say(&format!(
                "virtual clock, standing at {now}: move it with POST http://{address}/rejoin/clock/advance"
            ));
        }
        tokio::select! {
            () = server::http::serve(app.clone(), listener) => {}
            told = until_told_to_stop() => told?,
        }
        app.functions.stop().await;
        // What has been logged and traced goes out, unless nobody takes it.
        let out = async { tokio::join!(app.logs.settled(), app.telemetry.settled()) };
        let _ = tokio::time::timeout(LOGS_PATIENCE, out).await;
        say("stopped");
        Ok(ExitCode::SUCCESS)
    }
}

/// Returns at SIGTERM or Ctrl-C.
pub async fn until_told_to_stop() -> Result<(), String> {
    let unseen = |e| format!("signals can't be watched: {e}");
    let mut terminate = signal(SignalKind::terminate()).map_err(unseen)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(unseen)?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    Ok(())
}

/// The variables that are text; AWS's are.
pub fn variables() -> impl Iterator<Item = (String, String)> {
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
}

/// Prints a line. Whoever started the server may have closed its output since, which is no reason to stop.
fn say(line: &str) {
    let line = server::log::plain_line(server::log::format(), "info", line);
    let _ = writeln!(std::io::stdout(), "{line}");
}

/// A runtime with as many threads as the machine has cores.
pub fn runtime() -> Result<tokio::runtime::Runtime, String> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|e| format!("the threads could not be started: {e}"))
}

/// Binds the listening socket.
///
/// Only loopback: this version takes any credentials, so whoever reaches the port may do anything.
pub async fn bind(listen: &str) -> Result<TcpListener, String> {
    let address: SocketAddr = tokio::net::lookup_host(listen)
        .await
        .map_err(|e| {
            format!("--listen {listen} is not an address: {e}; write for example 127.0.0.1:8083")
        })?
        .next()
        .ok_or_else(|| {
            format!("--listen {listen} names no address; write for example 127.0.0.1:8083")
        })?;
    if !address.ip().is_loopback() {
        return Err(format!(
            "--listen {listen} is not a loopback address: this version accepts any credentials and is only for this machine; use 127.0.0.1"
        ));
    }
    TcpListener::bind(address).await.map_err(|e| match e.kind() {
        std::io::ErrorKind::AddrInUse => {
            format!("{address} is in use, perhaps by another rejoin; stop that, or take --listen 127.0.0.1:0 for a free port")
        }
        _ => format!("can't listen on {address}: {e}"),
    })
}
