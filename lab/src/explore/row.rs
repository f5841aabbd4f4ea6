//! What came of a case.

use std::collections::{BTreeMap, BTreeSet};

use asl::{Resource, StateKind, StateMachine};
use engine::{EventKind, FrameId};
use serde_json::Value;

use super::outside::NO_END;
use super::way::{Attempts, Case, Class};
use crate::seen::{Call, Ended, Seen};

/// How an execution ended, if it did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    /// `SUCCEEDED`.
    Succeeded,
    /// `FAILED`.
    Failed,
    /// `TIMED_OUT`: the machine's own TimeoutSeconds.
    TimedOut,
    /// `ABORTED`.
    Aborted,
    /// It waits, and nothing is due any more; for what.
    Waits(String),
    /// It asked one task after the other, with no end in sight.
    NoEnd,
    /// It still ran when the time was up.
    Runs,
    /// It could not be played; why.
    NotPlayed(String),
}

impl End {
    /// As the matrix shows it.
    pub fn name(&self) -> &'static str {
        match self {
            End::Succeeded => "SUCCEEDED",
            End::Failed => "FAILED",
            End::TimedOut => "TIMED_OUT",
            End::Aborted => "ABORTED",
            End::Waits(_) => "WAITS",
            End::NoEnd => "NO END",
            End::Runs => "RUNS",
            End::NotPlayed(_) => "NOT PLAYED",
        }
    }

    /// Whether it ended, and not well.
    pub fn is_bad(&self) -> bool {
        matches!(self, End::Failed | End::TimedOut | End::Aborted)
    }
}

/// Somebody who was told.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Telling {
    /// When, in milliseconds from the start.
    pub at: i64,
    /// By whom: the state, or the server itself if none.
    pub by: Option<String>,
    /// Where: a topic, a queue, a bus.
    pub to: String,
    /// What, in a few words.
    pub what: String,
}

/// One row of the matrix.
#[derive(Debug, Clone)]
pub struct Row {
    /// What went wrong.
    pub case: Case,
    /// How it ended.
    pub end: End,
    /// The error that it ended with.
    pub error: Option<String>,
    /// Its cause.
    pub cause: Option<String>,
    /// After how many milliseconds of virtual time.
    pub after: i64,
    /// With what.
    pub output: Option<Value>,
    /// How often a Retry tried again.
    pub retries: u32,
    /// From the first failure to the last retry.
    pub retried_for: i64,
    /// Who was told that something is wrong.
    pub told: Vec<Telling>,
    /// What became of callbacks.
    pub dispositions: Vec<String>,
    /// How often each callback with a disposition that should be known of was told.
    pub calls: Vec<Call>,
    /// The states that it was in.
    pub states: BTreeSet<String>,
    /// The entries of Retry that were used, as state and index.
    pub retriers: BTreeSet<(String, usize)>,
    /// The same of Catch.
    pub catchers: BTreeSet<(String, usize)>,
    /// What ended waits without an answer: whether it was the heartbeat, by state.
    pub timeouts: Vec<(String, bool)>,
    /// Deadlines that waits had, in milliseconds: timeout and heartbeat, by state.
    pub deadlines: BTreeMap<String, (Option<i64>, Option<i64>)>,
    /// When something first failed or was restarted.
    pub failed_at: Option<i64>,
    /// What happened, in order.
    pub story: Vec<(i64, String)>,
    /// What the outside was answered, in the order of what it did: `410 SendTaskSuccess ...`.
    pub answers: Vec<(i64, String, u16)>,
}

impl Row {
    /// A case that could not be played.
    pub fn not_played(case: Case, why: String) -> Row {
        Row {
            case,
            end: End::NotPlayed(why),
            error: None,
            cause: None,
            after: 0,
            output: None,
            retries: 0,
            retried_for: 0,
            told: Vec::new(),
            dispositions: Vec::new(),
            calls: Vec::new(),
            states: BTreeSet::new(),
            retriers: BTreeSet::new(),
            catchers: BTreeSet::new(),
            timeouts: Vec::new(),
            deadlines: BTreeMap::new(),
            failed_at: None,
            story: Vec::new(),
            answers: Vec::new(),
        }
    }

    /// What was seen, as a row.
    pub fn of(case: Case, seen: Seen, machine: &StateMachine, cut: bool, limit: i64) -> Row {
        let mut row = Row::not_played(case, String::new());
        let read = Reading::of(&seen, machine, &mut row);
        let last = read.last.max(seen.deeds.last().map_or(0, |deed| deed.at));
        (row.end, row.after) = match &seen.ended {
            Some(ended) => (end_of(ended, cut), ended.at),
            None => match &seen.stuck {
                Some(what) => (End::Waits(what.clone()), last),
                None => (End::Runs, limit),
            },
        };
        if let Some(ended) = &seen.ended {
            let failure = ended.failure.as_ref();
            row.error = failure
                .and_then(|failure| failure.error.as_deref())
                .map(str::to_owned);
            row.cause = failure.and_then(|failure| failure.cause.clone());
            row.output = ended.output.clone();
        }
        for delivery in &seen.deliveries {
            let steps = delivery["dispositions"].as_array();
            let last = steps.and_then(|steps| steps.last());
            if let Some(name) = last.and_then(|step| step["disposition"].as_str()) {
                row.dispositions.push(name.to_owned());
            }
        }
        for told in &seen.told {
            row.told.push(Telling {
                at: told.at,
                by: None,
                to: told.topic.clone(),
                what: what_is_said(&told.message),
            });
        }
        for deed in &seen.deeds {
            row.story
                .push((deed.at, format!("{} -> {}", deed.what, deed.answer.0)));
            row.answers
                .push((deed.at, deed.what.clone(), deed.answer.0));
        }
        row.story.sort_by_key(|(at, _)| *at);
        row.calls = seen.calls;
        row
    }

    /// Adds the tasks that tell somebody: those that were asked after the first failure, and not just as they are
    /// when all goes well.
    pub fn tell(&mut self, well: &Row) {
        let goes_on = self.case.faults.iter().all(|fault| fault.way.is_harmless());
        let Some(failed_at) = self.failed_at.filter(|_| !goes_on) else {
            return;
        };
        for call in self.calls.iter().filter(|call| call.at >= failed_at) {
            let Some(to) = told_by(call) else {
                continue;
            };
            let goes_wrong = self.case.faults.iter().any(|fault| {
                fault.state == call.state
                    && fault.attempts != Attempts::First
                    && matches!(fault.way.class(), Class::Error | Class::Silence)
            });
            // A request with its token is never the same twice.
            let is_request = call.resource.ends_with(".waitForTaskToken");
            let same = |other: &Call| {
                other.state == call.state && (is_request || other.parameters == call.parameters)
            };
            if goes_wrong || well.calls.iter().any(same) {
                continue;
            }
            self.told.push(Telling {
                at: call.at,
                by: Some(call.state.clone()),
                to,
                what: what_is_said(&call.parameters),
            });
        }
        self.told.sort();
    }

    /// Whether a state that this is about was asked again under the same token, after a restart.
    pub fn asked_again(&self) -> impl Iterator<Item = &str> {
        let again = self.calls.iter().filter(|call| call.asked > 1);
        again.map(|call| &*call.state)
    }

    /// States that are passed here and not where all goes well.
    pub fn detour<'r>(&'r self, well: &'r Row) -> impl Iterator<Item = &'r str> {
        self.states.difference(&well.states).map(String::as_str)
    }
}

fn end_of(ended: &Ended, cut: bool) -> End {
    let error = ended
        .failure
        .as_ref()
        .and_then(|failure| failure.error.as_deref());
    match ended.status {
        "SUCCEEDED" => End::Succeeded,
        "FAILED" => End::Failed,
        "TIMED_OUT" => End::TimedOut,
        _ if cut && error == Some(NO_END) => End::NoEnd,
        _ => End::Aborted,
    }
}

/// Where a task tells people or other systems of something, if it is of the kind that does.
fn told_by(call: &Call) -> Option<String> {
    let parameters = &call.parameters;
    let text = |name: &str| parameters.get(name).and_then(Value::as_str);
    let resource = call.resource.strip_prefix("arn:aws:states:::")?;
    let action = resource.strip_prefix("aws-sdk:").unwrap_or(resource);
    let (service, action) = action.split_once(':')?;
    let last = |arn: &str| arn.rsplit([':', '/']).next().unwrap_or(arn).to_owned();
    let action = action.strip_suffix(".waitForTaskToken").unwrap_or(action);
    match (service, action) {
        ("sns", "publish" | "publishBatch") => {
            let topic = text("TopicArn").or_else(|| text("TargetArn")).map(last);
            Some(
                topic
                    .or_else(|| text("PhoneNumber").map(str::to_owned))
                    .unwrap_or_else(|| "sns".into()),
            )
        }
        ("sqs", "sendMessage" | "sendMessageBatch") => {
            Some(text("QueueUrl").map_or_else(|| "sqs".into(), last))
        }
        ("events" | "eventbridge", "putEvents") => Some("EventBridge".into()),
        ("ses" | "sesv2", action) if action.starts_with("send") => Some("mail".into()),
        ("cloudwatch", "putMetricData") => Some("CloudWatch".into()),
        _ => None,
    }
}

/// A message in a few words.
fn what_is_said(message: &Value) -> String {
    let members = [
        "description",
        "title",
        "Subject",
        "subject",
        "error",
        "Message",
        "detail-type",
    ];
    let said = members.iter().find_map(|name| match message.get(name)? {
        Value::String(text) => Some(text.clone()),
        inner @ Value::Object(_) => Some(what_is_said(inner)),
        _ => None,
    });
    let said = said.unwrap_or_else(|| match message {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    });
    said.chars().take(100).collect()
}

/// A walk over the events.
struct Reading {
    last: i64,
}

impl Reading {
    fn of(seen: &Seen, machine: &StateMachine, row: &mut Row) -> Reading {
        let mut places: BTreeMap<FrameId, String> = BTreeMap::new();
        // What a frame's state has failed with, if nothing came of it yet.
        let mut raised: BTreeMap<FrameId, (String, bool)> = BTreeMap::new();
        let mut last = 0;
        for event in &seen.events {
            let at = event.at.0 - seen.started_at.0;
            last = last.max(at);
            let place = places.get(&event.frame).cloned().unwrap_or_default();
            let failed = |row: &mut Row| {
                row.failed_at.get_or_insert(at);
            };
            match &event.kind {
                EventKind::StateEntered { name, .. } => {
                    if let Some(from) = places.get(&event.frame)
                        && let Some(failure) = raised.remove(&event.frame)
                    {
                        let from = from.clone();
                        note_catcher(machine, row, &from, name, &failure);
                    }
                    places.insert(event.frame, name.to_string());
                    row.states.insert(name.to_string());
                    row.story.push((at, format!("{name} begins")));
                }
                EventKind::TaskScheduled {
                    timeout_seconds,
                    heartbeat_seconds,
                    ..
                } => {
                    let millis = |seconds: &Option<u64>| {
                        seconds.and_then(|seconds| i64::try_from(seconds).ok()?.checked_mul(1000))
                    };
                    let deadlines = (millis(timeout_seconds), millis(heartbeat_seconds));
                    row.deadlines.insert(place, deadlines);
                }
                EventKind::TaskFailed { failure, .. } => {
                    failed(row);
                    let error = failure.error.as_deref().unwrap_or_default().to_owned();
                    row.story.push((at, format!("{place} fails with {error}")));
                    raised.insert(event.frame, (error, false));
                }
                EventKind::TaskTimedOut { heartbeat, .. } => {
                    failed(row);
                    let how = if *heartbeat {
                        "no heartbeat came"
                    } else {
                        "no answer came in time"
                    };
                    row.story.push((at, format!("{place}: {how}")));
                    row.timeouts.push((place, *heartbeat));
                    raised.insert(event.frame, ("States.Timeout".to_owned(), *heartbeat));
                }
                EventKind::EvaluationFailed { failure, .. } => {
                    failed(row);
                    let error = failure.error.as_deref().unwrap_or_default().to_owned();
                    raised.insert(event.frame, (error, false));
                }
                EventKind::ChildrenFailed | EventKind::MapRunFailed { .. } => {
                    failed(row);
                    raised.insert(event.frame, (String::new(), false));
                }
                EventKind::RetryScheduled { retrier, until } => {
                    raised.remove(&event.frame);
                    row.retries += 1;
                    let since = row.failed_at.unwrap_or(at);
                    row.retried_for = until.0 - seen.started_at.0 - since;
                    row.retriers.insert((place.clone(), usize::from(*retrier)));
                    let wait = (until.0 - event.at.0) / 1000;
                    row.story
                        .push((at, format!("{place} is tried again after {wait} s")));
                }
                kind => {
                    if let Some(what) = ending(kind) {
                        if !matches!(kind, EventKind::ExecutionSucceeded) {
                            failed(row);
                        }
                        row.story.push((at, what));
                    }
                }
            }
        }
        let restarted = seen
            .deeds
            .iter()
            .find(|deed| deed.what.starts_with("the server is killed"));
        if let (None, Some(restarted)) = (row.failed_at, restarted) {
            row.failed_at = Some(restarted.at);
        }
        Reading { last }
    }
}

fn ending(kind: &EventKind) -> Option<String> {
    Some(match kind {
        EventKind::ExecutionSucceeded => "the execution SUCCEEDED".to_owned(),
        EventKind::ExecutionFailed { failure } => format!(
            "the execution FAILED with {}: {}",
            failure.error.as_deref().unwrap_or("no error"),
            failure.cause.as_deref().unwrap_or("no cause")
        ),
        EventKind::ExecutionTimedOut => "the execution TIMED_OUT".to_owned(),
        EventKind::ExecutionAborted { .. } => "the execution was ABORTED".to_owned(),
        _ => return None,
    })
}

/// Which Catch has led from a state to another.
fn note_catcher(
    machine: &StateMachine,
    row: &mut Row,
    from: &str,
    to: &str,
    (error, heartbeat): &(String, bool),
) {
    let Some(id) = machine.find(from) else {
        return;
    };
    let recovery = match &machine.state(id).kind {
        StateKind::Task(task) => &task.recovery,
        StateKind::Parallel(parallel) => &parallel.recovery,
        StateKind::Map(map) => &map.recovery,
        _ => return,
    };
    let names = |names: &[std::sync::Arc<str>]| {
        names.iter().any(|name| match &**name {
            "States.ALL" => true,
            "States.TaskFailed" => error != "States.Timeout",
            "States.HeartbeatTimeout" => *heartbeat,
            name => name == error,
        })
    };
    let leads = |next| &*machine.state(next).name == to;
    let mut catchers = recovery.catchers.iter();
    // Of Parallel and Map it is not known here which error it was.
    let found = catchers.position(|c| leads(c.next) && (error.is_empty() || names(&c.errors)));
    if let Some(index) = found {
        row.catchers.insert((from.to_owned(), index));
    }
}

/// Whether a resource is one whose tasks tell somebody; for tasks that a run has not asked.
pub fn is_telling(resource: &Resource) -> bool {
    let call = Call {
        at: 0,
        machine: String::new(),
        execution_arn: String::new(),
        state: String::new(),
        attempt: 0,
        asked: 1,
        resource: resource.as_written().to_string(),
        parameters: Value::Null,
    };
    told_by(&call).is_some()
}
