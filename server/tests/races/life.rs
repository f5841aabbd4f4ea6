//! A server that lives, is killed and lives again, and everything that was said to it.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

use asl::Timestamp;
use hyper::{HeaderMap, Method};
use parking_lot::Mutex;
use serde_json::{Value, json};
use server::alerts::AlertsConfig;
use server::app::{App, Place, Settings};
use server::clock::Clock;
use server::http::Call;
use server::routes;

use super::lot::{Action, Lot, Says};

const START: Timestamp = Timestamp(1_700_000_000_000);
pub const TIMEOUT_SECONDS: i64 = 30;
pub const HEARTBEAT_SECONDS: i64 = 10;
const EARLY_KEEP_SECONDS: i64 = 60;

/// What somebody did, and what was answered: nothing, if the server died first.
#[derive(Debug, Clone)]
pub struct Said {
    pub action: Action,
    pub answer: Option<(u16, Value)>,
}

/// A server, what happened to it, and where its data is.
pub struct World {
    life: Option<Life>,
    directory: Option<PathBuf>,
    pub executions: Vec<String>,
    pub said: Arc<Mutex<Vec<Said>>>,
    /// The number that the next success or failure carries.
    number: u32,
    /// One reference for all attempts of a state, as a third party gives who asks again.
    same_reference: bool,
}

/// A server from its start to its end. The runtime's end drops all that was in flight, as a kill does.
struct Life {
    app: App,
    runtime: tokio::runtime::Runtime,
}

impl Drop for World {
    fn drop(&mut self) {
        self.life = None;
        if let Some(directory) = &self.directory {
            let _ = std::fs::remove_dir_all(directory);
        }
    }
}

impl World {
    /// Some executions of a machine that asks, each waiting for its answer.
    pub fn new(lot: &mut Lot) -> World {
        let restarts = lot.one_in(3);
        let scratch =
            || std::env::temp_dir().join(format!("rejoin-races-{}", uuid::Uuid::new_v4()));
        let mut world = World {
            life: None,
            directory: restarts.then(scratch),
            executions: Vec::new(),
            said: Arc::default(),
            number: 0,
            same_reference: lot.one_in(2),
        };
        world.begin(START);
        let machine = world.operation(
            "CreateStateMachine",
            json!({
                "name": "Asks",
                "definition": definition().to_string(),
                "roleArn": "arn:aws:iam::123456789012:role/asks",
            }),
        );
        for number in 0..lot.between(1, 3) {
            let request = json!({
                "stateMachineArn": machine["stateMachineArn"],
                "name": format!("run-{number}"),
            });
            let started = world.operation("StartExecution", request);
            world
                .executions
                .push(started["executionArn"].as_str().unwrap().to_owned());
        }
        world.advance(0);
        world
    }

    fn begin(&mut self, now: Timestamp) {
        let route = json!({
            "name": "answers",
            "path": "/callbacks/answers",
            "reference": "$.ref",
            "verify": { "scheme": "none" },
            "expects": ["Asks.Ask"],
            "output": "$.number",
            "failure": { "when": "$.failed", "error": "$.error", "cause": "$.number" },
            "heartbeat": { "when": "$.working" },
            "early_keep_seconds": EARLY_KEEP_SECONDS,
            "topic": "errors",
        });
        let settings = Settings {
            place: Place {
                region: "us-east-1".to_owned(),
                account: "123456789012".to_owned(),
            },
            clock: Clock::standing_at(now),
            directory: self.directory.clone(),
            retention_days: 90,
            quotas: Default::default(),
            functions: Default::default(),
            topics: ["work", "errors"]
                .map(|name| (name.to_owned(), Default::default()))
                .into(),
            routes: vec![serde_json::from_value(route).expect("a route")],
            // Each one by itself, so that the books can name the delivery it is about.
            status_changes: Vec::new(),
            alerts: AlertsConfig {
                window_seconds: 0,
                ..AlertsConfig::default()
            },
            address: ([127, 0, 0, 1], 8083).into(),
            stuck_waits: Default::default(),
            environment: Default::default(),
        };
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime starts");
        let opened = runtime.block_on(App::open(settings));
        let (app, _) = opened.expect("the server opens");
        self.life = Some(Life { app, runtime });
    }

    fn life(&self) -> &Life {
        self.life.as_ref().expect("the server lives")
    }

    fn now(&self) -> Timestamp {
        self.life().app.clock.now()
    }

    fn advance(&self, millis: i64) {
        let clock = &self.life().app.clock;
        drop(
            self.life()
                .runtime
                .block_on(clock.advance(clock.now().plus_millis(millis))),
        );
    }

    /// Things that happen at once; sometimes the server dies in the midst of them.
    pub fn round(&mut self, lot: &mut Lot) {
        let actions: Vec<Action> = (0..lot.between(1, 5)).map(|_| self.draw(lot)).collect();
        let dies = self.directory.is_some() && lot.one_in(3);
        let delays: Vec<usize> = actions.iter().map(|_| lot.between(0, 6)).collect();
        let life = self.life();
        let pending: Vec<_> = actions
            .into_iter()
            .zip(delays)
            .map(|(action, delay)| {
                let (app, said) = (life.app.clone(), self.said.clone());
                life.runtime.spawn(async move {
                    for _ in 0..delay {
                        tokio::task::yield_now().await;
                    }
                    let place = {
                        let mut said = said.lock();
                        said.push(Said {
                            action: action.clone(),
                            answer: None,
                        });
                        said.len() - 1
                    };
                    let answer = act(&app, &action).await;
                    said.lock()[place].answer = Some(answer);
                })
            })
            .collect();
        if dies {
            let polls = lot.between(0, 30);
            life.runtime.block_on(async {
                for _ in 0..polls {
                    tokio::task::yield_now().await;
                }
            });
            let now = self.now();
            drop(pending);
            self.life = None;
            self.begin(now);
            self.advance(0);
            return;
        }
        life.runtime.block_on(async {
            for done in pending {
                done.await.expect("nothing panics");
            }
        });
        self.advance(0);
    }

    /// Draws what happens next, from what is there.
    fn draw(&mut self, lot: &mut Lot) -> Action {
        let tasks = self.tasks();
        let task = lot.one_of(&tasks).cloned();
        let execution = lot.one_of(&self.executions).expect("there is one").clone();
        match (lot.between(1, 20), task) {
            (1..=5, Some(task)) => Action::Register {
                reference: self.reference(&task),
                token: task.token,
            },
            (6..=12, Some(task)) => {
                let reference = match lot.one_in(12) {
                    true => "nobody's".to_owned(),
                    false => self.reference(&task),
                };
                let says = self.says(lot);
                Action::CallBack { reference, says }
            }
            (13..=14, Some(task)) => Action::Answer {
                token: task.token,
                says: self.says(lot),
            },
            (15, _) if lot.one_in(2) => Action::Stop { execution },
            (16..=18, _) => Action::Advance {
                millis: lot.between(0, 4_000) as i64,
            },
            _ => Action::Advance {
                millis: lot.between(0, 12_000) as i64,
            },
        }
    }

    /// Sometimes what was said before, or its contrary.
    fn says(&mut self, lot: &mut Lot) -> Says {
        if !lot.one_in(3) || self.number == 0 {
            self.number += 1;
        }
        match lot.between(1, 10) {
            1..=5 => Says::Done(self.number),
            6..=7 => Says::Failed(self.number),
            8 => Says::FailedForGood(self.number),
            _ => Says::Working,
        }
    }

    fn reference(&self, task: &Task) -> String {
        match self.same_reference {
            true => task.execution.clone(),
            false => format!("{}.{}", task.execution, task.attempt),
        }
    }

    /// The tasks that went out, from what was published for the workers.
    fn tasks(&self) -> Vec<Task> {
        let published = self.get("/rejoin/topics/work/messages?limit=1000");
        let messages = published["messages"].as_array().expect("messages");
        let seen: BTreeSet<Task> = messages
            .iter()
            .map(|message| {
                let task = match &message["message"] {
                    Value::String(text) => serde_json::from_str(text).expect("JSON"),
                    task => task.clone(),
                };
                Task {
                    execution: task["execution"].as_str().expect("a name").to_owned(),
                    attempt: task["attempt"].as_u64().expect("a number"),
                    token: task["token"].as_str().expect("a token").to_owned(),
                }
            })
            .collect();
        seen.into_iter().collect()
    }

    /// So much time that everything comes to its end.
    pub fn settle(&mut self) {
        if self.directory.is_some() {
            let now = self.now();
            self.life = None;
            self.begin(now);
        }
        self.advance(4 * (TIMEOUT_SECONDS + EARLY_KEEP_SECONDS) * 1000);
    }

    /// What the server says at a path.
    pub fn get(&self, path_and_query: &str) -> Value {
        let life = self.life();
        let (status, said) = life.runtime.block_on(ask(
            &life.app,
            Method::GET,
            path_and_query,
            None,
            Value::Null,
        ));
        assert_eq!(status, 200, "{path_and_query}: {said}");
        said
    }

    /// What an operation answers.
    pub fn operation(&self, operation: &str, request: Value) -> Value {
        let life = self.life();
        let (status, said) =
            life.runtime
                .block_on(ask(&life.app, Method::POST, "/", Some(operation), request));
        assert_eq!(status, 200, "{operation}: {said}");
        said
    }
}

/// A task as its worker got it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Task {
    execution: String,
    attempt: u64,
    token: String,
}

fn definition() -> Value {
    json!({
        "StartAt": "Ask",
        "States": {
            "Ask": {
                "Type": "Task",
                "Resource": "arn:aws:states:::sns:publish.waitForTaskToken",
                "Parameters": {
                    "TopicArn": "arn:aws:sns:us-east-1:123456789012:work",
                    "Message": {
                        "token.$": "$$.Task.Token",
                        "execution.$": "$$.Execution.Name",
                        "attempt.$": "$$.State.RetryCount",
                    },
                },
                "TimeoutSeconds": TIMEOUT_SECONDS,
                "HeartbeatSeconds": HEARTBEAT_SECONDS,
                "Retry": [{
                    "ErrorEquals": ["Again", "States.Timeout"],
                    "IntervalSeconds": 3,
                    "MaxAttempts": 2,
                }],
                "Catch": [{ "ErrorEquals": ["States.ALL"], "Next": "GivenUp" }],
                "End": true,
            },
            "GivenUp": { "Type": "Pass", "End": true },
        },
    })
}

async fn act(app: &App, action: &Action) -> (u16, Value) {
    match action {
        Action::CallBack { reference, says } => {
            ask(
                app,
                Method::POST,
                "/callbacks/answers",
                None,
                body(reference, *says),
            )
            .await
        }
        Action::Answer { token, says } => {
            let (operation, request) = match says {
                Says::Done(number) => (
                    "SendTaskSuccess",
                    json!({ "taskToken": token, "output": number.to_string() }),
                ),
                Says::Failed(number) => (
                    "SendTaskFailure",
                    json!({ "taskToken": token, "error": "Again", "cause": number.to_string() }),
                ),
                Says::FailedForGood(number) => (
                    "SendTaskFailure",
                    json!({ "taskToken": token, "error": "Enough", "cause": number.to_string() }),
                ),
                Says::Working => ("SendTaskHeartbeat", json!({ "taskToken": token })),
            };
            ask(app, Method::POST, "/", Some(operation), request).await
        }
        Action::Register { token, reference } => {
            let path = format!("/rejoin/references/answers/{reference}");
            ask(app, Method::PUT, &path, None, json!({ "taskToken": token })).await
        }
        Action::Stop { execution } => {
            let request = json!({ "executionArn": execution, "error": "Stopped" });
            ask(app, Method::POST, "/", Some("StopExecution"), request).await
        }
        Action::Advance { millis } => {
            let seconds = *millis as f64 / 1000.0;
            let path = "/rejoin/clock/advance";
            ask(app, Method::POST, path, None, json!({ "seconds": seconds })).await
        }
    }
}

/// A callback's body.
pub fn body(reference: &str, says: Says) -> Value {
    match says {
        Says::Done(number) => json!({ "ref": reference, "number": number }),
        Says::Failed(number) => {
            json!({ "ref": reference, "failed": true, "error": "Again", "number": number.to_string() })
        }
        Says::FailedForGood(number) => {
            json!({ "ref": reference, "failed": true, "error": "Enough", "number": number.to_string() })
        }
        Says::Working => json!({ "ref": reference, "working": true }),
    }
}

/// Makes a request as it comes from a socket.
async fn ask(
    app: &App,
    method: Method,
    path_and_query: &str,
    operation: Option<&str>,
    body: Value,
) -> (u16, Value) {
    let mut headers = HeaderMap::new();
    if let Some(operation) = operation {
        let target = format!("AWSStepFunctions.{operation}");
        headers.insert("x-amz-target", target.parse().expect("a header"));
    }
    let (path, query) = path_and_query
        .split_once('?')
        .unwrap_or((path_and_query, ""));
    let call = Call {
        method,
        path: path.to_owned(),
        query: query.to_owned(),
        headers,
        body: body.to_string().into(),
        peer: ([127, 0, 0, 1], 4000).into(),
        busy: app.clock.busy(),
    };
    let reply = routes::answer(app.clone(), call).await;
    let said = serde_json::from_slice(&reply.body).expect("answers are JSON");
    (reply.status.as_u16(), said)
}
