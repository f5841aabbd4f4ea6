//! What the expressions of one state share: documents in the evaluator's form, a random seed, and
//! where the last failure was.

use std::cell::{Cell, OnceCell, RefCell};
use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use jsonata_core::evaluator::{Context, Evaluator, EvaluatorOptions};
use jsonata_core::value::JValue;
use serde_json::Value;

use super::functions::World;
use super::rewrite::{self, Part};
use super::value::{from_evaluator, into_evaluator};
use super::{
    DEPTH_MAX, EVALUATION_MILLIS_MAX, Expression, SEQUENCE_MAX, SESSION_MILLIS_MAX, TIMEOUT, words,
};
use crate::scope::Scope;

/// What the JSONata expressions of one state share. Making one costs nothing; it fills as
/// expressions need it.
pub struct Session {
    kept: RefCell<Kept>,
    /// How long all of its expressions together may take.
    patience: Duration,
    /// When the first of them began.
    began: OnceCell<Instant>,
    /// Whether it is given up when they take longer, or fails.
    impatient: bool,
    gave_up: Cell<bool>,
}

impl Default for Session {
    fn default() -> Session {
        Session {
            kept: RefCell::default(),
            patience: Duration::from_millis(SESSION_MILLIS_MAX),
            began: OnceCell::new(),
            impatient: false,
            gave_up: Cell::new(false),
        }
    }
}

#[derive(Default)]
struct Kept {
    variables: HashMap<String, Option<JValue>>,
    parts: HashMap<Part, Option<JValue>>,
    seed: Option<u64>,
    failed_at: Option<Box<str>>,
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session").finish_non_exhaustive()
    }
}

impl Session {
    /// A session that is given up when its expressions take longer than `patience`: what they gave then
    /// means nothing, and [`Session::gave_up`] says so.
    pub fn impatient(patience: Duration) -> Session {
        Session {
            patience,
            impatient: true,
            ..Session::default()
        }
    }

    /// Whether its patience ended before its expressions did.
    pub fn gave_up(&self) -> bool {
        self.gave_up.get()
    }

    /// How long the next expression may take.
    ///
    /// # Errors
    /// If those before have left it no time.
    pub(crate) fn time_left(&self) -> Result<Duration, String> {
        let left = self
            .patience
            .checked_sub(self.began.get_or_init(Instant::now).elapsed());
        left.ok_or_else(|| {
            self.gave_up.set(self.impatient);
            TIMEOUT.to_owned()
        })
    }

    /// The field in which the last failure of an expression was.
    pub fn take_failed_at(&self) -> Option<Box<str>> {
        self.kept.borrow_mut().failed_at.take()
    }

    pub(super) fn failed_at(&self, field: &str) {
        self.kept.borrow_mut().failed_at = Some(field.into());
    }

    /// The value of `expression`; nothing if it is undefined.
    pub(super) fn run(
        &self,
        expression: &Expression,
        scope: Scope<'_>,
    ) -> Result<Option<Value>, String> {
        // At its top, an expression has no `$`: everything comes in by name.
        self.run_on(expression, scope, &JValue::Undefined)
    }

    /// The same where `$` is `data`.
    pub(super) fn run_on(
        &self,
        expression: &Expression,
        scope: Scope<'_>,
        data: &JValue,
    ) -> Result<Option<Value>, String> {
        let left = self.time_left()?;
        let mut context = Context::new();
        let uses = &expression.uses;
        for name in &uses.names {
            if name == "states" {
                context.bind(name.clone(), self.states(&uses.parts, scope));
            } else if let Some(value) = self.variable(name, scope) {
                // A variable may have the name of a function that is led to a guard.
                if let Some((guard, _)) = rewrite::guard_of(name) {
                    context.bind(guard.to_owned(), value.clone());
                }
                context.bind(name.clone(), value);
            }
        }
        let options = EvaluatorOptions {
            timeout_ms: Some(EVALUATION_MILLIS_MAX.min(left.as_millis() as u64)),
            max_stack_depth: Some(DEPTH_MAX),
            max_sequence_length: Some(SEQUENCE_MAX),
            ..EvaluatorOptions::default()
        };
        let mut evaluator = Evaluator::with_options(context, options);
        if !uses.functions.is_empty() {
            let world = World::new(scope.now, self.seed(scope), uses.functions.clone());
            world.register(&mut evaluator);
        }
        let evaluated = catch_unwind(AssertUnwindSafe(|| {
            let value = evaluator.evaluate(&expression.ast, data);
            match value {
                Ok(value) => from_evaluator(&value.unwrap_sequence()),
                Err(why) => Err(words(why.message())),
            }
        }));
        if self.impatient {
            // Whether the evaluator says so or has just come to an end: it took too long.
            let _ = self.time_left();
        }
        evaluated.unwrap_or_else(|_| Err("The expression could not be evaluated".to_owned()))
    }

    fn variable(&self, name: &str, scope: Scope<'_>) -> Option<JValue> {
        let mut kept = self.kept.borrow_mut();
        if let Some(value) = kept.variables.get(name) {
            return value.clone();
        }
        let value = scope.variables.get(name).map(into_evaluator);
        kept.variables.insert(name.to_owned(), value.clone());
        value
    }

    /// `$states`, with those of its parts that an expression reads.
    fn states(&self, parts: &[Part], scope: Scope<'_>) -> JValue {
        let mut states = Vec::with_capacity(parts.len());
        let mut context = Vec::new();
        for part in parts {
            let Some(value) = self.part(part, scope) else {
                continue;
            };
            match part {
                Part::Input => states.push(("input".to_owned(), value)),
                Part::Result => states.push(("result".to_owned(), value)),
                Part::ErrorOutput => states.push(("errorOutput".to_owned(), value)),
                Part::Context => states.push(("context".to_owned(), value)),
                Part::ContextMember(name) => context.push((name.clone(), value)),
            }
        }
        if !context.is_empty() && !parts.contains(&Part::Context) {
            let context = JValue::object(context.into_iter().collect());
            states.push(("context".to_owned(), context));
        }
        JValue::object(states.into_iter().collect())
    }

    fn part(&self, part: &Part, scope: Scope<'_>) -> Option<JValue> {
        if let Some(value) = self.kept.borrow().parts.get(part) {
            return value.clone();
        }
        let value = match part {
            Part::Input => Some(scope.input),
            Part::Result => scope.result,
            Part::ErrorOutput => scope.error_output,
            Part::Context => Some(scope.context.value()),
            Part::ContextMember(name) => scope.context.value().get(name),
        }
        .map(into_evaluator);
        let mut kept = self.kept.borrow_mut();
        kept.parts.insert(part.clone(), value.clone());
        value
    }

    /// A seed for one expression, which follows from the scope's.
    fn seed(&self, scope: Scope<'_>) -> u64 {
        let mut kept = self.kept.borrow_mut();
        let seed = kept.seed.unwrap_or_else(|| scope.random.next());
        kept.seed = Some(seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1));
        seed
    }
}
