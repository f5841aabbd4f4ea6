//! `rejoin demo`: the loan processor, with everything that can go wrong with its callback.
//!
//! A real server on loopback, a real store in a temporary folder, the request function as a child
//! process, the valuation service over HTTP; only the clock is virtual, unless `--real-time`.
//!
//! - [`rows`]: what is done to the workflow, and what must come of it.
//! - [`stage`]: the server, the function, the valuation service.
//! - [`outcome`]: what came of a row, read over HTTP, and whether it is as it must be.
//! - [`live`]: what happens, as it happens, in real time.
//! - [`report`]: the table and the alerts.

mod live;
mod outcome;
mod report;
mod rows;
mod stage;

use std::process::ExitCode;
use std::time::Instant;

use crate::config::ClockKind;
use crate::screen::show;
use crate::serve::runtime;

use self::outcome::Outcome;
use self::rows::{ROWS, Row};
use self::stage::Stage;

/// The flags of `rejoin demo`.
#[derive(clap::Args)]
pub struct Demo {
    /// Let time pass as it does; all rows run at once, and it takes about a minute
    #[arg(long)]
    real_time: bool,
    /// Print one JSON object a row instead of the table
    #[arg(long)]
    json: bool,
    /// Start the same server and valuation service, and leave them running for you to try
    #[arg(long, conflicts_with_all = ["real_time", "json"])]
    serve: bool,
    /// With --serve: address and port; port 0 picks a free one [default: 127.0.0.1:8083]
    #[arg(long, value_name = "HOST:PORT", requires = "serve")]
    listen: Option<String>,
    /// With --serve: real time, or virtual, which stands until it is moved [default: real]
    #[arg(long, value_enum, requires = "serve", hide_possible_values = true)]
    clock: Option<ClockKind>,
}

impl Demo {
    /// Runs the rows.
    pub fn run(self) -> Result<ExitCode, String> {
        runtime()?.block_on(async {
            if self.serve {
                return stage::serve(self.listen, self.clock.unwrap_or(ClockKind::Real)).await;
            }
            let stage = Stage::open(self.real_time).await?;
            let outcomes = self.play(&stage).await;
            let closed = stage.close().await;
            let outcomes = outcomes?;
            closed?;
            if self.json {
                for outcome in &outcomes {
                    show!("{}", outcome.json());
                }
            } else {
                report::print(&outcomes, self.real_time);
            }
            let all_well = outcomes.iter().all(Outcome::ok);
            Ok(if all_well {
                ExitCode::SUCCESS
            } else {
                ExitCode::FAILURE
            })
        })
    }

    /// On the virtual clock one row after the other, so that each has its own time; in real time all at once.
    async fn play(&self, stage: &Stage) -> Result<Vec<Outcome>, String> {
        let mut outcomes = Vec::new();
        if self.real_time {
            eprintln!(
                "all {} rows at once, in real time; it takes a minute",
                ROWS.len()
            );
            let watching = tokio::spawn(live::watch(stage.clone()));
            let playing: Vec<_> = ROWS
                .iter()
                .map(|row| tokio::spawn(play(stage.clone(), row)))
                .collect();
            for row in playing {
                outcomes.push(row.await.map_err(|e| format!("a row broke: {e}"))??);
            }
            watching.abort();
        } else {
            for row in ROWS {
                let outcome = play(stage.clone(), row).await?;
                if !self.json {
                    report::progress(&outcome);
                }
                outcomes.push(outcome);
            }
        }
        Ok(outcomes)
    }
}

/// Starts a row's execution, lets its time pass, and looks what came of it.
async fn play(stage: Stage, row: &'static Row) -> Result<Outcome, String> {
    let begun = Instant::now();
    let from = stage.clock.now();
    let execution = stage.start(row).await?;
    // Time goes through everything that is due on the way: the timeouts, the late callback.
    drop(stage.clock.advance(from.plus_seconds(row.seconds)).await);
    outcome::read(&stage, row, execution, from, begun).await
}

/// The request function, when this program is started as one.
pub fn run_function() -> Result<ExitCode, String> {
    runtime()?.block_on(stage::run_function())
}
