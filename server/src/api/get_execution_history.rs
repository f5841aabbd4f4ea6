//! `GetExecutionHistory`, oldest event first or last.
//!
//! A page costs one pass over the stored events up to it, and the memory of the page: the events before it are
//! followed, since each rests on those before, but they are given no text and are not kept.

use std::ops::Range;

use engine::history::Projection;
use engine::{ExecutionKey, HistoryEvent};
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
struct Response {
    events: Vec<HistoryEvent>,
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

    let key = ExecutionKey::of(arn);
    let unknown = || ApiError::execution_does_not_exist(arn);
    let ids = match (reverse, from) {
        (true, Some(from)) => Ids::before(from, size),
        (true, None) => {
            let execution = app.runner.execution(key).await.map_err(ApiError::server)?;
            Ids::before(execution.ok_or_else(unknown)?.history_events(), size)
        }
        (false, from) => Ids::from(from.unwrap_or(1), size),
    };
    keys::check_execution_at(app, key).await?;
    let mut history = Projection::new(request.include_execution_data.unwrap_or(true));
    history.show(ids.shown.clone());
    let follow = |event| {
        history.follow(&event);
        history.written() >= ids.enough
    };
    let followed = app.runner.each_event(key, follow).await;
    followed.map_err(ApiError::server)?;
    if history.written() == 0 {
        return Err(unknown());
    }
    let mut events = history.take();
    let next = if reverse {
        events.reverse();
        Some(ids.shown.start - 1).filter(|id| *id > 0)
    } else {
        Some(ids.shown.end).filter(|id| *id <= history.written())
    };
    write(&Response {
        events,
        next_token: next.map(|next| page::token(&list, &next.to_string())),
    })
}

/// Which events are asked for, by id and not by their distance from the end, because a running execution's
/// history grows. The others are followed and never made.
struct Ids {
    shown: Range<u64>,
    /// Behind the event with this id there is nothing that is needed.
    enough: u64,
}

impl Ids {
    /// The one with id `first`, those that follow, and whether there is a next page.
    fn from(first: u64, size: usize) -> Ids {
        let end = first.saturating_add(size as u64);
        Ids {
            shown: first..end,
            enough: end,
        }
    }

    /// The one with id `last`, and those before it.
    fn before(last: u64, size: usize) -> Ids {
        Ids {
            shown: last.saturating_sub(size as u64) + 1..last.saturating_add(1),
            enough: last,
        }
    }
}
