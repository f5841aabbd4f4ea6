//! Wait: until a time, then on.

use asl::{Failure, Path, State, StateKind, Timestamp, Wait, WaitUntil, jsonata};
use serde_json::Value;

use crate::decide::{Decider, Stop};
use crate::event::{EventKind, FrameId};
use crate::flow::{Flaw, Leaving, Seen};
use crate::limits::WAIT_SECONDS_MAX;

pub(crate) fn run(
    decider: &mut Decider<'_>,
    frame: FrameId,
    state: &State,
    wait: &Wait,
) -> Result<(), Stop> {
    let until = until(decider, frame, state, wait)?;
    if until <= decider.at {
        return done(decider, frame);
    }
    Ok(decider.emit(frame, EventKind::WaitStarted { until })?)
}

/// The time has come.
pub(crate) fn done(decider: &mut Decider<'_>, frame: FrameId) -> Result<(), Stop> {
    let machine = decider.machine.clone();
    let state = machine.state(decider.place(frame).id);
    let StateKind::Wait(wait) = &state.kind else {
        unreachable!("only a Wait state waits for a time");
    };
    let output = decider.passed_on(frame, state, Leaving::of(state))?;
    Ok(decider.leave(frame, output, wait.next)?)
}

fn until(
    decider: &Decider<'_>,
    frame: FrameId,
    state: &State,
    wait: &Wait,
) -> Result<Timestamp, Flaw> {
    let now = decider.at;
    let looked_up = |path: &Path, read: &dyn Fn(&Value) -> Result<Timestamp, Failure>| {
        let input = decider.input(frame, state.input_path.as_ref())?;
        decider.evaluate(frame, input.value(), Seen::default(), |scope| {
            let found = path
                .select(scope)
                .map_err(|_| no_value(field(wait), path))?;
            read(&found)
        })
    };
    let until = match &wait.until {
        WaitUntil::Seconds(seconds) => now.plus_seconds((*seconds).min(i64::MAX as u64) as i64),
        WaitUntil::Timestamp(at) => *at,
        WaitUntil::SecondsPath(path) => {
            looked_up(path, &|value| Ok(now.plus_seconds(seconds(path, value)?)))?
        }
        WaitUntil::TimestampPath(path) => looked_up(path, &|value| timestamp(path, value))?,
        WaitUntil::SecondsJsonata(expression) => {
            let input = decider.frame(frame).data.clone();
            let seconds = decider.evaluate(frame, input.value(), Seen::default(), |scope| {
                expression.evaluate_integer(scope, "Seconds", 99_999_999)
            })?;
            now.plus_seconds(seconds as i64)
        }
        WaitUntil::TimestampJsonata(expression) => {
            let input = decider.frame(frame).data.clone();
            decider.evaluate(frame, input.value(), Seen::default(), |scope| {
                let text = expression
                    .evaluate_as(scope, "string", |value| value.as_str().map(str::to_owned))?;
                Timestamp::from_asl(&text).ok_or_else(|| {
                    let cause = format!(
                        "The Timestamp field cannot be parsed as an ISO-8601 extended offset \
                         date-time format string: {text}"
                    );
                    jsonata::failure(scope, "Timestamp", cause)
                })
            })?
        }
    };
    if until > now.plus_seconds(WAIT_SECONDS_MAX) {
        return Err(decider
            .at_state(frame, Failure::runtime("Wait state delay is too long."))
            .into());
    }
    Ok(until)
}

fn field(wait: &Wait) -> &'static str {
    match wait.until {
        WaitUntil::TimestampPath(_) => "TimestampPath",
        _ => "SecondsPath",
    }
}

fn no_value(field: &str, path: &Path) -> Failure {
    Failure::runtime(format!(
        "The {field} parameter does not reference an input value: {}",
        path.text()
    ))
}

fn seconds(path: &Path, value: &Value) -> Result<i64, Failure> {
    let Some(seconds) = value.as_i64() else {
        return Err(Failure::runtime(format!(
            "The SecondsPath parameter cannot be parsed as a long value: {} == {}",
            path.text(),
            shown(value)
        )));
    };
    if seconds < 0 {
        return Err(Failure::runtime(format!(
            "The SecondsPath parameter references a negative value: {} == {seconds}",
            path.text()
        )));
    }
    Ok(seconds)
}

fn timestamp(path: &Path, value: &Value) -> Result<Timestamp, Failure> {
    let text = value.as_str().unwrap_or_default();
    // RFC 3339 as a whole, and not with the blank that some readers take for the T.
    let parsed = text
        .contains('T')
        .then(|| text.parse::<Timestamp>().ok())
        .flatten();
    parsed.ok_or_else(|| {
        Failure::runtime(format!(
            "The TimestampPath parameter does not reference a valid ISO-8601 extended offset \
             date-time format string: {} == {}",
            path.text(),
            shown(value)
        ))
    })
}

/// A value as AWS shows it in a cause: text without its quotes.
fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}
