//! What an expression may look at while it is evaluated.

use serde_json::Value;

use crate::jsonata::Session;
use crate::timestamp::Timestamp;

/// The context object (`$$`), built only when an expression asks for it.
pub trait Context {
    /// The whole object.
    fn value(&self) -> &Value;

    /// Where a path of `names` leads, as far as it can be had without making the whole, and how many of
    /// the names that takes; nothing if it cannot, or if nothing is there.
    fn part(&self, names: &[&str]) -> Option<(&Value, usize)> {
        let _ = names;
        None
    }
}

/// Randomness for `States.UUID`, `States.MathRandom` and retry jitter; the caller owns the seed.
pub trait Random {
    /// The next 64 random bits.
    fn next(&self) -> u64;
}

/// The workflow variables that a state may read.
pub trait Variables {
    /// The value of the variable called `name`, if it has one.
    fn get(&self, name: &str) -> Option<&Value>;
}

/// Nothing has been assigned.
#[derive(Debug, Clone, Copy)]
pub struct NoVariables;

impl Variables for NoVariables {
    fn get(&self, _name: &str) -> Option<&Value> {
        None
    }
}

/// Everything that an expression can refer to.
#[derive(Clone, Copy)]
pub struct Scope<'a> {
    /// What `$` means, and `$states.input`.
    pub input: &'a Value,
    /// What `$$` means, and `$states.context`.
    pub context: &'a dyn Context,
    /// Where random numbers come from.
    pub random: &'a dyn Random,
    /// When the expression is evaluated: `$now()` and `$millis()`.
    pub now: Timestamp,
    /// What `$name` means.
    pub variables: &'a dyn Variables,
    /// `$states.result`, once the state has one.
    pub result: Option<&'a Value>,
    /// `$states.errorOutput`, in a Catch.
    pub error_output: Option<&'a Value>,
    /// What the JSONata expressions of one state have in common: each document is converted once.
    /// A session is not used with another scope.
    pub session: &'a Session,
}
