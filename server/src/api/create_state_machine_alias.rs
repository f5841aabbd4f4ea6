//! `CreateStateMachineAlias`: idempotent for the same description and routes.

use serde::{Deserialize, Serialize};

use crate::app::App;
use crate::machines::Machine;
use crate::versions::Alias;

use super::error::ApiError;
use super::request::{Answer, Text, read, write};
use super::routing::{self, RawRoute};
use super::validation::{self, ALIAS_DESCRIPTION, Check};
use super::versions;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Request<'a> {
    #[serde(borrow)]
    description: Option<Text<'a>>,
    name: Option<Text<'a>>,
    routing_configuration: Option<Vec<RawRoute<'a>>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Response {
    state_machine_alias_arn: String,
    creation_date: f64,
}

pub(super) async fn answer(app: &App, body: &[u8]) -> Answer {
    let request: Request = read(body)?;
    let mut check = Check::new();
    let description = check.optional("description", &request.description, ALIAS_DESCRIPTION);
    let name = check.required("name", &request.name, validation::NAME);
    if request.name.is_some() {
        check.restricted_characters("name", name);
    }
    match &request.routing_configuration {
        Some(routes) => routing::constraints(routes, &mut check),
        None => check.missing("routingConfiguration"),
    }
    check.done()?;
    let routes = request.routing_configuration.unwrap_or_default();
    let (machine_arn, routes) = routing::accept(&routes)?;
    let now = app.clock.now();
    let wanted = Alias {
        name: name.into(),
        description: description.map(str::to_owned),
        routes,
        created_at: now,
        updated_at: now,
    };
    let most = app.quotas.aliases;
    let create = |current: &Machine| {
        versions::check_usable(current)?;
        routing::check_versions(current, &wanted.routes)?;
        match current.alias(name) {
            Some(there) if same(there, &wanted) => Ok(current.clone()),
            Some(_) => Err(ApiError::conflict(
                "Failed to create alias because an alias with the same name and a different \
                 routing configuration already exists.",
            )),
            None if current.aliases.len() >= most => Err(ApiError::quota(format_args!(
                "A state machine can have at most {most} aliases; delete one"
            ))),
            None => {
                let mut changed = current.clone();
                if let Err(place) = changed.alias_place(name) {
                    changed.aliases.insert(place, wanted);
                }
                Ok(changed)
            }
        }
    };
    let changed = app.machines.update(machine_arn, None, create).await;
    let machine = changed
        .map_err(ApiError::server)?
        .ok_or_else(ApiError::no_such_reference)??;
    let alias = machine.alias(name);
    let alias = alias.expect("an alias that was there or was made is there");
    write(&Response {
        state_machine_alias_arn: versions::alias_arn(&machine.arn, &alias.name),
        creation_date: alias.created_at.as_seconds(),
    })
}

fn same(a: &Alias, b: &Alias) -> bool {
    a.description == b.description && a.routes == b.routes
}
