//! What came of a case.

use std::sync::Arc;

use asl::{Failure, Timestamp};
use engine::Event;
use serde_json::Value;

/// All that a test may look at. Times are milliseconds from the start of the execution.
#[derive(Debug, Clone)]
pub struct Seen {
    /// The execution's ARN.
    pub execution_arn: String,
    /// When it started, by the virtual clock.
    pub started_at: Timestamp,
    /// How it ended; none if it runs.
    pub ended: Option<Ended>,
    /// What it waits for, if it runs and nothing is due any more.
    pub stuck: Option<String>,
    /// The states it was in, in the order of entry, those of branches and items too.
    pub states: Vec<Passed>,
    /// All that happened, as the engine has it.
    pub events: Vec<Event>,
    /// The children of its Map Runs.
    pub children: Vec<Child>,
    /// The tasks that went out.
    pub calls: Vec<Call>,
    /// The callbacks that came, oldest first, each as `GET /rejoin/deliveries/ID` has it.
    pub deliveries: Vec<Value>,
    /// What topics were told, oldest first.
    pub told: Vec<Told>,
    /// What the outside did, and how it was answered.
    pub deeds: Vec<Done>,
    /// What was asked of each mock service, and what it called back.
    pub services: Vec<Served>,
}

impl Seen {
    /// What happened in the execution, then in each child of its Map Runs.
    pub fn runs(&self) -> impl Iterator<Item = &[Event]> {
        let children = self.children.iter().map(|child| &*child.events);
        std::iter::once(&*self.events).chain(children)
    }

    /// When something happened last, in the execution or outside.
    pub fn last_at(&self) -> i64 {
        let events = self.runs().flatten();
        let events = events.map(|event| event.at.0 - self.started_at.0);
        let deeds = self.deeds.iter().map(|deed| deed.at);
        events.chain(deeds).max().unwrap_or(0)
    }
}

/// A child of a Map Run.
#[derive(Debug, Clone)]
pub struct Child {
    /// The Map Run's ARN.
    pub map_run: Arc<str>,
    /// All that happened in it.
    pub events: Vec<Event>,
}

/// How an execution ended.
#[derive(Debug, Clone)]
pub struct Ended {
    /// `SUCCEEDED`, `FAILED`, `TIMED_OUT` or `ABORTED`.
    pub status: &'static str,
    /// When.
    pub at: i64,
    /// With what, if well.
    pub output: Option<Value>,
    /// With what, if badly.
    pub failure: Option<Failure>,
}

/// A stay in a state.
#[derive(Debug, Clone)]
pub struct Passed {
    /// The state's name.
    pub name: String,
    /// When it was entered.
    pub entered: i64,
    /// When it was left; none if it never was.
    pub left: Option<i64>,
}

/// A task that went out.
#[derive(Debug, Clone)]
pub struct Call {
    /// When.
    pub at: i64,
    /// Whose: the machine's name.
    pub machine: String,
    /// The execution's ARN.
    pub execution_arn: String,
    /// The state's name.
    pub state: String,
    /// Which attempt of the state, from 0.
    pub attempt: u32,
    /// How often this attempt went out: a restart before its answer lets it go out again.
    pub asked: u32,
    /// The resource, as in the definition.
    pub resource: String,
    /// What was asked.
    pub parameters: Value,
}

/// A message to a topic.
#[derive(Debug, Clone)]
pub struct Told {
    /// When.
    pub at: i64,
    /// Which topic.
    pub topic: String,
    /// The message; JSON, if it is.
    pub message: Value,
}

/// What the outside did.
#[derive(Debug, Clone)]
pub struct Done {
    /// When.
    pub at: i64,
    /// What, in a few words.
    pub what: String,
    /// The HTTP status, and what was said.
    pub answer: (u16, Value),
    /// Which of [`Seen::calls`] it was about, if it was about one.
    pub call: Option<usize>,
    /// Which step of the script it was, if it was one.
    pub step: Option<usize>,
}

/// What a mock service did.
#[derive(Debug, Clone)]
pub struct Served {
    /// Its name.
    pub service: String,
    /// What it was asked, oldest first, and when.
    pub requests: Vec<(i64, mock::Asked)>,
    /// What it called back, oldest first, and when.
    pub callbacks: Vec<(i64, mock::Sent)>,
}
