//! What happens when its time has come: Wait states, timeouts, heartbeats, backoffs, and the
//! machine's own `TimeoutSeconds`.
//!
//! Everything that is due happens in the order of its time, but *now*: a server that slept through
//! an hour does not pretend to have acted in it. So what follows from a timer counts from now, and
//! fires in the same tick only if it is due now.

use crate::decide::{Decider, Over};
use crate::event::{EventKind, FrameId};
use crate::execution::Status;
use crate::frame::Phase;
use crate::recovery::Raised;
use crate::states;

impl Decider<'_> {
    /// The clock has moved.
    pub(crate) fn tick(&mut self) {
        // What a slice has left comes first: its frames may have timers that have fired already.
        self.run_after(Ok(()));
        while self.execution.status() == Status::Running && !self.is_unfinished() {
            let frame = self.execution.timers.first().copied();
            let deadline = self.deadline();
            let due = [frame.map(|(at, _)| at), deadline]
                .into_iter()
                .flatten()
                .min();
            if due.is_none_or(|due| due > self.at) {
                return;
            }
            match frame {
                Some((at, frame)) if deadline.is_none_or(|deadline| at < deadline) => {
                    let fired = self.fire(frame);
                    self.run_after(fired);
                }
                _ => self.end(FrameId::ROOT, EventKind::ExecutionTimedOut),
            }
        }
        // A loop that has no history to fill is unfinished for ever, and only this ends it.
        let over = self.deadline().is_some_and(|deadline| deadline <= self.at);
        if over && self.execution.status() == Status::Running {
            self.end(FrameId::ROOT, EventKind::ExecutionTimedOut);
        }
    }

    fn fire(&mut self, frame: FrameId) -> Result<(), Over> {
        match &self.frame(frame).phase {
            Phase::Waiting { .. } => {
                let left = states::wait::done(self, frame);
                self.settle(frame, left)
            }
            Phase::Backoff { .. } => {
                // The timer goes with the phase, which the next attempt changes; the attempt is an
                // event of the state's own.
                self.again(frame);
                Ok(())
            }
            Phase::Task(task) => {
                let wait = task.wait;
                let (_, heartbeat) = task
                    .deadline()
                    .expect("a task without a deadline has no timer");
                self.emit(frame, EventKind::TaskTimedOut { wait, heartbeat })?;
                self.recover(frame, Raised::timed_out(heartbeat))
            }
            Phase::Idle | Phase::Children(_) | Phase::MapRun(_) => {
                unreachable!("only what waits for a time has a timer")
            }
        }
    }
}
