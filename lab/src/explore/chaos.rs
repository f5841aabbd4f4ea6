//! Chaos with a seed: faults at random in every attempt of every task, and promises that hold all the same.
//!
//! What goes wrong in an attempt is drawn from the seed, the state and the attempt alone, so that a seed is the same
//! run each time. It is written down as a list of [`Mishap`]s; a run can be played from such a list instead, and so a
//! list that breaks a promise is made shorter ([`shrink`]) until nothing can be left out of it.
//!
//! - [`mishap`]: what can happen to an attempt, and how it is drawn.
//! - [`outside`]: the outside to which it happens.
//! - [`invariant`]: the promises, checked against what was seen.

pub mod invariant;
pub mod mishap;
pub mod outside;

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

use super::course::{self, Course};
use super::play::{self, Stage};
use super::site::Site;
use super::{Question, read, site};
use crate::seen::Seen;
use invariant::{Books, Violation};
use mishap::Mishap;
use outside::{Plan, Unlucky};

/// How many seeds are tried at once before what is found is looked at.
const BATCH: u64 = 256;

/// A run, as it can be played again.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Replay {
    /// The machine that it was found with.
    pub machine: String,
    /// The seed that it was drawn from.
    pub seed: u64,
    /// The promise that it breaks.
    pub invariant: String,
    /// How.
    pub what: String,
    /// What happens.
    pub mishaps: Vec<Mishap>,
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
    pub broken: Option<Replay>,
}

/// What came of one run.
struct Run {
    mishaps: Vec<Mishap>,
    end: String,
    violations: Vec<Violation>,
}

/// The machine, and all that a run needs.
struct Ground {
    stage: Stage,
    sites: Vec<Site>,
    course: Course,
}

impl Ground {
    fn of(question: &Question) -> Result<Ground, String> {
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
        Ok(Ground {
            stage,
            sites,
            course,
        })
    }

    fn play(&self, plan: Plan) -> Result<Run, String> {
        let happened = Arc::new(Mutex::new(Vec::new()));
        let outside = Unlucky::new(self.course.script.clone(), plan, happened.clone());
        let (seen, _) = self.stage.run(&self.course.input, Box::new(outside))?;
        let mishaps = happened.lock().clone();
        Ok(Run {
            violations: self.violations(&seen),
            end: match &seen.ended {
                Some(ended) => ended.status.to_owned(),
                None => "RUNNING".to_owned(),
            },
            mishaps,
        })
    }

    fn violations(&self, seen: &Seen) -> Vec<Violation> {
        Books::of(seen, &self.sites, &self.stage.settings).violations()
    }
}

/// Plays seeds, from `first` on.
///
/// # Errors
/// What is wrong with the question, or why a seed could not be played.
pub fn chaos(question: &Question, first: u64, seeds: u64) -> Result<Chaos, String> {
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
        let runs = play::each(&batch, |seed| (*seed, ground.play(Plan::Drawn(*seed))));
        for (seed, run) in runs {
            let run = run.map_err(|why| format!("seed {seed} could not be played: {why}"))?;
            chaos.played += 1;
            chaos.mishaps += run.mishaps.len() as u64;
            *chaos.ends.entry(run.end).or_default() += 1;
            let Some(violation) = run.violations.into_iter().next() else {
                continue;
            };
            let invariant = violation.invariant;
            let breaks = |mishaps: &[Mishap]| {
                let run = ground.play(Plan::Written(mishaps.to_vec()));
                let violations = run.map(|run| run.violations).unwrap_or_default();
                violations
                    .into_iter()
                    .find(|found| found.invariant == invariant)
            };
            let mishaps = shrink(run.mishaps, |mishaps| breaks(mishaps).is_some());
            let what = breaks(&mishaps).unwrap_or(violation).what;
            chaos.broken = Some(Replay {
                machine: ground.stage.machine.name.clone(),
                seed,
                invariant: invariant.to_owned(),
                what,
                mishaps,
            });
            return Ok(chaos);
        }
        from = from.saturating_add(BATCH);
    }
    Ok(chaos)
}

/// Plays what was written down; gives the promises that it breaks.
///
/// # Errors
/// As [`chaos`].
pub fn replay(question: &Question, mishaps: Vec<Mishap>) -> Result<Vec<Violation>, String> {
    let ground = Ground::of(question)?;
    Ok(ground.play(Plan::Written(mishaps))?.violations)
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
