//! Functions: programs that speak the AWS Lambda Runtime API, and URLs.
//!
//! What goes in is a payload, JSON text; what comes out is an [`Invoked`]: an answer, or a failure under
//! the name that Step Functions gives it when the function runs on Lambda.
//!
//! | what happens | error | cause |
//! | --- | --- | --- |
//! | the function reports an error | its `errorType` | its whole error object |
//! | ... without an `errorType` | `Lambda.Unknown` | what it reported |
//! | it takes longer than `timeout_seconds` | `Sandbox.Timedout` | error object |
//! | the program ends without an answer | `Runtime.ExitError` | error object |
//! | the program can't be started | `Runtime.InvalidEntrypoint` | error object |
//! | the answer is longer than 6 MB | `Function.ResponseSizeTooLarge` | error object |
//! | a URL's server can't be reached | `Lambda.SdkClientException` | a sentence |
//! | a URL answers 404, 429, 5xx, otherwise not 2xx | `Lambda.ResourceNotFoundException`, `Lambda.TooManyRequestsException`, `Lambda.ServiceException`, `Lambda.AWSLambdaException` | a sentence |
//!
//! Time limits are on the server's clock. An invocation keeps virtual time standing, but only for
//! [`Clock::grace`] of real time: then the function counts as hanging, and time may move on to its limit.
//!
//! An invocation whose caller gives up goes on to its own end, as on Lambda. This part does not try
//! again and does not store anything: Retry, and effects at least once, are the runner's.
//!
//! In reading order:
//! - `program`: a function's copies; `copy`: one running copy; `runtime_api`: what it talks to;
//!   `output`: what it prints.
//! - `url`: a function behind a URL.
//! - `failure`: what Lambda and Step Functions call what went wrong.
//! - [`task_result`]: an answer as the result of `lambda:invoke`.

mod copy;
pub(crate) mod failure;
mod output;
mod program;
mod runtime_api;
pub mod task_result;
mod url;

use std::collections::BTreeMap;
use std::pin::pin;
use std::sync::Arc;

use bytes::Bytes;
use serde::Deserialize;
use tokio::sync::watch;
use uuid::Uuid;

use crate::client::Client;
use crate::clock::{Busy, Clock, Held};
use crate::trace::Sent;
use program::Program;
pub use task_result::{function_not_found, lambda_result, payload_not_json};
use url::UrlFunction;

/// What Lambda takes and gives at most: 6 MB, and 100 bytes more in an answer.
pub(crate) const PAYLOAD_BYTES_MAX: usize = 6 * 1024 * 1024;
pub(crate) const ANSWER_BYTES_MAX: usize = PAYLOAD_BYTES_MAX + 100;

/// Lambda's own: the default and the most that a function may take.
const TIMEOUT_SECONDS: u32 = 3;
const TIMEOUT_SECONDS_MAX: u32 = 900;

/// How many copies may run if the configuration does not say; each is a process of its own.
const COPIES: u32 = 10;

/// What a program is told of its memory if the configuration does not say; Lambda's default.
const MEMORY_MIB: u32 = 128;

/// All functions of a server. Cloning is a reference count.
#[derive(Clone)]
pub struct Functions(Arc<All>);

struct All {
    functions: BTreeMap<String, Function>,
    clock: Clock,
    /// Turns true when the server stops.
    stopping: watch::Sender<bool>,
}

enum Function {
    Program(Arc<Program>),
    Url(UrlFunction),
}

/// One thing for a function to do.
#[derive(Debug)]
pub(crate) struct Invocation {
    /// Lambda's request id, a UUID.
    pub request_id: String,
    /// What the function is told it is called as.
    pub arn: String,
    /// JSON text.
    pub payload: Bytes,
    /// The trace that it belongs to.
    pub trace: Option<Arc<Sent>>,
}

/// `[functions.NAME]` of the configuration: a program, or a URL.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FunctionConfig {
    /// The program to start, with its arguments.
    #[serde(default)]
    pub program: Option<Vec<String>>,
    /// Or: where to POST the payload.
    #[serde(default)]
    pub url: Option<String>,
    /// Further environment variables for the program.
    #[serde(default)]
    pub environment: BTreeMap<String, String>,
    /// After how long an invocation is given up; default 3, as on Lambda, at most 900.
    #[serde(default)]
    pub timeout_seconds: Option<u32>,
    /// How many copies of the program may run at once; default 10.
    #[serde(default)]
    pub copies_max: Option<u32>,
    /// What the program is told of its memory (`AWS_LAMBDA_FUNCTION_MEMORY_SIZE`); default 128.
    #[serde(default)]
    pub memory_mib: Option<u32>,
}

/// What an invocation came to.
#[derive(Debug)]
pub enum Invoked {
    /// The function answered; JSON text.
    Answer {
        /// The payload.
        payload: String,
        /// Lambda's request id.
        request_id: String,
    },
    /// The function failed: what Step Functions makes the error and the cause.
    Failed {
        /// For example the `errorType` that the function reported, or `Sandbox.Timedout`.
        error: String,
        /// Lambda's error object as JSON text.
        cause: String,
    },
}

impl Functions {
    /// Checks the configuration and makes ready; programs start with the first invocation.
    ///
    /// # Errors
    /// One sentence: which function, what is wrong, what to do.
    pub fn new(
        configs: BTreeMap<String, FunctionConfig>,
        region: &str,
        clock: Clock,
        client: Client,
    ) -> Result<Functions, String> {
        let (stopping, stop) = watch::channel(false);
        let mut functions = BTreeMap::new();
        for (name, config) in configs {
            let function = Function::new(&name, config, region, &clock, &client, &stop)
                .map_err(|what| format!("the function {name:?} {what}"))?;
            functions.insert(name, function);
        }
        Ok(Functions(Arc::new(All {
            functions,
            clock,
            stopping,
        })))
    }

    /// Whether there is such a function.
    pub fn has(&self, name: &str) -> bool {
        self.0.functions.contains_key(name)
    }

    /// Invokes a function with a payload (JSON text) and waits for its answer. `arn` is what the
    /// function is told it is called as.
    ///
    /// The caller holds no `Busy` meanwhile, or a hanging function's limit never comes on the virtual
    /// clock; one that must not lose a moment between the answer and its next step uses
    /// [`Functions::invoke_busy`].
    pub async fn invoke(&self, name: &str, arn: &str, payload: &str) -> Invoked {
        let busy = self.0.clock.busy();
        self.invoke_busy(name, arn, payload, None, busy).await.0
    }

    /// Like [`Functions::invoke`], for a caller that keeps virtual time standing: takes its `Busy`,
    /// gives it up if the function needs longer than [`Clock::grace`], and hands one back with the answer.
    ///
    /// Once the server stops this never returns: a function that was cut off by the stop has not
    /// failed, and its task is dispatched again after the next start.
    pub async fn invoke_busy(
        &self,
        name: &str,
        arn: &str,
        payload: &str,
        trace: Option<Arc<Sent>>,
        busy: Busy,
    ) -> (Invoked, Busy) {
        let Some(function) = self.0.functions.get(name) else {
            let (error, cause) = function_not_found(arn);
            return (Invoked::Failed { error, cause }, busy);
        };
        let invocation = Invocation {
            request_id: Uuid::new_v4().to_string(),
            arn: arn.to_owned(),
            payload: Bytes::copy_from_slice(payload.as_bytes()),
            trace,
        };
        if payload.len() > PAYLOAD_BYTES_MAX {
            return (failure::payload_too_large(&invocation.request_id), busy);
        }
        match function {
            Function::Program(program) => {
                let program = program.clone();
                // A task of its own, so that a caller that gives up does not end the program with it.
                let work =
                    tokio::spawn(async move { program.invoke(Arc::new(invocation), busy).await });
                match work.await {
                    Ok(done) => done,
                    Err(stopped) if stopped.is_cancelled() => std::future::pending().await,
                    Err(panic) => std::panic::resume_unwind(panic.into_panic()),
                }
            }
            Function::Url(url) => url.invoke(invocation, busy).await,
        }
    }

    /// Ends the programs; for a clean stop. Each gets SIGTERM and a moment, then SIGKILL.
    pub async fn stop(&self) {
        self.0.stopping.send_replace(true);
        let mut ending = tokio::task::JoinSet::new();
        for function in self.0.functions.values() {
            if let Function::Program(program) = function {
                let program = program.clone();
                ending.spawn(async move { program.stop().await });
            }
        }
        ending.join_all().await;
    }
}

impl Function {
    /// The error completes the sentence "the function NAME ...".
    fn new(
        name: &str,
        config: FunctionConfig,
        region: &str,
        clock: &Clock,
        client: &Client,
        stop: &watch::Receiver<bool>,
    ) -> Result<Function, String> {
        let timeout_seconds = config.timeout_seconds.unwrap_or(TIMEOUT_SECONDS);
        if timeout_seconds == 0 || timeout_seconds > TIMEOUT_SECONDS_MAX {
            return Err(format!(
                "has timeout_seconds = {timeout_seconds}; it has to be from 1 to {TIMEOUT_SECONDS_MAX}"
            ));
        }
        if config.copies_max == Some(0) {
            return Err("has copies_max = 0; at least one copy has to run".to_owned());
        }
        match (config.program, config.url) {
            (Some(command), None) => {
                let command = program::Command {
                    path: program::find(command.first().map_or("", String::as_str))?,
                    arguments: command.into_iter().skip(1).collect(),
                    environment: config.environment,
                    memory_mib: config.memory_mib.unwrap_or(MEMORY_MIB),
                    function: name.to_owned(),
                    region: region.to_owned(),
                    timeout_seconds,
                };
                let copies_max = config.copies_max.unwrap_or(COPIES);
                Ok(Function::Program(Arc::new(Program::new(
                    command,
                    copies_max,
                    clock.clone(),
                    stop.clone(),
                ))))
            }
            (None, Some(url)) => Ok(Function::Url(UrlFunction::new(
                url,
                timeout_seconds,
                clock.clone(),
                client.clone(),
            )?)),
            (Some(_), Some(_)) => Err("has a program and a url; keep one of them".to_owned()),
            (None, None) => Err(
                "has neither a program nor a url; add program = [\"PATH\"] or url = \"http://...\""
                    .to_owned(),
            ),
        }
    }
}

/// Waits for `work` with virtual time standing, but for no longer than [`Clock::grace`].
/// `work` gives a `Busy` with what it came to.
pub(crate) async fn with_grace<T>(
    clock: &Clock,
    busy: Busy,
    work: impl Future<Output = (T, Busy)>,
) -> (T, Busy) {
    if !clock.is_virtual() {
        return work.await;
    }
    let held = Held::of(busy);
    let mut work = pin!(held.during(work));
    if let Ok(done) = tokio::time::timeout(clock.grace(), &mut work).await {
        return done;
    }
    held.let_go();
    work.await
}
