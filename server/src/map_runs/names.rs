//! What a Map Run's children are called.

use std::sync::Arc;

use asl::Map;
use engine::Identity;

/// Whether a Map state's children are Express executions.
pub(super) fn is_express(map: &Map) -> bool {
    map.distributed.as_ref().is_some_and(|own| own.express)
}

/// The names of a Map Run's children, drawn from its ARN: whoever asks for the one at a place gets the
/// same name each time, so a child is never started twice.
pub(super) struct Names {
    run: Arc<str>,
    /// `arn:aws:states:REGION:ACCOUNT:execution:MACHINE/LABEL:`, or `...:express:MACHINE/LABEL:`.
    executions: String,
    express: bool,
    /// `arn:aws:states:REGION:ACCOUNT:stateMachine:MACHINE/LABEL`.
    pub(super) machine_arn: Arc<str>,
    /// `MACHINE/LABEL`.
    pub(super) machine_name: Arc<str>,
}

impl Names {
    /// Those of the Map Run with this ARN, which an execution of this identity asked for.
    pub(super) fn new(run: &Arc<str>, parent: &Identity, express: bool) -> Names {
        let kind = if express { ":express:" } else { ":execution:" };
        let (head, _) = run.rsplit_once(':').unwrap_or((run, ""));
        let (_, label) = head.rsplit_once('/').unwrap_or((head, ""));
        let machine_arn = format!("{}/{label}", parent.defined_machine_arn());
        let machine_name = machine_arn.rsplit(':').next().unwrap_or_default();
        Names {
            run: run.clone(),
            executions: head.replacen(":mapRun:", kind, 1) + ":",
            express,
            machine_name: machine_name.into(),
            machine_arn: machine_arn.into(),
        }
    }

    /// The name of the child at this place.
    pub(super) fn child(&self, place: u32) -> String {
        engine::map_run::drawn(&[&self.run, &place.to_string()])
    }

    /// The ARN of the child of this name. That of an Express execution has a number behind its name.
    pub(super) fn execution(&self, name: &str) -> String {
        let executions = &self.executions;
        match self.express {
            false => format!("{executions}{name}"),
            true => {
                let number = engine::map_run::drawn(&[&self.run, name]);
                format!("{executions}{name}:{number}")
            }
        }
    }
}
