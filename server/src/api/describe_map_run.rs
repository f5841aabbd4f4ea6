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
    item_counts: Counts,
    execution_counts: Counts,
    redrive_count: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    redrive_date: Option<f64>,
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
        item_counts: tally.items,
        execution_counts: tally.executions,
        redrive_count: record.redrives,
        redrive_date: record.redriven_at.map(|at| at.as_seconds()),
    })
}
