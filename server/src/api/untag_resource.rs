//! `UntagResource`.

use serde::Deserialize;

use crate::app::App;
use crate::tags;

use super::arn::{self, Resource};
use super::request::{Answer, Text, nothing, read};
use super::tagged;
use super::validation::{self, Check};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Request<'a> {
    #[serde(borrow)]
    resource_arn: Option<Text<'a>>,
    tag_keys: Option<Vec<String>>,
}

pub(super) async fn answer(app: &App, body: &[u8]) -> Answer {
    let request: Request = read(body)?;
    let mut check = Check::new();
    let arn = check.required("resourceArn", &request.resource_arn, validation::ARN);
    match &request.tag_keys {
        Some(keys) => {
            for (i, key) in keys.iter().enumerate() {
                let at = format!("tagKeys.{}.member", i + 1);
                check.length(&at, key, validation::TAG_KEY);
            }
        }
        None => check.missing("tagKeys"),
    }
    check.done()?;
    let resource = arn::check(arn, &[Resource::StateMachine, Resource::Activity])?;
    let keys = request.tag_keys.unwrap_or_default();
    tagged::change(app, resource, arn, |present| tags::without(present, &keys)).await?;
    nothing()
}
