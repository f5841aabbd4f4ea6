//! An execution's events as lines of its story, and its waits as they were.

use std::collections::HashMap;
use std::sync::Arc;

use asl::{Failure, Timestamp};
use engine::{Event, EventKind, FrameId, WaitId};

use super::entry::{Entry, Kind};

/// How much of a cause is told.
const CAUSE_CHARS_MAX: usize = 120;

/// One attempt of a task.
#[derive(Debug, Clone)]
pub(super) struct Wait {
    pub id: WaitId,
    pub state: Arc<str>,
    pub resource: Arc<str>,
    pub since: Timestamp,
    pub deadline: Option<Timestamp>,
    pub heartbeat_seconds: Option<u64>,
    /// Which attempt of the state's stay it is, from 1.
    pub attempt: u32,
    pub last_heartbeat: Option<Timestamp>,
    pub submitted: bool,
    pub ended: Option<(Timestamp, Ended)>,
}

/// How a wait ended.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Ended {
    Succeeded,
    Failed(String),
    TimedOut,
    HeartbeatTimedOut,
    Aborted,
}

impl Wait {
    /// Whether somebody else than the resource's answer ends it: for these stories are told.
    pub fn is_callback(&self) -> bool {
        self.resource.ends_with(".waitForTaskToken") || self.resource.contains(":activity:")
    }

    /// Its resource without what all have in common.
    pub fn of_whom(&self) -> &str {
        let resource = &*self.resource;
        resource
            .strip_prefix("arn:aws:states:::")
            .unwrap_or_else(|| {
                let mut parts = resource.rsplitn(2, ':');
                parts.next().unwrap_or(resource)
            })
    }
}

/// What the events of an execution tell.
#[derive(Default)]
pub(super) struct Told {
    pub entries: Vec<Entry>,
    pub waits: Vec<Wait>,
    /// Where each frame is.
    states: HashMap<FrameId, (Arc<str>, u32)>,
    /// States that did nothing worth a line of their own, until one that did.
    passed: Vec<(Timestamp, Arc<str>)>,
    /// Where each wait stands in `waits`.
    places: HashMap<WaitId, usize>,
    /// Tasks that wait for nothing but the resource's answer: one line, when that has come.
    quiet: HashMap<WaitId, String>,
}

impl Told {
    pub fn of(events: &[Event]) -> Told {
        let mut told = Told::default();
        for event in events {
            told.follow(event);
        }
        told.flush();
        told
    }

    fn follow(&mut self, event: &Event) {
        let (at, frame) = (event.at, event.frame);
        match &event.kind {
            EventKind::ExecutionStarted { .. } => {
                self.say(at, Kind::Execution, "the execution started");
            }
            EventKind::StateEntered { name, state_type } => {
                self.states.insert(frame, (name.clone(), 0));
                if state_type.name() != "Task" {
                    self.passed.push((at, name.clone()));
                }
            }
            EventKind::WaitStarted { until } => {
                let name = self.state(frame);
                self.passed.retain(|(_, passed)| *passed != name);
                self.say(at, Kind::State, &format!("{name} waits until {until}"));
            }
            EventKind::TaskScheduled {
                wait,
                resource,
                timeout_seconds,
                heartbeat_seconds,
                parameters,
                ..
            } => {
                let (state, attempt) = self.states.entry(frame).or_insert(("?".into(), 0));
                *attempt += 1;
                let scheduled = Wait {
                    id: *wait,
                    state: state.clone(),
                    resource: resource.clone(),
                    since: at,
                    deadline: timeout_seconds
                        .map(|seconds| at.plus_seconds(i64::try_from(seconds).unwrap_or(i64::MAX))),
                    heartbeat_seconds: *heartbeat_seconds,
                    attempt: *attempt,
                    last_heartbeat: None,
                    submitted: false,
                    ended: None,
                };
                self.schedule(
                    scheduled,
                    parameters.as_ref().and_then(|p| topic(p.value())),
                );
            }
            EventKind::TaskSubmitted { wait, .. } => {
                if let Some(wait) = self.wait(*wait) {
                    wait.submitted = true;
                    let text = format!("{} has taken the request", wait.of_whom());
                    let state = wait.state.clone();
                    self.say_of(at, Kind::Request, &state, &text);
                }
            }
            EventKind::TaskPickedUp { wait, worker } => {
                if let Some(wait) = self.wait(*wait) {
                    let state = wait.state.clone();
                    let who = worker.as_deref().unwrap_or("without a name");
                    let text = format!("a worker ({who}) has taken the task");
                    self.say_of(at, Kind::Request, &state, &text);
                }
            }
            EventKind::TaskHeartbeat { wait } => {
                if let Some(wait) = self.wait(*wait) {
                    wait.last_heartbeat = Some(at);
                    let state = wait.state.clone();
                    self.say_of(at, Kind::Heartbeat, &state, "a heartbeat");
                }
            }
            EventKind::TaskSucceeded { wait, .. } => self.end(at, *wait, Ended::Succeeded),
            EventKind::TaskFailed { wait, failure } => {
                self.end(at, *wait, Ended::Failed(shown(failure)));
            }
            EventKind::TaskTimedOut { wait, heartbeat } => {
                let ended = match heartbeat {
                    true => Ended::HeartbeatTimedOut,
                    false => Ended::TimedOut,
                };
                self.end(at, *wait, ended);
            }
            EventKind::WaitAborted { wait } => self.end(at, *wait, Ended::Aborted),
            EventKind::RetryScheduled { until, .. } => {
                let name = self.state(frame);
                let text = format!("tried again at {}", clock(*until));
                self.say_of(at, Kind::Retry, &name, &text);
            }
            EventKind::EvaluationFailed { failure, .. } => {
                let name = self.state(frame);
                self.say_of(at, Kind::Bad, &name, &shown(failure));
            }
            EventKind::MapRunStarted { run, .. } => {
                let name = self.state(frame);
                self.say_of(
                    at,
                    Kind::State,
                    &name,
                    &format!("the Map Run {} began", run.arn),
                );
            }
            EventKind::MapRunFailed { failure, .. } => {
                let name = self.state(frame);
                self.say_of(at, Kind::Bad, &name, &shown(failure));
            }
            EventKind::ExecutionSucceeded => self.say(at, Kind::Good, "the execution SUCCEEDED"),
            EventKind::ExecutionFailed { failure } => {
                let text = format!("the execution FAILED: {}", shown(failure));
                self.say(at, Kind::Bad, &text);
            }
            EventKind::ExecutionTimedOut => self.say(at, Kind::Bad, "the execution TIMED_OUT"),
            EventKind::ExecutionAborted { error, cause } => {
                let failure = Failure {
                    error: error.clone().map(Into::into),
                    cause: cause.clone(),
                };
                let why = shown(&failure);
                let text = match why.is_empty() {
                    true => "the execution was stopped".to_owned(),
                    false => format!("the execution was stopped: {why}"),
                };
                self.say(at, Kind::Bad, &text);
            }
            EventKind::ExecutionRedriven { count, .. } => {
                self.say(
                    at,
                    Kind::Execution,
                    &format!("redriven, for the {count}. time"),
                );
            }
            _ => {}
        }
    }

    fn schedule(&mut self, wait: Wait, topic: Option<String>) {
        self.places.insert(wait.id, self.waits.len());
        self.waits.push(wait.clone());
        if !wait.is_callback() {
            let what = match topic {
                Some(topic) => format!("{} to {topic}", wait.of_whom()),
                None => wait.of_whom().to_owned(),
            };
            self.quiet.insert(wait.id, what);
            return;
        }
        let limit = match (wait.deadline, wait.heartbeat_seconds) {
            (Some(at), Some(beat)) => format!("until {}, a heartbeat every {beat} s", clock(at)),
            (Some(at), None) => format!("until {}", clock(at)),
            (None, Some(beat)) => format!("as long as a heartbeat comes every {beat} s"),
            (None, None) => "without a deadline".to_owned(),
        };
        let again = match wait.attempt {
            1 => String::new(),
            attempt => format!(", attempt {attempt}"),
        };
        let text = format!("request to {}{again}; it waits {limit}", wait.of_whom());
        self.say_of(wait.since, Kind::Request, &wait.state, &text);
    }

    fn end(&mut self, at: Timestamp, wait: WaitId, ended: Ended) {
        let Some(found) = self.wait(wait) else {
            return;
        };
        found.ended = Some((at, ended.clone()));
        let (state, since) = (found.state.clone(), found.since);
        let quiet = self.quiet.remove(&wait);
        let took = ((at.0 - since.0) as f64) / 1000.0;
        let (kind, text) = match (&ended, quiet) {
            (Ended::Succeeded, Some(what)) => (Kind::State, what),
            (Ended::Succeeded, None) => (Kind::Good, format!("it has its result, after {took} s")),
            (Ended::Failed(why), what) => {
                let whose = what.map(|what| format!("{what} ")).unwrap_or_default();
                (Kind::Bad, format!("{whose}failed: {why}"))
            }
            (Ended::TimedOut, _) => (Kind::Bad, format!("timed out: no answer in {took} s")),
            (Ended::HeartbeatTimedOut, _) => (
                Kind::Bad,
                format!("timed out after {took} s: no heartbeat in time"),
            ),
            (Ended::Aborted, _) => (Kind::Bad, format!("given up after {took} s")),
        };
        self.say_of(at, kind, &state, &text);
    }

    fn wait(&mut self, wait: WaitId) -> Option<&mut Wait> {
        let place = *self.places.get(&wait)?;
        self.waits.get_mut(place)
    }

    fn state(&self, frame: FrameId) -> Arc<str> {
        let state = self.states.get(&frame);
        state.map_or_else(|| "?".into(), |(name, _)| name.clone())
    }

    fn say_of(&mut self, at: Timestamp, kind: Kind, state: &Arc<str>, text: &str) {
        self.flush();
        self.entries.push(Entry::of_state(at, kind, state, text));
    }

    fn say(&mut self, at: Timestamp, kind: Kind, text: &str) {
        self.flush();
        self.entries.push(Entry::new(at, kind, text));
    }

    /// Says through which states it went that did nothing else.
    fn flush(&mut self) {
        const NAMES_MAX: usize = 4;
        let Some((at, _)) = self.passed.last().cloned() else {
            return;
        };
        let count = self.passed.len();
        let mut names: Vec<&str> = self.passed.iter().map(|(_, name)| &**name).collect();
        let more = format!("... {} more", count.saturating_sub(NAMES_MAX));
        if count > NAMES_MAX {
            names.drain(NAMES_MAX - 1..count - 1);
            names.insert(NAMES_MAX - 1, &more);
        }
        let text = format!("through {}", names.join(", "));
        self.passed.clear();
        self.entries.push(Entry::new(at, Kind::State, &text));
    }
}

/// A failure in a few words.
fn shown(failure: &Failure) -> String {
    let error = failure.error.as_deref().unwrap_or_default();
    let cause = failure.cause.as_deref().unwrap_or_default();
    let mut short: String = cause.chars().take(CAUSE_CHARS_MAX).collect();
    if short.len() < cause.len() {
        short.push_str("...");
    }
    match (error.is_empty(), short.is_empty()) {
        (false, false) => format!("{error}: {short}"),
        (false, true) => error.to_owned(),
        (true, _) => short,
    }
}

/// The topic that `sns:publish` publishes to.
fn topic(parameters: &serde_json::Value) -> Option<String> {
    let arn = parameters.get("TopicArn")?.as_str()?;
    arn.rsplit(':').next().map(str::to_owned)
}

/// A time of day; the day is clear from what stands around.
pub(super) fn clock(at: Timestamp) -> String {
    let text = at.to_string();
    text.get(11..19).map_or(text.clone(), str::to_owned)
}
