//! What people and scripts ask about alerts.
//!
//! | request | answer |
//! | --- | --- |
//! | `GET /rejoin/schemas/alert` | the JSON Schema of an alert |

use hyper::{Method, StatusCode};

use super::{Alerts, SCHEMA};
use crate::http::{Call, Reply};

impl Alerts {
    /// Answers a call on `/rejoin/alerts` and on the schema; `None` if it is on another path.
    pub async fn handle(&self, call: &Call) -> Option<Reply> {
        if call.path != "/rejoin/schemas/alert" {
            return None;
        }
        if call.method != Method::GET {
            return Some(Reply::refusal(
                StatusCode::METHOD_NOT_ALLOWED,
                "MethodNotAllowed",
                "alerts are read here",
                "use GET",
            ));
        }
        Some(Reply {
            status: StatusCode::OK,
            content_type: "application/schema+json",
            headers: Vec::new(),
            body: SCHEMA.into(),
        })
    }
}
