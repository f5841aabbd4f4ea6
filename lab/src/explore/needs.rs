//! What a state looks for in its input or result, read off the definition's text.
//!
//! Plain paths are enough for most definitions: `$.a.b` and `$variable.a` where a path may stand or inside of an intrinsic
//! function, `$states.input.a`, `$states.result.a` and `$variable.a` in JSONata. What is computed otherwise is not seen.
//!
//! - [`condition`]: what makes a rule of a Choice apply, or not.

mod condition;

use serde_json::{Value, json};

use super::place::{Step, steps};
use super::trail::variable;
pub use condition::of_rule;

/// Something that has to be there.
#[derive(Debug, Clone, PartialEq)]
pub struct Need {
    /// Where from.
    pub root: Root,
    /// Which place in it.
    pub place: Vec<Step>,
    /// What may stand there.
    pub value: Value,
    /// Whether it has to be this and nothing else.
    pub exact: bool,
}

impl Need {
    /// Whether this will do there.
    pub fn is_met_by(&self, there: &Value) -> bool {
        !self.value.is_array() || there.is_array()
    }
}

/// What a place is in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Root {
    /// The state's input, as it is before InputPath.
    Input,
    /// What its task answers.
    Result,
    /// What the state makes of it, or of its input, before ResultPath.
    Made,
    /// A variable, if somebody has assigned it: in JSONata it may be one of the expression's own.
    Variable(String),
}

/// How many seconds may be between two heartbeats if nobody says it.
const HEARTBEAT: u64 = 30;

/// Fields in which the states of others stand, or what does not read.
const NOT_READ: &[&str] = &[
    "Branches",
    "ItemProcessor",
    "Iterator",
    "Catch",
    "Next",
    "Comment",
    "ResultPath",
    "Type",
    "Resource",
    "Choices",
    "OutputPath",
];

/// All that a state needs, but for the rules of a Choice.
pub fn of(state: &Value) -> Vec<Need> {
    let mut needs = Vec::new();
    let input_path = steps_of(state.get("InputPath"));
    if !input_path.is_empty() {
        needs.push(Need {
            root: Root::Input,
            place: input_path.clone(),
            value: json!({}),
            exact: false,
        });
    }
    let is_read = ["ItemsPath", "Items", "ItemReader"]
        .iter()
        .any(|field| state.get(field).is_some());
    if state["Type"] == "Map" && !is_read {
        needs.push(Need {
            root: Root::Input,
            place: input_path.clone(),
            value: json!([{}]),
            exact: false,
        });
    }
    for (name, value) in state.as_object().into_iter().flatten() {
        match name.as_str() {
            name if NOT_READ.contains(&name) || name == "InputPath" => {}
            "ResultSelector" => read(name, value, &Root::Result, &[], &mut needs),
            "Assign" => read(name, value, &Root::Made, &[], &mut needs),
            name => {
                let before = needs.len();
                read(name, value, &Root::Input, &input_path, &mut needs);
                if name.starts_with("HeartbeatSeconds") {
                    let beat = json!(heartbeat(state));
                    let read = needs[before..].iter_mut();
                    read.for_each(|need| need.value.clone_from(&beat));
                }
            }
        }
    }
    needs
}

/// Heartbeats that are shorter than the timeout: that they would be longer is nothing that anybody has said.
fn heartbeat(state: &Value) -> u64 {
    let timeout = state["TimeoutSeconds"].as_u64();
    timeout.map_or(HEARTBEAT, |timeout| (timeout / 2).clamp(1, HEARTBEAT))
}

fn steps_of(path: Option<&Value>) -> Vec<Step> {
    let path = path
        .and_then(Value::as_str)
        .and_then(|path| path.strip_prefix('$'));
    path.filter(|path| !path.starts_with('$'))
        .map_or_else(Vec::new, steps)
}

/// All that a field reads.
fn read(name: &str, value: &Value, root: &Root, prefix: &[Step], needs: &mut Vec<Need>) {
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                read(name, value, root, prefix, needs);
            }
        }
        Value::Array(items) => items
            .iter()
            .for_each(|item| read(name, item, root, prefix, needs)),
        Value::String(text) if text.contains("{%") => jsonata(name, text, needs),
        Value::String(text) if name.ends_with(".$") || name.ends_with("Path") => {
            paths(name, text, root, prefix, needs);
        }
        _ => {}
    }
}

/// The paths of a JSONPath field, alone or in functions.
fn paths(name: &str, text: &str, root: &Root, prefix: &[Step], needs: &mut Vec<Need>) {
    for (at, _) in text.match_indices('$') {
        let rest = &text[at + 1..];
        let is_context = rest.starts_with('$') || text[..at].ends_with('$');
        let is_text = text[..at].matches('\'').count() % 2 == 1;
        if is_context || is_text {
            continue;
        }
        let (root, mut place, rest) = match variable(rest) {
            Some((name, rest)) => (Root::Variable(name.to_owned()), Vec::new(), rest),
            None => (root.clone(), prefix.to_vec(), rest),
        };
        let found = steps(rest);
        if found.is_empty() && !matches!(root, Root::Variable(_)) {
            continue;
        }
        let value = plausible(name, &text[..at], &found);
        place.extend(found);
        needs.push(Need {
            root,
            place,
            value,
            exact: false,
        });
    }
}

/// What may stand where a field of this name or the function around it looks.
fn plausible(field: &str, before: &str, place: &[Step]) -> Value {
    let function = before.rsplit_once('(').map_or("", |(function, _)| function);
    let function = function.rsplit(['.', ' ', ',']).next().unwrap_or_default();
    match function {
        "StringToJson" => return json!("{}"),
        "MathAdd" | "MathRandom" | "ArrayRange" => return json!(1),
        "ArrayGetItem" | "ArrayContains" | "ArrayLength" | "ArrayPartition" | "ArrayUnique" => {
            return json!([{}]);
        }
        "JsonMerge" => return json!({}),
        _ => {}
    }
    match field {
        "ItemsPath" => return json!([{}]),
        "SecondsPath" | "TimeoutSecondsPath" => return json!(60),
        "TimestampPath" => return json!("2023-11-14T22:13:20Z"),
        "MaxConcurrencyPath" | "MaxItemsPath" => return json!(1),
        _ => {}
    }
    made_up_for(place)
}

/// What begins a text that says what it is.
pub const MADE_UP: &str = "made-up ";

/// A text that says what it is.
fn made_up_for(place: &[Step]) -> Value {
    match place.last() {
        Some(Step::Name(name)) => json!(format!("{MADE_UP}{name}")),
        _ => json!({}),
    }
}

/// What an expression reads.
fn jsonata(field: &str, text: &str, needs: &mut Vec<Need>) {
    for (root, rest) in references(text) {
        let place = steps(rest);
        if place.is_empty() && !matches!(root, Root::Variable(_)) {
            continue;
        }
        let value = match field {
            "Items" => json!([{}]),
            _ if field.ends_with("Seconds") => json!(60),
            _ => made_up_for(&place),
        };
        needs.push(Need {
            root: root.clone(),
            place: place.clone(),
            value,
            exact: false,
        });
        // After what they are in, which they make an object.
        for (name, value) in members_of_block(&rest[end_of_place(rest)..]) {
            let mut place = place.clone();
            place.push(Step::Name(name));
            needs.push(Need {
                root: root.clone(),
                place,
                value,
                exact: false,
            });
        }
    }
}

/// How much of a text behind a root is steps.
fn end_of_place(text: &str) -> usize {
    text.find(|c: char| !(c.is_alphanumeric() || "_-@.[]*'\"".contains(c)))
        .unwrap_or(text.len())
}

/// The members that the block behind a path looks at in each of what is there, `(price * qty)` for example; what is
/// computed with is a number.
fn members_of_block(text: &str) -> Vec<(String, Value)> {
    let Some(block) = text.strip_prefix('(') else {
        return Vec::new();
    };
    let block = &block[..block.find(')').unwrap_or(block.len())];
    let is_name = |c: char| c.is_alphanumeric() || c == '_';
    let computes = block.contains(['*', '/', '+', '%', '<', '>']) || block.contains(" - ");
    let mut members = Vec::new();
    let mut rest = block;
    while let Some(begin) = rest.find(|c: char| c.is_alphabetic() || c == '"' || c == '\'') {
        let before = rest[..begin].chars().next_back();
        let word = &rest[begin..];
        if let Some(quote) = word.chars().next().filter(|c| !c.is_alphabetic()) {
            let after = word[1..].find(quote).map_or(word.len(), |end| end + 2);
            rest = &word[after..];
            continue;
        }
        let end = word.find(|c| !is_name(c)).unwrap_or(word.len());
        let (name, after) = word.split_at(end);
        rest = after;
        let is_other = before.is_some_and(|c| c == '$' || c == '.' || is_name(c))
            || after.starts_with('(')
            || matches!(name, "and" | "or" | "in" | "true" | "false" | "null");
        if !is_other {
            let name = name.to_owned();
            let value = match computes {
                true => json!(1),
                false => made_up_for(&[Step::Name(name.clone())]),
            };
            members.push((name, value));
        }
    }
    members
}

/// Where an expression of JSONata reads, each with the text behind it.
fn references(text: &str) -> impl Iterator<Item = (Root, &str)> {
    text.match_indices('$').filter_map(move |(at, _)| {
        let rest = &text[at + 1..];
        let states = [
            ("states.input", Root::Input),
            ("states.result", Root::Result),
        ];
        for (name, root) in states {
            if let Some(rest) = rest.strip_prefix(name) {
                return Some((root, rest));
            }
        }
        let (name, rest) = variable(rest)?;
        // What it binds itself is no variable of the execution.
        let binds = rest.trim_start().starts_with(":=");
        (!binds).then(|| (Root::Variable(name.to_owned()), rest))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::explore::place::written;

    pub(super) fn shown(needs: &[Need]) -> Vec<String> {
        let each = needs.iter().map(|need| {
            format!(
                "{:?} {} {}",
                need.root,
                written("$", &need.place),
                need.value
            )
        });
        each.collect()
    }

    #[test]
    fn what_a_state_reads_is_found() {
        let task = json!({
            "Type": "Task", "InputPath": "$.order", "ResultPath": "$.x",
            "Parameters": { "a.$": "$.id", "b": "$.text", "c.$": "States.Format('{} $.no', $.name)", "t.$": "$$.Task.Token" },
            "ResultSelector": { "r.$": "$.Payload.r" },
        });
        assert_eq!(
            shown(&of(&task)),
            [
                "Input $.order {}",
                "Input $.order.id \"made-up id\"",
                "Input $.order.name \"made-up name\"",
                "Result $.Payload.r \"made-up r\"",
            ]
        );
        let task = json!({ "Type": "Task", "Arguments": { "a": "{% $states.input.order.id %}" }, "Output": "{% $states.result.Payload %}" });
        assert_eq!(
            shown(&of(&task)),
            [
                "Input $.order.id \"made-up id\"",
                "Result $.Payload \"made-up Payload\""
            ]
        );
    }
}
