//! One thing that the Step Functions API does not have: waiting for an execution's end.
//!
//! `GET /rejoin/executions/ARN?wait=SECONDS` answers when the execution has ended, or after so many
//! seconds (of real time; default 0, at most 60), with its status, output, error and cause.

use std::time::Duration;

use engine::{Execution, ExecutionKey, Status};
use hyper::{Method, StatusCode};
use serde::Serialize;

use crate::app::App;
use crate::http::{Call, Reply, percent_decode};

/// The longest wait; a client that wants more asks again.
const WAIT_SECONDS_MAX: f64 = 60.0;

/// What is said of an execution.
#[derive(Serialize)]
pub struct View<'a> {
    #[serde(rename = "executionArn")]
    execution_arn: &'a str,
    status: &'a str,
    #[serde(rename = "startDate")]
    start_date: String,
    #[serde(rename = "stopDate", skip_serializing_if = "Option::is_none")]
    stop_date: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    output: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cause: Option<&'a str>,
}

/// Answers a request on `/rejoin/executions/`.
pub async fn handle(app: &App, call: Call) -> Reply {
    let arn = percent_decode(call.path.trim_start_matches("/rejoin/executions/"));
    let wait = match call.parameter("wait").map(|text| text.parse::<f64>()) {
        None => 0.0,
        Some(Ok(seconds)) if (0.0..=WAIT_SECONDS_MAX).contains(&seconds) => seconds,
        Some(_) => {
            return Reply::refusal(
                StatusCode::BAD_REQUEST,
                "Malformed",
                "wait has to be a number of seconds from 0 to 60",
                "?wait=30",
            );
        }
    };
    if call.method != Method::GET {
        return Reply::refusal(
            StatusCode::METHOD_NOT_ALLOWED,
            "MethodNotAllowed",
            "an execution can be read here",
            "use GET",
        );
    }
    let key = ExecutionKey::of(&arn);
    if wait > 0.0 {
        drop(call.busy);
        if let Ok(Err(what)) =
            tokio::time::timeout(Duration::from_secs_f64(wait), app.runner.until_ended(key)).await
        {
            return failed(&what);
        }
    }
    let execution = match app.runner.execution(key).await {
        Ok(Some(execution)) => execution,
        Ok(None) => return unknown(&arn),
        Err(what) => return failed(&what),
    };
    Reply::json(StatusCode::OK, &View::of(&execution))
}

impl View<'_> {
    /// An execution as it is now.
    pub fn of(execution: &Execution) -> View<'_> {
        let closing = execution.closing();
        let failure = closing.and_then(|closing| closing.failure.as_ref());
        debug_assert_eq!(closing.is_none(), execution.status() == Status::Running);
        View {
            execution_arn: &execution.identity().arn,
            status: execution.status().name(),
            start_date: execution.identity().started_at.to_string(),
            stop_date: closing.map(|closing| closing.at.to_string()),
            output: closing
                .and_then(|closing| closing.output.as_ref())
                .map(|output| output.text()),
            error: failure.and_then(|failure| failure.error.as_deref()),
            cause: failure.and_then(|failure| failure.cause.as_deref()),
        }
    }
}

/// There is no such execution.
pub fn unknown(arn: &str) -> Reply {
    Reply::refusal(
        StatusCode::NOT_FOUND,
        "ExecutionDoesNotExist",
        format!("there is no execution {arn}"),
        "aws stepfunctions list-executions shows those that are kept",
    )
}

/// The store failed.
pub fn failed(what: &str) -> Reply {
    crate::log::say!("an execution could not be read: {what}");
    Reply::refusal(
        StatusCode::INTERNAL_SERVER_ERROR,
        "InternalError",
        "the store could not be read",
        "see the server's log",
    )
}
