//! Moments: milliseconds since 1970 and their text, in ISO 8601 or by a picture (XPath's
//! `format-dateTime`). Now is the scope's.

use std::collections::HashSet;
use std::collections::btree_map::{BTreeMap, Entry};

use super::super::error::{Failed, error};
use super::super::evaluate::{Answer, Evaluator};
use super::super::value::Val;
use super::integer::{Format, PICTURE_MAX, Primary};
use super::text::room;
use super::{at, number_at};

const DAY: i64 = 86_400_000;
/// The largest number of milliseconds that is a moment to JavaScript.
const MILLIS_MAX: f64 = 8.64e15;

const DAYS: [&str; 7] = [
    "Monday",
    "Tuesday",
    "Wednesday",
    "Thursday",
    "Friday",
    "Saturday",
    "Sunday",
];
const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

/// The days from 1970 to a day. Months count from 0 and may be more than a year has, as days may be
/// more than a month has.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = year + month.div_euclid(12);
    let month = month.rem_euclid(12) + 1;
    // Years begin in March here, so that the leap day is the last.
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468 + day - 1
}

/// A moment's parts, in UTC.
struct Moment {
    millis: i64,
    year: i64,
    /// From 0.
    month: i64,
    day: i64,
}

impl Moment {
    fn of(millis: i64) -> Moment {
        let shifted = millis.div_euclid(DAY) + 719_468;
        let era = shifted.div_euclid(146_097);
        let of_era = shifted.rem_euclid(146_097);
        let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
        let of_year = of_era - (365 * year + year / 4 - year / 100);
        let month = (5 * of_year + 2) / 153;
        let day = of_year - (153 * month + 2) / 5 + 1;
        let month = (month + 2) % 12;
        Moment {
            millis,
            year: year + era * 400 + i64::from(month < 2),
            month,
            day,
        }
    }

    /// From 1, Monday, to 7.
    fn weekday(&self) -> i64 {
        weekday(self.millis.div_euclid(DAY))
    }

    fn of_day(&self, unit: i64, most: i64) -> i64 {
        self.millis.rem_euclid(DAY) / unit % most
    }

    /// What a picture's component reads.
    fn component(&self, component: char) -> Option<i64> {
        let today = self.millis.div_euclid(DAY);
        Some(match component {
            'Y' => self.year,
            'M' => self.month + 1,
            'D' => self.day,
            'd' => today - days(self.year, 0, 1) + 1,
            'F' => self.weekday(),
            'W' => week(today, self.year, 0, 12, 52),
            'w' => week(today, self.year, self.month, 1, 4),
            'X' => {
                if today < first_week(self.year, 0) {
                    self.year - 1
                } else if today >= first_week(self.year, 12) {
                    self.year + 1
                } else {
                    self.year
                }
            }
            'x' => {
                let month = if today < first_week(self.year, self.month) {
                    self.month - 1
                } else if today >= first_week(self.year, self.month + 1) {
                    self.month + 1
                } else {
                    self.month
                };
                month.rem_euclid(12) + 1
            }
            'H' => self.of_day(3_600_000, 24),
            'h' => match self.of_day(3_600_000, 12) {
                0 => 12,
                hour => hour,
            },
            'P' => i64::from(self.of_day(3_600_000, 24) >= 12),
            'm' => self.of_day(60_000, 60),
            's' => self.of_day(1_000, 60),
            'f' => self.of_day(1, 1_000),
            _ => return None,
        })
    }
}

fn weekday(day: i64) -> i64 {
    (day + 3).rem_euclid(7) + 1
}

/// The Monday of the first week of a month: the week that has its first Thursday.
fn first_week(year: i64, month: i64) -> i64 {
    let first = days(year, month, 1);
    match weekday(first) {
        late @ 5.. => first + 8 - late,
        early => first - (early - 1),
    }
}

/// The week of a day in the `months` that begin with `month`; more than `full` may be the next one's.
fn week(today: i64, year: i64, month: i64, months: i64, full: i64) -> i64 {
    let number = |start: i64| (today - start).div_euclid(7) + 1;
    let week = number(first_week(year, month));
    if week > full && today >= first_week(year, month + months) {
        return 1;
    }
    match week < 1 {
        true => number(first_week(year, month - months)),
        false => week,
    }
}

/// A part of a picture.
enum Part {
    Literal(String),
    Marker(Marker),
}

struct Marker {
    component: char,
    names: Option<Names>,
    /// The last letter of the presentation: `t` writes `Z` for no offset.
    zulu: bool,
    format: Option<Format>,
    width_max: Option<usize>,
    /// How many digits of a year are written.
    year_digits: Option<usize>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Names {
    Upper,
    Lower,
    Title,
}

fn picture(text: &str) -> Result<Vec<Part>, Failed> {
    if text.len() > PICTURE_MAX {
        return Err(error(
            "",
            format!("A picture has at most {PICTURE_MAX} characters"),
        ));
    }
    let mut parts = Vec::new();
    let mut literal = String::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        if let Some(after) = rest.strip_prefix("[[") {
            literal.push('[');
            rest = after;
        } else if let Some(after) = rest.strip_prefix("]]") {
            literal.push(']');
            rest = after;
        } else if first == '[' {
            let end = rest.find(']').ok_or_else(|| {
                let what = "No matching closing bracket ']' in date/time picture string";
                error("D3135", what)
            })?;
            if !literal.is_empty() {
                parts.push(Part::Literal(std::mem::take(&mut literal)));
            }
            let inside: String = rest[1..end].split_whitespace().collect();
            let marker = marker(&inside)?;
            if counts(marker.component)
                && marker.names.is_none()
                && let Some(Part::Marker(before)) = parts.last_mut()
                && let Some(digits) = before.format.as_mut().and_then(Format::digits)
            {
                digits.width = Some(digits.mandatory);
            }
            parts.push(Part::Marker(marker));
            rest = &rest[end + 1..];
        } else {
            literal.push(first);
            rest = &rest[first.len_utf8()..];
        }
    }
    if !literal.is_empty() {
        parts.push(Part::Literal(literal));
    }
    Ok(parts)
}

/// Whether a component is a number.
fn counts(component: char) -> bool {
    "YMDdFWwXxHhmsf".contains(component)
}

fn marker(text: &str) -> Result<Marker, Failed> {
    let component = text.chars().next().unwrap_or(' ');
    let rest = &text[text.chars().next().map_or(0, char::len_utf8)..];
    let (presentation, width) = match rest.rsplit_once(',') {
        Some((presentation, width)) => (presentation, Some(width)),
        None => (rest, None),
    };
    let (min, max) = match width.map(|width| width.split_once('-').unwrap_or((width, "*"))) {
        Some((min, max)) => (min.parse::<usize>().ok(), max.parse::<usize>().ok()),
        None => (None, None),
    };
    if [min, max]
        .into_iter()
        .flatten()
        .any(|width| width > PICTURE_MAX)
    {
        let what = format!("A width in a picture is at most {PICTURE_MAX}");
        return Err(error("", what));
    }
    let last = presentation.chars().next_back();
    let (mut first, mut second) = (presentation, None);
    if presentation.chars().count() > 1
        && let Some(last @ ('a' | 't' | 'c' | 'o')) = last
    {
        first = &presentation[..presentation.len() - 1];
        second = Some(last);
    }
    let default = match component {
        'F' | 'P' | 'C' | 'E' => "n",
        'm' | 's' => "01",
        'Z' | 'z' => "01:01",
        known if counts(known) => "1",
        unknown => {
            let shown = unknown.to_string();
            let what = format!(
                "Unknown component specifier {:?} in date/time picture string",
                shown.trim()
            );
            return Err(error("D3132", what));
        }
    };
    if first.is_empty() {
        first = default;
    }
    let names = match (first.starts_with('n'), first.starts_with('N')) {
        (true, _) => Some(Names::Lower),
        (_, true) if first[1..].starts_with('n') => Some(Names::Title),
        (_, true) => Some(Names::Upper),
        _ => None,
    };
    let mut marker = Marker {
        component,
        names,
        zulu: second == Some('t'),
        format: None,
        width_max: max,
        year_digits: None,
    };
    if matches!(component, 'Z' | 'z') {
        marker.format = Some(Format::parse(first)?);
    } else if names.is_none() && counts(component) {
        let modifier = second
            .map(|second| format!(";{second}"))
            .unwrap_or_default();
        let mut format = Format::parse(&format!("{first}{modifier}"))?;
        if let Some(digits) = format.digits() {
            digits.mandatory = digits.mandatory.max(min.unwrap_or(0));
            if component == 'Y' {
                match max {
                    Some(max) => {
                        digits.mandatory = max;
                        marker.year_digits = Some(max);
                    }
                    None => {
                        let all = digits.mandatory + digits.optional;
                        marker.year_digits = Some(all).filter(|all| *all >= 2);
                    }
                }
            }
        }
        marker.format = Some(format);
    }
    Ok(marker)
}

fn no_name(component: char) -> Failed {
    let what = format!(
        "The 'name' modifier can only be applied to months and days in the date/time picture string, not {:?}",
        component.to_string()
    );
    error("D3133", what)
}

impl Marker {
    fn write(&self, moment: &Moment, offset: (i64, i64)) -> Result<String, Failed> {
        let value = moment.component(self.component);
        match (self.component, value) {
            ('P', Some(half)) => Ok(match (half, self.names) {
                (0, Some(Names::Upper)) => "AM",
                (0, _) => "am",
                (_, Some(Names::Upper)) => "PM",
                _ => "pm",
            }
            .to_owned()),
            ('Z' | 'z', _) => self.offset(offset),
            (_, None) => Ok("ISO".to_owned()),
            (component, Some(mut value)) => {
                if let Some(names) = self.names {
                    let name = match component {
                        'M' | 'x' => MONTHS[value as usize - 1],
                        'F' => DAYS[value as usize - 1],
                        other => return Err(no_name(other)),
                    };
                    let name = match names {
                        Names::Upper => name.to_uppercase(),
                        Names::Lower => name.to_lowercase(),
                        Names::Title => name.to_owned(),
                    };
                    return Ok(match self.width_max {
                        Some(width) => name.chars().take(width).collect(),
                        None => name,
                    });
                }
                if let Some(digits) = self.year_digits.filter(|digits| *digits < 18) {
                    value %= 10_i64.pow(digits as u32);
                }
                let format = self
                    .format
                    .as_ref()
                    .expect("what has no names has a format");
                format.write(value as f64)
            }
        }
    }

    fn offset(&self, (hours, minutes): (i64, i64)) -> Result<String, Failed> {
        let offset = hours * 100 + minutes;
        if offset == 0 && self.zulu {
            return Ok("Z".to_owned());
        }
        let format = self.format.as_ref().expect("an offset has a format");
        let digits = match &format.primary {
            Primary::Decimal(digits) => Some(digits),
            _ => None,
        };
        let mandatory = digits.map_or(0, |digits| digits.mandatory);
        let mut written = match (digits.and_then(|digits| digits.regular), mandatory) {
            (Some(_), _) | (None, 3 | 4) => format.write(offset as f64)?,
            (None, 1 | 2) => {
                let mut written = format.write(hours as f64)?;
                if minutes != 0 {
                    written.push_str(&format!(":{minutes:02}"));
                }
                written
            }
            _ => {
                let what =
                    "The timezone integer format specifier cannot have more than four digits";
                return Err(error("D3134", what));
            }
        };
        if offset >= 0 {
            written.insert(0, '+');
        }
        if self.component == 'z' {
            written.insert_str(0, "GMT");
        }
        Ok(written)
    }

    /// How many bytes of `text` this could be at most.
    fn length(&self, text: &str) -> Result<usize, Failed> {
        let digits = |text: &str| text.bytes().take_while(u8::is_ascii_digit).count();
        match self.component {
            'Z' | 'z' => {
                let mut length = 0;
                if self.component == 'z' {
                    match text.get(..3) {
                        Some(gmt) if gmt.eq_ignore_ascii_case("GMT") => length = 3,
                        _ => return Ok(0),
                    }
                }
                if !text[length..].starts_with(['+', '-']) {
                    return Ok(0);
                }
                let hours = digits(&text[length + 1..]);
                if hours == 0 {
                    return Ok(0);
                }
                length += 1 + hours;
                if let Some(separator) = self.separator() {
                    let rest = text[length..]
                        .strip_prefix(separator)
                        .map(digits)
                        .unwrap_or(0);
                    if rest == 0 {
                        return Ok(0);
                    }
                    length += separator.len_utf8() + rest;
                }
                Ok(length)
            }
            'f' => Ok(digits(text)),
            _ => match &self.format {
                Some(format) => format.length(text),
                None if "MxFP".contains(self.component) => {
                    Ok(text.bytes().take_while(u8::is_ascii_alphabetic).count())
                }
                None => Err(no_name(self.component)),
            },
        }
    }

    /// What stands between the hours and the minutes of an offset.
    fn separator(&self) -> Option<char> {
        match &self.format.as_ref()?.primary {
            Primary::Decimal(digits) => digits.regular.and(digits.separators.first()).map(|s| s.1),
            _ => None,
        }
    }

    /// The value that `text` is; nothing if it is a name that nothing has.
    fn read(&self, text: &str) -> Result<Option<f64>, Failed> {
        let integer = |text: &str| text.parse::<f64>().unwrap_or(f64::NAN);
        Ok(match self.component {
            'Z' | 'z' => {
                let text = text.trim_start_matches(|c: char| c.is_ascii_alphabetic());
                let (hours, minutes) = match self.separator() {
                    Some(separator) => {
                        let (hours, minutes) = text.split_once(separator).unwrap_or((text, "0"));
                        (integer(hours), integer(minutes))
                    }
                    None if text.len() <= 3 => (integer(text), 0.0),
                    None => (integer(&text[..3]), integer(&text[3..])),
                };
                Some(hours * 60.0 + minutes)
            }
            'f' => Some(integer(&format!("0.{}", &text[..text.len().min(3)])) * 1000.0),
            component => match &self.format {
                Some(format) => Some(format.read(text)?),
                None => {
                    let named = |names: &[&str]| {
                        let cut = |name: &str| match self.width_max {
                            Some(width) if width > 0 => name[..name.len().min(width)] == *text,
                            _ => name == text,
                        };
                        names
                            .iter()
                            .position(|name| cut(name))
                            .map(|at| at as f64 + 1.0)
                    };
                    match component {
                        'P' => match text {
                            "am" | "AM" => Some(0.0),
                            "pm" | "PM" => Some(1.0),
                            _ => None,
                        },
                        'F' => named(&DAYS),
                        _ => named(&MONTHS),
                    }
                }
            },
        })
    }
}

fn write(millis: f64, text: Option<&str>, timezone: Option<&str>) -> Result<String, Failed> {
    if millis.is_nan() || millis.abs() > MILLIS_MAX {
        return Err(super::super::error::argument(1, "fromMillis"));
    }
    let offset = timezone.map_or(0, |text| {
        let sign = if text.trim_start().starts_with('-') {
            -1
        } else {
            1
        };
        let digits = text.trim_start().trim_start_matches(['+', '-']);
        let length = digits
            .bytes()
            .take(6)
            .take_while(u8::is_ascii_digit)
            .count();
        sign * digits[..length].parse::<i64>().unwrap_or(0)
    });
    let (hours, minutes) = (offset.div_euclid(100), offset % 100);
    let moment = Moment::of(millis as i64 + (60 * hours + minutes) * 60_000);
    let Some(text) = text else {
        return Ok(iso(&moment, (hours, minutes)));
    };
    let mut written = String::new();
    for part in picture(text)? {
        match part {
            Part::Literal(literal) => written.push_str(&literal),
            Part::Marker(marker) => written.push_str(&marker.write(&moment, (hours, minutes))?),
        }
        room(written.len())?;
    }
    Ok(written)
}

/// `[Y0001]-[M01]-[D01]T[H01]:[m01]:[s01].[f001][Z01:01t]`
fn iso(moment: &Moment, (hours, minutes): (i64, i64)) -> String {
    let part = |component| moment.component(component).unwrap_or(0);
    let year = part('Y') % 10_000;
    let sign = if year < 0 { "-" } else { "" };
    let mut text = format!(
        "{sign}{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}",
        year.abs(),
        part('M'),
        part('D'),
        part('H'),
        part('m'),
        part('s'),
        part('f'),
    );
    let offset = hours * 100 + minutes;
    match offset {
        0 => text.push('Z'),
        _ => {
            let sign = if offset < 0 { '-' } else { '+' };
            let offset = offset.abs();
            text.push_str(&format!("{sign}{:02}:{:02}", offset / 100, offset % 100));
        }
    }
    text
}

pub(super) fn now<'a>(e: &Evaluator<'a>, arguments: &[Val<'a>]) -> Answer<'a> {
    let (text, timezone) = (at(arguments, 0).as_str(), at(arguments, 1).as_str());
    write(e.scope.now.0 as f64, text, timezone).map(Val::text)
}

pub(super) fn millis<'a>(e: &Evaluator<'a>, _: &[Val<'a>]) -> Answer<'a> {
    Ok(Val::Number(e.scope.now.0 as f64))
}

pub(super) fn from_millis<'a>(_: &Evaluator<'a>, arguments: &[Val<'a>]) -> Answer<'a> {
    match number_at(arguments, 0) {
        Some(millis) => {
            let (text, timezone) = (at(arguments, 1).as_str(), at(arguments, 2).as_str());
            write(millis, text, timezone).map(Val::text)
        }
        None => Ok(Val::Undefined),
    }
}

pub(super) fn to_millis<'a>(e: &Evaluator<'a>, arguments: &[Val<'a>]) -> Answer<'a> {
    let Some(text) = at(arguments, 0).as_str() else {
        return Ok(Val::Undefined);
    };
    if let Some(picture) = at(arguments, 1).as_str() {
        return Ok(read(text, picture, e.scope.now.0)?.map_or(Val::Undefined, Val::Number));
    }
    match read_iso(text) {
        Some(millis) => Ok(Val::Number(millis as f64)),
        None => {
            let what = format!(
                "The argument of the toMillis function must be an ISO 8601 formatted timestamp. Given {text:?}"
            );
            Err(error("D3110", what))
        }
    }
}

/// A year, with as much more as there is.
fn read_iso(text: &str) -> Option<i64> {
    fn number(text: &mut &str, before: &str, digits: usize) -> Option<i64> {
        let rest = text.strip_prefix(before)?;
        let number = rest
            .get(..digits)
            .filter(|n| n.bytes().all(|b| b.is_ascii_digit()))?;
        *text = &rest[digits..];
        number.parse().ok()
    }
    let rest = &mut { text };
    let year = number(rest, "", 4)?;
    let month = number(rest, "-", 2).unwrap_or(1);
    let day = number(rest, "-", 2).unwrap_or(1);
    let mut millis = 0;
    if rest.starts_with('T') {
        let (hour, minute, second) = (
            number(rest, "T", 2)?,
            number(rest, ":", 2)?,
            number(rest, ":", 2)?,
        );
        if hour > 24 || minute > 59 || second > 59 {
            return None;
        }
        millis = ((hour * 60 + minute) * 60 + second) * 1000;
    }
    if let Some(fraction) = rest.strip_prefix('.') {
        let digits = fraction.bytes().take_while(u8::is_ascii_digit).count();
        if digits == 0 {
            return None;
        }
        let thousandths = format!("{:0<3}", &fraction[..digits.min(3)]);
        millis += thousandths.parse::<i64>().ok()?;
        *rest = &fraction[digits..];
    }
    let sign = match rest.chars().next() {
        Some('+') => 1,
        Some('-') => -1,
        _ => 0,
    };
    if sign != 0 {
        let hours = number(rest, if sign > 0 { "+" } else { "-" }, 2)?;
        *rest = rest.strip_prefix(':').unwrap_or(rest);
        let minutes = number(rest, "", 2)?;
        millis -= sign * (hours * 60 + minutes) * 60_000;
    } else if let Some(after) = rest.strip_prefix('Z') {
        *rest = after;
    }
    let valid = rest.is_empty() && (1..=12).contains(&month) && (1..=31).contains(&day);
    valid.then(|| days(year, month - 1, day) * DAY + millis)
}

/// The moment that `text` is, as `picture` reads it; what it leaves out is of `now`.
fn read(text: &str, shape: &str, now: i64) -> Result<Option<f64>, Failed> {
    let parts = picture(shape)?;
    room(text.len().saturating_mul(1_000))?;
    for part in &parts {
        if let Part::Marker(marker) = part {
            // What cannot be read at all is an error, whatever the text.
            marker.length("")?;
        }
    }
    let mut lengths = Vec::new();
    if !fit(&parts, text, 0, &mut lengths, &mut HashSet::new())? {
        return Ok(None);
    }
    let mut found: BTreeMap<char, f64> = BTreeMap::new();
    let mut at = 0;
    for (part, length) in parts.iter().zip(lengths) {
        if let Part::Marker(marker) = part
            && let Some(value) = marker.read(&text[at..at + length])?
        {
            found.insert(marker.component, value);
        }
        at += length;
    }
    if found.is_empty() {
        return Ok(None);
    }
    moment(found, now).map(Some)
}

/// How many bytes of `text`, from `at` on, each part takes, so that all are taken.
fn fit(
    parts: &[Part],
    text: &str,
    at: usize,
    lengths: &mut Vec<usize>,
    failed: &mut HashSet<(usize, usize)>,
) -> Result<bool, Failed> {
    let rest = &text[at..];
    let Some((part, others)) = parts.split_first() else {
        return Ok(rest.is_empty());
    };
    if failed.contains(&(parts.len(), at)) {
        return Ok(false);
    }
    let (least, most) = match part {
        Part::Literal(literal) => {
            let same = rest.get(..literal.len());
            match same.is_some_and(|same| same.to_lowercase() == literal.to_lowercase()) {
                true => (literal.len(), literal.len()),
                false => (1, 0),
            }
        }
        Part::Marker(marker) => (1, marker.length(rest)?),
    };
    let mut length = most;
    while length >= least {
        if rest.is_char_boundary(length) {
            lengths.push(length);
            if fit(others, text, at + length, lengths, failed)? {
                return Ok(true);
            }
            lengths.pop();
        }
        length -= 1;
    }
    failed.insert((parts.len(), at));
    Ok(false)
}

fn moment(mut found: BTreeMap<char, f64>, now: i64) -> Result<f64, Failed> {
    let incomplete = || {
        let what =
            "The date/time picture string is missing specifiers required to parse the timestamp";
        error("D3136", what)
    };
    let mask = |letters: &str| {
        let bit = |mask: u32, letter: char| {
            let given = found
                .get(&letter)
                .is_some_and(|value| *value != 0.0 && !value.is_nan());
            mask << 1 | u32::from(given)
        };
        letters.chars().fold(0, bit)
    };
    // Which components are given decides which calendar is meant.
    let is = |mask: u32, kind: u32| mask & !kind == 0 && mask & kind != 0;
    let (date, time) = (mask("YXMxWwdD"), mask("PHhmsf"));
    let by_month = is(date, 0b1010_0001);
    let by_day = !by_month && is(date, 0b1000_0010);
    let by_week_of_month = is(date, 0b0101_0100);
    let by_week = !by_week_of_month && is(date, 0b0100_1000);
    let by_half = !is(time, 0b01_0111) && is(time, 0b10_1111);
    let date = match (by_day, by_week_of_month, by_week) {
        (true, ..) => "YD",
        (_, true, _) => "XxwF",
        (_, _, true) => "XWF",
        _ => "YMD",
    };
    let time = if by_half { "Phmsf" } else { "Hmsf" };
    let now = Moment::of(now);
    let (mut started, mut ended) = (false, false);
    for part in date.chars().chain(time.chars()) {
        let missing = match started {
            true if "MDd".contains(part) => 1.0,
            true => 0.0,
            false => now.component(part).unwrap_or(0) as f64,
        };
        match found.entry(part) {
            Entry::Vacant(vacant) => {
                vacant.insert(missing);
                ended |= started;
            }
            Entry::Occupied(_) if ended => return Err(incomplete()),
            Entry::Occupied(_) => started = true,
        }
    }
    if by_week_of_month || by_week {
        return Err(incomplete());
    }
    let of = |found: &BTreeMap<char, f64>, part: char| found.get(&part).copied().unwrap_or(0.0);
    // What is larger is no moment of any calendar.
    if !found.values().all(|value| value.abs() < 1e6) {
        return Ok(f64::NAN);
    }
    let mut month = (of(&found, 'M') as i64 - 1).max(0);
    let mut day = of(&found, 'D') as i64;
    let year = of(&found, 'Y') as i64;
    if by_day {
        (month, day) = (0, of(&found, 'd') as i64);
    }
    if by_half {
        let mut hour = of(&found, 'h');
        if hour == 12.0 {
            hour = 0.0;
        }
        if of(&found, 'P') == 1.0 {
            hour += 12.0;
        }
        found.insert('H', hour);
    }
    let time = ((of(&found, 'H') * 60.0 + of(&found, 'm')) * 60.0 + of(&found, 's')) * 1000.0;
    let offset = [of(&found, 'Z'), of(&found, 'z')]
        .into_iter()
        .find(|offset| *offset != 0.0);
    let date = (days(year, month, day) * DAY) as f64;
    Ok(date + time + of(&found, 'f').trunc() - offset.unwrap_or(0.0) * 60_000.0)
}
