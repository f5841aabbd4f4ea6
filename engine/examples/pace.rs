//! How long the engine takes: `cargo run --release -p engine --example pace`.
//!
//! Prints, in microseconds, what a callback machine of three states costs to start and to complete,
//! and what a Map of 10, 100, 1,000 and 2,000 callbacks costs an iteration (which must not grow).

use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

use asl::{Data, StateMachine, Timestamp};
use engine::{
    Command, CommandKind, Event, Execution, Identity, Outcome, TokenKey, WaitId, history,
};

const CALLBACK: &str = r#"{
    "StartAt": "Prepare",
    "States": {
        "Prepare": {"Type": "Pass", "ResultPath": "$.prepared", "Result": true, "Next": "Ask"},
        "Ask": {
            "Type": "Task",
            "Resource": "arn:aws:states:::lambda:invoke.waitForTaskToken",
            "Parameters": {"FunctionName": "f", "Payload": {"token.$": "$$.Task.Token", "input.$": "$"}},
            "TimeoutSeconds": 30,
            "ResultPath": "$.answer",
            "Next": "Done"
        },
        "Done": {"Type": "Succeed"}
    }
}"#;

const EACH: &str = r#"{
    "StartAt": "Each",
    "States": {
        "Each": {
            "Type": "Map",
            "MaxConcurrency": 10,
            "ItemProcessor": {
                "StartAt": "Ask",
                "States": {
                    "Ask": {"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke.waitForTaskToken", "TimeoutSeconds": 30, "End": true}
                }
            },
            "End": true
        }
    }
}"#;

const ROUNDS: u32 = 20_000;

fn main() {
    let tokens = TokenKey::new(&[7; 32]);
    callback(&tokens);
    for items in [10, 100, 1_000, 2_000] {
        map(&tokens, items);
    }
}

fn machine(definition: &str) -> Arc<StateMachine> {
    Arc::new(
        asl::parse(definition)
            .machine
            .expect("the definition is sound"),
    )
}

fn identity(input: &str) -> Identity {
    Identity {
        arn: "arn:aws:states:us-east-1:123456789012:execution:Machine:run".into(),
        name: "run".into(),
        state_machine_arn: "arn:aws:states:us-east-1:123456789012:stateMachine:Machine".into(),
        state_machine_name: "Machine".into(),
        definition: "0".repeat(64).into(),
        role_arn: "arn:aws:iam::123456789012:role/Role".into(),
        input: Data::parse(input).expect("it is JSON"),
        started_at: Timestamp(0),
        version: None,
        alias: None,
        map_run: None,
        test_case: None,
        trace_context: None,
        trace_header: None,
    }
}

fn complete(execution: &mut Execution, wait: u32, tokens: &TokenKey) -> Vec<Event> {
    let output = Data::parse(r#"{"propertyValue": 250000}"#).expect("it is JSON");
    let kind = CommandKind::Complete {
        wait: WaitId(wait),
        outcome: Outcome::Success(output),
    };
    let command = Command {
        at: Timestamp(1),
        seed: 1,
        kind,
    };
    execution.decide(command, tokens).expect("the wait is open")
}

fn callback(tokens: &TokenKey) {
    let machine = machine(CALLBACK);
    let mut parked = Vec::with_capacity(ROUNDS as usize);
    let identities: Vec<Identity> = (0..ROUNDS)
        .map(|_| identity(r#"{"nameOrNumber": "Rose Cottage", "amount": 250000}"#))
        .collect();
    let begun = Instant::now();
    for identity in identities {
        parked.push(Execution::begin(machine.clone(), identity, 1, tokens));
    }
    report("begin a callback machine of three states", begun, ROUNDS);

    let replayed = Instant::now();
    for (_, events) in &parked {
        black_box(Execution::replay(machine.clone(), events));
    }
    report("replay it", replayed, ROUNDS);

    let completed = Instant::now();
    for (execution, events) in &mut parked {
        events.extend(complete(execution, 1, tokens));
    }
    report("complete it", completed, ROUNDS);

    let projected = Instant::now();
    for (_, events) in &parked {
        black_box(history::project(events, true));
    }
    report("project its history", projected, ROUNDS);
}

fn map(tokens: &TokenKey, items: u32) {
    let list: Vec<String> = (0..items).map(|item| item.to_string()).collect();
    let identity = identity(&format!("[{}]", list.join(",")));
    let machine = machine(EACH);
    let begun = Instant::now();
    let (mut execution, _) = Execution::begin(machine, identity, 1, tokens);
    for wait in 1..=items {
        black_box(complete(&mut execution, wait, tokens));
        black_box(execution.next_timer());
        black_box(execution.has_undelivered());
    }
    assert!(
        execution
            .closing()
            .is_some_and(|closing| closing.output.is_some())
    );
    report(&format!("an iteration of a Map of {items}"), begun, items);
}

fn report(what: &str, since: Instant, times: u32) {
    let micros = since.elapsed().as_secs_f64() * 1e6 / f64::from(times);
    println!("{micros:8.2} us  {what}");
}
