//! The gateway in front of another Rejoin, over HTTP.

use server::http::serve;
use tokio::net::TcpListener;

use super::*;
use support::whole::Server;

/// A server that listens, with a machine that hands its token to an activity.
async fn behind() -> (Server, String) {
    let server = Server::open(None).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(serve(server.0.clone(), listener));
    (server, format!("http://{address}"))
}

/// Starts an execution and gives its ARN and the token that it waits with.
async fn waits(server: &Server, name: &str) -> (String, String) {
    let activity = json!({ "name": "ask" });
    let activity = server
        .try_ask("CreateActivity", activity)
        .await
        .expect("an activity");
    let definition = json!({
        "StartAt": "Ask",
        "States": { "Ask": {
            "Type": "Task", "Resource": activity["activityArn"], "TimeoutSeconds": 30, "End": true,
        }},
    });
    let machine = json!({
        "name": "Loans", "definition": definition.to_string(), "roleArn": support::whole::ROLE,
    });
    let machine = server
        .try_ask("CreateStateMachine", machine)
        .await
        .expect("a machine");
    let start = json!({ "stateMachineArn": machine["stateMachineArn"], "name": name });
    let started = server
        .try_ask("StartExecution", start)
        .await
        .expect("a start");
    let poll = json!({ "activityArn": activity["activityArn"] });
    let task = server
        .try_ask("GetActivityTask", poll)
        .await
        .expect("a task");
    let text = |value: &Value| value.as_str().expect("text").to_owned();
    (text(&started["executionArn"]), text(&task["taskToken"]))
}

#[tokio::test]
async fn another_rejoin_takes_what_aws_takes() {
    let (server, url) = behind().await;
    let front = Front::of(&url).await;
    let (prompt, token) = waits(&server, "prompt").await;
    let place = json!({ "executionArn": prompt, "stateName": "Ask", "timeoutSeconds": 30 });
    front.register("r1", place, &token).await;
    let answer = json!({"ref": "r1", "value": 3});
    assert_eq!(
        front.call_back(answer.clone()).await,
        took(200, "delivered")
    );
    let described = server
        .try_ask("DescribeExecution", json!({ "executionArn": prompt }))
        .await
        .expect("it is there");
    assert_eq!(described["status"], "SUCCEEDED");
    assert_eq!(
        front.call_back(answer).await,
        took(200, "duplicate-identical")
    );

    // Its history tells how a wait ended.
    let (late, token) = waits(&server, "late").await;
    let place = json!({ "executionArn": late, "stateName": "Ask" });
    front.register("r2", place, &token).await;
    let until = Timestamp(server.0.clock.now().0 + 45_000);
    drop(server.0.clock.advance(until).await);
    front.pass(45).await;
    let answer = json!({"ref": "r2"});
    assert_eq!(front.call_back(answer).await, took(410, "late-timed-out"));
    let (_, note) = front.last().await;
    assert!(
        note.starts_with("The wait of Ask of the execution late had timed out 15 s before"),
        "{note}"
    );

    let (stopped, token) = waits(&server, "stopped").await;
    let place = json!({ "executionArn": stopped, "stateName": "Ask" });
    front.register("r3", place, &token).await;
    server
        .try_ask("StopExecution", json!({ "executionArn": stopped }))
        .await
        .expect("it stops");
    assert_eq!(
        front.call_back(json!({"ref": "r3"})).await,
        took(410, "late-ended")
    );
    let (_, note) = front.last().await;
    assert!(note.contains("had ended with its execution"), "{note}");

    front.register("r4", json!({}), "no token of its own").await;
    assert_eq!(
        front.call_back(json!({"ref": "r4"})).await,
        took(202, "undeliverable")
    );
    let (_, note) = front.last().await;
    assert!(note.contains("InvalidToken"), "{note}");
    let (_, story) = front
        .send(Method::GET, "/rejoin/trace/r4", Value::Null)
        .await;
    let next = story["summary"]["next"].as_str().expect("a sentence");
    assert!(next.starts_with("It is not tried again"), "{next}");
    let (_, said) = front
        .send(
            Method::GET,
            "/rejoin/alerts?kind=undeliverable",
            Value::Null,
        )
        .await;
    assert_eq!(said["alerts"][0]["nextStep"], next);
    assert_eq!(front.engine().await["queued"], 0);
}
