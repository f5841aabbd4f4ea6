//! Callbacks, answers to tokens, timeouts, heartbeats, stops, retries, registrations and restarts race
//! in an order that is drawn by lot, on a whole server; and then the books must balance:
//!
//! - each wait has exactly one completion, and what is told of it is what was acknowledged;
//! - each delivery has exactly one disposition, and it is one that the history bears out;
//! - whatever is not a plain delivery was alerted, once;
//! - nothing that was acknowledged is missing, and nothing happens before its time.
//!
//! A failure names its seed: `REJOIN_SEED=17 cargo nextest run -p server --test races`. How many seeds
//! are drawn says `REJOIN_SEEDS`: a thousand if nothing does, ten thousand in `scripts/test`. In reading order: [`lot`], what happens; [`life`], the server it happens
//! to; [`books`], what must be true in the end.

#![allow(clippy::unwrap_used)]

mod races {
    pub mod books;
    pub mod life;
    pub mod lot;
}

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use races::books::{Books, Tally};
use races::life::World;
use races::lot::Lot;

const SEEDS: u64 = 1_000;

/// Plays one seed, and says what was seen.
fn play(seed: u64) -> Tally {
    let mut lot = Lot::new(seed);
    let mut world = World::new(&mut lot);
    for _ in 0..lot.between(4, 12) {
        world.round(&mut lot);
    }
    world.settle();
    Books::of(&world).balance()
}

fn number(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(
        text.parse()
            .unwrap_or_else(|_| panic!("{name} is a number, not {text:?}")),
    )
}

#[test]
fn whatever_races_each_wait_ends_once_and_each_callback_is_accounted_for() {
    if let Some(seed) = number("REJOIN_SEED") {
        println!("{:?}", play(seed));
        return;
    }
    let seeds = number("REJOIN_SEEDS").unwrap_or(SEEDS);
    let next = AtomicU64::new(0);
    let workers = thread::available_parallelism().map_or(2, usize::from);
    let tallies: Vec<Tally> = thread::scope(|scope| {
        let work = || {
            let mut tally = Tally::default();
            loop {
                let seed = next.fetch_add(1, Ordering::Relaxed);
                if seed >= seeds {
                    return tally;
                }
                match catch_unwind(AssertUnwindSafe(|| play(seed))) {
                    Ok(seen) => tally.add(seen),
                    Err(_) => {
                        next.store(seeds, Ordering::Relaxed);
                        panic!("seed {seed}: REJOIN_SEED={seed} plays it alone");
                    }
                }
            }
        };
        let running: Vec<_> = (0..workers).map(|_| scope.spawn(work)).collect();
        let ended = running.into_iter().map(|thread| thread.join());
        ended
            .map(|tally| tally.expect("every seed holds"))
            .collect()
    });
    let mut all = Tally::default();
    tallies.into_iter().for_each(|tally| all.add(tally));
    println!("{seeds} seeds: {all:?}");
    // A lot that never draws what this is about would hold for nothing.
    if seeds >= SEEDS {
        all.check_that_all_was_seen();
    }
}
