//! `rejoin explore`: every task of a machine goes wrong in every way, on a virtual clock.
//!
//! What is tried and what is found is [`lab::explore`]'s; here are the flags, what they are read from ([`given`]),
//! and what a terminal shows ([`shown`], and
//! [`chaos`] of seeds).

mod chaos;
mod given;
mod shown;

use std::path::PathBuf;
use std::process::ExitCode;

use lab::explore::finding::Severity;
use lab::explore::{self, plan::Choice, report};

use crate::ask::print;

const EXAMPLES: &str = "\
Examples:
  rejoin explore order.asl.yaml
  rejoin explore order.asl.json --config rejoin.toml --results results.yaml --html report.html
  rejoin explore order.asl.json --only 'Charge card/no-answer'      one case, with its story
  rejoin explore order.asl.json --pairs --task 'Charge card'        two things at once
  rejoin explore order.asl.json --seeds 1000                        anything at any time

Exit status: 0 nothing as bad as --fail-on, 1 something is, 2 it could not be explored.
Results are JSON or YAML, by state: { \"Charge card\": { \"Payload\": { \"id\": 7 } } }";

/// The status if nothing could be explored.
const NOT_EXPLORED: u8 = 2;

/// The flags of `rejoin explore`.
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Explore {
    /// A definition in JSON, or in YAML (.yaml, .yml); - is standard input
    #[arg(value_name = "DEFINITION")]
    definition: String,
    /// The execution's input: JSON, @FILE, or - for standard input; made up if it is not given
    #[arg(long, value_name = "JSON")]
    input: Option<String>,
    /// What tasks answer when all goes well, by state; what is not there is made up
    #[arg(long, value_name = "FILE")]
    results: Option<PathBuf>,
    /// Callback routes, topics, alerts; rejoin.sample.toml shows every key
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The machine's name [default: the one that a route of --config expects, or the file's]
    #[arg(long, value_name = "NAME")]
    machine: Option<String>,
    /// Only failures of this task; * stands for any text (may be repeated)
    #[arg(long, value_name = "NAME")]
    task: Vec<String>,
    /// Only this case, as TASK/FAILURE; * stands for any text (may be repeated)
    #[arg(long, value_name = "CASE")]
    only: Vec<String>,
    /// Two failures in one run, too
    #[arg(long)]
    pairs: bool,
    /// Play this many cases at most
    #[arg(long, value_name = "N")]
    limit: Option<usize>,
    /// Instead: faults at random, from so many seeds, under promises that have to hold all the same
    #[arg(long, value_name = "N", conflicts_with_all = ["task", "only", "pairs", "limit", "html", "junit"])]
    seeds: Option<u64>,
    /// The first seed [default: 1]
    #[arg(long, value_name = "K", requires = "seeds")]
    seed: Option<u64>,
    /// Write a run that breaks a promise, made as short as it can be, as a scenario for rejoin test
    #[arg(long, value_name = "FILE", requires = "seeds")]
    broken: Option<PathBuf>,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
    /// Write a JUnit XML file
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
    /// Write a page with the graph, the findings and the matrix
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// The mildest finding that makes the exit status 1: error, warning or never
    #[arg(
        long,
        value_enum,
        default_value = "error",
        ignore_case = true,
        hide_possible_values = true
    )]
    fail_on: FailOn,
}

/// Which findings count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum FailOn {
    Error,
    Warning,
    Never,
}

impl FailOn {
    fn severity(self) -> Option<Severity> {
        match self {
            FailOn::Error => Some(Severity::Error),
            FailOn::Warning => Some(Severity::Warning),
            FailOn::Never => None,
        }
    }
}

impl Explore {
    /// Explores.
    pub fn run(self) -> Result<ExitCode, String> {
        match self.explored() {
            Ok(code) => Ok(code),
            Err(why) => {
                eprintln!("rejoin: {why}");
                Ok(ExitCode::from(NOT_EXPLORED))
            }
        }
    }

    fn explored(&self) -> Result<ExitCode, String> {
        let mut question = given::Given {
            definition: &self.definition,
            input: self.input.as_deref(),
            results: self.results.as_deref(),
            config: self.config.as_deref(),
            machine: self.machine.as_deref(),
        }
        .question()?;
        question.choice = Choice {
            tasks: self.task.clone(),
            only: self.only.clone(),
            pairs: self.pairs,
            limit: self.limit,
        };
        if let Some(seeds) = self.seeds {
            let seeds = chaos::Seeds {
                first: self.seed.unwrap_or(1),
                many: seeds,
                broken: self.broken.as_deref(),
                json: self.json,
                definition: &self.definition,
                config: self.config.as_deref(),
            };
            return seeds.play(&question);
        }
        let begun = std::time::Instant::now();
        let exploration = explore::explore(&question)?;
        let took = begun.elapsed();
        let fails = self.fail_on.severity();
        if let Some(file) = &self.html {
            write(file, &report::html::page(&exploration))?;
        }
        if let Some(file) = &self.junit {
            write(file, &report::junit::file(&exploration, fails))?;
        }
        match self.json {
            true => print(&format!("{:#}\n", report::json::document(&exploration))),
            false => print(&shown::text(&exploration, took)),
        }
        let bad = |severity: Severity| fails.is_some_and(|fails| severity >= fails);
        let failed = exploration
            .findings
            .iter()
            .any(|finding| bad(finding.severity));
        Ok(if failed {
            ExitCode::FAILURE
        } else {
            ExitCode::SUCCESS
        })
    }
}

fn write(file: &std::path::Path, text: &str) -> Result<(), String> {
    std::fs::write(file, text).map_err(|e| format!("{} can't be written: {e}", file.display()))
}
