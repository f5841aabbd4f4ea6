//! Succeed: the frame is at its end, whatever stands around it.

use asl::{Next, State};

use crate::decide::{Decider, Stop};
use crate::event::FrameId;
use crate::flow::Leaving;

pub(crate) fn run(decider: &mut Decider<'_>, frame: FrameId, state: &State) -> Result<(), Stop> {
    let output = decider.passed_on(frame, state, Leaving::of(state))?;
    Ok(decider.leave(frame, output, Next::End)?)
}
