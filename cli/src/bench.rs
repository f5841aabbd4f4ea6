//! `rejoin bench`: the callback round trip, measured from outside over HTTP.
//!
//! A round trip: StartExecution; a worker fetches the task and has its token, so the execution is
//! parked, durably; SendTaskSuccess; the execution is seen to end. Server and load driver are two
//! processes on the same machine, and the store syncs every commit.
//!
//! - [`subject`]: the server under test, a child process.
//! - [`round_trips`], [`parked`], [`disk`]: what is measured; with `--gateway` [`gateway`],
//!   [`references`] and [`inbox`]; with `--scenarios` [`scenarios`].

mod disk;
mod gateway;
mod inbox;
mod parked;
mod references;
mod round_trips;
mod scenarios;
mod subject;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use serde_json::{Value, json};

use crate::screen::show;
use crate::serve::runtime;
use crate::table::Table;

/// The flags of `rejoin bench`.
#[derive(clap::Args)]
pub struct Bench {
    /// How many round trips are in flight at once, one run each
    #[arg(
        long,
        value_name = "N,...",
        value_delimiter = ',',
        default_value = "1,16,64,256"
    )]
    in_flight: Vec<usize>,
    /// For how long each run drives
    #[arg(long, value_name = "SECONDS", default_value_t = 5.0)]
    seconds: f64,
    /// How many executions to park, one run each; 0 for none
    #[arg(
        long,
        value_name = "N,...",
        value_delimiter = ',',
        default_value = "10000,1000000"
    )]
    park: Vec<usize>,
    /// Measure the callback gateway instead: verified callbacks, and references
    #[arg(long, conflicts_with_all = ["in_flight", "seconds", "park"])]
    gateway: bool,
    /// With --gateway: over how many connections callbacks come, one run each
    #[arg(
        long,
        value_name = "N,...",
        value_delimiter = ',',
        default_value = "1,16,256",
        requires = "gateway"
    )]
    connections: Vec<usize>,
    /// With --gateway: how many callbacks a run has
    #[arg(long, value_name = "N", default_value_t = 20_000, requires = "gateway")]
    callbacks: usize,
    /// With --gateway: up to how many references are registered, one after the other; 0 for none
    #[arg(
        long,
        value_name = "N,...",
        value_delimiter = ',',
        default_value = "10000,100000,1000000",
        requires = "gateway"
    )]
    references: Vec<usize>,
    /// With --gateway: among how many deliveries is searched, one run each; 0 for none
    #[arg(
        long,
        value_name = "N,...",
        value_delimiter = ',',
        default_value = "100000",
        requires = "gateway"
    )]
    deliveries: Vec<usize>,
    /// Measure scenarios instead: how long so many cases take
    #[arg(long, value_name = "N", conflicts_with_all = ["in_flight", "seconds", "park", "gateway"])]
    scenarios: Option<usize>,
    /// With --scenarios: whose cases
    #[arg(
        long,
        value_name = "FILE",
        default_value = "examples/loan-processor/loan-processor.test.yaml",
        requires = "scenarios"
    )]
    scenario_file: PathBuf,
    /// Where the measured server keeps its data; a folder made for it and removed afterwards
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// Print one JSON object instead of tables
    #[arg(long)]
    json: bool,
}

impl Bench {
    /// Measures.
    pub fn run(self) -> Result<ExitCode, String> {
        if let Some(count) = self.scenarios {
            let row = scenarios::drive(&self.scenario_file, count)?;
            match self.json {
                true => show!("{:#}", row.json()),
                false => show!("{}", row.line()),
            }
            return Ok(ExitCode::SUCCESS);
        }
        let folder = self.dir.clone().unwrap_or_else(std::env::temp_dir);
        let folder = folder.join(format!("rejoin-bench-{}", std::process::id()));
        std::fs::create_dir_all(&folder)
            .map_err(|e| format!("{} can't be made: {e}", folder.display()))?;
        let outcome = runtime()?.block_on(async {
            match self.gateway {
                true => self.measure_gateway(&folder).await,
                false => self.measure(&folder).await,
            }
        });
        let removed = std::fs::remove_dir_all(&folder);
        let report = outcome?;
        removed.map_err(|e| format!("{} can't be removed: {e}", folder.display()))?;
        if self.json {
            show!("{report:#}");
        }
        Ok(ExitCode::SUCCESS)
    }

    /// Says how far it is, where it does not get into the JSON.
    fn say(&self, line: &str) {
        if self.json {
            eprintln!("{line}")
        } else {
            show!("{line}")
        }
    }

    async fn measure_gateway(&self, folder: &Path) -> Result<Value, String> {
        let mut table = Table::new(&[
            "connections",
            "callbacks/s",
            "answered p50/p99 ms",
            "CPU us server/driver",
            "raw append+fdatasync records/s",
        ]);
        let mut callbacks = Vec::new();
        for &connections in self.connections.iter().filter(|number| **number > 0) {
            self.say(&format!(
                "{} verified callbacks over {connections} connections ...",
                self.callbacks
            ));
            let raw = disk::appends_per_second(&folder.join("raw"), connections)?;
            let directory = folder.join(format!("gateway-{connections}"));
            let row = gateway::drive(&directory, connections, self.callbacks, raw).await?;
            table.row(&[
                connections.to_string(),
                format!("{:.0}", row.callbacks_per_second),
                row.answered.to_string(),
                format!("{:.0} / {:.0}", row.server_cpu_us, row.driver_cpu_us),
                format!("{raw:.0}"),
            ]);
            callbacks.push(row);
        }
        if !self.json && !callbacks.is_empty() {
            show!("\n{table}");
        }
        let mut table = Table::new(&[
            "references",
            "registered/s",
            "server memory each",
            "disk each",
            "look up p50/p99 ms",
            "restart after kill -9 to first look up",
        ]);
        let mut numbers: Vec<usize> = self.references.iter().copied().filter(|n| *n > 0).collect();
        numbers.sort_unstable();
        let say = |line: &str| self.say(line);
        let references = match numbers.is_empty() {
            true => Vec::new(),
            false => references::register_all(&folder.join("references"), &numbers, &say).await?,
        };
        for row in &references {
            let restart = row.restart_seconds.map(|seconds| format!("{seconds:.2} s"));
            table.row(&[
                row.references.to_string(),
                format!("{:.0}", row.registered_per_second),
                format!("{:.0} B", row.memory_bytes_each),
                format!("{:.0} B", row.disk_bytes_each),
                row.look_up.to_string(),
                restart.unwrap_or_default(),
            ]);
        }
        if !self.json && !references.is_empty() {
            show!("\n{table}");
        }
        let mut table = Table::new(&[
            "deliveries",
            "stored/s",
            "server memory each",
            "disk each",
            "by reference p50/p99 ms",
            "by execution",
            "by disposition, common",
            "rare",
            "by time",
        ]);
        let mut searches = Vec::new();
        for &deliveries in self.deliveries.iter().filter(|number| **number > 0) {
            self.say(&format!("searching among {deliveries} deliveries ..."));
            let directory = folder.join(format!("inbox-{deliveries}"));
            let row = inbox::search(&directory, deliveries).await?;
            table.row(&[
                row.deliveries.to_string(),
                format!("{:.0}", row.stored_per_second),
                format!("{:.0} B", row.memory_bytes_each),
                format!("{:.0} B", row.disk_bytes_each),
                row.by_reference.to_string(),
                row.by_execution.to_string(),
                row.by_common_disposition.to_string(),
                row.by_rare_disposition.to_string(),
                row.by_time.to_string(),
            ]);
            searches.push(row);
        }
        if !self.json && !searches.is_empty() {
            show!("\n{table}");
        }
        Ok(json!({ "callbacks": callbacks, "references": references, "searches": searches }))
    }

    async fn measure(&self, folder: &Path) -> Result<Value, String> {
        let say = |line: &str| self.say(line);
        let mut report = serde_json::Map::new();

        let rest = subject::at_rest(&folder.join("rest")).await?;
        say(&format!(
            "start-up {:.1} ms (median of {}), idle {:.1} MiB, binary {:.1} MB\n",
            rest.start_up_ms,
            subject::STARTS,
            rest.idle_mib,
            rest.binary_mb
        ));
        report.insert("at_rest".into(), json!(rest));

        let mut table = Table::new(&[
            "in flight",
            "round trips/s",
            "start p50/p99 ms",
            "callback acknowledged p50/p99 ms",
            "callback to end p50/p99 ms",
            "CPU us server/driver",
            "raw append+fdatasync records/s",
        ]);
        let mut rows = Vec::new();
        for &in_flight in &self.in_flight {
            say(&format!(
                "driving {in_flight} in flight for {} s ...",
                self.seconds
            ));
            let raw = disk::appends_per_second(&folder.join("raw"), in_flight)?;
            let row = round_trips::drive(
                &folder.join(format!("round-{in_flight}")),
                in_flight,
                self.seconds,
                raw,
            )
            .await?;
            table.row(&[
                in_flight.to_string(),
                format!("{:.0}", row.round_trips_per_second),
                row.start.to_string(),
                row.acknowledged.to_string(),
                row.ended.to_string(),
                format!("{:.0} / {:.0}", row.server_cpu_us, row.driver_cpu_us),
                format!("{raw:.0}"),
            ]);
            rows.push(row);
        }
        if !self.json {
            show!("\n{table}");
        }
        report.insert("round_trips".into(), json!(rows));

        let mut table = Table::new(&[
            "parked",
            "parked/s",
            "server memory each",
            "disk each",
            "restart after kill -9 to first accepted callback",
        ]);
        let mut rows = Vec::new();
        for &number in self.park.iter().filter(|number| **number > 0) {
            let row = parked::park(&folder.join(format!("parked-{number}")), number, &say).await?;
            table.row(&[
                number.to_string(),
                format!("{:.0}", row.parked_per_second),
                format!("{:.0} B", row.memory_bytes_each),
                format!("{:.0} B", row.disk_bytes_each),
                format!("{:.2} s", row.restart_seconds),
            ]);
            rows.push(row);
        }
        if !self.json && !rows.is_empty() {
            show!("\n{table}");
        }
        report.insert("parked".into(), json!(rows));
        Ok(Value::Object(report))
    }
}
