//! What of a callback is not to be stored: chosen headers, parts of the query, and values in the body.
//!
//! | written | taken out |
//! | --- | --- |
//! | `$headers.x-api-token` | a header |
//! | `$query.token` | a parameter of the query |
//! | `$.card.number`, `/card/number` | a member of a JSON body, or a field of a form |
//! | `$.items[*].iban`, `/items/*/iban` | one in each element; `[0]` is one element |
//! | `$..iban` | wherever it stands |
//! | `$` | the whole body |
//!
//! In the place of each stands [`REDACTED`]; all bytes around it stay as they came. Where a value can't be
//! looked for (a body that is not what its route says it is), nothing of the body is kept: it may well be in
//! there.
//!
//! What the workflow is given is read before any of this. This module does not know routes or records.

use std::ops::Range;

use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::callback::{BodyFormat, without_mark};
use crate::http::percent_decode;

/// Stands where something was taken out.
pub(super) const REDACTED: &str = "(redacted)";

/// Stands for a body in which nothing could be looked for.
const NOT_SEARCHED: &str = "(redacted: the body is not what its route says it is, so what is to be redacted could not be found in it)";

/// How deep a body is looked into; `serde_json` reads none that is deeper.
const DEPTH_MAX: usize = 128;

/// What a route takes out.
#[derive(Default)]
pub(super) struct Redaction {
    rules: Vec<Rule>,
}

struct Rule {
    written: String,
    place: Place,
}

enum Place {
    /// In small letters.
    Header(String),
    Query(String),
    Body(Vec<Step>),
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Step {
    Name(String),
    Element(usize),
    /// A part of a JSON pointer that is a number: an element, or a member of that name.
    Either(String, usize),
    Each,
    /// However deep.
    Anywhere,
}

/// A part of a callback without what is taken out of it.
pub(super) struct Redacted<T> {
    pub rest: T,
    /// The rules that found something.
    pub by: Vec<String>,
}

impl Redaction {
    /// Reads `redact` of a route.
    ///
    /// # Errors
    /// One sentence that begins with the key.
    pub fn parse(rules: &[String], format: BodyFormat) -> Result<Redaction, String> {
        let rules = rules.iter().map(|written| {
            let place = place(written).ok_or_else(|| {
                format!(
                    "`redact` has {written:?}; write \"$headers.NAME\", \"$query.NAME\", or a value in the body: \"$.card.number\", \"$.items[*].iban\", \"$..iban\", \"/card/number\""
                )
            })?;
            if let Place::Body(steps) = &place
                && format == BodyFormat::Text
                && !steps.is_empty()
            {
                return Err(format!(
                    "`redact` has {written:?}, and nothing can be found in a body of the format text; write \"$\" to keep none of it"
                ));
            }
            Ok(Rule {
                written: written.clone(),
                place,
            })
        });
        Ok(Redaction {
            rules: rules.collect::<Result<_, String>>()?,
        })
    }

    /// The rule by which the value of a header (its name in small letters) is not kept.
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.rules.iter().find(|rule| match &rule.place {
            Place::Header(header) => header == name,
            _ => false,
        });
        found.map(|rule| rule.written.as_str())
    }

    /// A query, as much of it as is kept.
    pub fn query(&self, query: &str) -> Redacted<String> {
        let rules = self.rules.iter().filter_map(|rule| match &rule.place {
            Place::Query(name) => Some((rule, name)),
            _ => None,
        });
        let rules: Vec<_> = rules.collect();
        in_pairs(query, |name| {
            rules
                .iter()
                .filter(|(_, wanted)| *wanted == name)
                .map(|(rule, _)| *rule)
                .collect()
        })
    }

    /// A body, as much of it as is kept; none if all of it is.
    pub fn body(&self, body: &[u8], format: BodyFormat) -> Option<Redacted<Vec<u8>>> {
        let rules = self.rules.iter().filter_map(|rule| match &rule.place {
            Place::Body(steps) => Some((rule, steps.as_slice())),
            _ => None,
        });
        let rules: Vec<_> = rules.collect();
        if rules.is_empty() || body.is_empty() {
            return None;
        }
        if let Some((rule, _)) = rules.iter().find(|(_, steps)| steps.is_empty()) {
            return Some(Redacted {
                rest: REDACTED.into(),
                by: vec![rule.written.clone()],
            });
        }
        let redacted = match (std::str::from_utf8(body), format) {
            (Ok(text), BodyFormat::Json) => in_json(text, &rules),
            (Ok(text), BodyFormat::Form) => Some(in_form(text, &rules)),
            _ => None,
        };
        Some(match redacted {
            Some(Redacted { rest, by }) => Redacted {
                rest: rest.into_bytes(),
                by,
            },
            None => Redacted {
                rest: NOT_SEARCHED.into(),
                by: vec!["$".to_owned()],
            },
        })
    }
}

/// Whether something was taken out of a text.
pub(super) fn is_redacted(text: &str) -> bool {
    text.contains(REDACTED) || text.contains(NOT_SEARCHED)
}

fn place(written: &str) -> Option<Place> {
    if written.starts_with('/') {
        return Some(Place::Body(pointer(written)));
    }
    let rest = written.strip_prefix('$')?;
    for (of, kind) in [("headers", 0), ("query", 1)] {
        if let Some(rest) = rest.strip_prefix(of) {
            return match (steps(rest)?.as_slice(), kind) {
                ([Step::Name(name)], 0) => Some(Place::Header(name.to_ascii_lowercase())),
                ([Step::Name(name)], _) => Some(Place::Query(name.clone())),
                _ => None,
            };
        }
    }
    steps(rest).map(Place::Body)
}

/// RFC 6901, with `*` for each.
fn pointer(written: &str) -> Vec<Step> {
    let parts = written.split('/').skip(1);
    parts
        .map(|part| {
            let name = part.replace("~1", "/").replace("~0", "~");
            match (part, part.parse()) {
                ("*", _) => Step::Each,
                (_, Ok(number)) => Step::Either(name, number),
                _ => Step::Name(name),
            }
        })
        .collect()
}

/// What follows the `$` of a path.
fn steps(mut rest: &str) -> Option<Vec<Step>> {
    let mut steps = Vec::new();
    while !rest.is_empty() {
        if let Some(after) = rest.strip_prefix("..") {
            steps.push(Step::Anywhere);
            // A name, or a bracket, follows.
            if after.starts_with('[') {
                rest = after;
                continue;
            }
            rest = named(after, &mut steps)?;
        } else if let Some(after) = rest.strip_prefix('.') {
            rest = named(after, &mut steps)?;
        } else {
            let inside = rest.strip_prefix('[')?;
            let quote = inside.chars().next()?;
            if quote == '\'' || quote == '"' {
                let (name, after) = inside[1..].split_once(quote)?;
                steps.push(Step::Name(name.to_owned()));
                rest = after.strip_prefix(']')?;
            } else {
                let (what, after) = inside.split_once(']')?;
                steps.push(match what {
                    "*" => Step::Each,
                    number => Step::Element(number.parse().ok()?),
                });
                rest = after;
            }
        }
    }
    match steps.last() {
        Some(Step::Anywhere) => None,
        _ => Some(steps),
    }
}

fn named<'a>(rest: &'a str, steps: &mut Vec<Step>) -> Option<&'a str> {
    let end = rest.find(['.', '[']).unwrap_or(rest.len());
    let (name, after) = rest.split_at(end);
    match name {
        "" => return None,
        "*" => steps.push(Step::Each),
        name => steps.push(Step::Name(name.to_owned())),
    }
    Some(after)
}

/// `a=1&b=2`, of which `rules` says for each name by what its value goes.
fn in_pairs<'a>(text: &str, rules: impl Fn(&str) -> Vec<&'a Rule>) -> Redacted<String> {
    let mut by = Vec::new();
    let pairs = text.split('&').map(|pair| {
        let name = pair.split_once('=').map_or(pair, |(name, _)| name);
        let found = rules(&percent_decode(&name.replace('+', " ")));
        let hit = !found.is_empty() && name.len() < pair.len();
        by.extend(found.into_iter().map(|rule| rule.written.clone()));
        match hit {
            true => format!("{name}={REDACTED}"),
            false => pair.to_owned(),
        }
    });
    let rest = pairs.collect::<Vec<_>>().join("&");
    by.dedup();
    Redacted { rest, by }
}

fn in_form(text: &str, rules: &[(&Rule, &[Step])]) -> Redacted<String> {
    in_pairs(text, |name| {
        let fits = |steps: &[Step]| match steps {
            [Step::Each] | [Step::Anywhere, Step::Each] => true,
            // A field that comes twice is an array to expressions.
            [Step::Anywhere, Step::Name(wanted)] | [Step::Name(wanted), ..] => wanted == name,
            [Step::Either(wanted, _), ..] => wanted == name,
            _ => false,
        };
        let found = rules.iter().filter(|(_, steps)| fits(steps));
        found.map(|(rule, _)| *rule).collect()
    })
}

fn in_json(text: &str, rules: &[(&Rule, &[Step])]) -> Option<Redacted<String>> {
    // Where a value stands is counted in the text as it came, mark and all.
    let root: &RawValue = serde_json::from_str(without_mark(text)).ok()?;
    let mut hits = Vec::new();
    let active = rules
        .iter()
        .enumerate()
        .map(|(number, (_, steps))| (number, *steps));
    search(text, root, active.collect(), 0, &mut hits)?;
    let mut rest = String::with_capacity(text.len());
    let mut at = 0;
    let mut used = vec![false; rules.len()];
    for (number, span) in hits {
        used[number] = true;
        rest.push_str(&text[at..span.start]);
        rest.push('"');
        rest.push_str(REDACTED);
        rest.push('"');
        at = span.end;
    }
    rest.push_str(&text[at..]);
    let by = rules.iter().zip(used).filter(|(_, used)| *used);
    Some(Redacted {
        rest,
        by: by.map(|((rule, _), _)| rule.written.clone()).collect(),
    })
}

/// What is left of a rule, and which one it is.
type Active<'a> = (usize, &'a [Step]);

/// Finds the values that rules name in `value`, a piece of `text`, from left to right. None if it is nested
/// too deep.
fn search(
    text: &str,
    value: &RawValue,
    mut active: Vec<Active<'_>>,
    depth: usize,
    hits: &mut Vec<(usize, Range<usize>)>,
) -> Option<()> {
    // `..name` is a name right here too.
    for at in 0..active.len() {
        if let (number, [Step::Anywhere, rest @ ..]) = active[at] {
            active.push((number, rest));
        }
    }
    let written = value.get();
    if let Some((number, _)) = active.iter().find(|(_, steps)| steps.is_empty()) {
        let start = written.as_ptr() as usize - text.as_ptr() as usize;
        hits.push((*number, start..start + written.len()));
        return Some(());
    }
    if active.is_empty() {
        return Some(());
    }
    if depth == DEPTH_MAX {
        return None;
    }
    let next = |fits: &dyn Fn(&Step) -> bool| -> Vec<Active<'_>> {
        let further = active.iter().filter_map(|(number, steps)| match steps {
            [Step::Anywhere, ..] => Some((*number, *steps)),
            [first, rest @ ..] if fits(first) => Some((*number, rest)),
            _ => None,
        });
        further.collect()
    };
    match written.as_bytes().first() {
        Some(b'{') => {
            for (name, member) in serde_json::Deserializer::from_str(written)
                .deserialize_map(Members)
                .ok()?
            {
                let further = next(&|step| match step {
                    Step::Name(wanted) | Step::Either(wanted, _) => *wanted == name,
                    Step::Each => true,
                    Step::Element(_) | Step::Anywhere => false,
                });
                search(text, member, further, depth + 1, hits)?;
            }
        }
        Some(b'[') => {
            let elements: Vec<&RawValue> = serde_json::from_str(written).ok()?;
            for (place, element) in elements.into_iter().enumerate() {
                let further = next(&|step| match step {
                    Step::Element(wanted) | Step::Either(_, wanted) => *wanted == place,
                    Step::Each => true,
                    Step::Name(_) | Step::Anywhere => false,
                });
                search(text, element, further, depth + 1, hits)?;
            }
        }
        _ => {}
    }
    Some(())
}

/// Reads an object's members as they stand there, those of the same name too.
struct Members;

impl<'de> Visitor<'de> for Members {
    type Value = Vec<(String, &'de RawValue)>;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut members = Vec::new();
        while let Some(member) = map.next_entry()? {
            members.push(member);
        }
        Ok(members)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn redacted(rules: &[&str], format: BodyFormat, body: &str) -> (String, Vec<String>) {
        let rules: Vec<String> = rules.iter().map(|rule| (*rule).to_owned()).collect();
        let redaction = Redaction::parse(&rules, format).expect("rules");
        let redacted = redaction.body(body.as_bytes(), format).expect("a rule");
        let rest = String::from_utf8(redacted.rest).expect("text");
        (rest, redacted.by)
    }

    #[test]
    fn values_go_and_all_around_them_stays_as_it_came() {
        let json = BodyFormat::Json;
        for (rule, body, expected) in [
            (
                "$.card",
                r#"{ "card" : {"no":1} , "b":1.50 }"#,
                r#"{ "card" : "(redacted)" , "b":1.50 }"#,
            ),
            (
                "$.card.no",
                r#"{"card":{"no":1,"x":"é"}}"#,
                r#"{"card":{"no":"(redacted)","x":"é"}}"#,
            ),
            (
                "/card/no",
                r#"{"card":{"no":[1]}}"#,
                r#"{"card":{"no":"(redacted)"}}"#,
            ),
            ("/a~1b/0", r#"{"a/b":[7,8]}"#, r#"{"a/b":["(redacted)",8]}"#),
            ("/a/0", r#"{"a":{"0":7}}"#, r#"{"a":{"0":"(redacted)"}}"#),
            (
                "$.i[*].iban",
                r#"{"i":[{"iban":1},{"iban":2},3]}"#,
                r#"{"i":[{"iban":"(redacted)"},{"iban":"(redacted)"},3]}"#,
            ),
            (
                "/i/*/iban",
                r#"{"i":[{"iban":1}]}"#,
                r#"{"i":[{"iban":"(redacted)"}]}"#,
            ),
            ("$.i[1]", r#"{"i":[1,2,3]}"#, r#"{"i":[1,"(redacted)",3]}"#),
            (
                "$..pin",
                r#"{"pin":1,"a":[{"pin":{"pin":2}}]}"#,
                r#"{"pin":"(redacted)","a":[{"pin":"(redacted)"}]}"#,
            ),
            ("$['a b']", r#"{"a b":null}"#, r#"{"a b":"(redacted)"}"#),
            (
                "$.a",
                r#"{"a":1,"a":2}"#,
                r#"{"a":"(redacted)","a":"(redacted)"}"#,
            ),
            ("$.a", r#"{"\u0061":1}"#, r#"{"\u0061":"(redacted)"}"#),
            ("$.a", "\u{feff}{\"a\":1}", "\u{feff}{\"a\":\"(redacted)\"}"),
            ("$", "anything", "(redacted)"),
        ] {
            assert_eq!(
                redacted(&[rule], json, body),
                (expected.to_owned(), vec![rule.to_owned()]),
                "{rule}"
            );
        }
        let untouched = r#" {"b": 1} "#;
        assert_eq!(
            redacted(&["$.a", "$..c"], json, untouched),
            (untouched.to_owned(), vec![])
        );
    }

    #[test]
    fn a_body_that_cannot_be_searched_is_not_kept() {
        for (format, body) in [
            (BodyFormat::Json, r#"{"card":1"#.to_owned()),
            (
                BodyFormat::Json,
                format!("{}{}", r#"{"a":"#.repeat(200), "}".repeat(200)),
            ),
        ] {
            let (rest, by) = redacted(&["$..card"], format, &body);
            assert_eq!((rest.as_str(), by), (NOT_SEARCHED, vec!["$".to_owned()]));
        }
    }

    #[test]
    fn fields_of_forms_and_queries_go_alike() {
        let form = "a=1&card+no=4%201&b&card%20no=2";
        let expected = "a=1&card+no=(redacted)&b&card%20no=(redacted)";
        let (rest, by) = redacted(&["$['card no']"], BodyFormat::Form, form);
        assert_eq!((rest.as_str(), by.len()), (expected, 1));
        let redaction = Redaction::parse(
            &["$query.t".into(), "$headers.X-Key".into()],
            BodyFormat::Json,
        );
        let redaction = redaction.expect("rules");
        assert_eq!(redaction.query("t=1&u=2").rest, "t=(redacted)&u=2");
        assert_eq!(redaction.header("x-key"), Some("$headers.X-Key"));
        assert_eq!(redaction.header("x-other"), None);
        assert!(redaction.body(b"{}", BodyFormat::Json).is_none());
    }

    #[test]
    fn a_wrong_rule_is_one_sentence() {
        for (rule, format) in [
            ("card", BodyFormat::Json),
            ("$.", BodyFormat::Json),
            ("$..", BodyFormat::Json),
            ("$[x]", BodyFormat::Json),
            ("$headers", BodyFormat::Json),
            ("$headers.a.b", BodyFormat::Json),
            ("$.card", BodyFormat::Text),
        ] {
            let said = Redaction::parse(&[rule.to_owned()], format)
                .err()
                .expect(rule);
            assert!(
                said.starts_with(&format!("`redact` has {rule:?}")),
                "{said}"
            );
        }
    }
}
