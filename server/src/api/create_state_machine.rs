//! `CreateStateMachine`: idempotent for the identical text and configuration.

use serde::{Deserialize, Serialize};

use crate::app::App;
use crate::machines::{Machine, MachineType};

use super::configuration::{self, Encryption, Logging, RawTag, Tracing};
use super::error::ApiError;
use super::keys::{self, Of};
use super::request::{Answer, Text, read, write};
use super::validation::{self, Check, STATE_MACHINE_TYPES};
use super::{arn, definition, versions};

/// The number of a version that is published with its machine's creation.
const FIRST_VERSION: u32 = 1;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Request<'a> {
    #[serde(borrow)]
    name: Option<Text<'a>>,
    definition: Option<Text<'a>>,
    role_arn: Option<Text<'a>>,
    r#type: Option<Text<'a>>,
    logging_configuration: Option<Logging>,
    tracing_configuration: Option<Tracing>,
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
    #[serde(skip_serializing_if = "Option::is_none")]
    state_machine_version_arn: Option<String>,
}

pub(super) async fn answer(app: &App, body: &[u8]) -> Answer {
    let request: Request = read(body)?;
    let mut check = Check::within(&app.quotas);
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
    let arn = arn::state_machine(&app.place, name);
    arn::check_role(role_arn)?;
    let publish = versions::accept(request.publish, request.version_description.as_deref())?;
    let kind = definition::machine_type(kind);
    if kind == MachineType::Express && !app.quotas.express {
        return Err(ApiError::machine_type_not_supported());
    }
    let logging = request.logging_configuration.map(Logging::accept);
    let tracing = request.tracing_configuration.map(Tracing::accept);
    let encryption = request.encryption_configuration.map(Encryption::accept);
    let tags = configuration::accept_tags(request.tags.unwrap_or_default());
    configuration::check_count(&tags, &arn, app.quotas.tags)?;
    let definition = definition::accept(text, kind)?;
    let now = app.clock.now();
    let wanted = Machine {
        arn: arn.into(),
        name: name.into(),
        kind,
        role_arn: role_arn.into(),
        definition: definition.hash.clone(),
        created_at: now,
        updated_at: None,
        revision_id: None,
        logging: logging.transpose()?.unwrap_or_default(),
        tracing: tracing.transpose()?.unwrap_or_default(),
        encryption: encryption.transpose()?.unwrap_or_default(),
        tags,
        versions: Vec::new(),
        last_version: 0,
        aliases: Vec::new(),
        deleting: false,
    };
    let seen = app.machines.find(&wanted.arn).await;
    let seen = seen.map_err(ApiError::server)?;
    keys::check_new(app, &wanted.encryption, Of::StateMachine(&wanted.arn)).await?;
    let publishes = publish.is_some();
    let wanted = match publish {
        Some(description) => wanted.published(description, now),
        None => wanted,
    };
    let most = app.quotas.state_machines;
    let compiled = definition.compiled.clone();
    let created = app.machines.create(wanted.clone(), definition, most).await;
    let created = created
        .map_err(ApiError::server)?
        .ok_or_else(|| ApiError::too_many_machines(most))?;
    versions::check_usable(&created)?;
    if !same(&created, &wanted) {
        // A version is of what its publisher knew.
        return Err(match publishes && seen.as_ref() != Some(&created) {
            true => ApiError::changed_meanwhile(&created.arn),
            false => ApiError::machine_already_exists(&created.arn),
        });
    }
    app.gateway.say_misnamed(&created.name, &compiled);
    write(&Response {
        state_machine_arn: &created.arn,
        creation_date: created.created_at.as_seconds(),
        state_machine_version_arn: publishes.then(|| versions::arn(&created.arn, FIRST_VERSION)),
    })
}

/// What has to be the same for a second creation to be no mistake. The role and the tags are not of it:
/// those of the first creation stay, without a word. A version that is wanted has to be there; one that was
/// published since is nobody's mistake.
fn same(created: &Machine, wanted: &Machine) -> bool {
    let (a, b) = (created, wanted);
    a.definition == b.definition
        && a.kind == b.kind
        && a.logging == b.logging
        && a.tracing == b.tracing
        && a.encryption == b.encryption
        && wanted.version(FIRST_VERSION).is_none_or(|wanted| {
            let there = created.version(FIRST_VERSION);
            there.is_some_and(|there| there.description == wanted.description)
        })
}
