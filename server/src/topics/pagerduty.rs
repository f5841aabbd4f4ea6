//! A subscriber that wakes somebody: PagerDuty's Events API v2.
//!
//! Messages about the same thing have the same `dedup_key`, so that they make one incident; one that says that
//! it is over resolves it.

use serde::Deserialize;
use serde_json::{Value, json};

use super::delivery::address_key;
use super::message::Message;
use super::reading::{Reading, cut};
use crate::client::address;
use crate::gateway::verify::secret::SecretSource;

/// Where PagerDuty takes events.
const URL: &str = "https://events.pagerduty.com/v2/enqueue";

/// PagerDuty's limit, in characters.
const SUMMARY_CHARS_MAX: usize = 1024;

/// `{ pagerduty = {...} }`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PagerDutyConfig {
    /// The integration key of a service: `env:NAME`, `file:PATH` or the key itself.
    pub routing_key: SecretSource,
    /// Where events are taken, if not at PagerDuty's own; in Europe it is another one.
    #[serde(default)]
    pub url: Option<String>,
}

/// A service of PagerDuty.
pub struct PagerDuty {
    /// Where events are taken.
    pub url: String,
    routing_key: String,
}

impl PagerDuty {
    /// The error completes the sentence "the topic NAME ...".
    pub fn new(config: &PagerDutyConfig) -> Result<PagerDuty, String> {
        let routing_key = config
            .routing_key
            .read()
            .map_err(|what| format!("has a PagerDuty `routing_key` that {what}"))?;
        let url = config.url.clone().unwrap_or_else(|| URL.to_owned());
        address(&url).map_err(|what| format!("has a wrong PagerDuty `url`: {what}"))?;
        Ok(PagerDuty { url, routing_key })
    }

    /// Names it in stored messages, without its key.
    pub fn key(&self) -> String {
        address_key("pagerduty", &self.url, &self.routing_key)
    }

    /// What is sent.
    pub fn body(&self, reading: &Reading, message: &Message) -> Value {
        let summary = match reading.text.contains(&reading.title) {
            true => reading.text.clone(),
            false => format!("{}: {}", reading.title, reading.text),
        };
        let mut event = json!({
            "routing_key": self.routing_key,
            "event_action": if reading.resolved { "resolve" } else { "trigger" },
            "dedup_key": reading.dedup_key,
            "payload": {
                "summary": cut(&summary, SUMMARY_CHARS_MAX),
                "source": reading.source,
                "severity": reading.severity,
                "timestamp": message.published_at.to_string(),
                "class": reading.class,
                "custom_details": reading.details,
            },
        });
        if let Some(about) = &reading.about {
            event["payload"]["component"] = about.as_str().into();
        }
        if let Some(link) = &reading.link {
            event["client"] = "Rejoin".into();
            event["client_url"] = link.as_str().into();
            event["links"] = json!([{ "href": link, "text": "Open in the console" }]);
        }
        event
    }
}
