//! What a person should look at.

use serde::Serialize;

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Good to know.
    Info,
    /// It runs, and probably not as meant.
    Warning,
    /// Work is lost, or never ends.
    Error,
}

impl Severity {
    /// As written.
    pub fn name(self) -> &'static str {
        match self {
            Severity::Info => "info",
            Severity::Warning => "warning",
            Severity::Error => "error",
        }
    }
}

/// Something that was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// What kind it is: `waits-for-ever`.
    pub code: &'static str,
    /// The states that it is about.
    pub states: Vec<String>,
    /// What happens.
    pub what: String,
    /// Why that matters.
    pub why: String,
    /// What to do.
    pub todo: String,
    /// The cases that show it, each for `--only`.
    pub cases: Vec<String>,
}

/// How many names a sentence has at most.
const NAMED_MAX: usize = 4;

/// `A, B and 3 more`.
pub fn listed<S: AsRef<str>>(names: &[S]) -> String {
    let shown: Vec<&str> = names.iter().take(NAMED_MAX).map(AsRef::as_ref).collect();
    match names.len().saturating_sub(NAMED_MAX) {
        0 => match shown.split_last() {
            Some((last, [])) => (*last).to_owned(),
            Some((last, others)) => format!("{} and {last}", others.join(", ")),
            None => String::new(),
        },
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

/// The word for as many.
pub fn verb<'w>(many: &[String], one: &'w str, more: &'w str) -> &'w str {
    if many.len() == 1 { one } else { more }
}

/// Milliseconds for people: `30 s`, `2 h`, `12 d`.
pub fn span(millis: i64) -> String {
    let seconds = millis / 1000;
    match seconds {
        _ if millis < 1000 => format!("{millis} ms"),
        0..120 if millis % 1000 != 0 => format!("{:.1} s", millis as f64 / 1000.0),
        0..120 => format!("{seconds} s"),
        120..7_200 => format!("{} min", seconds / 60),
        7_200..172_800 => format!("{} h", seconds / 3_600),
        _ => format!("{} d", seconds / 86_400),
    }
}
