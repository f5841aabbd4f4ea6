//! `DescribeStateMachineForExecution`: the machine as an execution began with it.

use std::collections::BTreeMap;
use std::sync::Arc;

use engine::ExecutionKey;
use serde::{Deserialize, Serialize};

use crate::app::App;
use crate::machines::{EncryptionConfiguration, LoggingConfiguration, TracingConfiguration};

use super::arn::{self, Resource};
use super::error::ApiError;
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
    state_machine_arn: &'a str,
    name: &'a str,
    definition: &'a str,
    role_arn: &'a str,
    update_date: f64,
    logging_configuration: LoggingConfiguration,
    tracing_configuration: TracingConfiguration,
    encryption_configuration: EncryptionConfiguration,
    #[serde(skip_serializing_if = "Option::is_none")]
    revision_id: Option<String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    variable_references: BTreeMap<&'a str, &'a [Arc<str>]>,
}

pub(super) async fn answer(app: &App, body: &[u8]) -> Answer {
    let request: Request = read(body)?;
    let mut check = Check::new();
    let arn = check.required("executionArn", &request.execution_arn, validation::ARN);
    let included = check.one_of("includedData", &request.included_data, INCLUDED_DATA);
    check.done()?;
    arn::check(arn, &[Resource::Execution])?;
    let found = app.runner.execution(ExecutionKey::of(arn)).await;
    let execution = found
        .map_err(ApiError::server)?
        .ok_or_else(|| ApiError::execution_does_not_exist(arn))?;
    let identity = execution.identity();
    let definition = if included == Some("METADATA_ONLY") {
        "{}".to_owned()
    } else {
        let text = app.machines.definition_text(&identity.definition).await;
        text.map_err(ApiError::server)?
    };
    let compiled = app.machines.definition(&identity.definition).await;
    let compiled = compiled.map_err(ApiError::server)?;
    // An execution keeps its definition and its role. The rest is the machine's, as far as the machine is
    // still the one that the execution began with.
    let machine = app.machines.find(&identity.state_machine_arn).await;
    let machine = machine.map_err(ApiError::server)?.filter(|machine| {
        machine.definition == identity.definition && machine.role_arn == identity.role_arn
    });
    let since = machine.as_deref().map_or(identity.started_at, |machine| {
        machine.updated_at.unwrap_or(machine.created_at)
    });
    let of = machine.as_deref();
    write(&Response {
        state_machine_arn: &identity.state_machine_arn,
        name: &identity.state_machine_name,
        definition: &definition,
        role_arn: &identity.role_arn,
        update_date: since.as_seconds(),
        logging_configuration: of.map(|m| m.logging.clone()).unwrap_or_default(),
        tracing_configuration: of.map(|m| m.tracing.clone()).unwrap_or_default(),
        encryption_configuration: of.map(|m| m.encryption.clone()).unwrap_or_default(),
        revision_id: of.and_then(|m| m.revision_id.clone()),
        variable_references: compiled.variable_references(),
    })
}
