//! Whole numbers by a picture: digits, letters, Roman numerals and words (XPath's `format-integer`).

use super::super::error::{Failed, argument, error};
use super::super::evaluate::{Answer, Evaluator};
use super::super::value::Val;
use super::text::room;
use super::{at, number_at};

/// How long a picture may be.
pub(super) const PICTURE_MAX: usize = 1_000;

/// What a picture says.
#[derive(Debug, Clone)]
pub(super) struct Format {
    pub(super) primary: Primary,
    case: Case,
    ordinal: bool,
}

#[derive(Debug, Clone)]
pub(super) enum Primary {
    Decimal(Digits),
    Letters,
    Roman,
    Words,
    /// Anything else, which is not supported.
    Sequence(String),
}

/// How a number is written with digits.
#[derive(Debug, Clone)]
pub(super) struct Digits {
    zero: u32,
    pub(super) mandatory: usize,
    pub(super) optional: usize,
    /// Places, from the right, and signs.
    pub(super) separators: Vec<(usize, char)>,
    /// The distance, if they repeat: the sign is that of the first.
    pub(super) regular: Option<usize>,
    /// How many digits are read, if others follow at once.
    pub(super) width: Option<usize>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Case {
    Upper,
    Lower,
    Title,
}

/// The zeros of Unicode's decimal digits.
const ZEROS: [u32; 37] = [
    0x30, 0x660, 0x6f0, 0x7c0, 0x966, 0x9e6, 0xa66, 0xae6, 0xb66, 0xbe6, 0xc66, 0xce6, 0xd66,
    0xde6, 0xe50, 0xed0, 0xf20, 0x1040, 0x1090, 0x17e0, 0x1810, 0x1946, 0x19d0, 0x1a80, 0x1a90,
    0x1b50, 0x1bb0, 0x1c40, 0x1c50, 0xa620, 0xa8d0, 0xa900, 0xa9d0, 0xa9f0, 0xaa50, 0xabf0, 0xff10,
];

impl Format {
    /// Reads a picture.
    pub(super) fn parse(picture: &str) -> Result<Format, Failed> {
        if picture.len() > PICTURE_MAX {
            let what = format!("A picture has at most {PICTURE_MAX} characters");
            return Err(error("", what));
        }
        let (main, modifier) = picture.rsplit_once(';').unwrap_or((picture, ""));
        let (primary, case) = match main {
            "A" => (Primary::Letters, Case::Upper),
            "a" => (Primary::Letters, Case::Lower),
            "I" => (Primary::Roman, Case::Upper),
            "i" => (Primary::Roman, Case::Lower),
            "W" => (Primary::Words, Case::Upper),
            "Ww" => (Primary::Words, Case::Title),
            "w" => (Primary::Words, Case::Lower),
            other => (decimal(other)?, Case::Lower),
        };
        Ok(Format {
            primary,
            case,
            ordinal: modifier.starts_with('o'),
        })
    }

    pub(super) fn digits(&mut self) -> Option<&mut Digits> {
        match &mut self.primary {
            Primary::Decimal(digits) => Some(digits),
            _ => None,
        }
    }

    /// Writes a whole number.
    pub(super) fn write(&self, number: f64) -> Result<String, Failed> {
        // What is not finite has no end.
        if !number.is_finite() {
            return Err(argument(1, "formatInteger"));
        }
        let value = number.abs();
        let written = match &self.primary {
            Primary::Letters => letters(value, self.case)?,
            Primary::Roman => match self.case {
                Case::Upper => roman(value)?.to_uppercase(),
                _ => roman(value)?,
            },
            Primary::Words => {
                let words = words(value, false, self.ordinal);
                match self.case {
                    Case::Upper => words.to_uppercase(),
                    Case::Lower => words.to_lowercase(),
                    Case::Title => words,
                }
            }
            Primary::Decimal(digits) => digits.write(value, self.ordinal),
            Primary::Sequence(token) => return Err(unsupported(token)),
        };
        Ok(match number < 0.0 {
            true => format!("-{written}"),
            false => written,
        })
    }

    /// Reads a number; NaN if it is none.
    pub(super) fn read(&self, text: &str) -> Result<f64, Failed> {
        Ok(match &self.primary {
            Primary::Letters => {
                let zero = match self.case {
                    Case::Upper => f64::from(b'A') - 1.0,
                    _ => f64::from(b'a') - 1.0,
                };
                let digit =
                    |sum: f64, letter: char| sum * 26.0 + f64::from(u32::from(letter)) - zero;
                text.chars().fold(0.0, digit)
            }
            Primary::Roman => read_roman(&text.to_uppercase()),
            Primary::Words => read_words(&text.to_lowercase()),
            Primary::Decimal(digits) => digits.read(text, self.ordinal),
            Primary::Sequence(token) => return Err(unsupported(token)),
        })
    }

    /// How many bytes of `text` are a number of this format, as the language matches it.
    pub(super) fn length(&self, text: &str) -> Result<usize, Failed> {
        let count = |fits: fn(&char) -> bool| -> usize {
            text.chars().take_while(fits).map(char::len_utf8).sum()
        };
        Ok(match &self.primary {
            Primary::Letters => count(char::is_ascii_alphabetic),
            Primary::Roman => count(|c| "MDCLXVImdclxvi".contains(*c)),
            Primary::Words => {
                let lower = text.to_ascii_lowercase();
                let mut at = 0;
                while let Some(length) = word_length(&lower[at..]) {
                    at += length;
                }
                at
            }
            Primary::Decimal(digits) => {
                let all = count(char::is_ascii_digit);
                let mut length = match digits.width {
                    Some(width) if all < width => return Ok(0),
                    Some(width) => width,
                    None => all,
                };
                if self.ordinal && length > 0 {
                    let suffix = text[length..].get(..2).map(str::to_ascii_lowercase);
                    match suffix.as_deref() {
                        Some("th" | "st" | "nd" | "rd") => length += 2,
                        _ => return Ok(0),
                    }
                }
                length
            }
            Primary::Sequence(token) => return Err(unsupported(token)),
        })
    }
}

fn unsupported(token: &str) -> Failed {
    let what = format!(
        "Formatting or parsing an integer as a sequence starting with {token:?} is not supported by this implementation"
    );
    error("D3130", what)
}

fn decimal(picture: &str) -> Result<Primary, Failed> {
    let mut zero = None;
    let (mut mandatory, mut optional) = (0, 0);
    let mut separators = Vec::new();
    for character in picture.chars().rev() {
        let code = u32::from(character);
        let group = ZEROS
            .iter()
            .find(|zero| (**zero..**zero + 10).contains(&code));
        match group {
            Some(group) => {
                mandatory += 1;
                if *zero.get_or_insert(*group) != *group {
                    let what = "In a decimal digit pattern, all digits must be from the same decimal group";
                    return Err(error("D3131", what));
                }
            }
            None if character == '#' => optional += 1,
            None => separators.push((mandatory + optional, character)),
        }
    }
    let Some(zero) = zero else {
        return Ok(Primary::Sequence(picture.to_owned()));
    };
    let regular = regular(&separators);
    Ok(Primary::Decimal(Digits {
        zero,
        mandatory,
        optional,
        separators,
        regular,
        width: None,
    }))
}

/// The distance between separators that are all alike and repeat.
fn regular(separators: &[(usize, char)]) -> Option<usize> {
    let (_, sign) = separators.first()?;
    if separators.iter().any(|(_, other)| other != sign) {
        return None;
    }
    let distance = separators.iter().map(|(place, _)| *place).fold(0, gcd);
    let repeats = |index: usize| {
        separators
            .iter()
            .any(|(place, _)| *place == index * distance)
    };
    (distance > 0 && (1..=separators.len()).all(repeats)).then_some(distance)
}

pub(super) fn gcd(a: usize, b: usize) -> usize {
    match b {
        0 => a,
        b => gcd(b, a % b),
    }
}

impl Digits {
    fn write(&self, value: f64, ordinal: bool) -> String {
        let plain = format!("{value:.0}");
        let plain = format!("{plain:0>width$}", width = self.mandatory);
        let count = plain.len();
        let mut written = String::new();
        for (at, digit) in plain.bytes().enumerate() {
            let left = count - at;
            if at > 0 {
                let sign = match self.regular {
                    Some(distance) if left.is_multiple_of(distance) => self.separators.first(),
                    Some(_) => None,
                    None => self.separators.iter().find(|(place, _)| *place == left),
                };
                written.extend(sign.map(|(_, sign)| sign));
            }
            written.extend(char::from_u32(self.zero + u32::from(digit - b'0')));
        }
        if ordinal {
            let bytes = plain.as_bytes();
            let teen = count > 1 && bytes[count - 2] == b'1';
            written.push_str(match bytes[count - 1] {
                b'1' if !teen => "st",
                b'2' if !teen => "nd",
                b'3' if !teen => "rd",
                _ => "th",
            });
        }
        written
    }

    fn read(&self, text: &str, ordinal: bool) -> f64 {
        let text = match ordinal {
            true => text.get(..text.len().saturating_sub(2)).unwrap_or(""),
            false => text,
        };
        let is_separator = |c: char| match self.regular {
            Some(_) => c == ',',
            None => self.separators.iter().any(|(_, sign)| *sign == c),
        };
        let mut digits = String::new();
        for character in text.chars().filter(|c| !is_separator(*c)) {
            let code = u32::from(character);
            match code.checked_sub(self.zero).filter(|digit| *digit < 10) {
                Some(digit) => digits.extend(char::from_digit(digit, 10)),
                None if digits.is_empty() && character == '-' => digits.push('-'),
                None => break,
            }
        }
        digits.parse().unwrap_or(f64::NAN)
    }
}

fn letters(value: f64, case: Case) -> Result<String, Failed> {
    let first = match case {
        Case::Upper => b'A',
        _ => b'a',
    };
    let mut rest = value;
    let mut letters = Vec::new();
    while rest > 0.0 {
        letters.push(char::from(first + ((rest - 1.0) % 26.0) as u8));
        rest = ((rest - 1.0) / 26.0).floor();
        room(letters.len())?;
    }
    Ok(letters.into_iter().rev().collect())
}

const ROMAN: [(u32, &str); 13] = [
    (1000, "m"),
    (900, "cm"),
    (500, "d"),
    (400, "cd"),
    (100, "c"),
    (90, "xc"),
    (50, "l"),
    (40, "xl"),
    (10, "x"),
    (9, "ix"),
    (5, "v"),
    (4, "iv"),
    (1, "i"),
];

/// A thousand letters for each million.
fn roman(value: f64) -> Result<String, Failed> {
    room((value / 1000.0) as usize)?;
    let mut rest = value as u64;
    let mut written = String::new();
    for (worth, numeral) in ROMAN {
        let worth = u64::from(worth);
        written.push_str(&numeral.repeat((rest / worth) as usize));
        rest %= worth;
    }
    Ok(written)
}

fn read_roman(text: &str) -> f64 {
    let (mut sum, mut most) = (0.0, 1.0);
    for letter in text.chars().rev() {
        let worth = match letter {
            'M' => 1000.0,
            'D' => 500.0,
            'C' => 100.0,
            'L' => 50.0,
            'X' => 10.0,
            'V' => 5.0,
            'I' => 1.0,
            _ => f64::NAN,
        };
        if worth < most {
            sum -= worth;
        } else {
            most = worth;
            sum += worth;
        }
    }
    sum
}

const FEW: [&str; 20] = [
    "Zero",
    "One",
    "Two",
    "Three",
    "Four",
    "Five",
    "Six",
    "Seven",
    "Eight",
    "Nine",
    "Ten",
    "Eleven",
    "Twelve",
    "Thirteen",
    "Fourteen",
    "Fifteen",
    "Sixteen",
    "Seventeen",
    "Eighteen",
    "Nineteen",
];
const ORDINALS: [&str; 20] = [
    "Zeroth",
    "First",
    "Second",
    "Third",
    "Fourth",
    "Fifth",
    "Sixth",
    "Seventh",
    "Eighth",
    "Ninth",
    "Tenth",
    "Eleventh",
    "Twelfth",
    "Thirteenth",
    "Fourteenth",
    "Fifteenth",
    "Sixteenth",
    "Seventeenth",
    "Eighteenth",
    "Nineteenth",
];
const DECADES: [&str; 9] = [
    "Twenty", "Thirty", "Forty", "Fifty", "Sixty", "Seventy", "Eighty", "Ninety", "Hundred",
];
const MAGNITUDES: [&str; 4] = ["Thousand", "Million", "Billion", "Trillion"];

/// Each level divides by a trillion or more, so a number has few.
fn words(value: f64, after: bool, ordinal: bool) -> String {
    let th = |rest: f64, text: String| match (rest > 0.0, ordinal) {
        (true, _) => text + &words(rest, true, ordinal),
        (false, true) => text + "th",
        (false, false) => text,
    };
    if value < 20.0 {
        let known = if ordinal { ORDINALS } else { FEW };
        let and = if after { " and " } else { "" };
        return format!("{and}{}", known[value as usize]);
    }
    if value < 100.0 {
        let decade = DECADES[(value / 10.0) as usize - 2];
        let and = if after { " and " } else { "" };
        return match (value % 10.0, ordinal) {
            (0.0, true) => format!("{and}{}ieth", &decade[..decade.len() - 1]),
            (0.0, false) => format!("{and}{decade}"),
            (rest, _) => format!("{and}{decade}-{}", words(rest, false, ordinal)),
        };
    }
    let comma = if after { ", " } else { "" };
    if value < 1000.0 {
        let hundreds = FEW[(value / 100.0) as usize];
        return th(value % 100.0, format!("{comma}{hundreds} Hundred"));
    }
    let magnitude = ((value.log10() / 3.0).floor() as usize).clamp(1, MAGNITUDES.len());
    let factor = 1000_f64.powi(magnitude as i32);
    let many = (value / factor).floor();
    let text = format!(
        "{comma}{} {}",
        words(many, false, false),
        MAGNITUDES[magnitude - 1]
    );
    th(value - many * factor, text)
}

/// What a word is worth.
fn worth(word: &str) -> Option<f64> {
    let is = |known: &str| known.eq_ignore_ascii_case(word);
    if let Some(at) = FEW.iter().position(|known| is(known)) {
        return Some(at as f64);
    }
    if let Some(at) = ORDINALS.iter().position(|known| is(known)) {
        return Some(at as f64);
    }
    if word == "hundredth" {
        return Some(100.0);
    }
    for (at, decade) in DECADES.iter().enumerate() {
        let stem = &decade[..decade.len() - 1];
        if is(decade) || format!("{stem}ieth").eq_ignore_ascii_case(word) {
            return Some((at + 2) as f64 * 10.0);
        }
    }
    let at = MAGNITUDES.iter().position(|magnitude| {
        is(magnitude) || format!("{magnitude}th").eq_ignore_ascii_case(word)
    })?;
    Some(1000_f64.powi(at as i32 + 1))
}

/// The length of the word, or sign between words, that `text` starts with.
fn word_length(text: &str) -> Option<usize> {
    let first = text.chars().next()?;
    if matches!(first, '-' | ',' | ' ') {
        return Some(1);
    }
    let length = text
        .find(|c: char| !c.is_ascii_lowercase())
        .unwrap_or(text.len());
    let known = |length: &usize| text[..*length] == *"and" || worth(&text[..*length]).is_some();
    (1..=length.min(16)).rev().find(known)
}

fn read_words(text: &str) -> f64 {
    let mut sums = vec![0.0_f64];
    let text = text.replace(", ", " ").replace(" and ", " ");
    for word in text.split([' ', '\t', '\n', '-', '\\']) {
        let value = worth(word).unwrap_or(f64::NAN);
        let top = sums.last_mut().expect("there is always one");
        if value < 100.0 {
            match *top >= 1000.0 {
                true => sums.push(value),
                false => *top += value,
            }
        } else {
            *top *= value;
        }
    }
    sums.iter().sum()
}

pub(super) fn format_integer<'a>(_: &Evaluator<'a>, arguments: &[Val<'a>]) -> Answer<'a> {
    let Some(number) = number_at(arguments, 0) else {
        return Ok(Val::Undefined);
    };
    let format = Format::parse(at(arguments, 1).as_str().unwrap_or(""))?;
    format.write(number.floor()).map(Val::text)
}

pub(super) fn parse_integer<'a>(_: &Evaluator<'a>, arguments: &[Val<'a>]) -> Answer<'a> {
    let Some(text) = at(arguments, 0).as_str() else {
        return Ok(Val::Undefined);
    };
    let format = Format::parse(at(arguments, 1).as_str().unwrap_or(""))?;
    format.read(text).map(Val::Number)
}
