//! What happens, as it happens: callbacks, alerts and ends, for `--real-time`.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::report::first_thing;
use super::stage::Stage;
use crate::colour::{GREEN, RED, YELLOW, paint};

/// How often it looks: often enough to seem at once.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// Prints a line, on stderr so that `--json` stays clean, for whatever is new, until it is ended.
pub async fn watch(stage: Stage) {
    let begun = Instant::now();
    let mut seen = HashSet::new();
    loop {
        match news(&stage).await {
            Ok(news) => {
                for item in news {
                    let line = item.line();
                    if seen.insert(line.clone()) {
                        eprintln!("  {:>5.1} s  {line}", begun.elapsed().as_secs_f64());
                    }
                }
            }
            Err(what) => eprintln!("  the server can't be asked: {what}"),
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// Everything that has happened so far.
async fn news(stage: &Stage) -> Result<Vec<News>, String> {
    let deliveries = stage.deliveries().await?.into_iter().map(News::Delivery);
    let alerts = stage.alerts().await?.into_iter().map(News::Alert);
    let ended = stage.ended().await?.into_iter().map(News::End);
    Ok(deliveries.chain(alerts).chain(ended).collect())
}

/// Something that has happened.
enum News {
    /// A callback, with what became of it.
    Delivery(Value),
    /// A message on the error topic.
    Alert(Value),
    /// An execution that is not running any more.
    End(Value),
}

impl News {
    fn line(&self) -> String {
        let text = |value: &Value, name: &str| value[name].as_str().unwrap_or_default().to_owned();
        match self {
            News::Delivery(delivery) => {
                let whose = match delivery["executionName"].as_str() {
                    Some(name) => format!("for {name}"),
                    None => format!(
                        "reference {}",
                        delivery["reference"].as_str().unwrap_or("unreadable")
                    ),
                };
                let id = text(delivery, "id");
                format!(
                    "callback {whose}: {} (delivery {id})",
                    text(delivery, "disposition")
                )
            }
            News::Alert(alert) => format!("{} {}", paint(YELLOW, "alert"), first_thing(alert)),
            News::End(execution) => {
                let status = text(execution, "status");
                let colour = if status == "SUCCEEDED" { GREEN } else { RED };
                format!(
                    "execution {}: {}",
                    text(execution, "name"),
                    paint(colour, &status)
                )
            }
        }
    }
}
