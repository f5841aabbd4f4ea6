//! What makes a rule of a Choice apply, or not.

use serde_json::{Value, json};

use super::{Need, Root, Step, references, steps, steps_of};

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
    let Some(rest) = variable.and_then(|text| text.strip_prefix('$')) else {
        return;
    };
    let (root, prefix, rest) = match super::variable(rest) {
        Some((name, rest)) => (Root::Variable(name.to_owned()), &[][..], rest),
        None if rest.starts_with(['.', '[']) => (Root::Input, input_path, rest),
        None => return,
    };
    let members = rule.as_object().into_iter().flatten();
    for (operator, operand) in members {
        let Some(value) = satisfying(operator, operand, holds) else {
            continue;
        };
        needs.push(Need {
            root: root.clone(),
            place: [prefix, &steps(rest)].concat(),
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

/// `$states.input.a = 'b'`, `$order.total > 100` and their like; of others only that the place is there.
fn jsonata_condition(text: &str, holds: bool, needs: &mut Vec<Need>) {
    for (root, rest) in references(text) {
        let place = steps(rest);
        if place.is_empty() && !matches!(root, Root::Variable(_)) {
            continue;
        }
        let after = rest
            .trim_start_matches(|c: char| c.is_alphanumeric() || "._[]".contains(c))
            .trim_start();
        let compared = compared(after, holds);
        needs.push(Need {
            root,
            place,
            exact: compared.is_some(),
            value: compared.unwrap_or(json!(holds)),
        });
    }
}

/// A value for which a comparison with a literal holds, or does not.
fn compared(text: &str, holds: bool) -> Option<Value> {
    let operators = ["!=", ">=", "<=", "=", ">", "<", "in ["];
    let (operator, operand) = operators
        .iter()
        .find_map(|operator| Some((*operator, text.strip_prefix(operator)?.trim_start())))?;
    // The first of `in ['a', 'b']` will do.
    let equals = holds == matches!(operator, "=" | "in [" | ">=" | "<=");
    if let quote @ ('\'' | '"') = operand.chars().next()? {
        let literal = operand[1..].split(quote).next()?;
        return Some(match operator {
            "=" | "!=" | "in [" if equals => json!(literal),
            "=" | "!=" | "in [" => json!("none of these"),
            _ => return None,
        });
    }
    for flag in [true, false] {
        if operand.starts_with(if flag { "true" } else { "false" }) {
            return Some(json!(flag == equals));
        }
    }
    let is_number = |c: char| c.is_ascii_digit() || matches!(c, '-' | '.');
    let end = operand.find(|c| !is_number(c)).unwrap_or(operand.len());
    let number: serde_json::Number = operand[..end].parse().ok()?;
    let by = |offset: i64| match (number.as_i64(), number.as_f64()) {
        (Some(whole), _) => Some(json!(whole.checked_add(offset)?)),
        (None, Some(number)) => Some(json!(number + offset as f64)),
        (None, None) => None,
    };
    let offset = match (operator, holds) {
        (">", true) | ("<=", false) => 1,
        ("<", true) | (">=", false) => -1,
        (">" | "<", false) | (">=" | "<=", true) => 0,
        _ if equals => 0,
        _ => 1,
    };
    by(offset)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::explore::needs::tests::shown;

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

    #[test]
    fn a_comparison_of_jsonata_is_made_to_hold_or_not() {
        for (text, holding, failing) in [
            (
                "{% $states.input.n > 100 %}",
                "Input $.n 101",
                "Input $.n 100",
            ),
            (
                "{% $order.n >= 2 %}",
                "Variable(\"order\") $.n 2",
                "Variable(\"order\") $.n 1",
            ),
            (
                "{% $n < 0.5 %}",
                "Variable(\"n\") $ -0.5",
                "Variable(\"n\") $ 0.5",
            ),
            (
                "{% $n <= -3 %}",
                "Variable(\"n\") $ -3",
                "Variable(\"n\") $ -2",
            ),
            (
                "{% $n != 0 %}",
                "Variable(\"n\") $ 1",
                "Variable(\"n\") $ 0",
            ),
            (
                "{% $states.input.a = 'b c' %}",
                "Input $.a \"b c\"",
                "Input $.a \"none of these\"",
            ),
            (
                "{% $states.input.a in ['x', 'y'] %}",
                "Input $.a \"x\"",
                "Input $.a \"none of these\"",
            ),
            (
                "{% $states.input.ok != true %}",
                "Input $.ok false",
                "Input $.ok true",
            ),
            (
                "{% $states.input.ok %}",
                "Input $.ok true",
                "Input $.ok false",
            ),
        ] {
            let choice = json!({ "Choices": [{ "Condition": text, "Next": "A" }] });
            assert_eq!(shown(&of_rule(&choice, 0)), [holding], "{text}");
            assert_eq!(shown(&of_rule(&choice, 1)), [failing], "{text}");
        }
    }
}
