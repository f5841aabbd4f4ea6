//! A disk without room: what fits is taken, what was acknowledged stays, and nothing is acknowledged that does not fit.

mod support;

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use store::log::Sizes;
use store::log::disk::{Disk, File, Memory};
use store::{CommitError, Store};
use support::{commit, key, run, summary, times};

/// A disk in memory that has so many bytes.
struct Small {
    memory: Memory,
    room: AtomicU64,
}

impl Disk for Small {
    fn list(&self) -> io::Result<Vec<String>> {
        self.memory.list()
    }

    fn create(&self, name: &str, bytes: u64) -> io::Result<Arc<dyn File>> {
        let took = self
            .room
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |room| {
                room.checked_sub(bytes)
            });
        took.map_err(|_| io::ErrorKind::StorageFull)?;
        self.memory.create(name, bytes)
    }

    fn open(&self, name: &str) -> io::Result<Arc<dyn File>> {
        self.memory.open(name)
    }

    fn replace(&self, name: &str, content: &[u8]) -> io::Result<()> {
        self.memory.replace(name, content)
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.memory.remove(name)
    }

    fn place(&self) -> String {
        "a small disk".to_owned()
    }
}

fn sizes() -> Sizes {
    Sizes {
        first: 16 << 10,
        largest: 256 << 10,
        slack: 32 << 20,
    }
}

#[test]
fn a_segment_is_as_small_as_the_room_that_is_left() {
    // The first segments have 16, 64 and 256 KiB; for another one of 256 there is no room, but for small ones.
    const ROOM: u64 = (16 + 64 + 256 + 200) << 10;
    let disk = Arc::new(Small {
        memory: Memory::default(),
        room: AtomicU64::new(ROOM),
    });
    let (store, _) = Store::open_on(disk.clone(), sizes()).expect("there is room for a beginning");
    let mut kept = 0;
    let refused = loop {
        let one = commit(key(kept), 0, &[1; 20], summary("x"));
        match run(store.commit(one)) {
            Ok(_) => kept += 1,
            Err(error) => break error,
        }
        assert!(kept < 100_000, "a disk of {ROOM} bytes never fills");
    };
    let CommitError::Storage(what) = &refused else {
        panic!("{refused:?}");
    };
    assert!(
        what.contains("no further segment could be made in a small disk"),
        "{what}"
    );
    assert!(what.contains("make room, then start again"), "{what}");
    let left = disk.room.load(Ordering::Relaxed);
    assert!(left < sizes().first, "{left} bytes were left unused");
    drop(store);

    disk.room.store(1 << 20, Ordering::Relaxed);
    let (store, opening) = Store::open_on(disk, sizes()).expect("there is room again");
    assert_eq!(opening.executions as u128, kept);
    for number in 0..kept {
        let loaded = run(store.load(key(number))).expect("it can be read");
        assert_eq!(times(&loaded.expect("it was acknowledged").events), [1; 20]);
    }
    let more = commit(key(kept), 0, &[1], summary("x"));
    run(store.commit(more)).expect("the store takes more");
}
