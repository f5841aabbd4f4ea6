//! The user's mistakes as values: what is wrong, where, and what to do.

use std::fmt;

/// How much a diagnostic weighs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// The definition is refused.
    Error,
    /// The definition runs, and probably not as meant.
    Warning,
}

/// One thing found in a definition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// Whether the definition is refused for it.
    pub severity: Severity,
    /// AWS's code, for example `SCHEMA_VALIDATION_FAILED` or `MISSING_TRANSITION_TARGET`.
    pub code: &'static str,
    /// What is wrong, in AWS's words where a recording or the documentation has them.
    pub message: String,
    /// JSON pointer to the place, for example `/States/Wait for it/Seconds`.
    pub pointer: String,
    /// What to do about it, in ours.
    pub hint: Option<String>,
}

/// As the API reports it: `CODE: message at /pointer`.
impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} at {}", self.code, self.message, self.pointer)
    }
}
