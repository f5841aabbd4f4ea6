//! `rejoin waits`: who waits, for how long, and what is stuck.

use std::process::ExitCode;

use asl::Timestamp;
use serde_json::Value;

use crate::ask::list::{List, Listing};
use crate::ask::{age, age_of, cell, escaped, print_json};
use crate::colour::{DIM, RED, YELLOW, paint};

const EXAMPLES: &str = "\
Without filters all open waits are shown, the oldest first: for callbacks, activity workers, .sync jobs and Map
Runs. Red ones count as stuck (rejoin.sample.toml, [stuck_waits]); yellow ones have no deadline.

  rejoin waits --machine LoanProcessor --older-than 1h
  rejoin waits --reference VAL-2041              who waits for this callback?
  rejoin waits --without-deadline --json         for a script
  rejoin waits --follow                          what opens, as it opens
  rejoin waits EXECUTION_ARN/3                   one in full, also after it is over";

/// Show which waits are open, the oldest first, and which are stuck
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Waits {
    /// One wait in full: EXECUTION_ARN/NUMBER
    #[arg(value_name = "ID", conflicts_with_all = ["machine", "state", "execution", "reference", "kind", "older_than", "without_deadline", "stuck", "follow"])]
    id: Option<String>,
    /// Only of this state machine (its name, or an ARN)
    #[arg(long)]
    machine: Option<String>,
    /// Only in this state
    #[arg(long)]
    state: Option<String>,
    /// Only of this execution (its ARN or name)
    #[arg(long)]
    execution: Option<String>,
    /// Only the one that holds this reference
    #[arg(long)]
    reference: Option<String>,
    /// Only for a callback, activity, sync or map-run
    #[arg(long)]
    kind: Option<String>,
    /// Only those open for longer: seconds, or 90s, 15m, 2h, 3d, 1w
    #[arg(long, value_name = "AGE")]
    older_than: Option<String>,
    /// Only those that nothing ends but an answer
    #[arg(long)]
    without_deadline: bool,
    /// Only those that count as stuck
    #[arg(long)]
    stuck: bool,
    #[command(flatten)]
    listing: Listing,
}

impl Waits {
    /// Shows them.
    ///
    /// # Errors
    /// A sentence: what was wrong and what to do.
    pub fn run(&self) -> Result<ExitCode, String> {
        if let Some(id) = &self.id {
            let path = format!("/rejoin/waits/{}", escaped(id));
            print_json(&self.listing.server()?.get(&path, &[])?);
            return Ok(ExitCode::SUCCESS);
        }
        let truth = |flag: bool| flag.then_some("true");
        // What is followed comes from the newest back, or what opens would stand behind all else.
        let order = self.listing.is_followed().then_some("newest");
        let query = [
            ("machine", self.machine.as_deref()),
            ("state", self.state.as_deref()),
            ("execution", self.execution.as_deref()),
            ("reference", self.reference.as_deref()),
            ("kind", self.kind.as_deref()),
            ("olderThan", self.older_than.as_deref()),
            ("withoutDeadline", truth(self.without_deadline)),
            ("stuck", truth(self.stuck)),
            ("order", order),
        ];
        self.listing.show(&List {
            path: "/rejoin/waits",
            query: &query,
            member: "waits",
            // One that becomes stuck is news.
            identity: &|wait| format!("{}{}", wait["id"], wait["stuck"]),
            heads: &[
                "open for",
                "machine",
                "state",
                "execution",
                "for",
                "ends in",
                "attempt",
                "heartbeat",
                "references",
            ],
            row: &row,
            none: "no wait is open that fits",
        })
    }
}

fn row(wait: &Value, now: Timestamp) -> Vec<String> {
    let open_for = age_of(&wait["openedAt"], now);
    let open_for = match wait["stuck"].as_str() {
        Some(_) => paint(RED, &open_for),
        None => open_for,
    };
    let heartbeat = match wait["lastHeartbeatAt"].is_null() {
        true => "-".to_owned(),
        false => {
            let ago = format!("{} ago", age_of(&wait["lastHeartbeatAt"], now));
            match wait["stuck"] == "silent" {
                true => paint(RED, &ago),
                false => ago,
            }
        }
    };
    let references = wait["references"].as_array().map_or(&[][..], Vec::as_slice);
    let references: Vec<_> = references
        .iter()
        .map(|held| format!("{}/{}", cell(&held["route"]), cell(&held["reference"])))
        .collect();
    vec![
        open_for,
        cell(&wait["machine"]),
        cell(&wait["state"]),
        cell(&wait["executionName"]),
        cell(&wait["kind"]),
        ends_in(wait, now),
        cell(&wait["attempt"]),
        heartbeat,
        match references.is_empty() {
            true => paint(DIM, "-"),
            false => references.join(" "),
        },
    ]
}

/// How long it is until the first deadline of a wait.
fn ends_in(wait: &Value, now: Timestamp) -> String {
    let deadlines = ["deadline", "heartbeatDeadline", "executionDeadline"];
    let first = deadlines
        .iter()
        .filter_map(|name| wait[name].as_str()?.parse::<Timestamp>().ok())
        .min();
    match first {
        Some(at) => age(now, at),
        None => paint(YELLOW, "no deadline"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().expect("a time")
    }

    #[test]
    fn a_row_tells_the_first_deadline_and_the_last_heartbeat() {
        let now = at("2026-03-01T12:00:00Z");
        let wait = json!({
            "openedAt": "2026-03-01T10:30:00Z", "machine": "M", "state": "S", "executionName": "e",
            "kind": "callback", "attempt": 2, "deadline": "2026-03-01T13:00:00Z",
            "heartbeatDeadline": "2026-03-01T12:00:09Z", "lastHeartbeatAt": "2026-03-01T11:59:49Z",
            "references": [{"route": "valuation", "reference": "V-1"}],
        });
        assert_eq!(
            row(&wait, now),
            [
                "1 h 30 min",
                "M",
                "S",
                "e",
                "callback",
                "9 s",
                "2",
                "11 s ago",
                "valuation/V-1"
            ]
        );
    }

    #[test]
    fn one_that_nothing_ends_says_so() {
        assert_eq!(ends_in(&json!({}), Timestamp(0)), "no deadline");
    }
}
