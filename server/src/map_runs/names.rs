//! What a Map Run's children are called.

use std::sync::Arc;

use engine::Identity;

/// The names of a Map Run's children, drawn from its ARN: whoever asks for the one at a place gets the
/// same name each time, so a child is never started twice.
pub(super) struct Names {
    run: Arc<str>,
    /// `arn:aws:states:REGION:ACCOUNT:execution:MACHINE/LABEL:`.
    executions: String,
    /// `arn:aws:states:REGION:ACCOUNT:stateMachine:MACHINE/LABEL`.
    pub(super) machine_arn: Arc<str>,
    /// `MACHINE/LABEL`.
    pub(super) machine_name: Arc<str>,
}

impl Names {
    /// Those of the Map Run with this ARN, which an execution of this identity asked for.
    pub(super) fn new(run: &Arc<str>, parent: &Identity) -> Names {
        let (head, _) = run.rsplit_once(':').unwrap_or((run, ""));
        let (_, label) = head.rsplit_once('/').unwrap_or((head, ""));
        let machine_arn = format!("{}/{label}", parent.defined_machine_arn());
        let machine_name = machine_arn.rsplit(':').next().unwrap_or_default();
        Names {
            run: run.clone(),
            executions: head.replacen(":mapRun:", ":execution:", 1) + ":",
            machine_name: machine_name.into(),
            machine_arn: machine_arn.into(),
        }
    }

    /// The name of the child at this place.
    pub(super) fn child(&self, place: u32) -> String {
        engine::map_run::drawn(&[&self.run, &place.to_string()])
    }

    /// The ARN of the child of this name.
    pub(super) fn execution(&self, name: &str) -> String {
        format!("{}{name}", self.executions)
    }
}
