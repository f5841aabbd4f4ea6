//! `ListExecutions`, newest start first.

use engine::{Execution, Identity, Status};
use serde::{Deserialize, Serialize};
use store::{ListQuery, MachineKey, Summary};

use crate::app::App;
use crate::machines::{Machine, MachineType};
use crate::versions::Qualifier;

use super::arn::{self, Resource};
use super::error::ApiError;
use super::page;
use super::request::{Answer, Text, read, write};
use super::validation::{self, Check, EXECUTION_STATUSES};
use super::versions;

/// `ExecutionRedriveFilter`.
const REDRIVE_FILTERS: &[&str] = &["REDRIVEN", "NOT_REDRIVEN"];

/// How often a request looks on for executions of a version or an alias when most are of others. A page
/// may have fewer than were asked for, even none, and the next one goes on from there.
const LOOKS_MAX: usize = 10;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Request<'a> {
    #[serde(borrow)]
    state_machine_arn: Option<Text<'a>>,
    status_filter: Option<Text<'a>>,
    max_results: Option<i64>,
    next_token: Option<Text<'a>>,
    map_run_arn: Option<Text<'a>>,
    redrive_filter: Option<Text<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Response<'a> {
    executions: Vec<Item<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Item<'a> {
    execution_arn: String,
    state_machine_arn: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    state_machine_version_arn: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    state_machine_alias_arn: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    map_run_arn: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    item_count: Option<u32>,
    name: &'a str,
    status: &'static str,
    start_date: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    stop_date: Option<f64>,
    redrive_count: u32,
}

impl<'a> Item<'a> {
    fn of(
        app: &App,
        machine: &'a Machine,
        summary: &'a Summary,
        origin: Option<&Identity>,
    ) -> Item<'a> {
        Item {
            execution_arn: arn::execution(&app.place, &machine.name, &summary.name),
            state_machine_arn: &machine.arn,
            state_machine_version_arn: origin.and_then(Identity::version_arn),
            state_machine_alias_arn: origin.and_then(Identity::alias_arn),
            map_run_arn: None,
            item_count: None,
            name: &summary.name,
            status: summary.status.name(),
            start_date: summary.started_at.as_seconds(),
            stop_date: summary.stopped_at.map(|at| at.as_seconds()),
            redrive_count: 0,
        }
    }
}

pub(super) async fn answer(app: &App, body: &[u8]) -> Answer {
    let request: Request = read(body)?;
    let mut check = Check::new();
    let machine_arn = &request.state_machine_arn;
    let machine_arn = check.optional("stateMachineArn", machine_arn, validation::ARN);
    let filter = check.one_of("statusFilter", &request.status_filter, EXECUTION_STATUSES);
    let size = check.page_size(request.max_results);
    let token = &request.next_token;
    let token = check.optional("nextToken", token, validation::LIST_EXECUTIONS_PAGE_TOKEN);
    let map_run = check.optional("mapRunArn", &request.map_run_arn, validation::LONG_ARN);
    let redriven = check.one_of("redriveFilter", &request.redrive_filter, REDRIVE_FILTERS);
    check.done()?;
    let machine_arn = match (machine_arn, map_run) {
        (Some(machine_arn), None) => machine_arn,
        (None, Some(map_run)) => {
            let page = Page {
                filter,
                redriven,
                token,
                size,
            };
            return children(app, map_run, page).await;
        }
        (None, None) | (Some(_), Some(_)) => {
            let message = "Must provide a StateMachine ARN or MapRun ARN";
            return Err(ApiError::validation(message));
        }
    };
    arn::check(machine_arn, &[Resource::StateMachine])?;
    let list = ["ListExecutions", machine_arn, filter.unwrap_or_default()];
    let after = token.map(|token| page::number(&list, token)).transpose()?;

    let unknown = || ApiError::machine_does_not_exist(machine_arn);
    let found = versions::find(app, machine_arn).await?;
    let (machine, qualifier) = found.ok_or_else(unknown)?;
    if machine.choose(qualifier, || 0).is_none() {
        return Err(unknown());
    }
    if machine.kind == MachineType::Express {
        return Err(ApiError::type_not_supported());
    }
    let status = filter.map(status_of);
    if status == Some(None) || redriven == Some("REDRIVEN") {
        return write(&Response {
            executions: Vec::new(),
            next_token: None,
        });
    }
    let mut query = ListQuery {
        state_machine: Some(MachineKey::of(&machine.arn)),
        status: status.flatten(),
        after,
        limit: size,
    };
    let mut found: Vec<(Summary, Option<Execution>)> = Vec::new();
    for _ in 0..LOOKS_MAX {
        query.limit = size - found.len();
        let page = app.store.list(query.clone()).await;
        let page = page.map_err(|e| ApiError::server(e.to_string()))?;
        query.after = page.next;
        for (key, summary) in page.executions {
            // The newest come first; those before the machine was made are of another of its name.
            if summary.started_at < machine.created_at {
                query.after = None;
                break;
            }
            // A summary does not say how the execution was started. Only machines that ever had a version
            // have executions for which it matters, so only their lists cost a look at each.
            let execution = match machine.last_version {
                0 => None,
                _ => app.runner.execution(key).await.map_err(ApiError::server)?,
            };
            let identity = execution.as_ref().map(Execution::identity);
            if qualifier.is_none_or(|q| identity.is_some_and(|i| started_on(i, q))) {
                found.push((summary, execution));
            }
        }
        if query.after.is_none() || found.len() == size {
            break;
        }
    }
    let items = found.iter().map(|(summary, execution)| {
        let identity = execution.as_ref().map(Execution::identity);
        Item::of(app, &machine, summary, identity)
    });
    write(&Response {
        executions: items.collect(),
        next_token: query
            .after
            .map(|next| page::token(&list, &next.to_string())),
    })
}

/// What of a list is asked for.
struct Page<'a> {
    filter: Option<&'a str>,
    redriven: Option<&'a str>,
    token: Option<&'a str>,
    size: usize,
}

/// The children of a Map Run.
async fn children(app: &App, map_run: &str, asked: Page<'_>) -> Answer {
    arn::check(map_run, &[Resource::MapRun])?;
    let list = ["ListExecutions", map_run, asked.filter.unwrap_or_default()];
    let after = asked.token.map(|token| page::number(&list, token));
    let after = after.transpose()?;
    let found = app.map_runs.find(map_run).await;
    if found.map_err(ApiError::server)?.is_none() {
        return Err(ApiError::resource_not_found(map_run));
    }
    let status = asked.filter.map(status_of);
    if status == Some(None) || asked.redriven == Some("REDRIVEN") {
        return write(&Response {
            executions: Vec::new(),
            next_token: None,
        });
    }
    let query = ListQuery {
        state_machine: Some(MachineKey::of(map_run)),
        status: status.flatten(),
        after,
        limit: asked.size,
    };
    let page = app.store.list(query).await;
    let page = page.map_err(|e| ApiError::server(e.to_string()))?;
    let mut found = Vec::with_capacity(page.executions.len());
    for (key, summary) in page.executions {
        let execution = app.runner.execution(key).await.map_err(ApiError::server)?;
        found.extend(execution.map(|execution| (summary, execution)));
    }
    let items = found.iter().map(|(summary, execution)| {
        let identity = execution.identity();
        Item {
            execution_arn: identity.arn.to_string(),
            state_machine_arn: &identity.state_machine_arn,
            state_machine_version_arn: None,
            state_machine_alias_arn: None,
            map_run_arn: Some(map_run),
            item_count: identity.map_run.as_ref().map(|child| child.items),
            name: &identity.name,
            status: summary.status.name(),
            start_date: summary.started_at.as_seconds(),
            stop_date: summary.stopped_at.map(|at| at.as_seconds()),
            redrive_count: 0,
        }
    });
    write(&Response {
        executions: items.collect(),
        next_token: page.next.map(|next| page::token(&list, &next.to_string())),
    })
}

/// Whether somebody asked for this version or this alias when the execution was started. AWS counts what an
/// alias led to a version among the executions of both.
fn started_on(identity: &Identity, qualifier: Qualifier<'_>) -> bool {
    match qualifier {
        Qualifier::Version(number) => identity.version == Some(number),
        Qualifier::Alias(name) => identity.alias.as_deref() == Some(name),
    }
}

/// The engine's word for a status; `PENDING_REDRIVE` is one that no execution has, since nothing is redriven.
fn status_of(name: &str) -> Option<Status> {
    let all = [
        Status::Running,
        Status::Succeeded,
        Status::Failed,
        Status::TimedOut,
        Status::Aborted,
    ];
    all.into_iter().find(|status| status.name() == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_status_of_the_api_but_one_is_a_status_of_the_engine() {
        for name in EXECUTION_STATUSES {
            let expected = (*name != "PENDING_REDRIVE").then_some(*name);
            assert_eq!(status_of(name).map(Status::name), expected);
        }
    }
}
