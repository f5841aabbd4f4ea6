//! What `rejoin validate` tells a person: the line with a caret below it, what is wrong, what to do.

use asl::Severity;

use super::Examined;
use crate::colour::{GREEN, Paint, RED, YELLOW};

/// The report on all files.
pub(super) fn text(examined: &[Examined<'_>], paint: Paint) -> String {
    let mut text = String::new();
    for one in examined {
        text += &one.source.report(&one.found, paint);
    }
    for one in examined {
        text += &summary(one, paint);
    }
    text
}

fn summary(one: &Examined<'_>, paint: Paint) -> String {
    let errors = one.count(Severity::Error);
    let warnings = one.count(Severity::Warning);
    let mut parts = Vec::new();
    parts.push(match one.states {
        Some(states) => paint(GREEN, &format!("valid, {}", counted(states, "state"))),
        None => paint(RED, &counted(errors, "error")),
    });
    if warnings > 0 {
        parts.push(paint(YELLOW, &counted(warnings, "warning")));
    }
    format!("{}: {}\n", one.source.name, parts.join(", "))
}

fn counted(count: usize, what: &str) -> String {
    match count {
        1 => format!("1 {what}"),
        _ => format!("{count} {what}s"),
    }
}
