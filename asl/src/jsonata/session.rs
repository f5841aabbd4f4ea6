//! What the expressions of one state share: a random seed, and where the last failure was.

use std::cell::{Cell, OnceCell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::effort::{Begin, Deadline, worked};
use super::error::{Error, error, timeout};
use super::evaluate::Evaluator;
use super::value::Val;
use super::{DEPTH_MAX, EVALUATION_MILLIS_MAX, Expression, SESSION_MILLIS_MAX, TIMEOUT};
use crate::scope::Scope;

/// What the JSONata expressions of one state share. Making one costs nothing.
pub struct Session {
    seed: Cell<Option<u64>>,
    failed_at: RefCell<Option<Box<str>>>,
    /// How long all of its expressions together may take.
    patience: Duration,
    /// When the first of them began, and how much its thread had worked then.
    began: OnceCell<Instant>,
    worked: Begin,
    /// Whether it is given up when they take longer, or fails.
    impatient: bool,
    gave_up: Cell<bool>,
}

impl Default for Session {
    fn default() -> Session {
        Session {
            seed: Cell::default(),
            failed_at: RefCell::default(),
            patience: Duration::from_millis(SESSION_MILLIS_MAX),
            began: OnceCell::new(),
            worked: Begin::default(),
            impatient: false,
            gave_up: Cell::new(false),
        }
    }
}

/// What stops an evaluation.
pub(super) struct Limits {
    pub(super) millis: u64,
    pub(super) depth: usize,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            millis: EVALUATION_MILLIS_MAX,
            depth: DEPTH_MAX,
        }
    }
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
        let passed = self.began.get_or_init(Instant::now).elapsed();
        // How much was worked is asked for once it may matter.
        let used = match self.impatient || passed < self.patience / 2 {
            true => passed,
            false => self.worked.until(worked()),
        };
        self.patience.checked_sub(used).ok_or_else(|| {
            self.gave_up.set(self.impatient);
            TIMEOUT.to_owned()
        })
    }

    /// From when on the work of all of its expressions counts.
    pub(super) fn worked(&self) -> &Begin {
        &self.worked
    }

    /// The field in which the last failure of an expression was.
    pub fn take_failed_at(&self) -> Option<Box<str>> {
        self.failed_at.take()
    }

    pub(super) fn failed_at(&self, field: &str) {
        self.failed_at.replace(Some(field.into()));
    }

    /// The value of `expression`; nothing if it is undefined.
    pub(super) fn run(
        &self,
        expression: &Expression,
        scope: Scope<'_>,
    ) -> Result<Option<Value>, Box<Error>> {
        // At its top, an expression has no `$`: everything comes in by name.
        self.run_on(expression, scope, Val::Undefined, &Limits::default())
    }

    /// The same where `$` is `data`.
    pub(super) fn run_on<'a>(
        &self,
        expression: &'a Expression,
        scope: Scope<'a>,
        data: Val<'a>,
        limits: &Limits,
    ) -> Result<Option<Value>, Box<Error>> {
        let left = self.time_left().map_err(|_| timeout())?;
        let limit = left.min(Duration::from_millis(limits.millis));
        let deadline = match self.impatient {
            true => Deadline::after(limit),
            false => Deadline::after_work(limit),
        };
        let program = &expression.program;
        // No input is known that makes it panic; one that does ends an expression and not a server.
        let evaluated = catch_unwind(AssertUnwindSafe(|| {
            Evaluator::new(program, scope, data, deadline, limits.depth).run()
        }));
        if self.impatient {
            // Whether the evaluator says so or has just come to an end: it took too long.
            let _ = self.time_left();
        }
        evaluated.unwrap_or_else(|_| Err(error("", "The expression could not be evaluated")))
    }

    /// A seed for one expression that asks for one, which follows from the scope's.
    pub(super) fn seed(&self, scope: Scope<'_>) -> u64 {
        let seed = self.seed.get().unwrap_or_else(|| scope.random.next());
        let next = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        self.seed.set(Some(next));
        seed
    }
}
