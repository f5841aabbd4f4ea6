//! The AWS history of an execution: a projection of its events.
//!
//! The projection follows the frames as the execution does, but keeps only what the history shows:
//! each frame's state, its document, and the event that its next one follows (`previousEventId`).
//! How the ids chain, as recorded on AWS:
//!
//! - Events 1 and 2 follow nothing, and so do ExecutionAborted and ExecutionTimedOut, which no event
//!   of the execution causes.
//! - Within a frame each event follows the one before. A branch's first follows ParallelStateStarted;
//!   an iteration's MapIterationStarted follows MapStateStarted, or the last event of the iteration
//!   that made room for it.
//! - MapStateSucceeded follows MapRunSucceeded, and MapStateExited follows MapRunStarted.
//! - In an inline Map, MapStateSucceeded and MapStateExited both follow the last MapIterationSucceeded;
//!   ParallelStateSucceeded and ParallelStateExited the last event of the last branch.
//! - Where a branch or an iteration fails, everything that comes of it (its own end, the ends of its
//!   siblings, the next attempt or the state's failure) follows the event that failed.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use asl::{Data, Failure, Timestamp};
use serde::{Serialize, Serializer, ser::SerializeMap};
use serde_json::{Map, Value, json};

use crate::event::{Event, EventKind, FrameId, Output, StateType, is_activity};
use crate::frame::{Frame, Phase};
use crate::identity::Identity;

/// One event as `GetExecutionHistory` reports it: `id`, `previousEventId`, `timestamp`, `type` and details.
#[derive(Debug, Clone, PartialEq)]
pub struct HistoryEvent {
    /// From 1, without gaps.
    pub id: u64,
    /// The event that caused it, or 0.
    pub previous_event_id: u64,
    /// When.
    pub at: Timestamp,
    /// The event's type, for example `TaskStateEntered`.
    pub event_type: String,
    /// What is in the member that [`HistoryEvent::details_name`] names.
    pub details: Option<Map<String, Value>>,
}

impl HistoryEvent {
    /// The member that holds the details. States of all types share theirs, and every other type of
    /// event has its own.
    pub fn details_name(&self) -> String {
        for (end, name) in [
            ("StateEntered", "stateEnteredEventDetails"),
            ("StateExited", "stateExitedEventDetails"),
        ] {
            if self.event_type.ends_with(end) {
                return name.to_owned();
            }
        }
        let (first, rest) = self.event_type.split_at(1);
        format!("{}{rest}EventDetails", first.to_ascii_lowercase())
    }
}

/// As the AWS JSON protocol writes it: the timestamp in seconds, with a fraction.
impl Serialize for HistoryEvent {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(4 + usize::from(self.details.is_some())))?;
        map.serialize_entry("timestamp", &self.at.as_seconds())?;
        map.serialize_entry("type", &self.event_type)?;
        map.serialize_entry("id", &self.id)?;
        map.serialize_entry("previousEventId", &self.previous_event_id)?;
        if let Some(details) = &self.details {
            map.serialize_entry(&self.details_name(), details)?;
        }
        map.end()
    }
}

/// The whole history; `include_data` is `includeExecutionData`.
pub fn project(events: &[Event], include_data: bool) -> Vec<HistoryEvent> {
    let mut projection = Projection::new(include_data);
    for event in events {
        projection.follow(event);
    }
    projection.take()
}

/// A history as it grows: follows an execution's events, from the first one on, and shows those of the
/// history's that are asked for. Following costs little; showing costs the text of the documents.
#[derive(Debug, Clone)]
pub struct Projection {
    shown: Vec<HistoryEvent>,
    /// How many events the history has so far.
    written: u64,
    /// The ids of the events to show.
    asked: Range<u64>,
    frames: HashMap<FrameId, Thread>,
    identity: Option<Arc<Identity>>,
    include_data: bool,
}

impl Projection {
    /// A projection that has followed nothing yet and shows everything.
    pub fn new(include_data: bool) -> Projection {
        Projection {
            shown: Vec::new(),
            written: 0,
            asked: 0..u64::MAX,
            frames: HashMap::new(),
            identity: None,
            include_data,
        }
    }

    /// From here on shows only events with these ids.
    pub fn show(&mut self, ids: Range<u64>) {
        self.asked = ids;
    }

    /// How many events the history has so far.
    pub fn written(&self) -> u64 {
        self.written
    }

    /// What is shown since this was asked last.
    pub fn take(&mut self) -> Vec<HistoryEvent> {
        std::mem::take(&mut self.shown)
    }

    /// Whether the payloads of the event that is written next are of interest.
    fn shows_data(&self) -> bool {
        self.include_data && self.asked.contains(&(self.written + 1))
    }
}

/// A frame, as far as the history shows it.
#[derive(Debug, Clone, Default)]
struct Thread {
    parent: Option<FrameId>,
    index: u32,
    state: Option<(Arc<str>, StateType)>,
    data: Option<Data>,
    result: Option<Data>,
    resource: Option<Arc<str>>,
    /// What the frame's next event follows.
    last: u64,
    /// The state's entering, and what that followed.
    entered: (u64, u64),
    /// What the next iteration follows: the event that made room for it.
    room: u64,
    /// The success of the state's Map Run.
    map_run: Option<u64>,
    items: Option<Data>,
    outputs: Vec<Option<Data>>,
}

impl Thread {
    /// A frame that goes on after a redrive; its next event follows that.
    fn resumed(frame: &Frame, redriven: u64) -> Thread {
        let place = frame.state.as_ref();
        let mut thread = Thread {
            parent: frame.parent,
            index: frame.index,
            state: place.map(|place| (place.name.clone(), place.state_type)),
            data: Some(frame.data.clone()),
            last: redriven,
            entered: (place.map_or(0, |place| place.entered_event), redriven),
            room: redriven,
            ..Thread::default()
        };
        if let Phase::Children(children) = &frame.phase {
            thread.items = children.items.clone();
            thread.outputs = children.outputs.clone();
        }
        thread
    }
}

type Details = Option<Map<String, Value>>;

impl Projection {
    /// Goes on by one event of the execution.
    pub fn follow(&mut self, event: &Event) {
        let at = event.at;
        let id = event.frame;
        match &event.kind {
            EventKind::ExecutionStarted { identity } => {
                self.frames.insert(
                    FrameId::ROOT,
                    Thread {
                        data: Some(identity.input.clone()),
                        ..Thread::default()
                    },
                );
                let mut details = self.payload("input", &identity.input);
                details.insert("roleArn".into(), (*identity.role_arn).into());
                if let Some(arn) = identity.alias_arn() {
                    details.insert("stateMachineAliasArn".into(), arn.into());
                }
                if let Some(arn) = identity.version_arn() {
                    details.insert("stateMachineVersionArn".into(), arn.into());
                }
                self.write(at, 0, "ExecutionStarted", Some(details));
                self.identity = Some(identity.clone());
            }
            EventKind::StateEntered { name, state_type } => {
                let input = self.data(id);
                let mut details = object(&[("name", Some((**name).into()))]);
                details.extend(self.payload("input", &input));
                let event_type = format!("{}StateEntered", state_type.name());
                let before = self.thread(id).last;
                let entered = self.chain(id, at, &event_type, Some(details));
                let thread = self.thread(id);
                thread.state = Some((name.clone(), *state_type));
                thread.entered = (entered, before);
            }
            EventKind::StateExited { output, assigned } => {
                let thread = self.thread(id);
                let output = match output {
                    Output::Input => thread.data.clone(),
                    Output::Document(data) => Some(data.clone()),
                    Output::Result => thread.result.take(),
                    Output::Children => Some(list(&thread.outputs)),
                }
                .expect("a state that is left has an output");
                thread.data = Some(output.clone());
                thread.outputs = Vec::new();
                thread.items = None;
                let (name, state_type) = self.state(id);
                let mut details = object(&[("name", Some((*name).into()))]);
                details.extend(self.payload("output", &output));
                if let Some(assigned) = assigned {
                    details.extend(self.assigned(assigned));
                }
                let event_type = format!("{}StateExited", state_type.name());
                self.chain(id, at, &event_type, Some(details));
            }
            EventKind::TaskScheduled {
                resource,
                parameters,
                timeout_seconds,
                heartbeat_seconds,
                role_arn,
                ..
            } => {
                self.thread(id).resource = Some(resource.clone());
                let parameters = parameters.clone().unwrap_or_else(|| self.data(id));
                let credentials = role_arn.as_ref().map(|arn| json!({ "roleArn": arn }));
                let fields = [
                    ("timeoutInSeconds", timeout_seconds.map(Into::into)),
                    ("taskCredentials", credentials),
                    ("heartbeatInSeconds", heartbeat_seconds.map(Into::into)),
                ];
                self.scheduled(id, at, resource, &parameters, &fields);
            }
            EventKind::TaskSubmitted { output, .. } => {
                let payload = self.payload("output", output);
                self.task(id, at, "Submitted", payload);
            }
            EventKind::TaskPickedUp { worker, .. } => {
                let details = object(&[("workerName", worker.clone().map(Into::into))]);
                self.chain(id, at, "ActivityStarted", Some(details));
            }
            EventKind::TaskSucceeded { output, .. } => {
                let payload = self.payload("output", output);
                self.task(id, at, "Succeeded", payload);
                self.thread(id).result = Some(output.clone());
            }
            EventKind::TaskFailed { failure, .. } => {
                self.task(id, at, "Failed", failure_details(failure))
            }
            EventKind::TaskTimedOut { .. } => {
                self.task(
                    id,
                    at,
                    "TimedOut",
                    object(&[("error", Some("States.Timeout".into()))]),
                );
            }
            EventKind::WaitStarted { .. }
            | EventKind::TaskHeartbeat { .. }
            | EventKind::WaitAborted { .. }
            | EventKind::RetryScheduled { .. } => {}
            EventKind::ParallelStarted {
                input,
                first_frame,
                branches,
            } => {
                let input = input.clone().unwrap_or_else(|| self.data(id));
                let last = self.chain(id, at, "ParallelStateStarted", None);
                self.thread(id).outputs = vec![None; *branches as usize];
                for index in 0..*branches {
                    self.open(
                        FrameId(first_frame.0 + index),
                        id,
                        index,
                        input.clone(),
                        last,
                    );
                }
            }
            EventKind::MapStarted { items, length, .. } => {
                let items = items.clone().unwrap_or_else(|| self.data(id));
                let details = object(&[("length", Some((*length).into()))]);
                let started = self.chain(id, at, "MapStateStarted", Some(details));
                let thread = self.thread(id);
                thread.outputs = vec![None; *length as usize];
                thread.items = Some(items);
                thread.room = started;
            }
            EventKind::IterationStarted {
                parent,
                index,
                input,
            } => {
                let map = self.thread(*parent);
                let room = map.room;
                let input = input.clone().unwrap_or_else(|| {
                    let items = map
                        .items
                        .as_ref()
                        .expect("a Map state that iterates has items");
                    Data::from(items.value()[*index as usize].clone())
                });
                self.open(id, *parent, *index, input, 0);
                let details = self.iteration(id);
                let started = self.write(at, room, "MapIterationStarted", Some(details));
                self.thread(id).last = started;
            }
            EventKind::BranchSucceeded => {
                let (branch, parent) = self.close(id);
                let parent = self.thread(parent);
                parent.last = branch.last;
                parent.outputs[branch.index as usize] = branch.data;
            }
            EventKind::IterationSucceeded => {
                let details = self.iteration(id);
                let (iteration, parent) = self.close(id);
                let succeeded =
                    self.write(at, iteration.last, "MapIterationSucceeded", Some(details));
                let map = self.thread(parent);
                map.last = succeeded;
                map.room = iteration.last;
                map.outputs[iteration.index as usize] = iteration.data;
            }
            EventKind::BranchFailed => {
                let failed = self.thread(id).last;
                self.branch_over(id, at, failed);
            }
            EventKind::BranchAborted => {
                let failed = self.parents_last(id);
                self.branch_over(id, at, failed);
            }
            EventKind::IterationFailed => {
                let failed = self.thread(id).last;
                self.iteration_over(id, at, "MapIterationFailed", failed);
            }
            EventKind::IterationAborted => {
                let failed = self.parents_last(id);
                self.iteration_over(id, at, "MapIterationAborted", failed);
            }
            EventKind::ChildrenSucceeded => {
                let (_, state_type) = self.state(id);
                let thread = self.thread(id);
                let previous = thread.map_run.take().unwrap_or(thread.last);
                self.write(
                    at,
                    previous,
                    &format!("{}StateSucceeded", state_type.name()),
                    None,
                );
            }
            EventKind::ChildrenFailed => {
                let (_, state_type) = self.state(id);
                self.chain(id, at, &format!("{}StateFailed", state_type.name()), None);
            }
            EventKind::EvaluationFailed { failure, location } => {
                let (name, state_type) = self.state(id);
                let mut details = failure_details(failure);
                details.extend(object(&[
                    ("location", location.as_deref().map(Into::into)),
                    ("state", Some((*name).into())),
                ]));
                // What fails as the state is entered follows what the entering follows; in a Wait
                // state it follows the entering (both recorded).
                let thread = self.thread(id);
                let (entered, before) = thread.entered;
                let previous = match thread.last == entered && state_type != StateType::Wait {
                    true => before,
                    false => thread.last,
                };
                let failed = self.write(at, previous, "EvaluationFailed", Some(details));
                self.thread(id).last = failed;
            }
            EventKind::DistributedMapStarted { length } => {
                let details = object(&[("length", Some((*length).into()))]);
                self.chain(id, at, "MapStateStarted", Some(details));
            }
            EventKind::MapRunStarted { run, .. } => {
                let details = object(&[("mapRunArn", Some((*run.arn).into()))]);
                self.chain(id, at, "MapRunStarted", Some(details));
            }
            EventKind::MapRunRedriven { arn, count, .. } => {
                let details = object(&[
                    ("mapRunArn", Some((**arn).into())),
                    ("redriveCount", Some((*count).into())),
                ]);
                self.chain(id, at, "MapRunRedriven", Some(details));
            }
            // MapStateSucceeded follows it, and MapStateExited what was before it, as AWS was recorded
            // to do since 2024.
            EventKind::MapRunSucceeded { output, .. } => {
                let thread = self.thread(id);
                let started = thread.last;
                thread.result = Some(output.clone());
                let succeeded = self.write(at, started, "MapRunSucceeded", None);
                self.thread(id).map_run = Some(succeeded);
            }
            EventKind::MapRunFailed { failure, .. } => {
                self.chain(id, at, "MapRunFailed", Some(failure_details(failure)));
            }
            EventKind::ExecutionRedriven { count, frames, .. } => {
                let details = object(&[("redriveCount", Some((*count).into()))]);
                let ended = self.written;
                let redriven = self.write(at, ended, "ExecutionRedriven", Some(details));
                let frames = frames.0.iter();
                self.frames = frames
                    .map(|(id, frame)| (*id, Thread::resumed(frame, redriven)))
                    .collect();
            }
            EventKind::ExecutionSucceeded => {
                let output = self.data(id);
                let details = self.payload("output", &output);
                self.chain(id, at, "ExecutionSucceeded", Some(details));
            }
            EventKind::ExecutionFailed { failure } => {
                let details = failure_details(failure);
                self.chain(id, at, "ExecutionFailed", Some(details));
            }
            EventKind::ExecutionTimedOut => {
                let details = object(&[("error", Some("States.Timeout".into()))]);
                self.write(at, 0, "ExecutionTimedOut", Some(details));
            }
            EventKind::ExecutionAborted { error, cause } => {
                let details = object(&[
                    ("error", error.clone().map(Into::into)),
                    ("cause", cause.clone().map(Into::into)),
                ]);
                self.write(at, 0, "ExecutionAborted", Some(details));
            }
        }
    }

    /// Writes an event of a frame, after the frame's last.
    fn chain(&mut self, id: FrameId, at: Timestamp, event_type: &str, details: Details) -> u64 {
        let previous = self.thread(id).last;
        let written = self.write(at, previous, event_type, details);
        self.thread(id).last = written;
        written
    }

    fn write(&mut self, at: Timestamp, previous: u64, event_type: &str, details: Details) -> u64 {
        self.written += 1;
        let id = self.written;
        if self.asked.contains(&id) {
            self.shown.push(HistoryEvent {
                id,
                previous_event_id: previous,
                at,
                event_type: event_type.to_owned(),
                details,
            });
        }
        id
    }

    fn scheduled(
        &mut self,
        id: FrameId,
        at: Timestamp,
        resource: &str,
        parameters: &Data,
        fields: &[(&str, Option<Value>); 3],
    ) {
        match Service::of(resource) {
            Service::Activity => {
                let mut details = object(&[("resource", Some(resource.into()))]);
                details.extend(self.payload("input", parameters));
                details.extend(object(fields));
                self.chain(id, at, "ActivityScheduled", Some(details));
            }
            Service::Function => {
                let mut details = object(&[("resource", Some(resource.into()))]);
                details.extend(self.payload("input", parameters));
                // A function sends no heartbeats.
                details.extend(object(&fields[..2]));
                self.chain(id, at, "LambdaFunctionScheduled", Some(details));
                self.chain(id, at, "LambdaFunctionStarted", None);
            }
            Service::Other { service, action } => {
                let region = self.region();
                let mut details = object(&[
                    ("resourceType", Some(service.into())),
                    ("resource", Some(action.into())),
                    ("region", Some(region.into())),
                ]);
                if self.shows_data() {
                    details.insert("parameters".into(), parameters.text().into());
                }
                details.extend(object(fields));
                self.chain(id, at, "TaskScheduled", Some(details));
                let details = object(&[
                    ("resourceType", Some(service.into())),
                    ("resource", Some(action.into())),
                ]);
                self.chain(id, at, "TaskStarted", Some(details));
            }
        }
    }

    /// A later event of a task: its type and details go by the kind of its resource.
    fn task(&mut self, id: FrameId, at: Timestamp, what: &str, mut details: Map<String, Value>) {
        let resource = self
            .thread(id)
            .resource
            .clone()
            .expect("a task's event follows its scheduling");
        let kind = match Service::of(&resource) {
            Service::Activity => "Activity",
            Service::Function => "LambdaFunction",
            Service::Other { service, action } => {
                details.insert("resourceType".into(), service.into());
                details.insert("resource".into(), action.into());
                "Task"
            }
        };
        self.chain(id, at, &format!("{kind}{what}"), Some(details));
    }

    /// A branch is gone: what became of its state, if that can be.
    fn branch_over(&mut self, id: FrameId, at: Timestamp, previous: u64) {
        let (branch, parent) = self.close(id);
        let state = branch.state.map(|(_, state_type)| state_type);
        if let Some(event_type) = state.and_then(StateType::aborted_name) {
            self.write(at, previous, event_type, None);
        }
        self.thread(parent).last = previous;
    }

    fn iteration_over(&mut self, id: FrameId, at: Timestamp, event_type: &str, previous: u64) {
        let details = self.iteration(id);
        let (_, parent) = self.close(id);
        self.write(at, previous, event_type, Some(details));
        self.thread(parent).last = previous;
    }

    /// What the end of a branch or an iteration follows that was given up: the event that failed,
    /// which its parent's next event follows too.
    fn parents_last(&mut self, id: FrameId) -> u64 {
        let parent = self.thread(id).parent;
        let parent = parent.expect("only a branch or an iteration is given up");
        self.thread(parent).last
    }

    fn open(&mut self, id: FrameId, parent: FrameId, index: u32, data: Data, last: u64) {
        let thread = Thread {
            parent: Some(parent),
            index,
            data: Some(data),
            last,
            ..Thread::default()
        };
        self.frames.insert(id, thread);
    }

    fn close(&mut self, id: FrameId) -> (Thread, FrameId) {
        let thread = self.frames.remove(&id).expect("an event's frame is open");
        let parent = thread
            .parent
            .expect("only a branch or an iteration ends before the execution");
        (thread, parent)
    }

    /// `name` and `index` of an iteration; the name is the Map state's.
    fn iteration(&mut self, id: FrameId) -> Map<String, Value> {
        let (parent, index) = (self.thread(id).parent, self.thread(id).index);
        let (name, _) = self.state(parent.expect("an iteration has a Map state around it"));
        object(&[
            ("name", Some((*name).into())),
            ("index", Some(index.into())),
        ])
    }

    fn thread(&mut self, id: FrameId) -> &mut Thread {
        self.frames.get_mut(&id).expect("an event's frame is open")
    }

    fn state(&mut self, id: FrameId) -> (Arc<str>, StateType) {
        self.thread(id)
            .state
            .clone()
            .expect("a state's event follows its entering")
    }

    fn data(&mut self, id: FrameId) -> Data {
        self.thread(id)
            .data
            .clone()
            .expect("a frame has a document")
    }

    /// A payload and what goes with it, or nothing if data is not asked for.
    fn payload(&self, name: &str, data: &Data) -> Map<String, Value> {
        let mut map = Map::new();
        if self.shows_data() {
            map.insert(name.into(), data.text().into());
            map.insert(format!("{name}Details"), json!({ "truncated": false }));
        }
        map
    }

    /// The variables that a state assigned, each as JSON text.
    fn assigned(&self, assigned: &Data) -> Map<String, Value> {
        let mut map = Map::new();
        if self.shows_data() {
            let variables = assigned.value().as_object().into_iter().flatten();
            let texts = variables.map(|(name, value)| (name.clone(), value.to_string().into()));
            map.insert("assignedVariables".into(), Value::Object(texts.collect()));
            map.insert(
                "assignedVariablesDetails".into(),
                json!({ "truncated": false }),
            );
        }
        map
    }

    /// The region that the tasks ran in: the state machine's.
    fn region(&self) -> String {
        let identity = self
            .identity
            .as_ref()
            .expect("an execution's first event is its start");
        identity
            .state_machine_arn
            .split(':')
            .nth(3)
            .unwrap_or_default()
            .to_owned()
    }
}

/// What the history tells of a `Resource`.
enum Service<'a> {
    Activity,
    Function,
    Other { service: &'a str, action: &'a str },
}

impl Service<'_> {
    /// `arn:aws:lambda:...` and activities have events of their own. Others are
    /// `arn:aws:states:::SERVICE:ACTION`, where an AWS SDK's service is two parts, `aws-sdk:s3`.
    fn of(resource: &str) -> Service<'_> {
        if is_activity(resource) {
            return Service::Activity;
        }
        let named = resource
            .splitn(6, ':')
            .nth(5)
            .filter(|_| resource.split(':').nth(2) == Some("states"));
        match named.and_then(|name| name.rsplit_once(':').map(|parts| (name, parts))) {
            // `.sync:2` has a colon of its own.
            Some((name, (head, "2"))) if head.ends_with(".sync") => {
                let (service, _) = head.rsplit_once(':').unwrap_or((head, ""));
                Service::Other {
                    service,
                    action: &name[(service.len() + 1).min(name.len())..],
                }
            }
            Some((_, (service, action))) => Service::Other { service, action },
            None => Service::Function,
        }
    }
}

/// The members that are there.
fn object(members: &[(&str, Option<Value>)]) -> Map<String, Value> {
    members
        .iter()
        .filter_map(|(name, value)| Some(((*name).to_owned(), value.clone()?)))
        .collect()
}

fn failure_details(failure: &Failure) -> Map<String, Value> {
    object(&[
        ("error", failure.error.as_deref().map(Into::into)),
        ("cause", failure.cause.as_deref().map(Into::into)),
    ])
}

fn list(outputs: &[Option<Data>]) -> Data {
    let values = outputs
        .iter()
        .flatten()
        .map(|output| output.value().clone());
    Data::from(Value::Array(values.collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_resource_is_told_apart_as_aws_does() {
        let told = |resource: &str| match Service::of(resource) {
            Service::Activity => "activity".to_owned(),
            Service::Function => "function".to_owned(),
            Service::Other { service, action } => format!("{service} {action}"),
        };
        assert_eq!(
            told("arn:aws:lambda:us-east-1:123456789012:function:f"),
            "function"
        );
        assert_eq!(
            told("arn:aws:states:us-east-1:123456789012:activity:a"),
            "activity"
        );
        assert_eq!(
            told("arn:aws:states:::lambda:invoke.waitForTaskToken"),
            "lambda invoke.waitForTaskToken"
        );
        assert_eq!(
            told("arn:aws:states:::aws-sdk:s3:listBuckets"),
            "aws-sdk:s3 listBuckets"
        );
        assert_eq!(
            told("arn:aws:states:::states:startExecution.sync:2"),
            "states startExecution.sync:2"
        );
    }
}
