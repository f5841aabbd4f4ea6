//! Choice: the first rule that holds says where to go.

use asl::{Choice, Failure, Next, State};

use crate::decide::{Decider, Stop};
use crate::event::FrameId;
use crate::flow::{Leaving, Seen};

pub(crate) fn run(
    decider: &mut Decider<'_>,
    frame: FrameId,
    state: &State,
    choice: &Choice,
) -> Result<(), Stop> {
    let input = decider.input(frame, state.input_path.as_ref())?;
    let (next, rule) = decider.evaluate(frame, input.value(), Seen::default(), |scope| {
        for rule in &choice.rules {
            if rule.rule.holds(scope)? {
                return Ok((rule.next, Some(rule)));
            }
        }
        choice.default.map(|next| (next, None)).ok_or_else(|| {
            // The language calls it `States.NoChoiceMatched`; AWS does not (measured: floci-io/floci#3167).
            Failure::runtime(
                "Failed to transition out of the state. The state does not point to a next state.",
            )
        })
    })?;
    // What the state itself says is for its Default.
    let leaving = match rule {
        Some(rule) => Leaving {
            assign: rule.assign.as_ref(),
            output: rule.output.as_ref(),
        },
        None => Leaving::of(state),
    };
    let output = decider.passed_on(frame, state, leaving)?;
    Ok(decider.leave(frame, output, Next::State(next))?)
}
