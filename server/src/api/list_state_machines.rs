//! `ListStateMachines`, by ARN.

use serde::{Deserialize, Serialize};

use crate::app::App;
use crate::machines::{Machine, MachineType};

use super::error::ApiError;
use super::page;
use super::request::{Answer, Text, read, write};
use super::validation::{self, Check};

const LIST: page::List<'static> = &["ListStateMachines"];

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Request<'a> {
    max_results: Option<i64>,
    #[serde(borrow)]
    next_token: Option<Text<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Response<'a> {
    state_machines: Vec<Item<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Item<'a> {
    state_machine_arn: &'a str,
    name: &'a str,
    r#type: MachineType,
    creation_date: f64,
}

impl Item<'_> {
    fn of(machine: &Machine) -> Item<'_> {
        Item {
            state_machine_arn: &machine.arn,
            name: &machine.name,
            r#type: machine.kind,
            creation_date: machine.created_at.as_seconds(),
        }
    }
}

pub(super) async fn answer(app: &App, body: &[u8]) -> Answer {
    let request: Request = read(body)?;
    let mut check = Check::new();
    let size = check.page_size(request.max_results);
    let token = check.optional("nextToken", &request.next_token, validation::PAGE_TOKEN);
    check.done()?;
    let after = token.map(|token| page::place(LIST, token)).transpose()?;
    // One more than fits tells whether there is more.
    let found = app.machines.list(after.as_deref(), size + 1).await;
    let mut found = found.map_err(ApiError::server)?;
    let more = found.len() > size;
    found.truncate(size);
    let last = found.last().filter(|_| more);
    write(&Response {
        state_machines: found.iter().map(Item::of).collect(),
        next_token: last.map(|last| page::token(LIST, &last.arn)),
    })
}
