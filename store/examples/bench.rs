//! Measures the store: `cargo run --release -p store --example bench -- [commits|parked|reopen] [DIR] [N]`.
//!
//! - `commits DIR [SECONDS]`: a closed loop of 1 to 256 submitters with commits of about 1 kB, and beside each
//!   the same number of bytes per sync written raw, to a growing and to a zero-filled file.
//! - `parked DIR [N]`: starts and parks N executions (two commits each, of about 1.2 kB together), prints
//!   memory and disk for each, and exits without closing anything.
//! - `reopen DIR`: opens what is there and prints how long that took.

#[path = "../tests/support/event.rs"]
mod event;

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use asl::Timestamp;
use engine::{ExecutionKey, Status};
use event::large_event;
use store::{Commit, ExecutionCommit, MachineKey, Options, Store, Summary, WaitChanges};

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [mode, directory, rest @ ..] = &arguments[..] else {
        eprintln!("usage: bench commits|parked|reopen DIR [N]");
        std::process::exit(2);
    };
    let number = rest.first().and_then(|text| text.parse::<u64>().ok());
    let directory = Path::new(directory);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .build()
        .expect("a runtime");
    match mode.as_str() {
        "commits" => runtime.block_on(commits(directory, Duration::from_secs(number.unwrap_or(4)))),
        "parked" => runtime.block_on(parked(directory, number.unwrap_or(1_000_000))),
        "reopen" => runtime.block_on(reopen(directory)),
        other => {
            eprintln!("there is no mode {other}");
            std::process::exit(2);
        }
    }
}

fn open(directory: &Path) -> Store {
    Store::open(Options {
        directory: Some(directory.to_owned()),
    })
    .expect("the store opens")
    .0
}

fn key(number: u64) -> ExecutionKey {
    ExecutionKey(u128::from(number.wrapping_mul(0x9e37_79b9_7f4a_7c15)) << 64 | u128::from(number))
}

fn summary(number: u64) -> Summary {
    Summary {
        name: Arc::from(format!("execution-{number:012}")),
        state_machine: MachineKey(7),
        status: Status::Running,
        started_at: Timestamp(1_700_000_000_000 + number as i64),
        stopped_at: None,
        next_timer: Some(Timestamp(1_800_000_000_000 + number as i64)),
        undelivered: false,
    }
}

fn commit(number: u64, expected_version: u32, bytes: usize) -> Commit {
    let at = 1_700_000_000_000 + number as i64;
    let events = Arc::from([large_event(at, bytes / 2), large_event(at, bytes / 2)]);
    let execution = ExecutionCommit {
        key: key(number),
        expected_version,
        events,
        snapshot: None,
        summary: summary(number),
        waits: WaitChanges::default(),
    };
    Commit {
        execution: Some(execution),
        documents: Vec::new(),
    }
}

async fn commits(directory: &Path, time: Duration) {
    println!(
        "{:>10} {:>10} {:>8} {:>8} {:>8} {:>10} {:>8} {:>12} {:>12}",
        "submitters",
        "commits/s",
        "p50 us",
        "p99 us",
        "max us",
        "CPU us each",
        "batch",
        "raw append/s",
        "raw zeroed/s"
    );
    for submitters in [1, 16, 64, 256] {
        let path = directory.join(format!("commits-{submitters}"));
        let _ = std::fs::remove_dir_all(&path);
        let store = open(&path);
        // The first segments are small; measuring begins when they have grown.
        closed_loop(&store, submitters, Duration::from_secs(2), 1 << 40).await;
        let (syncs, used, cpu) = (store.figures().syncs, store.figures().used_bytes, cpu());
        let began = Instant::now();
        let mut micros = closed_loop(&store, submitters, time, 1 << 41).await;
        let seconds = began.elapsed().as_secs_f64();
        let count = micros.len() as f64;
        let cpu_each = (self::cpu() - cpu) * 1e6 / count;
        let batch = count / (store.figures().syncs - syncs) as f64;
        let bytes_each = (store.figures().used_bytes - used) as f64 / count;
        micros.sort_unstable();
        let at = |part: f64| micros[((micros.len() - 1) as f64 * part) as usize];
        let (p50, p99, max) = (at(0.5), at(0.99), at(1.0));
        drop(store);
        let bytes = (bytes_each * batch) as usize;
        let raw = |zeroed| raw(directory, bytes, time / 2, zeroed) * batch;
        println!(
            "{submitters:>10} {:>10.0} {p50:>8} {p99:>8} {max:>8} {cpu_each:>10.1} {batch:>8.1} {:>12.0} {:>12.0}",
            count / seconds,
            raw(false),
            raw(true),
        );
        std::fs::remove_dir_all(&path).expect("it was made here");
    }
}

/// Each submitter commits to executions of its own, one after the other, and notes how long each took.
async fn closed_loop(store: &Store, submitters: u64, time: Duration, base: u64) -> Vec<u64> {
    let mut tasks = tokio::task::JoinSet::new();
    let end = Instant::now() + time;
    for submitter in 0..submitters {
        let store = store.clone();
        tasks.spawn(async move {
            let mut micros = Vec::new();
            let mut number = base + (submitter << 28);
            while Instant::now() < end {
                // Three commits each, as an execution with one callback makes.
                for version in 0..3 {
                    let began = Instant::now();
                    store
                        .commit(commit(number, version, 800))
                        .await
                        .expect("a commit");
                    micros.push(began.elapsed().as_micros() as u64);
                }
                number += 1;
            }
            micros
        });
    }
    tasks.join_all().await.concat()
}

/// Syncs a second of so many bytes each.
fn raw(directory: &Path, bytes: usize, time: Duration, zeroed: bool) -> f64 {
    let path = directory.join("raw");
    let file = File::create(&path).expect("a file");
    let limit = 256 << 20;
    if zeroed {
        for at in 0..limit >> 20 {
            file.write_all_at(&vec![0; 1 << 20], at << 20)
                .expect("room");
        }
        file.sync_all().expect("a sync");
    }
    let content = vec![1; bytes];
    let (mut count, mut offset) = (0.0, 0);
    let began = Instant::now();
    while began.elapsed() < time {
        if zeroed && offset + bytes as u64 > limit {
            offset = 0;
        }
        file.write_all_at(&content, offset).expect("room");
        file.sync_data().expect("a sync");
        offset += bytes as u64;
        count += 1.0;
    }
    let seconds = began.elapsed().as_secs_f64();
    std::fs::remove_file(&path).expect("it was made here");
    count / seconds
}

async fn parked(directory: &Path, number: u64) {
    let _ = std::fs::remove_dir_all(directory);
    let store = open(directory);
    let before = memory();
    let began = Instant::now();
    let next = Arc::new(AtomicU64::new(0));
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..256 {
        let (store, next) = (store.clone(), Arc::clone(&next));
        tasks.spawn(async move {
            loop {
                let execution = next.fetch_add(1, Ordering::Relaxed);
                if execution >= number {
                    return;
                }
                store
                    .commit(commit(execution, 0, 600))
                    .await
                    .expect("a start");
                store
                    .commit(commit(execution, 1, 200))
                    .await
                    .expect("a park");
            }
        });
    }
    tasks.join_all().await;
    let seconds = began.elapsed().as_secs_f64();
    let (used, after) = (store.figures().used_bytes, memory());
    println!(
        "{number} parked in {seconds:.1} s ({:.0} commits/s): {:.0} bytes of memory and {:.0} bytes of disk each; {:.1} MiB before, {:.1} MiB now",
        2.0 * number as f64 / seconds,
        (after - before) / number as f64,
        used as f64 / number as f64,
        before / 1048576.0,
        after / 1048576.0,
    );
    // As a kill would: nothing is closed.
    std::process::exit(0);
}

async fn reopen(directory: &Path) {
    let before = memory();
    let began = Instant::now();
    let (store, opening) = Store::open(Options {
        directory: Some(directory.to_owned()),
    })
    .expect("the store opens");
    let opened = began.elapsed();
    let version = store
        .load(key(1))
        .await
        .expect("readable")
        .map_or(0, |loaded| loaded.version);
    println!(
        "{} executions open in {:.0} ms, the first loaded (version {version}) after {:.0} ms; {:.0} bytes of memory each; {:?}",
        opening.executions,
        opened.as_secs_f64() * 1e3,
        began.elapsed().as_secs_f64() * 1e3,
        (memory() - before) / opening.executions.max(1) as f64,
        opening.notes
    );
}

/// Resident bytes that are not of files.
fn memory() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux");
    let line = status
        .lines()
        .find(|line| line.starts_with("RssAnon:"))
        .expect("Linux");
    line.split_whitespace()
        .nth(1)
        .and_then(|kib| kib.parse::<f64>().ok())
        .expect("a number")
        * 1024.0
}

/// Seconds of CPU of all threads.
fn cpu() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").expect("Linux");
    let after_name = stat.rsplit(") ").next().expect("a name in parentheses");
    let fields: Vec<f64> = after_name
        .split_whitespace()
        .map(|field| field.parse().unwrap_or(0.0))
        .collect();
    (fields[11] + fields[12]) / 100.0
}
