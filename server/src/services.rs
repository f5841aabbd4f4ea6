//! Other services: what a Task state's `arn:aws:states:::SERVICE:ACTION` calls.
//!
//! What this server hosts itself, its configured functions and topics and the Step Functions API, is
//! called inside. All else goes as a signed request in the service's own protocol to where the standard
//! variables of AWS say ([`Environment`]): AWS itself, or anything that stands in for it.
//!
//! This part tries nothing again and stores nothing: Retry, and effects at least once, are the runner's.
//! A call keeps virtual time standing as an invocation does, for [`Clock::grace`] of real time.
//!
//! In reading order:
//! - `service`: services, their names and protocols. `environment`: where they are.
//! - `parameters`: a task's parameters; `constraints`: what DynamoDB asks of them. `http`: one request. `sign`: its signature. `xml`: some answers.
//! - `failure`: what Step Functions calls their errors.
//! - `lambda`, `json` (SQS, DynamoDB, EventBridge and others), `sns`, `s3`, `states`: one file a protocol;
//!   `endpoint`: `http:invoke`, of no service. `keys`: whether KMS lets a key be used.
//! - `step_functions`: Step Functions elsewhere, for the gateway; `logs`: CloudWatch Logs.
//! - `objects`: what distributed Maps read and write, in S3 or in a `directory` that stands in for it.

mod constraints;
mod directory;
mod endpoint;
mod environment;
mod failure;
mod http;
mod json;
mod keys;
mod lambda;
mod logs;
mod objects;
mod parameters;
mod s3;
mod service;
mod sign;
mod sns;
mod states;
mod step_functions;
mod xml;

use std::sync::{Arc, OnceLock};

use asl::{Data, Failure, Timestamp};
use hashbrown::HashMap;
use parking_lot::Mutex;
use serde_json::Value;

use crate::actors::Actors;
use crate::app::{App, WeakApp};
use crate::client::{Answer, Client};
use crate::clock::{Busy, Clock};
use crate::functions::{Functions, with_grace};
use crate::mocks::Mocks;
use crate::topics::Topics;
use crate::trace::Sent;
pub(crate) use endpoint::Exchange;
pub use environment::{Credentials, Environment};
pub use keys::KeyRefusal;
pub use logs::{CloudWatchLogs, NotTaken};
pub(crate) use objects::Content;
pub use service::{Service, json_service};
pub(crate) use states::started_for;
pub(crate) use step_functions::{Refused, StepFunctions, moment};

/// Calls services. Cloning is a reference count.
#[derive(Clone)]
pub struct Services(Arc<Inner>, Option<Arc<Sent>>);

struct Inner {
    environment: Environment,
    clock: Clock,
    client: Client,
    functions: Functions,
    topics: Topics,
    /// Until when keys need not be asked about again, by key and resource.
    keys: Mutex<HashMap<String, Timestamp>>,
    /// This server, for `states:*`; it is joined after its parts are made.
    app: OnceLock<WeakApp>,
}

/// Which execution calls.
#[derive(Debug, Clone)]
pub struct Caller {
    /// The execution's.
    pub execution_arn: Arc<str>,
    /// Its machine's.
    pub state_machine_arn: Arc<str>,
}

impl Services {
    /// Services in this environment.
    pub fn new(
        environment: Environment,
        clock: Clock,
        client: Client,
        functions: Functions,
        topics: Topics,
    ) -> Services {
        let inner = Arc::new(Inner {
            environment,
            clock,
            client,
            functions,
            topics,
            keys: Mutex::default(),
            app: OnceLock::new(),
        });
        Services(inner, None)
    }

    /// The same services, as a task's attempt calls them: their requests say which trace they belong to.
    pub(crate) fn traced(&self, sent: Sent) -> Services {
        Services(self.0.clone(), Some(Arc::new(sent)))
    }

    /// Names the server whose API `states:*` calls.
    pub fn connect(&self, app: WeakApp) {
        assert!(self.0.app.set(app).is_ok(), "services are connected once");
    }

    /// What test cases say instead of services.
    pub(crate) fn mocks(&self) -> Option<&Mocks> {
        self.0.environment.mocks()
    }

    /// Who answers tasks instead of services.
    pub(crate) fn actors(&self) -> Option<&dyn Actors> {
        self.0.environment.actors()
    }

    /// This server, unless it is being stopped.
    pub(crate) fn app(&self) -> Option<App> {
        self.0.app.get().and_then(WeakApp::upgrade)
    }

    /// Calls an operation (without the suffix of its pattern) and gives its result. `states:startExecution`
    /// is another matter: [`Services::start_execution`].
    pub(crate) async fn call(
        &self,
        caller: &Caller,
        service: &str,
        operation: &str,
        parameters: &Value,
        busy: Busy,
    ) -> (Result<Data, Failure>, Busy) {
        match (service, operation) {
            ("lambda", "invoke") => self.invoke(parameters, busy).await,
            ("sns", "publish") => self.meanwhile(busy, self.publish(parameters)).await,
            ("sqs", "sendMessage") => self.meanwhile(busy, self.send_message(parameters)).await,
            ("dynamodb", _) => self.meanwhile(busy, self.item(operation, parameters)).await,
            ("events", "putEvents") => {
                self.meanwhile(busy, self.put_events(caller, parameters))
                    .await
            }
            ("http", "invoke") => {
                self.meanwhile(busy, self.http_invoke(parameters, None))
                    .await
            }
            ("aws-sdk:sfn", _) => self.sdk_sfn(operation, parameters, busy).await,
            _ => {
                self.meanwhile(busy, self.sdk(service, operation, parameters))
                    .await
            }
        }
    }

    /// `http:invoke`, with what goes over the wire.
    pub(crate) async fn http_exchange(
        &self,
        parameters: &Value,
        busy: Busy,
    ) -> (Result<Data, Failure>, Exchange) {
        let mut exchange = Exchange::default();
        let invoke = self.http_invoke(parameters, Some(&mut exchange));
        let (outcome, _) = self.meanwhile(busy, invoke).await;
        (outcome, exchange)
    }

    /// `aws-sdk:*`.
    async fn sdk(
        &self,
        service: &str,
        operation: &str,
        parameters: &Value,
    ) -> Result<Data, Failure> {
        let name = service.strip_prefix("aws-sdk:");
        if name == Some("s3")
            && let Some(result) = self.sdk_s3(operation, parameters).await
        {
            return result;
        }
        match name.and_then(json_service) {
            Some(service) => self.sdk_json(service, operation, parameters).await,
            None => Err(unsupported(service, operation)),
        }
    }

    async fn send(&self, call: http::Call<'_>) -> Result<Answer, Failure> {
        let trace = self.1.as_deref();
        call.send(&self.0.client, &self.0.environment, trace).await
    }

    /// Waits for an answer with virtual time standing for a while.
    async fn meanwhile<T>(&self, busy: Busy, work: impl Future<Output = T>) -> (T, Busy) {
        let clock = &self.0.clock;
        with_grace(clock, busy, async { (work.await, clock.busy()) }).await
    }
}

/// A resource that AWS has and this version has not: an error of our own name, so that nobody takes
/// it for one of the service's.
pub(crate) fn unsupported(service: &str, action: &str) -> Failure {
    Failure::new(
        "Rejoin.UnsupportedResource",
        format!(
            "this version of Rejoin can't call {service}:{action}; it has lambda:invoke, sns:publish, \
             sqs:sendMessage, dynamodb:*, events:putEvents, states:startExecution, http:invoke, operations of S3 on \
             objects and services that speak AWS JSON by aws-sdk, function ARNs and activities"
        ),
    )
}
