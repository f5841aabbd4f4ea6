//! Virtual time stands while anything is in flight, and goes through everything that is due.

use std::sync::Arc;

use asl::Timestamp;
use parking_lot::Mutex;
use server::clock::{Clock, Frozen, TimerSource};
use tokio::sync::Notify;

fn clock() -> Clock {
    Clock::standing_at(Timestamp(0))
}

/// Someone who notes the time at which they wake.
fn sleeper(
    clock: &Clock,
    until: i64,
    log: &Arc<Mutex<Vec<(i64, i64)>>>,
) -> tokio::task::JoinHandle<()> {
    let (clock, log) = (clock.clone(), log.clone());
    tokio::spawn(async move {
        let _busy = clock.sleep_until(Timestamp(until)).await;
        // Whoever is woken may give the others a turn: time stands as long as it holds its Busy.
        tokio::task::yield_now().await;
        log.lock().push((until, clock.now().0));
    })
}

#[tokio::test]
async fn time_stands_until_it_is_moved() {
    let clock = clock();
    let log = Arc::default();
    let asleep = sleeper(&clock, 10, &log);
    tokio::task::yield_now().await;
    assert_eq!((clock.now(), asleep.is_finished()), (Timestamp(0), false));
    assert_eq!(clock.next_timer(), Some(Timestamp(10)));
}

#[tokio::test]
async fn an_advance_wakes_all_that_is_due_on_the_way_each_at_its_own_time() {
    let clock = clock();
    let log = Arc::default();
    for until in [30, 10, 20, 20, 99] {
        drop(sleeper(&clock, until, &log));
    }
    tokio::task::yield_now().await;
    drop(clock.advance(Timestamp(50)).await);
    assert_eq!(*log.lock(), [(10, 10), (20, 20), (20, 20), (30, 30)]);
    assert_eq!(clock.now(), Timestamp(50));
}

#[tokio::test]
async fn time_stands_while_anything_is_in_flight() {
    let clock = clock();
    clock.set_automatic(true);
    let log = Arc::default();
    let busy = clock.busy();
    let asleep = sleeper(&clock, 10, &log);
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    assert_eq!((clock.now(), asleep.is_finished()), (Timestamp(0), false));
    drop(busy);
    asleep.await.expect("the sleeper wakes");
    assert_eq!(clock.now(), Timestamp(10));
}

#[tokio::test]
async fn a_sleeper_that_gave_up_does_not_move_time() {
    let clock = clock();
    let log = Arc::default();
    let asleep = sleeper(&clock, 10, &log);
    tokio::task::yield_now().await;
    asleep.abort();
    let _ = asleep.await;
    clock.set_automatic(true);
    assert_eq!((clock.now(), clock.next_timer()), (Timestamp(0), None));
}

#[tokio::test]
async fn automatic_time_goes_from_timer_to_timer_and_then_stands() {
    let clock = clock();
    let log = Arc::default();
    let year = 365 * 86_400_000;
    let asleep: Vec<_> = [5, year].map(|until| sleeper(&clock, until, &log)).into();
    clock.set_automatic(true);
    for sleeper in asleep {
        sleeper.await.expect("the sleeper wakes");
    }
    assert_eq!(*log.lock(), [(5, 5), (year, year)]);
    assert_eq!(clock.now(), Timestamp(year));
}

/// A source whose first timer is set just as it is looked at.
#[derive(Default)]
struct JustSet {
    due: Mutex<Option<Timestamp>>,
    moved: Notify,
}

impl TimerSource for JustSet {
    fn next_due(&self) -> Option<Timestamp> {
        let seen = self.due.lock().replace(Timestamp(0));
        if seen.is_none() {
            self.moved.notify_waiters();
        }
        seen
    }

    fn moved(&self) -> std::pin::Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(self.moved.notified())
    }
}

#[tokio::test]
async fn a_timer_that_is_set_between_looking_and_waiting_is_not_missed() {
    for clock in [Clock::real(), Clock::standing_at(Timestamp(1))] {
        let source = JustSet::default();
        let limit = std::time::Duration::from_secs(10);
        let due = tokio::time::timeout(limit, clock.until_due(&source)).await;
        drop(due.expect("the timer is due, and was heard of"));
    }
}

/// Someone who notes the time at which time has come by.
fn passed_by(clock: &Clock, until: i64, log: &Arc<Mutex<Vec<(i64, i64)>>>) {
    let alarm = clock.alarm_in_passing(Timestamp(until));
    let (clock, log) = (clock.clone(), log.clone());
    tokio::spawn(async move {
        let _busy = alarm.await;
        tokio::task::yield_now().await;
        log.lock().push((until, clock.now().0));
    });
}

#[tokio::test]
async fn time_does_not_go_where_somebody_is_only_woken_in_passing() {
    let clock = clock();
    let log = Arc::default();
    passed_by(&clock, 10, &log);
    passed_by(&clock, 30, &log);
    clock.set_automatic(true);
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    assert_eq!((clock.now(), clock.next_timer()), (Timestamp(0), None));
    // On its way to 20 it comes by 10, and stops there; and it does not go on to 30.
    sleeper(&clock, 20, &log).await.expect("it wakes");
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    assert_eq!(*log.lock(), [(10, 10), (20, 20)]);
    assert_eq!(clock.now(), Timestamp(20));
    // Whoever moves it gets there, and what is due at that very moment has come.
    clock.set_automatic(false);
    drop(clock.advance(Timestamp(30)).await);
    assert_eq!(log.lock().last(), Some(&(30, 30)));
    passed_by(&clock, 25, &log);
    drop(clock.advance(Timestamp(30)).await);
    assert_eq!(log.lock().last(), Some(&(25, 30)));
}

#[tokio::test]
async fn what_is_due_at_a_moment_comes_before_what_it_passes() {
    let clock = clock();
    let log = Arc::default();
    passed_by(&clock, 10, &log);
    drop(sleeper(&clock, 10, &log));
    tokio::task::yield_now().await;
    drop(clock.advance(Timestamp(10)).await);
    assert_eq!(log.lock().len(), 2);
    assert_eq!(clock.now(), Timestamp(10));
}

#[tokio::test]
async fn each_of_those_that_move_time_is_told_when_it_got_there() {
    let clock = clock();
    let log = Arc::default();
    drop(sleeper(&clock, 40, &log));
    tokio::task::yield_now().await;
    let busy = clock.busy();
    let movers: Vec<_> = [50, 20, 20]
        .map(|until| {
            let clock = clock.clone();
            tokio::spawn(async move {
                let _busy = clock.advance(Timestamp(until)).await;
                clock.now()
            })
        })
        .into();
    let gone = tokio::spawn({
        let clock = clock.clone();
        async move { drop(clock.advance(Timestamp(99)).await) }
    });
    tokio::task::yield_now().await;
    // One that went away moves time no further.
    gone.abort();
    let _ = gone.await;
    drop(busy);
    let mut reached = Vec::new();
    for mover in movers {
        reached.push(mover.await.expect("it is told").0);
    }
    assert_eq!(reached, [50, 20, 20]);
    assert_eq!((clock.now(), log.lock().len()), (Timestamp(50), 1));
}

#[tokio::test]
async fn who_moves_time_is_told_that_it_was_frozen() {
    let clock = clock();
    clock.set_automatic(true);
    let busy = clock.busy();
    let leave = clock.leave();
    let moving = tokio::spawn({
        let clock = clock.clone();
        async move { clock.advance_with(leave, Timestamp(50)).await.err() }
    });
    tokio::task::yield_now().await;
    clock.freeze();
    assert_eq!(moving.await.expect("it is told"), Some(Frozen));
    drop(busy);
    // What had leave before has none any more, and time does not run by itself.
    assert_eq!(
        clock.advance_with(leave, Timestamp(60)).await.err(),
        Some(Frozen)
    );
    let log = Arc::default();
    let asleep = sleeper(&clock, 10, &log);
    tokio::task::yield_now().await;
    assert_eq!((clock.now(), asleep.is_finished()), (Timestamp(0), false));
    drop(clock.advance(Timestamp(70)).await);
    assert_eq!(clock.now(), Timestamp(70));
}
