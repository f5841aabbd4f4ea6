//! A scenario on a whole server, through its doors.
//!
//! | step | door |
//! | --- | --- |
//! | `start`, `pick up`, `stop`, `redrive` | StartExecution, GetActivityTask, StopExecution, RedriveExecution |
//! | `complete`, `fail`, of an activity or a wait for a token; `heartbeat` | SendTaskSuccess, SendTaskFailure, SendTaskHeartbeat |
//! | `complete`, `fail`, of a request; `submit` | as the dispatcher brings a resource's answer: see [`Stage::answer`] |
//! | `register`, `release` | `PUT` and `DELETE /rejoin/references/...` |
//! | `call back`, `forge` | `POST` to the route's path |
//! | `advance` | `POST /rejoin/clock/advance` |
//! | `oversleep` | the server is down meanwhile |
//! | `tick` | whatever is due has had its turn |
//! | `forget` | more time than the server keeps executions |
//! | `ended` | what the gateway sees of a wait |
//! | the history | GetExecutionHistory; DescribeExecution must agree with it |
//! | the inbox | `GET /rejoin/deliveries`, and what the topic of the alerts heard |
//!
//! The function `f` is called over HTTP and never answers: the script is the resource, so it says what
//! comes back and when. The clock's grace is none, or each call would hold time for five real seconds.

#![allow(dead_code, clippy::unwrap_used)]

mod inbox;

use std::net::TcpListener;
use std::path::PathBuf;
use std::time::Duration;

use asl::{Data, Failure, Timestamp};
use engine::{CommandKind, ExecutionKey, HistoryEvent, Outcome, Status, Token, WaitId};
use hyper::{HeaderMap, Method};
use serde_json::{Value, json};
use server::alerts::AlertsConfig;
use server::app::{App, Place, Settings};
use server::clock::Clock;
use server::http::Call;
use server::routes;
use server::runner::NotDone;
use testkit::outline::outline;
use testkit::scenario::Scenario;
use testkit::script::{Action, Step, WaitName};
use testkit::waits::{self, NamedWait};
use testkit::world::{EXECUTION_ARN, STARTED_AT};

const MACHINE_ARN: &str = "arn:aws:states:us-east-1:123456789012:stateMachine:Machine";
/// The function of all scenarios.
const FUNCTION: &str = "f";
/// Longer than Lambda lets a function take, so that none is given up before the script's time.
const FUNCTION_SECONDS: u32 = 900;
/// The topic that a route's alerts go to.
const ALERTS: &str = "alerts";
/// For how long ended executions are kept, and so long that they no longer are.
const KEPT_DAYS: u32 = 90;
const FORGOTTEN_SECONDS: i64 = 100 * 86_400;

/// A server, and where its data is while it is down.
pub struct Stage {
    life: Option<Life>,
    directory: Option<PathBuf>,
    /// Calls to it are taken by the system and read by nobody.
    function: TcpListener,
    route: Option<Value>,
    /// The answers to callbacks, by the delivery's id.
    answered: Vec<(String, u16)>,
}

/// A server from its start to its end. The runtime's end drops all that was in flight, as the end of a
/// process does, and with the last of it the store is let go.
struct Life {
    app: App,
    runtime: tokio::runtime::Runtime,
}

/// How a request was answered: the body, or the error's name.
type Answered = Result<Value, String>;

impl Stage {
    /// A server with a route, if the scenario has one.
    pub fn new(directory: Option<PathBuf>, route: &str) -> Stage {
        let mut stage = Stage {
            life: None,
            directory,
            function: TcpListener::bind("127.0.0.1:0").expect("a port is free"),
            route: (!route.is_empty())
                .then(|| serde_json::from_str(route).expect("a route is JSON")),
            answered: Vec::new(),
        };
        stage.begin(STARTED_AT);
        stage
    }

    fn begin(&mut self, now: Timestamp) {
        let address = self.function.local_addr().expect("it is bound");
        let function = json!({
            "url": format!("http://{address}/"),
            "timeout_seconds": FUNCTION_SECONDS,
        });
        let clock = Clock::standing_at(now);
        clock.set_grace(Duration::ZERO);
        let settings = Settings {
            place: Place {
                region: "us-east-1".to_owned(),
                account: "123456789012".to_owned(),
            },
            clock,
            directory: self.directory.clone(),
            retention_days: KEPT_DAYS,
            quotas: Default::default(),
            stuck_waits: Default::default(),
            environment: Default::default(),
            functions: [(
                FUNCTION.to_owned(),
                serde_json::from_value(function).unwrap(),
            )]
            .into(),
            topics: [(ALERTS.to_owned(), Default::default())].into(),
            alerts: each_by_itself(),
            status_changes: Vec::new(),
            routes: self
                .route
                .iter()
                .map(|route| serde_json::from_value(route.clone()).expect("a route"))
                .collect(),
            address: ([127, 0, 0, 1], 8083).into(),
        };
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime starts");
        let (app, _) = runtime
            .block_on(App::open(settings))
            .expect("the server opens");
        self.life = Some(Life { app, runtime });
        self.settle();
    }

    /// The server ends as if its process did, and another one starts `later` (in milliseconds).
    fn restart(&mut self, later: i64) {
        let now = self.now().plus_millis(later);
        self.life = None;
        self.begin(now);
    }

    fn life(&self) -> &Life {
        self.life.as_ref().expect("the server runs")
    }

    fn app(&self) -> &App {
        &self.life().app
    }

    fn now(&self) -> Timestamp {
        self.app().clock.now()
    }

    fn wait_for<T>(&self, work: impl Future<Output = T>) -> T {
        self.life().runtime.block_on(work)
    }

    /// Returns when all that is due now has had its turn.
    fn settle(&self) {
        let clock = &self.app().clock;
        drop(self.wait_for(clock.advance(clock.now())));
    }

    /// The outline of what comes of a scenario.
    pub fn play(mut self, scenario: &Scenario) -> Result<String, String> {
        let (input, steps) = scenario.steps();
        self.call("CreateActivity", json!({ "name": "ask" }))?;
        let machine = json!({
            "name": "Machine",
            "definition": scenario.definition,
            "roleArn": "arn:aws:iam::123456789012:role/Role",
        });
        self.call("CreateStateMachine", machine)?;
        let start = json!({ "stateMachineArn": MACHINE_ARN, "name": "run", "input": input });
        let started = self.call("StartExecution", start)?;
        assert_eq!(started["executionArn"], EXECUTION_ARN);
        for step in steps {
            if self.directory.is_some() {
                self.restart(0);
            }
            self.step(step)
                .map_err(|what| format!("{}: {what}", step.text))?;
        }
        if self.directory.is_some() {
            self.restart(0);
        }
        match self.route {
            None => self.outline(),
            Some(_) => self.inbox(),
        }
    }

    fn step(&mut self, step: &Step) -> Result<(), String> {
        let refusal = match &step.action {
            Action::Start(_) => return Err("only the first step starts".to_owned()),
            Action::Advance(millis) => {
                let body = json!({ "seconds": *millis as f64 / 1000.0 });
                return self.post("/rejoin/clock/advance", body);
            }
            Action::Oversleep(millis) => {
                self.restart(*millis);
                return Ok(());
            }
            Action::Tick => {
                self.settle();
                return Ok(());
            }
            Action::Ended(name, how) => return self.check_ended(name, how),
            Action::Forget => {
                self.post(
                    "/rejoin/clock/advance",
                    json!({ "seconds": FORGOTTEN_SECONDS }),
                )?;
                return match self.describe() {
                    Err(error) if error.contains("ExecutionDoesNotExist") => Ok(()),
                    other => Err(format!("the execution is still kept: {other:?}")),
                };
            }
            Action::CallBack(body) => return self.call_back(body, true),
            Action::Forge(body) => return self.call_back(body, false),
            Action::Register(name, reference) => self.register(self.find(name)?.wait, reference)?,
            Action::Release(reference) => self.release(reference)?,
            Action::Complete(name, output) => {
                let named = self.find(name)?;
                if is_request(&named) {
                    self.answer(CommandKind::Complete {
                        wait: named.wait,
                        outcome: Outcome::Success(data(output)?),
                    })?
                } else {
                    let request = json!({ "taskToken": self.token(named.wait), "output": output });
                    told(self.call("SendTaskSuccess", request))?
                }
            }
            Action::Fail(name, error, cause) => {
                let named = self.find(name)?;
                if is_request(&named) {
                    let failure = Failure {
                        error: error.clone().map(Into::into),
                        cause: cause.clone(),
                    };
                    self.answer(CommandKind::Complete {
                        wait: named.wait,
                        outcome: Outcome::Failure(failure),
                    })?
                } else {
                    let mut request = json!({ "taskToken": self.token(named.wait) });
                    set(&mut request, "error", error);
                    set(&mut request, "cause", cause);
                    told(self.call("SendTaskFailure", request))?
                }
            }
            Action::Submit(name, output) => self.answer(CommandKind::Submitted {
                wait: self.find(name)?.wait,
                output: data(output)?,
            })?,
            Action::Heartbeat(name) => {
                let token = self.token(self.find(name)?.wait);
                told(self.call("SendTaskHeartbeat", json!({ "taskToken": token })))?
            }
            Action::PickUp(name, worker) => self.pick_up(&self.find(name)?, worker)?,
            Action::Redrive => {
                let request = json!({ "executionArn": EXECUTION_ARN });
                match self.call("RedriveExecution", request) {
                    Ok(_) => None,
                    Err(error) if error.contains("\"ExecutionNotRedrivable\"") => {
                        let key = ExecutionKey::of(EXECUTION_ARN);
                        let execution = self.wait_for(self.app().runner.execution(key))?;
                        let execution = execution.ok_or("there is no execution")?;
                        let why = execution.redrivable(self.app().clock.now());
                        Some(format!(
                            "NotRedrivable({:?})",
                            why.expect_err("it was refused")
                        ))
                    }
                    Err(error) => return Err(error),
                }
            }
            Action::Stop(error, cause) => {
                let ended = self.describe()?["status"] != "RUNNING";
                let mut request = json!({ "executionArn": EXECUTION_ARN });
                set(&mut request, "error", error);
                set(&mut request, "cause", cause);
                self.call("StopExecution", request)?;
                // To stop what has ended is no error on AWS, and changes nothing.
                ended.then(|| "NotRunning".to_owned())
            }
        };
        self.settle();
        match (refusal, &step.refusal) {
            (None, None) => Ok(()),
            (Some(got), Some(wanted)) if got == *wanted => Ok(()),
            (None, Some(wanted)) => Err(format!("was to be refused with {wanted}, and was not")),
            (Some(got), _) => Err(format!("was refused with {got}")),
        }
    }

    /// Brings a resource's answer to the runner, as the dispatcher does; gives the refusal's name.
    ///
    /// Not through the function's own answer: what the AWS SDK makes of it (`SdkHttpMetadata` and all)
    /// belongs to the tests of functions, and a script says what the engine gets.
    fn answer(&self, kind: CommandKind) -> Result<Option<String>, String> {
        let key = ExecutionKey::of(EXECUTION_ARN);
        match self.wait_for(self.app().runner.command(key, kind)) {
            Ok(()) => Ok(None),
            Err(NotDone::Refused(refusal)) => Ok(Some(format!("{refusal:?}"))),
            Err(other) => Err(format!("{other:?}")),
        }
    }

    /// A worker asks for a task. It has it, or is left waiting with nothing else in flight, and hangs up.
    fn pick_up(
        &self,
        named: &NamedWait,
        worker: &Option<String>,
    ) -> Result<Option<String>, String> {
        let mut request = json!({ "activityArn": &*named.resource });
        set(&mut request, "workerName", worker);
        let asked = self.ask(Method::POST, "/", Some("GetActivityTask"), request);
        let clock = self.app().clock.clone();
        let answered = self.wait_for(async move {
            let asked = tokio::spawn(asked);
            drop(clock.advance(clock.now()).await);
            if asked.is_finished() {
                Some(asked.await.expect("the request does not panic"))
            } else {
                asked.abort();
                None
            }
        });
        match answered {
            Some(answer) if answer.as_ref()?["taskToken"] == json!(self.token(named.wait)) => {
                Ok(None)
            }
            Some(answer) => Err(format!("the worker was given {answer:?}")),
            None => Ok(Some("AlreadyPickedUp".to_owned())),
        }
    }

    fn check_ended(&self, name: &WaitName, how: &str) -> Result<(), String> {
        let token = Token {
            execution: ExecutionKey::of(EXECUTION_ARN),
            wait: self.find(name)?.wait,
        };
        let seen = self.wait_for(self.app().runner.wait(token))?;
        let seen = seen.ok_or("there is no such wait")?;
        let ended = seen.wait.err().ok_or("the wait has not ended")?;
        match waits::ending(&ended) {
            got if got == how => Ok(()),
            got => Err(format!("it {got}")),
        }
    }

    fn find(&self, name: &WaitName) -> Result<NamedWait, String> {
        let key = ExecutionKey::of(EXECUTION_ARN);
        let events = self.wait_for(self.app().runner.events(key))?;
        let execution = self.wait_for(self.app().runner.execution(key))?;
        waits::find(&events, &execution.ok_or("there is no execution")?, name)
    }

    fn token(&self, wait: WaitId) -> String {
        let execution = ExecutionKey::of(EXECUTION_ARN);
        self.app().runner.token(Token { execution, wait })
    }

    /// The outline of the history that the API tells. How the execution stands is read from the store,
    /// because no API tells the next timer; where DescribeExecution tells too, it must agree.
    fn outline(&self) -> Result<String, String> {
        let told = self.call(
            "GetExecutionHistory",
            json!({ "executionArn": EXECUTION_ARN, "maxResults": 1000 }),
        )?;
        let events = told["events"].as_array().ok_or("there are no events")?;
        let history: Vec<HistoryEvent> = events.iter().map(history_event).collect();
        let key = ExecutionKey::of(EXECUTION_ARN);
        let events = self.wait_for(self.app().runner.events(key))?;
        let execution = self.wait_for(self.app().runner.execution(key))?;
        let execution = execution.ok_or("there is no execution")?;

        let described = self.describe()?;
        let closing = execution.closing();
        // Of one that timed out, the history alone says why.
        let failure = closing
            .filter(|_| execution.status() != Status::TimedOut)
            .and_then(|closing| closing.failure.as_ref());
        let stored = json!({
            "status": execution.status().name(),
            "output": closing.and_then(|closing| closing.output.as_ref()).map(|output| output.text()),
            "error": failure.and_then(|failure| failure.error.as_deref()),
            "cause": failure.and_then(|failure| failure.cause.as_deref()),
        });
        for (name, value) in stored.as_object().unwrap() {
            if described[name] != *value {
                let said = &described[name];
                return Err(format!(
                    "DescribeExecution says {name} {said}, the store {value}"
                ));
            }
        }
        let text = outline(&execution, &history);
        Ok(waits::name_tokens(text, &events, |wait| self.token(wait)))
    }

    fn describe(&self) -> Answered {
        self.call(
            "DescribeExecution",
            json!({ "executionArn": EXECUTION_ARN }),
        )
    }

    fn call(&self, operation: &str, request: Value) -> Answered {
        self.wait_for(self.ask(Method::POST, "/", Some(operation), request))
    }

    fn post(&self, path: &str, body: Value) -> Result<(), String> {
        self.wait_for(self.ask(Method::POST, path, None, body))
            .map(drop)
    }

    fn ask(
        &self,
        method: Method,
        path: &str,
        operation: Option<&str>,
        body: Value,
    ) -> impl Future<Output = Answered> + Send + use<> {
        let target = operation.map(|operation| format!("AWSStepFunctions.{operation}"));
        let headers: Vec<_> = target
            .iter()
            .map(|target| ("x-amz-target", target.as_str()))
            .collect();
        let asked = self.request(method, path, &headers, body.to_string());
        async move {
            let (status, said) = asked.await;
            if (200..=299).contains(&status) {
                return Ok(said);
            }
            match said["__type"].as_str() {
                Some("TaskTimedOut") => Err("TaskTimedOut".to_owned()),
                _ => Err(said.to_string()),
            }
        }
    }

    /// Makes a request as it comes from a socket; gives the status and the body.
    fn request(
        &self,
        method: Method,
        path_and_query: &str,
        headers: &[(&'static str, &str)],
        body: String,
    ) -> impl Future<Output = (u16, Value)> + Send + use<> {
        let headers = headers.iter().map(|(name, value)| {
            (
                name.parse().unwrap(),
                value.parse().expect("it is a header's text"),
            )
        });
        let (path, query) = path_and_query
            .split_once('?')
            .unwrap_or((path_and_query, ""));
        let app = self.app().clone();
        let call = Call {
            method,
            path: path.to_owned(),
            query: query.to_owned(),
            headers: headers.collect::<HeaderMap>(),
            body: body.into(),
            peer: ([127, 0, 0, 1], 4000).into(),
            busy: app.clock.busy(),
        };
        async move {
            let reply = routes::answer(app, call).await;
            let said = match reply.body.is_empty() {
                true => Value::Null,
                false => serde_json::from_slice(&reply.body).expect("answers are JSON"),
            };
            (reply.status.as_u16(), said)
        }
    }
}

/// Alerts that are not counted together: a scenario says which are raised.
fn each_by_itself() -> AlertsConfig {
    AlertsConfig {
        window_seconds: 0,
        ..AlertsConfig::default()
    }
}

/// Whether nobody outside has the task's token: the answer to the request is the task's result.
fn is_request(named: &NamedWait) -> bool {
    !named.resource.ends_with(".waitForTaskToken") && !named.resource.contains(":activity:")
}

/// The engine's refusal behind the API's error: a token whose wait is over.
fn told(answered: Answered) -> Result<Option<String>, String> {
    match answered {
        Ok(_) => Ok(None),
        Err(error) if error == "TaskTimedOut" => Ok(Some("WaitEnded".to_owned())),
        Err(error) => Err(error),
    }
}

fn set(request: &mut Value, name: &str, text: &Option<String>) {
    if let Some(text) = text {
        request[name] = json!(text);
    }
}

fn data(text: &str) -> Result<Data, String> {
    Data::parse(text).map_err(|e| format!("not JSON: {e}"))
}

/// An event as the API writes it.
fn history_event(written: &Value) -> HistoryEvent {
    let seconds = written["timestamp"].as_f64().expect("a timestamp");
    let mut event = HistoryEvent {
        id: written["id"].as_u64().expect("an id"),
        previous_event_id: written["previousEventId"].as_u64().expect("an id"),
        at: Timestamp((seconds * 1000.0).round() as i64),
        event_type: written["type"].as_str().expect("a type").to_owned(),
        details: None,
    };
    event.details = written[event.details_name()].as_object().cloned();
    event
}
