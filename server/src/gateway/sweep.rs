//! Old deliveries are forgotten, so that the disk does not grow without bound; and so are references
//! whose waits had no deadline and are over.
//!
//! There is no timer for it (on the virtual clock that would be a reason for time to move): it is
//! looked for as callbacks come, at most once an hour.

use std::sync::atomic::Ordering;

use store::{StoreError, Table};

use super::disposition::Disposition;
use super::record::{Delivery, Reference, Standing};
use super::{Gateway, NotStored, read};

/// For how many days a delivery is kept at least: as long as AWS keeps ended executions, which a
/// delivery is looked up with.
const KEEP_DAYS: i64 = 90;

/// How often old ones are looked for, and how many are forgotten in one commit.
const SWEEP_EVERY_SECONDS: i64 = 3600;
const SWEEP_BATCH: usize = 256;

impl Gateway {
    /// Sets off a sweep, unless there was one within the last hour.
    pub(super) fn sweep_sometimes(&self) {
        let now = self.0.clock.now();
        let swept_at = self.0.swept_at.load(Ordering::Relaxed);
        if now.0 < swept_at.saturating_add(SWEEP_EVERY_SECONDS * 1000) {
            return;
        }
        let ours =
            self.0
                .swept_at
                .compare_exchange(swept_at, now.0, Ordering::Relaxed, Ordering::Relaxed);
        if ours.is_ok() {
            let (gateway, busy) = (self.clone(), self.0.clock.busy());
            tokio::spawn(async move {
                let _busy = busy;
                if let Err(what) = gateway.sweep().await {
                    eprintln!("rejoin: old deliveries could not be forgotten: {what}");
                }
                if let Err(what) = gateway.sweep_references().await {
                    eprintln!("rejoin: old references could not be forgotten: {what}");
                }
            });
        }
    }

    /// Forgets what is old enough and has come to its end.
    pub(super) async fn sweep(&self) -> Result<(), String> {
        let before = self.0.clock.now().plus_seconds(-KEEP_DAYS * 86_400);
        let mut after: Option<String> = None;
        loop {
            // Keys sort by time: the oldest come first.
            let page = self
                .0
                .store
                .scan(Table::Delivery, "", after.as_deref(), SWEEP_BATCH, false)
                .await
                .map_err(|StoreError(what)| what)?;
            let mut more = page.len() == SWEEP_BATCH;
            let mut documents = Vec::new();
            for (key, document) in page {
                let delivery: Delivery = serde_json::from_slice(&document.content)
                    .map_err(|why| format!("the stored delivery {key} can't be read: {why}"))?;
                if delivery.received_at >= before {
                    more = false;
                    break;
                }
                let kept = delivery.disposition() == Some(Disposition::Early);
                if document.due.is_none() && !kept {
                    documents.extend(delivery.removals(document.version));
                }
                after = Some(key);
            }
            if !documents.is_empty() {
                match self.commit(documents).await {
                    // Somebody is at work on one of them; the next sweep finds it.
                    Ok(()) | Err(NotStored::Conflict) => {}
                    Err(NotStored::Server(what)) => return Err(what),
                }
            }
            if !more {
                return Ok(());
            }
        }
    }

    /// Forgets references whose waits have ended otherwise than by a callback. A wait with a deadline has
    /// its reference looked at then; one without has nobody who does.
    pub(super) async fn sweep_references(&self) -> Result<(), String> {
        let mut after: Option<String> = None;
        loop {
            let store = &self.0.store;
            let page = store
                .scan(Table::Reference, "", after.as_deref(), SWEEP_BATCH, false)
                .await
                .map_err(|StoreError(what)| what)?;
            let more = page.len() == SWEEP_BATCH;
            for (key, document) in page {
                if document.due.is_none() {
                    let reference: Reference = read(&document)?;
                    match self.sweep_reference(document.version, reference).await {
                        // Something has happened to it meanwhile.
                        Ok(()) | Err(NotStored::Conflict) => {}
                        Err(NotStored::Server(what)) => return Err(what),
                    }
                }
                after = Some(key);
            }
            if !more {
                return Ok(());
            }
        }
    }

    async fn sweep_reference(&self, version: u64, reference: Reference) -> Result<(), NotStored> {
        let holder = match &reference.standing {
            Standing::Waiting { holder } => holder,
            Standing::Started(_) => return self.look_at(version, reference).await,
            _ => return Ok(()),
        };
        if holder.engine.is_some() {
            // It has a time of its own.
            return Ok(());
        }
        if let Ok(token) = self.0.engine.check(&holder.token)
            && let Some(view) = self.0.engine.wait(token).await?
            && view.wait.is_ok()
        {
            return Ok(());
        }
        self.look_at(version, reference).await
    }
}
