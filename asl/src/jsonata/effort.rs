//! How long an expression computes.
//!
//! What has an end is the time that its thread works. On a machine with much to do, others have the processor for most
//! of the time that passes, and an expression must not fail for what they do. To ask the system for it takes longer than
//! a look at the clock, so that it is asked only once more time has passed than may be worked.

use std::cell::Cell;
use std::time::{Duration, Instant};

/// How long this thread has worked.
#[cfg(unix)]
pub(super) fn worked() -> Duration {
    let worked = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::try_from(worked).unwrap_or_default()
}

/// How long this thread has worked: where nobody knows, all the time that passes.
#[cfg(not(unix))]
pub(super) fn worked() -> Duration {
    use std::sync::LazyLock;
    static BEGAN: LazyLock<Instant> = LazyLock::new(Instant::now);
    BEGAN.elapsed()
}

/// From when on work counts; from the first look on, if nobody has said.
#[derive(Default)]
pub(super) struct Begin(Cell<Option<Duration>>);

impl Begin {
    /// How much was worked since, if so much is worked now.
    pub(super) fn until(&self, now: Duration) -> Duration {
        let since = self.0.get().unwrap_or(now);
        self.0.set(Some(since));
        now.saturating_sub(since)
    }

    fn is_known(&self) -> bool {
        self.0.get().is_some()
    }
}

/// When an evaluation has to end.
pub(super) struct Deadline {
    limit: Duration,
    at: Instant,
    /// None if it is time itself that has an end.
    work: Option<Begin>,
}

impl Deadline {
    /// After so much time.
    pub(super) fn after(limit: Duration) -> Deadline {
        Deadline {
            limit,
            at: Instant::now() + limit,
            work: None,
        }
    }

    /// After so much work.
    pub(super) fn after_work(limit: Duration) -> Deadline {
        Deadline {
            work: Some(Begin::default()),
            ..Deadline::after(limit)
        }
    }

    /// Whether it has passed; `session` is told of the first look.
    pub(super) fn has_passed(&self, session: &Begin) -> bool {
        self.has_passed_at(Instant::now(), worked, session)
    }

    fn has_passed_at(&self, now: Instant, worked: impl Fn() -> Duration, session: &Begin) -> bool {
        let Some(begin) = &self.work else {
            return now > self.at;
        };
        if !begin.is_known() {
            let worked = worked();
            session.until(worked);
            begin.until(worked);
        }
        now > self.at && begin.until(worked()) > self.limit
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Duration = Duration::from_millis(200);

    #[test]
    fn others_that_have_the_processor_end_no_expression() {
        let deadline = Deadline::after_work(LIMIT);
        let session = Begin::default();
        let of_thread = Duration::from_secs(50);
        let passed = |after: Duration, worked: Duration| {
            deadline.has_passed_at(deadline.at - LIMIT + after, || of_thread + worked, &session)
        };
        assert!(!passed(LIMIT / 2, Duration::ZERO));
        assert!(!passed(20 * LIMIT, LIMIT / 2));
        assert!(passed(20 * LIMIT, LIMIT * 2));
        assert_eq!(session.until(of_thread + LIMIT), LIMIT);
    }

    #[test]
    fn time_that_has_an_end_ends() {
        let deadline = Deadline::after(LIMIT);
        let nobody = || unreachable!("nobody asks how much was worked");
        assert!(!deadline.has_passed_at(deadline.at, nobody, &Begin::default()));
        assert!(deadline.has_passed_at(deadline.at + LIMIT, nobody, &Begin::default()));
    }

    #[test]
    fn a_thread_that_works_knows_it() {
        let begin = worked();
        let mut sum = 0_u64;
        while worked() == begin {
            sum = std::hint::black_box(sum.wrapping_add(1));
        }
        assert!(worked() > begin);
    }
}
