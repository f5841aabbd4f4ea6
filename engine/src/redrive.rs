//! Redrive: an execution that ended badly goes on where it had failed.
//!
//! | state | what a redrive does |
//! | --- | --- |
//! | Task, Wait, Choice, Pass | runs it again, on the same input, with fresh retries and timeouts |
//! | Fail | enters it again, and fails again |
//! | Map, distributed | asks for its Map Run to go on, unless that had succeeded |
//! | Parallel, Map | goes on with the branches and iterations that did not succeed, and starts what was not started |
//!
//! The end of an execution drops its frames, and an execution that is parked or over is not to carry them
//! about. They are found again in the stored events: played back up to the *cascade*, the run of events in
//! which a failure went up to the execution's end, they are what they were at the failure. What goes on of
//! them is written into [`EventKind::ExecutionRedriven`], so that playing that back decides nothing.
//!
//! What becomes of a Map Run's children is not known here: the state asks for the same Map Run to go on.

use std::collections::BTreeMap;

use asl::{StateKind, Timestamp};
use serde::{Deserialize, Serialize};

use crate::command::Refusal;
use crate::decide::{Decider, Over};
use crate::event::{Event, EventKind, FrameId};
use crate::execution::{Execution, Status, deadline};
use crate::frame::{Frame, Phase};
use crate::states;

/// The days after its end in which an execution may be redriven, and the days after its start that it may
/// be open in all.
const REDRIVABLE_DAYS: i64 = 14;
const OPEN_DAYS_MAX: i64 = 365;
/// Besides the redrive itself there has to be room for another event.
const HISTORY_ROOM: u64 = 1;
/// So many redrives are remembered by their tokens, each for so long.
const TOKENS_MAX: usize = 10;
const TOKEN_SECONDS: i64 = 15 * 60;
const DAY_SECONDS: i64 = 86_400;

/// Why an execution can't be redriven.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum NotRedrivable {
    Running,
    Succeeded,
    HistoryFull,
    OpenTooLong,
    TooLate,
}

impl NotRedrivable {
    /// In the API's words (`redriveStatusReason`).
    pub fn reason(self) -> &'static str {
        match self {
            NotRedrivable::Running => "Execution is RUNNING and cannot be redriven",
            NotRedrivable::Succeeded => "Execution is SUCCEEDED and cannot be redriven",
            NotRedrivable::HistoryFull => "Execution history event limit exceeded",
            NotRedrivable::OpenTooLong => "Execution has exceeded the max execution time",
            NotRedrivable::TooLate => "Execution redrivable period exceeded",
        }
    }
}

/// An execution's redrives so far.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Redrives {
    pub(crate) count: u32,
    pub(crate) last: Option<Timestamp>,
    /// The tokens that the last ones came with.
    tokens: Vec<(String, Timestamp)>,
}

/// The frames that an execution goes on with.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Resumed(pub(crate) BTreeMap<FrameId, Frame>);

impl Execution {
    /// How often it has been redriven, and when last.
    pub fn redrives(&self) -> (u32, Option<Timestamp>) {
        (self.now.redrives.count, self.now.redrives.last)
    }

    /// Whether a redrive with this token was one of the last, however long ago.
    pub fn redriven_with(&self, token: &str) -> bool {
        let tokens = &self.now.redrives.tokens;
        tokens.iter().any(|(known, _)| known == token)
    }

    /// Whether it may be redriven at a time.
    ///
    /// # Errors
    /// Why not.
    pub fn redrivable(&self, at: Timestamp) -> Result<(), NotRedrivable> {
        let Some(closing) = self.closing() else {
            return Err(NotRedrivable::Running);
        };
        if self.status() == Status::Succeeded {
            return Err(NotRedrivable::Succeeded);
        }
        if self.history_events() + HISTORY_ROOM >= self.surroundings.quotas.history_events {
            return Err(NotRedrivable::HistoryFull);
        }
        let days = |from: Timestamp, days| from.plus_seconds(days * DAY_SECONDS);
        if days(self.identity().started_at, OPEN_DAYS_MAX) <= at {
            return Err(NotRedrivable::OpenTooLong);
        }
        if days(closing.at, REDRIVABLE_DAYS) <= at {
            return Err(NotRedrivable::TooLate);
        }
        Ok(())
    }

    /// What [`EventKind::ExecutionRedriven`] does.
    pub(crate) fn resume(
        &mut self,
        at: Timestamp,
        count: u32,
        token: Option<&str>,
        with: &Resumed,
    ) {
        let redrives = &mut self.now.redrives;
        redrives.count = count;
        redrives.last = Some(at);
        redrives
            .tokens
            .extend(token.map(|token| (token.to_owned(), at)));
        let surplus = redrives.tokens.len().saturating_sub(TOKENS_MAX);
        redrives.tokens.drain(..surplus);
        self.now.status = Status::Running;
        self.now.closing = None;
        self.now.deadline = deadline(&self.machine, &self.now.identity, at);
        self.now.frames = with.0.clone();
        self.resolve();
    }
}

impl Decider<'_> {
    /// `RedriveExecution`; `past` is everything that has happened so far.
    pub(crate) fn redrive(&mut self, past: &[Event], token: Option<String>) -> Result<(), Refusal> {
        let redrives = &self.execution.now.redrives;
        let known = redrives.tokens.iter().find(|(known, at)| {
            token.as_deref() == Some(known) && at.plus_seconds(TOKEN_SECONDS) > self.at
        });
        if let Some((_, at)) = known {
            return Err(Refusal::RedrivenBefore(*at));
        }
        let redrivable = self.execution.redrivable(self.at);
        redrivable.map_err(Refusal::NotRedrivable)?;
        let ends_now = past.last().map(|event| event.at) == self.execution.closing().map(|c| c.at);
        assert!(ends_now, "a redrive comes with all that has happened");

        let count = redrives.count + 1;
        let frames = Resumed(self.frames_at_failure(past));
        let going_on = frames.0.keys().copied().collect();
        let redriven = EventKind::ExecutionRedriven {
            count,
            client_token: token,
            frames,
        };
        let begun = self
            .emit(FrameId::ROOT, redriven)
            .and_then(|()| self.go_on(going_on));
        self.run_after(begun);
        Ok(())
    }

    /// The frames as they stood when the failure happened, ready to go on.
    fn frames_at_failure(&self, past: &[Event]) -> BTreeMap<FrameId, Frame> {
        let ended = past.last().expect("an execution that has ended has events");
        let before = past[..past.len() - 1]
            .iter()
            .rposition(|event| !(event.at == ended.at && is_of_cascade(&event.kind)));
        let failed = Execution::replay(
            self.execution.machine.clone(),
            &past[..before.map_or(1, |last| last + 1)],
        );
        let too_large = matches!(&ended.kind, EventKind::ExecutionFailed { failure }
            if failure.error.as_deref() == Some("States.DataLimitExceeded"));
        let mut frames = failed.now.frames;
        for (id, frame) in &mut frames {
            // A Map Run that has a result is over for good, and its state asks for another one.
            let goes_on = match &frame.phase {
                Phase::Children(_) => true,
                Phase::MapRun(_) => frame.result.is_none(),
                _ => false,
            };
            frame.result = None;
            frame.retries.clear();
            // A Parallel or Map state whose output is too large does all of its work again.
            let again = too_large && *id == ended.frame;
            if again || !goes_on {
                frame.phase = Phase::Idle;
            }
        }
        frames
    }

    /// Sets every frame going again.
    fn go_on(&mut self, frames: Vec<FrameId>) -> Result<(), Over> {
        for id in frames {
            // One before it may have given it up.
            let Some(frame) = self.execution.now.frames.get(&id) else {
                continue;
            };
            let Some(place) = &frame.state else {
                let start = self.start_of(frame);
                self.enter(id, start)?;
                continue;
            };
            let state = place.id;
            let machine = self.machine.clone();
            match (&machine.state(state).kind, &frame.phase) {
                (StateKind::Fail(_), _) => self.enter(id, state)?,
                (StateKind::Map(map), Phase::Children(_)) => {
                    let gone_on = states::map::go_on(self, id, machine.state(state), map);
                    self.settle(id, gone_on)?;
                }
                (_, Phase::MapRun(_)) => states::distributed::go_on(self, id)?,
                (_, Phase::Children(_)) => {
                    let gathered = states::parallel::child_succeeded(self, id);
                    self.settle(id, gathered)?;
                }
                _ => self.again(id),
            }
        }
        Ok(())
    }

    /// Where a branch or an iteration begins that has not entered a state yet.
    fn start_of(&self, frame: &Frame) -> asl::StateId {
        let parent = frame
            .parent
            .expect("the execution's own frame is in a state since its start");
        match &self.machine.state(self.place(parent).id).kind {
            StateKind::Parallel(parallel) => parallel.branches[frame.index as usize],
            StateKind::Map(map) => map.start_at,
            _ => unreachable!("only Parallel and Map states have frames inside"),
        }
    }
}

/// What a failure leaves on its way up, and the end of an execution of whatever is still open.
fn is_of_cascade(kind: &EventKind) -> bool {
    matches!(
        kind,
        EventKind::WaitAborted { .. }
            | EventKind::BranchFailed
            | EventKind::BranchAborted
            | EventKind::IterationFailed
            | EventKind::IterationAborted
            | EventKind::ChildrenFailed
            | EventKind::EvaluationFailed { .. }
    )
}
