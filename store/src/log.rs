//! The embedded keeper.

use std::path::PathBuf;

use asl::Timestamp;
use engine::{Event, ExecutionKey};

use crate::contract::*;

/// How to keep.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where; `None` keeps everything in memory and forgets it at the end.
    pub directory: Option<PathBuf>,
}

/// The store. Cloning is a reference count.
#[derive(Clone)]
pub struct Store {}

impl Store {
    /// Opens or creates a store.
    ///
    /// # Errors
    /// One sentence that says what is wrong and what to do: in use, newer than the program, not
    /// writable, damaged.
    pub fn open(options: Options) -> Result<(Store, Opening), StoreError> {
        let _ = options;
        todo!()
    }

    /// Makes a commit durable. Returns the execution's new version (0 if the commit had none).
    ///
    /// # Errors
    /// [`CommitError`].
    pub async fn commit(&self, commit: Commit) -> Result<u32, CommitError> {
        let _ = commit;
        todo!()
    }

    /// An execution from its last snapshot on.
    ///
    /// # Errors
    /// If it can't be read.
    pub async fn load(&self, key: ExecutionKey) -> Result<Option<Loaded>, StoreError> {
        let _ = key;
        todo!()
    }

    /// All events of an execution, from its start.
    ///
    /// # Errors
    /// If they can't be read.
    pub async fn events(&self, key: ExecutionKey) -> Result<Vec<Event>, StoreError> {
        let _ = key;
        todo!()
    }

    /// An execution in brief.
    ///
    /// # Errors
    /// If it can't be read.
    pub async fn summary(&self, key: ExecutionKey) -> Result<Option<Summary>, StoreError> {
        let _ = key;
        todo!()
    }

    /// A page of executions, newest start first.
    ///
    /// # Errors
    /// If they can't be read.
    pub async fn list(&self, query: ListQuery) -> Result<ListPage, StoreError> {
        let _ = query;
        todo!()
    }

    /// The open executions whose dispatches have to be made again, in pages: `after` is the last
    /// key of the page before.
    pub async fn undelivered(
        &self,
        after: Option<ExecutionKey>,
        limit: usize,
    ) -> Vec<ExecutionKey> {
        let _ = (after, limit);
        todo!()
    }

    /// A document.
    ///
    /// # Errors
    /// If it can't be read.
    pub async fn get(&self, table: Table, key: &str) -> Result<Option<Document>, StoreError> {
        let _ = (table, key);
        todo!()
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
        let _ = (table, prefix, after, limit, backwards);
        todo!()
    }

    /// When the next thing is due.
    pub fn next_due(&self) -> Option<Timestamp> {
        todo!()
    }

    /// Waits until [`Store::next_due`] has become earlier than it was when this was called.
    pub async fn due_moved(&self) {
        todo!()
    }

    /// Takes what is due by `now`, earliest first, at most `limit`.
    pub fn take_due(&self, now: Timestamp, limit: usize) -> Vec<Due> {
        let _ = (now, limit);
        todo!()
    }

    /// Puts something taken back, since it could not be dealt with; it is due again at once.
    pub fn give_back(&self, due: Due) {
        let _ = due;
        todo!()
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
        let _ = (time, limit);
        todo!()
    }
}

/// What opening a store found.
#[derive(Debug, Clone, Default)]
pub struct Opening {
    /// Executions, open and ended.
    pub executions: u64,
    /// What an operator should know: a torn tail that was cut off (bytes, where).
    pub notes: Vec<String>,
}
