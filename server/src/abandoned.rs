//! Executions that nobody waits for any more: the child of a `.sync` task that was given up is stopped, as on AWS.
//!
//! That it is to be stopped is written with the very commit that ends the wait, so that a server which is killed in
//! between stops it after its next start.

use asl::Timestamp;
use engine::{ClosedWait, EndKind, Event, EventKind, Execution, ExecutionKey, WaitId, WaitKind};
use serde_json::Value;
use store::{Commit, DocumentChange, Expect, Table};

use crate::app::App;
use crate::services::started_for;

/// What a commit that ends these waits has to write beside the execution.
pub(crate) fn changes(
    key: ExecutionKey,
    at: Timestamp,
    ended: &[ClosedWait],
) -> impl Iterator<Item = DocumentChange> {
    let given_up = ended.iter().filter(|closed| {
        let ends = [
            EndKind::Aborted,
            EndKind::TimedOut,
            EndKind::HeartbeatTimedOut,
        ];
        closed.waiting.kind == WaitKind::Sync && ends.contains(&closed.end)
    });
    given_up.map(move |closed| DocumentChange {
        content: Some(Vec::new()),
        due: Some(at),
        ..removal(document_key(key, closed.wait))
    })
}

/// Stops the execution that a wait was for.
///
/// # Errors
/// The store's, as text for the log. It is to be tried again then.
pub(crate) async fn attend(app: &App, document_key: &str) -> Result<(), String> {
    let (parent, wait) =
        read_key(document_key).ok_or_else(|| format!("{document_key:?} is no wait"))?;
    let events = app.runner.events(parent).await?;
    if let Some(child) = child(&events, wait) {
        // One that has ended stays as it is.
        app.runner
            .stop(ExecutionKey::of(&child), None, None)
            .await?;
    }
    let commit = Commit {
        execution: None,
        documents: vec![removal(document_key.to_owned())],
    };
    let removed = app.store.commit(commit).await;
    removed.map_or_else(|error| Err(error.to_string()), |_| Ok(()))
}

/// The execution that a wait was for, as its history has it: what StartExecution answered, or what it was asked, if the
/// server was killed before the answer was noted.
fn child(events: &[Event], wait: WaitId) -> Option<String> {
    let submitted = events.iter().find_map(|event| match &event.kind {
        EventKind::TaskSubmitted { wait: of, output } if *of == wait => {
            output.value()["ExecutionArn"].as_str().map(str::to_owned)
        }
        _ => None,
    });
    let asked = || {
        let identity = events.first().and_then(Execution::identity_of)?;
        let parameters = events.iter().find_map(|event| match &event.kind {
            EventKind::TaskScheduled {
                wait: of,
                parameters,
                ..
            } if *of == wait => parameters.as_ref().map(asl::Data::value),
            _ => None,
        });
        started_for(&identity.arn, wait, parameters.unwrap_or(&Value::Null))
    };
    submitted.or_else(asked)
}

fn document_key(key: ExecutionKey, wait: WaitId) -> String {
    format!("{:032x}/{}", key.0, wait.0)
}

fn read_key(document_key: &str) -> Option<(ExecutionKey, WaitId)> {
    let (key, wait) = document_key.split_once('/')?;
    let key = u128::from_str_radix(key, 16).ok()?;
    Some((ExecutionKey(key), WaitId(wait.parse().ok()?)))
}

fn removal(document_key: String) -> DocumentChange {
    DocumentChange {
        table: Table::Abandoned,
        key: document_key,
        expect: Expect::Any,
        content: None,
        due: None,
    }
}
