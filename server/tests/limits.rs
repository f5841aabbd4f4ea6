//! Expressions and machines that want more than there is, on a whole server: each comes to AWS's error, and
//! no other execution is held up meanwhile.

mod support;

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use support::whole::{ROLE, Server, text};

async fn machine(server: &Server, name: &str, definition: &Value) -> String {
    let body = json!({"name": name, "definition": definition.to_string(), "roleArn": ROLE});
    text(
        &server.ask("CreateStateMachine", body).await,
        "stateMachineArn",
    )
}

/// Starts an execution and waits for its end: its description, and how long both took.
async fn run(server: &Server, machine: &str, input: &Value) -> (Value, Duration) {
    let began = Instant::now();
    let arn = server.start(machine, input.clone()).await;
    let ended = server.ended(&arn).await;
    (ended, began.elapsed())
}

/// A machine of one Pass state.
fn passing(language: &str, state: Value) -> Value {
    let mut pass = json!({"Type": "Pass", "End": true});
    for (key, value) in state.as_object().expect("an object") {
        pass[key] = value.clone();
    }
    json!({"QueryLanguage": language, "StartAt": "P", "States": {"P": pass}})
}

/// Each with a part of the cause that it has on AWS.
const HAZARDS: [(&str, &str); 12] = [
    ("$formatInteger(1/0, 'w')", "formatInteger"),
    ("$pad('', 2e9)", "memory limit exceeded"),
    ("$pad('', -2e9)", "memory limit exceeded"),
    // Doubled forty times.
    (
        "$reduce([1..40], function($t, $i) { $t & $t }, 'x')",
        "memory limit exceeded",
    ),
    (
        "($f := function($n) { 1 + $f($n + 1) }; $f(0))",
        "Stack overflow error",
    ),
    ("($f := function($n) { $f($n + 1) }; $f(0))", "timeout"),
    ("$count([1..1e9])", "memory limit exceeded"),
    ("$range(1, 1e9, 1)", "memory limit exceeded"),
    (
        "$join([1..100000].$pad('x', 1000))",
        "memory limit exceeded",
    ),
    ("$sum([1..30000].$sum([1..3000].($ * $)))", "timeout"),
    (
        "$sum($map([1..300000], function($a) { $sum($map([1..300000], function($b) { $a * $b })) }))",
        "timeout",
    ),
    (
        "$replace($pad('', 200000, 'a'), 'a', $pad('', 1000, 'b'))",
        "memory limit exceeded",
    ),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_expression_that_wants_too_much_fails_with_the_error_of_aws() {
    let server = Server::open(None).await;
    for (at, (expression, cause)) in HAZARDS.into_iter().enumerate() {
        let definition = passing(
            "JSONata",
            json!({"Output": format!("{{% {expression} %}}")}),
        );
        let machine = machine(&server, &format!("m{at}"), &definition).await;
        let (ended, _) = run(&server, &machine, &json!({})).await;
        assert_eq!(
            ended["error"], "States.QueryEvaluationError",
            "{expression}: {ended}"
        );
        let told = ended["cause"].as_str().expect("a text");
        assert!(told.contains(cause), "{expression}: {told}");
    }
}

/// JSONPath has nothing that grows; what it can do is walk.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_path_that_visits_too_much_fails() {
    let server = Server::open(None).await;
    let nested = json!(vec![json!({"a": vec![json!({"b": vec![1; 40]}); 30]}); 20]);
    for (at, (path, input)) in [
        ("$..[?(@..*..*)]..*..*..*", &nested),
        ("$..[?(@.b anyof $..*)]..[?(@ in $..*)]", &nested),
        ("$..[?($..*..*..* size 1)]", &nested),
    ]
    .into_iter()
    .enumerate()
    {
        let state = json!({"Parameters": {"found.$": path}});
        let machine = machine(&server, &format!("p{at}"), &passing("JSONPath", state)).await;
        let (ended, took) = run(&server, &machine, &json!({"list": input})).await;
        assert_eq!(ended["error"], "States.Runtime", "{path}: {ended}");
        // A build without optimization, on a machine that has other things to do.
        assert!(took < Duration::from_secs(30), "{path}: {took:?}");
    }
}

/// While a dozen expressions that take all they can get, and loops, run over and over, an ordinary execution
/// takes hardly longer than alone.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_expression_and_no_loop_slows_another_execution_down() {
    const ROUNDS: usize = 50;
    let server = Server::open(None).await;
    let ordinary = json!({"StartAt": "A", "States": {
        "A": {"Type": "Pass", "Parameters": {"b.$": "States.Format('{}', $.a)"}, "Next": "B"},
        "B": {"Type": "Pass", "QueryLanguage": "JSONata", "Output": "{% $states.input.b & '!' %}", "End": true}}});
    let ordinary = machine(&server, "ordinary", &ordinary).await;
    let mut hogs = Vec::new();
    for (at, (expression, _)) in HAZARDS.into_iter().enumerate() {
        let definition = passing(
            "JSONata",
            json!({"Output": format!("{{% {expression} %}}")}),
        );
        hogs.push(machine(&server, &format!("m{at}"), &definition).await);
    }
    let round = json!({"StartAt": "Round", "States": {
        "Round": {"Type": "Pass", "Parameters": {"n.$": "States.Format('{}', $.n)"}, "Next": "Again"},
        "Again": {"Type": "Choice", "Choices": [{"Variable": "$.done", "IsPresent": true, "Next": "Done"}], "Default": "Round"},
        "Done": {"Type": "Succeed"}}});
    for at in 0..4 {
        hogs.push(machine(&server, &format!("round{at}"), &round).await);
    }
    let hogs: Vec<_> = hogs
        .into_iter()
        .map(|hog| {
            let server = Server(server.0.clone());
            tokio::spawn(async move {
                loop {
                    run(&server, &hog, &json!({"n": 1})).await;
                }
            })
        })
        .collect();
    let mut all = Vec::with_capacity(ROUNDS);
    for _ in 0..ROUNDS {
        let (ended, took) = run(&server, &ordinary, &json!({"a": 1})).await;
        assert_eq!(ended["output"], "\"1!\"");
        all.push(took);
    }
    assert!(
        hogs.iter().all(|hog| !hog.is_finished()),
        "they are at it all the time"
    );
    hogs.iter().for_each(|hog| hog.abort());
    all.sort();
    let (median, slowest) = (all[ROUNDS / 2], all[ROUNDS - 1]);
    eprintln!("median {median:?}, slowest {slowest:?}");
    // One of these expressions takes a second in a build without optimization, and there are a dozen at a time.
    assert!(median < Duration::from_millis(250), "{median:?}");
    assert!(slowest < Duration::from_secs(2), "{slowest:?}");
}

/// On one thread, where whoever evaluates keeps everybody else waiting.
#[tokio::test]
async fn a_test_of_a_slow_state_holds_nobody_up() {
    let server = Server::open(None).await;
    let slow = json!({"Type": "Pass", "QueryLanguage": "JSONata", "End": true,
        "Output": "{% $sum([1..30000].$sum([1..3000].($ * $))) %}"});
    let tested = tokio::spawn({
        let server = Server(server.0.clone());
        let request = json!({"definition": slow.to_string(), "input": "{}"});
        async move { server.ask("TestState", request).await }
    });
    // It has its turn, and has begun.
    tokio::task::yield_now().await;
    let ordinary = passing("JSONPath", json!({}));
    let ordinary = machine(&server, "ordinary", &ordinary).await;
    let (ended, _) = run(&server, &ordinary, &json!({"a": 1})).await;
    assert_eq!(ended["status"], "SUCCEEDED");
    assert!(
        !tested.is_finished(),
        "it takes far longer than all of this"
    );
    let tested = tested.await.expect("it is answered");
    assert_eq!(tested["error"], "States.QueryEvaluationError", "{tested}");
}
