//! Who answers what.
//!
//! | path | who |
//! | --- | --- |
//! | `POST /` | the Step Functions API |
//! | `GET /health` | here: 503 once the store takes nothing any more |
//! | `/rejoin/clock` | [`crate::time_control`] |
//! | `/rejoin/executions/...` | [`crate::executions`] |
//! | `/rejoin/trace/...` | [`crate::story`] |
//! | `/rejoin/waits/...` | [`crate::waits`] |
//! | `GET /metrics` | [`crate::metrics`] |
//! | `/rejoin/topics/...` | [`crate::topics`] |
//! | `/rejoin/alerts/...`, `/rejoin/schemas/alert` | [`crate::alerts`] |
//! | `/rejoin/references/...`, `/rejoin/deliveries/...`, `/rejoin/routes/...`, `/rejoin/engines`, each route's own path | [`crate::gateway`] |

use hyper::{Method, StatusCode};
use serde_json::json;

use crate::app::App;
use crate::http::{Call, Reply, Unreadable};
use crate::{api, cross_site, executions, metrics, story, time_control, waits};

/// Answers a request.
pub async fn answer(app: App, call: Call) -> Reply {
    if let Some(refusal) = cross_site::refusal(&call) {
        return refusal;
    }
    if app.alone && (call.path == "/" || call.path.starts_with("/rejoin/executions/")) {
        return no_engine();
    }
    if call.path == "/" && call.method == Method::POST {
        return api::handle(&app, call).await;
    }
    if call.path == "/health" {
        return health(&app);
    }
    if call.path.starts_with("/rejoin/clock") {
        return time_control::handle(&app, call).await;
    }
    if call.path.starts_with("/rejoin/trace/") {
        return story::handle(&app, call).await;
    }
    if call.path.starts_with("/rejoin/executions/") {
        return executions::handle(&app, call).await;
    }
    if call.path == "/metrics" {
        return metrics::handle(&app, &call);
    }
    if call.path == "/rejoin/waits" || call.path.starts_with("/rejoin/waits/") {
        return waits::handle(&app, &call).await;
    }
    if let Some(reply) = app.topics.handle(&call).await {
        return reply;
    }
    if let Some(reply) = app.alerts.handle(&call).await {
        return reply;
    }
    if let Some(reply) = app.gateway.handle(&call).await {
        return reply;
    }
    app.gateway.astray(&call);
    Reply::refusal(
        StatusCode::NOT_FOUND,
        "NotFound",
        format!("nothing answers {} {} here", call.method, call.path),
        "the Step Functions API is POST /; GET /health says whether the server is up; callback paths are in the configuration",
    )
}

/// Answers a request whose body could not be read, in the words of whoever answers at its path; what came of
/// the body is there.
pub async fn unreadable(app: &App, call: &Call, why: Unreadable) -> Reply {
    if call.path == "/" {
        return api::unreadable(why);
    }
    if let Some(reply) = app.gateway.handle_unreadable(call, why).await {
        return reply;
    }
    let hint = "send less, plain or as gzip";
    Reply::refusal(why.status(), "BodyNotReadable", why.to_string(), hint)
}

/// What `rejoin gateway` says to who looks for the engine, in the shape of AWS's errors.
fn no_engine() -> Reply {
    Reply::json(
        StatusCode::BAD_REQUEST,
        &json!({
            "__type": "UnknownOperationException",
            "message": "this is `rejoin gateway`, which takes callbacks for engines elsewhere and runs no executions; GET /rejoin/engines says where those are",
        }),
    )
}

/// A server whose disk has failed still reads, and can do nothing else until it is started again.
fn health(app: &App) -> Reply {
    let version = env!("CARGO_PKG_VERSION");
    match app.store.write_problem() {
        None => {
            let mut told = json!({ "status": "ok", "version": version });
            // Who takes this for a server that runs in real time would wait for ever.
            let clock = app.clock.status();
            told["clock"] = clock.clock.into();
            told["now"] = clock.now.into();
            told["automatic"] = clock.automatic.into();
            // It serves as well as ever, and somebody has to look before the disk is full.
            if let Some(what) = app.store.cleaning_problem() {
                told["message"] = format!("disk space is no longer given back: {what}").into();
            }
            Reply::json(StatusCode::OK, &told)
        }
        Some(what) => Reply::json(
            StatusCode::SERVICE_UNAVAILABLE,
            &json!({ "status": "failed", "version": version, "message": format!("the store can't write: {what}") }),
        ),
    }
}
