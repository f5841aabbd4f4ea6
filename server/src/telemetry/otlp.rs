//! Spans as OTLP writes them in JSON: members in lower camel case, ids in hexadecimal, numbers of 64 bits as text,
//! enums as numbers.

use std::collections::BTreeMap;

use asl::Timestamp;
use engine::{SpanId, TraceId};
use serde_json::{Value, json};

/// `SpanKind`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Internal = 1,
    Server = 2,
    Client = 3,
    Producer = 4,
    Consumer = 5,
}

/// Of `SpanFlags`: the trace is recorded; it is said whether the parent is somebody else's; it is.
const SAMPLED: u32 = 0x001;
const HAS_IS_REMOTE: u32 = 0x100;
const IS_REMOTE: u32 = 0x200;

/// `STATUS_CODE_ERROR`.
const ERROR: u32 = 2;

/// A value of an attribute.
pub(super) enum Attribute {
    Text(String),
    Number(i64),
}

impl From<&str> for Attribute {
    fn from(text: &str) -> Attribute {
        Attribute::Text(text.to_owned())
    }
}

impl From<String> for Attribute {
    fn from(text: String) -> Attribute {
        Attribute::Text(text)
    }
}

impl From<u32> for Attribute {
    fn from(number: u32) -> Attribute {
        Attribute::Number(number.into())
    }
}

/// What is said of something, by name.
#[derive(Default)]
pub(super) struct Attributes(Vec<(&'static str, Attribute)>);

impl Attributes {
    pub fn with(mut self, name: &'static str, value: impl Into<Attribute>) -> Attributes {
        self.0.push((name, value.into()));
        self
    }

    /// The same, if there is a value.
    pub fn perhaps(self, name: &'static str, value: Option<impl Into<Attribute>>) -> Attributes {
        match value {
            Some(value) => self.with(name, value),
            None => self,
        }
    }

    fn json(&self) -> Value {
        self.0
            .iter()
            .map(|(name, value)| match value {
                Attribute::Text(text) => json!({ "key": name, "value": { "stringValue": text } }),
                Attribute::Number(number) => {
                    json!({ "key": name, "value": { "intValue": number.to_string() } })
                }
            })
            .collect()
    }
}

/// Something that happened while a span lasted.
pub(super) struct Event {
    pub at: Timestamp,
    pub name: &'static str,
    pub attributes: Attributes,
}

/// Another span that this one has to do with.
pub(super) struct Link {
    pub trace: TraceId,
    pub span: SpanId,
    pub attributes: Attributes,
}

/// A span.
pub(super) struct Written {
    pub trace: TraceId,
    pub id: SpanId,
    pub parent: Option<SpanId>,
    /// Whether the parent is somebody else's.
    pub remote: bool,
    /// `tracestate`.
    pub state: Option<String>,
    pub name: String,
    pub kind: Kind,
    pub began: Timestamp,
    pub ended: Timestamp,
    pub attributes: Attributes,
    pub events: Vec<Event>,
    pub dropped_events: u32,
    pub links: Vec<Link>,
    /// What went wrong, if something did.
    pub error: Option<String>,
}

impl Written {
    /// As a member of `spans`.
    pub fn text(&self) -> String {
        let mut flags = SAMPLED;
        if self.parent.is_some() {
            flags |= HAS_IS_REMOTE;
        }
        if self.remote {
            flags |= IS_REMOTE;
        }
        let events: Vec<Value> = self
            .events
            .iter()
            .map(|event| {
                json!({
                    "timeUnixNano": nanoseconds(event.at),
                    "name": event.name,
                    "attributes": event.attributes.json(),
                })
            })
            .collect();
        let links: Vec<Value> = self
            .links
            .iter()
            .map(|link| {
                json!({
                    "traceId": link.trace.to_string(),
                    "spanId": link.span.to_string(),
                    "attributes": link.attributes.json(),
                })
            })
            .collect();
        let status = match &self.error {
            Some(message) => json!({ "code": ERROR, "message": message }),
            None => json!({}),
        };
        json!({
            "traceId": self.trace.to_string(),
            "spanId": self.id.to_string(),
            "traceState": self.state.as_deref().unwrap_or_default(),
            // Empty for the first of a trace.
            "parentSpanId": self.parent.map(|parent| parent.to_string()).unwrap_or_default(),
            "flags": flags,
            "name": self.name,
            "kind": self.kind as u32,
            "startTimeUnixNano": nanoseconds(self.began),
            "endTimeUnixNano": nanoseconds(self.ended),
            "attributes": self.attributes.json(),
            "events": events,
            "droppedEventsCount": self.dropped_events,
            "links": links,
            "status": status,
        })
        .to_string()
    }
}

/// What stands before the spans of a request, and behind them.
pub(super) fn around(resource: &BTreeMap<String, String>) -> (String, &'static str) {
    let attributes: Vec<Value> = resource
        .iter()
        .map(|(name, value)| json!({ "key": name, "value": { "stringValue": value } }))
        .collect();
    let resource = json!({ "attributes": attributes });
    let scope = json!({ "name": "rejoin", "version": env!("CARGO_PKG_VERSION") });
    (
        format!(
            "{{\"resourceSpans\":[{{\"resource\":{resource},\"scopeSpans\":[{{\"scope\":{scope},\"spans\":["
        ),
        "]}]}]}",
    )
}

/// Since 1970; what is before that is not told apart.
fn nanoseconds(at: Timestamp) -> String {
    let millis = u64::try_from(at.0).unwrap_or_default();
    (u128::from(millis) * 1_000_000).to_string()
}
