//! What a person is told of a file: the line with a caret below it, what is wrong, what to do.

use std::fmt::Write;

use asl::Severity;

use crate::{Found, Place};

/// What is wrong.
pub const RED: &str = "\u{1b}[31m";
/// What wants a look.
pub const YELLOW: &str = "\u{1b}[33m";
/// What frames.
pub const BLUE: &str = "\u{1b}[34m";
/// What counts.
pub const BOLD: &str = "\u{1b}[1m";

/// Gives a text a colour, if whoever reads it wants colours.
pub type Paint = fn(colour: &str, text: &str) -> String;

/// No colour.
pub fn plain(_colour: &str, text: &str) -> String {
    text.to_owned()
}

/// A line is shown up to this many characters; definitions are at times one long line.
const LINE_MAX: usize = 100;
/// How much of a cut line stands before the caret.
const BEFORE_CARET: usize = 30;

/// Writing to a string does not fail.
const WRITES: &str = "a string takes everything";

pub(super) fn diagnostic(file: &str, found: &Found<'_>, paint: Paint) -> String {
    let said = &found.diagnostic;
    let (colour, severity) = weight(said.severity);
    let head = match said.code {
        "" => format!("{severity}:"),
        code => format!("{severity}[{code}]"),
    };
    let head = paint(colour, &head);
    let mut text = format!("{head} {}\n", paint(BOLD, said.message.trim_end()));
    let gutter = match &found.place {
        Some(place) => " ".repeat(place.line.to_string().len()),
        None => String::new(),
    };
    let arrow = paint(BLUE, &format!("{gutter}-->"));
    let line = found.place.as_ref().map_or(String::new(), |place| {
        format!(":{}:{}", place.line, place.column)
    });
    let pointer = match said.pointer.as_str() {
        "" | "/" => String::new(),
        pointer => format!("  {pointer}"),
    };
    writeln!(text, "{arrow} {file}{line}{pointer}").expect(WRITES);
    let bar = paint(BLUE, &format!("{gutter} |"));
    if let Some(place) = &found.place {
        let (line, before, width) = excerpt(place);
        let number = paint(BLUE, &format!("{} |", place.line));
        let carets = paint(colour, &"^".repeat(width));
        writeln!(text, "{bar}\n{number} {line}\n{bar} {before}{carets}").expect(WRITES);
    }
    if let Some(hint) = &said.hint {
        let equals = paint(BLUE, &format!("{gutter} ="));
        let indent = format!("\n{gutter}   ");
        let hint = wrapped(hint).join(&indent);
        writeln!(text, "{equals} {hint}").expect(WRITES);
    }
    text + "\n"
}

/// The line, or the part around the place; the blanks before the caret; and how wide it is.
fn excerpt(place: &Place<'_>) -> (String, String, usize) {
    let chars: Vec<char> = place.text.chars().collect();
    let at = place.column - 1;
    let from = match chars.len() > LINE_MAX {
        true => at.saturating_sub(BEFORE_CARET).min(chars.len() - LINE_MAX),
        false => 0,
    };
    let to = chars.len().min(from + LINE_MAX);
    let (left, right) = (
        if from > 0 { "… " } else { "" },
        if to < chars.len() { " …" } else { "" },
    );
    let shown: String = chars[from..to].iter().collect();
    // A tab stays a tab, so that the caret stands where the text does.
    let before = chars[from..at.min(chars.len())].iter();
    let before: String = before
        .map(|c| if *c == '\t' { '\t' } else { ' ' })
        .collect();
    let indent = " ".repeat(left.chars().count());
    let width = place.width.min(to.saturating_sub(at)).max(1);
    (
        format!("{left}{shown}{right}"),
        format!("{indent}{before}"),
        width,
    )
}

/// Words in lines that fit.
fn wrapped(text: &str) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let line = lines.last_mut().expect("there is always one");
        if !line.is_empty() && line.chars().count() + word.chars().count() >= LINE_MAX {
            lines.push(word.to_owned());
        } else {
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
    }
    lines
}

fn weight(severity: Severity) -> (&'static str, &'static str) {
    match severity {
        Severity::Error => (RED, "error"),
        Severity::Warning => (YELLOW, "warning"),
        Severity::Note => (BLUE, "note"),
    }
}
