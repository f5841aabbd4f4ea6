//! Requests that a page elsewhere makes a browser send.
//!
//! The server asks nobody who he is, since only this machine reaches it. A browser on this machine reaches it too, on behalf
//! of any page that its owner looks at; it lets no page read an answer, but a plain POST is sent before anybody is
//! asked. Browsers say whose page it was, so what changes something here is refused if it was not one of ours. Callbacks
//! are not concerned: they are verified, and a button in a mail is meant to come from elsewhere.

use hyper::{Method, StatusCode};

use crate::http::{Call, Reply};

/// The refusal of a request to the server itself that another site's page has sent.
pub(crate) fn refusal(call: &Call) -> Option<Reply> {
    let own = call.path == "/" || call.path.starts_with("/rejoin/");
    let looks = [Method::GET, Method::HEAD, Method::OPTIONS].contains(&call.method);
    if !own || looks || !is_cross_site(call) {
        return None;
    }
    Some(Reply::refusal(
        StatusCode::FORBIDDEN,
        "CrossSite",
        "a page of another site has sent this, and the server takes nothing from there",
        "send it from a program, or from a page of this server",
    ))
}

fn is_cross_site(call: &Call) -> bool {
    match (call.header("sec-fetch-site"), call.headers.get("origin")) {
        (Some(site), _) => !matches!(site, "same-origin" | "none"),
        // A program.
        (None, None) => false,
        // A browser that is old.
        (None, Some(origin)) => {
            let origin = origin.to_str().ok();
            let page = origin.and_then(|origin| Some(origin.split_once("://")?.1));
            page.is_none() || page != call.header("host")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Clock;

    #[test]
    fn only_pages_of_other_sites_are_refused_and_only_where_something_changes() {
        let post = Method::POST;
        let program: &[(&str, &str)] = &[("host", "127.0.0.1:8083")];
        let with = |more: &[(&'static str, &'static str)]| [program, more].concat();
        for (method, path, headers, refused) in [
            (&post, "/rejoin/clock/advance", with(&[]), false),
            (
                &post,
                "/rejoin/clock/advance",
                with(&[("sec-fetch-site", "cross-site")]),
                true,
            ),
            (&post, "/", with(&[("sec-fetch-site", "same-site")]), true),
            (
                &post,
                "/",
                with(&[
                    ("sec-fetch-site", "same-origin"),
                    ("origin", "https://a.proxy.example"),
                ]),
                false,
            ),
            (
                &post,
                "/rejoin/deliveries/replay",
                with(&[("origin", "http://evil.example")]),
                true,
            ),
            (
                &post,
                "/rejoin/deliveries/replay",
                with(&[("origin", "null")]),
                true,
            ),
            (
                &post,
                "/rejoin/deliveries/replay",
                with(&[("origin", "http://127.0.0.1:8083")]),
                false,
            ),
            (
                &Method::GET,
                "/rejoin/deliveries",
                with(&[("sec-fetch-site", "cross-site")]),
                false,
            ),
            (
                &post,
                "/approvals/code/approve",
                with(&[("sec-fetch-site", "cross-site")]),
                false,
            ),
        ] {
            let mut call = Call {
                method: method.clone(),
                path: path.to_owned(),
                query: String::new(),
                headers: hyper::HeaderMap::new(),
                body: Default::default(),
                peer: ([127, 0, 0, 1], 4000).into(),
                busy: Clock::real().busy(),
            };
            for (name, value) in &headers {
                let value = value.parse().expect("a header");
                call.headers.insert(*name, value);
            }
            let reply = refusal(&call);
            assert_eq!(reply.is_some(), refused, "{method} {path} {headers:?}");
        }
    }
}
