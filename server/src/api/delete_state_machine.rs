//! `DeleteStateMachine`: gone at once, or once its open executions have ended; until then it is `DELETING`
//! and takes nothing new. They go on to their end, where AWS documents that it cuts them off at their next
//! transition. Deleting what is not there is no mistake.

use serde::Deserialize;

use crate::app::App;

use super::arn;
use super::error::ApiError;
use super::request::{Answer, Text, nothing, read};
use super::validation::{self, Check};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Request<'a> {
    #[serde(borrow)]
    state_machine_arn: Option<Text<'a>>,
}

pub(super) async fn answer(app: &App, body: &[u8]) -> Answer {
    let request: Request = read(body)?;
    let mut check = Check::new();
    let arn = check.required(
        "stateMachineArn",
        &request.state_machine_arn,
        validation::ARN,
    );
    check.done()?;
    arn::check_machine(arn)?;
    app.machines.delete(arn).await.map_err(ApiError::server)?;
    nothing()
}
