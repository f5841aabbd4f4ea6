//! Chaos with a seed: faults at random in every attempt of every task, and promises that hold all the same.
//!
//! What goes wrong in an attempt is drawn from the seed, the state and the attempt alone, so that a seed is the same
//! run each time. It is written down as a list of [`Mishap`]s; a run can be played from such a list instead, and so a
//! list that breaks a promise is made shorter ([`shrink`]) until nothing can be left out of it. What is left becomes a
//! scenario file ([`Broken::scenario`]), which says what happened word for word.
//!
//! - [`mishap`]: what can happen to an attempt, and how it is drawn.
//! - [`outside`]: the outside to which it happens.
//!
//! The promises are [`crate::invariant`]'s.

pub mod mishap;
pub mod outside;

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::Mutex;
use serde::Serialize;
use serde_json::{Value, json};

use super::course::{self, Course};
use super::play::{self, Stage};
use super::{Question, read, site};
use crate::invariant::{self, Violation};
use crate::scenario::write::{Answered, Recording, Written};
use crate::seen::Seen;
use crate::world::Settings;
use mishap::Mishap;
use outside::{Plan, Unlucky};

/// How many seeds are tried at once before what is found is looked at.
const BATCH: u64 = 256;

/// What looks at a run for promises that it breaks.
pub type Promises<'p> = &'p (dyn Fn(&Seen, &Settings) -> Vec<Violation> + Sync);

/// A run that breaks a promise.
#[derive(Debug, Clone, Serialize)]
pub struct Broken {
    /// The seed that it was drawn from.
    pub seed: u64,
    /// The promise that it breaks.
    pub invariant: &'static str,
    /// How.
    pub what: String,
    /// What goes wrong.
    pub mishaps: Vec<Mishap>,
    #[serde(skip)]
    answered: Vec<Answered>,
    #[serde(skip)]
    input: Value,
}

/// What came of many seeds.
pub struct Chaos {
    /// How many were played.
    pub played: u64,
    /// How many mishaps there were in all.
    pub mishaps: u64,
    /// How executions ended: how many of each.
    pub ends: BTreeMap<String, u64>,
    /// The first that broke a promise, made as short as it can be.
    pub broken: Option<Broken>,
}

/// One run.
pub struct Run {
    /// What went wrong.
    pub mishaps: Vec<Mishap>,
    /// What was seen of it.
    pub seen: Seen,
    /// What answered.
    pub answered: Vec<Answered>,
    /// What it began with.
    pub input: Value,
}

/// How a scenario file names what it is about.
pub struct Named {
    /// The definition: its file, or itself.
    pub definition: Value,
    /// The configuration's file.
    pub config: Option<String>,
}

/// The machine, and all that a run needs.
pub struct Ground {
    stage: Stage,
    course: Course,
}

impl Ground {
    /// Where to play what is asked.
    ///
    /// # Errors
    /// What is wrong with the question.
    pub fn of(question: &Question) -> Result<Ground, String> {
        let (model, _) = read(&question.machine.definition)?;
        let stage = Stage {
            machine: question.machine.clone(),
            model: Arc::new(model),
            settings: question.settings.clone(),
        };
        let mut sites = site::all(&stage.model, &question.machine.name, &question.settings);
        let mut courses = course::all(&stage, &sites, question)?;
        course::time(&mut sites, &courses);
        let course = courses.swap_remove(0).with_sites(&sites);
        Ok(Ground { stage, course })
    }

    /// Plays one run.
    ///
    /// # Errors
    /// Why it could not be played.
    pub fn play(&self, plan: Plan) -> Result<Run, String> {
        let happened = Arc::new(Mutex::new(Vec::new()));
        let answered = Arc::new(Mutex::new(Vec::new()));
        let outside = Unlucky::new(self.course.script.clone(), plan, happened.clone());
        let recording = Recording::new(outside, answered.clone());
        let seen = self.stage.run(&self.course.input, Box::new(recording))?;
        let mishaps = happened.lock().clone();
        let answered = answered.lock().clone();
        Ok(Run {
            mishaps,
            seen,
            answered,
            input: self.course.input.clone(),
        })
    }

    /// A run that breaks a promise, without all that is not needed for it.
    fn shortest(
        &self,
        seed: u64,
        run: Run,
        violation: Violation,
        promises: Promises<'_>,
    ) -> Broken {
        let invariant = violation.invariant;
        let breaks = |mishaps: &[Mishap]| {
            let run = self.play(Plan::Written(mishaps.to_vec())).ok()?;
            let violations = promises(&run.seen, &self.stage.settings).into_iter();
            let found = violations.filter(|found| found.invariant == invariant);
            found.map(|found| found.what).next().map(|what| (run, what))
        };
        let mishaps = shrink(run.mishaps.clone(), |mishaps| breaks(mishaps).is_some());
        let (run, what) = breaks(&mishaps).unwrap_or((run, violation.what));
        Broken {
            seed,
            invariant,
            what,
            mishaps,
            answered: run.answered,
            input: run.input,
        }
    }
}

impl Broken {
    /// The run as a scenario file: `rejoin test` plays it, and it fails as long as the promise is broken.
    pub fn scenario(&self, machine: &str, named: &Named) -> String {
        let about = [
            format!(
                "Seed {} breaks {}: {}.",
                self.seed, self.invariant, self.what
            ),
            "All that is not needed for that has been left out.".to_owned(),
        ];
        let written = Written {
            about: &about,
            name: &format!("seed {} breaks {}", self.seed, self.invariant),
            definition: &named.definition,
            machine,
            config: named.config.as_deref(),
            input: &self.input,
            answered: &self.answered,
            expect: &json!({ "invariants": [self.invariant] }),
        };
        written.text()
    }
}

/// Plays seeds, from `first` on.
///
/// # Errors
/// What is wrong with the question, or why a seed could not be played.
pub fn chaos(question: &Question, first: u64, seeds: u64) -> Result<Chaos, String> {
    chaos_under(question, first, seeds, &invariant::violations)
}

/// The same, under promises of one's own.
///
/// # Errors
/// As [`chaos`].
pub fn chaos_under(
    question: &Question,
    first: u64,
    seeds: u64,
    promises: Promises<'_>,
) -> Result<Chaos, String> {
    let ground = Ground::of(question)?;
    let mut chaos = Chaos {
        played: 0,
        mishaps: 0,
        ends: BTreeMap::new(),
        broken: None,
    };
    let end = first.saturating_add(seeds);
    let mut from = first;
    while from < end {
        let batch: Vec<u64> = (from..end.min(from.saturating_add(BATCH))).collect();
        let runs = play::each(&batch, |seed| {
            let run = ground.play(Plan::Drawn(*seed)).map(|run| {
                let violation = promises(&run.seen, &ground.stage.settings)
                    .into_iter()
                    .next();
                let end = run
                    .seen
                    .ended
                    .as_ref()
                    .map_or("RUNNING", |ended| ended.status);
                // What broke nothing is only counted: a batch of histories is large.
                (
                    run.mishaps.len(),
                    end,
                    violation.map(|violation| (run, violation)),
                )
            });
            (*seed, run)
        });
        for (seed, run) in runs {
            let (mishaps, end, broken) =
                run.map_err(|why| format!("seed {seed} could not be played: {why}"))?;
            chaos.played += 1;
            chaos.mishaps += mishaps as u64;
            *chaos.ends.entry(end.to_owned()).or_default() += 1;
            if let Some((run, violation)) = broken {
                chaos.broken = Some(ground.shortest(seed, run, violation, promises));
                return Ok(chaos);
            }
        }
        from = from.saturating_add(BATCH);
    }
    Ok(chaos)
}

/// Leaves out of a list what is not needed for it to fail: halves first, then one by one, until nothing can be left
/// out any more.
pub fn shrink<T: Clone>(mut list: Vec<T>, fails: impl Fn(&[T]) -> bool) -> Vec<T> {
    let mut size = list.len().div_ceil(2);
    while size > 0 {
        let mut at = 0;
        let mut shorter = false;
        while at < list.len() {
            let end = (at + size).min(list.len());
            let rest: Vec<T> = list[..at].iter().chain(&list[end..]).cloned().collect();
            if fails(&rest) {
                list = rest;
                shorter = true;
            } else {
                at = end;
            }
        }
        if !(size == 1 && shorter) {
            size = if size == 1 { 0 } else { size.div_ceil(2) };
        }
    }
    list
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_becomes_as_short_as_it_can() {
        let fails = |list: &[u32]| list.contains(&7) && list.contains(&31);
        assert_eq!(shrink((0..100).collect(), fails), [7, 31]);
        assert_eq!(shrink(vec![7, 31], fails), [7, 31]);
        assert_eq!(shrink(vec![1, 2, 3], |_: &[u32]| true), [0_u32; 0]);
    }
}
