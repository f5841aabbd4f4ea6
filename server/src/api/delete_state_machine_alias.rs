//! `DeleteStateMachineAlias`: the versions it leads to stay. Deleting an alias that a machine does not have
//! is no mistake; naming a machine that is not there is one.

use serde::Deserialize;

use crate::app::App;
use crate::machines::Machine;

use super::arn::{self, Resource};
use super::error::ApiError;
use super::request::{Answer, Text, nothing, read};
use super::validation::{self, Check};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Request<'a> {
    #[serde(borrow)]
    state_machine_alias_arn: Option<Text<'a>>,
}

pub(super) async fn answer(app: &App, body: &[u8]) -> Answer {
    let request: Request = read(body)?;
    let mut check = Check::new();
    let alias_arn = &request.state_machine_alias_arn;
    let alias_arn = check.required("stateMachineAliasArn", alias_arn, validation::ARN);
    check.done()?;
    arn::check(alias_arn, &[Resource::StateMachine])?;
    let (machine_arn, name) = arn::alias(alias_arn)?;
    let seen = app.machines.find(machine_arn).await;
    let seen = seen
        .map_err(ApiError::server)?
        .ok_or_else(ApiError::no_such_reference)?;
    let delete = |current: &Machine| {
        // A machine that is being deleted may lose its aliases before.
        if *current != *seen {
            return Err(ApiError::changed_meanwhile(&current.arn));
        }
        let mut changed = current.clone();
        changed.aliases.retain(|alias| &*alias.name != name);
        Ok(changed)
    };
    let deleted = app.machines.update(machine_arn, None, delete).await;
    deleted
        .map_err(ApiError::server)?
        .ok_or_else(ApiError::no_such_reference)??;
    nothing()
}
