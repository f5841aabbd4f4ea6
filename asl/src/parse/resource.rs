//! What the `Resource` of a Task state names.

use super::fields::Fields;
use super::reader::{Reader, shared};
use crate::model::{Pattern, Resource};

/// The optimized integrations of AWS: a service with the actions that it has. Everything else goes
/// by `aws-sdk:SERVICE:ACTION`, which names an API operation freely.
const INTEGRATIONS: &[(&str, &[&str])] = &[
    ("apigateway", &["invoke"]),
    (
        "athena",
        &[
            "startQueryExecution",
            "stopQueryExecution",
            "getQueryExecution",
            "getQueryResults",
        ],
    ),
    ("batch", &["submitJob"]),
    ("bedrock", &["invokeModel", "createModelCustomizationJob"]),
    (
        "codebuild",
        &[
            "startBuild",
            "stopBuild",
            "batchDeleteBuilds",
            "batchGetReports",
            "startBuildBatch",
            "stopBuildBatch",
            "retryBuildBatch",
            "deleteBuildBatch",
        ],
    ),
    ("databrew", &["startJobRun"]),
    (
        "dynamodb",
        &["getItem", "putItem", "deleteItem", "updateItem"],
    ),
    ("ecs", &["runTask"]),
    (
        "eks",
        &[
            "call",
            "runJob",
            "createCluster",
            "deleteCluster",
            "createNodegroup",
            "deleteNodegroup",
            "createFargateProfile",
            "deleteFargateProfile",
        ],
    ),
    (
        "elasticmapreduce",
        &[
            "createCluster",
            "terminateCluster",
            "addStep",
            "cancelStep",
            "setClusterTerminationProtection",
            "modifyInstanceFleetByName",
            "modifyInstanceGroupByName",
        ],
    ),
    (
        "emr-containers",
        &[
            "createVirtualCluster",
            "deleteVirtualCluster",
            "startJobRun",
        ],
    ),
    (
        "emr-serverless",
        &[
            "createApplication",
            "startApplication",
            "stopApplication",
            "deleteApplication",
            "startJobRun",
            "cancelJobRun",
        ],
    ),
    ("events", &["putEvents"]),
    ("glue", &["startJobRun"]),
    ("http", &["invoke"]),
    ("lambda", &["invoke"]),
    ("mediaconvert", &["createJob"]),
    (
        "sagemaker",
        &[
            "createEndpoint",
            "createEndpointConfig",
            "createHyperParameterTuningJob",
            "createLabelingJob",
            "createModel",
            "createProcessingJob",
            "createTrainingJob",
            "createTransformJob",
            "updateEndpoint",
        ],
    ),
    ("sns", &["publish"]),
    ("sqs", &["sendMessage"]),
    ("states", &["startExecution"]),
];

/// The integrations of [`INTEGRATIONS`] that cannot be waited for with `.sync`.
const WITHOUT_SYNC: &[&str] = &["apigateway", "dynamodb", "events", "lambda", "sns", "sqs"];

/// And those that cannot be given a task token.
const WITHOUT_TOKEN: &[&str] = &[
    "athena",
    "batch",
    "codebuild",
    "databrew",
    "dynamodb",
    "elasticmapreduce",
    "emr-containers",
    "emr-serverless",
    "glue",
    "mediaconvert",
    "sagemaker",
];

pub(super) fn read(reader: &mut Reader, fields: &Fields<'_>, arn: &str) -> Option<Resource> {
    let pointer = fields.at("Resource");
    let Some(resource) = recognize(arn) else {
        let hint = match arn.contains("${") {
            true => "Replace what deployment fills in by what it will be.",
            false => {
                "A resource is a function's ARN, an activity's ARN, arn:aws:states:::SERVICE:ACTION or \
                 arn:aws:states:::aws-sdk:SERVICE:ACTION."
            }
        };
        let message = match arn.starts_with("arn:") {
            false => "Value is not a valid resource ARN".to_owned(),
            true => format!(
                "The resource provided {arn} is not recognized. The value is not a valid resource ARN, or the \
                 resource is not available in this region."
            ),
        };
        reader.schema_hint(&pointer, message, hint);
        return None;
    };
    if reader.express {
        match &resource {
            Resource::Activity { .. } => reader.schema(
                &pointer,
                "Express state machine does not support Activity ARN",
            ),
            Resource::Service {
                pattern: Pattern::WaitForTaskToken,
                ..
            } => reader.schema(
                &pointer,
                // The blank at the end is AWS's.
                "Express state machine does not support '.waitForTaskToken' service integration ",
            ),
            Resource::Service {
                pattern: Pattern::Sync,
                action,
                ..
            } => {
                let suffix = action.split_once('.').map_or("", |(_, suffix)| suffix);
                let message = format!(
                    "Express state machine does not support '.{suffix}' service integration "
                );
                reader.schema(&pointer, message);
            }
            _ => {}
        }
    }
    Some(resource)
}

fn recognize(arn: &str) -> Option<Resource> {
    let parts: Vec<&str> = arn.splitn(6, ':').collect();
    let [scheme, _partition, service, region, _account, rest] = parts[..] else {
        return None;
    };
    if scheme != "arn" {
        return None;
    }
    match service {
        "lambda" if rest.strip_prefix("function:").is_some_and(is_function) => {
            Some(Resource::Function { arn: shared(arn) })
        }
        "states"
            if rest
                .strip_prefix("activity:")
                .is_some_and(|name| !name.is_empty())
                && !region.is_empty() =>
        {
            Some(Resource::Activity { arn: shared(arn) })
        }
        // Region and account are usually left out; AWS's own samples have some with both.
        "states" => integration(arn, rest),
        _ => None,
    }
}

/// `NAME`, `NAME:VERSION` or `NAME:ALIAS`.
fn is_function(name: &str) -> bool {
    let is_word = |text: &str| {
        let ok = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
        !text.is_empty() && text.chars().all(ok)
    };
    match name.split_once(':') {
        Some((name, qualifier)) => is_word(name) && (qualifier == "$LATEST" || is_word(qualifier)),
        None => is_word(name),
    }
}

/// `SERVICE:ACTION` or `aws-sdk:SERVICE:ACTION`, the action with the suffix of its pattern.
fn integration(arn: &str, rest: &str) -> Option<Resource> {
    // The action may have a colon of its own, as in `startExecution.sync:2`.
    let length = match rest.strip_prefix("aws-sdk:") {
        Some(name) => "aws-sdk:".len() + name.find(':')?,
        None => rest.find(':')?,
    };
    let (service, action) = (&rest[..length], &rest[length + 1..]);
    let (operation, suffix) = action.split_once('.').unwrap_or((action, ""));
    let pattern = match suffix {
        "" if !action.ends_with('.') => Pattern::RequestResponse,
        "sync" | "sync:2" => Pattern::Sync,
        "waitForTaskToken" => Pattern::WaitForTaskToken,
        _ => return None,
    };
    let known = match service.strip_prefix("aws-sdk:") {
        Some(name) => !name.is_empty() && !operation.is_empty(),
        None => INTEGRATIONS
            .iter()
            .any(|(name, actions)| *name == service && actions.contains(&operation)),
    };
    let possible = match suffix {
        "sync" => !service.starts_with("aws-sdk:") && !WITHOUT_SYNC.contains(&service),
        "sync:2" => service == "states",
        "waitForTaskToken" => !WITHOUT_TOKEN.contains(&service),
        _ => true,
    };
    (known && possible).then(|| Resource::Service {
        arn: shared(arn),
        service: shared(service),
        action: shared(action),
        pattern,
    })
}
