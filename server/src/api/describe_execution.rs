//! `DescribeExecution`.

use engine::{ExecutionKey, NotRedrivable, Status};
use serde::{Deserialize, Serialize};

use crate::app::App;

use super::arn::{self, Resource};
use super::error::ApiError;
use super::keys;
use super::request::{Answer, Text, read, write};
use super::validation::{self, Check, INCLUDED_DATA};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Request<'a> {
    #[serde(borrow)]
    execution_arn: Option<Text<'a>>,
    included_data: Option<Text<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Response<'a> {
    execution_arn: &'a str,
    state_machine_arn: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    state_machine_version_arn: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    state_machine_alias_arn: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    map_run_arn: Option<&'a str>,
    name: &'a str,
    status: &'static str,
    start_date: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    stop_date: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    input: Option<&'a str>,
    input_details: Details,
    #[serde(skip_serializing_if = "Option::is_none")]
    output: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    output_details: Option<Details>,
    #[serde(skip_serializing_if = "Option::is_none")]
    trace_header: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cause: Option<&'a str>,
    redrive_count: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    redrive_date: Option<f64>,
    redrive_status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    redrive_status_reason: Option<&'static str>,
}

#[derive(Serialize)]
struct Details {
    included: bool,
}

pub(super) async fn answer(app: &App, body: &[u8]) -> Answer {
    let request: Request = read(body)?;
    let mut check = Check::new();
    let arn = check.required("executionArn", &request.execution_arn, validation::ARN);
    let included = check.one_of("includedData", &request.included_data, INCLUDED_DATA);
    check.done()?;
    // Of Express executions, AWS describes those that a Map Run has started.
    let of_map_run = arn.contains('/').then_some(Resource::Express);
    let resource = of_map_run.unwrap_or(Resource::Execution);
    arn::check(arn, &[Resource::Execution, resource])?;
    let found = app.runner.execution(ExecutionKey::of(arn)).await;
    let execution = found
        .map_err(ApiError::server)?
        .ok_or_else(|| ApiError::execution_does_not_exist(arn))?;

    let included = included != Some("METADATA_ONLY");
    let identity = execution.identity();
    if included {
        keys::check_execution(app, identity).await?;
    }
    let status = execution.status();
    let closing = execution.closing();
    let output = closing.and_then(|closing| closing.output.as_ref());
    // That it is `States.Timeout` the history says alone (measured on AWS: floci-io/floci#2733).
    let failure = closing
        .filter(|_| status != Status::TimedOut)
        .and_then(|closing| closing.failure.as_ref());
    let (redrive_count, redriven_at) = execution.redrives();
    let redrivable = execution.redrivable(app.clock.now());
    write(&Response {
        execution_arn: &identity.arn,
        state_machine_arn: &identity.state_machine_arn,
        state_machine_version_arn: identity.version_arn(),
        state_machine_alias_arn: identity.alias_arn(),
        map_run_arn: identity.map_run.as_ref().map(|child| &*child.arn),
        name: &identity.name,
        status: status.name(),
        start_date: identity.started_at.as_seconds(),
        stop_date: closing.map(|closing| closing.at.as_seconds()),
        input: included.then(|| identity.input.text()),
        input_details: Details { included },
        output: output.filter(|_| included).map(|output| output.text()),
        output_details: output.map(|_| Details { included }),
        trace_header: identity.trace_header.as_deref(),
        error: failure
            .and_then(|f| f.error.as_deref())
            .filter(|_| included),
        cause: failure
            .and_then(|f| f.cause.as_deref())
            .filter(|_| included),
        redrive_count,
        redrive_date: redriven_at.map(|at| at.as_seconds()),
        redrive_status: match redrivable {
            Ok(()) => "REDRIVABLE",
            Err(_) => "NOT_REDRIVABLE",
        },
        redrive_status_reason: redrivable.err().map(NotRedrivable::reason),
    })
}
