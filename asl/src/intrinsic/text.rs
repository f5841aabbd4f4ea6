//! `States.StringSplit`, `Format`.

use std::borrow::Cow;

use serde_json::{Number, Value};

use super::string;
use crate::scope::Random;

/// Splits at every character of the second argument; empty parts are left out, as Java's
/// `StringTokenizer` does.
pub(super) fn split(values: &[Cow<'_, Value>], _: &dyn Random) -> Result<Value, String> {
    let (text, delimiters) = (string(values, 0)?, string(values, 1)?);
    Ok(text
        .split(|c| delimiters.contains(c))
        .filter(|part| !part.is_empty())
        .map(Value::from)
        .collect())
}

/// Fills each `{}` of the first argument with the next of the others.
pub(super) fn format(values: &[Cow<'_, Value>], _: &dyn Random) -> Result<Value, String> {
    let pattern = string(values, 0)?;
    let mut text = String::with_capacity(pattern.len());
    let mut arguments = values[1..].iter();
    let mut chars = pattern.chars().peekable();
    while let Some(c) = chars.next() {
        match (c, chars.peek()) {
            ('\\', Some(next @ ('\'' | '{' | '}' | '\\'))) => {
                text.push(*next);
                chars.next();
            }
            ('{', Some('}')) => {
                chars.next();
                let value = arguments
                    .next()
                    .ok_or("there are more placeholders {} than arguments")?;
                write_java(&mut text, value);
            }
            _ => text.push(c),
        }
    }
    if arguments.next().is_some() {
        return Err("there are more arguments than placeholders {}".to_owned());
    }
    Ok(Value::String(text))
}

/// How Java's `toString` writes a value: `{Arg1=1, Arg2=[]}` (recorded on AWS: `FORMAT_2`).
fn write_java(text: &mut String, value: &Value) {
    match value {
        Value::String(part) => text.push_str(part),
        Value::Number(number) => text.push_str(&java_number(number)),
        Value::Array(items) => {
            text.push('[');
            for (at, item) in items.iter().enumerate() {
                text.push_str(if at > 0 { ", " } else { "" });
                write_java(text, item);
            }
            text.push(']');
        }
        Value::Object(members) => {
            text.push('{');
            for (at, (name, member)) in members.iter().enumerate() {
                text.push_str(if at > 0 { ", " } else { "" });
                text.push_str(name);
                text.push('=');
                write_java(text, member);
            }
            text.push('}');
        }
        Value::Null | Value::Bool(_) => text.push_str(&value.to_string()),
    }
}

/// A double outside of 0.001 to 10,000,000 has an exponent in Java, `1.0E10`.
fn java_number(number: &Number) -> String {
    match number.as_f64() {
        Some(double)
            if number.is_f64() && double != 0.0 && !(1e-3..1e7).contains(&double.abs()) =>
        {
            let text = format!("{double:E}");
            match text.split_once('E') {
                Some((digits, exponent)) if !digits.contains('.') => {
                    format!("{digits}.0E{exponent}")
                }
                _ => text,
            }
        }
        _ => number.to_string(),
    }
}
