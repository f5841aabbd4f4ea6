//! What a delivery is found by, beside its id, which has the time in it: its reference, its execution, and
//! whether something about it is odd.
//!
//! Each is a document without content, whose key says it all; a search looks at keys in memory and then reads
//! the deliveries that they name. It is there to be fast, not to be right: what is read is compared with
//! what was asked for, so a key may say too much (a hash of a few bits does), but never too little. That is why
//! the keys are written in the commit that writes the delivery.
//!
//! | table | key | |
//! | --- | --- | --- |
//! | `DeliveryIndex` | `r`, hash of the reference, id | |
//! | `DeliveryIndex` | `e`, hash of the execution's name, id | of the wait that it met, or that it started |
//! | `OddDelivery` | id | while it counts as neither delivered nor kept for its reference |
//!
//! Keys live in memory, two or three for each delivery, so they are short: 40 bytes.

use sha2::{Digest, Sha256};
use store::{DocumentChange, Expect, StoreError, Table};

use super::disposition::Disposition;
use super::record::Delivery;
use super::{Gateway, NotStored, read};

/// How many hexadecimal digits of a hash are in a key: with a million deliveries, every 256th key is found
/// by a name that it does not have.
const HASH_DIGITS: usize = 7;

/// What a delivery is found by.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Found {
    keys: Vec<(Table, String)>,
}

impl Found {
    /// By what this one is to be found.
    pub fn of(delivery: &Delivery) -> Found {
        let id = compact(&delivery.id);
        let by_reference = delivery.reference.as_deref().map(reference_prefix);
        let place = delivery.target.as_ref().map(|holder| &holder.place);
        let start = delivery.start.as_ref().map(|start| &start.name);
        let execution = place.map(|place| &place.execution_name).or(start);
        let by_execution = execution.map(|name| execution_prefix(name));
        let mut keys: Vec<_> = by_reference
            .into_iter()
            .chain(by_execution)
            .map(|prefix| (Table::DeliveryIndex, prefix + &id))
            .collect();
        if delivery.disposition().is_some_and(is_odd) {
            keys.push((Table::OddDelivery, delivery.id.clone()));
        }
        Found { keys }
    }

    /// What has to be written for it to become `next`.
    pub fn until(&self, next: &Found) -> Vec<DocumentChange> {
        let change = |(table, key): &(Table, String), content| DocumentChange {
            table: *table,
            key: key.clone(),
            expect: Expect::Any,
            content,
            due: None,
        };
        let gone = self.keys.iter().filter(|key| !next.keys.contains(key));
        let new = next.keys.iter().filter(|key| !self.keys.contains(key));
        gone.map(|key| change(key, None))
            .chain(new.map(|key| change(key, Some(Vec::new()))))
            .collect()
    }
}

/// Says, in [`Table::Meta`], that all deliveries of the store have their keys.
const COMPLETE: &str = "delivery-index";

/// How many deliveries are given their keys in one commit.
const BATCH: usize = 256;

impl Gateway {
    /// Writes the keys of deliveries that were stored before there were any; once in the life of a store.
    pub(super) async fn complete_keys(&self) -> Result<(), String> {
        let store = &self.0.store;
        let complete = store.get(Table::Meta, COMPLETE).await;
        if complete.map_err(|StoreError(what)| what)?.is_some() {
            return Ok(());
        }
        let mut after: Option<String> = None;
        loop {
            let page = store.scan(Table::Delivery, "", after.as_deref(), BATCH, false);
            let page = page.await.map_err(|StoreError(what)| what)?;
            let last = page.len() < BATCH;
            let mut changes = Vec::new();
            for (key, document) in page {
                let delivery: Delivery = read(&document)?;
                changes.extend(Found::default().until(&Found::of(&delivery)));
                after = Some(key);
            }
            if last {
                changes.push(DocumentChange {
                    table: Table::Meta,
                    key: COMPLETE.to_owned(),
                    expect: Expect::Any,
                    content: Some(Vec::new()),
                    due: None,
                });
            }
            match self.commit(changes).await {
                Ok(()) if last => return Ok(()),
                Ok(()) => {}
                Err(NotStored::Server(what)) => return Err(what),
                Err(NotStored::Conflict) => unreachable!("none of them expects anything"),
            }
        }
    }
}

/// Whether an operator may have to look at it.
pub(super) fn is_odd(disposition: Disposition) -> bool {
    match disposition {
        Disposition::Delivered
        | Disposition::DeliveredAsFailure
        | Disposition::Started
        | Disposition::Heartbeat
        | Disposition::Early => false,
        Disposition::DuplicateIdentical
        | Disposition::DuplicateContradicting
        | Disposition::LateTimedOut
        | Disposition::LateEnded
        | Disposition::LateSuperseded
        | Disposition::UnknownReference
        | Disposition::Malformed
        | Disposition::Unverified
        | Disposition::TooLarge
        | Disposition::RateLimited
        | Disposition::Undeliverable => true,
    }
}

/// What the keys of deliveries with this reference begin with.
pub(super) fn reference_prefix(reference: &str) -> String {
    format!("r{}", digits(reference))
}

/// What the keys of deliveries begin with that met an execution of this name.
pub(super) fn execution_prefix(name: &str) -> String {
    format!("e{}", digits(name))
}

fn digits(name: &str) -> String {
    let mut digits: String = Sha256::digest(name.as_bytes())
        .iter()
        .take(HASH_DIGITS.div_ceil(2))
        .map(|byte| format!("{byte:02x}"))
        .collect();
    digits.truncate(HASH_DIGITS);
    digits
}

/// A delivery's id without its dashes.
pub(super) fn compact(id: &str) -> String {
    id.replace('-', "")
}

/// The id of the delivery that a key of [`Table::DeliveryIndex`] names.
pub(super) fn id_of(key: &str) -> Option<String> {
    let id = key.get(1 + HASH_DIGITS..)?;
    Some(uuid::Uuid::try_parse(id).ok()?.to_string())
}
