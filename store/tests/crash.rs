//! The promises, with the power going at every write and every sync.
//!
//! A workload runs on a disk that remembers everything; then for every moment of it the disk is made as
//! a crash could have left it, the store is opened, and the promises are checked by name.

mod support;

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use asl::Timestamp;
use engine::Status;
use store::log::Sizes;
use store::log::disk::{Disk, File, Memory};
use store::{CommitError, Expect, Store, Table};
use support::crash_disk::CrashDisk;
use support::event::{event, large_event, snapshot};
use support::{Random, change, commit, key, run, summary, times};

const EXECUTIONS: u64 = 12;

fn sizes() -> Sizes {
    Sizes {
        first: 4 << 10,
        largest: 16 << 10,
        slack: 24 << 10,
    }
}

/// What the workload was told, and how much had been done to the disk by then.
#[derive(Default)]
struct Told {
    /// By execution: each version's winner, by the time of its first event, and when that was acknowledged.
    executions: BTreeMap<u64, Vec<(i64, usize)>>,
    /// By execution: how many times it was forgotten, and when.
    forgotten: BTreeMap<u64, usize>,
    /// All that was ever tried: execution, version, first event.
    tried: Vec<(u64, u32, i64)>,
}

/// Each execution has a document that says its version; they change together.
async fn workload(store: &Store, disk: &CrashDisk, random: &mut Random) -> Told {
    let mut told = Told::default();
    let mut clock = 1000;
    for _ in 0..60 {
        let mut answers = tokio::task::JoinSet::new();
        let local = tokio::task::LocalSet::new();
        for _ in 0..1 + random.below(6) {
            let number = random.below(EXECUTIONS);
            let version = told.executions.get(&number).map_or(0, Vec::len) as u32;
            // Sometimes two contend for one version.
            for _ in 0..1 + random.below(2) {
                clock += 1;
                told.tried.push((number, version + 1, clock));
                let mut next = commit(key(number.into()), version, &[], summary("n"));
                let execution = next.execution.as_mut().expect("it has one");
                let payload = if random.one_in(10) {
                    6000
                } else {
                    random.below(300) as usize
                };
                execution.events = Arc::from([event(clock), large_event(clock, payload)]);
                execution.snapshot = random.one_in(4).then(snapshot);
                // Long, so that its old versions are garbage worth cleaning.
                let content = format!("{:<1500}", version + 1);
                let name = format!("{number}");
                next.documents.push(change(
                    Table::Reference,
                    &name,
                    Expect::Any,
                    Some(content.as_bytes()),
                    None,
                ));
                let (store, disk) = (store.clone(), disk.clone());
                let at = clock;
                answers.spawn_local_on(
                    async move {
                        let answer = store.commit(next).await;
                        (number, at, answer, disk.acts())
                    },
                    &local,
                );
            }
        }
        for (number, at, answer, acts) in local.run_until(answers.join_all()).await {
            match answer {
                Ok(version) => {
                    let known = told.executions.entry(number).or_default();
                    assert_eq!(version as usize, known.len() + 1, "one winner per version");
                    known.push((at, acts));
                }
                Err(CommitError::Conflict) => {}
                Err(CommitError::Storage(_)) => return told,
            }
        }
        if random.one_in(15) {
            // One more execution, that only lives to be forgotten.
            let number = EXECUTIONS + told.forgotten.len() as u64;
            let mut ended = summary("ended");
            ended.status = Status::Failed;
            ended.stopped_at = Some(Timestamp(1));
            if store
                .commit(commit(key(number.into()), 0, &[1], ended))
                .await
                .is_err()
                || store.forget_ended_before(Timestamp(2), 9).await.is_err()
            {
                return told;
            }
            told.forgotten.insert(number, disk.acts());
        }
    }
    store.wait_until_clean();
    told
}

async fn check(store: &Store, told: &Told, crashed_at: usize, when: &str) {
    for number in 0..EXECUTIONS {
        let key = key(number.into());
        let loaded = store.load(key).await.expect("readable");
        let version = loaded.map_or(0, |loaded| loaded.version);
        let events = times(&store.events(key).await.expect("readable"));
        let winners = told.executions.get(&number).map_or(&[][..], Vec::as_slice);
        let acknowledged = winners
            .iter()
            .filter(|(_, acts)| *acts <= crashed_at)
            .count();
        assert!(
            version as usize >= acknowledged,
            "acknowledged is durable: {when}, execution {number}"
        );
        assert_eq!(
            events.len(),
            2 * version as usize,
            "all or nothing: {when}, execution {number}"
        );
        for (place, pair) in events.chunks(2).enumerate() {
            assert_eq!(pair[0], pair[1], "all or nothing: {when}");
            let tried = told.tried.contains(&(number, place as u32 + 1, pair[0]));
            assert!(tried, "nothing is made up: {when}");
            if place < acknowledged {
                assert_eq!(pair[0], winners[place].0, "one winner per version: {when}");
            }
        }
        let document = store
            .get(Table::Reference, &number.to_string())
            .await
            .expect("readable");
        let says = document.map_or(0, |document| {
            String::from_utf8(document.content)
                .expect("text")
                .trim()
                .parse::<u32>()
                .expect("a number")
        });
        assert_eq!(
            says, version,
            "all or nothing, with documents: {when}, execution {number}"
        );
    }
    for (number, acts) in &told.forgotten {
        if *acts <= crashed_at {
            let found = store
                .summary(key((*number).into()))
                .await
                .expect("readable");
            assert_eq!(found, None, "what was forgotten stays forgotten: {when}");
        }
    }
}

#[test]
fn acknowledged_is_durable_and_all_or_nothing_at_every_moment() {
    for seed in 0..2 {
        println!("seed {seed}");
        let disk = CrashDisk::default();
        let mut random = Random::new(seed);
        let told = run(async {
            let store = Store::open_on(Arc::new(disk.clone()), sizes())
                .expect("the store opens")
                .0;
            workload(&store, &disk, &mut random).await
        });
        assert!(
            told.executions.len() > 5 && !told.forgotten.is_empty(),
            "the workload does something"
        );
        assert!(
            disk.files()
                .keys()
                .all(|name| name != "segment-0000000001.log"),
            "and cleans"
        );
        let mut torn = 0;
        for at in 0..=disk.acts() {
            let when = format!("seed {seed}, crash before act {at}");
            let crashed = CrashDisk::of(disk.after_crash(at, &mut random));
            let opened = Store::open_on(Arc::new(crashed.clone()), sizes());
            let (store, opening) = opened.unwrap_or_else(|error| panic!("{when}: {error}"));
            torn += opening.notes.len();
            run(check(&store, &told, at, &when));
            drop(store);
            // A second crash, while the first was being recovered from.
            let again_at = random.below(crashed.acts() as u64 + 1) as usize;
            let when = format!("{when}, and again before act {again_at}");
            let again = Arc::new(CrashDisk::of(crashed.after_crash(again_at, &mut random)));
            let opened = Store::open_on(again.clone(), sizes());
            let (store, _) = opened.unwrap_or_else(|error| panic!("{when}: {error}"));
            run(check(&store, &told, at, &when));
            // And it goes on: what is committed now is there the next time, and no torn tail is left.
            run(async {
                let version = store
                    .load(key(0))
                    .await
                    .expect("readable")
                    .map_or(0, |loaded| loaded.version);
                let mut more = commit(key(0), version, &[7, 7], summary("n"));
                let content = (version + 1).to_string();
                more.documents.push(change(
                    Table::Reference,
                    "0",
                    Expect::Any,
                    Some(content.as_bytes()),
                    None,
                ));
                store.commit(more).await.expect("the store takes commits");
                drop(store);
                let (store, opening) = Store::open_on(again, sizes()).expect("the store opens");
                assert_eq!(opening.notes, Vec::<String>::new(), "{when}");
                let events = times(&store.events(key(0)).await.expect("readable"));
                assert_eq!(events.last(), Some(&7), "{when}");
            });
        }
        assert!(torn > 20, "crashes tear tails: {torn}");
    }
}

#[test]
fn a_disk_that_fails_fails_commits_and_loses_nothing_acknowledged() {
    for seed in 0..60 {
        println!("seed {seed}");
        let disk = CrashDisk::default();
        let mut random = Random::new(seed);
        let fail_from = 5 + seed as usize * 4;
        disk.fail_from(fail_from);
        let told = run(async {
            let store = Store::open_on(Arc::new(disk.clone()), sizes())
                .expect("the store opens")
                .0;
            let told = workload(&store, &disk, &mut random).await;
            let refused = store.commit(commit(key(0), 99, &[1], summary("n"))).await;
            let Err(CommitError::Storage(what)) = refused else {
                panic!("a store without a disk takes commits")
            };
            assert!(what.contains("the disk was told to fail"), "{what}");
            assert_eq!(store.write_problem(), Some(what));
            told
        });
        let mut random = Random::new(seed);
        let crashed = CrashDisk::of(disk.after_crash(disk.acts(), &mut random));
        let (store, _) = Store::open_on(Arc::new(crashed), sizes()).expect("the store opens");
        run(check(
            &store,
            &told,
            disk.acts(),
            &format!("seed {seed}, failed from act {fail_from}"),
        ));
    }
}

/// A disk in memory whose files panic when they are written, once they are told to.
#[derive(Default)]
struct Panicking {
    disk: Memory,
    now: Arc<AtomicBool>,
}

struct PanickingFile(Arc<dyn File>, Arc<AtomicBool>);

impl Disk for Panicking {
    fn list(&self) -> io::Result<Vec<String>> {
        self.disk.list()
    }

    fn create(&self, name: &str, bytes: u64) -> io::Result<Arc<dyn File>> {
        let file = self.disk.create(name, bytes)?;
        Ok(Arc::new(PanickingFile(file, self.now.clone())))
    }

    fn open(&self, name: &str) -> io::Result<Arc<dyn File>> {
        let file = self.disk.open(name)?;
        Ok(Arc::new(PanickingFile(file, self.now.clone())))
    }

    fn replace(&self, name: &str, content: &[u8]) -> io::Result<()> {
        self.disk.replace(name, content)
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.disk.remove(name)
    }

    fn place(&self) -> String {
        self.disk.place()
    }
}

impl File for PanickingFile {
    fn read(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        self.0.read(buffer, offset)
    }

    fn write(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        assert!(!self.1.load(Ordering::Relaxed), "told to panic");
        self.0.write(bytes, offset)
    }

    fn sync(&self) -> io::Result<()> {
        self.0.sync()
    }

    fn bytes(&self) -> u64 {
        self.0.bytes()
    }
}

#[test]
fn a_writer_that_panics_leaves_nobody_waiting() {
    let disk = Panicking::default();
    let now = disk.now.clone();
    let (store, _) = Store::open_on(Arc::new(disk), sizes()).expect("the store opens");
    now.store(true, Ordering::Relaxed);
    // On a thread of its own: without an answer this would wait for good.
    let (told, tells) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        for version in [0, 0] {
            let refused = run(store.commit(commit(key(1), version, &[1], summary("n"))));
            told.send(matches!(refused, Err(CommitError::Storage(_))))
                .expect("the test waits");
        }
    });
    for _ in 0..2 {
        assert_eq!(tells.recv_timeout(Duration::from_secs(10)), Ok(true));
    }
}
