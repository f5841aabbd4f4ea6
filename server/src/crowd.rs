//! How many connections there is room for, and how long one may stand about.
//!
//! Each takes a descriptor, of which a process is given 1,024 as a rule: one client that opens a thousand connections and says
//! nothing would keep all others out for a minute at a time. So more of them are asked for, and once half of them are
//! taken, who connects then is given seconds to say what he wants.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// A connection that has not sent a whole request head in this time is closed.
const PATIENCE: Duration = Duration::from_secs(60);
/// The same in a crowd.
const PATIENCE_IN_A_CROWD: Duration = Duration::from_secs(5);

/// So many descriptors are asked for at most: functions inherit the limit, and some programs close all that there may be.
const DESCRIPTORS_MAX: u64 = 65_536;

/// Asks the system for as many descriptors as it lets this process have.
pub fn make_room() {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let wanted = maximum.unwrap_or(DESCRIPTORS_MAX).min(DESCRIPTORS_MAX);
    if current.is_some_and(|current| current < wanted) {
        let limit = Rlimit {
            current: Some(wanted),
            maximum,
        };
        if let Err(why) = setrlimit(Resource::Nofile, limit) {
            crate::log::say!("the limit of open files could not be raised to {wanted}: {why}");
        }
    }
}

/// All connections of a listener.
pub(crate) struct Crowd {
    open: Arc<AtomicUsize>,
    /// From how many on it is one.
    many: usize,
}

impl Crowd {
    pub fn new() -> Crowd {
        let descriptors = getrlimit(Resource::Nofile).current;
        let descriptors = descriptors.unwrap_or(DESCRIPTORS_MAX).min(DESCRIPTORS_MAX);
        Crowd {
            open: Arc::default(),
            many: usize::try_from(descriptors / 2).unwrap_or(usize::MAX),
        }
    }

    /// One more.
    pub fn enter(&self) -> Guest {
        let before = self.open.fetch_add(1, Ordering::Relaxed);
        Guest {
            patience: match before < self.many {
                true => PATIENCE,
                false => PATIENCE_IN_A_CROWD,
            },
            open: self.open.clone(),
        }
    }
}

/// A connection, until it is closed.
pub(crate) struct Guest {
    /// How long it may take to say what it wants.
    pub patience: Duration,
    open: Arc<AtomicUsize>,
}

impl Drop for Guest {
    fn drop(&mut self) {
        self.open.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_comes_when_it_is_crowded_has_less_time_until_some_have_left() {
        let crowd = Crowd {
            open: Arc::default(),
            many: 2,
        };
        let mut guests = vec![crowd.enter(), crowd.enter(), crowd.enter()];
        let patience = guests.iter().map(|guest| guest.patience);
        assert!(patience.eq([PATIENCE, PATIENCE, PATIENCE_IN_A_CROWD]));
        guests.truncate(1);
        assert_eq!(crowd.enter().patience, PATIENCE);
    }
}
