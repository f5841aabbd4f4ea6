//! An execution as it passes, in lines for a person.
//!
//! | mark | a state |
//! | --- | --- |
//! | `▸` | has begun something that takes time |
//! | `✓` | is done |
//! | `✗` | failed |
//! | `↻` | will be tried again |
//! | `↷` | failed, and was caught |
//! | `…` | waits for an answer, with what to type |
//!
//! A state that takes no time has one line, at its end. What is inside of a Map or Parallel state is
//! indented, an iteration or a branch by its number in brackets.

use std::collections::HashMap;
use std::sync::Arc;

use asl::{Data, Timestamp};
use engine::event::{Output, StateType};
use engine::{Event, EventKind, FrameId, WaitId};

use crate::colour::{BLUE, BOLD, DIM, GREEN, RED, YELLOW, paint_error as paint};

/// As much of an output as is shown.
const OUTPUT_MAX: usize = 100;

/// What a task waits for.
pub(super) enum Waiting<'e> {
    /// An answer with the token of this wait.
    Token(WaitId),
    /// A worker of this activity, for this wait.
    Activity(&'e str, WaitId),
}

/// The wait that an event ends.
pub(super) fn ended_wait(event: &Event) -> Option<WaitId> {
    match &event.kind {
        EventKind::TaskSucceeded { wait, .. }
        | EventKind::TaskFailed { wait, .. }
        | EventKind::TaskTimedOut { wait, .. }
        | EventKind::WaitAborted { wait, .. } => Some(*wait),
        _ => None,
    }
}

/// Follows an execution's events.
pub(super) struct Narrator {
    verbose: bool,
    began: Option<Timestamp>,
    frames: HashMap<FrameId, Frame>,
}

/// A thread of states: the execution, a branch, an iteration.
#[derive(Default, Clone)]
struct Frame {
    depth: usize,
    /// The numbers of the branches and iterations down to this one, `[1][0]`.
    label: String,
    state: Option<State>,
    /// What the frame holds, as far as it is known.
    data: Option<Data>,
}

#[derive(Clone)]
struct State {
    name: Arc<str>,
    kind: StateType,
    since: Timestamp,
    failed: bool,
    resource: Option<Arc<str>>,
    result: Option<Data>,
}

impl Narrator {
    pub(super) fn new(verbose: bool) -> Narrator {
        Narrator {
            verbose,
            began: None,
            frames: HashMap::new(),
        }
    }

    /// The lines for one event; `answer` says what to type for a task that waits, if it still does.
    pub(super) fn tell(
        &mut self,
        event: &Event,
        answer: impl Fn(Waiting<'_>) -> Option<String>,
    ) -> Vec<String> {
        let began = *self.began.get_or_insert(event.at);
        let at = Moment {
            elapsed: event.at.0 - began.0,
        };
        let mut frame = self.frames.remove(&event.frame).unwrap_or_default();
        let lines = self.follow(event, &at, &mut frame, answer);
        let is_over = matches!(
            event.kind,
            EventKind::BranchSucceeded
                | EventKind::BranchFailed
                | EventKind::BranchAborted
                | EventKind::IterationSucceeded
                | EventKind::IterationFailed
                | EventKind::IterationAborted
        );
        if !is_over {
            self.frames.insert(event.frame, frame);
        }
        lines
    }

    fn follow(
        &mut self,
        event: &Event,
        at: &Moment,
        frame: &mut Frame,
        answer: impl Fn(Waiting<'_>) -> Option<String>,
    ) -> Vec<String> {
        let place = frame.place();
        let Some(state) = frame.state.as_mut() else {
            match &event.kind {
                EventKind::ExecutionStarted { identity } => {
                    frame.data = Some(identity.input.clone());
                }
                _ => self.enter(event, frame),
            }
            return Vec::new();
        };
        let line = |mark: &str, colour: &str, name: &str, about: &str| {
            let about = if about.is_empty() {
                String::new()
            } else {
                format!("  {}", paint(DIM, about))
            };
            let name = paint(BOLD, name);
            format!("{at} {place}{} {name}{about}", paint(colour, mark))
        };
        let told = |about: &str, answer: Option<String>| {
            let lines = answer.map(|answer| {
                vec![
                    line("…", YELLOW, &state.name, about),
                    at.below(&place, &answer),
                ]
            });
            lines.unwrap_or_default()
        };
        match &event.kind {
            EventKind::WaitStarted { until } => {
                let wait = duration(until.0 - event.at.0);
                vec![line("▸", BLUE, &state.name, &format!("waits {wait}"))]
            }
            EventKind::TaskScheduled { resource, wait, .. } => {
                state.resource = Some(resource.clone());
                let mut lines = vec![line("▸", BLUE, &state.name, short(resource))];
                if resource.contains(":activity:")
                    && let Some(answer) = answer(Waiting::Activity(resource, *wait))
                {
                    let about = "waits for a worker; to be one:";
                    lines.push(line("…", YELLOW, &state.name, about));
                    lines.push(at.below(&place, &answer));
                }
                lines
            }
            EventKind::TaskSubmitted { wait, .. }
                if state
                    .resource
                    .as_deref()
                    .is_some_and(|resource| resource.ends_with(".waitForTaskToken")) =>
            {
                let about = "waits for its task token; to answer:";
                told(about, answer(Waiting::Token(*wait)))
            }
            EventKind::TaskPickedUp { wait, worker } => {
                let who = worker.as_deref().unwrap_or("a worker");
                let about = format!("is with {who}; to answer in its place:");
                told(&about, answer(Waiting::Token(*wait)))
            }
            EventKind::TaskSucceeded { output, .. } | EventKind::MapRunSucceeded { output, .. } => {
                state.result = Some(output.clone());
                Vec::new()
            }
            EventKind::TaskFailed { failure, .. }
            | EventKind::MapRunFailed { failure, .. }
            | EventKind::EvaluationFailed { failure, .. } => {
                state.failed = true;
                let error = failure.error.as_deref().unwrap_or("no error name");
                let cause = failure.cause.as_deref().unwrap_or_default();
                let about = match cause {
                    "" => error.to_owned(),
                    _ => format!("{error}: {}", one_line(cause)),
                };
                let mut lines = vec![line("✗", RED, &state.name, &about)];
                if let Some(name) = function_not_found(error, cause) {
                    let hint =
                        format!("[functions.{name}] of the file for --config says what it does");
                    lines.push(at.below(&place, &paint(DIM, &hint)));
                }
                lines
            }
            EventKind::TaskTimedOut { heartbeat, .. } => {
                state.failed = true;
                let about = match heartbeat {
                    true => "States.Timeout: no heartbeat in time",
                    false => "States.Timeout: no answer in time",
                };
                vec![line("✗", RED, &state.name, about)]
            }
            EventKind::RetryScheduled { until, .. } => {
                state.failed = false;
                let wait = duration(until.0 - event.at.0);
                vec![line(
                    "↻",
                    YELLOW,
                    &state.name,
                    &format!("tried again in {wait}"),
                )]
            }
            EventKind::ParallelStarted {
                first_frame,
                branches,
                input,
            } => {
                let about = format!("{branches} branches");
                let begun = line("▸", BLUE, &state.name, &about);
                let data = input.clone().or(frame.data.clone());
                for index in 0..*branches {
                    let branch = Frame {
                        data: data.clone(),
                        ..frame.inside(index)
                    };
                    self.frames.insert(FrameId(first_frame.0 + index), branch);
                }
                vec![begun]
            }
            EventKind::MapStarted { length, .. } => {
                let about = match length {
                    1 => "1 item".to_owned(),
                    _ => format!("{length} items"),
                };
                vec![line("▸", BLUE, &state.name, &about)]
            }
            EventKind::DistributedMapStarted { length } => {
                let about = match length {
                    0 => "a Map Run".to_owned(),
                    1 => "a Map Run of 1 item".to_owned(),
                    _ => format!("a Map Run of {length} items"),
                };
                vec![line("▸", BLUE, &state.name, &about)]
            }
            EventKind::ChildrenFailed if !state.failed => {
                state.failed = true;
                vec![line("✗", RED, &state.name, "")]
            }
            EventKind::StateExited { output, .. } => {
                let took = event.at.0 - state.since.0;
                let takes_time = matches!(
                    state.kind,
                    StateType::Task | StateType::Wait | StateType::Map | StateType::Parallel
                );
                let about = match takes_time {
                    true => duration(took),
                    false => state.kind.name().to_owned(),
                };
                let mut lines = vec![match state.failed {
                    true => line("↷", YELLOW, &state.name, "caught"),
                    false => line("✓", GREEN, &state.name, &about),
                }];
                frame.data = match output {
                    Output::Input => frame.data.take(),
                    Output::Result => state.result.take(),
                    Output::Children => None,
                    Output::Document(document) => Some(document.clone()),
                };
                if let (true, Some(data)) = (self.verbose, &frame.data) {
                    lines.push(at.below(&place, &paint(DIM, &one_line(data.text()))));
                }
                frame.state = None;
                lines
            }
            EventKind::StateEntered { .. } => {
                self.enter(event, frame);
                Vec::new()
            }
            EventKind::ExecutionFailed { .. }
            | EventKind::IterationFailed
            | EventKind::BranchFailed
                if !state.failed =>
            {
                state.failed = true;
                let kind = state.kind.name();
                vec![line("✗", RED, &state.name, kind)]
            }
            _ => Vec::new(),
        }
    }

    /// The frame is in another state; an iteration's frame comes with its first event.
    fn enter(&mut self, event: &Event, frame: &mut Frame) {
        match &event.kind {
            EventKind::StateEntered { name, state_type } => {
                frame.state = Some(State {
                    name: name.clone(),
                    kind: *state_type,
                    since: event.at,
                    failed: false,
                    resource: None,
                    result: None,
                });
            }
            EventKind::IterationStarted {
                parent,
                index,
                input,
            } => {
                *frame = match self.frames.get(parent) {
                    Some(parent) => parent.inside(*index),
                    None => Frame::default().inside(*index),
                };
                frame.data = input.clone();
            }
            _ => {}
        }
    }
}

impl Frame {
    /// What stands before the mark.
    fn place(&self) -> String {
        let indent = "  ".repeat(self.depth);
        match self.label.as_str() {
            "" => indent,
            label => format!("{indent}{label} "),
        }
    }

    /// A branch or an iteration of the state that it is in.
    fn inside(&self, index: u32) -> Frame {
        Frame {
            depth: self.depth + 1,
            label: format!("{}[{index}]", self.label),
            ..Frame::default()
        }
    }
}

/// When something happened, from the start on.
struct Moment {
    elapsed: i64,
}

impl std::fmt::Display for Moment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let text = match self.elapsed {
            ..60_000 => format!("{}.{:03} s", self.elapsed / 1000, self.elapsed % 1000),
            elapsed => duration(elapsed),
        };
        let text = format!("{text:>10}");
        f.write_str(&paint(DIM, &text))
    }
}

impl Moment {
    /// A line that belongs to the one above.
    fn below(&self, place: &str, text: &str) -> String {
        let indent = " ".repeat(place.chars().count());
        format!("{:>10} {indent}  {text}", "")
    }
}

/// Milliseconds for a person.
pub(super) fn duration(milliseconds: i64) -> String {
    let seconds = milliseconds / 1000;
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
    match milliseconds {
        ..1_000 => format!("{milliseconds} ms"),
        1_000..60_000 => format!("{seconds}.{:02} s", milliseconds % 1000 / 10),
        60_000..3_600_000 => format!("{minutes} m {:02} s", seconds % 60),
        3_600_000..86_400_000 => format!("{hours} h {:02} m", minutes % 60),
        _ => format!("{days} d {:02} h", hours % 24),
    }
}

/// The function that a task failed for want of.
fn function_not_found<'c>(error: &str, cause: &'c str) -> Option<&'c str> {
    let named = cause.strip_prefix("Function not found: ")?;
    let (arn, _) = named.split_once(":$LATEST")?;
    (error == "Lambda.ResourceNotFoundException").then_some(())?;
    arn.rsplit(':').next()
}

/// The part of a resource that tells it from others.
fn short(resource: &str) -> &str {
    for start in [":states:::", ":function:", ":activity:"] {
        if let Some(at) = resource.find(start) {
            return match start {
                ":states:::" => &resource[at + start.len()..],
                _ => &resource[at + 1..],
            };
        }
    }
    resource
}

/// Text in one line, and not too much of it.
fn one_line(text: &str) -> String {
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match text.char_indices().nth(OUTPUT_MAX) {
        Some((end, _)) => format!("{} …", &text[..end]),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ACTIVITY: &str = "arn:aws:states:us-east-1:123456789012:activity:ask";

    fn event(kind: EventKind) -> Event {
        Event {
            at: Timestamp(0),
            frame: FrameId::ROOT,
            kind,
        }
    }

    #[test]
    fn whoever_is_in_time_is_told_how_to_answer() {
        let entered = event(EventKind::StateEntered {
            name: "Ask".into(),
            state_type: StateType::Task,
        });
        let scheduled = event(EventKind::TaskScheduled {
            wait: WaitId(1),
            resource: ACTIVITY.into(),
            parameters: None,
            timeout_seconds: Some(60),
            heartbeat_seconds: None,
            role_arn: None,
        });
        let picked_up = event(EventKind::TaskPickedUp {
            wait: WaitId(1),
            worker: None,
        });
        for (answer, lines) in [(Some("type this"), [3, 2]), (None, [1, 0])] {
            let mut narrator = Narrator::new(false);
            let mut tell = |event| narrator.tell(event, |_| answer.map(str::to_owned));
            tell(&entered);
            let told = [tell(&scheduled), tell(&picked_up)];
            assert_eq!(told.each_ref().map(Vec::len), lines, "{told:?}");
            let typed = told.iter().flatten().filter(|l| l.contains("type this"));
            assert_eq!(typed.count(), 2 * answer.iter().count(), "{told:?}");
        }
    }

    #[test]
    fn the_function_that_is_missing_has_its_name() {
        let error = "Lambda.ResourceNotFoundException";
        for (error, cause, name) in [
            (
                error,
                "Function not found: arn:aws:lambda:us-east-1:123456789012:function:reserve:$LATEST (Service: Lambda, Status Code: 404)",
                Some("reserve"),
            ),
            (
                error,
                "Function not found: reserve:$LATEST",
                Some("reserve"),
            ),
            (error, "Gone", None),
            ("Custom", "Function not found: reserve:$LATEST", None),
        ] {
            assert_eq!(function_not_found(error, cause), name, "{cause}");
        }
    }
}
