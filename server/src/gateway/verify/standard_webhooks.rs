//! [Standard Webhooks](https://www.standardwebhooks.com): three headers, and a signature of
//! `ID.TIMESTAMP.BODY`, by HMAC-SHA256 (`v1`) or Ed25519 (`v1a`).

use asl::Timestamp;
use base64::Engine as _;
use hyper::header::HeaderName;
use ring::hmac::{Context, HMAC_SHA256, Key};
use ring::signature::{ED25519, ED25519_PUBLIC_KEY_LEN, UnparsedPublicKey};

use super::mac::{BASE64, Secret, Write, signer};
use super::{SIGNATURES_MAX, SignedId, Tolerance, Unverified, Verified, does_not_fit, header};
use crate::http::Call;

const ID: HeaderName = HeaderName::from_static("webhook-id");
const TIMESTAMP: HeaderName = HeaderName::from_static("webhook-timestamp");
const SIGNATURE: HeaderName = HeaderName::from_static("webhook-signature");

/// Signs what this server sends, for those who verify it.
#[derive(Default)]
pub struct Signer(Vec<Key>);

impl Signer {
    /// Signs with this secret too: base64, after `whsec_` or nothing.
    ///
    /// # Errors
    /// Completes the sentence "the secret ...", without showing it.
    pub fn add(&mut self, secret: &str) -> Result<(), String> {
        if secret.starts_with("whsk_") || secret.starts_with("whpk_") {
            return Err(
                "is a key of Ed25519; messages are signed with a shared secret (whsec_...)".into(),
            );
        }
        self.0.push(Key::new(HMAC_SHA256, &shared(secret)?));
        Ok(())
    }

    /// The value of `webhook-signature`.
    pub fn sign(&self, id: &str, seconds: &str, body: &[u8]) -> String {
        let signatures = self.0.iter().map(|key| {
            let mut context = Context::with_key(key);
            feed(id, seconds, body)(&mut |part| context.update(part));
            format!("v1,{}", BASE64.encode(context.sign()))
        });
        signatures.collect::<Vec<_>>().join(" ")
    }
}

/// Writes what is signed.
fn feed<'a>(id: &'a str, timestamp: &'a str, body: &'a [u8]) -> impl Fn(&mut Write<'_>) + 'a {
    move |write| {
        for part in [id.as_bytes(), b".", timestamp.as_bytes(), b".", body] {
            write(part);
        }
    }
}

/// The bytes of a secret that both sides have.
fn shared(text: &str) -> Result<Vec<u8>, String> {
    decoded(text.strip_prefix("whsec_").unwrap_or(text))
}

fn decoded(encoded: &str) -> Result<Vec<u8>, String> {
    match BASE64.decode(encoded) {
        Ok(bytes) if bytes.is_empty() => Err("is empty".into()),
        Ok(bytes) => Ok(bytes),
        Err(_) => Err("is not base64 after its prefix; give it as the third party shows it (whsec_..., whpk_...)".into()),
    }
}

/// The scheme, with the secrets of both kinds.
pub(in super::super) struct StandardWebhooks {
    shared: Vec<Secret<Key>>,
    public: Vec<Secret<UnparsedPublicKey<[u8; ED25519_PUBLIC_KEY_LEN]>>>,
    tolerance: Tolerance,
}

impl StandardWebhooks {
    pub(super) fn new(tolerance: Tolerance) -> StandardWebhooks {
        StandardWebhooks {
            shared: Vec::new(),
            public: Vec::new(),
            tolerance,
        }
    }

    /// Adds a secret: `whsec_`, or nothing, before a shared one, `whpk_` before a public key.
    ///
    /// # Errors
    /// Completes the sentence "the secret ...".
    pub(super) fn add(&mut self, text: &str, name: std::sync::Arc<str>) -> Result<(), String> {
        if text.starts_with("whsk_") {
            return Err(
                "is the key that the third party signs with (whsk_); give its public key (whpk_)"
                    .into(),
            );
        }
        let Some(public) = text.strip_prefix("whpk_") else {
            let key = Key::new(HMAC_SHA256, &shared(text)?);
            self.shared.push(Secret { key, name });
            return Ok(());
        };
        let key: [u8; ED25519_PUBLIC_KEY_LEN] =
            decoded(public)?.try_into().map_err(|bytes: Vec<u8>| {
                format!(
                    "has {} bytes; a public key (whpk_) of Ed25519 has {ED25519_PUBLIC_KEY_LEN}",
                    bytes.len()
                )
            })?;
        let key = UnparsedPublicKey::new(&ED25519, key);
        self.public.push(Secret { key, name });
        Ok(())
    }

    pub(super) fn check(&self, call: &Call, now: Timestamp) -> Result<Verified, Unverified> {
        let id = header(&call.headers, &ID)?;
        let timestamp = header(&call.headers, &TIMESTAMP)?;
        let sent = header(&call.headers, &SIGNATURE)?;
        let (mut shared, mut public) = (Vec::new(), Vec::new());
        for one in sent.split(' ').take(SIGNATURES_MAX) {
            let (version, signature) = one.split_once(',').unwrap_or((one, ""));
            match (version, BASE64.decode(signature)) {
                ("v1", Ok(bytes)) => shared.push(bytes),
                ("v1a", Ok(bytes)) => public.push(bytes),
                _ => {}
            }
        }
        if shared.is_empty() && public.is_empty() {
            return Err(
                format!("Its header {SIGNATURE} has no signature of version v1 or v1a.").into(),
            );
        }
        let feed = feed(id, timestamp, &call.body);
        let by = signer(&self.shared, &shared, &feed)
            .map(|secret| &secret.name)
            .or_else(|| {
                if public.is_empty() || self.public.is_empty() {
                    return None;
                }
                let mut message = Vec::with_capacity(call.body.len() + 128);
                feed(&mut |part| message.extend_from_slice(part));
                let fits = |secret: &&Secret<UnparsedPublicKey<_>>| {
                    public
                        .iter()
                        .any(|signature| secret.key.verify(&message, signature).is_ok())
                };
                self.public.iter().find(fits).map(|secret| &secret.name)
            })
            .ok_or_else(|| {
                let (kind, missing) = if shared.is_empty() {
                    (
                        "v1a",
                        self.public.is_empty().then_some("public key (whpk_...)"),
                    )
                } else {
                    (
                        "v1",
                        (self.shared.is_empty() && public.is_empty())
                            .then_some("shared secret (whsec_...)"),
                    )
                };
                match missing {
                    Some(missing) => Unverified::from(format!(
                        "It is signed by {kind}, and the route has no {missing} among its secrets."
                    )),
                    None => does_not_fit(&call.body, self.shared.len() + self.public.len()),
                }
            })?;
        self.tolerance.check(timestamp, now)?;
        Ok(Verified {
            by: Some(by.clone()),
            id: Some(SignedId {
                text: id.to_owned(),
                replayable_seconds: Some(self.tolerance.replayable_seconds()),
            }),
        })
    }
}
