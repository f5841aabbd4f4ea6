//! JUnit's XML, as far as those who read it agree: a suite a file, a case a case; what failed and its story.

use std::fmt::Write;
use std::time::Duration;

use super::story::story;
use crate::scenario::{Case, Outcome};

/// Writing to a string does not fail.
const WRITES: &str = "a string takes everything";

/// The document; of files that are not right, what is said of them.
pub fn document<'c>(
    played: impl Iterator<Item = (&'c Case, &'c Outcome)>,
    faults: impl Iterator<Item = (&'c str, &'c str)>,
) -> String {
    let mut suites: Vec<(&str, Vec<(&Case, &Outcome)>)> = Vec::new();
    for (case, outcome) in played {
        match suites.iter_mut().find(|(file, _)| *file == case.file) {
            Some((_, cases)) => cases.push((case, outcome)),
            None => suites.push((&case.file, vec![(case, outcome)])),
        }
    }
    let mut text = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n".to_owned();
    for (file, said) in faults {
        let (file, said) = (escaped(file), escaped(said));
        writeln!(
            text,
            "  <testsuite name=\"{file}\" tests=\"1\" failures=\"0\" errors=\"1\" skipped=\"0\" time=\"0\">\n    <testcase classname=\"{file}\" name=\"the file is read\" time=\"0\">\n      <error type=\"file\" message=\"the file is not right\">{said}</error>\n    </testcase>\n  </testsuite>"
        )
        .expect(WRITES);
    }
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
                ">\n      <failure type=\"expectation\" message=\"{}\">{}</failure>\n    </testcase>\n",
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

/// Text as XML and HTML take it, in attributes too; characters that XML does not take at all are left out.
pub(crate) fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\n' => escaped.push_str("&#10;"),
            '\t' => escaped.push(c),
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => {}
            c => escaped.push(c),
        }
    }
    escaped
}
