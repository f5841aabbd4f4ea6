//! Test cases: a mock configuration file answers for services, across retries, restarts and nested starts.

mod support;

use std::path::PathBuf;
use std::sync::Arc;

use serde_json::{Value, json};
use server::app::Settings;
use server::clock::Clock;
use server::mocks::{Mocks, Validation};
use server::services::Environment;
use support::whole::{Server, copy_all, scratch, text};
use support::{Endpoint, NOW};

const SQS_RESULT: &str = r#"{"MD5OfMessageBody":"9e107d9d","MessageId":"real"}"#;

fn mocked(configuration: &Value, validation: Validation) -> Option<Mocks> {
    let text = configuration.to_string();
    Some(Mocks::parse("mocks.json".to_owned(), &text, validation).expect("it is right"))
}

/// The configuration that AWS documents for `LambdaSQSIntegration`.
fn documented() -> Value {
    let hello = json!({ "StatusCode": 200, "Payload": { "StatusCode": 200, "body": "Hello from Lambda!" } });
    let throw = |error: &str, cause: &str| json!({ "Throw": { "Error": error, "Cause": cause } });
    json!({
        "StateMachines": { "LambdaSQSIntegration": { "TestCases": {
            "HappyPath": { "LambdaState": "MockedLambdaSuccess", "SQSState": "MockedSQSSuccess" },
            "RetryPath": { "LambdaState": "MockedLambdaRetry", "SQSState": "MockedSQSSuccess" },
            "HybridPath": { "LambdaState": "MockedLambdaSuccess" },
        } } },
        "MockedResponses": {
            "MockedLambdaSuccess": { "0": { "Return": hello } },
            "MockedSQSSuccess": { "0": { "Return": { "MD5OfMessageBody": "3bcb6e8e", "MessageId": "mocked" } } },
            "MockedLambdaRetry": {
                "0": throw("Lambda.ResourceNotReadyException", "Lambda resource is not ready."),
                "1-2": throw("Lambda.TimeoutException", "Lambda timed out."),
                "3": { "Return": hello },
            },
        },
    })
}

async fn lambda_sqs(server: &Server) -> String {
    let states = json!({
        "LambdaState": {
            "Type": "Task",
            "Resource": "arn:aws:states:::lambda:invoke",
            "Parameters": { "Payload.$": "$", "FunctionName": "HelloWorldFunction" },
            "Retry": [{ "ErrorEquals": ["States.ALL"], "IntervalSeconds": 2, "MaxAttempts": 3, "BackoffRate": 2 }],
            "Next": "SQSState",
        },
        "SQSState": {
            "Type": "Task",
            "Resource": "arn:aws:states:::sqs:sendMessage",
            "Parameters": { "QueueUrl": "https://sqs.us-east-1.amazonaws.com/123456789012/myQueue", "MessageBody.$": "$" },
            "End": true,
        },
    });
    let name = "LambdaSQSIntegration";
    server
        .machine(name, "STANDARD", "LambdaState", states)
        .await
}

fn settings(environment: Environment, directory: Option<PathBuf>, seconds: i64) -> Settings {
    Settings {
        environment,
        directory,
        clock: Clock::standing_at(NOW.plus_seconds(seconds)),
        ..Server::settings()
    }
}

async fn with(configuration: &Value) -> Server {
    let environment = Environment::default().mocked_by(mocked(configuration, Validation::Strict));
    let server = Server::open_as(settings(environment, None, 0)).await;
    server.0.clock.set_automatic(true);
    server
}

async fn history(server: &Server, execution: &str) -> Vec<Value> {
    let request = json!({ "executionArn": execution, "includeExecutionData": true });
    let answer = server.ask("GetExecutionHistory", request).await;
    answer["events"].as_array().expect("events").clone()
}

/// The types of a history's events, but for the first and the last.
fn types(events: &[Value]) -> Vec<&str> {
    let all = events
        .iter()
        .map(|event| event["type"].as_str().expect("a type"));
    all.skip(1).take(events.len() - 2).collect()
}

fn output(execution: &Value) -> Value {
    assert_eq!(execution["status"], "SUCCEEDED", "{execution}");
    serde_json::from_str(&text(execution, "output")).expect("JSON")
}

/// What comes of a machine `M` of these states in its test case `C`.
async fn run(states: Value, first: &str, case: Value, responses: Value) -> (Value, Vec<Value>) {
    let server = with(&json!({
        "StateMachines": { "M": { "TestCases": { "C": case } } },
        "MockedResponses": responses,
    }))
    .await;
    server.ask("CreateActivity", json!({ "name": "a" })).await;
    let machine = server.machine("M", "STANDARD", first, states).await;
    let execution = server.start(&format!("{machine}#C"), json!({})).await;
    let ended = server.ended(&execution).await;
    let history = history(&server, &execution).await;
    (ended, history)
}

/// The same of one Task state `S`.
async fn run_task(resource: &str, responses: Value) -> (Value, Vec<Value>) {
    let task = json!({ "S": { "Type": "Task", "Resource": resource, "Parameters": {
            "QueueUrl": "q", "MessageBody": "b", "TaskDefinition": "t", "StateMachineArn": "a",
        }, "End": true } });
    run(task, "S", json!({ "S": "R" }), json!({ "R": responses })).await
}

const STAY: [&str; 5] = [
    "TaskStateEntered",
    "TaskScheduled",
    "TaskStarted",
    "TaskSucceeded",
    "TaskStateExited",
];

#[tokio::test]
async fn the_documented_example_behaves_as_documented() {
    let mut sqs = Endpoint::start(Arc::new(|_: &str| {
        Some((200, &[][..], SQS_RESULT.to_owned()))
    }))
    .await;
    let variables = [
        ("AWS_ENDPOINT_URL".to_owned(), sqs.url("")),
        ("AWS_ACCESS_KEY_ID".to_owned(), "any".to_owned()),
        ("AWS_SECRET_ACCESS_KEY".to_owned(), "any".to_owned()),
    ];
    let environment =
        Environment::of(variables).mocked_by(mocked(&documented(), Validation::Strict));
    let server = Server::open_as(settings(environment, None, 0)).await;
    server.0.clock.set_automatic(true);
    let machine = lambda_sqs(&server).await;
    let twice = [STAY, STAY].concat();

    let happy = server
        .start(&format!("{machine}#HappyPath"), json!({}))
        .await;
    assert!(
        happy.contains(":execution:LambdaSQSIntegration:"),
        "{happy}"
    );
    let ended = server.ended(&happy).await;
    assert_eq!(ended["stateMachineArn"], machine);
    assert_eq!(output(&ended)["MessageId"], "mocked");
    let events = history(&server, &happy).await;
    assert_eq!(types(&events), twice);
    let result = &events[4]["taskSucceededEventDetails"];
    assert_eq!(result["resourceType"], "lambda");
    let said: Value = serde_json::from_str(&text(result, "output")).expect("JSON");
    assert_eq!(said["Payload"]["body"], "Hello from Lambda!");

    let retry = server
        .start(&format!("{machine}#RetryPath"), json!({}))
        .await;
    let ended = server.ended(&retry).await;
    assert_eq!(output(&ended)["MessageId"], "mocked");
    let events = history(&server, &retry).await;
    let attempt = ["TaskScheduled", "TaskStarted", "TaskFailed"];
    let expected = [&STAY[..1], &attempt, &attempt, &attempt, &STAY[1..], &STAY].concat();
    assert_eq!(types(&events), expected);
    let failures: Vec<&str> = events
        .iter()
        .filter_map(|event| event["taskFailedEventDetails"]["error"].as_str())
        .collect();
    assert_eq!(
        failures,
        [
            "Lambda.ResourceNotReadyException",
            "Lambda.TimeoutException",
            "Lambda.TimeoutException",
        ]
    );
    // Two, four and eight seconds of backoff.
    let took =
        ended["stopDate"].as_f64().expect("a time") - ended["startDate"].as_f64().expect("a time");
    assert_eq!(took.round(), 14.0);

    assert!(
        sqs.received.try_recv().is_err(),
        "a mocked task called its service"
    );
    let hybrid = server
        .start(&format!("{machine}#HybridPath"), json!({}))
        .await;
    let ended = server.ended(&hybrid).await;
    assert_eq!(output(&ended)["MessageId"], "real");
    assert_eq!(types(&history(&server, &hybrid).await), twice);
    let received = sqs.received.recv().await.expect("a request");
    assert!(
        received.body.contains("Hello from Lambda!"),
        "{}",
        received.body
    );
    assert!(sqs.received.try_recv().is_err());
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime")
}

#[test]
fn a_test_case_goes_on_after_a_restart_where_it_was() {
    let mocks = || Environment::default().mocked_by(mocked(&documented(), Validation::Strict));
    let whole = runtime().block_on(async {
        let server = Server::open_as(settings(mocks(), None, 0)).await;
        server.0.clock.set_automatic(true);
        let machine = lambda_sqs(&server).await;
        let request = json!({ "stateMachineArn": format!("{machine}#RetryPath"), "name": "e" });
        let execution = text(&server.ask("StartExecution", request).await, "executionArn");
        server.ended(&execution).await;
        history(&server, &execution).await
    });
    assert_eq!(whole.len(), 21);
    // Right after the start, between any two attempts, and with the mocks gone.
    for (seconds, still_mocked) in [
        (None, true),
        (Some(0), true),
        (Some(3), true),
        (Some(7), true),
        (Some(7), false),
    ] {
        let (directory, copy) = (scratch(), scratch());
        let execution = runtime().block_on(async {
            let server = Server::open_as(settings(mocks(), Some(directory.clone()), 0)).await;
            let machine = lambda_sqs(&server).await;
            let request = json!({ "stateMachineArn": format!("{machine}#RetryPath"), "name": "e" });
            let started = server.ask("StartExecution", request).await;
            if let Some(seconds) = seconds {
                drop(server.0.clock.advance(NOW.plus_seconds(seconds)).await);
            }
            copy_all(&directory, &copy);
            text(&started, "executionArn")
        });
        let environment = match still_mocked {
            true => mocks(),
            false => Environment::default(),
        };
        runtime().block_on(async {
            let after = settings(environment, Some(copy.clone()), seconds.unwrap_or_default());
            let server = Server::open_as(after).await;
            server.0.clock.set_automatic(true);
            let ended = server.ended(&execution).await;
            if still_mocked {
                assert_eq!(history(&server, &execution).await, whole, "{seconds:?}");
            } else {
                assert_eq!(ended["error"], "States.Runtime");
                assert_eq!(
                    ended["cause"],
                    "The execution runs test case 'RetryPath', and the server was started without a mock configuration."
                );
            }
        });
        for left in [directory, copy] {
            let _ = std::fs::remove_dir_all(left);
        }
    }
}

#[tokio::test]
async fn every_kind_of_task_is_answered_for_at_once() {
    let returned = |value: Value| json!({ "0": { "Return": value } });
    let function = "arn:aws:lambda:us-east-1:123456789012:function:f";
    let submitted = [&STAY[..3], &["TaskSubmitted"], &STAY[3..]].concat();
    let lambda = [
        "TaskStateEntered",
        "LambdaFunctionScheduled",
        "LambdaFunctionStarted",
        "LambdaFunctionSucceeded",
        "TaskStateExited",
    ];
    let activity = [
        "TaskStateEntered",
        "ActivityScheduled",
        "ActivityStarted",
        "ActivitySucceeded",
        "TaskStateExited",
    ];
    for (resource, said, result, expected) in [
        (
            "arn:aws:states:::sqs:sendMessage.waitForTaskToken",
            json!("done"),
            json!("done"),
            &submitted[..],
        ),
        (
            "arn:aws:states:::ecs:runTask.sync",
            json!({ "Tasks": [] }),
            json!({ "Tasks": [] }),
            &submitted,
        ),
        (
            "arn:aws:states:::states:startExecution.sync:2",
            json!({ "Output": 1 }),
            json!({ "Output": 1 }),
            &submitted,
        ),
        (
            "arn:aws:states:::aws-sdk:s3:getObject",
            json!({ "ContentLength": 1 }),
            json!({ "ContentLength": 1 }),
            &STAY,
        ),
        (
            "arn:aws:states:us-east-1:123456789012:activity:a",
            json!(null),
            json!(null),
            &activity,
        ),
        // A function's payload, or the whole response to the invocation as LocalStack's files have it.
        (
            function,
            json!({ "body": "b" }),
            json!({ "body": "b" }),
            &lambda,
        ),
        (
            function,
            json!({ "StatusCode": 200, "Payload": { "body": "b" } }),
            json!({ "body": "b" }),
            &lambda,
        ),
        (
            function,
            json!({ "StatusCode": 200, "body": "b" }),
            json!({ "StatusCode": 200, "body": "b" }),
            &lambda,
        ),
    ] {
        let (ended, events) = run_task(resource, returned(said)).await;
        assert_eq!(output(&ended), result, "{resource}");
        assert_eq!(types(&events), expected, "{resource}");
        assert_eq!(ended["stopDate"], ended["startDate"]);
    }

    let callback = "arn:aws:states:::sqs:sendMessage.waitForTaskToken";
    for (resource, error, expected) in [
        // Somebody who has the token says so, or the service does not take the request.
        (
            callback,
            "Mine",
            &[
                "TaskStateEntered",
                "TaskScheduled",
                "TaskStarted",
                "TaskSubmitted",
                "TaskFailed",
            ][..],
        ),
        (
            callback,
            "SQS.QueueDoesNotExist",
            &[
                "TaskStateEntered",
                "TaskScheduled",
                "TaskStarted",
                "TaskFailed",
            ],
        ),
        (
            function,
            "Mine",
            &[
                "TaskStateEntered",
                "LambdaFunctionScheduled",
                "LambdaFunctionStarted",
                "LambdaFunctionFailed",
            ],
        ),
    ] {
        let throw = json!({ "0": { "Throw": { "Error": error, "Cause": "why" } } });
        let (ended, events) = run_task(resource, throw).await;
        assert_eq!(
            (&ended["error"], &ended["cause"]),
            (&json!(error), &json!("why"))
        );
        assert_eq!(types(&events), expected);
    }
}

#[tokio::test]
async fn invocations_are_counted_over_the_whole_execution() {
    let task = json!({ "Type": "Task", "Resource": "arn:aws:states:::sns:publish", "Parameters": { "Message": "m" }, "End": true });
    let states = |concurrency: u32, items: Value, mode: &str| {
        json!({ "Each": {
            "Type": "Map",
            "MaxConcurrency": concurrency,
            "Items": items,
            "QueryLanguage": "JSONata",
            "ItemProcessor": {
                "ProcessorConfig": { "Mode": mode, "ExecutionType": "STANDARD" },
                "StartAt": "Publish",
                "States": { "Publish": {
                    "QueryLanguage": "JSONata",
                    "Type": "Task",
                    "Resource": "arn:aws:states:::sns:publish",
                    "Arguments": { "Message": "m" },
                    "Output": "{% $states.result.MessageId %}",
                    "Catch": [{ "ErrorEquals": ["States.ALL"], "Next": "Caught" }],
                    "End": true,
                }, "Caught": { "QueryLanguage": "JSONata", "Type": "Pass", "Output": "caught", "End": true } },
            },
            "End": true,
        } })
    };
    let inline = |count: u32| {
        let mut states = states(1, json!((0..count).collect::<Vec<_>>()), "INLINE");
        states["Each"]["ItemProcessor"]["ProcessorConfig"] = json!({ "Mode": "INLINE" });
        states
    };
    let responses = json!({ "R": {
        "0": { "Return": { "MessageId": "first" } },
        "1": { "Throw": { "Error": "E", "Cause": "c" } },
        "2": { "Return": { "MessageId": "third" } },
    } });
    let case = json!({ "Publish": "R" });
    let (ended, _) = run(inline(3), "Each", case.clone(), responses.clone()).await;
    assert_eq!(output(&ended), json!(["first", "caught", "third"]));

    // Beyond the last number the execution fails, whatever it catches.
    let (ended, _) = run(inline(4), "Each", case.clone(), responses.clone()).await;
    assert_eq!(ended["status"], "FAILED");
    assert_eq!(ended["error"], "States.Runtime");
    assert_eq!(
        ended["cause"],
        "The mocked response 'R' of the state 'Publish' has nothing for its invocation 3 (the first is 0) in test case 'C' of mocks.json."
    );

    // A child of a distributed Map is an execution with the same test case and a count of its own.
    let distributed = states(1, json!([1, 2]), "DISTRIBUTED");
    let (ended, _) = run(distributed, "Each", case, responses.clone()).await;
    assert_eq!(output(&ended), json!(["first", "first"]));

    let states = json!({ "Both": { "Type": "Parallel", "End": true, "Branches": [
        { "StartAt": "A", "States": { "A": task } },
        { "StartAt": "B", "States": { "B": task } },
    ] } });
    let (ended, _) = run(states, "Both", json!({ "A": "R", "B": "R" }), responses).await;
    assert_eq!(
        output(&ended),
        json!([{ "MessageId": "first" }, { "MessageId": "first" }])
    );
}

#[tokio::test]
async fn nested_and_express_starts_choose_their_own_cases() {
    let configuration = json!({
        "StateMachines": {
            "Outer": { "TestCases": { "C": {} } },
            "Inner": { "TestCases": { "C": { "S": "R" } } },
            "Slow": { "TestCases": { "C": {}, "D": {} } },
            "Fast": { "TestCases": { "C": { "S": "R" } } },
        },
        "MockedResponses": { "R": { "0": { "Return": { "MessageId": "m" } } } },
    });
    let server = with(&configuration).await;
    let publish = json!({ "S": { "Type": "Task", "Resource": "arn:aws:states:::sns:publish", "Parameters": { "Message": "m" }, "End": true } });
    let inner = server
        .machine("Inner", "STANDARD", "S", publish.clone())
        .await;
    let start = |machine: &str| {
        json!({ "Start": {
            "Type": "Task",
            "Resource": "arn:aws:states:::states:startExecution.sync:2",
            "Parameters": { "StateMachineArn": machine },
            "OutputPath": "$.Output",
            "End": true,
        } })
    };
    let outer = server
        .machine("Outer", "STANDARD", "Start", start(&format!("{inner}#C")))
        .await;
    let execution = server.start(&format!("{outer}#C"), json!({})).await;
    assert_eq!(
        output(&server.ended(&execution).await),
        json!({ "MessageId": "m" })
    );
    // Without its own case the inner machine calls the service, whatever the outer one mocks.
    let plain = server
        .machine("Plain", "STANDARD", "Start", start(&inner))
        .await;
    let execution = server.start(&plain, json!({})).await;
    assert_eq!(server.ended(&execution).await["status"], "FAILED");

    let fast = server.machine("Fast", "EXPRESS", "S", publish).await;
    let request = json!({ "stateMachineArn": format!("{fast}#C") });
    let ended = server.ask("StartSyncExecution", request).await;
    assert_eq!(output(&ended), json!({ "MessageId": "m" }));

    // The same start again is the same execution; in another case it is not.
    server.0.clock.set_automatic(false);
    let wait = json!({ "S": { "Type": "Wait", "Seconds": 9, "End": true } });
    let slow = server.machine("Slow", "STANDARD", "S", wait).await;
    let named = |case: &str| json!({ "stateMachineArn": format!("{slow}{case}"), "name": "n" });
    server.ask("StartExecution", named("#C")).await;
    server.ask("StartExecution", named("#C")).await;
    for other in ["#D", ""] {
        let refused = server.try_ask("StartExecution", named(other)).await;
        let (kind, _) = refused.expect_err("it is another execution");
        assert_eq!(kind, "ExecutionAlreadyExists");
    }
}

#[tokio::test]
async fn a_test_case_that_does_not_fit_is_refused_at_the_start() {
    let mut configuration = documented();
    configuration["MockedResponses"]["Wrong"] = json!({
        "0": { "Throw": { "Error": "E", "Cause": "c" } },
        "1-3": { "Return": { "StatusCode": "200" } },
    });
    let cases = &mut configuration["StateMachines"]["LambdaSQSIntegration"]["TestCases"];
    cases["WrongShape"] = json!({ "LambdaState": "Wrong" });
    cases["NoSuchState"] = json!({ "LambdaStat": "MockedLambdaSuccess" });
    configuration["StateMachines"]["Waits"] =
        json!({ "TestCases": { "C": { "W": "MockedLambdaSuccess" } } });
    let open = |validation: Option<Validation>| {
        let mocks = validation.and_then(|validation| mocked(&configuration, validation));
        let environment = Environment::default().mocked_by(mocks);
        Server::open_as(settings(environment, None, 0))
    };
    let strict = open(Some(Validation::Strict)).await;
    let machine = lambda_sqs(&strict).await;
    let wait = json!({ "W": { "Type": "Wait", "Seconds": 1, "End": true } });
    let waits = strict.machine("Waits", "STANDARD", "W", wait.clone()).await;
    let other = strict.machine("Other", "STANDARD", "W", wait).await;
    for (arn, kind, message) in [
        (
            format!("{machine}#Hapy"),
            "InvalidName",
            "Invalid test case: the state machine LambdaSQSIntegration has no test case 'Hapy' in mocks.json; it has HappyPath, HybridPath, NoSuchState, RetryPath, WrongShape",
        ),
        (
            format!("{other}#C"),
            "InvalidName",
            "Invalid test case: the state machine Other has no test case 'C': mocks.json does not name it; it names LambdaSQSIntegration, Waits",
        ),
        (
            format!("{waits}#C"),
            "ValidationException",
            "The test case 'C' of mocks.json does not fit the state machine Waits: its state 'W' is no Task state, which alone can be mocked; correct it, or take --mock-validation none",
        ),
        (
            format!("{machine}#NoSuchState"),
            "ValidationException",
            "The test case 'NoSuchState' of mocks.json does not fit the state machine LambdaSQSIntegration: it has no state 'LambdaStat'; correct it, or take --mock-validation none",
        ),
        (
            format!("{machine}#WrongShape"),
            "ValidationException",
            "The test case 'WrongShape' of mocks.json does not fit the state machine LambdaSQSIntegration: /MockedResponses/Wrong/1-3/Return is no result of arn:aws:states:::lambda:invoke (state 'LambdaState'): Mock result schema validation error: Field 'StatusCode' must be a number; correct it, or take --mock-validation none",
        ),
    ] {
        let refused = strict
            .try_ask("StartExecution", json!({ "stateMachineArn": arn }))
            .await;
        assert_eq!(refused, Err((kind.to_owned(), message.to_owned())));
    }

    let lenient = open(Some(Validation::None)).await;
    lenient.0.clock.set_automatic(true);
    let machine = lambda_sqs(&lenient).await;
    let execution = lenient
        .start(&format!("{machine}#WrongShape"), json!({}))
        .await;
    let ended = lenient.ended(&execution).await;
    // The function's result is taken as it is; SQS is called for real, and there is none.
    assert!(text(&ended, "error").starts_with("SQS."), "{ended}");

    let without = open(None).await;
    let machine = lambda_sqs(&without).await;
    let request = json!({ "stateMachineArn": format!("{machine}#HappyPath") });
    let refused = without.try_ask("StartExecution", request).await;
    let message = "Invalid test case: there is no test case 'HappyPath', for the server was started without a mock configuration; give --mock-config FILE or SFN_MOCK_CONFIG";
    assert_eq!(refused, Err(("InvalidName".to_owned(), message.to_owned())));
}
