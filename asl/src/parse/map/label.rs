//! `Label`: what the names of a distributed Map's Map Runs begin with.

use std::fmt;
use std::sync::Arc;

use serde_json::Value;

use crate::parse::fields::Fields;
use crate::parse::reader::{Reader, shared};

/// The most characters that a label may have (AWS).
const CHARACTERS_MAX: usize = 40;

/// What is wrong with a label.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LabelFault {
    /// It is empty.
    Empty,
    /// It has more than 40 characters.
    TooLong,
    /// It has a character that none may have.
    Character(char),
}

impl fmt::Display for LabelFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LabelFault::Empty => write!(f, "Label cannot be empty"),
            LabelFault::TooLong => write!(f, "Label cannot exceed {CHARACTERS_MAX} characters"),
            LabelFault::Character(character) => {
                write!(f, "Label contains invalid character: {character:?}")
            }
        }
    }
}

/// What is wrong with `label`, if anything is.
fn fault(label: &str) -> Option<LabelFault> {
    if label.is_empty() {
        return Some(LabelFault::Empty);
    }
    if label.chars().count() > CHARACTERS_MAX {
        return Some(LabelFault::TooLong);
    }
    let stands_out =
        |c: &char| c.is_whitespace() || c.is_control() || "?*<>{}[]:;,\\|^~$#%&`\"".contains(*c);
    label.chars().find(stands_out).map(LabelFault::Character)
}

/// What is wrong with the first faulty label of a whole definition.
pub fn label_fault(definition: &Value) -> Option<LabelFault> {
    match definition {
        Value::Object(members) => {
            let label = members.get("Label").and_then(Value::as_str);
            let is_map = members.get("Type").and_then(Value::as_str) == Some("Map");
            let own = label.filter(|_| is_map).and_then(fault);
            own.or_else(|| members.values().find_map(label_fault))
        }
        Value::Array(items) => items.iter().find_map(label_fault),
        _ => None,
    }
}

pub(super) fn read(reader: &mut Reader, fields: &Fields<'_>) -> Option<Arc<str>> {
    let label = fields.string(reader, "Label")?;
    let pointer = fields.at("Label");
    if let Some(fault) = fault(label) {
        reader.schema(&pointer, fault.to_string());
    } else if let Some(first) = reader.label(label, &pointer) {
        reader.error(
            "DUPLICATE_LABEL_NAME",
            &pointer,
            format!("Duplicate Label name: {label}"),
            Some(format!(
                "It stands at {first} too. Labels are unique in the whole definition."
            )),
        );
    }
    Some(shared(label))
}
