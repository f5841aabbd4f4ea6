//! Where a value comes from: back from a state's input to the task that answered it, or to the execution's input.

use std::collections::HashMap;

use engine::{Event, EventKind, FrameId};
use serde_json::Value;

use super::needs::Root;
use super::place::{Step, steps};

/// The definition's states by name, as they are written.
pub struct Written {
    states: HashMap<String, Value>,
    /// The query language of those that say none.
    jsonata: bool,
}

impl Written {
    /// Reads a definition that is known to be right.
    pub fn of(definition: &str) -> Written {
        let definition: Value = serde_json::from_str(definition).unwrap_or_default();
        let mut states = HashMap::new();
        gather(&definition, &mut states);
        Written {
            states,
            jsonata: definition["QueryLanguage"] == "JSONata",
        }
    }

    /// A state.
    pub fn state(&self, name: &str) -> &Value {
        self.states.get(name).unwrap_or(&Value::Null)
    }

    fn is_jsonata(&self, state: &Value) -> bool {
        match state.get("QueryLanguage").and_then(Value::as_str) {
            Some(language) => language == "JSONata",
            None => self.jsonata,
        }
    }
}

fn gather(region: &Value, states: &mut HashMap<String, Value>) {
    for (name, state) in region["States"].as_object().into_iter().flatten() {
        for inner in state["Branches"].as_array().into_iter().flatten() {
            gather(inner, states);
        }
        gather(&state["ItemProcessor"], states);
        gather(&state["Iterator"], states);
        states.insert(name.clone(), state.clone());
    }
}

/// A state that was entered.
#[derive(Debug, Clone)]
pub struct Entered {
    /// Its name.
    pub name: String,
    frame: FrameId,
}

/// Who could have supplied a value.
#[derive(Debug, Clone, PartialEq)]
pub enum Supplier {
    /// The execution's input.
    Input(Vec<Step>),
    /// What a task answered.
    Result(String, Vec<Step>),
}

/// The states of a run, in order, and what they stand in.
pub struct Trail {
    /// The states.
    pub entered: Vec<Entered>,
    /// By a branch's or an iteration's frame: the frame of the state around it, and which branch.
    parents: HashMap<FrameId, (FrameId, usize)>,
}

impl Trail {
    /// Reads what happened.
    pub fn of(events: &[Event]) -> Trail {
        let mut trail = Trail {
            entered: Vec::new(),
            parents: HashMap::new(),
        };
        for event in events {
            match &event.kind {
                EventKind::StateEntered { name, .. } => trail.entered.push(Entered {
                    name: name.to_string(),
                    frame: event.frame,
                }),
                EventKind::ParallelStarted {
                    first_frame,
                    branches,
                    ..
                } => {
                    for branch in 0..*branches {
                        let frame = FrameId(first_frame.0 + branch);
                        trail.parents.insert(frame, (event.frame, branch as usize));
                    }
                }
                EventKind::IterationStarted { parent, index, .. } => {
                    trail
                        .parents
                        .insert(event.frame, (*parent, *index as usize));
                }
                _ => {}
            }
        }
        trail
    }

    /// Who supplies a place in the input or the result of the `at`th state.
    pub fn supplier(
        &self,
        written: &Written,
        at: usize,
        root: Root,
        place: &[Step],
    ) -> Option<Supplier> {
        match root {
            Root::Result => Some(Supplier::Result(
                self.entered[at].name.clone(),
                place.to_vec(),
            )),
            Root::Input => self.of_input(written, at, place.to_vec()),
        }
    }

    fn of_input(&self, written: &Written, at: usize, place: Vec<Step>) -> Option<Supplier> {
        let frame = self.entered[at].frame;
        let before = self.entered[..at]
            .iter()
            .rposition(|entered| entered.frame == frame);
        if let Some(before) = before {
            return self.of_output(written, before, place);
        }
        let Some((parent, _)) = self.parents.get(&frame) else {
            return Some(Supplier::Input(place));
        };
        let around = self.entered[..at]
            .iter()
            .rposition(|entered| entered.frame == *parent)?;
        let state = written.state(&self.entered[around].name);
        if written.is_jsonata(state) {
            // Plain items and inputs alone are followed.
            return None;
        }
        let input_path = path_of(state, "InputPath").unwrap_or_default();
        let place = match state["Type"] == "Map" {
            false => through(state.get("Parameters"), place)?,
            true => {
                let selector = state
                    .get("ItemSelector")
                    .or_else(|| state.get("Parameters"));
                let from_item = |place: Vec<Step>| {
                    let mut items = path_of(state, "ItemsPath").unwrap_or_default();
                    items.push(Step::Index(0));
                    items.extend(place);
                    items
                };
                match selector {
                    None => from_item(place),
                    Some(selector) => match found(selector, &place)? {
                        Found::Path(text, rest) => match text.strip_prefix("$$.Map.Item.Value") {
                            Some(inside) => from_item([steps(inside), rest].concat()),
                            None => [input_steps(&text)?, rest].concat(),
                        },
                        Found::Given => return None,
                    },
                }
            }
        };
        self.of_input(written, around, [input_path, place].concat())
    }

    fn of_output(&self, written: &Written, at: usize, place: Vec<Step>) -> Option<Supplier> {
        let name = &self.entered[at].name;
        let state = written.state(name);
        if written.is_jsonata(state) {
            return self.of_jsonata(written, at, place);
        }
        let place = [path_of(state, "OutputPath").unwrap_or_default(), place].concat();
        let kind = state["Type"].as_str().unwrap_or_default();
        if !matches!(kind, "Task" | "Pass" | "Parallel" | "Map") {
            let input = path_of(state, "InputPath").unwrap_or_default();
            return self.of_input(written, at, [input, place].concat());
        }
        let is_plain_pass =
            kind == "Pass" && state.get("Result").is_none() && state.get("Parameters").is_none();
        let target = match state.get("ResultPath") {
            Some(Value::Null) => None,
            _ => Some(path_of(state, "ResultPath").unwrap_or_default()),
        };
        let inside =
            target.and_then(|target| place.strip_prefix(&target[..]).map(<[Step]>::to_vec));
        let Some(inside) = inside else {
            return self.of_input(written, at, place);
        };
        let input_path = || path_of(state, "InputPath").unwrap_or_default();
        match kind {
            "Pass" if is_plain_pass => self.of_input(written, at, [input_path(), inside].concat()),
            "Pass" if state.get("Result").is_some() => None,
            "Pass" => {
                let place = through(state.get("Parameters"), inside)?;
                self.of_input(written, at, [input_path(), place].concat())
            }
            "Task" => Some(Supplier::Result(
                name.clone(),
                through(state.get("ResultSelector"), inside)?,
            )),
            _ => {
                let inside = through(state.get("ResultSelector"), inside)?;
                let (Some(Step::Index(index)), rest) = (inside.first(), inside.get(1..)?) else {
                    return None;
                };
                let own = self.entered[at].frame;
                let last = self.entered.iter().rposition(|entered| {
                    self.parents.get(&entered.frame) == Some(&(own, *index))
                })?;
                self.of_output(written, last, rest.to_vec())
            }
        }
    }

    fn of_jsonata(&self, written: &Written, at: usize, place: Vec<Step>) -> Option<Supplier> {
        let name = &self.entered[at].name;
        let state = written.state(name);
        let is_task = state["Type"] == "Task";
        let Some(output) = state.get("Output") else {
            return match is_task {
                true => Some(Supplier::Result(name.clone(), place)),
                false => self.of_input(written, at, place),
            };
        };
        let mut rest = &place[..];
        let mut output = output;
        while let (Value::Object(members), Some((Step::Name(first), more))) =
            (output, rest.split_first())
        {
            output = members.get(first)?;
            rest = more;
        }
        let text = output
            .as_str()?
            .trim()
            .strip_prefix("{%")?
            .strip_suffix("%}")?
            .trim();
        if let Some(inside) = text.strip_prefix("$states.result") {
            return is_task
                .then(|| Supplier::Result(name.clone(), [steps(inside), rest.to_vec()].concat()));
        }
        let inside = text.strip_prefix("$states.input")?;
        self.of_input(written, at, [steps(inside), rest.to_vec()].concat())
    }
}

fn path_of(state: &Value, field: &str) -> Option<Vec<Step>> {
    let text = state.get(field)?.as_str()?;
    input_steps(text)
}

fn input_steps(text: &str) -> Option<Vec<Step>> {
    let inside = text.strip_prefix('$')?;
    (!inside.starts_with('$')).then(|| steps(inside))
}

/// What stands at a place of a template.
enum Found {
    /// A path, and what of the place lies behind it.
    Path(String, Vec<Step>),
    /// A value of the definition's own.
    Given,
}

fn found(template: &Value, place: &[Step]) -> Option<Found> {
    let Some((Step::Name(first), rest)) = place.split_first() else {
        return Some(Found::Given);
    };
    if let Some(path) = template.get(format!("{first}.$")).and_then(Value::as_str) {
        return Some(Found::Path(path.to_owned(), rest.to_vec()));
    }
    found(template.get(first)?, rest)
}

/// Back through a template; none where it gives something of its own.
fn through(template: Option<&Value>, place: Vec<Step>) -> Option<Vec<Step>> {
    let Some(template) = template else {
        return Some(place);
    };
    match found(template, &place)? {
        Found::Path(text, rest) => Some([input_steps(&text)?, rest].concat()),
        Found::Given => None,
    }
}
