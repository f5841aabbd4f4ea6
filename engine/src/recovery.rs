//! What becomes of a failure: first Retry, then Catch, then the frame fails, and with it its parent
//! or the execution.

use std::sync::Arc;

use asl::jsonata::QUERY_EVALUATION_ERROR;
use asl::{Catcher, Data, Failure, Next, QueryLanguage, Recovery, Retrier, StateKind};
use serde_json::{Value, json};

use crate::decide::{Decider, Over};
use crate::event::{EventKind, FrameId, Output, StateType};
use crate::flow::{Flaw, Leaving, Left, Made, Seen};
use crate::frame::Phase;
use crate::identity::WaitId;
use crate::random::SplitMix;

/// A failure on its way up.
#[derive(Debug, Clone)]
pub(crate) struct Raised {
    pub(crate) failure: Failure,
    /// What timed out, if the failure comes from the engine's own clock.
    timed_out: Option<TimedOut>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum TimedOut {
    Task,
    Heartbeat,
}

impl From<Failure> for Raised {
    fn from(failure: Failure) -> Raised {
        Raised {
            failure,
            timed_out: None,
        }
    }
}

impl Raised {
    /// A task was not answered in time. A missing heartbeat is reported as `States.Timeout` too, and
    /// matched by that name and by `States.HeartbeatTimeout`.
    pub(crate) fn timed_out(heartbeat: bool) -> Raised {
        Raised {
            failure: Failure {
                error: Some("States.Timeout".into()),
                cause: None,
            },
            timed_out: Some(if heartbeat {
                TimedOut::Heartbeat
            } else {
                TimedOut::Task
            }),
        }
    }

    /// What a Catch makes of it. A timeout has no cause in the history and an empty one here, while
    /// a `SendTaskFailure` without error and cause gives null for both (both recorded).
    fn error_output(&self) -> Value {
        let empty = self.timed_out.map(|_| String::new());
        json!({ "Error": self.failure.error, "Cause": self.failure.cause.clone().or(empty) })
    }

    /// Whether an `ErrorEquals` names it.
    pub(crate) fn is_named_by(&self, names: &[Arc<str>]) -> bool {
        let error = self.failure.error.as_deref().unwrap_or_default();
        names.iter().any(|name| match &**name {
            // The documentation says that States.ALL leaves out States.DataLimitExceeded too, and
            // AWS was recorded to catch it so, for the result of a task.
            "States.ALL" => error != "States.Runtime",
            "States.TaskFailed" => error != "States.Runtime" && error != "States.Timeout",
            "States.HeartbeatTimeout" if self.timed_out == Some(TimedOut::Heartbeat) => true,
            name => name == error,
        })
    }
}

impl Decider<'_> {
    /// A frame's state failed.
    pub(crate) fn recover(&mut self, frame: FrameId, raised: Raised) -> Result<(), Over> {
        let machine = self.machine.clone();
        let kind = &machine.state(self.place(frame).id).kind;
        self.abort_children(frame)?;
        if let Some(recovery) = recovery_of(kind) {
            if let Some((index, delay)) = self.retry(frame, recovery, &raised) {
                let until = self.at.plus_millis(delay);
                return self.emit(
                    frame,
                    EventKind::RetryScheduled {
                        retrier: index,
                        until,
                    },
                );
            }
            // A Map that fails before it has items shows no failure of its own, except where an
            // expression failed (both recorded).
            let holds_children = matches!(kind, StateKind::Map(_) | StateKind::Parallel(_));
            let evaluated =
                holds_children && raised.failure.error.as_deref() == Some(QUERY_EVALUATION_ERROR);
            let begun = matches!(
                self.frame(frame).phase,
                Phase::Children(_) | Phase::MapRun(_)
            );
            if evaluated || begun {
                self.emit(frame, EventKind::ChildrenFailed)?;
            }
            if let Some(catcher) = recovery
                .catchers
                .iter()
                .find(|c| raised.is_named_by(&c.errors))
            {
                return self.catch(frame, catcher, &raised);
            }
        }
        self.fail_frame(frame, raised)
    }

    /// Which retrier tries again, and after how many milliseconds. The first that names the failure
    /// decides, also if it has no attempts left.
    fn retry(&self, frame: FrameId, recovery: &Recovery, raised: &Raised) -> Option<(u16, i64)> {
        let index = recovery
            .retriers
            .iter()
            .position(|r| raised.is_named_by(&r.errors))?;
        let retrier = &recovery.retriers[index];
        let used = self.frame(frame).retries.get(index).copied().unwrap_or(0);
        (used < retrier.max_attempts)
            .then(|| (index as u16, delay_millis(retrier, used, &self.random)))
    }

    fn catch(&mut self, frame: FrameId, catcher: &Catcher, raised: &Raised) -> Result<(), Over> {
        match self.caught(frame, catcher, raised) {
            Ok(left) => self.leave(frame, left, Next::State(catcher.next)),
            Err(flaw) => {
                let failure = self.show(frame, flaw)?;
                match failure.error.as_deref() {
                    // What a Catch cannot evaluate is not caught by the same state.
                    Some(QUERY_EVALUATION_ERROR) => self.fail_frame(frame, failure.into()),
                    _ => self.end_badly(frame, failure),
                }
            }
        }
    }

    /// How a state is left by way of a Catch.
    fn caught(&self, frame: FrameId, catcher: &Catcher, raised: &Raised) -> Result<Left, Flaw> {
        let error = Data::from(raised.error_output());
        let state = self.machine.state(self.place(frame).id);
        if state.query_language == QueryLanguage::Jsonata {
            let leaving = Leaving {
                assign: catcher.assign.as_ref(),
                output: catcher.output.as_ref(),
            };
            let seen = Seen {
                error_output: Some(error.value()),
                ..Seen::default()
            };
            return self.left_by_jsonata(frame, leaving, seen, Made::document(error.clone()));
        }
        let assigned = match &catcher.assign {
            None => None,
            Some(assign) => Some(self.render(frame, assign, &error, None)?),
        };
        let output = match &catcher.result_path {
            None => Output::Input,
            Some(path) if path.is_root() => Output::Document(error),
            Some(path) => Output::Document(self.put(frame, path, error.value().clone())?),
        };
        Ok(Left {
            assigned: self.assignable(frame, assigned)?,
            output,
        })
    }

    fn put(
        &self,
        frame: FrameId,
        path: &asl::ReferencePath,
        value: Value,
    ) -> Result<Data, Failure> {
        let input = &self.frame(frame).data;
        let put = path.put(input.value(), value);
        let put = put
            .map(Data::from)
            .map_err(|failure| self.at_state(frame, failure))?;
        self.check_depth(frame, &put)?;
        Ok(put)
    }

    /// A frame failed; so does what it is a part of.
    fn fail_frame(&mut self, frame: FrameId, raised: Raised) -> Result<(), Over> {
        let Some(parent) = self.frame(frame).parent else {
            return self.end_badly(frame, raised.failure);
        };
        let failed = match self.place(parent).state_type {
            StateType::Map => EventKind::IterationFailed,
            _ => EventKind::BranchFailed,
        };
        self.emit(frame, failed)?;
        self.recover(parent, raised)
    }

    /// Gives up what is still open below a frame, the innermost first.
    fn abort_children(&mut self, frame: FrameId) -> Result<(), Over> {
        if !matches!(self.frame(frame).phase, Phase::Children(_)) {
            return Ok(());
        }
        let aborted = match self.place(frame).state_type {
            StateType::Map => EventKind::IterationAborted,
            _ => EventKind::BranchAborted,
        };
        let frames = &self.execution.now.frames;
        let children: Vec<FrameId> = frames
            .iter()
            .filter(|(_, f)| f.parent == Some(frame))
            .map(|(id, _)| *id)
            .collect();
        for child in children {
            self.abort_children(child)?;
            if let Some(wait) = self.open_wait_of(child) {
                self.emit(child, EventKind::WaitAborted { wait })?;
            }
            self.emit(child, aborted.clone())?;
        }
        Ok(())
    }

    fn open_wait_of(&self, frame: FrameId) -> Option<WaitId> {
        match &self.frame(frame).phase {
            Phase::Task(task) => Some(task.wait),
            Phase::MapRun(open) => {
                let wait = open.wait;
                self.execution.now.waits.contains_key(&wait).then_some(wait)
            }
            _ => None,
        }
    }
}

/// `Retry` and `Catch` of a state that can have them.
pub(crate) fn recovery_of(kind: &StateKind) -> Option<&Recovery> {
    match kind {
        StateKind::Task(task) => Some(&task.recovery),
        StateKind::Parallel(parallel) => Some(&parallel.recovery),
        StateKind::Map(map) => Some(&map.recovery),
        _ => None,
    }
}

/// How long to wait before the next attempt, after `used` of them.
fn delay_millis(retrier: &Retrier, used: u32, random: &SplitMix) -> i64 {
    let factor = retrier.backoff_rate.powi(used.min(i32::MAX as u32) as i32);
    let seconds = retrier.interval_seconds as f64 * factor;
    let capped = match retrier.max_delay_seconds {
        Some(max) => seconds.min(max as f64),
        None => seconds,
    };
    // A cast from floating point saturates, and i64::MAX milliseconds are beyond any execution.
    let millis = (capped * 1000.0) as u64;
    let millis = if retrier.full_jitter {
        random.up_to(millis)
    } else {
        millis
    };
    millis.min(i64::MAX as u64) as i64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn retrier(full_jitter: bool) -> Retrier {
        Retrier {
            errors: vec!["States.ALL".into()],
            interval_seconds: 3,
            max_attempts: 10,
            backoff_rate: 2.0,
            max_delay_seconds: Some(20),
            full_jitter,
        }
    }

    #[test]
    fn the_delay_grows_by_the_backoff_rate_up_to_its_maximum() {
        let delays: Vec<i64> = (0..5)
            .map(|used| delay_millis(&retrier(false), used, &SplitMix::new(1)))
            .collect();
        assert_eq!(delays, [3_000, 6_000, 12_000, 20_000, 20_000]);
    }

    #[test]
    fn full_jitter_spreads_the_delay_over_all_of_its_range() {
        let random = SplitMix::new(7);
        let delays: Vec<i64> = (0..1_000)
            .map(|_| delay_millis(&retrier(true), 1, &random))
            .collect();
        assert!(delays.iter().all(|delay| (0..=6_000).contains(delay)));
        assert!(
            delays.iter().any(|delay| *delay < 600) && delays.iter().any(|delay| *delay > 5_400)
        );
    }

    #[test]
    fn a_missing_heartbeat_goes_by_two_names() {
        let raised = Raised::timed_out(true);
        assert!(raised.is_named_by(&["States.HeartbeatTimeout".into()]));
        assert!(raised.is_named_by(&["States.Timeout".into()]));
        assert!(!raised.is_named_by(&["States.TaskFailed".into()]));
        let timeout = Raised::timed_out(false);
        assert!(!timeout.is_named_by(&["States.HeartbeatTimeout".into()]));
    }

    #[test]
    fn states_all_leaves_out_runtime_errors() {
        let raised = Raised::from(Failure::runtime("the definition is at fault"));
        assert!(!raised.is_named_by(&["States.ALL".into(), "States.TaskFailed".into()]));
        let nameless = Raised::from(Failure {
            error: None,
            cause: None,
        });
        assert!(nameless.is_named_by(&["States.ALL".into()]));
    }
}
