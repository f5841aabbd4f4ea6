//! What is explored, from wherever it comes.

use std::collections::BTreeMap;
use std::path::Path;

use asl::Severity;
use lab::explore::{Question, plan::Choice};
use lab::{Machine, Settings};
use serde_json::Value;
use server::gateway::misnamed;
use server::services::Environment;

use crate::colour::paint_error;
use crate::serve::{ACCOUNT_DEFAULT, REGION_DEFAULT};
use crate::test::configured;
use crate::validate::{MachineKind, report_on};
use source::Source;

/// What the flags say.
pub(super) struct Given<'f> {
    pub definition: &'f str,
    pub input: Option<&'f str>,
    pub results: Option<&'f Path>,
    pub config: Option<&'f Path>,
    pub machine: Option<&'f str>,
}

impl Given<'_> {
    /// As a question.
    ///
    /// # Errors
    /// One sentence: what can't be read, or what is wrong with it.
    pub fn question(&self) -> Result<Question, String> {
        let source = Source::read(self.definition)?;
        let (definition, notes) = match filled(source.json()) {
            Some(filled) => (filled, vec![FILLED.to_owned()]),
            None => (source.json().to_owned(), Vec::new()),
        };
        let (_, found) = source.examine(false);
        let Some(model) = asl::parse(&definition).machine else {
            let faults = found
                .iter()
                .filter(|found| found.diagnostic.severity == Severity::Error);
            let faults = if faults.count() == 1 {
                "fault"
            } else {
                "faults"
            };
            eprint!("{}", report_on(&source, MachineKind::Standard, paint_error));
            return Err(format!(
                "{} is not explored, because of the {faults} above",
                self.definition
            ));
        };
        let settings = match self.config {
            // What is configured and not hosted here is played: no function is called, and no service.
            Some(path) => Settings {
                functions: BTreeMap::new(),
                environment: Environment::default(),
                ..configured(path)?.quiet()
            },
            None => Settings::default(),
        };
        let name = match self.machine {
            Some(name) => name.to_owned(),
            None => expected(&settings, &model).unwrap_or_else(|| stem(self.definition)),
        };
        for route in &settings.routes {
            if let Some(what) = misnamed(&route.name, &route.expects, &name, &model).pop() {
                return Err(what);
            }
        }
        let mut notes = notes;
        notes.extend(named_otherwise(&settings, &model, &name));
        Ok(Question {
            machine: Machine { name, definition },
            input: self.input.map(input).transpose()?,
            results: match self.results {
                Some(path) => results(path)?,
                None => BTreeMap::new(),
            },
            settings,
            choice: Choice::default(),
            notes,
        })
    }
}

/// What is said of a definition that a deployment would fill in.
const FILLED: &str = "what a deployment fills in (${...}) was filled in with something here";

/// A definition with `${NAME}`, as templates have it, filled in where the language looks at it: a function for a
/// Resource, a number for a time. None if there is nothing to fill in.
fn filled(definition: &str) -> Option<String> {
    if !definition.contains("${") {
        return None;
    }
    let known = [
        ("${AWS::Partition}", "aws"),
        ("${AWS::Region}", REGION_DEFAULT),
        ("${AWS::AccountId}", ACCOUNT_DEFAULT),
    ];
    let text = known
        .iter()
        .fold(definition.to_owned(), |text, (name, value)| {
            text.replace(name, value)
        });
    let mut definition: Value = serde_json::from_str(&text).ok()?;
    fill(&mut definition);
    Some(definition.to_string())
}

/// How long a time is that a deployment fills in.
const FILLED_SECONDS: u64 = 60;

fn fill(value: &mut Value) {
    let is_open = |value: &Value| {
        value
            .as_str()
            .is_some_and(|text| text.starts_with("${") && text.ends_with('}'))
    };
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                if name == "Resource" && is_open(value) {
                    let name = value.as_str().unwrap_or_default();
                    let simple = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
                    let name: String = name.chars().filter(simple).collect();
                    *value = format!(
                        "arn:aws:lambda:{REGION_DEFAULT}:{ACCOUNT_DEFAULT}:function:{name}"
                    )
                    .into();
                } else if name.ends_with("Seconds") && is_open(value) {
                    *value = FILLED_SECONDS.into();
                } else {
                    fill(value);
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(fill),
        _ => {}
    }
}

/// The machine whose task a route expects, if the definition has a task of that name.
fn expected(settings: &Settings, model: &asl::StateMachine) -> Option<String> {
    let expected = settings.routes.iter().flat_map(|route| &route.expects);
    let mut known = expected.filter_map(|expected| expected.split_once('.'));
    let (machine, _) = known.find(|(_, state)| model.find(state).is_some())?;
    Some(machine.to_owned())
}

/// That a route expects one of its tasks, of a machine with another name.
fn named_otherwise(settings: &Settings, model: &asl::StateMachine, name: &str) -> Vec<String> {
    let notes = settings.routes.iter().filter_map(|route| {
        let expected = route.expects.iter();
        let expected = expected.filter_map(|expected| expected.split_once('.'));
        let ours: Vec<_> = expected
            .filter(|(_, state)| model.find(state).is_some())
            .collect();
        if ours.iter().any(|(machine, _)| *machine == name) {
            return None;
        }
        let (other, state) = ours.first()?;
        Some(format!(
            "the route {:?} expects {other}.{state}, and this machine is called {name} here, so no callback comes on it: --machine {other} would have them come",
            route.name
        ))
    });
    notes.collect()
}

/// `order` of `workflows/order.asl.yaml`, with nothing in it that a name can't have.
fn stem(file: &str) -> String {
    let name = file.rsplit('/').next().unwrap_or(file);
    let name = name.split('.').next().unwrap_or(name);
    let simple = |c: char| {
        if c.is_ascii_alphanumeric() || matches!(c, '-' | '_') {
            c
        } else {
            '-'
        }
    };
    match name.trim_matches('-') {
        "" => "Machine".to_owned(),
        name => name.chars().map(simple).take(80).collect(),
    }
}

/// JSON as given, or the file after `@`; a file without it, too, if it is there.
fn input(given: &str) -> Result<Value, String> {
    let text = match given.starts_with(['{', '[', '"', '@', '-']) || !Path::new(given).exists() {
        true => crate::run::input::read(given)?,
        false => crate::run::input::read(&format!("@{given}"))?,
    };
    serde_json::from_str(&text).map_err(|e| format!("the input is not JSON: {e}"))
}

fn results(path: &Path) -> Result<BTreeMap<String, Value>, String> {
    let source = Source::read(&path.to_string_lossy())?;
    let read: Value = serde_json::from_str(source.json())
        .map_err(|e| format!("the results in {} can't be read: {e}", path.display()))?;
    match read {
        Value::Object(results) => Ok(results.into_iter().collect()),
        _ => Err(format!(
            "the results in {} are no object of states; write for example {{\"Charge card\": {{\"Payload\": {{}}}}}}",
            path.display()
        )),
    }
}
