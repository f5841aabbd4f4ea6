//! What a person should look at, out of the matrix. Each rule has its function; what is alike becomes one finding,
//! since a list that is too long is not read.
//!
//! - [`waiting`]: what waits for ever, or for longer than anybody means.
//! - [`beating`]: heartbeats that can't do what they are for.
//! - [`telling`]: failures that nobody hears of, or that nobody can see afterwards.
//! - [`trying`]: retries without end, and work that is done twice.
//! - [`reaching`]: what no case has come to.

mod beating;
mod reaching;
mod telling;
mod trying;
mod waiting;

use asl::Diagnostic;

use super::Course;
use super::finding::{Finding, Severity};
use super::row::{End, Row};
use super::site::Site;
use super::way::{Case, Class};

/// All that findings are made from.
pub struct Evidence<'e> {
    /// The Task states.
    pub sites: &'e [Site],
    /// The machine.
    pub model: &'e asl::StateMachine,
    /// What `asl` says of the definition.
    pub diagnostics: &'e [Diagnostic],
    /// The courses that the machine takes when all goes well.
    pub courses: &'e [Course],
    /// The matrix.
    pub rows: &'e [Row],
    /// All that was played, wanted or only on the way.
    pub played: &'e [Row],
    /// Whether all cases were played, so that what was not reached can't be.
    pub is_whole: bool,
}

impl Evidence<'_> {
    /// The run that a case is compared with: that in which all goes well, or that which leads to where it happens.
    pub fn well(&self, row: &Row) -> &Row {
        let Case {
            faults,
            lead,
            course,
        } = &row.case;
        let leads =
            |other: &&Row| other.case.course == *course && other.case.faults[..] == faults[..*lead];
        match lead {
            0 => &self.courses[*course].well,
            _ => self
                .played
                .iter()
                .find(leads)
                .unwrap_or(&self.courses[*course].well),
        }
    }

    /// The rows in which one thing goes wrong.
    fn single(&self) -> impl Iterator<Item = &Row> {
        self.rows.iter().filter(|row| row.case.is_single())
    }

    /// Of these, those in which nothing else had to go wrong before.
    fn plain(&self) -> impl Iterator<Item = &Row> {
        self.single().filter(|row| row.case.lead == 0)
    }

    /// Whether a task was asked that is not when all goes well: whoever it asks may be told, or see to it.
    fn is_handled(&self, row: &Row) -> bool {
        let mut detour = row.detour(self.well(row));
        detour.any(|state| self.site(state).is_some())
    }

    fn site(&self, state: &str) -> Option<&Site> {
        self.sites.iter().find(|site| site.state == state)
    }
}

/// Everything that is found, the worst first.
pub fn all(evidence: &Evidence<'_>) -> Vec<Finding> {
    let mut found = Vec::new();
    found.extend(not_played(evidence));
    found.extend(reaching::ends_badly(evidence));
    found.extend(waiting::for_ever(evidence));
    found.extend(waiting::too_long(evidence));
    found.extend(beating::heartbeats(evidence));
    found.extend(telling::untold(evidence));
    found.extend(telling::handlers(evidence));
    found.extend(telling::notifications(evidence));
    found.extend(telling::anonymous(evidence));
    found.extend(telling::swallowed(evidence));
    found.extend(telling::lost_callbacks(evidence));
    found.extend(telling::late_answers(evidence));
    found.extend(trying::storms(evidence));
    found.extend(trying::not_retried(evidence));
    found.extend(trying::without_end(evidence));
    found.extend(trying::restarts(evidence));
    found.extend(trying::asked_again(evidence));
    found.extend(reaching::unreached(evidence));
    found.extend(reaching::diagnosed(evidence, &found));
    found.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
    found
}

/// Cases that could not be played say nothing.
fn not_played(evidence: &Evidence<'_>) -> Option<Finding> {
    let mut why = None;
    let cases: Vec<String> = evidence
        .rows
        .iter()
        .filter_map(|row| match &row.end {
            End::NotPlayed(reason) => {
                why.get_or_insert(reason);
                Some(row.case.to_string())
            }
            _ => None,
        })
        .collect();
    Some(Finding {
        severity: Severity::Error,
        code: "not-played",
        states: Vec::new(),
        what: format!("{} of the cases could not be played: {}", cases.len(), why?),
        why: "Nothing is known of what these failures do.".to_owned(),
        todo: "Play one of them alone, and see what it says.".to_owned(),
        cases,
    })
}

/// What a class of failures is called in a sentence.
fn named(class: Class) -> &'static str {
    match class {
        Class::Error => "an error of its resource",
        Class::Silence => "no answer in time",
        Class::Heartbeat => "heartbeats that stop",
        Class::Failed => "a failure that the outside reports",
        Class::Odd => "a callback that is not what it should be",
        Class::Restart => "a restart of the server",
    }
}

/// The states of some rows, each once, in the order of the definition.
fn states(evidence: &Evidence<'_>, rows: &[&Row]) -> Vec<String> {
    let is_in = |site: &&Site| rows.iter().any(|row| row.case.fault().state == site.state);
    let sites = evidence.sites.iter().filter(is_in);
    sites.map(|site| site.state.clone()).collect()
}

fn cases(rows: &[&Row]) -> Vec<String> {
    rows.iter().map(|row| row.case.to_string()).collect()
}
