//! `StartExecution`: idempotent by name, as long as the first execution of that name runs.
//!
//! This and the `SendTask` operations are the busy ones, so nothing here is read from the store: machine
//! and definition come from memory, and the input is parsed once. A trace header is taken and not kept.

use asl::Data;
use engine::{Execution, Identity, Status};
use serde::{Deserialize, Serialize};

use crate::app::App;
use crate::machines::MachineType;
use crate::runner::Started;

use super::arn::{self, Resource};
use super::error::ApiError;
use super::keys::{self, Of};
use super::request::{Answer, Text, read, write};
use super::validation::{self, Check};
use super::{ids, jackson, versions};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Request<'a> {
    #[serde(borrow)]
    state_machine_arn: Option<Text<'a>>,
    name: Option<Text<'a>>,
    input: Option<Text<'a>>,
    trace_header: Option<Text<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Response<'a> {
    execution_arn: &'a str,
    start_date: f64,
}

pub(super) async fn answer(app: &App, body: &[u8]) -> Answer {
    let request: Request = read(body)?;
    let mut check = Check::within(&app.quotas);
    let machine_arn = check.required(
        "stateMachineArn",
        &request.state_machine_arn,
        validation::ARN,
    );
    let name = check.optional("name", &request.name, validation::NAME);
    let input = check.optional("input", &request.input, validation::DATA);
    check.optional(
        "traceHeader",
        &request.trace_header,
        validation::TRACE_HEADER,
    );
    check.done()?;
    arn::check(machine_arn, &[Resource::StateMachine])?;
    name.map_or(Ok(()), validation::name)?;
    let input = accept_input(input.unwrap_or("{}"))?;

    let unknown = || ApiError::machine_does_not_exist(machine_arn);
    let found = versions::find(app, machine_arn).await?;
    let (machine, qualifier) = found.ok_or_else(unknown)?;
    let chosen = machine.choose(qualifier, draw).ok_or_else(unknown)?;
    versions::check_usable(&machine)?;
    if machine.kind == MachineType::Express {
        return Err(ApiError::type_not_supported(
            "Executions of EXPRESS state machines are not supported by this version of Rejoin; \
             create the state machine with type STANDARD",
        ));
    }
    let encryption = keys::encryption(&machine, chosen.version);
    keys::check(app, encryption, Of::StateMachine(&machine.arn)).await?;
    let most = app.quotas.open_executions;
    if app.store.open_executions() >= most {
        return Err(ApiError::too_many_executions(most));
    }
    let compiled = app.machines.definition(&chosen.definition).await;
    let compiled = compiled.map_err(ApiError::server)?;
    let mut drawn = uuid::Uuid::encode_buffer();
    let name = name.unwrap_or_else(|| ids::uuid().hyphenated().encode_lower(&mut drawn));
    let identity = Identity {
        arn: arn::execution(&app.place, &machine.name, name).into(),
        name: name.into(),
        state_machine_arn: machine.arn.clone(),
        state_machine_name: machine.name.clone(),
        definition: chosen.definition,
        role_arn: chosen.role_arn,
        input: input.clone(),
        started_at: app.clock.now(),
        version: chosen.version,
        alias: chosen.alias,
        map_run: None,
    };
    let arn = identity.arn.clone();
    let started = app.runner.start(compiled, identity).await;
    let started_at = match started.map_err(ApiError::server)? {
        Started::New(at) => at,
        Started::Existing(execution) if repeats(&execution, &input) => {
            execution.identity().started_at
        }
        Started::Existing(_) => return Err(ApiError::execution_already_exists(&arn)),
    };
    write(&Response {
        execution_arn: &arn,
        start_date: started_at.as_seconds(),
    })
}

/// A number from 0 to 99, for an alias to decide where it leads.
fn draw() -> u8 {
    (ids::uuid().as_u128() % 100) as u8
}

/// Whether a start with `input` asks for nothing but what is running already.
fn repeats(execution: &Execution, input: &Data) -> bool {
    execution.status() == Status::Running && execution.identity().input.text() == input.text()
}

/// An input that is JSON, or what is wrong with it.
fn accept_input(text: &str) -> Result<Data, ApiError> {
    Data::parse(text).map_err(|error| {
        // There is nothing for Jackson to find fault with (recorded in `test_invalid_start_execution_input`).
        if text.trim().is_empty() {
            return ApiError::invalid_execution_input("Invalid execution input.");
        }
        let fault = jackson::explain(text, &error);
        ApiError::invalid_execution_input(&fault)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_input_that_is_not_json_is_refused_in_the_words_of_aws() {
        for good in ["{}", "2", "\"some text\"", "null", " [1] "] {
            assert_eq!(accept_input(good).expect("it is accepted").text(), good);
        }
        for (bad, why) in [
            ("", "Invalid execution input."),
            (
                "not some json",
                "Unrecognized token 'not': was expecting (JSON String, Number, Array, Object or \
                 token 'null', 'true' or 'false')",
            ),
        ] {
            let error = accept_input(bad).expect_err("it is refused");
            assert_eq!(error.kind, "InvalidExecutionInput");
            let message = format!("Invalid State Machine Execution Input: '{why}'");
            assert_eq!(error.message, message);
        }
        // Deeper than our own parser goes, and nothing that Jackson would mind.
        let deep = format!("{}{}", "[".repeat(200), "]".repeat(200));
        let error = accept_input(&deep).expect_err("it is refused");
        assert_eq!(
            error.message,
            "Invalid State Machine Execution Input: 'Document nesting depth exceeds the maximum \
             allowed (127)'"
        );
    }
}
