//! What each state type does when a frame is in it; one file a type, all alike.
//!
//! `run` is called when the state was entered, and again after the backoff of a Retry. It reads the
//! definition, makes events, and either leaves the state or lets the frame wait. What ends the
//! waiting has its own function in the same file.

pub(crate) mod choice;
pub(crate) mod distributed;
pub(crate) mod fail;
pub(crate) mod map;
pub(crate) mod parallel;
pub(crate) mod pass;
pub(crate) mod succeed;
pub(crate) mod task;
pub(crate) mod wait;

use asl::StateKind;

use crate::decide::{Decider, Stop};
use crate::event::FrameId;

/// Runs the state that a frame is in.
pub(crate) fn run(decider: &mut Decider<'_>, frame: FrameId) -> Result<(), Stop> {
    let machine = decider.machine.clone();
    let state = machine.state(decider.place(frame).id);
    match &state.kind {
        StateKind::Task(task) => task::run(decider, frame, state, task),
        StateKind::Pass(pass) => pass::run(decider, frame, state, pass),
        StateKind::Wait(wait) => wait::run(decider, frame, state, wait),
        StateKind::Choice(choice) => choice::run(decider, frame, state, choice),
        StateKind::Succeed => succeed::run(decider, frame, state),
        StateKind::Fail(fail) => fail::run(decider, frame, fail),
        StateKind::Parallel(parallel) => parallel::run(decider, frame, state, parallel),
        StateKind::Map(map) => map::run(decider, frame, state, map),
    }
}
