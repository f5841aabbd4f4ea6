//! `TagResource`.

use serde::Deserialize;

use crate::app::App;
use crate::tags;

use super::arn::{self, Resource};
use super::configuration::{self, RawTag};
use super::request::{Answer, Text, nothing, read};
use super::tagged;
use super::validation::{self, Check};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Request<'a> {
    #[serde(borrow)]
    resource_arn: Option<Text<'a>>,
    tags: Option<Vec<RawTag>>,
}

pub(super) async fn answer(app: &App, body: &[u8]) -> Answer {
    let request: Request = read(body)?;
    let mut check = Check::new();
    let arn = check.required("resourceArn", &request.resource_arn, validation::ARN);
    match &request.tags {
        Some(tags) => configuration::tag_constraints(tags, &mut check),
        None => check.missing("tags"),
    }
    check.done()?;
    let resource = arn::check(arn, &[Resource::StateMachine, Resource::Activity])?;
    let added = configuration::accept_tags(request.tags.unwrap_or_default());
    tagged::change(app, resource, arn, |present| tags::with(present, added)).await?;
    nothing()
}
