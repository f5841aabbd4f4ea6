//! Errors in the API's words: the one place that knows their names, messages and HTTP codes.
//!
//! The words are AWS's where a recording, the service's documentation or a public report shows
//! them; those that are ours say "this version of Rejoin".

use hyper::StatusCode;

/// An error for a client of the API.
#[derive(Debug)]
pub struct ApiError {
    /// The HTTP status.
    pub status: StatusCode,
    /// `__type`, for example `InvalidArn`.
    pub kind: &'static str,
    /// `message`.
    pub message: String,
    /// The member that this error has beside its message, if it has one: its name and its text.
    pub detail: Option<(&'static str, String)>,
    /// What the operator should know and the client should not.
    pub log: Option<String>,
}

impl ApiError {
    /// The client's mistake.
    pub fn new(kind: &'static str, message: impl Into<String>) -> ApiError {
        ApiError {
            status: StatusCode::BAD_REQUEST,
            kind,
            message: message.into(),
            detail: None,
            log: None,
        }
    }

    /// Our own trouble; `what` is for the log.
    pub fn server(what: impl Into<String>) -> ApiError {
        ApiError {
            status: StatusCode::INTERNAL_SERVER_ERROR,
            kind: "InternalFailure",
            message: "The server could not do this; its log says why.".to_owned(),
            detail: None,
            log: Some(what.into()),
        }
    }

    pub(super) fn validation(message: impl Into<String>) -> ApiError {
        ApiError::new("ValidationException", message)
    }

    /// 404, as AWS's list of common errors has it.
    pub(super) fn unknown_operation(message: impl Into<String>) -> ApiError {
        ApiError {
            status: StatusCode::NOT_FOUND,
            ..ApiError::new("UnknownOperationException", message)
        }
    }

    pub(super) fn serialization(why: impl std::fmt::Display) -> ApiError {
        let message =
            format!("The request's body is not the JSON that this operation takes: {why}");
        ApiError::new("SerializationException", message)
    }

    pub(super) fn invalid_arn(what: impl std::fmt::Display) -> ApiError {
        ApiError::new("InvalidArn", format!("Invalid Arn: '{what}'"))
    }

    pub(super) fn invalid_role_arn(arn: &str) -> ApiError {
        ApiError::new("InvalidArn", format!("Invalid Role Arn: '{arn}'"))
    }

    pub(super) fn invalid_name(name: &str) -> ApiError {
        ApiError::new("InvalidName", format!("Invalid Name: '{name}'"))
    }

    pub(super) fn invalid_definition(what: &str) -> ApiError {
        let message = format!("Invalid State Machine Definition: '{what}'");
        ApiError::new("InvalidDefinition", message)
    }

    pub(super) fn invalid_execution_input(what: &str) -> ApiError {
        let message = format!("Invalid State Machine Execution Input: '{what}'");
        ApiError::new("InvalidExecutionInput", message)
    }

    pub(super) fn invalid_output(what: &str) -> ApiError {
        ApiError::new("InvalidOutput", format!("Invalid Output: '{what}'"))
    }

    pub(super) fn invalid_logging_configuration(what: &str) -> ApiError {
        let message = format!("Invalid Logging Configuration: {what}");
        ApiError::new("InvalidLoggingConfiguration", message)
    }

    pub(super) fn invalid_encryption_configuration(what: &str) -> ApiError {
        let message = format!("Invalid Encryption Configuration: {what}");
        ApiError::new("InvalidEncryptionConfiguration", message)
    }

    pub(super) fn machine_does_not_exist(arn: &str) -> ApiError {
        let message = format!("State Machine Does Not Exist: '{arn}'");
        ApiError::new("StateMachineDoesNotExist", message)
    }

    pub(super) fn machine_is_deleting(arn: &str) -> ApiError {
        let message = format!("State Machine is being deleted: '{arn}'");
        ApiError::new("StateMachineDeleting", message)
    }

    /// Somebody else was faster.
    pub(super) fn changed_meanwhile(arn: &str) -> ApiError {
        ApiError::conflict(format!(
            "State machine '{arn}' was changed by another request at the same time; try again"
        ))
    }

    pub(super) fn machine_already_exists(arn: &str) -> ApiError {
        let message = format!("State Machine Already Exists: '{arn}'");
        ApiError::new("StateMachineAlreadyExists", message)
    }

    pub(super) fn execution_does_not_exist(arn: &str) -> ApiError {
        let message = format!("Execution Does Not Exist: '{arn}'");
        ApiError::new("ExecutionDoesNotExist", message)
    }

    pub(super) fn execution_already_exists(arn: &str) -> ApiError {
        let message = format!("Execution Already Exists: '{arn}'");
        ApiError::new("ExecutionAlreadyExists", message)
    }

    pub(super) fn execution_not_redrivable(why: &str) -> ApiError {
        ApiError::new("ExecutionNotRedrivable", why)
    }

    pub(super) fn activity_does_not_exist(arn: &str) -> ApiError {
        let message = format!("Activity Does Not Exist: '{arn}'");
        ApiError::new("ActivityDoesNotExist", message)
    }

    pub(super) fn activity_already_exists(arn: &str) -> ApiError {
        let message = format!("Activity Already Exists: '{arn}'");
        ApiError::new("ActivityAlreadyExists", message)
    }

    pub(super) fn resource_not_found(arn: &str) -> ApiError {
        ApiError {
            detail: Some(("resourceName", arn.to_owned())),
            ..ApiError::new("ResourceNotFound", format!("Resource not found: '{arn}'"))
        }
    }

    pub(super) fn conflict(message: impl Into<String>) -> ApiError {
        ApiError::new("ConflictException", message)
    }

    pub(super) fn quota(message: impl std::fmt::Display) -> ApiError {
        ApiError::new("ServiceQuotaExceededException", message.to_string())
    }

    pub(super) fn too_many_machines(quota: usize) -> ApiError {
        ApiError::new(
            "StateMachineLimitExceeded",
            format!(
                "The maximum number of state machines ({quota}) has been reached. Existing state \
                 machines must be deleted before a new state machine can be created."
            ),
        )
    }

    pub(super) fn too_many_activities(quota: usize) -> ApiError {
        ApiError::new(
            "ActivityLimitExceeded",
            format!(
                "The maximum number of activities ({quota}) has been reached. Existing activities \
                 must be deleted before a new activity can be created."
            ),
        )
    }

    pub(super) fn too_many_executions(quota: u64) -> ApiError {
        ApiError::new(
            "ExecutionLimitExceeded",
            format!(
                "The maximum number of running executions ({quota}) has been reached. Running \
                 executions must end or be stopped before a new execution can be started."
            ),
        )
    }

    pub(super) fn too_many_pollers() -> ApiError {
        let message = "The maximum number of workers concurrently polling for activity tasks has \
                       been reached.";
        ApiError::new("ActivityWorkerLimitExceeded", message)
    }

    pub(super) fn too_many_tags(arn: &str, quota: usize) -> ApiError {
        ApiError {
            detail: Some(("resourceName", arn.to_owned())),
            ..ApiError::new(
                "TooManyTags",
                format!("A resource can have at most {quota} tags"),
            )
        }
    }

    /// What is said of aliases and of the versions they are to lead to.
    pub(super) fn no_such_reference() -> ApiError {
        let message = "Request references a resource that does not exist.";
        ApiError::new("ResourceNotFound", message)
    }

    pub(super) fn invalid_token() -> ApiError {
        ApiError::new("InvalidToken", "Invalid Token: 'Invalid token'")
    }

    pub(super) fn task_timed_out() -> ApiError {
        let message = "Task Timed Out: 'Provided task does not exist anymore'";
        ApiError::new("TaskTimedOut", message)
    }

    pub(super) fn task_does_not_exist() -> ApiError {
        let message = "Task Does Not Exist: 'Provided task does not exist anymore'";
        ApiError::new("TaskDoesNotExist", message)
    }

    /// In the words of the service model; no recording has it, since both types are supported wherever one
    /// could be made.
    pub(super) fn machine_type_not_supported() -> ApiError {
        ApiError::new(
            "StateMachineTypeNotSupported",
            "State machine type is not supported: 'EXPRESS'",
        )
    }

    pub(super) fn type_not_supported() -> ApiError {
        let message = "This operation is not supported by this type of state machine";
        ApiError::new("StateMachineTypeNotSupported", message)
    }
}
