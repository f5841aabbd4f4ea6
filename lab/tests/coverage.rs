//! Coverage of a Choice: rules that lead to the same state are ways of their own, wherever the Choice stands.

#![allow(clippy::unwrap_used)]

mod written;

use std::sync::Arc;

use lab::coverage::Coverage;
use lab::report::junit::reasons;
use lab::scenario::play;
use serde_json::{Value, json};
use written::Written;

/// The states of a Choice between 1, 2, 3 and anything else, of which all but 3 lead to one state.
fn choice() -> Value {
    let rule = |n: u32, next: &str| json!({ "Variable": "$.n", "NumericEquals": n, "Next": next });
    json!({
        "StartAt": "Which",
        "States": {
            "Which": {
                "Type": "Choice",
                "Choices": [rule(1, "Same"), rule(2, "Same"), rule(3, "Other")],
                "Default": "Same",
            },
            "Same": { "Type": "Pass", "End": true },
            "Other": { "Type": "Pass", "End": true },
        },
    })
}

fn only(mut state: Value) -> Value {
    state["End"] = json!(true);
    json!({ "StartAt": "All", "States": { "All": state } })
}

fn map(mode: &str) -> Value {
    let mut processor = choice();
    processor["ProcessorConfig"] = json!({ "Mode": mode, "ExecutionType": "STANDARD" });
    if mode == "INLINE" {
        processor["ProcessorConfig"] = json!({ "Mode": mode });
    }
    only(json!({ "Type": "Map", "ItemsPath": "$.items", "ItemProcessor": processor }))
}

/// The same in JSONata, by a variable that another state has set.
fn by_variable() -> Value {
    let rule =
        |n: u32, next: &str| json!({ "Condition": format!("{{% $chosen = {n} %}}"), "Next": next });
    let mut definition = choice();
    definition["QueryLanguage"] = json!("JSONata");
    definition["StartAt"] = json!("Set");
    definition["States"]["Set"] = json!({
        "Type": "Pass", "Assign": { "chosen": "{% $states.input.n %}" }, "Output": {}, "Next": "Which",
    });
    definition["States"]["Which"]["Choices"] =
        json!([rule(1, "Same"), rule(2, "Same"), rule(3, "Other")]);
    definition
}

/// What was never reached after each of these inputs.
fn missed(definition: &Value, inputs: &[Value]) -> Vec<Vec<String>> {
    let cases = inputs.iter().enumerate();
    let cases: Value = cases
        .map(|(index, input)| json!({ "name": index.to_string(), "input": input }))
        .collect();
    let text = json!({ "definition": definition, "cases": cases }).to_string();
    let read = Written::of(&text).read();
    assert_eq!(read.faults, None);
    let mut coverage = Coverage::of(read.cases[0].definition.machine.clone());
    let cases = read.cases.into_iter().map(Arc::new);
    cases
        .map(|case| {
            let outcome = play(&case);
            assert!(outcome.passed(), "{case:?}: {:?}", reasons(&outcome));
            coverage.add(&outcome.seen.unwrap());
            coverage.missed()
        })
        .collect()
}

#[test]
fn rules_that_lead_to_the_same_state_are_told_apart() {
    let alone = |n: u32| json!({ "n": n });
    let item = |n: u32| json!({ "items": [{ "n": n }] });
    for (definition, input) in [
        (choice(), &alone as &dyn Fn(u32) -> Value),
        (by_variable(), &alone),
        (
            only(json!({ "Type": "Parallel", "Branches": [choice()] })),
            &alone,
        ),
        (map("INLINE"), &item),
        (map("DISTRIBUTED"), &item),
    ] {
        let second = "way Which -> Same by Choices[1]";
        let default = "way Which -> Same by Default";
        let third = ["way Which -> Other", "state Other"];
        let missed = missed(&definition, &[1, 7, 2, 3].map(input));
        let sorted = |left: &[&[&str]]| {
            let mut left: Vec<String> = left.concat().iter().map(ToString::to_string).collect();
            left.sort();
            left
        };
        let missed: Vec<Vec<String>> = missed
            .into_iter()
            .map(|mut missed| {
                missed.sort();
                missed
            })
            .collect();
        assert_eq!(
            missed,
            [
                sorted(&[&[second, default], &third]),
                sorted(&[&[second], &third]),
                sorted(&[&third]),
                sorted(&[]),
            ],
            "{definition}"
        );
    }
}

/// Each item of one execution goes its own way.
#[test]
fn the_items_of_one_map_reach_all_of_its_rules() {
    let items: Vec<Value> = [1, 7, 2, 3].map(|n| json!({ "n": n })).into();
    for mode in ["INLINE", "DISTRIBUTED"] {
        let missed = missed(&map(mode), &[json!({ "items": items })]);
        assert_eq!(missed, [Vec::<String>::new()], "{mode}");
    }
}
