//! The clock: real time, or time that moves only when nothing is in flight.
//!
//! Everything that waits for a moment (timers, retries, heartbeats, function timeouts, a mock's
//! delays) asks this clock, so one part decides what time it is. On the virtual clock time stands
//! still while anybody holds a [`Busy`]; once the last one is dropped it may jump to the next moment
//! that somebody waits for, if it runs by itself ([`Clock::set_automatic`]) or was told to go that
//! far ([`Clock::advance`]). Whoever is woken gets a `Busy`, so time stands still again until its
//! work is done; and work handed to another task takes a `Busy` with it.
//!
//! Several may move time at once: each is told when time has come as far as it asked for, the nearest first. One that
//! has gone away (a client that hung up) moves it no further, and a freeze ([`Clock::freeze`]) sends all of them home.
//!
//! Work that computes for long is [`Slow`]: time then goes on as far as it has taken real time.
//!
//! What only wants to know that a moment has passed ([`Clock::alarm_in_passing`]: that somebody has waited for too
//! long, say) is no reason for time to go there. On its way elsewhere time stops at such a moment, as at any other.
//!
//! Long polls of clients wait in real time on either clock: they are a matter of sockets, and a
//! worker that polls must not make the years go by.

mod held;
mod slow;

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use asl::Timestamp;
use parking_lot::Mutex;
use serde::Serialize;
use tokio::sync::oneshot;

pub(crate) use held::Held;
pub use held::let_time_go;
use slow::Ceilings;
pub use slow::Slow;

/// Where the next due moment of stored things is looked up; the store is one.
pub trait TimerSource: Send + Sync {
    /// The earliest moment that something stored is due.
    fn next_due(&self) -> Option<Timestamp>;
    /// Returns when that moment has become earlier than it was.
    fn moved(&self) -> std::pin::Pin<Box<dyn Future<Output = ()> + Send + '_>>;
}

impl TimerSource for store::Store {
    fn next_due(&self) -> Option<Timestamp> {
        store::Store::next_due(self)
    }

    fn moved(&self) -> std::pin::Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(self.due_moved())
    }
}

/// For how long, in real time, the outside may keep virtual time standing: long enough for a function's
/// cold start on a busy machine, short enough that a test of a hanging function is not tedious.
pub const GRACE: Duration = Duration::from_secs(5);

/// A handle on the clock. Cloning is a reference count.
#[derive(Clone)]
pub struct Clock(Option<Arc<Mutex<Virtual>>>);

/// Something is in flight as long as this lives. Costs nothing on the real clock.
#[must_use = "time moves on when this is dropped"]
pub struct Busy(Option<Arc<Mutex<Virtual>>>);

/// The virtual clock's state.
struct Virtual {
    now: Timestamp,
    busy: usize,
    /// Work that takes real time, and how far time may go meanwhile.
    slow: Ceilings,
    automatic: bool,
    grace: Duration,
    /// How far time may be moved, and who is told when it got there.
    goals: BinaryHeap<Reverse<Sleeper>>,
    /// How many times it was frozen.
    freezes: u64,
    sleepers: BinaryHeap<Reverse<Sleeper>>,
    /// Those who are woken as time comes by.
    passed: BinaryHeap<Reverse<Sleeper>>,
    sequence: u64,
    source: Option<Arc<dyn TimerSource>>,
    scheduler: Option<oneshot::Sender<Busy>>,
}

/// Someone who sleeps until `until`; equal moments wake in the order of falling asleep.
struct Sleeper {
    until: Timestamp,
    sequence: u64,
    wake: oneshot::Sender<Busy>,
}

impl PartialEq for Sleeper {
    fn eq(&self, other: &Sleeper) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Sleeper {}

impl PartialOrd for Sleeper {
    fn partial_cmp(&self, other: &Sleeper) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Sleeper {
    fn cmp(&self, other: &Sleeper) -> std::cmp::Ordering {
        (self.until, self.sequence).cmp(&(other.until, other.sequence))
    }
}

/// Leave to move time, until the clock is frozen.
#[derive(Debug, Clone, Copy)]
pub struct Leave(u64);

/// Time was not moved so far: somebody has frozen the clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Frozen;

/// What the clock says of itself.
#[derive(Debug, Serialize)]
pub struct ClockStatus {
    /// `real` or `virtual`.
    pub clock: &'static str,
    /// RFC 3339.
    pub now: String,
    /// Whether virtual time jumps to the next timer by itself.
    pub automatic: bool,
    /// How many pieces of work keep virtual time standing.
    pub in_flight: usize,
    /// The next moment somebody waits for, RFC 3339.
    pub next_timer: Option<String>,
}

impl Clock {
    /// The machine's clock.
    pub fn real() -> Clock {
        Clock(None)
    }

    /// A clock that starts at `now` and stands.
    pub fn standing_at(now: Timestamp) -> Clock {
        Clock(Some(Arc::new(Mutex::new(Virtual {
            now,
            busy: 0,
            slow: Ceilings::default(),
            automatic: false,
            grace: GRACE,
            goals: BinaryHeap::new(),
            freezes: 0,
            sleepers: BinaryHeap::new(),
            passed: BinaryHeap::new(),
            sequence: 0,
            source: None,
            scheduler: None,
        }))))
    }

    /// The machine's time, whichever clock this is; for a virtual clock's start.
    ///
    /// It never goes back: what was found due stays due, however the machine's clock is set meanwhile.
    pub fn machine_time() -> Timestamp {
        static LATEST: AtomicI64 = AtomicI64::new(i64::MIN);
        let since = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        never_back(&LATEST, Timestamp(since.as_millis() as i64))
    }

    /// What time it is.
    pub fn now(&self) -> Timestamp {
        match &self.0 {
            None => Clock::machine_time(),
            Some(state) => state.lock().now,
        }
    }

    /// Whether time can be moved.
    pub fn is_virtual(&self) -> bool {
        self.0.is_some()
    }

    /// Keeps virtual time standing until the answer is dropped.
    pub fn busy(&self) -> Busy {
        if let Some(state) = &self.0 {
            state.lock().busy += 1;
        }
        Busy(self.0.clone())
    }

    /// Sleeps until `until`. Give up any `Busy` of your own first, or virtual time never gets there.
    pub async fn sleep_until(&self, until: Timestamp) -> Busy {
        let alarm = self.alarm(until);
        if let Some(state) = &self.0 {
            settle(state);
        }
        alarm.await
    }

    /// What [`Clock::sleep_until`] waits for. It counts from this call on and not from when it is first
    /// waited for, so that whoever hands it to another task may give up a `Busy` meanwhile.
    pub fn alarm(&self, until: Timestamp) -> impl Future<Output = Busy> + Send + use<> {
        self.alarm_among(until, |inner| &mut inner.sleepers)
    }

    /// [`Clock::alarm`] for a moment that virtual time is not to go to by itself: it rings when time gets
    /// there on its way to something else, or because somebody moves it.
    pub fn alarm_in_passing(&self, until: Timestamp) -> impl Future<Output = Busy> + Send + use<> {
        self.alarm_among(until, |inner| &mut inner.passed)
    }

    fn alarm_among(
        &self,
        until: Timestamp,
        among: fn(&mut Virtual) -> &mut BinaryHeap<Reverse<Sleeper>>,
    ) -> impl Future<Output = Busy> + Send + use<> {
        let woken = self.0.as_ref().map(|state| {
            let mut inner = state.lock();
            let (wake, woken) = oneshot::channel();
            inner.sequence += 1;
            let sequence = inner.sequence;
            among(&mut inner).push(Reverse(Sleeper {
                until,
                sequence,
                wake,
            }));
            woken
        });
        async move {
            match woken {
                None => {
                    sleep_by(Clock::machine_time, until).await;
                    Busy(None)
                }
                Some(woken) => woken
                    .await
                    .expect("the clock keeps every sleeper until it wakes"),
            }
        }
    }

    /// Names the store, whose timers move virtual time as sleepers do.
    pub fn attach(&self, source: Arc<dyn TimerSource>) {
        if let Some(state) = &self.0 {
            state.lock().source = Some(source);
        }
    }

    /// Forgets the store, whose server is gone, and all who slept there.
    pub fn detach(&self) {
        if let Some(state) = &self.0 {
            let mut inner = state.lock();
            let (source, scheduler) = (inner.source.take(), inner.scheduler.take());
            drop(inner);
            drop((source, scheduler));
        }
    }

    /// Returns when something in `source` is due; for the one scheduler.
    pub async fn until_due(&self, source: &dyn TimerSource) -> Busy {
        loop {
            let busy = self.busy();
            // First listen, then look: what moves between the two is heard.
            let moved = source.moved();
            let next = source.next_due();
            if next.is_some_and(|next| next <= self.now()) {
                return busy;
            }
            match &self.0 {
                None => {
                    let due = async {
                        match next {
                            Some(next) => drop(self.sleep_until(next).await),
                            None => std::future::pending().await,
                        }
                    };
                    tokio::select! { () = due => {}, () = moved => {} }
                }
                Some(state) => {
                    let (wake, woken) = oneshot::channel();
                    state.lock().scheduler = Some(wake);
                    drop(busy);
                    tokio::select! {
                        Ok(busy) = woken => return busy,
                        () = moved => {}
                    }
                }
            }
        }
    }

    /// Lets virtual time jump to the next timer by itself whenever nothing is in flight, or stops that.
    pub fn set_automatic(&self, automatic: bool) {
        if let Some(state) = &self.0 {
            state.lock().automatic = automatic;
            settle(state);
        }
    }

    /// Stops time where it is: it no longer runs by itself, and whoever moves it is told that it is [`Frozen`].
    pub fn freeze(&self) {
        if let Some(state) = &self.0 {
            let goals = {
                let mut inner = state.lock();
                inner.automatic = false;
                inner.freezes += 1;
                std::mem::take(&mut inner.goals)
            };
            drop(goals);
        }
    }

    /// Leave to move time from now on until it is frozen.
    pub fn leave(&self) -> Leave {
        Leave(self.0.as_ref().map_or(0, |state| state.lock().freezes))
    }

    /// Moves virtual time on to `until`, through everything that is due on the way; returns when it is
    /// there and nothing is in flight, or when it is frozen. On the real clock it waits.
    pub async fn advance(&self, until: Timestamp) -> Busy {
        match self.advance_with(self.leave(), until).await {
            Ok(busy) => busy,
            Err(Frozen) => self.busy(),
        }
    }

    /// [`Clock::advance`] as long as there is leave to.
    ///
    /// # Errors
    /// [`Frozen`]: somebody froze the clock after the leave was taken.
    pub async fn advance_with(&self, leave: Leave, until: Timestamp) -> Result<Busy, Frozen> {
        let Some(state) = &self.0 else {
            return Ok(self.sleep_until(until).await);
        };
        let (wake, at_goal) = oneshot::channel();
        {
            let mut inner = state.lock();
            if inner.freezes != leave.0 {
                return Err(Frozen);
            }
            inner.sequence += 1;
            let sequence = inner.sequence;
            inner.goals.push(Reverse(Sleeper {
                until,
                sequence,
                wake,
            }));
        }
        settle(state);
        at_goal.await.map_err(|_| Frozen)
    }

    /// For how long, in real time, a function that does not answer keeps virtual time standing.
    pub fn grace(&self) -> Duration {
        self.0.as_ref().map_or(GRACE, |state| state.lock().grace)
    }

    /// Sets [`Clock::grace`]; with none, time goes on as soon as a function was called.
    pub fn set_grace(&self, grace: Duration) {
        if let Some(state) = &self.0 {
            state.lock().grace = grace;
        }
    }

    /// The next moment somebody waits for.
    pub fn next_timer(&self) -> Option<Timestamp> {
        self.0.as_ref().and_then(|state| state.lock().next())
    }

    /// What the clock says of itself.
    pub fn status(&self) -> ClockStatus {
        let (automatic, in_flight) = match &self.0 {
            None => (false, 0),
            Some(state) => {
                let inner = state.lock();
                (inner.automatic, inner.busy + inner.slow.len())
            }
        };
        ClockStatus {
            clock: if self.is_virtual() { "virtual" } else { "real" },
            now: self.now().to_string(),
            automatic,
            in_flight,
            next_timer: self.next_timer().map(|t| t.to_string()),
        }
    }
}

impl std::fmt::Debug for Busy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Busy")
    }
}

impl Busy {
    /// Hands it on; what is left holds no time.
    pub fn take(&mut self) -> Busy {
        Busy(self.0.take())
    }
}

impl Clone for Busy {
    fn clone(&self) -> Busy {
        if let Some(state) = &self.0 {
            state.lock().busy += 1;
        }
        Busy(self.0.clone())
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        if let Some(state) = &self.0 {
            let idle = {
                let mut inner = state.lock();
                inner.busy -= 1;
                inner.busy == 0
            };
            if idle {
                settle(state);
            }
        }
    }
}

impl Virtual {
    /// The nearest moment that somebody moves time to. Those that went away don't count.
    fn goal(&mut self) -> Option<Timestamp> {
        while self
            .goals
            .peek()
            .is_some_and(|Reverse(goal)| goal.wake.is_closed())
        {
            self.goals.pop();
        }
        self.goals.peek().map(|Reverse(goal)| goal.until)
    }

    /// The next moment that a sleeper or a stored timer waits for. Sleepers that gave up don't count.
    fn next(&mut self) -> Option<Timestamp> {
        while self
            .sleepers
            .peek()
            .is_some_and(|Reverse(sleeper)| sleeper.wake.is_closed())
        {
            self.sleepers.pop();
        }
        let sleeper = self.sleepers.peek().map(|Reverse(sleeper)| sleeper.until);
        let stored = self.source.as_ref().and_then(|source| source.next_due());
        match (sleeper, stored) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        }
    }
}

/// The later of a reading and the latest one so far. Less than `fetch_max`: as a rule many read the
/// same millisecond.
fn never_back(latest: &AtomicI64, reading: Timestamp) -> Timestamp {
    let before = latest.load(Ordering::Relaxed);
    if before >= reading.0 {
        return Timestamp(before);
    }
    Timestamp(
        latest
            .fetch_max(reading.0, Ordering::Relaxed)
            .max(reading.0),
    )
}

/// Moves time as far as it may go now, and wakes who waited for it.
fn settle(state: &Arc<Mutex<Virtual>>) {
    let mut woken = Vec::new();
    {
        let mut inner = state.lock();
        if inner.busy > 0 {
            return;
        }
        let next = inner.next();
        let goal = inner.goal();
        let goal_first = goal.is_some_and(|goal| next.is_none_or(|next| goal < next));
        let may_go = |next: &Timestamp| *next <= inner.now || inner.automatic || goal.is_some();
        let there = match goal.filter(|_| goal_first) {
            Some(goal) => goal,
            None => next.filter(may_go).unwrap_or(inner.now),
        };
        // Slow work says how far time may go. No goal is reached meanwhile: nothing is to be in flight there.
        let slow = inner.slow.least();
        let slow = slow.filter(|least| goal_first || next.is_none_or(|next| *least < next));
        let there = match slow {
            Some(least) if inner.automatic || goal.is_some() => {
                goal.map_or(least, |goal| goal.min(least))
            }
            Some(_) => inner.now,
            None => there,
        };
        // What is due at the same moment comes first: it may be over then.
        let passed = inner.passed.peek().map(|Reverse(sleeper)| sleeper.until);
        let passed = passed.filter(|at| *at <= there && next.is_none_or(|next| *at < next));
        match (next, passed) {
            (_, Some(passed)) => {
                inner.now = inner.now.max(passed);
                while inner
                    .passed
                    .peek()
                    .is_some_and(|Reverse(sleeper)| sleeper.until <= inner.now)
                {
                    woken.extend(inner.passed.pop().map(|Reverse(sleeper)| sleeper.wake));
                }
            }
            (_, None) if slow.is_some() => inner.now = inner.now.max(there),
            (_, None) if goal_first => {
                let Reverse(goal) = inner
                    .goals
                    .pop()
                    .expect("there is a goal if it comes first");
                inner.now = inner.now.max(goal.until);
                woken.push(goal.wake);
            }
            (Some(next), None) if next <= there => {
                inner.now = inner.now.max(next);
                while inner
                    .sleepers
                    .peek()
                    .is_some_and(|Reverse(sleeper)| sleeper.until <= inner.now)
                {
                    woken.extend(inner.sleepers.pop().map(|Reverse(sleeper)| sleeper.wake));
                }
                let stored = inner.source.as_ref().and_then(|source| source.next_due());
                if stored.is_some_and(|stored| stored <= inner.now) {
                    woken.extend(inner.scheduler.take());
                }
            }
            _ => {}
        }
        inner.busy += woken.len();
    }
    // Outside the lock: a sleeper that has just given up hands its Busy back, and dropping it settles again.
    for wake in woken {
        let _ = wake.send(Busy(Some(state.clone())));
    }
}

/// How often whoever sleeps on the real clock looks at it again.
const LOOK_AGAIN: Duration = Duration::from_secs(10);

/// Sleeps until a clock on the wall shows `until`. A sleep counts the time in which the machine runs, so that one of an
/// hour ends an hour late on a machine that was suspended for one, or whose clock was put right: the wall is looked at
/// now and then.
async fn sleep_by(wall: impl Fn() -> Timestamp, until: Timestamp) {
    loop {
        let left = until.0.saturating_sub(wall().0);
        let Ok(left @ 1..) = u64::try_from(left) else {
            return;
        };
        tokio::time::sleep(LOOK_AGAIN.min(Duration::from_millis(left))).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn who_sleeps_is_woken_by_the_wall_also_after_the_machine_slept() {
        let begun = tokio::time::Instant::now();
        let since = |asleep: Duration| Timestamp((begun.elapsed() + asleep).as_millis() as i64);
        let hour = Duration::from_secs(3600);
        sleep_by(|| since(Duration::ZERO), Timestamp(3_600_000)).await;
        assert_eq!(begun.elapsed(), hour);
        // From its fifteenth minute on the machine is suspended, for two hours.
        let begun = tokio::time::Instant::now();
        let wall = || {
            let awake = begun.elapsed();
            let asleep = match awake < hour / 4 {
                true => Duration::ZERO,
                false => 2 * hour,
            };
            Timestamp((awake + asleep).as_millis() as i64)
        };
        sleep_by(wall, Timestamp(3_600_000)).await;
        assert!(begun.elapsed() <= hour / 4 + LOOK_AGAIN);
        sleep_by(wall, Timestamp(5)).await;
    }

    #[test]
    fn the_machines_time_never_goes_back() {
        let latest = AtomicI64::new(i64::MIN);
        let readings = [5, 7, 3, 7, 8].map(|reading| never_back(&latest, Timestamp(reading)).0);
        assert_eq!(readings, [5, 7, 7, 7, 8]);
    }
}
