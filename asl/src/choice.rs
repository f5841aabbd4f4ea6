//! A Choice rule: a JSONata condition, or comparison operators under `And`, `Or` and `Not`.
//!
//! A comparison of values of different types does not hold, and is no failure; a `Variable` that
//! selects nothing is one, except under `IsPresent`.

#[cfg(test)]
mod tests;
mod words;

use std::borrow::Cow;
use std::cmp::Ordering;

use serde_json::Value;

use crate::failure::Failure;
use crate::jsonata;
use crate::path::{self, Path};
use crate::scope::Scope;
use crate::timestamp::Timestamp;

/// A compiled rule.
#[derive(Debug)]
pub struct Rule(pub(crate) Condition);

impl Rule {
    /// Whether it holds.
    ///
    /// # Errors
    /// `States.Runtime` with AWS's cause, for example where `Variable` selects nothing.
    pub fn holds(&self, scope: Scope<'_>) -> Result<bool, Failure> {
        self.0.holds(scope)
    }
}

/// One node of a rule.
#[derive(Debug)]
pub(crate) enum Condition {
    And(Vec<Condition>),
    Or(Vec<Condition>),
    Not(Box<Condition>),
    Test(Test),
    /// `Condition` (JSONata): an expression, or a constant.
    Jsonata(jsonata::Expression),
    Constant(bool),
}

/// `Variable` and its comparison operator.
#[derive(Debug)]
pub(crate) struct Test {
    pub(crate) variable: Path,
    pub(crate) comparison: Comparison,
}

/// A comparison operator with what stands behind it.
#[derive(Debug)]
pub(crate) enum Comparison {
    /// `StringEquals` to `TimestampGreaterThanEqualsPath`.
    Compare(Type, Order, Operand),
    /// `StringMatches`.
    Matches(Pattern),
    /// `IsPresent` to `IsTimestamp`; the flag is what must be the case.
    Is(Kind, bool),
}

/// The type that both sides of a comparison must have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Type {
    String,
    Numeric,
    Boolean,
    Timestamp,
}

/// How the variable must relate to the operand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Order {
    Equals,
    LessThan,
    LessThanEquals,
    GreaterThan,
    GreaterThanEquals,
}

/// What the variable is compared with.
#[derive(Debug)]
pub(crate) enum Operand {
    Given(Value),
    Path(Path),
}

/// What `Is...` asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Present,
    Null,
    String,
    Numeric,
    Boolean,
    Timestamp,
}

impl Comparison {
    /// The workflow variable that it compares with, if it does.
    pub(crate) fn variable(&self) -> Option<&str> {
        match self {
            Comparison::Compare(_, _, Operand::Path(path)) => path.variable(),
            _ => None,
        }
    }

    /// The operator called `name`, or `None` if there is none of this name.
    ///
    /// # Errors
    /// What must stand behind the operator, if `value` is not that.
    pub(crate) fn parse(name: &str, value: &Value) -> Option<Result<Comparison, String>> {
        let kind = match name {
            "IsPresent" => Some(Kind::Present),
            "IsNull" => Some(Kind::Null),
            "IsString" => Some(Kind::String),
            "IsNumeric" => Some(Kind::Numeric),
            "IsBoolean" => Some(Kind::Boolean),
            "IsTimestamp" => Some(Kind::Timestamp),
            _ => None,
        };
        if let Some(kind) = kind {
            let flag = value
                .as_bool()
                .ok_or_else(|| format!("The value of the field '{name}' must be a boolean"));
            return Some(flag.map(|flag| Comparison::Is(kind, flag)));
        }
        if name == "StringMatches" {
            let text = value
                .as_str()
                .ok_or_else(|| format!("The value of the field '{name}' must be a string"));
            return Some(text.map(|text| Comparison::Matches(Pattern::parse(text))));
        }
        let (plain, by_path) = match name.strip_suffix("Path") {
            Some(plain) => (plain, true),
            None => (name, false),
        };
        let (kind, order) = [
            ("String", Type::String),
            ("Numeric", Type::Numeric),
            ("Boolean", Type::Boolean),
            ("Timestamp", Type::Timestamp),
        ]
        .iter()
        .find_map(|(prefix, kind)| Some((*kind, plain.strip_prefix(prefix)?)))?;
        let order = match order {
            "Equals" => Order::Equals,
            _ if kind == Type::Boolean => return None,
            "LessThan" => Order::LessThan,
            "LessThanEquals" => Order::LessThanEquals,
            "GreaterThan" => Order::GreaterThan,
            "GreaterThanEquals" => Order::GreaterThanEquals,
            _ => return None,
        };
        Some(
            operand(name, kind, by_path, value)
                .map(|operand| Comparison::Compare(kind, order, operand)),
        )
    }
}

/// All comparison operators.
pub(crate) const OPERATORS: [&str; 39] = [
    "StringEquals",
    "StringEqualsPath",
    "StringLessThan",
    "StringLessThanPath",
    "StringLessThanEquals",
    "StringLessThanEqualsPath",
    "StringGreaterThan",
    "StringGreaterThanPath",
    "StringGreaterThanEquals",
    "StringGreaterThanEqualsPath",
    "StringMatches",
    "NumericEquals",
    "NumericEqualsPath",
    "NumericLessThan",
    "NumericLessThanPath",
    "NumericLessThanEquals",
    "NumericLessThanEqualsPath",
    "NumericGreaterThan",
    "NumericGreaterThanPath",
    "NumericGreaterThanEquals",
    "NumericGreaterThanEqualsPath",
    "BooleanEquals",
    "BooleanEqualsPath",
    "TimestampEquals",
    "TimestampEqualsPath",
    "TimestampLessThan",
    "TimestampLessThanPath",
    "TimestampLessThanEquals",
    "TimestampLessThanEqualsPath",
    "TimestampGreaterThan",
    "TimestampGreaterThanPath",
    "TimestampGreaterThanEquals",
    "TimestampGreaterThanEqualsPath",
    "IsPresent",
    "IsNull",
    "IsString",
    "IsNumeric",
    "IsBoolean",
    "IsTimestamp",
];

/// AWS's words for what stands where a rule has a path.
pub(crate) const NOT_FROM_THE_ROOT: &str =
    "Value is not a Reference Path: Reference path didn't start with '$'";

fn operand(name: &str, kind: Type, by_path: bool, value: &Value) -> Result<Operand, String> {
    if by_path {
        let text = value
            .as_str()
            .ok_or_else(|| format!("The value for the field '{name}' must be a valid JSONPath"))?;
        if !text.starts_with('$') {
            return Err(NOT_FROM_THE_ROOT.to_owned());
        }
        return match Path::parse(text) {
            Ok(path) => Ok(Operand::Path(path)),
            Err(_) => Err(format!(
                "The value for the field '{name}' must be a valid JSONPath"
            )),
        };
    }
    match (kind, value) {
        (Type::String, Value::String(_))
        | (Type::Numeric, Value::Number(_))
        | (Type::Boolean, Value::Bool(_)) => Ok(Operand::Given(value.clone())),
        (Type::Timestamp, Value::String(text)) if Timestamp::from_asl(text).is_some() => {
            Ok(Operand::Given(value.clone()))
        }
        (Type::Timestamp, Value::String(_)) => {
            Err("String does not match RFC3339 timestamp".to_owned())
        }
        (Type::String | Type::Timestamp, _) => {
            Err(format!("The value of the field '{name}' must be a string"))
        }
        (Type::Numeric, _) => Err(format!("The value of the field '{name}' must be a number")),
        (Type::Boolean, _) => Err(format!("The value of the field '{name}' must be a boolean")),
    }
}

impl Condition {
    fn holds(&self, scope: Scope<'_>) -> Result<bool, Failure> {
        match self {
            Condition::And(all) => {
                for condition in all {
                    if !condition.holds(scope)? {
                        return Ok(false);
                    }
                }
                Ok(true)
            }
            Condition::Or(any) => {
                for condition in any {
                    if condition.holds(scope)? {
                        return Ok(true);
                    }
                }
                Ok(false)
            }
            Condition::Not(inner) => Ok(!inner.holds(scope)?),
            Condition::Test(test) => test.holds(scope),
            Condition::Jsonata(expression) => {
                expression.evaluate_as(scope, "boolean", Value::as_bool)
            }
            Condition::Constant(flag) => Ok(*flag),
        }
    }
}

impl Test {
    fn holds(&self, scope: Scope<'_>) -> Result<bool, Failure> {
        if let Comparison::Is(Kind::Present, wanted) = self.comparison {
            // A branching path is always there, if only as an empty list.
            return Ok(self.variable.find(scope).is_ok() == wanted);
        }
        let value = find(&self.variable, scope)?;
        match &self.comparison {
            Comparison::Is(kind, wanted) => Ok(is(*kind, &value) == *wanted),
            Comparison::Matches(pattern) => {
                Ok(value.as_str().is_some_and(|text| pattern.matches(text)))
            }
            Comparison::Compare(kind, order, operand) => {
                let other = match operand {
                    Operand::Given(given) => Cow::Borrowed(given),
                    Operand::Path(path) => find(path, scope)?,
                };
                Ok(compare(*kind, &value, &other).is_some_and(|ordering| order.holds(ordering)))
            }
        }
    }
}

fn find<'a>(path: &Path, scope: Scope<'a>) -> Result<Cow<'a, Value>, Failure> {
    path.find(scope).map_err(|_| {
        Failure::runtime(format!(
            "Invalid path '{}': The choice state's condition path references an invalid value.",
            path.text()
        ))
    })
}

fn is(kind: Kind, value: &Value) -> bool {
    match kind {
        Kind::Present => true,
        Kind::Null => value.is_null(),
        Kind::String => value.is_string(),
        Kind::Numeric => value.is_number(),
        Kind::Boolean => value.is_boolean(),
        Kind::Timestamp => value.as_str().and_then(Timestamp::from_asl).is_some(),
    }
}

/// How two values of the type `kind` relate; `None` if one of them is not of this type.
fn compare(kind: Type, left: &Value, right: &Value) -> Option<Ordering> {
    match (kind, left, right) {
        (Type::String, Value::String(a), Value::String(b)) => Some(a.cmp(b)),
        (Type::Numeric, Value::Number(a), Value::Number(b)) => path::numbers(a, b),
        (Type::Boolean, Value::Bool(a), Value::Bool(b)) => Some(a.cmp(b)),
        (Type::Timestamp, Value::String(a), Value::String(b)) => {
            Some(Timestamp::from_asl(a)?.cmp(&Timestamp::from_asl(b)?))
        }
        _ => None,
    }
}

impl Order {
    fn holds(self, ordering: Ordering) -> bool {
        match self {
            Order::Equals => ordering.is_eq(),
            Order::LessThan => ordering.is_lt(),
            Order::LessThanEquals => ordering.is_le(),
            Order::GreaterThan => ordering.is_gt(),
            Order::GreaterThanEquals => ordering.is_ge(),
        }
    }
}

/// The pattern of `StringMatches`: `*` stands for any text, `\*` and `\\` for themselves.
#[derive(Debug)]
pub(crate) struct Pattern {
    /// The texts between the wildcards; one alone if there is no wildcard.
    parts: Vec<String>,
}

impl Pattern {
    fn parse(text: &str) -> Pattern {
        let mut parts = vec![String::new()];
        let mut chars = text.chars();
        while let Some(c) = chars.next() {
            let literal = match c {
                '*' => {
                    parts.push(String::new());
                    continue;
                }
                '\\' => chars.next().unwrap_or('\\'),
                c => c,
            };
            parts
                .last_mut()
                .expect("there is always one part")
                .push(literal);
        }
        Pattern { parts }
    }

    /// Greedy from the left, which is enough where `*` is the only wildcard, and is linear.
    fn matches(&self, text: &str) -> bool {
        let [first, middle @ .., last] = self.parts.as_slice() else {
            return self.parts[0] == text;
        };
        let Some(mut rest) = text.strip_prefix(first.as_str()) else {
            return false;
        };
        for part in middle {
            match rest.find(part.as_str()) {
                Some(at) => rest = &rest[at + part.len()..],
                None => return false,
            }
        }
        rest.ends_with(last.as_str())
    }
}
