//! A Task state.

use super::fields::{Fields, SECONDS_MAX};
use super::reader::Reader;
use super::scope::Scope;
use super::{analysis, arguments, recovery, resource, state};
use crate::Template;
use crate::model::{QueryLanguage, Resource, ResultFlow, Seconds, StateKind, Task};

const FIELDS: &[&str] = &[
    "Type",
    "Comment",
    "QueryLanguage",
    "InputPath",
    "OutputPath",
    "Resource",
    "Parameters",
    "ResultSelector",
    "ResultPath",
    "TimeoutSeconds",
    "TimeoutSecondsPath",
    "HeartbeatSeconds",
    "HeartbeatSecondsPath",
    "Credentials",
    "Retry",
    "Catch",
    "Next",
    "End",
    "Arguments",
    "Output",
    "Assign",
];

pub(super) fn read(
    reader: &mut Reader,
    scope: &mut Scope<'_>,
    fields: &Fields<'_>,
) -> Option<StateKind> {
    fields.only(reader, FIELDS);
    fields.require(reader, &["Resource"]);
    let resource = fields
        .string(reader, "Resource")
        .and_then(|arn| resource::read(reader, fields, arn));
    if let Some(Resource::Service { arn, .. }) = &resource {
        arguments::check(reader, fields, arn);
    }
    let parameters = state::arguments(reader, fields);
    let timeout = seconds(reader, fields, "TimeoutSeconds", "TimeoutSecondsPath");
    let heartbeat = seconds(reader, fields, "HeartbeatSeconds", "HeartbeatSecondsPath");
    if fields.has("Credentials") && matches!(resource, Some(Resource::Activity { .. })) {
        reader.schema(
            &fields.pointer,
            "The field 'Credentials' is not supported for activities",
        );
    }
    let credentials = credentials(reader, fields);
    if let (Some(Seconds::Fixed(timeout)), Some(Seconds::Fixed(heartbeat))) = (&timeout, &heartbeat)
        && heartbeat >= timeout
    {
        reader.schema_hint(
            &fields.at("HeartbeatSeconds"),
            "HeartbeatSeconds must be smaller than TimeoutSeconds",
            format!("Give less than {timeout}."),
        );
    }
    let result = result_flow(reader, fields);
    let recovery = recovery::read(reader, scope, fields);
    let next = scope.next(reader, fields);
    let resource = resource?;
    analysis::task(reader, fields, &resource);
    Some(StateKind::Task(Box::new(Task {
        resource,
        parameters,
        credentials,
        result,
        timeout,
        heartbeat,
        recovery,
        next,
    })))
}

/// `ResultSelector` and `ResultPath`.
pub(super) fn result_flow(reader: &mut Reader, fields: &Fields<'_>) -> ResultFlow {
    ResultFlow {
        selector: fields.template(reader, "ResultSelector"),
        path: fields.result_path(reader),
    }
}

fn seconds(
    reader: &mut Reader,
    fields: &Fields<'_>,
    given: &str,
    looked_up: &str,
) -> Option<Seconds> {
    fields.exclusive(reader, &[given, looked_up]);
    if fields.has(looked_up) {
        return fields.reference(reader, looked_up).map(Seconds::Path);
    }
    if fields.is_jsonata(reader, given) {
        return fields.jsonata(reader, given).map(Seconds::Jsonata);
    }
    fields
        .integer(reader, given, 1, SECONDS_MAX)
        .map(Seconds::Fixed)
}

/// The role to act as. There are no roles here, so it is shown in the history and not used.
fn credentials(reader: &mut Reader, fields: &Fields<'_>) -> Option<Template> {
    if !fields.has("Credentials") || report_missing_role(reader, fields) {
        return None;
    }
    let template = match reader.language {
        QueryLanguage::JsonPath => fields.template(reader, "Credentials"),
        QueryLanguage::Jsonata => fields.jsonata_template(reader, "Credentials"),
    };
    reader.warning(
        "REJOIN_CREDENTIALS_NOT_USED",
        &fields.at("Credentials"),
        "The task runs with the credentials of the server, not with this role",
        "Give the server credentials that may do what the task does.",
    );
    template
}

/// Reports `Credentials` that name no role; whether they do not.
pub(super) fn report_missing_role(reader: &mut Reader, fields: &Fields<'_>) -> bool {
    let Some(value) = fields.get("Credentials") else {
        return false;
    };
    let Some(credentials) = Fields::of(reader, value, &fields.at("Credentials")) else {
        return true;
    };
    let missing = !credentials.has("RoleArn") && !credentials.has("RoleArn.$");
    if missing {
        reader.schema(
            &credentials.pointer,
            "The field 'RoleArn' is required but was missing",
        );
    }
    missing
}
