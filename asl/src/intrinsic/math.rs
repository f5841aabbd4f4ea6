//! `States.MathRandom`, `MathAdd`.

use std::borrow::Cow;

use serde_json::Value;

use super::whole;
use crate::scope::Random;

pub(super) fn add(values: &[Cow<'_, Value>], _: &dyn Random) -> Result<Value, String> {
    Ok(Value::from(whole(values, 0)? + whole(values, 1)?))
}

/// A number from the first argument up to, and not including, the second; the same for the same seed.
pub(super) fn random(values: &[Cow<'_, Value>], random: &dyn Random) -> Result<Value, String> {
    let (start, end) = (whole(values, 0)?, whole(values, 1)?);
    if start >= end {
        return Err(format!("the start {start} must be below the end {end}"));
    }
    let bits = if values.len() > 2 {
        scramble(whole(values, 2)? as u64)
    } else {
        random.next()
    };
    // The width is at most 2^32: taking the high part of a product is uniform enough, and has no modulo bias to speak of.
    let offset = (u128::from(bits) * (end - start) as u128) >> 64;
    Ok(Value::from(start + offset as i64))
}

/// One step of SplitMix64: neighbouring seeds give unrelated numbers.
fn scramble(seed: u64) -> u64 {
    let mut bits = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}
