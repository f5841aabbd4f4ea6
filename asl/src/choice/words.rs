//! A rule in short words, for people: `$.amount > 3`, `$.name is present and not ($.a or $.b)`.
//!
//! This is not the language: nothing reads it back. The words are as few as tell two rules apart.

use std::fmt::{self, Display, Formatter};

use super::{Comparison, Condition, Kind, Operand, Order, Pattern, Rule, Test};
use crate::jsonata::between_braces;

impl Display for Rule {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Display for Condition {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Condition::And(all) => joined(f, all, " and "),
            Condition::Or(any) => joined(f, any, " or "),
            Condition::Not(inner) => {
                f.write_str("not ")?;
                nested(f, inner)
            }
            Condition::Test(test) => test.fmt(f),
            Condition::Jsonata(expression) => {
                let text = expression.text();
                f.write_str(between_braces(text).unwrap_or(text).trim())
            }
            Condition::Constant(flag) => flag.fmt(f),
        }
    }
}

/// Depth is bounded by that of the definition, which the parser limits.
fn joined(f: &mut Formatter<'_>, conditions: &[Condition], word: &str) -> fmt::Result {
    if let [only] = conditions {
        return only.fmt(f);
    }
    for (at, condition) in conditions.iter().enumerate() {
        if at > 0 {
            f.write_str(word)?;
        }
        nested(f, condition)?;
    }
    Ok(())
}

/// With parentheses where the words would else belong to what stands beside them.
fn nested(f: &mut Formatter<'_>, condition: &Condition) -> fmt::Result {
    match condition {
        Condition::And(several) | Condition::Or(several) if several.len() > 1 => {
            write!(f, "({condition})")
        }
        _ => condition.fmt(f),
    }
}

impl Display for Test {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(self.variable.text())?;
        match &self.comparison {
            Comparison::Compare(_, order, operand) => {
                let sign = match order {
                    Order::Equals => "=",
                    Order::LessThan => "<",
                    Order::LessThanEquals => "≤",
                    Order::GreaterThan => ">",
                    Order::GreaterThanEquals => "≥",
                };
                match operand {
                    Operand::Given(value) => write!(f, " {sign} {value}"),
                    Operand::Path(path) => write!(f, " {sign} {}", path.text()),
                }
            }
            Comparison::Matches(pattern) => write!(f, " matches {pattern}"),
            Comparison::Is(kind, wanted) => {
                let not = if *wanted { "" } else { "not " };
                let kind = match kind {
                    Kind::Present => "present",
                    Kind::Null => "null",
                    Kind::String => "a string",
                    Kind::Numeric => "a number",
                    Kind::Boolean => "a boolean",
                    Kind::Timestamp => "a timestamp",
                };
                write!(f, " is {not}{kind}")
            }
        }
    }
}

impl Display for Pattern {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\"", self.parts.join("*"))
    }
}
