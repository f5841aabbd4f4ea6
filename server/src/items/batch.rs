//! `ItemBatcher`: several items for one child, `{"BatchInput": ..., "Items": [...]}`.

use asl::{Data, Failure};
use engine::map_run::Batches;
use serde_json::{Map, Value};

/// Puts items into batches, in their order.
#[derive(Debug)]
pub struct Batcher {
    max_items: u64,
    max_bytes: u64,
    input: Option<Data>,
    items: Vec<Value>,
    /// How long the batch's text is.
    bytes: u64,
}

/// Items for one child.
#[derive(Debug, PartialEq)]
pub struct Batch {
    /// The child's input.
    pub input: Data,
    /// How many items there are in it.
    pub items: u32,
}

impl Batcher {
    /// A batcher with these limits.
    ///
    /// # Errors
    /// `States.Runtime`: a limit that was looked up is not above zero.
    pub fn new(batches: &Batches) -> Result<Batcher, Failure> {
        let limit = |given: Option<i64>, name: &str| match given {
            None => Ok(u64::MAX),
            Some(given) if given > 0 => Ok(given as u64),
            Some(_) => Err(Failure::runtime(format!("field {name} must be positive"))),
        };
        let mut batcher = Batcher {
            max_items: limit(batches.max_items, "MaxItemsPerBatch")?,
            max_bytes: limit(batches.max_bytes, "MaxInputBytesPerBatch")?,
            input: batches.input.clone(),
            items: Vec::new(),
            bytes: 0,
        };
        batcher.bytes = batcher.frame();
        Ok(batcher)
    }

    /// How many items a child takes at most, if that is all that limits it.
    pub fn most(&self) -> u64 {
        self.max_items
    }

    /// Adds an item; gives the batch before it, if the item does not go into that. An item that is too
    /// long for any batch has one for itself.
    pub fn push(&mut self, item: &Data) -> Option<Batch> {
        let length = item.text().len() as u64;
        let comma = u64::from(!self.items.is_empty());
        let room = self.bytes + comma + length <= self.max_bytes;
        let full = !room || self.items.len() as u64 >= self.max_items;
        let before = if full { self.take() } else { None };
        self.bytes += u64::from(!self.items.is_empty()) + length;
        self.items.push(item.value().clone());
        before
    }

    /// The batch that has been begun, if one has.
    pub fn take(&mut self) -> Option<Batch> {
        if self.items.is_empty() {
            return None;
        }
        let items = std::mem::take(&mut self.items);
        self.bytes = self.frame();
        let count = items.len() as u32;
        let mut members = Map::new();
        if let Some(input) = &self.input {
            members.insert("BatchInput".to_owned(), input.value().clone());
        }
        members.insert("Items".to_owned(), items.into());
        Some(Batch {
            input: Data::from(Value::Object(members)),
            items: count,
        })
    }

    /// Whether the batch that has been begun takes no further item.
    pub fn is_full(&self) -> bool {
        self.items.len() as u64 >= self.max_items
    }

    /// How long the text around the items is.
    fn frame(&self) -> u64 {
        let input = self.input.as_ref();
        let input = input.map_or(0, |input| r#""BatchInput":,"#.len() + input.text().len());
        (r#"{"Items":[]}"#.len() + input) as u64
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn batches(max_items: Option<i64>, max_bytes: Option<i64>, input: Option<Value>) -> Batches {
        Batches {
            max_items,
            max_bytes,
            input: input.map(Data::from),
        }
    }

    fn all(batches: &Batches, items: &[Value]) -> Vec<Value> {
        let mut batcher = Batcher::new(batches).expect("limits");
        let mut made: Vec<Batch> = items
            .iter()
            .filter_map(|item| batcher.push(&Data::from(item.clone())))
            .collect();
        made.extend(batcher.take());
        let texts: Vec<Value> = made.iter().map(|b| b.input.value().clone()).collect();
        for batch in &made {
            assert_eq!(
                batch.input.value()["Items"].as_array().map(Vec::len),
                Some(batch.items as usize)
            );
        }
        texts
    }

    #[test]
    fn a_batch_has_so_many_items_and_its_input() {
        let items = [json!(1), json!(2), json!(3)];
        assert_eq!(
            all(&batches(Some(2), None, Some(json!({"a": 1}))), &items),
            [
                json!({"BatchInput": {"a": 1}, "Items": [1, 2]}),
                json!({"BatchInput": {"a": 1}, "Items": [3]})
            ]
        );
        assert_eq!(
            all(&batches(Some(1), None, None), &items[..1]),
            [json!({"Items": [1]})]
        );
        assert!(all(&batches(Some(2), None, None), &[]).is_empty());
    }

    #[test]
    fn a_batch_is_no_longer_than_it_may_be() {
        let items: Vec<Value> = (0..40).map(|n| json!("x".repeat(n % 7))).collect();
        for max in 12..60 {
            let made = all(&batches(None, Some(max), None), &items);
            let back: Vec<&Value> = made
                .iter()
                .flat_map(|b| b["Items"].as_array().expect("items"))
                .collect();
            assert!(back.into_iter().eq(&items), "every item, in order");
            for pair in made.windows(2) {
                let (one, next) = (&pair[0], &pair[1]);
                let alone = one["Items"].as_array().map(Vec::len) == Some(1);
                assert!(alone || one.to_string().len() as i64 <= max, "{one} {max}");
                let with_next = one.to_string().len() + 1 + next["Items"][0].to_string().len();
                assert!(with_next as i64 > max, "{one} had room for {next}, {max}");
            }
        }
    }

    #[test]
    fn a_limit_is_above_zero() {
        for batches in [batches(Some(0), None, None), batches(None, Some(-1), None)] {
            let failure = Batcher::new(&batches).expect_err("no limit");
            assert_eq!(failure.error.as_deref(), Some("States.Runtime"));
        }
    }
}
