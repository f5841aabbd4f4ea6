//! Execution status changes, in EventBridge's own shape.

#![allow(clippy::unwrap_used)]

mod support;

use serde_json::{Value, json};
use server::app::Settings;
use server::clock::Clock;
use server::status_changes::StatusChangeConfig;
use support::NOW;
use support::whole::{Server, scratch};

fn rule(machines: &[&str], statuses: &[&str]) -> StatusChangeConfig {
    let owned = |texts: &[&str]| texts.iter().map(|&text| text.to_owned()).collect();
    StatusChangeConfig {
        topic: "executions".into(),
        state_machines: owned(machines),
        statuses: owned(statuses),
    }
}

fn settings(rules: Vec<StatusChangeConfig>) -> Settings {
    Settings {
        topics: [("executions".to_owned(), Default::default())].into(),
        status_changes: rules,
        ..Server::settings()
    }
}

/// What was published, oldest first.
async fn events(server: &Server) -> Vec<Value> {
    let page = server.0.topics.messages("executions", 100, None).await;
    let mut messages = page.unwrap().unwrap().messages;
    messages.reverse();
    messages
        .into_iter()
        .map(|message| message.message)
        .collect()
}

fn statuses(events: &[Value]) -> Vec<String> {
    let of = |event: &Value| format!("{}:{}", event["detail"]["name"], event["detail"]["status"]);
    events
        .iter()
        .map(|event| of(event).replace('"', ""))
        .collect()
}

async fn start(server: &Server, machine: &str, name: &str, input: Value) -> String {
    let request = json!({ "stateMachineArn": machine, "name": name, "input": input.to_string() });
    let started = server.ask("StartExecution", request).await;
    started["executionArn"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn an_event_has_the_members_that_aws_documents() {
    let server = Server::open_as(settings(vec![rule(&[], &[])])).await;
    let states = json!({ "P": { "Type": "Pass", "Result": "done", "End": true } });
    let machine = server.machine("m", "STANDARD", "P", states).await;
    let arn = start(&server, &machine, "e", json!({ "a": 1 })).await;
    server.ended(&arn).await;
    let events = events(&server).await;
    assert_eq!(statuses(&events), ["e:RUNNING", "e:SUCCEEDED"]);
    let mut event = events[1].clone();
    assert!(event["id"].as_str().unwrap().len() == 36);
    event["id"] = "id".into();
    let expected = json!({
        "version": "0",
        "id": "id",
        "detail-type": "Step Functions Execution Status Change",
        "source": "aws.states",
        "account": "123456789012",
        "time": "2026-01-02T03:04:05Z",
        "region": "us-east-1",
        "resources": ["arn:aws:states:us-east-1:123456789012:execution:m:e"],
        "detail": {
            "executionArn": "arn:aws:states:us-east-1:123456789012:execution:m:e",
            "stateMachineArn": machine,
            "stateMachineVersionArn": null,
            "stateMachineAliasArn": null,
            "name": "e",
            "status": "SUCCEEDED",
            "startDate": 1_767_323_045_678_i64,
            "stopDate": 1_767_323_045_678_i64,
            "input": "{\"a\":1}",
            "inputDetails": { "included": true },
            "output": "\"done\"",
            "outputDetails": { "included": true },
            "error": null,
            "cause": null,
            "redriveCount": 0,
            "redriveDate": null,
            "redriveStatus": "NOT_REDRIVABLE",
            "redriveStatusReason": "Execution is SUCCEEDED and cannot be redriven",
        },
    });
    assert_eq!(event.to_string(), expected.to_string());
    let running = &events[0]["detail"];
    for member in ["stopDate", "output", "outputDetails"] {
        assert_eq!(running[member], Value::Null, "{member}");
    }
}

#[tokio::test]
async fn failures_stops_timeouts_and_redrives_are_told_and_large_inputs_left_out() {
    let server = Server::open_as(settings(vec![rule(&[], &[])])).await;
    let fail = json!({ "F": { "Type": "Fail", "Error": "Bad", "Cause": "it was" } });
    let machine = server.machine("fails", "STANDARD", "F", fail).await;
    let arn = start(&server, &machine, "f", json!({})).await;
    server.ended(&arn).await;
    server
        .ask("RedriveExecution", json!({ "executionArn": arn }))
        .await;
    let wait = json!({ "W": { "Type": "Wait", "Seconds": 60, "End": true } });
    let machine = server.machine("waits", "STANDARD", "W", wait).await;
    let large = json!("x".repeat(255_000));
    let arn = start(&server, &machine, "s", large).await;
    let stop = json!({ "executionArn": arn, "error": "Enough", "cause": "said somebody" });
    server.ask("StopExecution", stop).await;
    let events = events(&server).await;
    let expected = [
        "f:RUNNING",
        "f:FAILED",
        "f:RUNNING",
        "f:FAILED",
        "s:RUNNING",
        "s:ABORTED",
    ];
    assert_eq!(statuses(&events), expected);
    let detail = |at: usize, member: &str| events[at]["detail"][member].clone();
    assert_eq!(
        (detail(1, "error"), detail(1, "cause")),
        ("Bad".into(), "it was".into())
    );
    assert_eq!(
        (detail(1, "redriveStatus"), detail(1, "redriveCount")),
        ("REDRIVABLE".into(), 0.into())
    );
    assert_eq!(
        (detail(2, "redriveCount"), detail(3, "redriveCount")),
        (1.into(), 1.into())
    );
    assert!(detail(3, "redriveDate").is_i64());
    assert!(detail(4, "input").is_null());
    assert_eq!(detail(4, "inputDetails"), json!({ "included": false }));
    assert_eq!(detail(5, "error"), "Enough");
}

#[tokio::test]
async fn who_asks_for_some_hears_those() {
    let rules = vec![rule(&["second"], &["SUCCEEDED"])];
    let server = Server::open_as(settings(rules)).await;
    let pass = json!({ "P": { "Type": "Pass", "End": true } });
    for name in ["first", "second"] {
        let machine = server.machine(name, "STANDARD", "P", pass.clone()).await;
        let arn = start(&server, &machine, name, json!({})).await;
        server.ended(&arn).await;
    }
    let express = server.machine("third", "EXPRESS", "P", pass).await;
    let request = json!({ "stateMachineArn": express, "input": "{}" });
    server.ask("StartSyncExecution", request).await;
    assert_eq!(statuses(&events(&server).await), ["second:SUCCEEDED"]);
}

#[test]
fn a_change_that_was_answered_is_told_after_a_crash() {
    let directory = scratch();
    let runtime = || tokio::runtime::Runtime::new().unwrap();
    let open = || {
        let mut settings = settings(vec![rule(&[], &["ABORTED"])]);
        settings.directory = Some(directory.clone());
        settings.clock = Clock::standing_at(NOW);
        Server::open_as(settings)
    };
    runtime().block_on(async {
        let server = open().await;
        let wait = json!({ "W": { "Type": "Wait", "Seconds": 60, "End": true } });
        let machine = server.machine("waits", "STANDARD", "W", wait).await;
        let arn = start(&server, &machine, "e", json!({})).await;
        server
            .ask("StopExecution", json!({ "executionArn": arn }))
            .await;
    });
    runtime().block_on(async {
        let server = open().await;
        assert_eq!(statuses(&events(&server).await), ["e:ABORTED"]);
    });
    let _ = std::fs::remove_dir_all(&directory);
}

#[tokio::test]
async fn a_wrong_rule_says_what_is_wrong() {
    for (config, said) in [
        (
            StatusChangeConfig {
                topic: "none".into(),
                ..rule(&[], &[])
            },
            "names the topic \"none\", which is not configured",
        ),
        (
            rule(&[], &["DONE"]),
            "names the status \"DONE\"; there are RUNNING, SUCCEEDED",
        ),
    ] {
        let opened = server::app::App::open(settings(vec![config])).await;
        let why = opened.map(drop).unwrap_err();
        assert!(why.contains(said), "{why}");
    }
}
