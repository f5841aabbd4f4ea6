//! The elements of a JSON array, or the members of a JSON object, somewhere in a JSON text.
//!
//! The text comes in pieces and may be far larger than memory, so it is not parsed as a whole: this
//! follows the JSON pointer down to the items, skips what stands beside the way, and hands each item
//! alone to the JSON parser. What comes after the items is not looked at.
//!
//! Without a pointer only an array has items (recorded in `test_map_item_reader_json_no_json_list_object`).
//! With one, an object has them as well: its members, each with its key.

use serde_json::Value;

use super::rows::{Fault, Ready};

/// Recorded.
const NOT_ITERABLE: &str = "Attempting to map over non-iterable node.";

/// Elements of JSON text that comes in pieces.
pub(super) struct Elements {
    /// The steps of the pointer that are still to go; the next one is last.
    way: Vec<String>,
    pointer: Option<String>,
    at: At,
    /// The text of a key, or of an item, that is being read.
    text: Vec<u8>,
    value: Extent,
    /// Whether the container that is being looked through is an object.
    in_object: bool,
    /// The place of the element that is next in an array on the way.
    index: usize,
    /// The key of the member that is being read.
    key: String,
    /// Whether the container is that of the items.
    arrived: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum At {
    /// Before the value that the way leads to.
    Target,
    /// Before the first element, or the end.
    First,
    /// Before an element.
    Element,
    /// In the key of a member; whether behind a backslash.
    Key(bool),
    /// Behind a key.
    Colon,
    /// Before the value of a member.
    Value,
    /// In a value that is an item.
    Item,
    /// In a value beside the way.
    Beside,
    /// Behind an element.
    Behind,
    /// Behind the items.
    Done,
}

impl Elements {
    /// The elements of what the pointer leads to.
    pub(super) fn new(pointer: Option<&str>) -> Elements {
        let steps = pointer.unwrap_or_default().split('/').skip(1);
        let mut way: Vec<String> = steps
            .map(|step| step.replace("~1", "/").replace("~0", "~"))
            .collect();
        way.reverse();
        Elements {
            way,
            pointer: pointer.map(str::to_owned),
            at: At::Target,
            text: Vec::new(),
            value: Extent::default(),
            in_object: false,
            index: 0,
            key: String::new(),
            arrived: false,
        }
    }

    /// Takes in a piece of the text.
    pub(super) fn feed(&mut self, piece: &[u8], ready: &mut Ready) -> Result<(), Fault> {
        for byte in piece {
            if self.at == At::Done {
                return Ok(());
            }
            self.byte(*byte, ready)?;
        }
        Ok(())
    }

    /// The text is at its end.
    pub(super) fn end(&mut self) -> Result<(), Fault> {
        match self.at {
            At::Done => Ok(()),
            // A text that is one number, `true` or the like is over when the text is.
            At::Target => Err(malformed("it ends before the items")),
            _ => Err(malformed("it ends in the middle")),
        }
    }

    fn byte(&mut self, byte: u8, ready: &mut Ready) -> Result<(), Fault> {
        if matches!(self.at, At::Item | At::Beside) {
            if self.at == At::Item {
                ready.fits(self.text.len())?;
            }
            match self.value.step(byte) {
                Step::Inside => self.keep(byte),
                Step::Last => {
                    self.keep(byte);
                    self.end_element(ready)?;
                }
                Step::Behind => {
                    self.end_element(ready)?;
                    return self.byte(byte, ready);
                }
            }
            return Ok(());
        }
        if let At::Key(escaped) = self.at {
            return self.key_byte(byte, escaped, ready);
        }
        if byte.is_ascii_whitespace() {
            return Ok(());
        }
        match (self.at, byte) {
            (At::Target, _) => self.open(byte),
            (At::First, b']') if !self.in_object => self.close(),
            (At::First, b'}') if self.in_object => self.close(),
            (At::First | At::Element, b'"') if self.in_object => {
                self.text.clear();
                self.text.push(byte);
                self.at = At::Key(false);
                Ok(())
            }
            (At::First | At::Element, _) if !self.in_object => {
                let next = self.index.to_string();
                self.index += 1;
                self.element(&next, byte, ready)
            }
            (At::Colon, b':') => {
                self.at = At::Value;
                Ok(())
            }
            (At::Value, _) => {
                let key = std::mem::take(&mut self.key);
                let begun = self.element(&key, byte, ready);
                self.key = key;
                begun
            }
            (At::Behind, b',') => {
                self.at = At::Element;
                Ok(())
            }
            (At::Behind, b']') if !self.in_object => self.close(),
            (At::Behind, b'}') if self.in_object => self.close(),
            _ => Err(malformed(&format!(
                "'{}' is not expected",
                char::from(byte).escape_default()
            ))),
        }
    }

    /// The value that the way leads to begins, or one on the way.
    fn open(&mut self, byte: u8) -> Result<(), Fault> {
        self.arrived = self.way.is_empty();
        self.in_object = byte == b'{';
        self.index = 0;
        let has_items = match byte {
            b'[' => true,
            b'{' => !self.arrived || self.pointer.is_some(),
            _ => false,
        };
        match has_items {
            true => self.at = At::First,
            false if self.arrived => return Err(Fault(NOT_ITERABLE.to_owned())),
            false => return Err(self.leads_nowhere()),
        }
        Ok(())
    }

    /// An element begins with `byte`: an item, or the next step of the way, or neither.
    fn element(&mut self, name: &str, byte: u8, ready: &mut Ready) -> Result<(), Fault> {
        if !self.arrived && self.way.last().is_some_and(|step| step == name) {
            self.way.pop();
            return self.open(byte);
        }
        self.at = if self.arrived { At::Item } else { At::Beside };
        self.text.clear();
        self.value = Extent::default();
        self.byte(byte, ready)
    }

    fn key_byte(&mut self, byte: u8, escaped: bool, ready: &Ready) -> Result<(), Fault> {
        ready.fits(self.text.len())?;
        self.text.push(byte);
        self.at = match (escaped, byte) {
            (false, b'"') => {
                self.key = parsed(&self.text)?;
                At::Colon
            }
            (false, b'\\') => At::Key(true),
            _ => At::Key(false),
        };
        Ok(())
    }

    fn keep(&mut self, byte: u8) {
        if self.at == At::Item {
            self.text.push(byte);
        }
    }

    fn end_element(&mut self, ready: &mut Ready) -> Result<(), Fault> {
        if self.at == At::Item {
            let value: Value = parsed(&self.text)?;
            match self.in_object {
                true => ready.push_member(std::mem::take(&mut self.key), value),
                false => ready.push(value),
            }
        }
        self.at = At::Behind;
        Ok(())
    }

    fn close(&mut self) -> Result<(), Fault> {
        match self.arrived {
            true => {
                self.at = At::Done;
                Ok(())
            }
            false => Err(self.leads_nowhere()),
        }
    }

    fn leads_nowhere(&self) -> Fault {
        let pointer = self.pointer.as_deref().unwrap_or_default();
        Fault(format!("The ItemsPointer '{pointer}' leads to nothing."))
    }
}

fn parsed<T: serde::de::DeserializeOwned>(text: &[u8]) -> Result<T, Fault> {
    serde_json::from_slice(text).map_err(|why| {
        // Where in the item it is would be taken for a place in the object.
        let why = why.to_string();
        malformed(why.split(" at line ").next().unwrap_or_default())
    })
}

fn malformed(why: &str) -> Fault {
    Fault(format!("The object is not valid JSON: {why}"))
}

/// How far a value reaches, which is all that is looked at here; whether it is JSON, the parser says.
#[derive(Default)]
struct Extent {
    depth: usize,
    in_text: bool,
    escaped: bool,
    /// Its first byte is behind us.
    begun: bool,
}

enum Step {
    /// The byte belongs to the value.
    Inside,
    /// And is its last one.
    Last,
    /// The byte does not belong to it any more.
    Behind,
}

impl Extent {
    fn step(&mut self, byte: u8) -> Step {
        let first = !std::mem::replace(&mut self.begun, true);
        if self.in_text {
            self.in_text = self.escaped || byte != b'"';
            self.escaped = !self.escaped && byte == b'\\';
            return match self.in_text || self.depth > 0 {
                true => Step::Inside,
                false => Step::Last,
            };
        }
        match byte {
            b'"' if first || self.depth > 0 => self.in_text = true,
            b'{' | b'[' => self.depth += 1,
            b'}' | b']' if self.depth > 0 => {
                self.depth -= 1;
                if self.depth == 0 {
                    return Step::Last;
                }
            }
            b',' | b'}' | b']' if self.depth == 0 => return Step::Behind,
            byte if self.depth == 0 && byte.is_ascii_whitespace() => return Step::Behind,
            _ => {}
        }
        Step::Inside
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::items::rows::Rows;
    use crate::items::rows::tests::{all, split};

    fn read(pointer: Option<&str>, text: &str) -> Result<Vec<Value>, String> {
        let rows = || Ok(Rows::Json(Box::new(Elements::new(pointer))));
        all(rows, text.as_bytes()).map_err(|Fault(why)| why)
    }

    #[test]
    fn the_elements_of_an_array_are_items() {
        for (pointer, text, expected) in [
            (None, "[]", json!([])),
            (None, " [ 1 , true,null ] trailing", json!([1, true, null])),
            (
                None,
                r#"[{"a": "]}\"\\"}, [[",["]], "x,]", -1.5e3]"#,
                json!([{"a": "]}\"\\"}, [[",["]], "x,]", -1500.0]),
            ),
            (Some(""), "[1]", json!([1])),
            (
                Some("/a/b"),
                r#"{"x": [1, {"b": [9]}], "a": {"c": "}", "b": [2, 3]}, "b": [4]}"#,
                json!([2, 3]),
            ),
            (Some("/1/0"), "[[7], [[1, 2], 3]]", json!([1, 2])),
            (Some("/a~1b/~0"), r#"{"a/b": {"~": [1]}}"#, json!([1])),
            (Some("/k\u{e9}y"), r#"{"k\u00e9y": [1]}"#, json!([1])),
            (
                Some("/a"),
                r#"{"a": {"x": 1, "y": [2]}}"#,
                json!([{"Key": "x", "Value": 1}, {"Key": "y", "Value": [2]}]),
            ),
            (Some(""), r#"{"x": {}}"#, json!([{"Key": "x", "Value": {}}])),
        ] {
            let found = read(pointer, text).map(Value::from);
            assert_eq!(found, Ok(expected), "{pointer:?} {text}");
        }
    }

    #[test]
    fn what_has_no_items_says_so() {
        let not_json = |why| format!("The object is not valid JSON: {why}");
        for (pointer, text, expected) in [
            (None, r#"{"Hello": "world"}"#, NOT_ITERABLE.to_owned()),
            (None, "3", NOT_ITERABLE.to_owned()),
            (Some("/a"), r#"{"a": 1}"#, NOT_ITERABLE.to_owned()),
            (
                Some("/a"),
                r#"{"b": []}"#,
                "The ItemsPointer '/a' leads to nothing.".to_owned(),
            ),
            (
                Some("/a/b"),
                r#"{"a": 1}"#,
                "The ItemsPointer '/a/b' leads to nothing.".to_owned(),
            ),
            (None, "", not_json("it ends before the items")),
            (None, "[1, 2", not_json("it ends in the middle")),
            (None, "[1 2]", not_json("'2' is not expected")),
            (None, "[1, tru]", not_json("EOF while parsing a value")),
        ] {
            assert_eq!(read(pointer, text), Err(expected), "{pointer:?} {text}");
        }
    }

    /// Whatever an array holds, its elements are found as the JSON parser finds them.
    #[test]
    fn the_elements_are_those_of_the_parser() {
        fn value(below: &mut dyn FnMut(usize) -> usize, depth: usize) -> Value {
            let texts = ["", "a", "\"", "\\", "]", "{", ",", "\u{1}", "ü"];
            match below(if depth == 0 { 5 } else { 7 }) {
                0 => Value::Null,
                1 => json!(below(2) == 0),
                2 => json!(below(1000) as f64 / 8.0 - 20.0),
                3 | 4 => json!(texts[below(texts.len())]),
                5 => (0..below(4)).map(|_| value(below, depth - 1)).collect(),
                _ => (0..below(4))
                    .map(|_| {
                        (
                            texts[below(texts.len())].to_owned(),
                            value(below, depth - 1),
                        )
                    })
                    .collect::<serde_json::Map<_, _>>()
                    .into(),
            }
        }
        for seed in 0..300 {
            let mut random = split(seed);
            let mut below = move |limit: usize| (random() % limit as u64) as usize;
            let items: Vec<Value> = (0..below(5)).map(|_| value(&mut below, 3)).collect();
            let beside = value(&mut below, 3);
            let text = json!({"beside": beside, "way": [0, {"items": items}], "rest": beside});
            for text in [text.to_string(), format!("{text:#}")] {
                let found = read(Some("/way/1/items"), &text);
                assert_eq!(found.as_ref(), Ok(&items), "seed {seed}: {text}");
            }
        }
    }
}
