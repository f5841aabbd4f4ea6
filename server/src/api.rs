//! The Step Functions API: AWS JSON 1.0 at `/`.
//!
//! A request names its operation in `X-Amz-Target`; each operation has its file, and all files are alike:
//! the request, the response, and `answer`, which checks the constraints of the service model, then the
//! ARNs and names, then does the work. Errors are AWS's own, in name, message and HTTP code.
//!
//! What operations share:
//! - [`request`]: bodies in and out. [`error`]: errors in AWS's words.
//! - [`validation`]: the constraints of the service model. [`arn`]: ARNs. [`page`]: `nextToken`.
//! - [`definition`]: what is said of a definition. [`jackson`]: what is said of a text that is not JSON.
//! - [`versions`], [`routing`]: versions and aliases. [`test_case`]: `#CASE` of a start. [`test_context`], [`mock_shape`], [`mock_results`]: what is given to
//!   `TestState`. [`start`], [`configuration`], [`keys`], [`tagged`], [`task`], [`ids`].
//!
//! Credentials are not looked at.

use hyper::StatusCode;
use serde_json::json;

use crate::app::App;
use crate::clock::Busy;
use crate::http::{Call, Reply, Unreadable};
use crate::trace::Given;

pub mod error;

mod arn;
mod configuration;
mod definition;
mod ids;
pub(crate) mod jackson;
mod keys;
mod mock_results;
mod mock_shape;
mod page;
mod recorded_label;
mod request;
mod routing;
mod start;
mod tagged;
mod task;
mod test_case;
mod test_context;
mod validation;
mod versions;

mod create_activity;
mod create_state_machine;
mod create_state_machine_alias;
mod delete_activity;
mod delete_state_machine;
mod delete_state_machine_alias;
mod delete_state_machine_version;
mod describe_activity;
mod describe_execution;
mod describe_map_run;
mod describe_state_machine;
mod describe_state_machine_alias;
mod describe_state_machine_for_execution;
mod get_activity_task;
mod get_execution_history;
mod list_activities;
mod list_executions;
mod list_map_runs;
mod list_state_machine_aliases;
mod list_state_machine_versions;
mod list_state_machines;
mod list_tags_for_resource;
mod publish_state_machine_version;
mod redrive_execution;
mod send_task_failure;
mod send_task_heartbeat;
mod send_task_success;
mod start_execution;
mod start_sync_execution;
mod stop_execution;
mod tag_resource;
mod test_state;
mod untag_resource;
mod update_map_run;
mod update_state_machine;
mod update_state_machine_alias;
mod validate_state_machine_definition;

pub(crate) use arn::qualified;

/// Whether a mocked result can be one of a task with this `Resource`; what is wrong with it, if not.
pub(crate) fn check_mocked_result(
    resource: &str,
    result: &serde_json::Value,
) -> Result<(), String> {
    let checked = mock_shape::check(resource, result, mock_shape::Mode::Strict);
    checked.map_err(|error| error.message)
}
use error::ApiError;
use request::Answer;

const CONTENT_TYPE: &str = "application/x-amz-json-1.0";
const TARGET_PREFIX: &str = "AWSStepFunctions.";

/// Answers a call at `/`.
pub async fn handle(app: &App, mut call: Call) -> Reply {
    let target = call.header("x-amz-target").unwrap_or_default().to_owned();
    let mut told = Vec::new();
    let answer = match target.strip_prefix(TARGET_PREFIX) {
        _ if !is_json(&call) => Err(ApiError::unknown_operation(format!(
            "The header Content-Type is to be {CONTENT_TYPE}"
        ))),
        // A long poll: virtual time goes on meanwhile.
        Some("GetActivityTask") => {
            let answered = get_activity_task::answer(app, &call.body, call.busy).await;
            answered.map(|(answer, headers)| {
                told = headers;
                answer
            })
        }
        Some(operation) => {
            let busy = call.busy.take();
            let given = Given::by(&call);
            let (answer, _busy) = perform_holding(app, operation, &call.body, &given, busy).await;
            answer
        }
        None => Err(ApiError::unknown_operation(format!(
            "The header X-Amz-Target is to name an operation, for example \
             {TARGET_PREFIX}StartExecution, not '{target}'"
        ))),
    };
    let mut reply = reply(&target, answer);
    reply.headers.extend(told);
    reply
}

/// Whether a request says that it is of this protocol, or does not say anything.
fn is_json(call: &Call) -> bool {
    call.header("content-type").is_none_or(|given| {
        let essence = given.split(';').next().unwrap_or_default().trim();
        essence.eq_ignore_ascii_case(CONTENT_TYPE)
            || essence.eq_ignore_ascii_case("application/json")
    })
}

/// Answers a call whose body could not be read.
pub fn unreadable(why: Unreadable) -> Reply {
    let kind = match why {
        Unreadable::TooLarge(_) => "RequestEntityTooLargeException",
        _ => "SerializationException",
    };
    let error = ApiError {
        status: why.status(),
        ..ApiError::new(kind, why.to_string())
    };
    reply("/", Err(error))
}

/// Performs an operation, for a client or for a task of this server, with virtual time standing but for
/// as long as the operation waits for something itself.
pub(crate) async fn perform_holding(
    app: &App,
    operation: &str,
    body: &[u8],
    given: &Given<'_>,
    busy: Busy,
) -> (Answer, Busy) {
    match operation {
        "StartSyncExecution" => start_sync_execution::answer(app, body, given, busy).await,
        "StartExecution" => (start_execution::answer(app, body, given).await, busy),
        _ => (perform(app, operation, body).await, busy),
    }
}

/// Performs an operation that waits for nothing and starts nothing.
async fn perform(app: &App, operation: &str, body: &[u8]) -> Answer {
    match operation {
        "CreateActivity" => create_activity::answer(app, body).await,
        "CreateStateMachine" => create_state_machine::answer(app, body).await,
        "DeleteActivity" => delete_activity::answer(app, body).await,
        "DeleteStateMachine" => delete_state_machine::answer(app, body).await,
        "DescribeActivity" => describe_activity::answer(app, body).await,
        "DescribeExecution" => describe_execution::answer(app, body).await,
        "DescribeMapRun" => describe_map_run::answer(app, body).await,
        "DescribeStateMachine" => describe_state_machine::answer(app, body).await,
        "DescribeStateMachineForExecution" => {
            describe_state_machine_for_execution::answer(app, body).await
        }
        "GetExecutionHistory" => get_execution_history::answer(app, body).await,
        "ListActivities" => list_activities::answer(app, body).await,
        "ListExecutions" => list_executions::answer(app, body).await,
        "ListMapRuns" => list_map_runs::answer(app, body).await,
        "ListStateMachines" => list_state_machines::answer(app, body).await,
        "ListTagsForResource" => list_tags_for_resource::answer(app, body).await,
        "RedriveExecution" => redrive_execution::answer(app, body).await,
        "SendTaskFailure" => send_task_failure::answer(app, body).await,
        "SendTaskHeartbeat" => send_task_heartbeat::answer(app, body).await,
        "SendTaskSuccess" => send_task_success::answer(app, body).await,
        "StopExecution" => stop_execution::answer(app, body).await,
        "TagResource" => tag_resource::answer(app, body).await,
        "UntagResource" => untag_resource::answer(app, body).await,
        "UpdateMapRun" => update_map_run::answer(app, body).await,
        "UpdateStateMachine" => update_state_machine::answer(app, body).await,
        "ValidateStateMachineDefinition" => {
            validate_state_machine_definition::answer(app, body).await
        }
        "CreateStateMachineAlias" => create_state_machine_alias::answer(app, body).await,
        "DeleteStateMachineAlias" => delete_state_machine_alias::answer(app, body).await,
        "DeleteStateMachineVersion" => delete_state_machine_version::answer(app, body).await,
        "DescribeStateMachineAlias" => describe_state_machine_alias::answer(app, body).await,
        "ListStateMachineAliases" => list_state_machine_aliases::answer(app, body).await,
        "ListStateMachineVersions" => list_state_machine_versions::answer(app, body).await,
        "PublishStateMachineVersion" => publish_state_machine_version::answer(app, body).await,
        "UpdateStateMachineAlias" => update_state_machine_alias::answer(app, body).await,
        "TestState" => test_state::answer(app, body).await,
        _ => Err(ApiError::unknown_operation(format!(
            "The operation {operation} is not supported by this version of Rejoin"
        ))),
    }
}

fn reply(target: &str, answer: Answer) -> Reply {
    let request_id = ids::uuid().to_string();
    let (status, body) = match answer {
        Ok(body) => (StatusCode::OK, body),
        Err(error) => {
            if let Some(what) = &error.log {
                crate::log::say!("{target} (request {request_id}): {what}");
            }
            let mut body = json!({ "__type": error.kind, "message": error.message });
            if let Some((name, text)) = error.detail {
                body[name] = text.into();
            }
            (error.status, body.to_string().into_bytes())
        }
    };
    Reply {
        status,
        content_type: CONTENT_TYPE,
        headers: vec![("x-amzn-requestid", request_id)],
        body: body.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_a_type_and_a_message() {
        let reply = reply("AWSStepFunctions.X", Err(ApiError::invalid_token()));
        assert_eq!(reply.status, StatusCode::BAD_REQUEST);
        assert_eq!(reply.content_type, "application/x-amz-json-1.0");
        assert_eq!(
            &*reply.body,
            br#"{"__type":"InvalidToken","message":"Invalid Token: 'Invalid token'"}"#
        );
        let (name, id) = &reply.headers[0];
        assert_eq!((*name, id.len()), ("x-amzn-requestid", 36));
    }
}
