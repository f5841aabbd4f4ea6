//! Walking a document along a compiled path.
//!
//! A definite path is a plain loop that borrows what it finds. Everything else branches, and
//! collects. Jayway's rule for what is missing: as long as the path so far was definite a missing
//! place is an error; after the first branch it is merely not a match.

use std::borrow::Cow;
use std::fmt::Write;

use serde_json::{Map, Value};

use super::token::Token;

/// How many places a branching path may visit. Two `..` in a row are quadratic in the size of the
/// document; a payload (256 KiB at most) that is walked once or twice stays far below this.
const VISITS_MAX: usize = 2_000_000;

/// What `tokens` select in `document`; `root` is what `$` means inside a filter.
pub(super) fn select<'a>(
    tokens: &[Token],
    definite: bool,
    document: &'a Value,
    root: &'a Value,
) -> Result<Cow<'a, Value>, String> {
    if definite {
        return walk(tokens, document);
    }
    if let [before @ .., Token::Function(call)] = tokens
        && before.iter().any(|token| matches!(token, Token::Scan))
    {
        // `$..price.sum()` means all prices together, as Jayway has it.
        let all = Value::Array(branches(before, document, root)?);
        return call.apply(&all, root).map(Cow::Owned);
    }
    Ok(Cow::Owned(Value::Array(branches(tokens, document, root)?)))
}

/// Follows a definite path.
fn walk<'a>(tokens: &[Token], document: &'a Value) -> Result<Cow<'a, Value>, String> {
    let mut here = document;
    for (at, token) in tokens.iter().enumerate() {
        here = match token {
            Token::Names(names) => return merge(names, here, tokens, at).map(Cow::Owned),
            Token::Function(call) => return call.apply(here, document).map(Cow::Owned),
            Token::Name(name) => match here {
                Value::Object(members) => match members.get(&**name) {
                    Some(value) => value,
                    None if at + 1 == tokens.len() => return Err(no_results(tokens)),
                    None => {
                        return Err(format!(
                            "Missing property in path {}",
                            written(&tokens[..=at])
                        ));
                    }
                },
                other => return Err(not_an_object(tokens, at, other)),
            },
            Token::Index(index) => match here {
                Value::Array(items) => item(items, *index).ok_or_else(|| no_results(tokens))?,
                other => return Err(not_an_array(tokens, at, other)),
            },
            Token::Indices(_)
            | Token::Slice(..)
            | Token::Wildcard
            | Token::Scan
            | Token::Filter(_) => {
                unreachable!("a definite path has no branching step")
            }
        };
    }
    Ok(Cow::Borrowed(here))
}

/// All that a branching path selects, in the order of the document.
fn branches<'a>(
    tokens: &[Token],
    document: &'a Value,
    root: &'a Value,
) -> Result<Vec<Value>, String> {
    let mut walk = Branching {
        tokens,
        root,
        found: Vec::new(),
        visits: 0,
    };
    walk.step(0, document, true)?;
    Ok(walk.found)
}

struct Branching<'t, 'a> {
    tokens: &'t [Token],
    root: &'a Value,
    found: Vec<Value>,
    visits: usize,
}

impl<'a> Branching<'_, 'a> {
    /// Applies step `at` to `here`. `definite` says whether no step before it branched.
    fn step(&mut self, at: usize, here: &'a Value, definite: bool) -> Result<(), String> {
        self.visits += 1;
        if self.visits > VISITS_MAX {
            return Err(format!("The path visits more than {VISITS_MAX} places"));
        }
        let tokens = self.tokens;
        let Some(token) = tokens.get(at) else {
            self.found.push(here.clone());
            return Ok(());
        };
        let last = at + 1 == tokens.len();
        match token {
            Token::Name(name) => match here {
                Value::Object(members) => match members.get(&**name) {
                    Some(value) => self.step(at + 1, value, definite),
                    None if last || !definite => Ok(()),
                    None => Err(format!(
                        "Missing property in path {}",
                        written(&tokens[..=at])
                    )),
                },
                other if definite => Err(not_an_object(tokens, at, other)),
                _ => Ok(()),
            },
            Token::Names(names) => match here {
                Value::Object(_) if last => {
                    self.found.push(merge(names, here, tokens, at)?);
                    Ok(())
                }
                Value::Object(members) => {
                    for value in names.iter().filter_map(|name| members.get(&**name)) {
                        self.step(at + 1, value, false)?;
                    }
                    Ok(())
                }
                other if definite => Err(not_an_object(tokens, at, other)),
                _ => Ok(()),
            },
            Token::Index(index) => self.items(at, here, definite, |items| {
                item(items, *index).into_iter().collect()
            }),
            Token::Indices(indices) => self.items(at, here, definite, |items| {
                indices
                    .iter()
                    .filter_map(|index| item(items, *index))
                    .collect()
            }),
            Token::Slice(from, to) => {
                self.items(at, here, definite, |items| slice(items, *from, *to))
            }
            Token::Wildcard => match here {
                Value::Object(members) => members
                    .values()
                    .try_for_each(|value| self.step(at + 1, value, false)),
                Value::Array(items) => items
                    .iter()
                    .try_for_each(|value| self.step(at + 1, value, false)),
                _ => Ok(()),
            },
            Token::Scan => self.scan(at, here),
            Token::Filter(predicate) => match here {
                Value::Array(items) => {
                    let root = self.root;
                    for value in items.iter().filter(|value| predicate.accepts(value, root)) {
                        self.step(at + 1, value, false)?;
                    }
                    Ok(())
                }
                Value::Object(_) if predicate.accepts(here, self.root) => {
                    self.step(at + 1, here, false)
                }
                Value::Object(_) => Ok(()),
                other if definite => Err(format!(
                    "Filter: [?] can not be applied to primitives. Current context is: {other}"
                )),
                _ => Ok(()),
            },
            Token::Function(call) => {
                let value = call.apply(here, self.root)?;
                self.found.push(value);
                Ok(())
            }
        }
    }

    /// The next step with each of the items that `pick` takes from the array `here`.
    fn items(
        &mut self,
        at: usize,
        here: &'a Value,
        definite: bool,
        pick: impl FnOnce(&'a [Value]) -> Vec<&'a Value>,
    ) -> Result<(), String> {
        match here {
            Value::Array(items) => {
                let still = definite && self.tokens[at].is_definite();
                pick(items)
                    .into_iter()
                    .try_for_each(|value| self.step(at + 1, value, still))
            }
            other if definite => Err(not_an_array(self.tokens, at, other)),
            _ => Ok(()),
        }
    }

    /// The next step at every depth below `here`, itself included, parents first. A list instead
    /// of recursion, so that the depth of the document does not matter.
    fn scan(&mut self, at: usize, here: &'a Value) -> Result<(), String> {
        let mut ahead = vec![here];
        while let Some(value) = ahead.pop() {
            match value {
                Value::Object(members) => ahead.extend(members.values().rev()),
                Value::Array(items) => ahead.extend(items.iter().rev()),
                _ => continue,
            }
            let applies = match self.tokens.get(at + 1) {
                Some(Token::Name(_)) => value.is_object(),
                // A filter after `..` asks each object about itself; its items come by themselves.
                Some(Token::Filter(predicate)) => {
                    value.is_object() || predicate.accepts(value, self.root)
                }
                Some(Token::Names(_)) => value.is_object(),
                Some(Token::Index(_) | Token::Indices(_) | Token::Slice(..)) => value.is_array(),
                _ => true,
            };
            if applies {
                self.step(at + 1, value, false)?;
            }
        }
        Ok(())
    }
}

/// One item; a negative index counts from the end.
pub(super) fn item(items: &[Value], index: i64) -> Option<&Value> {
    let at = if index < 0 {
        index.checked_add(items.len() as i64)?
    } else {
        index
    };
    items.get(usize::try_from(at).ok()?)
}

/// Jayway's slices: `[1:]` and `[:-1]` count a negative side from the end; `[a:b]` walks the numbers
/// from `a` up to `b`, each of which may be negative.
fn slice(items: &[Value], from: Option<i64>, to: Option<i64>) -> Vec<&Value> {
    let length = items.len() as i64;
    let from_end = |n: i64| if n < 0 { n.saturating_add(length) } else { n };
    let (from, to) = match (from, to) {
        (Some(from), None) => (from_end(from).max(0), length),
        (None, Some(to)) => (0, from_end(to).min(length)),
        (Some(from), Some(to)) => (from.max(-length), to.min(length)),
        (None, None) => (0, length),
    };
    (from..to).filter_map(|index| item(items, index)).collect()
}

/// `['a','b']` at the end of a path: one object with those of the members that are there.
fn merge(names: &[Box<str>], here: &Value, tokens: &[Token], at: usize) -> Result<Value, String> {
    let Value::Object(members) = here else {
        return Err(not_an_object(tokens, at, here));
    };
    let merged: Map<String, Value> = names
        .iter()
        .filter_map(|name| Some((name.to_string(), members.get(&**name)?.clone())))
        .collect();
    Ok(Value::Object(merged))
}

/// The path in Jayway's normal form.
fn written(tokens: &[Token]) -> String {
    let mut text = "$".to_owned();
    for token in tokens {
        write!(text, "{token}").expect("writing to a string succeeds");
    }
    text
}

fn no_results(tokens: &[Token]) -> String {
    format!("No results for path: {}", written(tokens))
}

fn not_an_object(tokens: &[Token], at: usize, found: &Value) -> String {
    let class = match found {
        Value::Null => "null",
        Value::Bool(_) => "java.lang.Boolean",
        Value::String(_) => "java.lang.String",
        Value::Number(n) if n.is_f64() => "java.lang.Double",
        Value::Number(n) if n.as_i64().is_some_and(|n| i32::try_from(n).is_ok()) => {
            "java.lang.Integer"
        }
        Value::Number(_) => "java.lang.Long",
        Value::Array(_) => "java.util.ArrayList",
        Value::Object(_) => "java.util.LinkedHashMap",
    };
    format!(
        "Expected to find an object with property {} in path {} but found '{class}'. This is not a json object \
         according to the JsonProvider: 'com.jayway.jsonpath.spi.json.JacksonJsonProvider'.",
        tokens[at],
        written(&tokens[..at]),
    )
}

fn not_an_array(tokens: &[Token], at: usize, found: &Value) -> String {
    if found.is_null() {
        return format!("The path {} is null", written(&tokens[..at]));
    }
    format!(
        "Filter: {} can only be applied to arrays. Current context is: {found}",
        tokens[at]
    )
}
