//! A callback on its way in, with all that is stored in the same commit.

use asl::Timestamp;
use store::{DocumentChange, Expect};

use super::Gateway;
use super::in_hand::Again;
use super::record::{Delivery, Receipt, receipt_key};
use super::route::{Reading, Route};
use super::start::Start;
use super::verify::SignedId;

/// A callback on its way in.
pub(super) struct Arrival {
    pub delivery: Delivery,
    /// Equal for callbacks that say the same.
    pub digest: String,
    /// Where its signed id is remembered, and what the route calls a repeat.
    pub receipts: Vec<ReceiptSlot>,
    /// What it starts if nobody has registered its reference, or why it can't.
    pub start: Option<Result<Start, String>>,
    /// What it repeats, if an operator wants it.
    pub again: Option<Again>,
}

/// A place for a [`Receipt`].
pub(super) struct ReceiptSlot {
    pub key: String,
    pub until: Timestamp,
    /// What was there when it was last looked at.
    pub expect: Expect,
    /// What is there stays.
    pub taken: bool,
}

impl Arrival {
    /// One that comes from a third party.
    pub fn of(
        delivery: Delivery,
        route: &Route,
        signed: Option<SignedId>,
        repeat: Option<&str>,
    ) -> Arrival {
        let signed = signed.map(|id| {
            let seconds = id.replayable_seconds.unwrap_or(route.used_keep_seconds);
            ReceiptSlot::of(&delivery, "signed", &id.text, seconds)
        });
        // Beside the signed id, not instead of it: whoever replays may change what is not signed.
        let named =
            repeat.map(|id| ReceiptSlot::of(&delivery, "repeat", id, route.used_keep_seconds));
        Arrival {
            digest: String::new(),
            receipts: signed.into_iter().chain(named).collect(),
            start: None,
            again: None,
            delivery,
        }
    }

    /// What it says is known now.
    pub fn is_read(&mut self, reading: Reading) {
        self.delivery.reference = Some(reading.reference);
        self.delivery.intent = Some(reading.intent);
        self.digest = reading.digest;
        self.start = reading.start;
    }

    /// The documents that remember it, and the origin's mark: to be stored with the delivery.
    pub fn beside(&self) -> Vec<DocumentChange> {
        let receipt = Receipt {
            delivery: self.delivery.id.clone(),
            digest: self.digest.clone(),
        };
        let slots = self.receipts.iter().filter(|slot| !slot.taken);
        slots
            .map(|slot| receipt.change(&slot.key, slot.expect, slot.until))
            .chain(self.again.iter().flat_map(Again::changes))
            .collect()
    }

    /// Whether that delivery is what it repeats.
    pub fn repeats(&self, delivery: &str) -> bool {
        self.again
            .as_ref()
            .is_some_and(|again| again.is_of(delivery))
    }

    /// After a conflict: its origin may have been the reason.
    pub async fn refresh(&mut self, gateway: &Gateway) -> Result<(), String> {
        if let Some(again) = self.again.take() {
            self.again = Some(gateway.refreshed(again).await?);
        }
        Ok(())
    }
}

impl ReceiptSlot {
    fn of(delivery: &Delivery, kind: &str, id: &str, seconds: i64) -> ReceiptSlot {
        ReceiptSlot {
            key: receipt_key(&delivery.route, kind, id),
            until: delivery.received_at.plus_seconds(seconds),
            expect: Expect::Absent,
            taken: false,
        }
    }
}
