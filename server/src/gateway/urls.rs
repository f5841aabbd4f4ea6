//! Callback URLs: made for a wait, followed by a program or by a person.
//!
//! A route whose scheme is `signed-url` has the reference in its path, and the reference is a code that
//! this server has signed. Whoever has the URL can answer, once and until it expires; all else is as
//! with any reference. A person who follows the link from an e-mail comes with GET, and so does every
//! mail server that looks at links: GET shows a page with a button, and changes nothing.

use asl::Timestamp;
use hyper::{Method, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};

use super::disposition::Disposition;
use super::record::Standing;
use super::register::invalid_body;
use super::remote::{Told, trace_told};
use super::route::Route;
use super::verify::{Unverified, UrlKey, Verification};
use super::{Gateway, server_error};
use crate::http::{Call, Reply};

/// How long a URL is good if neither the request nor the wait's deadline says so.
const EXPIRES_SECONDS: i64 = 7 * 86_400;

/// The body of a request for a URL.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Wanted {
    task_token: String,
    #[serde(default)]
    expires_in_seconds: Option<u32>,
    #[serde(default)]
    execution_arn: Option<String>,
    #[serde(default)]
    state_name: Option<String>,
    #[serde(default)]
    timeout_seconds: Option<u32>,
    #[serde(default)]
    deadline: Option<String>,
}

impl Gateway {
    /// `POST /rejoin/references/{route}`: a URL for the wait of a task token.
    pub(super) async fn make_url(&self, route: &str, call: &Call) -> Reply {
        let routes = self.routes();
        let Some(route) = routes.named(route) else {
            return super::manage::no_such_route(route, &routes);
        };
        if !matches!(route.verification, Verification::SignedUrl) {
            return Reply::refusal(
                StatusCode::CONFLICT,
                "NoCallbackUrls",
                format!(
                    "the route \"{}\" has no URLs of its own for each wait",
                    route.name
                ),
                "say verify = { scheme = \"signed-url\" } for it, or PUT the reference that the third party gave",
            );
        }
        let wanted: Wanted = match serde_json::from_slice(&call.body) {
            Ok(wanted) => wanted,
            Err(why) => return invalid_body(&why),
        };
        let told = Told {
            execution_arn: wanted.execution_arn,
            state_name: wanted.state_name,
            timeout_seconds: wanted.timeout_seconds,
            deadline: wanted.deadline,
            trace: trace_told(call),
        };
        let (holder, token) = match self.holder_on(&route, wanted.task_token, told).await {
            Ok(found) => found,
            Err(refusal) => return refusal,
        };
        let now = self.0.clock.now();
        let expires_at = match (wanted.expires_in_seconds, holder.place.wait_deadline) {
            (Some(seconds), _) => now.plus_seconds(seconds.into()),
            (None, Some(deadline)) => deadline,
            (None, None) => now.plus_seconds(EXPIRES_SECONDS),
        };
        let mut random = [0; 12];
        if let Err(why) = getrandom::fill(&mut random) {
            return server_error(&format!("the system gives no random bytes: {why}"));
        }
        let code = match self.url_key() {
            Ok(key) => key.code(&route.name, random, expires_at),
            Err(what) => return server_error(what),
        };
        let made = urls(&route, &code, self.base_url());
        let reply = self.register_as(&route, code.clone(), holder, token).await;
        if reply.status != StatusCode::OK {
            return reply;
        }
        Reply::json(
            StatusCode::CREATED,
            &json!({
                "route": route.name,
                "reference": code,
                "expiresAt": expires_at.to_string(),
                "urls": made,
            }),
        )
    }

    /// Whether the code in a call's path is good.
    pub(super) fn check_url(
        &self,
        route: &Route,
        parameters: &[(String, String)],
        now: Timestamp,
    ) -> Result<super::verify::Verified, Unverified> {
        let code = self.code(route, parameters);
        self.url_key()
            .map_err(str::to_owned)?
            .check(&route.name, code, now)
    }

    /// The code in a call's path.
    fn code<'a>(&self, route: &Route, parameters: &'a [(String, String)]) -> &'a str {
        let code = parameters
            .iter()
            .find(|(name, _)| Some(name.as_str()) == route.code_parameter());
        code.map_or("", |(_, code)| code)
    }

    fn url_key(&self) -> Result<&UrlKey, &'static str> {
        self.0
            .url_key
            .get()
            .ok_or("the key of callback URLs was not read; that is done when the server starts")
    }

    /// What a person sees who follows a link: what it is, and a button; or that it is of no use any more. Nothing comes
    /// of looking: programs follow links, too.
    pub(super) async fn confirm(
        &self,
        route: &Route,
        entrance: usize,
        parameters: &[(String, String)],
    ) -> Reply {
        let code = match self.check_url(route, parameters, self.0.clock.now()) {
            Ok(_) => self.code(route, parameters),
            Err(_) => return page(StatusCode::UNAUTHORIZED, NOT_GOOD, ""),
        };
        let standing = match self.reference(&route.name, code).await {
            Ok(found) => found.map(|(_, reference)| reference.standing),
            Err(what) => return server_error(&what),
        };
        let open = match &standing {
            Some(Standing::Answered { .. }) => return page(StatusCode::GONE, ANSWERED, ""),
            Some(Standing::Waiting { holder }) => self.is_open(holder).await,
            Some(_) => Ok(true),
            None => Ok(false),
        };
        match open {
            Ok(true) => {}
            Ok(false) => return page(StatusCode::GONE, NOBODY_WAITS, ""),
            Err(what) => return server_error(&what),
        }
        let what = escaped(&route.entrances[entrance].address.last_name());
        let button = format!("<form method=\"post\"><button>{what}</button></form>");
        page(StatusCode::OK, "Please confirm", &button)
    }
}

/// Where each outcome of a route is for this code.
fn urls(route: &Route, code: &str, base: &str) -> Vec<Value> {
    let base = route.config.public_url.as_deref().unwrap_or(base);
    let base = base.trim_end_matches('/');
    let parameter = route.code_parameter().unwrap_or_default();
    let all = route.entrances.iter();
    all.map(|entrance| {
        let path = entrance
            .address
            .text()
            .replace(&format!("{{{parameter}}}"), code);
        json!({
            "method": entrance.method.as_str(),
            "url": format!("{base}{path}"),
            "outcome": entrance.outcome(),
        })
    })
    .collect()
}

const ANSWERED: &str = "An answer was taken before";
const NOBODY_WAITS: &str = "Nobody waits for this answer any longer";
const NOT_GOOD: &str = "This link is not valid, or is no longer";

/// What a person hears instead of JSON, who pressed the button.
pub(super) fn told_to_a_person(
    status: StatusCode,
    disposition: Disposition,
    given_up: bool,
) -> Reply {
    let text = match disposition {
        Disposition::Delivered
        | Disposition::DeliveredAsFailure
        | Disposition::Started
        | Disposition::Heartbeat => "Thank you. Your answer was taken",
        Disposition::Early => "Thank you. Your answer is kept",
        Disposition::DuplicateIdentical => "Your answer was taken before",
        Disposition::DuplicateContradicting => "Another answer was taken before, and counts",
        Disposition::LateTimedOut | Disposition::LateEnded | Disposition::LateSuperseded => {
            NOBODY_WAITS
        }
        Disposition::Unverified | Disposition::UnknownReference => NOT_GOOD,
        Disposition::Malformed | Disposition::TooLarge => "This answer could not be read",
        Disposition::RateLimited => "Too many answers at once. Please try again in a moment",
        Disposition::Undeliverable if given_up => {
            "Your answer is stored, and those who can see to it have been told"
        }
        Disposition::Undeliverable => "Your answer is stored, and will be delivered",
    };
    page(status, text, "")
}

/// Whether a person reads the answer.
pub(super) fn is_person(call: &Call) -> bool {
    call.header("accept")
        .is_some_and(|kinds| kinds.contains("text/html"))
}

/// Whether this is a person who follows a link.
pub(super) fn is_visit(call: &Call) -> bool {
    [Method::GET, Method::HEAD].contains(&call.method)
}

fn page(status: StatusCode, heading: &str, more: &str) -> Reply {
    let body = format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\"><title>{heading}</title><h1>{heading}.</h1>{more}</html>"
    );
    Reply {
        status,
        content_type: "text/html; charset=utf-8",
        // The URL is as good as a password: it goes to nobody else.
        headers: vec![
            ("Cache-Control", "no-store".into()),
            ("Referrer-Policy", "no-referrer".into()),
            (
                "Content-Security-Policy",
                "default-src 'none'; form-action 'self'; frame-ancestors 'none'".into(),
            ),
        ],
        body: body.into(),
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}
