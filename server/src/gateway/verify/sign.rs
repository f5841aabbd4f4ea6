//! The other side of every scheme: what a third party's callback carries to prove itself, for whoever plays one.
//!
//! It is made from the same configuration that a route verifies with, so that both sides of a scheme are read by
//! one reader. What only a proxy or this server itself can prove (`mtls-header`, `signed-url`) nobody can play.

use asl::Timestamp;
use base64::Engine as _;
use hyper::Uri;
use ring::hmac::{Context, Key};

use super::config::VerifyConfig;
use super::credentials::Form;
use super::mac::{BASE64, Encoding, Piece, Signed};
use super::secret::SecretSource;
use super::{Signer, Verification};

/// What somebody has who does not know the secret: base64, for the schemes that want that.
const FORGED: &str = "Zm9yZ2VkIGJ5IHNvbWVib2R5IHdobyBkb2VzIG5vdCBrbm93IHRoZSBzZWNyZXQ=";

/// Proves what a third party sends, with the first of the secrets.
pub struct Signing(How);

enum How {
    Nothing,
    StandardWebhooks(Signer),
    Signed(Signed),
    Stripe(Key),
    Header { name: String, value: String },
}

/// What is signed.
pub struct Signable<'a> {
    /// `POST`, as a rule.
    pub method: &'a str,
    /// Where it is sent.
    pub uri: &'a Uri,
    /// What tells it from all others; only some schemes send it.
    pub id: &'a str,
    /// When it is sent, or says it is; only some schemes send it.
    pub at: Timestamp,
    /// The body, as it is sent.
    pub body: &'a [u8],
}

impl Signing {
    /// As the third party proves itself.
    ///
    /// # Errors
    /// One sentence that begins with the key, as a route's would; no secret is in it.
    pub fn of(config: &VerifyConfig) -> Result<Signing, String> {
        let secret = |index: usize| {
            config.secrets[index]
                .read()
                .map_err(|what| format!("`verify.secrets[{index}]` {what}"))
        };
        Ok(Signing(match config.checked()? {
            Verification::None => How::Nothing,
            Verification::StandardWebhooks(_) => {
                let mut signer = Signer::default();
                let added = signer.add(&secret(0)?);
                added.map_err(|what| format!("`verify.secrets[0]` {what}"))?;
                How::StandardWebhooks(signer)
            }
            Verification::Signed(signed) => How::Signed(signed),
            Verification::Stripe(mut stripe) => How::Stripe(stripe.secrets.swap_remove(0).key),
            Verification::Credentials(credentials) => How::Header {
                name: credentials.header.to_string(),
                value: match &credentials.form {
                    Form::Basic => format!("Basic {}", BASE64.encode(secret(0)?)),
                    Form::After(prefix) => format!("{prefix}{}", secret(0)?),
                },
            },
            Verification::Proxy(_) | Verification::SignedUrl => {
                return Err(format!(
                    "`verify.scheme` is {:?}, which a third party does not prove itself by",
                    config.scheme
                ));
            }
        }))
    }

    /// As somebody does who knows the scheme and not the secret.
    ///
    /// # Errors
    /// As [`Signing::of`].
    pub fn forger(config: &VerifyConfig) -> Result<Signing, String> {
        let mut forger = config.clone();
        let secret = match config.scheme.as_str() {
            "basic" => format!("forger:{FORGED}"),
            _ => FORGED.to_owned(),
        };
        forger.secrets.fill(SecretSource::Literal(secret));
        Signing::of(&forger)
    }

    /// Whether it proves anything.
    pub fn proves(&self) -> bool {
        !matches!(self.0, How::Nothing)
    }

    /// Whether the time is a part of what is proved, so that it can be too long ago.
    pub fn is_timed(&self) -> bool {
        match &self.0 {
            How::StandardWebhooks(_) | How::Stripe(_) => true,
            How::Signed(signed) => signed.timestamp.is_some(),
            How::Nothing | How::Header { .. } => false,
        }
    }

    /// The headers that prove it.
    pub fn sign(&self, what: &Signable<'_>) -> Vec<(String, String)> {
        let seconds = what.at.0.div_euclid(1000).to_string();
        match &self.0 {
            How::Nothing => Vec::new(),
            How::StandardWebhooks(signer) => {
                let signature = signer.sign(what.id, &seconds, what.body);
                vec![
                    ("webhook-id".into(), what.id.to_owned()),
                    ("webhook-timestamp".into(), seconds),
                    ("webhook-signature".into(), signature),
                ]
            }
            How::Signed(signed) => {
                let secret = signed
                    .secrets
                    .first()
                    .expect("a scheme with a secret was checked to have one");
                let mut context = Context::with_key(&secret.key);
                for piece in &signed.content {
                    context.update(match piece {
                        Piece::Text(text) => text.as_bytes(),
                        Piece::Body => what.body,
                        Piece::Timestamp => seconds.as_bytes(),
                        Piece::Id => what.id.as_bytes(),
                        Piece::Method => what.method.as_bytes(),
                        Piece::Path => what.uri.path().as_bytes(),
                        Piece::Query => what.uri.query().unwrap_or_default().as_bytes(),
                    });
                }
                let tag = signed.encoding.write(context.sign().as_ref());
                let mut headers =
                    vec![(signed.header.to_string(), format!("{}{tag}", signed.prefix))];
                if let Some((name, _)) = &signed.timestamp {
                    headers.push((name.to_string(), seconds));
                }
                headers.extend(
                    signed
                        .id
                        .iter()
                        .map(|name| (name.to_string(), what.id.to_owned())),
                );
                headers
            }
            How::Stripe(key) => {
                let mut context = Context::with_key(key);
                for part in [seconds.as_bytes(), b".", what.body] {
                    context.update(part);
                }
                let tag = Encoding::Hex.write(context.sign().as_ref());
                vec![("stripe-signature".into(), format!("t={seconds},v1={tag}"))]
            }
            How::Header { name, value } => vec![(name.clone(), value.clone())],
        }
    }
}

#[cfg(test)]
mod tests {
    use hyper::header::HeaderName;
    use hyper::{HeaderMap, Method};
    use serde_json::json;

    use super::*;
    use crate::clock::Clock;
    use crate::http::Call;

    /// Every scheme that can be played, and whether a time is signed.
    #[test]
    fn what_is_signed_is_verified_and_what_is_forged_is_not() {
        const SECRET: &str = "whsec_dGhlIHZhbHVhdGlvbiBzZXJ2aWNlIG9mIHRoZSBsb2FuIHByb2Nlc3Nvcg==";
        for (config, timed) in [
            (
                json!({"scheme": "standard-webhooks", "secrets": [SECRET]}),
                true,
            ),
            (json!({"scheme": "github", "secrets": ["s"]}), false),
            (json!({"scheme": "stripe", "secrets": ["s"]}), true),
            (json!({"scheme": "slack", "secrets": ["s"]}), true),
            (
                json!({"scheme": "basic", "secrets": ["user:password"]}),
                false,
            ),
            (json!({"scheme": "bearer", "secrets": ["s"]}), false),
            (
                json!({"scheme": "bearer", "secrets": ["s"], "header": "x-api-key", "prefix": ""}),
                false,
            ),
            (
                json!({"scheme": "hmac", "secrets": ["s"], "header": "x-signature", "prefix": "v2=", "algorithm": "sha512",
                    "encoding": "base64url", "content": "{id}.{timestamp}.{method}.{path}?{query}.{body}",
                    "timestamp_header": "x-time", "id_header": "x-id"}),
                true,
            ),
        ] {
            let config: VerifyConfig = serde_json::from_value(config).expect("a scheme");
            let verification = config.checked().unwrap_or_else(|why| panic!("{why}"));
            let right = Signing::of(&config).unwrap_or_else(|why| panic!("{why}"));
            let wrong = Signing::forger(&config).unwrap_or_else(|why| panic!("{why}"));
            let scheme = &config.scheme;
            assert_eq!(right.is_timed(), timed, "{scheme}");
            let now = Timestamp(1_790_000_000_000);
            let check = |signing: &Signing, at: Timestamp| {
                let call = sent(signing, at);
                verification.check(&call, now).map(|_| ())
            };
            assert_eq!(check(&right, now), Ok(()), "{scheme}");
            assert!(check(&wrong, now).is_err(), "{scheme}");
            let old = check(&right, now.plus_seconds(-3_600));
            assert_eq!(old.is_err(), timed, "{scheme}: {old:?}");
        }
    }

    #[test]
    fn what_nobody_can_play_says_so() {
        for (config, expected) in [
            (
                json!({"scheme": "signed-url"}),
                "which a third party does not prove itself by",
            ),
            (
                json!({"scheme": "githb", "secrets": ["s"]}),
                "did you mean \"github\"?",
            ),
            (json!({"scheme": "github"}), "`verify.secrets` is missing"),
        ] {
            let config: VerifyConfig =
                serde_json::from_value::<VerifyConfig>(config).expect("a scheme");
            let said = Signing::of(&config).err().unwrap_or_default();
            assert!(said.contains(expected), "{said}");
        }
    }

    fn sent(signing: &Signing, at: Timestamp) -> Call {
        let uri: Uri = "http://127.0.0.1/callbacks/a%20b?x=1&y=2"
            .parse()
            .expect("a URL");
        let body = r#"{"reference":"r-1"}"#;
        let what = Signable {
            method: "POST",
            uri: &uri,
            id: "msg-1",
            at,
            body: body.as_bytes(),
        };
        let mut headers = HeaderMap::new();
        for (name, value) in signing.sign(&what) {
            let name = HeaderName::from_bytes(name.as_bytes()).expect("a header's name");
            headers.insert(name, value.parse().expect("a header's value"));
        }
        Call {
            method: Method::POST,
            path: uri.path().into(),
            query: uri.query().unwrap_or_default().into(),
            headers,
            body: body.into(),
            peer: ([127, 0, 0, 1], 4000).into(),
            busy: Clock::standing_at(Timestamp(0)).busy(),
        }
    }
}
