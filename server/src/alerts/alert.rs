//! The value: one alert, so that the reader needs nothing else to begin.
//!
//! Its JSON is published as `schemas/alert.schema.json`. Members are never renamed or taken away: people's
//! programs read them.

use asl::Timestamp;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest, Sha256};

use super::kind::{Kind, Severity};
use crate::gateway::{Disposition, Doubt};

/// How much of a body an alert repeats: with all else it stays far below the 256 KiB that SNS takes.
pub const EVENT_BODY_BYTES_MAX: usize = 65_536;

/// A message about something that somebody should know. Absent members are not known, or do not apply.
///
/// Made with [`Alert::new`]; all that is not set there has `None`, and [`super::Alerts::prepare`] fills in what
/// follows from the rest: the id, the time, the commands and the link.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Alert {
    /// Its id; sorts by time.
    pub alert_id: String,
    /// What it is about.
    pub kind: Kind,
    /// How bad it is.
    pub severity: Severity,
    /// Which part of which server speaks, for example `rejoin gateway, route valuation`.
    pub source: String,
    /// What happened, for people.
    pub description: String,
    /// When it was raised.
    pub raised_at: Moment,
    /// Since when it is so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Moment>,
    /// That what an earlier alert with the same `dedupKey` was about is over.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub resolved: bool,
    /// How many times it happened so far, as this one.
    #[serde(default = "once")]
    pub count: u64,
    /// When it happened first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_at: Option<Moment>,
    /// When it happened last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_at: Option<Moment>,
    /// That this message tells the `count` of one that was sent before with the same `alertId`.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub summary: bool,
    /// Equal for alerts about the same thing.
    #[serde(default)]
    pub dedup_key: String,
    /// Which execution.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub execution_arn: Option<String>,
    /// Its name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub execution_name: Option<String>,
    /// Its machine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state_machine_arn: Option<String>,
    /// Which of its states.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state_name: Option<String>,
    /// When the wait began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wait_began_at: Option<Moment>,
    /// When it ends by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wait_deadline: Option<Moment>,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wait_ended_at: Option<Moment>,
    /// How long it has been open, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wait_age_seconds: Option<f64>,
    /// When its last heartbeat came.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_heartbeat_at: Option<Moment>,
    /// The route on which a callback came or is to come.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub route: Option<String>,
    /// The third party's own name for the work.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    /// The callback's id in the inbox.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delivery_id: Option<String>,
    /// What became of the callback.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disposition: Option<Disposition>,
    /// If it is not verified: what is the matter with what should prove it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub doubt: Option<Doubt>,
    /// When it came.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub received_at: Option<Moment>,
    /// From where.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peer: Option<String>,
    /// The third party's own id of its request; else `deliveryId`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event_request_id: Option<String>,
    /// The body that came, or its beginning.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event_body: Option<String>,
    /// Whether there was more of it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub event_body_truncated: bool,
    /// How long after the end of the wait it came, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub late_by_seconds: Option<f64>,
    /// The topic whose subscriber fails.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub topic: Option<String>,
    /// The subscriber that fails.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subscriber: Option<String>,
    /// The message that it has not taken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message_id: Option<String>,
    /// How often that was tried.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempts: Option<u32>,
    /// What was wrong the last time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_error: Option<String>,
    /// The id of the trace that it belongs to, as W3C's `traceparent` has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace_id: Option<String>,
    /// What to do next, in a sentence.
    pub next_step: String,
    /// Commands to paste.
    #[serde(default)]
    pub look_further: LookFurther,
    /// Where the console shows it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link: Option<String>,
}

/// Commands to paste.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LookFurther {
    /// Shows the callback.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delivery: Option<String>,
    /// Shows the execution's history.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub execution: Option<String>,
    /// Shows the reference.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    /// Shows what was published and who has taken it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub topic: Option<String>,
    /// Shows the alert, and where it was delivered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alert: Option<String>,
    /// Tells the whole story of the callback, the execution or the reference.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace: Option<String>,
}

/// A time, in RFC 3339 where it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment(pub Timestamp);

impl From<Timestamp> for Moment {
    fn from(at: Timestamp) -> Moment {
        Moment(at)
    }
}

impl Serialize for Moment {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Moment {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Moment, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map(Moment).map_err(serde::de::Error::custom)
    }
}

fn once() -> u64 {
    1
}

impl Alert {
    /// An alert of this kind, as bad as its kind is, with the kind's advice.
    pub fn new(kind: Kind, source: impl Into<String>, description: impl Into<String>) -> Alert {
        Alert {
            alert_id: String::new(),
            kind,
            severity: kind.severity(),
            source: source.into(),
            description: description.into(),
            raised_at: Moment(Timestamp(0)),
            since: None,
            resolved: false,
            count: 1,
            first_at: None,
            last_at: None,
            summary: false,
            dedup_key: String::new(),
            execution_arn: None,
            execution_name: None,
            state_machine_arn: None,
            state_name: None,
            wait_began_at: None,
            wait_deadline: None,
            wait_ended_at: None,
            wait_age_seconds: None,
            last_heartbeat_at: None,
            route: None,
            reference: None,
            delivery_id: None,
            disposition: None,
            doubt: None,
            received_at: None,
            peer: None,
            event_request_id: None,
            event_body: None,
            event_body_truncated: false,
            late_by_seconds: None,
            topic: None,
            subscriber: None,
            message_id: None,
            attempts: None,
            last_error: None,
            trace_id: None,
            next_step: kind.next_step().to_owned(),
            look_further: LookFurther::default(),
            link: None,
        }
    }

    /// Says what came, as much of it as an alert repeats.
    pub fn with_event_body(mut self, body: &str, body_bytes: usize) -> Alert {
        let shown = head(body, EVENT_BODY_BYTES_MAX);
        self.event_body_truncated = shown.len() < body_bytes;
        self.event_body = Some(shown.to_owned());
        self
    }

    /// A headline of less than 100 characters, which is how long SNS lets a subject be.
    pub fn subject(&self) -> String {
        let about = match (&self.route, &self.state_name, &self.subscriber) {
            (Some(route), _, _) => format!(" on route {route}"),
            (None, Some(state), _) => format!(" in {state}"),
            (None, None, Some(subscriber)) => format!(" {subscriber}"),
            (None, None, None) => String::new(),
        };
        let over = if self.resolved { "Resolved: " } else { "" };
        let times = match self.count {
            1 => String::new(),
            count => format!(" ({count} times)"),
        };
        let room = SUBJECT_BYTES_MAX.saturating_sub(times.len());
        let subject = format!("{over}{}{about}", self.kind.title());
        // A reference or a subscriber may have anything in it, and a subject is one line.
        let subject: String = head(&subject, room)
            .chars()
            .map(|c| if c.is_control() { ' ' } else { c })
            .collect();
        subject + &times
    }

    /// What is counted together if there is too much of it: alerts of a kind, on a route or of a machine.
    pub(super) fn group_key(&self, topic: Option<&str>) -> String {
        let whose = self
            .route
            .as_ref()
            .or(self.state_machine_arn.as_ref())
            .or(self.topic.as_ref());
        hash(&[topic.unwrap_or_default(), self.kind.name(), text(whose)])
    }

    /// What is told once: the same kind of thing about the same reference, wait or subscriber.
    pub(super) fn made_dedup_key(&self) -> String {
        // Who calls back with a reference is not asked which execution it means. The references of a wait come
        // and go while it is open, and it stays the same wait.
        let callback = matches!(self.kind, Kind::Callback(_)) || self.execution_arn.is_none();
        let route = self.route.as_ref().filter(|_| callback);
        let reference = self.reference.as_ref().filter(|_| callback);
        let wait = reference.is_none();
        let whose = self
            .execution_arn
            .as_ref()
            .or(self.state_machine_arn.as_ref());
        // Of an engine there is no more than the source.
        let engine = (self.kind == Kind::EngineUnreachable).then_some(&self.source);
        let mut parts = vec![
            self.kind.name(),
            text(engine),
            text(route),
            text(reference),
            text(whose.filter(|_| wait)),
            text(self.state_name.as_ref().filter(|_| wait)),
            text(self.topic.as_ref()),
            text(self.subscriber.as_ref()),
        ];
        // Who is not believed for one reason does not hide who is not for another.
        parts.extend(self.doubt.map(Doubt::name));
        hash(&parts)
    }
}

fn text(part: Option<&String>) -> &str {
    part.map_or("", String::as_str)
}

/// Equal for equal parts, and short.
fn hash(parts: &[&str]) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part.as_bytes());
    }
    URL_SAFE_NO_PAD.encode(&hash.finalize()[..16])
}

/// SNS wants subjects of less than 100 characters.
const SUBJECT_BYTES_MAX: usize = 99;

/// The first characters of `text` that fit into `bytes_max`.
pub(super) fn head(text: &str, bytes_max: usize) -> &str {
    if text.len() <= bytes_max {
        return text;
    }
    let mut end = bytes_max;
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}
