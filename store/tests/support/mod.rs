//! What the store's tests share: seeded randomness, and commits that are short to write.
#![allow(dead_code)] // Each test binary uses its own part.

pub mod crash_disk;
pub mod event;

use std::sync::Arc;

use asl::Timestamp;
use engine::{ExecutionKey, Status};
use store::{
    Commit, DocumentChange, ExecutionCommit, Expect, MachineKey, Summary, Table, WaitChanges,
};

pub use event::event;

/// SplitMix64: enough for tests, and the same everywhere.
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Random {
        Random(seed)
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }

    pub fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }
}

/// Runs a future on a small runtime of its own.
pub fn run<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .build()
        .expect("a runtime")
        .block_on(future)
}

pub fn key(number: u128) -> ExecutionKey {
    ExecutionKey::of(&format!("execution {number}"))
}

/// A summary of a running execution.
pub fn summary(name: &str) -> Summary {
    Summary {
        name: Arc::from(name),
        state_machine: MachineKey(1),
        status: Status::Running,
        started_at: Timestamp(1000),
        stopped_at: None,
        next_timer: None,
        undelivered: false,
    }
}

/// A commit of `events` events to an execution.
pub fn commit(key: ExecutionKey, expected_version: u32, times: &[i64], summary: Summary) -> Commit {
    let events = times.iter().map(|at| event(*at)).collect();
    Commit {
        execution: Some(ExecutionCommit {
            key,
            expected_version,
            events,
            snapshot: None,
            summary,
            waits: WaitChanges::default(),
        }),
        documents: Vec::new(),
    }
}

/// A commit of one document.
pub fn document(
    table: Table,
    key: &str,
    expect: Expect,
    content: Option<&[u8]>,
    due: Option<i64>,
) -> Commit {
    Commit {
        execution: None,
        documents: vec![change(table, key, expect, content, due)],
    }
}

pub fn change(
    table: Table,
    key: &str,
    expect: Expect,
    content: Option<&[u8]>,
    due: Option<i64>,
) -> DocumentChange {
    DocumentChange {
        table,
        key: key.to_owned(),
        expect,
        content: content.map(<[u8]>::to_vec),
        due: due.map(Timestamp),
    }
}

/// The times of events, by which tests tell them apart.
pub fn times(events: &[engine::Event]) -> Vec<i64> {
    events.iter().map(|event| event.at.0).collect()
}
