//! A Choice state.

use serde_json::Value;

use super::fields::{Fields, looks_like_expression};
use super::near::nearest;
use super::reader::Reader;
use super::scope::Scope;
use super::{analysis, state};
use crate::choice::{Comparison, Condition, NOT_FROM_THE_ROOT, OPERATORS, Rule, Test};
use crate::model::{Choice, ChoiceRule, QueryLanguage, StateKind};
use crate::path::Path;

const FIELDS: &[&str] = &[
    "Type",
    "Comment",
    "QueryLanguage",
    "InputPath",
    "OutputPath",
    "Choices",
    "Default",
    "Arguments",
    "Output",
    "Assign",
];

/// AWS's words for a rule that is none, or two.
const ONE_KIND: &str =
    "The object must have only one of the following fields, [And, Or, Not, Variable, Condition]";

/// The fields of a rule, where the language is JSONata.
const JSONATA_RULE: &[&str] = &["Comment", "Condition", "Next", "Assign", "Output"];

pub(super) fn read(
    reader: &mut Reader,
    scope: &mut Scope<'_>,
    fields: &Fields<'_>,
) -> Option<StateKind> {
    fields.only(reader, FIELDS);
    fields.require(reader, &["Choices"]);
    let mut rules = Vec::new();
    let choices = fields.array(reader, "Choices");
    if let Some(choices) = choices {
        fields.not_empty(reader, "Choices", choices);
    }
    for (at, value) in choices.into_iter().flatten().enumerate() {
        let Some(rule) = Fields::of(reader, value, &format!("{}[{at}]", fields.at("Choices")))
        else {
            continue;
        };
        state::refuse_other_language(reader, &rule, &["Condition", "Output"]);
        rule.require(reader, &["Next"]);
        let next = scope.target(reader, &rule, "Next");
        let condition = match reader.language {
            QueryLanguage::JsonPath => condition(reader, &rule, true),
            QueryLanguage::Jsonata => jsonata_condition(reader, &rule),
        };
        let assign = state::assign(reader, &rule);
        let output = state::output(reader, &rule);
        if let Some(condition) = condition {
            rules.push(ChoiceRule {
                rule: Rule(condition),
                next,
                assign,
                output,
            });
        }
    }
    analysis::choice(reader, fields);
    let default = fields
        .has("Default")
        .then(|| scope.target(reader, fields, "Default"));
    Some(StateKind::Choice(Box::new(Choice { rules, default })))
}

/// `Condition`: an expression, or a boolean.
fn jsonata_condition(reader: &mut Reader, rule: &Fields<'_>) -> Option<Condition> {
    rule.only(reader, JSONATA_RULE);
    rule.require(reader, &["Condition"]);
    match rule.get("Condition")? {
        Value::Bool(flag) => Some(Condition::Constant(*flag)),
        _ if rule.is_jsonata(reader, "Condition") => {
            rule.jsonata(reader, "Condition").map(Condition::Jsonata)
        }
        _ => {
            reader.schema_hint(
                &rule.at("Condition"),
                "Expected value of type Boolean or a JSONata expression",
                "Write it like \"{% $states.input.ready %}\".",
            );
            None
        }
    }
}

/// A rule, or what stands below `And`, `Or` or `Not`. Only the rule itself leads somewhere.
fn condition(reader: &mut Reader, fields: &Fields<'_>, top: bool) -> Option<Condition> {
    let mut found: Vec<(&str, Option<Condition>)> = Vec::new();
    for (name, value) in fields.entries() {
        let below = match name.as_str() {
            "Variable" | "Comment" => continue,
            "Next" | "Assign" | "Condition" | "Output" if top => continue,
            "Not" => Fields::of(reader, value, &fields.at(name))
                .and_then(|inner| condition(reader, &inner, false))
                .map(|inner| Condition::Not(Box::new(inner))),
            "And" => several(reader, fields, name).map(Condition::And),
            "Or" => several(reader, fields, name).map(Condition::Or),
            _ => match Comparison::parse(name, value) {
                Some(comparison) => test(reader, fields, name, value, comparison),
                None => {
                    let message = format!("Field '{name}' is not supported");
                    let joining = ["And", "Or", "Not"];
                    let hint = match nearest(name, OPERATORS.into_iter().chain(joining)) {
                        Some(known) => format!("It is spelled '{known}'."),
                        None => "A rule has 'Variable' and one comparison operator, or one of 'And', 'Or' and 'Not'.".to_owned(),
                    };
                    reader.schema_hint(&fields.pointer, message, hint);
                    continue;
                }
            },
        };
        found.push((name, below));
    }
    match found.len() {
        1 => found.remove(0).1,
        // JSONata's condition has been refused already.
        0 if fields.has("Condition") => None,
        0 if fields.has("Variable") => {
            let message = "A rule with 'Variable' has one comparison operator";
            reader.schema(&fields.pointer, message);
            None
        }
        0 => {
            reader.schema(&fields.pointer, ONE_KIND);
            None
        }
        _ => {
            let names: Vec<&str> = found.iter().map(|(name, _)| *name).collect();
            let joined = names
                .iter()
                .any(|name| matches!(*name, "And" | "Or" | "Not"));
            let message = match joined {
                true => ONE_KIND.to_owned(),
                false => format!(
                    "There should only be one of the following fields: [{}]",
                    names.join(", ")
                ),
            };
            reader.schema_hint(
                &fields.pointer,
                message,
                "Join comparisons with 'And' or 'Or'.",
            );
            None
        }
    }
}

fn several(reader: &mut Reader, fields: &Fields<'_>, name: &str) -> Option<Vec<Condition>> {
    let items = fields.array(reader, name)?;
    fields.not_empty(reader, name, items);
    let mut all = Vec::with_capacity(items.len());
    for (at, item) in items.iter().enumerate() {
        let inner = Fields::of(reader, item, &format!("{}[{at}]", fields.at(name)));
        all.extend(inner.and_then(|inner| condition(reader, &inner, false)));
    }
    Some(all)
}

fn variable(reader: &mut Reader, fields: &Fields<'_>) -> Option<Path> {
    match fields.get("Variable").and_then(Value::as_str) {
        Some(text) if !text.starts_with('$') => {
            reader.schema(&fields.at("Variable"), NOT_FROM_THE_ROOT);
            None
        }
        _ => fields.path(reader, "Variable"),
    }
}

fn test(
    reader: &mut Reader,
    fields: &Fields<'_>,
    name: &str,
    value: &Value,
    comparison: Result<Comparison, String>,
) -> Option<Condition> {
    if name.starts_with("StringEquals")
        && !name.ends_with("Path")
        && value.as_str().is_some_and(looks_like_expression)
    {
        reader.warning(
            "NO_PATH",
            &fields.at(name),
            format!("The value of '{name}' looks like a path, and is compared as text"),
            &format!("Use '{name}Path' to compare with what the path selects."),
        );
    }
    fields.require(reader, &["Variable"]);
    let variable = variable(reader, fields);
    match comparison {
        Ok(comparison) => {
            reader.refer(comparison.variable());
            Some(Condition::Test(Test {
                variable: variable?,
                comparison,
            }))
        }
        Err(why) => {
            reader.schema(&fields.at(name), why);
            None
        }
    }
}
