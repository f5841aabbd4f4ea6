//! `DescribeMapRun`.

use serde::{Deserialize, Serialize};

use crate::app::App;
use crate::map_runs::tally::Counts;

use super::arn::{self, Resource};
use super::error::ApiError;
use super::request::{Answer, Text, read, write};
use super::validation::{self, Check};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Request<'a> {
    #[serde(borrow)]
    map_run_arn: Option<Text<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Response<'a> {
    map_run_arn: &'a str,
    execution_arn: &'a str,
    status: &'static str,
    start_date: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    stop_date: Option<f64>,
    max_concurrency: u32,
    tolerated_failure_percentage: f64,
    tolerated_failure_count: u64,
    item_counts: Shown,
    execution_counts: Shown,
    redrive_count: u32,
}

/// Counts, and those of them that say what a redrive would do.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Shown {
    #[serde(flatten)]
    counts: Counts,
    failures_not_redrivable: u64,
    pending_redrive: u64,
}

impl Shown {
    fn of(counts: Counts) -> Shown {
        Shown {
            counts,
            failures_not_redrivable: 0,
            pending_redrive: 0,
        }
    }
}

pub(super) async fn answer(app: &App, body: &[u8]) -> Answer {
    let request: Request = read(body)?;
    let mut check = Check::new();
    let arn = check.required("mapRunArn", &request.map_run_arn, validation::LONG_ARN);
    check.done()?;
    arn::check(arn, &[Resource::MapRun])?;
    let found = app.map_runs.find(arn).await.map_err(ApiError::server)?;
    let (record, tally) = found.ok_or_else(|| ApiError::resource_not_found(arn))?;
    write(&Response {
        map_run_arn: &record.arn,
        execution_arn: &record.execution_arn,
        status: record.standing.name(),
        start_date: record.started_at.as_seconds(),
        stop_date: record.stopped_at.map(|at| at.as_seconds()),
        max_concurrency: record.settings.max_concurrency,
        tolerated_failure_percentage: record.settings.tolerated_failure_percentage,
        tolerated_failure_count: record.settings.tolerated_failure_count,
        item_counts: Shown::of(tally.items),
        execution_counts: Shown::of(tally.executions),
        redrive_count: 0,
    })
}
