//! The exploration as one page that stands alone: the graph, what was found, the matrix.

use std::collections::BTreeMap;
use std::fmt::Write;

use graph::{Mark, Options, Overlay};

use crate::explore::Exploration;
use crate::explore::finding::{Severity, span};
use crate::explore::row::{End, Row};
use crate::report::junit::escaped;

const STYLE: &str = include_str!("page.css");

/// The page.
pub fn page(exploration: &Exploration) -> String {
    let name = escaped(&exploration.name);
    let mut html =
        String::from("<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n");
    html.push_str("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n");
    let _ = write!(
        html,
        "<title>{name}: what can go wrong</title>\n<style>{STYLE}</style></head><body>\n"
    );
    let _ = writeln!(html, "<h1>{name}: what can go wrong</h1>");
    let _ = writeln!(html, "<p>{}</p>", escaped(&summary(exploration)));
    for note in &exploration.notes {
        let _ = writeln!(html, "<p class=\"note\">{}</p>", escaped(note));
    }
    let _ = writeln!(html, "<figure>{}</figure>", picture(exploration));
    findings(&mut html, exploration);
    matrix(&mut html, exploration);
    html.push_str("</body></html>\n");
    html
}

/// `3 tasks, 41 cases: 1 error, 2 warnings`.
pub fn summary(exploration: &Exploration) -> String {
    let count = |severity| {
        let of = exploration
            .findings
            .iter()
            .filter(|finding| finding.severity == severity);
        of.count()
    };
    let some = |count: usize, what: &str| match count {
        1 => format!("1 {what}"),
        _ => format!("{count} {what}s"),
    };
    let (errors, warnings) = (count(Severity::Error), count(Severity::Warning));
    let mut found = Vec::new();
    if errors > 0 {
        found.push(some(errors, "error"));
    }
    if warnings > 0 {
        found.push(some(warnings, "warning"));
    }
    let infos = count(Severity::Info);
    if infos > 0 {
        found.push(format!("{infos} to know"));
    }
    let found = match found.is_empty() {
        true => "nothing found".to_owned(),
        false => found.join(", "),
    };
    format!(
        "{}, {}: {found}",
        some(exploration.sites.len(), "task"),
        some(exploration.rows.len(), "case")
    )
}

/// The graph with the worst finding of each state.
fn picture(exploration: &Exploration) -> String {
    let mut states: BTreeMap<String, Mark> = BTreeMap::new();
    // The worst come first.
    for finding in &exploration.findings {
        for state in &finding.states {
            states.entry(state.clone()).or_insert_with(|| Mark {
                finding: Some(graph::Finding {
                    severity: match finding.severity {
                        Severity::Info => graph::Severity::Info,
                        Severity::Warning => graph::Severity::Warning,
                        Severity::Error => graph::Severity::Error,
                    },
                    text: finding.code.replace('-', " "),
                }),
                ..Mark::default()
            });
        }
    }
    let options = Options {
        title: Some(exploration.name.clone()),
        overlay: Overlay {
            states,
            ..Overlay::default()
        },
        ..Options::default()
    };
    graph::draw(&exploration.model, &options)
}

fn findings(html: &mut String, exploration: &Exploration) {
    html.push_str("<h2>What to look at</h2>\n");
    if exploration.findings.is_empty() {
        html.push_str("<p>Nothing.</p>\n");
    }
    for finding in &exploration.findings {
        let severity = finding.severity.name();
        let _ = write!(
            html,
            "<section class=\"finding {severity}\"><h3><span>{severity}</span> {}</h3><p>{} {}</p>",
            escaped(&finding.what),
            escaped(&finding.why),
            escaped(&finding.todo)
        );
        if !finding.cases.is_empty() {
            let _ = write!(
                html,
                "<details><summary>{} shown by</summary><ul>",
                finding.code
            );
            for case in &finding.cases {
                let _ = write!(html, "<li><code>--only '{}'</code></li>", escaped(case));
            }
            html.push_str("</ul></details>");
        }
        html.push_str("</section>\n");
    }
}

fn matrix(html: &mut String, exploration: &Exploration) {
    html.push_str("<h2>Every failure of every task</h2>\n<div class=\"wide\"><table><thead><tr><th>task</th><th>what goes wrong</th><th>ends</th><th>after</th><th>retries</th><th>told</th><th>callbacks</th></tr></thead><tbody>\n");
    for row in &exploration.rows {
        let fault = row.case.fault();
        let _ = writeln!(
            html,
            "<tr><td>{}</td><td>{}</td><td class=\"{}\" title=\"{}\">{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>",
            escaped(&fault.state),
            escaped(&failure(row)),
            kind(row),
            escaped(row.cause.as_deref().unwrap_or_default()),
            escaped(&ending(row)),
            duration(row),
            if row.retries == 0 {
                String::new()
            } else {
                row.retries.to_string()
            },
            escaped(&told(row)),
            escaped(&row.dispositions.join(", ")),
        );
    }
    html.push_str("</tbody></table></div>\n");
}

/// The failure of a row, with all that leads to it if it does not happen by itself.
pub fn failure(row: &Row) -> String {
    match after(row) {
        Some(after) => format!("{} {after}", by_itself(row)),
        None => by_itself(row),
    }
}

/// The failure of a row, with what goes wrong beside it; its task is named if that is another one.
pub fn by_itself(row: &Row) -> String {
    let case = &row.case;
    let beside = case.faults.iter().skip(case.lead + 1);
    let beside = beside.map(|fault| match fault.state == case.fault().state {
        true => format!(" and {}", fault.failure()),
        false => format!(" and {fault}"),
    });
    case.fault().failure() + &beside.collect::<String>()
}

/// What leads to the failure of a row: `after RequestValuation/no-callback`.
pub fn after(row: &Row) -> Option<String> {
    let lead = &row.case.faults[..row.case.lead];
    let lead: Vec<String> = lead.iter().map(ToString::to_string).collect();
    (!lead.is_empty()).then(|| format!("after {}", lead.join(" and ")))
}

/// `FAILED ValuationFailed`.
pub fn ending(row: &Row) -> String {
    match &row.error {
        Some(error) => format!("{} {error}", row.end.name()),
        None => row.end.name().to_owned(),
    }
}

/// After how long, or that it never ends.
pub fn duration(row: &Row) -> String {
    match row.end {
        End::Waits(_) => "never".to_owned(),
        End::NoEnd | End::NotPlayed(_) => String::new(),
        _ => span(row.after),
    }
}

/// Who was told, each once.
pub fn told(row: &Row) -> String {
    let mut to: Vec<&str> = row.told.iter().map(|told| &*told.to).collect();
    to.sort_unstable();
    to.dedup();
    to.join(", ")
}

/// How a row looks.
fn kind(row: &Row) -> &'static str {
    match row.end {
        End::Succeeded => "well",
        End::Waits(_) | End::NotPlayed(_) | End::NoEnd | End::Runs => "hangs",
        _ if row.told.is_empty() => "untold",
        _ => "told",
    }
}
