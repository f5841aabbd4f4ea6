//! What a run over a definition collects: diagnostics and states.

use std::collections::HashMap;
use std::sync::Arc;

use super::{NOT_SUPPORTED_YET, Parsed};
use crate::diagnostic::{Diagnostic, Severity};
use crate::model::{State, StateId, StateMachine};

const SCHEMA: &str = "SCHEMA_VALIDATION_FAILED";

/// Collects diagnostics and states.
pub(super) struct Reader {
    /// Whether the machine is an Express one.
    pub(super) express: bool,
    diagnostics: Vec<Diagnostic>,
    /// What the graph as a whole lacks. A state that could not be read leaves holes in the graph,
    /// so this counts only if every state could be.
    graph: Vec<Diagnostic>,
    /// A place per state; it is filled when the state has been read.
    states: Vec<Option<State>>,
    /// Where each name was seen first.
    names: HashMap<String, String>,
}

impl Reader {
    pub(super) fn new(express: bool) -> Reader {
        Reader {
            express,
            diagnostics: Vec::new(),
            graph: Vec::new(),
            states: Vec::new(),
            names: HashMap::new(),
        }
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
    pub(super) fn not_supported(&mut self, pointer: &str, what: &str) {
        let hint = "Remove it, or run this definition with a version that has it.".to_owned();
        self.error(
            NOT_SUPPORTED_YET,
            pointer,
            format!("This version does not support {what} yet"),
            Some(hint),
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

    /// No state of this scope ends the execution; AWS gives no place.
    pub(super) fn no_terminal_state(&mut self, pointer: &str) {
        let place = if pointer.is_empty() {
            "the definition"
        } else {
            pointer
        };
        self.graph.push(Diagnostic {
            severity: Severity::Error,
            code: "MISSING_END_STATE",
            message: "Workflow has no terminal state".to_owned(),
            pointer: String::new(),
            hint: Some(format!(
                "Give a state of {place} \"End\": true, or add a Succeed or Fail state."
            )),
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
