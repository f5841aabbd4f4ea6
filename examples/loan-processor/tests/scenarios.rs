//! Every way the valuation can go, on a real server over loopback: the real function as a program of
//! its own, the service's stand-in, the engine, the store in memory, and virtual time.
//!
//! A row says what the service is told to do, how the execution ends, what became of each callback,
//! and what the error topic hears, in order.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use engine::ExecutionKey;
use hyper::Method;
use loan_processor::service::{SERVICE, VALUATIONS_PATH, valuation_service};
use loan_processor::{
    DEFINITION, DEFINITION_WITH_HEARTBEATS, FUNCTION, STATE_MACHINE, STATE_MACHINE_WITH_HEARTBEATS,
    TOPIC,
};
use serde::Deserialize;
use serde_json::{Value, json};
use server::app::{App, Place, Settings};
use server::client::Client;
use server::clock::Clock;
use server::functions::FunctionConfig;
use server::gateway::RouteConfig;
use server::topics::TopicConfig;
use tokio::net::TcpListener;

/// Longer than anything that the service does takes.
const ALL_SECONDS: i64 = 60;
const LIMIT: Duration = Duration::from_secs(20);
const LOOPBACK: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 0);

/// What of `rejoin.toml` a server takes.
#[derive(Deserialize)]
struct Configuration {
    functions: BTreeMap<String, FunctionConfig>,
    topics: BTreeMap<String, TopicConfig>,
    routes: Vec<RouteConfig>,
}

/// What came of a loan application.
#[derive(Debug, PartialEq)]
struct Came {
    status: String,
    error: Option<String>,
    dispositions: Vec<String>,
    /// The beginnings of what the topic heard.
    alerts: Vec<String>,
    /// When the execution ended, in seconds since its start.
    after_seconds: i64,
}

struct Stage {
    app: App,
    client: Client,
    address: SocketAddr,
    _service: mock::Running,
}

impl Stage {
    async fn set() -> Stage {
        let clock = Clock::standing_at(Clock::machine_time());
        let client = Client::new();
        let start = mock::Start {
            clock: clock.clone(),
            client: client.clone(),
            listen: mock::Listen::Free,
            seed: 0,
            heard: None,
        };
        let service = valuation_service().start(start).await.expect("a port");
        let valuations = service.url(SERVICE).expect("the file has it");
        let configuration: Configuration =
            toml::from_str(loan_processor::CONFIGURATION).expect("the sample is right");
        let mut functions = configuration.functions;
        let function = functions.get_mut(FUNCTION).expect("the sample has it");
        function.program = Some(vec![env!("CARGO_BIN_EXE_request-valuation").to_owned()]);
        function.environment.insert(
            "VALUATION_SERVICE_URL".to_owned(),
            format!("{valuations}{VALUATIONS_PATH}"),
        );
        let listener = TcpListener::bind(LOOPBACK).await.expect("a port");
        let address = listener.local_addr().expect("it is bound");
        let (app, _) = App::open(Settings {
            place: Place {
                region: "us-east-1".to_owned(),
                account: "123456789012".to_owned(),
            },
            clock,
            directory: None,
            retention_days: 90,
            quotas: Default::default(),
            functions,
            topics: configuration.topics,
            routes: configuration.routes,
            alerts: Default::default(),
            status_changes: Vec::new(),
            address,
            stuck_waits: Default::default(),
            environment: Default::default(),
        })
        .await
        .expect("the server opens");
        tokio::spawn(server::http::serve(app.clone(), listener));
        Stage {
            app,
            client,
            address,
            _service: service,
        }
    }

    async fn ask(&self, operation: &str, request: Value) -> Value {
        let target = format!("AWSStepFunctions.{operation}");
        let headers = [
            ("content-type", "application/x-amz-json-1.0"),
            ("x-amz-target", &*target),
        ];
        let url = format!("http://{}/", self.address);
        let body = Bytes::from(request.to_string());
        let answer = self
            .client
            .send(Method::POST, &url, &headers, body, LIMIT)
            .await;
        let answer = answer.expect("the server answers");
        assert!(answer.status.is_success(), "{operation}: {answer:?}");
        serde_json::from_slice(&answer.body).expect("JSON")
    }

    async fn get(&self, path: &str) -> Value {
        let url = format!("http://{}{path}", self.address);
        let answer = self
            .client
            .send(Method::GET, &url, &[], Bytes::new(), LIMIT)
            .await;
        let answer = answer.expect("the server answers");
        assert!(answer.status.is_success(), "{path}: {answer:?}");
        serde_json::from_slice(&answer.body).expect("JSON")
    }

    /// Runs one application to the end of everything; gives what came, and the messages themselves.
    async fn run(&self, machine: &str, definition: &str, name: &str) -> (Came, Vec<Value>) {
        let created = self
            .ask(
                "CreateStateMachine",
                json!({
                    "name": machine,
                    "definition": definition,
                    "roleArn": "arn:aws:iam::123456789012:role/loan-processor",
                }),
            )
            .await;
        let input = json!({
            "applicationReference": "app-1",
            "property": { "nameOrNumber": name, "postcode": "PO1 1CE" },
        });
        let started = self
            .ask(
                "StartExecution",
                json!({
                    "stateMachineArn": created["stateMachineArn"],
                    "name": "loan-1",
                    "input": input.to_string(),
                }),
            )
            .await;
        let arn = started["executionArn"].as_str().expect("an ARN");
        let until = self.app.clock.now().plus_seconds(ALL_SECONDS);
        drop(self.app.clock.advance(until).await);
        let execution = self.app.runner.execution(ExecutionKey::of(arn)).await;
        let execution = execution.expect("the store reads").expect("it is there");
        let closing = execution.closing().expect("it ended");
        let said = self.get("/rejoin/deliveries").await;
        let mut dispositions: Vec<String> = said["deliveries"]
            .as_array()
            .expect("a list")
            .iter()
            .map(|delivery| {
                let steps = delivery["dispositions"].as_array().expect("a list");
                let names = steps.iter().filter_map(|step| step["disposition"].as_str());
                names.collect::<Vec<_>>().join(" > ")
            })
            .collect();
        dispositions.reverse();
        let page = self.app.topics.messages(TOPIC, 100, None).await;
        let page = page.expect("the store reads").expect("the topic is there");
        let mut alerts: Vec<Value> = page.messages.into_iter().map(|m| m.message).collect();
        alerts.reverse();
        let came = Came {
            status: execution.status().name().to_owned(),
            error: closing
                .failure
                .as_ref()
                .and_then(|failure| failure.error.as_deref())
                .map(str::to_owned),
            dispositions,
            alerts: alerts
                .iter()
                .map(|alert| {
                    let description = alert["description"].as_str().expect("a description");
                    description.split(':').next().unwrap_or_default().to_owned()
                })
                .collect(),
            after_seconds: (closing.at.0 - execution.identity().started_at.0) / 1000,
        };
        (came, alerts)
    }
}

async fn plain(name: &str) -> (Came, Vec<Value>) {
    Stage::set()
        .await
        .run(STATE_MACHINE, DEFINITION, name)
        .await
}

async fn with_heartbeats(name: &str) -> (Came, Vec<Value>) {
    let machine = STATE_MACHINE_WITH_HEARTBEATS;
    Stage::set()
        .await
        .run(machine, DEFINITION_WITH_HEARTBEATS, name)
        .await
}

fn came(
    status: &str,
    error: Option<&str>,
    after_seconds: i64,
    dispositions: &[&str],
    alerts: &[&str],
) -> Came {
    let owned = |texts: &[&str]| texts.iter().map(|&text| text.to_owned()).collect();
    Came {
        status: status.to_owned(),
        error: error.map(str::to_owned),
        dispositions: owned(dispositions),
        alerts: owned(alerts),
        after_seconds,
    }
}

const TIMED_OUT: Option<&str> = Some("ValuationServiceTimedOut");
const NO_ANSWER: &str = "The valuation service timed out";

#[tokio::test]
async fn a_prompt_answer() {
    let expected = came("SUCCEEDED", None, 6, &["delivered"], &[]);
    assert_eq!(plain("999").await.0, expected);
}

#[tokio::test]
async fn no_callback() {
    let (found, alerts) = plain("No callback").await;
    assert_eq!(found, came("FAILED", TIMED_OUT, 30, &[], &[NO_ANSWER]));
    assert_eq!(
        alerts[0]["source"],
        "arn:aws:states:us-east-1:123456789012:stateMachine:LoanProcessor"
    );
    assert!(
        alerts[0]["executionId"]
            .as_str()
            .is_some_and(|id| id.ends_with(":loan-1"))
    );
    assert!(alerts[0]["executionStartTime"].is_string());
}

#[tokio::test]
async fn a_late_callback() {
    let (found, alerts) = plain("Late callback").await;
    let expected = came(
        "FAILED",
        TIMED_OUT,
        30,
        &["late-timed-out"],
        &[NO_ANSWER, "Late callback"],
    );
    assert_eq!(found, expected);
    let late = &alerts[1];
    assert_eq!(late["lateBySeconds"], 15.0);
    assert_eq!(late["executionName"], "loan-1");
    assert_eq!(late["stateName"], "RequestValuation");
}

#[tokio::test]
async fn a_duplicate() {
    let expected = came(
        "SUCCEEDED",
        None,
        6,
        &["delivered", "duplicate-identical"],
        &["Duplicate callback (identical repeat)"],
    );
    assert_eq!(plain("Duplicate response").await.0, expected);
}

#[tokio::test]
async fn a_duplicate_that_contradicts() {
    let expected = came(
        "SUCCEEDED",
        None,
        6,
        &["delivered", "duplicate-contradicting"],
        &["Duplicate callback (contradicts the first one)"],
    );
    assert_eq!(plain("Contradicting duplicate").await.0, expected);
}

#[tokio::test]
async fn a_failed_valuation() {
    let expected = came(
        "FAILED",
        Some("ValuationFailed"),
        6,
        &["delivered-as-failure"],
        &["The valuation failed"],
    );
    assert_eq!(plain("Failed response").await.0, expected);
}

#[tokio::test]
async fn an_unknown_reference() {
    let (found, alerts) = plain("Unknown reference").await;
    let expected = came(
        "FAILED",
        TIMED_OUT,
        30,
        &["unknown-reference"],
        &["Unknown reference", NO_ANSWER],
    );
    assert_eq!(found, expected);
    assert!(
        alerts[0]["eventBody"]
            .as_str()
            .is_some_and(|body| body.contains("propertyValue"))
    );
}

#[tokio::test]
async fn an_early_callback() {
    let expected = came("SUCCEEDED", None, 0, &["early > delivered"], &[]);
    assert_eq!(plain("Early callback").await.0, expected);
}

#[tokio::test]
async fn a_malformed_callback() {
    let expected = came(
        "FAILED",
        TIMED_OUT,
        30,
        &["malformed"],
        &["Malformed callback", NO_ANSWER],
    );
    assert_eq!(plain("Malformed callback").await.0, expected);
}

#[tokio::test]
async fn a_forged_callback() {
    let (found, alerts) = plain("Forged callback").await;
    let expected = came(
        "FAILED",
        TIMED_OUT,
        30,
        &["unverified"],
        &["Unverified callback", NO_ANSWER],
    );
    assert_eq!(found, expected);
    let forged = &alerts[0];
    let said = forged["description"].as_str().expect("text");
    assert!(said.contains("signature"), "{said}");
    // Nothing of it is believed, not even whose it says it is.
    assert_eq!(forged["reference"], Value::Null);
    assert_eq!(forged["executionArn"], Value::Null);
}

#[tokio::test]
async fn heartbeats_that_stop() {
    let expected = came(
        "FAILED",
        TIMED_OUT,
        25,
        &["heartbeat", "heartbeat", "heartbeat"],
        &[NO_ANSWER],
    );
    assert_eq!(with_heartbeats("Slow heartbeats").await.0, expected);
}

#[tokio::test]
async fn heartbeats_and_then_an_answer() {
    let beats = [
        "heartbeat",
        "heartbeat",
        "heartbeat",
        "heartbeat",
        "delivered",
    ];
    let expected = came("SUCCEEDED", None, 25, &beats, &[]);
    assert_eq!(with_heartbeats("Steady heartbeats").await.0, expected);
}

/// The workflow catches what can happen while it waits; a request that is not taken is neither a
/// timeout nor a failed valuation, so the execution fails with the function's own error.
#[tokio::test]
async fn a_rejected_request() {
    let expected = came("FAILED", Some("ValuationRequestRejected"), 0, &[], &[]);
    assert_eq!(plain("Rejected request").await.0, expected);
}
