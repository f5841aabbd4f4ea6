//! What happens when all goes well, from made-up results if nobody gives any.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use serde_json::{Value, json};

use super::Question;
use super::finding::listed;
use super::made_up;
use super::outside::Script;
use super::play::Stage;
use super::row::{End, Row};
use super::site::Site;
use super::way::Case;

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

/// The courses to explore: the first is that of the input and results as they are given.
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
    if let Some(unknown) = question
        .results
        .keys()
        .find(|state| !results.contains_key(*state))
    {
        let tasks: Vec<&str> = sites.iter().map(|site| &*site.state).collect();
        return Err(format!(
            "--results has a result for {unknown:?}, which is no Task of this machine; its tasks are {}",
            listed(&tasks)
        ));
    }
    let input = question.input.clone().unwrap_or_else(|| json!({}));
    let course = play(stage, sites, results, input, "as given")?;
    Ok(vec![course])
}

/// Plays a course.
fn play(
    stage: &Stage,
    sites: &[Site],
    results: HashMap<String, Value>,
    input: Value,
    name: &str,
) -> Result<Course, String> {
    let script = script(sites, results);
    let well = stage.play(&script, &input, Case::default());
    match &well.end {
        End::NotPlayed(why) => Err(why.clone()),
        _ => Ok(Course {
            name: name.to_owned(),
            script,
            input,
            well,
            made_up: Vec::new(),
        }),
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
    let first = &courses[0].well;
    if first.end != End::Succeeded {
        let error = first.error.as_deref().unwrap_or_default();
        let cause = first.cause.as_deref().unwrap_or_default();
        notes.push(format!(
            "even with nothing wrong the execution ends {} {error} {cause}: give an --input, or the results of tasks with --results",
            first.end.name(),
        ));
    }
    notes
}
