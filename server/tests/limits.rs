//! Expressions and machines that want more than there is, on a whole server: each comes to AWS's error, and
//! no other execution is held up meanwhile.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use asl::Timestamp;
use hyper::{HeaderMap, Method, StatusCode};
use serde_json::{Value, json};
use server::app::{App, Place, Settings};
use server::clock::Clock;
use server::http::Call;

const ROLE: &str = "arn:aws:iam::123456789012:role/r";

/// A server in memory, on a clock that stands.
async fn server() -> App {
    let settings = Settings {
        place: Place {
            region: "us-east-1".to_owned(),
            account: "123456789012".to_owned(),
        },
        clock: Clock::standing_at(Timestamp(1_700_000_000_123)),
        directory: None,
        retention_days: 90,
        quotas: Default::default(),
        functions: BTreeMap::new(),
        topics: BTreeMap::new(),
        routes: Vec::new(),
        alerts: Default::default(),
        address: SocketAddr::from(([127, 0, 0, 1], 1)),
        environment: Default::default(),
    };
    let (app, _) = App::open(settings).await.expect("the store opens");
    app
}

async fn ask(app: &App, operation: &str, body: Value) -> Value {
    let mut headers = HeaderMap::new();
    let target = format!("AWSStepFunctions.{operation}");
    headers.insert("x-amz-target", target.parse().expect("a header's value"));
    let json = "application/x-amz-json-1.0";
    headers.insert("content-type", json.parse().expect("a header's value"));
    let call = Call {
        method: Method::POST,
        path: "/".to_owned(),
        query: String::new(),
        headers,
        body: body.to_string().into(),
        peer: SocketAddr::from(([127, 0, 0, 1], 1)),
        busy: app.clock.busy(),
    };
    let reply = server::api::handle(app, call).await;
    let body = serde_json::from_slice(&reply.body).expect("an answer is JSON");
    assert_eq!(reply.status, StatusCode::OK, "{operation}: {body}");
    body
}

async fn machine(app: &App, name: &str, definition: &Value) -> String {
    let body = json!({"name": name, "definition": definition.to_string(), "roleArn": ROLE});
    let created = ask(app, "CreateStateMachine", body).await;
    created["stateMachineArn"]
        .as_str()
        .expect("an ARN")
        .to_owned()
}

/// Starts an execution and waits for its end: its description, and how long both took.
async fn run(app: &App, machine: &str, input: &Value) -> (Value, Duration) {
    let began = Instant::now();
    let body = json!({"stateMachineArn": machine, "input": input.to_string()});
    let started = ask(app, "StartExecution", body).await;
    let arn = started["executionArn"].as_str().expect("an ARN");
    let ended = app.runner.until_ended(engine::ExecutionKey::of(arn)).await;
    drop(ended.expect("the store works"));
    let took = began.elapsed();
    (
        ask(app, "DescribeExecution", json!({"executionArn": arn})).await,
        took,
    )
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
    let app = server().await;
    for (at, (expression, cause)) in HAZARDS.into_iter().enumerate() {
        let definition = passing(
            "JSONata",
            json!({"Output": format!("{{% {expression} %}}")}),
        );
        let machine = machine(&app, &format!("m{at}"), &definition).await;
        let (ended, _) = run(&app, &machine, &json!({})).await;
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
    let app = server().await;
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
        let machine = machine(&app, &format!("p{at}"), &passing("JSONPath", state)).await;
        let (ended, took) = run(&app, &machine, &json!({"list": input})).await;
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
    let app = server().await;
    let ordinary = json!({"StartAt": "A", "States": {
        "A": {"Type": "Pass", "Parameters": {"b.$": "States.Format('{}', $.a)"}, "Next": "B"},
        "B": {"Type": "Pass", "QueryLanguage": "JSONata", "Output": "{% $states.input.b & '!' %}", "End": true}}});
    let ordinary = machine(&app, "ordinary", &ordinary).await;
    let mut hogs = Vec::new();
    for (at, (expression, _)) in HAZARDS.into_iter().enumerate() {
        let definition = passing(
            "JSONata",
            json!({"Output": format!("{{% {expression} %}}")}),
        );
        hogs.push(machine(&app, &format!("m{at}"), &definition).await);
    }
    let round = json!({"StartAt": "Round", "States": {
        "Round": {"Type": "Pass", "Parameters": {"n.$": "States.Format('{}', $.n)"}, "Next": "Again"},
        "Again": {"Type": "Choice", "Choices": [{"Variable": "$.done", "IsPresent": true, "Next": "Done"}], "Default": "Round"},
        "Done": {"Type": "Succeed"}}});
    for at in 0..4 {
        hogs.push(machine(&app, &format!("round{at}"), &round).await);
    }
    let hogs: Vec<_> = hogs
        .into_iter()
        .map(|hog| {
            let app = app.clone();
            tokio::spawn(async move {
                loop {
                    run(&app, &hog, &json!({"n": 1})).await;
                }
            })
        })
        .collect();
    let mut all = Vec::with_capacity(ROUNDS);
    for _ in 0..ROUNDS {
        let (ended, took) = run(&app, &ordinary, &json!({"a": 1})).await;
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
