//! What a state looks for in its input or result, read off the definition's text.
//!
//! Plain paths are enough for most definitions: `$.a.b` where a path may stand or inside of an intrinsic function,
//! `$states.input.a` and `$states.result.a` in JSONata. What is computed otherwise is not seen.

use serde_json::{Value, json};

use super::place::{self, Step, steps};

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
    /// Whether a document has it.
    pub fn is_met(&self, document: &Value) -> bool {
        match place::get(document, &self.place) {
            Some(there) => !self.value.is_array() || there.is_array(),
            None => false,
        }
    }
}

/// What a place is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Root {
    /// The state's input, as it is before InputPath.
    Input,
    /// What its task answers.
    Result,
}

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
            "ResultSelector" => read(name, value, Root::Result, &[], &mut needs),
            _ => read(name, value, Root::Input, &input_path, &mut needs),
        }
    }
    needs
}

/// What the `k`th rule of a Choice needs so that it applies, and what the rules before it need so that they don't;
/// past the last rule: so that none does.
pub fn of_rule(state: &Value, k: usize) -> Vec<Need> {
    let input_path = steps_of(state.get("InputPath"));
    let rules = state["Choices"].as_array().map_or(&[][..], Vec::as_slice);
    let mut needs = Vec::new();
    for rule in rules.iter().take(k) {
        condition(rule, false, &input_path, &mut needs);
    }
    if let Some(rule) = rules.get(k) {
        condition(rule, true, &input_path, &mut needs);
    }
    needs
}

/// A condition of JSONPath, which is to hold or not.
fn condition(rule: &Value, holds: bool, input_path: &[Step], needs: &mut Vec<Need>) {
    for name in ["And", "Or"] {
        let all = rule.get(name).and_then(Value::as_array);
        let all = all.map_or(&[][..], Vec::as_slice);
        // Of an Or that is to hold the first will do, and the last of an And that is not to.
        match (name == "And") == holds {
            true => all
                .iter()
                .for_each(|rule| condition(rule, holds, input_path, needs)),
            false if holds => all
                .iter()
                .take(1)
                .for_each(|rule| condition(rule, holds, input_path, needs)),
            false => all
                .iter()
                .rev()
                .take(1)
                .for_each(|rule| condition(rule, holds, input_path, needs)),
        }
    }
    if let Some(inner) = rule.get("Not") {
        condition(inner, !holds, input_path, needs);
    }
    if let Some(text) = rule.get("Condition").and_then(Value::as_str) {
        jsonata_condition(text, holds, needs);
    }
    let variable = rule.get("Variable").and_then(Value::as_str);
    let Some(variable) = variable.filter(|text| text.starts_with("$.") || text.starts_with("$["))
    else {
        return;
    };
    let members = rule.as_object().into_iter().flatten();
    for (operator, operand) in members {
        let Some(value) = satisfying(operator, operand, holds) else {
            continue;
        };
        let mut place = input_path.to_vec();
        place.extend(steps(&variable[1..]));
        needs.push(Need {
            root: Root::Input,
            place,
            value,
            exact: operator != "IsPresent",
        });
    }
}

/// A value for which a comparison holds, or does not.
fn satisfying(operator: &str, operand: &Value, holds: bool) -> Option<Value> {
    if operator == "IsPresent" {
        // What should not be there is not put there.
        return (operand.as_bool()? == holds).then(|| json!("made up"));
    }
    if let Some(wanted) = operator.strip_prefix("Is") {
        let is = operand.as_bool()? == holds;
        return Some(match (wanted, is) {
            ("Null", true) => Value::Null,
            ("Boolean", true) => json!(true),
            ("Numeric", true) | ("String", false) => json!(1),
            ("Timestamp", true) => json!("2023-11-14T22:13:20Z"),
            _ => json!("made up"),
        });
    }
    if operator.ends_with("Path") {
        return None;
    }
    let number = operand.as_f64();
    Some(match (operator, holds) {
        (_, _) if operator.starts_with("Boolean") => json!(operand.as_bool()? == holds),
        (_, _) if operator.starts_with("Numeric") => {
            let number = number?;
            let greater = operator.contains("Greater") == holds;
            let equals = operator.ends_with("Equals");
            match (equals && holds, operator == "NumericEquals") {
                (true, _) => operand.clone(),
                (false, true) => json!(number + 1.0),
                (false, false) => json!(if greater { number + 1.0 } else { number - 1.0 }),
            }
        }
        ("StringMatches", true) => json!(operand.as_str()?.replace('*', "")),
        (
            "StringEquals" | "StringLessThanEquals" | "StringGreaterThanEquals" | "TimestampEquals",
            true,
        ) => operand.clone(),
        ("StringGreaterThan", true) => json!(format!("{}~", operand.as_str()?)),
        ("StringLessThan", true) => json!(""),
        (_, _) if operator.starts_with("String") => json!("none of these"),
        (_, _) if operator.starts_with("Timestamp") => {
            let later = operator.contains("Greater") == holds;
            json!(if later {
                "2099-01-01T00:00:00Z"
            } else {
                "2000-01-01T00:00:00Z"
            })
        }
        _ => return None,
    })
}

/// `$states.input.a = 'b'` and its like; of others only that the place is there.
fn jsonata_condition(text: &str, holds: bool, needs: &mut Vec<Need>) {
    for (at, _) in text.match_indices("$states.input") {
        let rest = &text[at + "$states.input".len()..];
        let place = steps(rest);
        if place.is_empty() {
            continue;
        }
        let after = rest
            .trim_start_matches(|c: char| c.is_alphanumeric() || "._[]".contains(c))
            .trim_start();
        let (equals, operand) = match after.strip_prefix("!=") {
            Some(operand) => (false, operand),
            None => (true, after.strip_prefix('=').unwrap_or_default()),
        };
        let operand = operand.trim_start();
        let value = match operand.chars().next() {
            Some(quote @ ('\'' | '"')) => operand[1..].split(quote).next().map(|text| json!(text)),
            Some(c) if c.is_ascii_digit() => {
                let end = operand
                    .find(|c: char| !c.is_ascii_digit())
                    .unwrap_or(operand.len());
                operand[..end]
                    .parse::<i64>()
                    .ok()
                    .map(|number| json!(number))
            }
            _ if operand.starts_with("true") => Some(json!(true)),
            _ if operand.starts_with("false") => Some(json!(false)),
            _ => None,
        };
        let exact = value.is_some();
        let value = match (value, equals == holds) {
            (Some(value), true) => value,
            (Some(Value::Bool(flag)), false) => json!(!flag),
            (Some(Value::Number(_)), false) => json!(-1),
            (Some(_), false) => json!("none of these"),
            (None, _) => json!(holds),
        };
        needs.push(Need {
            root: Root::Input,
            place,
            value,
            exact,
        });
    }
}

fn steps_of(path: Option<&Value>) -> Vec<Step> {
    let path = path
        .and_then(Value::as_str)
        .and_then(|path| path.strip_prefix('$'));
    path.filter(|path| !path.starts_with('$'))
        .map_or_else(Vec::new, steps)
}

/// All that a field reads.
fn read(name: &str, value: &Value, root: Root, prefix: &[Step], needs: &mut Vec<Need>) {
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
fn paths(name: &str, text: &str, root: Root, prefix: &[Step], needs: &mut Vec<Need>) {
    for (at, _) in text.match_indices('$') {
        let rest = &text[at + 1..];
        let is_context = rest.starts_with('$') || text[..at].ends_with('$');
        let is_text = text[..at].matches('\'').count() % 2 == 1;
        if is_context || is_text || !rest.starts_with(['.', '[']) {
            continue;
        }
        let found = steps(rest);
        if found.is_empty() {
            continue;
        }
        let value = plausible(name, &text[..at], &found);
        let mut place = prefix.to_vec();
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
        "SecondsPath" | "TimeoutSecondsPath" | "HeartbeatSecondsPath" => return json!(60),
        "TimestampPath" => return json!("2023-11-14T22:13:20Z"),
        "MaxConcurrencyPath" | "MaxItemsPath" => return json!(1),
        _ => {}
    }
    made_up_for(place)
}

/// A text that says what it is.
fn made_up_for(place: &[Step]) -> Value {
    match place.last() {
        Some(Step::Name(name)) => json!(format!("made-up {name}")),
        _ => json!({}),
    }
}

/// What an expression reads.
fn jsonata(field: &str, text: &str, needs: &mut Vec<Need>) {
    for (name, root) in [
        ("$states.input", Root::Input),
        ("$states.result", Root::Result),
    ] {
        for (at, _) in text.match_indices(name) {
            let place = steps(&text[at + name.len()..]);
            if !place.is_empty() {
                let value = match field {
                    "Items" => json!([{}]),
                    _ if field.ends_with("Seconds") => json!(60),
                    _ => made_up_for(&place),
                };
                needs.push(Need {
                    root,
                    place,
                    value,
                    exact: false,
                });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::explore::place::written;

    fn shown(needs: &[Need]) -> Vec<String> {
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

    #[test]
    fn a_rule_is_made_to_apply_or_not() {
        let choice = json!({ "Choices": [
            { "Variable": "$.status", "StringEquals": "FAILED", "Next": "A" },
            { "And": [{ "Variable": "$.n", "NumericGreaterThan": 3 }, { "Not": { "Variable": "$.ok", "BooleanEquals": true } }], "Next": "B" },
        ] });
        assert_eq!(shown(&of_rule(&choice, 0)), ["Input $.status \"FAILED\""]);
        assert_eq!(
            shown(&of_rule(&choice, 1)),
            [
                "Input $.status \"none of these\"",
                "Input $.n 4.0",
                "Input $.ok false"
            ]
        );
        let none = ["Input $.status \"none of these\"", "Input $.ok true"];
        assert_eq!(shown(&of_rule(&choice, 2)), none);
    }
}
