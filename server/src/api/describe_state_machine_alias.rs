//! `DescribeStateMachineAlias`.

use serde::{Deserialize, Serialize};

use crate::app::App;

use super::arn::{self, Resource};
use super::error::ApiError;
use super::request::{Answer, Text, read, write};
use super::routing;
use super::validation::{self, Check};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Request<'a> {
    #[serde(borrow)]
    state_machine_alias_arn: Option<Text<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Response<'a> {
    state_machine_alias_arn: &'a str,
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'a str>,
    routing_configuration: Vec<routing::Item>,
    creation_date: f64,
    update_date: f64,
}

pub(super) async fn answer(app: &App, body: &[u8]) -> Answer {
    let request: Request = read(body)?;
    let mut check = Check::new();
    let alias_arn = &request.state_machine_alias_arn;
    let alias_arn = check.required("stateMachineAliasArn", alias_arn, validation::ARN);
    check.done()?;
    arn::check(alias_arn, &[Resource::StateMachine])?;
    let (machine_arn, name) = arn::alias(alias_arn)?;
    let found = app.machines.find(machine_arn).await;
    let machine = found
        .map_err(ApiError::server)?
        .ok_or_else(ApiError::no_such_reference)?;
    let alias = machine
        .alias(name)
        .ok_or_else(ApiError::no_such_reference)?;
    let routes = alias.routes.iter();
    write(&Response {
        state_machine_alias_arn: alias_arn,
        name,
        description: alias.description.as_deref(),
        routing_configuration: routes.map(|r| routing::Item::of(&machine, r)).collect(),
        creation_date: alias.created_at.as_seconds(),
        update_date: alias.updated_at.as_seconds(),
    })
}
