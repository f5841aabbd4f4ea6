//! What a server has to know of the waits that were open when it started.
//!
//! Which open waits may still register a reference is kept in memory ([`super::expected`]). After a start
//! it is found out from what is stored: which executions are open, where they wait, and which of these
//! waits have registered. Until all were looked at nobody can tell, so that a callback with an unknown
//! reference counts as early, which errs on the side of keeping it. Without a route that `expects`
//! anything, nothing is looked at.

use engine::ExecutionKey;
use store::{ListQuery, StoreError, Table};

use super::record::Reference;
use super::{Gateway, read};
use crate::runner::Runner;

/// How many executions or references are read at a time.
const PAGE: usize = 256;

impl Gateway {
    /// Finds out which waits may still register a reference; returns at once.
    pub fn recall(&self, runner: &Runner) {
        if !self.0.expected.begin_recalling() {
            return;
        }
        let (gateway, runner, busy) = (self.clone(), runner.clone(), self.0.clock.busy());
        tokio::spawn(async move {
            let _busy = busy;
            match gateway.recall_all(&runner).await {
                Ok(()) => gateway.0.expected.recalled(),
                Err(what) => crate::log::say!(
                    "which waits expect a callback could not be read, so callbacks with unknown references count as early until the next start: {what}"
                ),
            }
        });
    }

    async fn recall_all(&self, runner: &Runner) -> Result<(), String> {
        let mut after = None;
        loop {
            let page = self.0.store.list(ListQuery {
                state_machine: None,
                status: Some(engine::Status::Running),
                after,
                limit: PAGE,
            });
            let page = page.await.map_err(|StoreError(what)| what)?;
            for (key, _) in page.executions {
                self.recall_execution(runner, key).await?;
            }
            after = match page.next {
                Some(next) => Some(next),
                None => return self.recall_references().await,
            };
        }
    }

    async fn recall_execution(&self, runner: &Runner, key: ExecutionKey) -> Result<(), String> {
        let Some(execution) = runner.execution(key).await? else {
            return Ok(());
        };
        let machine = execution.identity().defined_machine_arn();
        let mut opened = Vec::new();
        for wait in execution.open_waits() {
            let Some(open) = execution.open_wait(wait) else {
                continue;
            };
            if self.0.expected.opened(key, wait, machine, &open.state_name) {
                opened.push(wait);
            }
        }
        if opened.is_empty() {
            return Ok(());
        }
        // It goes on meanwhile: a wait that has ended since it was read is never told of again.
        let now = runner.execution(key).await?;
        for wait in opened {
            let open = now.as_ref().and_then(|execution| execution.open_wait(wait));
            if open.is_none() {
                self.0.expected.settled(key, wait, None);
            }
        }
        Ok(())
    }

    /// The waits that have a reference have registered.
    async fn recall_references(&self) -> Result<(), String> {
        let store = &self.0.store;
        let mut after: Option<String> = None;
        loop {
            let page = store.scan(Table::Reference, "", after.as_deref(), PAGE, false);
            let page = page.await.map_err(|StoreError(what)| what)?;
            let last = page.len() < PAGE;
            for (key, document) in page {
                let reference: Reference = read(&document)?;
                if let Some(holder) = reference.standing.holder()
                    && let Ok(token) = self.0.engine.check(&holder.token)
                {
                    let expected = &self.0.expected;
                    expected.settled(token.execution, token.wait, Some(&reference.route));
                }
                after = Some(key);
            }
            if last {
                return Ok(());
            }
        }
    }
}
