//! Random UUIDs, many a second: for request ids, revision ids and executions without a name.
//!
//! `Uuid::new_v4` asks the operating system each time. Nothing here is a secret, so one question a
//! thread is enough; after it a counter is mixed (SplitMix64).

use std::cell::Cell;

use uuid::{Builder, Uuid};

/// A version 4 UUID. Not for secrets.
pub(super) fn uuid() -> Uuid {
    thread_local! {
        static STATE: Cell<(u64, u64)> = Cell::new(Uuid::new_v4().as_u64_pair());
    }
    let (high, low) = STATE.get();
    let (high, low) = (step(high), step(low));
    STATE.set((high, low));
    let random = Uuid::from_u64_pair(mix(high), mix(low));
    Builder::from_random_bytes(random.into_bytes()).into_uuid()
}

fn step(state: u64) -> u64 {
    state.wrapping_add(0x9e37_79b9_7f4a_7c15)
}

fn mix(state: u64) -> u64 {
    let z = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn uuids_are_of_version_4_and_differ() {
        let threads: Vec<_> = (0..4)
            .map(|_| std::thread::spawn(|| (0..1000).map(|_| uuid()).collect::<Vec<_>>()))
            .collect();
        let all: HashSet<Uuid> = threads
            .into_iter()
            .flat_map(|t| t.join().expect("it is accepted"))
            .collect();
        assert_eq!(all.len(), 4000);
        assert!(all.iter().all(|id| id.get_version_num() == 4));
    }
}
