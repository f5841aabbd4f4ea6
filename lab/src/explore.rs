//! What no scenario asked: every task of a machine goes wrong in every way, and what comes of it is looked at.
//!
//! One run in which all goes well shows what tasks are asked and how long they wait ([`course`]); then each task
//! ([`site`]) fails in each way that it can ([`way`], [`errors`]), in a world of its own ([`play`], [`outside`]). What
//! came of each is a [`row`] of the matrix, and rules over all rows make [`findings`]. Nothing is random: the same
//! definition gives the same matrix. What is random is apart: [`chaos`], with a seed.
//!
//! Not known here: terminals, files.

pub mod channel;
pub mod chaos;
pub mod course;
pub mod errors;
mod express;
pub mod finding;
pub mod findings;
pub mod made_up;
pub mod needs;
pub mod outside;
pub mod place;
pub mod plan;
pub mod play;
pub mod report;
pub mod row;
pub mod site;
pub mod trail;
pub mod way;

use std::collections::BTreeMap;
use std::sync::Arc;

use asl::{Diagnostic, StateMachine};
use serde_json::Value;

pub use course::Course;
use finding::Finding;
use findings::Evidence;
use play::Stage;
use row::Row;
use site::Site;

use crate::world::{Machine, Settings};

/// How many handlers behind each other are tried: one that handles what went wrong in another.
const HANDLERS_DEEP_MAX: usize = 3;

/// What to explore.
#[derive(Clone)]
pub struct Question {
    /// The machine. If a route of the settings expects its tasks, the name is the one that it knows.
    pub machine: Machine,
    /// The input; made up if there is none.
    pub input: Option<Value>,
    /// What tasks answer, by state; made up for all others.
    pub results: BTreeMap<String, Value>,
    /// How the server is configured.
    pub settings: Settings,
    /// Which cases.
    pub choice: plan::Choice,
    /// What should be known of how the question came about.
    pub notes: Vec<String>,
}

/// What was found.
pub struct Exploration {
    /// The machine's name.
    pub name: String,
    /// The machine.
    pub model: Arc<StateMachine>,
    /// Its tasks.
    pub sites: Vec<Site>,
    /// What happens when all goes well.
    pub courses: Vec<Course>,
    /// The matrix.
    pub rows: Vec<Row>,
    /// What a person should look at, the worst first.
    pub findings: Vec<Finding>,
    /// What should be known of how this was done.
    pub notes: Vec<String>,
}

/// Explores.
///
/// # Errors
/// One sentence: what is wrong with the definition or the settings, or that there would be too many cases.
pub fn explore(question: &Question) -> Result<Exploration, String> {
    let (model, diagnostics) = read(&question.machine.definition)?;
    let model = Arc::new(model);
    let mut notes = question.notes.clone();
    let mut machine = question.machine.clone();
    if let Some((definition, shown)) = express::kept(&machine.definition) {
        machine.definition = definition;
        notes.push(shown);
    }
    let stage = Stage {
        machine,
        model: model.clone(),
        settings: question.settings.clone(),
    };
    let mut sites = site::all(&model, &question.machine.name, &question.settings);
    let courses = course::all(&stage, &sites, question)?;
    course::time(&mut sites, &courses);
    notes.extend(course::notes(&sites, &courses));
    let courses: Vec<Course> = courses
        .into_iter()
        .map(|course| course.with_sites(&sites).played_on(&stage))
        .collect();
    let play = |cases: &[way::Case]| {
        let mut rows = play::each(cases, |case| {
            let course = &courses[case.course];
            stage.play(&course.script, &course.input, case.clone())
        });
        for row in &mut rows {
            row.tell(&courses[row.case.course].well);
        }
        rows
    };
    let choice = &question.choice;
    let singles = plan::singles(&sites, &courses);
    let mut chosen = choice.of(&singles);
    // What leads to a handler is only known once everything before it has gone wrong, wanted or not.
    let through_others = chosen.is_empty() || !choice.is_restricted();
    if through_others {
        chosen.clone_from(&singles);
    }
    let mut pairs = match choice.pairs {
        true => choice.of(&plan::pairs(&singles)),
        false => Vec::new(),
    };
    let cut = choice.cut(&mut chosen, &mut pairs)?;
    let mut played = play(&chosen);
    for _ in 0..HANDLERS_DEEP_MAX {
        let led = plan::led(&sites, &courses, &played);
        if !through_others || led.is_empty() {
            break;
        }
        played.extend(play(&led));
    }
    played.extend(play(&choice.of(&plan::paused(&courses, &played))));
    pairs.retain(|pair| plan::can_come_about(pair, &played));
    played.extend(play(&pairs));
    let mut rows = played.clone();
    rows.retain(|row| choice.wants(&row.case));
    if rows.is_empty() && choice.is_restricted() {
        return Err(choice.chooses_nothing(&sites));
    }
    if let Some(why) = course::no_task_is_reached(&sites, &courses).filter(|_| rows.is_empty()) {
        return Err(why);
    }
    notes.extend(cut.clone());
    let findings = findings::all(&Evidence {
        sites: &sites,
        model: &model,
        diagnostics: &diagnostics,
        courses: &courses,
        rows: &rows,
        played: &played,
        is_whole: cut.is_none() && !choice.is_restricted(),
    });
    Ok(Exploration {
        name: question.machine.name.clone(),
        model,
        sites,
        courses,
        rows,
        findings,
        notes,
    })
}

/// Reads a definition, with what is said of it.
fn read(definition: &str) -> Result<(StateMachine, Vec<Diagnostic>), String> {
    let parsed = asl::parse(definition);
    let is_error = |found: &&Diagnostic| found.severity == asl::Severity::Error;
    let fault = parsed.diagnostics.iter().find(is_error);
    match (parsed.machine, fault) {
        (Some(machine), _) => Ok((machine, parsed.diagnostics)),
        (None, Some(fault)) => Err(format!("the definition is not right: {fault}")),
        (None, None) => Err("the definition is not right".to_owned()),
    }
}
