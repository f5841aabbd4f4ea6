//! AWS's limits, which an execution here keeps too, so that what runs here runs there.
//!
//! Those that an operator may set otherwise are the fields of [`Quotas`], with the constants as their
//! defaults. A quota is looked at when something is decided, never when it is replayed: a history stays what
//! it is whatever the quotas are by now.

/// No input, output or result of a state is larger: 256 KiB of UTF-8 JSON text.
pub const PAYLOAD_BYTES_MAX: usize = 256 * 1024;

/// All variables of an execution together (AWS: 10 MiB); those that one state assigns fit a payload.
pub const VARIABLES_BYTES_MAX: usize = 10 * 1024 * 1024;

/// A Standard execution's history has at most so many events. If the last of them is not the
/// execution's success, it is its failure.
pub const HISTORY_EVENTS_MAX: u64 = 25_000;

/// An Express execution runs for so many seconds at most, whatever `TimeoutSeconds` says. Its history
/// has no limit.
pub const EXPRESS_SECONDS_MAX: u64 = 300;

/// An inline Map runs at most so many iterations at once, whatever `MaxConcurrency` says (and 0 says
/// "no limit"), so that one Map does not flood what it calls.
pub const INLINE_MAP_CONCURRENCY_MAX: u32 = 40;

/// No Wait state waits longer: the seconds that a signed 32-bit number holds (recorded: 24,855 days
/// pass, 24,856 do not). No quota: AWS can't count further.
pub const WAIT_SECONDS_MAX: i64 = i32::MAX as i64;

/// An execution may be open for a year; then it has timed out.
pub const EXECUTION_SECONDS_MAX: u64 = 365 * 86_400;

/// The limits of an execution that an operator may set otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quotas {
    /// [`PAYLOAD_BYTES_MAX`].
    pub payload_bytes: usize,
    /// [`VARIABLES_BYTES_MAX`].
    pub variables_bytes: usize,
    /// [`HISTORY_EVENTS_MAX`].
    pub history_events: u64,
    /// [`INLINE_MAP_CONCURRENCY_MAX`].
    pub inline_map_concurrency: u32,
    /// [`EXECUTION_SECONDS_MAX`]. No timer is set for it: a year in which nothing happens is no reason for
    /// time to move. It is seen with the next tick, so somebody has to see to it that there is one.
    pub execution_seconds: u64,
}

impl Default for Quotas {
    fn default() -> Quotas {
        Quotas {
            payload_bytes: PAYLOAD_BYTES_MAX,
            variables_bytes: VARIABLES_BYTES_MAX,
            history_events: HISTORY_EVENTS_MAX,
            inline_map_concurrency: INLINE_MAP_CONCURRENCY_MAX,
            execution_seconds: EXECUTION_SECONDS_MAX,
        }
    }
}
