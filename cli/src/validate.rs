//! `rejoin validate`: whether definitions are right, before anything runs them.
//!
//! What is said of a definition is `asl`'s, the same as ValidateStateMachineDefinition's; where in the
//! file it stands is [`source`](source)'s. [`report`] is what a person reads, [`json`] what a program does.

mod json;
mod report;

use std::process::ExitCode;

use asl::Severity;

use crate::colour::{Paint, paint};
use crate::screen::{say, show};
use source::{Found, Source};

const EXAMPLES: &str = "\
Examples:
  rejoin validate order.asl.json
  rejoin validate --strict workflows/*.asl.yaml        warnings count too
  rejoin validate --json - < order.asl.json            for an editor or a CI job

Exit status: 0 valid, 1 not valid (with --strict: or with warnings), 2 a file can't be read.
Warnings whose code begins with REJOIN_ are ours; all other codes are those of AWS.";

/// The status of a file that can't be read.
const UNREADABLE: u8 = 2;

/// The flags of `rejoin validate`.
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Validate {
    /// Definitions in JSON, or in YAML (.yaml, .yml); - is standard input
    #[arg(required = true, value_name = "FILE")]
    files: Vec<String>,
    /// standard, or express, which has no activities and no task tokens
    #[arg(
        long,
        value_enum,
        default_value = "standard",
        ignore_case = true,
        hide_possible_values = true
    )]
    r#type: MachineKind,
    /// Exit with 1 for warnings too
    #[arg(long)]
    strict: bool,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

/// `type` of CreateStateMachine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum MachineKind {
    /// The default of AWS.
    Standard,
    /// Short and many.
    Express,
}

impl MachineKind {
    /// As the API spells it.
    pub fn name(self) -> &'static str {
        match self {
            MachineKind::Standard => "STANDARD",
            MachineKind::Express => "EXPRESS",
        }
    }
}

/// What is said of one file.
struct Examined<'s> {
    source: &'s Source,
    /// How many states it has, if it runs.
    states: Option<usize>,
    found: Vec<Found<'s>>,
}

impl Examined<'_> {
    fn count(&self, severity: Severity) -> usize {
        let found = self.found.iter().map(|found| found.diagnostic.severity);
        found.filter(|found| *found == severity).count()
    }
}

impl Validate {
    /// Checks the files.
    pub fn run(self) -> Result<ExitCode, String> {
        let mut unreadable = false;
        let mut sources = Vec::new();
        for file in &self.files {
            match Source::read(file) {
                Ok(source) => sources.push(source),
                Err(why) => {
                    eprintln!("rejoin: {why}");
                    unreadable = true;
                }
            }
        }
        let examined: Vec<Examined<'_>> = sources.iter().map(|s| self.examine(s)).collect();
        if self.json {
            show!("{}", json::document(&examined));
        } else {
            say(report::text(&examined, paint).as_bytes());
        }
        let bad = |examined: &Examined<'_>| {
            let strict = self.strict && examined.count(Severity::Warning) > 0;
            examined.states.is_none() || strict
        };
        Ok(match (unreadable, examined.iter().any(bad)) {
            (true, _) => ExitCode::from(UNREADABLE),
            (false, true) => ExitCode::FAILURE,
            (false, false) => ExitCode::SUCCESS,
        })
    }

    fn examine<'s>(&self, source: &'s Source) -> Examined<'s> {
        examine(source, self.r#type)
    }
}

/// What a person is told of one definition of a state machine of this type.
pub fn report_on(source: &Source, kind: MachineKind, paint: Paint) -> String {
    report::text(&[examine(source, kind)], paint)
}

fn examine(source: &Source, kind: MachineKind) -> Examined<'_> {
    let (machine, found) = source.examine(kind == MachineKind::Express);
    Examined {
        source,
        states: machine.map(|machine| machine.states.len()),
        found,
    }
}
