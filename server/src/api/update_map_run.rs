//! `UpdateMapRun`: how many children may run at once and how many items may fail, as it goes on.

use serde::Deserialize;

use crate::app::App;
use crate::map_runs::document::Standing;

use super::arn::{self, Resource};
use super::error::ApiError;
use super::request::{Answer, Text, nothing, read};
use super::validation::{self, Check};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Request<'a> {
    #[serde(borrow)]
    map_run_arn: Option<Text<'a>>,
    max_concurrency: Option<i32>,
    tolerated_failure_percentage: Option<f32>,
    tolerated_failure_count: Option<i64>,
}

pub(super) async fn answer(app: &App, body: &[u8]) -> Answer {
    let request: Request = read(body)?;
    let mut check = Check::new();
    let arn = check.required("mapRunArn", &request.map_run_arn, validation::LONG_ARN);
    let concurrency = request.max_concurrency;
    if let Some(number) = concurrency {
        check.range("maxConcurrency", number.into(), 0, i32::MAX.into());
    }
    let percentage = request.tolerated_failure_percentage;
    if let Some(number) = percentage {
        check.fraction("toleratedFailurePercentage", number, 0, 100);
    }
    let count = request.tolerated_failure_count;
    if let Some(number) = count {
        check.range("toleratedFailureCount", number, 0, i64::MAX);
    }
    check.done()?;
    arn::check(arn, &[Resource::MapRun])?;
    let updated = app.map_runs.update(arn, |settings| {
        if let Some(number) = concurrency {
            settings.max_concurrency = number.unsigned_abs();
        }
        if let Some(number) = percentage {
            // As it was written, and not the nearest f64 to the f32.
            let written = number.to_string().parse();
            settings.tolerated_failure_percentage = written.unwrap_or(f64::from(number));
        }
        if let Some(number) = count {
            settings.tolerated_failure_count = number.unsigned_abs();
        }
    });
    let updated = updated.await.map_err(ApiError::server)?;
    let record = updated.ok_or_else(|| ApiError::resource_not_found(arn))?;
    // AWS documents that only a Map Run in progress is updated; its words are not known.
    if record.standing != Standing::Running {
        let status = record.standing.name();
        let message = format!("Map Run is {status} and cannot be updated: '{arn}'");
        return Err(ApiError::validation(message));
    }
    nothing()
}
