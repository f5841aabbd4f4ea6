//! Choice: the first rule that holds says where to go.

use asl::{Choice, Failure, Next, Scope, State, StateKind, Timestamp};

use crate::decide::{Decider, Stop};
use crate::event::FrameId;
use crate::execution::Execution;
use crate::flow::{Leaving, Seen};
use crate::token::TokenKey;

pub(crate) fn run(
    decider: &mut Decider<'_>,
    frame: FrameId,
    state: &State,
    choice: &Choice,
) -> Result<(), Stop> {
    let input = decider.input(frame, state.input_path.as_ref())?;
    let (next, rule) = decider.evaluate(frame, input.value(), Seen::default(), |scope| {
        if let Some(rule) = first(choice, scope)? {
            let rule = &choice.rules[rule];
            return Ok((rule.next, Some(rule)));
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

/// The first rule that holds; none if only the Default is left.
fn first(choice: &Choice, scope: Scope<'_>) -> Result<Option<usize>, Failure> {
    for (index, rule) in choice.rules.iter().enumerate() {
        if rule.rule.holds(scope)? {
            return Ok(Some(index));
        }
    }
    Ok(None)
}

impl Execution {
    /// Which rule of the Choice state that a frame has just entered holds, and nothing inside if it is its Default's turn:
    /// for whoever looks at what happened, since events say only where it went. Nothing is decided by this. None if the
    /// frame is in no Choice, or a condition fails.
    pub fn rule_that_holds(&mut self, frame: FrameId, at: Timestamp) -> Option<Option<usize>> {
        let machine = self.machine.clone();
        let place = self.now.frames.get(&frame)?.state.as_ref()?;
        let state = machine.state(place.id);
        let StateKind::Choice(choice) = &state.kind else {
            return None;
        };
        let tokens = TokenKey::new(&[0; 32]);
        let decider = Decider::new(self, at, 0, &tokens);
        let input = decider.input(frame, state.input_path.as_ref()).ok()?;
        let held = decider.evaluate(frame, input.value(), Seen::default(), |scope| {
            first(choice, scope)
        });
        held.ok()
    }
}
