//! Task: asks a resource for work and waits for the answer.
//!
//! | event | history | when |
//! | --- | --- | --- |
//! | TaskScheduled | TaskScheduled and TaskStarted (an activity: ActivityScheduled) | the state runs, each attempt anew |
//! | TaskSubmitted | TaskSubmitted | a `.waitForTaskToken` resource took the request |
//! | TaskPickedUp | ActivityStarted | a worker fetched it |
//! | TaskHeartbeat | nothing | a sign of life |
//! | TaskSucceeded, TaskFailed, TaskTimedOut | the same, by the resource's kind | exactly one of them |
//!
//! An answer may come before TaskSubmitted: a function may call back before it returns.

use std::sync::Arc;

use asl::{Data, Failure, Pattern, Resource, Seconds, State, StateKind, Task};
use serde_json::Value;

use crate::command::Outcome;
use crate::decide::{Decider, Over, Stop};
use crate::event::{EventKind, FrameId};
use crate::flow::{Flaw, Made, Seen, data_limit_exceeded};
use crate::identity::WaitId;

pub(crate) fn run(
    decider: &mut Decider<'_>,
    frame: FrameId,
    state: &State,
    task: &Task,
) -> Result<(), Stop> {
    if let Resource::Activity { arn } = &task.resource
        && decider
            .execution
            .surroundings
            .deleted_activities
            .contains(arn)
    {
        let failure = Failure::runtime(format!("The activity {arn} does not exist."));
        return Err(decider.at_state(frame, failure).into());
    }
    let input = decider.input(frame, state.input_path.as_ref())?;
    let timeout_seconds = seconds(
        decider,
        frame,
        "TimeoutSecondsPath",
        task.timeout.as_ref(),
        &input,
    )?;
    let heartbeat_seconds = seconds(
        decider,
        frame,
        "HeartbeatSecondsPath",
        task.heartbeat.as_ref(),
        &input,
    )?;
    let parameters = decider.parameters(frame, task.parameters.as_ref(), &input)?;
    let unchanged = parameters.same(&decider.frame(frame).data);
    if !unchanged {
        decider.check_depth(frame, &parameters)?;
        if parameters.text().len() > decider.quotas().payload_bytes {
            return Err(data_limit_exceeded(&state.name).into());
        }
    }
    let role_arn = role(decider, frame, task, &input)?;
    let scheduled = EventKind::TaskScheduled {
        wait: WaitId(decider.execution.now.next_wait),
        resource: arn(&task.resource).clone(),
        parameters: (!unchanged).then_some(parameters),
        timeout_seconds,
        heartbeat_seconds,
        role_arn,
    };
    Ok(decider.emit(frame, scheduled)?)
}

/// The role that `Credentials` name, which the history shows.
fn role(
    decider: &Decider<'_>,
    frame: FrameId,
    task: &Task,
    input: &Data,
) -> Result<Option<Arc<str>>, Flaw> {
    let Some(template) = &task.credentials else {
        return Ok(None);
    };
    let credentials = decider.parameters(frame, Some(template), input)?;
    match credentials.value().get("RoleArn") {
        Some(Value::String(arn)) => Ok(Some(arn.as_str().into())),
        other => {
            // No recording shows what AWS says here.
            let shown = other.unwrap_or(&Value::Null);
            let cause = format!("'RoleArn' of Credentials must be a string but was: {shown}");
            Err(decider.at_state(frame, Failure::runtime(cause)).into())
        }
    }
}

/// What happens between the scheduling and the end of a task whose outcome a mock gives at once. Where a callback or
/// a job fails, its request was taken before (recorded in `test_sqs_wait_for_task_token_task_failure`), unless the
/// error is the service's own, such as `SQS.QueueDoesNotExist`; what the service had answered is not known then.
pub(crate) fn taken(
    decider: &Decider<'_>,
    frame: FrameId,
    wait: WaitId,
    outcome: &Outcome,
) -> Option<EventKind> {
    let StateKind::Task(task) = &decider.machine.state(decider.place(frame).id).kind else {
        unreachable!("only a Task state has a wait");
    };
    match &task.resource {
        Resource::Activity { .. } => Some(EventKind::TaskPickedUp { wait, worker: None }),
        Resource::Service {
            service,
            pattern: Pattern::WaitForTaskToken | Pattern::Sync,
            ..
        } => {
            let output = match outcome {
                Outcome::Success(output) => output.clone(),
                Outcome::Failure(failure) if is_of(service, failure) => return None,
                Outcome::Failure(_) => Data::from(Value::Object(Default::default())),
            };
            Some(EventKind::TaskSubmitted { wait, output })
        }
        _ => None,
    }
}

/// Whether an error is one that the service itself raises.
fn is_of(service: &str, failure: &Failure) -> bool {
    let raised_by = failure.error.as_deref().and_then(|e| e.split_once('.'));
    let service = service.rsplit(':').next().unwrap_or(service);
    raised_by.is_some_and(|(name, _)| name.eq_ignore_ascii_case(service))
}

/// A result came.
pub(crate) fn succeed(
    decider: &mut Decider<'_>,
    frame: FrameId,
    wait: WaitId,
    result: Data,
) -> Result<(), Stop> {
    let machine = decider.machine.clone();
    let state = machine.state(decider.place(frame).id);
    let StateKind::Task(task) = &state.kind else {
        unreachable!("only a Task state has a wait");
    };
    if result.text().len() > decider.quotas().payload_bytes {
        return Ok(too_large(decider, frame, wait, task)?);
    }
    // A document that was read is never too deep; one that a service put together may be.
    decider.check_depth(frame, &result)?;
    decider.emit(
        frame,
        EventKind::TaskSucceeded {
            wait,
            output: result.clone(),
        },
    )?;
    decider.leave_with(frame, state, &task.result, Made::result(result), task.next)
}

fn too_large(
    decider: &mut Decider<'_>,
    frame: FrameId,
    wait: WaitId,
    task: &Task,
) -> Result<(), Over> {
    let failure = data_limit_exceeded(match &task.resource {
        Resource::Service { service, .. } => service,
        Resource::Function { arn } | Resource::Activity { arn } => arn,
    });
    decider.emit(
        frame,
        EventKind::TaskFailed {
            wait,
            failure: failure.clone(),
        },
    )?;
    decider.recover(frame, failure.into())
}

fn arn(resource: &Resource) -> &Arc<str> {
    match resource {
        Resource::Function { arn } | Resource::Activity { arn } | Resource::Service { arn, .. } => {
            arn
        }
    }
}

/// `TimeoutSeconds` or `HeartbeatSeconds`, given or looked up.
fn seconds(
    decider: &Decider<'_>,
    frame: FrameId,
    field: &str,
    seconds: Option<&Seconds>,
    input: &Data,
) -> Result<Option<u64>, Flaw> {
    let path = match seconds {
        None => return Ok(None),
        Some(Seconds::Fixed(seconds)) => return Ok(Some(*seconds)),
        Some(Seconds::Path(path)) => path,
        Some(Seconds::Jsonata(expression)) => {
            return decider.evaluate(frame, input.value(), Seen::default(), |scope| {
                let name = field.trim_end_matches("Path");
                expression
                    .evaluate_integer(scope, name, 99_999_999)
                    .map(Some)
            });
        }
    };
    decider.evaluate(frame, input.value(), Seen::default(), |scope| {
        let found = path.select(scope)?;
        // AWS's words for the path of a Wait state; for these two no recording shows them.
        found
            .as_u64()
            .filter(|seconds| *seconds > 0)
            .map(Some)
            .ok_or_else(|| {
                Failure::runtime(format!(
                    "The {field} parameter does not reference a positive integer: {} == {found}",
                    path.text()
                ))
            })
    })
}
