//! `[routes.verify]`, as written, and as checked.

use std::collections::BTreeMap;

use hyper::header::{AUTHORIZATION, HeaderName};
use ring::hmac::{
    Algorithm, HMAC_SHA1_FOR_LEGACY_USE_ONLY, HMAC_SHA256, HMAC_SHA384, HMAC_SHA512, Key,
};
use serde::{Deserialize, Serialize};

use super::credentials::{Credentials, Form};
use super::mac::{Encoding, Piece, Secret, Signed};
use super::proxy::{Network, Proxy};
use super::secret::SecretSource;
use super::standard_webhooks::StandardWebhooks;
use super::stripe::Stripe;
use super::{Tolerance, Verification};
use crate::gateway::words::did_you_mean;

/// How far a timestamp may be from the server's clock if the route does not say: what Standard
/// Webhooks, Stripe and Slack recommend.
pub const TOLERANCE_SECONDS: u32 = 300;

/// `[routes.verify]`: how a route knows its third party. Which keys there are depends on the scheme.
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct VerifyConfig {
    /// `standard-webhooks`, `hmac`, `github`, `stripe`, `slack`, `basic`, `bearer`, `mtls-header`, `signed-url`,
    /// `none`.
    pub scheme: String,
    /// All that are good, so that a third party can change over: each `env:NAME`, `file:PATH` or the
    /// secret itself. For `basic` each is `USER:PASSWORD`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub secrets: Vec<SecretSource>,
    /// How far the signed time may be from the server's clock; default [`TOLERANCE_SECONDS`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tolerance_seconds: Option<u32>,
    /// `hmac`: where the signature is. `bearer`: where the secret is, if not in `Authorization`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub header: Option<String>,
    /// `hmac`, `bearer`: what stands before it there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prefix: Option<String>,
    /// `hmac`: `sha1`, `sha256` (the default), `sha384` or `sha512`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub algorithm: Option<String>,
    /// `hmac`: `hex` (the default), `base64` or `base64url`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub encoding: Option<String>,
    /// `hmac`: what is signed, for example `{timestamp}.{body}`; `{body}` by default. Beside these there
    /// are `{id}`, `{method}`, `{path}` and `{query}`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content: Option<String>,
    /// `hmac`: where the `{timestamp}` is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timestamp_header: Option<String>,
    /// `hmac`: where the `{id}` is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id_header: Option<String>,
    /// `mtls-header`: headers of the proxy, each with the value or the values that it must have.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, OneOrMore>,
    /// `mtls-header`: the proxy's addresses, each an address or `ADDRESS/BITS`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub trusted_proxies: Vec<String>,
}

/// One value, or several.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(untagged)]
pub enum OneOrMore {
    /// One.
    One(String),
    /// Several.
    More(Vec<String>),
}

/// Each scheme, and the keys that it has.
const SCHEMES: [(&str, &[&str]); 10] = [
    ("standard-webhooks", &["secrets", "tolerance_seconds"]),
    (
        "hmac",
        &[
            "secrets",
            "tolerance_seconds",
            "header",
            "prefix",
            "algorithm",
            "encoding",
            "content",
            "timestamp_header",
            "id_header",
        ],
    ),
    ("github", &["secrets"]),
    ("stripe", &["secrets", "tolerance_seconds"]),
    ("slack", &["secrets", "tolerance_seconds"]),
    ("basic", &["secrets"]),
    ("bearer", &["secrets", "header", "prefix"]),
    ("mtls-header", &["headers", "trusted_proxies"]),
    ("signed-url", &[]),
    ("none", &[]),
];

impl VerifyConfig {
    /// Checks it, and reads the secrets.
    ///
    /// # Errors
    /// One sentence that begins with the key; no secret is in it.
    pub(in super::super) fn checked(&self) -> Result<Verification, String> {
        let names = SCHEMES.map(|(name, _)| name);
        let Some((scheme, keys)) = SCHEMES.iter().find(|(name, _)| *name == self.scheme) else {
            let hint = did_you_mean(&self.scheme, &names);
            return Err(format!("`verify.scheme` is {:?}; {hint}", self.scheme));
        };
        if let Some(key) = self.keys().find(|key| !keys.contains(key)) {
            return Err(match keys.is_empty() {
                true => {
                    format!("`verify.{key}` has no meaning for the scheme {scheme}; leave it out")
                }
                false => format!(
                    "`verify.{key}` has no meaning for the scheme {scheme}, which has {}",
                    keys.join(", ")
                ),
            });
        }
        if keys.contains(&"secrets") && self.secrets.is_empty() {
            return Err(format!(
                "`verify.secrets` is missing; the scheme {scheme} needs at least one, for example [\"env:WEBHOOK_SECRET\"]"
            ));
        }
        let tolerance = Tolerance {
            seconds: self.tolerance_seconds.unwrap_or(TOLERANCE_SECONDS).into(),
        };
        Ok(match *scheme {
            "standard-webhooks" => {
                let mut checked = StandardWebhooks::new(tolerance);
                for (index, (text, name)) in self.read()?.into_iter().enumerate() {
                    let added = checked.add(&text, name);
                    added.map_err(|what| format!("`verify.secrets[{index}]` {what}"))?;
                }
                Verification::StandardWebhooks(checked)
            }
            "hmac" => Verification::Signed(self.hmac(tolerance)?),
            "github" => Verification::Signed(Signed {
                secrets: self.keyed(HMAC_SHA256)?,
                header: HeaderName::from_static("x-hub-signature-256"),
                prefix: "sha256=".into(),
                encoding: Encoding::Hex,
                content: vec![Piece::Body],
                timestamp: None,
                id: None,
            }),
            "slack" => Verification::Signed(Signed {
                secrets: self.keyed(HMAC_SHA256)?,
                header: HeaderName::from_static("x-slack-signature"),
                prefix: "v0=".into(),
                encoding: Encoding::Hex,
                content: Piece::parse("v0:{timestamp}:{body}")?,
                timestamp: Some((
                    HeaderName::from_static("x-slack-request-timestamp"),
                    tolerance,
                )),
                id: None,
            }),
            "stripe" => Verification::Stripe(Stripe {
                secrets: self.keyed(HMAC_SHA256)?,
                tolerance,
            }),
            "basic" => {
                let secrets = self.plain()?;
                if let Some(index) = secrets.iter().position(|one| !one.key.contains(':')) {
                    return Err(format!(
                        "`verify.secrets[{index}]` has no colon; for basic authentication write USER:PASSWORD"
                    ));
                }
                Verification::Credentials(Credentials {
                    secrets,
                    header: AUTHORIZATION,
                    form: Form::Basic,
                })
            }
            "bearer" => {
                let header = match &self.header {
                    Some(name) => header_name("header", name)?,
                    None => AUTHORIZATION,
                };
                let usual = if header == AUTHORIZATION {
                    "Bearer "
                } else {
                    ""
                };
                Verification::Credentials(Credentials {
                    secrets: self.plain()?,
                    form: Form::After(self.prefix.clone().unwrap_or_else(|| usual.into())),
                    header,
                })
            }
            "mtls-header" => Verification::Proxy(self.proxy()?),
            "signed-url" => Verification::SignedUrl,
            _ => Verification::None,
        })
    }

    /// The keys that are set, beside the scheme.
    fn keys(&self) -> impl Iterator<Item = &'static str> {
        [
            ("secrets", !self.secrets.is_empty()),
            ("tolerance_seconds", self.tolerance_seconds.is_some()),
            ("header", self.header.is_some()),
            ("prefix", self.prefix.is_some()),
            ("algorithm", self.algorithm.is_some()),
            ("encoding", self.encoding.is_some()),
            ("content", self.content.is_some()),
            ("timestamp_header", self.timestamp_header.is_some()),
            ("id_header", self.id_header.is_some()),
            ("headers", !self.headers.is_empty()),
            ("trusted_proxies", !self.trusted_proxies.is_empty()),
        ]
        .into_iter()
        .filter_map(|(key, set)| set.then_some(key))
    }

    fn hmac(&self, tolerance: Tolerance) -> Result<Signed, String> {
        let algorithm = match self.algorithm.as_deref() {
            None | Some("sha256") => HMAC_SHA256,
            Some("sha1") => HMAC_SHA1_FOR_LEGACY_USE_ONLY,
            Some("sha384") => HMAC_SHA384,
            Some("sha512") => HMAC_SHA512,
            Some(other) => {
                let hint = did_you_mean(other, &["sha1", "sha256", "sha384", "sha512"]);
                return Err(format!("`verify.algorithm` is {other:?}; {hint}"));
            }
        };
        let encoding = match self.encoding.as_deref() {
            None => Encoding::Hex,
            Some(name) => Encoding::named(name).ok_or_else(|| {
                let hint = did_you_mean(name, &Encoding::NAMES);
                format!("`verify.encoding` is {name:?}; {hint}")
            })?,
        };
        let header = self.header.as_deref().ok_or(
            "`verify.header` is missing; name the header with the signature, for example \"x-signature\"",
        )?;
        let content = Piece::parse(self.content.as_deref().unwrap_or("{body}"))
            .map_err(|what| format!("`verify.content` {what}"))?;
        if !content.contains(&Piece::Body) {
            return Err("`verify.content` has no {body}, so the body could be anybody's".into());
        }
        // What is not signed proves nothing, and what is signed must be somewhere.
        let both = |key: &str, name: &Option<String>, piece: Piece, word: &str| match (
            name,
            content.contains(&piece),
        ) {
            (Some(name), true) => Ok(Some(header_name(key, name)?)),
            (None, false) => Ok(None),
            (Some(_), false) => Err(format!(
                "`verify.content` has no {{{word}}}, so `verify.{key}` would prove nothing; put it in as the third party does, or leave `verify.{key}` out"
            )),
            (None, true) => Err(format!(
                "`verify.content` has {{{word}}}; say with `verify.{key}` which header it is in"
            )),
        };
        let timestamp = both(
            "timestamp_header",
            &self.timestamp_header,
            Piece::Timestamp,
            "timestamp",
        )?;
        if timestamp.is_none() && self.tolerance_seconds.is_some() {
            return Err(
                "`verify.tolerance_seconds` needs a `verify.timestamp_header`, or there is no time to compare"
                    .into(),
            );
        }
        Ok(Signed {
            secrets: self.keyed(algorithm)?,
            header: header_name("header", header)?,
            prefix: self.prefix.clone().unwrap_or_default(),
            encoding,
            id: both("id_header", &self.id_header, Piece::Id, "id")?,
            timestamp: timestamp.map(|name| (name, tolerance)),
            content,
        })
    }

    fn proxy(&self) -> Result<Proxy, String> {
        if self.headers.is_empty() {
            return Err(
                "`verify.headers` is missing; say what the proxy must have seen, for example { \"x-ssl-client-verify\" = \"SUCCESS\", \"x-ssl-client-s-dn\" = \"CN=valuation.example.com\" }"
                    .into(),
            );
        }
        if self.trusted_proxies.is_empty() {
            return Err(
                "`verify.trusted_proxies` is missing; anybody else could send the same headers, so name the proxy's addresses, for example [\"127.0.0.1\"]"
                    .into(),
            );
        }
        let headers = self.headers.iter().map(|(name, values)| {
            let values = match values {
                OneOrMore::One(value) => vec![value.clone()],
                OneOrMore::More(values) => values.clone(),
            };
            Ok((header_name("headers", name)?, values))
        });
        Ok(Proxy {
            headers: headers.collect::<Result<_, String>>()?,
            trusted: Network::parse_all("verify.trusted_proxies", &self.trusted_proxies)?,
            name: self.scheme.as_str().into(),
        })
    }

    /// Each secret's text, and how people know it.
    fn read(&self) -> Result<Vec<(String, std::sync::Arc<str>)>, String> {
        let of = self.secrets.len();
        let read = self.secrets.iter().enumerate().map(|(index, source)| {
            let text = source
                .read()
                .map_err(|what| format!("`verify.secrets[{index}]` {what}"))?;
            let name = format!("{}, secret {} of {of}", self.scheme, index + 1);
            Ok((text, name.into()))
        });
        read.collect()
    }

    fn plain(&self) -> Result<Vec<Secret<String>>, String> {
        let read = self.read()?.into_iter();
        Ok(read.map(|(key, name)| Secret { key, name }).collect())
    }

    fn keyed(&self, algorithm: Algorithm) -> Result<Vec<Secret<Key>>, String> {
        let read = self.read()?.into_iter();
        Ok(read
            .map(|(text, name)| Secret {
                key: Key::new(algorithm, text.as_bytes()),
                name,
            })
            .collect())
    }
}

fn header_name(key: &str, name: &str) -> Result<HeaderName, String> {
    HeaderName::from_bytes(name.as_bytes())
        .map_err(|_| format!("`verify.{key}` has {name:?}, which is no header's name"))
}
