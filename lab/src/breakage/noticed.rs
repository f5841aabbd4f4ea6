//! Who notices that a state machine was broken: which case fails of those that passed, and what the explorer says that it
//! did not say before.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Breakage, breakages};
use crate::explore::finding::Finding;
use crate::explore::plan::Choice;
use crate::explore::play::each;
use crate::explore::{Question, explore};
use crate::report::junit::reasons;
use crate::scenario::play::play_of;
use crate::scenario::{Case, play};
use crate::world::Machine;

/// A state machine that was broken in one way.
#[derive(Debug, Clone)]
pub struct Noticed {
    /// Which machine.
    pub machine: String,
    /// What it lacks.
    pub what: String,
    /// The first case that fails without it, and what that says first.
    pub by_case: Option<(String, String)>,
    /// What the explorer finds.
    pub by_explorer: Option<Finding>,
}

/// Breaks the machines of these cases in every way that there is.
///
/// # Errors
/// Which cases fail with nothing broken, or that there is nothing to break.
pub fn all(cases: &[Arc<Case>]) -> Result<Vec<Noticed>, String> {
    let outcomes = each(cases, |case| play(case).passed());
    let failing: Vec<&str> = cases
        .iter()
        .zip(outcomes)
        .filter(|(_, passed)| !passed)
        .map(|(case, _)| &*case.name)
        .collect();
    if let Some(first) = failing.first() {
        return Err(format!(
            "{} of the cases fail with nothing broken, so that they can't notice anything: {first} is the first",
            failing.len()
        ));
    }
    let mut machines: BTreeMap<(&str, &str), Vec<&Arc<Case>>> = BTreeMap::new();
    for case in cases {
        let machine = (&*case.machine, &*case.definition.text);
        machines.entry(machine).or_default().push(case);
    }
    let mut noticed = Vec::new();
    for ((machine, definition), cases) in machines {
        let definition = serde_json::from_str(definition)
            .map_err(|why| format!("the definition of {machine} is no JSON: {why}"))?;
        // What is broken need not be a definition any more: a Choice that can be without its Default may not.
        let broken: Vec<Breakage> = breakages(&definition)
            .into_iter()
            .filter(|broken| asl::parse(&broken.definition.to_string()).machine.is_some())
            .collect();
        let question = |definition: String| question(cases[0], definition);
        let whole = explore(&question(definition.to_string()))?.findings;
        noticed.extend(each(&broken, |broken| {
            let definition = broken.definition.to_string();
            let found = explore(&question(definition.clone()));
            Noticed {
                machine: machine.to_owned(),
                what: broken.what.clone(),
                by_case: cases.iter().find_map(|case| {
                    let reasons = reasons(&play_of(case, &definition));
                    Some((case.name.clone(), reasons.into_iter().next()?))
                }),
                by_explorer: found.ok().and_then(|found| new(&whole, found.findings)),
            }
        }));
    }
    match noticed.is_empty() {
        true => Err(
            "there is nothing to break: no timeout, no Retry, no Catch, nobody who is told"
                .to_owned(),
        ),
        false => Ok(noticed),
    }
}

/// What the explorer is asked: the case's machine and input; what tasks answer it makes up.
fn question(case: &Case, definition: String) -> Question {
    Question {
        machine: Machine {
            name: case.machine.clone(),
            definition,
        },
        input: Some(case.input().clone()),
        results: BTreeMap::new(),
        settings: case.settings().clone(),
        choice: Choice::default(),
        notes: Vec::new(),
    }
}

/// The worst of what was not found before; what is said of fewer states than before is nothing new.
fn new(before: &[Finding], now: Vec<Finding>) -> Option<Finding> {
    let known = |finding: &Finding| {
        before.iter().any(|known| {
            known.code == finding.code
                && (known.what == finding.what
                    || finding.states.len() < known.states.len()
                        && finding
                            .states
                            .iter()
                            .all(|state| known.states.contains(state)))
        })
    };
    now.into_iter().find(|finding| !known(finding))
}
