//! The gateway against an engine that does what the test says: every disposition, every moment at
//! which the process may die, and both orders of a race. The real engine takes its part in the
//! example's scenarios.

use std::collections::BTreeMap;
use std::sync::Arc;

use ::engine::execution::{EndedWait, OpenWait};
use ::engine::{ExecutionKey, Identity, Outcome, Token, WaitEnd, WaitId, WaitKind};
use asl::{Data, Timestamp};
use bytes::Bytes;
use hashbrown::HashMap;
use hyper::header::HeaderName;
use hyper::{HeaderMap, Method, StatusCode};
use parking_lot::Mutex;
use serde_json::{Value, json};
use store::{Due, Options, Store, Table};

use super::engine::{Answering, Engine};
use super::{Gateway, RouteConfig};
use crate::alerts::schema::faults_of;
use crate::alerts::{Alerts, AlertsConfig};
use crate::app::Place;
use crate::client::Client;
use crate::clock::Clock;
use crate::functions::Functions;
use crate::http::{Call, Reply};
use crate::runner::{TokenError, WaitView};
use crate::topics::{TopicConfig, Topics};

mod disk;
mod inbox;
mod limited;
mod managed;
mod mapped;
mod references;
mod started;
mod verified;

const START: Timestamp = Timestamp(1_700_000_000_000);
const TIMEOUT_SECONDS: i64 = 30;

/// Waits that end when the test, or the gateway, says so. A token is `EXECUTION/WAIT`.
#[derive(Default)]
struct Fake(Mutex<State>);

#[derive(Default)]
struct State {
    waits: HashMap<(u128, u32), (OpenWait, Option<EndedWait>)>,
    now: i64,
    /// Nobody answers.
    down: bool,
    /// The next result is taken, and the answer to it is lost: a crash between the two.
    lose_answer: bool,
    completions: usize,
    heartbeats: usize,
}

fn token(execution: u128, wait: u32) -> String {
    format!("{execution}/{wait}")
}

fn identity(execution: u128) -> Identity {
    let machine = "arn:aws:states:us-east-1:123456789012:stateMachine:LoanProcessor";
    Identity {
        arn: format!(
            "arn:aws:states:us-east-1:123456789012:execution:LoanProcessor:loan-{execution}"
        )
        .into(),
        name: format!("loan-{execution}").into(),
        state_machine_arn: machine.into(),
        state_machine_name: "LoanProcessor".into(),
        definition: "".into(),
        role_arn: "".into(),
        input: Data::from(Value::Null),
        started_at: START,
        version: None,
        alias: None,
        map_run: None,
        test_case: None,
        trace_context: None,
        trace_header: None,
    }
}

impl Fake {
    fn open(&self, execution: u128, wait: u32) -> String {
        let mut state = self.0.lock();
        let opened_at = Timestamp(state.now);
        let open = OpenWait {
            state_name: "RequestValuation".into(),
            opened_at,
            timeout_at: Some(opened_at.plus_seconds(TIMEOUT_SECONDS)),
            heartbeat_at: None,
        };
        state.waits.insert((execution, wait), (open, None));
        token(execution, wait)
    }

    fn end(&self, execution: u128, wait: u32, end: WaitEnd, superseded: bool) {
        let mut state = self.0.lock();
        let ended_at = Timestamp(state.now);
        let (open, ended) = state
            .waits
            .get_mut(&(execution, wait))
            .expect("it was opened");
        *ended = Some(EndedWait {
            wait: open.clone(),
            ended_at,
            end,
            superseded,
        });
    }

    fn use_token(
        &self,
        text: &str,
        work: impl FnOnce(&mut State) -> Option<WaitEnd>,
    ) -> Result<(), TokenError> {
        let token = self.check(text)?;
        let mut state = self.0.lock();
        if state.down {
            return Err(TokenError::Server("the engine is down".into()));
        }
        let key = (token.execution.0, token.wait.0);
        match state.waits.get(&key) {
            None => Err(TokenError::Gone),
            Some((_, Some(ended))) => Err(TokenError::Ended(Box::new(ended.clone()))),
            Some((open, None)) => {
                let wait = open.clone();
                let ended_at = Timestamp(state.now);
                if let Some(end) = work(&mut state) {
                    let ended = EndedWait {
                        wait: wait.clone(),
                        ended_at,
                        end,
                        superseded: false,
                    };
                    state.waits.insert(key, (wait, Some(ended)));
                    if std::mem::take(&mut state.lose_answer) {
                        return Err(TokenError::Server("the answer was lost".into()));
                    }
                }
                Ok(())
            }
        }
    }
}

impl Engine for Fake {
    fn complete<'a>(
        &'a self,
        token: &'a str,
        outcome: Outcome,
    ) -> Answering<'a, Result<(), TokenError>> {
        Box::pin(async move {
            tokio::task::yield_now().await;
            self.use_token(token, |state| {
                state.completions += 1;
                Some(match outcome {
                    Outcome::Success(output) => WaitEnd::Succeeded { output },
                    Outcome::Failure(failure) => WaitEnd::Failed { failure },
                })
            })
        })
    }

    fn heartbeat<'a>(&'a self, token: &'a str) -> Answering<'a, Result<(), TokenError>> {
        Box::pin(async move {
            self.use_token(token, |state| {
                state.heartbeats += 1;
                None
            })
        })
    }

    fn open_waits(
        &self,
        key: ExecutionKey,
    ) -> Answering<'_, Result<Option<super::engine::OpenWaits>, String>> {
        let state = self.0.lock();
        let open = state
            .waits
            .iter()
            .filter(|((execution, _), (_, ended))| *execution == key.0 && ended.is_none());
        let open = open.map(|((execution, wait), (open, _))| {
            let kind = match &*open.state_name {
                "RunJob" => WaitKind::Sync,
                _ => WaitKind::Callback,
            };
            (token(*execution, *wait), open.clone(), kind)
        });
        let open = open.collect();
        Box::pin(async move { Ok(Some(open)) })
    }

    fn check(&self, text: &str) -> Result<Token, TokenError> {
        let parts = text.split_once('/').ok_or(TokenError::Invalid)?;
        Ok(Token {
            execution: ExecutionKey(parts.0.parse().map_err(|_| TokenError::Invalid)?),
            wait: WaitId(parts.1.parse().map_err(|_| TokenError::Invalid)?),
        })
    }

    fn wait(&self, token: Token) -> Answering<'_, Result<Option<WaitView>, String>> {
        let state = self.0.lock();
        let found = state.waits.get(&(token.execution.0, token.wait.0));
        let view = found.map(|(open, ended)| WaitView {
            identity: identity(token.execution.0),
            wait: match ended {
                None => Ok(open.clone()),
                Some(ended) => Err(ended.clone()),
            },
        });
        Box::pin(async move { Ok(view) })
    }
}

struct World {
    gateway: Gateway,
    engine: Arc<Fake>,
    store: Store,
    clock: Clock,
    topics: Topics,
    alerts: Alerts,
}

fn route() -> Value {
    json!({
        "name": "valuation",
        "path": "/callbacks/valuation",
        "reference": "$.ref",
        "expects": ["LoanProcessor.RequestValuation"],
        "failure": { "when": "$.failed", "error": "ValuationFailed", "cause": "$.reason" },
        "heartbeat": { "when": "$.status", "equals": "working" },
        "early_keep_seconds": 600,
        "used_keep_seconds": 3600,
        "body_bytes_max": 200,
        "topic": "LoanErrors",
    })
}

fn configured(route: Value) -> RouteConfig {
    serde_json::from_value(route).expect("a route's configuration")
}

impl World {
    fn new() -> World {
        World::with(vec![route()]).expect("the routes are right")
    }

    fn with(routes: Vec<Value>) -> Result<World, String> {
        let clock = Clock::standing_at(START);
        let (store, _) =
            Store::open(Options { directory: None }).map_err(|error| error.to_string())?;
        World::on(routes, clock, store, Arc::default())
    }

    fn on(
        routes: Vec<Value>,
        clock: Clock,
        store: Store,
        engine: Arc<Fake>,
    ) -> Result<World, String> {
        let client = Client::new();
        let functions =
            Functions::new(BTreeMap::new(), "us-east-1", clock.clone(), client.clone())?;
        let topics = Topics::new(
            BTreeMap::from([("LoanErrors".to_owned(), TopicConfig::default())]),
            Place {
                region: "us-east-1".into(),
                account: "123456789012".into(),
            },
            clock.clone(),
            store.clone(),
            functions,
            client,
        )?;
        engine.0.lock().now = clock.now().0;
        let routes = routes.into_iter().map(configured).collect();
        let alerts = Alerts::new(
            // Each by itself: what is counted together is the business of other tests.
            AlertsConfig {
                window_seconds: 0,
                ..AlertsConfig::default()
            },
            clock.clone(),
            store.clone(),
            topics.clone(),
        )?;
        let gateway = Gateway::with_engine(
            routes,
            clock.clone(),
            store.clone(),
            engine.clone(),
            topics.clone(),
            alerts.clone(),
            super::Engines::default(),
        )?;
        Ok(World {
            gateway,
            alerts,
            engine,
            store,
            clock,
            topics,
        })
    }

    /// The process dies and comes back: all that was in memory is gone.
    fn restarted(self) -> World {
        World::on(vec![route()], self.clock, self.store, self.engine).expect("as before")
    }

    async fn send(&self, method: Method, path: &str, body: impl Into<Bytes>) -> Reply {
        self.send_with(method, path, &[], body).await
    }

    async fn send_with(
        &self,
        method: Method,
        path: &str,
        more: &[(&str, String)],
        body: impl Into<Bytes>,
    ) -> Reply {
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let mut headers = HeaderMap::new();
        headers.insert("x-request-id", "third-party-1".parse().expect("a header"));
        headers.insert("authorization", "Bearer secret".parse().expect("a header"));
        for (name, value) in more {
            let name = HeaderName::from_bytes(name.as_bytes()).expect("a header's name");
            headers.append(name, value.parse().expect("a header's value"));
        }
        let call = Call {
            method,
            path: path.to_owned(),
            query: query.to_owned(),
            headers,
            body: body.into(),
            peer: ([127, 0, 0, 1], 4000).into(),
            busy: self.clock.busy(),
        };
        let answered = self.gateway.handle(&call).await;
        answered.expect("a path of the gateway")
    }

    async fn call_back(&self, body: Value) -> (u16, String) {
        self.call_back_raw(body.to_string()).await
    }

    async fn call_back_raw(&self, body: impl Into<Bytes>) -> (u16, String) {
        let reply = self.send(Method::POST, "/callbacks/valuation", body).await;
        let said: Value = serde_json::from_slice(&reply.body).expect("JSON");
        let disposition = said["disposition"].as_str().unwrap_or_default().to_owned();
        (reply.status.as_u16(), disposition)
    }

    async fn register(&self, reference: &str, token: &str) -> (u16, Value) {
        let path = format!("/rejoin/references/valuation/{reference}");
        let body = json!({ "taskToken": token }).to_string();
        let reply = self.send(Method::PUT, &path, body).await;
        let said = serde_json::from_slice(&reply.body).expect("JSON");
        (reply.status.as_u16(), said)
    }

    async fn get(&self, path: &str) -> (StatusCode, Value) {
        let reply = self.send(Method::GET, path, "").await;
        (
            reply.status,
            serde_json::from_slice(&reply.body).expect("JSON"),
        )
    }

    /// All dispositions that each delivery went through, oldest delivery first.
    async fn dispositions(&self) -> Vec<String> {
        let (_, said) = self.get("/rejoin/deliveries").await;
        let mut all: Vec<String> = said["deliveries"]
            .as_array()
            .expect("a list")
            .iter()
            .map(|delivery| {
                let steps = delivery["dispositions"].as_array().expect("a list");
                let steps: Vec<_> = steps
                    .iter()
                    .filter_map(|s| s["disposition"].as_str())
                    .collect();
                steps.join(" > ")
            })
            .collect();
        all.reverse();
        all
    }

    /// What the topic heard, oldest first.
    async fn alerts(&self) -> Vec<Value> {
        self.attend().await;
        let page = self.topics.messages("LoanErrors", 100, None).await;
        let page = page.expect("the store reads").expect("the topic is there");
        let mut alerts: Vec<Value> = page
            .messages
            .into_iter()
            .map(|message| message.message)
            .collect();
        alerts.reverse();
        for alert in &alerts {
            assert_eq!(faults_of(alert), Vec::<String>::new());
        }
        alerts
    }

    /// Time passes, and what is due is attended to.
    async fn pass(&self, seconds: i64) {
        drop(
            self.clock
                .advance(self.clock.now().plus_seconds(seconds))
                .await,
        );
        self.engine.0.lock().now = self.clock.now().0;
        self.attend().await;
    }

    /// What is due is attended to, and what that makes due.
    async fn attend(&self) {
        loop {
            let due = self.store.take_due(self.clock.now(), 100);
            if due.is_empty() {
                return;
            }
            for due in due {
                match due {
                    Due::Document(Table::Message, _) => {}
                    Due::Document(Table::Alerting, key) => self.alerts.attend(&key).await,
                    Due::Document(table, key) => self.gateway.attend(table, &key).await,
                    Due::Execution(_) => panic!("the engine here has no store"),
                }
            }
        }
    }

    fn wait_announced(&self, execution: u128, wait: u32) -> super::Choosing {
        self.gateway.wait_opened(
            ExecutionKey(execution),
            WaitId(wait),
            &identity(execution).state_machine_arn,
            "RequestValuation",
        )
    }
}

fn took(status: u16, disposition: &str) -> (u16, String) {
    (status, disposition.to_owned())
}

#[tokio::test]
async fn a_prompt_callback_is_the_result_and_nobody_is_alerted() {
    let world = World::new();
    let token = world.engine.open(1, 1);
    assert_eq!(world.register("r1", &token).await.0, 200);
    let answer = json!({"ref": "r1", "value": 250_000});
    assert_eq!(
        world.call_back(answer.clone()).await,
        took(200, "delivered")
    );
    let ended = world.engine.0.lock().waits[&(1, 1)]
        .1
        .clone()
        .expect("it ended");
    assert_eq!(
        ended.end,
        WaitEnd::Succeeded {
            output: answer.into()
        }
    );
    assert_eq!(world.alerts().await, Vec::<Value>::new());
    let (_, shown) = world.get("/rejoin/references/valuation/r1").await;
    assert_eq!(shown["standing"], "answered");
    assert_eq!(shown["wait"], "succeeded");
    assert!(
        !shown.to_string().contains(&format!("\"{token}\"")),
        "{shown}"
    );
}

#[tokio::test]
async fn a_callback_that_says_it_failed_fails_the_task_with_the_routes_error() {
    let world = World::new();
    let token = world.engine.open(1, 1);
    world.register("r1", &token).await;
    let failed = json!({"ref": "r1", "failed": true, "reason": "no such house"});
    assert_eq!(
        world.call_back(failed).await,
        took(200, "delivered-as-failure")
    );
    let ended = world.engine.0.lock().waits[&(1, 1)]
        .1
        .clone()
        .expect("it ended");
    let WaitEnd::Failed { failure } = ended.end else {
        panic!("{ended:?}");
    };
    assert_eq!(failure.error.as_deref(), Some("ValuationFailed"));
    assert_eq!(failure.cause.as_deref(), Some("no such house"));
    assert_eq!(world.alerts().await.len(), 0);
}

#[tokio::test]
async fn a_heartbeat_keeps_the_wait_open() {
    let world = World::new();
    let token = world.engine.open(1, 1);
    world.register("r1", &token).await;
    let beat = json!({"ref": "r1", "status": "working"});
    assert_eq!(world.call_back(beat).await, took(200, "heartbeat"));
    assert_eq!(world.engine.0.lock().heartbeats, 1);
    let answer = json!({"ref": "r1", "value": 1});
    assert_eq!(world.call_back(answer).await, took(200, "delivered"));
    let beat = json!({"ref": "r1", "status": "working"});
    assert_eq!(world.call_back(beat).await, took(410, "late-ended"));
}

#[tokio::test]
async fn an_identical_repeat_is_told_from_a_contradicting_one() {
    let world = World::new();
    let token = world.engine.open(1, 1);
    world.register("r1", &token).await;
    world.call_back_raw(r#"{"ref":"r1","value":1}"#).await;
    // The same values in another order, with white space.
    let repeat = world.call_back_raw(r#"{ "value": 1, "ref": "r1" }"#).await;
    assert_eq!(repeat, took(200, "duplicate-identical"));
    let other = world.call_back_raw(r#"{"ref":"r1","value":2}"#).await;
    assert_eq!(other, took(409, "duplicate-contradicting"));
    assert_eq!(world.engine.0.lock().completions, 1);
    let alerts = world.alerts().await;
    assert_eq!(alerts.len(), 2);
    assert_eq!(alerts[0]["disposition"], "duplicate-identical");
    assert_eq!(alerts[1]["disposition"], "duplicate-contradicting");
    assert_eq!(alerts[1]["executionName"], "loan-1");
}

#[tokio::test]
async fn a_late_callback_names_the_execution_the_step_and_how_late() {
    let world = World::new();
    let token = world.engine.open(1, 1);
    world.register("r1", &token).await;
    world.pass(30).await;
    world.engine.end(1, 1, WaitEnd::TimedOut, false);
    world.pass(15).await;
    let body = json!({"ref": "r1", "value": 1});
    assert_eq!(
        world.call_back(body.clone()).await,
        took(410, "late-timed-out")
    );
    let alerts = world.alerts().await;
    assert_eq!(alerts.len(), 1);
    let alert = &alerts[0];
    assert_eq!(
        alert["description"],
        "Late callback: Execution loan-1 no longer waits in RequestValuation: it had timed out 15 s before the callback came."
    );
    assert_eq!(alert["lateBySeconds"], 15.0);
    assert_eq!(alert["stateName"], "RequestValuation");
    assert_eq!(alert["waitBeganAt"], START.to_string());
    assert_eq!(alert["waitDeadline"], START.plus_seconds(30).to_string());
    assert_eq!(alert["eventRequestId"], "third-party-1");
    assert_eq!(alert["eventBody"], body.to_string());
    let arn = &identity(1).arn;
    let command = alert["lookFurther"]["execution"]
        .as_str()
        .expect("a command");
    assert!(
        command.ends_with(&format!("--execution-arn {arn}")),
        "{command}"
    );
    assert!(!alert.to_string().contains(&token), "{alert}");
    // The next one is late too, not a duplicate: nothing was answered.
    assert_eq!(world.call_back(body).await, took(410, "late-timed-out"));
}

#[tokio::test]
async fn what_ended_the_wait_decides_which_kind_of_late() {
    let other = WaitEnd::Succeeded {
        output: Value::from(7).into(),
    };
    for (end, superseded, expected) in [
        (WaitEnd::TimedOut, false, "late-timed-out"),
        (WaitEnd::HeartbeatTimedOut, false, "late-timed-out"),
        (WaitEnd::Aborted, false, "late-ended"),
        (other, false, "late-ended"),
        (WaitEnd::TimedOut, true, "late-superseded"),
    ] {
        let world = World::new();
        let token = world.engine.open(1, 1);
        world.register("r1", &token).await;
        world.engine.end(1, 1, end, superseded);
        let body = json!({"ref": "r1", "value": 1});
        assert_eq!(world.call_back(body).await, took(410, expected));
        assert_eq!(world.alerts().await.len(), 1);
    }
}

#[tokio::test]
async fn an_early_callback_waits_for_its_reference() {
    let world = World::new();
    drop(world.wait_announced(1, 1));
    let token = world.engine.open(1, 1);
    let body = json!({"ref": "r1", "value": 1});
    assert_eq!(world.call_back(body.clone()).await, took(202, "early"));
    assert_eq!(
        world.call_back(body).await,
        took(200, "duplicate-identical")
    );
    let (status, said) = world.register("r1", &token).await;
    assert_eq!(
        (status, &said["early"]["disposition"]),
        (200, &json!("delivered"))
    );
    assert_eq!(world.engine.0.lock().completions, 1);
    assert_eq!(
        world.dispositions().await,
        ["early > delivered", "duplicate-identical"]
    );
}

#[tokio::test]
async fn an_early_callback_that_nobody_registers_becomes_unknown() {
    let world = World::new();
    drop(world.wait_announced(1, 1));
    world.call_back(json!({"ref": "r1"})).await;
    world.pass(599).await;
    assert_eq!(world.alerts().await.len(), 0);
    world.pass(1).await;
    assert_eq!(world.dispositions().await, ["early > unknown-reference"]);
    let alerts = world.alerts().await;
    assert_eq!(alerts[0]["disposition"], "unknown-reference");
    assert_eq!(world.get("/rejoin/references/valuation/r1").await.0, 404);
}

#[tokio::test]
async fn a_registration_after_its_callback_expired_waits_for_the_next_one() {
    let world = World::new();
    drop(world.wait_announced(1, 1));
    let answer = json!({"ref": "r1", "value": 1});
    assert_eq!(world.call_back(answer.clone()).await, took(202, "early"));
    world.pass(600).await;
    assert_eq!(
        world.dispositions().await,
        ["early > unknown-reference"],
        "it expired"
    );
    // The wait is a new one of the same execution: the first is over by now.
    let token = world.engine.open(1, 2);
    let (status, said) = world.register("r1", &token).await;
    assert_eq!((status, &said["standing"]), (200, &json!("waiting")));
    assert_eq!(said["early"], Value::Null, "{said}");
    assert_eq!(world.engine.0.lock().completions, 0);
    // The third party repeats it, and it counts now.
    assert_eq!(world.call_back(answer).await, took(200, "delivered"));
    let heard: Vec<Value> = world.alerts().await;
    let kinds: Vec<_> = heard.iter().map(|alert| &alert["disposition"]).collect();
    assert_eq!(kinds, ["unknown-reference"]);
}

#[tokio::test]
async fn without_an_open_task_that_could_register_it_a_reference_is_unknown_at_once() {
    let world = World::new();
    drop(world.wait_announced(1, 1));
    let token = world.engine.open(1, 1);
    world.register("r1", &token).await;
    let body = json!({"ref": "nobody's", "value": 1});
    assert_eq!(
        world.call_back(body.clone()).await,
        took(404, "unknown-reference")
    );
    let alerts = world.alerts().await;
    assert_eq!(alerts.len(), 1);
    assert_eq!(alerts[0]["eventBody"], body.to_string());
    assert!(alerts[0].get("executionArn").is_none());
    // It is kept, should somebody register it after all.
    let token = world.engine.open(2, 1);
    let (_, said) = world.register("nobody's", &token).await;
    assert_eq!(said["early"]["disposition"], "delivered");
    assert_eq!(
        world.dispositions().await,
        ["unknown-reference > delivered"]
    );
}

#[tokio::test]
async fn a_wait_that_is_over_no_longer_makes_callbacks_early() {
    let world = World::new();
    drop(world.wait_announced(1, 1));
    world.gateway.wait_ended(ExecutionKey(1), WaitId(1));
    let said = world.call_back(json!({"ref": "r1"})).await;
    assert_eq!(said, took(404, "unknown-reference"));
}

#[tokio::test]
async fn what_was_found_due_and_got_another_time_meanwhile_is_left_alone() {
    let world = World::new();
    let said = world.call_back(json!({"ref": "r1"})).await;
    assert_eq!(said, took(404, "unknown-reference"));
    let later = world.clock.now().plus_seconds(600);
    drop(world.clock.advance(later).await);
    let due = world.store.take_due(later, 100);
    // Before the scheduler's task comes to it, an early callback takes the place of the one that
    // counted as unknown.
    drop(world.wait_announced(1, 1));
    let said = world.call_back(json!({"ref": "r1"})).await;
    assert_eq!(said, took(202, "early"));
    for due in due {
        if let Due::Document(table @ Table::Reference, key) = due {
            world.gateway.attend(table, &key).await;
        }
    }
    assert_eq!(world.dispositions().await, ["unknown-reference", "early"]);
    let token = world.engine.open(1, 1);
    let (_, said) = world.register("r1", &token).await;
    assert_eq!(said["early"]["disposition"], "delivered");
}

#[tokio::test]
async fn a_route_that_expects_nothing_takes_every_unregistered_callback_for_early() {
    let mut open = route();
    open["expects"] = json!([]);
    let world = World::with(vec![open]).expect("the route is right");
    assert_eq!(
        world.call_back(json!({"ref": "r1"})).await,
        took(202, "early")
    );
    world.pass(600).await;
    assert_eq!(world.dispositions().await, ["early > unknown-reference"]);
}

#[tokio::test]
async fn what_cannot_be_read_is_kept_and_told_and_looks_nothing_up() {
    for (body, expected) in [
        ("{\"ref\":", took(400, "malformed")),
        ("{}", took(400, "malformed")),
        ("{\"ref\":\"\"}", took(400, "malformed")),
        ("{\"ref\":[\"r1\"]}", took(400, "malformed")),
        ("\u{0}", took(400, "malformed")),
        (
            &format!("{{\"ref\":\"r1\",\"pad\":\"{}\"}}", "x".repeat(200)),
            took(413, "too-large"),
        ),
    ] {
        let world = World::new();
        let token = world.engine.open(1, 1);
        world.register("r1", &token).await;
        assert_eq!(world.call_back_raw(body.to_owned()).await, expected);
        assert_eq!(world.engine.0.lock().completions, 0);
        let alerts = world.alerts().await;
        assert_eq!(alerts.len(), 1, "{body}");
        assert!(body.starts_with(alerts[0]["eventBody"].as_str().expect("a body")));
    }
}

#[tokio::test]
async fn bytes_that_are_no_text_are_kept_too() {
    let world = World::new();
    assert_eq!(
        world.call_back_raw(vec![0xff, 0xfe]).await,
        took(400, "malformed")
    );
    let (_, said) = world.get("/rejoin/deliveries").await;
    let id = said["deliveries"][0]["id"]
        .as_str()
        .expect("an id")
        .to_owned();
    let (_, full) = world.get(&format!("/rejoin/deliveries/{id}")).await;
    assert_eq!(full["bodyBase64"], "//4=");
    assert!(full.to_string().contains("(not kept)"));
    assert!(!full.to_string().contains("Bearer secret"));
}

#[tokio::test]
async fn an_undeliverable_callback_is_stored_and_tried_again_until_the_engine_is_back() {
    let world = World::new();
    let token = world.engine.open(1, 1);
    world.register("r1", &token).await;
    world.engine.0.lock().down = true;
    let body = json!({"ref": "r1", "value": 1});
    assert_eq!(
        world.call_back(body.clone()).await,
        took(503, "undeliverable")
    );
    for _ in 0..4 {
        world.pass(8).await;
    }
    assert_eq!(
        world.alerts().await.len(),
        1,
        "one alert, not one for every attempt"
    );
    world.engine.0.lock().down = false;
    world.pass(300).await;
    assert_eq!(world.dispositions().await, ["undeliverable > delivered"]);
    let alerts = world.alerts().await;
    assert_eq!((alerts.len(), &alerts[1]["resolved"]), (2, &true.into()));
    assert_eq!(alerts[1]["dedupKey"], alerts[0]["dedupKey"]);
    assert_eq!(world.engine.0.lock().completions, 1);
    assert_eq!(
        world.call_back(body).await,
        took(200, "duplicate-identical")
    );
}

#[tokio::test]
async fn a_repeat_of_an_undeliverable_callback_brings_it_home_at_once() {
    let world = World::new();
    let token = world.engine.open(1, 1);
    world.register("r1", &token).await;
    world.engine.0.lock().down = true;
    let body = json!({"ref": "r1", "value": 1});
    world.call_back(body.clone()).await;
    world.engine.0.lock().down = false;
    assert_eq!(
        world.call_back(body).await,
        took(200, "duplicate-identical")
    );
    assert_eq!(
        world.dispositions().await,
        ["undeliverable > delivered", "duplicate-identical"]
    );
}

#[tokio::test]
async fn a_crash_between_storing_and_delivering_loses_nothing() {
    let world = World::new();
    let token = world.engine.open(1, 1);
    world.register("r1", &token).await;
    let world = crashed_after_storing(world).await;
    assert_eq!(world.dispositions().await, [""]);
    assert_eq!(world.engine.0.lock().completions, 0);
    world.pass(1).await;
    assert_eq!(world.dispositions().await, ["delivered"]);
    assert_eq!(world.engine.0.lock().completions, 1);
}

#[tokio::test]
async fn a_crash_before_the_outcome_is_recorded_at_all_counts_as_delivered() {
    let world = World::new();
    let token = world.engine.open(1, 1);
    world.register("r1", &token).await;
    let world = crashed_after_storing(world).await;
    // The engine had taken it when the process died.
    let output = json!({"ref": "r1", "value": 1}).into();
    world.engine.end(1, 1, WaitEnd::Succeeded { output }, false);
    world.pass(1).await;
    assert_eq!(world.dispositions().await, ["delivered"]);
    assert_eq!(world.alerts().await.len(), 0);
}

#[tokio::test]
async fn a_crash_between_storing_and_delivering_may_make_it_late() {
    let world = World::new();
    let token = world.engine.open(1, 1);
    world.register("r1", &token).await;
    let world = crashed_after_storing(world).await;
    world.engine.end(1, 1, WaitEnd::TimedOut, false);
    world.pass(1).await;
    assert_eq!(world.dispositions().await, ["late-timed-out"]);
    assert_eq!(world.alerts().await.len(), 1);
}

/// Stores a callback as the gateway does, and dies before anything else is recorded.
async fn crashed_after_storing(world: World) -> World {
    let (version, reference) = world
        .gateway
        .reference("valuation", "r1")
        .await
        .expect("the store reads")
        .expect("it is registered");
    let holder = reference.standing.holder().expect("registered").clone();
    let body = json!({"ref": "r1", "value": 1});
    let call = Call {
        method: Method::POST,
        path: "/callbacks/valuation".into(),
        query: String::new(),
        headers: HeaderMap::new(),
        body: body.to_string().into(),
        peer: ([127, 0, 0, 1], 4000).into(),
        busy: world.clock.busy(),
    };
    let route = world.gateway.route_named("valuation").expect("a route");
    let reading = route
        .read(0, &call, &[], world.clock.now())
        .unwrap_or_else(|fault| panic!("{}", fault.reason));
    let delivery = super::record::Delivery {
        reference: Some("r1".into()),
        peer: "127.0.0.1:4000".into(),
        body: super::record::Body::of(body.to_string().as_bytes()),
        body_bytes: body.to_string().len(),
        intent: Some(reading.intent),
        target: Some(holder.clone()),
        ..super::record::Delivery::new(
            world.gateway.delivery_id(),
            "valuation".into(),
            world.clock.now(),
        )
    };
    let standing = super::record::Standing::Delivering {
        holder,
        delivery: delivery.id.clone(),
        digest: reading.digest,
    };
    let reference = super::record::Reference {
        standing,
        ..reference
    };
    let mut changes = delivery.changes(store::Expect::Absent, world.gateway.look_after());
    changes.push(reference.change(store::Expect::Version(version), None));
    let stored = world.gateway.commit(changes).await;
    assert!(stored.is_ok());
    world.restarted()
}

#[tokio::test]
async fn a_crash_between_delivering_and_recording_counts_as_delivered_not_as_late() {
    for body in [
        json!({"ref": "r1", "value": 1}),
        json!({"ref": "r1", "failed": true, "reason": "x"}),
    ] {
        let world = World::new();
        let token = world.engine.open(1, 1);
        world.register("r1", &token).await;
        world.engine.0.lock().lose_answer = true;
        assert_eq!(
            world.call_back(body.clone()).await,
            took(503, "undeliverable")
        );
        let world = world.restarted();
        world.pass(1).await;
        let expected = if body["failed"] == true {
            "undeliverable > delivered-as-failure"
        } else {
            "undeliverable > delivered"
        };
        assert_eq!(world.dispositions().await, [expected]);
        assert_eq!(world.engine.0.lock().completions, 1);
        assert_eq!(
            world.call_back(body).await,
            took(200, "duplicate-identical")
        );
    }
}

#[tokio::test]
async fn a_callback_and_its_registration_meet_in_either_order_and_deliver_once() {
    for round in 0..200 {
        let world = Arc::new(World::new());
        drop(world.wait_announced(1, 1));
        let token = world.engine.open(1, 1);
        let caller = world.clone();
        let worker = world.clone();
        let (yields, later) = (round % 7, round % 5);
        let (called, registered) = tokio::join!(
            tokio::spawn(async move {
                for _ in 0..yields {
                    tokio::task::yield_now().await;
                }
                caller.call_back(json!({"ref": "r1", "value": 1})).await
            }),
            tokio::spawn(async move {
                for _ in 0..later {
                    tokio::task::yield_now().await;
                }
                worker.register("r1", &token).await.0
            }),
        );
        let called = called.expect("no panic");
        assert!(
            called == took(200, "delivered") || called == took(202, "early"),
            "{called:?}"
        );
        assert_eq!(registered.expect("no panic"), 200);
        assert_eq!(world.engine.0.lock().completions, 1, "round {round}");
        let ends = world.dispositions().await;
        assert!(
            ends == ["delivered"] || ends == ["early > delivered"],
            "{ends:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_callbacks_at_once_exactly_one_is_delivered() {
    for round in 0..100 {
        let registered_before = round % 2 == 0;
        let world = Arc::new(World::new());
        drop(world.wait_announced(1, 1));
        let token = world.engine.open(1, 1);
        if registered_before {
            assert_eq!(world.register("r1", &token).await.0, 200);
        }
        let mut calls = tokio::task::JoinSet::new();
        for value in 0..8 {
            let world = world.clone();
            // Half of them agree with each other.
            calls.spawn(async move {
                world
                    .call_back(json!({"ref": "r1", "value": value % 2}))
                    .await
            });
        }
        let worker = world.clone();
        let registered = tokio::spawn(async move { worker.register("r1", &token).await.0 });
        let answers = calls.join_all().await;
        assert_eq!(registered.await.expect("no panic"), 200);
        assert_eq!(world.engine.0.lock().completions, 1, "round {round}");
        let first = |(status, _): &&(u16, String)| *status == 202;
        let early = answers.iter().filter(first).count();
        let delivered = answers
            .iter()
            .filter(|a| **a == took(200, "delivered"))
            .count();
        assert_eq!(early + delivered, 1, "{answers:?}");
        let same = answers
            .iter()
            .filter(|a| **a == took(200, "duplicate-identical"));
        assert_eq!(same.count(), 3, "{answers:?}");
        let against = answers
            .iter()
            .filter(|a| **a == took(409, "duplicate-contradicting"));
        assert_eq!(against.count(), 4, "{answers:?}");
    }
}

#[tokio::test]
async fn a_reference_has_one_holder_at_a_time() {
    let world = World::new();
    let first = world.engine.open(1, 1);
    assert_eq!(world.register("r1", &first).await.0, 200);
    assert_eq!(world.register("r1", &first).await.0, 200, "the same again");
    let other = world.engine.open(2, 1);
    let (status, said) = world.register("r1", &other).await;
    assert_eq!(status, 409);
    assert_eq!(
        said["message"],
        "execution loan-1 waits in RequestValuation under the reference \"r1\" on the route \"valuation\""
    );
    // A retry of the same state takes it over once the earlier wait is over, not before.
    let retry = world.engine.open(1, 2);
    assert_eq!(world.register("r1", &retry).await.0, 409);
    world.engine.end(1, 1, WaitEnd::TimedOut, true);
    assert_eq!(
        world.register("r1", &other).await.0,
        409,
        "a late answer may still come"
    );
    assert_eq!(world.register("r1", &retry).await.0, 200);
    let said = world.call_back(json!({"ref": "r1", "value": 1})).await;
    assert_eq!(said, took(200, "delivered"));
    assert!(world.engine.0.lock().waits[&(1, 2)].1.is_some());
}

#[tokio::test]
async fn registrations_that_make_no_sense_hear_a_sentence() {
    let world = World::new();
    let put = async |path: &str, body: &str| {
        let reply = world.send(Method::PUT, path, body.to_owned()).await;
        let said: Value = serde_json::from_slice(&reply.body).expect("JSON");
        (
            reply.status.as_u16(),
            said["error"].as_str().unwrap_or_default().to_owned(),
        )
    };
    let r1 = "/rejoin/references/valuation/r1";
    let long = format!("/rejoin/references/valuation/{}", "x".repeat(513));
    for (path, body, expected) in [
        (r1, "{}", (400, "InvalidBody")),
        (r1, "nonsense", (400, "InvalidBody")),
        (
            r1,
            r#"{"taskToken":"from elsewhere"}"#,
            (400, "InvalidToken"),
        ),
        (r1, r#"{"taskToken":"9/9"}"#, (410, "ExecutionGone")),
        (
            "/rejoin/references/nowhere/r1",
            r#"{"taskToken":"1/1"}"#,
            (404, "NoSuchRoute"),
        ),
        (
            "/rejoin/references/valuation/",
            r#"{"taskToken":"1/1"}"#,
            (400, "InvalidReference"),
        ),
        (
            "/rejoin/references/valuation",
            r#"{"taskToken":"1/1"}"#,
            (400, "InvalidPath"),
        ),
        (&*long, r#"{"taskToken":"1/1"}"#, (400, "InvalidReference")),
    ] {
        let (status, error) = put(path, body).await;
        assert_eq!((status, &*error), expected, "{path} {body}");
    }
}

#[tokio::test]
async fn a_used_reference_is_remembered_for_its_time_and_then_forgotten() {
    let world = World::new();
    let token = world.engine.open(1, 1);
    world.register("answered", &token).await;
    world
        .call_back(json!({"ref": "answered", "value": 1}))
        .await;
    let token = world.engine.open(2, 1);
    world.register("timed out", &token).await;
    world.pass(30).await;
    world.engine.end(2, 1, WaitEnd::TimedOut, false);
    world.pass(3569).await;
    assert_eq!(
        world.get("/rejoin/references/valuation/answered").await.0,
        200
    );
    world.pass(1).await;
    assert_eq!(
        world.get("/rejoin/references/valuation/answered").await.0,
        404
    );
    assert_eq!(
        world
            .get("/rejoin/references/valuation/timed%20out")
            .await
            .0,
        200
    );
    world.pass(30).await;
    assert_eq!(
        world
            .get("/rejoin/references/valuation/timed%20out")
            .await
            .0,
        404
    );
    assert_eq!(
        world
            .store
            .next_due()
            .filter(|due| *due > START.plus_seconds(1)),
        None
    );
}

#[tokio::test]
async fn the_inbox_is_searched_and_paged_newest_first() {
    let world = World::new();
    let token = world.engine.open(1, 1);
    world.register("r1", &token).await;
    world.call_back(json!({"ref": "r1", "value": 1})).await;
    world.call_back(json!({"ref": "r1", "value": 1})).await;
    world.call_back(json!({"ref": "r2", "value": 1})).await;
    for (query, count) in [
        ("", 3),
        ("?reference=r1", 2),
        ("?disposition=unknown-reference", 1),
        ("?execution=loan-1", 2),
        ("?execution=loan-1&disposition=delivered", 1),
    ] {
        let (_, said) = world.get(&format!("/rejoin/deliveries{query}")).await;
        assert_eq!(
            said["deliveries"].as_array().map(Vec::len),
            Some(count),
            "{query}"
        );
    }
    // Nothing came on a route that is not there, and that is what has to be said.
    let (status, said) = world.get("/rejoin/deliveries?route=valuatoin").await;
    assert_eq!(
        (status.as_u16(), &said["error"]),
        (404, &json!("NoSuchRoute"))
    );
    let hint = said["hint"].as_str().expect("a hint");
    assert!(hint.starts_with("did you mean \"valuation\"?"), "{hint}");
    let (_, page) = world.get("/rejoin/deliveries?limit=2").await;
    assert_eq!(page["deliveries"][0]["reference"], "r2");
    let next = page["next"].as_str().expect("there is more");
    let (_, page) = world
        .get(&format!("/rejoin/deliveries?limit=2&after={next}"))
        .await;
    assert_eq!(page["deliveries"].as_array().map(Vec::len), Some(1));
    assert_eq!(world.get("/rejoin/deliveries?limit=0").await.0, 400);
    assert_eq!(
        world.get("/rejoin/deliveries?disposition=lost").await.0,
        400
    );
    assert_eq!(world.get("/rejoin/deliveries/nothing").await.0, 404);
}

#[tokio::test]
async fn deliveries_are_forgotten_after_ninety_days_unless_they_are_still_undecided() {
    const DAY: i64 = 86_400;
    let world = World::new();
    let token = world.engine.open(1, 1);
    world.register("r1", &token).await;
    world.engine.0.lock().down = true;
    world.call_back(json!({"ref": "r1", "value": 1})).await;
    world.call_back(json!({"ref": "nobody's"})).await;
    world.pass(89 * DAY).await;
    world.call_back_raw("half of a b").await;
    world.gateway.sweep().await.expect("the store works");
    assert_eq!(world.dispositions().await.len(), 3);
    world.pass(2 * DAY).await;
    world.gateway.sweep().await.expect("the store works");
    assert_eq!(world.dispositions().await, ["undeliverable", "malformed"]);
}

#[tokio::test]
async fn a_reference_of_a_wait_without_a_deadline_is_forgotten_once_the_wait_is_over() {
    let world = World::new();
    let (open, over) = (world.engine.open(1, 1), world.engine.open(2, 1));
    for wait in world.engine.0.lock().waits.values_mut() {
        wait.0.timeout_at = None;
    }
    world.register("open", &open).await;
    world.register("over", &over).await;
    world.engine.end(2, 1, WaitEnd::Aborted, false);
    world.pass(365 * 86_400).await;
    assert_eq!(
        world.store.count(Table::Reference),
        2,
        "nobody looks at them"
    );
    world
        .gateway
        .sweep_references()
        .await
        .expect("the store works");
    let (_, left) = world.get("/rejoin/references/valuation/open").await;
    assert_eq!(left["reference"], "open");
    assert_eq!(world.store.count(Table::Reference), 1);
}

#[tokio::test]
async fn only_post_calls_back() {
    let world = World::new();
    let reply = world.send(Method::GET, "/callbacks/valuation", "").await;
    assert_eq!(reply.status, 405);
    assert_eq!(reply.headers, [("Allow", "POST".to_owned())]);
    assert_eq!(world.dispositions().await.len(), 0, "somebody looks");
    // What brings something is a callback that went wrong, and is kept and told.
    let body = json!({"ref": "r1", "value": 1}).to_string();
    let reply = world
        .send(Method::PUT, "/callbacks/valuation", body.clone())
        .await;
    assert_eq!(reply.status, 405);
    assert_eq!(reply.headers, [("Allow", "POST".to_owned())]);
    assert_eq!(world.dispositions().await, ["malformed"]);
    let alerts = world.alerts().await;
    assert_eq!(
        alerts[0]["description"],
        "Malformed callback: It came by PUT, and this path takes POST."
    );
    assert_eq!(alerts[0]["eventBody"], body);
}

#[tokio::test]
async fn json_with_a_byte_order_mark_is_json() {
    let mut route = route();
    route["redact"] = json!(["$.card"]);
    for route in [super::tests::route(), route] {
        let world = World::with(vec![route]).expect("a route");
        let token = world.engine.open(1, 1);
        world.register("r1", &token).await;
        let body = "\u{feff}{\"ref\": \"r1\", \"card\": 4242}";
        assert_eq!(world.call_back_raw(body).await, took(200, "delivered"));
        let ended = world.engine.0.lock().waits[&(1, 1)].1.clone();
        assert_eq!(
            ended.expect("it ended").end,
            WaitEnd::Succeeded {
                output: json!({"ref": "r1", "card": 4242}).into()
            }
        );
    }
}

#[tokio::test]
async fn a_wrong_route_is_one_sentence() {
    for (key, value, expected) in [
        (
            "name",
            json!("a b"),
            "route \"a b\": a name is 1 to 64 letters",
        ),
        (
            "path",
            json!("callbacks"),
            "route \"valuation\": `path` is \"callbacks\"; it must begin with '/'",
        ),
        (
            "path",
            json!("/rejoin/x"),
            "route \"valuation\": `path` \"/rejoin/x\" belongs to the server itself",
        ),
        (
            "reference",
            json!("valuationReference"),
            "route \"valuation\": `reference` is \"valuationReference\"; it must be a JSONPath",
        ),
        (
            "reference",
            json!("$$.Execution.Id"),
            "route \"valuation\": `reference` is \"$$.Execution.Id\"; it must be a JSONPath",
        ),
        (
            "reference",
            json!("$.["),
            "route \"valuation\": `reference` \"$.[\" is not a JSONPath",
        ),
        (
            "topic",
            json!("Nowhere"),
            "route \"valuation\": `topic` \"Nowhere\" is not configured",
        ),
        (
            "alerts",
            json!(["lost"]),
            "route \"valuation\": `alerts` has \"lost\", which is no disposition",
        ),
        (
            "expects",
            json!(["RequestValuation"]),
            "route \"valuation\": `expects` has \"RequestValuation\"; write STATE_MACHINE.STATE",
        ),
        (
            "body_bytes_max",
            json!(300_000),
            "route \"valuation\": `body_bytes_max` is 300000",
        ),
        (
            "failure",
            json!({"when": "$.failed", "error": ""}),
            "route \"valuation\": `failure.error` is empty",
        ),
    ] {
        let mut wrong = route();
        wrong[key] = value;
        let said = World::with(vec![wrong]).err().expect("it is wrong");
        assert!(said.starts_with(expected), "{said}");
    }
    let mut other = route();
    other["name"] = json!("other");
    let said = World::with(vec![route(), other]).err().expect("one path");
    assert!(said.contains("have the same path"), "{said}");
    let said = World::with(vec![route(), route()]).err().expect("one name");
    assert!(said.contains("two routes have the name"), "{said}");
}
