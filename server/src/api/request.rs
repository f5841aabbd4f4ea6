//! Requests in and responses out: the bodies of AWS JSON 1.0.

use std::borrow::Cow;
use std::fmt;
use std::ops::Deref;

use serde::Serialize;
use serde::de::{Deserialize, Deserializer, Visitor};

use super::error::ApiError;

/// What an operation answers: the body of its response, or an error.
pub(super) type Answer = Result<Vec<u8>, ApiError>;

/// Reads a request's body. Members that an operation does not know are passed over, as AWS does.
pub(super) fn read<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, ApiError> {
    serde_json::from_slice(body).map_err(ApiError::serialization)
}

/// Writes a response's body.
pub(super) fn write(response: &impl Serialize) -> Answer {
    Ok(serde_json::to_vec(response).expect("a response is plain data and can be written as JSON"))
}

/// The body of a response without members.
pub(super) fn nothing() -> Answer {
    Ok(b"{}".to_vec())
}

/// Text of a request: a part of its body, unless escapes in it had to be resolved.
#[derive(Debug)]
pub(super) struct Text<'a>(Cow<'a, str>);

impl Deref for Text<'_> {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Text<'a>, D::Error> {
        struct TextVisitor;

        impl<'de> Visitor<'de> for TextVisitor {
            type Value = Text<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }

            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Text<'de>, E> {
                Ok(Text(Cow::Borrowed(text)))
            }

            fn visit_str<E>(self, text: &str) -> Result<Text<'de>, E> {
                Ok(Text(Cow::Owned(text.to_owned())))
            }

            fn visit_string<E>(self, text: String) -> Result<Text<'de>, E> {
                Ok(Text(Cow::Owned(text)))
            }
        }

        deserializer.deserialize_str(TextVisitor)
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Deserialize, Debug)]
    struct Request<'a> {
        #[serde(borrow)]
        name: Option<Text<'a>>,
    }

    #[test]
    fn text_without_escapes_is_not_copied() {
        let plain: Request = read(br#"{"name":"plain","unknown":[1]}"#).expect("it is accepted");
        assert!(matches!(plain.name, Some(Text(Cow::Borrowed("plain")))));
        let escaped: Request = read(br#"{"name":"a\"b"}"#).expect("it is accepted");
        assert!(matches!(escaped.name, Some(Text(Cow::Owned(text))) if text == "a\"b"));
        let null: Request = read(br#"{"name":null}"#).expect("it is accepted");
        assert!(null.name.is_none());
    }

    #[test]
    fn a_body_that_is_not_json_is_a_serialization_exception() {
        for body in [
            &b"not json"[..],
            b"",
            br#"{"name":1}"#,
            b"[1]",
            b"{\"name\":\"\xff\"}",
        ] {
            let error = read::<Request>(body).expect_err("it is refused");
            assert_eq!(error.kind, "SerializationException");
        }
    }
}
