//! The one thread that writes: the linearisation point of the store.
//!
//! All that queued while the last sync ran becomes one batch: each request is checked against the
//! index and against those before it in the batch, then one write, one sync, the index, and only
//! then the answers, refusals among them (who reads again after a conflict finds what it lost to).
//!
//! Records are encoded and checksummed by whoever commits; this thread copies bytes and fills in
//! headers.

use std::collections::{HashMap, VecDeque};
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use engine::ExecutionKey;
use parking_lot::{Condvar, Mutex};
use tokio::sync::oneshot;

use crate::contract::{CommitError, Expect, Table};
use crate::log::Shared;
use crate::log::chores::Chores;
use crate::log::frame::{Header, Kind, Position, record_bytes};
use crate::log::index::{Index, Placed};
use crate::log::seal;
use crate::log::segments::{SEGMENT_HEADER, Segment};
use crate::record::{self, Facts};

/// A batch larger than this would keep those in it waiting.
const BATCH_BYTES_MAX: usize = 4 << 20;

/// What a request is told.
pub(crate) type Verdict = Result<Written, CommitError>;

/// A document's version and position.
type DocumentPlace = (u64, Position);

/// A record to be written if its guard holds.
pub(crate) struct Request {
    pub payload: Vec<u8>,
    pub payload_checksum: u32,
    pub guard: Guard,
    pub reply: oneshot::Sender<Verdict>,
}

/// What must be true when a record is written.
pub(crate) enum Guard {
    /// The execution has the version before the record's; each document is as expected.
    Commit(Vec<Expect>),
    /// The execution or document is still where it was read. `previous` is the last of the parts.
    Moved { from: Position, previous: Position },
    /// Nothing yet: the record that names the part is guarded.
    Part { previous: Position },
    /// The executions are still where they were found.
    Forget(Vec<Position>),
}

impl Guard {
    fn kind(&self) -> Kind {
        match self {
            Guard::Commit(_) | Guard::Forget(_) => Kind::Commit,
            Guard::Moved { .. } => Kind::Moved,
            Guard::Part { .. } => Kind::Part,
        }
    }
}

/// A durable record.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Written {
    /// The execution's version, or 0.
    pub version: u32,
    pub position: Position,
    pub bytes: u64,
}

/// Requests on their way to the writer.
#[derive(Default)]
pub(crate) struct Queue {
    state: Mutex<QueueState>,
    arrived: Condvar,
}

#[derive(Default)]
struct QueueState {
    requests: Vec<Request>,
    closed: bool,
    /// Set once a write has failed.
    poison: Option<String>,
}

impl Queue {
    pub(crate) fn push(&self, request: Request) -> Result<(), CommitError> {
        let mut state = self.state.lock();
        if let Some(what) = &state.poison {
            return Err(CommitError::Storage(what.clone()));
        }
        if state.closed {
            return Err(CommitError::Storage("it is being closed".into()));
        }
        state.requests.push(request);
        let first = state.requests.len() == 1;
        drop(state);
        if first {
            self.arrived.notify_one();
        }
        Ok(())
    }

    pub(crate) fn close(&self) {
        self.state.lock().closed = true;
        self.arrived.notify_one();
    }

    pub(crate) fn is_closed(&self) -> bool {
        let state = self.state.lock();
        state.closed || state.poison.is_some()
    }

    /// What failed, if the store takes nothing any more.
    pub(crate) fn poisoned(&self) -> Option<String> {
        self.state.lock().poison.clone()
    }

    /// Takes all requests, and waits for one if nothing is waiting yet; false if there will be none.
    fn take(&self, waiting: &mut VecDeque<Request>) -> bool {
        let mut state = self.state.lock();
        while waiting.is_empty() && state.requests.is_empty() {
            if state.closed {
                return false;
            }
            self.arrived.wait(&mut state);
        }
        waiting.extend(state.requests.drain(..));
        true
    }

    fn poison(&self, what: &str) -> Vec<Request> {
        let mut state = self.state.lock();
        state.poison = Some(what.to_owned());
        std::mem::take(&mut state.requests)
    }
}

/// The writer's own state.
pub(crate) struct Writer {
    pub shared: Arc<Shared>,
    pub active: Arc<Segment>,
    pub next_sequence: u64,
    /// What the index file of the active segment will say.
    pub seal: seal::Contents,
    pub chores: Chores,
    pub batch: Batch,
}

/// A batch that is being made. Kept from batch to batch for its memory.
#[derive(Default)]
pub(crate) struct Batch {
    bytes: Vec<u8>,
    placed: Vec<(Placed, Range<usize>)>,
    replies: Vec<(oneshot::Sender<Verdict>, Verdict)>,
    overlay: Overlay,
}

/// What the batch changes, before the index knows.
#[derive(Default)]
struct Overlay {
    /// Version and head; `None` if forgotten.
    executions: HashMap<ExecutionKey, Option<(u32, Position)>>,
    /// Version and position; `None` if removed.
    documents: HashMap<(Table, Box<str>), Option<DocumentPlace>>,
}

impl Overlay {
    fn execution(&self, index: &Index, key: ExecutionKey) -> Option<(u32, Position)> {
        match self.executions.get(&key) {
            Some(known) => *known,
            None => index.slot(key).map(|slot| (slot.version, slot.head)),
        }
    }

    fn document(&self, index: &Index, table: Table, key: &str) -> Option<DocumentPlace> {
        if !self.documents.is_empty()
            && let Some(known) = self.documents.get(&(table, Box::from(key)))
        {
            return *known;
        }
        index
            .document(table, key)
            .map(|entry| (entry.version, entry.position))
    }

    /// The position of the execution's record before this one, if the guard holds.
    fn check(&self, index: &Index, guard: &Guard, facts: &Facts<'_>) -> Option<Position> {
        match guard {
            Guard::Commit(expects) => {
                for (document, expect) in facts.documents.iter().zip(expects) {
                    let holds = match expect {
                        Expect::Any => true,
                        Expect::Absent => {
                            self.document(index, document.table, document.key).is_none()
                        }
                        Expect::Version(version) => self
                            .document(index, document.table, document.key)
                            .is_some_and(|(known, _)| known == *version),
                    };
                    if !holds {
                        return None;
                    }
                }
                let Some(execution) = &facts.execution else {
                    return Some(Position::NOWHERE);
                };
                let (version, head) = self
                    .execution(index, execution.key)
                    .unwrap_or((0, Position::NOWHERE));
                (version + 1 == execution.version).then_some(head)
            }
            Guard::Moved { from, previous } => {
                let at = match (&facts.execution, facts.documents.first()) {
                    (Some(execution), _) => self.execution(index, execution.key).map(|(_, at)| at),
                    (None, Some(document)) => self
                        .document(index, document.table, document.key)
                        .map(|(_, at)| at),
                    (None, None) => None,
                };
                (at == Some(*from)).then_some(*previous)
            }
            Guard::Part { previous } => Some(*previous),
            Guard::Forget(heads) => facts
                .forgotten
                .iter()
                .zip(heads)
                .all(|(key, head)| {
                    self.execution(index, *key)
                        .is_some_and(|(_, at)| at == *head)
                })
                .then_some(Position::NOWHERE),
        }
    }

    fn note(&mut self, placed: &Placed, facts: &Facts<'_>) {
        if placed.kind == Kind::Part {
            return;
        }
        if let Some(execution) = &facts.execution {
            self.executions
                .insert(execution.key, Some((execution.version, placed.position)));
        }
        for document in &facts.documents {
            let after = (!document.removed)
                .then(|| (document.version.unwrap_or(placed.sequence), placed.position));
            self.documents
                .insert((document.table, document.key.into()), after);
        }
        for key in &facts.forgotten {
            self.executions.insert(*key, None);
        }
    }

    fn clear(&mut self) {
        self.executions.clear();
        self.documents.clear();
    }
}

/// Should the writer panic, nobody is to wait for it: what is queued is dropped, which tells those
/// who asked, and nothing more is taken.
struct LastWords(Arc<Shared>);

impl Drop for LastWords {
    fn drop(&mut self) {
        if std::thread::panicking() {
            drop(self.0.queue.poison("its writer has ended by a panic"));
        }
    }
}

impl Writer {
    /// Writes until the queue is closed and empty, or a write fails.
    pub(crate) fn run(mut self) {
        let _last_words = LastWords(Arc::clone(&self.shared));
        let mut waiting = VecDeque::new();
        while self.shared.queue.take(&mut waiting) {
            if let Err(what) = self.write_batch(&mut waiting) {
                self.fail(&what, waiting);
                return;
            }
        }
    }

    /// Answers everybody that the disk said no.
    fn fail(&mut self, what: &str, waiting: VecDeque<Request>) {
        let late = self.shared.queue.poison(what);
        for (reply, verdict) in self.batch.replies.drain(..) {
            // What was refused stays refused; what was to be written is in doubt. Who has gone does not mind.
            let verdict = verdict.and(Err(CommitError::Storage(what.to_owned())));
            let _ = reply.send(verdict);
        }
        for request in waiting.into_iter().chain(late) {
            let _ = request
                .reply
                .send(Err(CommitError::Storage(what.to_owned())));
        }
    }

    fn write_batch(&mut self, waiting: &mut VecDeque<Request>) -> Result<(), String> {
        let Some(first) = waiting.front() else {
            return Ok(());
        };
        let room = record_bytes(first.payload.len());
        let end = self.active.end.load(Ordering::Relaxed);
        if end.max(SEGMENT_HEADER.len() as u64) + room > self.active.file.bytes() {
            self.rotate(room)?;
        }
        self.fill(waiting);
        if !self.batch.placed.is_empty() {
            self.store()?;
        }
        for (reply, verdict) in self.batch.replies.drain(..) {
            // Who has gone does not mind.
            let _ = reply.send(verdict);
        }
        Ok(())
    }

    /// Moves requests from the queue into the batch, as far as there is room in the segment.
    fn fill(&mut self, waiting: &mut VecDeque<Request>) {
        let batch = &mut self.batch;
        batch.bytes.clear();
        batch.placed.clear();
        batch.overlay.clear();
        let begin = self.active.end.load(Ordering::Relaxed);
        if begin == 0 {
            batch.bytes.extend_from_slice(&SEGMENT_HEADER);
        }
        let room = (self.active.file.bytes() - begin) as usize;
        let first_sequence = self.next_sequence;
        let index = self.shared.index.read();
        while let Some(request) = waiting.front() {
            let bytes = record_bytes(request.payload.len());
            let offset = batch.bytes.len();
            if offset + bytes as usize > room
                || (offset > BATCH_BYTES_MAX && !batch.placed.is_empty())
            {
                break;
            }
            let request = waiting
                .pop_front()
                .expect("it is there, it was just looked at");
            let facts = record::facts_bytes(&request.payload)
                .and_then(record::read_facts)
                .expect("a payload that was just written can be read");
            let Some(previous) = batch.overlay.check(&index, &request.guard, &facts) else {
                batch
                    .replies
                    .push((request.reply, Err(CommitError::Conflict)));
                continue;
            };
            let header = Header {
                payload_checksum: request.payload_checksum,
                payload_bytes: request.payload.len() as u32,
                kind: request.guard.kind(),
                sequence: self.next_sequence,
                batch: first_sequence,
                previous,
            };
            let placed = Placed {
                position: Position::new(self.active.number, begin + offset as u64),
                sequence: self.next_sequence,
                kind: header.kind,
                previous,
                bytes,
            };
            self.next_sequence += 1;
            batch
                .bytes
                .extend_from_slice(&header.write(self.shared.segments.salt));
            let start = batch.bytes.len();
            batch.bytes.extend_from_slice(&request.payload);
            batch.placed.push((placed, start..batch.bytes.len()));
            batch.bytes.resize(offset + bytes as usize, 0);
            batch.overlay.note(&placed, &facts);
            let version = facts
                .execution
                .as_ref()
                .map_or(0, |execution| execution.version);
            batch.replies.push((
                request.reply,
                Ok(Written {
                    version,
                    position: placed.position,
                    bytes,
                }),
            ));
        }
    }

    /// Makes the batch durable, then known.
    fn store(&mut self) -> Result<(), String> {
        let begin = self.active.end.load(Ordering::Relaxed);
        let failed = |error: std::io::Error| {
            format!(
                "writing to {} failed: {error}. What was acknowledged before is safe; make sure the disk works and has room, then start again.",
                self.shared.segments.disk.place()
            )
        };
        let began = Instant::now();
        self.active
            .file
            .write(&self.batch.bytes, begin)
            .map_err(failed)?;
        self.active.file.sync().map_err(failed)?;
        self.shared.syncs.fetch_add(1, Ordering::Relaxed);
        let micros = u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX);
        self.shared.sync_micros.see(micros);
        let placed = self.batch.placed.iter();
        let commits = placed.filter(|(placed, _)| placed.kind == Kind::Commit);
        self.shared
            .commits
            .fetch_add(commits.count() as u64, Ordering::Relaxed);
        self.active
            .end
            .store(begin + self.batch.bytes.len() as u64, Ordering::Release);
        let mut index = self.shared.index.write();
        let due_before = index.next_due();
        for (placed, payload) in &self.batch.placed {
            let bytes = record::facts_bytes(&self.batch.bytes[payload.clone()])
                .expect("it was read before");
            let facts = record::read_facts(bytes).expect("it was read before");
            index
                .apply(*placed, &facts)
                .expect("what was checked applies");
            self.seal.add(placed, bytes);
        }
        let due_after = index.next_due();
        let live = index.live_bytes();
        drop(index);
        if due_after.is_some_and(|after| due_before.is_none_or(|before| after < before)) {
            self.shared.due_moved.notify_waiters();
        }
        self.shared.cleaning.consider(live, &self.shared);
        Ok(())
    }

    /// Goes on in a new segment.
    fn rotate(&mut self, room: u64) -> Result<(), String> {
        let number = self.active.number + 1;
        let least = room + SEGMENT_HEADER.len() as u64;
        let file = self
            .chores
            .prepared(number, least.max(self.shared.sizes.first))?;
        let sealed = std::mem::replace(
            &mut self.seal,
            seal::Contents::new(number, self.next_sequence),
        );
        self.chores
            .seal(sealed, self.active.end.load(Ordering::Relaxed));
        self.active = Arc::new(Segment::new(number, file, 0));
        self.shared.segments.add(Arc::clone(&self.active));
        // After a huge one, segments go on in their usual size.
        let next = self
            .shared
            .sizes
            .next(self.active.file.bytes().min(self.shared.sizes.largest));
        self.chores.prepare(number + 1, next);
        Ok(())
    }
}
