//! What is said of cases that were played.
//!
//! - [`text`]: for a person at a terminal. [`story`]: what happened in a case, in the order of time.
//! - [`junit`]: for whoever collects the results of tests.

pub mod junit;
pub mod story;
pub mod text;
