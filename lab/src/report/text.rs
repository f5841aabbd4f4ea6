//! For a person at a terminal: a line a case, and of one that failed what was expected, what came, and its story.

use source::report::{BLUE, BOLD, Paint, RED};

use super::story::story;
use crate::scenario::{Case, Outcome, spoken};

const GREEN: &str = "\u{1b}[32m";
const DIM: &str = "\u{1b}[2m";

/// What is said of a case; `verbose` tells the story of one that passed, too.
pub fn case(case: &Case, outcome: &Outcome, verbose: bool, paint: Paint) -> String {
    let passed = outcome.passed();
    let mark = match passed {
        true => paint(GREEN, "✓"),
        false => paint(RED, "✗"),
    };
    let took = format!(
        "{} in {:.0} ms",
        spoken(outcome.virtual_millis),
        outcome.real.as_secs_f64() * 1000.0
    );
    let name = match passed {
        true => case.name.clone(),
        false => paint(BOLD, &case.name),
    };
    let mut text = format!("{mark} {name}  {}\n", paint(DIM, &took));
    for trouble in &outcome.troubles {
        text.push_str(&format!("    {}\n", paint(RED, trouble)));
    }
    for mismatch in &outcome.mismatches {
        text.push_str(&format!(
            "    {}\n      expected  {}\n      got       {}\n",
            paint(BOLD, &mismatch.at),
            paint(GREEN, &mismatch.expected),
            paint(RED, &mismatch.got)
        ));
    }
    if let Some(seen) = outcome.seen.as_ref().filter(|_| !passed || verbose) {
        for line in story(seen) {
            text.push_str(&format!("    {}\n", paint(BLUE, &line)));
        }
    }
    text
}
