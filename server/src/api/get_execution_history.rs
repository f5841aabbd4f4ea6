//! `GetExecutionHistory`, oldest event first or last.

use engine::{ExecutionKey, HistoryEvent, history};
use serde::{Deserialize, Serialize};

use crate::app::App;

use super::arn::{self, Resource};
use super::error::ApiError;
use super::keys;
use super::page;
use super::request::{Answer, Text, read, write};
use super::validation::{self, Check};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Request<'a> {
    #[serde(borrow)]
    execution_arn: Option<Text<'a>>,
    max_results: Option<i64>,
    reverse_order: Option<bool>,
    next_token: Option<Text<'a>>,
    include_execution_data: Option<bool>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Response<'a> {
    events: Vec<&'a HistoryEvent>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

pub(super) async fn answer(app: &App, body: &[u8]) -> Answer {
    let request: Request = read(body)?;
    let mut check = Check::new();
    let arn = check.required("executionArn", &request.execution_arn, validation::ARN);
    let size = check.page_size(request.max_results);
    let token = check.optional("nextToken", &request.next_token, validation::PAGE_TOKEN);
    check.done()?;
    arn::check(arn, &[Resource::Execution])?;
    let reverse = request.reverse_order.unwrap_or(false);
    let order = if reverse { "reverse" } else { "" };
    let list = ["GetExecutionHistory", arn, order];
    let from = token.map(|token| page::number(&list, token)).transpose()?;

    let events = app.runner.events(ExecutionKey::of(arn)).await;
    let events = events.map_err(ApiError::server)?;
    if events.is_empty() {
        return Err(ApiError::execution_does_not_exist(arn));
    }
    keys::check_execution_at(app, ExecutionKey::of(arn)).await?;
    let history = history::project(&events, request.include_execution_data.unwrap_or(true));
    let (events, next) = cut(&history, reverse, from, size);
    write(&Response {
        events,
        next_token: next.map(|next| page::token(&list, &next.to_string())),
    })
}

/// At most `size` events in the order asked for, from the one with id `from` on, and the id of the one
/// to go on with. Ids, not distances from the end, because a running execution's history grows.
fn cut(
    history: &[HistoryEvent],
    reverse: bool,
    from: Option<u64>,
    size: usize,
) -> (Vec<&HistoryEvent>, Option<u64>) {
    fn page<'h>(
        mut rest: impl Iterator<Item = &'h HistoryEvent>,
        size: usize,
    ) -> (Vec<&'h HistoryEvent>, Option<u64>) {
        let events = rest.by_ref().take(size).collect();
        (events, rest.next().map(|event| event.id))
    }
    // Ids are numbers from 1 without gaps.
    let count = history.len() as u64;
    if reverse {
        let until = from.unwrap_or(count).min(count) as usize;
        page(history[..until].iter().rev(), size)
    } else {
        let begin = (from.unwrap_or(1).max(1) - 1).min(count) as usize;
        page(history[begin..].iter(), size)
    }
}
