//! `rejoin test --break`: every state machine of the cases is broken in every way that there is, and who notices is told.
//! A way that no case notices is one that anybody may break unseen.

use std::process::ExitCode;
use std::sync::Arc;

use lab::breakage::noticed::{self, Noticed};
use lab::scenario::Case;
use serde_json::{Value, json};

use super::say;
use crate::colour::{BOLD, DIM, GREEN, RED, paint};

/// Breaks them.
///
/// # Errors
/// Why they can't be broken.
pub(super) fn run(cases: &[Arc<Case>], as_json: bool) -> Result<ExitCode, String> {
    let begun = std::time::Instant::now();
    let all = noticed::all(cases)?;
    let unseen = all.iter().filter(|one| one.by_case.is_none()).count();
    if as_json {
        let breakages: Value = all.iter().map(described).collect();
        let document =
            json!({ "noticed": all.len() - unseen, "unseen": unseen, "breakages": breakages });
        say(&format!("{document:#}\n"))?;
    } else {
        let mut machine = "";
        for one in &all {
            if one.machine != machine {
                machine = &one.machine;
                say(&format!("{}\n", paint(BOLD, machine)))?;
            }
            say(&shown(one))?;
        }
        let ways = if all.len() == 1 { "way" } else { "ways" };
        let said = match unseen {
            0 => paint(
                GREEN,
                &format!("each of {} {ways} to break it is noticed", all.len()),
            ),
            unseen => paint(
                RED,
                &format!(
                    "{unseen} of {} {ways} to break it are noticed by no case",
                    all.len()
                ),
            ),
        };
        say(&format!(
            "\n{said}, in {:.2} s\n",
            begun.elapsed().as_secs_f64()
        ))?;
    }
    Ok(match unseen {
        0 => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    })
}

fn shown(one: &Noticed) -> String {
    let (mark, case) = match &one.by_case {
        Some((name, reason)) => (paint(GREEN, "✓"), format!("{name}: {reason}")),
        None => (paint(RED, "✗"), "no case notices".to_owned()),
    };
    let explorer = match &one.by_explorer {
        Some(finding) => format!(
            "{}[{}] {}",
            finding.severity.name(),
            finding.code,
            finding.what
        ),
        None => "nothing new".to_owned(),
    };
    format!(
        "{mark} {}\n    {} {case}\n    {} {explorer}\n",
        one.what,
        paint(DIM, "test    "),
        paint(DIM, "explore ")
    )
}

fn described(one: &Noticed) -> Value {
    let by_case = one.by_case.as_ref();
    json!({
        "machine": one.machine,
        "what": one.what,
        "case": by_case.map(|(name, _)| name),
        "reason": by_case.map(|(_, reason)| reason),
        "finding": one.by_explorer,
    })
}
