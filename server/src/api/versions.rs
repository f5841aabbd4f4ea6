//! Versions of state machines, which this version of Rejoin does not keep: asking for one is refused.

use super::error::ApiError;
use super::request::Text;
use super::validation::{Check, VERSION_DESCRIPTION};

pub(super) fn constraints(check: &mut Check, description: &Option<Text<'_>>) {
    check.optional("versionDescription", description, VERSION_DESCRIPTION);
}

/// Refuses a request to publish, before anything is done.
pub(super) fn refuse(publish: Option<bool>, described: bool) -> Result<(), ApiError> {
    if publish == Some(true) {
        return Err(ApiError::validation(
            "Publishing a version of a state machine is not supported by this version of Rejoin; \
             leave out 'publish'",
        ));
    }
    if described {
        let message = "Version description can only be set when publish is true";
        return Err(ApiError::validation(message));
    }
    Ok(())
}
