//! A scenario's script: one line a step.
//!
//! | line | what happens |
//! | --- | --- |
//! | `start JSON` | the execution starts; the first line, and `start {}` if it is missing |
//! | `complete WAIT JSON` | a result comes |
//! | `fail WAIT [ERROR ["cause"]]` | a failure comes |
//! | `submit WAIT [JSON]` | the resource took the request |
//! | `pick up WAIT [NAME]` | an activity worker fetches the task |
//! | `heartbeat WAIT` | a sign of life |
//! | `advance 30s` | the clock moves, and every timer on the way fires at its time |
//! | `oversleep 30s` | the clock moves, and no timer fires |
//! | `tick` | what is due fires now |
//! | `stop [ERROR ["cause"]]` | somebody stops the execution |
//! | `redrive` | somebody redrives the execution |
//! | `register WAIT as REFERENCE` | a worker registers the third party's name for the work |
//! | `release REFERENCE` | and nobody answers to it any more |
//! | `call back BODY` | the third party calls back; `call back 300 bytes` with so many |
//! | `forge BODY` | somebody else does, without the third party's secret |
//! | `forget` | the execution is over, and so long ago that the server no longer keeps it |
//! | `ended WAIT: WORDS` | how the wait ended: `succeeded`, `failed`, `timed out`, `heartbeat timed out`, `aborted`, with `, superseded` if another attempt takes its place |
//!
//! `WAIT` is a state's name, in quotes if it has blanks: its wait that is open, or the last one.
//! `Ask#2` is the second wait that there ever was in `Ask`. A step that must be refused ends in
//! `=> WaitEnded`, or whichever refusal it is. What goes through the callback gateway needs a whole server.

/// One step.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// What happens.
    pub action: Action,
    /// By what it must be refused, as Rust names the refusal.
    pub refusal: Option<String>,
    /// As written.
    pub text: String,
}

/// What happens. Durations are in milliseconds, documents are JSON text.
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs)]
pub enum Action {
    Start(String),
    Complete(WaitName, String),
    Fail(WaitName, Option<String>, Option<String>),
    Submit(WaitName, String),
    PickUp(WaitName, Option<String>),
    Heartbeat(WaitName),
    Advance(i64),
    Oversleep(i64),
    Tick,
    Stop(Option<String>, Option<String>),
    Redrive,
    Register(WaitName, String),
    Release(String),
    CallBack(String),
    Forge(String),
    Forget,
    Ended(WaitName, String),
}

/// A wait as a script names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WaitName {
    /// The Task state.
    pub state: String,
    /// Which of its waits, from 1; otherwise the open one, or the last.
    pub number: Option<usize>,
}

/// Reads a line.
///
/// # Errors
/// A sentence that says what is wrong with it.
pub fn read(line: &str) -> Result<Step, String> {
    let text = line.trim().to_owned();
    let (line, refusal) = match text.rsplit_once(" => ") {
        Some((line, refusal)) => (line.trim(), Some(refusal.trim().to_owned())),
        None => (&*text, None),
    };
    let (word, rest) = word(line);
    let action = match word {
        "start" => Action::Start(rest.to_owned()),
        "complete" => {
            let (wait, rest) = wait(rest)?;
            Action::Complete(wait, rest.to_owned())
        }
        "fail" => {
            let (wait, rest) = wait(rest)?;
            let (error, cause) = failure(rest)?;
            Action::Fail(wait, error, cause)
        }
        "submit" => {
            let (wait, rest) = wait(rest)?;
            Action::Submit(wait, if rest.is_empty() { "{}" } else { rest }.to_owned())
        }
        "pick" => {
            let rest = rest.strip_prefix("up ").ok_or("it is 'pick up'")?;
            let (wait, rest) = wait(rest)?;
            Action::PickUp(wait, (!rest.is_empty()).then(|| rest.to_owned()))
        }
        "heartbeat" => Action::Heartbeat(wait(rest)?.0),
        "advance" => Action::Advance(duration(rest)?),
        "oversleep" => Action::Oversleep(duration(rest)?),
        "tick" => Action::Tick,
        "redrive" => Action::Redrive,
        "register" => {
            let (wait, rest) = wait(rest)?;
            let reference = rest
                .strip_prefix("as ")
                .ok_or("it is 'register WAIT as REFERENCE'")?;
            Action::Register(wait, reference.to_owned())
        }
        "release" => Action::Release(rest.to_owned()),
        "call" => {
            let body = rest.strip_prefix("back ").ok_or("it is 'call back BODY'")?;
            Action::CallBack(called(body)?)
        }
        "forge" => Action::Forge(called(rest)?),
        "forget" => Action::Forget,
        "stop" => {
            let (error, cause) = failure(rest)?;
            Action::Stop(error, cause)
        }
        "ended" => {
            let (name, how) = rest.split_once(": ").ok_or("it is 'ended WAIT: HOW'")?;
            Action::Ended(wait(name)?.0, how.to_owned())
        }
        other => return Err(format!("a script has no '{other}'")),
    };
    Ok(Step {
        action,
        refusal,
        text,
    })
}

fn word(line: &str) -> (&str, &str) {
    match line.split_once(' ') {
        Some((word, rest)) => (word, rest.trim()),
        None => (line, ""),
    }
}

fn wait(line: &str) -> Result<(WaitName, &str), String> {
    let (name, rest) = match line.strip_prefix('"') {
        Some(quoted) => quoted.split_once('"').ok_or("a quote has no end")?,
        None => {
            let end = line.find([' ', '#']).unwrap_or(line.len());
            line.split_at(end)
        }
    };
    let (number, rest) = match rest.strip_prefix('#') {
        Some(rest) => {
            let (number, rest) = word(rest);
            (
                Some(
                    number
                        .parse()
                        .map_err(|_| format!("'{number}' is no number"))?,
                ),
                rest,
            )
        }
        None => (None, rest.trim()),
    };
    Ok((
        WaitName {
            state: name.to_owned(),
            number,
        },
        rest,
    ))
}

/// A callback's body: as it is written, or a JSON text of so many bytes.
fn called(body: &str) -> Result<String, String> {
    const AROUND: usize = r#"{"filler": ""}"#.len();
    let Some(count) = body.strip_suffix(" bytes") else {
        return Ok(body.to_owned());
    };
    let count: usize = count
        .parse()
        .map_err(|_| format!("'{count}' is no number"))?;
    let filler = count
        .checked_sub(AROUND)
        .ok_or(format!("it is at least {AROUND} bytes"))?;
    Ok(format!(r#"{{"filler": "{}"}}"#, "x".repeat(filler)))
}

fn failure(line: &str) -> Result<(Option<String>, Option<String>), String> {
    let (error, cause) = word(line);
    let cause = match cause {
        "" => None,
        cause => Some(serde_json::from_str(cause).map_err(|e| format!("the cause: {e}"))?),
    };
    Ok(((!error.is_empty()).then(|| error.to_owned()), cause))
}

fn duration(text: &str) -> Result<i64, String> {
    let digits = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let number: i64 = number
        .parse()
        .map_err(|_| format!("'{text}' is no duration"))?;
    let millis = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => {
            return Err(format!(
                "a duration ends in ms, s, m, h or d, and not in '{unit}'"
            ));
        }
    };
    Ok(number * millis)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_is_read_with_its_wait_and_its_refusal() {
        let step = read(r##"fail "Ask them"#2 Oops "It broke." => WaitEnded"##)
            .expect("the line is a step");
        let wait = WaitName {
            state: "Ask them".to_owned(),
            number: Some(2),
        };
        assert_eq!(
            step.action,
            Action::Fail(wait, Some("Oops".to_owned()), Some("It broke.".to_owned()))
        );
        assert_eq!(step.refusal.as_deref(), Some("WaitEnded"));
    }

    #[test]
    fn a_duration_has_a_unit() {
        assert_eq!(duration("90s"), Ok(90_000));
        assert_eq!(duration("250ms"), Ok(250));
        assert!(duration("5").is_err() && duration("soon").is_err());
    }
}
