//! JSON with JSONata in it: what a mock says may echo what it was asked.
//!
//! A text in `{% %}` is an expression. It may look at
//!
//! | | |
//! | --- | --- |
//! | `$task` | what was asked: `state`, `parameters`, `token`, `attempt` (from 1), `execution` (the ARN), `resource` |
//! | `$input` | the case's input |
//! | `$url` | the server's URL, with no slash at its end; a script does not know it |
//! | `$reply` | what a service has answered that the task asks: `status`, `headers`, `body`; or `error`, why there is no answer |
//! | `$now` | when, RFC 3339; `$now()` works too |

use std::cell::Cell;

use asl::jsonata::{Expression, Session, between_braces};
use asl::{Context, Random, Scope, Timestamp, Variables};
use serde_json::{Map, Value};

use super::given::Given;

/// JSON, with the expressions in it read.
#[derive(Debug)]
pub(super) enum Template {
    Plain(Value),
    Expression(Expression),
    List(Vec<Template>),
    Object(Vec<(String, Template)>),
}

/// What expressions see.
pub(super) struct Surroundings {
    pub(super) task: Value,
    pub(super) input: Value,
    pub(super) url: Value,
    pub(super) reply: Value,
    pub(super) now: Timestamp,
    /// What random numbers begin with: the same in every run, so a case that passes once passes always.
    pub(super) seed: u64,
}

impl Template {
    /// Reads one; what is wrong with its expressions is a fault of the file.
    pub(super) fn read(given: &Given<'_>) -> Template {
        match given.value {
            Value::String(text) => match between_braces(text) {
                Some(inside) => match Expression::parse(inside, "") {
                    Ok(expression) => Template::Expression(expression),
                    Err(faults) => {
                        for fault in faults {
                            given.wrong(format!("the expression is not right: {}", fault.message));
                        }
                        Template::Plain(Value::Null)
                    }
                },
                None => Template::Plain(given.value.clone()),
            },
            Value::Array(_) => {
                let items: Vec<Template> = given.items().iter().map(Template::read).collect();
                match items.iter().all(Template::is_plain) {
                    true => Template::Plain(given.value.clone()),
                    false => Template::List(items),
                }
            }
            Value::Object(_) => {
                let members: Vec<(String, Template)> = given
                    .entries()
                    .iter()
                    .map(|(name, member)| ((*name).to_owned(), Template::read(member)))
                    .collect();
                match members.iter().all(|(_, member)| member.is_plain()) {
                    true => Template::Plain(given.value.clone()),
                    false => Template::Object(members),
                }
            }
            _ => Template::Plain(given.value.clone()),
        }
    }

    /// This text or value, whatever is in it.
    pub(super) fn plain(value: Value) -> Template {
        Template::Plain(value)
    }

    fn is_plain(&self) -> bool {
        matches!(self, Template::Plain(_))
    }

    /// The value, if nothing in it depends on anything.
    pub(super) fn known(&self) -> Option<&Value> {
        match self {
            Template::Plain(value) => Some(value),
            _ => None,
        }
    }

    /// The value.
    ///
    /// # Errors
    /// Why an expression gave nothing.
    pub(super) fn evaluate(&self, surroundings: &Surroundings) -> Result<Value, String> {
        Ok(match self {
            Template::Plain(value) => value.clone(),
            Template::List(items) => Value::Array(
                items
                    .iter()
                    .map(|item| item.evaluate(surroundings))
                    .collect::<Result<_, _>>()?,
            ),
            Template::Object(members) => {
                let mut object = Map::new();
                for (name, member) in members {
                    object.insert(name.clone(), member.evaluate(surroundings)?);
                }
                Value::Object(object)
            }
            Template::Expression(expression) => {
                let now = Value::String(surroundings.now.to_string());
                let names = Names(surroundings, &now);
                let scope = Scope {
                    input: &surroundings.task,
                    context: &Nothing,
                    random: &Sequence(Cell::new(surroundings.seed)),
                    now: surroundings.now,
                    variables: &names,
                    result: None,
                    error_output: None,
                    session: &Session::default(),
                };
                expression.evaluate(scope).map_err(|failure| {
                    let cause = failure.cause.unwrap_or_default();
                    format!("{{% {} %}}: {cause}", expression.text())
                })?
            }
        })
    }

    /// The value as a text.
    ///
    /// # Errors
    /// As [`Template::evaluate`].
    pub(super) fn text(&self, surroundings: &Surroundings) -> Result<String, String> {
        Ok(match self.evaluate(surroundings)? {
            Value::String(text) => text,
            other => other.to_string(),
        })
    }
}

struct Names<'s>(&'s Surroundings, &'s Value);

impl Variables for Names<'_> {
    fn get(&self, name: &str) -> Option<&Value> {
        match name {
            "task" => Some(&self.0.task),
            "input" => Some(&self.0.input),
            "url" => Some(&self.0.url),
            "reply" => Some(&self.0.reply),
            "now" => Some(self.1),
            _ => None,
        }
    }
}

struct Nothing;

impl Context for Nothing {
    fn value(&self) -> &Value {
        &Value::Null
    }
}

struct Sequence(Cell<u64>);

impl Random for Sequence {
    fn next(&self) -> u64 {
        // SplitMix64.
        let state = self.0.get().wrapping_add(0x9e37_79b9_7f4a_7c15);
        self.0.set(state);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}
