//! The embedded keeper: an append-only log in segments, one writer, group commit.
//!
//! ```text
//!  commit()  encodes and checksums on the caller's thread, queues, and waits
//!     |
//!  writer    takes all that is queued: checks, one write, one fdatasync, the index, the answers
//!     |
//!  segments  FORMAT, segment-*.log, segment-*.index         chores   the next segment, index files
//!  index     in memory, a function of the log               cleaner  gives disk space back
//! ```
//!
//! In reading order: [`disk`] (what is asked of a disk), `frame` (a record on disk; torn and
//! damaged), `segments`, `index`, `writer`, `chores`, `seal`, `recovery`, `cleaner`.
//!
//! Why a log of our own: a callback round trip is about three commits, and the embedded stores that
//! were measured cost 16 us of CPU or more for each; this one costs a fraction (see `examples/bench.rs`),
//! since nothing is sorted, compacted in levels or written twice.
//!
//! Reads are `pread`s, of what is almost always in the page cache; they run on the caller's thread.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;

use asl::Timestamp;
use engine::{Event, ExecutionKey, Status};
use parking_lot::RwLock;
use tokio::sync::{Notify, oneshot};

use crate::contract::*;
use crate::measure::{Histogram, Reading};
use crate::record;

mod chores;
mod cleaner;
pub mod disk;
mod frame;
mod index;
mod recovery;
mod seal;
mod segments;
mod waits;
mod writer;

pub use segments::Sizes;

use disk::{Directory, Disk, Memory};
use frame::{Header, PAYLOAD_BYTES_MAX, Position, checksum};
use index::Index;
use segments::{ReadError, Segments};
use writer::{Guard, Queue, Request, Writer, Written};

/// How to keep.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where; `None` keeps everything in memory and forgets it at the end.
    pub directory: Option<PathBuf>,
}

/// The store. Cloning is a reference count; when the last clone goes, what is queued is still
/// written, the files are closed and the directory is free.
#[derive(Clone)]
pub struct Store(Arc<Handle>);

/// What the threads share.
struct Shared {
    queue: Queue,
    index: RwLock<Index>,
    segments: Segments,
    due_moved: Notify,
    sizes: Sizes,
    cleaning: cleaner::Cleaning,
    syncs: AtomicU64,
    commits: AtomicU64,
    sync_micros: Histogram,
}

/// Up to where syncs are told apart, in microseconds.
const SYNC_MICROS: [u64; 12] = [
    25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 100_000, 1_000_000,
];

struct Handle {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.shared.queue.close();
        self.shared.cleaning.close();
        for thread in self.threads.drain(..) {
            // A panic in there has already failed the commits that it concerned.
            let _ = thread.join();
        }
    }
}

/// How many slots a list looks at before it lets others at the index.
const LOOK_AT_ONCE: usize = 8192;

impl Store {
    /// Opens or creates a store.
    ///
    /// # Errors
    /// One sentence that says what is wrong and what to do: in use, newer than the program, not
    /// writable, damaged.
    pub fn open(options: Options) -> Result<(Store, Opening), StoreError> {
        let disk: Arc<dyn Disk> = match options.directory {
            Some(directory) => Arc::new(Directory::open(&directory).map_err(StoreError)?),
            None => Arc::new(Memory::default()),
        };
        Store::open_on(disk, Sizes::default())
    }

    /// Opens or creates a store on a disk of one's own.
    ///
    /// # Errors
    /// As [`Store::open`].
    pub fn open_on(disk: Arc<dyn Disk>, sizes: Sizes) -> Result<(Store, Opening), StoreError> {
        let recovered = recovery::recover(Arc::clone(&disk), &sizes).map_err(StoreError)?;
        let opening = Opening {
            executions: recovered.index.executions(),
            notes: recovered.notes,
        };
        let no_thread =
            |error| StoreError(format!("a thread of the store can't be started: {error}"));
        let salt = recovered.segments.salt;
        let ready = recovered.ready.is_some();
        let chores = chores::Chores::start(disk, salt, recovered.ready).map_err(no_thread)?;
        for (contents, end) in recovered.unsealed {
            chores.seal(contents, end);
        }
        if !ready {
            chores.prepare(
                recovered.active.number + 1,
                sizes.next(recovered.active.file.bytes().min(sizes.largest)),
            );
        }
        let shared = Arc::new(Shared {
            queue: Queue::default(),
            index: RwLock::new(recovered.index),
            segments: recovered.segments,
            due_moved: Notify::new(),
            sizes,
            cleaning: cleaner::Cleaning::default(),
            syncs: AtomicU64::new(0),
            commits: AtomicU64::new(0),
            sync_micros: Histogram::new(&SYNC_MICROS),
        });
        let writer = Writer {
            shared: Arc::clone(&shared),
            active: recovered.active,
            next_sequence: recovered.next_sequence,
            seal: recovered.seal,
            chores,
            batch: writer::Batch::default(),
        };
        let mut handle = Handle {
            shared: Arc::clone(&shared),
            threads: Vec::new(),
        };
        let thread = std::thread::Builder::new()
            .name("store-writer".into())
            .spawn(move || writer.run());
        handle.threads.push(thread.map_err(no_thread)?);
        handle
            .threads
            .push(cleaner::start(&shared).map_err(no_thread)?);
        // What an earlier run left to be cleaned need not wait for a commit.
        let live = shared.index.read().live_bytes();
        shared.cleaning.consider(live, &shared);
        Ok((Store(Arc::new(handle)), opening))
    }

    /// Makes a commit durable. Returns the execution's new version (0 if the commit had none).
    ///
    /// Once this was first polled the commit goes through, or not, even if the future is dropped.
    ///
    /// # Errors
    /// [`CommitError`].
    pub async fn commit(&self, commit: Commit) -> Result<u32, CommitError> {
        let payload = record::of_commit(&commit).map_err(CommitError::Storage)?;
        let expects = commit
            .documents
            .iter()
            .map(|document| document.expect)
            .collect();
        drop(commit);
        Ok(self.write(payload, Guard::Commit(expects)).await?.version)
    }

    async fn write(&self, payload: Vec<u8>, guard: Guard) -> Result<Written, CommitError> {
        let shared = &self.0.shared;
        if payload.len() > PAYLOAD_BYTES_MAX {
            return Err(CommitError::Storage(format!(
                "a commit of {} bytes is more than the {PAYLOAD_BYTES_MAX} that a record can have",
                payload.len()
            )));
        }
        let payload_checksum = checksum(shared.segments.salt, &payload);
        let (reply, answer) = oneshot::channel();
        shared.queue.push(Request {
            payload,
            payload_checksum,
            guard,
            reply,
        })?;
        answer
            .await
            .unwrap_or_else(|_| Err(CommitError::Storage("its writer has ended".into())))
    }

    /// An execution from its last snapshot on.
    ///
    /// # Errors
    /// If it can't be read.
    pub async fn load(&self, key: ExecutionKey) -> Result<Option<Loaded>, StoreError> {
        let Some(Records { version, payloads }) = self.records(key, true)? else {
            return Ok(None);
        };
        let mut loaded = Loaded {
            version,
            snapshot: None,
            events: Vec::new(),
        };
        for (place, payload) in payloads.iter().rev().enumerate() {
            let body = execution_of(payload)?;
            let mut events = body.events;
            if place == 0
                && let Some(snapshot) = body.snapshot
            {
                loaded.snapshot = Some(record::read_snapshot(snapshot).map_err(StoreError)?);
                events = &events[body.snapshot_after.min(events.len())..];
            }
            record::read_events(events, &mut loaded.events).map_err(StoreError)?;
        }
        Ok(Some(loaded))
    }

    /// All events of an execution, from its start.
    ///
    /// # Errors
    /// If they can't be read.
    pub async fn events(&self, key: ExecutionKey) -> Result<Vec<Event>, StoreError> {
        let mut events = Vec::new();
        let push = |event| {
            events.push(event);
            false
        };
        self.each_event(key, push).await?;
        Ok(events)
    }

    /// Gives away the events of an execution one by one, from its start, until it says that it has `enough`. Only one commit's
    /// are in memory at a time, and the record that they are in.
    ///
    /// # Errors
    /// If they can't be read.
    pub async fn each_event(
        &self,
        key: ExecutionKey,
        mut enough: impl FnMut(Event) -> bool,
    ) -> Result<(), StoreError> {
        let mut seen = 0;
        // What the cleaner moves while we read is found again, with the same events in the same order.
        while let Some(records) = self.places(key)? {
            match self.show_from(&records, &mut seen, &mut enough) {
                Ok(()) => break,
                Err(ReadError::Gone) => {}
                Err(ReadError::Bad(what)) => return Err(StoreError(what)),
            }
        }
        Ok(())
    }

    /// Shows the events of these records but for those that were `seen`.
    fn show_from(
        &self,
        records: &[Position],
        seen: &mut usize,
        enough: &mut impl FnMut(Event) -> bool,
    ) -> Result<(), ReadError> {
        let mut passed = 0;
        for at in records.iter().rev() {
            let (_, payload) = self.0.shared.segments.read(*at)?;
            let body = execution_of(&payload).map_err(|error| ReadError::Bad(error.0))?;
            for commit in record::each_commit(body.events) {
                for event in commit.map_err(ReadError::Bad)? {
                    passed += 1;
                    if passed > *seen {
                        *seen = passed;
                        if enough(event) {
                            return Ok(());
                        }
                    }
                }
            }
        }
        Ok(())
    }

    /// Where an execution's records are, the newest first.
    fn places(&self, key: ExecutionKey) -> Result<Option<Vec<Position>>, StoreError> {
        let shared = &self.0.shared;
        'moved: loop {
            let Some(mut at) = shared.index.read().slot(key).map(|slot| slot.head) else {
                return Ok(None);
            };
            let mut places = Vec::new();
            while at != Position::NOWHERE {
                places.push(at);
                match shared.segments.header(at) {
                    Ok(header) => at = header.previous,
                    Err(ReadError::Gone) => continue 'moved,
                    Err(ReadError::Bad(what)) => return Err(StoreError(what)),
                }
            }
            return Ok(Some(places));
        }
    }

    /// An execution in brief.
    ///
    /// # Errors
    /// If it can't be read.
    pub async fn summary(&self, key: ExecutionKey) -> Result<Option<Summary>, StoreError> {
        self.brief(key)
    }

    fn brief(&self, key: ExecutionKey) -> Result<Option<Summary>, StoreError> {
        let place = |index: &Index| index.slot(key).map(|slot| slot.head);
        let Some((_, payload)) = self.read(place)? else {
            return Ok(None);
        };
        let read = record::Record::read(&payload).map_err(StoreError)?;
        let body = execution_of(&payload)?;
        let facts = read
            .facts
            .execution
            .as_ref()
            .expect("a record with a body has facts");
        Ok(Some(record::summary(facts, body.name)))
    }

    /// A page of executions, newest start first.
    ///
    /// # Errors
    /// If they can't be read.
    pub async fn list(&self, query: ListQuery) -> Result<ListPage, StoreError> {
        let mut page = ListPage {
            executions: Vec::new(),
            next: query.after,
        };
        loop {
            let wanted = query.limit - page.executions.len();
            let (keys, next) = self.0.shared.index.read().list(
                query.state_machine,
                query.status,
                page.next,
                wanted,
                LOOK_AT_ONCE,
            );
            for key in keys {
                // It may have been forgotten since, or have another status now.
                let found = self.brief(key)?;
                page.executions.extend(
                    found
                        .filter(|summary| {
                            query.status.is_none_or(|status| status == summary.status)
                        })
                        .map(|summary| (key, summary)),
                );
            }
            page.next = next;
            if next.is_none() || page.executions.len() >= query.limit {
                return Ok(page);
            }
        }
    }

    /// The open executions whose dispatches have to be made again, in pages: `after` is the last
    /// key of the page before.
    pub async fn undelivered(
        &self,
        after: Option<ExecutionKey>,
        limit: usize,
    ) -> Vec<ExecutionKey> {
        self.0.shared.index.read().undelivered(after, limit)
    }

    /// A document.
    ///
    /// # Errors
    /// If it can't be read.
    pub async fn get(&self, table: Table, key: &str) -> Result<Option<Document>, StoreError> {
        self.document(table, key)
    }

    fn document(&self, table: Table, key: &str) -> Result<Option<Document>, StoreError> {
        let mut version = 0;
        let place = |index: &Index| {
            let entry = index.document(table, key)?;
            version = entry.version;
            Some(entry.position)
        };
        let Some((_, payload)) = self.read(place)? else {
            return Ok(None);
        };
        let read = record::Record::read(&payload).map_err(StoreError)?;
        let documents = &read.facts.documents;
        let place = documents
            .iter()
            .rposition(|document| document.table == table && document.key == key)
            .ok_or_else(|| StoreError("a document is not where the index has it".into()))?;
        let content = read.content(place).map_err(StoreError)?.to_vec();
        Ok(Some(Document {
            version,
            content,
            due: documents[place].due,
        }))
    }

    /// Documents whose keys begin with `prefix`, in the order of their keys, or from the last one back;
    /// those after `after` (in that direction), at most `limit`.
    ///
    /// # Errors
    /// If they can't be read.
    pub async fn scan(
        &self,
        table: Table,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
        backwards: bool,
    ) -> Result<Vec<(String, Document)>, StoreError> {
        let mut found = Vec::new();
        let mut after = after.map(str::to_owned);
        // Documents that are removed between the look-up and the read leave gaps, which are filled.
        while found.len() < limit {
            let wanted = limit - found.len();
            let keys =
                self.0
                    .shared
                    .index
                    .read()
                    .scan(table, prefix, after.as_deref(), wanted, backwards);
            let done = keys.len() < wanted;
            for key in keys {
                if let Some(document) = self.document(table, &key)? {
                    found.push((key.clone(), document));
                }
                after = Some(key);
            }
            if done {
                break;
            }
        }
        Ok(found)
    }

    /// As [`Store::scan`], the keys alone: nothing is read from disk.
    pub fn keys(
        &self,
        table: Table,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
        backwards: bool,
    ) -> Vec<String> {
        let index = self.0.shared.index.read();
        index.scan(table, prefix, after, limit, backwards)
    }

    /// When the next thing is due.
    pub fn next_due(&self) -> Option<Timestamp> {
        self.0.shared.index.read().next_due()
    }

    /// Waits until [`Store::next_due`] has become earlier than it was when this was called. (Called, not
    /// first polled: so nothing is missed between looking and waiting, if this is called first.) It may
    /// end once too often.
    pub fn due_moved(&self) -> impl Future<Output = ()> + Send + '_ {
        self.0.shared.due_moved.notified()
    }

    /// Takes what is due by `now`, earliest first, at most `limit`.
    pub fn take_due(&self, now: Timestamp, limit: usize) -> Vec<Due> {
        let mut index = self.0.shared.index.write();
        index.take_due(now, limit)
    }

    /// Puts something taken back, since it could not be dealt with; it is due again at once.
    pub fn give_back(&self, due: Due) {
        let mut index = self.0.shared.index.write();
        let before = index.next_due();
        index.give_back(due);
        let after = index.next_due();
        drop(index);
        if after.is_some_and(|after| before.is_none_or(|before| after < before)) {
            self.0.shared.due_moved.notify_waiters();
        }
    }

    /// Forgets executions that ended before `time`, at most `limit`; returns how many. Their disk
    /// space comes back by compaction.
    ///
    /// # Errors
    /// If the store can't be written.
    pub async fn forget_ended_before(
        &self,
        time: Timestamp,
        limit: usize,
    ) -> Result<usize, CommitError> {
        loop {
            let found = self.0.shared.index.read().ended_before(time, limit);
            if found.is_empty() {
                return Ok(0);
            }
            let (keys, heads): (Vec<_>, Vec<_>) = found.into_iter().unzip();
            let count = keys.len();
            match self
                .write(record::of_forgotten(keys), Guard::Forget(heads))
                .await
            {
                Ok(_) => return Ok(count),
                // One of them was rewritten, or forgotten by somebody else, since it was found.
                Err(CommitError::Conflict) => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Why no further commit is taken until the store is opened again, if so.
    pub fn write_problem(&self) -> Option<String> {
        self.0.shared.queue.poisoned()
    }

    /// Why disk space is no longer given back, if so: a segment that can't be read or removed.
    pub fn cleaning_problem(&self) -> Option<String> {
        self.0.shared.cleaning.problem()
    }

    /// How many documents a table has.
    pub fn count(&self, table: Table) -> usize {
        self.0.shared.index.read().count(table)
    }

    /// How many documents of a table want attention at some time.
    pub fn count_due(&self, table: Table) -> usize {
        self.0.shared.index.read().with_due(table)
    }

    /// How many executions that are kept have a status.
    pub fn count_status(&self, status: Status) -> u64 {
        self.0.shared.index.read().with_status(status)
    }

    /// The open waits of an execution, in the order of their numbers.
    pub fn waits_of(&self, key: ExecutionKey) -> Vec<FoundWait> {
        self.0.shared.index.read().waits_of(key)
    }

    /// All places in which there are open waits.
    pub fn wait_places(&self) -> Vec<WaitPlace> {
        self.0.shared.index.read().wait_places()
    }

    /// Open waits, the oldest first.
    pub fn waits(&self, query: &WaitQuery<'_>) -> Vec<FoundWait> {
        self.0.shared.index.read().waits(query)
    }

    /// Open waits whose [`OpenedWait::quiet_at`] is after `after` and not after `until`: at most `limit`, the
    /// earliest first.
    pub fn quiet_waits(&self, after: Timestamp, until: Timestamp, limit: usize) -> Vec<FoundWait> {
        let index = self.0.shared.index.read();
        index.quiet_waits(after, until, limit)
    }

    /// When the oldest of the executions that have not ended started. Looks at all there are.
    pub fn oldest_open(&self) -> Option<Timestamp> {
        self.0.shared.index.read().oldest_open()
    }

    /// Executions that have not ended and started before `time`, at most `limit`. Looks at all there are.
    pub fn open_since_before(&self, time: Timestamp, limit: usize) -> Vec<ExecutionKey> {
        self.0.shared.index.read().open_since_before(time, limit)
    }

    /// How many executions have not ended.
    pub fn open_executions(&self) -> u64 {
        self.0.shared.index.read().open()
    }

    /// Figures for operators.
    pub fn figures(&self) -> Figures {
        let shared = &self.0.shared;
        let index = shared.index.read();
        Figures {
            executions: index.executions(),
            used_bytes: shared.segments.used_bytes(),
            live_bytes: index.live_bytes(),
            syncs: shared.syncs.load(Ordering::Relaxed),
            commits: shared.commits.load(Ordering::Relaxed),
        }
    }

    /// How long writes and syncs of a batch took since the store was opened, in microseconds.
    pub fn sync_micros(&self) -> Reading {
        self.0.shared.sync_micros.read()
    }

    /// Waits, blocking, until disk space that is to be given back has been. For tests and tools.
    pub fn wait_until_clean(&self) {
        self.0.shared.cleaning.wait_until_idle();
    }

    /// Reads the record whose position `find` looks up, again if it was moved in between.
    fn read(
        &self,
        mut find: impl FnMut(&Index) -> Option<Position>,
    ) -> Result<Option<(Header, Vec<u8>)>, StoreError> {
        let shared = &self.0.shared;
        loop {
            let Some(position) = find(&shared.index.read()) else {
                return Ok(None);
            };
            match shared.segments.read(position) {
                Ok(record) => return Ok(Some(record)),
                Err(ReadError::Gone) => {}
                Err(ReadError::Bad(what)) => return Err(StoreError(what)),
            }
        }
    }

    /// An execution's records back to its last snapshot, or to its start.
    fn records(&self, key: ExecutionKey, to_snapshot: bool) -> Result<Option<Records>, StoreError> {
        let shared = &self.0.shared;
        'moved: loop {
            let slot = shared
                .index
                .read()
                .slot(key)
                .map(|slot| (slot.version, slot.head));
            let Some((version, mut at)) = slot else {
                return Ok(None);
            };
            let mut payloads = Vec::new();
            while at != Position::NOWHERE {
                match shared.segments.read(at) {
                    Ok((header, payload)) => {
                        let enough = to_snapshot && execution_of(&payload)?.snapshot.is_some();
                        payloads.push(payload);
                        if enough {
                            break;
                        }
                        at = header.previous;
                    }
                    Err(ReadError::Gone) => continue 'moved,
                    Err(ReadError::Bad(what)) => return Err(StoreError(what)),
                }
            }
            return Ok(Some(Records { version, payloads }));
        }
    }
}

/// An execution's records, the newest first, and the version that they make.
struct Records {
    version: u32,
    payloads: Vec<Vec<u8>>,
}

/// The execution's part of a payload that has one.
fn execution_of(payload: &[u8]) -> Result<record::ExecutionBody<'_>, StoreError> {
    record::Record::read(payload)
        .and_then(|record| record.execution())
        .and_then(|body| body.ok_or_else(|| "an execution's record has none".to_string()))
        .map_err(StoreError)
}

/// Figures of an open store.
#[derive(Debug, Clone, Copy)]
pub struct Figures {
    /// Executions, open and ended.
    pub executions: u64,
    /// Bytes of records on disk.
    pub used_bytes: u64,
    /// Those of them that are still needed, about.
    pub live_bytes: u64,
    /// Batches written, and so syncs waited for, since the store was opened.
    pub syncs: u64,
    /// Commits made durable since then.
    pub commits: u64,
}

/// What opening a store found.
#[derive(Debug, Clone, Default)]
pub struct Opening {
    /// Executions, open and ended.
    pub executions: u64,
    /// What an operator should know: a torn tail that was cut off (bytes, where).
    pub notes: Vec<String>,
}
