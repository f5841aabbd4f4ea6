//! A line of a story.

use std::sync::Arc;

use asl::Timestamp;
use serde::Serialize;

/// What kind of thing happened; it decides the colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Kind {
    /// To the execution as a whole.
    Execution,
    /// A state did its work.
    State,
    /// A request left, or was taken.
    Request,
    /// A reference was registered.
    Reference,
    /// A sign of life.
    Heartbeat,
    /// A callback came.
    Callback,
    /// A callback came that was not what it should be.
    Odd,
    /// Another attempt.
    Retry,
    /// Somebody was told.
    Alert,
    /// It went well.
    Good,
    /// It went wrong.
    Bad,
}

/// One thing that happened.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Entry {
    #[serde(serialize_with = "written")]
    pub at: Timestamp,
    pub kind: Kind,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state_name: Option<Arc<str>>,
    pub text: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delivery_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub route: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disposition: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub alert_id: Option<String>,
    /// Of a callback: the trace that it says it belongs to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub traceparent: Option<String>,
}

impl Entry {
    pub fn new(at: Timestamp, kind: Kind, text: &str) -> Entry {
        Entry {
            at,
            kind,
            state_name: None,
            text: text.to_owned(),
            delivery_id: None,
            reference: None,
            route: None,
            disposition: None,
            alert_id: None,
            traceparent: None,
        }
    }

    pub fn of_state(at: Timestamp, kind: Kind, state: &Arc<str>, text: &str) -> Entry {
        Entry {
            state_name: Some(state.clone()),
            ..Entry::new(at, kind, text)
        }
    }
}

fn written<S: serde::Serializer>(at: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(at)
}
