//! What the tests of this crate evaluate expressions in: a context object and numbers from a seed.

use std::cell::Cell;

use serde_json::Value;

use crate::jsonata::Session;
use crate::scope::{Context, NoVariables, Random, Scope};
use crate::timestamp::Timestamp;

/// A context object, and a generator that a seed decides.
pub(crate) struct World {
    context: Value,
    session: Session,
    state: Cell<u64>,
}

impl World {
    pub(crate) fn new(context: Value) -> World {
        World {
            context,
            session: Session::default(),
            state: Cell::new(0x9e37_79b9_7f4a_7c15),
        }
    }

    pub(crate) fn seeded(seed: u64) -> World {
        World {
            context: Value::Null,
            session: Session::default(),
            state: Cell::new(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1),
        }
    }

    pub(crate) fn scope<'a>(&'a self, input: &'a Value) -> Scope<'a> {
        Scope {
            input,
            context: self,
            random: self,
            now: Timestamp(1_700_000_000_000),
            variables: &NoVariables,
            result: None,
            error_output: None,
            session: &self.session,
        }
    }

    /// A number below `limit`.
    pub(crate) fn below(&self, limit: usize) -> usize {
        (self.next() % limit as u64) as usize
    }
}

impl Context for World {
    fn value(&self) -> &Value {
        &self.context
    }
}

impl Random for World {
    /// Xorshift64.
    fn next(&self) -> u64 {
        let mut bits = self.state.get();
        bits ^= bits << 13;
        bits ^= bits >> 7;
        bits ^= bits << 17;
        self.state.set(bits);
        bits
    }
}
