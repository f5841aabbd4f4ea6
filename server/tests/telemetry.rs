//! Traces of a whole server, as a collector gets them. What a collector is sent is checked against OTLP, member
//! by member, before anything is made of it.

#![allow(clippy::unwrap_used)]

mod support;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use engine::{ExecutionKey, Identity, WaitId};
use hyper::{HeaderMap, Method};
use serde_json::{Value, json};
use server::app::Settings;
use server::http::Call;
use server::routes;
use server::services::Environment;
use server::telemetry::TelemetryConfig;
use support::whole::{ROLE, Server, scratch, text};
use support::{Endpoint, url};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const CALLER: &str = "00f067aa0ba902b7";
const OTHER_TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const THIRD_PARTY: &str = "b7ad6b7169203331";

/// What a collector and a function answer that have nothing against anything.
async fn endpoint() -> Endpoint {
    Endpoint::start(Arc::new(|_| Some((200, &[][..], "{}".to_owned())))).await
}

fn settings(endpoint: &Endpoint, directory: Option<PathBuf>) -> Settings {
    settings_with(endpoint, directory, "none")
}

fn settings_with(endpoint: &Endpoint, directory: Option<PathBuf>, packed: &str) -> Settings {
    let variables = [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint.url("")),
        ("OTEL_EXPORTER_OTLP_HEADERS", "x-tenant=loans".to_owned()),
        ("OTEL_EXPORTER_OTLP_COMPRESSION", packed.to_owned()),
        ("OTEL_SERVICE_NAME", "loans".to_owned()),
    ];
    let variables = variables.map(|(name, value)| (name.to_owned(), value));
    let export = TelemetryConfig::default()
        .export(variables.into_iter())
        .unwrap();
    assert!(export.is_some());
    let route = |name: &str, more: Value| {
        let mut route = json!({
            "name": name, "path": format!("/callbacks/{name}"), "reference": "$.ref",
            "verify": { "scheme": "none" },
        });
        let all = route.as_object_mut().unwrap();
        all.extend(more.as_object().unwrap().clone());
        serde_json::from_value(route).unwrap()
    };
    Settings {
        environment: Environment::default().traced_to(export),
        directory,
        functions: [("f".to_owned(), url(endpoint.url("/f")))].into(),
        routes: vec![
            route(
                "valuation",
                json!({
                    "expects": ["Loans.Ask"],
                    "heartbeat": { "when": "$.beat", "equals": true },
                }),
            ),
            route("orders", json!({ "starts": { "state_machine": "Plain" } })),
        ],
        ..Server::settings()
    }
}

async fn call(
    server: &Server,
    method: Method,
    path: &str,
    headers: &[(&'static str, &str)],
    body: Value,
) -> (u16, Value) {
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
    let reply = routes::answer(server.0.clone(), call).await;
    let said = serde_json::from_slice(&reply.body).unwrap_or_default();
    (reply.status.as_u16(), said)
}

async fn start(server: &Server, machine: &str, traceparent: &str) -> String {
    let headers = [
        ("x-amz-target", "AWSStepFunctions.StartExecution"),
        ("traceparent", traceparent),
        ("tracestate", "rojo=1"),
    ];
    let body = json!({ "stateMachineArn": machine });
    let (status, said) = call(server, Method::POST, "/", &headers, body).await;
    assert_eq!(status, 200, "{said}");
    text(&said, "executionArn")
}

/// A machine that asks a third party, and one that does nothing.
async fn machines(server: &Server) -> (String, String) {
    let asking = json!({
        "Before": { "Type": "Pass", "Next": "Ask" },
        "Ask": {
            "Type": "Task", "Resource": "arn:aws:states:::lambda:invoke.waitForTaskToken", "End": true,
            "TimeoutSeconds": 60,
            "Parameters": { "FunctionName": "f", "Payload": { "token.$": "$$.Task.Token" } },
        },
    });
    let loans = server.machine("Loans", "STANDARD", "Before", asking).await;
    let plain = json!({ "Only": { "Type": "Pass", "End": true } });
    let plain = server.machine("Plain", "STANDARD", "Only", plain).await;
    (loans, plain)
}

/// Until the function is called: the token that it got, and the trace that it was told of.
async fn asked(endpoint: &mut Endpoint) -> (String, String) {
    loop {
        let received = endpoint.received.recv().await.unwrap();
        if received.path == "/f" {
            let event: Value = serde_json::from_str(&received.body).unwrap();
            let parent = received.headers["traceparent"].to_str().unwrap();
            return (text(&event, "token"), parent.to_owned());
        }
    }
}

async fn register(server: &Server, token: &str, reference: &str) {
    let path = format!("/rejoin/references/valuation/{reference}");
    let body = json!({ "taskToken": token });
    let (status, said) = call(server, Method::PUT, &path, &[], body).await;
    assert!(status < 300, "{said}");
}

/// All spans that have been sent once everything has settled.
async fn spans(server: &Server, endpoint: &mut Endpoint) -> Vec<Value> {
    server.0.telemetry.settled().await;
    let mut all = Vec::new();
    while let Ok(received) = endpoint.received.try_recv() {
        if received.path != "/v1/traces" {
            continue;
        }
        assert_eq!(received.headers["content-type"], "application/json");
        assert_eq!(received.headers["x-tenant"], "loans");
        let body: Value = serde_json::from_str(&received.body).expect("JSON");
        if let Ok(folder) = std::env::var("REJOIN_KEEP_OTLP") {
            let name = format!("{folder}/{}.json", uuid::Uuid::new_v4());
            std::fs::write(name, &received.body).unwrap();
        }
        all.extend(otlp(&body));
    }
    all
}

/// The spans of a request, every member of which OTLP has, in the form that its JSON has.
fn otlp(body: &Value) -> Vec<Value> {
    members(body, &["resourceSpans"]);
    let mut spans = Vec::new();
    for of_resource in list(&body["resourceSpans"]) {
        members(of_resource, &["resource", "scopeSpans"]);
        members(&of_resource["resource"], &["attributes"]);
        attributes(&of_resource["resource"]);
        assert_eq!(attribute(&of_resource["resource"], "service.name"), "loans");
        for of_scope in list(&of_resource["scopeSpans"]) {
            members(of_scope, &["scope", "spans"]);
            assert_eq!(of_scope["scope"]["name"], "rejoin");
            for span in list(&of_scope["spans"]) {
                check_span(span);
                spans.push(span.clone());
            }
        }
    }
    spans
}

fn check_span(span: &Value) {
    members(
        span,
        &[
            "traceId",
            "spanId",
            "traceState",
            "parentSpanId",
            "flags",
            "name",
            "kind",
            "startTimeUnixNano",
            "endTimeUnixNano",
            "attributes",
            "events",
            "droppedEventsCount",
            "links",
            "status",
        ],
    );
    hexadecimal(&span["traceId"], 32);
    hexadecimal(&span["spanId"], 16);
    if span["parentSpanId"] != "" {
        hexadecimal(&span["parentSpanId"], 16);
    }
    assert!((1..=5).contains(&span["kind"].as_u64().unwrap()), "{span}");
    assert!(span["flags"].is_u64() && span["droppedEventsCount"].is_u64());
    let (began, ended) = (
        nanoseconds(&span["startTimeUnixNano"]),
        nanoseconds(&span["endTimeUnixNano"]),
    );
    assert!(began <= ended, "{span}");
    attributes(span);
    for event in list(&span["events"]) {
        members(event, &["timeUnixNano", "name", "attributes"]);
        nanoseconds(&event["timeUnixNano"]);
        attributes(event);
    }
    for link in list(&span["links"]) {
        members(link, &["traceId", "spanId", "attributes"]);
        hexadecimal(&link["traceId"], 32);
        hexadecimal(&link["spanId"], 16);
        attributes(link);
    }
    let status = span["status"].as_object().unwrap();
    if !status.is_empty() {
        members(&span["status"], &["code", "message"]);
        assert_eq!(span["status"]["code"], 2);
    }
}

fn members(value: &Value, expected: &[&str]) {
    let names: Vec<_> = value.as_object().expect("an object").keys().collect();
    assert_eq!(names, expected, "{value}");
}

fn list(value: &Value) -> &Vec<Value> {
    value.as_array().expect("a list")
}

fn hexadecimal(value: &Value, digits: usize) {
    let id = value.as_str().expect("an id is text");
    let right = id.len() == digits && id.bytes().all(|b| b.is_ascii_hexdigit());
    assert!(right && id.bytes().any(|b| b != b'0'), "{id}");
}

fn nanoseconds(value: &Value) -> u64 {
    let text = value.as_str().expect("64 bits are text in JSON");
    text.parse().expect("a number")
}

fn attributes(of: &Value) {
    for attribute in list(&of["attributes"]) {
        members(attribute, &["key", "value"]);
        let value = attribute["value"].as_object().unwrap();
        assert_eq!(value.len(), 1, "{attribute}");
        match value.iter().next().unwrap() {
            (kind, Value::String(_)) if kind == "stringValue" => {}
            (kind, Value::String(text)) if kind == "intValue" => {
                text.parse::<i64>().expect("a number of 64 bits is text");
            }
            other => panic!("{other:?}"),
        }
    }
}

/// An attribute's value, whatever it is; null if there is none.
fn attribute(of: &Value, name: &str) -> Value {
    let mut all = list(&of["attributes"]).iter();
    let found = all.find(|attribute| attribute["key"] == name);
    let value = found.and_then(|found| found["value"].as_object()?.values().next().cloned());
    value.unwrap_or_default()
}

fn named<'a>(spans: &'a [Value], name: &str) -> &'a Value {
    let mut of_name = spans.iter().filter(|span| span["name"] == name);
    let found = of_name
        .next()
        .unwrap_or_else(|| panic!("{name}: {spans:#?}"));
    assert!(of_name.next().is_none(), "two spans are called {name}");
    found
}

fn events(span: &Value) -> Vec<&str> {
    let events = list(&span["events"]).iter();
    events
        .map(|event| event["name"].as_str().unwrap())
        .collect()
}

async fn identity(server: &Server, arn: &str) -> Identity {
    let execution = server.0.runner.execution(ExecutionKey::of(arn)).await;
    execution.unwrap().unwrap().identity().clone()
}

async fn figures(server: &Server) -> (String, String) {
    let headers = HeaderMap::new();
    let call = Call {
        method: Method::GET,
        path: "/metrics".to_owned(),
        query: String::new(),
        headers,
        body: Default::default(),
        peer: ([127, 0, 0, 1], 4000).into(),
        busy: server.0.clock.busy(),
    };
    let reply = routes::answer(server.0.clone(), call).await;
    let page = String::from_utf8(reply.body.to_vec()).unwrap();
    let figure = |result: &str| {
        let begin = format!("rejoin_spans_total{{result=\"{result}\"}} ");
        let found = page.lines().find_map(|line| line.strip_prefix(&begin));
        found
            .unwrap_or_else(|| panic!("{begin}: {page}"))
            .to_owned()
    };
    (figure("exported"), figure("dropped"))
}

#[tokio::test]
async fn spans_are_packed_if_that_is_wanted() {
    for (packed, header) in [("none", None), ("gzip", Some("gzip"))] {
        let mut endpoint = endpoint().await;
        let server = Server::open_as(settings_with(&endpoint, None, packed)).await;
        let (_, plain) = machines(&server).await;
        let arn = server.start(&plain, json!({})).await;
        server.ended(&arn).await;
        server.0.telemetry.settled().await;
        let received = endpoint.received.try_recv().unwrap();
        let said = received.headers.get("content-encoding");
        assert_eq!(said.map(|said| said.to_str().unwrap()), header);
        assert!(!otlp(&serde_json::from_str(&received.body).unwrap()).is_empty());
        assert_eq!(figures(&server).await, ("2".to_owned(), "0".to_owned()));
    }
}

#[tokio::test]
async fn an_execution_its_wait_and_the_callback_are_one_trace() {
    let mut endpoint = endpoint().await;
    let server = Server::open_as(settings(&endpoint, None)).await;
    let (machine, _) = machines(&server).await;
    let arn = start(&server, &machine, &format!("00-{TRACE}-{CALLER}-01")).await;
    let (token, told) = asked(&mut endpoint).await;
    register(&server, &token, "V-1").await;
    let path = "/callbacks/valuation";
    let beat = json!({ "ref": "V-1", "beat": true });
    assert_eq!(call(&server, Method::POST, path, &[], beat).await.0, 200);
    // The third party was told of the trace, and goes on in it.
    let parent = format!("00-{TRACE}-{THIRD_PARTY}-01");
    let headers = [("traceparent", parent.as_str()), ("tracestate", "tp=9")];
    let body = json!({ "ref": "V-1", "value": 7 });
    let answered = call(&server, Method::POST, path, &headers, body).await;
    assert_eq!(answered.0, 200, "{answered:?}");
    assert_eq!(server.ended(&arn).await["status"], "SUCCEEDED");
    let spans = spans(&server, &mut endpoint).await;
    assert!(spans.iter().all(|span| span["traceId"] == TRACE));
    assert_eq!(spans.len(), 6, "{spans:#?}");

    let root = named(&spans, "Loans");
    assert_eq!(root["parentSpanId"], CALLER);
    assert_eq!(
        (&root["flags"], &root["traceState"]),
        (&0x301.into(), &"rojo=1".into())
    );
    assert_eq!(attribute(root, "rejoin.execution.arn"), arn.as_str());
    assert_eq!(
        attribute(root, "aws.step_functions.state_machine.arn"),
        machine.as_str()
    );
    assert_eq!(attribute(root, "rejoin.execution.status"), "SUCCEEDED");
    assert_eq!(root["status"], json!({}));

    let state = named(&spans, "Ask");
    assert_eq!(state["parentSpanId"], root["spanId"]);
    assert_eq!(named(&spans, "Before")["parentSpanId"], root["spanId"]);
    let wait = named(&spans, "lambda:invoke.waitForTaskToken");
    assert_eq!(wait["parentSpanId"], state["spanId"]);
    // It is the step that the request has named.
    let id = wait["spanId"].as_str().unwrap();
    assert_eq!(told, format!("00-{TRACE}-{id}-01"));
    let happened = events(wait);
    for what in ["request taken", "reference registered", "heartbeat"] {
        assert!(happened.contains(&what), "{what}: {happened:?}");
    }
    let callbacks: Vec<_> = list(&wait["events"])
        .iter()
        .filter(|event| event["name"] == "callback")
        .map(|event| attribute(event, "rejoin.disposition"))
        .collect();
    assert_eq!(callbacks, ["heartbeat", "delivered"]);

    let callbacks: Vec<_> = spans
        .iter()
        .filter(|span| span["name"] == "callback valuation")
        .collect();
    let of = |disposition: &str| {
        let found = |span: &&&Value| attribute(span, "rejoin.disposition") == disposition;
        *callbacks.iter().find(found).unwrap()
    };
    assert_eq!(of("heartbeat")["parentSpanId"], wait["spanId"]);
    let delivered = of("delivered");
    assert_eq!(delivered["parentSpanId"], THIRD_PARTY);
    assert_eq!(delivered["traceState"], "tp=9");
    assert_eq!(attribute(delivered, "rejoin.execution.arn"), arn.as_str());
    assert_eq!(attribute(delivered, "rejoin.reference"), "V-1");
    assert_eq!(figures(&server).await, ("6".to_owned(), "0".to_owned()));
}

#[tokio::test]
async fn a_callback_of_another_trace_and_the_wait_that_it_met_name_each_other() {
    let mut endpoint = endpoint().await;
    let server = Server::open_as(settings(&endpoint, None)).await;
    let (machine, _) = machines(&server).await;
    let arn = server.start(&machine, json!({})).await;
    let (token, _) = asked(&mut endpoint).await;
    register(&server, &token, "V-2").await;
    let parent = format!("00-{OTHER_TRACE}-{THIRD_PARTY}-01");
    let headers = [("traceparent", parent.as_str())];
    let body = json!({ "ref": "V-2" });
    let path = "/callbacks/valuation";
    call(&server, Method::POST, path, &headers, body.clone()).await;
    server.ended(&arn).await;
    // And one that nobody can place, which is a trace of its own.
    let stray = json!({ "ref": "nobody" });
    call(&server, Method::POST, path, &[], stray).await;
    let spans = spans(&server, &mut endpoint).await;
    let wait = named(&spans, "lambda:invoke.waitForTaskToken");
    let of = |disposition: &str| {
        let found = |span: &&Value| attribute(span, "rejoin.disposition") == disposition;
        spans.iter().find(found).unwrap()
    };
    let callback = of("delivered");
    assert_eq!(callback["traceId"], OTHER_TRACE);
    let link = |from: &Value, to: &Value| {
        let links = list(&from["links"]);
        assert_eq!(links.len(), 1, "{from}");
        assert_eq!(links[0]["traceId"], to["traceId"]);
        assert_eq!(links[0]["spanId"], to["spanId"]);
    };
    link(callback, wait);
    link(wait, callback);
    let trace = identity(&server, &arn).await.trace_id().to_string();
    assert_eq!(wait["traceId"], trace.as_str());
    let stray = of("unknown-reference");
    assert_eq!(stray["parentSpanId"], "");
    assert_eq!(stray["status"]["code"], 2);
    assert!(stray["traceId"] != wait["traceId"] && stray["traceId"] != OTHER_TRACE);
}

#[tokio::test]
async fn what_a_callback_starts_goes_on_in_its_trace() {
    let mut endpoint = endpoint().await;
    let server = Server::open_as(settings(&endpoint, None)).await;
    machines(&server).await;
    let parent = format!("00-{OTHER_TRACE}-{THIRD_PARTY}-01");
    let headers = [("traceparent", parent.as_str())];
    let body = json!({ "ref": "O-1" });
    let (status, said) = call(&server, Method::POST, "/callbacks/orders", &headers, body).await;
    assert!(status < 300, "{said}");
    let arn = "arn:aws:states:us-east-1:123456789012:execution:Plain:O-1";
    server.ended(arn).await;
    let spans = spans(&server, &mut endpoint).await;
    let root = named(&spans, "Plain");
    assert_eq!(root["traceId"], OTHER_TRACE);
    assert_eq!(root["parentSpanId"], THIRD_PARTY);
}

#[tokio::test]
async fn what_is_not_recorded_is_not_sent() {
    let mut endpoint = endpoint().await;
    let server = Server::open_as(settings(&endpoint, None)).await;
    let (machine, plain) = machines(&server).await;
    let arn = start(&server, &machine, &format!("00-{TRACE}-{CALLER}-00")).await;
    let (token, told) = asked(&mut endpoint).await;
    assert!(told.ends_with("-00"), "{told}");
    register(&server, &token, "V-3").await;
    let body = json!({ "ref": "V-3" });
    call(&server, Method::POST, "/callbacks/valuation", &[], body).await;
    assert_eq!(server.ended(&arn).await["status"], "SUCCEEDED");
    // One that is recorded comes through, so what is missing is not only late.
    let arn = start(&server, &plain, &format!("00-{OTHER_TRACE}-{CALLER}-01")).await;
    server.ended(&arn).await;
    let spans = spans(&server, &mut endpoint).await;
    assert_eq!(spans.len(), 2);
    assert!(spans.iter().all(|span| span["traceId"] == OTHER_TRACE));
}

/// The runtime's end is the server's: nothing is flushed, nothing is told.
#[test]
fn one_that_ends_after_a_restart_has_the_spans_that_it_would_have_had() {
    let directory = scratch();
    let runtime = || tokio::runtime::Runtime::new().unwrap();
    let servers = runtime();
    let mut endpoint = servers.block_on(endpoint());
    let (arn, token, began) = runtime().block_on(async {
        let server = Server::open_as(settings(&endpoint, Some(directory.clone()))).await;
        let (machine, _) = machines(&server).await;
        let arn = server.start(&machine, json!({})).await;
        let (token, _) = asked(&mut endpoint).await;
        (arn, token, server.0.clock.now())
    });
    runtime().block_on(async {
        let server = Server::open_as(settings(&endpoint, Some(directory.clone()))).await;
        let clock = &server.0.clock;
        drop(clock.advance(clock.now().plus_seconds(5)).await);
        let answer = json!({ "taskToken": token, "output": "1" });
        server.ask("SendTaskSuccess", answer).await;
        server.ended(&arn).await;
        let spans = spans(&server, &mut endpoint).await;
        let identity = identity(&server, &arn).await;
        let root = named(&spans, "Loans");
        assert_eq!(root["spanId"], identity.execution_span(0).to_string());
        assert_eq!(root["parentSpanId"], "");
        let wait = named(&spans, "lambda:invoke.waitForTaskToken");
        assert_eq!(wait["spanId"], identity.wait_span(WaitId(1)).to_string());
        // The second stay: the first is over since before the restart.
        let state = named(&spans, "Ask");
        assert_eq!(state["spanId"], identity.state_span(2).to_string());
        assert!(
            spans
                .iter()
                .all(|span| span["traceId"] == identity.trace_id().to_string())
        );
        let nanos = |seconds: i64| ((began.0 + 1000 * seconds) * 1_000_000).to_string();
        assert_eq!(wait["startTimeUnixNano"], nanos(0));
        assert_eq!(wait["endTimeUnixNano"], nanos(5));
        assert_eq!(root["endTimeUnixNano"], nanos(5));
    });
    let _ = std::fs::remove_dir_all(&directory);
}

#[tokio::test]
async fn failures_retries_and_redrives_show() {
    let mut endpoint = endpoint().await;
    let server = Server::open_as(settings(&endpoint, None)).await;
    let asking = json!({ "Try": {
        "Type": "Task", "Resource": "arn:aws:states:us-east-1:123456789012:activity:a", "End": true,
        "TimeoutSeconds": 10,
        "Retry": [{ "ErrorEquals": ["States.Timeout"], "MaxAttempts": 1, "IntervalSeconds": 3 }],
    } });
    server.ask("CreateActivity", json!({ "name": "a" })).await;
    let machine = server.machine("Tries", "STANDARD", "Try", asking).await;
    let arn = server.start(&machine, json!({})).await;
    let clock = &server.0.clock;
    drop(clock.advance(clock.now().plus_seconds(60)).await);
    assert_eq!(server.ended(&arn).await["status"], "FAILED");
    server
        .ask("RedriveExecution", json!({ "executionArn": arn }))
        .await;
    let stop = json!({ "executionArn": arn, "error": "Enough", "cause": "too slow" });
    server.ask("StopExecution", stop).await;
    let spans = spans(&server, &mut endpoint).await;

    let executions: Vec<_> = spans
        .iter()
        .filter(|span| span["name"] == "Tries")
        .collect();
    let [failed, stopped] = executions[..] else {
        panic!("a redrive is a span of its own: {executions:#?}");
    };
    assert_eq!(attribute(failed, "error.type"), "States.Timeout");
    assert_eq!(failed["status"]["code"], 2);
    assert_eq!(attribute(stopped, "rejoin.execution.redrives"), "1");
    assert_eq!(stopped["status"]["message"], "Enough: too slow");
    assert_eq!(stopped["links"][0]["spanId"], failed["spanId"]);

    let state = spans
        .iter()
        .find(|span| span["name"] == "Try" && span["parentSpanId"] == failed["spanId"])
        .unwrap();
    assert_eq!(events(state), ["exception", "retry", "exception"]);
    let attempts: Vec<_> = spans
        .iter()
        .filter(|span| span["parentSpanId"] == state["spanId"])
        .map(|span| {
            (
                attribute(span, "rejoin.task.attempt"),
                attribute(span, "rejoin.wait.end"),
            )
        })
        .collect();
    let timed_out = |attempt: &str| (Value::from(attempt), Value::from("timed-out"));
    assert_eq!(attempts, [timed_out("1"), timed_out("2")]);
    assert!(spans.iter().any(|span| {
        span["name"] == "a"
            && attribute(span, "rejoin.wait.end") == "aborted"
            && attribute(span, "aws.step_functions.activity.arn")
                == "arn:aws:states:us-east-1:123456789012:activity:a"
    }));
}

/// An answer, by how often the collector has been asked.
async fn collector(
    answers: impl Fn(usize) -> (u16, &'static [(&'static str, &'static str)], &'static str)
    + Send
    + Sync
    + 'static,
) -> Endpoint {
    let asked = AtomicUsize::new(0);
    Endpoint::start(Arc::new(move |_| {
        let (status, headers, body) = answers(asked.fetch_add(1, Ordering::Relaxed));
        Some((status, headers, body.to_owned()))
    }))
    .await
}

#[tokio::test]
async fn a_batch_is_sent_again_while_the_collector_asks_for_it() {
    let again = &[("retry-after", "0")];
    let mut endpoint = collector(move |asked| match asked {
        0 => (503, again, ""),
        1 => (429, again, ""),
        _ => (200, &[], r#"{"partialSuccess":{"rejectedSpans":"1"}}"#),
    })
    .await;
    let server = Server::open_as(settings(&endpoint, None)).await;
    let (_, plain) = machines(&server).await;
    let arn = server.start(&plain, json!({})).await;
    server.ended(&arn).await;
    let sent = spans(&server, &mut endpoint).await;
    // The same two spans three times.
    assert_eq!(sent.len(), 6);
    assert_eq!(sent[..2], sent[4..]);
    assert_eq!(figures(&server).await, ("1".to_owned(), "1".to_owned()));
}

#[tokio::test]
async fn a_collector_that_refuses_harms_no_execution() {
    let endpoint = collector(|_| (401, &[], "")).await;
    let server = Server::open_as(settings(&endpoint, None)).await;
    let (_, plain) = machines(&server).await;
    let arn = server.start(&plain, json!({})).await;
    assert_eq!(server.ended(&arn).await["status"], "SUCCEEDED");
    server.0.telemetry.settled().await;
    assert_eq!(figures(&server).await, ("0".to_owned(), "2".to_owned()));
}

/// Time is moved while the collector has an open request: it would not move if that kept it standing.
#[tokio::test]
async fn a_collector_that_hangs_keeps_no_time_standing() {
    let endpoint = Endpoint::start(Arc::new(|_| None)).await;
    let server = Server::open_as(settings(&endpoint, None)).await;
    let states = json!({ "P": { "Type": "Pass", "Next": "W" },
        "W": { "Type": "Wait", "Seconds": 86400, "End": true } });
    let machine = server.machine("Waits", "STANDARD", "P", states).await;
    let arn = server.start(&machine, json!({})).await;
    let clock = &server.0.clock;
    drop(clock.advance(clock.now().plus_seconds(86_400)).await);
    assert_eq!(server.ended(&arn).await["status"], "SUCCEEDED");
}

#[tokio::test]
async fn express_executions_and_the_branches_of_a_state_have_spans() {
    let mut endpoint = endpoint().await;
    let server = Server::open_as(settings(&endpoint, None)).await;
    let inside = |name: &str| json!({ "StartAt": name, "States": { name: { "Type": "Pass", "End": true } } });
    let states = json!({
        "Both": { "Type": "Parallel", "Branches": [inside("A"), inside("B")], "Next": "Each" },
        "Each": { "Type": "Map", "ItemsPath": "$", "End": true, "ItemProcessor": inside("One") },
    });
    let definition = json!({ "StartAt": "Both", "States": states });
    let request = json!({
        "name": "Fast", "type": "EXPRESS", "roleArn": ROLE, "definition": definition.to_string(),
    });
    let made = server.ask("CreateStateMachine", request).await;
    let request = json!({ "stateMachineArn": made["stateMachineArn"] });
    let ended = server.ask("StartSyncExecution", request).await;
    assert_eq!(ended["status"], "SUCCEEDED", "{ended}");
    let spans = spans(&server, &mut endpoint).await;
    let root = named(&spans, "Fast");
    for (inner, outer) in [
        ("A", "Both"),
        ("B", "Both"),
        ("Both", "Fast"),
        ("Each", "Fast"),
    ] {
        assert_eq!(
            named(&spans, inner)["parentSpanId"],
            named(&spans, outer)["spanId"]
        );
    }
    let items: Vec<_> = spans
        .iter()
        .filter(|span| span["name"] == "One")
        .map(|span| {
            assert_eq!(span["parentSpanId"], named(&spans, "Each")["spanId"]);
            attribute(span, "rejoin.state.index")
        })
        .collect();
    assert_eq!(items, ["0", "1"]);
    assert_eq!(
        attribute(root, "rejoin.execution.arn"),
        ended["executionArn"]
    );
}
