//! What a fuzzer calls: one function a door through which text of strangers comes in.
//!
//! Each takes any bytes and is to return: no panic, no hang, no memory without bound. `fuzz/` runs them
//! under libFuzzer; the inputs that are worth keeping stand in `fuzz/corpus`, a directory each, and run
//! as ordinary tests. The door of the API's request bodies stands with the server's tests.
//!
//! - [`definition`]: a definition, and if it is sound an execution of it.
//! - [`path`]: a JSONPath, on a document that the rest of the input makes.
//! - [`jsonata`]: an expression.
//! - [`intrinsic`]: a call of the `States.*` functions.

mod definition;
mod expression;
mod generated;

pub use definition::definition;
pub use expression::{intrinsic, jsonata, path};
