//! Whether a callback comes from the third party that it says it comes from.
//!
//! A route says how its third party can be known (`[routes.verify]`), and nothing of a callback is
//! believed before that is clear: not its reference, not even that it is JSON. What is verified are
//! the bytes as they came. One that is not verified gets the disposition `unverified`: the caller
//! hears 401 and no reason, the inbox and the alert have the reason in full.
//!
//! | scheme | proves | an id that is signed |
//! | --- | --- | --- |
//! | `standard-webhooks` | `webhook-id`, `webhook-timestamp` and the body: HMAC-SHA256 (`v1`), Ed25519 (`v1a`) | `webhook-id` |
//! | `hmac` | what its `content` says | its `id_header`; else all that is signed, if a timestamp is in it |
//! | `github` | the body | none |
//! | `stripe`, `slack` | the timestamp and the body | both of them |
//! | `basic`, `bearer` | that the caller has a password | none |
//! | `mtls-header` | that a proxy has seen the caller's certificate | none |
//! | `signed-url` | that the caller has the URL that this server made for the wait | none |
//! | `none` | nothing | none |
//!
//! A signed id tells a replay from a callback that happens to say the same. Where the time is signed,
//! all that is signed will do: the same again can only be the same callback. Where neither is signed
//! (GitHub's delivery id is not), a replay is found as any repeat is, by its reference.
//!
//! All secrets are tried, so that a third party can change over to another one in its own time.
//! Comparisons take as long for a wrong byte at the start as for one at the end. The time is the
//! server's clock, the virtual one too.
//!
//! This module does not know what a callback says, and keeps nothing.
//!
//! In reading order: [`config`], [`secret`]: what is written in the configuration. `mac`,
//! `standard_webhooks`, `stripe`, `credentials`, `proxy`: one scheme each, or one family. [`sign`]: the other side.

pub mod config;
mod credentials;
mod mac;
mod proxy;
pub mod secret;
pub mod sign;
mod signed_url;
mod standard_webhooks;
mod stripe;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use asl::Timestamp;
use hyper::HeaderMap;
use hyper::header::HeaderName;
use ring::digest::{SHA256, digest};
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq;

use self::credentials::Credentials;
use self::mac::Signed;
pub(super) use self::proxy::Network;
use self::proxy::Proxy;
pub(super) use self::signed_url::UrlKey;
pub use self::standard_webhooks::Signer;
use self::standard_webhooks::StandardWebhooks;
use self::stripe::Stripe;
use crate::http::Call;

/// How many signatures of one callback are looked at: a few secrets' worth, and an end to a header
/// that is made of nothing else.
const SIGNATURES_MAX: usize = 16;

/// How a route knows its third party.
pub(super) enum Verification {
    /// It does not, and the configuration says so.
    None,
    StandardWebhooks(StandardWebhooks),
    /// The schemes `hmac`, `github` and `slack`.
    Signed(Signed),
    Stripe(Stripe),
    /// The schemes `basic` and `bearer`.
    Credentials(Credentials),
    Proxy(Proxy),
    /// The URL itself is signed, by this server; the gateway has the key.
    SignedUrl,
}

/// A callback that comes from who it says it comes from.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Verified {
    /// By what, for people: `stripe, secret 2 of 2`. None if the route verifies nothing.
    pub by: Option<Arc<str>>,
    /// What tells it from all others, if that is signed.
    pub id: Option<SignedId>,
}

/// What tells a callback from all others, out of what was signed.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct SignedId {
    pub text: String,
    /// After this long the callback would be refused for its timestamp; none if it never is.
    pub replayable_seconds: Option<i64>,
}

/// Why a callback is not verified.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Unverified {
    pub doubt: Doubt,
    /// In sentences for the operator. The caller must not hear them.
    pub reason: String,
}

/// What is the matter with a callback that is not verified.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Doubt {
    /// What should prove it is not there, or can't be read.
    Unsigned,
    /// What should prove it proves something else.
    Forged,
    /// It was good once.
    Expired,
}

impl Doubt {
    /// As it is written in alerts.
    pub fn name(self) -> &'static str {
        match self {
            Doubt::Unsigned => "unsigned",
            Doubt::Forged => "forged",
            Doubt::Expired => "expired",
        }
    }
}

impl Unverified {
    fn forged(reason: String) -> Unverified {
        let doubt = Doubt::Forged;
        Unverified { doubt, reason }
    }

    fn expired(reason: String) -> Unverified {
        let doubt = Doubt::Expired;
        Unverified { doubt, reason }
    }
}

/// What is wrong with what should prove it.
impl From<String> for Unverified {
    fn from(reason: String) -> Unverified {
        let doubt = Doubt::Unsigned;
        Unverified { doubt, reason }
    }
}

impl Verification {
    /// Whether `call` comes from the third party.
    ///
    /// # Errors
    /// Why not, in sentences for the operator. The caller must not hear them.
    pub fn check(&self, call: &Call, now: Timestamp) -> Result<Verified, Unverified> {
        match self {
            Verification::None => Ok(Verified { by: None, id: None }),
            Verification::StandardWebhooks(scheme) => scheme.check(call, now),
            Verification::Signed(scheme) => scheme.check(call, now),
            Verification::Stripe(scheme) => scheme.check(call, now),
            Verification::Credentials(scheme) => scheme.check(call),
            Verification::Proxy(scheme) => scheme.check(call),
            Verification::SignedUrl => Err("Its URL was not looked at.".to_owned().into()),
        }
    }

    /// A header whose value is a secret of the caller: it is not kept.
    pub fn secret_header(&self) -> Option<&HeaderName> {
        match self {
            Verification::Credentials(scheme) => Some(scheme.header()),
            _ => None,
        }
    }

    /// What a 401 has to name, by RFC 9110: how to come with credentials. Signatures have no such name.
    pub fn challenge(&self) -> Option<&'static str> {
        match self {
            Verification::Credentials(scheme) => scheme.challenge(),
            _ => None,
        }
    }
}

/// How far a timestamp may be from the server's clock.
#[derive(Debug, Clone, Copy)]
struct Tolerance {
    seconds: i64,
}

impl Tolerance {
    /// The moment behind a timestamp header, if it is near enough: seconds or milliseconds since 1970,
    /// or RFC 3339.
    fn check(self, text: &str, now: Timestamp) -> Result<(), Unverified> {
        /// As seconds this is the year 5138, as milliseconds 1973: no timestamp means the other.
        const MILLISECONDS_FROM: i64 = 100_000_000_000;
        let at = match text.parse::<i64>() {
            Ok(number) if (0..MILLISECONDS_FROM).contains(&number) => Timestamp(number * 1000),
            Ok(number) => Timestamp(number),
            Err(_) => text
                .parse::<Timestamp>()
                .map_err(|_| format!("Its timestamp {} is none.", quoted(text)))?,
        };
        let off = now.0.saturating_sub(at.0);
        if off.unsigned_abs() <= self.seconds.unsigned_abs() * 1000 {
            return Ok(());
        }
        let way = if off > 0 { "before" } else { "after" };
        Err(Unverified::expired(format!(
            "It is expired: its timestamp {at} is {} s {way} the server's clock, and the route allows {} s.",
            off.unsigned_abs() / 1000,
            self.seconds
        )))
    }

    /// For how long the same callback may be sent again: from as early as is allowed to as late.
    fn replayable_seconds(self) -> i64 {
        self.seconds * 2
    }
}

/// The one value of a header that must be there once: of two, a proxy and the route might each believe
/// another one.
fn header<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Result<&'a str, String> {
    let mut values = headers.get_all(name).iter();
    let value = values
        .next()
        .ok_or_else(|| format!("It has no header {name}."))?;
    if values.next().is_some() {
        return Err(format!("It has the header {name} more than once."));
    }
    value
        .to_str()
        .map_err(|_| format!("Its header {name} is not text."))
}

/// A stranger's text, bounded.
fn quoted(text: &str) -> String {
    const CHARS_MAX: usize = 64;
    match text.char_indices().nth(CHARS_MAX) {
        None => format!("{text:?}"),
        Some((end, _)) => format!("{:?}...", &text[..end]),
    }
}

/// Whether two secrets are the same. Their hashes are compared, so that not even the length shows in
/// the time it takes.
fn same(one: &[u8], other: &[u8]) -> bool {
    let (one, other) = (digest(&SHA256, one), digest(&SHA256, other));
    one.as_ref().ct_eq(other.as_ref()).into()
}

/// The reason if no secret fits the signature. A body that is JSON up to a sudden end was cut off
/// somewhere, which is the first thing that whoever looks for the reason wants to know.
fn does_not_fit(body: &[u8], secrets: usize) -> Unverified {
    let whose = match secrets {
        1 => "the route's secret".to_owned(),
        several => format!("any of the route's {several} secrets"),
    };
    let cut = match serde_json::from_slice::<serde::de::IgnoredAny>(body) {
        Err(why) if why.is_eof() && !body.is_empty() => {
            " Its body is JSON that ends too soon, so it may have been cut short."
        }
        _ => "",
    };
    Unverified::forged(format!(
        "Its signature was not made with {whose} for what came.{cut}"
    ))
}
