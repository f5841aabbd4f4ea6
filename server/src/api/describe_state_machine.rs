//! `DescribeStateMachine`, or a version of one.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::app::App;
use crate::machines::{
    EncryptionConfiguration, LoggingConfiguration, MachineType, TracingConfiguration,
};
use crate::versions::Qualifier;

use super::arn;
use super::error::ApiError;
use super::keys::{self, Of};
use super::request::{Answer, Text, read, write};
use super::validation::{self, Check, INCLUDED_DATA};
use super::versions;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Request<'a> {
    #[serde(borrow)]
    state_machine_arn: Option<Text<'a>>,
    included_data: Option<Text<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Response<'a> {
    state_machine_arn: &'a str,
    name: &'a str,
    status: &'static str,
    definition: &'a str,
    role_arn: &'a str,
    r#type: MachineType,
    creation_date: f64,
    logging_configuration: &'a LoggingConfiguration,
    tracing_configuration: &'a TracingConfiguration,
    encryption_configuration: &'a EncryptionConfiguration,
    #[serde(skip_serializing_if = "Option::is_none")]
    revision_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'a str>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    variable_references: BTreeMap<&'a str, &'a [Arc<str>]>,
}

pub(super) async fn answer(app: &App, body: &[u8]) -> Answer {
    let request: Request = read(body)?;
    let mut check = Check::new();
    let arn = check.required(
        "stateMachineArn",
        &request.state_machine_arn,
        validation::ARN,
    );
    let included = check.one_of("includedData", &request.included_data, INCLUDED_DATA);
    check.done()?;
    arn::check_machine(arn)?;
    let unknown = || ApiError::machine_does_not_exist(arn);
    let (machine, qualifier) = versions::find(app, arn).await?.ok_or_else(unknown)?;
    let version = match qualifier {
        None => None,
        Some(Qualifier::Version(number)) => Some(machine.version(number).ok_or_else(unknown)?),
        // An alias has an operation of its own.
        Some(Qualifier::Alias(_)) => return Err(unknown()),
    };
    let hash = version.map_or(&machine.definition, |version| &version.definition);
    let definition = if included == Some("METADATA_ONLY") {
        "{}".to_owned()
    } else {
        let encryption = keys::encryption(&machine, version.map(|version| version.number));
        keys::check(app, encryption, Of::StateMachine(&machine.arn)).await?;
        let text = app.machines.definition_text(hash).await;
        text.map_err(ApiError::server)?
    };
    let compiled = app.machines.definition(hash).await;
    let compiled = compiled.map_err(ApiError::server)?;
    let of_machine = Response {
        state_machine_arn: arn,
        name: &machine.name,
        status: if machine.deleting {
            "DELETING"
        } else {
            "ACTIVE"
        },
        definition: &definition,
        role_arn: &machine.role_arn,
        r#type: machine.kind,
        creation_date: machine.created_at.as_seconds(),
        logging_configuration: &machine.logging,
        tracing_configuration: &machine.tracing,
        encryption_configuration: &machine.encryption,
        revision_id: machine.revision_id.as_deref(),
        variable_references: compiled.variable_references(),
        description: None,
    };
    write(&match version {
        None => of_machine,
        Some(version) => Response {
            role_arn: &version.role_arn,
            creation_date: version.created_at.as_seconds(),
            logging_configuration: &version.logging,
            tracing_configuration: &version.tracing,
            encryption_configuration: &version.encryption,
            revision_id: version.revision_id.as_deref(),
            description: version.description.as_deref(),
            ..of_machine
        },
    })
}
