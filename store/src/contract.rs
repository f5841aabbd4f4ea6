//! What goes into a store and comes out of it.

use std::sync::Arc;

use asl::Timestamp;
use engine::{Event, ExecutionKey, Snapshot, Status, WaitId};

/// Everything that must become durable together.
#[derive(Debug, Default)]
pub struct Commit {
    /// At most one execution.
    pub execution: Option<ExecutionCommit>,
    /// Documents that change with it.
    pub documents: Vec<DocumentChange>,
}

/// New events of one execution.
#[derive(Debug)]
pub struct ExecutionCommit {
    /// Which execution.
    pub key: ExecutionKey,
    /// How many commits it had when it was read; 0 starts a new one.
    pub expected_version: u32,
    /// What happened. Shared with the caller, which goes on to act on them.
    pub events: Arc<[Event]>,
    /// The execution after these events, from time to time, so that it can be read without all of them.
    pub snapshot: Option<Snapshot>,
    /// What lists, timers and restarts need to know without reading events.
    pub summary: Summary,
    /// What becomes of its open waits. They are all over once the execution is not running.
    pub waits: WaitChanges,
}

/// Which waits of an execution opened and ended with a commit.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct WaitChanges {
    /// Those that are open from now on, or known better: the last word on a wait counts.
    pub opened: Vec<OpenedWait>,
    /// Those that are over. One that was never opened here does no harm.
    pub closed: Vec<WaitId>,
}

/// A wait that is open, as far as an index of all of them goes; what else there is to know of it is the
/// execution's.
#[derive(Debug, Clone, PartialEq)]
pub struct OpenedWait {
    /// Its number in the execution.
    pub wait: WaitId,
    /// Since when.
    pub since: Timestamp,
    /// Where, in the words of whoever commits: waits of the same place are found together.
    pub place: Arc<str>,
    /// Whether no time is set at which it ends.
    pub endless: bool,
    /// When its silence will be odd, if it is a wait that has not been silent so far.
    pub quiet_at: Option<Timestamp>,
}

/// A wait that was found open.
#[derive(Debug, Clone, PartialEq)]
pub struct FoundWait {
    /// Whose.
    pub execution: ExecutionKey,
    /// As it was opened.
    pub opened: OpenedWait,
    /// Its place among all, for [`WaitQuery::after`].
    pub mark: WaitMark,
}

/// A place among all open waits, which are in the order of their ages. Of waits of the same millisecond
/// the order may be another one after a restart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct WaitMark {
    /// [`OpenedWait::since`].
    pub since: Timestamp,
    /// The execution's number in the store.
    pub slot: u32,
    /// [`OpenedWait::wait`].
    pub wait: WaitId,
}

/// Which open waits are wanted.
pub struct WaitQuery<'a> {
    /// In which places.
    pub places: Places<'a>,
    /// Whether those that opened last come first, and not the oldest.
    pub newest_first: bool,
    /// From after this one, in that order.
    pub after: Option<WaitMark>,
    /// Open since this moment or before.
    pub until: Option<Timestamp>,
    /// At most this many.
    pub limit: usize,
}

/// Some of the places in which there are open waits.
pub enum Places<'a> {
    /// Those for which this says so.
    Those(&'a dyn Fn(&WaitPlace) -> bool),
    /// One, by [`OpenedWait::place`] and [`OpenedWait::endless`].
    One(&'a str, bool),
}

/// A place in which there are open waits.
#[derive(Debug, Clone, PartialEq)]
pub struct WaitPlace {
    /// [`OpenedWait::place`].
    pub place: Arc<str>,
    /// [`OpenedWait::endless`]: those that are and those that are not are two places.
    pub endless: bool,
    /// How many there are.
    pub open: usize,
    /// Since when the oldest is open.
    pub oldest: Timestamp,
}

/// An execution in brief. Kept in memory for each, except the name.
#[derive(Debug, Clone, PartialEq)]
pub struct Summary {
    /// Its name, for lists.
    pub name: Arc<str>,
    /// Its machine: the key of the machine's ARN.
    pub state_machine: MachineKey,
    /// Its status.
    pub status: Status,
    /// When it was started.
    pub started_at: Timestamp,
    /// When it ended.
    pub stopped_at: Option<Timestamp>,
    /// When it wants a tick; it is then handed out by [`crate::Store::take_due`].
    pub next_timer: Option<Timestamp>,
    /// Whether it has dispatches to be made again after a restart.
    pub undelivered: bool,
}

/// Names a state machine in lists: the first 16 bytes of the SHA-256 of its ARN.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MachineKey(pub u128);

impl MachineKey {
    /// The key of the machine with this ARN.
    pub fn of(arn: &str) -> MachineKey {
        MachineKey(ExecutionKey::of(arn).0)
    }
}

/// Kinds of documents. The number is what is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Table {
    /// The server's own facts: its token key.
    Meta = 0,
    /// State machines, by ARN.
    StateMachine = 1,
    /// Definition texts, by their hash; executions name the one they run.
    Definition = 2,
    /// Activities, by ARN.
    Activity = 3,
    /// A third party's references, by route and reference.
    Reference = 4,
    /// Callbacks received, by their id (which sorts by time).
    Delivery = 5,
    /// Topics, by ARN.
    Topic = 6,
    /// Messages published, by topic and id (which sorts by time).
    Message = 7,
    /// Map Runs, by ARN.
    MapRun = 8,
    /// Signed ids of callbacks that were taken, by route and id.
    Receipt = 9,
    /// Express executions that were started and have not ended, by ARN.
    Express = 10,
    /// Callback routes that were made over the API, by name.
    Route = 11,
    /// Executions that were redriven, by key.
    Redriven = 12,
    /// Alerts, by their id (which sorts by time).
    Alert = 13,
    /// What alerts are made of: those raised that nobody has looked at yet, and the windows that count them.
    Alerting = 14,
    /// What was said of waits that are open for long, by what it is about.
    Stuck = 15,
    /// What a callback is found by beside its id: its reference, its execution, its disposition. No content.
    DeliveryIndex = 16,
    /// Callbacks that did not go the plain way, by their id. No content. Of older stores: they are in
    /// [`Table::DeliveryIndex`] now.
    OddDelivery = 17,
    /// Deliveries on their way to an engine elsewhere, by engine, route, reference and id.
    Remote = 21,
    /// References by the wait that holds them. No content.
    HeldReference = 22,
    /// What was said to fail: subscribers, by topic and subscriber; engines elsewhere, by name. No content.
    FailingSink = 23,
    /// Waits for an execution that nobody waits for any more and is to be stopped, by execution and wait. No content.
    Abandoned = 24,
}

/// A document to be written or removed.
#[derive(Debug, Clone)]
pub struct DocumentChange {
    /// Its kind.
    pub table: Table,
    /// Its key, at most [`DOCUMENT_KEY_BYTES_MAX`] bytes. Keys sort by their bytes.
    pub key: String,
    /// What must be true for the commit to go through.
    pub expect: Expect,
    /// Its new content, or `None` to remove it.
    pub content: Option<Vec<u8>>,
    /// When it wants attention; it is then handed out by [`crate::Store::take_due`].
    pub due: Option<Timestamp>,
}

/// A key has to fit in memory a million times; a reference of a third party is a part of one.
pub const DOCUMENT_KEY_BYTES_MAX: usize = 1024;

/// What a change takes for granted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expect {
    /// Nothing: the last writer wins.
    Any,
    /// There is no such document.
    Absent,
    /// The document is as it was read.
    Version(u64),
}

/// A document as it was read.
#[derive(Debug, Clone, PartialEq)]
pub struct Document {
    /// Changes with every write of this key, and is never used again for it, even if it is removed in between.
    pub version: u64,
    /// What was written.
    pub content: Vec<u8>,
    /// When it wants attention.
    pub due: Option<Timestamp>,
}

/// An execution as it was read: apply the events to the snapshot, or replay them from the start.
#[derive(Debug)]
pub struct Loaded {
    /// For [`ExecutionCommit::expected_version`].
    pub version: u32,
    /// The last one stored.
    pub snapshot: Option<Snapshot>,
    /// The events after the snapshot, or all.
    pub events: Vec<Event>,
}

/// Something whose time has come. It is handed out once, and again only after its next commit, after
/// [`crate::Store::give_back`], or after a restart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Due {
    /// [`Summary::next_timer`].
    Execution(ExecutionKey),
    /// [`DocumentChange::due`].
    Document(Table, String),
}

/// Which executions to list, newest start first.
#[derive(Debug, Clone)]
pub struct ListQuery {
    /// Of this machine, or of all.
    pub state_machine: Option<MachineKey>,
    /// With this status, or any.
    pub status: Option<Status>,
    /// From after this place, which an earlier answer gave.
    pub after: Option<u64>,
    /// At most this many.
    pub limit: usize,
}

/// A page of a list.
#[derive(Debug)]
pub struct ListPage {
    /// What was found.
    pub executions: Vec<(ExecutionKey, Summary)>,
    /// Where to go on, if there is more.
    pub next: Option<u64>,
}

/// Why a commit was not made.
#[derive(Debug)]
pub enum CommitError {
    /// Somebody else was first: a version is not what was expected. Nothing was written.
    Conflict,
    /// The disk said no. The store takes no further commits until it is opened again, since what
    /// is on disk is no longer known; the text says what happened.
    Storage(String),
}

/// Why a store did not open, or could not read.
#[derive(Debug)]
pub struct StoreError(pub String);

impl std::fmt::Display for CommitError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            CommitError::Conflict => f.write_str("changed by somebody else in the meantime"),
            CommitError::Storage(what) => write!(f, "the store can't write: {what}"),
        }
    }
}

impl std::error::Error for CommitError {}

impl std::fmt::Display for StoreError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for StoreError {}
