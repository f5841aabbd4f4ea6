//! A failure that belongs to the user's workflow: an error name and a cause, for Retry and Catch.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

/// What Retry and Catch match, and what a failed execution reports.
///
/// Both are optional since `SendTaskFailure` may give neither (recorded case
/// `test_sqs_failure_in_wait_for_task_tok_no_error_field`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// The error name, for example `States.Timeout`.
    pub error: Option<Cow<'static, str>>,
    /// Free text for people.
    pub cause: Option<String>,
}

impl Failure {
    /// A failure of a known name.
    pub fn new(error: &'static str, cause: impl Into<String>) -> Failure {
        Failure {
            error: Some(Cow::Borrowed(error)),
            cause: Some(cause.into()),
        }
    }

    /// `States.Runtime`: the execution itself went wrong.
    pub fn runtime(cause: impl Into<String>) -> Failure {
        Failure::new("States.Runtime", cause)
    }
}
