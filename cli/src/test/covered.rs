//! What of each state machine the cases reached.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use lab::coverage::Coverage;
use lab::scenario::{Case, Outcome};
use serde_json::{Value, json};

use crate::colour::{BOLD, GREEN, YELLOW, paint};

/// By the state machine's name and definition, in the order of the cases.
pub struct Covered(Vec<(String, Arc<str>, Coverage)>);

impl Covered {
    /// What these cases reached.
    pub fn of(played: &[(&Case, &Outcome)]) -> Covered {
        let mut all: Vec<(String, Arc<str>, Coverage)> = Vec::new();
        for (case, outcome) in played {
            let Some(seen) = &outcome.seen else { continue };
            let (name, text) = (&case.machine, &case.definition.text);
            let known = all
                .iter_mut()
                .find(|(known, definition, _)| known == name && definition == text);
            match known {
                Some((.., coverage)) => coverage.add(seen),
                None => {
                    let mut coverage = Coverage::of(case.definition.machine.clone());
                    coverage.add(seen);
                    all.push((name.clone(), text.clone(), coverage));
                }
            }
        }
        Covered(all)
    }

    /// For people.
    pub fn table(&self) -> String {
        let mut text = String::new();
        for (name, _, coverage) in &self.0 {
            let counts = coverage.counts().into_iter().filter(|count| count.all > 0);
            let counts: Vec<String> = counts
                .map(|count| {
                    let said = format!("{}/{} {}", count.reached, count.all, count.of);
                    let colour = if count.reached == count.all {
                        GREEN
                    } else {
                        YELLOW
                    };
                    paint(colour, &said)
                })
                .collect();
            text.push_str(&format!("\n{}  {}\n", paint(BOLD, name), counts.join("  ")));
            for missed in coverage.missed() {
                text.push_str(&format!("    never: {missed}\n"));
            }
        }
        text
    }

    /// For `--json`.
    pub fn json(&self) -> Value {
        let all = self.0.iter().map(|(name, _, coverage)| {
            let mut said = coverage.json();
            said["machine"] = json!(name);
            said
        });
        all.collect()
    }

    /// The pictures.
    pub fn draw(&self, file: &Path) -> Result<(), String> {
        for (name, _, coverage) in &self.0 {
            let file = match self.0.len() {
                1 => file.to_owned(),
                _ => beside(file, name),
            };
            super::write(&file, &coverage.svg(name))?;
        }
        Ok(())
    }
}

/// `coverage.svg` for the machine `Loan` is `coverage-Loan.svg`.
fn beside(file: &Path, machine: &str) -> PathBuf {
    let stem = file.file_stem().unwrap_or_default().to_string_lossy();
    let end = file.extension().unwrap_or_default().to_string_lossy();
    let end = if end.is_empty() { "svg".into() } else { end };
    file.with_file_name(format!("{stem}-{machine}.{end}"))
}
