//! Callbacks that are one too many: stored as far as `rate` says, and answered.

use std::sync::Arc;

use store::Expect;

use super::disposition::Disposition;
use super::rate::{Note, Refused, TooMany};
use super::record::Delivery;
use super::route::Route;
use super::{Gateway, NotStored};

impl Gateway {
    /// Counts a callback that is one too many; gives the delivery that stands for it, or says that nothing can be
    /// stored. None if it is to be kept for itself.
    pub(super) async fn count_refused(
        &self,
        route: &Arc<Route>,
        too_many: &TooMany,
    ) -> Option<Result<String, String>> {
        let now = self.0.clock.now();
        let floods = &self.0.floods;
        let note = floods.refuse(&route.name, too_many.source, now, || self.delivery_id());
        let Note::Count { delivery, store } = note else {
            return None;
        };
        // Of a count that could not be stored each one tries anew: nobody hears that it was counted until it is.
        if store || floods.is_unstored(&delivery) {
            // In a task of its own, as all that is stored: whoever floods may hang up early.
            let (gateway, route, busy) = (self.clone(), route.clone(), self.0.clock.busy());
            let id = delivery.clone();
            let stored = tokio::spawn(async move {
                let _busy = busy;
                gateway.store_count(&route.name, &id).await
            });
            let stored = stored.await.unwrap_or_else(|error| Err(error.to_string()));
            floods.is_stored(&delivery, stored.is_ok());
            if let Err(what) = stored {
                return Some(Err(what));
            }
        }
        if let Some(metrics) = self.0.metrics.get() {
            metrics.callback(&route.name, Disposition::RateLimited, None);
        }
        Some(Ok(delivery))
    }

    /// Stores how many there are by now.
    async fn store_count(&self, route: &str, id: &str) -> Result<(), String> {
        // One after the other, or an earlier count could be stored after a later one.
        let _turn = self.0.floods_turn.lock().await;
        loop {
            let Some(refused) = self.0.floods.counted(id) else {
                return Ok(());
            };
            let due = Some(refused.until);
            let before = self.delivery(id).await?;
            let expect = before.as_ref().map(|(version, _)| *version);
            let mut delivery = self.standing_for(route, id, refused);
            if let Some((_, before)) = before {
                delivery = delivery.after(before);
            }
            let expect = expect.map_or(Expect::Absent, Expect::Version);
            match self.commit(delivery.changes(expect, due)).await {
                // An operator has put a mark on it.
                Err(NotStored::Conflict) => {}
                stored => return stored.map_err(NotStored::what),
            }
        }
    }

    /// The end of a window: the count is exact now, and somebody may want to know.
    pub(super) async fn close_window(&self, id: &str) -> Result<(), String> {
        let _turn = self.0.floods_turn.lock().await;
        loop {
            let Some((version, before)) = self.delivery(id).await? else {
                return Ok(());
            };
            let Some(said) = before.refused.clone() else {
                return Ok(());
            };
            if said.complete || said.until > self.0.clock.now() {
                return Ok(());
            }
            // What another process has counted since it last stored it is lost: `at least` stays true.
            let refused = match self.0.floods.counted(id) {
                Some(counted) => Refused {
                    complete: true,
                    ..counted
                },
                None => said,
            };
            let route = before.route.clone();
            let closed = self.standing_for(&route, id, refused).after(before);
            let route = self.route_named(&route);
            let mut documents = closed.changes(Expect::Version(version), None);
            if let Some(step) = closed.steps.last() {
                documents.extend(self.alert(route.as_deref(), &closed, step));
            }
            match self.commit(documents).await {
                Ok(()) => {
                    self.0.floods.close(id);
                    return Ok(());
                }
                // An operator has put a mark on it.
                Err(NotStored::Conflict) => {}
                Err(NotStored::Server(what)) => return Err(what),
            }
        }
    }

    /// The delivery that stands for callbacks that were refused.
    fn standing_for(&self, route: &str, id: &str, refused: Refused) -> Delivery {
        let step = self.step(Disposition::RateLimited, refused.note());
        let blank = Delivery::new(id.to_owned(), route.to_owned(), refused.since);
        Delivery {
            steps: vec![step],
            refused: Some(refused),
            ..blank
        }
    }
}

impl Delivery {
    /// With what operators did with it as it was stored before.
    fn after(self, before: Delivery) -> Delivery {
        Delivery {
            marks: before.marks,
            found: before.found,
            ..self
        }
    }
}

impl NotStored {
    fn what(self) -> String {
        match self {
            NotStored::Conflict => "somebody else has written it".into(),
            NotStored::Server(what) => what,
        }
    }
}
