//! `rejoin explore --seeds`: what came of them, and a run that broke a promise.

use std::path::Path;
use std::process::ExitCode;

use lab::explore::Question;
use lab::explore::chaos::{self, Chaos, Replay};
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
}

impl Seeds<'_> {
    /// Plays them.
    pub fn play(&self, question: &Question) -> Result<ExitCode, String> {
        let begun = std::time::Instant::now();
        let chaos = chaos::chaos(question, self.first, self.many)?;
        let took = begun.elapsed();
        if let (Some(file), Some(broken)) = (self.broken, &chaos.broken) {
            write(file, &document(broken)?)?;
        }
        if self.json {
            let broken = chaos.broken.as_ref().map(serde_json::to_value).transpose();
            let broken = broken.map_err(|e| format!("what was found can't be written: {e}"))?;
            let said = json!({ "seeds": chaos.played, "mishaps": chaos.mishaps, "ends": chaos.ends, "broken": broken });
            print(&format!("{said:#}\n"));
        } else {
            print(&self.told(&chaos, took)?);
        }
        Ok(match chaos.broken {
            Some(_) => ExitCode::FAILURE,
            None => ExitCode::SUCCESS,
        })
    }

    fn told(&self, chaos: &Chaos, took: std::time::Duration) -> Result<String, String> {
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
        let Some(broken) = &chaos.broken else {
            text.push_str(&format!(
                "{}: one-completion-per-wait, no-acknowledged-callback-lost, every-non-delivery-alerted, nothing-before-its-time\n",
                paint(GREEN, "all promises held")
            ));
            return Ok(text);
        };
        text.push_str(&format!(
            "{} seed {}: {}\n",
            paint(RED, &broken.invariant),
            broken.seed,
            paint(BOLD, &broken.what)
        ));
        match self.broken {
            Some(file) => {
                text.push_str(&format!("play it again with --replay {}\n", file.display()))
            }
            None => text.push_str(&format!(
                "write this to a file, and play it again with --replay FILE:\n{}",
                document(broken)?
            )),
        }
        Ok(text)
    }
}

fn document(broken: &Replay) -> Result<String, String> {
    let text = serde_json::to_string_pretty(broken);
    text.map(|text| format!("{text}\n"))
        .map_err(|e| format!("what was found can't be written: {e}"))
}

/// Plays a run that was written down.
pub(super) fn replay(question: &Question, file: &Path) -> Result<ExitCode, String> {
    let text = std::fs::read_to_string(file)
        .map_err(|e| format!("{} can't be read: {e}", file.display()))?;
    let written: Replay = serde_json::from_str(&text).map_err(|e| {
        format!(
            "{} is no run that --broken has written: {e}",
            file.display()
        )
    })?;
    let violations = chaos::replay(question, written.mishaps)?;
    if violations.is_empty() {
        print(&format!("{}\n", paint(GREEN, "all promises held")));
        return Ok(ExitCode::SUCCESS);
    }
    for violation in violations {
        print(&format!(
            "{} {}\n",
            paint(RED, violation.invariant),
            violation.what
        ));
    }
    Ok(ExitCode::FAILURE)
}
