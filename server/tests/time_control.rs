//! The virtual clock's door, asked as a client asks, on a server with an execution that waits.

use std::time::Duration;

use asl::Timestamp;
use hyper::{HeaderMap, Method};
use serde_json::{Value, json};
use server::app::{App, Place, Settings};
use server::clock::Clock;
use server::http::Call;
use server::routes;

/// 2023-11-14T22:13:20Z.
const START: Timestamp = Timestamp(1_700_000_000_000);

async fn server(clock: Clock) -> App {
    let settings = Settings {
        place: Place {
            region: "us-east-1".to_owned(),
            account: "123456789012".to_owned(),
        },
        clock,
        directory: None,
        retention_days: 90,
        quotas: Default::default(),
        stuck_waits: Default::default(),
        environment: Default::default(),
        functions: Default::default(),
        topics: Default::default(),
        routes: Vec::new(),
        alerts: Default::default(),
        status_changes: Vec::new(),
        address: ([127, 0, 0, 1], 8083).into(),
    };
    let (app, _) = App::open(settings).await.expect("a store in memory opens");
    app
}

async fn ask(app: &App, method: Method, path: &str, target: &str, body: &str) -> (u16, Value) {
    ask_with(app, (method, path, ""), target, body).await
}

async fn ask_with(
    app: &App,
    (method, path, query): (Method, &str, &str),
    target: &str,
    body: &str,
) -> (u16, Value) {
    let mut headers = HeaderMap::new();
    headers.insert("x-amz-target", target.parse().expect("a header's text"));
    let call = Call {
        method,
        path: path.to_owned(),
        query: query.to_owned(),
        headers,
        body: body.to_owned().into(),
        peer: ([127, 0, 0, 1], 4000).into(),
        busy: app.clock.busy(),
    };
    let reply = routes::answer(app.clone(), call).await;
    let said = serde_json::from_slice(&reply.body).expect("answers are JSON");
    (reply.status.as_u16(), said)
}

/// What the clock says of itself after such a request; the time in seconds since the start.
async fn clock(app: &App, method: Method, order: &str, body: &str) -> (f64, Value) {
    let path = format!("/rejoin/clock{order}");
    let (status, said) = ask(app, method, &path, "", body).await;
    assert_eq!(status, 200, "{path} {body}: {said}");
    assert_eq!(said["clock"], "virtual");
    let now: Timestamp = said["now"]
        .as_str()
        .and_then(|text| text.parse().ok())
        .expect("a time");
    (
        (now.0 - START.0) as f64 / 1000.0,
        said["next_timer"].clone(),
    )
}

/// A server with an execution that waits for ten seconds, and then for an hour.
async fn waiting() -> App {
    let app = server(Clock::standing_at(START)).await;
    let definition = json!({"StartAt": "Short", "States": {
        "Short": {"Type": "Wait", "Seconds": 10, "Next": "Long"},
        "Long": {"Type": "Wait", "Seconds": 3600, "End": true},
    }});
    let role = "arn:aws:iam::123456789012:role/r";
    let machine = json!({"name": "M", "roleArn": role, "definition": definition.to_string()});
    let machine_arn = "arn:aws:states:us-east-1:123456789012:stateMachine:M";
    let start = json!({ "stateMachineArn": machine_arn, "name": "e" });
    for (operation, request) in [("CreateStateMachine", machine), ("StartExecution", start)] {
        let target = format!("AWSStepFunctions.{operation}");
        let (status, said) = ask(&app, Method::POST, "/", &target, &request.to_string()).await;
        assert_eq!(status, 200, "{operation}: {said}");
    }
    app
}

#[tokio::test]
async fn time_is_moved_by_so_much_or_to_what_is_due() {
    let app = waiting().await;
    let short = json!("2023-11-14T22:13:30.000Z");
    let long = json!("2023-11-14T23:13:30.000Z");

    assert_eq!(clock(&app, Method::GET, "", "").await, (0.0, short.clone()));
    // A fraction that binary numbers can't say exactly loses nothing.
    let moved = clock(&app, Method::POST, "/advance", r#"{"seconds": 9.999}"#).await;
    assert_eq!(moved, (9.999, short));
    let moved = clock(&app, Method::POST, "/next", "").await;
    assert_eq!(moved, (10.0, long.clone()));
    // Nothing is due within a minute, so there is nowhere to go.
    let moved = clock(&app, Method::POST, "/until-idle", r#"{"seconds": 60}"#).await;
    assert_eq!(moved, (10.0, long));
    let moved = clock(&app, Method::POST, "/until-idle", r#"{"seconds": 3600}"#).await;
    assert_eq!(moved, (3610.0, Value::Null));
    let moved = clock(&app, Method::POST, "/next", "").await;
    assert_eq!(moved, (3610.0, Value::Null));
}

#[tokio::test]
async fn time_that_runs_by_itself_goes_through_all_timers() {
    let app = waiting().await;
    clock(&app, Method::PUT, "/automatic", r#"{"automatic": true}"#).await;
    let path = "/rejoin/executions/arn:aws:states:us-east-1:123456789012:execution:M:e";
    let call = (Method::GET, path, "wait=30");
    let (_, ended) = ask_with(&app, call, "", "").await;
    assert_eq!(ended["stopDate"], "2023-11-14T23:13:30.000Z");
}

#[tokio::test]
async fn how_long_a_function_may_hold_time_is_set() {
    let app = waiting().await;
    assert_eq!(app.clock.grace(), Duration::from_secs(5));
    clock(&app, Method::PUT, "/grace", r#"{"seconds": 0.25}"#).await;
    assert_eq!(app.clock.grace(), Duration::from_millis(250));
}

#[tokio::test]
async fn what_makes_no_sense_is_refused_with_a_way_out() {
    let app = waiting().await;
    for (method, order, body, status, error) in [
        (Method::POST, "/advance", "soon", 400, "Malformed"),
        (
            Method::POST,
            "/advance",
            r#"{"seconds": -1}"#,
            400,
            "Malformed",
        ),
        (
            Method::POST,
            "/advance",
            r#"{"seconds": 1e99}"#,
            400,
            "Malformed",
        ),
        (
            Method::POST,
            "/advance",
            r#"{"minutes": 1}"#,
            400,
            "Malformed",
        ),
        (
            Method::PUT,
            "/automatic",
            r#"{"automatic": 1}"#,
            400,
            "Malformed",
        ),
        (Method::PUT, "/grace", "{}", 400, "Malformed"),
        (Method::POST, "/back", "{}", 404, "NotFound"),
        (Method::DELETE, "", "", 404, "NotFound"),
    ] {
        let path = format!("/rejoin/clock{order}");
        let (got, said) = ask(&app, method, &path, "", body).await;
        assert_eq!(
            (got, &said["error"]),
            (status, &json!(error)),
            "{path} {body}"
        );
        assert!(said["hint"].is_string(), "{path} {body}: {said}");
    }
    assert_eq!(app.clock.now(), START);

    let app = server(Clock::real()).await;
    let (status, said) = ask(&app, Method::POST, "/rejoin/clock/next", "", "").await;
    assert_eq!((status, &said["error"]), (409, &json!("RealClock")));
    let (status, said) = ask(&app, Method::GET, "/rejoin/clock", "", "").await;
    assert_eq!((status, &said["clock"]), (200, &json!("real")));
}

const ACCOUNT: &str = "us-east-1:123456789012";

/// An operation of the Step Functions API, which goes well.
async fn operation(app: &App, name: &str, request: Value) -> Value {
    let target = format!("AWSStepFunctions.{name}");
    let (status, said) = ask(app, Method::POST, "/", &target, &request.to_string()).await;
    assert_eq!(status, 200, "{name} {request}: {said}");
    said
}

/// A server on which executions of `M` ask a worker with these limits of a Task state; and such an execution.
async fn asking(limits: Value) -> (App, String) {
    let app = server(Clock::standing_at(START)).await;
    operation(&app, "CreateActivity", json!({"name": "ask"})).await;
    let mut state = json!({"Type": "Task", "Resource": format!("arn:aws:states:{ACCOUNT}:activity:ask"), "End": true});
    for (name, value) in limits.as_object().expect("an object") {
        state[name] = value.clone();
    }
    let definition = json!({"StartAt": "Ask", "States": {"Ask": state}});
    let machine = json!({"name": "M", "roleArn": "arn:aws:iam::123456789012:role/r", "definition": definition.to_string()});
    let machine = operation(&app, "CreateStateMachine", machine).await;
    let start = json!({"stateMachineArn": machine["stateMachineArn"]});
    let started = operation(&app, "StartExecution", start).await;
    let arn = started["executionArn"].as_str().expect("text").to_owned();
    (app, arn)
}

async fn until_ended(app: &App, arn: &str, seconds: Option<f64>) -> (u16, Value) {
    let body = json!({"executionArn": arn, "seconds": seconds}).to_string();
    ask(app, Method::POST, "/rejoin/clock/until-ended", "", &body).await
}

async fn token(app: &App) -> Value {
    let activity = format!("arn:aws:states:{ACCOUNT}:activity:ask");
    let task = operation(app, "GetActivityTask", json!({"activityArn": activity})).await;
    task["taskToken"].clone()
}

#[tokio::test]
async fn an_execution_is_followed_to_its_end_however_far() {
    let year = 31_536_000;
    let (app, arn) = asking(json!({"TimeoutSeconds": year})).await;
    let (status, said) = until_ended(&app, &arn, Some(60.0)).await;
    assert_eq!((status, &said["error"]), (409, &json!("NotEndedInTime")));
    let why = said["message"].as_str().expect("text");
    assert!(
        why.ends_with("waits in Ask for a worker of its activity, until 2024-11-13T22:13:20.000Z"),
        "{why}"
    );
    assert_eq!(app.clock.now(), START, "it goes nowhere it would not end");

    let (status, said) = until_ended(&app, &arn, None).await;
    assert_eq!(status, 200, "{said}");
    let year_later = json!("2024-11-13T22:13:20.000Z");
    assert_eq!(
        (&said["status"], &said["error"]),
        (&json!("FAILED"), &json!("States.Timeout"))
    );
    assert_eq!(
        (&said["stopDate"], &said["now"]),
        (&year_later, &year_later)
    );
    // One that has ended is told of again, and time stands.
    let (status, again) = until_ended(&app, &arn, None).await;
    assert_eq!((status, again), (200, said));
}

#[tokio::test]
async fn nothing_is_open_for_longer_than_a_year() {
    let day = 86_400;
    for waits in [json!({"TimeoutSeconds": 40_000_000}), json!({})] {
        let (app, arn) = asking(waits.clone()).await;
        let body = json!({"seconds": 400 * day}).to_string();
        let (status, _) = ask(&app, Method::POST, "/rejoin/clock/advance", "", &body).await;
        assert_eq!(status, 200);
        let described = operation(&app, "DescribeExecution", json!({"executionArn": arn})).await;
        assert_eq!(described["status"], "TIMED_OUT", "{waits}");
        let too_old = START.plus_seconds(365 * day).plus_millis(1);
        assert_eq!(
            described["stopDate"],
            json!(too_old.as_seconds()),
            "{waits}"
        );
    }
    // Where time goes by itself, too.
    let (app, arn) = asking(json!({"TimeoutSeconds": 40_000_000})).await;
    let (status, said) = until_ended(&app, &arn, None).await;
    assert_eq!(
        (status, &said["status"]),
        (200, &json!("TIMED_OUT")),
        "{said}"
    );
    assert_eq!(said["stopDate"], "2024-11-13T22:13:20.001Z");
}

#[tokio::test]
async fn what_time_alone_can_not_end_is_said_at_once() {
    let (app, arn) = asking(json!({})).await;
    // The hour after which a wait counts as stuck, and whatever else time only comes by, is no reason to go on.
    let (status, said) = until_ended(&app, &arn, None).await;
    assert_eq!(
        (status, &said["error"], &said["status"]),
        (409, &json!("NothingDue"), &json!("RUNNING"))
    );
    let why = said["message"].as_str().expect("text");
    assert!(
        why.ends_with("the execution waits in Ask for a worker of its activity, no deadline"),
        "{why}"
    );
    assert_eq!(said["waits"][0]["state"], "Ask");

    let done = json!({"taskToken": token(&app).await, "output": "7"});
    operation(&app, "SendTaskSuccess", done).await;
    let (status, said) = until_ended(&app, &arn, None).await;
    assert_eq!(
        (status, &said["status"], &said["output"]),
        (200, &json!("SUCCEEDED"), &json!("7"))
    );
}

#[tokio::test]
async fn heartbeats_that_stop_end_it_at_their_own_time() {
    let (app, arn) = asking(json!({"HeartbeatSeconds": 60, "TimeoutSeconds": 9000})).await;
    let token = token(&app).await;
    for _ in 0..3 {
        clock(&app, Method::POST, "/advance", r#"{"seconds": 50}"#).await;
        operation(&app, "SendTaskHeartbeat", json!({"taskToken": token})).await;
    }
    let (status, said) = until_ended(&app, &arn, None).await;
    assert_eq!((status, &said["status"]), (200, &json!("FAILED")), "{said}");
    assert_eq!(app.clock.now(), START.plus_millis(210_000));
}

#[tokio::test]
async fn an_execution_that_is_not_there_is_not_waited_for() {
    let app = waiting().await;
    for (arn, status, error) in [
        (
            "arn:aws:states:us-east-1:123456789012:execution:M:nobody",
            404,
            "ExecutionDoesNotExist",
        ),
        (
            "arn:aws:states:us-east-1:123456789012:express:M:e:1",
            400,
            "ExpressExecution",
        ),
    ] {
        let (got, said) = until_ended(&app, arn, None).await;
        assert_eq!((got, &said["error"]), (status, &json!(error)));
    }
    assert_eq!(app.clock.now(), START);
}

#[tokio::test]
async fn two_that_move_time_at_once_have_turns() {
    let app = waiting().await;
    // Both are on their way before time can go.
    let busy = app.clock.busy();
    let movers: Vec<_> = (0..2)
        .map(|_| {
            let app = app.clone();
            tokio::spawn(async move {
                clock(&app, Method::POST, "/advance", r#"{"seconds": 30}"#)
                    .await
                    .0
            })
        })
        .collect();
    for _ in 0..10 {
        tokio::task::yield_now().await;
    }
    drop(busy);
    let mut reached = Vec::new();
    for mover in movers {
        reached.push(mover.await.expect("it is answered"));
    }
    assert_eq!(reached, [30.0, 60.0]);
}

#[tokio::test]
async fn a_freeze_stops_time_and_who_moves_it() {
    let app = waiting().await;
    let busy = app.clock.busy();
    let movers: Vec<_> = (0..2)
        .map(|_| {
            let app = app.clone();
            tokio::spawn(async move {
                let body = r#"{"seconds": 30}"#;
                ask(&app, Method::POST, "/rejoin/clock/advance", "", body).await
            })
        })
        .collect();
    for _ in 0..10 {
        tokio::task::yield_now().await;
    }
    let frozen = clock(&app, Method::POST, "/freeze", "").await;
    for mover in movers {
        let (status, said) = mover.await.expect("it is answered");
        assert_eq!((status, &said["error"]), (409, &json!("Frozen")));
    }
    drop(busy);
    assert_eq!(frozen.0, 0.0);
    assert_eq!(app.clock.now(), START);
    // From there it goes on as ever.
    assert_eq!(clock(&app, Method::POST, "/next", "").await.0, 10.0);
}

#[tokio::test]
async fn health_says_which_clock_it_is() {
    let app = waiting().await;
    clock(&app, Method::PUT, "/automatic", r#"{"automatic": true}"#).await;
    let (_, said) = ask(&app, Method::GET, "/health", "", "").await;
    assert_eq!(
        (&said["clock"], &said["automatic"]),
        (&json!("virtual"), &json!(true))
    );
    assert!(said["now"].is_string(), "{said}");
    let app = server(Clock::real()).await;
    let (_, said) = ask(&app, Method::GET, "/health", "", "").await;
    assert_eq!(said["clock"], "real");
}
