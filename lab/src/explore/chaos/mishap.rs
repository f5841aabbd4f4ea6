//! What can happen to one attempt of a task, and how it is drawn.

use serde::Serialize;

/// Something that happens to an attempt of a task. Times are milliseconds from when the task went out.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Mishap {
    /// The Task state.
    pub state: String,
    /// The attempt, from 0.
    pub attempt: u32,
    /// What.
    pub what: What,
}

/// What.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum What {
    /// The answer does not come.
    Drop,
    /// It comes so much later.
    Delay(i64),
    /// It comes again, so much later.
    Duplicate {
        /// How much.
        after: i64,
        /// It says something else.
        contradicts: bool,
    },
    /// It comes before the request is answered, and before its reference is registered.
    Reorder,
    /// Something comes that can't be read, or that nobody has asked for.
    Corrupt {
        /// When.
        at: i64,
        /// How.
        how: Corruption,
    },
    /// The resource can't be reached.
    Disconnect,
    /// The server is killed, and is back so much later.
    Kill {
        /// When.
        at: i64,
        /// How much later.
        down: i64,
    },
    /// A heartbeat.
    Heartbeat(i64),
}

/// How a callback is not what it should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[allow(missing_docs)]
pub enum Corruption {
    Malformed,
    Forged,
    UnknownReference,
}

/// Numbers that a seed decides: SplitMix64.
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^ (bits >> 31)
    }

    /// From 0 to `limit` - 1.
    fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }

    /// A time: mostly short, sometimes beyond every deadline.
    fn time(&mut self) -> i64 {
        let longest = [200, 2_000, 10_000, 60_000, 7_200_000][self.below(5) as usize];
        self.below(longest) as i64
    }
}

/// What happens to an attempt: nothing to one in three, up to four things to the others.
pub fn drawn(seed: u64, state: &str, attempt: u32) -> Vec<Mishap> {
    // FNV, so that the states of a machine have numbers of their own.
    let name = state.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    let mut dice =
        Dice(seed.wrapping_mul(0x2545_f491_4f6c_dd1d) ^ name ^ (u64::from(attempt) << 32));
    let many = match dice.below(3) {
        0 => 0,
        _ => 1 + dice.below(4),
    };
    let each = (0..many).map(|_| Mishap {
        state: state.to_owned(),
        attempt,
        what: what(&mut dice),
    });
    each.collect()
}

fn what(dice: &mut Dice) -> What {
    match dice.below(8) {
        0 => What::Drop,
        1 => What::Delay(dice.time()),
        2 => What::Duplicate {
            after: dice.time(),
            contradicts: dice.below(2) == 0,
        },
        3 => What::Reorder,
        4 => What::Corrupt {
            at: dice.time(),
            how: [
                Corruption::Malformed,
                Corruption::Forged,
                Corruption::UnknownReference,
            ][dice.below(3) as usize],
        },
        5 => What::Disconnect,
        6 => What::Kill {
            at: dice.time(),
            down: dice.time(),
        },
        _ => What::Heartbeat(dice.time()),
    }
}
