//! Scenario files: Markdown in which a heading states a rule, a sentence explains it, and three
//! blocks follow: the definition (`json`), what happens (`script`, see [`crate::script`]), and what must
//! come of it: the history (`history`, see [`crate::outline`]), or, where callbacks are what it is about,
//! the inbox (`inbox`); these also have a `route`, as JSON.
//!
//! A definition and a route hold for the scenarios after them too, until the next one. A scenario without a
//! script is started with `{}` and left alone.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use crate::script::{self, Action, Step};

/// One heading's worth of a file.
#[derive(Debug)]
pub struct Scenario {
    /// The heading.
    pub title: String,
    /// The line of the heading, from 1.
    pub line: usize,
    /// The state machine.
    pub definition: String,
    /// How the third party calls back; empty if it does not.
    pub route: String,
    /// What happens.
    pub script: Vec<Step>,
    /// What must come of it.
    pub history: String,
    /// The lines of the history's text in the file, from 0, without its fences.
    history_lines: std::ops::Range<usize>,
}

impl Scenario {
    /// The execution's input, and what happens then.
    pub fn steps(&self) -> (&str, &[Step]) {
        match self.script.first().map(|step| &step.action) {
            Some(Action::Start(input)) => (input, &self.script[1..]),
            _ => ("{}", &self.script),
        }
    }
}

/// Reads a file's scenarios.
///
/// # Errors
/// A sentence with the line where the file is not as it should be.
pub fn read(text: &str) -> Result<Vec<Scenario>, String> {
    let lines: Vec<&str> = text.lines().collect();
    let mut scenarios = Vec::new();
    let (mut title, mut title_line) = (String::new(), 0);
    let (mut definition, mut route) = (String::new(), String::new());
    let mut steps = Vec::new();
    let mut at = 0;
    while at < lines.len() {
        let line = lines[at];
        at += 1;
        if let Some(heading) = line.strip_prefix("## ") {
            (title, title_line) = (heading.trim().to_owned(), at);
            steps = Vec::new();
            continue;
        }
        let Some(kind) = line.strip_prefix("```").map(str::trim) else {
            continue;
        };
        let from = at;
        while lines.get(at).is_some_and(|line| !line.starts_with("```")) {
            at += 1;
        }
        if at == lines.len() {
            return Err(format!("line {from}: the block has no end"));
        }
        let block = &lines[from..at];
        match kind {
            "json" => definition = block.join("\n"),
            "route" => route = block.join("\n"),
            "script" => {
                for (offset, line) in block
                    .iter()
                    .enumerate()
                    .filter(|(_, l)| !l.trim().is_empty())
                {
                    let step = script::read(line)
                        .map_err(|e| format!("line {}: {e}", from + offset + 1))?;
                    steps.push(step);
                }
            }
            "history" | "inbox" => scenarios.push(Scenario {
                title: title.clone(),
                line: title_line,
                definition: definition.clone(),
                route: route.clone(),
                script: std::mem::take(&mut steps),
                history: block.join("\n"),
                history_lines: from..at,
            }),
            other => {
                return Err(format!(
                    "line {from}: a block is json, route, script, history or inbox, and not '{other}'"
                ));
            }
        }
        at += 1;
    }
    Ok(scenarios)
}

/// How a scenario is played: the outline of what comes of it, or a sentence that says what went wrong.
pub type Play<'a> = &'a dyn Fn(&Scenario) -> Result<String, String>;

/// Plays every scenario of every Markdown file below `directory`, and says what differs. With
/// `bless`, writes the histories into the files instead.
///
/// # Errors
/// All differences, one after the other.
pub fn check(directory: &Path, play: Play, bless: bool) -> Result<usize, String> {
    let mut files = Vec::new();
    find(directory, &mut files)?;
    files.sort();
    let (mut played, mut differences) = (0, String::new());
    for file in files {
        let text =
            std::fs::read_to_string(&file).map_err(|e| format!("{}: {e}", file.display()))?;
        let scenarios = read(&text).map_err(|e| format!("{}: {e}", file.display()))?;
        let mut lines: Vec<&str> = text.lines().collect();
        let mut histories = Vec::new();
        for scenario in &scenarios {
            played += 1;
            let history = play(scenario).unwrap_or_else(|e| {
                let _ = writeln!(
                    differences,
                    "{}:{}: {}\n  {e}\n",
                    file.display(),
                    scenario.line,
                    scenario.title
                );
                scenario.history.clone()
            });
            if history != scenario.history && !bless {
                let _ = writeln!(
                    differences,
                    "{}:{}: {}\n{}",
                    file.display(),
                    scenario.line,
                    scenario.title,
                    difference(&scenario.history, &history)
                );
            }
            histories.push(history);
        }
        if bless {
            for (scenario, history) in scenarios.iter().zip(&histories).rev() {
                lines.splice(scenario.history_lines.clone(), history.lines());
            }
            std::fs::write(&file, lines.join("\n") + "\n")
                .map_err(|e| format!("{}: {e}", file.display()))?;
        }
    }
    if differences.is_empty() {
        Ok(played)
    } else {
        Err(differences)
    }
}

fn find(directory: &Path, files: &mut Vec<PathBuf>) -> Result<(), String> {
    let entries =
        std::fs::read_dir(directory).map_err(|e| format!("{}: {e}", directory.display()))?;
    for entry in entries {
        let path = entry.map_err(|e| e.to_string())?.path();
        if path.is_dir() {
            find(&path, files)?;
        } else if path.extension().is_some_and(|extension| extension == "md") {
            files.push(path);
        }
    }
    Ok(())
}

/// Both texts from the first line that differs.
fn difference(wanted: &str, got: &str) -> String {
    let same = wanted
        .lines()
        .zip(got.lines())
        .take_while(|(wanted, got)| wanted == got)
        .count();
    let mut text = String::new();
    for (sign, lines) in [("-", wanted), ("+", got)] {
        for line in lines.lines().skip(same) {
            let _ = writeln!(text, "  {sign} {line}");
        }
    }
    text
}
