//! `encryptionConfiguration` at work: what a key of KMS that may not be used does to a request.
//!
//! AWS names three errors; KMS's own words are in their messages. Which requests need the key: those that
//! write or show data of a resource with a customer managed key. `METADATA_ONLY` shows none.

use engine::{ExecutionKey, Identity};

use crate::app::App;
use crate::machines::{EncryptionConfiguration, Machine};
use crate::services::KeyRefusal;

use super::error::ApiError;

/// A resource of these kinds has a key.
#[derive(Debug, Clone, Copy)]
pub(super) enum Of<'a> {
    /// A state machine, by ARN.
    StateMachine(&'a str),
    /// An activity, by ARN.
    Activity(&'a str),
}

impl<'a> Of<'a> {
    fn context(self) -> (&'static str, &'a str) {
        match self {
            Of::StateMachine(arn) => ("stateMachine", arn),
            Of::Activity(arn) => ("activity", arn),
        }
    }
}

/// Checks the key of a resource that there is.
pub(super) async fn check(
    app: &App,
    encryption: &EncryptionConfiguration,
    of: Of<'_>,
) -> Result<(), ApiError> {
    let used = app.services.use_key(encryption, of.context()).await;
    used.map_err(refused)
}

/// Checks the key that a resource is to have: one that can't be used makes the configuration invalid.
pub(super) async fn check_new(
    app: &App,
    encryption: &EncryptionConfiguration,
    of: Of<'_>,
) -> Result<(), ApiError> {
    let used = app.services.use_key(encryption, of.context()).await;
    used.map_err(|refusal| match refusal {
        KeyRefusal::InvalidState { message, .. } => {
            ApiError::invalid_encryption_configuration(&message)
        }
        other => refused(other),
    })
}

/// Checks the key of the machine that an execution is of.
pub(super) async fn check_execution(app: &App, identity: &Identity) -> Result<(), ApiError> {
    if !app.services.asks_for_keys() {
        return Ok(());
    }
    let found = app.machines.find(&identity.state_machine_arn).await;
    match found.map_err(ApiError::server)? {
        Some(machine) => {
            let encryption = encryption(&machine, identity.version);
            check(app, encryption, Of::StateMachine(&machine.arn)).await
        }
        // Its machine is gone, and with it which key it had.
        None => Ok(()),
    }
}

/// [`check_execution`] for one that may not be there, which is not for here to say.
pub(super) async fn check_execution_at(app: &App, key: ExecutionKey) -> Result<(), ApiError> {
    if !app.services.asks_for_keys() {
        return Ok(());
    }
    let found = app.runner.execution(key).await.map_err(ApiError::server)?;
    match found {
        Some(execution) => check_execution(app, execution.identity()).await,
        None => Ok(()),
    }
}

/// The configuration of a machine or of one of its versions.
pub(super) fn encryption(machine: &Machine, version: Option<u32>) -> &EncryptionConfiguration {
    let version = version.and_then(|number| machine.version(number));
    version.map_or(&machine.encryption, |version| &version.encryption)
}

fn refused(refusal: KeyRefusal) -> ApiError {
    match refusal {
        KeyRefusal::AccessDenied(message) => ApiError::new("KmsAccessDeniedException", message),
        KeyRefusal::Throttled(message) => ApiError::new("KmsThrottlingException", message),
        KeyRefusal::InvalidState { state, message } => ApiError {
            detail: Some(("kmsKeyState", state.to_owned())),
            ..ApiError::new("KmsInvalidStateException", message)
        },
        KeyRefusal::NoAnswer(what) => ApiError::server(format!("KMS was asked for a key: {what}")),
    }
}
