//! The intrinsic functions, `States.Format` to `States.UUID`.

use serde_json::Value;

use crate::failure::Failure;
use crate::scope::Scope;

/// A path or a call of an intrinsic function, compiled.
#[derive(Debug)]
pub struct Expression {}

impl Expression {
    /// Evaluates it.
    ///
    /// # Errors
    /// `States.IntrinsicFailure` with AWS's cause, or that of the path in it.
    pub fn evaluate(&self, scope: Scope<'_>) -> Result<Value, Failure> {
        let _ = scope;
        todo!()
    }
}
