//! The user's mistakes as values: what is wrong, where, and what to do.

use std::fmt;

/// How much a diagnostic weighs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// The definition is refused.
    Error,
    /// The definition runs, and probably not as meant.
    Warning,
    /// Worth a thought. The API, which has no such thing, does not report it.
    Note,
}

/// One thing found in a definition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// Whether the definition is refused for it.
    pub severity: Severity,
    /// AWS's code, for example `SCHEMA_VALIDATION_FAILED` or `MISSING_TRANSITION_TARGET`; warnings of
    /// ours have one that begins with `REJOIN_`.
    pub code: &'static str,
    /// What is wrong, in AWS's words where a recording or the documentation has them.
    pub message: String,
    /// The place as AWS writes it, for example `/States/Wait for it/Seconds`, `/States/X/Retry[0]`
    /// or `/`; empty where AWS gives none.
    pub pointer: String,
    /// What to do about it, in ours.
    pub hint: Option<String>,
}

/// As CreateStateMachine reports it: `CODE: message at /pointer`, and `at null` where there is no place
/// (measured on AWS: floci-io/floci#2735).
impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = match self.pointer.as_str() {
            "" => "null",
            pointer => pointer,
        };
        write!(f, "{}: {} at {place}", self.code, self.message)
    }
}
