//! What an expression may look at while it is evaluated.

use serde_json::Value;

/// The context object (`$$`), built only when an expression asks for it.
pub trait Context {
    /// The whole object.
    fn value(&self) -> &Value;
}

/// Randomness for `States.UUID`, `States.MathRandom` and retry jitter; the caller owns the seed.
pub trait Random {
    /// The next 64 random bits.
    fn next(&self) -> u64;
}

/// Everything that an expression can refer to.
///
/// Workflow variables and `$states` (JSONata) get their fields here when the whole language comes.
#[derive(Clone, Copy)]
pub struct Scope<'a> {
    /// What `$` means.
    pub input: &'a Value,
    /// What `$$` means.
    pub context: &'a dyn Context,
    /// Where random numbers come from.
    pub random: &'a dyn Random,
}
