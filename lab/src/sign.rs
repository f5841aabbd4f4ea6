//! How the outside proves itself to a route, as its third party would: by the gateway's own other side of each scheme.
//!
//! | scheme | what a callback carries |
//! | --- | --- |
//! | one that a third party proves itself by | what that one sends, made with the route's first secret at the time of the virtual clock |
//! | `none`, or no `verify` at all | nothing |
//! | one that only a proxy or the server itself proves, or a secret that can't be read here | the route has a bearer secret of the lab's own instead |
//!
//! A forger knows the scheme and not the secret.

use asl::Timestamp;
use hyper::Uri;
use serde_json::json;
use server::gateway::verify::sign::{Signable, Signing as Proof};
use server::gateway::{RouteConfig, VerifyConfig};

/// What the lab proves itself with where it can't do it as the third party does.
const OWN: &str = "the-outside";
/// Schemes by which no third party proves itself.
const NOT_PLAYED: [&str; 2] = ["mtls-header", "signed-url"];

/// One route's.
pub(crate) struct Signing {
    path: String,
    /// The right one, the forger's; none if nothing has to be proved, or if the server will not take the route.
    proofs: Option<(Proof, Proof)>,
}

/// A callback, as far as it matters to what proves it.
pub(crate) struct Sent<'a> {
    /// The path, with the query if there is one.
    pub path: &'a str,
    /// The body, as it is sent.
    pub body: &'a [u8],
    /// Whether somebody sends it who does not know the secret.
    pub forged: bool,
}

impl Signing {
    /// As the route wants it, which may be changed for what the lab can do.
    pub(crate) fn of(route: &mut RouteConfig) -> Signing {
        if let Some(verify) = route.verify.as_mut().filter(|verify| !is_played(verify)) {
            let own = json!({ "scheme": "bearer", "secrets": [OWN] });
            *verify = serde_json::from_value(own).expect("it is one of a route");
        }
        // What else is wrong with it the server says as it starts.
        let proofs = route.verify.as_ref().and_then(|verify| {
            let (right, forged) = (Proof::of(verify).ok()?, Proof::forger(verify).ok()?);
            Some((right, forged)).filter(|(right, _)| right.proves())
        });
        Signing {
            path: route.path.clone(),
            proofs,
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

    /// Adds what proves a callback, unless it brings its own. An id that it brings is the one that is signed.
    pub(crate) fn add(&self, headers: &mut Vec<(String, String)>, sent: &Sent<'_>, now: Timestamp) {
        let Some((right, forged)) = &self.proofs else {
            return;
        };
        let uri = sent.path.parse::<Uri>().unwrap_or_default();
        let own_id = format!("msg_{}_{}", now.0, sent.body.len());
        let signed = |id: &str| {
            let proof = if sent.forged { forged } else { right };
            proof.sign(&Signable {
                method: "POST",
                uri: &uri,
                id,
                at: now,
                body: sent.body,
            })
        };
        let brought = |name: &str| {
            let mut headers = headers.iter();
            headers.find(|(known, _)| known.eq_ignore_ascii_case(name))
        };
        let proof = signed(&own_id);
        let is_id = |value: &str| value == own_id;
        let theirs = proof.iter().find_map(|(name, value)| {
            let (_, id) = brought(name).filter(|_| is_id(value))?;
            Some(id.clone())
        });
        let proves_itself = proof
            .iter()
            .any(|(name, value)| !is_id(value) && brought(name).is_some());
        if proves_itself {
            return;
        }
        let proof = match &theirs {
            Some(id) => signed(id),
            None => proof,
        };
        let missing = proof
            .into_iter()
            .filter(|(_, value)| theirs.as_ref() != Some(value));
        headers.extend(missing);
    }
}

/// Whether the outside can prove itself as the third party does.
fn is_played(verify: &VerifyConfig) -> bool {
    // All secrets have to be there, or the server does not start.
    let readable = verify.secrets.iter().all(|secret| secret.read().is_ok());
    readable && !NOT_PLAYED.contains(&verify.scheme.as_str())
}
