//! `StartSyncExecution`, for EXPRESS state machines only, which this version does not run yet.

use serde::Deserialize;

use crate::app::App;
use crate::machines::MachineType;

use super::arn::{self, Resource};
use super::error::ApiError;
use super::request::{Answer, Text, read};
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
    arn::check(arn, &[Resource::StateMachine])?;
    let found = app.machines.find(arn).await.map_err(ApiError::server)?;
    let machine = found.ok_or_else(|| ApiError::machine_does_not_exist(arn))?;
    Err(ApiError::type_not_supported(match machine.kind {
        MachineType::Standard => "This operation is not supported by this type of state machine",
        MachineType::Express => {
            "Executions of EXPRESS state machines are not supported by this version of Rejoin; \
             create the state machine with type STANDARD and call StartExecution"
        }
    }))
}
