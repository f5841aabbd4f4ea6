//! Functions of numbers.

use super::super::error::{argument, error};
use super::super::evaluate::{Answer, Evaluator, shown};
use super::super::value::Val;
use super::text::number_text;
use super::{at, number_at};

/// The numbers of a list; nothing if there is no list.
fn numbers<'v, 'a>(arguments: &'v [Val<'a>]) -> Option<impl Iterator<Item = f64> + use<'v, 'a>> {
    let list = at(arguments, 0);
    let number = |item| match item {
        Val::Number(number) => number,
        _ => f64::NAN,
    };
    (!list.is_undefined()).then(|| list.items().map(number))
}

fn answer<'a>(number: Option<f64>) -> Answer<'a> {
    Ok(number.map_or(Val::Undefined, Val::Number))
}

pub(super) fn sum<'a>(_: &Evaluator<'a>, arguments: &[Val<'a>]) -> Answer<'a> {
    answer(numbers(arguments).map(|numbers| numbers.fold(0.0, |sum, number| sum + number)))
}

pub(super) fn max<'a>(_: &Evaluator<'a>, arguments: &[Val<'a>]) -> Answer<'a> {
    answer(numbers(arguments).and_then(|numbers| numbers.reduce(f64::max)))
}

pub(super) fn min<'a>(_: &Evaluator<'a>, arguments: &[Val<'a>]) -> Answer<'a> {
    answer(numbers(arguments).and_then(|numbers| numbers.reduce(f64::min)))
}

pub(super) fn average<'a>(_: &Evaluator<'a>, arguments: &[Val<'a>]) -> Answer<'a> {
    let count = at(arguments, 0).len().unwrap_or(0);
    let sum = numbers(arguments).map(|numbers| numbers.fold(0.0, |sum, number| sum + number));
    answer(sum.filter(|_| count > 0).map(|sum| sum / count as f64))
}

pub(super) fn floor<'a>(_: &Evaluator<'a>, arguments: &[Val<'a>]) -> Answer<'a> {
    answer(number_at(arguments, 0).map(f64::floor))
}

pub(super) fn ceil<'a>(_: &Evaluator<'a>, arguments: &[Val<'a>]) -> Answer<'a> {
    answer(number_at(arguments, 0).map(f64::ceil))
}

pub(super) fn abs<'a>(_: &Evaluator<'a>, arguments: &[Val<'a>]) -> Answer<'a> {
    answer(number_at(arguments, 0).map(f64::abs))
}

pub(super) fn round<'a>(_: &Evaluator<'a>, arguments: &[Val<'a>]) -> Answer<'a> {
    let places = number_at(arguments, 1).unwrap_or(0.0);
    answer(number_at(arguments, 0).map(|number| rounded(number, places)))
}

/// Rounded to this many decimal places, halves to the even side.
pub(super) fn rounded(number: f64, places: f64) -> f64 {
    let places = places.clamp(-400.0, 400.0) as i32;
    let shifted = shift(number, places).round_ties_even();
    let rounded = shift(shifted, -places);
    // There is no negative zero.
    if rounded == 0.0 { 0.0 } else { rounded }
}

/// A number with its decimal point moved, by its digits and not by its binary value.
fn shift(number: f64, places: i32) -> f64 {
    if places == 0 || !number.is_finite() {
        return number;
    }
    let text = format!("{number:e}");
    let (digits, exponent) = text.split_once('e').expect("so it is written");
    let exponent: i32 = exponent.parse().expect("so it is written");
    format!("{digits}e{}", exponent + places)
        .parse()
        .unwrap_or(number)
}

pub(super) fn sqrt<'a>(_: &Evaluator<'a>, arguments: &[Val<'a>]) -> Answer<'a> {
    match number_at(arguments, 0) {
        Some(number) if number < 0.0 => {
            let number = number_text(number);
            let what =
                format!("The sqrt function cannot be applied to a negative number: {number}");
            Err(error("D3060", what))
        }
        number => answer(number.map(f64::sqrt)),
    }
}

pub(super) fn power<'a>(_: &Evaluator<'a>, arguments: &[Val<'a>]) -> Answer<'a> {
    let (Some(base), Some(exponent)) = (number_at(arguments, 0), number_at(arguments, 1)) else {
        return Ok(Val::Undefined);
    };
    let power = base.powf(exponent);
    if !power.is_finite() {
        let (base, exponent) = (number_text(base), number_text(exponent));
        let what = format!(
            "The power function has resulted in a value that cannot be represented as a JSON number: \
             base={base}, exponent={exponent}"
        );
        return Err(error("D3061", what));
    }
    Ok(Val::Number(power))
}

pub(super) fn format_base<'a>(_: &Evaluator<'a>, arguments: &[Val<'a>]) -> Answer<'a> {
    let Some(number) = number_at(arguments, 0) else {
        return Ok(Val::Undefined);
    };
    if !number.is_finite() {
        return Err(argument(1, "formatBase"));
    }
    let radix = rounded(number_at(arguments, 1).unwrap_or(10.0), 0.0);
    if !(2.0..=36.0).contains(&radix) {
        let radix = number_text(radix);
        let what = format!(
            "The radix of the formatBase function must be between 2 and 36.  It was given {radix}"
        );
        return Err(error("D3100", what));
    }
    let number = rounded(number, 0.0);
    let mut rest = number.abs();
    let mut digits = Vec::new();
    while rest >= 1.0 {
        let digit = (rest % radix) as u32;
        digits.push(char::from_digit(digit, radix as u32).unwrap_or('0'));
        rest = (rest / radix).floor();
    }
    if digits.is_empty() {
        digits.push('0');
    }
    if number < 0.0 {
        digits.push('-');
    }
    Ok(Val::text(digits.into_iter().rev().collect::<String>()))
}

pub(super) fn number<'a>(_: &Evaluator<'a>, arguments: &[Val<'a>]) -> Answer<'a> {
    let value = at(arguments, 0);
    let number = match value {
        Val::Undefined => return Ok(Val::Undefined),
        Val::Number(number) => Some(*number),
        Val::Bool(flag) => Some(f64::from(u8::from(*flag))),
        other => other.as_str().and_then(parsed),
    };
    number.map(Val::Number).ok_or_else(|| {
        let what = format!("Unable to cast value to a number: {}", shown(value));
        error("D3030", what)
    })
}

fn parsed(text: &str) -> Option<f64> {
    let radix = |prefixes: [&str; 2], radix: u32| {
        let digits = prefixes
            .iter()
            .find_map(|prefix| text.strip_prefix(prefix))?;
        let value = |value: Option<f64>, digit: char| {
            Some(value? * f64::from(radix) + f64::from(digit.to_digit(radix)?))
        };
        (!digits.is_empty()).then(|| digits.chars().fold(Some(0.0), value))?
    };
    let decimal = || {
        let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        let unsigned = text.strip_prefix('-').unwrap_or(text);
        let (mantissa, exponent) = match unsigned.find(['e', 'E']) {
            Some(at) => (&unsigned[..at], Some(&unsigned[at + 1..])),
            None => (unsigned, None),
        };
        let (whole, fraction) = match mantissa.split_once('.') {
            Some((whole, fraction)) => (whole, Some(fraction)),
            None => (mantissa, None),
        };
        let exponent_fits = exponent
            .is_none_or(|exponent| digits(exponent.strip_prefix(['+', '-']).unwrap_or(exponent)));
        let fits = digits(whole) && fraction.is_none_or(digits) && exponent_fits;
        fits.then(|| text.parse::<f64>().ok())
            .flatten()
            .filter(|n| n.is_finite())
    };
    decimal()
        .or_else(|| radix(["0x", "0X"], 16))
        .or_else(|| radix(["0o", "0O"], 8))
        .or_else(|| radix(["0b", "0B"], 2))
}
