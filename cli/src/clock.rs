//! `rejoin clock`: the virtual clock of a running server, shown and moved.

use std::process::ExitCode;

use asl::Timestamp;
use clap::{Subcommand, ValueEnum};
use hyper::Method;
use serde_json::{Value, json};
use server::moment;

use crate::ask::{At, Server, age, cell};
use crate::screen::show;

const EXAMPLES: &str = "\
The server has to run on a virtual clock: rejoin serve --clock virtual. Time stands until it is moved, and stops
at everything that is due on its way.

  rejoin clock                              what time it is there, and what is due next
  rejoin clock advance 365d                 a year, at once
  rejoin clock next                         to whatever is due next
  rejoin clock until-ended order-7        until an execution has ended; says what it waits for if it can't
  rejoin clock automatic on                 let time jump by itself whenever nothing is in flight
  rejoin clock freeze                       stop it where it is";

/// Show and move the virtual clock of a running server
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Clock {
    #[command(subcommand)]
    order: Option<Order>,
    #[command(flatten)]
    at: At,
}

#[derive(Subcommand)]
enum Order {
    /// Show what time it is, and what is due next
    Show,
    /// Go on by so much, through all that is due on the way
    Advance {
        /// 30, 30s, 15m, 2h, 365d, 2w
        #[arg(value_name = "TIME", value_parser = seconds)]
        by: f64,
    },
    /// Go on to the next timer
    Next,
    /// Go from timer to timer until none is due within so much time
    UntilIdle {
        /// 30, 30s, 15m, 2h, 365d, 2w
        #[arg(value_name = "TIME", value_parser = seconds, default_value = "1h")]
        within: f64,
    },
    /// Go from timer to timer until an execution has ended
    UntilEnded {
        /// Its ARN, or its name
        #[arg(value_name = "EXECUTION")]
        execution: String,
        /// How far to go at most [default: as far as it takes]
        #[arg(long, value_name = "TIME", value_parser = seconds)]
        within: Option<f64>,
    },
    /// Stop time where it is, also for whoever is moving it
    Freeze,
    /// Whether time jumps to the next timer by itself whenever nothing is in flight
    Automatic { how: Switch },
}

#[derive(Clone, Copy, PartialEq, ValueEnum)]
enum Switch {
    On,
    Off,
}

impl Clock {
    /// Does it, and shows what time it is then.
    ///
    /// # Errors
    /// A sentence: what was wrong and what to do.
    pub fn run(&self) -> Result<ExitCode, String> {
        let server = self.at.server()?;
        let post = |order: &str, body: Value| send(&server, Method::POST, order, body);
        let said = match self.order.as_ref().unwrap_or(&Order::Show) {
            Order::Show => server.get("/rejoin/clock", &[])?,
            Order::Advance { by } => post("advance", json!({ "seconds": by }))?,
            Order::Next => post("next", json!({}))?,
            Order::UntilIdle { within } => post("until-idle", json!({ "seconds": within }))?,
            Order::UntilEnded { execution, within } => {
                let arn = server.execution_arn(execution)?;
                let ended = post(
                    "until-ended",
                    json!({ "executionArn": arn, "seconds": within }),
                )?;
                show!("{}", ending(&ended));
                return Ok(ExitCode::SUCCESS);
            }
            Order::Freeze => post("freeze", json!({}))?,
            Order::Automatic { how } => {
                let body = json!({ "automatic": *how == Switch::On });
                send(&server, Method::PUT, "automatic", body)?
            }
        };
        show!("{}", shown(&said));
        Ok(ExitCode::SUCCESS)
    }
}

fn send(server: &Server, method: Method, order: &str, body: Value) -> Result<Value, String> {
    server.send(method, &format!("/rejoin/clock/{order}"), &[], Some(&body))
}

/// A span of time: seconds, or a number with a unit.
fn seconds(text: &str) -> Result<f64, String> {
    moment::seconds(text).ok_or_else(|| moment::SPAN_HINT.to_owned())
}

/// What the clock says of itself, as a sentence or two.
fn shown(clock: &Value) -> String {
    let time = |member: &Value| member.as_str()?.parse::<Timestamp>().ok();
    let now = cell(&clock["now"]);
    if clock["clock"] != "virtual" {
        return format!("{now}, the real clock");
    }
    let goes = match clock["automatic"].as_bool() {
        Some(true) => "goes by itself",
        _ => "stands",
    };
    let next = match (time(&clock["now"]), time(&clock["next_timer"])) {
        (Some(now), Some(next)) => format!("next due {next} (in {})", age(now, next)),
        _ => "nothing is due".to_owned(),
    };
    format!("{now}, virtual, {goes}; {next}")
}

/// How an execution ended.
fn ending(ended: &Value) -> String {
    let mut said = format!("{} at {}", cell(&ended["status"]), cell(&ended["stopDate"]));
    for member in ["error", "cause", "output"] {
        if let Some(text) = ended[member].as_str() {
            said.push_str(&format!("\n{member}: {text}"));
        }
    }
    said
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clock_is_told_in_a_line() {
        let clock = json!({"clock": "virtual", "now": "2026-03-01T12:00:00.000Z", "automatic": false,
            "next_timer": "2026-03-01T12:01:30.000Z"});
        assert_eq!(
            shown(&clock),
            "2026-03-01T12:00:00.000Z, virtual, stands; next due 2026-03-01T12:01:30.000Z (in 1 min 30 s)"
        );
        let real = json!({"clock": "real", "now": "2026-03-01T12:00:00.000Z"});
        assert_eq!(shown(&real), "2026-03-01T12:00:00.000Z, the real clock");
    }
}
