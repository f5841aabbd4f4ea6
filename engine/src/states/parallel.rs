//! Parallel: one frame a branch, all with the same input; the output is the list of theirs.

use asl::{Parallel, State, StateKind};

use crate::decide::{Decider, Stop};
use crate::event::{EventKind, FrameId};
use crate::flow::Made;
use crate::frame::Phase;

pub(crate) fn run(
    decider: &mut Decider<'_>,
    frame: FrameId,
    state: &State,
    parallel: &Parallel,
) -> Result<(), Stop> {
    let input = decider.input(frame, state.input_path.as_ref())?;
    let input = decider.parameters(frame, parallel.parameters.as_ref(), &input)?;
    let unchanged = input.same(&decider.frame(frame).data);
    let first_frame = FrameId(decider.execution.now.next_frame);
    let branches = parallel.branches.len() as u32;
    let input = (!unchanged).then_some(input);
    decider.emit(
        frame,
        EventKind::ParallelStarted {
            input,
            first_frame,
            branches,
        },
    )?;
    for (branch, start_at) in (first_frame.0..).map(FrameId).zip(&parallel.branches) {
        decider.enter(branch, *start_at)?;
    }
    Ok(())
}

/// A branch came to its end; the last one ends the state.
pub(crate) fn child_succeeded(decider: &mut Decider<'_>, frame: FrameId) -> Result<(), Stop> {
    let Phase::Children(children) = &decider.frame(frame).phase else {
        unreachable!("a branch has a parent that waits for it");
    };
    if (children.succeeded as usize) < children.outputs.len() {
        return Ok(());
    }
    let outputs = Made::children(children.output());
    decider.emit(frame, EventKind::ChildrenSucceeded)?;
    let machine = decider.machine.clone();
    let state = machine.state(decider.place(frame).id);
    let StateKind::Parallel(parallel) = &state.kind else {
        unreachable!("branches belong to a Parallel state");
    };
    decider.leave_with(frame, state, &parallel.result, outputs, parallel.next)
}
