//! `StopExecution`: an execution that has ended stays as it is, and says when.

use engine::ExecutionKey;
use serde::{Deserialize, Serialize};

use crate::app::App;

use super::arn::{self, Resource};
use super::error::ApiError;
use super::keys;
use super::request::{Answer, Text, read, write};
use super::validation::{self, Check};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Request<'a> {
    #[serde(borrow)]
    execution_arn: Option<Text<'a>>,
    error: Option<Text<'a>>,
    cause: Option<Text<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Response {
    stop_date: f64,
}

pub(super) async fn answer(app: &App, body: &[u8]) -> Answer {
    let request: Request = read(body)?;
    let mut check = Check::new();
    let arn = check.required("executionArn", &request.execution_arn, validation::ARN);
    let error = check.optional("error", &request.error, validation::ERROR);
    let cause = check.optional("cause", &request.cause, validation::CAUSE);
    check.done()?;
    arn::check(arn, &[Resource::Execution])?;
    keys::check_execution_at(app, ExecutionKey::of(arn)).await?;
    let (error, cause) = (error.map(str::to_owned), cause.map(str::to_owned));
    let stopped = app.runner.stop(ExecutionKey::of(arn), error, cause).await;
    let stopped_at = stopped
        .map_err(ApiError::server)?
        .ok_or_else(|| ApiError::execution_does_not_exist(arn))?;
    write(&Response {
        stop_date: stopped_at.as_seconds(),
    })
}
