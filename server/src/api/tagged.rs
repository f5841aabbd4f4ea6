//! The tags of whatever has tags: what the three tag operations share.

use crate::activity::Activity;
use crate::app::App;
use crate::machines::Machine;
use crate::registry::Decision;
use crate::tags::Tag;

use super::arn::Resource;
use super::configuration;
use super::error::ApiError;

/// The tags of a state machine or an activity.
pub(super) async fn tags(app: &App, resource: Resource, arn: &str) -> Result<Vec<Tag>, ApiError> {
    let tags = if resource == Resource::Activity {
        let found = app.activity_documents.find(arn).await;
        found.map(|activity| activity.map(|activity| activity.tags.clone()))
    } else {
        let found = app.machines.find(arn).await;
        found.map(|machine| machine.map(|machine| machine.tags.clone()))
    };
    tags.map_err(ApiError::server)?
        .ok_or_else(|| ApiError::resource_not_found(arn))
}

/// Replaces the tags of a state machine or an activity by what `change` makes of them.
pub(super) async fn change(
    app: &App,
    resource: Resource,
    arn: &str,
    change: impl FnOnce(&[Tag]) -> Vec<Tag>,
) -> Result<(), ApiError> {
    if resource == Resource::Activity {
        let decide = |current: Option<&Activity>| {
            let current = current.ok_or_else(|| ApiError::resource_not_found(arn))?;
            let tags = change(&current.tags);
            configuration::check_count(&tags, arn, app.quotas.tags)?;
            let activity = Activity {
                tags,
                ..current.clone()
            };
            Ok(Decision::Write(activity, Vec::new()))
        };
        let changed = app.activity_documents.change(arn, decide).await;
        changed.map_err(ApiError::server)?.map(drop)
    } else {
        let tag = |machine: &Machine| {
            let tags = change(&machine.tags);
            configuration::check_count(&tags, arn, app.quotas.tags)?;
            Ok(Machine {
                tags,
                ..machine.clone()
            })
        };
        let changed = app.machines.update(arn, None, tag).await;
        match changed.map_err(ApiError::server)? {
            Some(changed) => changed.map(drop),
            None => Err(ApiError::resource_not_found(arn)),
        }
    }
}
