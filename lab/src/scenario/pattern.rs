//! What must come of something, in the shape of what may come.
//!
//! | in the file | fits |
//! | --- | --- |
//! | an object | an object that has these members; others don't matter; `null` is one that is not there, too |
//! | a list | a list of as many, one by one |
//! | `{includes: [...]}` | a list in which each of these is, whatever else is |
//! | `{exactly: ...}` | the same, and nothing else: no object in it has other members |
//! | `/regular expression/` | a text in which it is found |
//! | `> 3`, `>= 3`, `< 3`, `<= 3` | a number |
//! | anything else | the same |

use regex::Regex;
use serde_json::{Map, Value};

use super::given::{DURATION, Given, millis, spoken};

/// What fits.
#[derive(Debug)]
pub(super) enum Pattern {
    Object(Vec<(String, Pattern)>),
    /// With no other members.
    Closed(Vec<(String, Pattern)>),
    List(Vec<Pattern>),
    Includes(Vec<Pattern>),
    Found(Regex),
    Number(Comparison, f64),
    /// Milliseconds.
    Time(Comparison, i64),
    Same(Value),
}

/// How a number is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Comparison {
    Equal,
    More,
    Least,
    Less,
    Most,
}

/// What did not fit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mismatch {
    /// Where: `alerts[1].description`.
    pub at: String,
    /// What had to be there.
    pub expected: String,
    /// What was.
    pub got: String,
}

impl Pattern {
    /// Reads one.
    pub(super) fn read(given: &Given<'_>) -> Pattern {
        Pattern::read_as(given, false)
    }

    /// Reads one in `{exactly: ...}`.
    pub(super) fn read_exactly(given: &Given<'_>) -> Pattern {
        Pattern::read_as(given, true)
    }

    fn read_as(given: &Given<'_>, closed: bool) -> Pattern {
        let read = |given: &Given<'_>| Pattern::read_as(given, closed);
        if let Some(inside) = given.only("exactly") {
            return Pattern::read_exactly(&inside);
        }
        if let Some(inside) = given.only("includes") {
            return Pattern::includes(&inside, &read);
        }
        match given.value {
            Value::Object(_) => {
                let members = given.entries().into_iter();
                let members = members.map(|(name, member)| (name.to_owned(), read(&member)));
                match closed {
                    true => Pattern::Closed(members.collect()),
                    false => Pattern::Object(members.collect()),
                }
            }
            Value::Array(_) => Pattern::List(given.items().iter().map(read).collect()),
            Value::String(text) => Pattern::text(given, text),
            plain => Pattern::Same(plain.clone()),
        }
    }

    /// `{includes: ...}`.
    pub(super) fn includes(given: &Given<'_>, item: &dyn Fn(&Given<'_>) -> Pattern) -> Pattern {
        let items = given.some_items("Say what has to be there: `{includes: [...]}`.");
        Pattern::Includes(items.iter().map(item).collect())
    }

    fn text(given: &Given<'_>, text: &str) -> Pattern {
        if let Some(inside) = text
            .strip_prefix('/')
            .and_then(|text| text.strip_suffix('/'))
            .filter(|inside| !inside.is_empty())
        {
            return match Regex::new(inside) {
                Ok(regex) => Pattern::Found(regex),
                Err(why) => {
                    let why = why.to_string();
                    let last = why.lines().last().unwrap_or_default();
                    let last = last.trim_start_matches("error: ");
                    given.wrong(format!("the regular expression is not right: {last}"));
                    Pattern::Same(Value::Null)
                }
            };
        }
        let (comparison, rest) = Comparison::before(text);
        match rest.parse() {
            Ok(number) if comparison != Comparison::Equal => Pattern::Number(comparison, number),
            _ => Pattern::Same(text.into()),
        }
    }

    /// Reads a time, which may be compared with.
    pub(super) fn time(given: &Given<'_>) -> Pattern {
        if let Value::String(text) = given.value {
            let (comparison, rest) = Comparison::before(text);
            match millis(rest) {
                Some(millis) => return Pattern::Time(comparison, millis),
                None => given.wrong_but("it is no time after the start", DURATION),
            }
            return Pattern::Same(Value::Null);
        }
        Pattern::Time(Comparison::Equal, given.duration().unwrap_or_default())
    }

    /// Whether a value fits; none is there if there is none.
    pub(super) fn fits(&self, got: Option<&Value>) -> bool {
        let mut mismatches = Vec::new();
        self.compare(got, "", &mut mismatches);
        mismatches.is_empty()
    }

    /// Notes all that does not fit.
    pub(super) fn compare(&self, got: Option<&Value>, at: &str, into: &mut Vec<Mismatch>) {
        let mut wrong = || {
            into.push(Mismatch {
                at: at.to_owned(),
                expected: self.words(),
                got: got.map_or_else(|| "nothing".to_owned(), |got| self.shown(got)),
            });
        };
        match (self, got) {
            (Pattern::Object(members), Some(Value::Object(there))) => {
                members_of(members, there, at, into);
            }
            (Pattern::Closed(members), Some(Value::Object(there))) => {
                members_of(members, there, at, into);
                others_than(members, there, at, into);
            }
            (Pattern::List(items), Some(Value::Array(there))) if items.len() == there.len() => {
                for (index, (item, there)) in items.iter().zip(there).enumerate() {
                    item.compare(Some(there), &format!("{at}[{index}]"), into);
                }
            }
            (Pattern::Includes(items), Some(Value::Array(there))) => {
                for item in items {
                    if !there.iter().any(|there| item.fits(Some(there))) {
                        into.push(Mismatch {
                            at: at.to_owned(),
                            expected: format!("one that is {}", item.words()),
                            got: shown(&Value::Array(there.clone())),
                        });
                    }
                }
            }
            (Pattern::Same(Value::Null), None) => {}
            (Pattern::Same(value), Some(there)) if same(value, there) => {}
            (Pattern::Found(regex), Some(Value::String(text))) if regex.is_match(text) => {}
            (Pattern::Number(comparison, number), Some(Value::Number(there)))
                if there
                    .as_f64()
                    .is_some_and(|there| comparison.holds(there, *number)) => {}
            (Pattern::Time(comparison, millis), Some(Value::Number(there)))
                if there
                    .as_f64()
                    .is_some_and(|there| comparison.holds(there, *millis as f64)) => {}
            _ => wrong(),
        }
    }

    /// What fits, for people.
    fn words(&self) -> String {
        match self {
            Pattern::Object(members) | Pattern::Closed(members) => {
                let members = members
                    .iter()
                    .map(|(name, member)| format!("{name}: {}", member.words()));
                format!("{{{}}}", members.collect::<Vec<_>>().join(", "))
            }
            Pattern::List(items) => {
                let items: Vec<String> = items.iter().map(Pattern::brief).collect();
                match items.is_empty() {
                    true => "none".to_owned(),
                    false => format!("{}: {}", items.len(), items.join("; ")),
                }
            }
            Pattern::Includes(items) => {
                let items: Vec<String> = items.iter().map(Pattern::words).collect();
                format!("among others [{}]", items.join(", "))
            }
            Pattern::Found(regex) => format!("/{regex}/"),
            Pattern::Number(comparison, number) => format!("{}{number}", comparison.sign()),
            Pattern::Time(comparison, millis) => {
                format!("{}{}", comparison.sign(), spoken(*millis))
            }
            Pattern::Same(value) => shown(value),
        }
    }

    /// What fits, by what one of a list is called.
    fn brief(&self) -> String {
        let (Pattern::Object(members) | Pattern::Closed(members)) = self else {
            return self.words();
        };
        let of = |name: &&str| members.iter().find(|(known, _)| known == *name);
        match CALLED.iter().find_map(of) {
            Some((_, member)) => member.words(),
            None => self.words(),
        }
    }

    /// What is there instead, as far as it was looked at.
    fn shown(&self, got: &Value) -> String {
        match (self, got) {
            (Pattern::Time(..), Value::Number(millis)) => {
                spoken(millis.as_i64().unwrap_or_default())
            }
            (Pattern::List(items), Value::Array(there)) => {
                let there: Vec<String> = there
                    .iter()
                    .map(|there| match (called(there), items.first()) {
                        (Some(called), _) => called,
                        (None, Some(item)) => item.part(there),
                        (None, None) => shown(there),
                    })
                    .collect();
                match there.is_empty() {
                    true => "none".to_owned(),
                    false => format!("{}: {}", there.len(), there.join("; ")),
                }
            }
            // `5` and `"5"` would look the same.
            (Pattern::Same(value), got) if value != got && shown(value) == shown(got) => {
                format!("the {} {got}", kind(got))
            }
            _ => shown(got),
        }
    }

    /// Those members of a value that this names.
    fn part(&self, got: &Value) -> String {
        match (self, got) {
            (Pattern::Object(members) | Pattern::Closed(members), Value::Object(there)) => {
                let members = members.iter().map(|(name, member)| {
                    let there = there.get(name);
                    let shown = there.map_or("nothing".to_owned(), |there| member.part(there));
                    format!("{name}: {shown}")
                });
                format!("{{{}}}", members.collect::<Vec<_>>().join(", "))
            }
            _ => self.shown(got),
        }
    }
}

impl Comparison {
    /// The sign before a number.
    fn before(text: &str) -> (Comparison, &str) {
        for (sign, comparison) in [
            (">=", Comparison::Least),
            ("<=", Comparison::Most),
            (">", Comparison::More),
            ("<", Comparison::Less),
        ] {
            if let Some(rest) = text.strip_prefix(sign) {
                return (comparison, rest.trim());
            }
        }
        (Comparison::Equal, text.trim())
    }

    fn holds(self, there: f64, number: f64) -> bool {
        match self {
            Comparison::Equal => there == number,
            Comparison::More => there > number,
            Comparison::Least => there >= number,
            Comparison::Less => there < number,
            Comparison::Most => there <= number,
        }
    }

    fn sign(self) -> &'static str {
        match self {
            Comparison::Equal => "",
            Comparison::More => "> ",
            Comparison::Least => ">= ",
            Comparison::Less => "< ",
            Comparison::Most => "<= ",
        }
    }
}

/// By what people know one alert, callback, call or request from another.
const CALLED: [&str; 6] = [
    "description",
    "became",
    "disposition",
    "state",
    "route",
    "says",
];

fn called(there: &Value) -> Option<String> {
    let members = CALLED.iter().filter_map(|name| there.get(name));
    let texts = members.filter_map(Value::as_str);
    texts.map(str::to_owned).next()
}

fn members_of(
    members: &[(String, Pattern)],
    there: &Map<String, Value>,
    at: &str,
    into: &mut Vec<Mismatch>,
) {
    for (name, member) in members {
        let at = match at {
            "" => name.clone(),
            at => format!("{at}.{name}"),
        };
        member.compare(there.get(name), &at, into);
    }
}

/// Notes members that are not named, and those named `null` that are not there.
fn others_than(
    members: &[(String, Pattern)],
    there: &Map<String, Value>,
    at: &str,
    into: &mut Vec<Mismatch>,
) {
    let named = |name: &str| members.iter().any(|(known, _)| known == name);
    let others = there.iter().filter(|(name, _)| !named(name));
    let others: Vec<String> = others
        .map(|(name, value)| format!("{name}: {}", shown(value)))
        .collect();
    if !others.is_empty() {
        into.push(Mismatch {
            at: at.to_owned(),
            expected: "no other members".to_owned(),
            got: others.join(", "),
        });
    }
    for (name, member) in members {
        if matches!(member, Pattern::Same(Value::Null)) && !there.contains_key(name) {
            into.push(Mismatch {
                at: at.to_owned(),
                expected: format!("{name}: null"),
                got: format!("no {name}"),
            });
        }
    }
}

/// What a value is, if that is what is wrong with it.
fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "text",
        Value::Array(_) => "list",
        Value::Object(_) => "object",
    }
}

/// Whether two values are the same; `1` is `1.0`. Whole numbers are compared as such: there are more of them than a
/// floating point number can tell apart.
fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) if a.is_f64() || b.is_f64() => {
            a.as_f64() == b.as_f64()
        }
        (Value::Array(a), Value::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b))
        }
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len()
                && a.iter()
                    .all(|(name, a)| b.get(name).is_some_and(|b| same(a, b)))
        }
        (a, b) => a == b,
    }
}

/// As much of a value as is good to read.
const SHOWN_MAX: usize = 400;

/// A value for people: a short text bare.
pub(super) fn shown(value: &Value) -> String {
    let text = match value {
        Value::String(text) if !text.is_empty() => text.clone(),
        other => other.to_string(),
    };
    if text.chars().count() <= SHOWN_MAX {
        return text;
    }
    let cut: String = text.chars().take(SHOWN_MAX).collect();
    format!("{cut} …")
}

#[cfg(test)]
mod tests {
    use super::super::given::{Faults, Given};
    use super::*;
    use serde_json::json;

    #[test]
    fn what_fits_and_what_does_not() {
        for (pattern, got, expected) in [
            (json!({"a": 1}), json!({"a": 1.0, "b": 2}), None),
            (json!({"a": 1}), json!({"a": 2}), Some("a")),
            (json!({"a": null}), json!({}), None),
            (json!({"a": null}), json!({"a": 1}), Some("a")),
            (
                json!({"exactly": {"a": 1}}),
                json!({"a": 1, "b": 2}),
                Some(""),
            ),
            (json!({"exactly": {"a": 1}}), json!({"a": 1}), None),
            (
                json!({"exactly": {"a": "> 3", "b": "/x/"}}),
                json!({"a": 4, "b": "xy"}),
                None,
            ),
            (
                json!({"exactly": {"a": [{"b": 1}]}}),
                json!({"a": [{"b": 1, "c": 2}]}),
                Some("a[0]"),
            ),
            (
                json!({"a": {"exactly": {}}, "b": 1}),
                json!({"a": {}, "b": 1, "c": 2}),
                None,
            ),
            (json!({"exactly": {"a": null}}), json!({}), Some("")),
            (json!({"exactly": {"a": null}}), json!({"a": null}), None),
            (json!({"exactly": 1}), json!(2), Some("")),
            (
                json!(9_007_199_254_740_993_u64),
                json!(9_007_199_254_740_992_u64),
                Some(""),
            ),
            (json!(1), json!("1"), Some("")),
            (json!("/^Late/"), json!("Late callback"), None),
            (json!("/^Late/"), json!("Too late"), Some("")),
            (json!("> 3"), json!(4), None),
            (json!("<= 3"), json!(4), Some("")),
            (json!("> 3"), json!("4"), Some("")),
            (json!([1, 2]), json!([1, 3]), Some("[1]")),
            (json!([1, 2]), json!([1, 2, 3]), Some("")),
            (json!({"includes": [3]}), json!([1, 2, 3]), None),
            (json!({"includes": [4]}), json!([1, 2, 3]), Some("")),
            (
                json!({"a": [{"b": 1}]}),
                json!({"a": [{"b": 2}]}),
                Some("a[0].b"),
            ),
        ] {
            let faults = Faults::default();
            let read = Pattern::read(&Given::root(&pattern, 0, &faults));
            let mut mismatches = Vec::new();
            read.compare(Some(&got), "", &mut mismatches);
            let at = mismatches.first().map(|mismatch| mismatch.at.as_str());
            assert_eq!(at, expected, "{pattern} {got}");
            assert!(!faults.any());
        }
    }
}
