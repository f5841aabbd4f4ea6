//! `SendTaskFailure`: an error and a cause, either of which may be left out.

use std::borrow::Cow;

use asl::Failure;
use engine::Outcome;
use serde::Deserialize;

use crate::app::App;

use super::request::{Answer, Text, nothing, read};
use super::task;
use super::validation::{self, Check};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Request<'a> {
    #[serde(borrow)]
    task_token: Option<Text<'a>>,
    error: Option<Text<'a>>,
    cause: Option<Text<'a>>,
}

pub(super) async fn answer(app: &App, body: &[u8]) -> Answer {
    let request: Request = read(body)?;
    let mut check = Check::new();
    let token = check.required("taskToken", &request.task_token, validation::TASK_TOKEN);
    let error = check.optional("error", &request.error, validation::ERROR);
    let cause = check.optional("cause", &request.cause, validation::CAUSE);
    check.done()?;
    let failure = Failure {
        error: error.map(|error| Cow::Owned(error.to_owned())),
        cause: cause.map(str::to_owned),
    };
    task::check_key(app, token).await?;
    let completed = app.runner.complete(token, Outcome::Failure(failure)).await;
    completed.map_err(task::refused)?;
    nothing()
}
