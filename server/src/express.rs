//! Express executions that nobody waits for: not stored, and run at least once.
//!
//! A volatile execution is gone with the process, but its start was acknowledged. So the start is
//! noted before it is answered, and the note is taken away at the end; what is still noted when a
//! server starts is run again from its beginning, under the same ARN. `StartSyncExecution` needs no
//! note: its caller sees that no answer comes.

use engine::Identity;
use store::{Commit, DocumentChange, Expect, Store, Table};

use crate::clock::Clock;
use crate::machines::Machines;
use crate::runner::Runner;

/// How many notes are read at a time.
const PAGE: usize = 256;

/// Starts Express executions. Cloning is a reference count.
#[derive(Clone)]
pub struct Express {
    clock: Clock,
    store: Store,
    machines: Machines,
    runner: Runner,
}

impl Express {
    /// For this store's executions.
    pub fn new(clock: Clock, store: Store, machines: Machines, runner: Runner) -> Express {
        Express {
            clock,
            store,
            machines,
            runner,
        }
    }

    /// Notes a start and makes it; returns when the note is durable and the execution runs.
    ///
    /// # Errors
    /// Text for the log.
    pub async fn start(&self, identity: Identity) -> Result<(), String> {
        let note = serde_json::to_vec(&identity)
            .expect("an identity is plain data and can be written as JSON");
        self.keep(&identity.arn, Some(note)).await?;
        self.run(identity).await
    }

    /// Runs what a former run of the server noted and did not end.
    ///
    /// # Errors
    /// The store's, as text for the log.
    pub async fn resume(&self) -> Result<(), String> {
        let mut after: Option<String> = None;
        loop {
            let page = self
                .store
                .scan(Table::Express, "", after.as_deref(), PAGE, false);
            let page = page.await.map_err(|e| e.to_string())?;
            let Some((last, _)) = page.last() else {
                return Ok(());
            };
            after = Some(last.clone());
            for (arn, note) in page {
                let read: Result<Identity, _> = serde_json::from_slice(&note.content);
                let mut identity =
                    read.map_err(|e| format!("the note of {arn} is damaged: {e}"))?;
                // It begins anew, and so does its time limit.
                identity.started_at = self.clock.now();
                if let Err(what) = self.run(identity).await {
                    crate::log::say!("{arn} can't be run again: {what}");
                }
            }
        }
    }

    async fn run(&self, identity: Identity) -> Result<(), String> {
        let machine = self.machines.definition(&identity.definition).await?;
        let arn = identity.arn.clone();
        let ended = self.runner.start_express(machine, identity, false).await?;
        let this = self.clone();
        tokio::spawn(async move {
            let Ok(ended) = ended.await else {
                return crate::log::say!(
                    "{arn} was lost; it is run again when the server is started again"
                );
            };
            if let Err(what) = this.keep(&arn, None).await {
                crate::log::say!(
                    "that {arn} has ended could not be stored, so it may be run again: {what}"
                );
            }
            drop(ended.busy);
        });
        Ok(())
    }

    async fn keep(&self, arn: &str, note: Option<Vec<u8>>) -> Result<(), String> {
        let change = DocumentChange {
            table: Table::Express,
            key: arn.to_owned(),
            expect: Expect::Any,
            content: note,
            due: None,
        };
        let commit = Commit {
            execution: None,
            documents: vec![change],
        };
        let kept = self.store.commit(commit).await;
        kept.map(drop).map_err(|e| e.to_string())
    }
}
