//! The first beat: what becomes of a batch of requests, before any of it is durable.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use asl::Timestamp;
use engine::{
    ClosedWait, Command, CommandKind, Event, Execution, Refusal, Slice, Surroundings, WaitId,
};

use super::cell::{Keeping, Resident};
use super::request::{Request, Start, Verdict};
use super::{Inner, NotDone, PickedUp};
use crate::aside;
use crate::trace::Sent;

/// An attempt to decide on a batch.
pub(super) struct Tried {
    pub(super) resident: Option<Resident>,
    pub(super) batch: Vec<Request>,
    /// Nothing if it was given up; the resident is then not to be used.
    pub(super) decided: Option<Decided>,
    /// Whether it took longer than others are to be held up.
    pub(super) slow: bool,
}

/// What came of a batch.
pub(super) struct Decided {
    pub(super) events: Arc<[Event]>,
    /// How many events the AWS history had before these.
    pub(super) history_before: u64,
    pub(super) verdicts: Vec<Verdict>,
    /// The waits that they have ended.
    pub(super) ended: Vec<ClosedWait>,
    /// Whether all that has no answer yet is to be dispatched again.
    pub(super) resume: bool,
}

/// What has come of the requests so far. `None` from its methods: the slice was given up.
struct Deciding<'a> {
    inner: &'a Inner,
    at: Timestamp,
    slice: Slice<'a>,
    events: Vec<Event>,
    ended: Vec<ClosedWait>,
}

impl Inner {
    /// Decides with so much patience, or aside with all that it takes.
    pub(super) fn decide_in_time(
        &self,
        mut resident: Option<Resident>,
        batch: Vec<Request>,
        surroundings: Surroundings,
        patience: Option<Duration>,
    ) -> Tried {
        let began = Instant::now();
        let most = patience.unwrap_or(aside::SLICE);
        let slice = Slice {
            patience,
            enough: &|| began.elapsed() >= most,
        };
        let decided = self.decide(&mut resident, &batch, surroundings, slice);
        Tried {
            resident,
            batch,
            slow: decided.is_none() || began.elapsed() >= aside::PATIENCE,
            decided,
        }
    }

    fn decide(
        &self,
        resident: &mut Option<Resident>,
        batch: &[Request],
        surroundings: Surroundings,
        slice: Slice<'_>,
    ) -> Option<Decided> {
        let mut history_before = 0;
        if let Some(Resident { execution, .. }) = resident {
            execution.set_surroundings(surroundings.clone());
            history_before = execution.history_events();
        }
        let mut deciding = Deciding {
            inner: self,
            at: self.clock.now(),
            slice,
            events: Vec::new(),
            ended: Vec::new(),
        };
        let mut verdicts = Vec::with_capacity(batch.len());
        for request in batch {
            verdicts.push(match (request, &mut *resident) {
                (Request::Start(..), Some(existing)) => {
                    Verdict::Existing(Box::new(existing.execution.clone()))
                }
                (Request::Start(start, _), none) => {
                    *none = Some(deciding.start(start, surroundings.clone())?);
                    Verdict::Started(start.identity.started_at)
                }
                (Request::Command { .. }, None) => Verdict::Done(Err(NotDone::Unknown)),
                (Request::Command { kind, .. }, Some(there)) => {
                    Verdict::Done(deciding.command(&mut there.execution, kind)?)
                }
                (Request::GoOn, Some(there)) => {
                    let gone_on = deciding.order(&mut there.execution, CommandKind::GoOn)?;
                    gone_on.expect("going on is never refused");
                    Verdict::None
                }
                (Request::GoOn, None) | (Request::Resume(_), _) => Verdict::None,
            });
        }
        Some(Decided {
            events: deciding.events.into(),
            history_before,
            verdicts,
            ended: deciding.ended,
            resume: batch
                .iter()
                .any(|request| matches!(request, Request::Resume(_))),
        })
    }

    /// Each command's seed is the next of a sequence with a random start; the engine mixes it.
    fn seed(&self) -> u64 {
        self.seed
            .fetch_add(0x9E37_79B9_7F4A_7C15, Ordering::Relaxed)
    }
}

impl Deciding<'_> {
    fn start(&mut self, start: &Start, surroundings: Surroundings) -> Option<Resident> {
        let surroundings = Surroundings {
            synchronous: start.synchronous,
            ..surroundings
        };
        let (mut execution, first) = Execution::begin_within(
            start.machine.clone(),
            start.identity.clone(),
            self.inner.seed(),
            &self.inner.tokens,
            surroundings,
            self.slice,
        )?;
        self.events.extend(first);
        self.ended.extend(execution.take_ended());
        Some(Resident {
            execution,
            keeping: Keeping::of(&start.identity, start.synchronous),
            logging: start.logging.clone(),
        })
    }

    /// A command from outside. What is due comes first: an answer after its deadline is late even if the scheduler
    /// has not come round yet.
    fn command(
        &mut self,
        execution: &mut Execution,
        kind: &CommandKind,
    ) -> Option<Result<Option<PickedUp>, NotDone>> {
        let overdue = execution.next_timer().is_some_and(|next| next <= self.at);
        if overdue && !matches!(kind, CommandKind::Tick) {
            // Refused if there is nothing to do after all.
            let _ = self.order(execution, CommandKind::Tick)?;
        }
        let done = self.order(execution, kind.clone())?;
        Some(match (done, kind) {
            (Err(refusal), _) => Err(NotDone::Refused(refusal)),
            (Ok(()), CommandKind::PickedUp { wait, .. }) => picked_up(execution, *wait).map(Some),
            (Ok(()), _) => Ok(None),
        })
    }

    fn order(
        &mut self,
        execution: &mut Execution,
        kind: CommandKind,
    ) -> Option<Result<(), Refusal>> {
        let command = Command {
            at: self.at,
            seed: self.inner.seed(),
            kind,
        };
        let decided = execution.decide_within(command, &self.inner.tokens, self.slice);
        self.ended.extend(execution.take_ended());
        Some(match decided {
            Ok(more) => {
                self.events.extend(more?);
                Ok(())
            }
            Err(refusal) => Err(refusal),
        })
    }
}

/// What the worker is given. The pick-up itself may have filled the history, which ends all.
fn picked_up(execution: &Execution, wait: WaitId) -> Result<PickedUp, NotDone> {
    let input = execution.parameters(wait);
    let input = input.ok_or(NotDone::Refused(Refusal::WaitEnded))?;
    let trace = Sent::of(execution.identity(), wait);
    Ok(PickedUp { input, trace })
}
