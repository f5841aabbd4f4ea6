//! `rejoin test`: scenario files, each case on a server of its own in memory, on a virtual clock, all at once.
//!
//! What a case is and what comes of it is the lab's to know (`lab::scenario`); here are the flags, the configuration
//! files that cases name, the threads, and where results go.
//!
//! - [`run`]: all cases on all processors.
//! - [`broken`]: whether they notice that a state machine was broken.
//! - [`covered`]: what of each state machine they reached.
//! - [`watch`]: again, when a file changes.

mod broken;
mod covered;
pub mod run;
mod watch;

use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::Args;
use lab::report::{junit, text};
use lab::scenario::{self, Case, File, Mistake};
use lab::{Settings, scenario::Outcome};
use serde_json::{Value, json};
use server::app::Place;
use server::logs::LogsTo;
use source::report::plain;

use crate::colour::{BOLD, GREEN, RED, paint, paint_error};
use crate::config::Config;
use watch::Looks;

const EXAMPLES: &str = "\
Examples:
  rejoin test loan-processor.test.yaml
  rejoin test tests/*.test.yaml --filter callback --verbose
  rejoin test tests/*.test.md --junit results.xml --coverage
  rejoin test loan-processor.test.yaml --watch
  rejoin test loan-processor.test.yaml --break     would anybody notice if a timeout or a Catch were gone?

A file names a definition, what the outside does, and what must come of it; README.md has one, and
examples/loan-processor/loan-processor.test.yaml everything that can go wrong with a callback.
Exit status: 0 all cases passed, 1 some did not, 2 a file is not right, or can't be read or written.";

/// The status if a file is not right, or can't be read or written.
const UNUSABLE: u8 = 2;

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
            let read = self.read();
            let status = self.once(read.files).unwrap_or_else(|why| {
                complain(&format!("rejoin: {why}\n"));
                ExitCode::from(UNUSABLE)
            });
            if !self.watch {
                return Ok(status);
            }
            say("\nwaiting for a file to change; Ctrl-C ends\n")?;
            read.looks.until_changed();
            say("\n")?;
        }
    }

    fn read(&self) -> Round {
        // Reports for programs have no colours in them.
        let paint = if self.json { plain } else { paint_error };
        let files = self.files.iter();
        let files: Vec<File> = files
            .map(|file| scenario::read(file, &configured, paint))
            .collect();
        let looks = Looks::of(files.iter().flat_map(|file| &file.files));
        Round { files, looks }
    }

    /// Runs what was read, and reports.
    fn once(&self, files: Vec<File>) -> Result<ExitCode, String> {
        let begun = Instant::now();
        let faults: Vec<Faulty> = files
            .iter()
            .zip(&self.files)
            .filter_map(Faulty::of)
            .collect();
        let cases = files.into_iter().flat_map(|file| file.cases);
        let cases = cases.filter(|case| self.is_wanted(case)).map(|mut case| {
            case.patience = self.timeout;
            Arc::new(case)
        });
        let cases: Vec<Arc<Case>> = cases.collect();
        if faults.is_empty() && cases.is_empty() {
            complain("rejoin: no case has this text in its file or name\n");
        }
        let unusable = !faults.is_empty() || cases.is_empty();
        let complain_of_faults = || faults.iter().for_each(|faulty| complain(&faulty.said));
        if self.list || self.breaks {
            complain_of_faults();
            return match self.list {
                _ if unusable => Ok(status(true, 0)),
                true => self.listed(&cases).map(|()| status(false, 0)),
                false => broken::run(&cases, self.json),
            };
        }
        let mut shown = Shown::default();
        let mut told = Ok(());
        let outcomes = run::all(&cases, |case, outcome| {
            if !self.json && told.is_ok() {
                told = shown.show(case, outcome, self.verbose);
            }
        });
        told?;
        let played: Vec<(&Case, &Outcome)> =
            cases.iter().map(|case| &**case).zip(&outcomes).collect();
        let failed = outcomes.iter().filter(|outcome| !outcome.passed()).count();
        // Last, so that nobody has to look for it among a hundred other lines.
        complain_of_faults();
        let covered = covered::Covered::of(&played);
        if let Some(file) = &self.junit {
            let faults = faults.iter().map(|faulty| (&*faulty.file, &*faulty.said));
            write(file, &junit::document(played.iter().copied(), faults))?;
        }
        if let Some(file) = &self.coverage_svg {
            covered.draw(file)?;
        }
        if self.json {
            let faults = faults.iter();
            let document = json!({
                "passed": outcomes.len() - failed,
                "failed": failed,
                "milliseconds": begun.elapsed().as_millis() as u64,
                "faults": faults.flat_map(Faulty::json).collect::<Value>(),
                "cases": played.iter().map(|(case, outcome)| described(case, outcome)).collect::<Value>(),
                "coverage": covered.json(),
            });
            say(&format!("{document:#}\n"))?;
        } else if !cases.is_empty() {
            if self.coverage {
                say(&covered.table())?;
            }
            say(&summary(outcomes.len(), failed, begun.elapsed()))?;
        }
        Ok(status(unusable, failed))
    }

    fn is_wanted(&self, case: &Case) -> bool {
        let text = format!("{} {}", case.file, case.name).to_lowercase();
        let filter = self.filter.as_deref().unwrap_or_default();
        text.contains(&filter.to_lowercase())
    }

    fn listed(&self, cases: &[Arc<Case>]) -> Result<(), String> {
        if self.json {
            let cases = cases.iter();
            let cases: Value = cases
                .map(
                    |case| json!({ "file": case.file, "name": case.name, "machine": case.machine }),
                )
                .collect();
            return say(&format!("{cases:#}\n"));
        }
        for case in cases {
            say(&format!("{}  {}\n", case.file, case.name))?;
        }
        Ok(())
    }
}

/// All files, read, and what those looked like that they name.
struct Round {
    files: Vec<File>,
    looks: Looks,
}

/// A file with which something is wrong, and what that is.
struct Faulty {
    file: String,
    said: String,
    wrong: Vec<Mistake>,
}

impl Faulty {
    fn of((file, path): (&File, &PathBuf)) -> Option<Faulty> {
        Some(Faulty {
            said: file.faults.clone()?,
            wrong: file.wrong.clone(),
            file: path.display().to_string(),
        })
    }

    fn json(&self) -> Vec<Value> {
        let each = self.wrong.iter().map(|wrong| {
            let mut fault = json!({ "file": self.file, "message": wrong.message });
            if let Some((line, column)) = wrong.place {
                fault["line"] = line.into();
                fault["column"] = column.into();
            }
            if let Some(hint) = &wrong.hint {
                fault["hint"] = hint.as_str().into();
            }
            fault
        });
        each.collect()
    }
}

fn status(unusable: bool, failed: usize) -> ExitCode {
    match (unusable, failed) {
        (true, _) => ExitCode::from(UNUSABLE),
        (false, 0) => ExitCode::SUCCESS,
        (false, _) => ExitCode::FAILURE,
    }
}

/// Cases as they end; the name of a file before the first of its cases.
#[derive(Default)]
struct Shown {
    file: Option<String>,
}

impl Shown {
    fn show(&mut self, case: &Case, outcome: &Outcome, verbose: bool) -> Result<(), String> {
        if self.file.as_ref() != Some(&case.file) {
            say(&format!("{}\n", paint(BOLD, &case.file)))?;
            self.file = Some(case.file.clone());
        }
        say(&text::case(case, outcome, verbose, paint))
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
        ..Settings::default()
    })
}

fn write(file: &Path, text: &str) -> Result<(), String> {
    std::fs::write(file, text).map_err(|e| format!("{} can't be written: {e}", file.display()))
}

/// Says it; that somebody has stopped listening is no fault, that a disk is full is one.
fn say(text: &str) -> Result<(), String> {
    match std::io::stdout().write_all(text.as_bytes()) {
        Err(why) if why.kind() != ErrorKind::BrokenPipe => {
            Err(format!("standard output can't be written: {why}"))
        }
        _ => Ok(()),
    }
}

/// Says it to whoever looks at standard error, if anybody does.
fn complain(text: &str) {
    let _ = std::io::stderr().write_all(text.as_bytes());
}
