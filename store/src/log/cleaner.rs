//! Gives disk space back: what still lives in the oldest segment is rewritten at the tail, then
//! the segment is deleted; so the log goes round.
//!
//! An execution that has its first record there is rewritten whole: the events of all its commits in
//! one record (or a few, if they are many), with its last snapshot. A document is rewritten at its
//! version. Both go through the writer, each under the condition that it has not changed since it
//! was read; if it has, it is read again.
//!
//! Why this is safe:
//! - A crash before the segment is deleted leaves both; the later record takes the earlier one's place.
//! - What says that something was removed or forgotten needs no rewriting: all that it removes is
//!   older, so it is in this segment or was deleted before.
//! - A deletion is durable before the next segment is touched, so segments only ever go from the front.
//!
//! One group of at most [`GROUP_BYTES`] is on its way at a time, so commits wait for little.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use engine::ExecutionKey;
use parking_lot::{Condvar, Mutex};
use tokio::sync::oneshot;

use crate::contract::{CommitError, Table};
use crate::log::Shared;
use crate::log::frame::{Position, checksum};
use crate::log::recovery::{read_sealed, scan};
use crate::log::segments::ReadError;
use crate::log::writer::{Guard, Request, Verdict, Written};
use crate::record::{self, ExecutionFacts, Facts, Moved, WaitFact, WaitFacts};

/// How much is rewritten with one sync.
const GROUP_BYTES: usize = 256 << 10;

/// An execution's events are rewritten in parts of about this size, or less if segments are small.
const PART_BYTES: u64 = 1 << 20;

/// Tells the cleaner that there is something to do.
#[derive(Default)]
pub(crate) struct Cleaning {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    wanted: bool,
    closed: bool,
    busy: bool,
    problem: Option<String>,
}

impl Cleaning {
    /// Wakes the cleaner if more than half of the disk is garbage.
    pub(crate) fn consider(&self, live_bytes: u64, shared: &Shared) {
        if shared.segments.used_bytes() > 2 * live_bytes + shared.sizes.slack {
            let mut state = self.state.lock();
            if !state.wanted {
                state.wanted = true;
                self.changed.notify_all();
            }
        }
    }

    pub(crate) fn close(&self) {
        self.state.lock().closed = true;
        self.changed.notify_all();
    }

    /// Why nothing is cleaned any more.
    pub(crate) fn problem(&self) -> Option<String> {
        self.state.lock().problem.clone()
    }

    /// Waits until the cleaner has nothing to do.
    pub(crate) fn wait_until_idle(&self) {
        let mut state = self.state.lock();
        while (state.wanted || state.busy) && !state.closed && state.problem.is_none() {
            self.changed.wait(&mut state);
        }
    }
}

/// Cleans whenever it is wanted, until the store is closed.
pub(crate) fn run(shared: &Shared) {
    let cleaning = &shared.cleaning;
    loop {
        {
            let mut state = cleaning.state.lock();
            state.busy = false;
            cleaning.changed.notify_all();
            while !state.wanted && !state.closed {
                cleaning.changed.wait(&mut state);
            }
            if state.closed {
                return;
            }
            state.wanted = false;
            state.busy = true;
        }
        while needed(shared) {
            match clean_oldest(shared) {
                Ok(true) => {}
                Ok(false) => break,
                Err(what) => {
                    let mut state = cleaning.state.lock();
                    if !shared.queue.is_closed() {
                        state.problem = Some(what);
                    }
                    state.closed = true;
                    cleaning.changed.notify_all();
                    return;
                }
            }
        }
    }
}

fn needed(shared: &Shared) -> bool {
    let live = shared.index.read().live_bytes();
    shared.segments.used_bytes() > 2 * live + shared.sizes.slack && !shared.queue.is_closed()
}

/// What had to be rewritten, and can have changed meanwhile.
enum Tenant {
    Execution(ExecutionKey),
    Document(Table, String, Position),
}

/// Empties and deletes the oldest segment. False if there is none to clean.
pub(crate) fn clean_oldest(shared: &Shared) -> Result<bool, String> {
    let segments = &shared.segments;
    let (Some(oldest), Some(newest)) = (segments.oldest(), segments.newest()) else {
        return Ok(false);
    };
    // The newest is being written. One that holds no record yet does not say how records are numbered,
    // so the one before it stays.
    if oldest.number == newest.number || newest.end.load(Ordering::Acquire) == 0 {
        return Ok(false);
    }
    let tenants = tenants(shared, oldest.number)?;
    let mut tenants = tenants.into_iter().peekable();
    while tenants.peek().is_some() {
        if shared.queue.is_closed() {
            return Ok(false);
        }
        let mut group = Vec::new();
        let mut bytes = 0;
        while bytes < GROUP_BYTES
            && let Some(tenant) = tenants.next()
        {
            if let Some(sent) = send(shared, oldest.number, &tenant)? {
                bytes += sent.bytes;
                group.push((tenant, sent.answer));
            }
        }
        for (tenant, mut answer) in group {
            loop {
                match answer.blocking_recv() {
                    Ok(Ok(_)) => break,
                    // It has changed since it was read.
                    Ok(Err(CommitError::Conflict)) => match send(shared, oldest.number, &tenant)? {
                        Some(sent) => answer = sent.answer,
                        None => break,
                    },
                    Ok(Err(error)) => return Err(error.to_string()),
                    Err(_) => return Err("the writer has ended".into()),
                }
            }
        }
    }
    segments
        .remove(oldest.number)
        .map_err(|error| format!("a segment that is no longer needed can't be removed: {error}"))?;
    Ok(true)
}

/// What lives in a segment.
fn tenants(shared: &Shared, number: u32) -> Result<Vec<Tenant>, String> {
    let segments = &shared.segments;
    let mut tenants = Vec::new();
    let mut seen = HashSet::new();
    let index = &shared.index;
    let mut take = |position: Position, facts: &[u8]| -> Result<(), String> {
        let facts = record::read_facts(facts)?;
        let index = index.read();
        if let Some(execution) = &facts.execution
            && index
                .slot(execution.key)
                .is_some_and(|slot| slot.oldest_segment <= number)
            && seen.insert(execution.key)
        {
            tenants.push(Tenant::Execution(execution.key));
        }
        for document in &facts.documents {
            if index
                .document(document.table, document.key)
                .is_some_and(|entry| entry.position == position)
            {
                tenants.push(Tenant::Document(
                    document.table,
                    document.key.to_owned(),
                    position,
                ));
            }
        }
        Ok(())
    };
    if let Some(sealed) = read_sealed(&*segments.disk, segments.salt, number) {
        sealed.each(|placed, facts| take(placed.position, facts))?;
        return Ok(tenants);
    }
    let segment = segments.get(number).ok_or("the oldest segment has gone")?;
    let mut bytes = vec![0; segment.end.load(Ordering::Acquire) as usize];
    segment
        .file
        .read(&mut bytes, 0)
        .map_err(|error| error.to_string())?;
    let first = crate::log::recovery::first_sequence(segments.salt, &bytes).unwrap_or(1);
    let (end, _) = scan(segments.salt, number, &bytes, first, |placed, facts| {
        take(placed.position, facts)
    })
    .map_err(|(_, what)| what)?;
    if end < bytes.len() {
        return Err(format!(
            "segment {number} in {} is damaged at byte {end}; it is kept, and nothing is cleaned any more",
            segments.disk.place()
        ));
    }
    Ok(tenants)
}

struct Sent {
    answer: oneshot::Receiver<Verdict>,
    bytes: usize,
}

/// Sends a tenant to the tail, unless it has moved out by itself.
fn send(shared: &Shared, number: u32, tenant: &Tenant) -> Result<Option<Sent>, String> {
    match tenant {
        Tenant::Execution(key) => send_execution(shared, number, *key),
        Tenant::Document(table, key, position) => send_document(shared, *table, key, *position),
    }
}

fn send_document(
    shared: &Shared,
    table: Table,
    key: &str,
    position: Position,
) -> Result<Option<Sent>, String> {
    let Some(entry) = shared
        .index
        .read()
        .document(table, key)
        .copied()
        .filter(|entry| entry.position == position)
    else {
        return Ok(None);
    };
    let (_, payload) = shared.segments.read(position).map_err(problem)?;
    let read = record::Record::read(&payload)?;
    let place = read
        .facts
        .documents
        .iter()
        .rposition(|document| document.table == table && document.key == key);
    let place = place.ok_or("a document is not where the index has it")?;
    let mut facts = read.facts.documents[place].clone();
    facts.version = Some(entry.version);
    let facts = Facts {
        documents: vec![facts],
        ..Facts::default()
    };
    let payload = record::payload(&facts, read.content(place)?);
    push(
        shared,
        payload,
        Guard::Moved {
            from: position,
            previous: Position::NOWHERE,
        },
    )
    .map(Some)
}

fn send_execution(shared: &Shared, number: u32, key: ExecutionKey) -> Result<Option<Sent>, String> {
    let index = shared.index.read();
    let slot = index.slot(key).cloned();
    let Some(slot) = slot.filter(|slot| slot.oldest_segment <= number) else {
        return Ok(None);
    };
    // As of the same moment: the guard sees to it that nothing has happened since.
    let waits = index.waits_of(key);
    drop(index);
    let mut payloads = Vec::new();
    let mut at = slot.head;
    while at != Position::NOWHERE {
        let (header, payload) = shared.segments.read(at).map_err(problem)?;
        payloads.push(payload);
        at = header.previous;
    }
    payloads.reverse();
    let mut records = Vec::with_capacity(payloads.len());
    for payload in &payloads {
        records.push(record::Record::read(payload)?);
    }
    let last_snapshot = records.iter().rposition(|record| {
        record
            .facts
            .execution
            .as_ref()
            .is_some_and(|facts| facts.snapshot_bytes > 0)
    });

    // Parts go out as they fill; what is left at the end goes into the record that makes them count.
    let mut piece = Piece::default();
    let mut parts = Parts::default();
    let mut newest = None;
    let part_bytes = PART_BYTES.min(shared.sizes.largest / 4) as usize;
    for (place, record) in records.iter().enumerate() {
        let (Some(facts), Some(body)) = (&record.facts.execution, record.execution()?) else {
            return Err("a record among an execution's has none".into());
        };
        if newest.is_some() && piece.events.len() + body.events.len() > part_bytes {
            let sent = piece.take().send_part(shared, facts, &parts)?;
            parts.add(sent);
        }
        if Some(place) == last_snapshot {
            piece.snapshot = body.snapshot.unwrap_or_default().to_vec();
            piece.snapshot_after = piece.events.len() + body.snapshot_after;
        }
        piece.events.extend_from_slice(body.events);
        newest = Some((facts, body.name));
    }
    let (facts, name) = newest.ok_or("an execution has no records")?;
    let moved = Moved {
        ordinal: slot.ordinal,
        oldest_segment: parts.oldest_segment,
        carried_bytes: u32::try_from(parts.bytes).unwrap_or(u32::MAX),
    };
    let open = WaitFacts {
        opened: waits
            .iter()
            .map(|wait| WaitFact::of(&wait.opened))
            .collect(),
        closed: Vec::new(),
    };
    let payload = piece.payload(
        ExecutionFacts {
            moved: Some(moved),
            ..facts.clone()
        },
        open,
        name,
    )?;
    push(
        shared,
        payload,
        Guard::Moved {
            from: slot.head,
            previous: parts.last,
        },
    )
    .map(Some)
}

/// Events and the snapshot among them.
#[derive(Default)]
struct Piece {
    events: Vec<u8>,
    snapshot: Vec<u8>,
    snapshot_after: usize,
}

impl Piece {
    fn take(&mut self) -> Piece {
        std::mem::take(self)
    }

    fn payload(
        &self,
        mut facts: ExecutionFacts,
        waits: WaitFacts<'_>,
        name: &str,
    ) -> Result<Vec<u8>, String> {
        let length = |bytes: usize| {
            u32::try_from(bytes).map_err(|_| "an execution's commit is too long".to_string())
        };
        facts.name_bytes =
            u16::try_from(name.len()).map_err(|_| "an execution's name is too long".to_string())?;
        facts.snapshot_bytes = length(self.snapshot.len())?;
        facts.snapshot_after = length(self.snapshot_after)?;
        facts.events_bytes = length(self.events.len())?;
        let mut bodies = Vec::with_capacity(name.len() + self.snapshot.len() + self.events.len());
        bodies.extend_from_slice(name.as_bytes());
        bodies.extend_from_slice(&self.snapshot);
        bodies.extend_from_slice(&self.events);
        Ok(record::payload(
            &Facts {
                execution: Some(facts),
                waits,
                ..Facts::default()
            },
            &bodies,
        ))
    }

    fn send_part(
        &self,
        shared: &Shared,
        facts: &ExecutionFacts,
        parts: &Parts,
    ) -> Result<Written, String> {
        let payload = self.payload(
            ExecutionFacts {
                moved: None,
                ..facts.clone()
            },
            WaitFacts::default(),
            "",
        )?;
        let sent = push(
            shared,
            payload,
            Guard::Part {
                previous: parts.last,
            },
        )?;
        let written = sent
            .answer
            .blocking_recv()
            .map_err(|_| "the writer has ended".to_string())?;
        written.map_err(|error| error.to_string())
    }
}

/// The parts written so far.
#[derive(Default)]
struct Parts {
    last: Position,
    oldest_segment: u32,
    bytes: u64,
}

impl Parts {
    fn add(&mut self, part: Written) {
        if self.last == Position::NOWHERE {
            self.oldest_segment = part.position.segment();
        }
        self.last = part.position;
        self.bytes += part.bytes;
    }
}

fn push(shared: &Shared, payload: Vec<u8>, guard: Guard) -> Result<Sent, String> {
    let (reply, answer) = oneshot::channel();
    let bytes = payload.len();
    let payload_checksum = checksum(shared.segments.salt, &payload);
    shared
        .queue
        .push(Request {
            payload,
            payload_checksum,
            guard,
            reply,
        })
        .map_err(|error| error.to_string())?;
    Ok(Sent { answer, bytes })
}

fn problem(error: ReadError) -> String {
    match error {
        // Only this thread takes segments away.
        ReadError::Gone => "a record lies in a segment that is gone".into(),
        ReadError::Bad(what) => what,
    }
}

/// Starts the cleaner.
pub(crate) fn start(shared: &Arc<Shared>) -> std::io::Result<std::thread::JoinHandle<()>> {
    let shared = Arc::clone(shared);
    std::thread::Builder::new()
        .name("store-cleaner".into())
        .spawn(move || run(&shared))
}
