//! Work that computes for long, and what virtual time does meanwhile.
//!
//! Time stands while work is in flight, or it would run out on what makes progress. But nobody can tell work
//! that makes progress from a loop that never ends, and a loop may have nothing but its time to end it. So
//! work that has computed for longer than the clock's grace is *slow*, and for it time goes on as the real
//! one does: neither does a loop last for ever, nor does time run out on anybody sooner than on the real
//! clock. Time never jumps ahead to a timer for it, as it does once nothing is in flight.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use asl::Timestamp;
use parking_lot::Mutex;

use super::{Busy, Virtual, settle};

/// Work that may turn out to be slow. Time stands as for a [`Busy`] until then.
#[must_use = "time moves on when this is dropped"]
pub struct Slow(State);

enum State {
    /// It has worked since then.
    Standing(Busy, Instant),
    /// It was slow, and time has gone on for it until then.
    GoingOn(Ceiling, Instant),
}

/// How far time may go for one piece of work.
struct Ceiling {
    clock: Arc<Mutex<Virtual>>,
    number: u64,
}

impl Drop for Ceiling {
    fn drop(&mut self) {
        self.clock.lock().slow.open.remove(&self.number);
        settle(&self.clock);
    }
}

/// How far time may go for each piece of slow work.
#[derive(Default)]
pub(super) struct Ceilings {
    open: BTreeMap<u64, Timestamp>,
    next: u64,
}

impl Ceilings {
    pub(super) fn len(&self) -> usize {
        self.open.len()
    }

    /// As far as all of it allows; nothing if there is none.
    pub(super) fn least(&self) -> Option<Timestamp> {
        self.open.values().min().copied()
    }
}

impl Slow {
    /// Work that is in flight from now on.
    pub fn new(busy: Busy) -> Slow {
        Slow(State::Standing(busy, Instant::now()))
    }

    /// Says that a part of the work is done and that there is more. Once it has taken longer than the
    /// clock's grace, time goes on for as long as it has taken since it was last said.
    pub fn goes_on(&mut self) {
        match &mut self.0 {
            State::Standing(busy, since) => {
                let Some(clock) = &busy.0 else {
                    return;
                };
                let clock = clock.clone();
                let mut inner = clock.lock();
                if since.elapsed() < inner.grace {
                    return;
                }
                let (number, now) = (inner.slow.next, inner.now);
                inner.slow.next += 1;
                inner.slow.open.insert(number, now);
                drop(inner);
                // What was held is given up with this, and the other holds from here.
                self.0 = State::GoingOn(Ceiling { clock, number }, Instant::now());
            }
            State::GoingOn(ceiling, since) => {
                let passed = since.elapsed().as_millis() as u64;
                if passed == 0 {
                    return;
                }
                *since += Duration::from_millis(passed);
                let mut inner = ceiling.clock.lock();
                let until = Timestamp(inner.now.0.saturating_add_unsigned(passed));
                inner.slow.open.insert(ceiling.number, until);
                drop(inner);
                settle(&ceiling.clock);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Clock;

    /// Works until `enough` says so.
    fn work(slow: &mut Slow, mut enough: impl FnMut() -> bool) -> Duration {
        let began = Instant::now();
        while !enough() {
            slow.goes_on();
            std::thread::yield_now();
        }
        began.elapsed()
    }

    #[tokio::test]
    async fn time_goes_on_for_slow_work_as_fast_as_real_time_and_stands_before() {
        let clock = Clock::standing_at(Timestamp(0));
        clock.set_automatic(true);
        let far = clock.alarm(Timestamp(1_000_000));
        let near = clock.alarm(Timestamp(20));
        let mut slow = Slow::new(clock.busy());
        for _ in 0..10 {
            slow.goes_on();
        }
        assert_eq!(clock.now(), Timestamp(0), "within its grace");

        clock.set_grace(Duration::ZERO);
        let took = work(&mut slow, || clock.now() >= Timestamp(20));
        assert!(took >= Duration::from_millis(20), "{took:?}");
        assert_eq!(clock.now(), Timestamp(20), "it is somebody's turn");
        let turn = near.await;
        let before = clock.now();
        slow.goes_on();
        assert_eq!(clock.now(), before, "time stands for others");
        drop(turn);

        // Time goes on for as long as all of them have taken.
        let mut another = Slow::new(clock.busy());
        another.goes_on();
        let from = clock.now();
        let since = Instant::now();
        work(&mut slow, || since.elapsed() >= Duration::from_millis(5));
        assert_eq!(clock.now(), from);
        work(&mut slow, || {
            another.goes_on();
            clock.now() > from
        });
        drop(another);
        assert!(clock.now() < Timestamp(1_000_000), "it does not jump");
        drop(slow);
        assert_eq!(clock.now(), Timestamp(1_000_000), "nothing is in flight");
        drop(far.await);
    }
}
