//! The gateway in front of an engine elsewhere: a stand-in on loopback that answers in every way there is,
//! and another Rejoin. Time is virtual; nothing sleeps.

#[path = "gateway_remote/engine.rs"]
mod engine;
#[path = "gateway_remote/inbox.rs"]
mod inbox;
#[path = "gateway_remote/order.rs"]
mod order;
#[path = "gateway_remote/rejoin.rs"]
mod rejoin;
#[path = "gateway_remote/starts.rs"]
mod starts;
mod support;

use std::collections::BTreeMap;
use std::path::PathBuf;

use asl::Timestamp;
use engine::{Engine, Fault};
use hyper::{HeaderMap, Method};
use serde_json::{Value, json};
use server::app::{App, Place, Settings};
use server::clock::Clock;
use server::gateway::{EngineConfig, RouteConfig};
use server::http::Call;
use server::services::Environment;
use support::NOW;

const ARN: &str = "arn:aws:states:eu-west-1:123456789012:execution:Loans:loan-1";

/// A gateway alone, and what it is asked.
struct Front(App);

fn route() -> Value {
    json!({
        "name": "valuation",
        "path": "/callbacks/valuation",
        "reference": "$.ref",
        "engine": "aws",
        "failure": { "when": "$.failed", "error": "ValuationFailed", "cause": "$.reason" },
        "heartbeat": { "when": "$.status", "equals": "working" },
        "used_keep_seconds": 3600,
    })
}

fn settings(url: &str, more: Value, clock: Clock, directory: Option<PathBuf>) -> Settings {
    // An engine that answers at once does so on a busy machine too; what hangs says how long.
    let mut config = json!({ "endpoint_url": url, "region": "eu-west-1", "timeout_seconds": 60 });
    for (key, value) in more.as_object().into_iter().flatten() {
        config[key] = value.clone();
    }
    let config: EngineConfig = serde_json::from_value(config).expect("an engine");
    let variables = [
        ("AWS_ACCESS_KEY_ID".to_owned(), "AKID".to_owned()),
        ("AWS_SECRET_ACCESS_KEY".to_owned(), "secret".to_owned()),
    ];
    let route: RouteConfig = serde_json::from_value(route()).expect("a route");
    Settings {
        place: Place {
            region: "us-east-1".to_owned(),
            account: "123456789012".to_owned(),
        },
        clock,
        directory,
        retention_days: 90,
        quotas: Default::default(),
        functions: Default::default(),
        topics: Default::default(),
        routes: vec![route],
        alerts: Default::default(),
        status_changes: Default::default(),
        stuck_waits: Default::default(),
        address: ([127, 0, 0, 1], 1).into(),
        environment: Environment::of(variables)
            .with_engines(BTreeMap::from([("aws".to_owned(), config)])),
    }
}

impl Front {
    async fn of(url: &str) -> Front {
        Front::with(url, json!({})).await
    }

    async fn with(url: &str, more: Value) -> Front {
        let settings = settings(url, more, Clock::standing_at(NOW), None);
        Front(App::open_gateway(settings).await.expect("it opens").0)
    }

    async fn send(&self, method: Method, path: &str, body: Value) -> (u16, Value) {
        let body = match body {
            Value::Null => String::new(),
            body => body.to_string(),
        };
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let call = Call {
            method,
            path: path.to_owned(),
            query: query.to_owned(),
            headers: HeaderMap::new(),
            body: body.into(),
            peer: ([127, 0, 0, 1], 4000).into(),
            busy: self.0.clock.busy(),
        };
        let reply = server::routes::answer(self.0.clone(), call).await;
        let said = serde_json::from_slice(&reply.body).expect("JSON");
        (reply.status.as_u16(), said)
    }

    async fn register(&self, reference: &str, mut body: Value, token: &str) -> (u16, Value) {
        body["taskToken"] = token.into();
        let path = format!("/rejoin/references/valuation/{reference}");
        self.send(Method::PUT, &path, body).await
    }

    async fn call_back(&self, body: Value) -> (u16, String) {
        let (status, said) = self.send(Method::POST, "/callbacks/valuation", body).await;
        let disposition = said["disposition"].as_str().unwrap_or_default().to_owned();
        (status, disposition)
    }

    /// Deliveries, the oldest first.
    async fn deliveries(&self) -> Vec<Value> {
        let (_, said) = self
            .send(Method::GET, "/rejoin/deliveries", Value::Null)
            .await;
        let mut all = said["deliveries"].as_array().expect("a list").clone();
        all.reverse();
        all
    }

    /// All dispositions that the last delivery went through, and the note of the last.
    async fn last(&self) -> (String, String) {
        let all = self.deliveries().await;
        let last = all.last().expect("a delivery");
        (
            dispositions(last),
            last["note"].as_str().unwrap_or_default().to_owned(),
        )
    }

    async fn engine(&self) -> Value {
        let (_, said) = self.send(Method::GET, "/rejoin/engines", Value::Null).await;
        said["engines"][0].clone()
    }

    /// Time passes, and all that is due is done.
    async fn pass(&self, seconds: i64) {
        let until = Timestamp(self.0.clock.now().0 + seconds * 1000);
        drop(self.0.clock.advance(until).await);
    }
}

fn dispositions(delivery: &Value) -> String {
    let steps = delivery["dispositions"].as_array().expect("a list");
    let steps: Vec<&str> = steps
        .iter()
        .filter_map(|step| step["disposition"].as_str())
        .collect();
    steps.join(" > ")
}

fn took(status: u16, disposition: &str) -> (u16, String) {
    (status, disposition.to_owned())
}

#[tokio::test]
async fn a_success_a_failure_and_a_heartbeat_go_out_signed() {
    let engine = Engine::start().await;
    let front = Front::of(&engine.url).await;
    for token in ["t1", "t2"] {
        engine.open(token);
    }
    assert_eq!(front.register("r1", json!({}), "t1").await.0, 200);
    assert_eq!(front.register("r2", json!({}), "t2").await.0, 200);
    let working = json!({"ref": "r1", "status": "working"});
    assert_eq!(front.call_back(working).await, took(200, "heartbeat"));
    let answer = json!({"ref": "r1", "value": 250_000});
    assert_eq!(
        front.call_back(answer.clone()).await,
        took(200, "delivered")
    );
    assert_eq!(engine.result("t1"), Some(answer));
    let failed = json!({"ref": "r2", "failed": true, "reason": "no such house"});
    assert_eq!(
        front.call_back(failed).await,
        took(200, "delivered-as-failure")
    );
    let result = engine.result("t2").expect("it failed");
    assert_eq!(
        result,
        json!({"failed": "ValuationFailed", "cause": "no such house"})
    );
    let signed = engine.state.lock().authorization[0].clone();
    assert!(
        signed.starts_with("AWS4-HMAC-SHA256 Credential=AKID/"),
        "{signed}"
    );
    assert!(
        signed.contains("/eu-west-1/states/aws4_request"),
        "{signed}"
    );
    assert_eq!(front.engine().await["queued"], 0);
}

#[tokio::test]
async fn repeats_and_what_comes_after_the_end_are_told_apart() {
    let engine = Engine::start().await;
    let front = Front::of(&engine.url).await;
    engine.open("t1");
    front.register("r1", json!({}), "t1").await;
    let answer = json!({"ref": "r1", "value": 1});
    assert_eq!(
        front.call_back(answer.clone()).await,
        took(200, "delivered")
    );
    assert_eq!(
        front.call_back(answer).await,
        took(200, "duplicate-identical")
    );
    let other = json!({"ref": "r1", "value": 2});
    assert_eq!(
        front.call_back(other).await,
        took(409, "duplicate-contradicting")
    );
    assert_eq!(engine.asked("SendTaskSuccess").len(), 1);

    // Somebody else answered for it.
    engine
        .state
        .lock()
        .waits
        .insert("t2".into(), Some(json!(1)));
    front
        .register("r2", json!({"timeoutSeconds": 60}), "t2")
        .await;
    assert_eq!(
        front.call_back(json!({"ref": "r2"})).await,
        took(410, "late-ended")
    );
    // And after its deadline nobody has to ask why.
    engine
        .state
        .lock()
        .waits
        .insert("t3".into(), Some(json!(1)));
    front
        .register("r3", json!({"timeoutSeconds": 60}), "t3")
        .await;
    front.pass(61).await;
    assert_eq!(
        front.call_back(json!({"ref": "r3"})).await,
        took(410, "late-timed-out")
    );
    assert_eq!(
        front.deliveries().await[4]["waitDeadline"],
        "2026-01-02T03:05:05.678Z"
    );
    // A task that the engine has forgotten.
    front.register("r4", json!({}), "gone").await;
    assert_eq!(
        front.call_back(json!({"ref": "r4"})).await,
        took(410, "late-ended")
    );
    // Nobody knows it: it may be registered yet.
    assert_eq!(
        front.call_back(json!({"ref": "nobody"})).await,
        took(202, "early")
    );
    engine.open("t5");
    let (status, said) = front.register("nobody", json!({}), "t5").await;
    assert_eq!(
        (status, &said["early"]["disposition"]),
        (200, &json!("delivered"))
    );
    assert!(engine.result("t5").is_some());
}

#[tokio::test]
async fn each_error_of_aws_has_its_disposition() {
    let rows = [
        (400, "TaskTimedOut", 410, "late-timed-out", 0),
        (400, "TaskDoesNotExist", 410, "late-ended", 0),
        (400, "InvalidToken", 202, "undeliverable", 0),
        (400, "InvalidOutput", 400, "malformed", 0),
        (400, "ValidationException", 400, "malformed", 0),
        (400, "ThrottlingException", 202, "undeliverable", 1),
        (429, "TooManyRequestsException", 202, "undeliverable", 1),
        (500, "InternalFailure", 202, "undeliverable", 1),
        (503, "ServiceUnavailable", 202, "undeliverable", 1),
        (400, "AccessDeniedException", 202, "undeliverable", 1),
        (400, "ExpiredTokenException", 202, "undeliverable", 1),
        (400, "UnrecognizedClientException", 202, "undeliverable", 1),
        (418, "NobodyKnowsThisOne", 202, "undeliverable", 1),
    ];
    for (status, code, answered, disposition, queued) in rows {
        let engine = Engine::start().await;
        let front = Front::of(&engine.url).await;
        engine.open("t1");
        front.register("r1", json!({}), "t1").await;
        engine.next(&[Fault::Error(status, code)]);
        let answer = json!({"ref": "r1", "value": 1});
        assert_eq!(
            front.call_back(answer).await,
            took(answered, disposition),
            "{code}"
        );
        assert_eq!(front.engine().await["queued"], queued, "{code}");
        // What is kept comes through by itself, however long its pause.
        front.pass(3600).await;
        assert_eq!(engine.result("t1").is_some(), queued == 1, "{code}");
        if queued == 1 {
            assert_eq!(front.last().await.0, "undeliverable > delivered", "{code}");
        }
        assert_eq!(front.engine().await["queued"], 0, "{code}");
    }
}

#[tokio::test]
async fn the_token_is_shown_nowhere_even_if_the_engine_repeats_it() {
    let engine = Engine::start().await;
    let front = Front::of(&engine.url).await;
    front
        .register("r1", json!({"stateName": "Ask"}), "very-secret")
        .await;
    engine.next(&[Fault::Error(400, "ValidationException")]);
    front.call_back(json!({"ref": "r1"})).await;
    let (_, shown) = front
        .send(Method::GET, "/rejoin/references/valuation/r1", Value::Null)
        .await;
    assert_eq!(shown["engine"], "aws");
    assert_eq!(shown["stateName"], "Ask");
    assert_eq!(shown["executionArn"], Value::Null);
    let all = json!([shown, front.deliveries().await]).to_string();
    assert!(!all.contains("very-secret"), "{all}");
}

#[tokio::test]
async fn a_lost_answer_is_looked_up_where_that_is_possible_and_said_where_not() {
    let engine = Engine::start().await;
    let front = Front::of(&engine.url).await;
    for token in ["t1", "t2", "t3"] {
        engine.open(token);
    }
    let answer = |reference: &str| json!({"ref": reference, "value": 7});
    // Nobody has said which execution it is.
    front.register("r1", json!({}), "t1").await;
    engine.next(&[Fault::LoseAnswer]);
    assert_eq!(
        front.call_back(answer("r1")).await,
        took(202, "undeliverable")
    );
    front.pass(60).await;
    let (steps, note) = front.last().await;
    assert_eq!(steps, "undeliverable > late-ended");
    assert!(note.starts_with("It may have counted"), "{note}");
    assert!(note.contains("executionArn"), "{note}");

    // The history shows this very result.
    let scheduled = json!({"id": 3, "previousEventId": 2, "type": "TaskScheduled",
        "taskScheduledEventDetails": {"parameters": "{\"Payload\":{\"token\":\"t2\"}}"}});
    let succeeded = |output: Value| {
        json!({"id": 5, "previousEventId": 4, "type": "TaskSucceeded", "timestamp": 1_767_323_045.0,
            "taskSucceededEventDetails": {"output": output.to_string()}})
    };
    let submitted = json!({"id": 4, "previousEventId": 3, "type": "TaskSubmitted"});
    let history = json!([scheduled, submitted, succeeded(answer("r2"))]);
    engine.state.lock().histories.insert(ARN.into(), history);
    let place = json!({"executionArn": ARN, "stateName": "Ask"});
    front.register("r2", place.clone(), "t2").await;
    engine.next(&[Fault::LoseAnswer]);
    front.call_back(answer("r2")).await;
    front.pass(60).await;
    let (steps, note) = front.last().await;
    assert_eq!(steps, "undeliverable > delivered");
    assert!(
        note.starts_with("It was the result of Ask of the execution loan-1."),
        "{note}"
    );

    // The history shows another one: it was somebody else.
    let scheduled = json!({"id": 3, "previousEventId": 2, "type": "TaskScheduled",
        "taskScheduledEventDetails": {"parameters": "{\"Payload\":{\"token\":\"t3\"}}"}});
    let history = json!([scheduled, submitted, succeeded(json!({"by": "hand"}))]);
    engine.state.lock().histories.insert(ARN.into(), history);
    front.register("r3", place, "t3").await;
    engine.next(&[Fault::LoseAnswer]);
    front.call_back(answer("r3")).await;
    front.pass(60).await;
    let (steps, note) = front.last().await;
    assert_eq!(steps, "undeliverable > late-ended");
    assert!(note.contains("had been answered by other means"), "{note}");
}

#[tokio::test]
async fn what_a_worker_says_is_checked_and_shown() {
    let engine = Engine::start().await;
    let front = Front::of(&engine.url).await;
    let place =
        json!({"executionArn": ARN, "stateName": "Ask", "deadline": "2026-01-03T00:00:00Z"});
    let (status, said) = front.register("r1", place, "t1").await;
    assert_eq!(status, 200);
    assert_eq!(said["executionName"], "loan-1");
    assert_eq!(
        said["stateMachineArn"],
        "arn:aws:states:eu-west-1:123456789012:stateMachine:Loans"
    );
    assert_eq!(said["waitDeadline"], "2026-01-03T00:00:00.000Z");
    assert_eq!(said["wait"], "open");
    // The same again is no news; another wait has to wait until this one is over.
    assert_eq!(front.register("r1", json!({}), "t1").await.0, 200);
    assert_eq!(front.register("r1", json!({}), "t2").await.0, 409);
    front.pass(86_400 + 3600).await;
    assert_eq!(front.register("r1", json!({}), "t2").await.0, 200);
    for (wrong, error) in [
        (json!({"executionArn": "loan-1"}), "InvalidBody"),
        (json!({"deadline": "tomorrow"}), "InvalidBody"),
        (
            json!({"deadline": "2026-01-03T00:00:00Z", "timeoutSeconds": 3}),
            "InvalidBody",
        ),
        (json!({"timeout": 3}), "InvalidBody"),
    ] {
        let (status, said) = front.register("r2", wrong.clone(), "t3").await;
        assert_eq!(
            (status, said["error"].as_str()),
            (400, Some(error)),
            "{wrong}"
        );
    }
    let long = "x".repeat(2049);
    assert_eq!(
        front.register("r2", json!({}), &long).await.1["error"],
        "InvalidToken"
    );
}

#[tokio::test]
async fn a_gateway_alone_runs_nothing_and_says_so() {
    let engine = Engine::start().await;
    let front = Front::of(&engine.url).await;
    let (status, said) = front.send(Method::POST, "/", json!({})).await;
    assert_eq!(status, 400);
    assert_eq!(said["__type"], "UnknownOperationException");
    assert_eq!(front.send(Method::GET, "/health", Value::Null).await.0, 200);
    let (_, said) = front
        .send(Method::GET, "/rejoin/engines", Value::Null)
        .await;
    assert_eq!(said["inProcess"], false);
    assert_eq!(said["engines"][0]["endpoint"], engine.url);
    let mut orders = json!({"path": "/orders", "reference": "$.id"});
    let (status, said) = front
        .send(Method::PUT, "/rejoin/routes/orders", orders.clone())
        .await;
    assert_eq!(status, 400, "{said}");
    assert!(
        said["message"]
            .as_str()
            .is_some_and(|m| m.contains("names no `engine`")),
        "{said}"
    );
    orders["engine"] = "awss".into();
    let (_, said) = front
        .send(Method::PUT, "/rejoin/routes/orders", orders.clone())
        .await;
    assert!(
        said["message"]
            .as_str()
            .is_some_and(|m| m.contains("did you mean \"aws\"?")),
        "{said}"
    );
    orders["engine"] = "aws".into();
    assert_eq!(
        front
            .send(Method::PUT, "/rejoin/routes/orders", orders)
            .await
            .0,
        201
    );

    for (wrong, expected) in [
        (
            json!({"expects": ["Loans.Ask"]}),
            "`expects` and `registers` are for tasks that this server hands out",
        ),
        (json!({"engine": null}), "it names no `engine`"),
    ] {
        let mut settings = settings(&engine.url, json!({}), Clock::standing_at(NOW), None);
        let mut config = route();
        for (key, value) in wrong.as_object().expect("an object") {
            config[key] = value.clone();
        }
        settings.routes = vec![serde_json::from_value(config).expect("a route")];
        let said = App::open_gateway(settings)
            .await
            .err()
            .expect("it is wrong");
        assert!(said.contains(expected), "{said}");
    }
    let settings = settings("nowhere", json!({}), Clock::standing_at(NOW), None);
    let said = App::open_gateway(settings)
        .await
        .err()
        .expect("it is wrong");
    assert!(said.starts_with("engine \"aws\": `endpoint_url`"), "{said}");
}
