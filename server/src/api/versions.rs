//! Versions and aliases of state machines: what the operations that make, use and show them share.

use std::sync::Arc;

use crate::app::App;
use crate::machines::Machine;
use crate::versions::Qualifier;

use super::arn;
use super::error::ApiError;
use super::request::Text;
use super::validation::{Check, VERSION_DESCRIPTION};

pub(super) fn constraints(check: &mut Check, description: &Option<Text<'_>>) {
    check.optional("versionDescription", description, VERSION_DESCRIPTION);
}

/// What `publish` and `versionDescription` of a creation or an update ask for: nothing, or a version
/// with or without a description.
pub(super) fn accept(
    publish: Option<bool>,
    description: Option<&str>,
) -> Result<Option<Option<String>>, ApiError> {
    match (publish.unwrap_or(false), description) {
        (true, description) => Ok(Some(description.map(str::to_owned))),
        (false, None) => Ok(None),
        (false, Some(_)) => Err(ApiError::validation(
            "Version description can only be set when publish is true",
        )),
    }
}

/// Publishes `machine` as it stands, unless it has all the versions that it may have.
pub(super) fn publish(
    app: &App,
    machine: Machine,
    description: Option<String>,
    at: asl::Timestamp,
) -> Result<Machine, ApiError> {
    let most = app.quotas.versions;
    if machine.current_version().is_none() && machine.versions.len() >= most {
        return Err(ApiError::quota(format_args!(
            "A state machine can have at most {most} versions; delete one"
        )));
    }
    Ok(machine.published(description, at))
}

/// Refuses a machine that was deleted and is only there for its open executions.
pub(super) fn check_usable(machine: &Machine) -> Result<(), ApiError> {
    match machine.deleting {
        true => Err(ApiError::machine_is_deleting(&machine.arn)),
        false => Ok(()),
    }
}

/// Refuses a change that was asked for while another one was made: whoever asked did not know of it.
pub(super) fn check_unchanged(seen: &Machine, current: &Machine) -> Result<(), ApiError> {
    match seen == current {
        true => check_usable(current),
        false => Err(ApiError::changed_meanwhile(&current.arn)),
    }
}

/// The machine that an ARN names, itself or by a version or an alias of it, which may not be there.
pub(super) async fn find<'a>(
    app: &App,
    arn: &'a str,
) -> Result<Option<(Arc<Machine>, Option<Qualifier<'a>>)>, ApiError> {
    let (machine, qualifier) = arn::qualified(arn);
    let found = app.machines.find(machine).await;
    let found = found.map_err(ApiError::server)?;
    Ok(found.map(|machine| (machine, qualifier)))
}

/// The ARN of a version.
pub(super) fn arn(machine: &str, number: u32) -> String {
    format!("{machine}:{number}")
}

/// The ARN of an alias.
pub(super) fn alias_arn(machine: &str, name: &str) -> String {
    format!("{machine}:{name}")
}
