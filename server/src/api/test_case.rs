//! Test cases: what `#CASE` after a state machine's ARN asks for in a start, checked against the definition.
//!
//! Only here are the mocks of a file and the resources of a machine seen together, so it is here that a mocked
//! result is held against the model of its service.

use std::sync::Arc;

use asl::{Resource, StateKind, StateMachine};

use crate::app::App;
use crate::mocks::{Mocks, Said, TestCase, Validation};

use super::error::ApiError;
use super::mock_shape::{self, Mode};

/// An ARN without its test case, and that.
pub(super) fn split(arn: &str) -> (&str, Option<&str>) {
    match arn.split_once('#') {
        Some((arn, case)) => (arn, Some(case)),
        None => (arn, None),
    }
}

/// Checks that a machine can run a test case.
pub(super) async fn check(
    app: &App,
    machine: &str,
    definition: &str,
    case: &str,
) -> Result<Arc<str>, ApiError> {
    let mocks = app.services.mocks().ok_or_else(|| {
        unknown(format!(
            "there is no test case '{case}', for the server was started without a mock configuration; give --mock-config FILE or SFN_MOCK_CONFIG"
        ))
    })?;
    let states = mocks.test_case(machine, case).map_err(unknown)?;
    let definition = app.machines.definition(definition).await;
    let definition = definition.map_err(ApiError::server)?;
    fits(mocks, states, &definition).map_err(|what| {
        ApiError::validation(format!(
            "The test case '{case}' of {} does not fit the state machine {machine}: {what}; correct it, or take --mock-validation none",
            mocks.file()
        ))
    })?;
    Ok(case.into())
}

/// LocalStack's name for it; what Step Functions Local says is not documented.
fn unknown(what: String) -> ApiError {
    ApiError::new("InvalidName", format!("Invalid test case: {what}"))
}

/// Whether the states are there, and each result is one of its service.
fn fits(mocks: &Mocks, states: &TestCase, definition: &StateMachine) -> Result<(), String> {
    let mode = match mocks.validation() {
        Validation::Strict => Mode::Strict,
        Validation::Present => Mode::Present,
        Validation::None => return Ok(()),
    };
    for (state, responses) in states {
        let Some(found) = definition.find(state) else {
            return Err(format!("it has no state '{state}'"));
        };
        let StateKind::Task(task) = &definition.state(found).kind else {
            return Err(format!(
                "its state '{state}' is no Task state, which alone can be mocked"
            ));
        };
        let (Resource::Service { arn, .. }
        | Resource::Function { arn }
        | Resource::Activity { arn }) = &task.resource;
        for range in &responses.ranges {
            let Said::Return(result) = &range.said else {
                continue;
            };
            mock_shape::check(arn, result.value(), mode).map_err(|error| {
                format!(
                    "/MockedResponses/{}/{range}/Return is no result of {arn} (state '{state}'): {}",
                    responses.name, error.message
                )
            })?;
        }
    }
    Ok(())
}
