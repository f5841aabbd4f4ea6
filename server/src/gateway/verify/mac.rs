//! Signatures by HMAC: what is signed, with which secrets, and what was sent.

use std::sync::Arc;

use asl::Timestamp;
use base64::Engine as _;
use base64::alphabet::{STANDARD, URL_SAFE};
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use hyper::header::HeaderName;
use ring::hmac::{Context, Key};
use subtle::ConstantTimeEq;

use super::{SIGNATURES_MAX, SignedId, Tolerance, Unverified, Verified, does_not_fit, header};
use crate::http::Call;

/// Base64 as third parties write it, with or without its padding.
const LENIENT: GeneralPurposeConfig =
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
pub(super) const BASE64: GeneralPurpose = GeneralPurpose::new(&STANDARD, LENIENT);
const BASE64_URL: GeneralPurpose = GeneralPurpose::new(&URL_SAFE, LENIENT);

/// A secret, and how people know it: `github, secret 1 of 2`.
pub(super) struct Secret<K> {
    pub key: K,
    pub name: Arc<str>,
}

/// How a signature is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Encoding {
    Hex,
    Base64,
    Base64Url,
}

impl Encoding {
    pub const NAMES: [&str; 3] = ["hex", "base64", "base64url"];

    pub fn named(name: &str) -> Option<Encoding> {
        Some(match name {
            "hex" => Encoding::Hex,
            "base64" => Encoding::Base64,
            "base64url" => Encoding::Base64Url,
            _ => return None,
        })
    }

    pub fn read(self, text: &str) -> Option<Vec<u8>> {
        match self {
            Encoding::Hex => hex(text),
            Encoding::Base64 => BASE64.decode(text).ok(),
            Encoding::Base64Url => BASE64_URL.decode(text).ok(),
        }
    }

    pub fn write(self, bytes: &[u8]) -> String {
        match self {
            Encoding::Hex => bytes.iter().map(|byte| format!("{byte:02x}")).collect(),
            Encoding::Base64 => BASE64.encode(bytes),
            Encoding::Base64Url => BASE64_URL.encode(bytes),
        }
    }
}

fn hex(text: &str) -> Option<Vec<u8>> {
    if !text.len().is_multiple_of(2) || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    let digits = text.as_bytes().chunks_exact(2);
    digits
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok())
        .collect()
}

/// Takes what is signed, part by part.
pub(super) type Write<'a> = dyn FnMut(&[u8]) + 'a;

/// Writes what is signed.
pub(super) type Feed<'a> = &'a dyn Fn(&mut Write<'_>);

/// The first of the secrets with which one of the signatures was made for what `feed` writes.
pub(super) fn signer<'a>(
    secrets: &'a [Secret<Key>],
    signatures: &[Vec<u8>],
    feed: Feed<'_>,
) -> Option<&'a Secret<Key>> {
    secrets.iter().find(|secret| {
        let mut context = Context::with_key(&secret.key);
        feed(&mut |part| context.update(part));
        let tag = context.sign();
        signatures
            .iter()
            .any(|signature| signature.as_slice().ct_eq(tag.as_ref()).into())
    })
}

/// What tells a callback from all others if the time is a part of what `feed` writes. It is not the
/// signature itself: of one that is signed with two secrets, a replay may leave out either.
pub(super) fn fingerprint(feed: Feed<'_>) -> String {
    let mut context = ring::digest::Context::new(&ring::digest::SHA256);
    feed(&mut |part| context.update(part));
    BASE64.encode(context.finish())
}

/// A part of what is signed.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Piece {
    Text(String),
    Body,
    Timestamp,
    Id,
    Method,
    Path,
    Query,
}

impl Piece {
    const NAMES: [&str; 6] = ["body", "timestamp", "id", "method", "path", "query"];

    /// What a template such as `v0:{timestamp}:{body}` is made of.
    ///
    /// # Errors
    /// Completes the sentence "`content` ...".
    pub fn parse(template: &str) -> Result<Vec<Piece>, String> {
        let mut pieces = Vec::new();
        let mut rest = template;
        while let Some((text, after)) = rest.split_once('{') {
            if !text.is_empty() {
                pieces.push(Piece::Text(text.to_owned()));
            }
            let (name, after) = after.split_once('}').ok_or("has a '{' without its '}'")?;
            pieces.push(match name {
                "body" => Piece::Body,
                "timestamp" => Piece::Timestamp,
                "id" => Piece::Id,
                "method" => Piece::Method,
                "path" => Piece::Path,
                "query" => Piece::Query,
                other => {
                    let hint = crate::gateway::words::did_you_mean(other, &Piece::NAMES);
                    return Err(format!("has {{{other}}}; {hint}"));
                }
            });
            rest = after;
        }
        if !rest.is_empty() {
            pieces.push(Piece::Text(rest.to_owned()));
        }
        Ok(pieces)
    }
}

/// A scheme in which one header has the signature of a text made of the request's parts.
pub(in super::super) struct Signed {
    pub(super) secrets: Vec<Secret<Key>>,
    /// Where the signature is; several are separated by blanks or commas.
    pub(super) header: HeaderName,
    /// What stands before each signature.
    pub(super) prefix: String,
    pub(super) encoding: Encoding,
    pub(super) content: Vec<Piece>,
    /// Where the time is that was signed, if it was.
    pub(super) timestamp: Option<(HeaderName, Tolerance)>,
    /// Where the callback's own id is that was signed, if it was.
    pub(super) id: Option<HeaderName>,
}

impl Signed {
    pub(super) fn check(&self, call: &Call, now: Timestamp) -> Result<Verified, Unverified> {
        let signatures = self.signatures(call)?;
        let timestamp = match &self.timestamp {
            Some((name, _)) => header(&call.headers, name)?,
            None => "",
        };
        let id = match &self.id {
            Some(name) => header(&call.headers, name)?,
            None => "",
        };
        let feed = |write: &mut Write<'_>| {
            for piece in &self.content {
                write(match piece {
                    Piece::Text(text) => text.as_bytes(),
                    Piece::Body => &call.body,
                    Piece::Timestamp => timestamp.as_bytes(),
                    Piece::Id => id.as_bytes(),
                    Piece::Method => call.method.as_str().as_bytes(),
                    Piece::Path => call.path.as_bytes(),
                    Piece::Query => call.query.as_bytes(),
                });
            }
        };
        let secret = signer(&self.secrets, &signatures, &feed)
            .ok_or_else(|| does_not_fit(&call.body, self.secrets.len()))?;
        // Only now: a timestamp that is not signed says nothing.
        let mut replayable_seconds = None;
        if let Some((_, tolerance)) = &self.timestamp {
            tolerance.check(timestamp, now)?;
            replayable_seconds = Some(tolerance.replayable_seconds());
        }
        let id = match (&self.id, &self.timestamp) {
            (Some(_), _) => Some(id.to_owned()),
            (None, Some(_)) => Some(fingerprint(&feed)),
            (None, None) => None,
        };
        Ok(Verified {
            by: Some(secret.name.clone()),
            id: id.map(|text| SignedId {
                text,
                replayable_seconds,
            }),
        })
    }

    fn signatures(&self, call: &Call) -> Result<Vec<Vec<u8>>, String> {
        let name = &self.header;
        let found: Vec<Vec<u8>> = header(&call.headers, name)?
            .split([' ', ','])
            .filter_map(|one| self.encoding.read(one.strip_prefix(&*self.prefix)?))
            .filter(|one| !one.is_empty())
            .take(SIGNATURES_MAX)
            .collect();
        match found.is_empty() {
            true => Err(format!(
                "Its header {name} has no signature as the route expects it: {}{}.",
                if self.prefix.is_empty() {
                    String::new()
                } else {
                    format!("{:?}, then ", self.prefix)
                },
                match self.encoding {
                    Encoding::Hex => "hexadecimal digits",
                    Encoding::Base64 | Encoding::Base64Url => "base64",
                }
            )),
            false => Ok(found),
        }
    }
}
