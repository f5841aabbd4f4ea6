//! The trace of an execution on its way: in the headers of all that its tasks send, in what workers are told, in
//! executions that it starts, and in the alerts about it.

#![allow(clippy::unwrap_used)]

mod support;

use std::sync::Arc;

use engine::{ExecutionKey, Identity, TraceContext, WaitId};
use hyper::{HeaderMap, Method};
use serde_json::{Value, json};
use server::app::Settings;
use server::http::{Call, Reply};
use server::routes;
use server::services::Environment;
use server::topics::{SubscriberConfig, TopicConfig};
use support::whole::{Server, text};
use support::{Endpoint, url};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const CALLER: &str = "00f067aa0ba902b7";
const STATE: &str = "rojo=1";

async fn endpoint() -> Endpoint {
    Endpoint::start(Arc::new(|path| {
        let body = match path {
            "/sqs" => json!({ "MessageId": "m", "MD5OfMessageBody": "x" }),
            _ => json!({}),
        };
        Some((200, &[][..], body.to_string()))
    }))
    .await
}

/// A server whose services, function and subscribers are all at one place.
async fn server(endpoint: &Endpoint) -> Server {
    Server::open_as(settings(endpoint)).await
}

fn settings(endpoint: &Endpoint) -> Settings {
    let variables = [
        ("AWS_ENDPOINT_URL".to_owned(), endpoint.url("/aws")),
        ("AWS_ACCESS_KEY_ID".to_owned(), "AKID".to_owned()),
        ("AWS_SECRET_ACCESS_KEY".to_owned(), "secret".to_owned()),
    ];
    let subscribers = [
        json!({ "http": endpoint.url("/http") }),
        json!({ "webhook": { "url": endpoint.url("/webhook"), "secrets": ["whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIz"] } }),
        json!({ "cloudevents": { "url": endpoint.url("/cloudevents"), "mode": "binary" } }),
    ];
    let subscribers = subscribers
        .into_iter()
        .map(|one| serde_json::from_value::<SubscriberConfig>(one).unwrap());
    let topic = TopicConfig {
        subscribers: subscribers.collect(),
        retention_days: None,
    };
    let route = |name: &str, more: Value| {
        let mut route = json!({
            "name": name, "path": format!("/callbacks/{name}"), "reference": "$.ref",
            "verify": { "scheme": "none" }, "topic": "errors",
        });
        let all = route.as_object_mut().unwrap();
        all.extend(more.as_object().unwrap().clone());
        serde_json::from_value(route).unwrap()
    };
    Settings {
        environment: Environment::of(variables),
        functions: [("f".to_owned(), url(endpoint.url("/f")))].into(),
        topics: [("errors".to_owned(), topic)].into(),
        alerts: serde_json::from_value(json!({ "topic": "errors" })).unwrap(),
        routes: vec![
            route("valuation", json!({ "expects": ["One.Task"] })),
            route(
                "orders",
                json!({ "starts": { "state_machine": "Child" }, "alerts": ["started"] }),
            ),
        ],
        stuck_waits: serde_json::from_value(json!({ "after_seconds": 60 })).unwrap(),
        ..Server::settings()
    }
}

async fn call(
    server: &Server,
    method: Method,
    path: &str,
    headers: &[(&'static str, &str)],
    body: Value,
) -> Reply {
    let mut all = HeaderMap::new();
    for (name, value) in headers {
        all.insert(*name, value.parse().unwrap());
    }
    let call = Call {
        method,
        path: path.to_owned(),
        query: String::new(),
        headers: all,
        body: body.to_string().into(),
        peer: ([127, 0, 0, 1], 4000).into(),
        busy: server.0.clock.busy(),
    };
    routes::answer(server.0.clone(), call).await
}

fn said(reply: &Reply) -> Value {
    serde_json::from_slice(&reply.body).unwrap_or_default()
}

/// Starts a machine of one task, as part of a trace.
async fn start_task(server: &Server, resource: &str, parameters: Value) -> String {
    let resource = match resource.starts_with("arn:") {
        true => resource.to_owned(),
        false => format!("arn:aws:states:::{resource}"),
    };
    let task = json!({ "Task": {
        "Type": "Task", "Resource": resource, "Parameters": parameters, "End": true,
    } });
    let machine = server.machine("One", "STANDARD", "Task", task).await;
    let parent = format!("00-{TRACE}-{CALLER}-01");
    let headers = [
        ("x-amz-target", "AWSStepFunctions.StartExecution"),
        ("traceparent", parent.as_str()),
        ("tracestate", STATE),
    ];
    let body = json!({ "stateMachineArn": machine });
    let reply = call(server, Method::POST, "/", &headers, body).await;
    text(&said(&reply), "executionArn")
}

async fn identity(server: &Server, arn: &str) -> Identity {
    let execution = server.0.runner.execution(ExecutionKey::of(arn)).await;
    execution.unwrap().expect("it is kept").identity().clone()
}

/// What the first attempt of the task says in each request.
async fn expected(server: &Server, arn: &str) -> (String, String) {
    let identity = identity(server, arn).await;
    let span = identity.wait_span(WaitId(1));
    let context = TraceContext::of_headers(&format!("00-{TRACE}-{CALLER}-01"), Some(STATE));
    let context = context.unwrap();
    (context.traceparent(span), context.x_ray(span))
}

fn header<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    let value = headers
        .get(name)
        .unwrap_or_else(|| panic!("{name}: {headers:?}"));
    value.to_str().unwrap()
}

#[tokio::test]
async fn whatever_a_task_asks_is_told_of_the_trace() {
    let rows = [
        ("lambda:invoke", json!({ "FunctionName": "f" }), "/f"),
        (
            "arn:aws:lambda:us-east-1:123456789012:function:f",
            json!({}),
            "/f",
        ),
        (
            "sqs:sendMessage",
            json!({ "QueueUrl": "http://q.example.com/1/q", "MessageBody": "m" }),
            "/aws/",
        ),
        (
            "dynamodb:getItem",
            json!({ "TableName": "t", "Key": { "id": { "S": "1" } } }),
            "/aws/",
        ),
        ("aws-sdk:sqs:listQueues", json!({}), "/aws/"),
    ];
    for (resource, parameters, path) in rows {
        let mut endpoint = endpoint().await;
        let server = server(&endpoint).await;
        let arn = start_task(&server, resource, parameters).await;
        server.ended(&arn).await;
        let received = endpoint.received.try_recv().expect(resource);
        assert_eq!(received.path, path, "{resource}");
        let (traceparent, x_ray) = expected(&server, &arn).await;
        let headers = &received.headers;
        assert_eq!(header(headers, "traceparent"), traceparent, "{resource}");
        assert_eq!(header(headers, "tracestate"), STATE, "{resource}");
        assert_eq!(header(headers, "x-amzn-trace-id"), x_ray, "{resource}");
        if path == "/f" {
            assert_eq!(header(headers, "lambda-runtime-trace-id"), x_ray);
        } else {
            // Whoever passes the request on may change these, and the signature is to hold.
            let signature = header(headers, "authorization");
            assert!(signature.contains("SignedHeaders="), "{signature}");
            assert!(!signature.contains("trace"), "{signature}");
        }
    }
}

#[tokio::test]
async fn an_http_endpoint_is_told_of_the_trace_unless_the_task_says_another() {
    let mut endpoint = endpoint().await;
    let server = server(&endpoint).await;
    let api = endpoint.url("/api");
    let parameters = |headers: Value| {
        json!({
            "ApiEndpoint": api, "Method": "GET", "Headers": headers,
            "Authentication": { "ConnectionArn": "arn:aws:events:us-east-1:123456789012:connection/c/1" },
        })
    };
    let arn = start_task(&server, "http:invoke", parameters(json!({}))).await;
    let ended = server.ended(&arn).await;
    assert_eq!(ended["status"], "SUCCEEDED", "{ended}");
    let headers = endpoint.received.try_recv().unwrap().headers;
    let (traceparent, x_ray) = expected(&server, &arn).await;
    assert_eq!(header(&headers, "traceparent"), traceparent);
    assert_eq!(header(&headers, "tracestate"), STATE);
    assert_eq!(header(&headers, "x-amzn-trace-id"), x_ray);

    let own = parameters(json!({ "Traceparent": "mine" }));
    let task = json!({ "T": {
        "Type": "Task", "Resource": "arn:aws:states:::http:invoke", "Parameters": own, "End": true,
    } });
    let machine = server.machine("Own", "STANDARD", "T", task).await;
    let arn = server.start(&machine, json!({})).await;
    server.ended(&arn).await;
    let headers = endpoint.received.try_recv().unwrap().headers;
    let all: Vec<_> = headers.get_all("traceparent").iter().collect();
    assert_eq!(all, ["mine"]);
}

#[tokio::test]
async fn an_execution_that_a_task_starts_is_part_of_its_trace() {
    for pattern in ["", ".sync:2"] {
        let endpoint = endpoint().await;
        let server = server(&endpoint).await;
        let pass = json!({ "P": { "Type": "Pass", "End": true } });
        let child = server.machine("Child", "STANDARD", "P", pass).await;
        let parameters = json!({ "StateMachineArn": child, "Name": "child" });
        let resource = format!("states:startExecution{pattern}");
        let arn = start_task(&server, &resource, parameters).await;
        assert_eq!(server.ended(&arn).await["status"], "SUCCEEDED");
        let parent = identity(&server, &arn).await;
        let child = "arn:aws:states:us-east-1:123456789012:execution:Child:child";
        let child = identity(&server, child).await.trace();
        assert_eq!(child.trace.to_string(), TRACE);
        assert_eq!(child.parent, Some(parent.wait_span(WaitId(1))), "{pattern}");
        assert_eq!(child.state.as_deref(), Some(STATE));
    }
}

#[tokio::test]
async fn the_worker_of_an_activity_is_told_of_the_trace_by_the_answer() {
    let endpoint = endpoint().await;
    let server = server(&endpoint).await;
    let activity = server.ask("CreateActivity", json!({ "name": "a" })).await;
    let activity = text(&activity, "activityArn");
    let arn = start_task(&server, &activity, json!({})).await;
    let headers = [("x-amz-target", "AWSStepFunctions.GetActivityTask")];
    let body = json!({ "activityArn": activity });
    let reply = call(&server, Method::POST, "/", &headers, body).await;
    assert!(said(&reply)["taskToken"].is_string());
    let (traceparent, x_ray) = expected(&server, &arn).await;
    let told = |name: &str| {
        let mut found = reply.headers.iter().filter(|(known, _)| *known == name);
        found.next().map(|(_, value)| value.as_str())
    };
    assert_eq!(told("traceparent"), Some(traceparent.as_str()));
    assert_eq!(told("tracestate"), Some(STATE));
    assert_eq!(told("x-amzn-trace-id"), Some(x_ray.as_str()));
}

/// The latest alert of a kind.
async fn alert(server: &Server, kind: &str) -> Value {
    let reply = call(server, Method::GET, "/rejoin/alerts", &[], Value::Null).await;
    let page = said(&reply);
    let mut alerts = page["alerts"].as_array().unwrap().iter();
    let found = alerts.find(|alert| alert["kind"] == kind);
    found.unwrap_or_else(|| panic!("{kind}: {page:#}")).clone()
}

async fn pass(server: &Server, seconds: i64) {
    let clock = &server.0.clock;
    drop(clock.advance(clock.now().plus_seconds(seconds)).await);
}

/// That an alert names the trace, and what tells its whole story.
fn check_alert(alert: &Value, trace: &str, of: &str) {
    assert_eq!(alert["traceId"], trace, "{alert:#}");
    let command = format!("rejoin trace --url http://127.0.0.1:1 {of}");
    assert_eq!(alert["lookFurther"]["trace"], command.as_str(), "{alert:#}");
}

/// That the story of a trace is that of this callback.
async fn story_of_callback(server: &Server, trace: &str, delivery: &str) {
    let path = format!("/rejoin/trace/{trace}");
    let story = said(&call(server, Method::GET, &path, &[], Value::Null).await);
    assert_eq!(story["as"], "trace", "{story:#}");
    assert_eq!(story["traceId"], trace, "{story:#}");
    assert!(story.to_string().contains(delivery), "{story:#}");
}

#[tokio::test]
async fn alerts_about_waits_and_callbacks_name_the_trace_and_pass_it_on() {
    let mut endpoint = endpoint().await;
    let server = server(&endpoint).await;
    let parameters = json!({ "FunctionName": "f", "Payload": { "token.$": "$$.Task.Token" } });
    let arn = start_task(&server, "lambda:invoke.waitForTaskToken", parameters).await;
    let token = loop {
        let received = endpoint.received.recv().await.unwrap();
        if received.path == "/f" {
            let event: Value = serde_json::from_str(&received.body).unwrap();
            break text(&event, "token");
        }
    };
    pass(&server, 0).await;
    check_alert(&alert(&server, "wait-without-deadline").await, TRACE, &arn);
    pass(&server, 61).await;
    check_alert(&alert(&server, "stuck-wait").await, TRACE, &arn);

    let path = "/rejoin/references/valuation/V-1";
    let reply = call(
        &server,
        Method::PUT,
        path,
        &[],
        json!({ "taskToken": token }),
    )
    .await;
    assert!(reply.status.is_success());
    let path = "/callbacks/valuation";
    for _ in 0..2 {
        call(&server, Method::POST, path, &[], json!({ "ref": "V-1" })).await;
    }
    pass(&server, 0).await;
    let duplicate = alert(&server, "duplicate-identical").await;
    check_alert(&duplicate, TRACE, &text(&duplicate, "deliveryId"));
    // The wait has ended, so what was stuck no longer is.
    let over = alert(&server, "stuck-wait").await;
    assert_eq!(
        (&over["resolved"], &over["traceId"]),
        (&true.into(), &TRACE.into())
    );

    // A third party that nobody knows anything of says itself what its callback belongs to.
    let parent = format!("00-0af7651916cd43dd8448eb211c80319c-{CALLER}-01");
    let headers = [("traceparent", parent.as_str())];
    call(
        &server,
        Method::POST,
        path,
        &headers,
        json!({ "ref": "nobody" }),
    )
    .await;
    pass(&server, 0).await;
    let unknown = alert(&server, "unknown-reference").await;
    let id = text(&unknown, "deliveryId");
    let other = "0af7651916cd43dd8448eb211c80319c";
    check_alert(&unknown, other, &id);
    story_of_callback(&server, other, &id).await;

    // One that says nothing has a trace of its own.
    call(&server, Method::POST, path, &[], json!({ "ref": "no one" })).await;
    pass(&server, 0).await;
    let unknown = alert(&server, "unknown-reference").await;
    let id = text(&unknown, "deliveryId");
    story_of_callback(&server, &text(&unknown, "traceId"), &id).await;

    let mut told = Vec::new();
    while let Ok(received) = endpoint.received.try_recv() {
        if received.body.contains("duplicate-identical") || received.path == "/f" {
            told.push(received);
        }
    }
    let of = |path: &str| {
        &told
            .iter()
            .find(|received| received.path == path)
            .expect(path)
            .headers
    };
    for path in ["/http", "/webhook", "/cloudevents"] {
        let parent = header(of(path), "traceparent");
        let read = TraceContext::of_headers(parent, None).expect(parent);
        assert_eq!(read.trace.to_string(), TRACE, "{path}");
    }
    // As CloudEvents' extension for tracing has it.
    let event = of("/cloudevents");
    assert_eq!(
        header(event, "ce-traceparent"),
        header(event, "traceparent")
    );
}

#[tokio::test]
async fn who_is_told_of_an_execution_is_told_of_its_trace_and_so_is_who_cannot_be_told() {
    let mut endpoint = Endpoint::start(Arc::new(|path| {
        let status = if path == "/refuses" { 403 } else { 200 };
        Some((status, &[][..], "{}".to_owned()))
    }))
    .await;
    let mut settings = settings(&endpoint);
    let refuses = json!({ "http": endpoint.url("/refuses") });
    let topic = settings.topics.get_mut("errors").unwrap();
    topic
        .subscribers
        .push(serde_json::from_value(refuses).unwrap());
    let rule = json!({ "topic": "errors", "statuses": ["SUCCEEDED"] });
    settings.status_changes = vec![serde_json::from_value(rule).unwrap()];
    let server = Server::open_as(settings).await;
    let topic = "arn:aws:sns:us-east-1:123456789012:errors";
    let parameters = json!({ "TopicArn": topic, "Message": "published by a task" });
    let arn = start_task(&server, "sns:publish", parameters).await;
    assert_eq!(server.ended(&arn).await["status"], "SUCCEEDED");
    pass(&server, 0).await;
    let (of_task, x_ray) = expected(&server, &arn).await;
    let of_execution = {
        let identity = identity(&server, &arn).await;
        identity.trace().traceparent(identity.execution_span(0))
    };
    let (mut published, mut changed) = (0, 0);
    while let Ok(received) = endpoint.received.try_recv() {
        let headers = &received.headers;
        if received.body.contains("published by a task") {
            published += 1;
            assert_eq!(header(headers, "traceparent"), of_task, "{}", received.path);
            assert_eq!(header(headers, "x-amzn-trace-id"), x_ray);
        } else if received.body.contains("Status Change") {
            changed += 1;
            assert_eq!(header(headers, "traceparent"), of_execution);
        } else {
            continue;
        }
        assert_eq!(header(headers, "tracestate"), STATE);
        if received.path == "/cloudevents" {
            assert_eq!(header(headers, "ce-tracestate"), STATE.replace('"', ""));
        }
    }
    assert_eq!((published, changed), (4, 4));
    let failing = alert(&server, "failing-sink").await;
    assert_eq!(failing["traceId"], TRACE, "{failing:#}");
}

#[tokio::test]
async fn what_a_callback_starts_is_part_of_a_trace_that_its_alert_names() {
    let endpoint = endpoint().await;
    let server = server(&endpoint).await;
    let states = json!({ "P": { "Type": "Pass", "End": true } });
    server.machine("Child", "STANDARD", "P", states).await;
    let parent = format!("00-{TRACE}-{CALLER}-01");
    for (reference, headers) in [
        ("O-1", vec![("traceparent", parent.as_str())]),
        ("O-2", vec![]),
    ] {
        let body = json!({ "ref": reference });
        call(&server, Method::POST, "/callbacks/orders", &headers, body).await;
        pass(&server, 1000).await;
        let arn = format!("arn:aws:states:us-east-1:123456789012:execution:Child:{reference}");
        let context = identity(&server, &arn).await.trace();
        let started = alert(&server, "started").await;
        assert_eq!(started["reference"], reference);
        check_alert(
            &started,
            &context.trace.to_string(),
            &text(&started, "deliveryId"),
        );
        let parent = context.parent.map(|parent| parent.to_string());
        let expected = (!headers.is_empty()).then_some(CALLER);
        assert_eq!(parent.as_deref(), expected);
        assert_eq!(context.trace.to_string() == TRACE, !headers.is_empty());
    }
}
