//! Tasks to their resources, once their scheduling is durable.
//!
//! A dispatch may happen twice: if the server dies before the answer is stored, the task goes out
//! again after the restart with the same idempotency key, `EXECUTION_ARN/WAIT`. What a resource
//! answers comes back as a command; if the wait is over by then, the answer is of no consequence.

use std::sync::Arc;

use asl::{Data, Failure, Pattern, Resource};
use engine::{CommandKind, Dispatch, ExecutionKey, Identity, Outcome, WaitId};
use serde_json::Value;

use crate::activities::ActivityQueues;
use crate::clock::{Busy, Clock};
use crate::functions::{Functions, Invoked, lambda_result};
use crate::gateway::Gateway;
use crate::runner::{NotDone, Runner};
use crate::scheduler::Retention;
use crate::topics::{Topics, publish_parameters, publish_result};

/// Takes tasks to their resources. Cloning is a reference count.
#[derive(Clone)]
pub struct Dispatcher(Arc<Resources>);

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
    async fn call(&self, key: ExecutionKey, dispatch: Dispatch, _busy: Busy) {
        let wait = dispatch.wait;
        let answer = self.ask(&dispatch).await;
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
                eprintln!("rejoin: the answer to a task could not be stored: {what}")
            }
        }
    }

    /// What the resource answers.
    async fn ask(&self, dispatch: &Dispatch) -> Result<Data, Failure> {
        match &dispatch.resource {
            Resource::Function { arn } => {
                let (payload, _) = self.invoke(arn, dispatch.parameters.text()).await?;
                result(&payload)
            }
            Resource::Service {
                service, action, ..
            } => {
                let operation = action.split('.').next().unwrap_or(action);
                match (&**service, operation) {
                    ("lambda", "invoke") => self.invoke_with(dispatch.parameters.value()).await,
                    ("sns", "publish") => self.publish(dispatch.parameters.value()).await,
                    _ => Err(Failure::new(
                        "Rejoin.UnsupportedResource",
                        format!(
                            "this version of Rejoin can't call {service}:{action}; it has lambda:invoke, sns:publish, function ARNs and activities"
                        ),
                    )),
                }
            }
            Resource::Activity { .. } => unreachable!("an activity task is fetched, not sent"),
        }
    }

    /// `lambda:invoke` with the parameters of Lambda's Invoke operation.
    async fn invoke_with(&self, parameters: &Value) -> Result<Data, Failure> {
        let Some(name) = parameters.get("FunctionName").and_then(Value::as_str) else {
            return Err(Failure::runtime(
                "lambda:invoke needs the parameter FunctionName, a string",
            ));
        };
        let payload = parameters
            .get("Payload")
            .map_or_else(|| "{}".to_owned(), Value::to_string);
        let (payload, request_id) = self.invoke(name, &payload).await?;
        let payload: Value = serde_json::from_str(&payload).map_err(|e| {
            Failure::new(
                "Lambda.Unknown",
                format!("the function's answer is not JSON: {e}"),
            )
        })?;
        Ok(lambda_result(payload, &request_id).into())
    }

    /// Invokes a function by name or ARN; gives its payload and Lambda's request id.
    async fn invoke(&self, name_or_arn: &str, payload: &str) -> Result<(String, String), Failure> {
        let name = name_or_arn
            .split(":function:")
            .last()
            .unwrap_or(name_or_arn);
        let name = name.split(':').next().unwrap_or(name);
        match self.0.functions.invoke(name, name_or_arn, payload).await {
            Invoked::Answer {
                payload,
                request_id,
            } => Ok((payload, request_id)),
            Invoked::Failed { error, cause } => Err(Failure {
                error: Some(error.into()),
                cause: Some(cause),
            }),
        }
    }

    /// `sns:publish`.
    async fn publish(&self, parameters: &Value) -> Result<Data, Failure> {
        let failed = |(error, cause): (String, String)| Failure {
            error: Some(error.into()),
            cause: Some(cause),
        };
        let (topic, publish) = publish_parameters(parameters).map_err(failed)?;
        match self.0.topics.publish(&topic, publish).await {
            Ok(Some(message_id)) => Ok(publish_result(&message_id).into()),
            Ok(None) => Err(Failure::new(
                "SNS.NotFoundException",
                "Topic does not exist",
            )),
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
