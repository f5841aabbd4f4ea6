//! What children are given: the items of a Map Run, from the state's input or read as they are needed.
//!
//! A driver takes items as long as there are some, and otherwise has the next ones read: [`Feed::begin`]
//! hands the reader out, so that the driver may hear of other things meanwhile, and [`Feed::end`] takes
//! it back.

use std::collections::VecDeque;

use asl::{Data, Failure};
use engine::map_run::OpenRun;
use serde_json::Value;

use crate::items::Items;
use crate::items::batch::Batcher;
use crate::services::Services;

/// The items of a Map Run.
pub(super) struct Feed {
    from: From,
    /// Items that were read and not taken.
    ready: VecDeque<Value>,
    /// How many were taken.
    taken: u32,
    /// Puts several items into one child.
    pub(super) batcher: Option<Batcher>,
}

enum From {
    /// The state's input has them.
    Given(Data),
    /// They are read; nothing while that is done.
    Read(Option<Box<Items>>),
    /// All have been read.
    End,
}

/// Items that were read, with what read them.
pub(super) struct Portion {
    items: Box<Items>,
    read: Result<VecDeque<Value>, Failure>,
}

impl Feed {
    /// The items of this Map Run.
    ///
    /// # Errors
    /// The failure of the Map Run.
    pub(super) fn new(services: &Services, open: &OpenRun<'_>) -> Result<Feed, Failure> {
        let reader = open
            .map
            .distributed
            .as_ref()
            .and_then(|d| d.reader.as_ref());
        let from = match (reader, &open.run.reading) {
            (Some(reader), Some(reading)) => {
                let items = Items::open(services, reader, reading)?;
                From::Read(Some(Box::new(items)))
            }
            _ => From::Given(open.items.clone()),
        };
        let batches = open.run.batches.as_ref();
        Ok(Feed {
            from,
            ready: VecDeque::new(),
            taken: 0,
            batcher: batches.map(Batcher::new).transpose()?,
        })
    }

    /// No items at all.
    pub(super) fn empty() -> Feed {
        Feed {
            from: From::End,
            ready: VecDeque::new(),
            taken: 0,
            batcher: None,
        }
    }

    /// The next item and its place, if one is there.
    pub(super) fn next(&mut self) -> Option<(u32, Value)> {
        let item = match &self.from {
            From::Given(list) => all(list).get(self.taken as usize).cloned(),
            From::Read(_) | From::End => self.ready.pop_front(),
        }?;
        self.taken += 1;
        Some((self.taken - 1, item))
    }

    /// The reader, if items have to be read before there is a next one.
    pub(super) fn begin(&mut self) -> Option<Box<Items>> {
        match &mut self.from {
            From::Read(items) if self.ready.is_empty() => items.take(),
            _ => None,
        }
    }

    /// Takes in what was read.
    ///
    /// # Errors
    /// The failure of the Map Run.
    pub(super) fn end(&mut self, portion: Portion) -> Result<(), Failure> {
        self.from = From::End;
        self.ready = portion.read?;
        if !self.ready.is_empty() {
            self.from = From::Read(Some(portion.items));
        }
        Ok(())
    }

    /// How many items there are, if that is known yet.
    pub(super) fn total(&self) -> Option<u64> {
        match &self.from {
            From::Given(list) => Some(all(list).len() as u64),
            From::Read(_) => None,
            From::End => Some(u64::from(self.taken) + self.ready.len() as u64),
        }
    }

    /// Whether the last item was taken, and is with a child.
    pub(super) fn is_done(&self) -> bool {
        let begun = self
            .batcher
            .as_ref()
            .is_some_and(|batcher| !batcher.is_empty());
        !begun && self.is_at_end()
    }

    /// Whether the last item was taken.
    pub(super) fn is_at_end(&self) -> bool {
        match &self.from {
            From::Given(list) => self.taken as usize >= all(list).len(),
            From::Read(_) => false,
            From::End => self.ready.is_empty(),
        }
    }
}

fn all(list: &Data) -> &[Value] {
    list.value().as_array().map_or(&[], Vec::as_slice)
}

/// Reads the next items.
pub(super) async fn read(mut items: Box<Items>) -> Portion {
    let read = items.portion().await;
    Portion { items, read }
}
