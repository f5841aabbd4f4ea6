//! A subscriber that is a channel of Slack, or of whatever takes Slack's incoming webhooks.

use serde::Deserialize;
use serde_json::{Value, json};

use super::delivery::address_key;
use super::reading::{Reading, cut};
use crate::alerts::Severity;
use crate::client::address;
use crate::gateway::verify::secret::SecretSource;

/// Slack's limits, in characters: of a header, of a section's text, of one of its fields; and how many fields
/// a section has.
const HEADER_CHARS_MAX: usize = 150;
const TEXT_CHARS_MAX: usize = 3000;
const FIELD_CHARS_MAX: usize = 2000;
const FIELDS_MAX: usize = 10;

/// `{ slack = {...} }`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SlackConfig {
    /// The webhook's URL, which is a secret: `env:NAME`, `file:PATH` or the URL itself.
    pub url: SecretSource,
}

/// A channel.
pub struct Slack {
    /// Where it is.
    pub url: String,
}

impl Slack {
    /// The error completes the sentence "the topic NAME ...".
    pub fn new(config: &SlackConfig) -> Result<Slack, String> {
        let url = config
            .url
            .read()
            .map_err(|what| format!("has a Slack `url` that {what}"))?;
        // The URL is a secret, so it is not shown.
        address(&url).map_err(|_| {
            "has a Slack `url` that is no URL; it begins with https://hooks.slack.com/".to_owned()
        })?;
        Ok(Slack { url })
    }

    /// Names it in stored messages, without what is secret of it.
    pub fn key(&self) -> String {
        address_key("slack", &self.url, &self.url)
    }
}

/// A message in blocks; `text` is what a notification shows.
pub fn body(reading: &Reading) -> Value {
    let sign = match (reading.resolved, reading.severity) {
        (true, _) => ":white_check_mark:",
        (false, Severity::Critical) => ":rotating_light:",
        (false, Severity::Error) => ":red_circle:",
        (false, Severity::Warning) => ":warning:",
        (false, Severity::Info) => ":information_source:",
    };
    let section = |text: String| json!({ "type": "section", "text": { "type": "mrkdwn", "text": cut(&text, TEXT_CHARS_MAX) } });
    let title = cut(&format!("{sign} {}", reading.title), HEADER_CHARS_MAX);
    let mut blocks = vec![
        json!({ "type": "header", "text": { "type": "plain_text", "text": title, "emoji": true } }),
        section(escaped(&reading.text)),
    ];
    for facts in reading.facts.chunks(FIELDS_MAX) {
        let fields: Vec<Value> = facts
            .iter()
            .map(|(name, value)| {
                let text = format!("*{}*\n{}", escaped(name), escaped(value));
                json!({ "type": "mrkdwn", "text": cut(&text, FIELD_CHARS_MAX) })
            })
            .collect();
        blocks.push(json!({ "type": "section", "fields": fields }));
    }
    if let Some(next_step) = &reading.next_step {
        blocks.push(section(format!("*Next:* {}", escaped(next_step))));
    }
    if !reading.commands.is_empty() {
        let commands = escaped(&reading.commands.join("\n"));
        blocks.push(section(format!(
            "```{}```",
            cut(&commands, TEXT_CHARS_MAX - 6)
        )));
    }
    let mut context = escaped(&reading.source);
    if let Some(link) = &reading.link {
        context = format!("{context} · <{link}|Open in the console>");
    }
    blocks.push(json!({
        "type": "context",
        "elements": [{ "type": "mrkdwn", "text": cut(&context, TEXT_CHARS_MAX) }],
    }));
    json!({
        "text": cut(&format!("{sign} {}: {}", escaped(&reading.title), escaped(&reading.text)), TEXT_CHARS_MAX),
        "blocks": blocks,
    })
}

/// Slack's three control characters.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}
