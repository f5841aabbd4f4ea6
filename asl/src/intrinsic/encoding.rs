//! `States.Base64Encode`, `Base64Decode`, `Hash`, `UUID`.

use std::borrow::Cow;
use std::fmt::Write;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use sha2::Digest;

use super::string;
use crate::scope::Random;

/// The longest text that these functions take, in characters (AWS).
const LENGTH_MAX: usize = 10_000;

fn short_string<'v>(values: &'v [Cow<'_, Value>], at: usize) -> Result<&'v str, String> {
    let text = string(values, at)?;
    if text.chars().count() > LENGTH_MAX {
        return Err(format!(
            "argument {} must have at most {LENGTH_MAX} characters",
            at + 1
        ));
    }
    Ok(text)
}

pub(super) fn base64_encode(values: &[Cow<'_, Value>], _: &dyn Random) -> Result<Value, String> {
    Ok(Value::String(STANDARD.encode(short_string(values, 0)?)))
}

pub(super) fn base64_decode(values: &[Cow<'_, Value>], _: &dyn Random) -> Result<Value, String> {
    let bytes = STANDARD
        .decode(short_string(values, 0)?)
        .map_err(|why| format!("argument 1 is not Base64: {why}"))?;
    // Java decodes bytes that are not UTF-8 to replacement characters; so do we.
    Ok(Value::String(String::from_utf8_lossy(&bytes).into_owned()))
}

pub(super) fn hash(values: &[Cow<'_, Value>], _: &dyn Random) -> Result<Value, String> {
    let data = match &*values[0] {
        Value::String(_) => Cow::Borrowed(short_string(values, 0)?),
        other => Cow::Owned(other.to_string()),
    };
    digest(data.as_bytes(), string(values, 1)?).map(Value::String)
}

/// A digest in hexadecimal digits.
pub(crate) fn digest(data: &[u8], algorithm: &str) -> Result<String, String> {
    Ok(match algorithm {
        "MD5" => hex(&md5::Md5::digest(data)),
        "SHA-1" => hex(&sha1::Sha1::digest(data)),
        "SHA-256" => hex(&sha2::Sha256::digest(data)),
        "SHA-384" => hex(&sha2::Sha384::digest(data)),
        "SHA-512" => hex(&sha2::Sha512::digest(data)),
        other => {
            return Err(format!(
                "'{other}' is none of MD5, SHA-1, SHA-256, SHA-384 and SHA-512"
            ));
        }
    })
}

pub(super) fn uuid(_: &[Cow<'_, Value>], random: &dyn Random) -> Result<Value, String> {
    let bits = (u128::from(random.next()) << 64) | u128::from(random.next());
    Ok(Value::String(uuid_of(bits)))
}

/// The UUID that random bits make.
pub(crate) fn uuid_of(bits: u128) -> String {
    // Version 4, variant 1 (RFC 9562).
    let bits = (bits & !(0xf << 76) & !(0x3 << 62)) | (0x4 << 76) | (0x2 << 62);
    let text = format!("{bits:032x}");
    format!(
        "{}-{}-{}-{}-{}",
        &text[..8],
        &text[8..12],
        &text[12..16],
        &text[16..20],
        &text[20..]
    )
}

fn hex(bytes: &[u8]) -> String {
    bytes
        .iter()
        .fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
            write!(text, "{byte:02x}").expect("writing to a string succeeds");
            text
        })
}
