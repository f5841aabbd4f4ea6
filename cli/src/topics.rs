//! `rejoin topics`: the topics and how their subscribers are doing; what was published to one, and who has
//! taken it.

use std::process::ExitCode;

use asl::Timestamp;
use serde_json::Value;

use crate::ask::list::{List, Listing};
use crate::ask::{age_of, cell, escaped, print, print_line};
use crate::colour::{DIM, GREEN, RED, YELLOW, paint};
use crate::table::Table;

/// `rejoin topics`.
#[derive(clap::Args)]
pub struct Topics {
    /// The messages of this topic, with who has taken them
    name: Option<String>,
    /// Only subscribers that fail; of a topic, only messages that somebody has not taken
    #[arg(long)]
    failing: bool,
    /// Of a topic: only since then: 2026-01-31T12:00:00Z, or 90s, 15m, 2h, 3d, 1w ago
    #[arg(long, value_name = "TIME", requires = "name")]
    since: Option<String>,
    #[command(flatten)]
    listing: Listing,
}

impl Topics {
    /// Shows them.
    ///
    /// # Errors
    /// A sentence.
    pub fn run(self) -> Result<ExitCode, String> {
        let Some(name) = &self.name else {
            return self.overview();
        };
        self.listing.show(&List {
            path: &format!("/rejoin/topics/{}/messages", escaped(name)),
            query: &[
                ("undelivered", self.failing.then_some("true")),
                ("since", self.since.as_deref()),
            ],
            member: "messages",
            identity: &|message| {
                let deliveries = message["deliveries"].as_array();
                let states = deliveries.into_iter().flatten().map(|d| cell(&d["status"]));
                let states: Vec<String> = states.collect();
                format!("{}/{}", cell(&message["message_id"]), states.join(","))
            },
            heads: &["age", "subject", "taken by", "message"],
            row: &row,
            none: match self.failing || self.since.is_some() {
                true => "Nothing of that kind was published to it.",
                false => "Nothing was published to it.",
            },
        })
    }

    fn overview(&self) -> Result<ExitCode, String> {
        if self.listing.is_followed() {
            return Err("say which topic is to be followed: rejoin topics NAME --follow".into());
        }
        let server = self.listing.server()?;
        let answer = server.get("/rejoin/topics", &[])?;
        let mut topics = answer["topics"].as_array().cloned().unwrap_or_default();
        if self.failing {
            topics.retain_mut(fails);
        }
        if self.listing.is_json() {
            topics.iter().for_each(print_line);
            return Ok(ExitCode::SUCCESS);
        }
        if topics.is_empty() && self.failing {
            print("No subscriber fails.\n");
            return Ok(ExitCode::SUCCESS);
        }
        if topics.is_empty() {
            print("There are no topics; [topics.NAME] of the configuration makes one.\n");
            return Ok(ExitCode::SUCCESS);
        }
        let now = server.now()?;
        let heads = [
            "topic",
            "subscriber",
            "status",
            "taken",
            "pending",
            "given up",
            "last",
            "what is wrong",
        ];
        let mut table = Table::new(&heads);
        for topic in &topics {
            let states = topic["states"].as_array().cloned().unwrap_or_default();
            if states.is_empty() {
                let none = paint(DIM, "nobody: it keeps what is published");
                table.row(&[cell(&topic["name"]), none]);
            }
            for state in &states {
                table.row(&[
                    cell(&topic["name"]),
                    cell(&state["subscriber"]),
                    status(state),
                    cell(&state["delivered"]),
                    cell(&state["pending"]),
                    cell(&state["given_up"]),
                    age_of(&state["last_delivered_at"], now),
                    cell(&state["last_error"]),
                ]);
            }
        }
        print(&table.to_string());
        Ok(ExitCode::SUCCESS)
    }
}

/// Whether a topic has subscribers that fail; it keeps no others.
fn fails(topic: &mut Value) -> bool {
    let Some(states) = topic["states"].as_array_mut() else {
        return false;
    };
    states.retain(|state| state["status"] == "failing");
    !states.is_empty()
}

fn status(state: &Value) -> String {
    let status = cell(&state["status"]);
    let colour = match status.as_str() {
        "ok" => GREEN,
        "failing" => RED,
        _ => DIM,
    };
    paint(colour, &status)
}

fn row(message: &Value, now: Timestamp) -> Vec<String> {
    let deliveries = message["deliveries"].as_array();
    let all: Vec<&Value> = deliveries.into_iter().flatten().collect();
    let taken = all.iter().filter(|d| d["status"] == "delivered").count();
    let colour = match all.iter().any(|d| d["status"] == "given up") {
        true => RED,
        false if taken == all.len() => GREEN,
        false => YELLOW,
    };
    let said = match &message["message"] {
        Value::Object(members) => members
            .get("description")
            .map_or_else(|| message["message"].to_string(), cell),
        other => cell(other),
    };
    vec![
        age_of(&message["published_at"], now),
        cell(&message["subject"]),
        paint(colour, &format!("{taken} of {}", all.len())),
        said,
    ]
}
