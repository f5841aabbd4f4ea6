//! What a terminal shows: the matrix, and below it what to look at.

use std::time::Duration;

use lab::explore::Exploration;
use lab::explore::finding::{Finding, Severity, span};
use lab::explore::report::html::{after, by_itself, duration, ending, summary, told};
use lab::explore::row::{End, Row};

use crate::colour::{BOLD, DIM, GREEN, RED, YELLOW, paint};
use crate::table::Table;

/// Up to how many cases are told with all that happened.
const STORIES_MAX: usize = 3;
/// How wide a line of a cell gets that names several failures with the same outcome.
const CELL_WIDTH: usize = 48;

/// All of it.
pub(super) fn text(exploration: &Exploration, took: Duration) -> String {
    let mut text = format!(
        "{} ({} ms)\n",
        paint(
            BOLD,
            &format!("{}: {}", exploration.name, summary(exploration))
        ),
        took.as_millis()
    );
    for note in &exploration.notes {
        text.push_str(&format!("{}\n", paint(DIM, &format!("note: {note}"))));
    }
    text.push('\n');
    text.push_str(&matrix(exploration));
    if exploration.rows.len() <= STORIES_MAX {
        for row in &exploration.rows {
            text.push_str(&story(row));
        }
    }
    for finding in &exploration.findings {
        text.push_str(&one(finding));
    }
    text
}

/// One line for all failures of a task that come to the same.
fn matrix(exploration: &Exploration) -> String {
    let mut table = Table::new(&[
        "task",
        "what goes wrong",
        "ends",
        "after",
        "retries",
        "told",
        "callbacks",
    ]);
    let mut lines: Vec<(&str, Vec<String>, &Row)> = Vec::new();
    for row in &exploration.rows {
        let state = &*row.case.fault().state;
        let known = lines
            .iter_mut()
            .find(|(task, _, other)| *task == state && is_like(other, row));
        match known {
            Some((_, failures, _)) => failures.push(by_itself(row)),
            None => lines.push((state, vec![by_itself(row)], row)),
        }
    }
    let mut before = "";
    for (task, failures, row) in lines {
        let colour = match row.end {
            End::Succeeded => GREEN,
            End::Failed | End::TimedOut | End::Aborted if !row.told.is_empty() => "",
            End::Failed | End::TimedOut | End::Aborted => YELLOW,
            _ => RED,
        };
        let end = match colour.is_empty() {
            true => ends(row),
            false => paint(colour, &ends(row)),
        };
        let named = in_lines(&failures).into_iter();
        let named = named.chain(after(row).map(|after| paint(DIM, &after)));
        for (at, some) in named.enumerate() {
            let first = at == 0;
            let cell = |text: String| if first { text } else { String::new() };
            table.row(&[
                cell(if task == before {
                    String::new()
                } else {
                    task.to_owned()
                }),
                some,
                cell(end.clone()),
                cell(duration(row)),
                cell(if row.retries == 0 {
                    String::new()
                } else {
                    row.retries.to_string()
                }),
                cell(told(row)),
                cell(row.dispositions.join(", ")),
            ]);
        }
        before = task;
    }
    table.to_string()
}

/// Names with commas, as many in a line as there is room for.
fn in_lines(names: &[String]) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for (at, name) in names.iter().enumerate() {
        let comma = if at + 1 < names.len() { "," } else { "" };
        match lines.last_mut() {
            Some(line) if line.len() + name.len() < CELL_WIDTH => {
                line.push(' ');
                line.push_str(name);
                line.push_str(comma);
            }
            _ => lines.push(format!("{name}{comma}")),
        }
    }
    lines
}

/// How it ends; failures that come to nothing but themselves are one line.
fn ends(row: &Row) -> String {
    match is_its_own(row) {
        true => format!("{} with it", row.end.name()),
        false => ending(row),
    }
}

/// Whether the execution ends with the error that went wrong.
fn is_its_own(row: &Row) -> bool {
    row.error.is_some() && row.error.as_deref() == row.case.fault().way.error()
}

/// Whether two cases come to the same.
fn is_like(one: &Row, other: &Row) -> bool {
    one.end.name() == other.end.name()
        && (one.error == other.error || is_its_own(one) && is_its_own(other))
        && one.after == other.after
        && one.retries == other.retries
        && told(one) == told(other)
        && one.dispositions == other.dispositions
        && one.case.faults[..one.case.lead] == other.case.faults[..other.case.lead]
}

/// All that happened in a case.
fn story(row: &Row) -> String {
    let mut text = format!("\n{}\n", paint(BOLD, &row.case.to_string()));
    for (at, what) in row.chronicle() {
        text.push_str(&format!("  {:>9}  {what}\n", span(at)));
    }
    match &row.end {
        End::Waits(what) => text.push_str(&format!("  {:>9}  {what}\n", "never")),
        End::NotPlayed(why) => text.push_str(&format!("  {why}\n")),
        _ => {}
    }
    text
}

fn one(finding: &Finding) -> String {
    let colour = match finding.severity {
        Severity::Error => RED,
        Severity::Warning => YELLOW,
        Severity::Info => DIM,
    };
    let mut text = format!(
        "\n{} {}\n  {}\n  {}\n",
        paint(
            colour,
            &format!("{}[{}]", finding.severity.name(), finding.code)
        ),
        paint(BOLD, &finding.what),
        finding.why,
        finding.todo
    );
    if let Some(case) = finding.cases.first() {
        let more = match finding.cases.len() {
            1 => String::new(),
            more => format!(" and {} more", more - 1),
        };
        text.push_str(&paint(DIM, &format!("  shown by --only '{case}'{more}\n")));
    }
    text
}
