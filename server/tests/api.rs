//! The Step Functions API, asked as a client asks, against a whole server in memory.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use asl::Timestamp;
use hyper::{HeaderMap, Method, StatusCode};
use serde_json::{Value, json};
use server::activities::Patience;
use server::app::{App, Place, Settings};
use server::clock::Clock;
use server::http::Call;
use server::quotas::Quotas;

const ROLE: &str = "arn:aws:iam::123456789012:role/r";
const HERE: &str = "arn:aws:states:us-east-1:123456789012";
const PASS: &str = r#"{"StartAt":"P","States":{"P":{"Type":"Pass","End":true}}}"#;

/// A server in memory, on a clock that stands.
async fn server() -> App {
    server_in(None).await
}

async fn server_in(directory: Option<std::path::PathBuf>) -> App {
    let (app, _) = App::open(settings(directory))
        .await
        .expect("the store opens");
    app
}

async fn server_with(quotas: Quotas) -> App {
    let settings = Settings {
        quotas,
        ..settings(None)
    };
    let (app, _) = App::open(settings).await.expect("the store opens");
    app
}

fn settings(directory: Option<std::path::PathBuf>) -> Settings {
    Settings {
        place: Place {
            region: "us-east-1".to_owned(),
            account: "123456789012".to_owned(),
        },
        clock: Clock::standing_at(Timestamp(1_700_000_000_123)),
        directory,
        retention_days: 90,
        quotas: Default::default(),
        functions: BTreeMap::new(),
        topics: BTreeMap::new(),
        routes: Vec::new(),
        alerts: Default::default(),
        status_changes: Vec::new(),
        address: SocketAddr::from(([127, 0, 0, 1], 1)),
        stuck_waits: Default::default(),
        environment: Default::default(),
    }
}

/// What an operation answers, whether it is a result or an error.
async fn raw(app: &App, target: &str, body: &str) -> (StatusCode, Value) {
    let mut headers = HeaderMap::new();
    let target = target.parse().expect("a header's value");
    headers.insert("x-amz-target", target);
    let call = Call {
        method: Method::POST,
        path: "/".to_owned(),
        query: String::new(),
        headers,
        body: body.to_owned().into(),
        peer: SocketAddr::from(([127, 0, 0, 1], 1)),
        busy: app.clock.busy(),
    };
    let reply = server::api::handle(app, call).await;
    assert_eq!(reply.content_type, "application/x-amz-json-1.0");
    assert_eq!(reply.headers[0].0, "x-amzn-requestid");
    let body = serde_json::from_slice(&reply.body).expect("an answer is JSON");
    (reply.status, body)
}

async fn ask(app: &App, operation: &str, body: Value) -> Value {
    let target = format!("AWSStepFunctions.{operation}");
    let (status, answer) = raw(app, &target, &body.to_string()).await;
    assert_eq!(status, StatusCode::OK, "{operation}: {answer}");
    answer
}

/// An operation that is to be refused: the error's type and message.
async fn refused(app: &App, operation: &str, body: Value) -> (String, String) {
    let target = format!("AWSStepFunctions.{operation}");
    let (status, answer) = raw(app, &target, &body.to_string()).await;
    assert_eq!(status, StatusCode::BAD_REQUEST, "{operation}: {answer}");
    let member = |name: &str| answer[name].as_str().expect("a text").to_owned();
    (member("__type"), member("message"))
}

/// A machine whose executions wait for a worker of `activity`.
fn working(activity: &str, task: Value) -> String {
    let mut work = json!({"Type": "Task", "Resource": activity, "End": true});
    for (key, value) in task.as_object().expect("an object") {
        work[key] = value.clone();
    }
    json!({"StartAt": "Work", "States": {"Work": work}}).to_string()
}

async fn activity(app: &App, name: &str) -> String {
    let created = ask(app, "CreateActivity", json!({"name": name})).await;
    created["activityArn"].as_str().expect("an ARN").to_owned()
}

async fn machine(app: &App, name: &str, definition: &str) -> String {
    let body = json!({"name": name, "definition": definition, "roleArn": ROLE});
    let created = ask(app, "CreateStateMachine", body).await;
    let arn = created["stateMachineArn"].as_str().expect("an ARN");
    assert_eq!(arn, format!("{HERE}:stateMachine:{name}"));
    arn.to_owned()
}

async fn start(app: &App, machine: &str, input: Value) -> String {
    let body = json!({"stateMachineArn": machine, "input": input.to_string()});
    let started = ask(app, "StartExecution", body).await;
    started["executionArn"].as_str().expect("an ARN").to_owned()
}

async fn describe(app: &App, execution: &str) -> Value {
    ask(app, "DescribeExecution", json!({"executionArn": execution})).await
}

async fn task(app: &App, activity: &str) -> (String, Value) {
    let body = json!({"activityArn": activity, "workerName": "w"});
    let task = ask(app, "GetActivityTask", body).await;
    let token = task["taskToken"].as_str().expect("a token").to_owned();
    let input = task["input"].as_str().expect("an input");
    (
        token,
        serde_json::from_str(input).expect("an input is JSON"),
    )
}

#[tokio::test]
async fn a_machine_is_described_as_it_was_created_and_updated() {
    let app = server().await;
    let arn = machine(&app, "m", PASS).await;
    let described = ask(
        &app,
        "DescribeStateMachine",
        json!({"stateMachineArn": arn}),
    )
    .await;
    let created = json!({
        "stateMachineArn": arn,
        "name": "m",
        "status": "ACTIVE",
        "definition": PASS,
        "roleArn": ROLE,
        "type": "STANDARD",
        "creationDate": 1_700_000_000.123,
        "loggingConfiguration": {"level": "OFF", "includeExecutionData": false},
        "tracingConfiguration": {"enabled": false},
        "encryptionConfiguration": {"type": "AWS_OWNED_KEY"},
    });
    assert_eq!(described, created);

    let update = json!({"stateMachineArn": arn, "tracingConfiguration": {"enabled": true}});
    let updated = ask(&app, "UpdateStateMachine", update.clone()).await;
    assert_eq!(updated["updateDate"], json!(1_700_000_000.123));
    let mut expected = created;
    expected["tracingConfiguration"] = json!({"enabled": true});
    expected["revisionId"] = updated["revisionId"].clone();
    let described = ask(
        &app,
        "DescribeStateMachine",
        json!({"stateMachineArn": arn}),
    )
    .await;
    assert_eq!(described, expected);

    // The same once more changes nothing.
    let again = ask(&app, "UpdateStateMachine", update).await;
    assert_eq!(again["revisionId"], updated["revisionId"]);
}

#[tokio::test]
async fn a_machine_is_created_once_whoever_comes_first() {
    let app = server().await;
    let definition = |i: usize| PASS.replace("\"P\"", &format!("\"P{i}\""));
    let racers: Vec<_> = (0..20)
        .map(|i| {
            let (app, text) = (app.clone(), definition(i));
            tokio::spawn(async move {
                let body = json!({"name": "m", "definition": text, "roleArn": ROLE});
                raw(
                    &app,
                    "AWSStepFunctions.CreateStateMachine",
                    &body.to_string(),
                )
                .await
            })
        })
        .collect();
    let mut won = Vec::new();
    for (i, racer) in racers.into_iter().enumerate() {
        let (status, answer) = racer.await.expect("no racer panics");
        if status == StatusCode::OK {
            won.push(i);
        } else {
            assert_eq!(answer["__type"], "StateMachineAlreadyExists");
            let message = format!("State Machine Already Exists: '{HERE}:stateMachine:m'");
            assert_eq!(answer["message"], message);
        }
    }
    assert_eq!(won.len(), 1);
    let arn = format!("{HERE}:stateMachine:m");
    let described = ask(
        &app,
        "DescribeStateMachine",
        json!({"stateMachineArn": arn}),
    )
    .await;
    assert_eq!(described["definition"], definition(won[0]));
    // The identical text is no mistake, even with another role.
    let again = json!({
        "name": "m",
        "definition": definition(won[0]),
        "roleArn": "arn:aws:iam::123456789012:role/other",
    });
    ask(&app, "CreateStateMachine", again).await;
    let described = ask(
        &app,
        "DescribeStateMachine",
        json!({"stateMachineArn": arn}),
    )
    .await;
    assert_eq!(described["roleArn"], ROLE);
}

#[tokio::test]
async fn a_running_execution_keeps_the_definition_it_began_with() {
    let app = server().await;
    let activity = activity(&app, "a").await;
    let first = working(&activity, json!({"Comment": "first"}));
    let arn = machine(&app, "m", &first).await;
    let execution = start(&app, &arn, json!({})).await;
    let update = json!({"stateMachineArn": arn, "definition": PASS});
    ask(&app, "UpdateStateMachine", update).await;
    ask(&app, "DeleteStateMachine", json!({"stateMachineArn": arn})).await;

    let body = json!({"executionArn": execution});
    let described = ask(&app, "DescribeStateMachineForExecution", body).await;
    assert_eq!(described["definition"], first);
    let (token, _) = task(&app, &activity).await;
    let body = json!({"taskToken": token, "output": "1"});
    ask(&app, "SendTaskSuccess", body).await;
    assert_eq!(describe(&app, &execution).await["status"], "SUCCEEDED");
}

#[tokio::test]
async fn a_worker_ends_an_execution_once() {
    let app = server().await;
    let activity = activity(&app, "a").await;
    let arn = machine(&app, "m", &working(&activity, json!({}))).await;

    let execution = start(&app, &arn, json!({"n": 1})).await;
    let running = describe(&app, &execution).await;
    assert_eq!(running["status"], "RUNNING");
    let reason = "Execution is RUNNING and cannot be redriven";
    assert_eq!(running["redriveStatusReason"], reason);
    let (token, input) = task(&app, &activity).await;
    assert_eq!(input, json!({"n": 1}));
    ask(&app, "SendTaskHeartbeat", json!({"taskToken": token})).await;
    let body = json!({"taskToken": token, "output": "{\"n\": 2}"});
    assert_eq!(ask(&app, "SendTaskSuccess", body).await, json!({}));
    assert_eq!(
        describe(&app, &execution).await,
        json!({
            "executionArn": execution,
            "stateMachineArn": arn,
            "name": execution.rsplit(':').next(),
            "status": "SUCCEEDED",
            "startDate": 1_700_000_000.123,
            "stopDate": 1_700_000_000.123,
            "input": "{\"n\":1}",
            "inputDetails": {"included": true},
            "output": "{\"n\": 2}",
            "outputDetails": {"included": true},
            "redriveCount": 0,
            "redriveStatus": "NOT_REDRIVABLE",
            "redriveStatusReason": "Execution is SUCCEEDED and cannot be redriven",
        })
    );
    let ended = (
        "TaskTimedOut".to_owned(),
        "Task Timed Out: 'Provided task does not exist anymore'".to_owned(),
    );
    for (operation, body) in [
        (
            "SendTaskSuccess",
            json!({"taskToken": token, "output": "{}"}),
        ),
        ("SendTaskFailure", json!({"taskToken": token})),
        ("SendTaskHeartbeat", json!({"taskToken": token})),
    ] {
        assert_eq!(refused(&app, operation, body).await, ended, "{operation}");
    }

    let execution = start(&app, &arn, json!({})).await;
    let (token, _) = task(&app, &activity).await;
    let body = json!({"taskToken": token, "error": "E", "cause": "C"});
    ask(&app, "SendTaskFailure", body).await;
    let failed = describe(&app, &execution).await;
    for (member, value) in [
        ("status", "FAILED"),
        ("error", "E"),
        ("cause", "C"),
        ("redriveStatus", "REDRIVABLE"),
    ] {
        assert_eq!(failed[member], value, "{member}");
    }
    assert_eq!(failed.get("output"), None);
}

#[tokio::test]
async fn a_start_is_repeated_without_harm_while_the_execution_runs() {
    let app = server().await;
    let activity = activity(&app, "a").await;
    let arn = machine(&app, "m", &working(&activity, json!({}))).await;
    let body = json!({"stateMachineArn": arn, "name": "e", "input": "{\"a\":1}"});
    let first = ask(&app, "StartExecution", body.clone()).await;
    let execution = format!("{HERE}:execution:m:e");
    assert_eq!(first["executionArn"], execution);
    assert_eq!(ask(&app, "StartExecution", body.clone()).await, first);

    let taken = (
        "ExecutionAlreadyExists".to_owned(),
        format!("Execution Already Exists: '{execution}'"),
    );
    let other = json!({"stateMachineArn": arn, "name": "e", "input": "{\"a\":2}"});
    assert_eq!(refused(&app, "StartExecution", other).await, taken);
    let stop = json!({"executionArn": execution, "error": "E", "cause": "C"});
    let stopped = ask(&app, "StopExecution", stop).await;
    assert_eq!(stopped, json!({"stopDate": 1_700_000_000.123}));
    assert_eq!(refused(&app, "StartExecution", body).await, taken);
    let aborted = describe(&app, &execution).await;
    assert_eq!(aborted["status"], "ABORTED");
    assert_eq!(
        (&aborted["error"], &aborted["cause"]),
        (&json!("E"), &json!("C"))
    );
}

#[tokio::test]
async fn a_history_is_read_page_by_page_in_both_directions() {
    let app = server().await;
    let arn = machine(&app, "m", PASS).await;
    let execution = start(&app, &arn, json!({})).await;
    for (reverse, expected) in [(false, [1, 2, 3, 4]), (true, [4, 3, 2, 1])] {
        for size in [1, 3, 4, 1000] {
            let mut ids = Vec::new();
            let mut token = Value::Null;
            loop {
                let body = json!({
                    "executionArn": execution,
                    "reverseOrder": reverse,
                    "maxResults": size,
                    "nextToken": token,
                });
                let page = ask(&app, "GetExecutionHistory", body).await;
                let events = page["events"].as_array().expect("events");
                assert!(!events.is_empty() && events.len() <= size);
                ids.extend(events.iter().map(|event| event["id"].clone()));
                token = page["nextToken"].clone();
                if token.is_null() {
                    break;
                }
            }
            assert_eq!(ids, expected, "reverse {reverse}, {size} a page");
        }
    }
    // A token of one direction is none of the other.
    let body = json!({"executionArn": execution, "maxResults": 1});
    let page = ask(&app, "GetExecutionHistory", body).await;
    let body = json!({
        "executionArn": execution,
        "reverseOrder": true,
        "nextToken": page["nextToken"],
    });
    let (kind, _) = refused(&app, "GetExecutionHistory", body).await;
    assert_eq!(kind, "InvalidToken");
}

#[tokio::test]
async fn lists_are_read_page_by_page() {
    let app = server().await;
    let arn = machine(&app, "m0", PASS).await;
    for i in 1..5 {
        machine(&app, &format!("m{i}"), PASS).await;
        activity(&app, &format!("a{i}")).await;
        start(&app, &arn, json!(i)).await;
    }
    for (operation, list, member, count) in [
        ("ListStateMachines", "stateMachines", "stateMachineArn", 5),
        ("ListActivities", "activities", "activityArn", 4),
        ("ListExecutions", "executions", "executionArn", 4),
    ] {
        for size in 1..=5 {
            let mut found = Vec::new();
            let mut token = Value::Null;
            loop {
                let mut body = json!({"maxResults": size, "nextToken": token});
                if operation == "ListExecutions" {
                    body["stateMachineArn"] = json!(arn);
                    body["statusFilter"] = json!("SUCCEEDED");
                }
                let page = ask(&app, operation, body).await;
                let items = page[list].as_array().expect("a list");
                assert!(items.len() <= size);
                found.extend(items.iter().map(|item| item[member].to_string()));
                token = page["nextToken"].clone();
                if token.is_null() {
                    break;
                }
            }
            found.sort();
            found.dedup();
            assert_eq!(found.len(), count, "{operation}, {size} a page");
        }
    }
    let body = json!({"stateMachineArn": arn, "statusFilter": "PENDING_REDRIVE"});
    let none = ask(&app, "ListExecutions", body).await;
    assert_eq!(none, json!({"executions": []}));
}

#[tokio::test]
async fn a_worker_that_waits_lets_virtual_time_go_on() {
    let app = server().await;
    let busy = activity(&app, "busy").await;
    let idle = activity(&app, "idle").await;
    let definition = working(&busy, json!({"TimeoutSeconds": 31_536_000}));
    let arn = machine(&app, "m", &definition).await;
    let execution = start(&app, &arn, json!({})).await;
    let waiting = tokio::spawn({
        let app = app.clone();
        async move { task(&app, &idle).await }
    });
    let year = app.clock.now().plus_seconds(31_536_000);
    drop(app.clock.advance(year).await);
    let ended = describe(&app, &execution).await;
    assert_eq!(
        (&ended["status"], &ended["error"]),
        (&json!("FAILED"), &json!("States.Timeout"))
    );
    assert!(!waiting.is_finished());
    waiting.abort();
}

#[tokio::test]
async fn tags_are_kept_with_their_resource() {
    let app = server().await;
    let activity = activity(&app, "a").await;
    let arn = machine(&app, "m", PASS).await;
    for resource in [activity, arn] {
        let tags = json!([{"key": "a", "value": "1"}, {"key": "b", "value": ""}]);
        let body = json!({"resourceArn": resource, "tags": tags});
        assert_eq!(ask(&app, "TagResource", body).await, json!({}));
        let body = json!({"resourceArn": resource, "tagKeys": ["a", "unknown"]});
        assert_eq!(ask(&app, "UntagResource", body).await, json!({}));
        let body = json!({"resourceArn": resource});
        let listed = ask(&app, "ListTagsForResource", body).await;
        assert_eq!(listed, json!({"tags": [{"key": "b", "value": ""}]}));
        let many: Vec<Value> = (0..50).map(|i| json!({"key": i.to_string()})).collect();
        let body = json!({"resourceArn": resource, "tags": many});
        assert_eq!(refused(&app, "TagResource", body).await.0, "TooManyTags");
    }
}

#[tokio::test]
async fn a_trace_header_is_shown_as_it_was_given() {
    let app = server().await;
    let arn = machine(&app, "m", PASS).await;
    // The second names no trace, and is nonetheless what was given.
    for header in ["Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=1", "x"] {
        let body = json!({"stateMachineArn": arn, "traceHeader": header});
        let started = ask(&app, "StartExecution", body).await;
        let execution = started["executionArn"].as_str().expect("an ARN");
        assert_eq!(describe(&app, execution).await["traceHeader"], header);
    }
    let execution = start(&app, &arn, json!({})).await;
    assert_eq!(describe(&app, &execution).await.get("traceHeader"), None);
}

#[tokio::test]
async fn refusals_are_in_the_words_of_aws() {
    let app = server().await;
    let arn = machine(&app, "m", PASS).await;
    let express = json!({
        "name": "x", "definition": PASS, "roleArn": ROLE, "type": "EXPRESS",
    });
    let express = ask(&app, "CreateStateMachine", express).await["stateMachineArn"].clone();
    for (operation, body, kind, message) in [
        (
            "DescribeActivity",
            json!({"activityArn": "no_an_activity_arn"}),
            "InvalidArn",
            "Invalid Arn: 'Invalid ARN prefix: no_an_activity_arn'",
        ),
        (
            "DescribeExecution",
            json!({"executionArn": arn}),
            "InvalidArn",
            "Invalid Arn: 'Resource type not valid in this context: stateMachine'",
        ),
        (
            "CreateStateMachine",
            json!({"name": "n", "definition": PASS, "roleArn": "me"}),
            "InvalidArn",
            "Invalid Role Arn: 'me'",
        ),
        (
            "CreateStateMachine",
            json!({"name": "n n", "definition": PASS, "roleArn": ROLE}),
            "InvalidName",
            "Invalid Name: 'n n'",
        ),
        (
            "CreateStateMachine",
            json!({
                "name": "n",
                "definition": r#"{"Comment": "BASE_INVALID_DER", "StartAt": "State_1"}"#,
                "roleArn": ROLE,
            }),
            "InvalidDefinition",
            "Invalid State Machine Definition: 'SCHEMA_VALIDATION_FAILED: These fields are \
             required: [States] at /'",
        ),
        (
            "CreateStateMachine",
            json!({"name": "n", "definition": PASS, "roleArn": ROLE, "versionDescription": "d"}),
            "ValidationException",
            "Version description can only be set when publish is true",
        ),
        (
            "UpdateStateMachine",
            json!({"stateMachineArn": arn}),
            "MissingRequiredParameter",
            "Either the definition, the role ARN, the LoggingConfiguration, or the \
             TracingConfiguration must be specified",
        ),
        (
            "StartExecution",
            json!({"stateMachineArn": arn, "input": ""}),
            "InvalidExecutionInput",
            "Invalid State Machine Execution Input: 'Invalid execution input.'",
        ),
        (
            "StartExecution",
            json!({"stateMachineArn": arn, "input": "{'not': 'json'"}),
            "InvalidExecutionInput",
            "Invalid State Machine Execution Input: 'Unexpected character (''' (code 39)): was \
             expecting double-quote to start field name'",
        ),
        (
            "ListExecutions",
            json!({"stateMachineArn": express}),
            "StateMachineTypeNotSupported",
            "This operation is not supported by this type of state machine",
        ),
        (
            "StartSyncExecution",
            json!({"stateMachineArn": arn}),
            "StateMachineTypeNotSupported",
            "This operation is not supported by this type of state machine",
        ),
        (
            "ListExecutions",
            json!({}),
            "ValidationException",
            "Must provide a StateMachine ARN or MapRun ARN",
        ),
        (
            "SendTaskSuccess",
            json!({"taskToken": "x", "output": "{}"}),
            "InvalidToken",
            "Invalid Token: 'Invalid token'",
        ),
    ] {
        let expected = (kind.to_owned(), message.to_owned());
        assert_eq!(
            refused(&app, operation, body).await,
            expected,
            "{operation}"
        );
    }
    for (operation, member, missing, kind, words) in [
        (
            "DescribeStateMachine",
            "stateMachineArn",
            "stateMachine:x:1",
            "StateMachineDoesNotExist",
            "State Machine Does Not Exist",
        ),
        (
            "StartExecution",
            "stateMachineArn",
            "stateMachine:none",
            "StateMachineDoesNotExist",
            "State Machine Does Not Exist",
        ),
        (
            "StopExecution",
            "executionArn",
            "execution:m:none",
            "ExecutionDoesNotExist",
            "Execution Does Not Exist",
        ),
        (
            "GetExecutionHistory",
            "executionArn",
            "execution:m:none",
            "ExecutionDoesNotExist",
            "Execution Does Not Exist",
        ),
        (
            "GetActivityTask",
            "activityArn",
            "activity:none",
            "ActivityDoesNotExist",
            "Activity Does Not Exist",
        ),
        (
            "ListTagsForResource",
            "resourceArn",
            "activity:none",
            "ResourceNotFound",
            "Resource not found",
        ),
    ] {
        let arn = format!("{HERE}:{missing}");
        let expected = (kind.to_owned(), format!("{words}: '{arn}'"));
        let body = json!({member: arn});
        assert_eq!(
            refused(&app, operation, body).await,
            expected,
            "{operation}"
        );
    }
    let (status, answer) = raw(&app, "AWSStepFunctions.ListActivities", "nonsense").await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert_eq!(answer["__type"], "SerializationException");
    let (status, answer) = raw(&app, "Something.Else", "{}").await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    assert_eq!(answer["__type"], "UnknownOperationException");
}

#[tokio::test]
async fn deleting_what_is_not_there_is_no_mistake() {
    let app = server().await;
    let activity = activity(&app, "a").await;
    let arn = machine(&app, "m", PASS).await;
    for _ in 0..2 {
        let body = json!({"activityArn": activity});
        assert_eq!(ask(&app, "DeleteActivity", body).await, json!({}));
        let body = json!({"stateMachineArn": arn});
        assert_eq!(ask(&app, "DeleteStateMachine", body).await, json!({}));
    }
    let body = json!({"activityArn": activity});
    assert_eq!(
        refused(&app, "DescribeActivity", body).await.0,
        "ActivityDoesNotExist"
    );
    // The name is free for another text.
    machine(&app, "m", &PASS.replace("\"P\"", "\"Q\"")).await;
}

/// Updates a machine to a definition with this comment, published; the version's ARN.
async fn publish(app: &App, machine: &str, comment: &str) -> String {
    let definition = format!(
        r#"{{"Comment":"{comment}","StartAt":"P","States":{{"P":{{"Type":"Pass","Result":"{comment}","End":true}}}}}}"#
    );
    let request = json!({"stateMachineArn": machine, "definition": definition, "publish": true});
    let answer = ask(app, "UpdateStateMachine", request).await;
    answer["stateMachineVersionArn"]
        .as_str()
        .expect("an ARN")
        .to_owned()
}

#[tokio::test]
async fn an_execution_of_a_version_runs_what_was_published_and_says_so() {
    let app = server().await;
    let machine = machine(&app, "m", PASS).await;
    let first = publish(&app, &machine, "first").await;
    let second = publish(&app, &machine, "second").await;
    assert_eq!(first, format!("{machine}:1"));
    assert_eq!(second, format!("{machine}:2"));
    let request = json!({
        "name": "prod",
        "routingConfiguration": [{"stateMachineVersionArn": first, "weight": 100}],
    });
    let alias = ask(&app, "CreateStateMachineAlias", request).await["stateMachineAliasArn"].clone();
    assert_eq!(alias, format!("{machine}:prod"));
    let alias = alias.as_str().expect("an ARN");

    let mut started = Vec::new();
    for (arn, output, version, by) in [
        (&*machine, r#""second""#, None, None),
        (&*first, r#""first""#, Some(&first), None),
        (alias, r#""first""#, Some(&first), Some(alias)),
    ] {
        let execution = start(&app, arn, json!({})).await;
        let described = describe(&app, &execution).await;
        assert_eq!(described["output"], output);
        assert_eq!(described["stateMachineArn"], machine);
        assert_eq!(
            described.get("stateMachineVersionArn"),
            version.map(|v| json!(v)).as_ref()
        );
        assert_eq!(
            described.get("stateMachineAliasArn"),
            by.map(|a| json!(a)).as_ref()
        );
        let history = json!({"executionArn": execution});
        let history = ask(&app, "GetExecutionHistory", history).await;
        let told = &history["events"][0]["executionStartedEventDetails"];
        for member in ["stateMachineVersionArn", "stateMachineAliasArn"] {
            assert_eq!(told.get(member), described.get(member));
        }
        started.push(execution);
    }

    let listed = async |arn: &str| {
        let list = ask(&app, "ListExecutions", json!({"stateMachineArn": arn})).await;
        let items = list["executions"].as_array().expect("a list").clone();
        let mut arns: Vec<String> = items
            .iter()
            .map(|item| item["executionArn"].as_str().expect("an ARN").to_owned())
            .collect();
        arns.sort();
        arns
    };
    let sorted = |wanted: &[usize]| {
        let mut arns: Vec<String> = wanted.iter().map(|i| started[*i].clone()).collect();
        arns.sort();
        arns
    };
    assert_eq!(listed(&machine).await, sorted(&[0, 1, 2]));
    assert_eq!(listed(&first).await, sorted(&[1, 2]));
    assert_eq!(listed(alias).await, sorted(&[2]));
    assert_eq!(listed(&second).await, sorted(&[]));
}

#[tokio::test]
async fn versions_and_aliases_are_listed_page_by_page() {
    let app = server().await;
    let machine = machine(&app, "m", PASS).await;
    for comment in ["a", "b", "c"] {
        let version = publish(&app, &machine, comment).await;
        let request = json!({
            "name": comment,
            "routingConfiguration": [{"stateMachineVersionArn": version, "weight": 100}],
        });
        ask(&app, "CreateStateMachineAlias", request).await;
    }
    for (operation, list, member, expected) in [
        (
            "ListStateMachineVersions",
            "stateMachineVersions",
            "stateMachineVersionArn",
            ["3", "2", "1"],
        ),
        (
            "ListStateMachineAliases",
            "stateMachineAliases",
            "stateMachineAliasArn",
            ["a", "b", "c"],
        ),
    ] {
        let mut request = json!({"stateMachineArn": machine, "maxResults": 2});
        let page = ask(&app, operation, request.clone()).await;
        request["nextToken"] = page["nextToken"].clone();
        let last = ask(&app, operation, request).await;
        assert!(last.get("nextToken").is_none());
        let items = [&page, &last].map(|page| page[list].as_array().expect("a list").clone());
        let arns = items.concat();
        let arns: Vec<&str> = arns
            .iter()
            .filter_map(|item| item[member].as_str())
            .collect();
        assert_eq!(arns, expected.map(|last| format!("{machine}:{last}")));
    }
    let of_one = json!({"stateMachineArn": format!("{machine}:2")});
    let aliases = ask(&app, "ListStateMachineAliases", of_one).await;
    let aliases = aliases["stateMachineAliases"].as_array().expect("a list");
    assert_eq!(aliases.len(), 1);
    assert_eq!(aliases[0]["stateMachineAliasArn"], format!("{machine}:b"));
}

#[tokio::test]
async fn a_version_stays_while_an_alias_leads_to_it() {
    let app = server().await;
    let machine = machine(&app, "m", PASS).await;
    let first = publish(&app, &machine, "first").await;
    let second = publish(&app, &machine, "second").await;
    let alias = format!("{machine}:prod");
    let to = |version: &str| json!([{"stateMachineVersionArn": version, "weight": 100}]);
    let create = json!({"name": "prod", "routingConfiguration": to(&first)});
    ask(&app, "CreateStateMachineAlias", create).await;

    let delete = json!({"stateMachineVersionArn": first});
    let refusal = refused(&app, "DeleteStateMachineVersion", delete.clone()).await;
    let message = "Version to be deleted must not be referenced by an alias. Current list of aliases \
                   referencing this version: [prod]";
    assert_eq!(refusal, ("ConflictException".into(), message.into()));
    let update = json!({"stateMachineAliasArn": alias, "routingConfiguration": to(&second)});
    ask(&app, "UpdateStateMachineAlias", update).await;
    ask(&app, "DeleteStateMachineVersion", delete.clone()).await;
    ask(&app, "DeleteStateMachineVersion", delete).await;

    let gone = json!({"stateMachineArn": first});
    let refusal = refused(&app, "StartExecution", gone).await;
    let message = format!("State Machine Does Not Exist: '{first}'");
    assert_eq!(refusal, ("StateMachineDoesNotExist".into(), message));
    let back = json!({"stateMachineAliasArn": alias, "routingConfiguration": to(&first)});
    let (kind, _) = refused(&app, "UpdateStateMachineAlias", back).await;
    assert_eq!(kind, "ResourceNotFound");

    let describe = json!({"stateMachineAliasArn": alias});
    let described = ask(&app, "DescribeStateMachineAlias", describe.clone()).await;
    assert_eq!(described["routingConfiguration"], to(&second));
    ask(&app, "DeleteStateMachineAlias", describe.clone()).await;
    let (kind, _) = refused(&app, "DescribeStateMachineAlias", describe).await;
    assert_eq!(kind, "ResourceNotFound");
}

#[tokio::test]
async fn a_machine_has_at_most_a_hundred_aliases() {
    let app = server().await;
    let machine = machine(&app, "m", PASS).await;
    let version = publish(&app, &machine, "first").await;
    let alias = |n: usize| {
        let routes = json!([{"stateMachineVersionArn": version, "weight": 100}]);
        json!({"name": format!("a{n}"), "routingConfiguration": routes})
    };
    for n in 0..100 {
        ask(&app, "CreateStateMachineAlias", alias(n)).await;
    }
    let (kind, _) = refused(&app, "CreateStateMachineAlias", alias(100)).await;
    assert_eq!(kind, "ServiceQuotaExceededException");
    // The same request again is no new alias.
    ask(&app, "CreateStateMachineAlias", alias(99)).await;
}

#[tokio::test]
async fn a_version_is_published_of_the_revision_that_was_meant() {
    let app = server().await;
    let machine = machine(&app, "m", PASS).await;
    let publish_of = |revision: &str| json!({"stateMachineArn": machine, "revisionId": revision});
    let first = ask(&app, "PublishStateMachineVersion", publish_of("INITIAL")).await;
    let again = json!({"stateMachineArn": machine, "description": "again"});
    assert_eq!(ask(&app, "PublishStateMachineVersion", again).await, first);
    let (kind, message) = refused(&app, "PublishStateMachineVersion", publish_of("other")).await;
    assert_eq!(kind, "ConflictException");
    assert_eq!(
        message,
        "Failed to publish the State Machine version for revision other. The current State Machine \
         revision is INITIAL."
    );
}

#[tokio::test]
async fn a_task_for_a_deleted_activity_is_never_scheduled() {
    let app = server().await;
    let (first, second) = (
        activity(&app, "first").await,
        activity(&app, "second").await,
    );
    let definition = json!({"StartAt": "A", "States": {
        "A": {"Type": "Task", "Resource": first, "Next": "B"},
        "B": {"Type": "Task", "Resource": second, "End": true}}});
    let arn = machine(&app, "m", &definition.to_string()).await;
    let running = start(&app, &arn, json!({})).await;
    let (token, _) = task(&app, &first).await;

    ask(&app, "DeleteActivity", json!({"activityArn": second})).await;
    let done = json!({"taskToken": token, "output": "{}"});
    ask(&app, "SendTaskSuccess", done).await;
    let told = describe(&app, &running).await;
    assert_eq!(
        (&told["status"], &told["error"]),
        (&json!("FAILED"), &json!("States.Runtime"))
    );
    let cause = told["cause"].as_str().expect("a cause");
    let gone = format!("The activity {second} does not exist.");
    assert!(cause.ends_with(&gone), "{cause}");

    // One that is started later, too; and once the activity is there again, not.
    ask(&app, "DeleteActivity", json!({"activityArn": first})).await;
    let next = start(&app, &arn, json!({})).await;
    assert_eq!(describe(&app, &next).await["status"], "FAILED");
    activity(&app, "first").await;
    let next = start(&app, &arn, json!({})).await;
    assert_eq!(describe(&app, &next).await["status"], "RUNNING");
}

#[tokio::test]
async fn a_pick_up_that_fills_the_history_gives_no_task() {
    let app = server().await;
    let activity = activity(&app, "a").await;
    // One event for the start, four for each round, one for the task's state and one for the task:
    // its pick-up would be number 25,000.
    let definition = json!({"StartAt": "P", "States": {
        "P": {"Type": "Pass", "Parameters": {"n.$": "States.MathAdd($.n, 1)"}, "Next": "C"},
        "C": {"Type": "Choice", "Default": "T",
            "Choices": [{"Variable": "$.n", "NumericLessThan": 6249, "Next": "P"}]},
        "T": {"Type": "Task", "Resource": activity, "End": true}}});
    let arn = machine(&app, "m", &definition.to_string()).await;
    let execution = start(&app, &arn, json!({"n": 0})).await;
    assert_eq!(describe(&app, &execution).await["status"], "RUNNING");

    let patience = Patience {
        wait: std::time::Duration::from_secs(60),
        most: 1000,
    };
    let busy = app.clock.busy();
    tokio::select! {
        fetched = app.activities.fetch(&activity, None, patience, busy) => panic!("{fetched:?}"),
        ended = app.runner.until_ended(engine::ExecutionKey::of(&execution)) => drop(ended),
    }
    assert_eq!(describe(&app, &execution).await["status"], "FAILED");
}

/// Nothing is acknowledged once the disk has failed, and whoever looks after the server can see it.
#[tokio::test]
async fn a_server_whose_disk_has_failed_says_so() {
    let name = format!("rejoin-lost-disk-{}", std::process::id());
    let directory = std::env::temp_dir().join(name);
    let app = server_in(Some(directory.clone())).await;
    let health = async |app: &App| {
        let call = Call {
            method: Method::GET,
            path: "/health".to_owned(),
            query: String::new(),
            headers: HeaderMap::new(),
            body: Default::default(),
            peer: SocketAddr::from(([127, 0, 0, 1], 1)),
            busy: app.clock.busy(),
        };
        server::routes::answer(app.clone(), call).await.status
    };
    let arn = machine(&app, "m", PASS).await;
    assert_eq!(health(&app).await, StatusCode::OK);

    // What is open can still be written; the segment after the next can't be made.
    std::fs::remove_dir_all(&directory).expect("it is there");
    let input = json!("a".repeat(200_000)).to_string();
    let body = json!({"stateMachineArn": arn, "input": input}).to_string();
    let mut failed = None;
    for _ in 0..2000 {
        let (status, answer) = raw(&app, "AWSStepFunctions.StartExecution", &body).await;
        if status != StatusCode::OK {
            failed = Some((status, answer));
            break;
        }
    }
    let (status, answer) = failed.expect("there are not so many segments ahead");
    assert_eq!(status, StatusCode::INTERNAL_SERVER_ERROR);
    assert!(!answer.to_string().contains("segment"), "{answer}");
    assert_eq!(health(&app).await, StatusCode::SERVICE_UNAVAILABLE);
    // What is in memory can still be read.
    let body = json!({"stateMachineArn": arn});
    assert_eq!(ask(&app, "DescribeStateMachine", body).await["name"], "m");
}

#[tokio::test]
async fn a_state_is_tested_without_a_machine() {
    let app = server().await;
    let choice = json!({
        "Type": "Choice",
        "Choices": [{"Variable": "$.n", "NumericGreaterThan": 1, "Next": "Many"}],
        "Default": "Few",
    });
    let mut request = json!({"definition": choice.to_string(), "input": r#"{"n":2}"#});
    let told = ask(&app, "TestState", request.clone()).await;
    let expected = json!({"output": r#"{"n":2}"#, "nextState": "Many", "status": "SUCCEEDED"});
    assert_eq!(told, expected);
    request["inspectionLevel"] = "DEBUG".into();
    let told = ask(&app, "TestState", request).await;
    let seen = json!({"input": r#"{"n":2}"#, "afterInputPath": r#"{"n":2}"#});
    assert_eq!(told["inspectionData"], seen);

    let machine = json!({"StartAt": "P", "States": {"P": {
        "Type": "Parallel",
        "Branches": [{"StartAt": "T", "States": {"T": {
            "Type": "Task",
            "Resource": "arn:aws:states:::sqs:sendMessage.waitForTaskToken",
            "Parameters": {"QueueUrl": "q", "MessageBody.$": "$$.Task.Token"},
            "Retry": [{"ErrorEquals": ["Busy"], "IntervalSeconds": 5}],
            "End": true,
        }}}],
        "End": true,
    }}});
    let told = ask(
        &app,
        "TestState",
        json!({
            "definition": machine.to_string(),
            "stateName": "T",
            "inspectionLevel": "TRACE",
            "context": r#"{"Task":{"Token":"given"}}"#,
            "mock": {"errorOutput": {"error": "Busy", "cause": "too many"}},
        }),
    )
    .await;
    assert_eq!(told["status"], "RETRIABLE");
    assert_eq!(
        (&told["error"], &told["cause"]),
        (&json!("Busy"), &json!("too many"))
    );
    let seen = &told["inspectionData"];
    assert_eq!(
        seen["afterParameters"],
        r#"{"QueueUrl":"q","MessageBody":"given"}"#
    );
    let details = json!({"retryIndex": 0, "retryBackoffIntervalSeconds": 5});
    assert_eq!(seen["errorDetails"], details);

    let sum = json!({
        "Type": "Pass", "QueryLanguage": "JSONata", "End": true,
        "Assign": {"sum": "{% $sum($states.input) + $first %}"},
        "Output": "{% $states.context.State.Name %}",
    });
    let told = ask(
        &app,
        "TestState",
        json!({
            "definition": sum.to_string(),
            "input": "[1,2]",
            "inspectionLevel": "TRACE",
            "variables": r#"{"first":10}"#,
        }),
    )
    .await;
    assert_eq!(told["output"], r#""StateName""#);
    let seen = json!({"input": "[1,2]", "variables": r#"{"first":10,"sum":13}"#});
    assert_eq!(told["inspectionData"], seen);
    let machines = ask(&app, "ListStateMachines", json!({})).await;
    assert_eq!(machines["stateMachines"], json!([]));
}

#[tokio::test]
async fn a_test_that_cannot_be_is_refused_in_the_words_of_aws() {
    let app = server().await;
    let pass = json!({"Type": "Pass", "End": true}).to_string();
    let call = json!({"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke", "End": true,
        "Parameters": {"FunctionName": "f"}});
    let call = call.to_string();
    let branch = json!({"StartAt": "B", "States": {"B": {"Type": "Pass", "End": true}}});
    let parallel = json!({"Type": "Parallel", "Branches": [branch], "End": true}).to_string();
    let result = |text: &str| json!({"result": text});
    for (request, kind, message) in [
        (
            json!({"definition": pass, "mock": result("1")}),
            "ValidationException",
            "State type 'Pass' is not supported when a mock is specified",
        ),
        (
            json!({"definition": pass, "stateName": "S"}),
            "ValidationException",
            "State not found in definition",
        ),
        (
            json!({"definition": call}),
            "ValidationException",
            "RoleArn must be specified when testing a Task state",
        ),
        (
            json!({"definition": call, "mock": result("not JSON")}),
            "ValidationException",
            "Mocked result must be valid JSON",
        ),
        (
            json!({"definition": call, "mock": result("1"), "revealSecrets": true}),
            "ValidationException",
            "TestState does not support RevealSecrets when a mock is specified.",
        ),
        (
            json!({"definition": call, "mock": {"result": "1", "errorOutput": {"error": "E"}}}),
            "ValidationException",
            "A test mock should have only one of the following fields: [result, errorOutput].",
        ),
        (
            json!({"definition": parallel}),
            "InvalidDefinition",
            "TestState API does not support Map or Parallel states. Supported state types include: \
             [Task, Wait, Pass, Succeed, Fail, Choice]",
        ),
        (
            json!({"definition": parallel, "mock": result("[1,2]")}),
            "ValidationException",
            "Mocked result must contain the same number of items as number of Parallel branches.",
        ),
    ] {
        let refusal = refused(&app, "TestState", request).await;
        assert_eq!(refusal, (kind.to_owned(), message.to_owned()));
    }
}

/// Whoever gives up a task gives up the execution that it waits for, also one that is just being started.
#[tokio::test]
async fn an_execution_that_is_stopped_as_it_starts_another_stops_that_too() {
    let app = server().await;
    let wait = r#"{"StartAt":"W","States":{"W":{"Type":"Wait","Seconds":60,"End":true}}}"#;
    let inner = machine(&app, "inner", wait).await;
    // Many at once, so that some are caught before they know what they have started.
    let children = 50;
    let outer = json!({"StartAt": "Run", "States": {"Run": {"Type": "Task", "End": true,
        "Resource": "arn:aws:states:::states:startExecution.sync:2",
        "Parameters": {"StateMachineArn": inner, "Name.$": "$"}}}});
    let outer = machine(&app, "outer", &outer.to_string()).await;
    let mut both = tokio::task::JoinSet::new();
    for child in 0..children {
        let (app, outer) = (app.clone(), outer.clone());
        both.spawn(async move {
            let parent = start(&app, &outer, json!(format!("child{child}"))).await;
            ask(&app, "StopExecution", json!({"executionArn": parent})).await;
        });
    }
    both.join_all().await;

    let stopped = async {
        for child in 0..children {
            let arn = format!("{HERE}:execution:inner:child{child}");
            let key = engine::ExecutionKey::of(&arn);
            while app.runner.execution(key).await.expect("it reads").is_none() {
                tokio::task::yield_now().await;
            }
            drop(app.runner.until_ended(key).await.expect("it reads"));
        }
    };
    let limit = std::time::Duration::from_secs(10);
    tokio::time::timeout(limit, stopped)
        .await
        .expect("it is stopped");
}

#[tokio::test]
async fn an_operator_sets_how_much_there_may_be() {
    let quotas = Quotas {
        payload_bytes: 1024,
        definition_bytes: 1024,
        state_machines: 1,
        activities: 1,
        open_executions: 1,
        activity_pollers: 1,
        versions: 1,
        aliases: 1,
        tags: 1,
        ..Quotas::default()
    };
    let app = server_with(quotas).await;
    let work = activity(&app, "a").await;
    let arn = machine(&app, "m", &working(&work, json!({}))).await;
    start(&app, &arn, json!({})).await;
    ask(
        &app,
        "PublishStateMachineVersion",
        json!({"stateMachineArn": arn}),
    )
    .await;
    let routes = json!([{"stateMachineVersionArn": format!("{arn}:1"), "weight": 100}]);
    let alias = |name: &str| json!({"name": name, "routingConfiguration": routes});
    ask(&app, "CreateStateMachineAlias", alias("a1")).await;
    let role = "arn:aws:iam::123456789012:role/other";
    ask(
        &app,
        "UpdateStateMachine",
        json!({"stateMachineArn": arn, "roleArn": role}),
    )
    .await;
    let tags = json!([{"key": "a", "value": ""}, {"key": "b", "value": ""}]);
    let long = format!("\"{}\"", "x".repeat(1024));
    #[rustfmt::skip]
    let rows = [
        ("CreateActivity", json!({"name": "b"}), "ActivityLimitExceeded"),
        ("CreateStateMachine", json!({"name": "n", "definition": PASS, "roleArn": ROLE}), "StateMachineLimitExceeded"),
        ("CreateStateMachine", json!({"name": "n", "definition": long, "roleArn": ROLE}), "ValidationException"),
        ("StartExecution", json!({"stateMachineArn": arn}), "ExecutionLimitExceeded"),
        ("StartExecution", json!({"stateMachineArn": arn, "input": long}), "ValidationException"),
        ("PublishStateMachineVersion", json!({"stateMachineArn": arn}), "ServiceQuotaExceededException"),
        ("CreateStateMachineAlias", alias("a2"), "ServiceQuotaExceededException"),
        ("TagResource", json!({"resourceArn": arn, "tags": tags}), "TooManyTags"),
        ("TagResource", json!({"resourceArn": work, "tags": tags}), "TooManyTags"),
    ];
    for (operation, body, kind) in rows {
        let (found, message) = refused(&app, operation, body).await;
        assert_eq!(found, kind, "{operation}: {message}");
    }
    // What is there is found although no more may be made.
    activity(&app, "a").await;
    task(&app, &work).await;
    let poll = json!({"activityArn": work});
    let waiting = tokio::spawn({
        let (app, poll) = (app.clone(), poll.clone());
        async move { ask(&app, "GetActivityTask", poll).await }
    });
    tokio::task::yield_now().await;
    let (kind, message) = refused(&app, "GetActivityTask", poll).await;
    assert_eq!(kind, "ActivityWorkerLimitExceeded", "{message}");
    waiting.abort();
}

#[tokio::test]
async fn nonsense_is_no_quota() {
    let settings = Settings {
        quotas: Quotas {
            payload_bytes: 0,
            ..Quotas::default()
        },
        ..settings(None)
    };
    let refusal = App::open(settings).await.err().expect("it is refused");
    assert!(
        refusal.starts_with("payload_bytes in [quotas] is 0"),
        "{refusal}"
    );
}

#[tokio::test]
async fn a_machine_with_open_executions_is_deleting_until_they_have_ended() {
    let app = server().await;
    let work = activity(&app, "a").await;
    let definition = working(&work, json!({}));
    let arn = machine(&app, "m", &definition).await;
    start(&app, &arn, json!({})).await;
    let named = json!({"stateMachineArn": arn});
    ask(&app, "DeleteStateMachine", named.clone()).await;
    let described = ask(&app, "DescribeStateMachine", named.clone()).await;
    assert_eq!(described["status"], "DELETING");
    let create = json!({"name": "m", "definition": definition, "roleArn": ROLE});
    let update = json!({"stateMachineArn": arn, "definition": PASS});
    for (operation, body) in [
        ("StartExecution", named.clone()),
        ("PublishStateMachineVersion", named.clone()),
        ("ListStateMachineAliases", named.clone()),
        ("CreateStateMachine", create.clone()),
        ("UpdateStateMachine", update),
    ] {
        let (kind, message) = refused(&app, operation, body).await;
        assert_eq!(kind, "StateMachineDeleting", "{operation}: {message}");
    }
    let listed = ask(&app, "ListStateMachines", json!({})).await;
    assert_eq!(listed["stateMachines"].as_array().map(Vec::len), Some(1));

    let (token, _) = task(&app, &work).await;
    ask(
        &app,
        "SendTaskSuccess",
        json!({"taskToken": token, "output": "1"}),
    )
    .await;
    let listed = ask(&app, "ListStateMachines", json!({})).await;
    assert_eq!(listed["stateMachines"], json!([]));
    let (kind, _) = refused(&app, "DescribeStateMachine", named).await;
    assert_eq!(kind, "StateMachineDoesNotExist");
    ask(&app, "CreateStateMachine", create).await;
}

#[tokio::test]
async fn a_tracing_configuration_says_on_or_off() {
    let app = server().await;
    let body =
        json!({"name": "m", "definition": PASS, "roleArn": ROLE, "tracingConfiguration": {}});
    let (kind, _) = refused(&app, "CreateStateMachine", body).await;
    assert_eq!(kind, "InvalidTracingConfiguration");
}

/// As on AWS: what another machine of the same name did is not its history.
#[tokio::test]
async fn a_machine_that_is_made_anew_does_not_list_what_the_one_before_it_did() {
    let app = server().await;
    let arn = machine(&app, "m", PASS).await;
    start(&app, &arn, json!({})).await;
    start(&app, &arn, json!({})).await;
    ask(&app, "DeleteStateMachine", json!({"stateMachineArn": arn})).await;
    drop(app.clock.advance(Timestamp(1_700_000_001_000)).await);
    machine(&app, "m", PASS).await;
    let third = start(&app, &arn, json!({})).await;
    let body = json!({"stateMachineArn": arn, "maxResults": 1});
    let listed = ask(&app, "ListExecutions", body).await;
    assert_eq!(listed["executions"][0]["executionArn"], third);
    let next = json!({"stateMachineArn": arn, "maxResults": 1, "nextToken": listed["nextToken"]});
    let listed = match listed["nextToken"].is_null() {
        true => json!({"executions": []}),
        false => ask(&app, "ListExecutions", next).await,
    };
    assert_eq!(listed["executions"], json!([]));
}

#[tokio::test]
async fn a_test_without_a_mock_asks_the_resource() {
    let app = server().await;
    let arn = machine(&app, "m", PASS).await;
    let state = |resource: &str| json!({"Type": "Task", "Resource": resource, "Arguments": {"StateMachineArn": arn}, "QueryLanguage": "JSONata", "Output": "{% $states.result.Name %}", "End": true});
    let test = |resource: &str| json!({"definition": state(resource).to_string(), "roleArn": ROLE});
    let describe = test("arn:aws:states:::aws-sdk:sfn:describeStateMachine");
    let tested = ask(&app, "TestState", describe).await;
    assert_eq!(
        (&tested["status"], &tested["output"]),
        (&json!("SUCCEEDED"), &json!("\"m\""))
    );
    ask(&app, "DeleteStateMachine", json!({"stateMachineArn": arn})).await;
    let describe = test("arn:aws:states:::aws-sdk:sfn:describeStateMachine");
    let tested = ask(&app, "TestState", describe).await;
    let expected = (
        &json!("FAILED"),
        &json!("Sfn.StateMachineDoesNotExistException"),
    );
    assert_eq!((&tested["status"], &tested["error"]), expected);
    let (kind, message) = refused(&app, "TestState", test(&format!("{HERE}:activity:a"))).await;
    assert_eq!(kind, "ValidationException", "{message}");
}

#[tokio::test]
async fn an_execution_is_open_for_a_year_at_most() {
    let app = server().await;
    let work = activity(&app, "a").await;
    let arn = machine(&app, "m", &working(&work, json!({}))).await;
    let old = start(&app, &arn, json!({})).await;
    let year = 365 * 86_400;
    let advance = |seconds: i64| {
        let app = app.clone();
        async move {
            let call = Call {
                method: Method::POST,
                path: "/rejoin/clock/advance".to_owned(),
                query: String::new(),
                headers: HeaderMap::new(),
                body: json!({"seconds": seconds}).to_string().into(),
                peer: SocketAddr::from(([127, 0, 0, 1], 1)),
                busy: app.clock.busy(),
            };
            let reply = server::routes::answer(app, call).await;
            assert_eq!(reply.status, StatusCode::OK);
        }
    };
    advance(year - 3600).await;
    let young = start(&app, &arn, json!({})).await;
    assert_eq!(describe(&app, &old).await["status"], "RUNNING");
    advance(2 * 3600).await;
    assert_eq!(describe(&app, &old).await["status"], "TIMED_OUT");
    assert_eq!(describe(&app, &young).await["status"], "RUNNING");
}
