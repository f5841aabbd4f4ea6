//! `rejoin`: flags, configuration, wiring. What the parts do is theirs to know.
//!
//! - [`bench`]: the callback round trip, measured.
//! - [`config`]: the configuration file.
//! - [`serve`]: a server until it is told to stop.

mod bench;
mod config;
mod serve;
mod table;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// AWS Step Functions state machines, durable, anywhere.
#[derive(Parser)]
#[command(name = "rejoin", version, about, max_term_width = 100)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run a server. Point the AWS CLI or an SDK at it with --endpoint-url.
    Serve(serve::Serve),
    /// Measure callback round trips, parked executions and restarts on this machine
    Bench(bench::Bench),
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let outcome = match arguments.command {
        Command::Serve(serve) => serve.run(),
        Command::Bench(bench) => bench.run(),
    };
    match outcome {
        Ok(code) => code,
        Err(message) => {
            eprintln!("rejoin: {message}");
            ExitCode::FAILURE
        }
    }
}
