//! `states:startExecution` and `aws-sdk:sfn:*`: calls of this server to itself, inside and never over HTTP.
//!
//! | pattern | the task's result |
//! | --- | --- |
//! | request and response | what StartExecution answers |
//! | `.sync` | what DescribeExecution says once the execution has ended, input and output as text |
//! | `.sync:2` | the same, input and output as JSON |
//!
//! The name of an execution whose task gives none is drawn from the wait that starts it. So a task that
//! goes out a second time, after a restart, finds the execution of the first time.

use asl::{Data, Failure, Pattern, Timestamp};
use engine::{Event, EventKind, ExecutionKey, WaitId};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use uuid::{Builder, Uuid};

use super::failure::{Older, Reported};
use super::json::{capital, sdk_result};
use super::parameters::{as_text, camel, members, pascal, required};
use super::service::Case;
use super::{Caller, Services};
use crate::api;
use crate::clock::{Busy, Clock};
use crate::functions::task_result::http_date;
use crate::machines::MachineType;
use crate::trace::Given;

const OLDER: Older = Older {
    prefix: "StepFunctions",
    base: "AWSStepFunctionsException",
    service: "AWSStepFunctions",
};

impl Services {
    /// Starts an execution for a wait; gives the task's result, or what it is told for `.sync`.
    pub(crate) async fn start_execution(
        &self,
        caller: &Caller,
        wait: WaitId,
        parameters: &Value,
        pattern: Pattern,
    ) -> Result<Value, Failure> {
        let mut request = members(parameters)?;
        let machine = required(&request, "StateMachineArn")?.to_owned();
        if pattern == Pattern::Sync && self.is_express(&machine).await {
            return Err(Reported::locally(
                "StateMachineTypeNotSupported",
                "This operation is not supported by this type of state machine",
            )
            .older(&OLDER));
        }
        as_text(&mut request, "Input");
        let drawn = !request.contains_key("Name");
        if drawn {
            let name = name_for(&caller.execution_arn, wait);
            request.insert("Name".to_owned(), name.into());
        }
        let name = request.get("Name").and_then(Value::as_str);
        // A test case is no part of what is started.
        let machine = machine.split('#').next().unwrap_or(&machine);
        let arn = execution_arn(machine, name.unwrap_or_default());
        match self.perform("StartExecution", camel(request.into())).await {
            Ok(answer) => {
                let result = json!({
                    "ExecutionArn": answer["executionArn"],
                    "StartDate": moment(&answer["startDate"]).to_string(),
                });
                Ok(with_metadata(result, &answer))
            }
            Err(error) if error.code == "ExecutionAlreadyExists" => {
                // It may be that this very wait started it, before a restart.
                if drawn || self.was_submitted(caller, wait).await {
                    Ok(json!({ "ExecutionArn": arn }))
                } else {
                    Err(error.older(&OLDER))
                }
            }
            Err(error) => Err(error.older(&OLDER)),
        }
    }

    /// Whether its executions end without anybody being able to ask what became of them.
    async fn is_express(&self, machine_arn: &str) -> bool {
        let Some(app) = self.app() else {
            return false;
        };
        let machine_arn = machine_arn.split('#').next().unwrap_or(machine_arn);
        let (arn, _) = api::qualified(machine_arn);
        let found = app.machines.find(arn).await.ok().flatten();
        found.is_some_and(|machine| machine.kind == MachineType::Express)
    }

    /// The result of a `.sync` task whose execution has ended.
    pub(crate) async fn execution_result(&self, arn: &str, as_json: bool) -> Result<Data, Failure> {
        let request = json!({ "executionArn": arn });
        let answer = self.perform("DescribeExecution", request).await;
        let Value::Object(mut answer) = answer.map_err(|error| error.older(&OLDER))? else {
            unreachable!("DescribeExecution answers with an object");
        };
        for name in ["startDate", "stopDate"] {
            if let Some(value) = answer.get_mut(name) {
                *value = moment(value).0.into();
            }
        }
        let succeeded = answer.get("status").and_then(Value::as_str) == Some("SUCCEEDED");
        if as_json {
            for name in ["input", "output"] {
                if let Some(text) = answer.get(name).and_then(Value::as_str)
                    && let Ok(value) = serde_json::from_str::<Value>(text)
                {
                    answer.insert(name.to_owned(), value);
                }
            }
        }
        let mut result = shown(answer);
        result.sort_keys();
        let result = Value::Object(result);
        if succeeded {
            Ok(result.into())
        } else {
            Err(Failure::new("States.TaskFailed", result.to_string()))
        }
    }

    /// `aws-sdk:sfn:*`.
    pub(super) async fn sdk_sfn(
        &self,
        operation: &str,
        parameters: &Value,
        busy: Busy,
    ) -> (Result<Data, Failure>, Busy) {
        let mut request = match members(parameters) {
            Ok(request) => request,
            Err(failure) => return (Err(failure), busy),
        };
        for name in ["Input", "Output", "Definition"] {
            as_text(&mut request, name);
        }
        let (answer, busy) = self
            .perform_holding(&capital(operation), camel(request.into()), busy)
            .await;
        let result = match answer {
            Ok(answer) => Ok(sdk_result(answer, Case::Camel).into()),
            Err(error) => Err(error.newer("Sfn")),
        };
        (result, busy)
    }

    /// One operation of this server's API.
    async fn perform(&self, operation: &str, request: Value) -> Result<Value, Reported> {
        let busy = self.0.clock.busy();
        self.perform_holding(operation, request, busy).await.0
    }

    /// [`Services::perform`], which gives `busy` up for as long as the operation waits for something.
    async fn perform_holding(
        &self,
        operation: &str,
        request: Value,
        busy: Busy,
    ) -> (Result<Value, Reported>, Busy) {
        let Some(app) = self.app() else {
            // The server is being stopped; after the next start the task is dispatched again.
            return std::future::pending().await;
        };
        let body = request.to_string();
        let given = Given::inside(self.1.as_deref());
        let (answer, busy) =
            api::perform_holding(&app, operation, body.as_bytes(), &given, busy).await;
        let answer = match answer {
            Ok(body) => Ok(serde_json::from_slice(&body).unwrap_or_default()),
            Err(error) => {
                if let Some(what) = &error.log {
                    crate::log::say!("{operation}: {what}");
                }
                Err(Reported {
                    status: error.status.as_u16(),
                    code: error.kind.to_owned(),
                    message: error.message,
                    request_id: Uuid::new_v4().to_string(),
                    ..Reported::default()
                })
            }
        };
        (answer, busy)
    }

    /// Whether the wait's history says that its request was taken.
    async fn was_submitted(&self, caller: &Caller, wait: WaitId) -> bool {
        let Some(app) = self.app() else {
            return false;
        };
        let events = app
            .runner
            .events(ExecutionKey::of(&caller.execution_arn))
            .await;
        let is_it = |event: &Event| matches!(&event.kind, EventKind::TaskSubmitted { wait: of, .. } if *of == wait);
        events.is_ok_and(|events| events.iter().any(is_it))
    }
}

/// The execution that a wait with these parameters has started, if it has and its name was drawn. With a name of its own
/// it may be anybody's.
pub(crate) fn started_for(parent_arn: &str, wait: WaitId, parameters: &Value) -> Option<String> {
    let request = members(parameters).ok()?;
    let machine = request.get("StateMachineArn")?.as_str()?;
    let machine = machine.split('#').next().unwrap_or(machine);
    let drawn = !request.contains_key("Name");
    drawn.then(|| execution_arn(machine, &name_for(parent_arn, wait)))
}

/// A name that is the same each time the same wait asks for it.
fn name_for(execution_arn: &str, wait: WaitId) -> String {
    let hash = Sha256::digest(format!("{execution_arn}/{}", wait.0));
    let bytes = hash[..16].try_into().expect("a hash has 32 bytes");
    Builder::from_custom_bytes(bytes).into_uuid().to_string()
}

/// The ARN of an execution of this machine.
fn execution_arn(machine_arn: &str, name: &str) -> String {
    let machine = machine_arn.replacen(":stateMachine:", ":execution:", 1);
    format!("{machine}:{name}")
}

/// A moment of an answer.
fn moment(seconds: &Value) -> Timestamp {
    Timestamp((seconds.as_f64().unwrap_or_default() * 1000.0).round() as i64)
}

/// The members of the answer with capitals; what the workflows wrote stays as it is.
fn shown(answer: Map<String, Value>) -> Map<String, Value> {
    answer
        .into_iter()
        .map(|(name, value)| {
            let value = match name.as_str() {
                "input" | "output" => value,
                _ => pascal(value),
            };
            (capital(&name), value)
        })
        .collect()
}

/// What the older SDK tells of HTTP, of a call that did not need it.
fn with_metadata(mut result: Value, answer: &Value) -> Value {
    let request_id = Uuid::new_v4().to_string();
    let length = answer.to_string().len().to_string();
    let date = http_date(Clock::machine_time());
    let content_type = "application/x-amz-json-1.0";
    result["SdkHttpMetadata"] = json!({
        "AllHttpHeaders": {
            "x-amzn-RequestId": [request_id],
            "connection": ["keep-alive"],
            "Content-Length": [length],
            "Date": [date],
            "Content-Type": [content_type],
        },
        "HttpHeaders": {
            "connection": "keep-alive",
            "Content-Length": length,
            "Content-Type": content_type,
            "Date": date,
            "x-amzn-RequestId": request_id,
        },
        "HttpStatusCode": 200,
    });
    result["SdkResponseMetadata"] = json!({ "RequestId": request_id });
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_draws_the_same_name_again() {
        let name = name_for("arn:e", WaitId(1));
        assert_eq!(name, name_for("arn:e", WaitId(1)));
        assert_ne!(name, name_for("arn:e", WaitId(2)));
        assert_eq!(name.len(), 36);
        assert_eq!(
            execution_arn("arn:aws:states:us-east-1:1:stateMachine:m", "n"),
            "arn:aws:states:us-east-1:1:execution:m:n"
        );
    }
}
