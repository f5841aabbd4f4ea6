//! What the log keeps in memory: where everything is, and what lists, timers and restarts ask for.
//!
//! An execution is a [`Slot`] of 80 bytes, found through a hash table of slot numbers; each machine
//! has the numbers of its executions in the order of their starts. What waits for a time is in
//! ordered sets. [`Index::apply`] is the only way in, for the writer after a sync and for a
//! restart alike: the index is a function of the log.
//!
//! It does no IO; the lock around it is never held across any.

use std::collections::{BTreeMap, BTreeSet, BinaryHeap, HashMap};
use std::ops::Bound;

use asl::Timestamp;
use engine::{ExecutionKey, Status};
use hashbrown::HashTable;

use crate::contract::{
    Due, FoundWait, MachineKey, OpenedWait, Table, WaitMark, WaitPlace, WaitQuery,
};
use crate::log::frame::{Kind, Position};
use crate::log::waits::Waits;
use crate::record::{
    DocumentFacts, ExecutionFacts, Facts, TABLE_NUMBERS, TABLES, WaitFacts, status_number,
};

/// Where a record lies, and what its header says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Placed {
    pub position: Position,
    pub sequence: u64,
    pub kind: Kind,
    pub previous: Position,
    /// With header and padding.
    pub bytes: u64,
}

/// An execution.
#[derive(Debug, Clone)]
pub(crate) struct Slot {
    pub key: ExecutionKey,
    /// Its last record.
    pub head: Position,
    /// Its place in lists: the sequence number of its first record.
    pub ordinal: u64,
    started_at: i64,
    stopped_at: i64,
    next_timer: i64,
    pub version: u32,
    machine: u32,
    /// What its records take on disk, but for snapshots that a later one has made useless.
    pub bytes: u32,
    /// The segment of its first record.
    pub oldest_segment: u32,
    snapshot_bytes: u32,
    status: u8,
    undelivered: bool,
}

/// How many statuses there are.
const STATUSES: usize = 5;

/// In the place of a time that is not set.
const NEVER: i64 = i64::MIN;

fn packed(time: Option<Timestamp>) -> i64 {
    time.map_or(NEVER, |time| time.0)
}

impl Slot {
    fn is(&self, status: Option<Status>) -> bool {
        status.is_none_or(|status| status_number(status) == self.status)
    }
}

/// A document.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Entry {
    pub position: Position,
    pub version: u64,
    due: i64,
    bytes: u32,
}

/// What a document costs on disk beside its key and content.
const DOCUMENT_OVERHEAD_BYTES: u64 = 24;

/// A machine's executions, as slot numbers, by ordinal.
#[derive(Default)]
struct Machine {
    executions: Vec<u32>,
}

/// See the module.
pub(crate) struct Index {
    slots: Vec<Slot>,
    free: Vec<u32>,
    by_key: HashTable<u32>,
    machines: Vec<Machine>,
    machine_by_key: HashMap<MachineKey, u32>,
    documents: [BTreeMap<Box<str>, Entry>; TABLE_NUMBERS],
    due_executions: BTreeSet<(i64, u32)>,
    due_documents: BTreeSet<(i64, Table, Box<str>)>,
    /// Executions that have ended, by when.
    ended: BTreeSet<(i64, u32)>,
    /// The open waits of running executions.
    waits: Waits,
    /// How many executions have each status, by its number.
    by_status: [u64; STATUSES],
    /// How many documents of each table have a time at which they want attention.
    with_due: [usize; TABLE_NUMBERS],
    /// While a log is read, the ordered parts are not kept up; [`Index::finish`] makes them at once.
    reading: bool,
    live_bytes: u64,
}

fn hash(key: ExecutionKey) -> u64 {
    // The key is a piece of a SHA-256, so folding it is hashing enough; the product spreads small test keys.
    ((key.0 >> 64) as u64 ^ key.0 as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

impl Index {
    /// An index to be filled from a log.
    pub(crate) fn new() -> Index {
        Index {
            slots: Vec::new(),
            free: Vec::new(),
            by_key: HashTable::new(),
            machines: Vec::new(),
            machine_by_key: HashMap::new(),
            documents: std::array::from_fn(|_| BTreeMap::new()),
            due_executions: BTreeSet::new(),
            due_documents: BTreeSet::new(),
            ended: BTreeSet::new(),
            waits: Waits::default(),
            by_status: [0; STATUSES],
            with_due: [0; TABLE_NUMBERS],
            reading: true,
            live_bytes: 0,
        }
    }

    /// Ends the reading of a log: checks that every execution is whole, given that `first_segment` is the
    /// oldest that is there, and makes the ordered parts.
    pub(crate) fn finish(&mut self, first_segment: u32) -> Result<(), String> {
        self.reading = false;
        let free: std::collections::HashSet<u32> = self.free.iter().copied().collect();
        let mut due = Vec::new();
        let mut ended = Vec::new();
        for (number, slot) in self.slots.iter().enumerate() {
            let number = number as u32;
            if free.contains(&number) {
                continue;
            }
            if slot.oldest_segment < first_segment {
                return Err(format!(
                    "the first records of an execution, in segment {}, are missing",
                    slot.oldest_segment
                ));
            }
            self.machines[slot.machine as usize].executions.push(number);
            if slot.next_timer != NEVER {
                due.push((slot.next_timer, number));
            }
            if slot.stopped_at != NEVER {
                ended.push((slot.stopped_at, number));
            }
        }
        for machine in &mut self.machines {
            machine
                .executions
                .sort_unstable_by_key(|number| self.slots[*number as usize].ordinal);
            machine.executions.shrink_to_fit();
        }
        self.due_executions = due.into_iter().collect();
        self.ended = ended.into_iter().collect();
        self.waits.finish();
        for table in TABLES {
            for (key, entry) in &self.documents[table as usize] {
                if entry.due != NEVER {
                    self.due_documents.insert((entry.due, table, key.clone()));
                }
            }
        }
        Ok(())
    }

    /// Makes room for that many more executions.
    pub(crate) fn reserve(&mut self, executions: usize) {
        self.slots.reserve(executions);
        let slots = &self.slots;
        self.by_key
            .reserve(executions, |number| hash(slots[*number as usize].key));
    }

    pub(crate) fn executions(&self) -> u64 {
        (self.slots.len() - self.free.len()) as u64
    }

    /// How many of them have not ended.
    pub(crate) fn open(&self) -> u64 {
        self.executions() - self.ended.len() as u64
    }

    /// How many documents a table has.
    pub(crate) fn count(&self, table: Table) -> usize {
        self.documents[table as usize].len()
    }

    /// How many documents of a table want attention at some time.
    pub(crate) fn with_due(&self, table: Table) -> usize {
        self.with_due[table as usize]
    }

    /// How many executions have a status.
    pub(crate) fn with_status(&self, status: Status) -> u64 {
        self.by_status[usize::from(status_number(status))]
    }

    /// The open waits of an execution.
    pub(crate) fn waits_of(&self, key: ExecutionKey) -> Vec<FoundWait> {
        let Some(number) = self.number(key) else {
            return Vec::new();
        };
        let waits = self.waits.of(number).into_iter();
        waits.map(|opened| self.found(number, opened)).collect()
    }

    /// Places with open waits.
    pub(crate) fn wait_places(&self) -> Vec<WaitPlace> {
        self.waits.places()
    }

    /// Open waits, the oldest first.
    pub(crate) fn waits(&self, query: &WaitQuery<'_>) -> Vec<FoundWait> {
        let found = self.waits.find(query).into_iter();
        found
            .map(|(number, opened)| self.found(number, opened))
            .collect()
    }

    /// Open waits whose silence becomes odd in a span of time.
    pub(crate) fn quiet_waits(
        &self,
        after: Timestamp,
        until: Timestamp,
        limit: usize,
    ) -> Vec<FoundWait> {
        let found = self.waits.quiet(after, until, limit).into_iter();
        found
            .map(|(number, opened)| self.found(number, opened))
            .collect()
    }

    fn found(&self, number: u32, opened: OpenedWait) -> FoundWait {
        FoundWait {
            execution: self.slots[number as usize].key,
            mark: WaitMark {
                since: opened.since,
                slot: number,
                wait: opened.wait,
            },
            opened,
        }
    }

    /// What would be left on disk if only what is needed were there.
    pub(crate) fn live_bytes(&self) -> u64 {
        self.live_bytes
    }

    fn number(&self, key: ExecutionKey) -> Option<u32> {
        self.by_key
            .find(hash(key), |number| self.slots[*number as usize].key == key)
            .copied()
    }

    pub(crate) fn slot(&self, key: ExecutionKey) -> Option<&Slot> {
        self.number(key).map(|number| &self.slots[number as usize])
    }

    pub(crate) fn document(&self, table: Table, key: &str) -> Option<&Entry> {
        self.documents[table as usize].get(key)
    }

    /// Takes over what a durable record says. An error means that the log contradicts itself.
    pub(crate) fn apply(&mut self, placed: Placed, facts: &Facts<'_>) -> Result<(), String> {
        if placed.kind == Kind::Part {
            return Ok(());
        }
        let mut bytes = placed.bytes;
        for (place, document) in facts.documents.iter().enumerate() {
            let mut share = document.key.len() as u64
                + u64::from(document.content_bytes)
                + DOCUMENT_OVERHEAD_BYTES;
            if facts.execution.is_none() && place == 0 {
                // Somebody has to bear the header.
                share += crate::log::frame::HEADER_BYTES as u64;
            }
            bytes = bytes.saturating_sub(share);
            self.apply_document(placed, document, share);
        }
        if let Some(execution) = &facts.execution {
            let number = self.apply_execution(placed, execution, bytes)?;
            self.apply_waits(number, placed.kind, execution, &facts.waits);
        }
        if !facts.forgotten.is_empty() {
            self.forget(&facts.forgotten);
        }
        Ok(())
    }

    fn apply_document(&mut self, placed: Placed, facts: &DocumentFacts<'_>, bytes: u64) {
        let documents = &mut self.documents[facts.table as usize];
        if facts.removed {
            if let Some((key, entry)) = documents.remove_entry(facts.key) {
                self.live_bytes -= u64::from(entry.bytes);
                if entry.due != NEVER {
                    self.with_due[facts.table as usize] -= 1;
                    self.due_documents.remove(&(entry.due, facts.table, key));
                }
            }
            return;
        }
        let entry = Entry {
            position: placed.position,
            version: facts.version.unwrap_or(placed.sequence),
            due: packed(facts.due),
            bytes: u32::try_from(bytes).unwrap_or(u32::MAX),
        };
        self.live_bytes += u64::from(entry.bytes);
        let before = match documents.get_mut(facts.key) {
            Some(known) => Some(std::mem::replace(known, entry)),
            None => {
                documents.insert(facts.key.into(), entry);
                None
            }
        };
        let with_due = &mut self.with_due[facts.table as usize];
        *with_due += usize::from(entry.due != NEVER);
        if let Some(before) = before {
            self.live_bytes -= u64::from(before.bytes);
            *with_due -= usize::from(before.due != NEVER);
        }
        if self.reading {
            return;
        }
        // A rewritten document has not changed, so if it was handed out it stays so.
        if placed.kind == Kind::Moved {
            return;
        }
        if let Some(before) = before.filter(|before| before.due != NEVER) {
            self.due_documents
                .remove(&(before.due, facts.table, facts.key.into()));
        }
        if entry.due != NEVER {
            self.due_documents
                .insert((entry.due, facts.table, facts.key.into()));
        }
    }

    fn apply_waits(
        &mut self,
        number: u32,
        kind: Kind,
        execution: &ExecutionFacts,
        facts: &WaitFacts<'_>,
    ) {
        if execution.status != Status::Running {
            return self.waits.clear(number);
        }
        // A rewritten execution has not changed.
        if self.reading || kind != Kind::Moved {
            let whole = execution.moved.is_some();
            self.waits
                .apply(number, &facts.opened, &facts.closed, whole);
        }
    }

    /// Gives the execution's slot.
    fn apply_execution(
        &mut self,
        placed: Placed,
        facts: &ExecutionFacts,
        bytes: u64,
    ) -> Result<u32, String> {
        let number = match self.number(facts.key) {
            Some(number) => number,
            None => self.insert(placed, facts)?,
        };
        let machine = self.machine(facts.state_machine);
        let slot = &mut self.slots[number as usize];
        let before = (slot.next_timer, slot.stopped_at);
        let bytes_before = u64::from(slot.bytes);
        let grown = if let Some(moved) = facts.moved {
            // Behind a commit whose beginnings were deleted the version is known all the same.
            if slot.version != facts.version {
                return Err("an execution was rewritten at a version that it does not have".into());
            }
            slot.ordinal = moved.ordinal;
            slot.oldest_segment = if moved.oldest_segment == 0 {
                placed.position.segment()
            } else {
                moved.oldest_segment
            };
            bytes + u64::from(moved.carried_bytes)
        } else {
            if slot.version + 1 != facts.version || slot.head != placed.previous {
                return Err("an execution's commits do not follow one another".into());
            }
            let mut grown = bytes_before + bytes;
            if facts.snapshot_bytes > 0 {
                grown = grown.saturating_sub(u64::from(slot.snapshot_bytes));
            }
            grown
        };
        if facts.snapshot_bytes > 0 || facts.moved.is_some() {
            slot.snapshot_bytes = facts.snapshot_bytes;
        }
        slot.bytes = u32::try_from(grown).unwrap_or(u32::MAX);
        slot.head = placed.position;
        slot.version = facts.version;
        slot.started_at = facts.started_at.0;
        slot.stopped_at = packed(facts.stopped_at);
        slot.next_timer = packed(facts.next_timer);
        self.by_status[usize::from(slot.status)] -= 1;
        slot.status = status_number(facts.status);
        self.by_status[usize::from(slot.status)] += 1;
        slot.undelivered = facts.undelivered;
        let after = (slot.next_timer, slot.stopped_at);
        self.live_bytes = self.live_bytes + u64::from(slot.bytes) - bytes_before;
        debug_assert_eq!(
            slot.machine, machine,
            "an execution does not change its machine"
        );
        // A rewritten execution has not changed, so if its timer was handed out it stays so.
        if self.reading || placed.kind == Kind::Moved {
            return Ok(number);
        }
        // The timer that was handed out is set again by a commit, even if it is the same.
        if before.0 != after.0 && before.0 != NEVER {
            self.due_executions.remove(&(before.0, number));
        }
        if after.0 != NEVER {
            self.due_executions.insert((after.0, number));
        }
        if before.1 != after.1 {
            self.ended.remove(&(before.1, number));
            if after.1 != NEVER {
                self.ended.insert((after.1, number));
            }
        }
        Ok(number)
    }

    /// A slot for an execution that is not known yet, as it was before this record.
    fn insert(&mut self, placed: Placed, facts: &ExecutionFacts) -> Result<u32, String> {
        let first = facts.version == 1 && facts.moved.is_none();
        if !first && !self.reading {
            return Err("a commit goes on with an execution that is not there".into());
        }
        if first != (placed.previous == Position::NOWHERE) && facts.moved.is_none() {
            return Err("an execution's first record names another before it".into());
        }
        let machine = self.machine(facts.state_machine);
        let slot = Slot {
            key: facts.key,
            head: placed.previous,
            ordinal: placed.sequence,
            started_at: facts.started_at.0,
            stopped_at: NEVER,
            next_timer: NEVER,
            version: if facts.moved.is_some() {
                facts.version
            } else {
                facts.version - 1
            },
            machine,
            bytes: 0,
            // If its beginnings were in a segment that is gone, then a later record either rewrites or
            // forgets it; `finish` makes sure.
            oldest_segment: if first {
                placed.position.segment()
            } else {
                placed.previous.segment()
            },
            snapshot_bytes: 0,
            status: status_number(Status::Running),
            undelivered: false,
        };
        self.by_status[usize::from(slot.status)] += 1;
        let number = match self.free.pop() {
            Some(number) => {
                self.slots[number as usize] = slot;
                number
            }
            None => {
                let number =
                    u32::try_from(self.slots.len()).map_err(|_| "there are too many executions")?;
                self.slots.push(slot);
                number
            }
        };
        let slots = &self.slots;
        self.by_key
            .insert_unique(hash(facts.key), number, |number| {
                hash(slots[*number as usize].key)
            });
        if !self.reading {
            self.machines[machine as usize].executions.push(number);
        }
        Ok(number)
    }

    fn machine(&mut self, key: MachineKey) -> u32 {
        if let Some(number) = self.machine_by_key.get(&key) {
            return *number;
        }
        let number = self.machines.len() as u32;
        self.machines.push(Machine::default());
        self.machine_by_key.insert(key, number);
        number
    }

    fn forget(&mut self, keys: &[ExecutionKey]) {
        let mut freed = Vec::new();
        for key in keys {
            let slots = &self.slots;
            let Ok(found) = self
                .by_key
                .find_entry(hash(*key), |number| slots[*number as usize].key == *key)
            else {
                continue;
            };
            let number = found.remove().0;
            let slot = &self.slots[number as usize];
            self.live_bytes -= u64::from(slot.bytes);
            self.by_status[usize::from(slot.status)] -= 1;
            self.waits.clear(number);
            self.due_executions.remove(&(slot.next_timer, number));
            self.ended.remove(&(slot.stopped_at, number));
            freed.push(number);
        }
        if !self.reading {
            // One pass over each machine's list, however many go.
            let gone: std::collections::HashSet<u32> = freed.iter().copied().collect();
            let machines: BTreeSet<u32> = freed
                .iter()
                .map(|number| self.slots[*number as usize].machine)
                .collect();
            for machine in machines {
                self.machines[machine as usize]
                    .executions
                    .retain(|number| !gone.contains(number));
            }
        }
        self.free.extend(freed);
    }

    /// Executions with a status, of one machine or of all, newest start first: at most `look` slots are
    /// looked at. Returns what was found, and the place after the last one looked at if there are more.
    pub(crate) fn list(
        &self,
        machine: Option<MachineKey>,
        status: Option<Status>,
        after: Option<u64>,
        limit: usize,
        look: usize,
    ) -> (Vec<ExecutionKey>, Option<u64>) {
        // The lists of all machines are merged; each is walked from its end.
        let mut heads = BinaryHeap::new();
        let machines: Box<dyn Iterator<Item = u32>> = match machine {
            Some(key) => Box::new(self.machine_by_key.get(&key).copied().into_iter()),
            None => Box::new(0..self.machines.len() as u32),
        };
        let ordinal = |machine: u32, place: usize| {
            let number = self.machines[machine as usize].executions[place];
            self.slots[number as usize].ordinal
        };
        for machine in machines {
            let list = &self.machines[machine as usize].executions;
            let end = match after {
                Some(after) => {
                    list.partition_point(|number| self.slots[*number as usize].ordinal < after)
                }
                None => list.len(),
            };
            if end > 0 {
                heads.push((ordinal(machine, end - 1), machine, end - 1));
            }
        }
        let mut found = Vec::new();
        let mut looked = 0;
        let mut last = None;
        while found.len() < limit && looked < look {
            let Some((at, machine, place)) = heads.pop() else {
                return (found, None);
            };
            let slot = &self.slots[self.machines[machine as usize].executions[place] as usize];
            if slot.is(status) {
                found.push(slot.key);
            }
            looked += 1;
            last = Some(at);
            if place > 0 {
                heads.push((ordinal(machine, place - 1), machine, place - 1));
            }
        }
        let more = !heads.is_empty();
        (found, if more { last.or(after) } else { None })
    }

    /// Open executions with dispatches to be made again, in the order of their slots, which stays.
    pub(crate) fn undelivered(
        &self,
        after: Option<ExecutionKey>,
        limit: usize,
    ) -> Vec<ExecutionKey> {
        // A key that is no longer there starts from the beginning: twice is better than never.
        let from = after
            .and_then(|key| self.number(key))
            .map_or(0, |number| number as usize + 1);
        let running = status_number(Status::Running);
        self.slots[from..]
            .iter()
            .enumerate()
            .filter(|(_, slot)| slot.undelivered && slot.status == running)
            // A freed slot keeps its last content.
            .filter(|(place, slot)| self.number(slot.key) == Some((from + place) as u32))
            .map(|(_, slot)| slot.key)
            .take(limit)
            .collect()
    }

    /// Keys of documents in their order, or backwards.
    pub(crate) fn scan(
        &self,
        table: Table,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
        backwards: bool,
    ) -> Vec<String> {
        let documents = &self.documents[table as usize];
        let mut found = Vec::new();
        if backwards {
            let upper = match after {
                Some(after) if after < prefix => return found,
                Some(after) if after.starts_with(prefix) => Bound::Excluded(after.to_owned()),
                _ => after_all_with(prefix).map_or(Bound::Unbounded, Bound::Excluded),
            };
            let range = (Bound::Unbounded, upper.as_ref().map(String::as_str));
            for key in documents.range::<str, _>(range).rev().map(|(key, _)| key) {
                if found.len() == limit || !key.starts_with(prefix) {
                    break;
                }
                found.push(key.to_string());
            }
        } else {
            let lower = match after {
                Some(after) if after >= prefix => Bound::Excluded(after),
                _ => Bound::Included(prefix),
            };
            for key in documents
                .range::<str, _>((lower, Bound::Unbounded))
                .map(|(key, _)| key)
            {
                if found.len() == limit || !key.starts_with(prefix) {
                    break;
                }
                found.push(key.to_string());
            }
        }
        found
    }

    pub(crate) fn next_due(&self) -> Option<Timestamp> {
        let execution = self.due_executions.first().map(|(at, _)| *at);
        let document = self.due_documents.first().map(|(at, _, _)| *at);
        match (execution, document) {
            (Some(a), Some(b)) => Some(Timestamp(a.min(b))),
            (a, b) => a.or(b).map(Timestamp),
        }
    }

    pub(crate) fn take_due(&mut self, now: Timestamp, limit: usize) -> Vec<Due> {
        let mut taken = Vec::new();
        while taken.len() < limit {
            let execution = self.due_executions.first().map_or(i64::MAX, |(at, _)| *at);
            let document = self
                .due_documents
                .first()
                .map_or(i64::MAX, |(at, _, _)| *at);
            if execution <= document {
                match self.due_executions.first() {
                    Some((at, number)) if *at <= now.0 => {
                        taken.push(Due::Execution(self.slots[*number as usize].key));
                        self.due_executions.pop_first();
                    }
                    _ => break,
                }
            } else {
                match self.due_documents.pop_first() {
                    Some((at, table, key)) if at <= now.0 => {
                        taken.push(Due::Document(table, key.into()))
                    }
                    Some(not_yet) => {
                        self.due_documents.insert(not_yet);
                        break;
                    }
                    None => break,
                }
            }
        }
        taken
    }

    /// Sets what was taken again, at its own time, which has come.
    pub(crate) fn give_back(&mut self, due: Due) {
        match due {
            Due::Execution(key) => {
                if let Some(number) = self.number(key) {
                    let at = self.slots[number as usize].next_timer;
                    if at != NEVER {
                        self.due_executions.insert((at, number));
                    }
                }
            }
            Due::Document(table, key) => {
                if let Some(entry) = self.document(table, &key) {
                    let at = entry.due;
                    if at != NEVER {
                        self.due_documents.insert((at, table, key.into()));
                    }
                }
            }
        }
    }

    /// Executions that ended before `time`, the earliest first, with their last records.
    pub(crate) fn ended_before(
        &self,
        time: Timestamp,
        limit: usize,
    ) -> Vec<(ExecutionKey, Position)> {
        self.ended
            .range(..(time.0, 0))
            .take(limit)
            .map(|(_, number)| &self.slots[*number as usize])
            .map(|slot| (slot.key, slot.head))
            .collect()
    }

    /// When the oldest open execution started. All slots are looked at.
    pub(crate) fn oldest_open(&self) -> Option<Timestamp> {
        let slots = self
            .by_key
            .iter()
            .map(|number| &self.slots[*number as usize]);
        let open = slots.filter(|slot| slot.stopped_at == NEVER);
        open.map(|slot| Timestamp(slot.started_at)).min()
    }

    /// Open executions that started before `time`, at most `limit`. All slots are looked at.
    pub(crate) fn open_since_before(&self, time: Timestamp, limit: usize) -> Vec<ExecutionKey> {
        self.by_key
            .iter()
            .map(|number| &self.slots[*number as usize])
            .filter(|slot| slot.stopped_at == NEVER && slot.started_at < time.0)
            .take(limit)
            .map(|slot| slot.key)
            .collect()
    }
}

/// The smallest text that comes after every text that begins with `prefix`; `None` if there is none.
fn after_all_with(prefix: &str) -> Option<String> {
    let mut characters: Vec<char> = prefix.chars().collect();
    while let Some(last) = characters.pop() {
        // Characters sort as their UTF-8 does. The gap of the surrogates has no characters.
        let next = (last as u32 + 1..=char::MAX as u32).find_map(char::from_u32);
        if let Some(next) = next {
            characters.push(next);
            return Some(characters.into_iter().collect());
        }
    }
    None
}
