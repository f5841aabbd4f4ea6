//! A Step Functions endpoint on loopback that does what a test says: keeps waits, and fails in every way.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::{Barrier, Notify};

/// What the next request meets instead of an answer.
#[derive(Clone)]
pub enum Fault {
    /// An error of AWS.
    Error(u16, &'static str),
    /// It is done, and the connection breaks before the answer.
    LoseAnswer,
    /// Nothing is ever answered.
    Hang,
}

#[derive(Default)]
pub struct State {
    /// What each open token's wait is; a wait that is over stays, with its result.
    pub waits: BTreeMap<String, Option<Value>>,
    /// For all requests until it is taken away.
    pub always: Option<Fault>,
    /// For the next requests, one each.
    pub next: VecDeque<Fault>,
    /// For requests with this token.
    pub of_token: BTreeMap<String, Fault>,
    /// What was asked: operation, token.
    pub asked: Vec<(String, String)>,
    pub authorization: Vec<String>,
    /// What was started: its input and whether it runs, by its name.
    pub executions: BTreeMap<String, (String, bool)>,
    /// `GetExecutionHistory`, by the execution's ARN.
    pub histories: BTreeMap<String, Value>,
    pub most_at_once: usize,
    at_once: usize,
    /// None of the requests is answered before so many are there.
    pub together: Option<Arc<Barrier>>,
}

#[derive(Clone)]
pub struct Engine {
    pub state: Arc<Mutex<State>>,
    pub url: String,
    /// Lets go what hangs.
    pub let_go: Arc<Notify>,
}

impl Engine {
    pub async fn start() -> Engine {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let engine = Engine {
            state: Arc::default(),
            url: format!("http://{address}"),
            let_go: Arc::default(),
        };
        let serving = engine.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let engine = serving.clone();
                let service = service_fn(move |request| {
                    let engine = engine.clone();
                    async move { engine.answer(request).await }
                });
                let io = TokioIo::new(stream);
                tokio::spawn(http1::Builder::new().serve_connection(io, service));
            }
        });
        engine
    }

    pub fn open(&self, token: &str) {
        self.state.lock().waits.insert(token.to_owned(), None);
    }

    pub fn result(&self, token: &str) -> Option<Value> {
        self.state.lock().waits.get(token).cloned().flatten()
    }

    pub fn always(&self, fault: Option<Fault>) {
        self.state.lock().always = fault;
    }

    pub fn next(&self, faults: &[Fault]) {
        self.state.lock().next.extend(faults.iter().cloned());
    }

    /// The tokens of `operation`, in the order in which they came.
    pub fn asked(&self, operation: &str) -> Vec<String> {
        let state = self.state.lock();
        let asked = state.asked.iter().filter(|(of, _)| of == operation);
        asked.map(|(_, token)| token.clone()).collect()
    }

    async fn answer(&self, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, String> {
        let (head, body) = request.into_parts();
        let text = |name: &str| {
            let value = head.headers.get(name).and_then(|value| value.to_str().ok());
            value.unwrap_or_default().to_owned()
        };
        let operation = text("x-amz-target")
            .trim_start_matches("AWSStepFunctions.")
            .to_owned();
        let body = body.collect().await.map_err(|error| error.to_string())?;
        let request: Value = serde_json::from_slice(&body.to_bytes()).expect("JSON");
        let token = request["taskToken"].as_str().unwrap_or_default().to_owned();
        let fault = {
            let mut state = self.state.lock();
            state.asked.push((operation.clone(), token.clone()));
            state.authorization.push(text("authorization"));
            state.at_once += 1;
            state.most_at_once = state.most_at_once.max(state.at_once);
            let next = state.next.pop_front();
            next.or_else(|| state.of_token.get(&token).cloned())
                .or_else(|| state.always.clone())
        };
        let together = self.state.lock().together.clone();
        if let Some(together) = together {
            together.wait().await;
        }
        let reply = match fault {
            Some(Fault::Hang) => {
                self.let_go.notified().await;
                Err("it was let go".to_owned())
            }
            Some(Fault::Error(status, code)) => Ok(error(status, code)),
            Some(Fault::LoseAnswer) => {
                self.act(&operation, &token, &request);
                Err("the connection breaks".to_owned())
            }
            None => Ok(self.act(&operation, &token, &request)),
        };
        self.state.lock().at_once -= 1;
        reply
    }

    fn act(&self, operation: &str, token: &str, request: &Value) -> Response<Full<Bytes>> {
        let mut state = self.state.lock();
        let arn = request["executionArn"].as_str().unwrap_or_default();
        match operation {
            "GetExecutionHistory" => {
                let events = state.histories.get(arn).cloned().unwrap_or(json!([]));
                return reply(200, &json!({ "events": events }));
            }
            "StartExecution" => {
                let text = |name: &str| request[name].as_str().unwrap_or_default().to_owned();
                let (name, input) = (text("name"), text("input"));
                return match state.executions.get(&name) {
                    Some((before, true)) if *before == input => reply(200, &json!({})),
                    Some(_) => error(400, "ExecutionAlreadyExists"),
                    None => {
                        state.executions.insert(name, (input, true));
                        reply(200, &json!({}))
                    }
                };
            }
            "DescribeExecution" if arn.contains(":Orders:") => {
                let name = arn.rsplit(':').next().unwrap_or_default();
                return match state.executions.get(name) {
                    None => error(400, "ExecutionDoesNotExist"),
                    Some((input, runs)) => reply(
                        200,
                        &json!({
                            "executionArn": arn, "input": input, "startDate": 1.5,
                            "status": if *runs { "RUNNING" } else { "SUCCEEDED" },
                            "stopDate": (!runs).then_some(2.5),
                        }),
                    ),
                };
            }
            "DescribeExecution" => {
                let status = match state.histories.contains_key(arn) {
                    true => "SUCCEEDED",
                    false => "RUNNING",
                };
                return reply(200, &json!({ "executionArn": arn, "status": status }));
            }
            _ => {}
        }
        match state.waits.get_mut(token) {
            None => error(400, "TaskDoesNotExist"),
            Some(Some(_)) => error(400, "TaskTimedOut"),
            Some(wait) => {
                match operation {
                    "SendTaskSuccess" => {
                        let output = request["output"].as_str().unwrap_or_default();
                        *wait = serde_json::from_str(output).ok();
                    }
                    "SendTaskFailure" => {
                        *wait = Some(json!({
                            "failed": request["error"],
                            "cause": request["cause"],
                        }));
                    }
                    _ => {}
                }
                reply(200, &json!({}))
            }
        }
    }
}

fn error(status: u16, code: &str) -> Response<Full<Bytes>> {
    let body = json!({
        "__type": format!("com.amazonaws.swf.service.v2.model#{code}"),
        "message": "as the test says",
    });
    reply(status, &body)
}

fn reply(status: u16, body: &Value) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(body.to_string())));
    *response.status_mut() = StatusCode::from_u16(status).expect("a status");
    response
}
