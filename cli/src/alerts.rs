//! `rejoin alerts`: what somebody should know, and who was told.

use std::process::ExitCode;

use asl::Timestamp;
use serde_json::Value;

use crate::ask::list::{List, Listing};
use crate::ask::{age_of, cell, escaped, print, print_json};
use crate::colour::{BOLD, DIM, GREEN, RED, YELLOW, paint};

/// `rejoin alerts`.
#[derive(clap::Args)]
pub struct Alerts {
    /// One alert in full: what it says, its messages, and who has taken them
    id: Option<String>,
    /// Of this kind alone: a disposition, stuck-wait, missing-heartbeats, wait-without-deadline, failing-sink, ...
    #[arg(long)]
    kind: Option<String>,
    /// As bad as this at least: info, warning, error, critical
    #[arg(long)]
    severity: Option<String>,
    /// About this execution, by ARN or name
    #[arg(long)]
    execution: Option<String>,
    /// About this route
    #[arg(long)]
    route: Option<String>,
    /// That happened last since then: 2026-01-31T12:00:00Z, or 90s, 15m, 2h, 3d, 1w ago
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    #[command(flatten)]
    listing: Listing,
}

impl Alerts {
    /// Shows them.
    ///
    /// # Errors
    /// A sentence.
    pub fn run(self) -> Result<ExitCode, String> {
        if let Some(id) = &self.id {
            return self.show(id);
        }
        self.listing.show(&List {
            path: "/rejoin/alerts",
            query: &[
                ("kind", self.kind.as_deref()),
                ("severity", self.severity.as_deref()),
                ("execution", self.execution.as_deref()),
                ("route", self.route.as_deref()),
                ("since", self.since.as_deref()),
            ],
            member: "alerts",
            identity: &|alert| format!("{}/{}", cell(&alert["alertId"]), cell(&alert["count"])),
            heads: &["age", "severity", "times", "about", "what", "alert"],
            row: &row,
            none: "There are no such alerts.",
        })
    }

    fn show(&self, id: &str) -> Result<ExitCode, String> {
        let server = self.listing.server()?;
        let alert = server.get(&format!("/rejoin/alerts/{}", escaped(id)), &[])?;
        if self.listing.is_json() {
            print_json(&alert);
            return Ok(ExitCode::SUCCESS);
        }
        print(&in_full(&alert));
        Ok(ExitCode::SUCCESS)
    }
}

fn row(alert: &Value, now: Timestamp) -> Vec<String> {
    let about = ["executionName", "reference", "subscriber", "route"];
    let mut about = about.iter().map(|name| &alert[*name]);
    let about = about.find(|value| !value.is_null());
    vec![
        age_of(&alert["lastAt"], now),
        severity(alert),
        cell(&alert["count"]),
        about.map_or("-".into(), cell),
        cell(&alert["description"]),
        cell(&alert["alertId"]),
    ]
}

fn severity(alert: &Value) -> String {
    let name = cell(&alert["severity"]);
    // As bad as it was, which is what --severity asks for.
    if alert["resolved"] == true {
        return paint(GREEN, &format!("{name}, resolved"));
    }
    let colour = match name.as_str() {
        "critical" | "error" => RED,
        "warning" => YELLOW,
        _ => DIM,
    };
    paint(colour, &name)
}

/// Shown in this order, by these names; the rest is said in other ways.
const FACTS: [(&str, &str); 25] = [
    ("kind", "kind"),
    ("count", "times"),
    ("firstAt", "first"),
    ("lastAt", "last"),
    ("since", "since"),
    ("executionArn", "execution"),
    ("stateName", "state"),
    ("waitBeganAt", "wait began"),
    ("waitDeadline", "deadline"),
    ("waitEndedAt", "wait ended"),
    ("lastHeartbeatAt", "last heartbeat"),
    ("lateBySeconds", "late by (s)"),
    ("doubt", "is"),
    ("route", "route"),
    ("reference", "reference"),
    ("deliveryId", "delivery"),
    ("peer", "from"),
    ("eventRequestId", "request"),
    ("eventBody", "body"),
    ("topic", "topic"),
    ("subscriber", "subscriber"),
    ("messageId", "message"),
    ("lastError", "last error"),
    ("traceId", "trace"),
    ("link", "console"),
];

fn in_full(alert: &Value) -> String {
    let mut lines = vec![
        format!(
            "{} {}",
            severity(alert),
            paint(BOLD, &cell(&alert["description"]))
        ),
        paint(DIM, &cell(&alert["source"])),
        String::new(),
    ];
    for (member, name) in FACTS {
        if !alert[member].is_null() {
            lines.push(format!("{name:<15} {}", cell(&alert[member])));
        }
    }
    lines.extend([String::new(), format!("Next: {}", cell(&alert["nextStep"]))]);
    let commands = alert["lookFurther"].as_object();
    for command in commands.into_iter().flat_map(|all| all.values()) {
        lines.push(format!("  {}", cell(command)));
    }
    let messages = alert["messages"].as_array();
    lines.push(String::new());
    match messages.map(Vec::as_slice) {
        None | Some([]) => lines.push("Nobody was told: no topic hears it.".to_owned()),
        Some(messages) => {
            for message in messages {
                lines.push(format!(
                    "message {} at {}",
                    cell(&message["messageId"]),
                    cell(&message["publishedAt"])
                ));
                let deliveries = message["deliveries"].as_array();
                for delivery in deliveries.into_iter().flatten() {
                    lines.push(format!("  {}", told(delivery)));
                }
            }
        }
    }
    lines.join("\n") + "\n"
}

/// How far a message has come with one subscriber.
pub fn told(delivery: &Value) -> String {
    let status = cell(&delivery["status"]);
    let colour = match status.as_str() {
        "delivered" => GREEN,
        "given up" => RED,
        _ => YELLOW,
    };
    let mut told = format!(
        "{} {} in {} attempts",
        cell(&delivery["subscriber"]),
        paint(colour, &status),
        cell(&delivery["attempts"])
    );
    if let Some(error) = delivery["last_error"].as_str() {
        told = format!("{told}: {error}");
    }
    told
}
