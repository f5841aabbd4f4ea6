//! The spans of executions in OpenTelemetry's words.
//!
//! Where its semantic conventions have a name, it is that one (`aws.step_functions.*`, `error.type`, `exception.*`); they
//! have none for an execution, its states and its waits, so these are `rejoin.*`. No input, output or parameter is
//! an attribute.

use engine::spans::{Mark, Reason, SpanEnd, Step};
use engine::{EndKind, Identity, Span, Status};

use super::otlp::{Attributes, Event, Kind, Link, Written};

/// What an execution's span is found by, beside its ids.
pub(super) const EXECUTION_ARN: &str = "rejoin.execution.arn";
pub(super) const STATE_NAME: &str = "rejoin.state.name";
const MACHINE_ARN: &str = "aws.step_functions.state_machine.arn";
const ERROR_TYPE: &str = "error.type";

/// One span of an execution.
pub(super) fn written(identity: &Identity, span: &Span) -> Written {
    let context = identity.trace();
    let common = Attributes::default()
        .with(MACHINE_ARN, &*identity.state_machine_arn)
        .with(EXECUTION_ARN, &*identity.arn);
    let (name, kind, attributes, links) = match &span.step {
        Step::Execution { redrives } => {
            let attributes = common
                .with("rejoin.execution.name", &*identity.name)
                .with("rejoin.execution.status", status(&span.end).name())
                .perhaps(
                    "rejoin.execution.redrives",
                    (*redrives > 0).then_some(*redrives),
                )
                .perhaps(
                    "rejoin.map_run.arn",
                    identity.map_run.as_ref().map(|run| &*run.arn),
                );
            // A redrive goes on where the execution had ended.
            let before = redrives.checked_sub(1).map(|before| Link {
                trace: context.trace,
                span: identity.execution_span(before),
                attributes: Attributes::default().with("rejoin.link", "redrive of"),
            });
            let name = identity.defined_machine_name().to_owned();
            let links = before.into_iter().collect();
            (name, Kind::Consumer, attributes, links)
        }
        Step::State {
            name,
            state_type,
            index,
        } => {
            let attributes = common
                .with(STATE_NAME, &**name)
                .with("rejoin.state.type", state_type.name())
                .perhaps("rejoin.state.index", *index);
            (name.to_string(), Kind::Internal, attributes, Vec::new())
        }
        Step::Task {
            wait,
            state,
            resource,
            attempt,
        } => {
            let attributes = common
                .with(STATE_NAME, &**state)
                .with("rejoin.task.resource", &**resource)
                .with("rejoin.task.attempt", *attempt)
                .with("rejoin.wait.id", wait.0)
                .with("rejoin.wait.end", end(&span.end).name())
                .perhaps(
                    "aws.step_functions.activity.arn",
                    is_activity(resource).then_some(&**resource),
                );
            // Who takes on the work of a wait answers when the request is long over.
            let kind = match waits(&span.step) {
                true => Kind::Producer,
                false => Kind::Client,
            };
            (short(resource).to_owned(), kind, attributes, Vec::new())
        }
        Step::MapRun {
            wait,
            state,
            arn,
            attempt,
        } => {
            let attributes = common
                .with(STATE_NAME, &**state)
                .with("rejoin.map_run.arn", &**arn)
                .with("rejoin.task.attempt", *attempt)
                .with("rejoin.wait.id", wait.0)
                .with("rejoin.wait.end", end(&span.end).name());
            ("Map Run".to_owned(), Kind::Producer, attributes, Vec::new())
        }
    };
    let is_root = matches!(span.step, Step::Execution { .. });
    let marks = span.marks.kept.iter();
    Written {
        trace: context.trace,
        id: span.id,
        parent: span.parent,
        remote: is_root && span.parent.is_some(),
        state: context.state.as_deref().map(str::to_owned),
        name,
        kind,
        began: span.began,
        ended: span.ended,
        attributes: attributes.perhaps(ERROR_TYPE, error_type(&span.end)),
        events: marks.map(|(at, mark)| event(*at, mark)).collect(),
        dropped_events: span.marks.dropped,
        links,
        error: error(&span.end),
    }
}

/// Whether a step is a wait for somebody who answers by himself: a third party, or an activity's worker.
pub(super) fn waits(step: &Step) -> bool {
    matches!(step, Step::Task { resource, .. }
        if resource.ends_with(".waitForTaskToken") || is_activity(resource))
}

fn is_activity(resource: &str) -> bool {
    resource.contains(":activity:")
}

/// A resource without what all have in common.
fn short(resource: &str) -> &str {
    let service = resource.strip_prefix("arn:aws:states:::");
    service.unwrap_or_else(|| resource.rsplit(':').next().unwrap_or(resource))
}

fn status(end: &SpanEnd) -> Status {
    match end {
        SpanEnd::Succeeded | SpanEnd::Caught(_) => Status::Succeeded,
        SpanEnd::Failed(_) => Status::Failed,
        SpanEnd::TimedOut { .. } => Status::TimedOut,
        SpanEnd::Aborted(_) => Status::Aborted,
    }
}

fn end(end: &SpanEnd) -> EndKind {
    match end {
        SpanEnd::Succeeded | SpanEnd::Caught(_) => EndKind::Succeeded,
        SpanEnd::Failed(_) => EndKind::Failed,
        SpanEnd::TimedOut { heartbeat: false } => EndKind::TimedOut,
        SpanEnd::TimedOut { heartbeat: true } => EndKind::HeartbeatTimedOut,
        SpanEnd::Aborted(_) => EndKind::Aborted,
    }
}

/// The failure's name: AWS's of a timeout, too. One that was caught is no error of the state, and is named all
/// the same.
fn error_type(end: &SpanEnd) -> Option<String> {
    match end {
        SpanEnd::Succeeded => None,
        SpanEnd::Caught(reason) | SpanEnd::Failed(reason) => reason.error.clone(),
        SpanEnd::TimedOut { heartbeat: false } => Some("States.Timeout".to_owned()),
        SpanEnd::TimedOut { heartbeat: true } => Some("States.HeartbeatTimeout".to_owned()),
        SpanEnd::Aborted(reason) => reason.error.clone(),
    }
}

fn error(end: &SpanEnd) -> Option<String> {
    match end {
        SpanEnd::Succeeded | SpanEnd::Caught(_) => None,
        SpanEnd::Failed(reason) => Some(said(reason, "failed")),
        SpanEnd::TimedOut { heartbeat: false } => Some("timed out".to_owned()),
        SpanEnd::TimedOut { heartbeat: true } => Some("no heartbeat in time".to_owned()),
        SpanEnd::Aborted(reason) => Some(said(reason, "given up")),
    }
}

fn said(reason: &Reason, otherwise: &str) -> String {
    match (&reason.error, &reason.cause) {
        (Some(error), Some(cause)) => format!("{error}: {cause}"),
        (Some(one), None) | (None, Some(one)) => one.clone(),
        (None, None) => otherwise.to_owned(),
    }
}

fn event(at: asl::Timestamp, mark: &Mark) -> Event {
    let none = Attributes::default;
    let (name, attributes) = match mark {
        Mark::Submitted => ("request taken", none()),
        Mark::PickedUp(worker) => (
            "task picked up",
            none().perhaps("rejoin.worker", worker.as_deref()),
        ),
        Mark::Heartbeat => ("heartbeat", none()),
        Mark::Failed(reason) => (
            "exception",
            none()
                .perhaps("exception.type", reason.error.as_deref())
                .perhaps("exception.message", reason.cause.as_deref()),
        ),
        Mark::Retry { until } => ("retry", none().with("rejoin.retry.at", until.to_string())),
    };
    Event {
        at,
        name,
        attributes,
    }
}
