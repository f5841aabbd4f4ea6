//! Where failure modes are tried out: an execution, an outside that does as it is told, and what comes of it; on a
//! virtual clock, in memory, in milliseconds.
//!
//! The server is the whole one, with its doors. Only the outside is played: tasks are answered by a [`Director`]
//! ([`part`]), who also says what happens later (callbacks through the gateway, heartbeats, answers to tokens, an
//! operator's stop, a restart of the server). [`world`] moves the time and does what is due; [`seen`] is what a test
//! may look at afterwards, and [`invariant`] what must hold in all of it. [`explore`] lets everything go wrong that can.
//!
//! [`scenario`] reads files that say all this and plays their cases; [`coverage`] is what of a state machine they
//! reached, [`report`] what is said of them, [`breakage`] how a state machine may be broken, to see whether they notice.
//!
//! Not known here: flags, terminals, configuration files.

pub mod breakage;
pub mod coverage;
pub mod explore;
pub mod invariant;
pub mod part;
pub mod report;
pub mod scenario;
pub mod seen;
mod sign;
pub mod world;

pub use part::{Act, Asked, Callback, Deed, Director, Part, Reply};
pub use seen::{Call, Child, Ended, Passed, Seen, Told};
pub use world::{Machine, Settings, Stopped, World};
