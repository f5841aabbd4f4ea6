//! `UpdateStateMachineAlias`: what is given replaces what was.

use serde::{Deserialize, Serialize};

use crate::app::App;
use crate::machines::Machine;

use super::arn::{self, Resource};
use super::error::ApiError;
use super::request::{Answer, Text, read, write};
use super::routing::{self, RawRoute};
use super::validation::{self, ALIAS_DESCRIPTION, Check};
use super::versions;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Request<'a> {
    #[serde(borrow)]
    state_machine_alias_arn: Option<Text<'a>>,
    description: Option<Text<'a>>,
    routing_configuration: Option<Vec<RawRoute<'a>>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Response {
    update_date: f64,
}

pub(super) async fn answer(app: &App, body: &[u8]) -> Answer {
    let request: Request = read(body)?;
    let mut check = Check::new();
    let alias_arn = &request.state_machine_alias_arn;
    let alias_arn = check.required("stateMachineAliasArn", alias_arn, validation::ARN);
    let description = check.optional("description", &request.description, ALIAS_DESCRIPTION);
    if let Some(routes) = &request.routing_configuration {
        routing::constraints(routes, &mut check);
    }
    check.done()?;
    arn::check(alias_arn, &[Resource::StateMachine])?;
    let (machine_arn, name) = arn::alias(alias_arn)?;
    if description.is_none() && request.routing_configuration.is_none() {
        return Err(ApiError::validation(
            "Either the description or the routing configuration must be specified",
        ));
    }
    let routes = request.routing_configuration.as_deref();
    let routes = routes.map(routing::accept).transpose()?;
    if routes.as_ref().is_some_and(|(of, _)| *of != machine_arn) {
        return Err(ApiError::validation(
            "Routing configuration must contain versions of the alias's state machine",
        ));
    }
    let now = app.clock.now();
    let seen = app.machines.find(machine_arn).await;
    let seen = seen
        .map_err(ApiError::server)?
        .ok_or_else(ApiError::no_such_reference)?;
    let update = |current: &Machine| {
        versions::check_unchanged(&seen, current)?;
        let mut changed = current.clone();
        let mut aliases = changed.aliases.iter_mut();
        let alias = aliases.find(|alias| &*alias.name == name);
        let alias = alias.ok_or_else(ApiError::no_such_reference)?;
        if let Some(description) = description {
            alias.description = Some(description.to_owned());
        }
        if let Some((_, routes)) = routes {
            routing::check_versions(current, &routes)?;
            alias.routes = routes;
        }
        alias.updated_at = now;
        Ok(changed)
    };
    let changed = app.machines.update(machine_arn, None, update).await;
    changed
        .map_err(ApiError::server)?
        .ok_or_else(ApiError::no_such_reference)??;
    write(&Response {
        update_date: now.as_seconds(),
    })
}
