//! What an engine's answer makes of a delivery.

use engine::Outcome;

use super::history::{Ending, How};
use super::place::whose;
use super::verdict::{Later, Verdict};
use crate::gateway::Gateway;
use crate::gateway::alert::late_by;
use crate::gateway::disposition::Disposition;
use crate::gateway::record::{Delivery, Holder, Step};
use crate::gateway::trail::about;

/// What is known beside the answer.
pub(super) struct Circumstances<'a> {
    pub delivery: &'a Delivery,
    pub holder: &'a Holder,
    pub engine: &'a str,
    /// An attempt was made before of which nobody knows whether it counted.
    pub doubt: bool,
    /// How the wait ended, if that was looked up and found.
    pub ending: Option<Ending>,
}

impl Gateway {
    /// The step that a verdict makes.
    pub(super) fn judge_elsewhere(&self, verdict: &Verdict, of: &Circumstances<'_>) -> Step {
        let whose = whose(of.holder);
        let engine = of.engine;
        match verdict {
            Verdict::Taken => self.taken_elsewhere(of, &whose),
            Verdict::Over => self.over_elsewhere(of, &whose),
            Verdict::NoSuchTask(_) | Verdict::NotItsToken(_) if of.ending.is_some() => {
                self.over_elsewhere(of, &whose)
            }
            Verdict::NoSuchTask(said) => self.step(
                Disposition::LateEnded,
                format!("The engine {engine} no longer knows {whose} ({said})."),
            ),
            Verdict::NotItsToken(said) => self.given_up(format!(
                "The engine {engine} says that the token registered for it is none of its own ({said}); it is not tried again. Was it registered for the right engine, region and account?"
            )),
            // The third party hears this one: nothing but the error's name.
            Verdict::NotAcceptable(said) => {
                let delivery = &of.delivery.id;
                crate::log::say_about!(about(of.delivery), "the engine {engine} does not take delivery {delivery}: {said}");
                let name = said.split(':').next().unwrap_or(said);
                self.step(
                    Disposition::Malformed,
                    format!("The workflow engine does not take what it says ({name})."),
                )
            }
            Verdict::Later(later) => self.later(of, later),
        }
    }

    /// The step of a delivery that waits, in words.
    pub(in crate::gateway) fn kept(&self, note: String) -> Step {
        Step {
            kept: true,
            ..self.step(Disposition::Undeliverable, note)
        }
    }

    /// The step of a delivery that nobody tries again, in words.
    pub(super) fn given_up(&self, note: String) -> Step {
        Step {
            given_up: true,
            ..self.step(Disposition::Undeliverable, note)
        }
    }

    fn later(&self, of: &Circumstances<'_>, Later { what, trouble, .. }: &Later) -> Step {
        let engine = of.engine;
        if trouble.is_none() && of.delivery.outcome().is_none() {
            // An answer behind it must not wait for what a policy forbids.
            return self.step(
                Disposition::Undeliverable,
                format!(
                    "The engine {engine} refuses it ({what}); a heartbeat is not tried again then."
                ),
            );
        }
        self.kept(format!(
            "The engine {engine} could not take it ({what}); it is kept, and tried again."
        ))
    }

    fn taken_elsewhere(&self, of: &Circumstances<'_>, whose: &str) -> Step {
        match of.delivery.outcome() {
            None => self.step(
                Disposition::Heartbeat,
                format!("The wait of {whose} goes on."),
            ),
            Some(Outcome::Success(_)) => self.step(
                Disposition::Delivered,
                format!("It was the result of {whose}."),
            ),
            Some(Outcome::Failure(failure)) => self.step(
                Disposition::DeliveredAsFailure,
                format!(
                    "It was the failure of {whose}: {}.",
                    failure.error.as_deref().unwrap_or("no error name")
                ),
            ),
        }
    }

    fn over_elsewhere(&self, of: &Circumstances<'_>, whose: &str) -> Step {
        let Some(ending) = &of.ending else {
            return self.over_somehow(of, whose);
        };
        if of.doubt
            && let Some(outcome) = of.delivery.outcome()
            && ending.is_of(&outcome)
        {
            let mut step = self.taken_elsewhere(of, whose);
            step.note.push_str(
                " What came of an earlier attempt was not known; the execution's history shows it.",
            );
            return step;
        }
        let (disposition, how) = match &ending.how {
            How::TimedOut => (Disposition::LateTimedOut, "had timed out"),
            How::HeartbeatTimedOut => (
                Disposition::LateTimedOut,
                "had gone without a heartbeat for too long",
            ),
            How::Succeeded(_) => (Disposition::LateEnded, "had been answered by other means"),
            How::Failed { .. } => (Disposition::LateEnded, "had failed by other means"),
            How::Stopped => (
                Disposition::LateEnded,
                "had ended with its execution, or the execution had gone another way",
            ),
        };
        let note = match ending.at.map(|at| late_by(of.delivery, at)) {
            Some(late) if late >= 0.0 => {
                format!("The wait of {whose} {how} {late} s before the callback came.")
            }
            // It ended while the callback was on its way, or the clocks differ.
            _ => format!("The wait of {whose} {how} before the callback arrived there."),
        };
        Step {
            wait_ended_at: ending.at,
            ..self.step(disposition, note)
        }
    }

    /// `TaskTimedOut`, and nobody to ask.
    fn over_somehow(&self, of: &Circumstances<'_>, whose: &str) -> Step {
        let engine = of.engine;
        let deadline = of.holder.place.wait_deadline;
        let now = self.0.clock.now();
        let hint = match of.holder.place.execution_arn.is_empty() {
            true => "registered with its executionArn, its history would tell",
            false => "the execution's history does not tell",
        };
        if of.doubt {
            // Of the two ways to be wrong this is the one that somebody looks into.
            return self.step(
                Disposition::LateEnded,
                format!(
                    "It may have counted: what came of an earlier attempt is not known, and now the engine {engine} says TaskTimedOut of {whose}, as it does of a wait that was answered and of one that is over otherwise ({hint})."
                ),
            );
        }
        match deadline {
            Some(deadline) if deadline <= now => Step {
                wait_ended_at: Some(deadline),
                ..self.step(
                    Disposition::LateTimedOut,
                    format!(
                        "The engine {engine} says TaskTimedOut of {whose}, and the wait's deadline was {deadline}."
                    ),
                )
            },
            Some(deadline) => self.step(
                Disposition::LateEnded,
                format!(
                    "The engine {engine} says TaskTimedOut of {whose} before its deadline ({deadline}): it had been answered by other means, gone without a heartbeat, or ended with its execution ({hint})."
                ),
            ),
            None => self.step(
                Disposition::LateTimedOut,
                format!(
                    "The engine {engine} says TaskTimedOut of {whose}: it had timed out, been answered by other means, or ended with its execution ({hint})."
                ),
            ),
        }
    }
}
