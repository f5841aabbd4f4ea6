//! `rejoin`: flags, configuration, wiring. What the parts do is theirs to know.
//!
//! - [`ask`]: asking a running server, and showing lists of what it has.
//! - [`alerts`], [`topics`]: what somebody should know, and who has taken what was published.
//! - [`bench`]: the callback round trip, measured.
//! - [`clock`]: a running server's virtual clock.
//! - [`config`]: the configuration file.
//! - [`connection`], [`table`]: a bare HTTP client and a plain table, for `bench` and `demo`.
//! - [`demo`]: the loan processor and all that can go wrong with its callback.
//! - [`engines`]: engines elsewhere, and whether callbacks get there.
//! - [`explore`]: everything that can go wrong with a machine's tasks, tried.
//! - [`gateway`]: the callback gateway alone, in front of engines elsewhere.
//! - [`graph`]: the picture of a state machine.
//! - [`inbox`]: the callbacks that came.
//! - [`mock`]: services that misbehave as a file tells them.
//! - [`serve`]: a server until it is told to stop.
//! - [`run`]: one execution of a definition in a file.
//! - [`test`]: scenario files, on a virtual clock.
//! - [`trace`]: what happened to an execution, a reference or a callback.
//! - [`validate`]: whether definitions are right.
//! - [`waits`]: who waits on a running server, and what is stuck.
//! - [`colour`]: colours where a terminal shows them.

// It panics if nobody reads on: `screen::show!` does not.
#![deny(clippy::print_stdout)]

mod alerts;
#[allow(
    dead_code,
    reason = "each command that asks a server takes what it needs"
)]
mod ask;
mod bench;
mod clock;
mod colour;
mod config;
mod connection;
mod demo;
mod engines;
mod explore;
mod gateway;
mod graph;
mod inbox;
mod mock;
mod mocks;
mod run;
mod screen;
mod serve;
mod table;
mod test;
mod topics;
mod trace;
mod validate;
mod waits;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

const EXAMPLES: &str = "\
Begin with:
  rejoin demo                  what it is for, in moments
  rejoin demo --serve          the same system, left running for you to try
  rejoin validate FILE         whether a definition is right, and where it is not
  rejoin run FILE INPUT        one execution of it, here and now
  rejoin explore FILE          everything that can go wrong with it, in a moment
  rejoin test FILE             scenarios of it, in milliseconds each
  rejoin serve                 http://127.0.0.1:8083, data in ./rejoin-data
  rejoin trace NAME            what became of an execution, a reference or a callback
  rejoin help serve            how to point the AWS CLI at it";

/// AWS Step Functions state machines, durable, anywhere.
#[derive(Parser)]
#[command(name = "rejoin", version, about, max_term_width = 100, after_help = EXAMPLES)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run a server for the AWS CLI, the SDKs, functions and callbacks
    Serve(serve::Serve),
    /// Run the callback gateway alone, in front of AWS Step Functions or another Rejoin
    Gateway(gateway::Gateway),
    /// Run the loan processor through everything that can go wrong with its callback
    Demo(demo::Demo),
    /// The demo's request function: what the demo starts this program as
    #[command(hide = true)]
    Function,
    /// Run one execution of a definition in a file, and show its states as they pass
    Run(run::Run),
    /// Run scenario files: what the outside does to a state machine, and what must come of it
    Test(test::Test),
    /// Run services that callers depend on, with the faults that a file tells them
    Mock(mock::Mock),
    /// Check definitions, in JSON or YAML, before anything runs them
    Validate(validate::Validate),
    /// Show the callbacks that came, newest first, and replay, re-match or dismiss them
    Inbox(Box<inbox::Inbox>),
    /// Tell the whole story of an execution, a reference or a callback
    Trace(trace::Trace),
    /// Let every task of a machine go wrong in every way, and see what comes of it
    Explore(Box<explore::Explore>),
    /// Draw a state machine as SVG, and what an execution of it did
    Graph(graph::Graph),
    /// What somebody should know: what went wrong with callbacks, waits and subscribers
    Alerts(alerts::Alerts),
    /// Topics: what was published, and how those who hear it are doing
    Topics(topics::Topics),
    /// Engines elsewhere: whether they answer, what was wrong last, and how much waits for them
    Engines(engines::Engines),
    /// Show which waits are open on a running server, and which are stuck
    Waits(waits::Waits),
    /// Show and move the virtual clock of a running server
    Clock(clock::Clock),
    /// Measure callback round trips, parked executions and restarts on this machine
    Bench(bench::Bench),
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let outcome = match arguments.command {
        Command::Serve(serve) => serve.run(),
        Command::Gateway(gateway) => gateway.run(),
        Command::Demo(demo) => demo.run(),
        Command::Function => demo::run_function(),
        Command::Run(run) => run.run(),
        Command::Test(test) => test.run(),
        Command::Mock(mock) => mock.run(),
        Command::Validate(validate) => validate.run(),
        Command::Inbox(inbox) => inbox.run(),
        Command::Trace(trace) => trace.run(),
        Command::Explore(explore) => explore.run(),
        Command::Graph(graph) => graph.run(),
        Command::Alerts(alerts) => alerts.run(),
        Command::Topics(topics) => topics.run(),
        Command::Engines(engines) => engines.run(),
        Command::Waits(waits) => waits.run(),
        Command::Clock(clock) => clock.run(),
        Command::Bench(bench) => bench.run(),
    };
    match outcome {
        Ok(code) => code,
        Err(message) => {
            server::log::tell(message);
            ExitCode::FAILURE
        }
    }
}
