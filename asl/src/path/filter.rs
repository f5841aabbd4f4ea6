//! What stands inside `[?( )]`.

use std::borrow::Cow;
use std::cmp::Ordering;

use regex_lite::Regex;
use serde_json::Value;

use super::evaluate::{self, Budget, places};
use super::token::Token;

/// A character that a pattern is matched with counts as so many visited places.
const CHARACTER_VISITS: usize = 16;

/// A condition on one item.
#[derive(Debug)]
pub(super) enum Predicate {
    Or(Vec<Predicate>),
    And(Vec<Predicate>),
    Not(Box<Predicate>),
    /// A path alone: whether it is there.
    Exists(Query),
    Compare(Operand, Operator, Operand),
}

/// A path inside a filter.
#[derive(Debug)]
pub(super) struct Query {
    /// `$` (the document) rather than `@` (the item).
    pub(super) from_root: bool,
    pub(super) definite: bool,
    pub(super) tokens: Vec<Token>,
}

/// One side of a comparison.
#[derive(Debug)]
pub(super) enum Operand {
    Query(Query),
    Literal(Value),
    Pattern(Regex),
}

/// What compares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operator {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Matches,
    In,
    NotIn,
    SubsetOf,
    AnyOf,
    NoneOf,
    All,
    Size,
    Empty,
    Contains,
}

impl Operator {
    /// The operator that is written as `text` (words in any case).
    pub(super) fn from_text(text: &str) -> Option<Operator> {
        Some(match text.to_ascii_lowercase().as_str() {
            "==" | "===" => Operator::Equal,
            "!=" | "!==" => Operator::NotEqual,
            "<" => Operator::Less,
            "<=" => Operator::LessOrEqual,
            ">" => Operator::Greater,
            ">=" => Operator::GreaterOrEqual,
            "=~" => Operator::Matches,
            "in" => Operator::In,
            "nin" => Operator::NotIn,
            "subsetof" => Operator::SubsetOf,
            "anyof" => Operator::AnyOf,
            "noneof" => Operator::NoneOf,
            "all" => Operator::All,
            "size" => Operator::Size,
            "empty" => Operator::Empty,
            "contains" => Operator::Contains,
            _ => return None,
        })
    }
}

impl Predicate {
    /// Whether it holds for `item` in the document `root`.
    pub(super) fn accepts(&self, item: &Value, root: &Value, budget: &Budget) -> bool {
        match self {
            Predicate::Or(any) => any
                .iter()
                .any(|predicate| predicate.accepts(item, root, budget)),
            Predicate::And(all) => all
                .iter()
                .all(|predicate| predicate.accepts(item, root, budget)),
            Predicate::Not(inner) => !inner.accepts(item, root, budget),
            Predicate::Exists(query) => match query.find(item, root, budget) {
                // A branching path exists if it matches anything.
                Some(found) if !query.definite => {
                    found.as_array().is_none_or(|matches| !matches.is_empty())
                }
                found => found.is_some(),
            },
            Predicate::Compare(left, operator, Operand::Pattern(pattern)) => {
                *operator == Operator::Matches
                    && left
                        .value(item, root, budget)
                        .is_some_and(|value| match &*value {
                            Value::String(text) => matches_whole(pattern, text, budget),
                            Value::Bool(truth) => matches_whole(
                                pattern,
                                if *truth { "true" } else { "false" },
                                budget,
                            ),
                            Value::Array(items) => items
                                .iter()
                                .filter_map(Value::as_str)
                                .any(|text| matches_whole(pattern, text, budget)),
                            _ => false,
                        })
            }
            Predicate::Compare(left, operator, right) => {
                match (
                    left.value(item, root, budget),
                    right.value(item, root, budget),
                ) {
                    (Some(left), Some(right)) => {
                        budget.take(cost(&left, *operator, &right)).is_ok()
                            && compare(&left, *operator, &right)
                    }
                    // What is not there compares with nothing, not even by `!=`.
                    _ => false,
                }
            }
        }
    }
}

impl Query {
    fn find<'a>(
        &self,
        item: &'a Value,
        root: &'a Value,
        budget: &Budget,
    ) -> Option<Cow<'a, Value>> {
        let document = if self.from_root { root } else { item };
        evaluate::select(&self.tokens, self.definite, document, root, budget).ok()
    }
}

impl Operand {
    fn value<'a>(
        &'a self,
        item: &'a Value,
        root: &'a Value,
        budget: &Budget,
    ) -> Option<Cow<'a, Value>> {
        match self {
            Operand::Query(query) => query.find(item, root, budget),
            Operand::Literal(value) => Some(Cow::Borrowed(value)),
            Operand::Pattern(_) => None,
        }
    }
}

/// How many values a comparison looks at, about.
fn cost(left: &Value, operator: Operator, right: &Value) -> usize {
    let length = |value: &Value| value.as_array().map_or(1, Vec::len);
    match operator {
        Operator::Equal | Operator::NotEqual => places(left).min(places(right)),
        Operator::In | Operator::NotIn => places(right),
        Operator::Contains => places(left),
        Operator::SubsetOf | Operator::AnyOf | Operator::NoneOf => {
            places(left).saturating_mul(length(right))
        }
        Operator::All => places(right).saturating_mul(length(left)),
        _ => 1,
    }
}

fn compare(left: &Value, operator: Operator, right: &Value) -> bool {
    let within = |value: &Value, list: &Value| {
        list.as_array()
            .is_some_and(|list| list.iter().any(|x| equal(value, x)))
    };
    let items = |value: &'_ Value, all: bool, list: &Value| {
        value.as_array().is_some_and(|items| {
            if all {
                items.iter().all(|x| within(x, list))
            } else {
                items.iter().any(|x| within(x, list))
            }
        })
    };
    match operator {
        Operator::Equal => equal(left, right),
        Operator::NotEqual => !equal(left, right),
        Operator::Less => ordering(left, right).is_some_and(Ordering::is_lt),
        Operator::LessOrEqual => ordering(left, right).is_some_and(Ordering::is_le),
        Operator::Greater => ordering(left, right).is_some_and(Ordering::is_gt),
        Operator::GreaterOrEqual => ordering(left, right).is_some_and(Ordering::is_ge),
        Operator::Matches => false,
        Operator::In => within(left, right),
        Operator::NotIn => right.is_array() && !within(left, right),
        Operator::SubsetOf => items(left, true, right),
        Operator::AnyOf => items(left, false, right),
        Operator::NoneOf => left.is_array() && right.is_array() && !items(left, false, right),
        Operator::All => items(right, true, left),
        Operator::Size => size(left).is_some_and(|size| right.as_u64() == Some(size as u64)),
        Operator::Empty => size(left).is_some_and(|size| right.as_bool() == Some(size == 0)),
        Operator::Contains => match (left, right) {
            (Value::String(text), Value::String(part)) => text.contains(part.as_str()),
            (list, value) => within(value, list),
        },
    }
}

/// Equality as Jayway has it: 1 equals 1.0, and a number equals the string that spells it.
fn equal(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::Number(a), Value::Number(b)) => numbers(a, b) == Some(Ordering::Equal),
        (Value::Number(number), Value::String(text))
        | (Value::String(text), Value::Number(number)) => {
            text.parse::<f64>().ok() == number.as_f64()
        }
        (Value::Array(a), Value::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| equal(a, b))
        }
        _ => left == right,
    }
}

fn ordering(left: &Value, right: &Value) -> Option<Ordering> {
    match (left, right) {
        (Value::Number(a), Value::Number(b)) => numbers(a, b),
        (Value::String(a), Value::String(b)) => Some(a.cmp(b)),
        _ => None,
    }
}

/// Compares two numbers: whole ones exactly, others as floating point.
pub(crate) fn numbers(a: &serde_json::Number, b: &serde_json::Number) -> Option<Ordering> {
    let whole = |n: &serde_json::Number| {
        n.as_i64()
            .map(i128::from)
            .or_else(|| n.as_u64().map(i128::from))
    };
    match (whole(a), whole(b)) {
        (Some(a), Some(b)) => Some(a.cmp(&b)),
        _ => a.as_f64()?.partial_cmp(&b.as_f64()?),
    }
}

fn size(value: &Value) -> Option<usize> {
    match value {
        Value::String(text) => Some(text.encode_utf16().count()),
        Value::Array(items) => Some(items.len()),
        Value::Object(members) => Some(members.len()),
        _ => None,
    }
}

/// Java's `matches` wants the whole text; the parser anchored the pattern.
fn matches_whole(pattern: &Regex, text: &str, budget: &Budget) -> bool {
    budget.take(text.len() * CHARACTER_VISITS).is_ok() && pattern.is_match(text)
}
