//! `DescribeStateMachineForExecution`: the machine as an execution began with it.

use std::collections::BTreeMap;
use std::sync::Arc;

use asl::Timestamp;
use engine::{ExecutionKey, Identity};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::app::App;
use crate::machines::{
    EncryptionConfiguration, LoggingConfiguration, Machine, TracingConfiguration,
};

use super::arn::{self, Resource};
use super::error::ApiError;
use super::keys;
use super::request::{Answer, Text, read, write};
use super::validation::{self, Check, INCLUDED_DATA};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Request<'a> {
    #[serde(borrow)]
    execution_arn: Option<Text<'a>>,
    included_data: Option<Text<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Response<'a> {
    state_machine_arn: &'a str,
    name: &'a str,
    definition: &'a str,
    role_arn: &'a str,
    update_date: f64,
    logging_configuration: LoggingConfiguration,
    tracing_configuration: TracingConfiguration,
    encryption_configuration: EncryptionConfiguration,
    #[serde(skip_serializing_if = "Option::is_none")]
    revision_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    map_run_arn: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    label: Option<&'a str>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    variable_references: BTreeMap<&'a str, &'a [Arc<str>]>,
}

pub(super) async fn answer(app: &App, body: &[u8]) -> Answer {
    let request: Request = read(body)?;
    let mut check = Check::new();
    let arn = check.required("executionArn", &request.execution_arn, validation::ARN);
    let included = check.one_of("includedData", &request.included_data, INCLUDED_DATA);
    check.done()?;
    arn::check(arn, &[Resource::Execution])?;
    let found = app.runner.execution(ExecutionKey::of(arn)).await;
    let execution = found
        .map_err(ApiError::server)?
        .ok_or_else(|| ApiError::execution_does_not_exist(arn))?;
    let identity = execution.identity();
    let definition = if included == Some("METADATA_ONLY") {
        "{}".to_owned()
    } else {
        keys::check_execution(app, identity).await?;
        let text = app.machines.definition_text(&identity.definition).await;
        let text = text.map_err(ApiError::server)?;
        match &identity.map_run {
            Some(child) => processor(&text, &child.state).unwrap_or(text),
            None => text,
        }
    };
    let compiled = app.machines.definition(&identity.definition).await;
    let compiled = compiled.map_err(ApiError::server)?;
    // An execution keeps its definition and its role. The rest is its version's, or the machine's as far as
    // the machine is still the one that the execution began with.
    let machine = app.machines.find(identity.defined_machine_arn()).await;
    let machine = machine.map_err(ApiError::server)?;
    let rest = machine.and_then(|machine| Rest::of(&machine, identity));
    let rest = rest.unwrap_or_else(|| Rest::unknown(identity.started_at));
    write(&Response {
        state_machine_arn: &identity.state_machine_arn,
        name: &identity.state_machine_name,
        definition: &definition,
        role_arn: &identity.role_arn,
        update_date: rest.since.as_seconds(),
        logging_configuration: rest.logging,
        tracing_configuration: rest.tracing,
        encryption_configuration: rest.encryption,
        revision_id: rest.revision_id,
        map_run_arn: identity.map_run.as_ref().map(|child| &*child.arn),
        label: identity
            .map_run
            .as_ref()
            .and_then(|child| label(&child.arn)),
        variable_references: compiled.variable_references(),
    })
}

/// The label in a Map Run's ARN.
fn label(map_run_arn: &str) -> Option<&str> {
    let (_, last) = map_run_arn.rsplit_once('/')?;
    Some(last.split(':').next().unwrap_or(last))
}

/// What a child runs of a definition: the processor of its Map state, which may stand anywhere in it.
fn processor(definition: &str, state: &str) -> Option<String> {
    let definition: Value = serde_json::from_str(definition).ok()?;
    let mut to_look_at = vec![&definition];
    while let Some(part) = to_look_at.pop() {
        for (name, found) in part["States"].as_object()? {
            let processor = found.get("ItemProcessor").or_else(|| found.get("Iterator"));
            if let Some(processor) = processor {
                if name == state {
                    return Some(processor.to_string());
                }
                to_look_at.push(processor);
            }
            to_look_at.extend(found["Branches"].as_array().into_iter().flatten());
        }
    }
    None
}

/// What an execution does not keep of its machine.
struct Rest {
    since: Timestamp,
    logging: LoggingConfiguration,
    tracing: TracingConfiguration,
    encryption: EncryptionConfiguration,
    revision_id: Option<String>,
}

impl Rest {
    fn unknown(since: Timestamp) -> Rest {
        Rest {
            since,
            logging: LoggingConfiguration::default(),
            tracing: TracingConfiguration::default(),
            encryption: EncryptionConfiguration::default(),
            revision_id: None,
        }
    }

    fn of(machine: &Machine, identity: &Identity) -> Option<Rest> {
        let version = identity.version.and_then(|number| machine.version(number));
        if let Some(version) = version {
            return Some(Rest {
                since: version.created_at,
                logging: version.logging.clone(),
                tracing: version.tracing.clone(),
                encryption: version.encryption.clone(),
                revision_id: version.revision_id.clone(),
            });
        }
        let unchanged =
            machine.definition == identity.definition && machine.role_arn == identity.role_arn;
        unchanged.then(|| Rest {
            since: machine.updated_at.unwrap_or(machine.created_at),
            logging: machine.logging.clone(),
            tracing: machine.tracing.clone(),
            encryption: machine.encryption.clone(),
            revision_id: machine.revision_id.clone(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_child_runs_the_processor_of_its_map_state() {
        let definition = r#"{"StartAt": "P", "States": {"P": {"Type": "Parallel", "Branches": [
            {"StartAt": "M", "States": {"M": {"Type": "Map", "ItemProcessor":
                {"StartAt": "N", "States": {"N": {"Type": "Map", "Iterator":
                    {"StartAt": "In", "States": {"In": {"Type": "Pass"}}}}}}}}}]}}}"#;
        let inner = processor(definition, "N").expect("it is there");
        assert_eq!(inner, r#"{"StartAt":"In","States":{"In":{"Type":"Pass"}}}"#);
        assert!(processor(definition, "M").is_some_and(|outer| outer.contains(&inner)));
        assert_eq!(processor(definition, "In"), None);
        let arn = "arn:aws:states:us-east-1:123456789012:mapRun:m/each:3c39a231";
        assert_eq!(label(arn), Some("each"));
    }
}
