//! Where a case's state machine comes from: a file, the scenario itself, or a template.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use asl::{Severity, StateMachine};
use serde_json::Value;
use server::app::Place;
use source::Source;
use source::report::Paint;

use super::cloudformation::{self, Template};
use super::given::{Given, member};

/// A definition that is right.
#[derive(Debug, Clone)]
pub struct Definition {
    /// What a template calls the machine.
    pub name: Option<String>,
    /// JSON text.
    pub text: Arc<str>,
    /// The same, read.
    pub machine: Arc<StateMachine>,
}

/// Why there is none.
pub(super) enum Fault {
    /// In a sentence.
    Sentence(String),
    /// The text is there, and is not right, for an Express machine or another one.
    Text(Box<Source>, bool),
}

impl From<String> for Fault {
    fn from(sentence: String) -> Fault {
        Fault::Sentence(sentence)
    }
}

/// Reads `definition`; files that were read are noted.
pub(super) fn read(
    given: &Given<'_>,
    folder: &Path,
    place: &Place,
    files: &mut BTreeSet<PathBuf>,
) -> Option<Definition> {
    let (found, at) = match given.value {
        Value::String(text) if text.trim_start().starts_with('{') => {
            let source = Source::of("the definition", text.clone(), false);
            (of_source(None, source), given.clone())
        }
        Value::String(file) => (of_file(&folder.join(file), files), given.clone()),
        Value::Object(members)
            if members.contains_key("StartAt") || members.contains_key("States") =>
        {
            let source = Source::of("", given.value.to_string(), false);
            return match of_source(None, source) {
                Ok(definition) => Some(definition),
                Err(Fault::Text(source, express)) => {
                    for found in wrong_in(&source, express) {
                        given.wrong_inside(found.diagnostic);
                    }
                    None
                }
                Err(Fault::Sentence(why)) => {
                    given.wrong(why);
                    None
                }
            };
        }
        Value::Object(_) => {
            let members = given.members(&["template", "resource"]);
            let Some(at) = member(&members, "template") else {
                given.wrong_but("there is no definition here", WHAT);
                return None;
            };
            let resource = match member(&members, "resource") {
                Some(resource) => Some(resource.text()?),
                None => None,
            };
            let path = folder.join(at.text()?);
            (of_template(&path, resource, place, files), at.clone())
        }
        _ => {
            given.wrong_but("it is no definition", WHAT);
            return None;
        }
    };
    match found {
        Ok(definition) => Some(definition),
        Err(Fault::Sentence(why)) => {
            at.wrong(why);
            None
        }
        Err(Fault::Text(source, express)) => {
            at.wrong_with("the definition is not right", source, express);
            None
        }
    }
}

const WHAT: &str = "It is a file, the definition itself with StartAt and States, or `{template: FILE, resource: ID}`.";

/// What keeps a text from being a definition.
fn wrong_in(source: &Source, express: bool) -> Vec<source::Found<'_>> {
    let (_, mut found) = source.examine(express);
    found.retain(|found| found.diagnostic.severity == Severity::Error);
    found
}

/// A definition in a file, JSON or YAML.
fn of_file(path: &Path, files: &mut BTreeSet<PathBuf>) -> Result<Definition, Fault> {
    files.insert(path.to_owned());
    let source = Source::read(&path.to_string_lossy())?;
    of_source(None, source)
}

fn of_source(name: Option<String>, source: Source) -> Result<Definition, Fault> {
    of_source_as(name, source, false)
}

fn of_source_as(name: Option<String>, source: Source, express: bool) -> Result<Definition, Fault> {
    let Some(machine) = source.examine(express).0 else {
        return Err(Fault::Text(Box::new(source), express));
    };
    Ok(Definition {
        name,
        text: source.json().into(),
        machine: Arc::new(machine),
    })
}

/// What a person is told of a text that is no definition.
pub(super) fn report(source: &Source, express: bool, paint: Paint) -> String {
    source.report(&wrong_in(source, express), paint)
}

fn of_template(
    path: &Path,
    resource: Option<&str>,
    place: &Place,
    files: &mut BTreeSet<PathBuf>,
) -> Result<Definition, Fault> {
    files.insert(path.to_owned());
    let name = path.display().to_string();
    let text =
        std::fs::read_to_string(path).map_err(|why| format!("{name} can't be read: {why}"))?;
    let source = Source::template(&name, text);
    let value = source.value().map_err(|found| {
        let first = found.first();
        let why = first.map_or("", |found| found.diagnostic.message.as_str());
        format!("{name} is no template: {why}")
    })?;
    let template = Template::of(&value, place);
    let found = template
        .state_machine(resource)
        .map_err(|why| format!("{name}: {why}"))?;
    let (text, yaml, from) = match found.definition {
        cloudformation::Found::Text(text) => (text, false, format!("{name} ({})", found.id)),
        cloudformation::Found::File(file) => {
            let folder = path.parent().unwrap_or(Path::new("."));
            let file = folder.join(file);
            files.insert(file.clone());
            let shown = file.display().to_string();
            let text = std::fs::read_to_string(&file)
                .map_err(|why| format!("{shown}, of {name}, can't be read: {why}"))?;
            (text, !shown.ends_with(".json"), shown)
        }
    };
    let text = template
        .substituted(&text, &found.substitutions)
        .map_err(|why| format!("{name}: {}: {why}", found.id))?;
    let json = text.trim_start().starts_with('{');
    of_source_as(
        Some(found.name),
        Source::of(&from, text, yaml && !json),
        found.express,
    )
}
