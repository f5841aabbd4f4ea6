//! A Map Run as the engine knows it: what a distributed Map state asks for, all of it evaluated, and
//! what its children are given.
//!
//! The engine starts no children and reads no items: a Map Run is a wait ([`crate::Effect::StartMapRun`])
//! that ends with a list of results or with a failure, as the wait of a task does. What only the state's
//! frame can say of an item ([`Execution::item_input`]) is asked for while the wait is open.

use std::sync::Arc;

use asl::{Data, Failure, ItemSource, Map, StateId, StateKind, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::decide::Decider;
use crate::event::FrameId;
use crate::execution::Execution;
use crate::flow::Seen;
use crate::frame::{OpenMapRun, Phase};
use crate::identity::{Identity, WaitId};
use crate::token::TokenKey;

/// What a Map Run is to do.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MapRun {
    /// `arn:aws:states:REGION:ACCOUNT:mapRun:MACHINE/LABEL:UUID`.
    pub arn: Arc<str>,
    /// The items; `None` if they are the state's input, unchanged, or if they are to be read.
    pub items: Option<Data>,
    /// `MaxConcurrency`; 0 if the state has none.
    pub max_concurrency: u32,
    /// `ToleratedFailureCount`; 0 if the state has none.
    pub tolerated_failure_count: u64,
    /// `ToleratedFailurePercentage`; 0 if the state has none.
    pub tolerated_failure_percentage: f64,
    /// If the items are to be read.
    pub reading: Option<Reading>,
    /// If a child is given several items.
    pub batches: Option<Batches>,
    /// Where results are to be written, if they are to be exported: the arguments of `ResultWriter`.
    pub destination: Option<Data>,
}

impl MapRun {
    /// Where its items are from, as far as its own arguments say it: what they name may be a list of others.
    pub fn source(&self, map: &Map) -> String {
        let reader = map.distributed.as_ref().and_then(|d| d.reader.as_ref());
        match reader.zip(self.reading.as_ref()) {
            Some((reader, reading)) => reading.source(reader.source),
            None => STATE_DATA.to_owned(),
        }
    }
}

impl Reading {
    /// The URI of the object, or of the bucket whose objects are listed.
    pub fn source(&self, of: ItemSource) -> String {
        let text = |name: &str| self.arguments.value()[name].as_str().unwrap_or_default();
        match of {
            ItemSource::ListObjects => bucket_uri(text("Bucket")),
            ItemSource::GetObject => object_uri(text("Bucket"), text("Key")),
        }
    }
}

/// As `$$.Map.Item.Source` shows a bucket.
pub fn bucket_uri(bucket: &str) -> String {
    format!("S3://{bucket}")
}

/// As `$$.Map.Item.Source` shows an object.
pub fn object_uri(bucket: &str, key: &str) -> String {
    format!("S3://{bucket}/{key}")
}

/// `ItemReader`, evaluated.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Reading {
    /// `Parameters` or `Arguments`.
    pub arguments: Data,
    /// `MaxItems`, which may be below zero where it was looked up.
    pub max_items: Option<i64>,
}

/// `ItemBatcher`, evaluated.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Batches {
    /// `MaxItemsPerBatch`.
    pub max_items: Option<i64>,
    /// `MaxInputBytesPerBatch`.
    pub max_bytes: Option<i64>,
    /// `BatchInput`.
    pub input: Option<Data>,
}

/// An open Map Run, for whoever runs it.
#[derive(Debug, Clone, Copy)]
pub struct OpenRun<'a> {
    /// The Map state's name.
    pub state_name: &'a Arc<str>,
    /// What the definition says of it.
    pub map: &'a Map,
    /// When it was asked for, or redriven.
    pub opened_at: Timestamp,
    /// How often it has been redriven.
    pub redrives: u32,
    /// What is to be done.
    pub run: &'a MapRun,
    /// The items, unless they are to be read.
    pub items: &'a Data,
}

impl Execution {
    /// The Map Run that an open wait is for.
    pub fn map_run(&self, wait: WaitId) -> Option<OpenRun<'_>> {
        let (frame, open) = self.open_map_run(wait)?;
        let frame = &self.now.frames[&frame];
        let place = frame.place();
        let StateKind::Map(map) = &self.machine.state(place.id).kind else {
            unreachable!("only a Map state has a Map Run");
        };
        Some(OpenRun {
            state_name: &place.name,
            map,
            opened_at: open.opened_at,
            redrives: open.redrives,
            run: &open.run,
            items: open.run.items.as_ref().unwrap_or(&frame.data),
        })
    }

    /// What `ItemSelector` makes of an item; without one it is the item.
    ///
    /// # Errors
    /// The failure of the Map Run.
    ///
    /// # Panics
    /// If the wait is not an open Map Run's.
    pub fn item_input(
        &mut self,
        wait: WaitId,
        item: &Item<'_>,
        at: Timestamp,
        seed: u64,
    ) -> Result<Data, Failure> {
        // A Map state has no token.
        let tokens = &TokenKey::new(&[0; 32]);
        let (frame, _) = self
            .open_map_run(wait)
            .expect("items are asked for while their Map Run is open");
        let decider = Decider::new(self, at, seed, tokens);
        let machine = decider.machine.clone();
        let state = machine.state(decider.place(frame).id);
        let StateKind::Map(map) = &state.kind else {
            unreachable!("only a Map state has a Map Run");
        };
        let Some(template) = &map.item_selector else {
            return Ok(Data::from(item.input()));
        };
        let seen = Seen {
            given_item: Some(item),
            ..Seen::default()
        };
        let input = decider.input(frame, state.input_path.as_ref());
        let selected = input.and_then(|input| {
            decider.evaluate(frame, input.value(), seen, |scope| {
                template.render(scope).map(Data::from)
            })
        });
        let selected = selected.map_err(|flaw| flaw.failure)?;
        decider.check_depth(frame, &selected)?;
        Ok(selected)
    }

    pub(crate) fn open_map_run(&self, wait: WaitId) -> Option<(FrameId, &OpenMapRun)> {
        let id = *self.now.waits.get(&wait)?;
        match &self.now.frames[&id].phase {
            Phase::MapRun(open) => Some((id, open)),
            _ => None,
        }
    }
}

/// The source of items that are not read but given.
pub const STATE_DATA: &str = "STATE_DATA";

/// The items that a document is: an array's elements, or an object's members with their keys. Only a
/// distributed Map takes an object.
pub fn items(document: &Value) -> Vec<(Option<&str>, &Value)> {
    match document {
        Value::Array(elements) => elements.iter().map(|value| (None, value)).collect(),
        Value::Object(members) => members
            .iter()
            .map(|(key, value)| (Some(key.as_str()), value))
            .collect(),
        _ => Vec::new(),
    }
}

/// An item of a Map, as `$$.Map.Item` shows it.
#[derive(Debug, Clone, Copy)]
pub struct Item<'a> {
    /// Which one, from 0.
    pub index: u32,
    /// Its name, if it is a member of an object.
    pub key: Option<&'a str>,
    /// The item.
    pub value: &'a Value,
    /// Where it is from: [`STATE_DATA`], or the URI of an object or a bucket.
    pub source: &'a str,
}

impl<'a> Item<'a> {
    /// An item of the state's input.
    pub fn given(index: u32, value: &'a Value) -> Item<'a> {
        Item {
            index,
            key: None,
            value,
            source: STATE_DATA,
        }
    }

    /// What an iteration is given if nothing is selected.
    pub(crate) fn input(&self) -> Value {
        match self.key {
            Some(key) => json!({"Key": key, "Value": self.value}),
            None => self.value.clone(),
        }
    }
}

/// The ARN of the Map Run that a wait of this execution is for. It is drawn from the execution and the
/// wait, so whoever asks twice gets the same.
pub(crate) fn arn(identity: &Identity, label: &str, wait: WaitId) -> Arc<str> {
    let run = drawn(&[&identity.arn, &wait.0.to_string()]);
    let machine = identity.defined_machine_arn();
    let arn = machine.replacen(":stateMachine:", ":mapRun:", 1);
    format!("{arn}/{label}:{run}").into()
}

/// The label of a Map state that has none of its own: the same for all executions of a definition.
pub(crate) fn label(identity: &Identity, state: &str) -> String {
    drawn(&[identity.defined_machine_arn(), &identity.definition, state])
}

/// A UUID (of version 3, as AWS has them) that is made of these texts.
pub fn drawn(of: &[&str]) -> String {
    let mut hash = Sha256::new();
    for text in of {
        hash.update((text.len() as u64).to_be_bytes());
        hash.update(text.as_bytes());
    }
    let digest = hash.finalize();
    let mut bytes: [u8; 16] = digest[..16].try_into().expect("a SHA-256 has 32 bytes");
    bytes[6] = bytes[6] & 0x0F | 0x30;
    bytes[8] = bytes[8] & 0x3F | 0x80;
    let hex = |range: std::ops::Range<usize>| -> String {
        bytes[range]
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect()
    };
    format!(
        "{}-{}-{}-{}-{}",
        hex(0..4),
        hex(4..6),
        hex(6..8),
        hex(8..10),
        hex(10..16)
    )
}

/// Where a child begins, which its identity says.
pub(crate) fn start_of(machine: &asl::StateMachine, identity: &Identity) -> StateId {
    let Some(child) = &identity.map_run else {
        return machine.start_at;
    };
    let state = machine
        .find(&child.state)
        .expect("a child runs a state of the definition that it was started with");
    match &machine.state(state).kind {
        StateKind::Map(map) => map.start_at,
        _ => unreachable!("only a Map state has children"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_drawn_is_a_uuid_and_always_the_same() {
        let one = drawn(&["a", "bc"]);
        assert_eq!(one, drawn(&["a", "bc"]));
        assert_ne!(one, drawn(&["ab", "c"]));
        assert_eq!(one.len(), 36);
        assert_eq!(&one[14..15], "3");
    }
}
