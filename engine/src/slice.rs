//! A command need not be worked off in one go.
//!
//! A machine may loop for as long as its history has room, and hand a document of 256 KiB round with
//! every state: gigabytes, and minutes, that one command would cost. So a caller may ask for a *slice*:
//! the decider stops between two states as soon as a slice's events, bytes or time are spent, and
//! [`crate::CommandKind::GoOn`] takes up where it stopped. What was decided until then are events like
//! any others: they can be stored, and other commands may come in between.

use std::time::Duration;

/// How many events a slice makes, about: enough for nearly every command to be one.
pub(crate) const EVENTS_MAX: usize = 2_000;

/// How many bytes of new documents they hold, about.
pub(crate) const BYTES_MAX: usize = 4 * 1024 * 1024;

/// How far a command is worked off.
#[derive(Clone, Copy)]
pub struct Slice<'a> {
    /// How long the expressions of one state may take before the slice is given up, as if it had never
    /// begun; its caller then finds more time for it, or another thread. Nothing: they take what they need.
    pub patience: Option<Duration>,
    /// Asked after every state: whether this is enough for now.
    pub enough: &'a dyn Fn() -> bool,
}
