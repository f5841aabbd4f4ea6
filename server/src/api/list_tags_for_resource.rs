//! `ListTagsForResource`.

use serde::{Deserialize, Serialize};

use crate::app::App;
use crate::tags::Tag;

use super::arn::{self, Resource};
use super::request::{Answer, Text, read, write};
use super::tagged;
use super::validation::{self, Check};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Request<'a> {
    #[serde(borrow)]
    resource_arn: Option<Text<'a>>,
}

#[derive(Serialize)]
struct Response {
    tags: Vec<Tag>,
}

pub(super) async fn answer(app: &App, body: &[u8]) -> Answer {
    let request: Request = read(body)?;
    let mut check = Check::new();
    let arn = check.required("resourceArn", &request.resource_arn, validation::ARN);
    check.done()?;
    let resource = arn::check(arn, &[Resource::StateMachine, Resource::Activity])?;
    let tags = tagged::tags(app, resource, arn).await?;
    write(&Response { tags })
}
