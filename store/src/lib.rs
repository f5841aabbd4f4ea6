//! Keeps what has happened, and gives it back.
//!
//! One narrow contract, few and large operations. The unit is a [`Commit`]: events of one execution,
//! at the version it was read at, together with the documents that change with it. All of it or
//! none. A version that moved on is a [`CommitError::Conflict`]: read again, decide again. That
//! check is the one linearisation point of the whole server.
//!
//! This crate does not decide anything, and does not know HTTP, functions, definitions or the
//! clock: the times it sorts by are handed to it.
//!
//! In reading order:
//! - [`contract`]: what goes in and comes out.
//! - [`record`]: the one place that knows bytes.
//! - [`log`]: the embedded keeper: an append-only log in segments, one writer, group commit.
//! - [`measure`]: figures that operators want.
//!
//! A keeper on PostgreSQL takes its seat beside `log` with the same operations, which is why those
//! that read are async.

pub mod contract;
pub mod log;
pub mod measure;
pub mod record;

pub use contract::*;
pub use log::{Figures, Opening, Options, Store};
pub use measure::{Histogram, Reading};
