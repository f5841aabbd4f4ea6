//! The items of one object, whatever text it holds, as the text comes in.
//!
//! A parser takes pieces of any length and puts each item that is whole aside, so no more of an object
//! is in memory than a piece and the item that is being read. It knows nothing of where the text is from.

use std::collections::VecDeque;

use asl::{InputType, ReaderConfig};
use serde_json::Value;

use super::csv::Csv;
use super::json::Elements;
use super::lines::Lines;

/// The longest text of one item. An execution's input has less room, but `ItemSelector` may make an
/// item smaller.
const ITEM_BYTES_MAX: usize = 8 * 1024 * 1024;

/// Why items cannot be read: the cause of the failure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fault(pub(super) String);

/// An item, and its name if it is a member of an object.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Row {
    pub(super) key: Option<String>,
    pub(super) value: Value,
}

/// Items that are whole.
#[derive(Default)]
pub(super) struct Ready(VecDeque<Row>);

impl Ready {
    pub(super) fn push(&mut self, value: Value) {
        self.0.push_back(Row { key: None, value });
    }

    pub(super) fn push_member(&mut self, key: String, value: Value) {
        let key = Some(key);
        self.0.push_back(Row { key, value });
    }

    pub(super) fn pop(&mut self) -> Option<Row> {
        self.0.pop_front()
    }

    /// Whether an item may have `bytes`.
    pub(super) fn fits(&self, bytes: usize) -> Result<(), Fault> {
        match bytes <= ITEM_BYTES_MAX {
            true => Ok(()),
            false => Err(Fault(format!(
                "An item cannot be longer than {ITEM_BYTES_MAX} bytes."
            ))),
        }
    }
}

/// A parser of one kind of text.
pub(super) enum Rows {
    Csv(Box<Csv>),
    Json(Box<Elements>),
    Lines(Lines),
}

impl Rows {
    /// A parser for objects of this type.
    pub(super) fn new(input: InputType, config: &ReaderConfig) -> Result<Rows, Fault> {
        Ok(match input {
            InputType::Csv => Csv::new(&config.headers, config.delimiter)?.into(),
            InputType::JsonLines => Rows::Lines(Lines::default()),
            InputType::Json => {
                let elements = Elements::new(config.items_pointer.as_deref());
                Rows::Json(Box::new(elements))
            }
            InputType::Manifest => {
                let what = "A manifest cannot list manifests.";
                return Err(Fault(what.to_owned()));
            }
        })
    }

    /// Takes in a piece of the text.
    pub(super) fn feed(&mut self, piece: &[u8], ready: &mut Ready) -> Result<(), Fault> {
        match self {
            Rows::Csv(csv) => csv.feed(piece, ready),
            Rows::Json(elements) => elements.feed(piece, ready),
            Rows::Lines(lines) => lines.feed(piece, ready),
        }
    }

    /// The text is at its end.
    pub(super) fn end(&mut self, ready: &mut Ready) -> Result<(), Fault> {
        match self {
            Rows::Csv(csv) => csv.end(ready),
            Rows::Json(elements) => elements.end(),
            Rows::Lines(lines) => lines.end(ready),
        }
    }
}

impl From<Csv> for Rows {
    fn from(csv: Csv) -> Rows {
        Rows::Csv(Box::new(csv))
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// Numbers that a seed decides (splitmix64).
    pub(crate) fn split(seed: u64) -> impl FnMut() -> u64 {
        let mut state = seed;
        move || {
            state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
            let mut bits = state;
            bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
            bits ^ (bits >> 31)
        }
    }

    /// All items of the text, which have to be the same in whatever pieces it comes.
    pub(crate) fn all(
        rows: impl Fn() -> Result<Rows, Fault>,
        text: &[u8],
    ) -> Result<Vec<Value>, Fault> {
        let read = |pieces: &mut dyn FnMut(usize) -> usize| {
            let (mut rows, mut ready) = (rows()?, Ready::default());
            let mut rest = text;
            while !rest.is_empty() {
                let (piece, after) = rest.split_at(pieces(rest.len()));
                rows.feed(piece, &mut ready)?;
                rest = after;
            }
            rows.end(&mut ready)?;
            // A member shows its name.
            let shown = ready.0.into_iter().map(|row| match row.key {
                Some(key) => serde_json::json!({"Key": key, "Value": row.value}),
                None => row.value,
            });
            Ok(shown.collect())
        };
        let whole = read(&mut |length| length);
        assert_eq!(read(&mut |_| 1), whole, "byte by byte");
        let mut random = split(text.len() as u64);
        let mut piece = |length: usize| 1 + (random() % length.min(9) as u64) as usize;
        assert_eq!(read(&mut piece), whole, "in pieces");
        whole
    }
}
