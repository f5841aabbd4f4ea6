//! Callbacks that are one too many: stored as far as `rate` says, and answered.

use std::sync::Arc;

use store::Expect;

use super::disposition::Disposition;
use super::rate::{Note, Refused, TooMany};
use super::record::Delivery;
use super::route::Route;
use super::{Gateway, NotStored};

impl Gateway {
    /// Counts a callback that is one too many; gives the delivery that stands for it. None if it is to be
    /// kept for itself.
    pub(super) async fn count_refused(
        &self,
        route: &Arc<Route>,
        too_many: &TooMany,
    ) -> Option<String> {
        let now = self.0.clock.now();
        let floods = &self.0.floods;
        let note = floods.refuse(&route.name, too_many.source, now, || self.delivery_id());
        let Note::Count { delivery, store } = note else {
            return None;
        };
        if let Some(metrics) = self.0.metrics.get() {
            metrics.callback(&route.name, Disposition::RateLimited, None);
        }
        if store {
            // In a task of its own, as all that is stored: whoever floods may hang up early.
            let (gateway, route, busy) = (self.clone(), route.clone(), self.0.clock.busy());
            let id = delivery.clone();
            let stored = tokio::spawn(async move {
                let _busy = busy;
                gateway.store_count(&route, &id).await
            });
            if let Ok(Err(what)) = stored.await {
                eprintln!("rejoin: how many callbacks were refused could not be stored: {what}");
            }
        }
        Some(delivery)
    }

    /// Stores how many there are by now.
    async fn store_count(&self, route: &Route, id: &str) -> Result<(), String> {
        // One after the other, or an earlier count could be stored after a later one.
        let _turn = self.0.floods_turn.lock().await;
        let Some(refused) = self.0.floods.counted(id) else {
            return Ok(());
        };
        let due = Some(refused.until);
        let delivery = self.standing_for(&route.name, id, refused);
        let stored = self.commit(delivery.changes(Expect::Any, due)).await;
        stored.map_err(NotStored::what)
    }

    /// The end of a window: the count is exact now, and somebody may want to know.
    pub(super) async fn close_window(
        &self,
        version: u64,
        delivery: Delivery,
    ) -> Result<(), String> {
        let Some(before) = delivery.refused.clone() else {
            return Ok(());
        };
        if before.complete || before.until > self.0.clock.now() {
            return Ok(());
        }
        let _turn = self.0.floods_turn.lock().await;
        // What another process has counted since it last stored it is lost: `at least` stays true.
        let refused = self.0.floods.close(&delivery.id).unwrap_or(before);
        let closed = Delivery {
            marks: delivery.marks,
            ..self.standing_for(&delivery.route, &delivery.id, refused)
        };
        let route = self.route_named(&delivery.route);
        let mut documents = closed.changes(Expect::Version(version), None);
        if let Some(step) = closed.steps.last() {
            documents.extend(self.alert(route.as_deref(), &closed, step));
        }
        match self.commit(documents).await {
            // Nobody else writes it once its window is over.
            Ok(()) | Err(NotStored::Conflict) => Ok(()),
            Err(NotStored::Server(what)) => Err(what),
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

impl NotStored {
    fn what(self) -> String {
        match self {
            NotStored::Conflict => "somebody else has written it".into(),
            NotStored::Server(what) => what,
        }
    }
}
