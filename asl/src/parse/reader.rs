//! What a run over a definition collects: diagnostics and states.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use super::{NOT_SUPPORTED_YET, Parsed};
use crate::diagnostic::{Diagnostic, Severity};
use crate::model::{QueryLanguage, State, StateId, StateMachine};

const SCHEMA: &str = "SCHEMA_VALIDATION_FAILED";

/// Collects diagnostics and states.
pub(super) struct Reader {
    /// Whether the machine is an Express one.
    pub(super) express: bool,
    /// `QueryLanguage` of the whole definition.
    pub(super) top_language: QueryLanguage,
    /// The query language of the state that is being read.
    pub(super) language: QueryLanguage,
    /// Where that state stands, and the variables that it has been seen to read.
    state: (String, BTreeSet<String>),
    diagnostics: Vec<Diagnostic>,
    /// What the graph as a whole lacks. A state that could not be read leaves holes in the graph,
    /// so this counts only if every state could be.
    graph: Vec<Diagnostic>,
    /// A place per state; it is filled when the state has been read.
    states: Vec<Option<State>>,
    /// The variables that are assigned, each with its place, in the order of the text.
    assigned: Vec<(String, String)>,
    /// What the scopes that have been read assign, as places in `assigned`, by depth of nesting.
    pub(super) scopes: Vec<Vec<(usize, usize)>>,
    /// Where each name was seen first.
    names: HashMap<String, String>,
    /// And each `Label`.
    labels: HashMap<String, String>,
}

impl Reader {
    pub(super) fn new(express: bool) -> Reader {
        Reader {
            express,
            top_language: QueryLanguage::JsonPath,
            language: QueryLanguage::JsonPath,
            state: (String::new(), BTreeSet::new()),
            diagnostics: Vec::new(),
            graph: Vec::new(),
            states: Vec::new(),
            assigned: Vec::new(),
            scopes: vec![Vec::new()],
            names: HashMap::new(),
            labels: HashMap::new(),
        }
    }

    /// Begins with another state, inside of the one that is being read or beside it; what this gives
    /// is to be handed back to [`Reader::leave_state`].
    pub(super) fn enter_state(
        &mut self,
        pointer: &str,
        language: QueryLanguage,
    ) -> (QueryLanguage, (String, BTreeSet<String>)) {
        let outer = std::mem::replace(&mut self.state, (pointer.to_owned(), BTreeSet::new()));
        (std::mem::replace(&mut self.language, language), outer)
    }

    /// Ends with a state: the variables that it reads.
    pub(super) fn leave_state(
        &mut self,
        (language, outer): (QueryLanguage, (String, BTreeSet<String>)),
    ) -> Vec<Arc<str>> {
        self.language = language;
        let (_, names) = std::mem::replace(&mut self.state, outer);
        names.iter().map(|name| shared(name)).collect()
    }

    /// Notes that the state reads these variables.
    pub(super) fn refer<'n>(&mut self, names: impl IntoIterator<Item = &'n str>) {
        let names = names.into_iter().filter(|name| *name != "states");
        self.state.1.extend(names.map(str::to_owned));
    }

    /// Notes that a state of the scope assigns the variable `name`, at `pointer`.
    pub(super) fn assigns(&mut self, name: &str, pointer: &str) {
        self.assigned.push((name.to_owned(), pointer.to_owned()));
    }

    /// How many assignments have been seen: to be kept while a scope is read.
    pub(super) fn assignments(&self) -> usize {
        self.assigned.len()
    }

    /// Reports what the scopes inside of a state assign although the scope around it does: a
    /// variable has one owner. `inner` are the assignments inside of its states, each as from where
    /// to where; all others since `from` are the scope's own.
    pub(super) fn report_outer_variables(&mut self, from: usize, inner: &[(usize, usize)]) {
        let is_inner = |at: usize| inner.iter().any(|(from, to)| (*from..*to).contains(&at));
        let own: HashSet<&str> = (from..self.assigned.len())
            .filter(|at| !is_inner(*at))
            .map(|at| self.assigned[at].0.as_str())
            .collect();
        let clashing: Vec<(String, String)> = (from..self.assigned.len())
            .filter(|at| is_inner(*at) && own.contains(self.assigned[*at].0.as_str()))
            .map(|at| self.assigned[at].clone())
            .collect();
        for (name, pointer) in clashing {
            self.error(
                SCHEMA,
                &pointer,
                format!("Variable '{name}' is assigned in an outer scope"),
                Some("Give the variable of the inner scope another name.".to_owned()),
            );
        }
    }

    /// A place as the state sees it: without the way to the state.
    pub(super) fn place_in_state(&self, pointer: &str) -> String {
        let inside = pointer
            .strip_prefix(self.state.0.as_str())
            .unwrap_or(pointer);
        inside.trim_start_matches('/').to_owned()
    }

    /// `SCHEMA_VALIDATION_FAILED` at `pointer`; the empty pointer is the definition itself.
    pub(super) fn schema(&mut self, pointer: &str, message: impl Into<String>) {
        self.error(SCHEMA, pointer, message, None);
    }

    /// The same, with what to do about it.
    pub(super) fn schema_hint(
        &mut self,
        pointer: &str,
        message: impl Into<String>,
        hint: impl Into<String>,
    ) {
        self.error(SCHEMA, pointer, message, Some(hint.into()));
    }

    /// Something that AWS runs and this version does not.
    pub(super) fn not_supported(&mut self, pointer: &str, what: &str, instead: &str) {
        self.error(
            NOT_SUPPORTED_YET,
            pointer,
            format!("This version does not support {what} yet"),
            Some(instead.to_owned()),
        );
    }

    pub(super) fn error(
        &mut self,
        code: &'static str,
        pointer: &str,
        message: impl Into<String>,
        hint: Option<String>,
    ) {
        self.diagnostics.push(diagnostic(
            Severity::Error,
            code,
            pointer,
            message.into(),
            hint,
        ));
    }

    /// An error of the text as a whole, which AWS reports without a place.
    pub(super) fn nowhere(
        &mut self,
        code: &'static str,
        message: impl Into<String>,
        hint: Option<String>,
    ) {
        let message = message.into();
        self.diagnostics.push(Diagnostic {
            severity: Severity::Error,
            code,
            message,
            pointer: String::new(),
            hint,
        });
    }

    pub(super) fn warning(
        &mut self,
        code: &'static str,
        pointer: &str,
        message: impl Into<String>,
        hint: &str,
    ) {
        self.diagnostics.push(diagnostic(
            Severity::Warning,
            code,
            pointer,
            message.into(),
            Some(hint.to_owned()),
        ));
    }

    pub(super) fn note(&mut self, code: &'static str, pointer: &str, message: &str, hint: &str) {
        let hint = Some(hint.to_owned());
        let note = diagnostic(Severity::Note, code, pointer, message.to_owned(), hint);
        self.diagnostics.push(note);
    }

    /// No state ends the execution; AWS gives no place.
    pub(super) fn no_terminal_state(&mut self) {
        self.graph.push(Diagnostic {
            severity: Severity::Error,
            code: "MISSING_END_STATE",
            message: "Workflow has no terminal state".to_owned(),
            pointer: String::new(),
            hint: Some("Give a state \"End\": true, or add a Succeed or Fail state.".to_owned()),
        });
    }

    pub(super) fn unreachable(&mut self, pointer: &str, name: &str) {
        self.graph.push(diagnostic(
            Severity::Error,
            "MISSING_TRANSITION_TARGET",
            pointer,
            format!("State \"{name}\" is not reachable."),
            Some("Lead a transition to it, or remove it.".to_owned()),
        ));
    }

    /// Notes a Map's label, found at `pointer`; where it was seen before, if it was.
    pub(super) fn label(&mut self, label: &str, pointer: &str) -> Option<String> {
        let first = self.labels.get(label).cloned();
        if first.is_none() {
            self.labels.insert(label.to_owned(), pointer.to_owned());
        }
        first
    }

    /// Makes room for a state called `name`, found at `pointer`.
    pub(super) fn reserve(&mut self, name: &str, pointer: &str) -> StateId {
        if let Some(first) = self.names.get(name) {
            let hint =
                format!("It stands at {first} too. Names are unique in the whole definition.");
            self.error(
                "DUPLICATE_STATE_NAME",
                pointer,
                format!("Duplicate State name: {name}"),
                Some(hint),
            );
        } else {
            self.names.insert(name.to_owned(), pointer.to_owned());
        }
        let id = StateId(
            u32::try_from(self.states.len()).expect("a definition has fewer states than bytes"),
        );
        self.states.push(None);
        id
    }

    pub(super) fn fill(&mut self, id: StateId, state: State) {
        self.states[id.0 as usize] = Some(state);
    }

    /// The end of the run: a machine if nothing is wrong.
    pub(super) fn finish(
        mut self,
        machine: Option<(Option<String>, StateId, Option<u64>)>,
    ) -> Parsed {
        let incomplete = self
            .diagnostics
            .iter()
            .any(|d| d.severity == Severity::Error && d.code != "MISSING_TRANSITION_TARGET");
        if !incomplete {
            self.diagnostics.append(&mut self.graph);
        }
        let refused = self
            .diagnostics
            .iter()
            .any(|d| d.severity == Severity::Error);
        let states: Option<Vec<State>> = self.states.into_iter().collect();
        let machine = match (machine, states) {
            (Some((comment, start_at, timeout_seconds)), Some(states)) if !refused => {
                Some(StateMachine {
                    comment,
                    start_at,
                    states,
                    timeout_seconds,
                })
            }
            _ => None,
        };
        assert!(
            machine.is_some() || refused,
            "a definition without a model has an error that says why"
        );
        Parsed {
            machine,
            diagnostics: self.diagnostics,
        }
    }
}

fn diagnostic(
    severity: Severity,
    code: &'static str,
    pointer: &str,
    message: String,
    hint: Option<String>,
) -> Diagnostic {
    let pointer = if pointer.is_empty() { "/" } else { pointer }.to_owned();
    Diagnostic {
        severity,
        code,
        message,
        pointer,
        hint,
    }
}

/// A name as the model keeps it.
pub(super) fn shared(text: &str) -> Arc<str> {
    Arc::from(text)
}
