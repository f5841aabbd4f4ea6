//! What a call holds of time while it waits for its answer.
//!
//! A call holds a [`Busy`] until it is answered, so that time stands while the request is under way. Whoever answers it in
//! this very process ([`crate::actors::Nearby`]), and later, has to let time go on meanwhile, and knows nothing of
//! the call but that it runs inside of it: so that is where the `Busy` is found.

use std::sync::Arc;

use parking_lot::Mutex;

use super::Busy;

tokio::task_local! {
    static HELD: Held;
}

/// The `Busy` of a call.
#[derive(Clone)]
pub(crate) struct Held(Arc<Mutex<Busy>>);

impl Held {
    /// What a call holds.
    pub fn of(busy: Busy) -> Held {
        Held(Arc::new(Mutex::new(busy)))
    }

    /// Lets go of it.
    pub fn let_go(&self) {
        // Dropping it moves time, which is nothing to do with the lock held.
        let busy = self.0.lock().take();
        drop(busy);
    }

    /// Does the work of the call.
    pub fn during<T>(&self, work: impl Future<Output = T>) -> impl Future<Output = T> {
        HELD.scope(self.clone(), work)
    }
}

/// Lets time go on for the call inside of which this is awaited, until `woken` brings what holds it again.
pub async fn let_time_go(woken: impl Future<Output = Busy>) {
    let held = HELD.try_with(Held::clone).ok();
    if let Some(held) = &held {
        held.let_go();
    }
    let busy = woken.await;
    if let Some(held) = held {
        *held.0.lock() = busy;
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use asl::Timestamp;

    use super::*;
    use crate::clock::Clock;
    use crate::functions::with_grace;

    /// It takes no real time, whatever the grace: who would wait for it here waits for an hour.
    #[tokio::test(start_paused = true)]
    async fn time_goes_on_for_a_call_that_is_answered_later_in_this_process() {
        let clock = Clock::standing_at(Timestamp(0));
        clock.set_grace(Duration::from_secs(3600));
        clock.set_automatic(true);
        let begun = tokio::time::Instant::now();
        let answer = async {
            let_time_go(clock.alarm(Timestamp(30_000))).await;
            // Time stands again, and nobody moves it before the call is done.
            tokio::task::yield_now().await;
            (clock.now(), clock.busy())
        };
        let (at, busy) = with_grace(&clock, clock.busy(), answer).await;
        assert_eq!(at, Timestamp(30_000));
        assert_eq!(clock.status().in_flight, 1);
        drop(busy);
        assert_eq!(clock.status().in_flight, 0);
        assert_eq!(begun.elapsed(), Duration::ZERO);
    }
}
