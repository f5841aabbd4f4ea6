//! A case, played: the outside does what the file says, and what comes of it is held against what must.

use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use asl::Failure;
use mock::Played;
use parking_lot::Mutex;
use serde_json::{Value, json};
use server::clock::Clock;

use super::Case;
use super::came;
use super::pattern::Mismatch;
use super::real::answered;
use super::steps;
use super::tasks::Answer;
use super::template::Surroundings;
use crate::invariant;
use crate::part::{Asked, Director, Part, Reply};
use crate::seen::Seen;
use crate::world::{Machine, World};

/// How far time goes if the file does not say: whoever waits longer waits for nothing.
const LIMIT: i64 = 10 * 365 * 86_400_000;

/// The execution's name; part of its ARN, which outputs may hold.
pub const EXECUTION: &str = "case";

/// What came of a case.
#[derive(Debug)]
pub struct Outcome {
    /// What is not as it must be.
    pub mismatches: Vec<Mismatch>,
    /// Why the case itself is not right, whatever came of it.
    pub troubles: Vec<String>,
    /// What there was to see, if it came so far.
    pub seen: Option<Seen>,
    /// The same as a document ([`came::document`]).
    pub came: Value,
    /// How long the execution took in virtual time, in milliseconds; all of it, if it has not ended.
    pub virtual_millis: i64,
    /// How long it took.
    pub real: Duration,
}

impl Outcome {
    /// Whether all is as it must be.
    pub fn passed(&self) -> bool {
        self.mismatches.is_empty() && self.troubles.is_empty()
    }
}

/// Plays a case.
pub fn play(case: &Arc<Case>) -> Outcome {
    play_of(case, &case.definition.text)
}

/// Plays a case of another state machine in place of its own: whether it notices.
pub fn play_of(case: &Arc<Case>, definition: &str) -> Outcome {
    let begun = Instant::now();
    let troubles = Arc::new(Mutex::new(Vec::new()));
    let played = played(case, definition, &troubles);
    let mut troubles = std::mem::take(&mut *troubles.lock());
    let (seen, came, mismatches, virtual_millis) = match played {
        Ok((seen, virtual_millis, cut)) => {
            let came = came::document(&seen);
            // What was cut off has not come to what is expected of it.
            let mismatches = match &cut {
                None => judged(case, &seen, &came),
                Some(_) => Vec::new(),
            };
            troubles.extend(cut);
            (Some(seen), came, mismatches, virtual_millis)
        }
        Err(why) => {
            troubles.push(why);
            (None, Value::Null, Vec::new(), 0)
        }
    };
    Outcome {
        mismatches,
        troubles,
        seen,
        came,
        virtual_millis,
        real: begun.elapsed(),
    }
}

/// What is not as the file says that it must be, and which promises do not hold, whatever it says.
fn judged(case: &Case, seen: &Seen, came: &Value) -> Vec<Mismatch> {
    let mut mismatches = case.expect.mismatches(came);
    mismatches.extend(steps::mismatches(&case.script, seen));
    for violation in invariant::violations(seen, &case.settings) {
        mismatches.push(Mismatch {
            at: format!("invariants.{}", violation.invariant),
            expected: invariant::holds(violation.invariant).to_owned(),
            got: violation.what,
        });
    }
    mismatches
}

fn played(
    case: &Arc<Case>,
    definition: &str,
    troubles: &Arc<Mutex<Vec<String>>>,
) -> Result<(Seen, i64, Option<String>), String> {
    let place = Arc::new(OnceLock::new());
    let stage = Stage {
        case: case.clone(),
        place: place.clone(),
        troubles: troubles.clone(),
        asked: 0,
    };
    let mut world = World::open(case.settings.clone(), Box::new(stage))?;
    // Nobody has asked for it yet.
    place.get_or_init(|| Place {
        clock: world.clock().clone(),
        url: world.url().into(),
        services: world.services(),
    });
    world.be_patient_for(case.patience);
    for machine in &case.machines {
        world.create(machine)?;
    }
    let arn = world.create(&Machine {
        name: case.machine.clone(),
        definition: definition.to_owned(),
    })?;
    let arn = match &case.test_case {
        Some(test_case) => format!("{arn}#{test_case}"),
        None => arn,
    };
    let begun = world.clock().now();
    for (step, planned) in case.script.iter().enumerate() {
        let surroundings = Surroundings {
            task: Value::Null,
            input: case.input.clone(),
            url: Value::Null,
            reply: Value::Null,
            now: begun.plus_millis(planned.after),
            seed: 0,
        };
        let act = planned.doing.act(&surroundings)?;
        world.plan_step(step, planned.after, act, planned.of.as_deref());
    }
    let cut = match world.start(&arn, EXECUTION, &case.input.to_string()) {
        Ok(_) => go(&mut world, case.until).err(),
        // The execution is there, and has no end.
        Err(why) if world.has_begun() => Some(why),
        Err(why) => return Err(why),
    };
    let passed = world.clock().now().0 - begun.0;
    let seen = world.seen()?;
    let cut = cut.or_else(|| in_vain(&seen));
    let took = match (&seen.ended, &seen.stuck) {
        (Some(ended), _) => ended.at,
        // How far time went on to see that nothing more happens is nobody's concern.
        (None, Some(_)) => seen.last_at(),
        (None, None) => passed,
    };
    Ok((seen, took, cut))
}

/// What an operator was refused that follows a task; steps of the script say themselves whether they are refused. Unlike a
/// third party's callback or a worker's answer, nobody does that to see it refused.
fn in_vain(seen: &Seen) -> Option<String> {
    let by_operators = ["RedriveExecution", "StopExecution"];
    let refused = seen
        .deeds
        .iter()
        .filter(|done| done.step.is_none())
        .find(|done| done.answer.0 >= 400 && by_operators.contains(&&*done.what))?;
    let (status, said) = &refused.answer;
    let why = said["message"].as_str().or(said["__type"].as_str());
    Some(format!(
        "{} was refused with {status}: {}",
        refused.what,
        why.unwrap_or_default()
    ))
}

/// Lets time go as far as the case wants it to.
fn go(world: &mut World, until: Option<i64>) -> Result<(), String> {
    if let Some(until) = until {
        return world.advance(until).map(drop);
    }
    world.until_ended(LIMIT)?;
    world.until_quiet()?;
    // A redrive may have set it going again, and now it waits.
    world.until_ended(LIMIT).map(drop)
}

/// What the outside has to know of the world that it is in.
struct Place {
    clock: Clock,
    url: Value,
    services: Option<Arc<Played>>,
}

/// The outside, as the file has it.
struct Stage {
    case: Arc<Case>,
    place: Arc<OnceLock<Place>>,
    troubles: Arc<Mutex<Vec<String>>>,
    asked: u64,
}

impl Director for Stage {
    fn part(&mut self, task: &Asked, attempt: u32) -> Part {
        match self.played(task, attempt) {
            Ok(part) => part,
            Err(why) => {
                let mut troubles = self.troubles.lock();
                if !troubles.contains(&why) {
                    troubles.push(why.clone());
                }
                Part::of(Reply::Throw(Failure::runtime(why)))
            }
        }
    }
}

impl Stage {
    fn played(&mut self, task: &Asked, attempt: u32) -> Result<Part, String> {
        let tasks = &self.case.tasks;
        let full = format!("{}.{}", task.machine, task.state);
        let mock = tasks.get(&full).or_else(|| tasks.get(&task.state));
        let Some(answer) = mock.and_then(|mock| mock.attempt(attempt)) else {
            return answered(&self.case.settings, task, false).map(|()| Part::real());
        };
        let place = self.place.get().expect("the world is open");
        let now = place.clock.now();
        self.asked += 1;
        let surroundings = Surroundings {
            task: json!({
                "state": task.state,
                "machine": task.machine,
                "execution": task.execution_arn,
                "resource": &**task.resource.as_written(),
                "parameters": task.parameters.value(),
                "token": task.token,
                "attempt": attempt + 1,
            }),
            input: self.case.input.clone(),
            url: place.url.clone(),
            reply: Value::Null,
            now,
            seed: self.asked,
        };
        let of = |why| format!("{}: {why}", task.state);
        if let (Some(asks), Some(services)) = (&answer.asks, &place.services) {
            return asks.part(answer, services, surroundings).map_err(of);
        }
        if let Answer::Real = answer.reply {
            answered(&self.case.settings, task, true)?;
        }
        answer.part(surroundings).map_err(of)
    }
}

#[cfg(test)]
mod tests {
    use engine::EventKind;

    use super::*;

    #[test]
    fn a_case_fails_whose_execution_breaks_a_promise() {
        let definition = json!({ "StartAt": "W", "States": { "W": { "Type": "Wait", "Seconds": 5, "End": true } } });
        let text = json!({ "definition": definition, "expect": { "ended": "5s" } });
        let file = std::env::temp_dir().join(format!("rejoin-promise-{}.json", std::process::id()));
        std::fs::write(&file, text.to_string()).expect("the file can be written");
        let read = super::super::read(&file, &|_| Err(String::new()), source::report::plain);
        std::fs::remove_file(&file).expect("it was there");
        let case = Arc::new(read.cases.into_iter().next().expect("it has a case"));
        let outcome = play(&case);
        assert!(outcome.passed(), "{outcome:?}");
        let mut seen = outcome.seen.expect("it was played");
        for event in &mut seen.events {
            if let EventKind::WaitStarted { until } = &mut event.kind {
                until.0 += 1;
            }
        }
        let mismatches = judged(&case, &seen, &outcome.came);
        assert_eq!(mismatches.len(), 1, "{mismatches:?}");
        assert_eq!(mismatches[0].at, "invariants.nothing-before-its-time");
        assert_eq!(
            mismatches[0].got,
            "a Wait was over at 5000 ms and not at 5001 ms"
        );
    }
}
