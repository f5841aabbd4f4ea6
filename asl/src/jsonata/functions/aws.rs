//! The functions that AWS adds to the language.

use super::super::RANGE_MAX;
use super::super::error::{Failed, argument, error, memory};
use super::super::evaluate::{Answer, Evaluator};
use super::super::value::{Mark, Object, Val};
use super::at;
use super::text::json;
use crate::intrinsic;

/// The finalizer of SplitMix64: neighbouring seeds give unrelated numbers.
pub(in super::super) fn scramble(state: u64) -> u64 {
    let mut bits = state;
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

/// From 0 to 1, without 1, with all the bits that a number has.
pub(super) fn fraction(bits: u64) -> f64 {
    (bits >> 11) as f64 / (1_u64 << 53) as f64
}

fn number(arguments: &[Val<'_>], at: usize, function: &str) -> Result<f64, Failed> {
    match arguments.get(at) {
        Some(Val::Number(number)) if number.is_finite() => Ok(*number),
        _ => Err(argument(at + 1, function)),
    }
}

/// A number without its fraction, as AWS takes the arguments of its own functions; nothing if it is
/// missing.
fn whole(arguments: &[Val<'_>], at: usize, function: &str) -> Result<Option<f64>, Failed> {
    match arguments.get(at) {
        None | Some(Val::Undefined) => Ok(None),
        Some(_) => number(arguments, at, function).map(|number| Some(number.trunc())),
    }
}

fn text<'v>(arguments: &'v [Val<'_>], at: usize, function: &str) -> Result<&'v str, Failed> {
    let given = arguments.get(at).and_then(Val::as_str);
    given.ok_or_else(|| argument(at + 1, function))
}

/// `$partition(array, size)`: the array in pieces of this size. Nothing comes of no size, or of
/// nothing to part.
pub(super) fn partition<'a>(_: &Evaluator<'a>, arguments: &[Val<'a>]) -> Answer<'a> {
    let list = at(arguments, 0);
    if list.is_undefined() {
        return Ok(Val::Undefined);
    }
    let Some(size) = whole(arguments, 1, "partition")?.filter(|size| *size > 0.0) else {
        return Ok(Val::Undefined);
    };
    let items: Vec<Val<'a>> = list.items().collect();
    if items.is_empty() {
        return Ok(Val::Undefined);
    }
    let pieces = items
        .chunks(size as usize)
        .map(|piece| Val::array(piece.to_vec()));
    Ok(Val::array(pieces.collect()))
}

/// `$range(first, last, step)`, the last included. A range of one number is that number; nothing
/// comes of a step that does not lead to the last.
pub(super) fn range<'a>(_: &Evaluator<'a>, arguments: &[Val<'a>]) -> Answer<'a> {
    let first = whole(arguments, 0, "range")?;
    let last = whole(arguments, 1, "range")?;
    let step = whole(arguments, 2, "range")?;
    let (Some(first), Some(last), Some(step)) = (first, last, step) else {
        return Ok(Val::Undefined);
    };
    let steps = ((last - first) / step).floor();
    if step == 0.0 || steps < 0.0 {
        return Ok(Val::Undefined);
    }
    if steps >= RANGE_MAX as f64 {
        return Err(memory());
    }
    let numbers = (0..=steps as u64).map(|at| Val::Number(first + at as f64 * step));
    Ok(Val::list(numbers.collect(), Mark::Sequence))
}

/// `$hash(data, algorithm)`; text as it is, anything else as JSON.
pub(super) fn hash<'a>(_: &Evaluator<'a>, arguments: &[Val<'a>]) -> Answer<'a> {
    let data = at(arguments, 0);
    if data.is_undefined() || at(arguments, 1).is_undefined() {
        return Ok(Val::Undefined);
    }
    let algorithm = text(arguments, 1, "hash")?;
    let digest = match data.as_str() {
        Some(text) => intrinsic::digest(text.as_bytes(), algorithm),
        None => intrinsic::digest(json(data, false)?.as_bytes(), algorithm),
    };
    digest.map(Val::text).map_err(|why| error("", why))
}

/// `$random(seed)`: from 0 to 1, without 1; the same for the same seed.
pub(super) fn random<'a>(e: &Evaluator<'a>, arguments: &[Val<'a>]) -> Answer<'a> {
    let bits = match at(arguments, 0) {
        Val::Undefined => e.random(),
        _ => {
            let seed = number(arguments, 0, "random")?;
            scramble(seed.to_bits().wrapping_add(0x9e37_79b9_7f4a_7c15))
        }
    };
    Ok(Val::Number(fraction(bits)))
}

pub(super) fn uuid<'a>(e: &Evaluator<'a>, _: &[Val<'a>]) -> Answer<'a> {
    let bits = (u128::from(e.random()) << 64) | u128::from(e.random());
    Ok(Val::text(intrinsic::uuid_of(bits)))
}

/// `$parse(text)`: the JSON that the text is.
pub(super) fn parse<'a>(_: &Evaluator<'a>, arguments: &[Val<'a>]) -> Answer<'a> {
    if at(arguments, 0).is_undefined() {
        return Ok(Val::Undefined);
    }
    let text = text(arguments, 0, "parse")?;
    let value: serde_json::Value = serde_json::from_str(text)
        .map_err(|why| error("", format!("The text is not JSON: {why}")))?;
    Ok(made(value))
}

/// A document that nothing else has.
fn made<'a>(value: serde_json::Value) -> Val<'a> {
    match value {
        serde_json::Value::Null => Val::Null,
        serde_json::Value::Bool(flag) => Val::Bool(flag),
        serde_json::Value::Number(number) => Val::Number(number.as_f64().unwrap_or(0.0)),
        serde_json::Value::String(text) => Val::text(text),
        serde_json::Value::Array(items) => Val::array(items.into_iter().map(made).collect()),
        serde_json::Value::Object(members) => {
            let mut object = Object::with_capacity(members.len());
            for (name, value) in members {
                let key = Val::text(name).as_key();
                object.set(key.expect("it is a text"), made(value));
            }
            Val::object(object)
        }
    }
}
