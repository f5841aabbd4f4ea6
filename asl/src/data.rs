//! A JSON document that is passed around, as text, as a value, or as both.
//!
//! A payload enters as text (an API request), is read as a value (a path looks into it) and leaves
//! as text (an event, a request to a function). Most payloads need only one of the two forms, and
//! a parked execution needs neither parsed, so each form is made when first asked for and kept.

use std::fmt;
use std::sync::{Arc, OnceLock};

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

/// How many arrays and objects may stand inside of each other: what serde_json reads back from text.
///
/// A state can nest its input once more (`{"a.$": "$"}`), so a loop can build a document that could
/// be written and not read again. Whoever accepts a state's output checks it with [`too_deep`].
pub const DEPTH_MAX: usize = 127;

/// Whether `value` nests deeper than [`DEPTH_MAX`].
pub fn too_deep(value: &Value) -> bool {
    fn deeper_than(value: &Value, levels: usize) -> bool {
        match value {
            Value::Array(items) => {
                levels == 0 || items.iter().any(|item| deeper_than(item, levels - 1))
            }
            Value::Object(members) => {
                levels == 0
                    || members
                        .values()
                        .any(|member| deeper_than(member, levels - 1))
            }
            _ => false,
        }
    }
    deeper_than(value, DEPTH_MAX)
}

/// A shared, immutable JSON document. Cloning is a reference count.
#[derive(Clone)]
pub struct Data(Arc<Forms>);

/// At least one of the two is always set.
struct Forms {
    text: OnceLock<Box<str>>,
    value: OnceLock<Value>,
}

impl Data {
    /// Takes text that must be JSON; the parsed form is kept, since checking is parsing.
    ///
    /// # Errors
    /// What serde_json says of the text.
    pub fn parse(text: &str) -> Result<Data, serde_json::Error> {
        let value: Value = serde_json::from_str(text)?;
        Ok(Data(Arc::new(Forms {
            text: OnceLock::from(Box::from(text)),
            value: OnceLock::from(value),
        })))
    }

    /// The document as JSON text: as it was given, or compact.
    pub fn text(&self) -> &str {
        self.0.text.get_or_init(|| {
            let value = self.0.value.get().expect("a document has text or a value");
            serde_json::to_string(value)
                .expect("a JSON value can always be written")
                .into_boxed_str()
        })
    }

    /// The document as a value.
    pub fn value(&self) -> &Value {
        self.0.value.get_or_init(|| {
            let text = self.0.text.get().expect("a document has text or a value");
            serde_json::from_str(text).expect("the text of a document was checked when it came in")
        })
    }

    /// Whether two handles are the very same document, without a look inside.
    pub fn same(&self, other: &Data) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl From<Value> for Data {
    fn from(value: Value) -> Data {
        Data(Arc::new(Forms {
            text: OnceLock::new(),
            value: OnceLock::from(value),
        }))
    }
}

impl PartialEq for Data {
    fn eq(&self, other: &Data) -> bool {
        self.same(other) || self.value() == other.value()
    }
}

impl fmt::Debug for Data {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}

/// Stored as its JSON text, so that a journal can be read without parsing payloads.
impl Serialize for Data {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.text())
    }
}

/// Trusts the text: it was checked before it was written, and what is on disk has a checksum.
impl<'de> Deserialize<'de> for Data {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Data, D::Error> {
        let text = Box::<str>::deserialize(deserializer)?;
        Ok(Data(Arc::new(Forms {
            text: OnceLock::from(text),
            value: OnceLock::new(),
        })))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_too_deep_can_be_read_back() {
        for levels in [DEPTH_MAX, DEPTH_MAX + 1] {
            let value = (0..levels).fold(Value::Null, |inner, _| Value::Array(vec![inner]));
            assert_eq!(too_deep(&value), levels > DEPTH_MAX);
            assert_eq!(
                Data::parse(Data::from(value).text()).is_err(),
                levels > DEPTH_MAX
            );
        }
    }

    #[test]
    fn a_document_keeps_the_text_it_was_given() {
        let data = Data::parse("{ \"b\": 1.0, \"a\": 2 }").expect("JSON");
        assert_eq!(data.text(), "{ \"b\": 1.0, \"a\": 2 }");
        assert_eq!(
            Data::from(data.value().clone()).text(),
            "{\"b\":1.0,\"a\":2}",
            "in the order of the members"
        );
    }
}
