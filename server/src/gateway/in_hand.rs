//! A delivery in the hands of an operator: nobody else changes it meanwhile.

use asl::Timestamp;
use store::{DocumentChange, Expect, StoreError, Table};

use super::flights::Flight;
use super::found::Found;
use super::marks::Mark;
use super::record::Delivery;
use super::{Gateway, read};

/// A delivery, kept from others.
pub(super) struct Held {
    pub delivery: Delivery,
    version: u64,
    due: Option<Timestamp>,
    /// It is as if it were on its way: whoever wants to deliver it waits.
    flight: Flight,
}

impl Held {
    /// Its next content; all else about it stays.
    pub fn changes(&self) -> Vec<DocumentChange> {
        self.delivery
            .changes(Expect::Version(self.version), self.due)
    }
}

/// What an arrival repeats, at the wish of an operator.
pub(super) struct Again {
    pub origin: Held,
    /// Stands at the origin from when the arrival is stored.
    pub mark: Mark,
}

impl Again {
    /// Whether a delivery is the one that is repeated, or was made of it too: that it came before is no
    /// reason to take the arrival for a repeat.
    pub fn is_of(&self, delivery: &str) -> bool {
        let origin = &self.origin.delivery;
        origin.id == delivery || origin.made().any(|(made, _)| made == delivery)
    }

    /// The origin, with the mark.
    pub fn changes(&self) -> Vec<DocumentChange> {
        let mut marked = self.origin.delivery.clone();
        marked.mark(self.mark.clone());
        marked.changes(Expect::Version(self.origin.version), self.origin.due)
    }
}

impl Gateway {
    /// A delivery that nobody else changes meanwhile. It waits for one that is on its way.
    pub(super) async fn held(&self, id: &str) -> Result<Option<Held>, String> {
        let flight = loop {
            match self.0.flights.begin(id) {
                Some(flight) => break flight,
                None => self.0.flights.landed(id).await,
            }
        };
        self.held_by(id, flight).await
    }

    async fn held_by(&self, id: &str, flight: Flight) -> Result<Option<Held>, String> {
        let found = self.0.store.get(Table::Delivery, id).await;
        let Some(document) = found.map_err(|StoreError(what)| what)? else {
            return Ok(None);
        };
        let mut delivery: Delivery = read(&document)?;
        delivery.found = Found::of(&delivery);
        Ok(Some(Held {
            delivery,
            version: document.version,
            due: document.due,
            flight,
        }))
    }

    /// It again, as it is stored now: its reference's time may have come, which needs no flight.
    pub(super) async fn refreshed(&self, again: Again) -> Result<Again, String> {
        let Again { origin, mark } = again;
        let id = origin.delivery.id;
        let origin = self.held_by(&id, origin.flight).await?;
        let origin = origin.ok_or_else(|| format!("delivery {id} was forgotten meanwhile"))?;
        Ok(Again { origin, mark })
    }
}
