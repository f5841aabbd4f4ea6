//! The items of a distributed Map that are read from objects, and its results that are written to them.
//!
//! | `Resource` | what an item is |
//! | --- | --- |
//! | `s3:getObject` of CSV | a row, an object of texts (`csv`) |
//! | of JSON | an element of an array, or a member of an object (`json`) |
//! | of JSONL | a line (`lines`) |
//! | of a manifest | a row of an inventory; or any of the above, in all the objects that are named |
//! | `s3:listObjectsV2` | what S3 tells of an object; or, with `LOAD_AND_FLATTEN`, what is in it |
//!
//! Items are pulled: nothing is read before somebody asks for it, and of what is read no more is kept
//! than a piece of an object and a page of a list. So a Map of a hundred million items needs no more
//! memory than one of a hundred. Objects that are compressed with gzip are unpacked on the way.
//!
//! In reading order: [`Items`]; `source`, where items are; `rows` and its parsers; `gzip`; [`batch`],
//! several items for one child; [`results`], what becomes of the children's outputs.

pub mod batch;
mod csv;
mod gzip;
mod json;
mod lines;
pub mod results;
mod rows;
mod source;

use std::sync::Arc;

use asl::{Failure, ItemReader};
use engine::map_run::Reading;
use serde_json::Value;

use crate::services::Services;
use rows::Fault;
use source::Source;

/// The error of a Map whose items cannot be read.
pub const ITEM_READER_FAILED: &str = "States.ItemReaderFailed";

/// An item that was read.
pub struct Read {
    /// Its name, if it is a member of an object.
    pub key: Option<String>,
    /// The item.
    pub value: Value,
    /// The URI of the object that it was in, or of the bucket that it was listed in.
    pub source: Arc<str>,
}

/// Items that are read as they are asked for.
pub struct Items {
    source: Source,
    /// How many may still be taken (`MaxItems`).
    left: u64,
    /// How many were taken.
    taken: u64,
}

impl Items {
    /// Items from where the reader says.
    ///
    /// # Errors
    /// `States.ItemReaderFailed`: `MaxItems` is below zero, or the headers of CSV text are not distinct.
    pub fn open(
        services: &Services,
        reader: &ItemReader,
        reading: &Reading,
    ) -> Result<Items, Failure> {
        let left = match reading.max_items {
            None | Some(0) => u64::MAX,
            Some(most) => u64::try_from(most)
                .map_err(|_| refused(Fault("field MaxItems must be positive".to_owned())))?,
        };
        let source = Source::new(services.clone(), reader, &reading.arguments);
        Ok(Items {
            source: source.map_err(refused)?,
            left,
            taken: 0,
        })
    }

    /// The next item; nothing after the last one.
    ///
    /// # Errors
    /// `States.ItemReaderFailed`; there are no items after that.
    pub async fn next(&mut self) -> Result<Option<Read>, Failure> {
        if self.left == 0 {
            return Ok(None);
        }
        let item = self.source.next().await.map_err(refused)?;
        match item.is_some() {
            true => {
                self.left -= 1;
                self.taken += 1;
            }
            false => self.left = 0,
        }
        Ok(item)
    }

    /// How many items there are, once they have all been taken.
    pub fn total(&self) -> Option<u64> {
        (self.left == 0).then_some(self.taken)
    }
}

fn refused(Fault(cause): Fault) -> Failure {
    Failure::new(ITEM_READER_FAILED, cause)
}
