//! `StartAt` and `States`: a set of names, and the transitions between them.
//!
//! The definition itself, each branch of a Parallel state and the processor of a Map state are
//! scopes. A transition stays in its scope; a name is unique in all of them together.

use std::collections::HashMap;

use super::fields::Fields;
use super::near::nearest;
use super::reader::Reader;
use super::state;
use crate::model::{Next, StateId};

/// The longest name of a state, in characters (AWS).
const NAME_MAX: usize = 80;

/// Up to how many states a misspelled name is looked for.
const NAMES_COMPARED_MAX: usize = 500;

/// The scope whose states are being read.
pub(super) struct Scope<'v> {
    names: HashMap<&'v str, StateId>,
    /// The state being read.
    current: StateId,
    transitions: Vec<(StateId, StateId)>,
    /// Whether a state ends the execution (or the branch).
    terminal: bool,
}

/// Reads `StartAt` and `States` of `fields`; the start if there is one.
pub(super) fn read(reader: &mut Reader, fields: &Fields<'_>) -> Option<StateId> {
    fields.require(reader, &["StartAt", "States"]);
    let start_at = fields.string(reader, "StartAt");
    let states = Fields::of(reader, fields.get("States")?, &fields.at("States"))?;
    if states.entries().next().is_none() {
        reader.schema(&states.pointer, "Value cannot be empty");
        return None;
    }
    let mut scope = Scope {
        names: HashMap::new(),
        current: StateId(0),
        transitions: Vec::new(),
        terminal: false,
    };
    for (name, _) in states.entries() {
        let pointer = states.at(name);
        let message = match name.chars().count() {
            0 => Some("A state must have a name".to_owned()),
            length if length > NAME_MAX => Some(format!(
                "State name '{name}' exceeds the {NAME_MAX}-character limit allowed by the service"
            )),
            _ => None,
        };
        if let Some(message) = message {
            reader.error("INVALID_STATE_NAME", &pointer, message, None);
        }
        let id = reader.reserve(name, &pointer);
        scope.names.insert(name, id);
    }
    let start = start_at.and_then(|name| scope.find(reader, name, &fields.at("StartAt")));
    let from = reader.assignments();
    reader.scopes.push(Vec::new());
    for (name, value) in states.entries() {
        scope.current = scope.names[name.as_str()];
        if let Some(state) = state::read(reader, &mut scope, name, value, &states.at(name)) {
            reader.fill(scope.current, state);
        }
    }
    let inner = reader.scopes.pop().expect("a scope is left once");
    reader.report_outer_variables(from, &inner);
    let read = (from, reader.assignments());
    let around = reader
        .scopes
        .last_mut()
        .expect("the first one is never left");
    around.push(read);
    // A branch may go round for ever: AWS asks the workflow alone how it ends (measured:
    // floci-io/floci#2786), and then not which of its states are reached.
    let is_whole = fields.pointer.is_empty();
    if scope.terminal || !is_whole {
        scope.report_unreachable(reader, &states, start);
    } else {
        reader.no_terminal_state();
    }
    start
}

impl Scope<'_> {
    fn find(&self, reader: &mut Reader, name: &str, pointer: &str) -> Option<StateId> {
        let found = self.names.get(name).copied();
        if found.is_none() {
            // Among more names a look at each for every fault would take its time.
            let few = self.names.len() <= NAMES_COMPARED_MAX;
            let near = few.then(|| nearest(name, self.names.keys().copied()));
            let hint = match near.flatten() {
                Some(known) => format!("There is a state '{known}'."),
                None => "A transition leads to a state of the same 'States' object.".to_owned(),
            };
            let message = format!("Missing 'Next' target: {name}");
            reader.error("MISSING_TRANSITION_TARGET", pointer, message, Some(hint));
        }
        found
    }

    /// The state that the field `name` leads to. AWS calls it 'Next' in its message whatever the field.
    pub(super) fn target(
        &mut self,
        reader: &mut Reader,
        fields: &Fields<'_>,
        name: &str,
    ) -> StateId {
        let found = fields
            .string(reader, name)
            .and_then(|target| self.find(reader, target, &fields.at(name)));
        match found {
            Some(id) => {
                self.transitions.push((self.current, id));
                id
            }
            None => self.current,
        }
    }

    /// `Next` or `End`.
    pub(super) fn next(&mut self, reader: &mut Reader, fields: &Fields<'_>) -> Next {
        let end = fields.boolean(reader, "End") == Some(true);
        if fields.has("Next") {
            if end {
                fields.exclusive(reader, &["Next", "End"]);
            }
            return Next::State(self.target(reader, fields, "Next"));
        }
        if !end && fields.get("End").is_none_or(serde_json::Value::is_boolean) {
            reader.schema_hint(
                &fields.pointer,
                "This object should have only one of the following fields: [Next, End]",
                "Say which state is the next, or \"End\": true.",
            );
        }
        self.terminal = true;
        Next::End
    }

    /// The state being read ends the execution.
    pub(super) fn ends(&mut self) {
        self.terminal = true;
    }

    fn report_unreachable(&self, reader: &mut Reader, states: &Fields<'_>, start: Option<StateId>) {
        let mut leads: HashMap<StateId, Vec<StateId>> = HashMap::new();
        for (from, to) in &self.transitions {
            leads.entry(*from).or_default().push(*to);
        }
        let mut reached: std::collections::HashSet<StateId> = start.into_iter().collect();
        let mut ahead: Vec<StateId> = start.into_iter().collect();
        while let Some(id) = ahead.pop() {
            ahead.extend(
                leads
                    .get(&id)
                    .into_iter()
                    .flatten()
                    .copied()
                    .filter(|to| reached.insert(*to)),
            );
        }
        for (name, _) in states.entries() {
            if !reached.contains(&self.names[name.as_str()]) {
                reader.unreachable(&states.at(name), name);
            }
        }
    }
}
