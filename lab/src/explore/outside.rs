//! The outside of a case: every task is answered well, but for those that the case has go wrong.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use asl::{Data, Failure};
use serde_json::{Value, json};

use super::channel::{Channel, Door, Registers};
use super::place;
use super::site::{Kind, Site};
use super::way::{Fault, Way};
use crate::part::{Act, Asked, Callback, Director, Part, Reply};

/// How long a third party takes, unless it has to be faster.
const ANSWER_AFTER: i64 = 6_000;
/// How long a resource takes where it matters that it takes any time.
const REPLY_AFTER: i64 = 1_000;
/// How many tasks a case may ask before it is said to have no end.
const ASKED_MAX: u32 = 300;
/// How an execution that has no end is stopped.
pub const NO_END: &str = "NoEnd";

/// What a run is played from.
pub struct Script {
    /// The Task states.
    pub sites: HashMap<String, Site>,
    /// What each task answers when all goes well, and what the reader of each Map finds.
    pub results: HashMap<String, Value>,
}

impl Script {
    /// What a Map's reader finds.
    pub fn items(&self, state: &str) -> Option<Vec<Value>> {
        self.results.get(state)?.as_array().cloned()
    }
}

/// Plays one case.
pub struct Outside {
    script: Arc<Script>,
    faults: Vec<Fault>,
    asked: u32,
    /// Whether the case was cut off.
    cut: Arc<AtomicBool>,
}

impl Outside {
    /// For a case.
    pub fn new(script: Arc<Script>, faults: Vec<Fault>, cut: Arc<AtomicBool>) -> Outside {
        Outside {
            script,
            faults,
            asked: 0,
            cut,
        }
    }
}

impl Director for Outside {
    fn items(&self, state: &str) -> Option<Vec<Value>> {
        self.script.items(state)
    }

    fn takes_objects(&self) -> bool {
        true
    }

    fn part(&mut self, task: &Asked, attempt: u32) -> Part {
        self.asked += 1;
        if self.asked > ASKED_MAX {
            self.cut.store(true, Ordering::Relaxed);
            let stop = Failure::new(NO_END, "it goes on and on");
            return Part::of(Reply::Never).then(0, Act::Stop(stop));
        }
        let Some(site) = self.script.sites.get(&task.state) else {
            return Part::of(Reply::Return(json!({}).into()));
        };
        let result = self.script.results.get(&task.state);
        let result = result.cloned().unwrap_or_else(|| json!({}));
        let fault = self
            .faults
            .iter()
            .filter(|fault| fault.way.killed_at().is_none())
            .find(|fault| fault.state == task.state && fault.attempts.include(attempt));
        let way = fault.map(|fault| &fault.way);
        match site.kind {
            Kind::Callback => Wait::of(site, task, attempt, result).part(way),
            _ => answered(site, result, way),
        }
    }
}

/// A failure as the outside gives it.
pub fn failure(name: &str) -> Failure {
    Failure {
        error: Some(name.to_owned().into()),
        cause: Some("made up by rejoin explore".to_owned()),
    }
}

/// Something that is not what was said before.
pub fn contradicting(result: &Value) -> Value {
    match result {
        Value::Object(members) => {
            let mut members = members.clone();
            members.insert("contradicts".to_owned(), json!("the first answer"));
            Value::Object(members)
        }
        other => json!({ "contradicts": other }),
    }
}

/// A task that its resource, a job's end or a worker answers.
fn answered(site: &Site, result: Value, way: Option<&Way>) -> Part {
    let well = || Part::of(Reply::Return(Data::from(result.clone())));
    let never = || Part::of(Reply::Never);
    match way {
        Some(Way::Error(name) | Way::Failed(name)) => Part::of(Reply::Throw(failure(name))),
        Some(Way::NoAnswer) => never(),
        Some(Way::HeartbeatsStop) => stopping(site, never(), &Act::Heartbeat),
        Some(Way::HeartbeatsGoOn) => beating(site, never(), &Act::Heartbeat),
        Some(Way::RestartAsked) => {
            let after = within(REPLY_AFTER, site.deadline());
            let mut part = well().then(after / 2, Act::Restart(0));
            part.delay = after;
            part
        }
        _ => well(),
    }
}

/// A few heartbeats.
fn stopping(site: &Site, part: Part, beat: &Act) -> Part {
    let beats = site.last_beats().into_iter();
    beats.fold(part, |part, at| part.then(at, beat.clone()))
}

/// Heartbeats until TimeoutSeconds is over.
fn beating(site: &Site, part: Part, beat: &Act) -> Part {
    let every = site.heartbeat.unwrap_or(REPLY_AFTER) / 2;
    let beats = 1..=site.beats().unwrap_or(2);
    beats.fold(part, |part, at| part.then(at * every, beat.clone()))
}

/// So long, but well before the deadline.
fn within(wanted: i64, deadline: Option<i64>) -> i64 {
    deadline.map_or(wanted, |deadline| wanted.min(deadline / 2))
}

/// One attempt of a task that waits for its token.
struct Wait<'s> {
    site: &'s Site,
    door: Option<&'s Door>,
    reference: String,
    result: Value,
    after: i64,
}

impl<'s> Wait<'s> {
    fn of(site: &'s Site, task: &Asked, attempt: u32, result: Value) -> Wait<'s> {
        let door = match &site.channel {
            Channel::Route(door) => Some(&**door),
            Channel::Token => None,
        };
        Wait {
            site,
            door,
            reference: door.map_or_else(String::new, |door| door.reference(task, attempt)),
            result,
            after: within(ANSWER_AFTER, site.deadline()),
        }
    }

    /// The request is taken.
    fn taken(&self) -> Part {
        let mut said = json!({});
        if let Some(Registers::Result(at)) = self.door.map(|door| &door.registers) {
            place::set(&mut said, at, self.reference.clone().into());
        }
        Part::of(Reply::Return(Data::from(said)))
    }

    fn registered(&self, part: Part, after: i64) -> Part {
        match self.door.and_then(|door| door.register(&self.reference)) {
            Some(register) => part.then(after, register),
            None => part,
        }
    }

    fn callback(&self, made: impl Fn(&Door) -> Option<Callback>, token: Act) -> Act {
        match self.door.and_then(made) {
            Some(callback) => Act::Callback(callback),
            None => token,
        }
    }

    fn answer(&self, result: &Value) -> Act {
        let made = |door: &Door| Some(door.success(&self.reference, result));
        self.callback(made, Act::Succeed(result.clone()))
    }

    fn part(&self, way: Option<&Way>) -> Part {
        let (site, after) = (self.site, self.after);
        let begun = || self.registered(self.taken(), 0);
        let answer = || self.answer(&self.result);
        let Some(way) = way else {
            return begun().then(after, answer());
        };
        match way {
            Way::Error(name) => Part::of(Reply::Throw(failure(name))),
            Way::NoAnswer => Part::of(Reply::Never),
            Way::NoCallback => begun(),
            Way::HeartbeatsStop => {
                let beat = self.callback(|door| door.beat(&self.reference), Act::Heartbeat);
                stopping(site, begun(), &beat)
            }
            Way::HeartbeatsGoOn => {
                let beat = self.callback(|door| door.beat(&self.reference), Act::Heartbeat);
                beating(site, begun(), &beat)
            }
            Way::Failed(name) => {
                let by_route = |door: &Door| {
                    let said = door.failure()?;
                    let can = said.is_none_or(|fixed| fixed == name);
                    can.then(|| door.failed(&self.reference, name))?
                };
                let failed = self.callback(by_route, Act::Fail(failure(name)));
                begun().then(after, failed)
            }
            Way::Late => {
                let deadline = site.deadline().unwrap_or(after);
                begun().then(deadline + deadline / 2, answer())
            }
            Way::DuplicateIdentical => begun().then(after, answer()).then(2 * after, answer()),
            Way::DuplicateContradicting => {
                let other = self.answer(&contradicting(&self.result));
                begun().then(after, answer()).then(2 * after, other)
            }
            Way::UnknownReference => {
                let made = |door: &Door| Some(door.success("nobodys-reference", &self.result));
                begun().then(after, self.callback(made, answer()))
            }
            Way::Malformed => {
                let made = |door: &Door| Some(door.malformed(&self.reference));
                begun().then(after, self.callback(made, answer()))
            }
            Way::Forged => {
                let made = |door: &Door| {
                    let mut callback = door.success(&self.reference, &self.result);
                    callback.forged = true;
                    Some(callback)
                };
                begun().then(after, self.callback(made, answer()))
            }
            Way::Early => {
                // The third party is faster than whoever asked it.
                let reply = within(REPLY_AFTER, site.deadline());
                let mut part = self.registered(self.taken().then(reply / 2, answer()), reply);
                part.delay = reply;
                part
            }
            Way::RestartAsked => {
                let reply = within(REPLY_AFTER, site.deadline());
                let mut part = begun().then(reply / 2, Act::Restart(0));
                part.delay = reply;
                part.then(reply.max(after), answer())
            }
            Way::RestartWaiting => begun()
                .then(after / 2, Act::Restart(0))
                .then(after, answer()),
            Way::RestartPaused { .. } => begun().then(after, answer()),
        }
    }
}
