//! `States.Array`, `ArrayPartition`, `ArrayContains`, `ArrayRange`, `ArrayGetItem`, `ArrayLength`,
//! `ArrayUnique`.

use std::borrow::Cow;
use std::collections::HashSet;

use serde_json::Value;

use super::{list, whole};
use crate::scope::Random;

/// The longest list that `States.ArrayRange` makes (AWS).
const RANGE_MAX: i64 = 1000;

pub(super) fn array(values: &[Cow<'_, Value>], _: &dyn Random) -> Result<Value, String> {
    Ok(values
        .iter()
        .map(|value| value.clone().into_owned())
        .collect())
}

pub(super) fn partition(values: &[Cow<'_, Value>], _: &dyn Random) -> Result<Value, String> {
    let items = list(values, 0)?;
    let size = usize::try_from(whole(values, 1)?)
        .ok()
        .filter(|size| *size > 0)
        .ok_or("the size of a chunk must be positive")?;
    Ok(items
        .chunks(size)
        .map(|chunk| Value::Array(chunk.to_vec()))
        .collect())
}

pub(super) fn contains(values: &[Cow<'_, Value>], _: &dyn Random) -> Result<Value, String> {
    Ok(Value::Bool(list(values, 0)?.contains(&values[1])))
}

pub(super) fn range(values: &[Cow<'_, Value>], _: &dyn Random) -> Result<Value, String> {
    let (first, last, step) = (whole(values, 0)?, whole(values, 1)?, whole(values, 2)?);
    if step == 0 {
        return Err("the step of a range must not be zero".to_owned());
    }
    let count = if (last >= first) == (step > 0) || last == first {
        (last - first) / step + 1
    } else {
        0
    };
    if count > RANGE_MAX {
        return Err(format!(
            "a range has at most {RANGE_MAX} items, and this has {count}"
        ));
    }
    Ok((0..count)
        .map(|at| Value::from(first + at * step))
        .collect())
}

pub(super) fn get_item(values: &[Cow<'_, Value>], _: &dyn Random) -> Result<Value, String> {
    let items = list(values, 0)?;
    let index = whole(values, 1)?;
    let item = usize::try_from(index).ok().and_then(|at| items.get(at));
    item.cloned().ok_or_else(|| {
        format!(
            "the index {index} is outside of an array of {}",
            items.len()
        )
    })
}

pub(super) fn length(values: &[Cow<'_, Value>], _: &dyn Random) -> Result<Value, String> {
    Ok(Value::from(list(values, 0)?.len()))
}

pub(super) fn unique(values: &[Cow<'_, Value>], _: &dyn Random) -> Result<Value, String> {
    // By their text, since a JSON value has no hash of its own and comparing each with each is quadratic.
    let mut seen = HashSet::new();
    Ok(list(values, 0)?
        .iter()
        .filter(|item| seen.insert(item.to_string()))
        .cloned()
        .collect())
}
