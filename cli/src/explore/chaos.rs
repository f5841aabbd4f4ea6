//! `rejoin explore --seeds`: what came of them, and a run that broke a promise.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use lab::explore::Question;
use lab::explore::chaos::{self, Broken, Chaos, Named};
use lab::invariant::INVARIANTS;
use serde_json::json;

use super::write;
use crate::ask::print;
use crate::colour::{BOLD, GREEN, RED, paint};

/// Which seeds, and what is done about what they show.
pub(super) struct Seeds<'f> {
    pub first: u64,
    pub many: u64,
    pub broken: Option<&'f Path>,
    pub json: bool,
    /// What the flags name.
    pub definition: &'f str,
    pub config: Option<&'f Path>,
}

impl Seeds<'_> {
    /// Plays them.
    pub fn play(&self, question: &Question) -> Result<ExitCode, String> {
        let begun = std::time::Instant::now();
        let chaos = chaos::chaos(question, self.first, self.many)?;
        let took = begun.elapsed();
        let scenario = chaos
            .broken
            .as_ref()
            .map(|broken| self.scenario(question, broken));
        if let (Some(file), Some(scenario)) = (self.broken, &scenario) {
            write(file, scenario)?;
        }
        if self.json {
            let broken = chaos.broken.as_ref().map(serde_json::to_value).transpose();
            let broken = broken.map_err(|e| format!("what was found can't be written: {e}"))?;
            let said = json!({
                "seeds": chaos.played,
                "mishaps": chaos.mishaps,
                "ends": chaos.ends,
                "broken": broken,
                "scenario": scenario,
            });
            print(&format!("{said:#}\n"));
        } else {
            print(&self.told(&chaos, scenario.as_deref(), took));
        }
        Ok(match chaos.broken {
            Some(_) => ExitCode::FAILURE,
            None => ExitCode::SUCCESS,
        })
    }

    /// The scenario file of a run that broke a promise.
    fn scenario(&self, question: &Question, broken: &Broken) -> String {
        let folder = self.broken.and_then(Path::parent).unwrap_or(Path::new(""));
        let inside = || serde_json::from_str(&question.machine.definition).unwrap_or_default();
        let named = Named {
            // What came from a pipe, or was filled in, stands in the file itself.
            definition: match self.definition == "-" || !question.notes.is_empty() {
                true => inside(),
                false => named_from(folder, Path::new(self.definition)).into(),
            },
            config: self.config.map(|config| named_from(folder, config)),
        };
        broken.scenario(&question.machine.name, &named)
    }

    fn told(&self, chaos: &Chaos, scenario: Option<&str>, took: std::time::Duration) -> String {
        let ends: Vec<String> = chaos
            .ends
            .iter()
            .map(|(end, many)| format!("{many} {end}"))
            .collect();
        let mut text = format!(
            "{} seeds from {}, {} mishaps, in {:.1} s: {}\n",
            chaos.played,
            self.first,
            chaos.mishaps,
            took.as_secs_f64(),
            ends.join(", ")
        );
        let (Some(broken), Some(scenario)) = (&chaos.broken, scenario) else {
            let names = INVARIANTS.map(|(name, _)| name).join(", ");
            text.push_str(&format!("{}: {names}\n", paint(GREEN, "all promises held")));
            return text;
        };
        text.push_str(&format!(
            "{} seed {}: {}\n",
            paint(RED, broken.invariant),
            broken.seed,
            paint(BOLD, &broken.what)
        ));
        match self.broken {
            Some(file) => {
                text.push_str(&format!(
                    "play it again with rejoin test {}\n",
                    file.display()
                ));
            }
            None => text.push_str(&format!(
                "as a scenario, for a file that rejoin test plays:\n\n{scenario}"
            )),
        }
        text
    }
}

/// A file as one in `folder` names it.
fn named_from(folder: &Path, file: &Path) -> String {
    let whole = |path: &Path| -> Option<Vec<PathBuf>> {
        let path = path.canonicalize().or_else(|_| std::path::absolute(path));
        let path = path.ok()?;
        let parts = path.components();
        Some(parts.map(|part| PathBuf::from(part.as_os_str())).collect())
    };
    let folder = match folder.as_os_str().is_empty() {
        true => Path::new("."),
        false => folder,
    };
    let (Some(from), Some(to)) = (whole(folder), whole(file)) else {
        return file.display().to_string();
    };
    let same = from.iter().zip(&to).take_while(|(a, b)| a == b).count();
    let up = std::iter::repeat_n(PathBuf::from(".."), from.len() - same);
    let path: PathBuf = up.chain(to[same..].iter().cloned()).collect();
    path.display().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_named_from_where_the_scenario_is() {
        for (folder, file, expected) in [
            ("", "a.json", "a.json"),
            ("tests", "tests/a.json", "a.json"),
            ("tests/broken", "flows/a.json", "../../flows/a.json"),
            ("/tmp/x", "/tmp/a.json", "../a.json"),
        ] {
            let named = named_from(Path::new(folder), Path::new(file));
            assert_eq!(named, expected, "{folder} {file}");
        }
    }
}
