//! Cases played, each in a world of its own, as many at once as the machine has cores.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use asl::StateMachine;
use parking_lot::Mutex;
use serde_json::Value;

use super::outside::{Outside, Script};
use super::row::Row;
use super::way::Case;
use crate::part::{Act, Director};
use crate::scenario::play::EXECUTION;
use crate::seen::Seen;
use crate::world::{Machine, Settings, Stopped, World};

/// For how long an execution may go on in virtual time: longer than the longest timeout, 99,999,999 s.
const LIMIT: i64 = 4 * 366 * 86_400_000;

/// How many moments of virtual time an execution may come to: one that goes round and round without a task would do so
/// until its history is full, and each case of it.
const MOMENTS_MAX: usize = 2_000;

/// What came of a run.
pub struct Tried {
    /// All of it.
    pub seen: Seen,
    /// Whether it was left alone since no end was in sight.
    pub is_endless: bool,
}

/// A machine, and the server that it runs on.
#[derive(Clone)]
pub struct Stage {
    /// Its name and definition.
    pub machine: Machine,
    /// The definition, read.
    pub model: Arc<StateMachine>,
    /// How the server is configured.
    pub settings: Settings,
}

impl Stage {
    /// Plays one execution with this outside to its end, and what follows.
    ///
    /// # Errors
    /// Why it could not be played.
    pub fn run(&self, input: &Value, director: Box<dyn Director>) -> Result<Seen, String> {
        let mut world = self.world(input, director, &[])?;
        world.until_ended(LIMIT)?;
        world.until_quiet()?;
        world.seen()
    }

    /// The same with a server that is killed at these times, in milliseconds from the start; an execution that goes
    /// round and round is left alone after a while.
    ///
    /// # Errors
    /// Why it could not be played.
    pub fn try_out(
        &self,
        input: &Value,
        director: Box<dyn Director>,
        killed_at: &[i64],
    ) -> Result<Tried, String> {
        let mut world = self.world(input, director, killed_at)?;
        world.end_after_moments(MOMENTS_MAX);
        let stopped = world.until_ended(LIMIT)?;
        let is_endless = stopped == Stopped::NoEnd;
        if !is_endless {
            world.until_quiet()?;
        }
        Ok(Tried {
            seen: world.seen()?,
            is_endless,
        })
    }

    /// One in which the execution has just been started.
    fn world(
        &self,
        input: &Value,
        director: Box<dyn Director>,
        killed_at: &[i64],
    ) -> Result<World, String> {
        let mut world = World::open(self.settings.clone(), director)?;
        let arn = world.create(&self.machine)?;
        for at in killed_at {
            world.plan(*at, Act::Restart(0), None);
        }
        world.start(&arn, EXECUTION, &input.to_string())?;
        Ok(world)
    }

    /// Plays a case.
    pub fn play(&self, script: &Arc<Script>, input: &Value, case: Case) -> Row {
        let cut = Arc::new(AtomicBool::new(false));
        let outside = Outside::new(script.clone(), case.faults.clone(), cut.clone());
        let killed_at = case.faults.iter().filter_map(|fault| fault.way.killed_at());
        let killed_at: Vec<i64> = killed_at.collect();
        match self.try_out(input, Box::new(outside), &killed_at) {
            Ok(Tried { seen, is_endless }) => {
                let cut = is_endless || cut.load(Ordering::Relaxed);
                Row::of(case, seen, &self.model, cut, LIMIT)
            }
            Err(why) => Row::not_played(case, why),
        }
    }
}

/// Does `work` for each of `items`, on all cores, and gives what came of it in their order.
pub fn each<T: Sync, R: Send>(items: &[T], work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let next = AtomicUsize::new(0);
    let done = Mutex::new(Vec::with_capacity(items.len()));
    std::thread::scope(|scope| {
        for _ in 0..threads.min(items.len()) {
            scope.spawn(|| {
                while let Some((at, item)) = take(items, &next) {
                    let result = work(item);
                    done.lock().push((at, result));
                }
            });
        }
    });
    let mut done = done.into_inner();
    done.sort_by_key(|(at, _)| *at);
    done.into_iter().map(|(_, result)| result).collect()
}

fn take<'i, T>(items: &'i [T], next: &AtomicUsize) -> Option<(usize, &'i T)> {
    let at = next.fetch_add(1, Ordering::Relaxed);
    items.get(at).map(|item| (at, item))
}
