//! Which events a level lets through.

/// `level` of a `loggingConfiguration`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Level {
    All,
    Error,
    Fatal,
}

impl Level {
    /// `None` for `OFF`.
    pub(super) fn of(name: &str) -> Option<Level> {
        match name {
            "ALL" => Some(Level::All),
            "ERROR" => Some(Level::Error),
            "FATAL" => Some(Level::Fatal),
            _ => None,
        }
    }

    /// As AWS's table of event types has it, which these rules give back.
    pub(super) fn logs(self, event_type: &str) -> bool {
        let bad = ["Failed", "TimedOut", "Aborted"]
            .iter()
            .any(|end| event_type.ends_with(end));
        match self {
            Level::All => true,
            Level::Error => bad || event_type == "FailStateEntered",
            Level::Fatal => bad && event_type.starts_with("Execution"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The rows of AWS's table that are logged for more than `ALL`, and a neighbour of each.
    #[test]
    fn a_level_lets_through_what_it_does_on_aws() {
        for (event_type, error, fatal) in [
            ("ExecutionAborted", true, true),
            ("ExecutionFailed", true, true),
            ("ExecutionTimedOut", true, true),
            ("ExecutionStarted", false, false),
            ("ExecutionSucceeded", false, false),
            ("ExecutionRedriven", false, false),
            ("FailStateEntered", true, false),
            ("PassStateEntered", false, false),
            ("LambdaFunctionFailed", true, false),
            ("LambdaFunctionScheduleFailed", true, false),
            ("LambdaFunctionStarted", false, false),
            ("MapIterationAborted", true, false),
            ("MapRunFailed", true, false),
            ("MapStateFailed", true, false),
            ("ParallelStateAborted", true, false),
            ("TaskSubmitFailed", true, false),
            ("TaskSubmitted", false, false),
            ("TaskTimedOut", true, false),
            ("WaitStateAborted", true, false),
        ] {
            assert!(Level::All.logs(event_type));
            assert_eq!(Level::Error.logs(event_type), error, "{event_type}");
            assert_eq!(Level::Fatal.logs(event_type), fatal, "{event_type}");
        }
        assert_eq!(Level::of("OFF"), None);
    }
}
