//! JUnit's XML, as far as those who read it agree: a suite a file, a case a case; what failed and its story.

use std::fmt::Write;
use std::time::Duration;

use super::story::story;
use crate::scenario::{Case, Outcome};

/// Writing to a string does not fail.
const WRITES: &str = "a string takes everything";

/// The document.
pub fn document<'c>(played: impl Iterator<Item = (&'c Case, &'c Outcome)>) -> String {
    let mut suites: Vec<(&str, Vec<(&Case, &Outcome)>)> = Vec::new();
    for (case, outcome) in played {
        match suites.iter_mut().find(|(file, _)| *file == case.file) {
            Some((_, cases)) => cases.push((case, outcome)),
            None => suites.push((&case.file, vec![(case, outcome)])),
        }
    }
    let mut text = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n".to_owned();
    for (file, cases) in suites {
        let failed = cases
            .iter()
            .filter(|(_, outcome)| !outcome.passed())
            .count();
        let took: Duration = cases.iter().map(|(_, outcome)| outcome.real).sum();
        writeln!(
            text,
            "  <testsuite name=\"{}\" tests=\"{}\" failures=\"{failed}\" errors=\"0\" skipped=\"0\" time=\"{:.3}\">",
            escaped(file),
            cases.len(),
            took.as_secs_f64()
        )
        .expect(WRITES);
        for (case, outcome) in cases {
            write!(
                text,
                "    <testcase classname=\"{}\" name=\"{}\" time=\"{:.3}\"",
                escaped(file),
                escaped(&case.name),
                outcome.real.as_secs_f64()
            )
            .expect(WRITES);
            if outcome.passed() {
                text.push_str("/>\n");
                continue;
            }
            let lines = reasons(outcome);
            let message = lines.first().map_or("", String::as_str);
            let mut lines = lines.clone();
            lines.extend(outcome.seen.iter().flat_map(story));
            write!(
                text,
                ">\n      <failure message=\"{}\">{}</failure>\n    </testcase>\n",
                escaped(message),
                escaped(&lines.join("\n"))
            )
            .expect(WRITES);
        }
        text.push_str("  </testsuite>\n");
    }
    text + "</testsuites>\n"
}

/// What is wrong, one line each.
pub fn reasons(outcome: &Outcome) -> Vec<String> {
    let mismatches = outcome.mismatches.iter().map(|mismatch| {
        format!(
            "{}: expected {}, got {}",
            mismatch.at, mismatch.expected, mismatch.got
        )
    });
    outcome.troubles.iter().cloned().chain(mismatches).collect()
}

/// What XML does not take as it is; characters that it does not take at all are left out.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\n' => escaped.push_str("&#10;"),
            '\t' => escaped.push(c),
            c if c.is_control() => {}
            c => escaped.push(c),
        }
    }
    escaped
}
