//! Tasks to their resources, once their scheduling is durable.
//!
//! A dispatch may happen twice: if the server dies before the answer is stored, the task goes out
//! again after the restart with the same idempotency key, `EXECUTION_ARN/WAIT`. What a resource
//! answers comes back as a command; if the wait is over by then, the answer is of no consequence.

use std::sync::{Arc, Weak};

use asl::{Data, Failure, Pattern, Resource};
use engine::{CommandKind, Dispatch, ExecutionKey, Identity, Outcome, WaitId};
use serde_json::Value;

use crate::activities::ActivityQueues;
use crate::clock::{Busy, Clock};
use crate::functions::{Functions, Invoked, lambda_result};
use crate::gateway::Gateway;
use crate::runner::{NotDone, Runner};
use crate::scheduler::Retention;
use crate::topics::{Topics, publish_parameters, publish_result, topic_not_found};

/// Takes tasks to their resources. Cloning is a reference count.
#[derive(Clone)]
pub struct Dispatcher(Arc<Resources>);

/// A dispatcher as the runner knows it: if each held the other, an app that is dropped would never let
/// go of its store.
pub struct WeakDispatcher(Weak<Resources>);

impl WeakDispatcher {
    /// The dispatcher, as long as its app is there.
    pub fn upgrade(&self) -> Option<Dispatcher> {
        self.0.upgrade().map(Dispatcher)
    }
}

/// What tasks can be given to, and who is told of waits.
pub struct Resources {
    /// Which the answers go back to.
    pub runner: Runner,
    /// What keeps virtual time standing while a task is with its resource.
    pub clock: Clock,
    /// Activity tasks.
    pub activities: ActivityQueues,
    /// Functions.
    pub functions: Functions,
    /// Topics.
    pub topics: Topics,
    /// Told of waits for a token.
    pub gateway: Gateway,
    /// Told of ends.
    pub retention: Retention,
}

impl Dispatcher {
    /// A dispatcher to these resources.
    pub fn new(resources: Resources) -> Dispatcher {
        Dispatcher(Arc::new(resources))
    }

    /// For the runner.
    pub fn downgrade(&self) -> WeakDispatcher {
        WeakDispatcher(Arc::downgrade(&self.0))
    }

    /// Hands a task to its resource; returns at once.
    pub fn dispatch(&self, key: ExecutionKey, identity: &Identity, dispatch: Dispatch) {
        if let Resource::Activity { arn } = &dispatch.resource {
            self.0
                .activities
                .offer(arn, key, dispatch.wait, self.0.clock.busy());
            return;
        }
        if waits_for_token(&dispatch) {
            self.0.gateway.wait_opened(
                key,
                dispatch.wait,
                &identity.state_machine_arn,
                &dispatch.state_name,
            );
        }
        let (this, busy) = (self.clone(), self.0.clock.busy());
        tokio::spawn(async move { this.call(key, dispatch, busy).await });
    }

    /// A wait is over.
    pub fn wait_ended(&self, key: ExecutionKey, wait: WaitId) {
        self.0.gateway.wait_ended(key, wait);
    }

    /// An execution is over.
    pub fn execution_ended(&self) {
        self.0.retention.sweep_sometimes();
    }

    /// Calls the resource and brings its answer back.
    async fn call(&self, key: ExecutionKey, dispatch: Dispatch, busy: Busy) {
        let wait = dispatch.wait;
        let (answer, _busy) = self.ask(&dispatch, busy).await;
        let kind = match answer {
            Ok(output) if waits_for_token(&dispatch) => CommandKind::Submitted { wait, output },
            Ok(output) => CommandKind::Complete {
                wait,
                outcome: Outcome::Success(output),
            },
            Err(failure) => CommandKind::Complete {
                wait,
                outcome: Outcome::Failure(failure),
            },
        };
        match self.0.runner.command(key, kind).await {
            // Refused: the wait ended while the resource was at work, which the history shows.
            Ok(()) | Err(NotDone::Refused(_) | NotDone::Unknown) => {}
            Err(NotDone::Server(what)) => {
                eprintln!("rejoin: the answer to a task could not be stored: {what}");
            }
        }
    }

    /// What the resource answers. The `Busy` comes back with the answer; a function that hangs loses
    /// it for a while, so that virtual time can come to its timeout.
    async fn ask(&self, dispatch: &Dispatch, busy: Busy) -> (Result<Data, Failure>, Busy) {
        let parameters = &dispatch.parameters;
        match &dispatch.resource {
            Resource::Function { arn } => {
                let (invoked, busy) = self.invoke(arn, parameters.text(), busy).await;
                (invoked.and_then(|(payload, _)| result(&payload)), busy)
            }
            Resource::Service {
                service, action, ..
            } => {
                let operation = action.split('.').next().unwrap_or(action);
                match (&**service, operation) {
                    ("lambda", "invoke") => self.invoke_with(parameters.value(), busy).await,
                    ("sns", "publish") => (self.publish(parameters.value()).await, busy),
                    _ => (Err(unsupported(service, action)), busy),
                }
            }
            Resource::Activity { .. } => unreachable!("an activity task is fetched, not sent"),
        }
    }

    /// `lambda:invoke` with the parameters of Lambda's Invoke operation.
    async fn invoke_with(&self, parameters: &Value, busy: Busy) -> (Result<Data, Failure>, Busy) {
        let Some(name) = parameters.get("FunctionName").and_then(Value::as_str) else {
            let missing =
                "The field 'FunctionName' is required but was missing, or is not a string";
            return (Err(Failure::runtime(missing)), busy);
        };
        let payload = parameters
            .get("Payload")
            .map_or_else(|| "{}".to_owned(), Value::to_string);
        let (invoked, busy) = self.invoke(name, &payload, busy).await;
        let response = invoked.and_then(|(payload, request_id)| {
            let payload = result(&payload)?;
            Ok(lambda_result(payload.value().clone(), &request_id).into())
        });
        (response, busy)
    }

    /// Invokes a function by name or ARN; gives its payload and Lambda's request id.
    async fn invoke(
        &self,
        name_or_arn: &str,
        payload: &str,
        busy: Busy,
    ) -> (Result<(String, String), Failure>, Busy) {
        let name = name_or_arn
            .split(":function:")
            .last()
            .unwrap_or(name_or_arn);
        let name = name.split(':').next().unwrap_or(name);
        let (invoked, busy) = self
            .0
            .functions
            .invoke_busy(name, name_or_arn, payload, busy)
            .await;
        let outcome = match invoked {
            Invoked::Answer {
                payload,
                request_id,
            } => Ok((payload, request_id)),
            Invoked::Failed { error, cause } => Err(failure(error, cause)),
        };
        (outcome, busy)
    }

    /// `sns:publish`.
    async fn publish(&self, parameters: &Value) -> Result<Data, Failure> {
        let refused = |(error, cause)| failure(error, cause);
        let (topic, publish) = publish_parameters(parameters).map_err(refused)?;
        match self.0.topics.publish(&topic, publish).await {
            Ok(Some(message_id)) => Ok(publish_result(&message_id).into()),
            Ok(None) => Err(refused(topic_not_found())),
            Err(what) => {
                eprintln!("rejoin: a message could not be stored: {what}");
                Err(Failure::new(
                    "SNS.InternalErrorException",
                    "the message could not be stored",
                ))
            }
        }
    }
}

fn failure(error: String, cause: String) -> Failure {
    Failure {
        error: Some(error.into()),
        cause: Some(cause),
    }
}

/// A resource that AWS has and this version has not: an error of our own name, so that nobody takes
/// it for one of the service's.
fn unsupported(service: &str, action: &str) -> Failure {
    Failure::new(
        "Rejoin.UnsupportedResource",
        format!(
            "this version of Rejoin can't call {service}:{action}; it has lambda:invoke, sns:publish, \
             function ARNs and activities"
        ),
    )
}

/// Whether the resource's answer is only that it took the request.
fn waits_for_token(dispatch: &Dispatch) -> bool {
    matches!(
        dispatch.resource,
        Resource::Service {
            pattern: Pattern::WaitForTaskToken,
            ..
        }
    )
}

/// A function's answer as a task's result.
fn result(payload: &str) -> Result<Data, Failure> {
    Data::parse(payload).map_err(|e| {
        Failure::new(
            "Lambda.Unknown",
            format!("the function's answer is not JSON: {e}"),
        )
    })
}
