//! Choice: the first rule that holds says where to go.

use asl::{Choice, Failure, Next, State};

use crate::decide::{Decider, Stop};
use crate::event::FrameId;

pub(crate) fn run(
    decider: &mut Decider<'_>,
    frame: FrameId,
    state: &State,
    choice: &Choice,
) -> Result<(), Stop> {
    let input = decider.input(frame, state.input_path.as_ref())?;
    let chosen = decider.evaluate(frame, input.value(), None, |scope| {
        for (rule, next) in &choice.rules {
            if rule.holds(scope)? {
                return Ok(*next);
            }
        }
        choice.default.ok_or_else(|| {
            Failure::new(
                "States.NoChoiceMatched",
                "Failed to transition out of the state. The state does not point to a next state.",
            )
        })
    })?;
    let output = decider.passed_on(frame, state)?;
    Ok(decider.leave(frame, output, Next::State(chosen))?)
}
