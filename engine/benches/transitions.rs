//! How many transitions a second the engine makes, without a disk or a network:
//! `cargo bench -p engine`. The column of items is states entered in a second.
//!
//! Both query languages, and a Map whose execution has a large input, which no iteration may copy.

use std::sync::Arc;

use asl::{Data, StateMachine, Timestamp};
use divan::counter::ItemsCount;
use engine::{Command, CommandKind, Execution, Identity, Outcome, TokenKey, WaitId};
use serde_json::{Map, Value, json};

/// States in a row, and items of a Map.
const STATES: usize = 100;
const ITEMS: usize = 1_000;

fn main() {
    divan::main();
}

fn machine(definition: &Value) -> Arc<StateMachine> {
    let parsed = asl::parse(&definition.to_string());
    Arc::new(parsed.machine.expect("the definition is sound"))
}

/// `STATES` states in a row, each of them `state` with a `Next`.
fn row(language: &str, state: &Value) -> Arc<StateMachine> {
    let mut states = Map::new();
    for at in 1..=STATES {
        let mut state = state.clone();
        let next = match at == STATES {
            true => "Done".to_owned(),
            false => format!("S{}", at + 1),
        };
        match state.get_mut("Choices") {
            Some(choices) => choices[0]["Next"] = json!(next),
            None => state["Next"] = json!(next),
        }
        states.insert(format!("S{at}"), state);
    }
    states.insert("Done".to_owned(), json!({"Type": "Succeed"}));
    machine(&json!({"QueryLanguage": language, "StartAt": "S1", "States": states}))
}

fn identity(input: &Value) -> Identity {
    Identity {
        arn: "arn:aws:states:us-east-1:123456789012:execution:Machine:run".into(),
        name: "run".into(),
        state_machine_arn: "arn:aws:states:us-east-1:123456789012:stateMachine:Machine".into(),
        state_machine_name: "Machine".into(),
        definition: "0".repeat(64).into(),
        role_arn: "arn:aws:iam::123456789012:role/Role".into(),
        input: Data::from(input.clone()),
        started_at: Timestamp(0),
        version: None,
        alias: None,
        map_run: None,
        test_case: None,
        trace_context: None,
        trace_header: None,
    }
}

fn order() -> Value {
    let item = |at: usize| json!({"sku": format!("SKU-{at}"), "price": at * 7, "quantity": at % 4});
    json!({
        "id": "o-1042",
        "status": "PAID",
        "retries": 2,
        "customer": {"name": "Ada Lovelace", "email": "ada@example.com"},
        "items": (0..20).map(item).collect::<Vec<_>>(),
    })
}

/// Begins an execution; every task that opens is completed until it has ended.
fn run(machine: &Arc<StateMachine>, input: &Value, tokens: &TokenKey) -> Execution {
    let (mut execution, _) = Execution::begin(machine.clone(), identity(input), 1, tokens);
    let mut wait = 1;
    while execution.closing().is_none() {
        let kind = CommandKind::Complete {
            wait: WaitId(wait),
            outcome: Outcome::Success(Data::from(json!({"value": 250_000}))),
        };
        let command = Command {
            at: Timestamp(1),
            seed: 1,
            kind,
        };
        execution.decide(command, tokens).expect("the wait is open");
        wait += 1;
    }
    let output = execution
        .closing()
        .and_then(|closing| closing.output.as_ref());
    assert!(output.is_some(), "it succeeds: {:?}", execution.closing());
    execution
}

fn bench(
    bencher: divan::Bencher<'_, '_>,
    machine: Arc<StateMachine>,
    input: &Value,
    states: usize,
) {
    let tokens = TokenKey::new(&[7; 32]);
    bencher
        .counter(ItemsCount::new(states))
        .bench(|| run(&machine, input, &tokens));
}

const LANGUAGES: [&str; 2] = ["JSONPath", "JSONata"];

#[divan::bench(args = LANGUAGES)]
fn pass(bencher: divan::Bencher<'_, '_>, language: &str) {
    let state = match language {
        "JSONPath" => {
            json!({"Type": "Pass", "Parameters": {"id.$": "$.id", "at.$": "$$.State.Name"}, "ResultPath": "$.seen"})
        }
        _ => {
            json!({"Type": "Pass", "Output": "{% $merge([$states.input, {'seen': {'id': $states.input.id, 'at': $states.context.State.Name}}]) %}"})
        }
    };
    bench(bencher, row(language, &state), &order(), STATES);
}

#[divan::bench(args = LANGUAGES)]
fn choice(bencher: divan::Bencher<'_, '_>, language: &str) {
    let rule = match language {
        "JSONPath" => json!({"And": [
            {"Variable": "$.status", "StringEquals": "PAID"},
            {"Variable": "$.retries", "NumericLessThan": 3},
        ]}),
        _ => {
            json!({"Condition": "{% $states.input.status = 'PAID' and $states.input.retries < 3 %}"})
        }
    };
    let state = json!({"Type": "Choice", "Choices": [rule], "Default": "Done"});
    bench(bencher, row(language, &state), &order(), STATES);
}

#[divan::bench(args = LANGUAGES)]
fn task(bencher: divan::Bencher<'_, '_>, language: &str) {
    let resource = "arn:aws:states:::lambda:invoke.waitForTaskToken";
    let state = match language {
        "JSONPath" => json!({
            "Type": "Task", "Resource": resource, "ResultPath": "$.answer", "TimeoutSeconds": 30,
            "Parameters": {"FunctionName": "f", "Payload": {"token.$": "$$.Task.Token", "id.$": "$.id"}},
        }),
        _ => json!({
            "Type": "Task", "Resource": resource, "TimeoutSeconds": 30,
            "Arguments": {"FunctionName": "f", "Payload": {
                "token": "{% $states.context.Task.Token %}", "id": "{% $states.input.id %}",
            }},
            "Output": "{% $merge([$states.input, {'answer': $states.result}]) %}",
        }),
    };
    bench(bencher, row(language, &state), &order(), STATES);
}

/// A Map of 1,000 items, each of which passes one state.
fn map(language: &str) -> Arc<StateMachine> {
    let (items, selector) = match language {
        "JSONPath" => (
            json!({"ItemsPath": "$.items"}),
            json!({"item.$": "$$.Map.Item.Value", "run.$": "$$.Execution.Name", "tenant.$": "$.tenant"}),
        ),
        _ => (
            json!({"Items": "{% $states.input.items %}"}),
            json!({
                "item": "{% $states.context.Map.Item.Value %}",
                "run": "{% $states.context.Execution.Name %}",
                "tenant": "{% $states.input.tenant %}",
            }),
        ),
    };
    let mut each = json!({
        "Type": "Map",
        "ItemSelector": selector,
        "ItemProcessor": {"StartAt": "One", "States": {"One": {"Type": "Pass", "End": true}}},
        "End": true,
    });
    for (name, value) in items.as_object().into_iter().flatten() {
        each[name] = value.clone();
    }
    machine(&json!({"QueryLanguage": language, "StartAt": "Each", "States": {"Each": each}}))
}

#[divan::bench(args = LANGUAGES)]
fn map_1000(bencher: divan::Bencher<'_, '_>, language: &str) {
    let items: Vec<usize> = (0..ITEMS).collect();
    let input = json!({"tenant": "t1", "items": items});
    bench(bencher, map(language), &input, ITEMS);
}

/// The same with some 200 KiB of input.
#[divan::bench(args = LANGUAGES)]
fn map_1000_large(bencher: divan::Bencher<'_, '_>, language: &str) {
    let item = |at: usize| json!({"id": at, "name": format!("item {at}"), "text": "x".repeat(150)});
    let items: Vec<Value> = (0..ITEMS).map(item).collect();
    let input = json!({"tenant": "t1", "items": items});
    bench(bencher, map(language), &input, ITEMS);
}
