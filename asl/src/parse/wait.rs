//! A Wait state.

use super::fields::{Fields, SECONDS_MAX};
use super::reader::Reader;
use super::scope::Scope;
use crate::model::{StateKind, Wait, WaitUntil};
use crate::timestamp::Timestamp;

const FIELDS: &[&str] = &[
    "Type",
    "Comment",
    "QueryLanguage",
    "InputPath",
    "OutputPath",
    "Seconds",
    "SecondsPath",
    "Timestamp",
    "TimestampPath",
    "Next",
    "End",
    "Arguments",
    "Output",
    "Assign",
];

pub(super) fn read(
    reader: &mut Reader,
    scope: &mut Scope<'_>,
    fields: &Fields<'_>,
) -> Option<StateKind> {
    fields.only(reader, FIELDS);
    let next = scope.next(reader, fields);
    let one = fields.one_field(
        reader,
        &["SecondsPath", "Seconds", "TimestampPath", "Timestamp"],
    );
    if !one {
        return None;
    }
    let until = if fields.is_jsonata(reader, "Seconds") {
        WaitUntil::SecondsJsonata(fields.jsonata(reader, "Seconds")?)
    } else if fields.is_jsonata(reader, "Timestamp") {
        WaitUntil::TimestampJsonata(fields.jsonata(reader, "Timestamp")?)
    } else if fields.has("Seconds") {
        WaitUntil::Seconds(fields.integer(reader, "Seconds", 0, SECONDS_MAX)?)
    } else if fields.has("SecondsPath") {
        WaitUntil::SecondsPath(fields.reference(reader, "SecondsPath")?)
    } else if fields.has("Timestamp") {
        let text = fields.string(reader, "Timestamp")?;
        let Some(timestamp) = Timestamp::from_asl(text) else {
            reader.schema_hint(
                &fields.at("Timestamp"),
                "String does not match RFC3339 timestamp",
                "Write it like 2026-03-14T01:59:00Z.",
            );
            return None;
        };
        WaitUntil::Timestamp(timestamp)
    } else {
        WaitUntil::TimestampPath(fields.reference(reader, "TimestampPath")?)
    };
    Some(StateKind::Wait(Box::new(Wait { until, next })))
}
