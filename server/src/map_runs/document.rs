//! What is stored of a Map Run.
//!
//! A document is JSON; a field is never renamed or taken away, a new one has `#[serde(default)]`. As long
//! as the Map Run goes on its document is due, so that it is taken up after a restart whatever has become
//! of the execution that it belongs to. Once it has ended, it is due when it has been kept long enough.

use std::sync::Arc;

use asl::{Data, Failure, Timestamp};
use engine::WaitId;
use serde::{Deserialize, Serialize};
use store::{Commit, CommitError, DocumentChange, Expect, Store, Table};

use super::tally::{Settings, Tally};

/// A Map Run, as it is stored.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Record {
    /// `arn:aws:states:REGION:ACCOUNT:mapRun:MACHINE/LABEL:UUID`.
    pub arn: Arc<str>,
    /// Whose Map state started it.
    pub execution_arn: Arc<str>,
    /// The Map state's wait for it.
    pub wait: WaitId,
    /// How many children at once, how many failures.
    pub settings: Settings,
    /// Its status.
    pub standing: Standing,
    /// When it was started.
    pub started_at: Timestamp,
    /// When it ended.
    pub stopped_at: Option<Timestamp>,
    /// What came of its children, when it ended last.
    pub tally: Tally,
    /// When it may be forgotten, once it has ended.
    #[serde(default)]
    pub forget_at: Option<Timestamp>,
    /// How often it has been redriven.
    #[serde(default)]
    pub redrives: u32,
    /// When it was redriven last.
    #[serde(default)]
    pub redriven_at: Option<Timestamp>,
}

impl Record {
    /// The ARN of what its children run: `arn:aws:states:REGION:ACCOUNT:stateMachine:MACHINE/LABEL`.
    pub fn state_machine_arn(&self) -> String {
        let (machine, _) = self.arn.rsplit_once(':').unwrap_or((&self.arn, ""));
        machine.replacen(":mapRun:", ":stateMachine:", 1)
    }
}

/// The life of a Map Run: it runs, and then one of the others; a redrive has it run again.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Standing {
    /// Children are started and watched.
    Running,
    /// They have ended well enough. What was written elsewhere is named; else the result is put together
    /// from the children's.
    Succeeded {
        /// The result, if it is not the list of the children's.
        output: Option<Data>,
    },
    /// Too many have failed, or the items could not be read, or the results not be written.
    Failed {
        /// What the Map state is told.
        failure: Failure,
    },
    /// The execution did not want it any longer.
    Aborted,
}

impl Standing {
    /// `MapRunStatus`.
    pub fn name(&self) -> &'static str {
        match self {
            Standing::Running => "RUNNING",
            Standing::Succeeded { .. } => "SUCCEEDED",
            Standing::Failed { .. } => "FAILED",
            Standing::Aborted => "ABORTED",
        }
    }
}

/// The Map Run with this ARN, and its document's version.
pub async fn read(store: &Store, arn: &str) -> Result<Option<(u64, Record)>, String> {
    let found = store.get(Table::MapRun, arn).await;
    let Some(document) = found.map_err(|e| format!("{arn}: {e}"))? else {
        return Ok(None);
    };
    let record = serde_json::from_slice(&document.content)
        .map_err(|e| format!("the stored Map Run {arn} is damaged: {e}"))?;
    Ok(Some((document.version, record)))
}

/// Stores a Map Run; `false` if it is not what it was expected to be.
pub async fn write(store: &Store, record: &Record, expect: Expect) -> Result<bool, String> {
    let content = serde_json::to_vec(record)
        .expect("a Map Run's record is plain data and can be written as JSON");
    let running = record.standing == Standing::Running;
    let change = DocumentChange {
        table: Table::MapRun,
        key: record.arn.to_string(),
        expect,
        content: Some(content),
        due: match running {
            true => Some(record.started_at),
            false => record.forget_at,
        },
    };
    let commit = Commit {
        execution: None,
        documents: vec![change],
    };
    match store.commit(commit).await {
        Ok(_) => Ok(true),
        Err(CommitError::Conflict) => Ok(false),
        Err(error) => Err(format!("{}: {error}", record.arn)),
    }
}

/// Removes a Map Run.
pub async fn forget(store: &Store, arn: &str) -> Result<(), String> {
    let change = DocumentChange {
        table: Table::MapRun,
        key: arn.to_owned(),
        expect: Expect::Any,
        content: None,
        due: None,
    };
    let commit = Commit {
        execution: None,
        documents: vec![change],
    };
    let removed = store.commit(commit).await;
    removed.map(drop).map_err(|error| format!("{arn}: {error}"))
}

/// Changes a Map Run, as often as it takes; `None` if there is none.
pub async fn change(
    store: &Store,
    arn: &str,
    change: impl Fn(&mut Record),
) -> Result<Option<Record>, String> {
    loop {
        let Some((version, mut record)) = read(store, arn).await? else {
            return Ok(None);
        };
        change(&mut record);
        if write(store, &record, Expect::Version(version)).await? {
            return Ok(Some(record));
        }
    }
}
