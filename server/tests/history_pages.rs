//! `GetExecutionHistory` page by page: every way through a history shows the same events.

mod support;

use std::time::Instant;

use engine::{ExecutionKey, history};
use serde_json::{Value, json};
use support::whole::Server;

/// All events in the order asked for, as pages of so many give them, and how many pages these were.
async fn paged(server: &Server, arn: &str, size: u64, reverse: bool) -> (Vec<Value>, usize) {
    let (mut events, mut pages) = (Vec::new(), 0);
    let mut request = json!({"executionArn": arn, "maxResults": size, "reverseOrder": reverse});
    loop {
        let mut page = server.ask("GetExecutionHistory", request.clone()).await;
        let shown = page["events"].as_array_mut().expect("a list");
        assert!(!shown.is_empty() && shown.len() as u64 <= size);
        events.append(shown);
        pages += 1;
        match page.get("nextToken") {
            Some(token) => request["nextToken"] = token.clone(),
            None => return (events, pages),
        }
    }
}

/// A loop until the history is full.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_pages_of_a_full_history_make_the_whole() {
    const FULL: usize = 25_000;
    let server = Server::open(None).await;
    let round = json!({
        "R": {"Type": "Pass", "Parameters": {"n.$": "States.Format('{}', $.n)"}, "Next": "C"},
        "C": {"Type": "Choice", "Default": "R", "Choices": [
            {"Variable": "$.done", "IsPresent": true, "Next": "E"},
        ]},
        "E": {"Type": "Succeed"},
    });
    let machine = server.machine("m", "STANDARD", "R", round).await;
    let arn = server.start(&machine, json!({"n": "x"})).await;
    let ended = server.ended(&arn).await;
    assert_eq!(ended["status"], "FAILED", "{ended}");

    let events = server.0.runner.events(ExecutionKey::of(&arn)).await;
    let whole = history::project(&events.expect("they are stored"), true);
    let whole = serde_json::to_value(whole).expect("plain data");
    let whole = whole.as_array().expect("a list");
    assert_eq!(whole.len(), FULL);
    for (size, pages, reverse) in [(1_000, 25, false), (1_000, 25, true), (999, 26, true)] {
        let began = Instant::now();
        let (mut events, count) = paged(&server, &arn, size, reverse).await;
        eprintln!(
            "{count} pages of {size}, reverse {reverse}: {:?}",
            began.elapsed()
        );
        if reverse {
            events.reverse();
        }
        assert_eq!(count, pages);
        assert!(&events == whole, "{size} {reverse}");
    }
}

/// A history that grows while it is read: what was asked for first stays where it was.
#[tokio::test]
async fn the_pages_of_a_growing_history_fit_together() {
    let server = Server::open(None).await;
    let states = json!({
        "Wait": {"Type": "Wait", "Seconds": 5, "Next": "P"},
        "P": {"Type": "Pass", "End": true},
    });
    let machine = server.machine("m", "STANDARD", "Wait", states).await;
    let arn = server.start(&machine, json!({})).await;
    let mut request = json!({"executionArn": arn, "maxResults": 1, "reverseOrder": true});
    let ids = |page: &Value| page["events"][0]["id"].clone();
    let first = server.ask("GetExecutionHistory", request.clone()).await;
    assert_eq!(ids(&first), 2);
    server.0.clock.set_automatic(true);
    server.ended(&arn).await;
    request["nextToken"] = first["nextToken"].clone();
    let second = server.ask("GetExecutionHistory", request).await;
    assert_eq!(ids(&second), 1);
    assert_eq!(second.get("nextToken"), None);
    let (events, pages) = paged(&server, &arn, 3, false).await;
    assert_eq!((events.len(), pages), (6, 2));
}

/// What `includeExecutionData` leaves out: inputs, outputs, parameters and variables, with what is said of
/// them; everything else of every event stays.
#[tokio::test]
async fn without_its_data_a_history_has_the_same_events() {
    let server = Server::open(None).await;
    let states = json!({
        "P": {"Type": "Pass", "Assign": {"v": 1}, "Next": "F"},
        "F": {"Type": "Fail", "Error": "E", "Cause": "c"},
    });
    let machine = server.machine("m", "STANDARD", "P", states).await;
    let arn = server.start(&machine, json!({"a": 1})).await;
    server.ended(&arn).await;
    let mut request = json!({"executionArn": arn});
    let mut with = server.ask("GetExecutionHistory", request.clone()).await;
    request["includeExecutionData"] = false.into();
    let without = server.ask("GetExecutionHistory", request).await;
    let mut left_out = std::collections::BTreeSet::new();
    for event in with["events"].as_array_mut().expect("a list") {
        for details in event.as_object_mut().expect("an object").values_mut() {
            let Some(details) = details.as_object_mut() else {
                continue;
            };
            for name in ["input", "output", "assignedVariables"] {
                if details.remove(name).is_some() {
                    let said = details.remove(&format!("{name}Details"));
                    assert_eq!(said, Some(json!({"truncated": false})));
                    left_out.insert(name);
                }
            }
        }
    }
    assert_eq!(left_out.len(), 3);
    assert_eq!(with, without);
    assert_eq!(
        without["events"][4]["executionFailedEventDetails"],
        json!({"error": "E", "cause": "c"})
    );
}
