//! `DescribeActivity`.

use serde::{Deserialize, Serialize};

use crate::app::App;
use crate::machines::EncryptionConfiguration;

use super::arn::{self, Resource};
use super::error::ApiError;
use super::request::{Answer, Text, read, write};
use super::validation::{self, Check};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Request<'a> {
    #[serde(borrow)]
    activity_arn: Option<Text<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Response<'a> {
    activity_arn: &'a str,
    name: &'a str,
    creation_date: f64,
    encryption_configuration: &'a EncryptionConfiguration,
}

pub(super) async fn answer(app: &App, body: &[u8]) -> Answer {
    let request: Request = read(body)?;
    let mut check = Check::new();
    let arn = check.required("activityArn", &request.activity_arn, validation::ARN);
    check.done()?;
    arn::check(arn, &[Resource::Activity])?;
    let found = app.activity_documents.find(arn).await;
    let activity = found
        .map_err(ApiError::server)?
        .ok_or_else(|| ApiError::activity_does_not_exist(arn))?;
    write(&Response {
        activity_arn: &activity.arn,
        name: &activity.name,
        creation_date: activity.created_at.as_seconds(),
        encryption_configuration: &activity.encryption,
    })
}
