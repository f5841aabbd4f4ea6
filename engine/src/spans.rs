//! The steps of an execution in its trace: a projection of its events.
//!
//! | span | from | to | inside of |
//! | --- | --- | --- | --- |
//! | the execution | ExecutionStarted, ExecutionRedriven | its end; each redrive is a span of its own | whoever started it |
//! | a stay in a state | StateEntered; for what a redrive goes on with, ExecutionRedriven | StateExited, the failure of its frame, the execution's end | the execution, or the state whose branch or iteration it is in |
//! | an attempt of a task, a Map Run | TaskScheduled, MapRunStarted, MapRunRedriven | its end | the stay |
//!
//! A span is given when it ends, so what is kept meanwhile is as much as is open. The ids are those that the
//! requests of tasks have carried ([`crate::trace`]), so the spans of others find theirs, and whoever follows the
//! stored events again makes the same ones.
//!
//! Documents are not looked at: inputs and outputs are no part of a trace. Not known here: how spans are
//! written, and who takes them.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use asl::{Failure, Timestamp};

use crate::event::{Event, EventKind, FrameId, StateType};
use crate::identity::{Identity, WaitId};
use crate::trace::SpanId;

/// How many marks a span has at most; how many more there were is told. OpenTelemetry's own default is 128.
pub const MARKS_MAX: usize = 128;

/// As much of a cause is told: it is text for people, and may be as long as an output.
const CAUSE_BYTES_MAX: usize = 1024;

/// A step that has ended.
#[derive(Debug, Clone, PartialEq)]
pub struct Span {
    /// Its own id.
    pub id: SpanId,
    /// The step that it is inside of; none if it is the first of its trace.
    pub parent: Option<SpanId>,
    /// What it is.
    pub step: Step,
    /// When it began.
    pub began: Timestamp,
    /// When it ended.
    pub ended: Timestamp,
    /// How.
    pub end: SpanEnd,
    /// What happened meanwhile.
    pub marks: Marks,
}

/// What a span is of.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    /// The execution, from its start or a redrive to its end.
    Execution {
        /// How often it had been redriven.
        redrives: u32,
    },
    /// A stay in a state.
    State {
        /// The state.
        name: Arc<str>,
        /// Its type.
        state_type: StateType,
        /// Which branch of a Parallel state or iteration of a Map state it is in.
        index: Option<u32>,
    },
    /// An attempt of a task.
    Task {
        /// Its number.
        wait: WaitId,
        /// The state.
        state: Arc<str>,
        /// The `Resource` as written.
        resource: Arc<str>,
        /// Which attempt of the stay, from 1.
        attempt: u32,
    },
    /// A Map Run, as the state that waits for it sees it.
    MapRun {
        /// Its number.
        wait: WaitId,
        /// The state.
        state: Arc<str>,
        /// Which one.
        arn: Arc<str>,
        /// Which attempt of the stay, from 1.
        attempt: u32,
    },
}

/// How a step ended.
#[derive(Debug, Clone, PartialEq)]
pub enum SpanEnd {
    /// Well.
    Succeeded,
    /// The state failed, and was left by its Catch.
    Caught(Reason),
    /// Badly.
    Failed(Reason),
    /// Nobody answered in time.
    TimedOut {
        /// Whether it was a heartbeat that did not come.
        heartbeat: bool,
    },
    /// It was stopped, or what it was a part of has failed.
    Aborted(Reason),
}

/// Why something failed, as far as anybody has said.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Reason {
    /// The error's name.
    pub error: Option<String>,
    /// The cause, or its beginning.
    pub cause: Option<String>,
}

/// What happened while a step lasted.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Marks {
    /// The first of them, in their order.
    pub kept: Vec<(Timestamp, Mark)>,
    /// How many more there were.
    pub dropped: u32,
}

/// Something that happened while a step lasted.
#[derive(Debug, Clone, PartialEq)]
pub enum Mark {
    /// The resource took the request.
    Submitted,
    /// An activity's worker fetched the task, and gave this name.
    PickedUp(Option<String>),
    /// A sign of life.
    Heartbeat,
    /// An attempt failed.
    Failed(Reason),
    /// It will be tried again.
    Retry {
        /// When.
        until: Timestamp,
    },
}

/// Follows the events of one execution and gives its spans.
#[derive(Debug)]
pub struct Spans {
    identity: Arc<Identity>,
    /// The events of the AWS history so far.
    history_events: u64,
    /// How many stays there have been.
    stays: u32,
    redrives: u32,
    began: Timestamp,
    threads: HashMap<FrameId, Thread>,
    waits: HashMap<WaitId, Open>,
}

/// A frame.
#[derive(Debug)]
struct Thread {
    parent: Option<FrameId>,
    index: u32,
    /// Of the state that it is in or was in last.
    state_type: Option<StateType>,
    stay: Option<Stay>,
}

#[derive(Debug)]
struct Stay {
    id: SpanId,
    name: Arc<str>,
    state_type: StateType,
    since: Timestamp,
    /// How often its work was asked for.
    attempts: u32,
    /// The last failure, if nothing has gone well since.
    failure: Option<Reason>,
    marks: Marks,
}

/// A wait that is open.
#[derive(Debug)]
struct Open {
    frame: FrameId,
    step: Step,
    since: Timestamp,
    marks: Marks,
}

impl Marks {
    fn add(&mut self, at: Timestamp, mark: Mark) {
        match self.kept.len() < MARKS_MAX {
            true => self.kept.push((at, mark)),
            false => self.dropped += 1,
        }
    }
}

impl Reason {
    fn of(error: Option<&str>, cause: Option<&str>) -> Reason {
        let shortened = |cause: &str| {
            let end = cause.floor_char_boundary(CAUSE_BYTES_MAX);
            match end < cause.len() {
                true => format!("{}...", &cause[..end]),
                false => cause.to_owned(),
            }
        };
        Reason {
            error: error.map(str::to_owned),
            cause: cause.map(shortened),
        }
    }

    fn named(error: &str) -> Reason {
        Reason::of(Some(error), None)
    }
}

impl From<&Failure> for Reason {
    fn from(failure: &Failure) -> Reason {
        let error = failure.error.as_ref().map(Cow::as_ref);
        Reason::of(error, failure.cause.as_deref())
    }
}

impl Spans {
    /// Of the execution whose first event this is.
    pub fn of(first: &Event) -> Option<Spans> {
        let EventKind::ExecutionStarted { identity } = &first.kind else {
            return None;
        };
        Some(Spans {
            identity: identity.clone(),
            history_events: 0,
            stays: 0,
            redrives: 0,
            began: first.at,
            threads: HashMap::new(),
            waits: HashMap::new(),
        })
    }

    /// Whose they are.
    pub fn identity(&self) -> &Arc<Identity> {
        &self.identity
    }

    /// How many events the AWS history has of those that were followed.
    pub fn history_events(&self) -> u64 {
        self.history_events
    }

    /// Takes the next event, and gives what it ends.
    pub fn follow(&mut self, event: &Event) -> Vec<Span> {
        let (at, frame) = (event.at, event.frame);
        let state_type = self.threads.get(&frame).and_then(|t| t.state_type);
        self.history_events += event.kind.history_events(state_type);
        let mut ended = Vec::new();
        match &event.kind {
            EventKind::ExecutionStarted { .. } => self.open(FrameId::ROOT, None, 0),
            EventKind::StateEntered { name, state_type } => {
                self.enter(at, frame, name.clone(), *state_type);
            }
            EventKind::StateExited { .. } => {
                let stay = self.threads.get_mut(&frame).and_then(|t| t.stay.take());
                ended.extend(stay.map(|mut stay| {
                    let end = match stay.failure.take() {
                        Some(reason) => SpanEnd::Caught(reason),
                        None => SpanEnd::Succeeded,
                    };
                    self.stayed(frame, stay, at, end)
                }));
            }
            EventKind::TaskScheduled { wait, resource, .. } => {
                let (state, attempt) = self.attempt(frame);
                let step = Step::Task {
                    wait: *wait,
                    state,
                    resource: resource.clone(),
                    attempt,
                };
                self.wait(at, frame, *wait, step);
            }
            EventKind::MapRunStarted { wait, run } => self.map_run(at, frame, *wait, &run.arn),
            EventKind::MapRunRedriven { wait, arn, .. } => self.map_run(at, frame, *wait, arn),
            EventKind::TaskSubmitted { wait, .. } => self.mark(at, *wait, Mark::Submitted),
            EventKind::TaskPickedUp { wait, worker } => {
                self.mark(at, *wait, Mark::PickedUp(worker.clone()));
            }
            EventKind::TaskHeartbeat { wait } => self.mark(at, *wait, Mark::Heartbeat),
            EventKind::TaskSucceeded { wait, .. } | EventKind::MapRunSucceeded { wait, .. } => {
                self.failed(at, frame, None);
                ended.extend(self.end_wait(at, *wait, SpanEnd::Succeeded));
            }
            EventKind::TaskFailed { wait, failure } | EventKind::MapRunFailed { wait, failure } => {
                let reason = Reason::from(failure);
                self.failed(at, frame, Some(reason.clone()));
                ended.extend(self.end_wait(at, *wait, SpanEnd::Failed(reason)));
            }
            EventKind::TaskTimedOut { wait, heartbeat } => {
                let error = match heartbeat {
                    true => "States.HeartbeatTimeout",
                    false => "States.Timeout",
                };
                self.failed(at, frame, Some(Reason::named(error)));
                let heartbeat = *heartbeat;
                ended.extend(self.end_wait(at, *wait, SpanEnd::TimedOut { heartbeat }));
            }
            EventKind::WaitAborted { wait } => {
                let end = SpanEnd::Aborted(Reason::default());
                ended.extend(self.end_wait(at, *wait, end));
            }
            EventKind::EvaluationFailed { failure, .. } => {
                self.failed(at, frame, Some(failure.into()));
            }
            EventKind::RetryScheduled { until, .. } => {
                if let Some(stay) = self.stay(frame) {
                    stay.marks.add(at, Mark::Retry { until: *until });
                    stay.failure = None;
                }
            }
            EventKind::ParallelStarted {
                first_frame,
                branches,
                ..
            } => {
                for index in 0..*branches {
                    self.open(FrameId(first_frame.0 + index), Some(frame), index);
                }
            }
            EventKind::IterationStarted { parent, index, .. } => {
                self.open(frame, Some(*parent), *index);
            }
            EventKind::BranchSucceeded | EventKind::IterationSucceeded => {
                self.threads.remove(&frame);
            }
            EventKind::BranchFailed | EventKind::IterationFailed => {
                let failed = self.close(frame, at, SpanEnd::Failed);
                // What has failed in a branch is the failure of the state that it is a branch of.
                if let Some(Span {
                    end: SpanEnd::Failed(reason),
                    ..
                }) = &failed.span
                    && let Some(parent) = failed.parent
                {
                    self.failed(at, parent, Some(reason.clone()));
                }
                ended.extend(failed.span);
            }
            EventKind::BranchAborted | EventKind::IterationAborted => {
                ended.extend(self.close(frame, at, SpanEnd::Aborted).span);
            }
            EventKind::ExecutionRedriven { count, frames, .. } => {
                (self.redrives, self.began) = (*count, at);
                self.threads.clear();
                // Frames are in the order of their opening, so a parent comes before what is inside of it.
                for (id, frame) in &frames.0 {
                    self.open(*id, frame.parent, frame.index);
                    if let Some(place) = &frame.state {
                        self.enter(at, *id, place.name.clone(), place.state_type);
                    }
                }
            }
            EventKind::ExecutionSucceeded => ended = self.end(at, SpanEnd::Succeeded),
            EventKind::ExecutionFailed { failure } => {
                ended = self.end(at, SpanEnd::Failed(failure.into()));
            }
            EventKind::ExecutionTimedOut => {
                ended = self.end(at, SpanEnd::TimedOut { heartbeat: false });
            }
            EventKind::ExecutionAborted { error, cause } => {
                let reason = Reason::of(error.as_deref(), cause.as_deref());
                ended = self.end(at, SpanEnd::Aborted(reason));
            }
            EventKind::WaitStarted { .. }
            | EventKind::MapStarted { .. }
            | EventKind::ChildrenSucceeded
            | EventKind::ChildrenFailed
            | EventKind::DistributedMapStarted { .. } => {}
        }
        ended
    }

    fn open(&mut self, frame: FrameId, parent: Option<FrameId>, index: u32) {
        let thread = Thread {
            parent,
            index,
            state_type: None,
            stay: None,
        };
        self.threads.insert(frame, thread);
    }

    fn enter(&mut self, at: Timestamp, frame: FrameId, name: Arc<str>, state_type: StateType) {
        self.stays += 1;
        let stay = Stay {
            id: self.identity.state_span(self.stays),
            name,
            state_type,
            since: at,
            attempts: 0,
            failure: None,
            marks: Marks::default(),
        };
        if let Some(thread) = self.threads.get_mut(&frame) {
            thread.state_type = Some(state_type);
            thread.stay = Some(stay);
        }
    }

    fn stay(&mut self, frame: FrameId) -> Option<&mut Stay> {
        self.threads.get_mut(&frame)?.stay.as_mut()
    }

    /// The state's work is asked for once more.
    fn attempt(&mut self, frame: FrameId) -> (Arc<str>, u32) {
        let stay = self.stay(frame).expect("only a state asks for work");
        stay.attempts += 1;
        (stay.name.clone(), stay.attempts)
    }

    fn map_run(&mut self, at: Timestamp, frame: FrameId, wait: WaitId, arn: &Arc<str>) {
        let (state, attempt) = self.attempt(frame);
        let step = Step::MapRun {
            wait,
            state,
            arn: arn.clone(),
            attempt,
        };
        self.wait(at, frame, wait, step);
    }

    fn wait(&mut self, at: Timestamp, frame: FrameId, wait: WaitId, step: Step) {
        let open = Open {
            frame,
            step,
            since: at,
            marks: Marks::default(),
        };
        self.waits.insert(wait, open);
    }

    fn mark(&mut self, at: Timestamp, wait: WaitId, mark: Mark) {
        if let Some(open) = self.waits.get_mut(&wait) {
            open.marks.add(at, mark);
        }
    }

    /// A frame's state has failed, or has got what it wants after all.
    fn failed(&mut self, at: Timestamp, frame: FrameId, reason: Option<Reason>) {
        if let Some(stay) = self.stay(frame) {
            if let Some(reason) = &reason {
                stay.marks.add(at, Mark::Failed(reason.clone()));
            }
            stay.failure = reason;
        }
    }

    fn end_wait(&mut self, at: Timestamp, wait: WaitId, end: SpanEnd) -> Option<Span> {
        let open = self.waits.remove(&wait)?;
        let stay = self.threads.get(&open.frame)?.stay.as_ref();
        Some(Span {
            id: self.identity.wait_span(wait),
            parent: stay.map(|stay| stay.id).or(Some(self.root())),
            step: open.step,
            began: open.since,
            ended: at,
            end,
            marks: open.marks,
        })
    }

    /// A frame is over without having come to its end.
    fn close(
        &mut self,
        frame: FrameId,
        at: Timestamp,
        end: impl FnOnce(Reason) -> SpanEnd,
    ) -> Closed {
        let stay = self.threads.get_mut(&frame).and_then(|t| t.stay.take());
        let span = stay.map(|mut stay| {
            let reason = stay.failure.take().unwrap_or_default();
            self.stayed(frame, stay, at, end(reason))
        });
        let thread = self.threads.remove(&frame);
        Closed {
            span,
            parent: thread.and_then(|thread| thread.parent),
        }
    }

    /// The execution ends, and with it all that is open.
    fn end(&mut self, at: Timestamp, end: SpanEnd) -> Vec<Span> {
        let mut waits: Vec<WaitId> = self.waits.keys().copied().collect();
        waits.sort_unstable();
        let given_up = || SpanEnd::Aborted(Reason::default());
        let mut ended: Vec<Span> = waits
            .into_iter()
            .filter_map(|wait| self.end_wait(at, wait, given_up()))
            .collect();
        let mut frames: Vec<FrameId> = self.threads.keys().copied().collect();
        frames.sort_unstable();
        for frame in frames.into_iter().rev() {
            // It is the execution's own state whose failure that of the execution is.
            let own = match (&end, frame) {
                (SpanEnd::Failed(reason), FrameId::ROOT) => SpanEnd::Failed(reason.clone()),
                _ => given_up(),
            };
            let stay = self.threads.get_mut(&frame).and_then(|t| t.stay.take());
            ended.extend(stay.map(|stay| self.stayed(frame, stay, at, own)));
        }
        self.threads.clear();
        self.waits.clear();
        let given = self.identity.trace_context.as_ref();
        ended.push(Span {
            id: self.root(),
            parent: given.and_then(|context| context.parent),
            step: Step::Execution {
                redrives: self.redrives,
            },
            began: self.began,
            ended: at,
            end,
            marks: Marks::default(),
        });
        ended
    }

    fn stayed(&self, frame: FrameId, stay: Stay, at: Timestamp, end: SpanEnd) -> Span {
        let thread = self.threads.get(&frame);
        let inside = thread.and_then(|thread| thread.parent);
        let outer = inside
            .and_then(|parent| self.threads.get(&parent))
            .and_then(|parent| parent.stay.as_ref());
        Span {
            id: stay.id,
            parent: Some(outer.map_or_else(|| self.root(), |outer| outer.id)),
            step: Step::State {
                name: stay.name,
                state_type: stay.state_type,
                index: inside.and(thread).map(|thread| thread.index),
            },
            began: stay.since,
            ended: at,
            end,
            marks: stay.marks,
        }
    }

    /// The execution's own span, as it is now.
    fn root(&self) -> SpanId {
        self.identity.execution_span(self.redrives)
    }
}

/// A frame that is over.
struct Closed {
    span: Option<Span>,
    parent: Option<FrameId>,
}
