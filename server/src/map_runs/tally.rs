//! How far a Map Run is: its children and their items, counted; and how many may fail.

use engine::Status;
use serde::{Deserialize, Serialize};

/// Children or items, by what became of them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Counts {
    /// Not started.
    pub pending: u64,
    /// Started, and not ended.
    pub running: u64,
    /// Ended well.
    pub succeeded: u64,
    /// Ended with a failure.
    pub failed: u64,
    /// Ended by their own timeout.
    pub timed_out: u64,
    /// Stopped, by somebody or because the Map Run failed.
    pub aborted: u64,
    /// All of them.
    pub total: u64,
    /// Those whose results are in the Map Run's.
    pub results_written: u64,
    /// Ended badly, and can't be redriven.
    pub failures_not_redrivable: u64,
    /// Ended badly, and will be redriven.
    pub pending_redrive: u64,
}

impl Counts {
    fn of(&mut self, status: Status) -> &mut u64 {
        match status {
            Status::Running => &mut self.running,
            Status::Succeeded => &mut self.succeeded,
            Status::Failed => &mut self.failed,
            Status::TimedOut => &mut self.timed_out,
            Status::Aborted => &mut self.aborted,
        }
    }

    fn begin(&mut self, number: u64) {
        self.running += number;
    }

    fn end(&mut self, status: Status, number: u64) {
        self.running -= number;
        *self.of(status) += number;
    }

    fn begun(&self) -> u64 {
        self.running + self.succeeded + self.unsuccessful() + self.pending_redrive
    }

    fn unsuccessful(&self) -> u64 {
        self.failed + self.timed_out + self.aborted
    }

    /// As many as a redrive finds to do again.
    fn to_redrive(self) -> Counts {
        Counts {
            pending_redrive: self.unsuccessful() + self.pending_redrive,
            ..Counts::default()
        }
    }

    /// So many that waited for it are redriven now.
    fn redriven(&mut self, number: u64) {
        self.pending_redrive = self.pending_redrive.saturating_sub(number);
    }

    /// How many are known, if `total` are, or so many as have begun if that is not known.
    fn known(self, total: Option<u64>) -> Counts {
        let begun = self.begun();
        let total = total.unwrap_or(begun).max(begun);
        Counts {
            pending: total - begun,
            total,
            ..self
        }
    }
}

/// A Map Run's children and items.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// `executionCounts`.
    pub executions: Counts,
    /// `itemCounts`.
    pub items: Counts,
}

impl Tally {
    /// A child of so many items is started.
    pub fn begin(&mut self, items: u32) {
        self.executions.begin(1);
        self.items.begin(u64::from(items));
    }

    /// One of them has ended.
    pub fn end(&mut self, status: Status, items: u32) {
        self.executions.end(status, 1);
        self.items.end(status, u64::from(items));
    }

    /// What a redrive begins with: nothing has come of it yet, and what ended badly is to be redriven.
    pub fn to_redrive(self) -> Tally {
        Tally {
            executions: self.executions.to_redrive(),
            items: self.items.to_redrive(),
        }
    }

    /// A child that had ended badly is come to.
    pub fn redriven(&mut self, items: u32) {
        self.executions.redriven(1);
        self.items.redriven(u64::from(items));
    }

    /// A child can't be redriven.
    pub fn not_redrivable(&mut self, items: u32) {
        self.executions.failures_not_redrivable += 1;
        self.items.failures_not_redrivable += u64::from(items);
    }

    /// All are in the Map Run's result that have ended well.
    pub fn written(&mut self) {
        for counts in [&mut self.executions, &mut self.items] {
            counts.results_written = counts.succeeded;
        }
    }

    /// With what has not begun, where the number of items is known; `batch` is how many a child takes.
    pub fn known(self, items: Option<u64>, batch: u64) -> Tally {
        let items = self.items.known(items);
        let children = self.executions.begun() + items.pending.div_ceil(batch.max(1));
        Tally {
            executions: self.executions.known(Some(children)),
            items,
        }
    }
}

/// `maxConcurrency` and how many failures are tolerated; UpdateMapRun changes them as the Map Run goes on.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Settings {
    /// 0 is no limit of the user's own.
    pub max_concurrency: u32,
    /// How many items.
    pub tolerated_failure_count: u64,
    /// How many of a hundred items.
    pub tolerated_failure_percentage: f64,
}

/// As many children as AWS runs at once.
const CHILDREN_MAX: usize = 10_000;

impl Settings {
    /// How many children may run at once.
    pub fn concurrency(&self) -> usize {
        match self.max_concurrency as usize {
            0 => CHILDREN_MAX,
            given => given.min(CHILDREN_MAX),
        }
    }

    /// Whether more items have failed or timed out than are tolerated. A share of the items is known
    /// only when their number is. AWS tells a setting of 0 from none as little as we do, so 0 stands for
    /// none where the other one is set.
    pub fn exceeded_by(&self, items: &Counts, total: Option<u64>) -> bool {
        let failed = items.failed + items.timed_out;
        let (count, percentage) = (
            self.tolerated_failure_count,
            self.tolerated_failure_percentage,
        );
        if failed == 0 {
            return false;
        }
        if count == 0 && percentage == 0.0 {
            return true;
        }
        let too_many = count > 0 && failed > count;
        let too_large = |total: u64| failed as f64 * 100.0 > percentage * total as f64;
        too_many || (percentage > 0.0 && total.is_some_and(too_large))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(count: u64, percentage: f64) -> Settings {
        Settings {
            max_concurrency: 0,
            tolerated_failure_count: count,
            tolerated_failure_percentage: percentage,
        }
    }

    #[test]
    fn failures_are_tolerated_by_number_and_by_share() {
        // (failed, timed out, total), count, percentage, exceeded
        for (failed, timed_out, total, count, percentage, exceeded) in [
            (0, 0, Some(4), 0, 0.0, false),
            (1, 0, Some(4), 0, 0.0, true),
            (0, 1, Some(4), 0, 0.0, true),
            (2, 0, Some(4), 2, 0.0, false),
            (2, 1, Some(4), 2, 0.0, true),
            (1, 1, Some(4), 0, 50.0, false),
            (2, 1, Some(4), 0, 50.0, true),
            (4, 0, Some(4), 0, 100.0, false),
            // Whichever is exceeded first.
            (2, 0, Some(4), 1, 50.0, true),
            (2, 0, Some(8), 1, 50.0, true),
            (3, 0, Some(4), 3, 50.0, true),
            // A share of nobody knows how many.
            (3, 0, None, 0, 50.0, false),
        ] {
            let items = Counts {
                failed,
                timed_out,
                ..Counts::default()
            };
            assert_eq!(
                settings(count, percentage).exceeded_by(&items, total),
                exceeded,
                "{failed} {timed_out} {total:?} {count} {percentage}"
            );
        }
    }

    #[test]
    fn what_has_not_begun_is_pending() {
        let mut tally = Tally::default();
        tally.begin(3);
        tally.begin(3);
        tally.end(Status::TimedOut, 3);
        let known = tally.known(Some(10), 3);
        assert_eq!((known.items.pending, known.items.total), (4, 10));
        assert_eq!((known.executions.pending, known.executions.total), (2, 4));
        assert_eq!((known.items.timed_out, known.executions.running), (3, 1));
        let unknown = tally.known(None, 3);
        assert_eq!((unknown.items.pending, unknown.items.total), (0, 6));
    }
}
