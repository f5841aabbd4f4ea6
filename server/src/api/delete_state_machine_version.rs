//! `DeleteStateMachineVersion`: executions that began on it go on. Deleting what is not there is no mistake.

use serde::Deserialize;

use crate::app::App;
use crate::machines::Machine;
use crate::versions::Qualifier;

use super::arn::{self, Resource};
use super::error::ApiError;
use super::request::{Answer, Text, nothing, read};
use super::validation::{self, Check};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Request<'a> {
    #[serde(borrow)]
    state_machine_version_arn: Option<Text<'a>>,
}

pub(super) async fn answer(app: &App, body: &[u8]) -> Answer {
    let request: Request = read(body)?;
    let mut check = Check::new();
    let version_arn = check.required(
        "stateMachineVersionArn",
        &request.state_machine_version_arn,
        validation::LONG_ARN,
    );
    check.done()?;
    arn::check(version_arn, &[Resource::StateMachine])?;
    let (machine_arn, Some(Qualifier::Version(number))) = arn::qualified(version_arn) else {
        return Err(ApiError::invalid_arn(format_args!(
            "Invalid ARN: {version_arn}"
        )));
    };
    let delete = |current: &Machine| {
        let leading = current.aliases_of(number);
        let leading: Vec<&str> = leading.map(|alias| &*alias.name).collect();
        if !leading.is_empty() {
            return Err(ApiError::conflict(format!(
                "Version to be deleted must not be referenced by an alias. Current list of aliases \
                 referencing this version: [{}]",
                leading.join(", ")
            )));
        }
        let mut changed = current.clone();
        changed.versions.retain(|version| version.number != number);
        Ok(changed)
    };
    let deleted = app.machines.update(machine_arn, None, delete).await;
    deleted.map_err(ApiError::server)?.transpose()?;
    nothing()
}
