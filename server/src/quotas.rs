//! AWS's quotas, in one place: what a server takes, unless its operator says otherwise.
//!
//! Each has AWS's figure as its default, so that what runs here runs there. An operator may set any of them,
//! higher or lower, in `[quotas]` of the configuration. They hold for what is asked from now on: what there is
//! stays, also where it is more than a quota allows by now.
//!
//! Not here: how often an operation may be called, which AWS limits too and Rejoin does not; and names, whose
//! 80 characters are part of what an ARN may look like.

use serde::Deserialize;

/// What a server takes.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Quotas {
    /// Bytes of an input, an output or a result, as UTF-8.
    pub payload_bytes: usize,
    /// Bytes of all variables of an execution.
    pub variables_bytes: usize,
    /// Events of an execution's history.
    pub history_events: u64,
    /// Iterations of an inline Map that run at once.
    pub inline_map_concurrency: u32,
    /// Seconds from the start of an execution to its end.
    pub execution_seconds: u64,
    /// Bytes of a definition.
    pub definition_bytes: usize,
    /// State machines.
    pub state_machines: usize,
    /// Whether EXPRESS machines can be made: they take no durable record of what they do, and AWS has had
    /// regions without them.
    pub express: bool,
    /// Activities.
    pub activities: usize,
    /// Executions that are open, of all machines together.
    pub open_executions: u64,
    /// Requests that wait for a task of one activity.
    pub activity_pollers: usize,
    /// Versions of a state machine.
    pub versions: usize,
    /// Aliases of a state machine.
    pub aliases: usize,
    /// Tags of a resource.
    pub tags: usize,
}

impl Default for Quotas {
    fn default() -> Quotas {
        let engine = engine::Quotas::default();
        Quotas {
            payload_bytes: engine.payload_bytes,
            variables_bytes: engine.variables_bytes,
            history_events: engine.history_events,
            inline_map_concurrency: engine.inline_map_concurrency,
            execution_seconds: engine.execution_seconds,
            definition_bytes: 1024 * 1024,
            state_machines: 10_000,
            express: true,
            activities: 10_000,
            open_executions: 1_000_000,
            activity_pollers: 1_000,
            versions: 1_000,
            aliases: 100,
            tags: 50,
        }
    }
}

/// A request's body may be larger than what it carries: text in JSON has escapes.
const ESCAPES: usize = 4;
/// The least that a body may have, whatever the quotas say.
const BODY_BYTES_MIN: usize = 8 * 1024 * 1024;
/// More would have to go through memory several times over; the store's records end at a gigabyte.
const BYTES_MAX: usize = 128 * 1024 * 1024;
/// History ids are numbers that every client can hold, and a history is read as a whole.
const HISTORY_EVENTS_MAX: u64 = 10_000_000;
/// A hundred years.
const EXECUTION_SECONDS_MAX: u64 = 100 * 365 * 86_400;

impl Quotas {
    /// Those that hold inside an execution.
    pub fn engine(&self) -> engine::Quotas {
        engine::Quotas {
            payload_bytes: self.payload_bytes,
            variables_bytes: self.variables_bytes,
            history_events: self.history_events,
            inline_map_concurrency: self.inline_map_concurrency,
            execution_seconds: self.execution_seconds,
        }
    }

    /// Bytes of a request, unpacked. Larger ones are refused unread.
    pub fn body_bytes(&self) -> usize {
        let carried = self.payload_bytes.max(self.definition_bytes);
        carried.saturating_mul(ESCAPES).max(BODY_BYTES_MIN)
    }

    /// Checks that these quotas make sense.
    ///
    /// # Errors
    /// One sentence: which does not, and what it may be.
    pub fn check(&self) -> Result<(), String> {
        let bytes = BYTES_MAX as u64;
        let any = u64::MAX;
        #[rustfmt::skip]
        let ranges = [
            ("payload_bytes", self.payload_bytes as u64, 1024, bytes),
            ("variables_bytes", self.variables_bytes as u64, 1024, bytes),
            // The start and the end of the shortest execution.
            ("history_events", self.history_events, 4, HISTORY_EVENTS_MAX),
            ("inline_map_concurrency", self.inline_map_concurrency.into(), 1, any),
            ("execution_seconds", self.execution_seconds, 1, EXECUTION_SECONDS_MAX),
            ("definition_bytes", self.definition_bytes as u64, 1024, bytes),
            ("state_machines", self.state_machines as u64, 1, any),
            ("activities", self.activities as u64, 1, any),
            ("open_executions", self.open_executions, 1, any),
            ("activity_pollers", self.activity_pollers as u64, 1, any),
            ("versions", self.versions as u64, 1, any),
            ("aliases", self.aliases as u64, 1, any),
            ("tags", self.tags as u64, 1, any),
        ];
        for (name, value, min, max) in ranges {
            if value < min {
                return Err(format!(
                    "{name} in [quotas] is {value}, which is too little; it is to be {min} at least"
                ));
            }
            if value > max {
                return Err(format!(
                    "{name} in [quotas] is {value}, which is too much; it is to be {max} at most"
                ));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_right_and_nonsense_is_told() {
        let default = Quotas::default();
        assert_eq!(default.check(), Ok(()));
        assert_eq!(default.body_bytes(), BODY_BYTES_MIN);
        let none = Quotas {
            tags: 0,
            ..Quotas::default()
        };
        let message = "tags in [quotas] is 0, which is too little; it is to be 1 at least";
        assert_eq!(none.check(), Err(message.to_owned()));
        let large = Quotas {
            payload_bytes: BYTES_MAX + 1,
            ..Quotas::default()
        };
        let message = large.check().expect_err("it is refused");
        assert!(
            message.ends_with("it is to be 134217728 at most"),
            "{message}"
        );
    }
}
