//! `StartExecution`: of a STANDARD machine idempotent by name, as long as the first execution of that
//! name runs; of an EXPRESS machine each time another one, which nobody can ask for later.
//!
//! A trace header says which trace the execution is part of.

use asl::Data;
use engine::{Execution, Status};
use serde::Serialize;

use crate::app::App;
use crate::runner::Started;
use crate::trace::Given;

use super::error::ApiError;
use super::request::{Answer, read, write};
use super::start::Request;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Response<'a> {
    execution_arn: &'a str,
    start_date: f64,
}

pub(super) async fn answer(app: &App, body: &[u8], given: &Given<'_>) -> Answer {
    let request: Request = read(body)?;
    let start = request.accept(app).await?;
    let is_express = start.is_express();
    let identity = start.identity(app, given);
    let (arn, started_at) = (identity.arn.clone(), identity.started_at);
    let started_at = if is_express {
        let started = app.express.start(identity).await;
        started.map_err(ApiError::server)?;
        started_at
    } else {
        let compiled = app.machines.definition(&identity.definition).await;
        let compiled = compiled.map_err(ApiError::server)?;
        let (input, case) = (identity.input.clone(), identity.test_case.clone());
        let started = app.runner.start(compiled, identity).await;
        match started.map_err(ApiError::server)? {
            Started::New(at) => at,
            Started::Existing(execution) if repeats(&execution, &input, case.as_deref()) => {
                execution.identity().started_at
            }
            Started::Existing(_) => return Err(ApiError::execution_already_exists(&arn)),
        }
    };
    write(&Response {
        execution_arn: &arn,
        start_date: started_at.as_seconds(),
    })
}

/// Whether a start with `input`, and in a test case, asks for nothing but what is running already.
fn repeats(execution: &Execution, input: &Data, test_case: Option<&str>) -> bool {
    let identity = execution.identity();
    execution.status() == Status::Running
        && identity.input.text() == input.text()
        && identity.test_case.as_deref() == test_case
}
