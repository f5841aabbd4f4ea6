//! `ListStateMachineVersions`, newest first. A machine that is not there has no versions.

use serde::{Deserialize, Serialize};

use crate::app::App;
use crate::machines::Machine;
use crate::versions::Version;

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
    state_machine_versions: Vec<Item>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Item {
    state_machine_version_arn: String,
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
    let list = ["ListStateMachineVersions", machine_arn];
    let below = token.map(|token| page::number(&list, token)).transpose()?;

    let found = app.machines.find(machine_arn).await;
    let machine = found.map_err(ApiError::server)?;
    let (versions, next) = machine
        .as_deref()
        .map(|machine| cut(machine, below, size))
        .unwrap_or_default();
    write(&Response {
        state_machine_versions: versions
            .iter()
            .map(|version| Item {
                state_machine_version_arn: versions::arn(machine_arn, version.number),
                creation_date: version.created_at.as_seconds(),
            })
            .collect(),
        next_token: next.map(|next| page::token(&list, &next.to_string())),
    })
}

/// At most `size` versions with numbers below `below`, and where to go on.
fn cut(machine: &Machine, below: Option<u64>, size: usize) -> (Vec<&Version>, Option<u32>) {
    let newest_first = machine.versions.iter().rev();
    let mut rest = newest_first
        .skip_while(|version| below.is_some_and(|below| u64::from(version.number) >= below));
    let page: Vec<&Version> = rest.by_ref().take(size).collect();
    let more = rest.next().is_some();
    let next = page.last().filter(|_| more).map(|last| last.number);
    (page, next)
}
