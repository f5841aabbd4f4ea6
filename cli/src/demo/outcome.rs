//! What came of a row, read over HTTP as anybody could, and whether it is as it must be.

use std::time::Instant;

use asl::Timestamp;
use serde_json::{Value, json};

use super::rows::Row;
use super::stage::Stage;

/// What came of a row.
pub struct Outcome {
    /// The row.
    pub row: &'static Row,
    /// The execution's status.
    pub status: String,
    /// Its error.
    pub error: Option<String>,
    /// What the gateway made of each callback, as in [`Row::dispositions`].
    pub dispositions: Vec<String>,
    /// The messages on the error topic.
    pub alerts: Vec<Value>,
    /// From the start to the execution's end or the last callback, whichever was later.
    pub virtual_seconds: f64,
    /// How long that took.
    pub real_ms: f64,
}

impl Outcome {
    /// Whether all is as the row says.
    pub fn ok(&self) -> bool {
        let described = self.alerts.iter().map(description);
        self.status == self.row.status
            && self.error.as_deref() == self.row.error
            && self.dispositions == self.row.dispositions
            && self.alerts.len() == self.row.alerts.len()
            && described
                .zip(self.row.alerts)
                .all(|(is, must)| is.starts_with(must))
    }

    /// As one JSON object.
    pub fn json(&self) -> Value {
        json!({
            "scenario": self.row.scenario,
            "status": self.status,
            "error": self.error,
            "dispositions": self.dispositions,
            "alerts": self.alerts,
            "virtual_seconds": self.virtual_seconds,
            "real_ms": self.real_ms,
            "ok": self.ok(),
        })
    }
}

/// What an alert says in short.
pub fn description(alert: &Value) -> &str {
    alert["description"].as_str().unwrap_or_default()
}

/// Reads what came of `execution`, which was started at `from` for `row`.
pub async fn read(
    stage: &Stage,
    row: &'static Row,
    execution: String,
    from: Timestamp,
    begun: Instant,
) -> Result<Outcome, String> {
    let described = stage
        .get(&format!("/rejoin/executions/{execution}"))
        .await?;
    let mut last = moment(&described["stopDate"]).unwrap_or(from);
    let mut dispositions = Vec::new();
    let mut ids = Vec::new();
    for delivery in stage.deliveries_about(row).await? {
        last = last.max(moment(&delivery["receivedAt"]).unwrap_or(from));
        let steps = delivery["dispositions"].as_array().into_iter().flatten();
        let names: Vec<&str> = steps
            .filter_map(|step| step["disposition"].as_str())
            .collect();
        dispositions.push(names.join(", then "));
        ids.push(delivery["id"].clone());
    }
    let mut alerts = stage.alerts().await?;
    alerts.retain(|alert| {
        // The workflow's own messages say executionId, the gateway's executionArn.
        alert["executionId"] == *execution
            || alert["executionArn"] == *execution
            || ids.contains(&alert["deliveryId"])
    });
    let text = |name: &str| described[name].as_str().map(str::to_owned);
    Ok(Outcome {
        row,
        status: text("status").unwrap_or_default(),
        error: text("error"),
        dispositions,
        alerts,
        virtual_seconds: (last.0 - from.0) as f64 / 1000.0,
        real_ms: begun.elapsed().as_secs_f64() * 1000.0,
    })
}

fn moment(text: &Value) -> Option<Timestamp> {
    text.as_str()?.parse().ok()
}
