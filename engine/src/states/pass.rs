//! Pass: its input, or what the definition makes of it, is its output.

use asl::{Data, Pass, State};

use crate::decide::{Decider, Stop};
use crate::event::FrameId;
use crate::flow::{Leaving, Made};

pub(crate) fn run(
    decider: &mut Decider<'_>,
    frame: FrameId,
    state: &State,
    pass: &Pass,
) -> Result<(), Stop> {
    let input = decider.input(frame, state.input_path.as_ref())?;
    let result = match (&pass.result, &pass.parameters) {
        (Some(result), _) => Made::document(Data::from(result.clone())),
        (None, Some(template)) => {
            Made::document(decider.parameters(frame, Some(template), &input)?)
        }
        (None, None) if input.same(&decider.frame(frame).data) => Made::input(input),
        (None, None) => Made::document(input),
    };
    let output = decider.left(
        frame,
        state,
        Leaving::of(state),
        pass.result_path.as_ref(),
        result,
    )?;
    Ok(decider.leave(frame, output, pass.next)?)
}
