//! The inbox has an end: by age, and by size, for each route and for all of them. And references are forgotten
//! whose waits had no deadline and are over.
//!
//! What is still wanted is never forgotten: what is on its way or will be tried again, and what is kept for a
//! reference that may yet be registered.
//!
//! There is no timer for it (on the virtual clock that would be a reason for time to move): it is
//! looked for as callbacks come and as somebody asks for them, at most once an hour, and when a good part of
//! what there may be has come since.

use std::sync::atomic::Ordering;

use hashbrown::HashMap;
use store::{Document, DocumentChange, StoreError, Table};

use super::record::{Delivery, Reference, Standing};
use super::{Gateway, NotStored, read};

/// How much the inbox keeps of all routes together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InboxLimits {
    /// For how many days a delivery is kept, if its route does not say.
    pub keep_days: u32,
    /// How many bytes deliveries may take.
    pub bytes_max: u64,
}

/// As long as AWS keeps ended executions, which a delivery is looked up with; and as much as comes.
impl Default for InboxLimits {
    fn default() -> InboxLimits {
        InboxLimits {
            keep_days: 90,
            bytes_max: u64::MAX,
        }
    }
}

/// How often old ones are looked for, and how many are forgotten in one commit.
const SWEEP_EVERY_SECONDS: i64 = 3600;
const SWEEP_BATCH: usize = 256;

/// What part of the bytes that there may be has to come for it to be looked earlier: the inbox is larger than
/// it may be by this much at most.
const SWEEP_AT_PART: u64 = 8;

/// What a delivery takes beside its body, about.
const DELIVERY_BYTES: u64 = 1024;

impl Gateway {
    /// Says how much is kept; by default [`InboxLimits::default`]. The first call counts.
    pub fn limit_inbox(&self, limits: InboxLimits) {
        let _ = self.0.inbox_limits.set(limits);
    }

    fn inbox_limits(&self) -> InboxLimits {
        self.0.inbox_limits.get().copied().unwrap_or_default()
    }

    /// Sets off a sweep, unless there was one within the last hour and little has come since. A callback with
    /// that many bytes has come, of a route that keeps at most so many.
    pub(super) fn sweep_sometimes(&self, body_bytes: usize, of_route: Option<u64>) {
        let now = self.0.clock.now();
        let came = body_bytes as u64 + DELIVERY_BYTES;
        let came = came + self.0.came_bytes.fetch_add(came, Ordering::Relaxed);
        let most = self.inbox_limits().bytes_max;
        let much = came > most.min(of_route.unwrap_or(u64::MAX)) / SWEEP_AT_PART;
        let swept_at = self.0.swept_at.load(Ordering::Relaxed);
        if !much && now.0 < swept_at.saturating_add(SWEEP_EVERY_SECONDS * 1000) {
            return;
        }
        let ours =
            self.0
                .swept_at
                .compare_exchange(swept_at, now.0, Ordering::Relaxed, Ordering::Relaxed);
        if ours.is_ok() && self.0.came_bytes.swap(0, Ordering::Relaxed) > 0 {
            let (gateway, busy) = (self.clone(), self.0.clock.busy());
            tokio::spawn(async move {
                let _busy = busy;
                if let Err(what) = gateway.sweep().await {
                    crate::log::say!("old deliveries could not be forgotten: {what}");
                }
                if let Err(what) = gateway.sweep_references().await {
                    crate::log::say!("old references could not be forgotten: {what}");
                }
            });
        }
    }

    /// Forgets deliveries that are too old, and the oldest of those that are too many.
    pub(super) async fn sweep(&self) -> Result<(), String> {
        self.sweep_by_age().await?;
        self.sweep_by_size().await
    }

    async fn sweep_by_age(&self) -> Result<(), String> {
        let (now, routes) = (self.0.clock.now(), self.routes());
        let of_all = self.inbox_limits().keep_days;
        let keep_days = |route: &str| {
            let route = routes.named(route);
            route.and_then(|route| route.config.inbox_keep_days)
        };
        let before = |days: u32| now.plus_seconds(-i64::from(days) * 86_400);
        let least = routes.names().into_iter().filter_map(keep_days).min();
        // Keys sort by time: the oldest come first, and after this one none is old enough.
        let young = before(least.unwrap_or(of_all).min(of_all));
        let mut after: Option<String> = None;
        loop {
            let page = self.deliveries(after.as_deref(), false).await?;
            let mut more = page.len() == SWEEP_BATCH;
            after = page.last().map(|(key, _)| key.clone());
            let mut old = Vec::new();
            for (_, document) in page {
                let delivery: Delivery = read(&document)?;
                if delivery.received_at >= young {
                    more = false;
                    break;
                }
                if delivery.received_at < before(keep_days(&delivery.route).unwrap_or(of_all)) {
                    old.extend(self.removals(&document, &delivery).await?);
                }
            }
            self.forget(old).await?;
            if !more {
                return Ok(());
            }
        }
    }

    async fn sweep_by_size(&self) -> Result<(), String> {
        let routes = self.routes();
        let of_all = self.inbox_limits().bytes_max;
        let bytes_max = |route: &str| {
            let route = routes.named(route);
            route.and_then(|route| route.config.inbox_bytes_max)
        };
        let limited = routes
            .names()
            .into_iter()
            .any(|name| bytes_max(name).is_some());
        if !limited && of_all == u64::MAX {
            return Ok(());
        }
        let mut all = 0;
        let mut by_route: HashMap<String, u64> = HashMap::new();
        let mut after: Option<String> = None;
        loop {
            // The newest come first: what no longer fits beside them goes.
            let page = self.deliveries(after.as_deref(), true).await?;
            let more = page.len() == SWEEP_BATCH;
            after = page.last().map(|(key, _)| key.clone());
            let mut too_many = Vec::new();
            for (_, document) in page {
                let delivery: Delivery = read(&document)?;
                let bytes = document.content.len() as u64;
                all += bytes;
                let of_route = by_route.entry_ref(&delivery.route).or_default();
                *of_route += bytes;
                let route_max = bytes_max(&delivery.route).unwrap_or(u64::MAX);
                if all > of_all || *of_route > route_max {
                    too_many.extend(self.removals(&document, &delivery).await?);
                }
            }
            self.forget(too_many).await?;
            if !more {
                return Ok(());
            }
        }
    }

    async fn deliveries(
        &self,
        after: Option<&str>,
        backwards: bool,
    ) -> Result<Vec<(String, Document)>, String> {
        let store = &self.0.store;
        let page = store.scan(Table::Delivery, "", after, SWEEP_BATCH, backwards);
        page.await.map_err(|StoreError(what)| what)
    }

    /// What removes a delivery; nothing if it is still wanted.
    async fn removals(
        &self,
        document: &Document,
        delivery: &Delivery,
    ) -> Result<Vec<DocumentChange>, String> {
        if document.due.is_some() || delivery.is_open() {
            return Ok(Vec::new());
        }
        if let Some(name) = &delivery.reference
            && let Some((_, reference)) = self.reference(&delivery.route, name).await?
            && is_kept(&reference.standing, &delivery.id)
        {
            return Ok(Vec::new());
        }
        Ok(delivery.removals(document.version))
    }

    async fn forget(&self, documents: Vec<DocumentChange>) -> Result<(), String> {
        if documents.is_empty() {
            return Ok(());
        }
        match self.commit(documents).await {
            // Somebody is at work on one of them; the next sweep finds it.
            Ok(()) | Err(NotStored::Conflict) => Ok(()),
            Err(NotStored::Server(what)) => Err(what),
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

/// Whether a reference has this delivery wait for it.
fn is_kept(standing: &Standing, delivery: &str) -> bool {
    match standing {
        Standing::Kept { delivery: kept, .. } => kept == delivery,
        Standing::Started(started) => {
            let kept = started.kept.as_ref();
            kept.is_some_and(|kept| kept.delivery == delivery)
        }
        Standing::Waiting { .. } | Standing::Delivering { .. } | Standing::Answered { .. } => false,
    }
}
