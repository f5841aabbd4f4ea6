//! `ListStateMachineAliases`, by name, of a machine or of one of its versions.
//!
//! AWS documents "the most recently created first"; the recordings of the service itself
//! (`test_base_lifecycle_create_delete_list`) have the opposite, which is as well the order of the names.

use serde::{Deserialize, Serialize};

use crate::app::App;
use crate::versions::{Alias, Qualifier};

use super::arn::{self, Resource};
use super::error::ApiError;
use super::page;
use super::request::{Answer, Text, read, write};
use super::validation::{self, Check};
use super::versions;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Request<'a> {
    #[serde(borrow)]
    state_machine_arn: Option<Text<'a>>,
    max_results: Option<i64>,
    next_token: Option<Text<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Response {
    state_machine_aliases: Vec<Item>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Item {
    state_machine_alias_arn: String,
    creation_date: f64,
}

pub(super) async fn answer(app: &App, body: &[u8]) -> Answer {
    let request: Request = read(body)?;
    let mut check = Check::new();
    let machine_arn = &request.state_machine_arn;
    let machine_arn = check.required("stateMachineArn", machine_arn, validation::ARN);
    let size = check.page_size(request.max_results);
    let token = check.optional("nextToken", &request.next_token, validation::PAGE_TOKEN);
    check.done()?;
    arn::check(machine_arn, &[Resource::StateMachine])?;
    let list = ["ListStateMachineAliases", machine_arn];
    let after = token.map(|token| page::place(&list, token)).transpose()?;

    let found = versions::find(app, machine_arn).await?;
    let (machine, qualifier) =
        found.ok_or_else(|| ApiError::machine_does_not_exist(machine_arn))?;
    versions::check_usable(&machine)?;
    let all: Vec<&Alias> = match qualifier {
        None => machine.aliases.iter().collect(),
        Some(Qualifier::Version(number)) => machine.aliases_of(number).collect(),
        Some(Qualifier::Alias(_)) => return Err(ApiError::no_such_reference()),
    };
    let begin = after.map_or(0, |after| {
        all.partition_point(|alias| *alias.name <= *after)
    });
    let rest = &all[begin..];
    let page = &rest[..rest.len().min(size)];
    let last = page.last().filter(|_| rest.len() > size);
    write(&Response {
        state_machine_aliases: page
            .iter()
            .map(|alias| Item {
                state_machine_alias_arn: versions::alias_arn(&machine.arn, &alias.name),
                creation_date: alias.created_at.as_seconds(),
            })
            .collect(),
        next_token: last.map(|last| page::token(&list, &last.name)),
    })
}
