//! What executions leave in CloudWatch Logs, against an endpoint that stands in for it.

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};
use server::services::Environment;
use support::Endpoint;
use support::whole::{ROLE, Server};

const GROUP: &str = "arn:aws:logs:us-east-1:123456789012:log-group:/states/m:*";

async fn server(logs: &Endpoint) -> Server {
    let variables = [
        ("AWS_ENDPOINT_URL_LOGS".to_owned(), logs.url("")),
        ("AWS_ACCESS_KEY_ID".to_owned(), "AKID".to_owned()),
        ("AWS_SECRET_ACCESS_KEY".to_owned(), "secret".to_owned()),
    ];
    Server::open_in(Environment::of(variables), None).await
}

async fn machine(server: &Server, kind: &str, level: &str, include_data: bool) -> String {
    let definition = json!({ "StartAt": "P", "States": {
        "P": { "Type": "Pass", "Next": "F" },
        "F": { "Type": "Fail", "Error": "Bad" },
    } });
    let request = json!({
        "name": "m", "type": kind, "roleArn": ROLE, "definition": definition.to_string(),
        "loggingConfiguration": {
            "level": level,
            "includeExecutionData": include_data,
            "destinations": [{ "cloudWatchLogsLogGroup": { "logGroupArn": GROUP } }],
        },
    });
    let made = server.ask("CreateStateMachine", request).await;
    made["stateMachineArn"].as_str().expect("an ARN").to_owned()
}

/// What was sent so far: the operations, and the messages of the lines.
fn sent(logs: &mut Endpoint) -> (Vec<String>, Vec<Value>) {
    let (mut operations, mut messages) = (Vec::new(), Vec::new());
    while let Ok(received) = logs.received.try_recv() {
        let target = received.headers["x-amz-target"].to_str().expect("text");
        operations.push(target.trim_start_matches("Logs_20140328.").to_owned());
        assert!(received.headers.contains_key("authorization"));
        let body: Value = serde_json::from_str(&received.body).expect("JSON");
        assert_eq!(body["logGroupName"], "/states/m");
        for event in body["logEvents"].as_array().into_iter().flatten() {
            let message = event["message"].as_str().expect("text");
            messages.push(serde_json::from_str(message).expect("JSON"));
        }
    }
    (operations, messages)
}

#[tokio::test]
async fn a_history_goes_to_the_log_group_event_by_event() {
    let mut logs = Endpoint::start(Arc::new(|_| Some((200, &[][..], "{}".to_owned())))).await;
    let server = server(&logs).await;
    let machine = machine(&server, "EXPRESS", "ALL", true).await;
    let request = json!({ "stateMachineArn": machine, "input": "{\"a\":1}" });
    let ended = server.ask("StartSyncExecution", request).await;
    server.0.logs.settled().await;
    let (operations, lines) = sent(&mut logs);
    assert_eq!(operations[..2], ["CreateLogStream", "PutLogEvents"]);
    let types: Vec<_> = lines.iter().map(|line| line["type"].clone()).collect();
    assert_eq!(
        types,
        [
            "ExecutionStarted",
            "PassStateEntered",
            "PassStateExited",
            "FailStateEntered",
            "ExecutionFailed"
        ]
    );
    assert_eq!(
        lines[0]["details"],
        json!({ "input": "{\"a\":1}", "inputDetails": { "truncated": false }, "roleArn": ROLE })
    );
    assert_eq!(lines[4]["details"], json!({ "error": "Bad" }));
    assert_eq!(lines[4]["execution_arn"], ended["executionArn"]);
    let ids = (&lines[4]["id"], &lines[4]["previous_event_id"]);
    assert_eq!(ids, (&"5".into(), &"4".into()));
}

#[tokio::test]
async fn a_level_leaves_out_what_it_is_below() {
    let mut logs = Endpoint::start(Arc::new(|_| Some((200, &[][..], "{}".to_owned())))).await;
    let server = server(&logs).await;
    let machine = machine(&server, "STANDARD", "ERROR", false).await;
    let arn = server.start(&machine, json!({})).await;
    server.ended(&arn).await;
    server
        .ask("RedriveExecution", json!({ "executionArn": arn }))
        .await;
    server.0.logs.settled().await;
    let (_, lines) = sent(&mut logs);
    let shown: Vec<_> = lines
        .iter()
        .map(|line| (line["type"].clone(), line["redrive_count"].clone()))
        .collect();
    let expected = [
        ("FailStateEntered", "0"),
        ("ExecutionFailed", "0"),
        ("FailStateEntered", "1"),
        ("ExecutionFailed", "1"),
    ];
    let expected = expected.map(|(name, count)| (Value::from(name), Value::from(count)));
    assert_eq!(shown, expected);
    assert_eq!(lines[0]["details"], json!({ "name": "F" }));
}

#[tokio::test]
async fn a_log_group_that_is_not_there_harms_no_execution() {
    let asked = Arc::new(AtomicUsize::new(0));
    let count = asked.clone();
    let answer = r#"{"__type":"ResourceNotFoundException","message":"no such group"}"#;
    let logs = Endpoint::start(Arc::new(move |_| {
        count.fetch_add(1, Ordering::Relaxed);
        Some((400, &[][..], answer.to_owned()))
    }))
    .await;
    let server = server(&logs).await;
    let machine = machine(&server, "STANDARD", "ALL", true).await;
    let arn = server.start(&machine, json!({})).await;
    assert_eq!(server.ended(&arn).await["status"], "FAILED");
    server.0.logs.settled().await;
    assert!(asked.load(Ordering::Relaxed) > 0);
    // What can't be written is refused, not kept: another execution is no different.
    let arn = server.start(&machine, json!({})).await;
    assert_eq!(server.ended(&arn).await["status"], "FAILED");
}
