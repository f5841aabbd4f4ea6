//! `CreateActivity`: idempotent by name.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::activity::Activity;
use crate::app::App;
use crate::registry::Decision;

use super::arn;
use super::configuration::{self, Encryption, RawTag};
use super::error::ApiError;
use super::keys::{self, Of};
use super::request::{Answer, Text, read, write};
use super::validation::{self, Check};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Request<'a> {
    #[serde(borrow)]
    name: Option<Text<'a>>,
    tags: Option<Vec<RawTag>>,
    encryption_configuration: Option<Encryption>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Response<'a> {
    activity_arn: &'a str,
    creation_date: f64,
}

pub(super) async fn answer(app: &App, body: &[u8]) -> Answer {
    let request: Request = read(body)?;
    let mut check = Check::new();
    let name = check.required("name", &request.name, validation::NAME);
    if let Some(tags) = &request.tags {
        configuration::tag_constraints(tags, &mut check);
    }
    if let Some(encryption) = &request.encryption_configuration {
        encryption.constraints(&mut check);
    }
    check.done()?;
    validation::name(name)?;
    let encryption = request.encryption_configuration.map(Encryption::accept);
    let tags = configuration::accept_tags(request.tags.unwrap_or_default());
    let arn: Arc<str> = arn::activity(&app.place, name).into();
    configuration::check_count(&tags, &arn, app.quotas.tags)?;
    let wanted = Activity {
        arn: arn.clone(),
        name: name.into(),
        created_at: app.clock.now(),
        encryption: encryption.transpose()?.unwrap_or_default(),
        tags,
    };
    keys::check_new(app, &wanted.encryption, Of::Activity(&arn)).await?;
    let most = app.quotas.activities;
    let decide = |current: Option<&Activity>| match current {
        None if app.activity_documents.count() >= most => Err(ApiError::too_many_activities(most)),
        None => Ok(Decision::Write(wanted, Vec::new())),
        Some(current) if current.encryption == wanted.encryption => Ok(Decision::Keep),
        Some(_) => Err(ApiError::activity_already_exists(&wanted.arn)),
    };
    let created = app.activity_documents.change(&arn, decide).await;
    let created = created.map_err(ApiError::server)??;
    let created = created.expect("an activity that was there or was written is there");
    write(&Response {
        activity_arn: &created.arn,
        creation_date: created.created_at.as_seconds(),
    })
}
