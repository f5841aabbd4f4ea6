//! A document made of bytes: whatever the bytes are, there is one, so that a fuzzer's every change of them
//! changes the document and never makes it unreadable.

use serde_json::{Map, Value};

/// How deep a document nests.
const DEPTH_MAX: usize = 12;
/// How many values it has, about.
const VALUES_MAX: usize = 2_000;

/// Names that paths in the corpus use.
const NAMES: [&str; 8] = ["a", "b", "c", "x", "items", "price", "", "ä 'q'"];

/// The document of these bytes.
pub(super) fn document(bytes: &[u8]) -> Value {
    let mut maker = Maker {
        bytes,
        left: VALUES_MAX,
    };
    maker.value(DEPTH_MAX)
}

struct Maker<'b> {
    bytes: &'b [u8],
    left: usize,
}

impl Maker<'_> {
    fn next(&mut self) -> u8 {
        let Some((first, rest)) = self.bytes.split_first() else {
            return 0;
        };
        self.bytes = rest;
        *first
    }

    fn value(&mut self, levels: usize) -> Value {
        self.left = self.left.saturating_sub(1);
        let byte = self.next();
        let size = usize::from(byte >> 3);
        if self.left == 0 || levels == 0 {
            return Value::from(byte);
        }
        match byte & 7 {
            0 => Value::Null,
            1 => Value::Bool(size % 2 == 0),
            2 => Value::from(i64::from(self.next()) - 128),
            3 => Value::from(f64::from(self.next()) / 8.0 - size as f64),
            4 => self.text(size),
            5 => (0..size).map(|_| self.value(levels - 1)).collect(),
            // Many of the same, which is what makes a walk long.
            6 => {
                let one = self.value(levels - 1);
                let many = (size * 8).min(self.left / places(&one));
                self.left -= many * places(&one);
                Value::Array(vec![one; many])
            }
            _ => {
                let mut members = Map::new();
                for _ in 0..size.min(NAMES.len()) {
                    let name = NAMES[usize::from(self.next()) % NAMES.len()];
                    members.insert(name.to_owned(), self.value(levels - 1));
                }
                Value::Object(members)
            }
        }
    }

    fn text(&mut self, size: usize) -> Value {
        let size = size.min(self.bytes.len());
        let (text, rest) = self.bytes.split_at(size);
        self.bytes = rest;
        Value::from(String::from_utf8_lossy(text).into_owned())
    }
}

/// How many values a value consists of.
fn places(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(places).sum::<usize>(),
        Value::Object(members) => 1 + members.values().map(places).sum::<usize>(),
        _ => 1,
    }
}
