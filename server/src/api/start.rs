//! What `StartExecution` and `StartSyncExecution` ask for, checked.
//!
//! Starts are the busy ones, so nothing here is read from the store: machine and definition come from
//! memory, and the input is parsed once.

use std::borrow::Cow;
use std::sync::Arc;

use asl::Data;
use engine::Identity;
use serde::Deserialize;

use crate::app::App;
use crate::machines::{Machine, MachineType};
use crate::trace::Given;
use crate::versions::Chosen;

use super::arn;
use super::error::ApiError;
use super::keys::{self, Of};
use super::request::Text;
use super::validation::{self, Check, INCLUDED_DATA};
use super::{ids, jackson, test_case, versions};

/// The members of both requests; only the synchronous one has `includedData`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Request<'a> {
    #[serde(borrow)]
    state_machine_arn: Option<Text<'a>>,
    name: Option<Text<'a>>,
    input: Option<Text<'a>>,
    trace_header: Option<Text<'a>>,
    included_data: Option<Text<'a>>,
}

/// An execution that may be started.
pub(super) struct Start<'a> {
    pub(super) machine: Arc<Machine>,
    chosen: Chosen,
    name: Cow<'a, str>,
    test_case: Option<Arc<str>>,
    input: Data,
    pub(super) trace_header: Option<&'a str>,
    /// Not `METADATA_ONLY`.
    pub(super) with_data: bool,
}

impl Request<'_> {
    /// Checks everything that can be wrong with a start.
    pub(super) async fn accept(&self, app: &App) -> Result<Start<'_>, ApiError> {
        let mut check = Check::within(&app.quotas);
        let machine_arn =
            check.required("stateMachineArn", &self.state_machine_arn, validation::ARN);
        let name = check.optional("name", &self.name, validation::NAME);
        let input = check.optional("input", &self.input, validation::DATA);
        let trace_header =
            check.optional("traceHeader", &self.trace_header, validation::TRACE_HEADER);
        let included = check.one_of("includedData", &self.included_data, INCLUDED_DATA);
        check.done()?;
        let (machine_arn, case) = test_case::split(machine_arn);
        arn::check_machine(machine_arn)?;
        name.map_or(Ok(()), validation::name)?;
        let input = accept_input(input.unwrap_or("{}"))?;

        let unknown = || ApiError::machine_does_not_exist(machine_arn);
        let found = versions::find(app, machine_arn).await?;
        let (machine, qualifier) = found.ok_or_else(unknown)?;
        let chosen = machine.choose(qualifier, draw).ok_or_else(unknown)?;
        versions::check_usable(&machine)?;
        let encryption = keys::encryption(&machine, chosen.version);
        keys::check(app, encryption, Of::StateMachine(&machine.arn)).await?;
        let test_case = match case {
            Some(case) => {
                Some(test_case::check(app, &machine.name, &chosen.definition, case).await?)
            }
            None => None,
        };
        let most = app.quotas.open_executions;
        if machine.kind == MachineType::Standard && app.store.open_executions() >= most {
            return Err(ApiError::too_many_executions(most));
        }
        let name = match name {
            Some(name) => Cow::Borrowed(name),
            None => Cow::Owned(ids::uuid().to_string()),
        };
        Ok(Start {
            machine,
            chosen,
            name,
            test_case,
            input,
            trace_header,
            with_data: included != Some("METADATA_ONLY"),
        })
    }
}

impl Start<'_> {
    pub(super) fn is_express(&self) -> bool {
        self.machine.kind == MachineType::Express
    }

    /// What the execution is given. Of an Express machine each start is an execution of its own, also
    /// under a name that was used before.
    pub(super) fn identity(self, app: &App, given: &Given<'_>) -> Identity {
        let arn = match self.machine.kind {
            MachineType::Standard => arn::execution(&app.place, &self.machine.name, &self.name),
            MachineType::Express => {
                let name = format!("{}:{}", self.name, ids::uuid());
                arn::express_execution(&app.place, &self.machine.name, &name)
            }
        };
        Identity {
            arn: arn.into(),
            name: self.name.into(),
            state_machine_arn: self.machine.arn.clone(),
            state_machine_name: self.machine.name.clone(),
            definition: self.chosen.definition,
            role_arn: self.chosen.role_arn,
            input: self.input,
            started_at: app.clock.now(),
            version: self.chosen.version,
            alias: self.chosen.alias,
            map_run: None,
            test_case: self.test_case,
            trace_context: given.context(self.trace_header).map(Arc::new),
            trace_header: self.trace_header.map(Arc::from),
        }
    }
}

/// A number from 0 to 99, for an alias to decide where it leads.
fn draw() -> u8 {
    (ids::uuid().as_u128() % 100) as u8
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
