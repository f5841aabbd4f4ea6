//! What goes wrong in an expression: a code of the reference implementation and its words, or AWS's
//! words where a limit of ours is met.

use super::{DEPTH_MAX, TIMEOUT};

/// Why an expression cannot be read, or has no value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Error {
    /// The reference implementation's code.
    pub(super) code: &'static str,
    /// Its words, or AWS's.
    pub(super) message: String,
}

/// Boxed, so that a result is as small as a value.
pub(super) type Failed = Box<Error>;

/// AWS's words for an expression that takes too much memory.
const MEMORY: &str =
    "Expression evaluation memory limit exceeded: Check for excessive memory usage";

/// An error of the language.
pub(super) fn error(code: &'static str, message: impl Into<String>) -> Failed {
    Box::new(Error {
        code,
        message: message.into(),
    })
}

/// More than one evaluation may hold, or than a sequence may have.
pub(super) fn memory() -> Failed {
    error("D2014", MEMORY)
}

/// Longer than one evaluation may take.
pub(super) fn timeout() -> Failed {
    error("D1012", TIMEOUT)
}

/// Deeper than an evaluation may nest.
pub(super) fn overflow() -> Failed {
    error(
        "D1011",
        format!(
            "Stack overflow error: Check for non-terminating recursive function.  Consider rewriting as \
             tail-recursive. Depth={} max={DEPTH_MAX}",
            DEPTH_MAX + 1
        ),
    )
}

/// The reference implementation's words for an argument of the wrong type.
pub(super) fn argument(at: usize, function: &str) -> Failed {
    error(
        "T0410",
        format!("Argument {at} of function \"{function}\" does not match function signature"),
    )
}

impl Error {
    /// Whether a limit of ours was met: AWS's words for these have no code.
    pub(super) fn is_limit(&self) -> bool {
        matches!(self.code, "D1011" | "D1012" | "D2014") || self.code.is_empty()
    }

    /// As it stands in a cause.
    pub(super) fn text(&self) -> String {
        match self.is_limit() {
            true => self.message.clone(),
            false => format!("{}: {}", self.code, self.message),
        }
    }
}
