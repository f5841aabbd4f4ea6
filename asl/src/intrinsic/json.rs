//! `States.JsonMerge`, `StringToJson`, `JsonToString`.

use std::borrow::Cow;

use serde_json::Value;

use super::{kind, string};
use crate::scope::Random;

pub(super) fn merge(values: &[Cow<'_, Value>], _: &dyn Random) -> Result<Value, String> {
    let object = |at: usize| {
        let value = &*values[at];
        value.as_object().ok_or_else(|| {
            format!(
                "argument {} must be an object, and is {}",
                at + 1,
                kind(value)
            )
        })
    };
    let (first, second) = (object(0)?, object(1)?);
    if values[2].as_bool() != Some(false) {
        return Err("argument 3 must be false: only the shallow merge is supported".to_owned());
    }
    let mut merged = first.clone();
    merged.extend(
        second
            .iter()
            .map(|(name, value)| (name.clone(), value.clone())),
    );
    Ok(Value::Object(merged))
}

pub(super) fn string_to_json(values: &[Cow<'_, Value>], _: &dyn Random) -> Result<Value, String> {
    serde_json::from_str(string(values, 0)?).map_err(|why| format!("argument 1 is not JSON: {why}"))
}

pub(super) fn json_to_string(values: &[Cow<'_, Value>], _: &dyn Random) -> Result<Value, String> {
    Ok(Value::String(values[0].to_string()))
}
