//! Reading a file's value: what may stand where, and where what should not stands.

use asl::nearest;
use serde_json::{Map, Value};
use source::{Found, Part, Source};

/// Something that is wrong with a mock, and where: whoever has the text it stands in knows the line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wrong {
    /// The place, like `/services/valuation/routes[0]`.
    pub pointer: String,
    /// What of it is meant.
    pub part: Part,
    /// What is wrong.
    pub message: String,
    /// What to do, if that is not clear.
    pub hint: Option<String>,
}

impl Wrong {
    /// The same, with its line.
    pub fn place(self, source: &Source) -> Found<'_> {
        source.wrong(&self.pointer, self.part, self.message, self.hint)
    }
}

/// A mock that is being read, and what was found wrong so far.
#[derive(Default)]
pub(crate) struct Reading {
    pub found: Vec<Wrong>,
}

/// The units of a duration, and how many milliseconds each has.
const UNITS: [(&str, i64); 5] = [
    ("ms", 1),
    ("s", 1_000),
    ("m", 60_000),
    ("h", 3_600_000),
    ("d", 86_400_000),
];
/// A hundred years: longer than any wait, and short enough to be added to any time.
const DURATION_MILLIS_MAX: i64 = 100 * 366 * 86_400_000;

impl Reading {
    fn note(&mut self, at: &str, part: Part, message: String, hint: Option<String>) {
        self.found.push(Wrong {
            pointer: at.to_owned(),
            part,
            message,
            hint,
        });
    }

    /// Notes that the value at `at` is wrong, and what to do, if that is not clear.
    pub fn wrong(&mut self, at: &str, message: impl Into<String>, hint: impl Into<String>) {
        let hint = Some(hint.into()).filter(|hint| !hint.is_empty());
        self.note(at, Part::Value, message.into(), hint);
    }

    /// Notes that `word`, which stands at `at`, is none of `known`.
    pub fn unknown(&mut self, at: &str, part: Part, word: &str, known: &[&str]) {
        let all = known.join(", ");
        let hint = match nearest(word, known.iter().copied()) {
            Some(near) => format!("Did you mean `{near}`? There are {all}."),
            None => format!("There are {all}."),
        };
        let message = format!("`{word}` is not known here");
        self.note(at, part, message, Some(hint));
    }

    /// An object whose members are among `known`.
    pub fn object<'v>(
        &mut self,
        value: &'v Value,
        at: &str,
        known: &[&str],
    ) -> Option<&'v Map<String, Value>> {
        let members = self.any_object(value, at)?;
        for name in members
            .keys()
            .filter(|name| !known.contains(&name.as_str()))
        {
            self.unknown(&format!("{at}/{name}"), Part::Name, name, known);
        }
        Some(members)
    }

    /// An object whose members have names of their own.
    pub fn any_object<'v>(&mut self, value: &'v Value, at: &str) -> Option<&'v Map<String, Value>> {
        if value.is_object() {
            return value.as_object();
        }
        self.expected(at, "an object", value);
        None
    }

    pub fn list<'v>(&mut self, value: &'v Value, at: &str) -> &'v [Value] {
        match value {
            Value::Array(items) => items,
            other => {
                self.expected(at, "a list", other);
                &[]
            }
        }
    }

    pub fn text<'v>(&mut self, value: &'v Value, at: &str) -> Option<&'v str> {
        if !value.is_string() {
            self.expected(at, "text", value);
        }
        value.as_str()
    }

    /// A whole number from `least` to `most`.
    pub fn whole(&mut self, value: &Value, at: &str, least: u64, most: u64) -> Option<u64> {
        let number = value.as_u64().filter(|n| (least..=most).contains(n));
        if number.is_none() {
            self.expected(at, &format!("a whole number from {least} to {most}"), value);
        }
        number
    }

    /// A duration, in milliseconds: a number of seconds, or text with a unit.
    pub fn duration(&mut self, value: &Value, at: &str) -> Option<i64> {
        let millis = duration(value);
        if millis.is_none() {
            self.expected(at, "a duration like 2s, 250ms, 5m, 1h or 1d", value);
        }
        millis
    }

    pub fn expected(&mut self, at: &str, what: &str, value: &Value) {
        let there = match value {
            Value::Object(_) => "an object".to_owned(),
            Value::Array(_) => "a list".to_owned(),
            Value::Null => "nothing".to_owned(),
            other => other.to_string(),
        };
        let message = format!("{what} belongs here, and not {there}");
        self.note(at, Part::Value, message, None);
    }
}

fn duration(value: &Value) -> Option<i64> {
    let (number, unit) = match value {
        Value::Number(number) => (number.as_f64()?, 1_000),
        Value::String(text) => {
            let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
            let unit = text[digits.len()..].trim();
            let (_, millis) = UNITS.into_iter().find(|(name, _)| *name == unit)?;
            (digits.trim().parse().ok()?, millis)
        }
        _ => return None,
    };
    let millis = (number * unit as f64).round();
    (0.0..=DURATION_MILLIS_MAX as f64)
        .contains(&millis)
        .then_some(millis as i64)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_duration_is_a_number_and_a_unit() {
        for (written, millis) in [
            (json!("2s"), Some(2_000)),
            (json!("250ms"), Some(250)),
            (json!("1.5 h"), Some(5_400_000)),
            (json!("1d"), Some(86_400_000)),
            (json!(6), Some(6_000)),
            (json!(0.25), Some(250)),
            (json!("2 weeks"), None),
            (json!("-2s"), None),
            (json!("s"), None),
            (json!("1e300d"), None),
            (json!(null), None),
        ] {
            assert_eq!(duration(&written), millis, "{written}");
        }
    }
}
