//! `RedriveExecution`: an execution that ended badly goes on where it had failed.

use engine::{ExecutionKey, Refusal};
use serde::{Deserialize, Serialize};

use crate::app::App;
use crate::runner::NotDone;

use super::arn::{self, Resource};
use super::error::ApiError;
use super::request::{Answer, Text, read, write};
use super::validation::{self, Check};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Request<'a> {
    #[serde(borrow)]
    execution_arn: Option<Text<'a>>,
    client_token: Option<Text<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Response {
    redrive_date: f64,
}

pub(super) async fn answer(app: &App, body: &[u8]) -> Answer {
    let request: Request = read(body)?;
    let mut check = Check::within(&app.quotas);
    let arn = check.required("executionArn", &request.execution_arn, validation::ARN);
    let token = check.optional(
        "clientToken",
        &request.client_token,
        validation::CLIENT_TOKEN,
    );
    if let Some(token) = token {
        check.visible_ascii("clientToken", token);
    }
    check.done()?;
    arn::check(arn, &[Resource::Execution])?;
    // A redriven execution is open again, so it counts as a started one does.
    let most = app.quotas.open_executions;
    if app.store.open_executions() >= most {
        return Err(ApiError::too_many_executions(most));
    }
    let token = token.map(str::to_owned);
    let redriven = app.runner.redrive(ExecutionKey::of(arn), token).await;
    let redriven_at = redriven.map_err(|error| match error {
        NotDone::Unknown => ApiError::execution_does_not_exist(arn),
        NotDone::Refused(Refusal::NotRedrivable(why)) => {
            ApiError::execution_not_redrivable(why.reason())
        }
        NotDone::Refused(refusal) => ApiError::server(format!("a redrive is refused: {refusal:?}")),
        NotDone::Server(what) => ApiError::server(what),
    })?;
    write(&Response {
        redrive_date: redriven_at.as_seconds(),
    })
}
