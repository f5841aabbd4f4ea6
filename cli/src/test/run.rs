//! All cases on all processors: each thread takes the next case that nobody has, and what has ended is shown in
//! the order of the files.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;

use lab::scenario::{Case, Outcome, play};

/// Plays all; `ended` hears of each in the order of the cases, as soon as those before it have ended.
pub fn all(cases: &[Arc<Case>], mut ended: impl FnMut(&Case, &Outcome)) -> Vec<Outcome> {
    let threads = thread::available_parallelism().map_or(1, usize::from);
    let next = AtomicUsize::new(0);
    let (sender, receiver) = mpsc::channel();
    thread::scope(|scope| {
        for _ in 0..threads.min(cases.len()) {
            let (sender, next) = (sender.clone(), &next);
            scope.spawn(move || {
                while let Some((index, case)) = taken(next, cases) {
                    if sender.send((index, play(case))).is_err() {
                        return;
                    }
                }
            });
        }
        drop(sender);
        let mut waiting = BTreeMap::new();
        let mut outcomes: Vec<Outcome> = Vec::with_capacity(cases.len());
        for (index, outcome) in receiver {
            waiting.insert(index, outcome);
            while let Some(outcome) = waiting.remove(&outcomes.len()) {
                ended(&cases[outcomes.len()], &outcome);
                outcomes.push(outcome);
            }
        }
        outcomes
    })
}

fn taken<'c>(next: &AtomicUsize, cases: &'c [Arc<Case>]) -> Option<(usize, &'c Arc<Case>)> {
    let index = next.fetch_add(1, Ordering::Relaxed);
    cases.get(index).map(|case| (index, case))
}
