//! JSON as YAML that a person likes to read: what fits is on one line, everything else is a block.

use serde_json::Value;

/// How long a line may be.
const WIDTH: usize = 100;

/// An object or a list, one member or element a line at least.
pub(super) fn text(value: &Value) -> String {
    let mut text = String::new();
    block(value, 0, &mut text);
    text
}

fn block(value: &Value, indent: usize, text: &mut String) {
    let margin = " ".repeat(indent);
    match value {
        Value::Object(members) if !members.is_empty() => {
            for (name, value) in members {
                let name = scalar(name);
                text.push_str(&format!("{margin}{name}:"));
                under(value, indent + 2, indent + name.len() + 1, text);
            }
        }
        Value::Array(items) if !items.is_empty() => {
            for item in items {
                let mut inside = String::new();
                block(item, indent + 2, &mut inside);
                let line = flow(item);
                match item {
                    // The first member stands beside the dash.
                    Value::Object(_) | Value::Array(_) if indent + line.len() + 2 > WIDTH => {
                        text.push_str(&format!("{margin}- {}", inside.trim_start()));
                    }
                    _ => text.push_str(&format!("{margin}- {line}\n")),
                }
            }
        }
        other => text.push_str(&format!("{margin}{}\n", flow(other))),
    }
}

/// A member's value, behind its name or below it.
fn under(value: &Value, indent: usize, before: usize, text: &mut String) {
    let line = flow(value);
    let is_block = match value {
        Value::Object(members) => !members.is_empty(),
        Value::Array(items) => !items.is_empty(),
        _ => false,
    };
    if is_block && before + line.len() + 1 > WIDTH {
        text.push('\n');
        block(value, indent, text);
    } else {
        text.push_str(&format!(" {line}\n"));
    }
}

fn flow(value: &Value) -> String {
    let joined = |parts: Vec<String>| parts.join(", ");
    match value {
        Value::String(text) => scalar(text),
        Value::Array(items) => format!("[{}]", joined(items.iter().map(flow).collect())),
        Value::Object(members) => {
            let members = members.iter();
            let members = members.map(|(name, value)| format!("{}: {}", scalar(name), flow(value)));
            format!("{{{}}}", joined(members.collect()))
        }
        other => other.to_string(),
    }
}

/// A text, in quotes if it could be read as anything else.
fn scalar(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | '/');
    let begins = text.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '/');
    let words = ["true", "false", "null", "yes", "no", "on", "off", "y", "n"];
    let is_number = text.parse::<f64>().is_ok() || text.starts_with("0x") || text.starts_with("0o");
    let is_word = words.contains(&text.to_ascii_lowercase().as_str());
    match begins && !is_number && !is_word && text.chars().all(plain) {
        true => text.to_owned(),
        false => Value::from(text).to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use source::Source;

    #[test]
    fn what_is_written_is_read_again() {
        let value = json!({
            "name": "a case: with # all", "number": 7, "text": "7", "zeros": "007", "yes": "no", "empty": {}, "none": [],
            "time": [{ "100ms": "heartbeat" }, { "3s": { "callback": { "path": "/a/b", "raw": "{ no \"JSON\"\n" } } }],
            "long": [{ "first": "x".repeat(90), "second": ["y".repeat(90), { "deep": [1, [2, 3], null, true, 1.5] }] }],
            "lists": [["z".repeat(60), "z".repeat(60)], []], "{% $x %}": "{% $y %}", "": "é \u{1} %",
        });
        let written = text(&value);
        let source = Source::of("a.yaml", written.clone(), true);
        assert_eq!(source.value().ok(), Some(value), "{written}");
    }
}
