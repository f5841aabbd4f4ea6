//! The table, and for each alert the one thing that a person on call wants first.

use serde_json::Value;

use super::outcome::{Outcome, description};
use crate::colour::{BOLD, GREEN, RED, YELLOW, paint};
use crate::screen::show;
use crate::table::Table;

/// A line for a row that is done.
pub fn progress(outcome: &Outcome) {
    let mark = if outcome.ok() {
        paint(GREEN, "ok")
    } else {
        paint(RED, "WRONG")
    };
    show!("  {:<26} {mark}", outcome.row.scenario);
}

/// The table and the alerts.
pub fn print(outcomes: &[Outcome], real_time: bool) {
    let mut table = Table::new(&[
        "scenario",
        "execution ended",
        "callbacks were",
        "alerts",
        if real_time { "seconds" } else { "virtual" },
        "real",
        "",
    ]);
    for outcome in outcomes {
        let ended = match &outcome.error {
            Some(error) => paint(RED, &format!("{} {error}", outcome.status)),
            None => paint(GREEN, &outcome.status),
        };
        table.row(&[
            outcome.row.scenario.to_owned(),
            ended,
            summary(&outcome.dispositions),
            outcome.alerts.len().to_string(),
            format!("{:.1} s", outcome.virtual_seconds),
            format!("{:.0} ms", outcome.real_ms),
            if outcome.ok() {
                paint(GREEN, "ok")
            } else {
                paint(RED, "WRONG")
            },
        ]);
    }
    show!("\n{table}");
    show!("What the error topic heard:");
    for outcome in outcomes {
        for alert in &outcome.alerts {
            show!(
                "  {} {}",
                paint(YELLOW, &format!("[{}]", outcome.row.scenario)),
                first_thing(alert)
            );
        }
    }
    for outcome in outcomes.iter().filter(|outcome| !outcome.ok()) {
        show!("\n{} {}", paint(RED, "WRONG:"), outcome.row.scenario);
        show!(
            "  wanted {} {:?} {:?} {:?}",
            outcome.row.status,
            outcome.row.error,
            outcome.row.dispositions,
            outcome.row.alerts
        );
        let heard: Vec<&str> = outcome.alerts.iter().map(description).collect();
        show!(
            "  got    {} {:?} {:?} {heard:?}",
            outcome.status,
            outcome.error,
            outcome.dispositions
        );
    }
    let well = outcomes.iter().filter(|outcome| outcome.ok()).count();
    let real: f64 = outcomes.iter().map(|outcome| outcome.real_ms).sum();
    let passed: f64 = outcomes.iter().map(|outcome| outcome.virtual_seconds).sum();
    show!(
        "\n{}",
        paint(
            BOLD,
            &format!("{well} of {} as they must be", outcomes.len())
        )
    );
    if !real_time {
        show!(
            "{passed:.0} s of waiting, tested in {:.1} s. `rejoin demo --serve` leaves it running for you.",
            real / 1000.0
        );
    }
}

/// Several equal ones in a row are counted.
fn summary(dispositions: &[String]) -> String {
    let mut parts: Vec<(usize, &str)> = Vec::new();
    for disposition in dispositions {
        match parts.last_mut() {
            Some((count, last)) if last == disposition => *count += 1,
            _ => parts.push((1, disposition)),
        }
    }
    let parts: Vec<String> = parts
        .iter()
        .map(|(count, name)| {
            if *count > 1 {
                format!("{count} x {name}")
            } else {
                (*name).to_owned()
            }
        })
        .collect();
    if parts.is_empty() {
        "none".to_owned()
    } else {
        parts.join("; ")
    }
}

/// Which execution, which step, since when: what one looks for first.
pub fn first_thing(alert: &Value) -> String {
    let text = |name: &str| alert[name].as_str();
    let mut line = paint(BOLD, description(alert));
    let execution = text("executionName")
        .or_else(|| text("executionId").and_then(|arn| arn.rsplit(':').next()));
    match (execution, text("stateName")) {
        (Some(execution), Some(state)) => {
            line.push_str(&format!(" | execution {execution}, state {state}"))
        }
        (Some(execution), None) => line.push_str(&format!(" | execution {execution}")),
        (None, _) => line.push_str(&format!(
            " | body {}",
            text("eventBody").unwrap_or_default()
        )),
    }
    if let Some(late) = alert["lateBySeconds"].as_f64() {
        line.push_str(&format!(" | {late:.1} s late"));
    }
    if let Some(since) = text("waitBeganAt").or_else(|| text("executionStartTime")) {
        line.push_str(&format!(" | since {since}"));
    }
    line
}
