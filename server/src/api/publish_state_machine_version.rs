//! `PublishStateMachineVersion`: of a revision that was published before, the version that it got.

use serde::{Deserialize, Serialize};

use crate::app::App;
use crate::machines::Machine;

use super::arn::{self, Resource};
use super::error::ApiError;
use super::request::{Answer, Text, read, write};
use super::validation::{self, Check, VERSION_DESCRIPTION};
use super::versions;

/// How AWS calls the revision of a machine that was never updated.
const INITIAL_REVISION: &str = "INITIAL";

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Request<'a> {
    #[serde(borrow)]
    state_machine_arn: Option<Text<'a>>,
    revision_id: Option<Text<'a>>,
    description: Option<Text<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Response {
    creation_date: f64,
    state_machine_version_arn: String,
}

pub(super) async fn answer(app: &App, body: &[u8]) -> Answer {
    let request: Request = read(body)?;
    let mut check = Check::new();
    let machine_arn = &request.state_machine_arn;
    let machine_arn = check.required("stateMachineArn", machine_arn, validation::ARN);
    let description = check.optional("description", &request.description, VERSION_DESCRIPTION);
    check.done()?;
    arn::check(machine_arn, &[Resource::StateMachine])?;
    let now = app.clock.now();
    let publish = |current: &Machine| {
        versions::check_usable(current)?;
        let revision = current.revision_id.as_deref().unwrap_or(INITIAL_REVISION);
        if let Some(wanted) = request.revision_id.as_deref()
            && wanted != revision
        {
            return Err(ApiError::conflict(format!(
                "Failed to publish the State Machine version for revision {wanted}. The current \
                 State Machine revision is {revision}."
            )));
        }
        versions::publish(app, current.clone(), description.map(str::to_owned), now)
    };
    let published = app.machines.update(machine_arn, None, publish).await;
    let machine = published
        .map_err(ApiError::server)?
        .ok_or_else(|| ApiError::machine_does_not_exist(machine_arn))??;
    let version = machine.current_version();
    let version = version.expect("a machine that was just published has a version");
    write(&Response {
        creation_date: version.created_at.as_seconds(),
        state_machine_version_arn: versions::arn(&machine.arn, version.number),
    })
}
