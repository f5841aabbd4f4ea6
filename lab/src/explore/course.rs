//! What happens when all goes well, from made-up results if nobody gives any.
//!
//! - [`kinds`]: other kinds of values than text, where that fails.

mod kinds;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use asl::{ItemReader, StateKind, StateMachine};
use serde_json::{Value, json};

use super::Question;
use super::finding::listed;
use super::made_up;
use super::needs::{self, Need, Root};
use super::outside::{Outside, Script};
use super::place;
use super::play::{Stage, Tried};
use super::row::{End, Row};
use super::site::Site;
use super::trail::{Supplier, Trail, Written};
use super::way::Case;
use crate::seen::Seen;

/// How many ways through a machine are explored.
const COURSES_MAX: usize = 24;
/// How often a run is tried with more that is made up.
const ROUNDS_MAX: usize = 30;
/// How many places that were made up are named.
const MADE_UP_NAMED_MAX: usize = 8;

/// One way through a machine on which nothing goes wrong.
pub struct Course {
    /// What is special about it.
    pub name: String,
    /// What the outside answers.
    pub script: Arc<Script>,
    /// What the execution starts with.
    pub input: Value,
    /// What came of it.
    pub well: Row,
    /// What was made up: places, as `the result of A: $.b`.
    pub made_up: Vec<String>,
}

/// The results and the input of a run, given or made up.
#[derive(Clone)]
struct Draft {
    results: HashMap<String, Value>,
    input: Value,
    made_up: BTreeSet<String>,
    /// Which rule of which Choice is to apply; past the last one: none.
    turns: Vec<(String, usize)>,
}

/// A course on the way to be one.
struct Attempt<'a> {
    stage: &'a Stage,
    sites: &'a [Site],
    question: &'a Question,
    written: Written,
}

/// The courses to explore: that of the input and results as they are given or made up, and one for each way that a
/// Choice can take if what it looks at is made up. Those that end well come first.
///
/// # Errors
/// Why not even the first could be played.
pub fn all(stage: &Stage, sites: &[Site], question: &Question) -> Result<Vec<Course>, String> {
    let mut results: HashMap<String, Value> = HashMap::new();
    for site in sites {
        let given = question.results.get(&site.state);
        let result = given
            .cloned()
            .unwrap_or_else(|| made_up::result(&site.resource));
        results.insert(site.state.clone(), result);
    }
    for (state, reader) in readers(&stage.model) {
        let given = question.results.get(state).cloned();
        if let Some(other) = given.as_ref().filter(|given| !given.is_array()) {
            return Err(format!(
                "--results has {other} for {state:?}, which is a Map whose items are read: it has to be the list of these"
            ));
        }
        let items = given.unwrap_or_else(|| made_up::items(reader));
        results.insert(state.to_owned(), items);
    }
    if let Some(unknown) = question
        .results
        .keys()
        .find(|state| !results.contains_key(*state))
    {
        let mut known: Vec<&str> = results.keys().map(String::as_str).collect();
        known.sort_unstable();
        return Err(format!(
            "--results has a result for {unknown:?}, which is no Task of this machine, and no Map whose items are read; those are {}",
            listed(&known)
        ));
    }
    let attempt = Attempt {
        stage,
        sites,
        question,
        written: Written::of(&stage.machine.definition),
    };
    let draft = Draft {
        results,
        input: question.input.clone().unwrap_or_else(|| json!({})),
        made_up: BTreeSet::new(),
        turns: Vec::new(),
    };
    let first = attempt.settled(draft)?;
    if let End::NotPlayed(why) = &first.0.well.end {
        return Err(why.clone());
    }
    let mut found = vec![first];
    let mut tried: BTreeSet<(String, usize)> = BTreeSet::new();
    let mut at = 0;
    while at < found.len() && found.len() < COURSES_MAX {
        for (choice, rule, next) in attempt.turns(&found[at].0) {
            let reached = found
                .iter()
                .any(|(course, _)| course.well.states.contains(&next));
            if reached || found.len() >= COURSES_MAX || !tried.insert((choice.clone(), rule)) {
                continue;
            }
            let mut draft = found[at].1.clone();
            draft.turns.retain(|(known, _)| *known != choice);
            draft.turns.push((choice, rule));
            let (course, draft) = attempt.settled(draft)?;
            if course.well.states.contains(&next) {
                found.push((course, draft));
            }
        }
        at += 1;
    }
    let mut courses: Vec<Course> = found.into_iter().map(|(course, _)| course).collect();
    courses.sort_by_key(|course| course.well.end != End::Succeeded);
    Ok(courses)
}

impl Attempt<'_> {
    /// Plays until nothing is missing any more that can be made up.
    fn settled(&self, mut draft: Draft) -> Result<(Course, Draft), String> {
        for _ in 0..ROUNDS_MAX {
            let seen = self.tried(&draft)?;
            if !self.supply(&mut draft, &seen) && !self.in_other_kinds(&mut draft, &seen)? {
                break;
            }
        }
        let script = script(self.sites, draft.results.clone());
        let well = self.stage.play(&script, &draft.input, Case::default());
        let name = match draft.turns.last() {
            None => "as given".to_owned(),
            Some((choice, rule)) => match self.next(choice, *rule) {
                Some(next) => format!("{choice} leads to {next}"),
                None => choice.clone(),
            },
        };
        let course = Course {
            name,
            script,
            input: draft.input.clone(),
            well,
            made_up: draft.made_up.iter().cloned().collect(),
        };
        Ok((course, draft))
    }

    /// What comes of a draft.
    fn tried(&self, draft: &Draft) -> Result<Seen, String> {
        let script = script(self.sites, draft.results.clone());
        let cut = Arc::new(AtomicBool::new(false));
        let outside = Outside::new(script, Vec::new(), cut);
        let Tried { seen, .. } = self.stage.try_out(&draft.input, Box::new(outside), &[])?;
        Ok(seen)
    }

    /// Makes up what states did not find; whether there was anything.
    fn supply(&self, draft: &mut Draft, seen: &Seen) -> bool {
        let trail = Trail::of(seen);
        let inputs = Trail::inputs(seen);
        let mut changed = false;
        let mut settled: BTreeSet<String> = BTreeSet::new();
        for (at, entered) in trail.entered.iter().enumerate() {
            let (Some(input), state) = (inputs.get(at), self.written.state(&entered.name)) else {
                break;
            };
            // A loop looks at the same things each time.
            if !settled.insert(entered.name.clone()) {
                continue;
            }
            let turn = draft
                .turns
                .iter()
                .find(|(choice, _)| *choice == entered.name);
            let turn = turn.map(|(_, rule)| *rule);
            let mut needs: Vec<(Need, bool)> = needs::of(state)
                .into_iter()
                .map(|need| (need, false))
                .collect();
            if state["Type"] == "Choice" {
                let of_rule = needs::of_rule(state, turn.unwrap_or(0));
                needs.extend(of_rule.into_iter().map(|need| (need, turn.is_some())));
            }
            for (need, forced) in needs {
                let supplier = trail.supplier(&self.written, at, &need.root, &need.place);
                let there = match (&need.root, &supplier) {
                    (Root::Input, _) => place::get(input, &need.place),
                    (_, Some(Supplier::Input(place))) => place::get(&draft.input, place),
                    (_, Some(Supplier::Result(state, place))) => {
                        let result = draft.results.get(state);
                        result.and_then(|result| place::get(result, place))
                    }
                    (_, None) => None,
                };
                let met = match forced && need.exact {
                    true => there == Some(&need.value),
                    false => there.is_some_and(|there| need.is_met_by(there)),
                };
                if let (false, Some(supplier)) = (met, supplier) {
                    changed |= self.put(draft, supplier, need.value);
                }
            }
        }
        changed
    }

    /// Puts a made-up value where it comes from, unless that was given.
    fn put(&self, draft: &mut Draft, supplier: Supplier, value: Value) -> bool {
        let (document, at, whose) = match &supplier {
            Supplier::Input(_) if self.question.input.is_some() => return false,
            Supplier::Result(state, _) if self.question.results.contains_key(state) => {
                return false;
            }
            Supplier::Input(at) => (&mut draft.input, at, "the input".to_owned()),
            Supplier::Result(state, at) => match draft.results.get_mut(state) {
                Some(result) => {
                    let is_task = self.sites.iter().any(|site| site.state == *state);
                    let what = if is_task { "the result" } else { "the items" };
                    (result, at, format!("{what} of {state}"))
                }
                None => return false,
            },
        };
        if place::get(document, at) == Some(&value) {
            return false;
        }
        draft
            .made_up
            .insert(place::written(&format!("{whose}: $"), at));
        place::set(document, at, value);
        true
    }

    /// All ways that the Choice states of a course can take: the state, the rule, where it leads.
    fn turns(&self, course: &Course) -> Vec<(String, usize, String)> {
        let mut turns = Vec::new();
        for name in &course.well.states {
            let state = self.written.state(name);
            if state["Type"] != "Choice" {
                continue;
            }
            let rules = state["Choices"].as_array().map_or(0, Vec::len);
            for rule in 0..=rules {
                if let Some(next) = self.next(name, rule) {
                    turns.push((name.clone(), rule, next));
                }
            }
        }
        turns
    }

    fn next(&self, choice: &str, rule: usize) -> Option<String> {
        let state = self.written.state(choice);
        let next = match state["Choices"].get(rule) {
            Some(rule) => &rule["Next"],
            None => &state["Default"],
        };
        next.as_str().map(str::to_owned)
    }
}

fn script(sites: &[Site], results: HashMap<String, Value>) -> Arc<Script> {
    let sites = sites.iter().map(|site| (site.state.clone(), site.clone()));
    Arc::new(Script {
        sites: sites.collect(),
        results,
    })
}

impl Course {
    /// The same with tasks that know how long they wait.
    pub fn with_sites(mut self, sites: &[Site]) -> Course {
        self.script = script(sites, self.script.results.clone());
        self
    }

    /// The same with what comes of it now: answers come as fast as the tasks' deadlines need them.
    pub fn played_on(mut self, stage: &Stage) -> Course {
        self.well = stage.play(&self.script, &self.input, Case::default());
        self
    }
}

/// Tells the tasks how long they wait, as the courses have shown.
pub fn time(sites: &mut [Site], courses: &[Course]) {
    let mut deadlines: BTreeMap<&str, (Option<i64>, Option<i64>)> = BTreeMap::new();
    for (state, known) in courses.iter().flat_map(|course| &course.well.deadlines) {
        deadlines.insert(state, *known);
    }
    for site in sites {
        if let Some((timeout, heartbeat)) = deadlines.get(&*site.state) {
            (site.timeout, site.heartbeat) = (*timeout, *heartbeat);
        }
    }
}

/// The Map states whose items are read.
fn readers(machine: &StateMachine) -> impl Iterator<Item = (&str, &ItemReader)> {
    machine.states.iter().filter_map(|state| {
        let StateKind::Map(map) = &state.kind else {
            return None;
        };
        let reader = map.distributed.as_ref()?.reader.as_ref()?;
        Some((&*state.name, reader))
    })
}

/// What should be known of the courses.
pub fn notes(sites: &[Site], courses: &[Course]) -> Vec<String> {
    let mut notes = Vec::new();
    for site in sites {
        if let Some(why) = &site.not_played {
            notes.push(format!(
                "{} is answered with its token and not through its route: {why}",
                site.state
            ));
        }
    }
    let made_up: BTreeSet<&str> = courses
        .iter()
        .flat_map(|course| &course.made_up)
        .map(String::as_str)
        .collect();
    if !made_up.is_empty() {
        let named: Vec<&str> = made_up.iter().copied().take(MADE_UP_NAMED_MAX).collect();
        let more = match made_up.len() - named.len() {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        notes.push(format!(
            "made up, since states look there: {}{more}; --input and --results give others, --json shows all",
            named.join(", ")
        ));
    }
    if courses.len() > 1 {
        let others: Vec<&str> = courses
            .iter()
            .map(|course| &*course.name)
            .filter(|name| *name != "as given")
            .collect();
        notes.push(format!("explored too: {}", listed(&others)));
    }
    notes
}

/// Why there is nothing to explore, if there are tasks and the execution failed before any was asked.
pub fn no_task_is_reached(sites: &[Site], courses: &[Course]) -> Option<String> {
    let asked = |site: &Site| {
        let mut courses = courses.iter();
        courses.any(|course| course.well.states.contains(&site.state))
    };
    if sites.is_empty() || sites.iter().any(asked) {
        return None;
    }
    let how = ends_badly(courses)?;
    Some(format!(
        "nothing is explored, since no task was asked: {how}"
    ))
}

/// How the best course ends, if not even that ends well, and what to do.
pub fn ends_badly(courses: &[Course]) -> Option<String> {
    let first = &courses.first()?.well;
    if first.end == End::Succeeded {
        return None;
    }
    let told = [first.error.as_deref(), first.cause.as_deref()];
    let told: Vec<&str> = told
        .into_iter()
        .flatten()
        .filter(|text| !text.is_empty())
        .collect();
    let last = first.states.last().map(String::as_str).unwrap_or_default();
    let why = match told.is_empty() {
        true => String::new(),
        false => format!(" ({})", told.join(": ")),
    };
    Some(format!(
        "even with nothing wrong the execution ends {} in {last}{why}; give an --input, or the results of tasks with --results",
        first.end.name(),
    ))
}
