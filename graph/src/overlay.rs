//! What is shown on top of a definition: an execution's way through it, or what a report found.

use std::collections::{BTreeMap, BTreeSet};

/// What the caller knows of states and of the links between them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Overlay {
    /// By the state's name. A state without a mark was not reached, if any state has a status.
    pub states: BTreeMap<String, Mark>,
    /// The links that were gone.
    pub steps: BTreeSet<Step>,
}

/// What is known of one state.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Mark {
    /// What became of it.
    pub status: Option<Status>,
    /// How often it was entered.
    pub visits: u64,
    /// What was found about it, the worst one.
    pub finding: Option<Finding>,
}

/// What became of a state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Status {
    /// It was entered and left.
    Passed,
    /// It failed, and a Catch took that.
    Caught,
    /// It was stopped before its end, by an operator or because something beside it failed.
    Stopped,
    /// It failed.
    Failed,
    /// It runs.
    Current,
}

/// Something that a person should look at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// In a few words; what is too long is cut in the box and stands whole in its title.
    pub text: String,
}

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs)]
pub enum Severity {
    Info,
    Warning,
    Error,
}

/// A link that was gone.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Step {
    /// Where it begins; nothing for a start.
    pub from: Option<String>,
    /// Where it leads; nothing for an end.
    pub to: Option<String>,
    /// It is that of a Catch.
    pub caught: bool,
}

impl Overlay {
    /// Whether it shows an execution, so that what has no mark was not reached.
    pub(crate) fn is_execution(&self) -> bool {
        self.states.values().any(|mark| mark.status.is_some())
    }
}
