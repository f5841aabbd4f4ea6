//! `CreateStateMachine`: idempotent for the identical text and configuration.

use serde::{Deserialize, Serialize};

use crate::app::App;
use crate::machines::{Machine, TracingConfiguration};

use super::configuration::{self, Encryption, Logging, RawTag};
use super::error::ApiError;
use super::request::{Answer, Text, read, write};
use super::validation::{self, Check, STATE_MACHINE_TYPES};
use super::{arn, definition, versions};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Request<'a> {
    #[serde(borrow)]
    name: Option<Text<'a>>,
    definition: Option<Text<'a>>,
    role_arn: Option<Text<'a>>,
    r#type: Option<Text<'a>>,
    logging_configuration: Option<Logging>,
    tracing_configuration: Option<TracingConfiguration>,
    encryption_configuration: Option<Encryption>,
    tags: Option<Vec<RawTag>>,
    publish: Option<bool>,
    version_description: Option<Text<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Response<'a> {
    state_machine_arn: &'a str,
    creation_date: f64,
}

pub(super) async fn answer(app: &App, body: &[u8]) -> Answer {
    let request: Request = read(body)?;
    let mut check = Check::new();
    let name = check.required("name", &request.name, validation::NAME);
    let text = check.required("definition", &request.definition, validation::DEFINITION);
    let role_arn = check.required("roleArn", &request.role_arn, validation::ARN);
    let kind = check.one_of("type", &request.r#type, STATE_MACHINE_TYPES);
    if let Some(logging) = &request.logging_configuration {
        logging.constraints(&mut check);
    }
    if let Some(tags) = &request.tags {
        configuration::tag_constraints(tags, &mut check);
    }
    versions::constraints(&mut check, &request.version_description);
    if let Some(encryption) = &request.encryption_configuration {
        encryption.constraints(&mut check);
    }
    check.done()?;
    validation::name(name)?;
    arn::check_role(role_arn)?;
    versions::refuse(request.publish, request.version_description.is_some())?;
    let kind = definition::machine_type(kind);
    let logging = request.logging_configuration.map(Logging::accept);
    let encryption = request.encryption_configuration.map(Encryption::accept);
    let tags = configuration::accept_tags(request.tags.unwrap_or_default());
    configuration::check_count(&tags)?;
    let definition = definition::accept(text, kind)?;
    let wanted = Machine {
        arn: arn::state_machine(&app.place, name).into(),
        name: name.into(),
        kind,
        role_arn: role_arn.into(),
        definition: definition.hash.clone(),
        created_at: app.clock.now(),
        updated_at: None,
        revision_id: None,
        logging: logging.transpose()?.unwrap_or_default(),
        tracing: request.tracing_configuration.unwrap_or_default(),
        encryption: encryption.transpose()?.unwrap_or_default(),
        tags,
    };
    let created = app.machines.create(wanted.clone(), definition).await;
    let created = created.map_err(ApiError::server)?;
    if !same(&created, &wanted) {
        return Err(ApiError::machine_already_exists(&created.arn));
    }
    write(&Response {
        state_machine_arn: &created.arn,
        creation_date: created.created_at.as_seconds(),
    })
}

/// What has to be the same for a second creation to be no mistake. The role and the tags are not of it:
/// those of the first creation stay, without a word.
fn same(a: &Machine, b: &Machine) -> bool {
    a.definition == b.definition
        && a.kind == b.kind
        && a.logging == b.logging
        && a.tracing == b.tracing
        && a.encryption == b.encryption
}
