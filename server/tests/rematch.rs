//! A stored callback for a wait that an operator names by its execution and state, on a whole server.

mod support;

use hyper::{HeaderMap, Method};
use serde_json::{Value, json};
use server::app::Settings;
use server::http::Call;
use server::routes;
use support::whole::{Server, text};

async fn call(server: &Server, method: Method, path: &str, body: Value) -> (u16, Value) {
    let call = Call {
        method,
        path: path.to_owned(),
        query: String::new(),
        headers: HeaderMap::new(),
        body: body.to_string().into(),
        peer: ([127, 0, 0, 1], 4000).into(),
        busy: server.0.clock.busy(),
    };
    let reply = routes::answer(server.0.clone(), call).await;
    let said = serde_json::from_slice(&reply.body).expect("JSON");
    (reply.status.as_u16(), said)
}

#[tokio::test]
async fn only_a_task_that_takes_a_callback_is_given_one() {
    let route = json!({
        "name": "valuation",
        "path": "/callbacks/valuation",
        "reference": "$.ref",
        "verify": { "scheme": "none" },
    });
    let server = Server::open_as(Settings {
        routes: vec![serde_json::from_value(route).expect("a route")],
        ..Server::settings()
    })
    .await;
    let activity = server
        .ask("CreateActivity", json!({ "name": "value" }))
        .await;
    let wait = json!({ "Type": "Task", "Resource": activity["activityArn"], "End": true });
    let child = json!({ "Wait": wait });
    let child = server.machine("Child", "STANDARD", "Wait", child).await;
    let job = json!({
        "Type": "Task",
        "Resource": "arn:aws:states:::states:startExecution.sync:2",
        "Parameters": { "StateMachineArn": child, "Input": {} },
        "End": true,
    });
    let branch = |name: &str, state: &Value| {
        let states = json!({ name: state });
        json!({ "StartAt": name, "States": states })
    };
    let both = json!({ "Both": {
        "Type": "Parallel",
        "End": true,
        "Branches": [branch("Ask", &wait), branch("Job", &job)],
    } });
    let parent = server.machine("Parent", "STANDARD", "Both", both).await;
    let execution = server.start(&parent, json!({})).await;
    drop(server.0.clock.advance(server.0.clock.now()).await);
    let body = json!({ "ref": "mistyped", "value": 7 });
    let (_, said) = call(&server, Method::POST, "/callbacks/valuation", body).await;
    let path = format!("/rejoin/deliveries/{}/rematch", text(&said, "deliveryId"));
    let rematch = async |wish: Value| call(&server, Method::POST, &path, wish).await;

    let (status, said) = rematch(json!({ "execution": execution, "state": "Job" })).await;
    assert_eq!(
        (status, &said["error"]),
        (409, &json!("NoCallbackTask")),
        "{said}"
    );
    let message = text(&said, "message");
    assert!(
        message.contains("Job of the execution") && message.contains("(.sync)"),
        "{message}"
    );
    let (status, said) = rematch(json!({ "execution": "some-name" })).await;
    assert_eq!(
        (status, &said["error"]),
        (400, &json!("InvalidBody")),
        "{said}"
    );
    // Of the two waits of the execution one is meant, for the other takes nothing.
    let (status, said) = rematch(json!({ "execution": execution })).await;
    assert_eq!(status, 200, "{said}");
    assert_eq!(said["delivery"]["disposition"], "delivered", "{said}");
    assert_eq!(said["delivery"]["stateName"], "Ask");
}
