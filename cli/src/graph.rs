//! `rejoin graph`: the picture of a state machine, and of an execution's way through it.
//!
//! How it is drawn is the crate `graph`'s; what an execution did is read off its history ([`trail`]).

mod trail;

use std::process::ExitCode;

use asl::{Severity, StateMachine};
use graph::{Options, Overlay, Theme};
use serde_json::{Value, json};

use crate::ask::{At, Server, print};
use crate::colour::paint_error;
use crate::validate::{MachineKind, report_on};
use source::Source;

const EXAMPLES: &str = "\
Examples:
  rejoin graph order.asl.yaml > order.svg
  rejoin graph order.asl.yaml --theme dark --output order.svg
  rejoin graph --execution order-7 > what-happened.svg its definition and history, from a running server";

/// How many events a page of a history has.
const PAGE_EVENTS: u32 = 1_000;

/// The flags of `rejoin graph`.
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Graph {
    /// A definition in JSON, or in YAML (.yaml, .yml); - is standard input
    #[arg(required_unless_present = "execution", value_name = "DEFINITION")]
    definition: Option<String>,
    /// Where the SVG goes [default: standard output]
    #[arg(long, short, value_name = "FILE")]
    output: Option<String>,
    /// light, dark, or auto, which is as whoever looks at it has it
    #[arg(
        long,
        value_enum,
        default_value = "auto",
        ignore_case = true,
        hide_possible_values = true
    )]
    theme: Shade,
    /// Show what this execution (its ARN or name) did; without DEFINITION, on the definition that it runs
    #[arg(long, value_name = "EXECUTION")]
    execution: Option<String>,
    #[command(flatten)]
    at: At,
}

/// The themes, as flags have them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Shade {
    Auto,
    Light,
    Dark,
}

impl Graph {
    /// Draws it.
    pub fn run(self) -> Result<ExitCode, String> {
        let server = match &self.execution {
            Some(_) => Some(self.at.server()?),
            None => None,
        };
        let execution = match (&server, &self.execution) {
            (Some(server), Some(given)) => Some(server.execution_arn(given)?),
            _ => None,
        };
        let asked = server.as_ref().zip(execution.as_deref());
        let (name, machine) = match (&self.definition, asked) {
            (Some(file), _) => (file.clone(), read(file)?),
            (None, Some((server, arn))) => (arn.to_owned(), described(server, arn)?),
            (None, None) => return Err("a DEFINITION or an --execution is needed".into()),
        };
        let overlay = match asked {
            Some((server, arn)) => gone(server, arn)?,
            None => Overlay::default(),
        };
        let options = Options {
            theme: match self.theme {
                Shade::Auto => Theme::Auto,
                Shade::Light => Theme::Light,
                Shade::Dark => Theme::Dark,
            },
            title: Some(machine.comment.clone().unwrap_or(name)),
            overlay,
        };
        let svg = graph::draw(&machine, &options);
        match self.output.as_deref() {
            None | Some("-") => print(&svg),
            Some(file) => {
                std::fs::write(file, svg).map_err(|e| format!("{file} can't be written: {e}"))?;
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn read(file: &str) -> Result<StateMachine, String> {
    let source = Source::read(file)?;
    let (machine, found) = source.examine(false);
    if let Some(machine) = machine {
        return Ok(machine);
    }
    let is_error = |severity| severity == Severity::Error;
    let faults = found.iter().filter(|f| is_error(f.diagnostic.severity));
    let count = faults.count();
    eprint!("{}", report_on(&source, MachineKind::Standard, paint_error));
    let faults = if count == 1 { "fault" } else { "faults" };
    Err(format!(
        "{file} is not drawn, because of the {faults} above"
    ))
}

/// The definition that an execution runs.
fn described(server: &Server, arn: &str) -> Result<StateMachine, String> {
    let answer = server.call(
        "DescribeStateMachineForExecution",
        &json!({"executionArn": arn}),
    )?;
    let definition = answer["definition"].as_str().unwrap_or_default();
    let parsed = asl::parse(definition);
    parsed
        .machine
        .ok_or_else(|| format!("the definition of {arn} can't be read by this version of rejoin"))
}

/// What an execution did.
fn gone(server: &Server, arn: &str) -> Result<Overlay, String> {
    let execution = server.call("DescribeExecution", &json!({"executionArn": arn}))?;
    let mut trail = trail::Trail::default();
    let mut input = json!({"executionArn": arn, "maxResults": PAGE_EVENTS});
    loop {
        let page = server.call("GetExecutionHistory", &input)?;
        let events = page["events"].as_array().map_or(&[][..], Vec::as_slice);
        events.iter().for_each(|event| trail.add(event));
        match page.get("nextToken") {
            Some(token @ Value::String(_)) => input["nextToken"] = token.clone(),
            _ => break,
        }
    }
    Ok(trail.overlay(execution["status"] == "RUNNING"))
}
