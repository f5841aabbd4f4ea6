//! Stripe's scheme: one header has the time and the signatures, `t=1492774577,v1=5257a8...`.

use asl::Timestamp;
use hyper::header::HeaderName;
use ring::hmac::Key;

use super::mac::{Encoding, Secret, Write, fingerprint, signer};
use super::{SIGNATURES_MAX, SignedId, Tolerance, Unverified, Verified, does_not_fit, header};
use crate::http::Call;

const SIGNATURE: HeaderName = HeaderName::from_static("stripe-signature");

/// The scheme, with its secrets.
pub(in super::super) struct Stripe {
    pub(super) secrets: Vec<Secret<Key>>,
    pub(super) tolerance: Tolerance,
}

impl Stripe {
    pub(super) fn check(&self, call: &Call, now: Timestamp) -> Result<Verified, Unverified> {
        let (mut timestamp, mut signatures) = (None, Vec::new());
        for item in header(&call.headers, &SIGNATURE)?.split(',') {
            match item.trim().split_once('=') {
                Some(("t", time)) => timestamp = Some(time),
                // `v0` is there in Stripe's test mode, and proves nothing.
                Some(("v1", signature)) if signatures.len() < SIGNATURES_MAX => {
                    signatures.extend(Encoding::Hex.read(signature));
                }
                _ => {}
            }
        }
        let timestamp =
            timestamp.ok_or_else(|| format!("Its header {SIGNATURE} has no timestamp (t=...)."))?;
        if signatures.is_empty() {
            return Err(format!("Its header {SIGNATURE} has no signature (v1=...).").into());
        }
        let feed = |write: &mut Write<'_>| {
            for part in [timestamp.as_bytes(), b".", &call.body] {
                write(part);
            }
        };
        let secret = signer(&self.secrets, &signatures, &feed)
            .ok_or_else(|| does_not_fit(&call.body, self.secrets.len()))?;
        self.tolerance.check(timestamp, now)?;
        Ok(Verified {
            by: Some(secret.name.clone()),
            id: Some(SignedId {
                text: fingerprint(&feed),
                replayable_seconds: Some(self.tolerance.replayable_seconds()),
            }),
        })
    }
}
