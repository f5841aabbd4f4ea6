//! Walking a document along a compiled path.
//!
//! A definite path is a plain loop that borrows what it finds, and what is missing is an error.
//! Everything else branches and collects, and what is missing is not a match.

use std::borrow::Cow;
use std::cell::Cell;
use std::fmt::Write;

use serde_json::{Map, Value};

use super::token::Token;

/// How many places a path may visit, in its filters and functions too. Two `..` in a row are quadratic
/// in the size of the document, and so is a filter that looks through the document for each item; a
/// payload (256 KiB at most, so 128 Ki values) that is walked a few times stays below this.
const VISITS_MAX: usize = 10_000_000;

/// A place that is copied counts as so many: it takes memory, too.
const COPY_VISITS: usize = 10;

/// What is left of the places that a path may visit.
pub(super) struct Budget(Cell<usize>);

impl Budget {
    pub(super) fn new() -> Budget {
        Budget(Cell::new(VISITS_MAX))
    }

    /// Takes `visits` from what is left.
    ///
    /// # Errors
    /// If that is less: from then on, always.
    pub(super) fn take(&self, visits: usize) -> Result<(), String> {
        self.0.set(self.0.get().saturating_sub(visits));
        match self.0.get() {
            0 => Err(format!("The path visits more than {VISITS_MAX} places")),
            _ => Ok(()),
        }
    }

    /// The same for a copy of `value`.
    pub(super) fn copy(&self, value: &Value) -> Result<(), String> {
        self.take(places(value).saturating_mul(COPY_VISITS))
    }
}

/// What `tokens` select in `document`; `root` is what `$` means inside a filter.
pub(super) fn select<'a>(
    tokens: &[Token],
    definite: bool,
    document: &'a Value,
    root: &'a Value,
    budget: &Budget,
) -> Result<Cow<'a, Value>, String> {
    budget.take(1)?;
    if definite {
        return walk(tokens, document, budget);
    }
    if let [before @ .., Token::Function(call)] = tokens
        && before.iter().any(|token| matches!(token, Token::Scan))
    {
        // `$..price.sum()` means all prices together, as Jayway has it.
        let all = Value::Array(branches(before, document, root, budget)?);
        return call.apply(&all, root, budget).map(Cow::Owned);
    }
    Ok(Cow::Owned(Value::Array(branches(
        tokens, document, root, budget,
    )?)))
}

/// Follows a definite path.
fn walk<'a>(
    tokens: &[Token],
    document: &'a Value,
    budget: &Budget,
) -> Result<Cow<'a, Value>, String> {
    let mut here = document;
    for (at, token) in tokens.iter().enumerate() {
        here = match token {
            Token::Names(names) => match here {
                Value::Object(members) => {
                    let merged = Value::Object(merge(names, members));
                    budget.copy(&merged)?;
                    return Ok(Cow::Owned(merged));
                }
                _ => return Err(not_an_object(tokens, at)),
            },
            Token::Function(call) => return call.apply(here, document, budget).map(Cow::Owned),
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
                _ => return Err(not_an_object(tokens, at)),
            },
            Token::Index(index) => match here {
                Value::Array(items) => item(items, *index).ok_or_else(|| {
                    format!(
                        "Index out of bounds when evaluating path {}",
                        written(&tokens[..=at])
                    )
                })?,
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

/// All that a branching path selects, in the order of the document. What is missing on the way is
/// no match, even before the first branch (recorded on AWS: `json_path_array_wildcard_or_slice`).
fn branches<'a>(
    tokens: &[Token],
    document: &'a Value,
    root: &'a Value,
    budget: &Budget,
) -> Result<Vec<Value>, String> {
    let mut walk = Branching {
        tokens,
        root,
        found: Vec::new(),
        budget,
    };
    walk.step(0, document)?;
    // A filter cannot say that it did not look at everything.
    budget.take(1)?;
    Ok(walk.found)
}

struct Branching<'t, 'a> {
    tokens: &'t [Token],
    root: &'a Value,
    found: Vec<Value>,
    budget: &'t Budget,
}

impl<'a> Branching<'_, 'a> {
    /// Applies step `at` to `here`. Recursion is as deep as the path has steps, which the parser limits.
    fn step(&mut self, at: usize, here: &'a Value) -> Result<(), String> {
        let (tokens, root, budget) = (self.tokens, self.root, self.budget);
        let next = at + 1;
        let Some(token) = tokens.get(at) else {
            budget.copy(here)?;
            self.found.push(here.clone());
            return Ok(());
        };
        budget.take(1)?;
        match (token, here) {
            (Token::Name(name), Value::Object(members)) => members
                .get(&**name)
                .map_or(Ok(()), |value| self.step(next, value)),
            (Token::Names(names), Value::Object(members)) => {
                if next == tokens.len() {
                    let merged = Value::Object(merge(names, members));
                    budget.copy(&merged)?;
                    self.found.push(merged);
                    return Ok(());
                }
                let mut values = names.iter().filter_map(|name| members.get(&**name));
                values.try_for_each(|value| self.step(next, value))
            }
            (Token::Index(index), Value::Array(items)) => {
                item(items, *index).map_or(Ok(()), |value| self.step(next, value))
            }
            (Token::Indices(indices), Value::Array(items)) => {
                let mut values = indices.iter().filter_map(|index| item(items, *index));
                values.try_for_each(|value| self.step(next, value))
            }
            (Token::Slice(from, to), Value::Array(items)) => {
                let mut values = slice(items, *from, *to);
                values.try_for_each(|value| self.step(next, value))
            }
            (Token::Wildcard, Value::Object(members)) => members
                .values()
                .try_for_each(|value| self.step(next, value)),
            (Token::Wildcard, Value::Array(items)) => {
                items.iter().try_for_each(|value| self.step(next, value))
            }
            (Token::Filter(predicate), Value::Array(items)) => {
                let mut values = items
                    .iter()
                    .filter(|value| predicate.accepts(value, root, budget));
                values.try_for_each(|value| self.step(next, value))
            }
            (Token::Filter(predicate), Value::Object(_))
                if predicate.accepts(here, root, budget) =>
            {
                self.step(next, here)
            }
            (Token::Scan, Value::Object(_) | Value::Array(_)) => self.scan(next, here),
            (Token::Function(call), value) => {
                let value = call.apply(value, root, budget)?;
                self.found.push(value);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// Step `at` at every depth below `here`, itself included, parents first. A list instead of
    /// recursion, so that the depth of the document does not matter.
    fn scan(&mut self, at: usize, here: &'a Value) -> Result<(), String> {
        let mut ahead = vec![here];
        while let Some(value) = ahead.pop() {
            self.budget.take(1)?;
            match value {
                Value::Object(members) => ahead.extend(members.values().rev()),
                Value::Array(items) => ahead.extend(items.iter().rev()),
                _ => continue,
            }
            // After `..` a filter asks each object about itself; asking the array around it as well
            // would find each of them twice.
            let applies = match (self.tokens.get(at), value) {
                (Some(Token::Filter(predicate)), Value::Array(_)) => {
                    predicate.accepts(value, self.root, self.budget)
                }
                // A union that ends the path wants an object that has all of the names.
                (Some(Token::Names(names)), Value::Object(members))
                    if at + 1 == self.tokens.len() =>
                {
                    names.iter().all(|name| members.contains_key(&**name))
                }
                _ => true,
            };
            if applies {
                self.step(at, value)?;
            }
        }
        Ok(())
    }
}

/// How many values `value` consists of.
pub(super) fn places(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(places).sum::<usize>(),
        Value::Object(members) => 1 + members.values().map(places).sum::<usize>(),
        _ => 1,
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
fn slice(items: &[Value], from: Option<i64>, to: Option<i64>) -> impl Iterator<Item = &Value> {
    let length = items.len() as i64;
    let from_end = |n: i64| if n < 0 { n.saturating_add(length) } else { n };
    let (from, to) = match (from, to) {
        (Some(from), None) => (from_end(from).max(0), length),
        (None, Some(to)) => (0, from_end(to).min(length)),
        (Some(from), Some(to)) => (from.max(-length), to.min(length)),
        (None, None) => (0, length),
    };
    (from..to).filter_map(|index| item(items, index))
}

/// `['a','b']` at the end of a path: one object with those of the members that are there.
fn merge(names: &[Box<str>], members: &Map<String, Value>) -> Map<String, Value> {
    names
        .iter()
        .filter_map(|name| Some((name.to_string(), members.get(&**name)?.clone())))
        .collect()
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

/// In the words of Jayway 2.0; users quote this one from AWS (awsdocs/aws-step-functions-developer-guide#5).
fn not_an_object(tokens: &[Token], at: usize) -> String {
    format!(
        "Property {} not found in path {}",
        tokens[at],
        written(&tokens[..at])
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
