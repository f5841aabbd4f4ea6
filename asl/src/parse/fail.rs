//! A Fail state.

use super::fields::{Fields, looks_like_expression};
use super::reader::{Reader, shared};
use super::scope::Scope;
use crate::model::{Fail, QueryLanguage, StateKind, Text};

const FIELDS: &[&str] = &[
    "Type",
    "Comment",
    "QueryLanguage",
    "Error",
    "ErrorPath",
    "Cause",
    "CausePath",
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
    scope.ends();
    let error = text(reader, fields, "Error", "ErrorPath");
    let cause = text(reader, fields, "Cause", "CausePath");
    Some(StateKind::Fail(Box::new(Fail { error, cause })))
}

fn text(reader: &mut Reader, fields: &Fields<'_>, given: &str, looked_up: &str) -> Option<Text> {
    fields.exclusive(reader, &[given, looked_up]);
    if fields.has(looked_up) {
        return fields.expression(reader, looked_up).map(Text::Expression);
    }
    if fields.is_jsonata(reader, given) {
        return fields.jsonata(reader, given).map(Text::Jsonata);
    }
    let text = fields.string(reader, given)?;
    if reader.language == QueryLanguage::JsonPath && looks_like_expression(text) {
        reader.warning(
            "NO_PATH",
            &fields.at(given),
            format!("The value of '{given}' looks like a path or a function, and is taken as text"),
            &format!("Call the field '{looked_up}' to have it evaluated."),
        );
    }
    Some(Text::Fixed(shared(text)))
}
