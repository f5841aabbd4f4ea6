//! Turns one command into events: the driver that all state types share.
//!
//! A [`Decider`] lives for one command. It makes an event and applies it at once ([`Decider::emit`]),
//! then goes on from there, until every frame waits for something or the execution has ended.
//!
//! How a frame goes on, after its state's own file under [`crate::states`] has done its part:
//!
//! | what happened | goes on in |
//! | --- | --- |
//! | the state is done | [`Decider::leave`]: the next state, or the frame's end |
//! | the state failed | [`crate::recovery`]: Retry, Catch, or the frame fails |
//! | the frame is at its end | [`Decider::finish_frame`]: the parent gathers, or the execution succeeded |
//! | the definition itself is at fault | [`Decider::end_badly`]: nothing catches that |
//!
//! Two kinds of stop travel as errors, so that a state's code reads straight on: [`Stop::Failed`],
//! a failure of the state; [`Stop::Over`], the execution has ended and there is nothing left to do.

use std::cell::Cell;
use std::collections::VecDeque;
use std::sync::Arc;

use asl::jsonata::QUERY_EVALUATION_ERROR;
use asl::{Failure, Next, ResultFlow, State, StateId, StateMachine, Timestamp};

use crate::command::{CommandKind, Outcome, Refusal};
use crate::event::{Event, EventKind, FrameId, StateType};
use crate::execution::{Execution, Status};
use crate::flow::{Flaw, Leaving, Left, Made};
use crate::frame::{Frame, Phase, Place};
use crate::identity::{Identity, WaitId};
use crate::limits::Quotas;
use crate::map_run;
use crate::random::SplitMix;
use crate::slice::{self, Slice};
use crate::states;
use crate::token::TokenKey;
use crate::wait::after_seconds;

/// How often a heartbeat that nobody asked for is remembered.
const UNASKED_BEAT_SECONDS: i64 = 1;

/// The execution has ended: whatever is going on stops here.
#[derive(Debug)]
pub(crate) struct Over;

/// Why a state does not go on.
#[derive(Debug)]
pub(crate) enum Stop {
    /// The state failed; Retry and Catch come next.
    Failed(Flaw),
    /// The execution has ended.
    Over,
}

impl From<Over> for Stop {
    fn from(Over: Over) -> Stop {
        Stop::Over
    }
}

impl From<Failure> for Stop {
    fn from(failure: Failure) -> Stop {
        Stop::Failed(failure.into())
    }
}

impl From<Flaw> for Stop {
    fn from(flaw: Flaw) -> Stop {
        Stop::Failed(flaw)
    }
}

/// One command at work.
pub(crate) struct Decider<'a> {
    pub(crate) execution: &'a mut Execution,
    pub(crate) machine: Arc<StateMachine>,
    pub(crate) at: Timestamp,
    pub(crate) random: SplitMix,
    pub(crate) tokens: &'a TokenKey,
    /// How far to go; all the way without one.
    pub(crate) slice: Option<Slice<'a>>,
    /// Whether an expression took longer than the slice has patience for: nothing of this counts then.
    pub(crate) gave_up: Cell<bool>,
    events: Vec<Event>,
    /// How many bytes the documents of `events` have.
    bytes: usize,
    /// Whether a state has run. A slice is one state at least, or it would lead nowhere.
    has_run: bool,
    /// Frames whose state is to run.
    ready: VecDeque<FrameId>,
}

impl<'a> Decider<'a> {
    pub(crate) fn new(
        execution: &'a mut Execution,
        at: Timestamp,
        seed: u64,
        tokens: &'a TokenKey,
    ) -> Decider<'a> {
        let machine = execution.machine.clone();
        let random = SplitMix::new(seed);
        let ready = std::mem::take(&mut execution.ready);
        execution.ended.clear();
        Decider {
            execution,
            machine,
            at,
            random,
            tokens,
            slice: None,
            gave_up: Cell::new(false),
            events: Vec::new(),
            bytes: 0,
            has_run: false,
            ready,
        }
    }

    /// The limits that hold now.
    pub(crate) fn quotas(&self) -> &Quotas {
        &self.execution.surroundings.quotas
    }

    /// When the execution will have timed out: by its machine's `TimeoutSeconds`, or by its age.
    pub(crate) fn deadline(&self) -> Option<Timestamp> {
        let now = &self.execution.now;
        let oldest = after_seconds(now.identity.started_at, self.quotas().execution_seconds);
        // Longer than a year is too long; what is due in a year to the moment still comes.
        let oldest = oldest.plus_millis(1);
        Some(now.deadline.map_or(oldest, |deadline| deadline.min(oldest)))
    }

    /// What happened.
    pub(crate) fn finish(self) -> Vec<Event> {
        self.execution.ready = self.ready;
        self.events
    }

    /// What happened in a slice; nothing if it was given up.
    pub(crate) fn finish_slice(self) -> Option<Vec<Event>> {
        let gave_up = self.gave_up.get();
        let events = self.finish();
        (!gave_up).then_some(events)
    }

    /// The start of the execution.
    pub(crate) fn begin(&mut self, identity: Arc<Identity>) {
        let start_at = map_run::start_of(&self.machine, &identity);
        let begun = self
            .emit(FrameId::ROOT, EventKind::ExecutionStarted { identity })
            .and_then(|()| self.enter(FrameId::ROOT, start_at));
        self.run_after(begun);
    }

    /// Any later command.
    pub(crate) fn command(&mut self, kind: CommandKind) -> Result<(), Refusal> {
        match kind {
            CommandKind::Complete { wait, outcome } => {
                let frame = self.open(wait)?;
                let ended = self.complete(frame, wait, outcome);
                self.run_after(ended);
            }
            CommandKind::Submitted { wait, output } => {
                let frame = self.open_task(wait)?;
                // A request that went out again after a restart may be answered twice.
                if !self.is_delivered(frame) {
                    let told = self.emit(frame, EventKind::TaskSubmitted { wait, output });
                    self.run_after(told);
                }
            }
            CommandKind::Mocked { wait, outcome } => {
                let frame = self.open_task(wait)?;
                let answered = self.mocked(frame, wait, outcome);
                self.run_after(answered);
            }
            CommandKind::PickedUp { wait, worker } => {
                let frame = self.open_task(wait)?;
                if self.is_delivered(frame) {
                    return Err(Refusal::AlreadyPickedUp);
                }
                let told = self.emit(frame, EventKind::TaskPickedUp { wait, worker });
                self.run_after(told);
            }
            CommandKind::Heartbeat { wait } => {
                let frame = self.open_task(wait)?;
                if self.heartbeat_matters(frame) {
                    let told = self.emit(frame, EventKind::TaskHeartbeat { wait });
                    self.run_after(told);
                }
            }
            CommandKind::Tick => self.tick(),
            CommandKind::Redrive { past, client_token } => self.redrive(&past, client_token)?,
            CommandKind::GoOn => self.run_after(Ok(())),
            CommandKind::Stop { error, cause } => {
                if self.execution.status() != Status::Running {
                    return Err(Refusal::NotRunning);
                }
                self.end(FrameId::ROOT, EventKind::ExecutionAborted { error, cause });
            }
        }
        Ok(())
    }

    /// The frame of a wait that an answer may still come for.
    fn open(&self, wait: WaitId) -> Result<FrameId, Refusal> {
        let now = &self.execution.now;
        if wait.0 == 0 || wait.0 >= now.next_wait {
            return Err(Refusal::NoSuchWait);
        }
        let Some(frame) = now.waits.get(&wait) else {
            return Err(Refusal::WaitEnded);
        };
        if [self.frame(*frame).timer(), now.deadline]
            .into_iter()
            .flatten()
            .any(|deadline| deadline <= self.at)
        {
            return Err(Refusal::WaitEnded);
        }
        Ok(*frame)
    }

    /// The same for what only a task is told: a Map Run has nothing but an end.
    fn open_task(&self, wait: WaitId) -> Result<FrameId, Refusal> {
        let frame = self.open(wait)?;
        match &self.frame(frame).phase {
            Phase::Task(_) => Ok(frame),
            _ => Err(Refusal::NoSuchWait),
        }
    }

    fn is_delivered(&self, frame: FrameId) -> bool {
        matches!(&self.frame(frame).phase, Phase::Task(task) if task.delivered)
    }

    /// With `HeartbeatSeconds` each does. Without, it is remembered only so that somebody may wonder when
    /// they stop, and a worker that sends a thousand a second is not to fill the disk.
    fn heartbeat_matters(&self, frame: FrameId) -> bool {
        let Phase::Task(task) = &self.frame(frame).phase else {
            return false;
        };
        task.heartbeat_seconds.is_some()
            || task
                .beats
                .is_none_or(|beats| beats.last.plus_seconds(UNASKED_BEAT_SECONDS) <= self.at)
    }

    fn complete(&mut self, frame: FrameId, wait: WaitId, outcome: Outcome) -> Result<(), Over> {
        if matches!(self.frame(frame).phase, Phase::MapRun(_)) {
            return match outcome {
                Outcome::Success(output) => {
                    let ended = states::distributed::succeed(self, frame, wait, output);
                    self.settle(frame, ended)
                }
                Outcome::Failure(failure) => states::distributed::fail(self, frame, wait, failure),
            };
        }
        match outcome {
            Outcome::Success(output) => {
                let ended = states::task::succeed(self, frame, wait, output);
                self.settle(frame, ended)
            }
            Outcome::Failure(failure) => {
                self.emit(
                    frame,
                    EventKind::TaskFailed {
                        wait,
                        failure: failure.clone(),
                    },
                )?;
                self.recover(frame, failure.into())
            }
        }
    }

    /// In one command, so that no crash comes between: a request that was taken does not go out again.
    fn mocked(&mut self, frame: FrameId, wait: WaitId, outcome: Outcome) -> Result<(), Over> {
        if !self.is_delivered(frame)
            && let Some(taken) = states::task::taken(self, frame, wait, &outcome)
        {
            self.emit(frame, taken)?;
        }
        self.complete(frame, wait, outcome)
    }

    /// Makes an event, and applies it.
    ///
    /// # Errors
    /// If this was, or would have been, the last event of the execution.
    pub(crate) fn emit(&mut self, frame: FrameId, kind: EventKind) -> Result<(), Over> {
        if self.gave_up.get() {
            return Err(Over);
        }
        let state_type = self.state_type(frame);
        let after = self.execution.now.history_events + kind.history_events(state_type);
        // The last place is kept for the end; success may take it, and anything else is failure.
        let full =
            after >= self.quotas().history_events && !matches!(kind, EventKind::ExecutionSucceeded);
        if full && kind.history_events(state_type) > 0 && !self.execution.now.identity.is_express()
        {
            return self.end_badly(frame, history_full(self.quotas()));
        }
        self.record(frame, kind);
        Ok(())
    }

    fn record(&mut self, frame: FrameId, kind: EventKind) {
        let event = Event {
            at: self.at,
            frame,
            kind,
        };
        self.bytes += event.kind.payload_bytes();
        self.execution.note_end(&event.kind);
        self.execution.apply(&event);
        self.events.push(event);
    }

    /// Ends the execution, and whatever it still waits for.
    pub(crate) fn end(&mut self, frame: FrameId, kind: EventKind) {
        let open: Vec<_> = self
            .execution
            .now
            .waits
            .iter()
            .map(|(w, f)| (*w, *f))
            .collect();
        for (wait, frame) in open {
            self.record(frame, EventKind::WaitAborted { wait });
        }
        self.ready.clear();
        self.record(frame, kind);
    }

    /// Ends the execution with a failure that nothing catches; `frame` is where it happened.
    pub(crate) fn end_badly(&mut self, frame: FrameId, failure: Failure) -> Result<(), Over> {
        self.end(frame, EventKind::ExecutionFailed { failure });
        Err(Over)
    }

    /// Runs on after the first step of a command.
    pub(crate) fn run_after(&mut self, first: Result<(), Over>) {
        // Over needs no answer: the event that says so stands in the events.
        let _ = first.and_then(|()| self.run());
    }

    fn run(&mut self) -> Result<(), Over> {
        while let Some(frame) = self.ready.pop_front() {
            // A frame may have been given up since: a sibling failed.
            if !self.execution.now.frames.contains_key(&frame) {
                continue;
            }
            if self.has_run && self.is_enough() {
                self.ready.push_front(frame);
                return Ok(());
            }
            self.has_run = true;
            let ran = states::run(self, frame);
            self.settle(frame, ran)?;
        }
        Ok(())
    }

    /// Whether the slice ends here.
    fn is_enough(&self) -> bool {
        self.slice.is_some_and(|slice| {
            self.events.len() >= slice::EVENTS_MAX
                || self.bytes >= slice::BYTES_MAX
                || (slice.enough)()
        })
    }

    /// Whether the slice has left something to do.
    pub(crate) fn is_unfinished(&self) -> bool {
        !self.ready.is_empty()
    }

    /// What comes of a state's step: a failure goes through the state's Retry and Catch.
    pub(crate) fn settle(&mut self, frame: FrameId, step: Result<(), Stop>) -> Result<(), Over> {
        match step {
            Ok(()) => Ok(()),
            Err(Stop::Over) => Err(Over),
            Err(Stop::Failed(flaw)) => {
                let failure = self.show(frame, flaw)?;
                if is_terminal(&failure) {
                    return self.end_badly(frame, failure);
                }
                self.recover(frame, failure.into())
            }
        }
    }

    /// Writes down that an expression failed, if that is what happened.
    pub(crate) fn show(&mut self, frame: FrameId, flaw: Flaw) -> Result<Failure, Over> {
        let Flaw { failure, location } = flaw;
        if failure.error.as_deref() == Some(QUERY_EVALUATION_ERROR) {
            let failure = failure.clone();
            self.emit(frame, EventKind::EvaluationFailed { failure, location })?;
        }
        Ok(failure)
    }

    /// Puts a frame into a state, which then runs.
    pub(crate) fn enter(&mut self, frame: FrameId, state: StateId) -> Result<(), Over> {
        let machine = self.machine.clone();
        let state = machine.state(state);
        let state_type = StateType::of(&state.kind);
        self.emit(
            frame,
            EventKind::StateEntered {
                name: state.name.clone(),
                state_type,
            },
        )?;
        self.ready.push_back(frame);
        Ok(())
    }

    /// Runs a frame's state again, after its backoff.
    pub(crate) fn again(&mut self, frame: FrameId) {
        self.ready.push_back(frame);
    }

    /// Takes a frame out of a state whose work has this result, and on.
    pub(crate) fn leave_with(
        &mut self,
        frame: FrameId,
        state: &State,
        flow: &ResultFlow,
        result: Made,
        next: Next,
    ) -> Result<(), Stop> {
        let made = self.selected(frame, flow.selector.as_ref(), result)?;
        let left = self.left(frame, state, Leaving::of(state), flow.path.as_ref(), made)?;
        Ok(self.leave(frame, left, next)?)
    }

    /// Takes a frame out of its state, and on.
    pub(crate) fn leave(&mut self, frame: FrameId, left: Left, next: Next) -> Result<(), Over> {
        let Left { output, assigned } = left;
        self.emit(frame, EventKind::StateExited { output, assigned })?;
        match next {
            Next::State(state) => self.enter(frame, state),
            Next::End => self.finish_frame(frame),
        }
    }

    /// A frame came to its end.
    fn finish_frame(&mut self, frame: FrameId) -> Result<(), Over> {
        let Some(parent) = self.frame(frame).parent else {
            return match self.emit(frame, EventKind::ExecutionSucceeded) {
                Ok(()) => Err(Over),
                over => over,
            };
        };
        match self.place(parent).state_type {
            StateType::Map => {
                self.emit(frame, EventKind::IterationSucceeded)?;
                let gathered = states::map::child_succeeded(self, parent);
                self.settle(parent, gathered)
            }
            _ => {
                self.emit(frame, EventKind::BranchSucceeded)?;
                let gathered = states::parallel::child_succeeded(self, parent);
                self.settle(parent, gathered)
            }
        }
    }

    pub(crate) fn frame(&self, id: FrameId) -> &Frame {
        &self.execution.now.frames[&id]
    }

    pub(crate) fn place(&self, id: FrameId) -> &Place {
        self.frame(id).place()
    }

    fn state_type(&self, id: FrameId) -> Option<StateType> {
        Some(
            self.execution
                .now
                .frames
                .get(&id)?
                .state
                .as_ref()?
                .state_type,
        )
    }
}

/// AWS's words.
/// The end of an execution whose history has as many events as it may have.
fn history_full(quotas: &Quotas) -> Failure {
    let maximum = quotas.history_events;
    Failure::runtime(format!(
        "The execution reached the maximum number of history events ({maximum})."
    ))
}

/// A failure that the definition is to blame for ends the execution even where `States.Runtime` is
/// named by a Catch (recorded: `test_catch_states_runtime`). So does an output that is too large; a
/// task's result that is too large is the task's failure, and does not come this way.
fn is_terminal(failure: &Failure) -> bool {
    matches!(
        failure.error.as_deref(),
        Some("States.Runtime" | "States.DataLimitExceeded")
    )
}
