//! The outside to which mishaps happen.

use std::sync::Arc;

use asl::Data;
use parking_lot::Mutex;
use serde_json::{Value, json};

use super::mishap::{Corruption, Mishap, What, drawn};
use crate::explore::channel::{Door, Registers};
use crate::explore::errors;
use crate::explore::outside::{Script, contradicting, failure};
use crate::explore::place;
use crate::explore::site::{Kind, Site};
use crate::part::{Act, Asked, Director, Part, Reply};

/// When the answer comes if nothing happens to it.
const ANSWER_AFTER: i64 = 3_000;
/// When the resource answers.
const REPLY_AFTER: i64 = 100;
/// How many attempts have mishaps: those after them go well, so that a run has an end.
const UNLUCKY_MAX: u32 = 60;

/// Where mishaps come from.
pub enum Plan {
    /// From a seed.
    Drawn(u64),
    /// From a list.
    Written(Vec<Mishap>),
}

/// The outside.
pub struct Unlucky {
    script: Arc<Script>,
    plan: Plan,
    happened: Arc<Mutex<Vec<Mishap>>>,
    asked: u32,
}

impl Unlucky {
    /// What happens is written to `happened`.
    pub fn new(script: Arc<Script>, plan: Plan, happened: Arc<Mutex<Vec<Mishap>>>) -> Unlucky {
        Unlucky {
            script,
            plan,
            happened,
            asked: 0,
        }
    }
}

impl Director for Unlucky {
    fn items(&self, state: &str) -> Option<Vec<Value>> {
        self.script.items(state)
    }

    fn takes_objects(&self) -> bool {
        true
    }

    fn part(&mut self, task: &Asked, attempt: u32) -> Part {
        self.asked += 1;
        let mishaps = match &self.plan {
            _ if self.asked > UNLUCKY_MAX => Vec::new(),
            Plan::Drawn(seed) => drawn(*seed, &task.state, attempt),
            Plan::Written(list) => {
                let of_this =
                    |mishap: &&Mishap| mishap.state == task.state && mishap.attempt == attempt;
                list.iter().filter(of_this).cloned().collect()
            }
        };
        self.happened.lock().extend(mishaps.iter().cloned());
        let Some(site) = self.script.sites.get(&task.state) else {
            return Part::of(Reply::Return(json!({}).into()));
        };
        let result = self.script.results.get(&task.state).cloned();
        let attempt = Attempt {
            site,
            door: site.door(),
            reference: site
                .door()
                .map_or_else(String::new, |door| door.reference(task, attempt)),
            result: result.unwrap_or_else(|| json!({})),
        };
        attempt.part(&mishaps)
    }
}

struct Attempt<'s> {
    site: &'s Site,
    door: Option<&'s Door>,
    reference: String,
    result: Value,
}

impl Attempt<'_> {
    fn part(&self, mishaps: &[Mishap]) -> Part {
        let waits = self.site.kind == Kind::Callback;
        let has = |what: &What| mishaps.iter().any(|mishap| mishap.what == *what);
        let mut part = match (has(&What::Disconnect), waits) {
            (true, _) => {
                let raised = errors::raised_by(&self.site.resource);
                let name = raised.first().map_or(errors::OUTSIDES_OWN, String::as_str);
                Part::of(Reply::Throw(failure(name)))
            }
            (false, true) => Part::of(Reply::Return(Data::from(self.said()))),
            (false, false) if has(&What::Drop) => Part::of(Reply::Never),
            (false, false) => Part::of(Reply::Return(Data::from(self.result.clone()))),
        };
        let delays = mishaps.iter().map(|mishap| match mishap.what {
            What::Delay(delay) => delay,
            _ => 0,
        });
        let delay: i64 = delays.sum();
        let early = waits && has(&What::Reorder);
        part.delay = match (waits, early) {
            (true, true) => 2 * REPLY_AFTER,
            (true, false) => REPLY_AFTER,
            (false, _) => REPLY_AFTER + delay,
        };
        let mut part = self.common(part, mishaps);
        if !waits {
            return part;
        }
        if let Some(register) = self.door.and_then(|door| door.register(&self.reference)) {
            let at = part.delay;
            part = part.then(at, register);
        }
        let at = if early {
            REPLY_AFTER
        } else {
            ANSWER_AFTER + delay
        };
        if !has(&What::Drop) {
            part = part.then(at, self.answer(&self.result));
        }
        for mishap in mishaps {
            if let What::Duplicate { after, contradicts } = mishap.what {
                let said = match contradicts {
                    true => contradicting(&self.result),
                    false => self.result.clone(),
                };
                part = part.then(at + after, self.answer(&said));
            }
        }
        part
    }

    /// What happens whatever kind of task it is.
    fn common(&self, mut part: Part, mishaps: &[Mishap]) -> Part {
        for mishap in mishaps {
            part = match &mishap.what {
                What::Kill { at, down } => part.then(*at, Act::Restart(*down)),
                What::Heartbeat(at) => {
                    let beat = self.door.and_then(|door| door.beat(&self.reference));
                    part.then(*at, beat.map_or(Act::Heartbeat, Act::Callback))
                }
                What::Corrupt { at, how } => match self.door {
                    Some(door) => part.then(*at, Act::Callback(self.corrupted(door, *how))),
                    None => part,
                },
                _ => part,
            };
        }
        part
    }

    fn corrupted(&self, door: &Door, how: Corruption) -> crate::part::Callback {
        match how {
            Corruption::Malformed => door.malformed(&self.reference),
            Corruption::UnknownReference => door.success("nobodys-reference", &self.result),
            Corruption::Forged => {
                let mut callback = door.success(&self.reference, &contradicting(&self.result));
                callback.forged = true;
                callback
            }
        }
    }

    /// What the resource says when it takes the request.
    fn said(&self) -> Value {
        let mut said = json!({});
        if let Some(Registers::Result(at)) = self.door.map(|door| &door.registers) {
            place::set(&mut said, at, self.reference.clone().into());
        }
        said
    }

    fn answer(&self, result: &Value) -> Act {
        match self.door {
            Some(door) => Act::Callback(door.success(&self.reference, result)),
            None => Act::Succeed(result.clone()),
        }
    }
}
