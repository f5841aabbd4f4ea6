//! Somebody says that nobody has to look at a delivery any more, or takes that back.
//!
//! It changes what is shown as needing attention, and nothing else: what is on its way stays on its way.

use hyper::StatusCode;
use serde::Deserialize;
use store::Expect;

use super::super::flights::Flight;
use super::super::marks::{Deed, Mark};
use super::super::record::Delivery;
use super::super::{Gateway, NotStored, read};
use super::show::in_brief;
use super::{asked, no_such_delivery};
use crate::http::{Call, Reply};

/// The body of a dismissal.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Dismissal {
    #[serde(default)]
    note: Option<String>,
    #[serde(default)]
    by: Option<String>,
}

const EXAMPLE: &str = r#"{"note": "told the bank", "by": "ann"}"#;

impl Gateway {
    /// `POST /rejoin/deliveries/{id}/dismiss`.
    pub(super) async fn dismiss(&self, id: &str, call: &Call) -> Result<Reply, String> {
        self.mark_dismissal(id, call, Deed::Dismissed).await
    }

    /// `DELETE /rejoin/deliveries/{id}/dismiss`.
    pub(super) async fn restore(&self, id: &str, call: &Call) -> Result<Reply, String> {
        self.mark_dismissal(id, call, Deed::Restored).await
    }

    async fn mark_dismissal(&self, id: &str, call: &Call, deed: Deed) -> Result<Reply, String> {
        let said: Dismissal = match asked(call, EXAMPLE) {
            Ok(said) => said,
            Err(refusal) => return Ok(refusal),
        };
        let mark = Mark {
            at: self.0.clock.now(),
            by: said.by,
            note: said.note,
            deed,
        };
        loop {
            let Some(mut held) = self.held(id).await? else {
                return Ok(no_such_delivery(id));
            };
            let says_so_already = match (&mark.deed, held.delivery.dismissal()) {
                (Deed::Dismissed, Some(known)) => {
                    // Whoever sends it again means the same, unless there is something new in it.
                    (&known.by, &known.note) == (&mark.by, &mark.note)
                }
                (Deed::Dismissed, None) => false,
                (_, known) => known.is_none(),
            };
            if !says_so_already {
                held.delivery.mark(mark.clone());
                match self.commit(held.changes()).await {
                    Ok(()) => {}
                    Err(NotStored::Conflict) => continue,
                    Err(NotStored::Server(what)) => return Err(what),
                }
            }
            return Ok(Reply::json(StatusCode::OK, &in_brief(&held.delivery)));
        }
    }

    /// A delivery that nobody else changes meanwhile. It waits for one that is on its way.
    pub(super) async fn held(&self, id: &str) -> Result<Option<Held>, String> {
        let flight = loop {
            match self.0.flights.begin(id) {
                Some(flight) => break flight,
                None => self.0.flights.landed(id).await,
            }
        };
        let table = store::Table::Delivery;
        let found = self.0.store.get(table, id).await;
        let Some(document) = found.map_err(|store::StoreError(what)| what)? else {
            return Ok(None);
        };
        let mut delivery: Delivery = read(&document)?;
        delivery.found = super::super::found::Found::of(&delivery);
        Ok(Some(Held {
            delivery,
            version: document.version,
            due: document.due,
            _flight: flight,
        }))
    }
}

/// A delivery, kept from others.
pub(super) struct Held {
    pub delivery: Delivery,
    version: u64,
    due: Option<asl::Timestamp>,
    _flight: Flight,
}

impl Held {
    /// Its next content; all else about it stays.
    pub fn changes(&self) -> Vec<store::DocumentChange> {
        self.delivery
            .changes(Expect::Version(self.version), self.due)
    }
}
