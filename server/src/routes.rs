//! Who answers what.
//!
//! | path | who |
//! | --- | --- |
//! | `POST /` | the Step Functions API |
//! | `GET /health` | here |
//! | `/rejoin/clock` | [`crate::time_control`] |
//! | `/rejoin/executions/...` | [`crate::executions`] |
//! | `/rejoin/topics/...` | [`crate::topics`] |
//! | `/rejoin/references/...`, `/rejoin/deliveries/...`, each route's own path | [`crate::gateway`] |

use hyper::{Method, StatusCode};
use serde_json::json;

use crate::app::App;
use crate::http::{Call, Reply};
use crate::{api, executions, time_control};

/// Answers a request.
pub async fn answer(app: App, call: Call) -> Reply {
    if call.path == "/" && call.method == Method::POST {
        return api::handle(&app, call).await;
    }
    if call.path == "/health" {
        return Reply::json(
            StatusCode::OK,
            &json!({ "status": "ok", "version": env!("CARGO_PKG_VERSION") }),
        );
    }
    if call.path.starts_with("/rejoin/clock") {
        return time_control::handle(&app, call).await;
    }
    if call.path.starts_with("/rejoin/executions/") {
        return executions::handle(&app, call).await;
    }
    if let Some(reply) = app.topics.handle(&call).await {
        return reply;
    }
    if let Some(reply) = app.gateway.handle(&call).await {
        return reply;
    }
    Reply::refusal(
        StatusCode::NOT_FOUND,
        "NotFound",
        format!("nothing answers {} {} here", call.method, call.path),
        "the Step Functions API is POST /; GET /health says whether the server is up; callback paths are in the configuration",
    )
}
