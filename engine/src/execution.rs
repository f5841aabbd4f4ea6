//! The execution as a value.
//!
//! `decide` turns a command into events and applies each as it makes it, because the next decision
//! of the same command rests on it; the caller stores the events before anything else happens, and
//! throws the value away if that fails. `apply` alone rebuilds the same value from stored events.
//!
//! This file is the door: what `decide` does stands in [`crate::decide`] and, state type by state
//! type, in [`crate::states`]; what events do to the value stands in [`crate::apply`].

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use asl::{Data, Failure, StateKind, StateMachine, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::command::{Command, Refusal};
use crate::decide::Decider;
use crate::effect::{Dispatch, Effect};
use crate::event::{Event, EventKind, FrameId};
use crate::frame::{Frame, OpenTask, Phase};
use crate::identity::{Identity, WaitId};
use crate::invocations::Invocations;
use crate::limits::{EXPRESS_SECONDS_MAX, Quotas};
use crate::redrive::Redrives;
use crate::slice::Slice;
use crate::token::TokenKey;
use crate::wait::after_seconds;
pub use crate::wait::{EndedWait, OpenWait, wait_end};
use crate::waiting::ClosedWait;

/// An execution's status, in the API's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[allow(missing_docs)]
pub enum Status {
    Running,
    Succeeded,
    Failed,
    TimedOut,
    Aborted,
}

impl Status {
    /// As the API spells it.
    pub fn name(self) -> &'static str {
        match self {
            Status::Running => "RUNNING",
            Status::Succeeded => "SUCCEEDED",
            Status::Failed => "FAILED",
            Status::TimedOut => "TIMED_OUT",
            Status::Aborted => "ABORTED",
        }
    }
}

/// How an execution ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Closing {
    /// When.
    pub at: Timestamp,
    /// If it succeeded.
    pub output: Option<Data>,
    /// If it failed, timed out or was stopped.
    pub failure: Option<Failure>,
}

/// What decisions depend on beside the execution and the command.
#[derive(Debug, Clone, Default)]
pub struct Surroundings {
    /// Which of the machine's activities are not there (any longer): a task for one of them fails the
    /// execution at once, as on AWS, and is never scheduled.
    pub deleted_activities: Vec<Arc<str>>,
    /// The limits that hold now.
    pub quotas: Quotas,
    /// Whether it was started by `StartSyncExecution`. Its context object then has no `RedriveCount`
    /// (recorded in `test_query_runtime_memory`); an Express execution that nobody waits for has one.
    pub synchronous: bool,
}

/// An execution at one moment.
#[derive(Debug, Clone)]
pub struct Execution {
    pub(crate) machine: Arc<StateMachine>,
    pub(crate) now: Snapshot,
    /// Every frame's timer, earliest first; derived from the frames.
    pub(crate) timers: BTreeSet<(Timestamp, FrameId)>,
    /// What the caller says of the server around it ([`Execution::set_surroundings`]).
    pub(crate) surroundings: Surroundings,
    /// The frames whose state is to run, if the last slice left any ([`crate::slice`]). No part of a
    /// snapshot: they are those that wait for nothing.
    pub(crate) ready: VecDeque<FrameId>,
    /// The waits that the last command has ended. No part of a snapshot: it is for whoever gave the command.
    pub(crate) ended: Vec<ClosedWait>,
    /// What `$$` means instead of what the execution knows ([`crate::trial`]).
    pub(crate) given_context: Option<Value>,
}

/// All of an [`Execution`] but its compiled definition, to be stored beside its events.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Snapshot {
    pub(crate) identity: Arc<Identity>,
    pub(crate) status: Status,
    pub(crate) closing: Option<Closing>,
    /// When `TimeoutSeconds` of the machine will have passed.
    pub(crate) deadline: Option<Timestamp>,
    /// The open frames; none once the execution has ended.
    pub(crate) frames: BTreeMap<FrameId, Frame>,
    /// The open waits.
    pub(crate) waits: BTreeMap<WaitId, FrameId>,
    pub(crate) next_frame: u32,
    pub(crate) next_wait: u32,
    /// How many events the AWS history has by now.
    pub(crate) history_events: u64,
    /// How many open waits nobody has taken on yet.
    pub(crate) undelivered: u32,
    /// How often somebody has redriven it.
    #[serde(default)]
    pub(crate) redrives: Redrives,
    /// What a test case counts.
    #[serde(default, skip_serializing_if = "Invocations::is_none")]
    pub(crate) invocations: Invocations,
}

impl Snapshot {
    /// What the execution was started with: enough to find the definition before `restore`.
    pub fn identity(&self) -> &Identity {
        &self.identity
    }
}

impl Execution {
    /// A new execution, run as far as it goes without the outside.
    pub fn begin(
        machine: Arc<StateMachine>,
        identity: Identity,
        seed: u64,
        tokens: &TokenKey,
    ) -> (Execution, Vec<Event>) {
        Execution::begin_in(machine, identity, seed, tokens, Surroundings::default())
    }

    /// [`Execution::begin`] in surroundings of its own.
    pub fn begin_in(
        machine: Arc<StateMachine>,
        identity: Identity,
        seed: u64,
        tokens: &TokenKey,
        surroundings: Surroundings,
    ) -> (Execution, Vec<Event>) {
        Execution::begin_with(machine, identity, seed, tokens, surroundings, None)
            .expect("only a slice is given up")
    }

    /// [`Execution::begin_in`], for one slice; nothing if that was given up.
    pub fn begin_within(
        machine: Arc<StateMachine>,
        identity: Identity,
        seed: u64,
        tokens: &TokenKey,
        surroundings: Surroundings,
        slice: Slice<'_>,
    ) -> Option<(Execution, Vec<Event>)> {
        Execution::begin_with(machine, identity, seed, tokens, surroundings, Some(slice))
    }

    fn begin_with(
        machine: Arc<StateMachine>,
        identity: Identity,
        seed: u64,
        tokens: &TokenKey,
        surroundings: Surroundings,
        slice: Option<Slice<'_>>,
    ) -> Option<(Execution, Vec<Event>)> {
        let identity = Arc::new(identity);
        let mut execution = Execution::blank(machine, identity.clone());
        execution.surroundings = surroundings;
        let mut decider = Decider::new(&mut execution, identity.started_at, seed, tokens);
        decider.slice = slice;
        decider.begin(identity);
        let events = decider.finish_slice()?;
        Some((execution, events))
    }

    /// Tells the next decisions what is around the execution. What was decided stands, so this is no part
    /// of a snapshot.
    pub fn set_surroundings(&mut self, surroundings: Surroundings) {
        self.surroundings = surroundings;
    }

    /// What the execution was started with, from its first stored event: enough to find the
    /// definition before `replay`.
    pub fn identity_of(first: &Event) -> Option<&Identity> {
        match &first.kind {
            EventKind::ExecutionStarted { identity } => Some(identity),
            _ => None,
        }
    }

    /// The execution after all of `events`, the first of which is its start.
    ///
    /// # Panics
    /// If the first event is no start: the store then gave events that are not an execution's.
    pub fn replay(machine: Arc<StateMachine>, events: &[Event]) -> Execution {
        let Some(Event {
            kind: EventKind::ExecutionStarted { identity },
            ..
        }) = events.first()
        else {
            panic!("the events of an execution begin with its start");
        };
        let mut execution = Execution::blank(machine, identity.clone());
        for event in events {
            execution.apply(event);
        }
        execution
    }

    /// The execution as it was when `snapshot` was taken; later events are then applied.
    pub fn restore(machine: Arc<StateMachine>, snapshot: Snapshot) -> Execution {
        let mut execution = Execution {
            machine,
            now: snapshot,
            timers: BTreeSet::new(),
            surroundings: Surroundings::default(),
            ready: VecDeque::new(),
            ended: Vec::new(),
            given_context: None,
        };
        execution.resolve();
        execution
    }

    /// Finds the frames' states in the definition, and their timers.
    pub(crate) fn resolve(&mut self) {
        self.timers.clear();
        for (id, frame) in &mut self.now.frames {
            if let Some(place) = &mut frame.state {
                place.id = self
                    .machine
                    .find(&place.name)
                    .expect("an execution keeps the definition that it was started with");
            }
            self.timers.extend(frame.timer().map(|at| (at, *id)));
        }
    }

    /// All but the definition.
    pub fn snapshot(&self) -> Snapshot {
        self.now.clone()
    }

    /// Turns a command into events and applies them.
    ///
    /// Late is late, however slow the timers: an answer for a wait whose deadline is not after the
    /// command's time is refused with [`Refusal::WaitEnded`], although the events do not say so
    /// yet. The tick that is due by then ([`Execution::next_timer`]) records the timeout; a caller
    /// that wants to know what ended the wait sends that tick first.
    ///
    /// # Errors
    /// A [`Refusal`]; the execution is then unchanged.
    pub fn decide(&mut self, command: Command, tokens: &TokenKey) -> Result<Vec<Event>, Refusal> {
        let mut decider = Decider::new(self, command.at, command.seed, tokens);
        let refused = decider.command(command.kind);
        let events = decider.finish();
        refused?;
        Ok(events)
    }

    /// [`Execution::decide`], for one slice. Nothing if it was given up: the execution is then not to be
    /// used any more.
    ///
    /// # Errors
    /// A [`Refusal`]; the execution is then unchanged.
    pub fn decide_within(
        &mut self,
        command: Command,
        tokens: &TokenKey,
        slice: Slice<'_>,
    ) -> Result<Option<Vec<Event>>, Refusal> {
        let mut decider = Decider::new(self, command.at, command.seed, tokens);
        decider.slice = Some(slice);
        let refused = decider.command(command.kind);
        let events = decider.finish_slice();
        refused?;
        Ok(events)
    }

    /// Whether a slice has left something to do, for [`crate::CommandKind::GoOn`].
    pub fn is_unfinished(&self) -> bool {
        !self.ready.is_empty()
    }

    /// Finds what the last slice left to do, for an execution that was read from its store.
    pub fn look_for_unfinished(&mut self) {
        let frames = self.now.frames.iter();
        let idle = frames.filter(|(_, frame)| frame.state.is_some() && frame.phase == Phase::Idle);
        self.ready = idle.map(|(id, _)| *id).collect();
    }

    /// The definition that it runs.
    pub fn machine(&self) -> &StateMachine {
        &self.machine
    }

    /// What it was started with.
    pub fn identity(&self) -> &Identity {
        &self.now.identity
    }

    /// Its status.
    pub fn status(&self) -> Status {
        self.now.status
    }

    /// How it ended, if it has.
    pub fn closing(&self) -> Option<&Closing> {
        self.now.closing.as_ref()
    }

    /// When it next wants a [`crate::CommandKind::Tick`].
    pub fn next_timer(&self) -> Option<Timestamp> {
        if self.now.status != Status::Running {
            return None;
        }
        let frame = self.timers.first().map(|(at, _)| *at);
        [frame, self.now.deadline].into_iter().flatten().min()
    }

    /// How many events its AWS history has by now.
    pub fn history_events(&self) -> u64 {
        self.now.history_events
    }

    /// What has to leave the process because of `events`, which `decide` or `begin` just gave.
    pub fn effects(&self, events: &[Event]) -> Vec<Effect> {
        let mut effects = Vec::new();
        for event in events {
            match &event.kind {
                // A task that was given up by a later event of the same command is nobody's business.
                EventKind::TaskScheduled { wait, .. }
                | EventKind::MapRunStarted { wait, .. }
                | EventKind::MapRunRedriven { wait, .. } => {
                    effects.extend(self.dispatch(*wait));
                }
                EventKind::TaskSucceeded { wait, .. }
                | EventKind::TaskFailed { wait, .. }
                | EventKind::TaskTimedOut { wait, .. }
                | EventKind::MapRunSucceeded { wait, .. }
                | EventKind::MapRunFailed { wait, .. }
                | EventKind::WaitAborted { wait } => effects.push(Effect::WaitEnded(*wait)),
                EventKind::ExecutionSucceeded
                | EventKind::ExecutionFailed { .. }
                | EventKind::ExecutionTimedOut
                | EventKind::ExecutionAborted { .. } => effects.push(Effect::ExecutionEnded),
                _ => {}
            }
        }
        effects
    }

    /// The dispatches that have no answer yet: after a restart they go out again, with the same
    /// idempotency key. An activity task that a worker holds, and a `.waitForTaskToken` task whose
    /// request was taken, are not among them; a `.sync` task is, and a Map Run, for somebody has to watch
    /// for their ends.
    pub fn undelivered(&self) -> Vec<Effect> {
        if !self.has_undelivered() {
            return Vec::new();
        }
        let open = self.now.waits.iter();
        open.filter(|(wait, frame)| match self.open_task(**wait) {
            Some((_, task)) => self.is_ours(**frame, task),
            None => true,
        })
        .filter_map(|(wait, _)| self.dispatch(*wait))
        .collect()
    }

    /// Whether [`Execution::undelivered`] would name anything; kept by the store beside the execution.
    pub fn has_undelivered(&self) -> bool {
        self.now.undelivered > 0
    }

    /// The wait, if it is open: its state, when it began, its deadline.
    pub fn open_wait(&self, wait: WaitId) -> Option<OpenWait> {
        if let Some(run) = self.map_run(wait) {
            return Some(OpenWait {
                state_name: run.state_name.clone(),
                opened_at: run.opened_at,
                timeout_at: None,
                heartbeat_at: None,
            });
        }
        let (frame, task) = self.open_task(wait)?;
        Some(OpenWait {
            state_name: frame.place().name.clone(),
            opened_at: task.opened_at,
            timeout_at: task.timeout_at,
            heartbeat_at: task.heartbeat_at,
        })
    }

    /// The parameters of an open wait's task: an activity task's input.
    pub fn parameters(&self, wait: WaitId) -> Option<Data> {
        self.open_task(wait)
            .map(|(_, task)| task.parameters.clone())
    }

    /// The waits that are open now, oldest first.
    pub fn open_waits(&self) -> impl Iterator<Item = WaitId> + '_ {
        self.now.waits.keys().copied()
    }

    /// What the task of an open wait says about its resource and parameters.
    fn dispatch(&self, wait: WaitId) -> Option<Effect> {
        if self.open_map_run(wait).is_some() {
            return Some(Effect::StartMapRun(wait));
        }
        let (frame, task) = self.open_task(wait)?;
        let place = frame.place();
        let StateKind::Task(definition) = &self.machine.state(place.id).kind else {
            unreachable!("only a Task state has a wait");
        };
        Some(Effect::Dispatch(Dispatch {
            wait,
            state_name: place.name.clone(),
            resource: definition.resource.clone(),
            parameters: task.parameters.clone(),
            timeout_at: task.timeout_at,
            invocation: self.now.invocations.of(wait),
        }))
    }

    pub(crate) fn open_task(&self, wait: WaitId) -> Option<(&Frame, &OpenTask)> {
        let frame = self.now.frames.get(self.now.waits.get(&wait)?)?;
        match &frame.phase {
            Phase::Task(task) => Some((frame, task)),
            _ => None,
        }
    }

    pub(crate) fn blank(machine: Arc<StateMachine>, identity: Arc<Identity>) -> Execution {
        let root = Frame::new(None, 0, identity.input.clone());
        let deadline = deadline(&machine, &identity, identity.started_at);
        let now = Snapshot {
            identity,
            status: Status::Running,
            closing: None,
            deadline,
            frames: BTreeMap::from([(FrameId::ROOT, root)]),
            waits: BTreeMap::new(),
            next_frame: 1,
            next_wait: 1,
            history_events: 0,
            undelivered: 0,
            redrives: Redrives::default(),
            invocations: Invocations::default(),
        };
        Execution {
            machine,
            now,
            timers: BTreeSet::new(),
            surroundings: Surroundings::default(),
            ready: VecDeque::new(),
            ended: Vec::new(),
            given_context: None,
        }
    }
}

/// When an execution that starts, or starts again, at `from` will have run for too long.
pub(crate) fn deadline(
    machine: &StateMachine,
    identity: &Identity,
    from: Timestamp,
) -> Option<Timestamp> {
    let most = identity.is_express().then_some(EXPRESS_SECONDS_MAX);
    // `TimeoutSeconds` is the machine's, and a child of a Map Run runs a part of it.
    let own = machine
        .timeout_seconds
        .filter(|_| identity.map_run.is_none());
    let seconds = [own, most].into_iter().flatten().min()?;
    Some(after_seconds(from, seconds))
}
