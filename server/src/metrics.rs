//! What Prometheus is told: `GET /metrics`, in its text format 0.0.4.
//!
//! Whoever does something counts it here, which is an addition; what the store knows anyway (open waits, their
//! ages, executions, references, syncs) is asked when somebody looks (`families`). All that has a name of the
//! user's in its labels is bounded: beyond [`SERIES_MAX`] the rest is one series.
//!
//! Figures count from the start of the server, except those that are a state of things.

mod exposition;
mod families;
mod series;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use engine::{EndKind, Status, WaitKind};
use store::Histogram;

use self::series::Series;
use crate::gateway::Disposition;

pub use self::families::handle;

/// How many series a family has at most that are told apart by names of the user's.
pub const SERIES_MAX: usize = 200;

/// Up to where round trips and lateness are told apart, in milliseconds: from a machine's answer to a
/// person's, who thinks about it over the weekend.
const WAIT_MILLIS: [u64; 14] = [
    10,
    50,
    100,
    500,
    1_000,
    5_000,
    15_000,
    60_000,
    300_000,
    1_800_000,
    7_200_000,
    43_200_000,
    172_800_000,
    604_800_000,
];

/// Counters. Cloning is a reference count.
#[derive(Clone, Default)]
pub struct Metrics(Arc<Counters>);

struct Counters {
    started: AtomicU64,
    /// By [`Status`], without those that run.
    ended: [AtomicU64; ENDED.len()],
    /// By [`WaitKind`] and [`EndKind`].
    waits_ended: [[AtomicU64; EndKind::ALL.len()]; WaitKind::ALL.len()],
    /// By the place of the wait: how long it was open until its callback, in milliseconds.
    round_trips: Series<Histogram>,
    /// By route.
    callbacks: Series<Callbacks>,
    /// By topic and sink.
    sent: Series<Sent>,
    /// By what they are about.
    alerts: Series<Alerts>,
}

/// The statuses with which an execution ends.
const ENDED: [Status; 4] = [
    Status::Succeeded,
    Status::Failed,
    Status::TimedOut,
    Status::Aborted,
];

/// What became of a route's callbacks.
struct Callbacks {
    dispositions: [AtomicU64; Disposition::ALL.len()],
    /// How long after the end of their wait they came, in milliseconds.
    late: Histogram,
}

/// What became of messages.
#[derive(Default)]
struct Sent {
    taken: AtomicU64,
    refused: AtomicU64,
}

/// What became of alerts.
#[derive(Default)]
struct Alerts {
    raised: AtomicU64,
    suppressed: AtomicU64,
}

impl Default for Counters {
    fn default() -> Counters {
        Counters {
            started: AtomicU64::default(),
            ended: Default::default(),
            waits_ended: Default::default(),
            round_trips: Series::new(SERIES_MAX, || Histogram::new(&WAIT_MILLIS)),
            callbacks: Series::new(SERIES_MAX, || Callbacks {
                dispositions: Default::default(),
                late: Histogram::new(&WAIT_MILLIS),
            }),
            sent: Series::new(SERIES_MAX, Sent::default),
            alerts: Series::new(SERIES_MAX, Alerts::default),
        }
    }
}

fn one_more(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

impl Metrics {
    /// An execution began.
    pub fn execution_started(&self) {
        one_more(&self.0.started);
    }

    /// An execution ended.
    pub fn execution_ended(&self, status: Status) {
        if let Some(place) = ENDED.iter().position(|ended| *ended == status) {
            one_more(&self.0.ended[place]);
        }
    }

    /// A wait ended.
    pub fn wait_ended(&self, kind: WaitKind, end: EndKind) {
        one_more(&self.0.waits_ended[kind as usize][end as usize]);
    }

    /// A callback answered the wait at this place, so long after it had opened.
    pub fn round_trip(&self, place: &str, millis: i64) {
        let millis = u64::try_from(millis).unwrap_or_default();
        self.0.round_trips.with(place, |seen| seen.see(millis));
    }

    /// A callback of a route got a disposition; a late one came so long after its wait had ended.
    pub fn callback(&self, route: &str, disposition: Disposition, late_millis: Option<i64>) {
        self.0.callbacks.with(route, |those| {
            one_more(&those.dispositions[disposition as usize]);
            if let Some(millis) = late_millis {
                those.late.see(u64::try_from(millis).unwrap_or_default());
            }
        });
    }

    /// A sink of a topic took a message, or did not.
    pub fn sent(&self, topic: &str, sink: &str, taken: bool) {
        let key = format!("{topic}{}{sink}", series::SEPARATOR);
        self.0.sent.with(&key, |those| match taken {
            true => one_more(&those.taken),
            false => one_more(&those.refused),
        });
    }

    /// An alert of this kind was raised, or counted with one that was raised before.
    pub fn alert(&self, kind: &str, suppressed: bool) {
        self.0.alerts.with(kind, |those| match suppressed {
            true => one_more(&those.suppressed),
            false => one_more(&those.raised),
        });
    }
}
