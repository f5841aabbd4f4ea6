//! What is kept of a callback, as near to what came as may be.
//!
//! Headers and body stay as they came, repeated headers too, but for three things: what is a secret of the
//! caller by its nature, what the route says is not to be stored (`redact`), and what is more than a route takes
//! or, from a stranger, more than [`UNVERIFIED_BYTES_MAX`].

use hyper::header::{AUTHORIZATION, COOKIE, HeaderName, PROXY_AUTHORIZATION};

use super::record::{Body, SentTo};
use super::redact::REDACTED;
use super::route::Route;
use crate::http::Call;

/// How much is kept of a callback that is not verified, of its body and of its headers: anybody can
/// send them, as large as they like.
pub(super) const UNVERIFIED_BYTES_MAX: usize = 8 * 1024;

/// Stands in the place of a header that is a secret.
pub(super) const NOT_KEPT: &str = "(not kept)";

/// Headers in which credentials are sent, beside those that HTTP has for them, whatever the route's scheme is.
const SECRETS: [&str; 10] = [
    "api-key",
    "apikey",
    "x-access-token",
    "x-amz-security-token",
    "x-api-key",
    "x-api-token",
    "x-auth-token",
    "x-functions-key",
    "x-gitlab-token",
    "x-vault-token",
];

/// As much of a callback as is kept.
pub(super) struct Kept {
    pub sent_to: SentTo,
    pub headers: Vec<(String, String)>,
    pub body: Body,
    /// The body is not whole.
    pub body_cut: bool,
    /// What is not as it came.
    pub redacted: Vec<String>,
}

impl Kept {
    /// Of a callback that was verified, or was not.
    pub fn of(call: &Call, route: &Route, verified: bool) -> Kept {
        let mut redacted = Vec::new();
        let headers = headers(call, route, verified, &mut redacted);
        let query = route.redaction.query(&call.query);
        redacted.extend(query.by);
        // Of one that is too large, as much as the route takes shows whose it was.
        let bytes_max = match verified {
            true => route.body_bytes_max,
            false => route.body_bytes_max.min(UNVERIFIED_BYTES_MAX),
        };
        let without = route.redaction.body(&call.body, route.format);
        let body: &[u8] = match &without {
            None => &call.body,
            Some(without) => {
                redacted.extend_from_slice(&without.by);
                &without.rest
            }
        };
        redacted.dedup();
        Kept {
            sent_to: SentTo {
                method: call.method.as_str().to_owned(),
                path: call.path.clone(),
                query: query.rest,
            },
            headers,
            body: Body::of_head(body, bytes_max),
            body_cut: body.len() > bytes_max,
            redacted,
        }
    }
}

fn headers(
    call: &Call,
    route: &Route,
    verified: bool,
    redacted: &mut Vec<String>,
) -> Vec<(String, String)> {
    let mut left = match verified {
        true => usize::MAX,
        false => UNVERIFIED_BYTES_MAX,
    };
    let mut kept = Vec::with_capacity(call.headers.len());
    for (name, value) in &call.headers {
        let value = if is_secret(name, route) {
            NOT_KEPT.into()
        } else if let Some(rule) = route.redaction.header(name.as_str()) {
            redacted.push(rule.to_owned());
            REDACTED.into()
        } else {
            String::from_utf8_lossy(value.as_bytes()).into_owned()
        };
        let Some(rest) = left.checked_sub(name.as_str().len() + value.len()) else {
            break;
        };
        left = rest;
        kept.push((name.as_str().to_owned(), value));
    }
    kept
}

/// Whether a header lets whoever has its value speak for the caller. A signature does not: it is good for
/// its own callback alone, and tells an operator why that was not believed.
fn is_secret(name: &HeaderName, route: &Route) -> bool {
    [AUTHORIZATION, PROXY_AUTHORIZATION, COOKIE].contains(name)
        || SECRETS.contains(&name.as_str())
        || route.verification.secret_header() == Some(name)
}
