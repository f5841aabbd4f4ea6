//! Which cases are played.

use std::collections::BTreeSet;

use super::course::Course;
use super::finding::listed;
use super::row::Row;
use super::site::Site;
use super::way::{Attempts, Case, Class, Fault, Way};

/// How many cases are played unless somebody allows more.
pub const CASES_MAX: usize = 5_000;

/// What of all there could be.
#[derive(Debug, Clone, Default)]
pub struct Choice {
    /// Only these tasks; all if there are none. `*` stands for any text.
    pub tasks: Vec<String>,
    /// Only these cases, as `TASK/FAILURE`, with `*` for any text; all if there are none.
    pub only: Vec<String>,
    /// Two things that go wrong in one run, too.
    pub pairs: bool,
    /// How many cases at most; [`CASES_MAX`] if nothing is said.
    pub limit: Option<usize>,
}

/// What goes wrong alone, in the tasks that the courses come to.
pub fn singles(sites: &[Site], courses: &[Course]) -> Vec<Case> {
    let mut singles: Vec<Case> = Vec::new();
    for site in sites {
        let passes = |course: &Course| course.well.states.contains(&site.state);
        let Some(course) = courses.iter().position(passes) else {
            continue;
        };
        singles.extend(site.faults().into_iter().map(|fault| Case {
            faults: vec![fault],
            lead: 0,
            course,
        }));
    }
    singles
}

/// What goes wrong in tasks that are only come to when something else has gone wrong, by the first of `rows` that
/// comes there.
pub fn led(sites: &[Site], courses: &[Course], rows: &[Row]) -> Vec<Case> {
    let passed = |state: &String| {
        courses
            .iter()
            .any(|course| course.well.states.contains(state))
            || rows.iter().any(|row| row.case.fault().state == *state)
    };
    let mut cases = Vec::new();
    for site in sites.iter().filter(|site| !passed(&site.state)) {
        let Some(lead) = rows.iter().find(|row| row.states.contains(&site.state)) else {
            continue;
        };
        cases.extend(site.faults().into_iter().map(|fault| {
            let mut faults = lead.case.faults.clone();
            let lead_count = faults.len();
            faults.push(fault);
            Case {
                faults,
                lead: lead_count,
                course: lead.case.course,
            }
        }));
    }
    cases
}

/// Whether what is to go wrong with a later attempt can: what is not tried again has no later attempts. `played` has the
/// first thing alone.
pub fn can_come_about(pair: &Case, played: &[Row]) -> bool {
    let [first, then] = pair.faults.as_slice() else {
        return true;
    };
    if first.state != then.state || then.attempts != Attempts::Later {
        return true;
    }
    let alone = |row: &&Row| {
        let [fault] = row.case.faults.as_slice() else {
            return false;
        };
        row.case.course == pair.course
            && (&fault.state, &fault.way) == (&first.state, &first.way)
            && fault.attempts == Attempts::Every
    };
    played.iter().find(alone).is_none_or(|row| {
        let mut pauses = row.pauses.iter();
        pauses.any(|pause| pause.retrying && pause.state == first.state)
    })
}

/// A restart in each Wait state, and before each task is tried again: halfway through the first such pause that
/// there is. Where something had to go wrong to come there, it leads there.
pub fn paused(courses: &[Course], rows: &[Row]) -> Vec<Case> {
    let mut known: BTreeSet<(&str, bool)> = BTreeSet::new();
    let mut cases = Vec::new();
    let once = |row: &&Row| {
        row.case
            .faults
            .iter()
            .all(|fault| fault.attempts == Attempts::First)
    };
    let wells = courses
        .iter()
        .enumerate()
        .map(|(at, course)| (at, &course.well));
    // What goes wrong once and then well shows more than what is given up.
    let rows = rows
        .iter()
        .filter(once)
        .chain(rows.iter().filter(|row| !once(row)));
    for (course, row) in wells.chain(rows.map(|row| (row.case.course, row))) {
        for pause in row.pauses.iter().filter(|pause| pause.until > pause.from) {
            if !known.insert((&pause.state, pause.retrying)) {
                continue;
            }
            let mut faults = row.case.faults.clone();
            let lead = faults.len();
            faults.push(Fault {
                state: pause.state.clone(),
                way: Way::RestartPaused {
                    retrying: pause.retrying,
                    at: pause.from + (pause.until - pause.from) / 2,
                },
                attempts: Attempts::Every,
            });
            cases.push(Case {
                faults,
                lead,
                course,
            });
        }
    }
    cases
}

impl Choice {
    /// Whether not all are wanted.
    pub fn is_restricted(&self) -> bool {
        !self.tasks.is_empty() || !self.only.is_empty()
    }

    /// Whether this one is wanted.
    pub fn wants(&self, case: &Case) -> bool {
        let named = |fault: &Fault| self.tasks.iter().any(|task| matches(task, &fault.state));
        let of_tasks = self.tasks.is_empty() || case.faults[case.lead..].iter().any(named);
        let text = case.to_string();
        of_tasks && (self.only.is_empty() || self.only.iter().any(|only| matches(only, &text)))
    }

    /// Those of the cases that are wanted.
    pub fn of(&self, cases: &[Case]) -> Vec<Case> {
        cases
            .iter()
            .filter(|case| self.wants(case))
            .cloned()
            .collect()
    }

    /// Leaves no more than are allowed, and says what was left out.
    ///
    /// # Errors
    /// How many there would be, and how to have fewer.
    pub fn cut(
        &self,
        singles: &mut Vec<Case>,
        pairs: &mut Vec<Case>,
    ) -> Result<Option<String>, String> {
        let many = singles.len() + pairs.len();
        let limit = self.limit.unwrap_or(CASES_MAX);
        if many <= limit {
            return Ok(None);
        }
        if self.limit.is_none() {
            let of_pairs = match pairs.len() {
                0 => String::new(),
                pairs => format!(", {pairs} of them pairs"),
            };
            return Err(format!(
                "that would be {many} cases{of_pairs}, and more than {CASES_MAX} are not played unasked: choose tasks with --task NAME or cases with --only 'TASK/*', or allow them with --limit {many}"
            ));
        }
        singles.truncate(limit);
        pairs.truncate(limit - singles.len());
        Ok(Some(format!(
            "only the first {limit} of {many} cases were played (--limit)"
        )))
    }

    /// What to say to a choice that no case is of.
    pub fn chooses_nothing(&self, sites: &[Site]) -> String {
        let asked: Vec<&String> = self.tasks.iter().chain(&self.only).collect();
        let tasks: Vec<&str> = sites.iter().map(|site| &*site.state).collect();
        format!(
            "no case is chosen by {}; the tasks are {}, and a case is for example {}",
            listed(&asked),
            listed(&tasks),
            example(sites)
        )
    }
}

fn example(sites: &[Site]) -> String {
    let fault = sites
        .iter()
        .find_map(|site| site.faults().into_iter().next());
    fault.map_or_else(
        || "TASK/no-answer".to_owned(),
        |fault| format!("\"{fault}\""),
    )
}

/// Every two faults of different tasks in one run, and every two of one task, one attempt after the other.
pub fn pairs(singles: &[Case]) -> Vec<Case> {
    let mut pairs = Vec::new();
    let once = |case: &Case| case.faults[0].attempts == Attempts::Every;
    for (at, first) in singles.iter().enumerate().filter(|(_, case)| once(case)) {
        let one = &first.faults[0];
        for (later, second) in singles.iter().enumerate().filter(|(_, case)| once(case)) {
            let other = &second.faults[0];
            if first.course != second.course || at == later {
                continue;
            }
            let faults = if one.state == other.state {
                let can_be_tried_again =
                    !matches!(one.way.class(), Class::Restart) && !one.way.is_harmless();
                if !can_be_tried_again {
                    continue;
                }
                vec![
                    Fault {
                        attempts: Attempts::First,
                        ..one.clone()
                    },
                    Fault {
                        attempts: Attempts::Later,
                        ..other.clone()
                    },
                ]
            } else if at < later {
                vec![one.clone(), other.clone()]
            } else {
                continue;
            };
            pairs.push(Case {
                faults,
                lead: 0,
                course: first.course,
            });
        }
    }
    pairs
}

/// Whether a text is of a pattern in which `*` stands for any text.
fn matches(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = text.strip_prefix(first) else {
        return false;
    };
    let parts: Vec<&str> = parts.collect();
    let Some((last, middle)) = parts.split_last() else {
        return rest.is_empty();
    };
    for part in middle {
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_any_text() {
        for (pattern, text, expected) in [
            ("A/late", "A/late", true),
            ("A/late", "A/later", false),
            ("A/*", "A/late", true),
            ("*/late", "A/late", true),
            ("A/*.*Exception", "A/Lambda.ServiceException", true),
            ("A/*.*Exception", "A/LambdaServiceException", false),
            ("*", "anything", true),
        ] {
            assert_eq!(matches(pattern, text), expected, "{pattern} {text}");
        }
    }
}
