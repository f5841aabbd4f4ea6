//! What the gateway has acknowledged is there after the process died: the data directory is copied
//! at that moment, as a crash leaves it, and a second server is opened on the copy.

use std::path::{Path, PathBuf};

use asl::Timestamp;
use hyper::{HeaderMap, Method};
use serde_json::{Value, json};
use server::app::{App, Place, Settings};
use server::clock::Clock;
use server::http::Call;
use server::routes;

const START: Timestamp = Timestamp(1_700_000_000_000);

/// A server on a directory that goes when the test is over.
struct Server {
    app: App,
    directory: PathBuf,
}

impl Server {
    async fn on(directory: PathBuf) -> Server {
        let route = json!({
            "name": "valuation",
            "path": "/callbacks/valuation",
            "reference": "$.ref",
        });
        let settings = Settings {
            place: Place {
                region: "us-east-1".to_owned(),
                account: "123456789012".to_owned(),
            },
            clock: Clock::standing_at(START),
            directory: Some(directory.clone()),
            retention_days: 90,
            quotas: Default::default(),
            functions: Default::default(),
            topics: [("orders".to_owned(), Default::default())].into(),
            routes: vec![serde_json::from_value(route).expect("a route")],
            alerts: Default::default(),
            status_changes: Vec::new(),
            address: ([127, 0, 0, 1], 8083).into(),
            stuck_waits: Default::default(),
            environment: Default::default(),
        };
        let (app, _) = App::open(settings).await.expect("the server opens");
        Server { app, directory }
    }

    async fn new() -> Server {
        let name = format!("rejoin-gateway-{}", uuid::Uuid::new_v4());
        Server::on(std::env::temp_dir().join(name)).await
    }

    /// What a crash leaves at this moment, and a server that starts on it.
    async fn crashed(&self) -> Server {
        let name = format!("rejoin-gateway-{}", uuid::Uuid::new_v4());
        let copy = std::env::temp_dir().join(name);
        copy_all(&self.directory, &copy);
        Server::on(copy).await
    }

    async fn ask(
        &self,
        method: Method,
        path: &str,
        target: Option<&str>,
        body: Value,
    ) -> (u16, Value) {
        let mut headers = HeaderMap::new();
        if let Some(operation) = target {
            let target = format!("AWSStepFunctions.{operation}");
            headers.insert("x-amz-target", target.parse().expect("a header"));
            let kind = "application/x-amz-json-1.0";
            headers.insert("content-type", kind.parse().expect("a header"));
        }
        let call = Call {
            method,
            path: path.to_owned(),
            query: String::new(),
            headers,
            body: body.to_string().into(),
            peer: ([127, 0, 0, 1], 4000).into(),
            busy: self.app.clock.busy(),
        };
        let reply = routes::answer(self.app.clone(), call).await;
        let said = serde_json::from_slice(&reply.body).expect("JSON");
        (reply.status.as_u16(), said)
    }

    async fn operation(&self, operation: &str, request: Value) -> Value {
        let (status, said) = self.ask(Method::POST, "/", Some(operation), request).await;
        assert_eq!(status, 200, "{operation}: {said}");
        said
    }

    /// Parks an execution on an activity; gives its ARN and the token.
    async fn park(&self) -> (String, String) {
        let activity = self
            .operation("CreateActivity", json!({ "name": "value" }))
            .await;
        let definition = json!({
            "StartAt": "Wait",
            "States": { "Wait": { "Type": "Task", "Resource": activity["activityArn"], "End": true } },
        });
        let machine = self
            .operation(
                "CreateStateMachine",
                json!({
                    "name": "Parked",
                    "definition": definition.to_string(),
                    "roleArn": "arn:aws:iam::123456789012:role/parked",
                }),
            )
            .await;
        let arn = machine["stateMachineArn"].clone();
        let execution = self
            .operation("StartExecution", json!({ "stateMachineArn": arn }))
            .await;
        let task = self
            .operation(
                "GetActivityTask",
                json!({ "activityArn": activity["activityArn"] }),
            )
            .await;
        let text = |value: &Value| value.as_str().expect("text").to_owned();
        (text(&execution["executionArn"]), text(&task["taskToken"]))
    }

    async fn status(&self, execution: &str) -> Value {
        let request = json!({ "executionArn": execution });
        self.operation("DescribeExecution", request).await["status"].clone()
    }

    async fn register(&self, token: &str) -> u16 {
        let path = "/rejoin/references/valuation/r1";
        self.ask(Method::PUT, path, None, json!({ "taskToken": token }))
            .await
            .0
    }

    async fn call_back(&self, value: u32) -> (u16, String) {
        let body = json!({ "ref": "r1", "value": value });
        let (status, said) = self
            .ask(Method::POST, "/callbacks/valuation", None, body)
            .await;
        (
            status,
            said["disposition"].as_str().unwrap_or_default().to_owned(),
        )
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Left behind if it fails, in the place for things that may be.
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}

fn copy_all(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a new directory");
    for entry in std::fs::read_dir(from).expect("it is there") {
        let entry = entry.expect("it is there");
        let target = to.join(entry.file_name());
        if entry.file_type().expect("it is there").is_dir() {
            copy_all(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).expect("it can be copied");
        }
    }
}

fn heard(status: u16, disposition: &str) -> (u16, String) {
    (status, disposition.to_owned())
}

#[tokio::test]
async fn a_registered_reference_outlives_the_process() {
    let server = Server::new().await;
    let (execution, token) = server.park().await;
    assert_eq!(server.register(&token).await, 200);
    let server = server.crashed().await;
    assert_eq!(server.call_back(1).await, heard(200, "delivered"));
    assert_eq!(server.status(&execution).await, "SUCCEEDED");
}

#[tokio::test]
async fn an_early_callback_outlives_the_process() {
    let server = Server::new().await;
    let (execution, token) = server.park().await;
    assert_eq!(server.call_back(1).await, heard(202, "early"));
    let server = server.crashed().await;
    assert_eq!(server.status(&execution).await, "RUNNING");
    assert_eq!(server.register(&token).await, 200);
    assert_eq!(server.status(&execution).await, "SUCCEEDED");
}

#[tokio::test]
async fn an_acknowledged_callback_outlives_the_process_and_is_not_delivered_again() {
    let server = Server::new().await;
    let (execution, token) = server.park().await;
    assert_eq!(server.register(&token).await, 200);
    assert_eq!(server.call_back(1).await, heard(200, "delivered"));
    let server = server.crashed().await;
    assert_eq!(server.status(&execution).await, "SUCCEEDED");
    assert_eq!(server.call_back(1).await, heard(200, "duplicate-identical"));
    assert_eq!(
        server.call_back(2).await,
        heard(409, "duplicate-contradicting")
    );
}

#[tokio::test]
async fn a_token_of_another_server_is_refused() {
    let (one, other) = (Server::new().await, Server::new().await);
    let (_, token) = one.park().await;
    assert_eq!(other.register(&token).await, 400);
}

#[tokio::test]
async fn a_route_of_the_api_and_a_reference_that_the_workflow_chose_survive() {
    let server = Server::new().await;
    let route = json!({
        "path": "/callbacks/orders/{order}",
        "reference": "$path.order",
        "verify": { "scheme": "none" },
        "expects": ["Orders.Ask"],
        "registers": { "from_request": "$.Message.order" },
    });
    let made = server
        .ask(Method::PUT, "/rejoin/routes/orders", None, route)
        .await;
    assert_eq!(made.0, 201, "{}", made.1);
    let definition = json!({
        "StartAt": "Ask",
        "States": { "Ask": {
            "Type": "Task",
            "Resource": "arn:aws:states:::sns:publish.waitForTaskToken",
            "Parameters": {
                "TopicArn": "arn:aws:sns:us-east-1:123456789012:orders",
                "Message": { "order.$": "$.order", "token.$": "$$.Task.Token" },
            },
            "End": true,
        } },
    });
    let machine = json!({
        "name": "Orders",
        "definition": definition.to_string(),
        "roleArn": "arn:aws:iam::123456789012:role/orders",
    });
    let machine = server.operation("CreateStateMachine", machine).await;
    let start = async |order: &str| {
        let input = json!({ "order": order }).to_string();
        let request = json!({ "stateMachineArn": machine["stateMachineArn"], "input": input });
        let started = server.operation("StartExecution", request).await;
        // Time moves once nothing is in flight: the request has left by then.
        drop(server.app.clock.advance(server.app.clock.now()).await);
        started["executionArn"].as_str().expect("text").to_owned()
    };
    let execution = start("o-1").await;
    let other = start("o-1").await;
    assert_eq!(
        server.status(&other).await,
        "FAILED",
        "the reference is taken"
    );
    let server = server.crashed().await;
    let answer = json!({ "price": 7 });
    let path = "/callbacks/orders/o-1";
    let (status, said) = server.ask(Method::POST, path, None, answer).await;
    assert_eq!((status, &said["disposition"]), (200, &json!("delivered")));
    assert_eq!(server.status(&execution).await, "SUCCEEDED");
}

#[tokio::test]
async fn a_callback_that_an_operator_sends_to_an_execution_and_its_state_arrives_and_is_noted() {
    let server = Server::new().await;
    let (execution, _) = server.park().await;
    assert_eq!(server.call_back(1).await, heard(202, "early"));
    let (_, listed) = server
        .ask(Method::GET, "/rejoin/deliveries", None, Value::Null)
        .await;
    let id = listed["deliveries"][0]["id"].as_str().expect("an id");
    let path = format!("/rejoin/deliveries/{id}/rematch");
    let other = json!({ "execution": execution, "state": "Elsewhere" });
    let (status, said) = server.ask(Method::POST, &path, None, other).await;
    assert_eq!((status, &said["error"]), (409, &json!("NoSuchWait")));
    let wish = json!({ "execution": execution, "state": "Wait", "by": "ann" });
    let (status, said) = server.ask(Method::POST, &path, None, wish).await;
    assert_eq!(
        (status, &said["delivery"]["disposition"]),
        (200, &json!("delivered")),
        "{said}"
    );
    assert_eq!(server.status(&execution).await, "SUCCEEDED");
    let server = server.crashed().await;
    assert_eq!(server.status(&execution).await, "SUCCEEDED");
    let path = format!("/rejoin/deliveries/{id}");
    let (_, origin) = server.ask(Method::GET, &path, None, Value::Null).await;
    assert_eq!(origin["disposition"], "early");
    assert_eq!(origin["marks"][0]["by"], "ann");
    assert_eq!(origin["replayedAs"], json!([said["delivery"]["id"]]));
}

#[tokio::test]
async fn what_a_callback_has_started_survives_and_is_one_execution_with_its_own_callbacks() {
    let server = Server::new().await;
    let route = json!({
        "path": "/callbacks/orders",
        "reference": "$.order",
        "verify": { "scheme": "none" },
        "starts": { "state_machine": "Orders" },
        "expects": ["Orders.Ask"],
        "registers": { "from_request": "$.Message.order" },
    });
    let made = server
        .ask(Method::PUT, "/rejoin/routes/orders", None, route)
        .await;
    assert_eq!(made.0, 201, "{}", made.1);
    let definition = json!({
        "StartAt": "Ask",
        "States": { "Ask": {
            "Type": "Task",
            "Resource": "arn:aws:states:::sns:publish.waitForTaskToken",
            "Parameters": {
                "TopicArn": "arn:aws:sns:us-east-1:123456789012:orders",
                "Message": { "order.$": "$.order", "token.$": "$$.Task.Token" },
            },
            "End": true,
        } },
    });
    let machine = json!({
        "name": "Orders",
        "definition": definition.to_string(),
        "roleArn": "arn:aws:iam::123456789012:role/orders",
    });
    let path = "/callbacks/orders";
    let order = json!({ "order": "o-1", "item": "lamp" });
    // The state machine comes later than its first callback: that one waits for it.
    let (status, said) = server.ask(Method::POST, path, None, order.clone()).await;
    assert_eq!(
        (status, &said["disposition"]),
        (503, &json!("undeliverable"))
    );
    server.operation("CreateStateMachine", machine).await;
    let server = server.crashed().await;
    drop(server.app.clock.advance(START.plus_seconds(10)).await);
    let execution = "arn:aws:states:us-east-1:123456789012:execution:Orders:o-1";
    assert_eq!(server.status(execution).await, "RUNNING");
    let server = server.crashed().await;
    drop(server.app.clock.advance(START.plus_seconds(10)).await);
    // The third party never heard that it was taken, and the execution waits under the same reference.
    let (status, said) = server.ask(Method::POST, path, None, order).await;
    assert_eq!(
        (status, &said["disposition"]),
        (200, &json!("duplicate-identical"))
    );
    assert_eq!(server.status(execution).await, "RUNNING");
    let shipped = json!({ "order": "o-1", "shipped": true });
    let (status, said) = server.ask(Method::POST, path, None, shipped).await;
    assert_eq!((status, &said["disposition"]), (200, &json!("delivered")));
    assert_eq!(server.status(execution).await, "SUCCEEDED");
    let list =
        json!({ "stateMachineArn": "arn:aws:states:us-east-1:123456789012:stateMachine:Orders" });
    let list = server.operation("ListExecutions", list).await;
    assert_eq!(list["executions"].as_array().map(Vec::len), Some(1));
}
