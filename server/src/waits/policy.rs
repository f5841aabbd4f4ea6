//! When a wait counts as stuck: `[stuck_waits]`.
//!
//! ```toml
//! [stuck_waits]
//! after_seconds = 86400
//! [stuck_waits.machines.Approvals]
//! after_seconds = 604800
//! [stuck_waits.tasks."Approvals.WaitForManager"]
//! after_seconds = 0          # never
//! ```

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// `[stuck_waits]`, as it stands in the configuration.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct StuckWaits {
    /// How old a wait without a deadline may become before it counts as stuck; 0: as old as it likes.
    pub after_seconds: u32,
    /// How old one with a deadline may become: the deadline may be far away.
    pub deadline_after_seconds: u32,
    /// How often it is said again that waits of a state are stuck; 0: it is not.
    pub repeat_seconds: u32,
    /// Heartbeats that nobody asked for stopped: after so many times their usual distance; 0: never mind.
    pub silence_times: u32,
    /// And after this many seconds at least.
    pub silence_seconds: u32,
    /// Whether it is said that a wait has no deadline when the first of a state opens.
    pub warn_without_deadline: bool,
    /// What is different for a state machine, by its name.
    pub machines: BTreeMap<String, Exception>,
    /// What is different for a task, by `MACHINE.STATE`.
    pub tasks: BTreeMap<String, Exception>,
}

/// What is different for some waits.
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Exception {
    /// [`StuckWaits::after_seconds`].
    pub after_seconds: Option<u32>,
    /// [`StuckWaits::deadline_after_seconds`].
    pub deadline_after_seconds: Option<u32>,
    /// [`StuckWaits::repeat_seconds`].
    pub repeat_seconds: Option<u32>,
    /// [`StuckWaits::warn_without_deadline`].
    pub warn_without_deadline: Option<bool>,
}

impl Default for StuckWaits {
    fn default() -> StuckWaits {
        StuckWaits {
            after_seconds: 86_400,
            deadline_after_seconds: 604_800,
            repeat_seconds: 0,
            silence_times: 5,
            silence_seconds: 60,
            warn_without_deadline: true,
            machines: BTreeMap::new(),
            tasks: BTreeMap::new(),
        }
    }
}

/// When silence is odd.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Silence {
    /// [`StuckWaits::silence_times`].
    pub times: u32,
    /// [`StuckWaits::silence_seconds`].
    pub seconds: u32,
}

impl StuckWaits {
    /// Whether all is as it can be.
    ///
    /// # Errors
    /// A sentence: what is wrong, and what to do.
    pub fn check(&self) -> Result<(), String> {
        for task in self.tasks.keys() {
            if !task.contains('.') {
                return Err(format!(
                    "[stuck_waits.tasks.\"{task}\"] names no task; write \"MACHINE.STATE\", or [stuck_waits.machines.\"{task}\"] for all of a machine"
                ));
            }
        }
        for machine in self.machines.keys() {
            if machine.contains([':', '/']) {
                return Err(format!(
                    "[stuck_waits.machines.\"{machine}\"] is no state machine's name; write the name alone, without the ARN around it"
                ));
            }
        }
        Ok(())
    }

    /// When silence is odd.
    pub fn silence(&self) -> Silence {
        Silence {
            times: self.silence_times,
            seconds: self.silence_seconds,
        }
    }

    /// How old a wait may become, in seconds; `None`: as old as it likes.
    pub fn after_seconds(&self, machine: &str, state: &str, endless: bool) -> Option<u32> {
        let seconds = match endless {
            true => self.of(machine, state, |own| own.after_seconds, self.after_seconds),
            false => self.of(
                machine,
                state,
                |own| own.deadline_after_seconds,
                self.deadline_after_seconds,
            ),
        };
        (seconds > 0).then_some(seconds)
    }

    /// How often waits of a state are spoken of again, in seconds; `None`: they are not.
    pub fn repeat_seconds(&self, machine: &str, state: &str) -> Option<u32> {
        let seconds = self.of(
            machine,
            state,
            |own| own.repeat_seconds,
            self.repeat_seconds,
        );
        (seconds > 0).then_some(seconds)
    }

    /// Whether it is said of a state that its waits have no deadline.
    pub fn warns(&self, machine: &str, state: &str) -> bool {
        let all = self.warn_without_deadline;
        self.of(machine, state, |own| own.warn_without_deadline, all)
    }

    /// The task's own word, else its machine's, else what holds for all.
    fn of<T>(
        &self,
        machine: &str,
        state: &str,
        own: impl Fn(&Exception) -> Option<T>,
        all: T,
    ) -> T {
        let task = match self.tasks.is_empty() {
            true => None,
            false => self.tasks.get(&format!("{machine}.{state}")),
        };
        task.and_then(&own)
            .or_else(|| self.machines.get(machine).and_then(&own))
            .unwrap_or(all)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(text: &str) -> StuckWaits {
        serde_json::from_str(text).expect("it is right")
    }

    #[test]
    fn a_tasks_own_word_counts_before_its_machines() {
        let policy = policy(
            r#"{"after_seconds": 10, "machines": {"M": {"after_seconds": 20, "repeat_seconds": 5}},
                "tasks": {"M.S": {"after_seconds": 0}}}"#,
        );
        policy.check().expect("it is right");
        assert_eq!(policy.after_seconds("N", "S", true), Some(10));
        assert_eq!(policy.after_seconds("M", "T", true), Some(20));
        assert_eq!(policy.after_seconds("M", "S", true), None);
        assert_eq!(policy.after_seconds("M", "S", false), Some(604_800));
        assert_eq!(policy.repeat_seconds("M", "S"), Some(5));
        assert_eq!(policy.repeat_seconds("N", "S"), None);
    }

    #[test]
    fn what_names_nothing_is_refused() {
        let task = policy(r#"{"tasks": {"S": {"after_seconds": 1}}}"#).check();
        assert!(task.expect_err("no machine").contains("MACHINE.STATE"));
        let arn = r#"{"machines": {"arn:aws:states:us-east-1:1:stateMachine:M": {}}}"#;
        let machine = policy(arn).check();
        assert!(machine.expect_err("an ARN").contains("the name alone"));
    }
}
