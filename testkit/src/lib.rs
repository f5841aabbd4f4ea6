//! What tests need and the program does not: scenarios written as Markdown, and a hand-moved clock
//! to play them by.
//!
//! In reading order:
//! - [`scenario`]: a file of scenarios, read and, where asked, written anew.
//! - [`script`]: what happens in a scenario, line by line.
//! - [`play`]: a scenario played on the engine alone.
//! - [`waits`]: what scripts and outlines call a wait.
//! - [`rebuild`]: the promise that what is stored is enough.
//! - [`spans`]: the promise that spans are a tree.
//! - [`world`]: what every execution in a test needs.
//! - [`outline`]: a history in one line an event.
//! - [`hostile`]: what a fuzzer calls.

pub mod hostile;
pub mod outline;
pub mod play;
pub mod rebuild;
pub mod scenario;
pub mod script;
pub mod spans;
pub mod waits;
pub mod world;
