//! Where a value comes from: back from a state's input, or a variable, to the task that answered it, or to the
//! execution's input.
//!
//! Plain paths are followed, through states, into branches, items and children, and through variables. What is computed
//! comes from nowhere.

mod origin;

use std::collections::HashMap;

use engine::{EventKind, FrameId};
use serde_json::Value;

use super::needs::Root;
use super::place::Step;
use crate::seen::Seen;
pub(super) use origin::variable;
use origin::{Origin, Source, found, path_of, through};

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
    frame: Place,
}

/// A frame of a run: of the execution, which is the first, or of a Map Run's child.
type Place = (usize, FrameId);

/// The state around a branch, an iteration or a child, as its place in [`Trail::entered`], and which of its parts it is.
type Around = (usize, usize);

/// Who could have supplied a value.
#[derive(Debug, Clone, PartialEq)]
pub enum Supplier {
    /// The execution's input.
    Input(Vec<Step>),
    /// What a task answered, or what a Map's reader found.
    Result(String, Vec<Step>),
}

/// The states of a run, in order, and what they stand in. Those of a child follow upon all those of its parent.
pub struct Trail {
    /// The states.
    pub entered: Vec<Entered>,
    /// By the frame of a branch, an iteration or a child.
    around: HashMap<Place, Around>,
}

impl Trail {
    /// Reads what happened.
    pub fn of(seen: &Seen) -> Trail {
        let mut trail = Trail {
            entered: Vec::new(),
            around: HashMap::new(),
        };
        let mut map_runs = HashMap::new();
        let mut last: HashMap<Place, usize> = HashMap::new();
        for (run, events) in seen.runs().enumerate() {
            for event in events {
                let frame = (run, event.frame);
                let around = last.get(&frame).copied();
                match &event.kind {
                    EventKind::ExecutionStarted { identity } => {
                        let child = identity.map_run.as_ref();
                        let around = child.and_then(|child| {
                            Some((*map_runs.get(&child.arn)?, child.index as usize))
                        });
                        trail.around.extend(around.map(|around| (frame, around)));
                    }
                    EventKind::StateEntered { name, .. } => {
                        last.insert(frame, trail.entered.len());
                        trail.entered.push(Entered {
                            name: name.to_string(),
                            frame,
                        });
                    }
                    EventKind::ParallelStarted {
                        first_frame,
                        branches,
                        ..
                    } => {
                        let of = |branch: u32| {
                            Some((
                                (run, FrameId(first_frame.0 + branch)),
                                (around?, branch as usize),
                            ))
                        };
                        trail.around.extend((0..*branches).filter_map(of));
                    }
                    EventKind::IterationStarted { parent, index, .. } => {
                        let around = last.get(&(run, *parent));
                        let around = around.map(|around| (frame, (*around, *index as usize)));
                        trail.around.extend(around);
                    }
                    EventKind::MapRunStarted { run, .. } => {
                        map_runs.extend(around.map(|around| (run.arn.clone(), around)));
                    }
                    _ => {}
                }
            }
        }
        trail
    }

    /// What each state was given, in the order of [`Trail::entered`].
    pub fn inputs(seen: &Seen) -> Vec<Value> {
        let entered = seen.runs().flat_map(|events| {
            let history = engine::history::project(events, true).into_iter();
            history.filter(|event| event.event_type.ends_with("StateEntered"))
        });
        let inputs = entered.map(|event| {
            let text = event.details.as_ref()?.get("input")?.as_str()?;
            serde_json::from_str(text).ok()
        });
        inputs.map(Option::unwrap_or_default).collect()
    }

    /// Who supplies a place in the input or the result of the `at`th state, or in a variable that it can see.
    pub fn supplier(
        &self,
        written: &Written,
        at: usize,
        root: &Root,
        place: &[Step],
    ) -> Option<Supplier> {
        match root {
            Root::Result => Some(Supplier::Result(
                self.entered[at].name.clone(),
                place.to_vec(),
            )),
            Root::Made => self.of_result(written, at, place.to_vec()),
            Root::Input => self.of_input(written, at, place.to_vec()),
            Root::Variable(name) => self.of_variable(written, at, name, place.to_vec()),
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
        let Some(&(around, _)) = self.around.get(&frame) else {
            return Some(Supplier::Input(place));
        };
        let state = written.state(&self.entered[around].name);
        let mut place = place;
        if state.get("ItemBatcher").is_some() {
            let [Step::Name(items), Step::Index(_), rest @ ..] = &place[..] else {
                return None;
            };
            if items != "Items" {
                return None;
            }
            place = rest.to_vec();
        }
        let selector = match state["Type"] == "Map" {
            true => state
                .get("ItemSelector")
                .or_else(|| state.get("Parameters")),
            false => state.get("Parameters").or_else(|| state.get("Arguments")),
        };
        let from = match selector {
            None if state["Type"] == "Map" => Source(Origin::Item, place),
            None => Source(Origin::Input, place),
            Some(selector) => found(selector, &place, written.is_jsonata(state))?,
        };
        self.of_origin(written, around, from)
    }

    /// Where from what is read in the fields of the `at`th state before its result is there.
    fn of_origin(&self, written: &Written, at: usize, from: Source) -> Option<Supplier> {
        let state = written.state(&self.entered[at].name);
        let jsonata = written.is_jsonata(state);
        let Source(origin, place) = from;
        match origin {
            Origin::Input => {
                let input_path = path_of(state, "InputPath").unwrap_or_default();
                self.of_input(written, at, [input_path, place].concat())
            }
            Origin::Item if state.get("ItemReader").is_some() => {
                let name = self.entered[at].name.clone();
                Some(Supplier::Result(
                    name,
                    [vec![Step::Index(0)], place].concat(),
                ))
            }
            Origin::Item => {
                let items = match jsonata {
                    false => Source(
                        Origin::Input,
                        path_of(state, "ItemsPath").unwrap_or_default(),
                    ),
                    true => match state.get("Items") {
                        Some(items) => found(items, &[], true)?,
                        None => Source(Origin::Input, Vec::new()),
                    },
                };
                let Source(origin, items) = items;
                // Of a list that holds itself there is no first item.
                (origin != Origin::Item).then_some(())?;
                let item = [items, vec![Step::Index(0)], place].concat();
                self.of_origin(written, at, Source(origin, item))
            }
            Origin::Variable(name) => self.of_variable(written, at, &name, place),
            Origin::Result => self.of_result(written, at, place),
        }
    }

    /// The last one that has assigned it, in the same scope or in one around it. A Catch is not looked at.
    fn of_variable(
        &self,
        written: &Written,
        at: usize,
        name: &str,
        place: Vec<Step>,
    ) -> Option<Supplier> {
        let mut scopes = vec![self.entered[at].frame];
        while let Some((around, _)) = self.around.get(scopes.last()?) {
            let frame = self.entered[*around].frame;
            // A child sees nothing of its parent.
            if frame.0 != scopes.last()?.0 {
                break;
            }
            scopes.push(frame);
        }
        let entered = self.entered[..at].iter().enumerate().rev();
        let in_scope = entered.filter(|(_, entered)| scopes.contains(&entered.frame));
        let mut assigning = in_scope.filter_map(|(at, entered)| {
            let state = written.state(&entered.name);
            let rules = state["Choices"].as_array().into_iter().flatten();
            let mut all = rules.chain([state]).filter_map(|of| of.get("Assign"));
            let has = |of: &&Value| of.get(name).is_some() || of.get(format!("{name}.$")).is_some();
            Some((at, state, all.find(has)?))
        });
        let (at, state, template) = assigning.next()?;
        let place = [vec![Step::Name(name.to_owned())], place].concat();
        let jsonata = written.is_jsonata(state);
        match found(template, &place, jsonata)? {
            // There `$` is what is left after ResultSelector, and after Parameters.
            Source(Origin::Input, place) if !jsonata => self.of_result(written, at, place),
            from => self.of_origin(written, at, from),
        }
    }

    fn of_output(&self, written: &Written, at: usize, place: Vec<Step>) -> Option<Supplier> {
        let state = written.state(&self.entered[at].name);
        if written.is_jsonata(state) {
            let from = match state.get("Output") {
                None if has_result(state) => Source(Origin::Result, place),
                None => Source(Origin::Input, place),
                Some(output) => found(output, &place, true)?,
            };
            return self.of_origin(written, at, from);
        }
        let place = [path_of(state, "OutputPath").unwrap_or_default(), place].concat();
        if !has_result(state) && state["Type"] != "Pass" {
            return self.of_origin(written, at, Source(Origin::Input, place));
        }
        let target = match state.get("ResultPath") {
            Some(Value::Null) => None,
            _ => Some(path_of(state, "ResultPath").unwrap_or_default()),
        };
        let inside =
            target.and_then(|target| place.strip_prefix(&target[..]).map(<[Step]>::to_vec));
        match inside {
            Some(inside) => self.of_result(written, at, inside),
            None => self.of_input(written, at, place),
        }
    }

    /// Who supplies a place in what a state makes, before ResultPath.
    fn of_result(&self, written: &Written, at: usize, place: Vec<Step>) -> Option<Supplier> {
        let name = &self.entered[at].name;
        let state = written.state(name);
        let place = match has_result(state) {
            true => through(state.get("ResultSelector"), place)?,
            false => place,
        };
        match state["Type"].as_str().unwrap_or_default() {
            "Task" => Some(Supplier::Result(name.clone(), place)),
            "Parallel" | "Map" => {
                let [Step::Index(index), rest @ ..] = &place[..] else {
                    return None;
                };
                let part = Some(&(at, *index));
                let last = self
                    .entered
                    .iter()
                    .rposition(|entered| self.around.get(&entered.frame) == part)?;
                self.of_output(written, last, rest.to_vec())
            }
            "Pass" if state.get("Result").is_some() => None,
            _ => {
                let place = through(state.get("Parameters"), place)?;
                self.of_origin(written, at, Source(Origin::Input, place))
            }
        }
    }
}

fn has_result(state: &Value) -> bool {
    ["Task", "Parallel", "Map"]
        .iter()
        .any(|kind| state["Type"] == **kind)
}
