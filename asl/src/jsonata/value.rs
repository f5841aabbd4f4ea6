//! Between JSON and the evaluator's own values, which are shared and not sent between threads.

use jsonata_core::value::JValue;
use serde_json::{Map, Number, Value};

use super::{MEMORY, RESULT_BYTES_MAX};
use crate::data::DEPTH_MAX;

/// The evaluator's form of a document. The depth of a document is bounded when it comes in.
pub(super) fn into_evaluator(value: &Value) -> JValue {
    match value {
        Value::Null => JValue::Null,
        Value::Bool(flag) => JValue::Bool(*flag),
        Value::Number(number) => JValue::Number(number.as_f64().unwrap_or(0.0)),
        Value::String(text) => JValue::string(text.as_str()),
        Value::Array(items) => JValue::array(items.iter().map(into_evaluator).collect()),
        Value::Object(members) => JValue::object(
            members
                .iter()
                .map(|(name, value)| (name.clone(), into_evaluator(value)))
                .collect(),
        ),
    }
}

/// The JSON form of a result; nothing for the undefined value.
///
/// # Errors
/// If it is more than a result may be, or nests deeper.
pub(super) fn from_evaluator(value: &JValue) -> Result<Option<Value>, String> {
    let mut left = RESULT_BYTES_MAX;
    convert(value, &mut left, DEPTH_MAX)
}

fn convert(value: &JValue, left: &mut usize, levels: usize) -> Result<Option<Value>, String> {
    let size = match value {
        JValue::String(text) => text.len() + 2,
        _ => 2,
    };
    *left = left.checked_sub(size).ok_or_else(|| MEMORY.to_owned())?;
    let inner = |left: &mut usize, item: &JValue| match levels.checked_sub(1) {
        Some(levels) => convert(item, left, levels),
        None => Err(format!("The result nests deeper than {DEPTH_MAX} levels")),
    };
    Ok(Some(match value {
        JValue::Undefined => return Ok(None),
        JValue::Null => Value::Null,
        JValue::Bool(flag) => Value::Bool(*flag),
        JValue::Number(number) => self::number(*number),
        JValue::String(text) => Value::String(text.to_string()),
        JValue::Array(items) => {
            let mut list = Vec::with_capacity(items.len());
            for item in items.iter() {
                list.extend(inner(left, item)?);
            }
            Value::Array(list)
        }
        JValue::Object(members) => {
            let mut object = Map::with_capacity(members.len());
            for (name, item) in members.iter() {
                *left = left.saturating_sub(name.len());
                if let Some(item) = inner(left, item)? {
                    object.insert(name.clone(), item);
                }
            }
            Value::Object(object)
        }
        // JSON has no functions; the reference implementation leaves an empty text in their place.
        JValue::Lambda(_) | JValue::Builtin { .. } | JValue::Regex { .. } => {
            Value::String(String::new())
        }
    }))
}

/// As JavaScript writes it: a whole number has no fraction, and zero no sign. JSON has no infinity,
/// and AWS writes the name of such a number.
fn number(number: f64) -> Value {
    // Every whole number below this is an i64, exactly.
    const WHOLE_MAX: f64 = 9_007_199_254_740_992.0 * 1024.0;
    if number.fract() == 0.0 && number.abs() < WHOLE_MAX {
        return Value::from(number as i64);
    }
    match Number::from_f64(number) {
        Some(number) => Value::Number(number),
        None if number.is_nan() => Value::from("NaN"),
        None if number > 0.0 => Value::from("Infinity"),
        None => Value::from("-Infinity"),
    }
}
