//! `UpdateStateMachine`: what is given replaces what was. Running executions keep what they began with.

use serde::{Deserialize, Serialize};

use crate::app::App;
use crate::machines::Machine;

use super::arn;
use super::configuration::{Encryption, Logging, Tracing};
use super::error::ApiError;
use super::keys::{self, Of};
use super::request::{Answer, Text, read, write};
use super::validation::{self, Check};
use super::{definition, ids, versions};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Request<'a> {
    #[serde(borrow)]
    state_machine_arn: Option<Text<'a>>,
    definition: Option<Text<'a>>,
    role_arn: Option<Text<'a>>,
    logging_configuration: Option<Logging>,
    tracing_configuration: Option<Tracing>,
    encryption_configuration: Option<Encryption>,
    publish: Option<bool>,
    version_description: Option<Text<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Response<'a> {
    update_date: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    revision_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    state_machine_version_arn: Option<String>,
}

pub(super) async fn answer(app: &App, body: &[u8]) -> Answer {
    let request: Request = read(body)?;
    let mut check = Check::within(&app.quotas);
    let arn = check.required(
        "stateMachineArn",
        &request.state_machine_arn,
        validation::ARN,
    );
    let text = check.optional("definition", &request.definition, validation::DEFINITION);
    let role_arn = check.optional("roleArn", &request.role_arn, validation::ARN);
    if let Some(logging) = &request.logging_configuration {
        logging.constraints(&mut check);
    }
    versions::constraints(&mut check, &request.version_description);
    if let Some(encryption) = &request.encryption_configuration {
        encryption.constraints(&mut check);
    }
    check.done()?;
    arn::check_machine(arn)?;
    role_arn.map_or(Ok(()), arn::check_role)?;
    let publish = versions::accept(request.publish, request.version_description.as_deref())?;
    let publishes = publish.is_some();
    if text.is_none()
        && role_arn.is_none()
        && request.logging_configuration.is_none()
        && request.tracing_configuration.is_none()
        && request.encryption_configuration.is_none()
    {
        return Err(ApiError::new(
            "MissingRequiredParameter",
            "Either the definition, the role ARN, the LoggingConfiguration, or the \
             TracingConfiguration must be specified",
        ));
    }
    let logging = request.logging_configuration.map(Logging::accept);
    let logging = logging.transpose()?;
    let encryption = request.encryption_configuration.map(Encryption::accept);
    let encryption = encryption.transpose()?;
    let tracing = request.tracing_configuration.map(Tracing::accept);
    let tracing = tracing.transpose()?;

    let found = app.machines.find(arn).await.map_err(ApiError::server)?;
    let machine = found.ok_or_else(|| ApiError::machine_does_not_exist(arn))?;
    let key = encryption.as_ref().unwrap_or(&machine.encryption);
    keys::check_new(app, key, Of::StateMachine(&machine.arn)).await?;
    let definition = text.map(|text| definition::accept(text, machine.kind));
    let definition = definition.transpose()?;
    let hash = definition
        .as_ref()
        .map(|definition| definition.hash.clone());
    let compiled = definition
        .as_ref()
        .map(|definition| definition.compiled.clone());
    let now = app.clock.now();
    let change = |current: &Machine| {
        versions::check_unchanged(&machine, current)?;
        let changed = Machine {
            definition: hash.unwrap_or_else(|| current.definition.clone()),
            role_arn: role_arn.map_or_else(|| current.role_arn.clone(), Into::into),
            logging: logging.unwrap_or_else(|| current.logging.clone()),
            tracing: tracing.unwrap_or_else(|| current.tracing.clone()),
            encryption: encryption.unwrap_or_else(|| current.encryption.clone()),
            ..current.clone()
        };
        // An update that changes nothing keeps the revision (recorded in
        // `test_create_update_state_machine_same_parameters`).
        let changed = match changed == *current {
            true => changed,
            false => Machine {
                updated_at: Some(now),
                revision_id: Some(ids::uuid().to_string()),
                ..changed
            },
        };
        match publish {
            Some(description) => versions::publish(app, changed, description, now),
            None => Ok(changed),
        }
    };
    let updated = app.machines.update(arn, definition, change).await;
    let updated = updated
        .map_err(ApiError::server)?
        .ok_or_else(|| ApiError::machine_does_not_exist(arn))??;
    if let Some(compiled) = compiled {
        app.gateway.say_misnamed(&updated.name, &compiled);
    }
    let version = updated.current_version().filter(|_| publishes);
    write(&Response {
        update_date: now.as_seconds(),
        revision_id: updated.revision_id.as_deref(),
        state_machine_version_arn: version.map(|v| versions::arn(&updated.arn, v.number)),
    })
}
