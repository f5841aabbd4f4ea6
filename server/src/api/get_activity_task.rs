//! `GetActivityTask`: a long poll.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::activities::{NotFetched, Patience};
use crate::app::App;
use crate::clock::Busy;

use super::arn::{self, Resource};
use super::error::ApiError;
use super::keys::{self, Of};
use super::request::{Text, read, write};
use super::validation::{self, Check};

/// How long AWS keeps a worker waiting; SDKs are told to set their socket timeout to more.
const WAIT: Duration = Duration::from_secs(60);

/// An answer and its headers.
pub(super) type Told = (Vec<u8>, Vec<(&'static str, String)>);

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Request<'a> {
    #[serde(borrow)]
    activity_arn: Option<Text<'a>>,
    worker_name: Option<Text<'a>>,
}

/// Without a task the token is null, as the documentation has it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Response<'a> {
    task_token: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    input: Option<&'a str>,
}

/// The answer, and its headers: a worker is told of the trace as anybody else is whom a task asks.
pub(super) async fn answer(app: &App, body: &[u8], busy: Busy) -> Result<Told, ApiError> {
    let request: Request = read(body)?;
    let mut check = Check::new();
    let arn = check.required("activityArn", &request.activity_arn, validation::ARN);
    let worker = check.optional("workerName", &request.worker_name, validation::NAME);
    check.done()?;
    arn::check(arn, &[Resource::Activity])?;
    let found = app.activity_documents.find(arn).await;
    let activity = found
        .map_err(ApiError::server)?
        .ok_or_else(|| ApiError::activity_does_not_exist(arn))?;
    keys::check(app, &activity.encryption, Of::Activity(arn)).await?;
    let worker = worker.map(str::to_owned);
    let patience = Patience {
        wait: WAIT,
        most: app.quotas.activity_pollers,
    };
    let fetched = app.activities.fetch(arn, worker, patience, busy).await;
    let task = fetched.map_err(|why| match why {
        NotFetched::TooManyPollers => ApiError::too_many_pollers(),
        NotFetched::Server(what) => ApiError::server(what),
    })?;
    let answer = write(&Response {
        task_token: task.as_ref().map(|task| task.token.as_str()),
        input: task.as_ref().map(|task| task.input.as_str()),
    })?;
    let headers = task.iter().flat_map(|task| task.trace.headers());
    let headers = headers.map(|(name, value)| (name, value.to_owned()));
    Ok((answer, headers.collect()))
}
