//! Which executions have been redriven, for lists: few have, so it is a document of those that were, and no
//! part of every execution's summary. It is written with the redrive's own commit.

use asl::Timestamp;
use engine::{Execution, ExecutionKey};
use serde::{Deserialize, Serialize};
use store::{DocumentChange, Expect, Store, Table};

/// An execution's redrives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Redrives {
    /// How many there were.
    pub count: u32,
    /// When the last one was.
    pub last: Timestamp,
}

impl Redrives {
    /// Those of an execution, if there were any.
    ///
    /// # Errors
    /// The store's, as text for the log.
    pub async fn of(store: &Store, key: ExecutionKey) -> Result<Option<Redrives>, String> {
        let found = store.get(Table::Redriven, &document_key(key)).await;
        let found = found.map_err(|e| e.to_string())?;
        let read = found.map(|document| serde_json::from_slice(&document.content));
        read.transpose()
            .map_err(|e| format!("what is stored of a redrive is damaged: {e}"))
    }

    /// What a commit with a redrive has to write beside the execution.
    pub(crate) fn change(key: ExecutionKey, execution: &Execution) -> Option<DocumentChange> {
        let (count, last) = execution.redrives();
        let redrives = Redrives { count, last: last? };
        let content = serde_json::to_vec(&redrives).expect("two numbers can be written as JSON");
        Some(DocumentChange {
            table: Table::Redriven,
            key: document_key(key),
            expect: Expect::Any,
            content: Some(content),
            due: None,
        })
    }

    /// What removes the document of an execution that is forgotten.
    pub(crate) fn removal(document_key: String) -> DocumentChange {
        DocumentChange {
            table: Table::Redriven,
            key: document_key,
            expect: Expect::Any,
            content: None,
            due: None,
        }
    }

    /// Whose document this is.
    pub(crate) fn execution(document_key: &str) -> Option<ExecutionKey> {
        u128::from_str_radix(document_key, 16)
            .ok()
            .map(ExecutionKey)
    }
}

fn document_key(key: ExecutionKey) -> String {
    format!("{:032x}", key.0)
}
