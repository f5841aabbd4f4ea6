//! A server for the tests of Map Runs: asked as a client asks, ended and started again at will.
#![allow(dead_code)] // each test file uses a part of it

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use asl::Timestamp;
use engine::ExecutionKey;
use hyper::{HeaderMap, Method, StatusCode};
use serde_json::{Value, json};
use server::app::{App, Place, Settings};
use server::clock::Clock;
use server::http::Call;
use server::services::Environment;

const START: Timestamp = Timestamp(1_700_000_000_000);
const ROLE: &str = "arn:aws:iam::123456789012:role/r";
const HERE: &str = "arn:aws:states:us-east-1:123456789012";

/// A server, in memory or on disk, on a virtual clock.
pub struct Server {
    life: Option<Life>,
    directory: Option<PathBuf>,
    environment: Environment,
}

/// From its start to its end. The runtime's end drops all that was in flight, as the end of a process
/// does, and with the last of it the store is let go.
struct Life {
    app: App,
    runtime: tokio::runtime::Runtime,
}

impl Server {
    pub fn start() -> Server {
        Server::start_in(Environment::default())
    }

    /// A server in memory whose other services are where the environment says.
    pub fn start_in(environment: Environment) -> Server {
        Server {
            life: Some(begin(None, &environment, START)),
            directory: None,
            environment,
        }
    }

    pub fn on_disk() -> Server {
        Server::on_disk_in(Environment::default())
    }

    /// A server on disk whose other services are where the environment says.
    pub fn on_disk_in(environment: Environment) -> Server {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("map-runs-{}-{number}", std::process::id());
        let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        let _ = std::fs::remove_dir_all(&directory);
        Server {
            life: Some(begin(Some(directory.clone()), &environment, START)),
            directory: Some(directory),
            environment,
        }
    }

    /// Ends the server as if its process did, and starts it again.
    pub fn restart(&mut self) {
        let now = self.life().app.clock.now();
        self.life = None;
        self.life = Some(begin(self.directory.clone(), &self.environment, now));
        self.settle();
    }

    /// Returns when all that is due now has had its turn.
    pub fn settle(&self) {
        let clock = &self.life().app.clock;
        drop(self.wait_for(clock.advance(clock.now())));
    }

    /// Lets so much virtual time go by.
    pub fn pass(&self, seconds: i64) {
        let clock = &self.life().app.clock;
        drop(self.wait_for(clock.advance(clock.now().plus_seconds(seconds))));
    }

    fn life(&self) -> &Life {
        self.life.as_ref().expect("the server runs")
    }

    fn wait_for<T>(&self, work: impl Future<Output = T>) -> T {
        self.life().runtime.block_on(work)
    }

    pub fn ask(&self, operation: &str, body: Value) -> Value {
        let (status, answer) = self.call(operation, &body);
        assert_eq!(status, StatusCode::OK, "{operation}: {answer}");
        answer
    }

    /// An operation that is to be refused: the error's type and message.
    pub fn refused(&self, operation: &str, body: Value) -> (String, String) {
        let (status, answer) = self.call(operation, &body);
        assert_eq!(status, StatusCode::BAD_REQUEST, "{operation}: {answer}");
        let member = |name: &str| answer[name].as_str().expect("a text").to_owned();
        (member("__type"), member("message"))
    }

    fn call(&self, operation: &str, body: &Value) -> (StatusCode, Value) {
        let mut headers = HeaderMap::new();
        let target = format!("AWSStepFunctions.{operation}");
        headers.insert("x-amz-target", target.parse().expect("a header's value"));
        let app = &self.life().app;
        let call = Call {
            method: Method::POST,
            path: "/".to_owned(),
            query: String::new(),
            headers,
            body: body.to_string().into(),
            peer: SocketAddr::from(([127, 0, 0, 1], 1)),
            busy: app.clock.busy(),
        };
        let reply = self.wait_for(server::api::handle(app, call));
        let answer = serde_json::from_slice(&reply.body).expect("an answer is JSON");
        (reply.status, answer)
    }

    pub fn machine(&self, name: &str, definition: &str) {
        let body = json!({"name": name, "definition": definition, "roleArn": ROLE});
        self.ask("CreateStateMachine", body);
    }

    pub fn activity(&self, name: &str) -> String {
        let created = self.ask("CreateActivity", json!({"name": name}));
        text(&created["activityArn"])
    }

    /// Starts an execution and lets it run as far as it goes without time.
    pub fn start_execution(&self, machine: &str, input: Value) -> String {
        let machine = format!("{HERE}:stateMachine:{machine}");
        let body = json!({"stateMachineArn": machine, "input": input.to_string()});
        let started = self.ask("StartExecution", body);
        self.settle();
        text(&started["executionArn"])
    }

    /// What becomes of an execution, however much virtual time it takes.
    pub fn ended(&self, execution: &str) -> Value {
        let app = &self.life().app;
        app.clock.set_automatic(true);
        let end = app.runner.until_ended(ExecutionKey::of(execution));
        drop(self.wait_for(end).expect("the store works"));
        app.clock.set_automatic(false);
        self.settle();
        self.ask("DescribeExecution", json!({"executionArn": execution}))
    }

    /// The types of an execution's events.
    pub fn history(&self, execution: &str) -> Vec<String> {
        let history = self.ask("GetExecutionHistory", json!({"executionArn": execution}));
        let events = history["events"].as_array().expect("a list");
        events.iter().map(|event| text(&event["type"])).collect()
    }

    /// The ARN of an execution's latest Map Run.
    pub fn map_run(&self, execution: &str) -> String {
        let runs = self.ask("ListMapRuns", json!({"executionArn": execution}));
        text(&runs["mapRuns"][0]["mapRunArn"])
    }

    pub fn describe(&self, map_run: &str) -> Value {
        self.ask("DescribeMapRun", json!({"mapRunArn": map_run}))
    }

    /// All children of a Map Run.
    pub fn children(&self, map_run: &str) -> Vec<Value> {
        let mut all = Vec::new();
        let mut body = json!({"mapRunArn": map_run, "maxResults": 7});
        loop {
            let page = self.ask("ListExecutions", body.clone());
            all.extend(page["executions"].as_array().expect("a list").clone());
            match page.get("nextToken") {
                Some(token) => body["nextToken"] = token.clone(),
                None => return all,
            }
        }
    }

    /// A task that there is, for a worker: its token and input.
    pub fn task(&self, activity: &str) -> (String, Value) {
        let task = self.ask("GetActivityTask", json!({"activityArn": activity}));
        let input = text(&task["input"]);
        let input = serde_json::from_str(&input).expect("an input is JSON");
        (text(&task["taskToken"]), input)
    }

    pub fn fail(&self, token: &str) {
        self.ask(
            "SendTaskFailure",
            json!({"taskToken": token, "error": "Bad"}),
        );
    }

    pub fn succeed(&self, token: &str, output: Value) {
        let body = json!({"taskToken": token, "output": output.to_string()});
        self.ask("SendTaskSuccess", body);
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.life = None;
        if let Some(directory) = &self.directory {
            let _ = std::fs::remove_dir_all(directory);
        }
    }
}

fn begin(directory: Option<PathBuf>, environment: &Environment, now: Timestamp) -> Life {
    let settings = Settings {
        place: Place {
            region: "us-east-1".to_owned(),
            account: "123456789012".to_owned(),
        },
        clock: Clock::standing_at(now),
        directory,
        retention_days: 90,
        functions: Default::default(),
        topics: Default::default(),
        routes: Vec::new(),
        alerts: Default::default(),
        status_changes: Vec::new(),
        address: SocketAddr::from(([127, 0, 0, 1], 1)),
        stuck_waits: Default::default(),
        environment: environment.clone(),
        quotas: Default::default(),
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime starts");
    let (app, _) = runtime
        .block_on(App::open(settings))
        .expect("the store opens");
    Life { app, runtime }
}

/// A machine of one distributed Map, `Each`, with `fields`.
pub fn distributed(processor: Value, fields: Value) -> String {
    let mut processor = processor;
    processor["ProcessorConfig"] = json!({"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"});
    let mut each = json!({"Type": "Map", "ItemProcessor": processor, "End": true});
    for (name, value) in fields.as_object().expect("an object") {
        each[name] = value.clone();
    }
    json!({"StartAt": "Each", "States": {"Each": each}}).to_string()
}

/// A processor whose children wait for a worker.
pub fn working(activity: &str) -> Value {
    let work = json!({"Type": "Task", "Resource": activity, "End": true});
    json!({"StartAt": "Work", "States": {"Work": work}})
}

/// The output of an execution that succeeded.
pub fn output(ended: &Value) -> Value {
    assert_eq!(ended["status"], "SUCCEEDED", "{ended}");
    serde_json::from_str(&text(&ended["output"])).expect("an output is JSON")
}

fn text(value: &Value) -> String {
    value
        .as_str()
        .unwrap_or_else(|| panic!("not a text: {value}"))
        .to_owned()
}
