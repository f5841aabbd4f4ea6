//! Numbers by a picture (XPath's `format-number`).

use super::super::error::{Failed, argument, error};
use super::super::evaluate::{Answer, Evaluator};
use super::super::value::Val;
use super::integer::{PICTURE_MAX, gcd};
use super::number::rounded;
use super::{at, number_at};

/// The signs of a picture. Most may be changed by an option.
struct Signs {
    decimal: char,
    grouping: char,
    exponent: char,
    minus: String,
    percent: String,
    per_mille: String,
    zero: char,
    digit: char,
    pattern: char,
}

impl Signs {
    fn of(options: &Val<'_>) -> Signs {
        let text = |name: &str, default: &str| match options.member(name).as_str() {
            Some(given) if given.len() <= PICTURE_MAX => given.to_owned(),
            _ => default.to_owned(),
        };
        let sign = |name: &str, default: char| text(name, "").chars().next().unwrap_or(default);
        Signs {
            decimal: sign("decimal-separator", '.'),
            grouping: sign("grouping-separator", ','),
            exponent: sign("exponent-separator", 'e'),
            minus: text("minus-sign", "-"),
            percent: text("percent", "%"),
            per_mille: text("per-mille", "\u{2030}"),
            zero: sign("zero-digit", '0'),
            digit: sign("digit", '#'),
            pattern: sign("pattern-separator", ';'),
        }
    }

    /// Whether `c` is a digit that is always written.
    fn is_digit(&self, c: char) -> bool {
        let zero = u32::from(self.zero);
        (zero..zero + 10).contains(&u32::from(c))
    }

    fn is_active(&self, c: char) -> bool {
        self.is_digit(c)
            || [
                self.decimal,
                self.exponent,
                self.grouping,
                self.digit,
                self.pattern,
            ]
            .contains(&c)
    }

    /// The digits of a plain number in this family.
    fn translate(&self, plain: &str) -> Vec<char> {
        let digit = |c: char| match c.to_digit(10) {
            Some(digit) => char::from_u32(u32::from(self.zero) + digit).unwrap_or(c),
            None => c,
        };
        plain.chars().map(digit).collect()
    }
}

/// One picture, taken apart.
struct Parts {
    prefix: String,
    suffix: String,
    active: Vec<char>,
    mantissa: Vec<char>,
    exponent: Option<Vec<char>>,
    integer: Vec<char>,
    fraction: Vec<char>,
    picture: String,
}

impl Parts {
    fn of(picture: &str, signs: &Signs) -> Parts {
        let all: Vec<char> = picture.chars().collect();
        let counts = |c: &char| signs.is_active(*c) && *c != signs.exponent;
        let start = all.iter().position(counts).unwrap_or(0);
        let end = all
            .iter()
            .rposition(counts)
            .map_or(all.len(), |last| last + 1);
        let active = all[start..end.max(start)].to_vec();
        let exponent_at = all.iter().skip(start).position(|c| *c == signs.exponent);
        let exponent_at = exponent_at.map(|at| at + start).filter(|at| *at <= end);
        let (mantissa, exponent) = match exponent_at {
            // As the reference implementation has it: counted from the start of the picture.
            Some(at) => (
                active[..at.min(active.len())].to_vec(),
                Some(active.get(at + 1..).unwrap_or(&[]).to_vec()),
            ),
            None => (active.clone(), None),
        };
        let suffix: String = all[end.max(start)..].iter().collect();
        let (integer, fraction) = match mantissa.iter().position(|c| *c == signs.decimal) {
            Some(at) => (mantissa[..at].to_vec(), mantissa[at + 1..].to_vec()),
            None => (mantissa.clone(), suffix.chars().collect()),
        };
        Parts {
            prefix: all[..start].iter().collect(),
            suffix,
            active,
            mantissa,
            exponent,
            integer,
            fraction,
            picture: picture.to_owned(),
        }
    }

    /// What is wrong with it, the last fault first.
    fn check(&self, signs: &Signs) -> Result<(), Failed> {
        let picture = &self.picture;
        let count = |text: &str| picture.matches(text).count();
        let decimal = picture.find(signs.decimal);
        let beside = |at: usize| {
            let before = picture[..at].chars().next_back();
            let after = picture[at + signs.decimal.len_utf8()..].chars().next();
            before == Some(signs.grouping) || after == Some(signs.grouping)
        };
        let digit = |c: &char| signs.is_digit(*c);
        let optional = |c: &char| *c == signs.digit;
        let exponent = self.exponent.as_deref();
        let scaled = count(&signs.percent) > 0 || count(&signs.per_mille) > 0;
        let optional_in_integer = self.integer.iter().position(optional);
        let optional_in_fraction = self.fraction.iter().rposition(optional);
        let faults = [
            (
                exponent.is_some_and(|e| e.is_empty() || !e.iter().all(digit)),
                "D3093",
                "The exponent part of the sub-picture must comprise only of one or more characters that are members of the 'decimal digit family'",
            ),
            (
                exponent.is_some_and(|e| !e.is_empty()) && scaled,
                "D3092",
                "A sub-picture that contains a 'percent' or 'per-mille' character must not contain a character treated as an 'exponent-separator'",
            ),
            (
                optional_in_fraction.is_some_and(|at| self.fraction[at..].iter().any(digit)),
                "D3091",
                "The fractional part of the sub-picture must not contain an instance of the 'optional digit character' that is followed by a member of the 'decimal digit family'",
            ),
            (
                optional_in_integer.is_some_and(|at| self.integer[..at].iter().any(digit)),
                "D3090",
                "The integer part of the sub-picture must not contain a member of the 'decimal digit family' that is followed by an instance of the 'optional digit character'",
            ),
            (
                picture.contains(&String::from_iter([signs.grouping, signs.grouping])),
                "D3089",
                "The sub-picture must not contain two adjacent instances of the 'grouping-separator' character",
            ),
            (
                decimal.is_none() && self.integer.last() == Some(&signs.grouping),
                "D3088",
                "The sub-picture must not contain a 'grouping-separator' at the end of the integer part",
            ),
            (
                decimal.is_some_and(beside),
                "D3087",
                "The sub-picture must not contain a 'grouping-separator' character that appears adjacent to a 'decimal-separator' character",
            ),
            (
                !self.active.iter().all(|c| signs.is_active(*c)),
                "D3086",
                "The sub-picture must not contain a passive character that is preceded by an active character and that is followed by another active character",
            ),
            (
                !self.mantissa.iter().any(|c| digit(c) || optional(c)),
                "D3085",
                "The mantissa part of a sub-picture must contain at least one character that is either an 'optional digit character' or a member of the 'decimal digit family'",
            ),
            (
                count(&signs.percent) > 0 && count(&signs.per_mille) > 0,
                "D3084",
                "The sub-picture must not contain both a 'percent' and a 'per-mille' character",
            ),
            (
                count(&signs.per_mille) > 1,
                "D3083",
                "The sub-picture must not contain more than one instance of the 'per-mille' character",
            ),
            (
                count(&signs.percent) > 1,
                "D3082",
                "The sub-picture must not contain more than one instance of the 'percent' character",
            ),
            (
                decimal != picture.rfind(signs.decimal),
                "D3081",
                "The sub-picture must not contain more than one instance of the 'decimal-separator' character",
            ),
        ];
        match faults.into_iter().find(|(wrong, ..)| *wrong) {
            Some((_, code, what)) => Err(error(code, what)),
            None => Ok(()),
        }
    }
}

/// How a number is written.
struct Layout {
    /// Places of separators, counted from the decimal point.
    groups: Vec<usize>,
    regular: usize,
    fraction_groups: Vec<usize>,
    integer_min: usize,
    scaling: usize,
    fraction_min: usize,
    fraction_max: usize,
    exponent_min: usize,
}

impl Layout {
    fn of(parts: &Parts, signs: &Signs) -> Layout {
        let digit = |c: &&char| signs.is_digit(**c);
        let place = |c: &&char| signs.is_digit(**c) || **c == signs.digit;
        let separators = |part: &[char]| -> Vec<usize> {
            let places = part
                .iter()
                .enumerate()
                .filter(|(_, c)| **c == signs.grouping);
            places.map(|(at, _)| at).collect()
        };
        let groups: Vec<usize> = separators(&parts.integer)
            .into_iter()
            .map(|at| parts.integer[at..].iter().filter(place).count())
            .collect();
        let factor = groups.iter().copied().fold(0, gcd);
        let repeats = (1..=groups.len()).all(|index| groups.contains(&(index * factor)));
        let fraction_groups = separators(&parts.fraction)
            .into_iter()
            .map(|at| parts.fraction[..at].iter().filter(place).count())
            .collect();
        let mut integer_min = parts.integer.iter().filter(digit).count();
        let scaling = integer_min;
        let mut fraction_min = parts.fraction.iter().filter(digit).count();
        let mut fraction_max = parts.fraction.iter().filter(place).count();
        let exponent = parts.exponent.is_some();
        if integer_min == 0 && fraction_max == 0 {
            match exponent {
                true => (fraction_min, fraction_max) = (1, 1),
                false => integer_min = 1,
            }
        }
        if exponent && integer_min == 0 && parts.integer.contains(&signs.digit) {
            integer_min = 1;
        }
        if integer_min == 0 && fraction_min == 0 {
            fraction_min = 1;
        }
        Layout {
            regular: if repeats { factor } else { 0 },
            groups,
            fraction_groups,
            integer_min,
            scaling,
            fraction_min,
            fraction_max,
            exponent_min: parts.exponent.iter().flatten().filter(digit).count(),
        }
    }
}

pub(super) fn format_number<'a>(_: &Evaluator<'a>, arguments: &[Val<'a>]) -> Answer<'a> {
    let Some(number) = number_at(arguments, 0) else {
        return Ok(Val::Undefined);
    };
    if !number.is_finite() {
        return Err(argument(1, "formatNumber"));
    }
    let picture = at(arguments, 1).as_str().unwrap_or("");
    if picture.len() > PICTURE_MAX {
        return Err(error(
            "",
            format!("A picture has at most {PICTURE_MAX} characters"),
        ));
    }
    let signs = Signs::of(at(arguments, 2));
    let pictures: Vec<&str> = picture.split(signs.pattern).collect();
    if pictures.len() > 2 {
        let what = "The picture string must only contain a maximum of two sub-pictures";
        return Err(error("D3080", what));
    }
    let mut parts: Vec<Parts> = pictures
        .iter()
        .map(|picture| Parts::of(picture, &signs))
        .collect();
    parts.iter().try_for_each(|parts| parts.check(&signs))?;
    let own = parts.len() > 1;
    let part = match number >= 0.0 || !own {
        true => parts.swap_remove(0),
        false => parts.swap_remove(1),
    };
    let layout = Layout::of(&part, &signs);
    let mut text = String::new();
    if number < 0.0 && !own {
        text.push_str(&signs.minus);
    }
    text.push_str(&part.prefix);
    text.extend(write(number, &part, &layout, &signs));
    text.push_str(&part.suffix);
    Ok(Val::text(text))
}

fn write(number: f64, parts: &Parts, layout: &Layout, signs: &Signs) -> Vec<char> {
    let mut mantissa = number;
    if parts.picture.contains(&signs.percent) {
        mantissa *= 100.0;
    } else if parts.picture.contains(&signs.per_mille) {
        mantissa *= 1000.0;
    }
    let mut exponent = None;
    if layout.exponent_min > 0 {
        let most = 10_f64.powi(layout.scaling as i32);
        let least = 10_f64.powi(layout.scaling as i32 - 1);
        let mut by = 0_i32;
        // A number has fewer decimal places than this, whatever the picture asks for.
        while mantissa != 0.0 && mantissa.abs() < least && by > -400 {
            mantissa *= 10.0;
            by -= 1;
        }
        while mantissa.abs() > most && by < 400 {
            mantissa /= 10.0;
            by += 1;
        }
        exponent = Some(by);
    }
    let places = layout.fraction_max;
    let value = rounded(mantissa, places as f64).abs();
    let plain = format!("{value:.places$}");
    let (integer, fraction) = plain.split_once('.').unwrap_or((&plain, ""));
    let mut integer = signs.translate(integer.trim_start_matches('0'));
    let mut fraction = signs.translate(fraction.trim_end_matches('0'));
    while integer.len() < layout.integer_min {
        integer.insert(0, signs.zero);
    }
    while fraction.len() < layout.fraction_min {
        fraction.push(signs.zero);
    }
    let mut written = Vec::new();
    let count = integer.len();
    for (at, digit) in integer.into_iter().enumerate() {
        let left = count - at;
        let separated = match layout.regular {
            0 => layout.groups.contains(&left),
            regular => left.is_multiple_of(regular),
        };
        if separated && at > 0 {
            written.push(signs.grouping);
        }
        written.push(digit);
    }
    if parts.picture.contains(signs.decimal) && !fraction.is_empty() {
        written.push(signs.decimal);
        for (at, digit) in fraction.into_iter().enumerate() {
            if at > 0 && layout.fraction_groups.contains(&at) {
                written.push(signs.grouping);
            }
            written.push(digit);
        }
    }
    if let Some(by) = exponent {
        written.push(signs.exponent);
        if by < 0 {
            written.extend(signs.minus.chars());
        }
        let width = layout.exponent_min;
        written.extend(signs.translate(&format!("{:0>width$}", by.abs())));
    }
    written
}
