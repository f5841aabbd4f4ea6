//! Random numbers from a command's seed (SplitMix64): the same command gives the same events.

use std::cell::Cell;

/// A stream of random numbers.
#[derive(Debug)]
pub(crate) struct SplitMix(Cell<u64>);

impl SplitMix {
    pub(crate) fn new(seed: u64) -> SplitMix {
        SplitMix(Cell::new(seed))
    }

    /// A number from 0 to `max`, both included.
    pub(crate) fn up_to(&self, max: u64) -> u64 {
        // The bias of the multiplication is below 2^-32 for any backoff that fits an execution's year.
        ((u128::from(asl::Random::next(self)) * (u128::from(max) + 1)) >> 64) as u64
    }
}

impl asl::Random for SplitMix {
    fn next(&self) -> u64 {
        let state = self.0.get().wrapping_add(0x9e37_79b9_7f4a_7c15);
        self.0.set(state);
        let mut z = state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}
