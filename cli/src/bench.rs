//! `rejoin bench`: the callback round trip, measured from outside over HTTP.
//!
//! A round trip: StartExecution; a worker fetches the task and has its token, so the execution is
//! parked, durably; SendTaskSuccess; the execution is seen to end. Server and load driver are two
//! processes on the same machine, and the store syncs every commit.
//!
//! - [`subject`]: the server under test, a child process.
//! - [`round_trips`], [`parked`], [`disk`]: what is measured.

mod disk;
mod parked;
mod round_trips;
mod subject;

use std::path::PathBuf;
use std::process::ExitCode;

use serde_json::{Value, json};

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
        let folder = self.dir.clone().unwrap_or_else(std::env::temp_dir);
        let folder = folder.join(format!("rejoin-bench-{}", std::process::id()));
        std::fs::create_dir_all(&folder)
            .map_err(|e| format!("{} can't be made: {e}", folder.display()))?;
        let outcome = runtime()?.block_on(self.measure(&folder));
        let removed = std::fs::remove_dir_all(&folder);
        let report = outcome?;
        removed.map_err(|e| format!("{} can't be removed: {e}", folder.display()))?;
        if self.json {
            println!("{report:#}");
        }
        Ok(ExitCode::SUCCESS)
    }

    async fn measure(&self, folder: &std::path::Path) -> Result<Value, String> {
        let say = |line: &str| {
            if self.json {
                eprintln!("{line}")
            } else {
                println!("{line}")
            }
        };
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
            println!("\n{table}");
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
            println!("\n{table}");
        }
        report.insert("parked".into(), json!(rows));
        Ok(Value::Object(report))
    }
}
