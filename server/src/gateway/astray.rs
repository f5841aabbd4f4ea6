//! What comes to no route: a callback whose third party was given another path, or somebody who tries what there is.
//!
//! Nothing of it is kept: anybody can send anything anywhere. It is counted for the metrics, and an operator hears of it, of
//! one a minute at most.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use super::Gateway;
use crate::http::Call;

/// How often an operator is told.
const TOLD_EVERY: Duration = Duration::from_secs(60);
/// How much of a path is told.
const PATH_CHARS_MAX: usize = 200;

/// See the module.
#[derive(Default)]
pub(super) struct Astray {
    count: AtomicU64,
    told: Mutex<Option<Instant>>,
}

impl Gateway {
    /// A request that brings something was answered that nobody is there.
    pub fn astray(&self, call: &Call) {
        let Astray { count, told } = &self.0.astray;
        if !super::is_sent(&call.method) {
            return;
        }
        let count = count.fetch_add(1, Ordering::Relaxed) + 1;
        let mut told = told.lock();
        if told.is_some_and(|told| told.elapsed() < TOLD_EVERY) {
            return;
        }
        *told = Some(Instant::now());
        let path: String = call.path.chars().take(PATH_CHARS_MAX).collect();
        crate::log::say!(
            "nothing answers {} {path}, which {} has asked for; if that was a callback, no route has this path ({count} such requests since the start)",
            call.method,
            call.peer.ip()
        );
    }

    /// How many such requests there were.
    pub(crate) fn astray_count(&self) -> u64 {
        self.0.astray.count.load(Ordering::Relaxed)
    }
}
