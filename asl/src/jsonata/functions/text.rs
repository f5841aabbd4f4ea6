//! Functions of texts, and how values are written as text.
//!
//! Positions in texts are the language's: JavaScript's, which counts UTF-16 units. A text that is
//! made is measured before or while it is made; see [`room`].

use std::cmp::Ordering;
use std::fmt::Write;

use base64::Engine;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use super::super::call::Function;
use super::super::error::{Failed, error, memory};
use super::super::evaluate::{Answer, Evaluator, out_of_range, shown};
use super::super::regex::Pattern;
use super::super::value::{Found, Key, Mark, Object, Val};
use super::super::{SEQUENCE_MAX, TEXT_BYTES_MAX};
use super::{at, number_at};

/// Whether a text may have this many bytes.
pub(super) fn room(bytes: usize) -> Result<(), Failed> {
    match bytes <= TEXT_BYTES_MAX {
        true => Ok(()),
        false => Err(memory()),
    }
}

/// The part of `text`, which `value` is, from `start` to `end`; a text of a document is not copied.
fn part<'a>(value: &Val<'a>, start: usize, end: usize) -> Val<'a> {
    match value {
        Val::Str(text) => Val::Str(&text[start..end]),
        Val::Text(text) => match (start, end) == (0, text.as_str().len()) {
            true => value.clone(),
            false => Val::text(&text.as_str()[start..end]),
        },
        _ => Val::Undefined,
    }
}

/// The order of texts is that of their UTF-16 units.
pub(in super::super) fn order(a: &str, b: &str) -> Ordering {
    // Only characters beyond U+DFFF come otherwise in UTF-8.
    let beyond = |text: &str| text.bytes().any(|byte| byte >= 0xee);
    match a.as_bytes().cmp(b.as_bytes()) {
        Ordering::Equal => Ordering::Equal,
        _ if beyond(a) && beyond(b) => a.encode_utf16().cmp(b.encode_utf16()),
        order => order,
    }
}

/// A number as JavaScript writes it.
pub(in super::super) fn number_text(number: f64) -> String {
    let mut text = String::new();
    write_number(number, &mut text);
    text
}

fn write_number(number: f64, text: &mut String) {
    const WHOLE_MAX: f64 = 1e15;
    let written = if number.fract() == 0.0 && number.abs() < WHOLE_MAX {
        write!(text, "{}", number as i64)
    } else if number.is_nan() {
        write!(text, "NaN")
    } else if number.is_infinite() {
        write!(text, "{}Infinity", if number < 0.0 { "-" } else { "" })
    } else if (1e-6..1e21).contains(&number.abs()) {
        write!(text, "{number}")
    } else {
        let scientific = format!("{number:e}");
        let (digits, exponent) = scientific.split_once('e').expect("so it is written");
        let sign = if exponent.starts_with('-') { "" } else { "+" };
        write!(text, "{digits}e{sign}{exponent}")
    };
    written.expect("a string takes everything");
}

/// A number in JSON: what JavaScript writes of its first 15 digits.
fn write_json_number(number: f64, text: &mut String) -> Result<(), Failed> {
    if number.is_infinite() {
        return Err(out_of_range(number));
    }
    if number.is_nan() {
        text.push_str("null");
    } else if number.fract() == 0.0 {
        write_number(number, text);
    } else {
        write_number(format!("{number:.14e}").parse().unwrap_or(number), text);
    }
    Ok(())
}

/// The JSON text of a value.
pub(super) fn json(value: &Val<'_>, pretty: bool) -> Result<String, Failed> {
    let mut text = String::new();
    write_json(value, pretty.then_some(0), &mut text)?;
    Ok(text)
}

fn write_json(value: &Val<'_>, indent: Option<usize>, out: &mut String) -> Result<(), Failed> {
    room(out.len())?;
    let deeper = indent.map(|indent| indent + 2);
    let line = |out: &mut String, indent: Option<usize>| {
        if let Some(indent) = indent {
            out.push('\n');
            out.extend(std::iter::repeat_n(' ', indent));
        }
    };
    match value {
        Val::Undefined | Val::Null => out.push_str("null"),
        Val::Bool(flag) => out.push_str(if *flag { "true" } else { "false" }),
        Val::Number(number) => write_json_number(*number, out)?,
        Val::Str(_) | Val::Text(_) => write_json_text(value.as_str().unwrap_or(""), out)?,
        Val::Array(_) | Val::List(_) => {
            out.push('[');
            for (at, item) in value.items().enumerate() {
                if at > 0 {
                    out.push(',');
                }
                line(out, deeper);
                write_json(&item, deeper, out)?;
            }
            if value.len() != Some(0) {
                line(out, indent);
            }
            out.push(']');
        }
        Val::Map(_) | Val::Object(_) => {
            out.push('{');
            let mut any = false;
            for (key, member) in value.members().filter(|(_, member)| !member.is_undefined()) {
                if any {
                    out.push(',');
                }
                any = true;
                line(out, deeper);
                write_json_text(key.as_str(), out)?;
                out.push_str(if indent.is_some() { ": " } else { ":" });
                write_json(&member, deeper, out)?;
            }
            if any {
                line(out, indent);
            }
            out.push('}');
        }
        Val::Function(_) | Val::Builtin(_) | Val::Regex(_) | Val::Tuples(_) => out.push_str("\"\""),
    }
    Ok(())
}

fn write_json_text(text: &str, out: &mut String) -> Result<(), Failed> {
    room(out.len() + text.len())?;
    out.push('"');
    let mut rest = text;
    while let Some(at) = rest.find(|c: char| c == '"' || c == '\\' || c < ' ') {
        out.push_str(&rest[..at]);
        let character = rest[at..].chars().next().expect("it was found");
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\u{8}' => out.push_str("\\b"),
            '\t' => out.push_str("\\t"),
            '\n' => out.push_str("\\n"),
            '\u{c}' => out.push_str("\\f"),
            '\r' => out.push_str("\\r"),
            other => write!(out, "\\u{:04x}", u32::from(other)).expect("a string takes everything"),
        }
        rest = &rest[at + 1..];
    }
    out.push_str(rest);
    out.push('"');
    Ok(())
}

/// What `$string` makes of a value that is neither undefined nor a text.
fn written(value: &Val<'_>, pretty: bool) -> Result<String, Failed> {
    match value {
        Val::Number(number) if !number.is_finite() => {
            let what = "Attempting to invoke string function on Infinity or NaN";
            Err(error("D3001", what))
        }
        Val::List(list) if list.mark.get() == Mark::Wrapper => json(&list.items[0], pretty),
        value if value.is_function() => Ok(String::new()),
        value => json(value, pretty),
    }
}

/// `a & b`
pub(in super::super) fn concatenate<'a>(left: &Val<'a>, right: &Val<'a>) -> Answer<'a> {
    let write = |value: &Val<'a>, out: &mut String| {
        match value {
            Val::Undefined => {}
            Val::Number(number) if number.is_finite() => write_json_number(*number, out)?,
            other => match other.as_str() {
                Some(text) => out.push_str(text),
                None => out.push_str(&written(other, false)?),
            },
        }
        Ok::<(), Failed>(())
    };
    let length = |value: &Val<'a>| value.as_str().map_or(8, str::len);
    room(length(left) + length(right))?;
    let mut text = String::with_capacity(length(left) + length(right));
    write(left, &mut text)?;
    write(right, &mut text)?;
    room(text.len())?;
    Ok(Val::text(text))
}

pub(super) fn string<'a>(_: &Evaluator<'a>, arguments: &[Val<'a>]) -> Answer<'a> {
    let value = at(arguments, 0);
    if value.is_undefined() || value.as_str().is_some() {
        return Ok(value.clone());
    }
    written(value, at(arguments, 1).truthy()).map(Val::text)
}

/// Where the character number `count` starts; the end of the text if it has fewer.
fn offset(text: &str, count: usize) -> usize {
    if text.is_ascii() {
        return count.min(text.len());
    }
    text.char_indices()
        .nth(count)
        .map_or(text.len(), |(at, _)| at)
}

pub(super) fn substring<'a>(_: &Evaluator<'a>, arguments: &[Val<'a>]) -> Answer<'a> {
    let value = at(arguments, 0);
    let Some(text) = value.as_str() else {
        return Ok(Val::Undefined);
    };
    let length = characters(text) as f64;
    let whole = |number: f64| if number.is_nan() { 0.0 } else { number.trunc() };
    let mut start = number_at(arguments, 1).unwrap_or(0.0);
    if length + start < 0.0 {
        start = 0.0;
    }
    let mut end = length;
    if let Some(count) = number_at(arguments, 2) {
        if count <= 0.0 {
            return Ok(Val::Str(""));
        }
        end = match start >= 0.0 {
            true => start + count,
            false => length + start + count,
        };
    }
    // As an index from the end, if it is negative.
    let index = |number: f64| {
        let number = whole(number);
        let number = if number < 0.0 {
            number + length
        } else {
            number
        };
        number.clamp(0.0, length) as usize
    };
    let (start, end) = (index(start), index(end));
    let from = offset(text, start);
    let to = from + offset(&text[from..], end.saturating_sub(start));
    Ok(part(value, from, to))
}

pub(super) fn substring_before<'a>(_: &Evaluator<'a>, arguments: &[Val<'a>]) -> Answer<'a> {
    let value = at(arguments, 0);
    match (value.as_str(), at(arguments, 1).as_str()) {
        (Some(text), Some(mark)) => Ok(match text.find(mark) {
            Some(end) => part(value, 0, end),
            None => value.clone(),
        }),
        _ => Ok(value.clone()),
    }
}

pub(super) fn substring_after<'a>(_: &Evaluator<'a>, arguments: &[Val<'a>]) -> Answer<'a> {
    let value = at(arguments, 0);
    match (value.as_str(), at(arguments, 1).as_str()) {
        (Some(text), Some(mark)) => Ok(match text.find(mark) {
            Some(start) => part(value, start + mark.len(), text.len()),
            None => value.clone(),
        }),
        _ => Ok(value.clone()),
    }
}

pub(super) fn lowercase<'a>(_: &Evaluator<'a>, arguments: &[Val<'a>]) -> Answer<'a> {
    let text = at(arguments, 0).as_str();
    Ok(text.map_or(Val::Undefined, |text| Val::text(text.to_lowercase())))
}

pub(super) fn uppercase<'a>(_: &Evaluator<'a>, arguments: &[Val<'a>]) -> Answer<'a> {
    let text = at(arguments, 0).as_str();
    Ok(text.map_or(Val::Undefined, |text| Val::text(text.to_uppercase())))
}

fn characters(text: &str) -> usize {
    match text.is_ascii() {
        true => text.len(),
        false => text.chars().count(),
    }
}

pub(super) fn length<'a>(_: &Evaluator<'a>, arguments: &[Val<'a>]) -> Answer<'a> {
    let text = at(arguments, 0).as_str();
    Ok(text.map_or(Val::Undefined, |text| Val::Number(characters(text) as f64)))
}

/// Blanks in a row are one, and none is at either end.
pub(super) fn trim<'a>(_: &Evaluator<'a>, arguments: &[Val<'a>]) -> Answer<'a> {
    let Some(text) = at(arguments, 0).as_str() else {
        return Ok(Val::Undefined);
    };
    let mut trimmed = String::with_capacity(text.len());
    for word in text
        .split([' ', '\t', '\n', '\r'])
        .filter(|word| !word.is_empty())
    {
        if !trimmed.is_empty() {
            trimmed.push(' ');
        }
        trimmed.push_str(word);
    }
    Ok(Val::text(trimmed))
}

pub(super) fn pad<'a>(_: &Evaluator<'a>, arguments: &[Val<'a>]) -> Answer<'a> {
    let value = at(arguments, 0);
    let Some(text) = value.as_str() else {
        return Ok(Val::Undefined);
    };
    let width = number_at(arguments, 1).unwrap_or(0.0).trunc();
    let with = at(arguments, 2).as_str().filter(|with| !with.is_empty());
    let with = with.unwrap_or(" ");
    let missing = width.abs() - characters(text) as f64;
    if missing.is_nan() || missing <= 0.0 {
        return Ok(value.clone());
    }
    let longest = with.chars().map(char::len_utf8).max().unwrap_or(1);
    room((missing * longest as f64) as usize + text.len())?;
    let missing = missing as usize;
    let padding: String = match with.is_ascii() {
        true => {
            let mut padding = with.repeat(missing.div_ceil(with.len()));
            padding.truncate(missing);
            padding
        }
        false => with.chars().cycle().take(missing).collect(),
    };
    let padded = match width > 0.0 {
        true => [text, &padding].concat(),
        false => [&padding, text].concat(),
    };
    Ok(Val::text(padded))
}

/// The matches of a pattern in a text, one after the other.
#[derive(Clone)]
pub(in super::super) struct Matches<'a> {
    pattern: &'a Pattern,
    text: Val<'a>,
    at: usize,
    /// How many matches there were.
    count: usize,
}

/// A match: where it is, in bytes, and its groups.
struct Hit<'a> {
    start: usize,
    end: usize,
    groups: Vec<Val<'a>>,
    /// What a function that is no pattern says has matched.
    matched: Option<Val<'a>>,
}

impl<'a> Matches<'a> {
    pub(in super::super) fn of(pattern: &'a Pattern, text: Option<Val<'a>>) -> Matches<'a> {
        Matches {
            pattern,
            text: text.unwrap_or(Val::Undefined),
            at: 0,
            count: 0,
        }
    }

    /// The next match, if there is one.
    fn advance(&mut self) -> Result<Option<Hit<'a>>, Failed> {
        let Some(text) = self.text.as_str() else {
            return Ok(None);
        };
        if self.count > 0 && self.at >= text.len() {
            return Ok(None);
        }
        let regex = self.pattern.regex();
        let (start, end, groups) = if regex.captures_len() == 1 {
            let Some(found) = regex.find_at(text, self.at) else {
                self.at = text.len();
                return Ok(None);
            };
            (found.start(), found.end(), Vec::new())
        } else {
            let Some(found) = regex.captures_at(text, self.at) else {
                self.at = text.len();
                return Ok(None);
            };
            let whole = found.get(0).expect("a match has a whole");
            let group = |group: Option<regex::Match<'_>>| match group {
                Some(group) => part(&self.text, group.start(), group.end()),
                None => Val::Undefined,
            };
            let groups = found.iter().skip(1).map(group).collect();
            (whole.start(), whole.end(), groups)
        };
        if self.count > 0 && start == end {
            return Err(error(
                "D1004",
                "Regular expression matches zero length string",
            ));
        }
        self.count += 1;
        self.at = end;
        Ok(Some(Hit {
            start,
            end,
            groups,
            matched: None,
        }))
    }
}

impl<'a> Evaluator<'a> {
    /// A match as the language has it; nothing if there is none.
    pub(in super::super) fn next_match(&self, mut matches: Matches<'a>) -> Answer<'a> {
        let Some(hit) = matches.advance()? else {
            return Ok(Val::Undefined);
        };
        let text = matches.text.as_str().unwrap_or("");
        let mut object = Object::with_capacity(5);
        object.set(Key::Str("match"), part(&matches.text, hit.start, hit.end));
        object.set(
            Key::Str("start"),
            Val::Number(units(text, hit.start) as f64),
        );
        object.set(Key::Str("end"), Val::Number(units(text, hit.end) as f64));
        object.set(Key::Str("groups"), Val::array(hit.groups));
        let next = Val::function(Function::Next(matches));
        object.set(Key::Str("next"), next);
        Ok(Val::object(object))
    }

    /// The matches of `matcher` in `value`, up to `limit`.
    fn hits(
        &self,
        value: &Val<'a>,
        matcher: &Val<'a>,
        limit: Option<f64>,
    ) -> Result<Vec<Hit<'a>>, Failed> {
        let limit = limit.unwrap_or(f64::INFINITY);
        let mut hits = Vec::new();
        if limit <= 0.0 {
            return Ok(hits);
        }
        if let Val::Regex(pattern) = matcher {
            let mut matches = Matches::of(pattern, Some(value.clone()));
            while let Some(hit) = matches.advance()? {
                if hits.len() as f64 >= limit {
                    break;
                }
                self.tick()?;
                hits.push(hit);
            }
            return Ok(hits);
        }
        // A function that matches as a pattern would.
        let text = value.as_str().unwrap_or("");
        let mut found = self.apply(matcher.clone(), vec![value.clone()], &Val::Null, "")?;
        while !found.is_undefined() && (hits.len() as f64) < limit {
            let number = |name: &str| match found.member(name) {
                Val::Number(number) => Some(number),
                _ => None,
            };
            let groups = found.member("groups");
            let next = found.member("next");
            let (start, end) = (number("start"), number("end"));
            if start.is_none() && end.is_none() && !groups.is_array() && !next.is_function() {
                let what = "The matcher function argument passed to a function does not return the correct object structure";
                return Err(error("T1010", what));
            }
            let matched = found.member("match");
            let start = bytes(text, start.unwrap_or(0.0));
            let end = bytes(text, end.unwrap_or(0.0)).max(start);
            hits.push(Hit {
                start,
                end,
                groups: groups
                    .items()
                    .filter(|group| !group.is_undefined())
                    .collect(),
                matched: Some(matched),
            });
            found = self.apply(next, Vec::new(), &Val::Null, "")?;
        }
        Ok(hits)
    }
}

/// A position in bytes as one in UTF-16 units.
fn units(text: &str, at: usize) -> usize {
    let before = &text[..at];
    match before.is_ascii() {
        true => at,
        false => before.encode_utf16().count(),
    }
}

/// A position in UTF-16 units as one in bytes.
fn bytes(text: &str, at: f64) -> usize {
    let mut left = at.max(0.0) as usize;
    for (start, character) in text.char_indices() {
        if left < character.len_utf16() {
            return start;
        }
        left -= character.len_utf16();
    }
    text.len()
}

fn limit(
    arguments: &[Val<'_>],
    at: usize,
    code: &'static str,
    what: &str,
) -> Result<Option<f64>, Failed> {
    match number_at(arguments, at) {
        Some(limit) if limit < 0.0 => Err(error(code, what)),
        limit => Ok(limit),
    }
}

pub(super) fn match_<'a>(e: &Evaluator<'a>, arguments: &[Val<'a>]) -> Answer<'a> {
    let value = at(arguments, 0);
    let Some(text) = value.as_str() else {
        return Ok(Val::Undefined);
    };
    let what = "Third argument of match function must evaluate to a positive number";
    let limit = limit(arguments, 2, "D3040", what)?;
    let ascii = text.is_ascii();
    let mut found = Found::default();
    for hit in e.hits(value, at(arguments, 1), limit)? {
        let index = match ascii {
            true => hit.start,
            false => units(text, hit.start),
        };
        let matched = hit
            .matched
            .unwrap_or_else(|| part(value, hit.start, hit.end));
        let mut object = Object::with_capacity(3);
        object.set(Key::Str("match"), matched);
        object.set(Key::Str("index"), Val::Number(index as f64));
        object.set(Key::Str("groups"), Val::array(hit.groups));
        found.push(Val::object(object))?;
    }
    Ok(Val::list(found.0, Mark::Sequence))
}

pub(super) fn contains<'a>(e: &Evaluator<'a>, arguments: &[Val<'a>]) -> Answer<'a> {
    let (value, token) = (at(arguments, 0), at(arguments, 1));
    let Some(text) = value.as_str() else {
        return Ok(Val::Undefined);
    };
    Ok(match (token, token.as_str()) {
        (Val::Undefined, _) => Val::Undefined,
        (_, Some(token)) => Val::Bool(text.contains(token)),
        (Val::Regex(pattern), _) => Val::Bool(pattern.regex().is_match(text)),
        _ => Val::Bool(!e.hits(value, token, Some(1.0))?.is_empty()),
    })
}

pub(super) fn replace<'a>(e: &Evaluator<'a>, arguments: &[Val<'a>]) -> Answer<'a> {
    let (value, pattern, replacement) = (at(arguments, 0), at(arguments, 1), at(arguments, 2));
    let Some(text) = value.as_str() else {
        return Ok(Val::Undefined);
    };
    if pattern.as_str() == Some("") {
        let what = "Second argument of replace function cannot be an empty string";
        return Err(error("D3010", what));
    }
    let what = "Fourth argument of replace function must evaluate to a positive number";
    let limit = limit(arguments, 3, "D3011", what)?;
    let mut replaced = String::with_capacity(text.len());
    let mut from = 0;
    if let Some(pattern) = pattern.as_str() {
        let most = limit.unwrap_or(f64::INFINITY);
        let written = match replacement.as_str() {
            Some(text) => text.to_owned(),
            None => written(replacement, false)?,
        };
        let matches = text.match_indices(pattern).enumerate();
        for (_, (at, _)) in matches.take_while(|(count, _)| (*count as f64) < most) {
            replaced.push_str(&text[from..at]);
            replaced.push_str(&written);
            room(replaced.len())?;
            from = at + pattern.len();
        }
        replaced.push_str(&text[from..]);
        room(replaced.len())?;
        return Ok(Val::text(replaced));
    }
    for hit in e.hits(value, pattern, limit)? {
        replaced.push_str(text.get(from..hit.start).unwrap_or(""));
        let matched = hit
            .matched
            .clone()
            .unwrap_or_else(|| part(value, hit.start, hit.end));
        let length = matched.as_str().map_or(0, str::len);
        match replacement.as_str() {
            Some(template) => substitute(template, &matched, &hit.groups, &mut replaced)?,
            None => {
                let mut object = Object::with_capacity(4);
                object.set(Key::Str("match"), matched);
                object.set(
                    Key::Str("start"),
                    Val::Number(units(text, hit.start) as f64),
                );
                object.set(Key::Str("end"), Val::Number(units(text, hit.end) as f64));
                object.set(Key::Str("groups"), Val::array(hit.groups));
                let given = vec![Val::object(object)];
                let with = e.apply(replacement.clone(), given, &Val::Null, "")?;
                match with.as_str() {
                    Some(with) => replaced.push_str(with),
                    None => {
                        let what = "Attempted to replace a matched string with a non-string value";
                        return Err(error("D3012", what));
                    }
                }
            }
        }
        room(replaced.len())?;
        from = hit.start + length;
    }
    replaced.push_str(text.get(from..).unwrap_or(""));
    room(replaced.len())?;
    Ok(Val::text(replaced))
}

/// Writes `template` with `$0` for the match, `$1` for its first group, and so on.
fn substitute(
    template: &str,
    matched: &Val<'_>,
    groups: &[Val<'_>],
    out: &mut String,
) -> Result<(), Failed> {
    let mut rest = template;
    while let Some(dollar) = rest.find('$') {
        out.push_str(&rest[..dollar]);
        room(out.len())?;
        rest = &rest[dollar + 1..];
        if let Some(after) = rest.strip_prefix('$') {
            out.push('$');
            rest = after;
            continue;
        }
        if let Some(after) = rest.strip_prefix('0') {
            out.push_str(matched.as_str().unwrap_or(""));
            rest = after;
            continue;
        }
        // No more digits than the number of the last group has.
        let most = groups.len().max(1).ilog10() as usize + 1;
        let digits = rest
            .bytes()
            .take(most)
            .take_while(u8::is_ascii_digit)
            .count();
        let parse = |digits: usize| rest[..digits].parse::<usize>().ok();
        let mut group = parse(digits);
        if most > 1 && group.is_some_and(|group| group > groups.len()) {
            group = parse(digits.min(most - 1));
        }
        match group {
            Some(group) => {
                if let Some(text) = group.checked_sub(1).and_then(|at| groups.get(at)) {
                    out.push_str(text.as_str().unwrap_or(""));
                }
                rest = &rest[group.to_string().len()..];
            }
            None => out.push('$'),
        }
    }
    out.push_str(rest);
    Ok(())
}

pub(super) fn split<'a>(e: &Evaluator<'a>, arguments: &[Val<'a>]) -> Answer<'a> {
    let (value, separator) = (at(arguments, 0), at(arguments, 1));
    let Some(text) = value.as_str() else {
        return Ok(Val::Undefined);
    };
    let what = "Third argument of split function must evaluate to a positive number";
    let limit = limit(arguments, 2, "D3020", what)?;
    let most = limit.unwrap_or(f64::INFINITY);
    let mut pieces = Found::default();
    let mut from = 0;
    match separator.as_str() {
        Some("") => {
            for (at, character) in text.char_indices() {
                if pieces.0.len() as f64 >= most.floor() {
                    break;
                }
                pieces.push(part(value, at, at + character.len_utf8()))?;
            }
        }
        // Like JavaScript, whole pieces only: a limit of 1.5 is one of 1.
        Some(separator) => pieces.0 = cut(value, text, separator, most as usize)?,
        None => {
            for hit in e.hits(value, separator, limit)? {
                pieces.push(part(value, from.min(hit.start), hit.start))?;
                from = hit.end;
            }
            if (pieces.0.len() as f64) < most {
                pieces.push(part(value, from, text.len()))?;
            }
        }
    }
    Ok(Val::array(pieces.0))
}

/// The pieces of `text`, which `value` is, between the places of `separator`: the first `most` of them.
fn cut<'a>(
    value: &Val<'a>,
    text: &str,
    separator: &str,
    most: usize,
) -> Result<Vec<Val<'a>>, Failed> {
    // One more than there may be tells that there are too many.
    let most = most.min(SEQUENCE_MAX + 1);
    let places = match separator.as_bytes() {
        [sign] => places(text.as_bytes(), *sign, most),
        _ => {
            let places = text.match_indices(separator).map(|(at, _)| at);
            places.take(most).collect()
        }
    };
    let count = most.min(places.len() + 1);
    if count > SEQUENCE_MAX {
        return Err(memory());
    }
    let mut from = 0;
    let pieces = places.into_iter().chain([text.len()]).map(|to| {
        let piece = (from, to);
        from = to + separator.len();
        piece
    });
    let mut cut = Vec::with_capacity(count);
    match value {
        Val::Str(text) => {
            cut.extend(
                pieces
                    .take(count)
                    .map(|(from, to)| Val::Str(&text[from..to])),
            );
        }
        made => cut.extend(pieces.take(count).map(|(from, to)| part(made, from, to))),
    }
    Ok(cut)
}

/// Where `sign` stands in `text`: the first `most` places. Nothing is decided byte by byte, since where
/// the next one is cannot be foretold.
fn places(text: &[u8], sign: u8, most: usize) -> Vec<usize> {
    // Few enough for a byte to count them.
    const BLOCK: usize = 128;
    let is_sign = |byte: &u8| u8::from(*byte == sign);
    let signs = text
        .chunks(BLOCK)
        .map(|block| block.iter().map(is_sign).sum::<u8>());
    let signs = signs.map(usize::from).sum::<usize>().min(most);
    // A byte that is no sign is noted as well, and its place taken by the next.
    let mut places = vec![0; signs + BLOCK];
    let mut found = 0;
    for (block, from) in text.chunks(BLOCK).zip((0..).step_by(BLOCK)) {
        if found >= signs {
            break;
        }
        for (at, byte) in (from..).zip(block) {
            places[found] = at;
            found += usize::from(is_sign(byte));
        }
    }
    places.truncate(signs);
    places
}

pub(super) fn join<'a>(_: &Evaluator<'a>, arguments: &[Val<'a>]) -> Answer<'a> {
    let list = at(arguments, 0);
    if list.is_undefined() {
        return Ok(Val::Undefined);
    }
    let separator = at(arguments, 1).as_str().unwrap_or("");
    let mut joined = String::new();
    for (at, item) in list.items().enumerate() {
        if at > 0 {
            joined.push_str(separator);
        }
        joined.push_str(item.as_str().unwrap_or(""));
        room(joined.len())?;
    }
    Ok(Val::text(joined))
}

/// Of the bytes in UTF-8.
pub(super) fn base64encode<'a>(_: &Evaluator<'a>, arguments: &[Val<'a>]) -> Answer<'a> {
    let Some(text) = at(arguments, 0).as_str() else {
        return Ok(Val::Undefined);
    };
    room(text.len() * 2)?;
    Ok(Val::text(
        base64::engine::general_purpose::STANDARD.encode(text),
    ))
}

pub(super) fn base64decode<'a>(_: &Evaluator<'a>, arguments: &[Val<'a>]) -> Answer<'a> {
    const LENIENT: GeneralPurpose = GeneralPurpose::new(
        &base64::alphabet::STANDARD,
        GeneralPurposeConfig::new()
            .with_decode_allow_trailing_bits(true)
            .with_decode_padding_mode(DecodePaddingMode::Indifferent),
    );
    let Some(text) = at(arguments, 0).as_str() else {
        return Ok(Val::Undefined);
    };
    // What is not of the alphabet is passed over, and a digit too few ends the text.
    let mut digits: Vec<u8> = text
        .bytes()
        .take_while(|byte| *byte != b'=')
        .map(|byte| match byte {
            b'-' => b'+',
            b'_' => b'/',
            other => other,
        })
        .filter(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/'))
        .collect();
    if digits.len() % 4 == 1 {
        digits.pop();
    }
    let bytes = LENIENT.decode(digits).unwrap_or_default();
    Ok(Val::text(String::from_utf8_lossy(&bytes).into_owned()))
}

fn encode<'a>(arguments: &[Val<'a>], kept: &str) -> Answer<'a> {
    let Some(text) = at(arguments, 0).as_str() else {
        return Ok(Val::Undefined);
    };
    room(text.len() * 3)?;
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte.is_ascii_alphanumeric() || kept.as_bytes().contains(&byte) {
            true => encoded.push(char::from(byte)),
            false => write!(encoded, "%{byte:02X}").expect("a string takes everything"),
        }
    }
    Ok(Val::text(encoded))
}

const COMPONENT: &str = "-_.!~*'()";
const RESERVED: &str = ";/?:@&=+$,#";

pub(super) fn encode_url_component<'a>(_: &Evaluator<'a>, arguments: &[Val<'a>]) -> Answer<'a> {
    encode(arguments, COMPONENT)
}

pub(super) fn encode_url<'a>(_: &Evaluator<'a>, arguments: &[Val<'a>]) -> Answer<'a> {
    encode(arguments, &format!("{COMPONENT}{RESERVED}"))
}

/// Without what stands for a character of `kept`.
fn decode<'a>(arguments: &[Val<'a>], kept: &str, function: &str) -> Answer<'a> {
    let value = at(arguments, 0);
    let Some(text) = value.as_str() else {
        return Ok(Val::Undefined);
    };
    let malformed = || {
        let what = format!("Malformed URL passed to ${function}(): {}", shown(value));
        error("D3140", what)
    };
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        if *first != b'%' {
            decoded.push(*first);
            continue;
        }
        let digits = after
            .get(..2)
            .and_then(|digits| std::str::from_utf8(digits).ok());
        let digits = digits.filter(|digits| digits.bytes().all(|b| b.is_ascii_hexdigit()));
        let digits = digits.ok_or_else(malformed)?;
        let byte = u8::from_str_radix(digits, 16).map_err(|_| malformed())?;
        match kept.as_bytes().contains(&byte) {
            true => {
                decoded.push(b'%');
                decoded.extend(digits.bytes());
            }
            false => decoded.push(byte),
        }
        rest = &after[2..];
    }
    String::from_utf8(decoded)
        .map(Val::text)
        .map_err(|_| malformed())
}

pub(super) fn decode_url_component<'a>(_: &Evaluator<'a>, arguments: &[Val<'a>]) -> Answer<'a> {
    decode(arguments, "", "decodeUrlComponent")
}

pub(super) fn decode_url<'a>(_: &Evaluator<'a>, arguments: &[Val<'a>]) -> Answer<'a> {
    decode(arguments, RESERVED, "decodeUrl")
}
