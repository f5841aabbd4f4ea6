//! Fail: the frame fails, with what the definition says or what it looks up.

use std::borrow::Cow;

use asl::{Fail, Failure, Text};
use serde_json::Value;

use crate::decide::{Decider, Stop};
use crate::event::FrameId;
use crate::flow::{Flaw, Seen};

pub(crate) fn run(decider: &mut Decider<'_>, frame: FrameId, fail: &Fail) -> Result<(), Stop> {
    let error = text(decider, frame, "ErrorPath", fail.error.as_ref())?;
    let cause = text(decider, frame, "CausePath", fail.cause.as_ref())?;
    let failure = Failure {
        error: error.map(Cow::Owned),
        cause,
    };
    // Not by way of a failure of the state: its error is the user's to choose, States.Runtime too.
    Ok(decider.recover(frame, failure.into())?)
}

fn text(
    decider: &Decider<'_>,
    frame: FrameId,
    field: &str,
    text: Option<&Text>,
) -> Result<Option<String>, Flaw> {
    if let Some(Text::Jsonata(expression)) = text {
        let input = decider.frame(frame).data.clone();
        return decider.evaluate(frame, input.value(), Seen::default(), |scope| {
            let text =
                expression.evaluate_as(scope, "string", |value| value.as_str().map(str::to_owned));
            text.map(Some)
        });
    }
    let expression = match text {
        None | Some(Text::Jsonata(_)) => return Ok(None),
        Some(Text::Fixed(text)) => return Ok(Some(text.to_string())),
        Some(Text::Expression(expression)) => expression,
    };
    let input = decider.frame(frame).data.clone();
    decider.evaluate(
        frame,
        input.value(),
        Seen::default(),
        |scope| match expression.evaluate(scope)? {
            Value::String(text) => Ok(Some(text)),
            _ => Err(Failure::runtime(format!(
                "The value of '{field}' has to be a string."
            ))),
        },
    )
}
