//! One event of a history as CloudWatch Logs gets it: the members of AWS's log events, all of them text.

use asl::Timestamp;
use engine::{HistoryEvent, TraceId};
use serde_json::{Map, Value, json};

/// AWS logs so much of an input or an output and says that it was cut: an event of CloudWatch Logs
/// takes 256 KiB, and the rest of the event has to fit too.
const PAYLOAD_BYTES_MAX: usize = 248 * 1024;

/// A line for a log.
#[derive(Debug)]
pub(super) struct Line {
    /// When it happened.
    pub(super) at: Timestamp,
    /// JSON.
    pub(super) text: String,
}

impl Line {
    pub(super) fn of(
        event: HistoryEvent,
        execution_arn: &str,
        redrives: u32,
        trace: Option<TraceId>,
    ) -> Line {
        let mut details = event.details.unwrap_or_default();
        for name in ["input", "output"] {
            shorten(&mut details, name);
        }
        let mut text = json!({
            "id": event.id.to_string(),
            "type": event.event_type,
            "details": details,
            "previous_event_id": event.previous_event_id.to_string(),
            "event_timestamp": event.at.0.to_string(),
            "execution_arn": execution_arn,
            "redrive_count": redrives.to_string(),
        });
        if let Some(trace) = trace {
            text["trace_id"] = trace.to_string().into();
        }
        Line {
            at: event.at,
            text: text.to_string(),
        }
    }
}

fn shorten(details: &mut Map<String, Value>, name: &str) {
    let Some(Value::String(text)) = details.get_mut(name) else {
        return;
    };
    if text.len() > PAYLOAD_BYTES_MAX {
        let end = (0..=PAYLOAD_BYTES_MAX)
            .rev()
            .find(|end| text.is_char_boundary(*end))
            .unwrap_or(0);
        text.truncate(end);
        details.insert(format!("{name}Details"), json!({ "truncated": true }));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_input_is_cut_and_says_so() {
        let details =
            json!({ "input": "é".repeat(130_000), "inputDetails": { "truncated": false } });
        let event = HistoryEvent {
            id: 1,
            previous_event_id: 0,
            at: Timestamp(5),
            event_type: "ExecutionStarted".to_owned(),
            details: details.as_object().cloned(),
        };
        let line = Line::of(event, "arn", 2, Some(TraceId(7)));
        let read: Value = serde_json::from_str(&line.text).expect("JSON");
        assert_eq!(read["details"]["inputDetails"]["truncated"], true);
        assert_eq!(read["trace_id"], TraceId(7).to_string());
        let kept = read["details"]["input"].as_str().map(str::len);
        assert_eq!(kept, Some(PAYLOAD_BYTES_MAX));
        assert_eq!(
            (&read["id"], &read["redrive_count"]),
            (&"1".into(), &"2".into())
        );
    }
}
