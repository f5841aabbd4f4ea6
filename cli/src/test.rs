//! `rejoin test`: scenario files, each case on a server of its own in memory, on a virtual clock, all at once.
//!
//! What a case is and what comes of it is the lab's to know (`lab::scenario`); here are the flags, the configuration
//! files that cases name, the threads, and where results go.
//!
//! - [`run`]: all cases on all processors.
//! - [`broken`]: whether they notice that a state machine was broken.
//! - [`covered`]: what of each state machine they reached.

mod broken;
mod covered;
pub mod run;

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use clap::Args;
use lab::report::{junit, text};
use lab::scenario::{self, Case, File};
use lab::{Settings, scenario::Outcome};
use serde_json::{Value, json};
use server::app::Place;
use server::logs::LogsTo;

use crate::colour::{BOLD, GREEN, RED, paint, paint_error};
use crate::config::Config;

const EXAMPLES: &str = "\
Examples:
  rejoin test loan-processor.test.yaml
  rejoin test tests/*.test.yaml --filter callback --verbose
  rejoin test tests/*.test.md --junit results.xml --coverage
  rejoin test loan-processor.test.yaml --watch
  rejoin test loan-processor.test.yaml --break     would anybody notice if a timeout or a Catch were gone?

A file names a definition, what the outside does, and what must come of it; README.md has one, and
examples/loan-processor/loan-processor.test.yaml everything that can go wrong with a callback.
Exit status: 0 all cases passed, 1 some did not, 2 a file is not right.";

/// The status if a file is not right.
const UNUSABLE: u8 = 2;
/// How often files are looked at.
const LOOK_EVERY: Duration = Duration::from_millis(300);

/// The flags of `rejoin test`.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub struct Test {
    /// Scenario files, YAML or Markdown
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    /// Only cases whose file and name have this text
    #[arg(long, value_name = "TEXT")]
    filter: Option<String>,
    /// Show what there is, and run nothing
    #[arg(long)]
    list: bool,
    /// Tell the story of cases that passed, too
    #[arg(short, long)]
    verbose: bool,
    /// Print one JSON document: each case with all that came of it, and the coverage
    #[arg(long)]
    json: bool,
    /// Write the results as JUnit's XML
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
    /// Show which states, ways, retriers and catchers were reached
    #[arg(long)]
    coverage: bool,
    /// Draw what was reached; with several state machines, one file each: NAME-MACHINE.svg
    #[arg(long, value_name = "FILE")]
    coverage_svg: Option<PathBuf>,
    /// How long a case may take in real time, in seconds
    #[arg(long, value_name = "SECONDS", value_parser = patience, default_value = "30")]
    timeout: Duration,
    /// Take away, one by one, what the definitions have for failures (timeouts, heartbeats, Retry, Catch, notifications), and
    /// show which case notices, and whether rejoin explore does
    #[arg(long = "break", conflicts_with_all = ["list", "verbose", "junit", "coverage", "coverage_svg"])]
    breaks: bool,
    /// Run again whenever one of the files changes
    #[arg(long, conflicts_with_all = ["list", "json"])]
    watch: bool,
}

impl Test {
    /// Runs the cases.
    pub fn run(self) -> Result<ExitCode, String> {
        loop {
            let (status, files) = self.once()?;
            if !self.watch {
                return Ok(status);
            }
            println!("\nwaiting for a file to change; Ctrl-C ends");
            until_changed(&files);
            println!();
        }
    }

    /// Reads and runs everything; the files that were read, too.
    fn once(&self) -> Result<(ExitCode, Vec<PathBuf>), String> {
        let begun = Instant::now();
        let read: Vec<File> = self
            .files
            .iter()
            .map(|file| scenario::read(file, &configured, paint_error))
            .collect();
        let files = read.iter().flat_map(|file| &file.files).cloned().collect();
        let faults: String = read
            .iter()
            .filter_map(|file| file.faults.as_deref())
            .collect();
        if !faults.is_empty() {
            eprint!("{faults}");
            return Ok((ExitCode::from(UNUSABLE), files));
        }
        let cases = read.into_iter().flat_map(|file| file.cases);
        let cases = cases.filter(|case| self.is_wanted(case)).map(|mut case| {
            case.patience = self.timeout;
            Arc::new(case)
        });
        let cases: Vec<Arc<Case>> = cases.collect();
        if cases.is_empty() {
            eprintln!("rejoin: no case has this text in its file or name");
            return Ok((ExitCode::from(UNUSABLE), files));
        }
        if self.list {
            self.listed(&cases);
            return Ok((ExitCode::SUCCESS, files));
        }
        if self.breaks {
            return Ok((broken::run(&cases, self.json)?, files));
        }
        let mut shown = Shown::default();
        let outcomes = run::all(&cases, |case, outcome| {
            if !self.json {
                shown.show(case, outcome, self.verbose);
            }
        });
        let played: Vec<(&Case, &Outcome)> =
            cases.iter().map(|case| &**case).zip(&outcomes).collect();
        let covered = covered::Covered::of(&played);
        if let Some(file) = &self.junit {
            write(file, &junit::document(played.iter().copied()))?;
        }
        if let Some(file) = &self.coverage_svg {
            covered.draw(file)?;
        }
        let failed = outcomes.iter().filter(|outcome| !outcome.passed()).count();
        if self.json {
            let document = json!({
                "passed": outcomes.len() - failed,
                "failed": failed,
                "milliseconds": begun.elapsed().as_millis() as u64,
                "cases": played.iter().map(|(case, outcome)| described(case, outcome)).collect::<Value>(),
                "coverage": covered.json(),
            });
            say(&format!("{document:#}\n"));
        } else {
            if self.coverage {
                say(&covered.table());
            }
            say(&summary(outcomes.len(), failed, begun.elapsed()));
        }
        let status = match failed {
            0 => ExitCode::SUCCESS,
            _ => ExitCode::FAILURE,
        };
        Ok((status, files))
    }

    fn is_wanted(&self, case: &Case) -> bool {
        let text = format!("{} {}", case.file, case.name).to_lowercase();
        let filter = self.filter.as_deref().unwrap_or_default();
        text.contains(&filter.to_lowercase())
    }

    fn listed(&self, cases: &[Arc<Case>]) {
        if self.json {
            let cases = cases.iter();
            let cases: Value = cases
                .map(
                    |case| json!({ "file": case.file, "name": case.name, "machine": case.machine }),
                )
                .collect();
            say(&format!("{cases:#}\n"));
            return;
        }
        for case in cases {
            say(&format!("{}  {}\n", case.file, case.name));
        }
    }
}

/// Cases as they end; the name of a file before the first of its cases.
#[derive(Default)]
struct Shown {
    file: Option<String>,
}

impl Shown {
    fn show(&mut self, case: &Case, outcome: &Outcome, verbose: bool) {
        if self.file.as_ref() != Some(&case.file) {
            say(&format!("{}\n", paint(BOLD, &case.file)));
            self.file = Some(case.file.clone());
        }
        say(&text::case(case, outcome, verbose, paint));
    }
}

/// Some seconds.
fn patience(text: &str) -> Result<Duration, String> {
    let seconds = text.parse::<f64>().ok().filter(|seconds| *seconds > 0.0);
    let patience = seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    patience.ok_or_else(|| "write seconds, 60 or 0.5 for example".to_owned())
}

fn summary(all: usize, failed: usize, took: Duration) -> String {
    let cases = if all == 1 { "case" } else { "cases" };
    let said = match failed {
        0 => paint(GREEN, &format!("{all} {cases} passed")),
        failed => paint(RED, &format!("{failed} of {all} {cases} failed")),
    };
    format!("\n{said} in {:.2} s\n", took.as_secs_f64())
}

fn described(case: &Case, outcome: &Outcome) -> Value {
    let mismatches = outcome.mismatches.iter();
    let mismatches: Value = mismatches
        .map(|wrong| json!({ "at": wrong.at, "expected": wrong.expected, "got": wrong.got }))
        .collect();
    json!({
        "file": case.file,
        "name": case.name,
        "passed": outcome.passed(),
        "mismatches": mismatches,
        "troubles": outcome.troubles,
        "virtualMilliseconds": outcome.virtual_millis,
        "realMilliseconds": outcome.real.as_secs_f64() * 1000.0,
        "came": outcome.came,
    })
}

/// Reads a configuration as `rejoin serve` does, for a server that calls nobody whom the file does not name.
///
/// # Errors
/// As [`Config::read`].
pub fn configured(path: &Path) -> Result<Settings, String> {
    let config = Config::read(path)?;
    let default = Settings::default();
    Ok(Settings {
        place: Place {
            region: config.server.region.unwrap_or(default.place.region),
            account: config.server.account.unwrap_or(default.place.account),
        },
        functions: config.functions,
        topics: config.topics,
        routes: config.routes,
        alerts: config.alerts,
        status_changes: config.status_changes,
        stuck_waits: config.stuck_waits,
        quotas: config.quotas,
        // What the shell says of AWS is not for tests: no case should ever reach an account by accident.
        environment: config
            .services
            .environment(std::iter::empty())
            .logging_to(Some(LogsTo::Nowhere))
            .with_buckets(config.s3.directory),
        now: default.now,
    })
}

fn write(file: &Path, text: &str) -> Result<(), String> {
    std::fs::write(file, text).map_err(|e| format!("{} can't be written: {e}", file.display()))
}

/// Says it; nobody who has stopped listening is a fault.
fn say(text: &str) {
    let _ = std::io::stdout().write_all(text.as_bytes());
}

/// Returns when one of the files is another than it was.
fn until_changed(files: &[PathBuf]) {
    let looked = |files: &[PathBuf]| -> BTreeMap<PathBuf, Option<SystemTime>> {
        let files = files.iter();
        files
            .map(|file| {
                let changed = std::fs::metadata(file).and_then(|data| data.modified());
                (file.clone(), changed.ok())
            })
            .collect()
    };
    let before = looked(files);
    while looked(files) == before {
        std::thread::sleep(LOOK_EVERY);
    }
}
