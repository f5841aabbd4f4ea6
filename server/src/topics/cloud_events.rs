//! A subscriber that takes CloudEvents 1.0 over HTTP.
//!
//! In the structured mode the event is one JSON document; in the binary mode the message is the body, and all
//! else is in headers.

use serde::Deserialize;
use serde_json::{Map, Value};

use super::message::Message;
use super::reading::Reading;
use crate::trace::{Sent, TRACEPARENT, TRACESTATE};

/// `{ cloudevents = {...} }`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CloudEventsConfig {
    /// HTTP or HTTPS.
    pub url: String,
    /// How an event is written.
    #[serde(default)]
    pub mode: Mode,
}

/// How an event is written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// As one JSON document.
    #[default]
    Structured,
    /// Its data as the body, its attributes as headers.
    Binary,
}

/// An event as a request: headers and body.
pub fn request(
    mode: Mode,
    topic_arn: &str,
    reading: &Reading,
    message: &Message,
) -> (Vec<(String, String)>, String) {
    let json = serde_json::from_str::<Value>(&message.message);
    let data_type = match &json {
        Ok(_) => "application/json",
        Err(_) => "text/plain; charset=utf-8",
    };
    let kind = match reading.schema {
        Some(_) => format!("rejoin.alert.{}", reading.class),
        None => format!("rejoin.{}", reading.class),
    };
    let mut attributes = vec![
        ("specversion", "1.0".to_owned()),
        ("id", message.id.clone()),
        // An ARN is a URI.
        ("source", topic_arn.to_owned()),
        ("type", kind),
        ("time", message.published_at.to_string()),
    ];
    attributes.extend(reading.about.clone().map(|about| ("subject", about)));
    // Of the extension for distributed tracing.
    let trace = message.sent();
    let members = trace.iter().flat_map(Sent::headers);
    let members = members.filter(|(name, _)| [TRACEPARENT, TRACESTATE].contains(name));
    attributes.extend(members.map(|(name, value)| (name, value.to_owned())));
    attributes.extend(reading.schema.map(|id| ("dataschema", id.to_owned())));
    match mode {
        Mode::Structured => {
            let mut event: Map<String, Value> = attributes
                .into_iter()
                .map(|(name, value)| (name.to_owned(), value.into()))
                .collect();
            event.insert("datacontenttype".to_owned(), data_type.into());
            let data = json.unwrap_or_else(|_| message.message.as_str().into());
            event.insert("data".to_owned(), data);
            let kind = "application/cloudevents+json; charset=UTF-8";
            let headers = vec![("content-type".to_owned(), kind.to_owned())];
            (headers, Value::Object(event).to_string())
        }
        Mode::Binary => {
            let named = |(name, value): (&str, String)| (format!("ce-{name}"), encoded(&value));
            let mut headers: Vec<_> = attributes.into_iter().map(named).collect();
            headers.push(("content-type".to_owned(), data_type.to_owned()));
            (headers, message.message.clone())
        }
    }
}

/// An attribute as a header has it: what is not visible ASCII, and quotes and percent signs, as `%XX`.
fn encoded(value: &str) -> String {
    let mut text = String::with_capacity(value.len());
    for byte in value.bytes() {
        match byte {
            b'"' | b'%' | 0..=b' ' | 0x7f.. => text.push_str(&format!("%{byte:02X}")),
            plain => text.push(plain.into()),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::encoded;

    /// The second is an example of the specification.
    #[test]
    fn a_header_has_visible_ascii_only() {
        let rows = [
            ("arn:aws:sns:x:y:z", "arn:aws:sns:x:y:z"),
            ("Euro € 😀", "Euro%20%E2%82%AC%20%F0%9F%98%80"),
            ("50% \"\u{7f}\"", "50%25%20%22%7F%22"),
        ];
        for (value, expected) in rows {
            assert_eq!(encoded(value), expected);
        }
    }
}
