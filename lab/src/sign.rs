//! How the outside proves itself to a route, as its third party would.
//!
//! | scheme | what a callback carries |
//! | --- | --- |
//! | `standard-webhooks` | its three headers, signed at the time of the virtual clock |
//! | `basic`, `bearer` | the first secret |
//! | `none` | nothing |
//! | any other, or a secret that can't be read here | the route has a bearer secret of the lab's own instead |

use asl::Timestamp;
use serde_json::json;
use server::gateway::RouteConfig;
use server::gateway::verify::Signer;

/// What the lab proves itself with where it can't do it as the third party does.
const OWN: &str = "the-outside";
/// What a forger has instead of a secret.
const WRONG: &str = "whsec_c29tZWJvZHkgd2hvIGRvZXMgbm90IGtub3cgdGhlIHNlY3JldA==";

/// One route's.
pub(crate) struct Signing {
    path: String,
    proof: Proof,
}

enum Proof {
    None,
    /// The right one, the forger's.
    StandardWebhooks(Signer, Signer),
    Header {
        name: String,
        value: String,
    },
}

impl Signing {
    /// As the route wants it, which may be changed for what the lab can do.
    pub(crate) fn of(route: &mut RouteConfig) -> Signing {
        let proof = match proof(route) {
            Some(proof) => proof,
            None => {
                let own = json!({ "scheme": "bearer", "secrets": [OWN] });
                route.verify = serde_json::from_value(own).ok();
                Proof::Header {
                    name: "authorization".to_owned(),
                    value: format!("Bearer {OWN}"),
                }
            }
        };
        Signing {
            path: route.path.clone(),
            proof,
        }
    }

    /// Whether a callback to this path comes to the route, or to one of its outcomes.
    pub(crate) fn is_for(&self, path: &str) -> bool {
        let (mut wanted, mut there) = (self.path.split('/'), path.split('/'));
        loop {
            match (wanted.next(), there.next()) {
                (None, _) => return true,
                (Some(wanted), Some(there)) if wanted.starts_with('{') || wanted == there => {}
                _ => return false,
            }
        }
    }

    /// Adds what proves a callback, unless it brings its own.
    pub(crate) fn add(
        &self,
        headers: &mut Vec<(String, String)>,
        body: &[u8],
        now: Timestamp,
        forged: bool,
    ) {
        let has = |name: &str| {
            headers
                .iter()
                .any(|(known, _)| known.eq_ignore_ascii_case(name))
        };
        match &self.proof {
            Proof::None => {}
            Proof::Header { name, value } => {
                if !has(name) {
                    let value = if forged { WRONG } else { value };
                    headers.push((name.clone(), value.to_owned()));
                }
            }
            Proof::StandardWebhooks(right, wrong) => {
                if has("webhook-signature") {
                    return;
                }
                let signer = if forged { wrong } else { right };
                let seconds = now.0.div_euclid(1000).to_string();
                let id = headers
                    .iter()
                    .find(|(name, _)| name.eq_ignore_ascii_case("webhook-id"))
                    .map_or_else(
                        || format!("msg_{}_{}", now.0, body.len()),
                        |(_, id)| id.clone(),
                    );
                let signature = signer.sign(&id, &seconds, body);
                if !has("webhook-id") {
                    headers.push(("webhook-id".to_owned(), id));
                }
                headers.push(("webhook-timestamp".to_owned(), seconds));
                headers.push(("webhook-signature".to_owned(), signature));
            }
        }
    }
}

fn proof(route: &RouteConfig) -> Option<Proof> {
    let Some(verify) = &route.verify else {
        return Some(Proof::None);
    };
    let secret = || verify.secrets.first()?.read().ok();
    match verify.scheme.as_str() {
        "none" => Some(Proof::None),
        "standard-webhooks" => {
            let (mut right, mut wrong) = (Signer::default(), Signer::default());
            right.add(&secret()?).ok()?;
            wrong.add(WRONG).ok()?;
            // All others have to be there too, or the server does not start.
            let all = verify.secrets.iter().all(|secret| secret.read().is_ok());
            all.then_some(Proof::StandardWebhooks(right, wrong))
        }
        "bearer" if verify.header.is_none() && verify.prefix.is_none() => Some(Proof::Header {
            name: "authorization".to_owned(),
            value: format!("Bearer {}", secret()?),
        }),
        _ => None,
    }
}
