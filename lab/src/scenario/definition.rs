//! Where a case's state machine comes from: a file, the scenario itself, or a template.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use asl::{Severity, StateMachine};
use serde_json::Value;
use server::app::Place;
use source::Source;

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

/// Reads `definition`; files that were read are noted.
pub(super) fn read(
    given: &Given<'_>,
    folder: &Path,
    place: &Place,
    files: &mut BTreeSet<PathBuf>,
) -> Option<Definition> {
    let found = match given.value {
        Value::String(text) if text.trim_start().starts_with('{') => {
            of_source(None, &Source::of("", text.clone(), false))
        }
        Value::String(file) => of_file(&folder.join(file), files),
        Value::Object(members) if members.contains_key("template") => {
            let members = given.members(&["template", "resource"]);
            let file = member(&members, "template")?.text()?;
            let resource = match member(&members, "resource") {
                Some(resource) => Some(resource.text()?),
                None => None,
            };
            of_template(&folder.join(file), resource, place, files)
        }
        Value::Object(_) => of_source(None, &Source::of("", given.value.to_string(), false)),
        _ => {
            Err("it has to be a file, a definition, or `{template: FILE, resource: ID}`".to_owned())
        }
    };
    match found {
        Ok(definition) => Some(definition),
        Err(why) => {
            given.wrong(why);
            None
        }
    }
}

/// A definition in a file, JSON or YAML.
///
/// # Errors
/// Why it can't be read, or the first thing that is wrong with it.
pub(super) fn of_file(path: &Path, files: &mut BTreeSet<PathBuf>) -> Result<Definition, String> {
    files.insert(path.to_owned());
    let source = Source::read(&path.to_string_lossy())?;
    of_source(None, &source)
}

fn of_source(name: Option<String>, source: &Source) -> Result<Definition, String> {
    let (machine, found) = source.examine(false);
    let Some(machine) = machine else {
        let errors = found
            .iter()
            .filter(|found| found.diagnostic.severity == Severity::Error);
        let said: Vec<String> = errors
            .map(|error| match (&error.place, source.name.as_str()) {
                (Some(place), name) if !name.is_empty() => format!(
                    "{name}:{}:{}: {}",
                    place.line, place.column, error.diagnostic.message
                ),
                _ => error.diagnostic.message.clone(),
            })
            .collect();
        return Err(format!(
            "the definition is not right: {}",
            said.join("; ").trim()
        ));
    };
    Ok(Definition {
        name,
        text: source.json().into(),
        machine: Arc::new(machine),
    })
}

fn of_template(
    path: &Path,
    resource: Option<&str>,
    place: &Place,
    files: &mut BTreeSet<PathBuf>,
) -> Result<Definition, String> {
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
    let text = template.substituted(&text, &found.substitutions)?;
    let json = text.trim_start().starts_with('{');
    of_source(Some(found.name), &Source::of(&from, text, yaml && !json))
}
