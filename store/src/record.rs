//! The one place that knows how events, snapshots and documents look as bytes.
//!
//! A record is what one commit leaves in the log. Its *payload*, drawn here, has two parts:
//!
//! ```text
//! u32  length of the facts
//! facts   what an index has to know: key, version, summary, keys and versions of documents, and how
//!         long each of the bodies is. A sealed segment's index file repeats them verbatim.
//! bodies  name, snapshot, events; then the contents of the documents, in their order
//! ```
//!
//! Numbers are little-endian. Events are a MessagePack array per commit, one array after the other if
//! several commits were merged into a record; a snapshot is one MessagePack value. Structs are written as
//! arrays without names, so a field may only be added at the end, with `#[serde(default)]`.
//!
//! This module does not know where a record lies, nor checksums: those are `log/frame.rs`.

use std::sync::Arc;

use asl::Timestamp;
use engine::{Event, ExecutionKey, Snapshot, Status, WaitId};
use serde::Serialize;

use crate::contract::{
    Commit, DOCUMENT_KEY_BYTES_MAX, MachineKey, OpenedWait, Summary, Table, WaitChanges,
};

const HAS_EXECUTION: u8 = 1;
const HAS_DOCUMENTS: u8 = 2;
const HAS_FORGOTTEN: u8 = 4;
const HAS_WAITS: u8 = 8;

const UNDELIVERED: u8 = 1;
const STOPPED: u8 = 2;
const TIMER: u8 = 4;
const MOVED: u8 = 8;

const REMOVED: u8 = 1;
const DUE: u8 = 2;
const VERSION: u8 = 4;

const ENDLESS: u8 = 1;
const QUIET: u8 = 2;

/// What an index has to know of a record.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Facts<'a> {
    pub execution: Option<ExecutionFacts>,
    /// Of the execution. In a record that takes the place of all before: all that are open.
    pub waits: WaitFacts<'a>,
    pub documents: Vec<DocumentFacts<'a>>,
    /// Executions that the store forgets with this record.
    pub forgotten: Vec<ExecutionKey>,
}

/// What a record changes about open waits.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct WaitFacts<'a> {
    pub opened: Vec<WaitFact<'a>>,
    pub closed: Vec<WaitId>,
}

/// An open wait.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct WaitFact<'a> {
    pub wait: WaitId,
    pub since: Timestamp,
    pub place: &'a str,
    pub endless: bool,
    pub quiet_at: Option<Timestamp>,
}

impl WaitFacts<'_> {
    fn is_empty(&self) -> bool {
        self.opened.is_empty() && self.closed.is_empty()
    }
}

/// How long the name of a wait's place may be: a state machine's name and a state's are far shorter.
pub(crate) const PLACE_BYTES_MAX: usize = u16::MAX as usize;

/// The execution of a record.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ExecutionFacts {
    pub key: ExecutionKey,
    pub state_machine: MachineKey,
    /// After this record.
    pub version: u32,
    pub status: Status,
    pub undelivered: bool,
    pub started_at: Timestamp,
    pub stopped_at: Option<Timestamp>,
    pub next_timer: Option<Timestamp>,
    /// Only in a record that takes the place of all that came before.
    pub moved: Option<Moved>,
    pub name_bytes: u16,
    /// 0 if there is none.
    pub snapshot_bytes: u32,
    /// How many bytes of the events come before the snapshot.
    pub snapshot_after: u32,
    pub events_bytes: u32,
}

/// What a rewritten execution takes along.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Moved {
    /// Its place in lists: the sequence number of its first record.
    pub ordinal: u64,
    /// The segment of the first of the records that were written before this one and belong to it;
    /// 0 if this one holds everything.
    pub oldest_segment: u32,
    /// How many bytes those have.
    pub carried_bytes: u32,
}

/// A document of a record.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct DocumentFacts<'a> {
    pub table: Table,
    pub key: &'a str,
    pub removed: bool,
    pub due: Option<Timestamp>,
    /// Only in a rewritten document; else the version is the record's sequence number.
    pub version: Option<u64>,
    pub content_bytes: u32,
}

/// The bodies of an execution's record.
pub(crate) struct ExecutionBody<'a> {
    pub name: &'a str,
    pub snapshot: Option<&'a [u8]>,
    pub snapshot_after: usize,
    pub events: &'a [u8],
}

/// The payload of a commit, written on the caller's thread.
pub(crate) fn of_commit(commit: &Commit) -> Result<Vec<u8>, String> {
    // Facts say how long the bodies are, so the bodies are written first and moved behind them.
    let mut bodies = Vec::with_capacity(1024);
    let mut facts = Facts::default();
    if let Some(execution) = &commit.execution {
        let summary = &execution.summary;
        let name_bytes = u16::try_from(summary.name.len())
            .map_err(|_| "an execution's name is too long".to_string())?;
        bodies.extend_from_slice(summary.name.as_bytes());
        let snapshot_bytes = match &execution.snapshot {
            Some(snapshot) => append(&mut bodies, snapshot)?,
            None => 0,
        };
        let events_bytes = append(&mut bodies, &execution.events[..])?;
        facts.execution = Some(ExecutionFacts {
            key: execution.key,
            state_machine: summary.state_machine,
            version: execution
                .expected_version
                .checked_add(1)
                .ok_or("an execution has too many commits")?,
            status: summary.status,
            undelivered: summary.undelivered,
            started_at: summary.started_at,
            stopped_at: summary.stopped_at,
            next_timer: summary.next_timer,
            moved: None,
            name_bytes,
            snapshot_bytes,
            snapshot_after: if snapshot_bytes > 0 { events_bytes } else { 0 },
            events_bytes,
        });
        facts.waits = wait_facts(&execution.waits)?;
    }
    for document in &commit.documents {
        if document.key.len() > DOCUMENT_KEY_BYTES_MAX {
            return Err(format!(
                "a document's key has {} bytes, more than {DOCUMENT_KEY_BYTES_MAX}",
                document.key.len()
            ));
        }
        let content = document.content.as_deref().unwrap_or_default();
        bodies.extend_from_slice(content);
        facts.documents.push(DocumentFacts {
            table: document.table,
            key: &document.key,
            removed: document.content.is_none(),
            due: document.content.as_ref().and(document.due),
            version: None,
            content_bytes: u32::try_from(content.len())
                .map_err(|_| "a document is too long".to_string())?,
        });
    }
    Ok(payload(&facts, &bodies))
}

/// The facts of waits that opened and ended.
fn wait_facts(changes: &WaitChanges) -> Result<WaitFacts<'_>, String> {
    let opened = changes.opened.iter().map(WaitFact::of).collect();
    if changes
        .opened
        .iter()
        .any(|opened| opened.place.len() > PLACE_BYTES_MAX)
    {
        return Err("the name of a wait's place is too long".into());
    }
    Ok(WaitFacts {
        opened,
        closed: changes.closed.clone(),
    })
}

impl WaitFact<'_> {
    /// The fact of an open wait.
    pub(crate) fn of(opened: &OpenedWait) -> WaitFact<'_> {
        WaitFact {
            wait: opened.wait,
            since: opened.since,
            place: &opened.place,
            endless: opened.endless,
            quiet_at: opened.quiet_at,
        }
    }
}

/// The payload of a record that forgets executions.
pub(crate) fn of_forgotten(keys: Vec<ExecutionKey>) -> Vec<u8> {
    payload(
        &Facts {
            forgotten: keys,
            ..Facts::default()
        },
        &[],
    )
}

/// Puts a payload together.
pub(crate) fn payload(facts: &Facts<'_>, bodies: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bodies.len() + 256);
    out.extend_from_slice(&[0; 4]);
    write_facts(facts, &mut out);
    let length = u32::try_from(out.len() - 4).expect("facts are far smaller than 4 GiB");
    out[..4].copy_from_slice(&length.to_le_bytes());
    out.extend_from_slice(bodies);
    out
}

/// Writes a value behind what is there; returns its length.
fn append<T: Serialize + ?Sized>(out: &mut Vec<u8>, value: &T) -> Result<u32, String> {
    let before = out.len();
    rmp_serde::encode::write(out, value)
        .map_err(|error| format!("events can't be written down: {error}"))?;
    u32::try_from(out.len() - before).map_err(|_| "events are too long".to_string())
}

fn write_facts(facts: &Facts<'_>, out: &mut Vec<u8>) {
    let mut sections = 0;
    if facts.execution.is_some() {
        sections |= HAS_EXECUTION;
    }
    if !facts.documents.is_empty() {
        sections |= HAS_DOCUMENTS;
    }
    if !facts.forgotten.is_empty() {
        sections |= HAS_FORGOTTEN;
    }
    if !facts.waits.is_empty() {
        sections |= HAS_WAITS;
    }
    out.push(sections);
    if let Some(execution) = &facts.execution {
        write_execution(execution, out);
    }
    if !facts.waits.is_empty() {
        write_waits(&facts.waits, out);
    }
    if !facts.documents.is_empty() {
        out.extend_from_slice(&(facts.documents.len() as u32).to_le_bytes());
        for document in &facts.documents {
            write_document(document, out);
        }
    }
    if !facts.forgotten.is_empty() {
        out.extend_from_slice(&(facts.forgotten.len() as u32).to_le_bytes());
        for key in &facts.forgotten {
            out.extend_from_slice(&key.0.to_le_bytes());
        }
    }
}

fn write_execution(facts: &ExecutionFacts, out: &mut Vec<u8>) {
    let mut bits = 0;
    if facts.undelivered {
        bits |= UNDELIVERED;
    }
    if facts.stopped_at.is_some() {
        bits |= STOPPED;
    }
    if facts.next_timer.is_some() {
        bits |= TIMER;
    }
    if facts.moved.is_some() {
        bits |= MOVED;
    }
    out.extend_from_slice(&facts.key.0.to_le_bytes());
    out.extend_from_slice(&facts.state_machine.0.to_le_bytes());
    out.extend_from_slice(&facts.version.to_le_bytes());
    out.push(status_number(facts.status));
    out.push(bits);
    out.extend_from_slice(&facts.started_at.0.to_le_bytes());
    if let Some(at) = facts.stopped_at {
        out.extend_from_slice(&at.0.to_le_bytes());
    }
    if let Some(at) = facts.next_timer {
        out.extend_from_slice(&at.0.to_le_bytes());
    }
    if let Some(moved) = &facts.moved {
        out.extend_from_slice(&moved.ordinal.to_le_bytes());
        out.extend_from_slice(&moved.oldest_segment.to_le_bytes());
        out.extend_from_slice(&moved.carried_bytes.to_le_bytes());
    }
    out.extend_from_slice(&facts.name_bytes.to_le_bytes());
    out.extend_from_slice(&facts.snapshot_bytes.to_le_bytes());
    out.extend_from_slice(&facts.snapshot_after.to_le_bytes());
    out.extend_from_slice(&facts.events_bytes.to_le_bytes());
}

fn write_waits(facts: &WaitFacts<'_>, out: &mut Vec<u8>) {
    out.extend_from_slice(&(facts.opened.len() as u32).to_le_bytes());
    for opened in &facts.opened {
        let mut bits = 0;
        if opened.endless {
            bits |= ENDLESS;
        }
        if opened.quiet_at.is_some() {
            bits |= QUIET;
        }
        out.push(bits);
        out.extend_from_slice(&opened.wait.0.to_le_bytes());
        out.extend_from_slice(&opened.since.0.to_le_bytes());
        out.extend_from_slice(&(opened.place.len() as u16).to_le_bytes());
        out.extend_from_slice(opened.place.as_bytes());
        if let Some(at) = opened.quiet_at {
            out.extend_from_slice(&at.0.to_le_bytes());
        }
    }
    out.extend_from_slice(&(facts.closed.len() as u32).to_le_bytes());
    for wait in &facts.closed {
        out.extend_from_slice(&wait.0.to_le_bytes());
    }
}

fn write_document(facts: &DocumentFacts<'_>, out: &mut Vec<u8>) {
    let mut bits = 0;
    if facts.removed {
        bits |= REMOVED;
    }
    if facts.due.is_some() {
        bits |= DUE;
    }
    if facts.version.is_some() {
        bits |= VERSION;
    }
    out.push(facts.table as u8);
    out.push(bits);
    out.extend_from_slice(&(facts.key.len() as u16).to_le_bytes());
    out.extend_from_slice(facts.key.as_bytes());
    if let Some(at) = facts.due {
        out.extend_from_slice(&at.0.to_le_bytes());
    }
    if let Some(version) = facts.version {
        out.extend_from_slice(&version.to_le_bytes());
    }
    out.extend_from_slice(&facts.content_bytes.to_le_bytes());
}

/// A payload taken apart.
pub(crate) struct Record<'a> {
    pub facts: Facts<'a>,
    bodies: &'a [u8],
}

impl<'a> Record<'a> {
    /// Reads a payload whose checksum was good; anything unreadable is then not a slip of the disk.
    pub(crate) fn read(payload: &'a [u8]) -> Result<Record<'a>, String> {
        let facts = facts_bytes(payload)?;
        let bodies = &payload[4 + facts.len()..];
        Ok(Record {
            facts: read_facts(facts)?,
            bodies,
        })
    }

    /// The execution's bodies.
    pub(crate) fn execution(&self) -> Result<Option<ExecutionBody<'a>>, String> {
        let Some(facts) = &self.facts.execution else {
            return Ok(None);
        };
        let mut reader = Reader(self.bodies);
        let name = reader.text(usize::from(facts.name_bytes))?;
        let snapshot = reader.take(facts.snapshot_bytes as usize)?;
        let events = reader.take(facts.events_bytes as usize)?;
        Ok(Some(ExecutionBody {
            name,
            snapshot: (!snapshot.is_empty()).then_some(snapshot),
            snapshot_after: facts.snapshot_after as usize,
            events,
        }))
    }

    /// The content of the document at `place` among the record's documents.
    pub(crate) fn content(&self, place: usize) -> Result<&'a [u8], String> {
        let mut reader = Reader(self.bodies);
        if let Some(facts) = &self.facts.execution {
            let bytes = usize::from(facts.name_bytes)
                + facts.snapshot_bytes as usize
                + facts.events_bytes as usize;
            reader.take(bytes)?;
        }
        for document in &self.facts.documents[..place] {
            reader.take(document.content_bytes as usize)?;
        }
        reader.take(self.facts.documents[place].content_bytes as usize)
    }
}

/// The facts of a payload, as bytes.
pub(crate) fn facts_bytes(payload: &[u8]) -> Result<&[u8], String> {
    let mut reader = Reader(payload);
    let length = reader.u32()? as usize;
    reader.take(length)
}

/// Reads facts.
pub(crate) fn read_facts(bytes: &[u8]) -> Result<Facts<'_>, String> {
    let mut reader = Reader(bytes);
    let sections = reader.u8()?;
    if sections & !(HAS_EXECUTION | HAS_DOCUMENTS | HAS_FORGOTTEN | HAS_WAITS) != 0 {
        return Err("it has parts that this program does not know".into());
    }
    let mut facts = Facts::default();
    if sections & HAS_EXECUTION != 0 {
        facts.execution = Some(read_execution(&mut reader)?);
    }
    if sections & HAS_WAITS != 0 {
        facts.waits = read_waits(&mut reader)?;
    }
    if sections & HAS_DOCUMENTS != 0 {
        let count = reader.u32()?;
        for _ in 0..count {
            facts.documents.push(read_document(&mut reader)?);
        }
    }
    if sections & HAS_FORGOTTEN != 0 {
        let count = reader.u32()?;
        for _ in 0..count {
            facts.forgotten.push(ExecutionKey(reader.u128()?));
        }
    }
    Ok(facts)
}

fn read_execution(reader: &mut Reader<'_>) -> Result<ExecutionFacts, String> {
    let key = ExecutionKey(reader.u128()?);
    let state_machine = MachineKey(reader.u128()?);
    let version = reader.u32()?;
    let status = status_of(reader.u8()?)?;
    let bits = reader.u8()?;
    let started_at = reader.time()?;
    let stopped_at = (bits & STOPPED != 0).then(|| reader.time()).transpose()?;
    let next_timer = (bits & TIMER != 0).then(|| reader.time()).transpose()?;
    let moved = if bits & MOVED != 0 {
        Some(Moved {
            ordinal: reader.u64()?,
            oldest_segment: reader.u32()?,
            carried_bytes: reader.u32()?,
        })
    } else {
        None
    };
    Ok(ExecutionFacts {
        key,
        state_machine,
        version,
        status,
        undelivered: bits & UNDELIVERED != 0,
        started_at,
        stopped_at,
        next_timer,
        moved,
        name_bytes: reader.u16()?,
        snapshot_bytes: reader.u32()?,
        snapshot_after: reader.u32()?,
        events_bytes: reader.u32()?,
    })
}

fn read_waits<'a>(reader: &mut Reader<'a>) -> Result<WaitFacts<'a>, String> {
    let mut facts = WaitFacts::default();
    for _ in 0..reader.u32()? {
        let bits = reader.u8()?;
        let wait = WaitId(reader.u32()?);
        let since = reader.time()?;
        let place_bytes = usize::from(reader.u16()?);
        facts.opened.push(WaitFact {
            wait,
            since,
            place: reader.text(place_bytes)?,
            endless: bits & ENDLESS != 0,
            quiet_at: (bits & QUIET != 0).then(|| reader.time()).transpose()?,
        });
    }
    for _ in 0..reader.u32()? {
        facts.closed.push(WaitId(reader.u32()?));
    }
    Ok(facts)
}

fn read_document<'a>(reader: &mut Reader<'a>) -> Result<DocumentFacts<'a>, String> {
    let table = table_of(reader.u8()?)?;
    let bits = reader.u8()?;
    let key_bytes = usize::from(reader.u16()?);
    Ok(DocumentFacts {
        table,
        key: reader.text(key_bytes)?,
        removed: bits & REMOVED != 0,
        due: (bits & DUE != 0).then(|| reader.time()).transpose()?,
        version: (bits & VERSION != 0).then(|| reader.u64()).transpose()?,
        content_bytes: reader.u32()?,
    })
}

/// Reads the events of one or more commits onto the end of `events`.
pub(crate) fn read_events(bytes: &[u8], events: &mut Vec<Event>) -> Result<(), String> {
    for commit in each_commit(bytes) {
        events.extend(commit?);
    }
    Ok(())
}

/// The events of one or more commits, each commit's read as it is its turn.
pub(crate) fn each_commit(mut bytes: &[u8]) -> impl Iterator<Item = Result<Vec<Event>, String>> {
    std::iter::from_fn(move || {
        let read = (!bytes.is_empty()).then(|| rmp_serde::decode::from_read(&mut bytes))?;
        Some(read.map_err(|error| {
            bytes = &[];
            format!("its events can't be read: {error}")
        }))
    })
}

/// Reads a snapshot.
pub(crate) fn read_snapshot(bytes: &[u8]) -> Result<Snapshot, String> {
    rmp_serde::from_slice(bytes).map_err(|error| format!("its snapshot can't be read: {error}"))
}

/// The summary that facts and a name make.
pub(crate) fn summary(facts: &ExecutionFacts, name: &str) -> Summary {
    Summary {
        name: Arc::from(name),
        state_machine: facts.state_machine,
        status: facts.status,
        started_at: facts.started_at,
        stopped_at: facts.stopped_at,
        next_timer: facts.next_timer,
        undelivered: facts.undelivered,
    }
}

/// The number of a status in a record.
pub(crate) fn status_number(status: Status) -> u8 {
    match status {
        Status::Running => 0,
        Status::Succeeded => 1,
        Status::Failed => 2,
        Status::TimedOut => 3,
        Status::Aborted => 4,
    }
}

/// The status with that number.
pub(crate) fn status_of(number: u8) -> Result<Status, String> {
    Ok(match number {
        0 => Status::Running,
        1 => Status::Succeeded,
        2 => Status::Failed,
        3 => Status::TimedOut,
        4 => Status::Aborted,
        _ => {
            return Err(format!(
                "it has a status, {number}, that this program does not know"
            ));
        }
    })
}

/// All tables, in the order of their numbers, in which there may be gaps.
pub(crate) const TABLES: [Table; 22] = [
    Table::Meta,
    Table::StateMachine,
    Table::Definition,
    Table::Activity,
    Table::Reference,
    Table::Delivery,
    Table::Topic,
    Table::Message,
    Table::MapRun,
    Table::Receipt,
    Table::Express,
    Table::Route,
    Table::Redriven,
    Table::Alert,
    Table::Alerting,
    Table::Stuck,
    Table::DeliveryIndex,
    Table::OddDelivery,
    Table::Remote,
    Table::HeldReference,
    Table::FailingSink,
    Table::Abandoned,
];

/// Room for each table in an array that is looked up by its number.
pub(crate) const TABLE_NUMBERS: usize = TABLES[TABLES.len() - 1] as usize + 1;

const _: () = {
    let mut at = 1;
    while at < TABLES.len() {
        assert!((TABLES[at - 1] as u8) < TABLES[at] as u8, "in order");
        at += 1;
    }
};

fn table_of(number: u8) -> Result<Table, String> {
    let found = TABLES.into_iter().find(|table| *table as u8 == number);
    found.ok_or_else(|| {
        format!("it has a kind of document, {number}, that this program does not know")
    })
}

/// Takes bytes off the front.
pub(crate) struct Reader<'a>(pub &'a [u8]);

impl<'a> Reader<'a> {
    pub(crate) fn take(&mut self, bytes: usize) -> Result<&'a [u8], String> {
        let (head, rest) = self
            .0
            .split_at_checked(bytes)
            .ok_or("it is shorter than it says")?;
        self.0 = rest;
        Ok(head)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], String> {
        Ok(self
            .take(N)?
            .try_into()
            .expect("as many bytes as were taken"))
    }

    pub(crate) fn u8(&mut self) -> Result<u8, String> {
        Ok(u8::from_le_bytes(self.array()?))
    }

    pub(crate) fn u16(&mut self) -> Result<u16, String> {
        Ok(u16::from_le_bytes(self.array()?))
    }

    pub(crate) fn u32(&mut self) -> Result<u32, String> {
        Ok(u32::from_le_bytes(self.array()?))
    }

    pub(crate) fn u64(&mut self) -> Result<u64, String> {
        Ok(u64::from_le_bytes(self.array()?))
    }

    fn u128(&mut self) -> Result<u128, String> {
        Ok(u128::from_le_bytes(self.array()?))
    }

    fn time(&mut self) -> Result<Timestamp, String> {
        Ok(Timestamp(i64::from_le_bytes(self.array()?)))
    }

    fn text(&mut self, bytes: usize) -> Result<&'a str, String> {
        std::str::from_utf8(self.take(bytes)?)
            .map_err(|_| "it has text that is not UTF-8".to_string())
    }
}
