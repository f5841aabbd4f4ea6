//! What a delivery is found by, beside its id, which has the time in it: its reference, its execution, and
//! what became of it.
//!
//! Each is a document without content, whose key says it all; a search looks at keys in memory and then reads
//! the deliveries that they name. It is there to be fast, not to be right: what is read is compared with
//! what was asked for, so a key may say too much (a hash of a few bits does), but never too little. That is why
//! the keys are written in the commit that writes the delivery.
//!
//! | key | |
//! | --- | --- |
//! | `r`, hash of the reference, id | |
//! | `e`, hash of the execution's name, id | of the wait that it met, or that it started |
//! | `d`, the disposition's letter, id | of all but those that are plainly delivered: they are most, as a rule |
//!
//! Keys live in memory, two or three for each delivery, so they are short: 40 bytes at most.

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
    keys: Vec<String>,
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
        let by_disposition = delivery.disposition().and_then(disposition_prefix);
        let keys = by_reference
            .into_iter()
            .chain(by_execution)
            .chain(by_disposition)
            .map(|prefix| prefix + &id)
            .collect();
        Found { keys }
    }

    /// What has to be written for it to become `next`.
    pub fn until(&self, next: &Found) -> Vec<DocumentChange> {
        let change = |key: &String, content| DocumentChange {
            table: Table::DeliveryIndex,
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

/// Says, in [`Table::Meta`], that all deliveries of the store have their keys; and which, by its content.
const COMPLETE: &str = "delivery-index";

/// The keys of today. There were none at first, and then (with nothing written here) none by disposition.
const KEYS: &[u8] = b"by disposition";

/// How many deliveries are given their keys in one commit.
const BATCH: usize = 256;

impl Gateway {
    /// Writes the keys of deliveries that were stored before there were such; once in the life of a store.
    pub(super) async fn complete_keys(&self) -> Result<(), String> {
        let store = &self.0.store;
        let complete = store.get(Table::Meta, COMPLETE).await;
        if complete
            .map_err(|StoreError(what)| what)?
            .is_some_and(|document| document.content == KEYS)
        {
            return Ok(());
        }
        self.remove_old_keys().await?;
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
                    content: Some(KEYS.to_vec()),
                    due: None,
                });
            }
            self.commit_keys(changes).await?;
            if last {
                return Ok(());
            }
        }
    }

    /// Takes away what those that are odd were found by before there were keys by disposition.
    async fn remove_old_keys(&self) -> Result<(), String> {
        loop {
            let store = &self.0.store;
            let keys = store.keys(Table::OddDelivery, "", None, BATCH, false);
            if keys.is_empty() {
                return Ok(());
            }
            let removal = |key| DocumentChange {
                table: Table::OddDelivery,
                key,
                expect: Expect::Any,
                content: None,
                due: None,
            };
            self.commit_keys(keys.into_iter().map(removal).collect())
                .await?;
        }
    }

    async fn commit_keys(&self, changes: Vec<DocumentChange>) -> Result<(), String> {
        self.commit(changes).await.map_err(|why| match why {
            NotStored::Server(what) => what,
            NotStored::Conflict => unreachable!("none of them expects anything"),
        })
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

/// What the keys of deliveries begin with that count as this; those that are plainly delivered have none.
/// The letters are stored.
pub(super) fn disposition_prefix(disposition: Disposition) -> Option<String> {
    let letter = match disposition {
        Disposition::Delivered => return None,
        Disposition::DeliveredAsFailure => 'f',
        Disposition::Started => 's',
        Disposition::Heartbeat => 'h',
        Disposition::Early => 'e',
        Disposition::DuplicateIdentical => 'i',
        Disposition::DuplicateContradicting => 'c',
        Disposition::LateTimedOut => 't',
        Disposition::LateEnded => 'l',
        Disposition::LateSuperseded => 'p',
        Disposition::UnknownReference => 'u',
        Disposition::Malformed => 'm',
        Disposition::Unverified => 'v',
        Disposition::TooLarge => 'b',
        Disposition::RateLimited => 'r',
        Disposition::Undeliverable => 'n',
    };
    Some(format!("d{letter}"))
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

/// How long an id is without its dashes.
const COMPACT_ID_DIGITS: usize = 32;

/// A delivery's id without its dashes.
pub(super) fn compact(id: &str) -> String {
    id.replace('-', "")
}

/// The id of the delivery that a key of [`Table::DeliveryIndex`] names.
pub(super) fn id_of(key: &str) -> Option<String> {
    let id = key.get(key.len().checked_sub(COMPACT_ID_DIGITS)?..)?;
    Some(uuid::Uuid::try_parse(id).ok()?.to_string())
}
