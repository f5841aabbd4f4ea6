//! How many cases of scenarios pass in a second: those of a file, over and over, as `rejoin test` plays them.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use lab::scenario::{self, Case};
use serde_json::{Value, json};

use crate::colour::paint_error;
use crate::test;

/// What was measured.
pub struct Row {
    cases: usize,
    took: Duration,
    threads: usize,
    /// How long one case takes on its thread, in milliseconds: half of them less, one in a hundred more.
    case_p50_ms: f64,
    case_p99_ms: f64,
}

/// Plays so many cases of a file.
///
/// # Errors
/// What is wrong with the file, or which case does not pass: what fails is not measured.
pub fn drive(file: &Path, count: usize) -> Result<Row, String> {
    let read = scenario::read(file, &test::configured, paint_error);
    if let Some(faults) = read.faults {
        eprint!("{faults}");
        return Err(format!("{} is not right", file.display()));
    }
    let cases: Vec<Arc<Case>> = read.cases.into_iter().map(Arc::new).collect();
    let many: Vec<Arc<Case>> = cases.iter().cycle().take(count).cloned().collect();
    let begun = Instant::now();
    let mut failed = None;
    let outcomes = test::run::all(&many, |case, outcome| {
        if !outcome.passed() {
            failed.get_or_insert_with(|| case.name.clone());
        }
    });
    let took = begun.elapsed();
    if let Some(name) = failed {
        return Err(format!(
            "the case {name} does not pass: rejoin test {}",
            file.display()
        ));
    }
    let mut each: Vec<f64> = outcomes
        .iter()
        .map(|outcome| outcome.real.as_secs_f64() * 1000.0)
        .collect();
    each.sort_by(f64::total_cmp);
    let at = |share: f64| {
        let index = (each.len() as f64 * share) as usize;
        each.get(index.min(each.len().saturating_sub(1)))
            .copied()
            .unwrap_or_default()
    };
    Ok(Row {
        cases: outcomes.len(),
        took,
        threads: std::thread::available_parallelism().map_or(1, usize::from),
        case_p50_ms: at(0.5),
        case_p99_ms: at(0.99),
    })
}

impl Row {
    /// For people.
    pub fn line(&self) -> String {
        format!(
            "{} cases in {:.2} s on {} threads: {:.0} a second, one in {:.1} ms (p50), {:.1} ms (p99)",
            self.cases,
            self.took.as_secs_f64(),
            self.threads,
            self.cases as f64 / self.took.as_secs_f64(),
            self.case_p50_ms,
            self.case_p99_ms
        )
    }

    /// For programs.
    pub fn json(&self) -> Value {
        json!({
            "cases": self.cases,
            "seconds": self.took.as_secs_f64(),
            "threads": self.threads,
            "caseMilliseconds": { "p50": self.case_p50_ms, "p99": self.case_p99_ms },
        })
    }
}
