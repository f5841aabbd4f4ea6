//! What is stored of alerts.
//!
//! A document is JSON; a field is never renamed or taken away, a new one has `#[serde(default)]`.

use asl::Timestamp;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use store::{DocumentChange, Expect, Table};

use super::alert::Alert;
use super::windows::{Group, Window};

/// An alert that was raised and that nobody has looked at yet.
#[derive(Debug, Serialize, Deserialize)]
pub struct Raised {
    /// Who is to hear it.
    pub topic_arn: Option<String>,
    pub alert: Alert,
}

/// An alert that was told.
#[derive(Debug, Serialize, Deserialize)]
pub struct Record {
    /// What it is about, with its count as of its last message.
    pub alert: Alert,
    /// Who heard it.
    pub topic_arn: Option<String>,
    /// The messages that were published about it.
    pub messages: Vec<String>,
    /// The group in which its window is open; that has its count then.
    pub group: Option<String>,
}

/// Where a raised alert waits to be looked at; sorts by time within its group.
pub fn raised_key(group: &str, id: &str) -> String {
    format!("raised/{group}/{id}")
}

/// Where a group's windows are.
pub fn group_key(group: &str) -> String {
    format!("windows/{group}")
}

/// The group that a key in [`Table::Alerting`] belongs to.
pub fn group_of(key: &str) -> Option<&str> {
    key.split('/').nth(1)
}

/// Reads a document's content.
///
/// # Errors
/// One sentence for the log.
pub fn read<T: DeserializeOwned>(key: &str, content: &[u8]) -> Result<T, String> {
    serde_json::from_slice(content)
        .map_err(|why| format!("the stored alert {key} can't be read: {why}"))
}

impl Raised {
    /// The document in which it waits.
    pub fn change(&self, group: &str, now: Timestamp) -> DocumentChange {
        DocumentChange {
            table: Table::Alerting,
            key: raised_key(group, &self.alert.alert_id),
            expect: Expect::Absent,
            content: Some(written(self)),
            due: Some(now),
        }
    }

    /// It was looked at.
    pub fn removal(key: String, version: u64) -> DocumentChange {
        DocumentChange {
            table: Table::Alerting,
            key,
            expect: Expect::Version(version),
            content: None,
            due: None,
        }
    }
}

impl Record {
    /// The document's next content.
    pub fn change(&self) -> DocumentChange {
        DocumentChange {
            table: Table::Alert,
            key: self.alert.alert_id.clone(),
            // Whoever changes it holds its group's turn, and that group's document is in the same commit.
            expect: Expect::Any,
            content: Some(written(self)),
            due: None,
        }
    }

    /// Takes over the count of its window.
    pub fn count(&mut self, window: &Window) {
        self.alert.count = window.count;
        self.alert.last_at = Some(window.last_at.into());
    }
}

impl Group {
    /// The document's next content; a group without windows has none.
    pub fn change(&self, group: &str, version: Option<u64>) -> DocumentChange {
        DocumentChange {
            table: Table::Alerting,
            key: group_key(group),
            expect: version.map_or(Expect::Absent, Expect::Version),
            content: (!self.windows.is_empty()).then(|| written(self)),
            due: self.next_close(),
        }
    }
}

fn written(value: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(value).expect("an alert has text keys and finite numbers only")
}
