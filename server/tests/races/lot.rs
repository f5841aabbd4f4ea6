//! What is drawn by lot: a sequence of numbers that its seed determines, and what they mean.

/// A sequence of numbers (SplitMix64).
pub struct Lot(u64);

impl Lot {
    pub fn new(seed: u64) -> Lot {
        Lot(seed.wrapping_mul(0x2545_f491_4f6c_dd1d))
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number from `low` to `high`, both possible.
    pub fn between(&mut self, low: usize, high: usize) -> usize {
        low + (self.next() % (high - low + 1) as u64) as usize
    }

    /// True in one of `so_many` cases.
    pub fn one_in(&mut self, so_many: usize) -> bool {
        self.between(1, so_many) == 1
    }

    pub fn one_of<'a, T>(&mut self, all: &'a [T]) -> Option<&'a T> {
        match all.len() {
            0 => None,
            count => Some(&all[self.between(0, count - 1)]),
        }
    }
}

/// Something that happens from outside.
#[derive(Debug, Clone)]
pub enum Action {
    /// A third party calls back.
    CallBack { reference: String, says: Says },
    /// Somebody has the token and answers himself.
    Answer { token: String, says: Says },
    /// A worker registers a reference.
    Register { token: String, reference: String },
    /// An operator stops an execution.
    Stop { execution: String },
    /// Time goes by.
    Advance { millis: i64 },
}

/// What is said of the work. The number is in the output or the cause, so that history tells who it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Says {
    Done(u32),
    Failed(u32),
    FailedForGood(u32),
    Working,
}
