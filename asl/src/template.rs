//! Payload templates: JSON in which a member whose name ends in `.$` holds a path or an intrinsic.

use serde_json::Value;

use crate::failure::Failure;
use crate::scope::Scope;

/// A compiled template.
#[derive(Debug)]
pub struct Template {}

impl Template {
    /// What the template gives for `scope`.
    ///
    /// # Errors
    /// `States.ParameterPathFailure`, `States.IntrinsicFailure` or `States.Runtime`, with AWS's causes.
    pub fn render(&self, scope: Scope<'_>) -> Result<Value, Failure> {
        let _ = scope;
        todo!()
    }
}
