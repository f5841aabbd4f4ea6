//! The exploration as JUnit's XML: a test case for each finding that counts, and one for each case that shows none.

use std::collections::BTreeSet;
use std::fmt::Write;

use crate::explore::Exploration;
use crate::explore::finding::Severity;
use crate::report::junit::escaped;

/// The file. What is as bad as `fails` is a failure.
pub fn file(exploration: &Exploration, fails: Option<Severity>) -> String {
    let bad = |severity: Severity| fails.is_some_and(|fails| severity >= fails);
    let findings = &exploration.findings;
    let failures = findings
        .iter()
        .filter(|finding| bad(finding.severity))
        .count();
    let shown: BTreeSet<&str> = findings
        .iter()
        .filter(|finding| bad(finding.severity))
        .flat_map(|finding| finding.cases.iter().map(String::as_str))
        .collect();
    let well: Vec<String> = exploration
        .rows
        .iter()
        .map(|row| row.case.to_string())
        .collect();
    let well: Vec<&String> = well
        .iter()
        .filter(|case| !shown.contains(case.as_str()))
        .collect();
    let name = escaped(&exploration.name);
    let mut xml = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    let tests = well.len() + failures;
    let _ = writeln!(
        xml,
        "<testsuites tests=\"{tests}\" failures=\"{failures}\">"
    );
    let _ = writeln!(
        xml,
        "<testsuite name=\"{name}\" tests=\"{tests}\" failures=\"{failures}\">"
    );
    for finding in findings.iter().filter(|finding| bad(finding.severity)) {
        let about = match finding.states.is_empty() {
            true => finding.code.to_owned(),
            false => format!("{} {}", finding.code, finding.states.join(", ")),
        };
        let _ = writeln!(
            xml,
            "<testcase classname=\"{name}\" name=\"{}\">",
            escaped(&about)
        );
        let _ = writeln!(
            xml,
            "<failure type=\"{}\" message=\"{}\">{}</failure>",
            finding.severity.name(),
            escaped(&finding.what),
            escaped(&format!(
                "{}\n{}\nShown by: {}",
                finding.why,
                finding.todo,
                finding.cases.join("; ")
            ))
        );
        xml.push_str("</testcase>\n");
    }
    for case in well {
        let _ = writeln!(
            xml,
            "<testcase classname=\"{name}\" name=\"{}\"/>",
            escaped(case)
        );
    }
    xml.push_str("</testsuite>\n</testsuites>\n");
    xml
}
