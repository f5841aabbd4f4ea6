//! `rejoin engines`: where callbacks are delivered to beside this server, and whether they get there.

use std::process::ExitCode;

use asl::Timestamp;
use serde_json::Value;

use crate::ask::list::{List, Listing};
use crate::ask::{age_of, cell};
use crate::colour::{GREEN, RED, YELLOW, paint};

/// `rejoin engines`.
#[derive(clap::Args)]
pub struct Engines {
    #[command(flatten)]
    listing: Listing,
}

impl Engines {
    /// Shows them.
    ///
    /// # Errors
    /// A sentence.
    pub fn run(self) -> Result<ExitCode, String> {
        self.listing.show(&List {
            path: "/rejoin/engines",
            query: &[],
            member: "engines",
            identity: &|engine| {
                let tells = ["name", "breaker", "queued", "lastAnswerAt", "lastProblemAt"];
                tells.map(|member| engine[member].to_string()).join(" ")
            },
            heads: &[
                "engine", "endpoint", "breaker", "waiting", "lanes", "oldest", "answered", "failed",
                "what was wrong",
            ],
            row: &row,
            none: "There are no engines elsewhere: callbacks go to the one in this server. [engines.NAME] of the configuration names one.",
        })
    }
}

fn row(engine: &Value, now: Timestamp) -> Vec<String> {
    let breaker = cell(&engine["breaker"]);
    let colour = match breaker.as_str() {
        "closed" if engine["failuresInARow"] == 0 => GREEN,
        "open" => RED,
        _ => YELLOW,
    };
    vec![
        cell(&engine["name"]),
        cell(&engine["endpoint"]),
        paint(colour, &breaker),
        cell(&engine["queued"]),
        cell(&engine["lanes"]),
        age_of(&engine["oldestAt"], now),
        age_of(&engine["lastAnswerAt"], now),
        age_of(&engine["lastProblemAt"], now),
        cell(&engine["lastProblem"]),
    ]
}
