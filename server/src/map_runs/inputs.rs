//! What a Map Run's children are given: items, selected and put into batches, one child after the other.
//!
//! Inputs are pulled, and so are the items behind them: no more of them is in memory than the next child
//! needs. Pulling them again, after a restart, gives the same children in the same order.

use std::sync::Arc;

use crate::items::batch::{Batch, Batcher};
use crate::items::{Items, Read};
use crate::services::Services;
use asl::{Data, Failure, Timestamp};
use engine::map_run::{OpenRun, STATE_DATA};
use engine::{Execution, ExecutionKey, Item, WaitId};
use serde_json::Value;

/// The inputs of the children that have not been asked for yet.
pub(super) struct Inputs {
    parent: Execution,
    wait: WaitId,
    now: Timestamp,
    source: Source,
    /// The source of items that are not read.
    given: Arc<str>,
    batcher: Option<Batcher>,
    /// How many items were taken.
    taken: u32,
    /// A source that failed or is empty is not asked again.
    ended: bool,
}

enum Source {
    /// The state's items, and which one is next.
    List(Data, usize),
    /// The members of an object that the state is given, and how many there are.
    Members(serde_json::map::IntoIter, u64),
    /// They are read.
    Read(Box<Items>),
}

impl Inputs {
    /// The inputs of all the children of a Map Run that `parent` waits for.
    ///
    /// # Errors
    /// The failure of the Map Run.
    pub(super) fn open(
        services: &Services,
        parent: Execution,
        wait: WaitId,
        now: Timestamp,
    ) -> Result<Inputs, Failure> {
        let open = parent.map_run(wait);
        let OpenRun {
            state_name,
            map,
            run,
            items,
            ..
        } = open.expect("a Map Run is driven while its wait is open");
        let reader = map.distributed.as_ref().and_then(|d| d.reader.as_ref());
        let played = services.actors().zip(reader);
        let played = played.and_then(|(actors, _)| actors.items(state_name));
        let source = match (reader.zip(run.reading.as_ref()), played) {
            (_, Some(items)) => Source::List(Value::Array(items).into(), 0),
            (Some((reader, reading)), None) => {
                Source::Read(Box::new(Items::open(services, reader, reading)?))
            }
            (None, None) => match items.value() {
                Value::Object(members) => {
                    let count = members.len() as u64;
                    Source::Members(members.clone().into_iter(), count)
                }
                _ => Source::List(items.clone(), 0),
            },
        };
        let batcher = run.batches.as_ref().map(Batcher::new).transpose()?;
        Ok(Inputs {
            source,
            given: STATE_DATA.into(),
            batcher,
            parent,
            wait,
            now,
            taken: 0,
            ended: false,
        })
    }

    /// The next child's input; nothing after the last one.
    ///
    /// # Errors
    /// The failure of the Map Run; there are no inputs after that.
    pub(super) async fn next(&mut self) -> Result<Option<Batch>, Failure> {
        let next = self.pull().await;
        self.ended |= !matches!(next, Ok(Some(_)));
        next
    }

    async fn pull(&mut self) -> Result<Option<Batch>, Failure> {
        while !self.ended {
            let Some(item) = self.item().await? else {
                self.ended = true;
                break;
            };
            let input = self.selected(&item)?;
            let Some(batcher) = &mut self.batcher else {
                return Ok(Some(Batch { input, items: 1 }));
            };
            if let Some(batch) = batcher.push(&input) {
                return Ok(Some(batch));
            }
            if batcher.is_full() {
                return Ok(batcher.take());
            }
        }
        Ok(self.batcher.as_mut().and_then(Batcher::take))
    }

    async fn item(&mut self) -> Result<Option<Read>, Failure> {
        match &mut self.source {
            Source::List(list, next) => {
                let item = list.value().as_array().and_then(|list| list.get(*next));
                *next += 1;
                Ok(item.map(|item| Read {
                    key: None,
                    value: item.clone(),
                    source: self.given.clone(),
                }))
            }
            Source::Members(members, _) => Ok(members.next().map(|(key, value)| Read {
                key: Some(key),
                value,
                source: self.given.clone(),
            })),
            Source::Read(items) => items.next().await,
        }
    }

    /// What `ItemSelector` makes of an item.
    fn selected(&mut self, read: &Read) -> Result<Data, Failure> {
        let index = self.taken;
        self.taken += 1;
        // The same random numbers for the same item, whenever it is asked for.
        let seed = &self.parent.identity().arn;
        let seed = ExecutionKey::of(&format!("{seed}/{}/{index}", self.wait.0)).0 as u64;
        let item = Item {
            index,
            key: read.key.as_deref(),
            value: &read.value,
            source: &read.source,
        };
        self.parent.item_input(self.wait, &item, self.now, seed)
    }

    /// How many items there are, as far as that is known.
    pub(super) fn total(&self) -> Option<u64> {
        match &self.source {
            Source::List(list, _) => list.value().as_array().map(|list| list.len() as u64),
            Source::Members(_, count) => Some(*count),
            Source::Read(items) => items.total(),
        }
    }

    /// How many items a child takes, if that is all that limits it.
    pub(super) fn most(&self) -> u64 {
        self.batcher.as_ref().map_or(1, Batcher::most)
    }
}
