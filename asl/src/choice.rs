//! A Choice rule: comparison operators under `And`, `Or` and `Not`.

use crate::failure::Failure;
use crate::scope::Scope;

/// A compiled rule.
#[derive(Debug)]
pub struct Rule {}

impl Rule {
    /// Whether it holds.
    ///
    /// # Errors
    /// `States.Runtime` with AWS's cause, for example where `Variable` selects nothing.
    pub fn holds(&self, scope: Scope<'_>) -> Result<bool, Failure> {
        let _ = scope;
        todo!()
    }
}
