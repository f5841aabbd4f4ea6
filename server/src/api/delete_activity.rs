//! `DeleteActivity`: deleting what is not there is no mistake.

use serde::Deserialize;

use crate::activity::Activity;
use crate::app::App;
use crate::registry::Decision;

use super::arn::{self, Resource};
use super::error::ApiError;
use super::request::{Answer, Text, nothing, read};
use super::validation::{self, Check};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Request<'a> {
    #[serde(borrow)]
    activity_arn: Option<Text<'a>>,
}

pub(super) async fn answer(app: &App, body: &[u8]) -> Answer {
    let request: Request = read(body)?;
    let mut check = Check::new();
    let arn = check.required("activityArn", &request.activity_arn, validation::ARN);
    check.done()?;
    arn::check(arn, &[Resource::Activity])?;
    let decide = |current: Option<&Activity>| match current {
        Some(_) => Ok::<_, ApiError>(Decision::Remove),
        None => Ok(Decision::Keep),
    };
    let deleted = app.activity_documents.change(arn, decide).await;
    deleted.map_err(ApiError::server)??;
    nothing()
}
