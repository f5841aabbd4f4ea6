//! A whole server, asked through its API without sockets.

use std::path::{Path, PathBuf};

use hyper::{HeaderMap, Method};
use serde_json::{Value, json};
use server::app::{App, Place, Settings};
use server::clock::Clock;
use server::http::Call;
use server::services::Environment;

use super::NOW;

pub const ROLE: &str = "arn:aws:iam::123456789012:role/any";

/// A server on a clock that stands.
pub struct Server(pub App);

/// An error as a client sees it: its name and its message.
pub type Refused = (String, String);

impl Server {
    pub async fn open(directory: Option<PathBuf>) -> Server {
        Server::open_in(Environment::default(), directory).await
    }

    pub async fn open_in(environment: Environment, directory: Option<PathBuf>) -> Server {
        Server::open_as(Settings {
            environment,
            directory,
            ..Server::settings()
        })
        .await
    }

    pub async fn open_as(settings: Settings) -> Server {
        Server(App::open(settings).await.expect("the server opens").0)
    }

    /// Those of a server in memory, with nothing configured.
    pub fn settings() -> Settings {
        Settings {
            place: Place {
                region: "us-east-1".to_owned(),
                account: "123456789012".to_owned(),
            },
            clock: Clock::standing_at(NOW),
            directory: None,
            retention_days: 90,
            quotas: Default::default(),
            functions: Default::default(),
            topics: Default::default(),
            routes: Vec::new(),
            alerts: Default::default(),
            status_changes: Vec::new(),
            address: ([127, 0, 0, 1], 1).into(),
            stuck_waits: Default::default(),
            environment: Environment::default(),
        }
    }

    /// What an operation answers.
    pub async fn try_ask(&self, operation: &str, request: Value) -> Result<Value, Refused> {
        let mut headers = HeaderMap::new();
        let target = format!("AWSStepFunctions.{operation}");
        headers.insert("x-amz-target", target.parse().expect("a header"));
        let call = Call {
            method: Method::POST,
            path: "/".to_owned(),
            query: String::new(),
            headers,
            body: request.to_string().into(),
            peer: ([127, 0, 0, 1], 4000).into(),
            busy: self.0.clock.busy(),
        };
        let reply = server::api::handle(&self.0, call).await;
        let answer: Value = serde_json::from_slice(&reply.body).expect("JSON");
        let text = |name: &str| answer[name].as_str().unwrap_or_default().to_owned();
        match reply.status.is_success() {
            true => Ok(answer),
            false => {
                let name = text("__type");
                let name = name.rsplit('#').next().unwrap_or_default().to_owned();
                Err((name, text("message")))
            }
        }
    }

    /// What an operation answers that is not refused.
    pub async fn ask(&self, operation: &str, request: Value) -> Value {
        let answer = self.try_ask(operation, request).await;
        answer.unwrap_or_else(|error| panic!("{operation}: {error:?}"))
    }

    /// Makes a machine of these states, the first of which is `first`; gives its ARN.
    pub async fn machine(&self, name: &str, kind: &str, first: &str, states: Value) -> String {
        let definition = json!({ "StartAt": first, "States": states });
        let request = json!({
            "name": name,
            "type": kind,
            "definition": definition.to_string(),
            "roleArn": ROLE,
        });
        let made = self.ask("CreateStateMachine", request).await;
        text(&made, "stateMachineArn")
    }

    /// Starts an execution; gives its ARN.
    pub async fn start(&self, machine: &str, input: Value) -> String {
        let request = json!({ "stateMachineArn": machine, "input": input.to_string() });
        let started = self.ask("StartExecution", request).await;
        text(&started, "executionArn")
    }

    /// How an execution ended.
    pub async fn ended(&self, arn: &str) -> Value {
        let key = engine::ExecutionKey::of(arn);
        let ended = self.0.runner.until_ended(key).await;
        let _busy = ended.expect("the server runs");
        self.ask("DescribeExecution", json!({ "executionArn": arn }))
            .await
    }
}

/// A member that is text.
pub fn text(answer: &Value, name: &str) -> String {
    answer[name].as_str().expect("text").to_owned()
}

/// A directory of its own.
pub fn scratch() -> PathBuf {
    std::env::temp_dir().join(format!("rejoin-test-{}", uuid::Uuid::new_v4()))
}

/// What a crash leaves at this moment.
pub fn copy_all(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a directory");
    for entry in std::fs::read_dir(from).expect("a directory") {
        let entry = entry.expect("an entry");
        let target = to.join(entry.file_name());
        if entry.file_type().expect("a type").is_dir() {
            copy_all(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).expect("a file");
        }
    }
}
