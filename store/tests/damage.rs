//! What a store says when it can't open, or opens with less than there was; each in one sentence that
//! names the place and what to do.

mod support;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use store::log::Sizes;
use store::{Expect, Options, Store, Table};
use support::crash_disk::CrashDisk;
use support::{commit, document, key, run, summary, times};

/// Where the records of a segment begin, and how long the header of each is; here to aim at.
const FIRST_RECORD: usize = 16;

fn sizes() -> Sizes {
    Sizes {
        first: 4 << 10,
        largest: 4 << 10,
        slack: 1 << 20,
    }
}

/// A disk with several segments, closed well.
fn some_store() -> BTreeMap<String, Vec<u8>> {
    let disk = CrashDisk::default();
    run(async {
        let store = Store::open_on(Arc::new(disk.clone()), sizes())
            .expect("the store opens")
            .0;
        for number in 0.. {
            store
                .commit(commit(key(number), 0, &[1, 2, 3], summary("n")))
                .await
                .expect("a commit");
            // The last segment is to be filled well, but not full.
            if number > 100 && (2500..3000).contains(&tail(&disk.files()).1) {
                break;
            }
        }
    });
    disk.files()
}

fn open(files: BTreeMap<String, Vec<u8>>) -> Result<(Store, Vec<String>), String> {
    let opened = Store::open_on(Arc::new(CrashDisk::of(files)), sizes());
    opened
        .map(|(store, opening)| (store, opening.notes))
        .map_err(|error| error.to_string())
}

/// The segment with the last records, and where they end.
fn tail(files: &BTreeMap<String, Vec<u8>>) -> (String, usize) {
    let used = |file: &[u8]| {
        file.iter()
            .rposition(|byte| *byte != 0)
            .map(|last| last + 1)
    };
    let logs = files.iter().filter(|(name, _)| name.ends_with(".log"));
    let (name, end) = logs
        .filter_map(|(name, file)| Some((name, used(file)?)))
        .next_back()
        .expect("one is used");
    (name.clone(), end)
}

#[track_caller]
fn refused(files: BTreeMap<String, Vec<u8>>, says: &[&str]) {
    let error = open(files).err().expect("the store must not open");
    for part in says {
        assert!(error.contains(part), "{part:?} is missing in: {error}");
    }
}

fn all_are_there(store: &Store) {
    run(async {
        for number in 0..100 {
            assert_eq!(
                times(&store.events(key(number)).await.expect("readable")),
                [1, 2, 3]
            );
        }
    });
}

#[test]
fn a_torn_tail_is_cut_and_noted() {
    let mut files = some_store();
    let (name, end) = tail(&files);
    for byte in &mut files.get_mut(&name).expect("it is there")[end - 30..] {
        *byte = 0;
    }
    let (store, notes) = open(files).expect("the store opens");
    assert_eq!(notes.len(), 1);
    assert!(
        notes[0].contains("bytes were cut off at byte") && notes[0].contains(&name),
        "{}",
        notes[0]
    );
    run(async {
        let last = u128::from(store.figures().executions);
        assert!(
            store
                .summary(key(last - 1))
                .await
                .expect("readable")
                .is_some()
        );
        assert!(store.summary(key(last)).await.expect("readable").is_none());
    });
}

#[test]
fn damage_before_the_tail_is_refused_with_its_place() {
    let files = some_store();
    let (name, end) = tail(&files);
    // Any bit of any record but the last, header and payload and padding's neighbour.
    for at in (FIRST_RECORD..end - 400).step_by(13) {
        let mut damaged = files.clone();
        damaged.get_mut(&name).expect("it is there")[at] ^= 0x10;
        match open(damaged) {
            Err(error) => {
                assert!(
                    error.contains("is damaged at byte") && error.contains(&name),
                    "{error}"
                );
                assert!(error.contains("Restore a backup"), "{error}");
            }
            // Padding carries nothing.
            Ok((store, _)) => all_are_there(&store),
        }
    }
    // A piece that reads as zeros, as a lost sector does, is no clean end either.
    let mut damaged = files.clone();
    damaged.get_mut(&name).expect("it is there")[512..1024].fill(0);
    refused(damaged, &["is damaged at byte", &name]);
}

#[test]
fn damage_in_a_full_segment_is_refused_when_it_is_read() {
    let name = "segment-0000000002.log";
    let mut files = some_store();
    files.get_mut(name).expect("it is there")[1000] ^= 1;
    // With its index file the store opens without reading the segment, and says so at the record.
    let (store, _) = open(files.clone()).expect("the store opens");
    run(async {
        let mut damaged = 0;
        for number in 0..100 {
            match store.events(key(number)).await {
                Ok(events) => assert_eq!(times(&events), [1, 2, 3]),
                Err(error) => {
                    damaged += 1;
                    assert!(
                        error.to_string().contains("is damaged")
                            && error.to_string().contains(name),
                        "{error}"
                    );
                }
            }
        }
        assert_eq!(damaged, 1);
    });
    drop(store);
    files
        .remove("segment-0000000002.index")
        .expect("it is there");
    refused(files, &["is damaged at byte", name, "Restore a backup"]);
}

#[test]
fn without_good_index_files_the_segments_are_read() {
    let mut files = some_store();
    let indexes: Vec<_> = files
        .keys()
        .filter(|name| name.ends_with(".index"))
        .cloned()
        .collect();
    assert!(indexes.len() > 3);
    for (place, name) in indexes.iter().enumerate() {
        match place % 3 {
            0 => drop(files.remove(name)),
            1 => files.get_mut(name).expect("it is there")[40] ^= 4,
            _ => files.get_mut(name).expect("it is there").truncate(20),
        }
    }
    let disk = CrashDisk::of(files);
    let (store, opening) =
        Store::open_on(Arc::new(disk.clone()), sizes()).expect("the store opens");
    assert_eq!(opening.notes, Vec::<String>::new());
    all_are_there(&store);
    drop(store);
    // They are made again.
    for name in &indexes {
        assert!(disk.files()[name].len() > 40, "{name}");
    }
    all_are_there(&open(disk.files()).expect("the store opens").0);
}

#[test]
fn a_missing_segment_is_refused() {
    let mut files = some_store();
    files.remove("segment-0000000003.log");
    refused(
        files.clone(),
        &["segment-0000000003.log is missing", "restore a backup"],
    );
    // Without the first ones, an execution's beginnings are missing.
    let mut files = some_store();
    run(async {
        let disk = CrashDisk::of(files.clone());
        let store = Store::open_on(Arc::new(disk.clone()), sizes())
            .expect("the store opens")
            .0;
        store
            .commit(commit(key(0), 1, &[4], summary("n")))
            .await
            .expect("a commit");
        drop(store);
        files = disk.files();
    });
    files.remove("segment-0000000001.log");
    refused(files, &["is damaged", "segment 1", "missing"]);
}

#[test]
fn the_format_file_is_needed_and_may_not_be_newer() {
    let mut files = some_store();
    let text = String::from_utf8(files["FORMAT"].clone()).expect("text");
    files.insert("FORMAT".into(), text.replace("format 1", "format 2").into());
    refused(
        files.clone(),
        &[
            "has format 2",
            "only up to format 1",
            "Start a newer program",
        ],
    );
    files.insert("FORMAT".into(), b"something else".to_vec());
    refused(files.clone(), &["FORMAT is not as it was written"]);
    files.remove("FORMAT");
    refused(files.clone(), &["FORMAT is missing"]);
    // With another store's format file nothing here could be told from a torn tail.
    let other = CrashDisk::default();
    drop(Store::open_on(Arc::new(other.clone()), sizes()).expect("the store opens"));
    files.insert("FORMAT".into(), other.files()["FORMAT"].clone());
    refused(files.clone(), &["is damaged"]);
    files.insert("FORMAT".into(), text.replace("salt ", "salt 1").into());
    refused(files, &["FORMAT is not as it was written"]);
}

/// A directory for one test, gone at its end.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Scratch {
        let path = std::env::temp_dir().join(format!("store-test-{}-{name}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).expect("a directory");
        Scratch(path)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn open_in(path: &Path) -> Result<Store, String> {
    Store::open(Options {
        directory: Some(path.to_owned()),
    })
    .map(|(store, _)| store)
    .map_err(|error| error.to_string())
}

#[test]
fn a_directory_in_use_is_refused_until_it_is_free() {
    let scratch = Scratch::new("in-use");
    let path = scratch.0.join("made/on/the/way");
    let store = open_in(&path).expect("the store opens");
    let error = open_in(&path).err().expect("it is in use");
    assert!(
        error.contains("in use by another process") && error.contains("Stop that one"),
        "{error}"
    );
    drop(store);
    open_in(&path).expect("it is free again");
}

#[test]
fn a_directory_that_cannot_be_is_refused() {
    let scratch = Scratch::new("no-directory");
    let file = scratch.0.join("file");
    fs::write(&file, "").expect("a file");
    for path in [file.clone(), file.join("below")] {
        let error = open_in(&path).err().expect("a file is no directory");
        assert!(
            error.contains("can't be used") && error.contains("Choose one"),
            "{error}"
        );
        assert!(error.contains(&path.display().to_string()), "{error}");
    }
}

#[test]
fn a_store_in_a_directory_is_small_at_first_and_keeps_what_it_is_given() {
    let scratch = Scratch::new("keeps");
    run(async {
        let store = open_in(&scratch.0).expect("the store opens");
        for number in 0..2000 {
            store
                .commit(commit(key(number), 0, &[1, 2, 3], summary("n")))
                .await
                .expect("a commit");
        }
        store
            .commit(document(
                Table::Meta,
                "key",
                Expect::Absent,
                Some(b"value"),
                None,
            ))
            .await
            .expect("a commit");
        drop(store);
        let bytes: u64 = fs::read_dir(&scratch.0)
            .expect("a directory")
            .map(|entry| {
                entry
                    .and_then(|entry| entry.metadata())
                    .expect("a file")
                    .len()
            })
            .sum();
        assert!(bytes < 8 << 20, "{bytes}");
        // What a crash left half made is swept away.
        fs::write(scratch.0.join("segment-0000000009.log.unfinished"), "zeros").expect("a file");
        let store = open_in(&scratch.0).expect("the store opens");
        assert!(!scratch.0.join("segment-0000000009.log.unfinished").exists());
        assert_eq!(store.figures().executions, 2000);
        assert_eq!(
            store
                .get(Table::Meta, "key")
                .await
                .expect("readable")
                .expect("there")
                .content,
            b"value"
        );
    });
}
