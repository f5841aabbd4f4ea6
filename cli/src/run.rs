//! `rejoin run`: one execution of a definition in a file, without a server to talk to.
//!
//! The server is in this process, keeps everything in memory, and listens on a port of its own: for
//! functions and third parties that call back, and for whoever answers a task that waits. What
//! passes is told on standard error ([`narrator`]), the output alone is on standard output.

pub(crate) mod input;
mod narrator;
mod passing;
mod stage;

use std::collections::HashSet;
use std::io::{IsTerminal, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use engine::{Status, WaitId};
use serde_json::{Value, json};

use self::narrator::{Narrator, Waiting};
use self::passing::Wanted;
use self::stage::{Ended, Stage};
use crate::colour::{BOLD, GREEN, RED, paint_error};
use crate::config::{ClockKind, Config};
use crate::mocks::MockFlags;
use crate::serve::{runtime, until_told_to_stop};
use crate::validate::{self, MachineKind};
use source::Source;

const EXAMPLES: &str = "\
Examples:
  rejoin run order.asl.json '{\"order\": 7}'
  rejoin run order.asl.yaml @input.json --config rejoin.toml     functions, topics, callback routes
  echo '{}' | rejoin run order.asl.json - | jq .total            only the output is on standard output
  rejoin run order.asl.json --virtual-time                       waits and retries take no time
  rejoin run order.asl.json --type express                       as a short one: five minutes, no tokens

A task that waits for its token or for a worker says how to answer it. Ctrl-C stops the execution.
Exit status: 0 succeeded, 1 failed, timed out or was stopped, 2 there was nothing to run.";

/// The status if there is nothing to run.
const UNUSABLE: u8 = 2;

/// How often it looks what has passed: often enough to seem at once.
const LOOK_EVERY: Duration = Duration::from_millis(40);

/// The flags of `rejoin run`.
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Run {
    /// A definition in JSON, or in YAML (.yaml, .yml); - is standard input
    #[arg(value_name = "FILE")]
    file: String,
    /// JSON, @FILE, or - for standard input
    #[arg(value_name = "INPUT", default_value = "{}")]
    input: String,
    /// Functions, topics and callback routes, as for `rejoin serve`
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// standard, or express, which has no activities and no task tokens
    #[arg(
        long,
        value_enum,
        default_value = "standard",
        ignore_case = true,
        hide_possible_values = true
    )]
    r#type: MachineKind,
    #[command(flatten)]
    mocks: MockFlags,
    /// Which test case of the mock configuration to run; the state machine's name has to be the one there
    #[arg(long, value_name = "CASE")]
    test_case: Option<String>,
    /// Let time jump to the next timer whenever nothing is in flight: a wait of a year takes a moment
    #[arg(long)]
    virtual_time: bool,
    /// Stop the execution after so many seconds of real time
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    timeout: Option<Duration>,
    /// The execution's name [default: a random one]
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// The state machine's name [default: the file's]
    #[arg(long, value_name = "NAME")]
    state_machine: Option<String>,
    /// Where functions, callbacks and answers come in [default: 127.0.0.1, any free port]
    #[arg(long, value_name = "HOST:PORT")]
    listen: Option<String>,
    /// Show each state's output too
    #[arg(short, long)]
    verbose: bool,
    /// Show nothing on the way; print one JSON document with the outcome and the history
    #[arg(long)]
    json: bool,
}

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text.parse().map_err(|_| "it is not a number")?;
    Duration::try_from_secs_f64(seconds).map_err(|_| "it is not a number of seconds".to_owned())
}

impl Run {
    /// Runs the execution.
    pub fn run(self) -> Result<ExitCode, String> {
        Ok(self.attempt().unwrap_or_else(|message| {
            eprintln!("rejoin: {message}");
            ExitCode::from(UNUSABLE)
        }))
    }

    fn attempt(mut self) -> Result<ExitCode, String> {
        let (source, input, mut config) = self.read()?;
        let mocks = std::mem::take(&mut self.mocks).read(std::mem::take(&mut config.mocks))?;
        let (Some(machine), _) = source.examine(self.r#type == MachineKind::Express) else {
            let report = validate::report_on(&source, self.r#type, paint_error);
            eprint!("{report}");
            return Ok(ExitCode::from(UNUSABLE));
        };
        let clock = match self.virtual_time {
            true => ClockKind::Virtual,
            false => ClockKind::Real,
        };
        runtime()?.block_on(async {
            let listen = self.listen.as_deref();
            let stage = Stage::open(config, mocks, clock, listen, &machine).await?;
            let ended = self.play(&stage, &source, &input).await;
            stage.close().await;
            Ok(self.report(ended?))
        })
    }

    fn read(&self) -> Result<(Source, String, Config), String> {
        if self.file == "-" && self.input == "-" {
            return Err("only one of FILE and INPUT can be standard input".to_owned());
        }
        let source = Source::read(&self.file)?;
        let input = input::read(&self.input)?;
        let config = match &self.config {
            Some(path) => Config::read(path)?,
            None => Config::default(),
        };
        Ok((source, input, config))
    }

    /// Starts the execution and tells what passes until it has ended.
    async fn play(&self, stage: &Stage, source: &Source, input: &str) -> Result<Ended, String> {
        let name = match &self.state_machine {
            Some(name) => name.clone(),
            None => machine_name(&source.name),
        };
        let narrator = Narrator::new(self.verbose);
        let start = stage.start(
            &name,
            self.r#type,
            source.json(),
            self.test_case.as_deref(),
            self.name.as_deref(),
            input,
        );
        match self.r#type {
            MachineKind::Standard => {
                let execution = start.await?;
                self.look_on(stage, &execution, narrator).await
            }
            MachineKind::Express => {
                let wanted = match self.json {
                    true => Wanted::History,
                    false => Wanted::Lines(narrator),
                };
                let ended = passing::follow(&stage.app, wanted);
                let execution = start.await?;
                let ended = async {
                    let ended = ended.await;
                    ended.map_err(|_| "the execution was lost".to_owned())
                };
                self.until(stage, &execution, ended, async || Ok(Duration::MAX))
                    .await
            }
        }
    }

    /// Looks what is stored of an execution and tells it until it has ended.
    async fn look_on(
        &self,
        stage: &Stage,
        execution: &str,
        mut narrator: Narrator,
    ) -> Result<Ended, String> {
        let mut told = 0;
        let look = async || {
            if self.json {
                return Ok(LOOK_EVERY);
            }
            let looking = Instant::now();
            let events = stage.events(execution).await?;
            let new = &events[told..];
            let over: HashSet<WaitId> = new.iter().filter_map(narrator::ended_wait).collect();
            // Who is told how to answer has to have the time: a mock, or virtual time, has been faster as a rule.
            let answer = |waiting: Waiting<'_>| {
                let (Waiting::Token(wait) | Waiting::Activity(_, wait)) = waiting;
                (!over.contains(&wait)).then(|| stage.how_to_answer(execution, waiting))
            };
            for event in new {
                for line in narrator.tell(event, answer) {
                    eprintln!("{line}");
                }
            }
            told = events.len();
            // Every look reads all events, so a long history is looked at less often.
            Ok(LOOK_EVERY.max(looking.elapsed() * 10))
        };
        self.until(stage, execution, stage.ended(execution), look)
            .await
    }

    /// Waits for the end, looking now and then as `look` says, which says too after how long again; and stops the
    /// execution when that is asked for, or the time is over.
    async fn until(
        &self,
        stage: &Stage,
        execution: &str,
        ended: impl Future<Output = Result<Ended, String>>,
        mut look: impl AsyncFnMut() -> Result<Duration, String>,
    ) -> Result<Ended, String> {
        let mut stopping = false;
        let asked = until_told_to_stop();
        let timeout = tokio::time::sleep(self.timeout.unwrap_or(Duration::MAX));
        tokio::pin!(ended, asked, timeout);
        let mut look_after = LOOK_EVERY;
        loop {
            let over = tokio::select! {
                biased;
                over = &mut ended => Some(over?),
                asked = &mut asked, if !stopping => {
                    asked?;
                    stopping = true;
                    stage.stop(execution, None, "Stopped by a signal").await?;
                    None
                }
                () = &mut timeout, if !stopping && self.timeout.is_some() => {
                    stopping = true;
                    let cause = "It took longer than --timeout allows";
                    stage.stop(execution, Some("States.Timeout"), cause).await?;
                    None
                }
                () = tokio::time::sleep(look_after) => None,
            };
            look_after = look().await?;
            if let Some(over) = over {
                return Ok(over);
            }
        }
    }

    fn report(&self, ended: Ended) -> ExitCode {
        let well = ended.status == Status::Succeeded;
        if self.json {
            let mut outcome = json!({
                "executionArn": ended.arn,
                "status": ended.status.name(),
                "startDate": ended.started_at.to_string(),
                "stopDate": ended.stopped_at.to_string(),
                "output": ended.output.as_ref().map(|output| output.value()),
                "error": ended.failure.as_ref().and_then(|failure| failure.error.as_deref()),
                "cause": ended.failure.as_ref().and_then(|failure| failure.cause.as_deref()),
                "events": ended.history,
            });
            if ended.left_out > 0 {
                outcome["eventsLeftOut"] = ended.left_out.into();
            }
            print(&outcome, &outcome.to_string());
        } else {
            let took = narrator::duration(ended.stopped_at.0 - ended.started_at.0);
            let time = if self.virtual_time {
                " of virtual time"
            } else {
                ""
            };
            let status = paint_error(if well { GREEN } else { RED }, ended.status.name());
            eprintln!("{status} in {took}{time}");
            if let Some(failure) = &ended.failure {
                if let Some(error) = &failure.error {
                    eprintln!("{}", paint_error(BOLD, error));
                }
                if let Some(cause) = failure.cause.as_deref().filter(|cause| !cause.is_empty()) {
                    eprintln!("{cause}");
                }
            }
            if let (true, Some(output)) = (well, &ended.output) {
                print(output.value(), output.text());
            }
        }
        match well {
            true => ExitCode::SUCCESS,
            false => ExitCode::FAILURE,
        }
    }
}

/// Prints a document: spread out on a terminal, as it is for a program.
fn print(document: &Value, text: &str) {
    let mut stdout = std::io::stdout();
    // A reader that has seen enough is no reason to fail.
    let _ = match stdout.is_terminal() {
        true => writeln!(stdout, "{document:#}"),
        false => writeln!(stdout, "{text}"),
    };
}

/// The file's name as far as a state machine may have it.
fn machine_name(file: &str) -> String {
    let name = file.rsplit('/').next().unwrap_or(file);
    let name = name.split('.').next().unwrap_or(name);
    let allowed = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    let name: String = name.chars().filter(allowed).take(80).collect();
    match name.as_str() {
        "" => "definition".to_owned(),
        _ => name,
    }
}
