//! The inbox: who asks what became of callbacks, and who does something about it.
//!
//! | | |
//! | --- | --- |
//! | `GET /rejoin/deliveries` | those that fit a filter |
//! | `GET /rejoin/deliveries/ID` | one in full; `/body`: its bytes as they came |
//! | `POST .../ID/dismiss`, `DELETE .../ID/dismiss` | nobody has to look at it any more; somebody has to, after all |
//!
//! A delivery keeps the disposition that it got. What operators do stands beside it, as marks.
//!
//! - [`search`]: which deliveries. [`show`]: what is shown of one.
//! - `dismiss`: what operators do.

mod dismiss;
mod search;
mod show;

use hyper::{Method, StatusCode};
use serde::de::DeserializeOwned;

pub(super) use self::show::place_members;

use super::{Gateway, not_allowed, server_error};
use crate::http::{Call, Reply};

impl Gateway {
    /// `/rejoin/deliveries` and what is below it; `rest` is what follows.
    pub(super) async fn inbox(&self, rest: &str, call: &Call) -> Reply {
        let rest = rest.trim_start_matches('/');
        let (id, what) = rest.split_once('/').unwrap_or((rest, ""));
        let answered = match (id, what, &call.method) {
            ("", "", &Method::GET) => self.list_deliveries(call).await,
            (id, "", &Method::GET) => self.show_delivery(id).await,
            (_, "", _) => Ok(not_allowed("GET")),
            (id, "body", &Method::GET) => self.show_body(id).await,
            (_, "body", _) => Ok(not_allowed("GET")),
            (id, "dismiss", &Method::POST) => self.dismiss(id, call).await,
            (id, "dismiss", &Method::DELETE) => self.restore(id, call).await,
            (_, "dismiss", _) => Ok(not_allowed("POST, DELETE")),
            _ => Ok(Reply::refusal(
                StatusCode::NOT_FOUND,
                "NotFound",
                format!("there is no {what:?} of a delivery"),
                "there are /rejoin/deliveries/ID, and below it body and dismiss",
            )),
        };
        answered.unwrap_or_else(|what| server_error(&what))
    }
}

/// The answer if there is no delivery of this id.
fn no_such_delivery(id: &str) -> Reply {
    Reply::refusal(
        StatusCode::NOT_FOUND,
        "NotFound",
        format!("there is no delivery {id:?}"),
        "GET /rejoin/deliveries lists them, newest first; old ones are forgotten after a time",
    )
}

/// The body of a request, which may be empty if all in it is.
fn asked<T: DeserializeOwned>(call: &Call, example: &str) -> Result<T, Reply> {
    let body: &[u8] = match call.body.trim_ascii() {
        b"" => b"{}",
        body => body,
    };
    serde_json::from_slice(body).map_err(|why| {
        Reply::refusal(
            StatusCode::BAD_REQUEST,
            "InvalidBody",
            format!("the body is not what is asked for here: {why}"),
            &format!("send JSON, for example {example}"),
        )
    })
}
