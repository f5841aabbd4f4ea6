//! Figures that cost an addition or two to keep: histograms of whole numbers.

use std::sync::atomic::{AtomicU64, Ordering};

/// How many of the values that were seen are how large. Seeing one is two additions and a short search;
/// nobody waits for anybody.
#[derive(Debug)]
pub struct Histogram {
    bounds: &'static [u64],
    /// How many were not larger than the bound of the same place, but larger than the one before; at the end
    /// those beyond all bounds.
    counts: Box<[AtomicU64]>,
    sum: AtomicU64,
}

/// A histogram at a moment.
#[derive(Debug, Clone, PartialEq)]
pub struct Reading {
    /// Each bound, with how many values were not larger.
    pub buckets: Vec<(u64, u64)>,
    /// How many values there were.
    pub count: u64,
    /// What they come to.
    pub sum: u64,
}

impl Histogram {
    /// An empty one. The bounds rise.
    pub fn new(bounds: &'static [u64]) -> Histogram {
        Histogram {
            bounds,
            counts: (0..=bounds.len()).map(|_| AtomicU64::new(0)).collect(),
            sum: AtomicU64::new(0),
        }
    }

    /// Counts a value.
    pub fn see(&self, value: u64) {
        let place = self.bounds.partition_point(|bound| *bound < value);
        self.counts[place].fetch_add(1, Ordering::Relaxed);
        self.sum.fetch_add(value, Ordering::Relaxed);
    }

    /// What was seen. Values that come meanwhile may be in the sum and not yet in a bucket.
    pub fn read(&self) -> Reading {
        let mut count = 0;
        let mut counts = self.counts.iter().map(|those| {
            count += those.load(Ordering::Relaxed);
            count
        });
        let buckets = self.bounds.iter().copied().zip(counts.by_ref()).collect();
        let count = counts.last().unwrap_or_default();
        Reading {
            buckets,
            count,
            sum: self.sum.load(Ordering::Relaxed),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_counts_under_every_bound_that_it_does_not_exceed() {
        let histogram = Histogram::new(&[1, 10, 100]);
        for value in [0, 1, 2, 10, 11, 100, 101, 5000] {
            histogram.see(value);
        }
        let reading = histogram.read();
        assert_eq!(reading.buckets, [(1, 2), (10, 4), (100, 6)]);
        assert_eq!((reading.count, reading.sum), (8, 5225));
    }
}
