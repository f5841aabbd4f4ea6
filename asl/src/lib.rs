//! The Amazon States Language: definition text in, a checked state machine out.
//!
//! Everything here is about the text of a definition or of an expression; nothing runs.
//! This crate does not know executions, time, randomness, storage or HTTP. What an
//! expression needs from a running execution (its input, the context object, a random
//! number) comes in through [`Scope`].
//!
//! In reading order:
//! - [`model`]: what a checked definition looks like.
//! - [`parse`]: text to model, with every fault and its place ([`Diagnostic`]).
//! - [`path`]: JSONPath in Jayway's dialect, to read; reference paths, to write as well.
//! - [`template`]: payload templates (`Parameters`, `ResultSelector`, `ItemSelector`).
//! - [`intrinsic`]: the `States.*` functions.
//! - [`jsonata`]: the other query language, behind one door.
//! - [`choice`]: the comparison operators of a Choice rule.
//! - [`amount`]: a number that is given or looked up.
//! - [`data`]: a JSON document shared between events, states and requests.
//! - [`timestamp`]: instants in milliseconds, in ASL's text form.

pub mod amount;
pub mod choice;
pub mod data;
pub mod diagnostic;
pub mod failure;
#[cfg(test)]
mod fixture;
pub mod intrinsic;
pub mod jsonata;
pub mod model;
pub mod parse;
pub mod path;
pub mod scope;
pub mod template;
pub mod timestamp;

pub use amount::Amount;
pub use data::Data;
pub use diagnostic::{Diagnostic, Severity};
pub use failure::Failure;
pub use model::*;
pub use parse::near::nearest;
pub use parse::{Parsed, definition_message, parse, parse_express};
pub use path::{Path, ReferencePath};
pub use scope::{Context, NoVariables, Random, Scope, Variables};
pub use template::Template;
pub use timestamp::Timestamp;
