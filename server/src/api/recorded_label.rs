//! What CreateStateMachine and UpdateStateMachine say of a faulty `Label`, word for word as recorded.
//!
//! The recordings (`test_sfn_api_map_run.py`, `test_map_state_label_*`) hold the text of a Python
//! exception, which is surely not AWS's own: it looks like that of the emulator they were made with.
//! They are what our behaviour is held against, so it is given here and nowhere else. What is wrong
//! and where, ValidateStateMachineDefinition says in the words and places of all other diagnostics.

use std::fmt::Write;

use asl::parse::LabelFault;
use asl::{Diagnostic, Severity};
use serde_json::Value;

use super::error::ApiError;

/// The recorded refusal of `definition`, if its first error is a label's.
pub(super) fn refusal(definition: &str, found: &[Diagnostic]) -> Option<ApiError> {
    let first = found.iter().find(|d| d.severity == Severity::Error)?;
    if !first.pointer.ends_with("/Label") {
        return None;
    }
    let parsed: Value = serde_json::from_str(definition).ok()?;
    let why = match asl::parse::label_fault(&parsed)? {
        LabelFault::Character(character) => {
            let shown = repr(character.encode_utf8(&mut [0; 4]));
            format!("Label contains invalid character: {shown}")
        }
        fault => fault.to_string(),
    };
    Some(ApiError::new(
        "InvalidDefinition",
        format!(
            "Error=ValueError Args=[{}] in definition '{definition}'.",
            repr(&why)
        ),
    ))
}

/// Text as Python's `repr` writes it.
fn repr(text: &str) -> String {
    let quote = match text.contains('\'') && !text.contains('"') {
        true => '"',
        false => '\'',
    };
    let mut shown = String::from(quote);
    for c in text.chars() {
        let code = u32::from(c);
        let hidden = c.is_control() || (c.is_whitespace() && c != ' ');
        // Writing to a String cannot fail.
        let _ = match c {
            '\\' => write!(shown, "\\\\"),
            '\n' => write!(shown, "\\n"),
            '\r' => write!(shown, "\\r"),
            '\t' => write!(shown, "\\t"),
            c if c == quote => write!(shown, "\\{c}"),
            _ if hidden && code < 0x100 => write!(shown, "\\x{code:02x}"),
            _ if hidden => write!(shown, "\\u{code:04x}"),
            c => write!(shown, "{c}"),
        };
    }
    shown.push(quote);
    shown
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::api::definition::accept;
    use crate::machines::MachineType;

    #[test]
    fn a_faulty_label_is_refused_in_the_recorded_words() {
        for (label, expected) in [
            ("", "'Label cannot be empty'"),
            (&"x".repeat(41), "'Label cannot exceed 40 characters'"),
            ("a b", r#""Label contains invalid character: ' '""#),
            ("a\\", r#""Label contains invalid character: '\\\\'""#),
            ("a\n", r#""Label contains invalid character: '\\n'""#),
            ("a\u{7f}", r#""Label contains invalid character: '\\x7f'""#),
            (
                "a\u{2028}",
                r#""Label contains invalid character: '\\u2028'""#,
            ),
            ("a\"", r#"'Label contains invalid character: \'"\''"#),
        ] {
            let definition = json!({"StartAt": "M", "States": {"M": {
                "Type": "Map", "Label": label, "End": true, "ItemProcessor": {
                    "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"},
                    "StartAt": "P", "States": {"P": {"Type": "Pass", "End": true}}}}}});
            let definition = definition.to_string();
            let Err(error) = accept(&definition, MachineType::Standard) else {
                panic!("{label:?} was accepted")
            };
            assert_eq!(
                error.message,
                format!("Error=ValueError Args=[{expected}] in definition '{definition}'.")
            );
        }
    }
}
