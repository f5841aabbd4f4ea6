//! `ListMapRuns`, the latest first: of one execution, whose events name them.

use engine::{EventKind, ExecutionKey};
use serde::{Deserialize, Serialize};

use crate::app::App;
use crate::map_runs::document::Record;

use super::arn::{self, Resource};
use super::error::ApiError;
use super::page;
use super::request::{Answer, Text, read, write};
use super::validation::{self, Check};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Request<'a> {
    #[serde(borrow)]
    execution_arn: Option<Text<'a>>,
    max_results: Option<i64>,
    next_token: Option<Text<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Response {
    map_runs: Vec<Item>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Item {
    execution_arn: String,
    map_run_arn: String,
    state_machine_arn: String,
    start_date: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    stop_date: Option<f64>,
}

impl Item {
    fn of(record: &Record) -> Item {
        Item {
            execution_arn: record.execution_arn.to_string(),
            map_run_arn: record.arn.to_string(),
            state_machine_arn: record.state_machine_arn(),
            start_date: record.started_at.as_seconds(),
            stop_date: record.stopped_at.map(|at| at.as_seconds()),
        }
    }
}

pub(super) async fn answer(app: &App, body: &[u8]) -> Answer {
    let request: Request = read(body)?;
    let mut check = Check::new();
    let execution = check.required("executionArn", &request.execution_arn, validation::ARN);
    let size = check.page_size(request.max_results);
    let token = check.optional("nextToken", &request.next_token, validation::PAGE_TOKEN);
    check.done()?;
    arn::check(execution, &[Resource::Execution])?;
    let list = ["ListMapRuns", execution];
    // How many are still to come, which a Map Run that is started meanwhile does not change.
    let rest = token.map(|token| page::number(&list, token)).transpose()?;

    let events = app.runner.events(ExecutionKey::of(execution)).await;
    let events = events.map_err(ApiError::server)?;
    if events.is_empty() {
        return Err(ApiError::execution_does_not_exist(execution));
    }
    let arns: Vec<&str> = events
        .iter()
        .filter_map(|event| match &event.kind {
            EventKind::MapRunStarted { run, .. } => Some(&*run.arn),
            _ => None,
        })
        .collect();
    let rest = rest
        .map_or(arns.len(), |rest| rest as usize)
        .min(arns.len());
    let first = rest.saturating_sub(size);
    let mut map_runs = Vec::new();
    for arn in arns[first..rest].iter().rev() {
        let found = app.map_runs.find(arn).await.map_err(ApiError::server)?;
        map_runs.extend(found.map(|(record, _)| Item::of(&record)));
    }
    write(&Response {
        map_runs,
        next_token: (first > 0).then(|| page::token(&list, &first.to_string())),
    })
}
