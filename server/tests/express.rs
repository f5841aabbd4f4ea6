//! Express executions: run as every other, and not stored.

mod support;

use serde_json::{Value, json};
use support::whole::{Server, copy_all, scratch, text};

fn waits(seconds: u32) -> Value {
    json!({ "Wait": { "Type": "Wait", "Seconds": seconds, "End": true } })
}

fn json_of(answer: &Value, name: &str) -> Value {
    serde_json::from_str(&text(answer, name)).expect("JSON")
}

#[tokio::test]
async fn a_synchronous_execution_is_answered_when_it_has_ended() {
    let server = Server::open(None).await;
    server.0.clock.set_automatic(true);
    let machine = server.machine("m", "EXPRESS", "Wait", waits(7)).await;
    let request = json!({
        "stateMachineArn": machine, "name": "n", "input": "{\"a\":1}", "traceHeader": "Root=1",
    });
    let ended = server.ask("StartSyncExecution", request.clone()).await;
    assert_eq!(ended["status"], "SUCCEEDED");
    assert_eq!(json_of(&ended, "output"), json!({ "a": 1 }));
    assert_eq!(
        ended["billingDetails"]["billedDurationInMilliseconds"],
        7_000
    );
    assert_eq!(ended["traceHeader"], "Root=1");
    let arn = text(&ended, "executionArn");
    assert!(
        arn.starts_with("arn:aws:states:us-east-1:123456789012:express:m:n:"),
        "{arn}"
    );

    // The same name again is another execution.
    let mut request = request;
    request["includedData"] = "METADATA_ONLY".into();
    let again = server.ask("StartSyncExecution", request).await;
    assert_ne!(text(&again, "executionArn"), arn);
    assert_eq!(again["output"], Value::Null);
    assert_eq!(again["outputDetails"]["included"], false);
}

#[tokio::test]
async fn an_express_execution_has_five_minutes() {
    let server = Server::open(None).await;
    server.0.clock.set_automatic(true);
    let machine = server.machine("m", "EXPRESS", "Wait", waits(301)).await;
    let request = json!({ "stateMachineArn": machine });
    let ended = server.ask("StartSyncExecution", request).await;
    assert_eq!(
        (&ended["status"], &ended["error"]),
        (&"TIMED_OUT".into(), &"States.Timeout".into())
    );
    let lasted = ended["stopDate"].as_f64().zip(ended["startDate"].as_f64());
    assert_eq!(
        lasted.map(|(stop, start)| (stop - start).round()),
        Some(300.0)
    );
    // Nothing of it is left for time to wait for.
    assert_eq!(server.0.clock.next_timer(), None);
}

/// Goes round and round until there is `$.done`.
fn rounds() -> Value {
    json!({
        "R": { "Type": "Pass", "Next": "C" },
        "C": { "Type": "Choice", "Default": "R", "Choices": [
            { "Variable": "$.done", "IsPresent": true, "Next": "E" },
        ] },
        "E": { "Type": "Succeed" },
    })
}

/// A loop has no history that fills: only its time ends it. On one thread, so that a loop which kept it would
/// keep it from everybody; and two loops, so that one of them is always at work.
#[tokio::test]
async fn loops_that_never_end_take_their_time_and_hold_nobody_up() {
    let server = Server::open(None).await;
    server.0.clock.set_grace(std::time::Duration::ZERO);
    let looping = server.machine("loop", "EXPRESS", "R", rounds()).await;
    let definition = json!({ "StartAt": "R", "TimeoutSeconds": 1, "States": rounds() });
    let update = json!({ "stateMachineArn": looping, "definition": definition.to_string() });
    server.ask("UpdateStateMachine", update).await;
    let turns = [(); 2].map(|()| {
        let server = Server(server.0.clone());
        let request = json!({ "stateMachineArn": looping });
        tokio::spawn(async move { server.ask("StartSyncExecution", request).await })
    });
    let pass = json!({ "P": { "Type": "Pass", "End": true } });
    let ordinary = server.machine("ordinary", "STANDARD", "P", pass).await;
    for _ in 0..20 {
        let ended = server
            .ended(&server.start(&ordinary, json!({})).await)
            .await;
        assert_eq!(ended["status"], "SUCCEEDED");
    }
    assert!(
        turns.iter().all(|turns| !turns.is_finished()),
        "time stands"
    );
    server.0.clock.set_automatic(true);
    for turns in turns {
        let ended = turns.await.expect("it is answered");
        assert_eq!(ended["status"], "TIMED_OUT", "{ended}");
        let lasted = ended["stopDate"].as_f64().zip(ended["startDate"].as_f64());
        assert_eq!(
            lasted.map(|(stop, start)| (stop - start).round()),
            Some(1.0)
        );
    }
    assert_eq!(server.0.clock.next_timer(), None);
}

/// Time that is free to jump does not jump to the end of the time that work has which goes on.
#[tokio::test]
async fn work_that_takes_longer_than_the_grace_is_finished() {
    let server = Server::open(None).await;
    server.0.clock.set_grace(std::time::Duration::ZERO);
    server.0.clock.set_automatic(true);
    let counting = json!({
        "R": { "Type": "Pass", "Parameters": { "n.$": "States.MathAdd($.n, -1)" }, "Next": "C" },
        "C": { "Type": "Choice", "Default": "R", "Choices": [
            { "Variable": "$.n", "NumericEquals": 0, "Next": "E" },
        ] },
        "E": { "Type": "Succeed" },
    });
    let counting = server.machine("m", "EXPRESS", "R", counting).await;
    // Several slices.
    let request = json!({ "stateMachineArn": counting, "input": "{\"n\":5000}" });
    let ended = server.ask("StartSyncExecution", request).await;
    assert_eq!(json_of(&ended, "output"), json!({ "n": 0 }), "{ended}");
}

#[tokio::test]
async fn a_machine_is_deleting_as_long_as_an_execution_of_it_runs() {
    let server = Server::open(None).await;
    let machine = server.machine("m", "EXPRESS", "Wait", waits(60)).await;
    let named = json!({ "stateMachineArn": machine });
    server.start(&machine, json!({})).await;
    server.ask("DeleteStateMachine", named.clone()).await;
    let described = server.ask("DescribeStateMachine", named.clone()).await;
    assert_eq!(described["status"], "DELETING");
    for operation in ["StartSyncExecution", "StartExecution"] {
        let refused = server.try_ask(operation, named.clone()).await;
        let (name, _) = refused.expect_err("nothing new begins");
        assert_eq!(name, "StateMachineDeleting", "{operation}");
    }
    let other = server.machine("other", "EXPRESS", "Wait", waits(90)).await;
    server.0.clock.set_automatic(true);
    // When it has ended, the other has run for longer.
    server
        .ask("StartSyncExecution", json!({ "stateMachineArn": other }))
        .await;
    let gone = server.try_ask("DescribeStateMachine", named).await;
    assert_eq!(gone.expect_err("it is gone").0, "StateMachineDoesNotExist");
}

#[tokio::test]
async fn a_task_runs_an_express_execution_and_waits_for_it() {
    let server = Server::open(None).await;
    server.0.clock.set_automatic(true);
    let child = server.machine("child", "EXPRESS", "Wait", waits(20)).await;
    let call = |resource: &str| {
        json!({ "Call": {
            "Type": "Task",
            "Resource": format!("arn:aws:states:::{resource}"),
            "Parameters": { "StateMachineArn": child, "Input": { "a": 1 } },
            "End": true,
        } })
    };
    let states = call("aws-sdk:sfn:startSyncExecution");
    let parent = server.machine("sync", "STANDARD", "Call", states).await;
    let ended = server.ended(&server.start(&parent, json!({})).await).await;
    let output = json_of(&ended, "output");
    assert_eq!(output["Status"], "SUCCEEDED");
    assert_eq!(json_of(&output, "Output"), json!({ "a": 1 }));

    let states = call("states:startExecution");
    let parent = server.machine("async", "STANDARD", "Call", states).await;
    let ended = server.ended(&server.start(&parent, json!({})).await).await;
    assert_eq!(ended["status"], "SUCCEEDED", "{ended}");

    // Nobody can ask what became of it, so nobody can wait for it so.
    let states = call("states:startExecution.sync");
    let parent = server.machine("job", "STANDARD", "Call", states).await;
    let ended = server.ended(&server.start(&parent, json!({})).await).await;
    assert_eq!(
        ended["error"],
        "StepFunctions.StateMachineTypeNotSupportedException"
    );
}

#[tokio::test]
async fn nobody_can_ask_for_an_express_execution() {
    let server = Server::open(None).await;
    let machine = server.machine("m", "EXPRESS", "Wait", waits(60)).await;
    let arn = server.start(&machine, json!({})).await;
    for operation in [
        "DescribeExecution",
        "GetExecutionHistory",
        "StopExecution",
        "RedriveExecution",
        "DescribeStateMachineForExecution",
    ] {
        let refused = server
            .try_ask(operation, json!({ "executionArn": arn }))
            .await;
        let (name, message) = refused.expect_err("it is refused");
        assert_eq!(
            (name.as_str(), message.as_str()),
            (
                "InvalidArn",
                "Invalid Arn: 'Resource type not valid in this context: express'"
            ),
            "{operation}"
        );
    }
    let request = json!({ "stateMachineArn": machine });
    let refused = server.try_ask("ListExecutions", request).await;
    assert_eq!(
        refused.expect_err("it is refused").0,
        "StateMachineTypeNotSupported"
    );
}

#[tokio::test]
async fn what_was_started_and_lost_in_a_crash_is_run_again() {
    let directory = scratch();
    let server = Server::open(Some(directory.clone())).await;
    let work = json!({ "Type": "Wait", "Seconds": 5, "Next": "Start" });
    let start = json!({
        "Type": "Task",
        "Resource": "arn:aws:states:::states:startExecution",
        "Parameters": {
            "StateMachineArn": "arn:aws:states:us-east-1:123456789012:stateMachine:witness",
            "Name.$": "$$.Execution.Name",
        },
        "End": true,
    });
    let pass = json!({ "P": { "Type": "Pass", "End": true } });
    server.machine("witness", "STANDARD", "P", pass).await;
    let states = json!({ "Work": work, "Start": start });
    let machine = server.machine("m", "EXPRESS", "Work", states).await;
    let request = json!({ "stateMachineArn": machine, "name": "once" });
    server.ask("StartExecution", request).await;
    let copy = scratch();
    copy_all(&directory, &copy);

    let witness = "arn:aws:states:us-east-1:123456789012:execution:witness:once";
    let server = Server::open(Some(copy.clone())).await;
    server.0.clock.set_automatic(true);
    let asked = json!({ "executionArn": witness });
    while server
        .try_ask("DescribeExecution", asked.clone())
        .await
        .is_err()
    {
        tokio::task::yield_now().await;
    }
    // Once it has ended, it is not run a third time.
    while server.0.clock.status().in_flight > 0 {
        tokio::task::yield_now().await;
    }
    let noted = server
        .0
        .store
        .scan(store::Table::Express, "", None, 10, false);
    assert!(noted.await.expect("it can be read").is_empty());
    for directory in [directory, copy] {
        let _ = std::fs::remove_dir_all(directory);
    }
}
