//! The errors that the integrations of tasks raise, under the names that Step Functions shows.
//!
//! Where they come from:
//!
//! - Lambda: what the developer guide says to expect (`bp-lambda-serviceexception`); the models name dozens more, about
//!   how functions are set up.
//! - Other services: those that AWS's own model names for the operation (`modelled.txt`, and `modelled.py` that writes
//!   it). Each name is the service's and an exception's (`supported-services-awssdk`); that of an optimized integration is
//!   the older SDK's, whose classes end with Exception as well.
//! - What no model names (no permission, throttling): the service's own exception, and for no answer the SDK's. Only
//!   where AWS's recordings or definitions of others agree on its name; else `States.TaskFailed` stands for it.
//! - `EventBridge.FailedEntry`, HTTP's statuses: recordings and the developer guide.
//!
//! What only the definition knows, since it has a Retry or Catch for it, is tried beside these.

use asl::{Pattern, Resource};

/// The error of a function of the user's that was raised and that nobody has named.
pub const FUNCTIONS_OWN: &str = "UnexpectedError";
/// What a worker or a third party reports that nobody has named.
pub const OUTSIDES_OWN: &str = "UnexpectedFailure";
/// What stands for errors whose names are not known.
const ANY: &str = "States.TaskFailed";

const LAMBDA: &[&str] = &[
    "Lambda.ServiceException",
    "Lambda.AWSLambdaException",
    "Lambda.SdkClientException",
    "Lambda.ClientExecutionTimeoutException",
    "Lambda.TooManyRequestsException",
    "Lambda.Unknown",
];

/// A line a service and operations that fail alike.
const MODELLED: &str = include_str!("errors/modelled.txt");

/// An integration of Step Functions' own: as `Resource` names it, before the point of its errors, the error that stands
/// for all without a name of their own, and which service's model has the others.
type Optimized = (
    &'static str,
    &'static str,
    Option<&'static str>,
    &'static str,
);

#[rustfmt::skip]
const OPTIMIZED: &[Optimized] = &[
    ("athena", "Athena", Some("AmazonAthenaException"), "athena"),
    ("batch", "Batch", Some("AWSBatchException"), "batch"),
    ("bedrock", "Bedrock", None, "bedrockruntime"),
    ("codebuild", "CodeBuild", Some("AWSCodeBuildException"), "codebuild"),
    ("dynamodb", "DynamoDB", Some("AmazonDynamoDBException"), "dynamodb"),
    ("ecs", "ECS", Some("AmazonECSException"), "ecs"),
    ("events", "EventBridge", Some("FailedEntry"), "eventbridge"),
    ("glue", "Glue", Some("AWSGlueException"), "glue"),
    ("sagemaker", "SageMaker", Some("AmazonSageMakerException"), "sagemaker"),
    ("sns", "SNS", Some("AmazonSNSException"), "sns"),
    ("sqs", "SQS", Some("AmazonSQSException"), "sqs"),
    ("states", "StepFunctions", Some("AWSStepFunctionsException"), "sfn"),
];

/// What a task of this resource fails with, before anything waits.
pub fn raised_by(resource: &Resource) -> Vec<String> {
    let of_functions = || {
        let names = LAMBDA.iter().chain([&FUNCTIONS_OWN]);
        names.map(|name| (*name).to_owned()).collect()
    };
    match resource {
        Resource::Activity { .. } => Vec::new(),
        Resource::Function { .. } => of_functions(),
        Resource::Service { service, .. } if &**service == "lambda" => of_functions(),
        Resource::Service {
            service,
            action,
            pattern,
            ..
        } => {
            let operation = action.split([':', '.']).next().unwrap_or_default();
            let mut names = of_service(service, operation);
            // What the job comes to.
            if *pattern == Pattern::Sync && !names.iter().any(|name| name == ANY) {
                names.push(ANY.to_owned());
            }
            names
        }
    }
}

fn of_service(service: &str, operation: &str) -> Vec<String> {
    let given = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    if let Some(name) = service.strip_prefix("aws-sdk:") {
        let known = server::services::json_service(name);
        let id = known.map_or_else(|| pascal(name), |known| known.id.to_owned());
        let own = format!("{id}Exception");
        return named(&id, Some(&own), name, operation);
    }
    match service {
        "http" => given(&[
            "States.Http.StatusCode.429",
            "States.Http.StatusCode.500",
            "States.Http.Socket",
        ]),
        "apigateway" => given(&["ApiGateway.429", "ApiGateway.500"]),
        _ => match OPTIMIZED.iter().find(|(name, ..)| *name == service) {
            Some((_, prefix, own, model)) => named(prefix, *own, model, operation),
            None => given(&[ANY]),
        },
    }
}

/// All names of a service: those of the model, and what stands for all others.
fn named(prefix: &str, own: Option<&str>, model: &str, operation: &str) -> Vec<String> {
    let modelled = modelled(model, operation).map(|name| format!("{prefix}.{name}Exception"));
    let own = own.map(|own| format!("{prefix}.{own}"));
    let unanswered = format!("{prefix}.SdkClientException");
    modelled.chain(own).chain([unanswered]).collect()
}

/// What the model of a service says that an operation fails with, without the `Exception` at the end.
fn modelled(service: &str, operation: &str) -> impl Iterator<Item = &'static str> {
    let lines = MODELLED.lines().filter(|line| !line.starts_with('#'));
    let mut described = lines.filter_map(|line| {
        let (name, rest) = line.split_once(": ")?;
        let (operations, names) = rest.split_once(" = ")?;
        (name == service).then_some((operations, names))
    });
    let found =
        described.find(|(operations, _)| operations.split(' ').any(|name| name == operation));
    found.into_iter().flat_map(|(_, names)| names.split(' '))
}

/// `Textract`, and what the SDK writes in more than one word.
fn pascal(name: &str) -> String {
    let words = match name {
        "bedrockruntime" => "BedrockRuntime",
        "codebuild" => "CodeBuild",
        "eventbridge" => "EventBridge",
        "rdsdata" => "RdsData",
        "sesv2" => "SesV2",
        _ => "",
    };
    if !words.is_empty() {
        return words.to_owned();
    }
    let mut chars = name.chars();
    match chars.next() {
        Some(first) => first.to_uppercase().chain(chars).collect(),
        None => String::new(),
    }
}

/// Whether only the engine itself gives this name.
pub fn is_the_engines_own(name: &str) -> bool {
    matches!(
        name,
        "States.ALL"
            | "States.Timeout"
            | "States.HeartbeatTimeout"
            | "States.Runtime"
            | "States.DataLimitExceeded"
            | "States.ParameterPathFailure"
            | "States.ResultPathMatchFailure"
            | "States.IntrinsicFailure"
            | "States.QueryEvaluationError"
            | "States.NoChoiceMatched"
            | "States.BranchFailed"
            | "States.ExceedToleratedFailureThreshold"
            | "States.ItemReaderFailed"
            | "States.ResultWriterFailed"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raised(resource: &str) -> String {
        let parameters = serde_json::json!({
            "Entries": [], "FunctionName": "f", "TableName": "t", "Item": {}, "StateMachineArn": "m", "Token.$": "$$.Task.Token",
        });
        let task = serde_json::json!({ "StartAt": "T", "States": { "T": {
            "Type": "Task", "Resource": resource, "Parameters": parameters, "End": true,
        } } });
        let parsed = asl::parse(&task.to_string()).machine.expect("it is right");
        match &parsed.states[0].kind {
            asl::StateKind::Task(task) => raised_by(&task.resource).join(" "),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn errors_are_those_of_the_operation() {
        for (resource, expected) in [
            (
                "arn:aws:states:::batch:submitJob.sync",
                "Batch.ClientException Batch.ServerException Batch.AWSBatchException Batch.SdkClientException States.TaskFailed",
            ),
            (
                "arn:aws:states:::batch:submitJob",
                "Batch.ClientException Batch.ServerException Batch.AWSBatchException Batch.SdkClientException",
            ),
            (
                "arn:aws:states:::events:putEvents",
                "EventBridge.InternalException EventBridge.FailedEntry EventBridge.SdkClientException",
            ),
            (
                "arn:aws:states:::aws-sdk:s3:getObject",
                "S3.InvalidObjectStateException S3.NoSuchKeyException S3.S3Exception S3.SdkClientException",
            ),
            (
                "arn:aws:states:::aws-sdk:ec2:describeInstances",
                "Ec2.Ec2Exception Ec2.SdkClientException",
            ),
            (
                "arn:aws:states:::elasticmapreduce:createCluster.sync",
                "States.TaskFailed",
            ),
            (
                "arn:aws:states:::http:invoke",
                "States.Http.StatusCode.429 States.Http.StatusCode.500 States.Http.Socket",
            ),
        ] {
            assert_eq!(raised(resource), expected, "{resource}");
        }
        let put = raised("arn:aws:states:::dynamodb:putItem");
        assert!(
            put.starts_with("DynamoDB.ConditionalCheckFailedException "),
            "{put}"
        );
        assert!(
            put.ends_with("DynamoDB.AmazonDynamoDBException DynamoDB.SdkClientException"),
            "{put}"
        );
        let newer = raised("arn:aws:states:::aws-sdk:dynamodb:putItem");
        assert!(
            newer.contains("DynamoDb.ConditionalCheckFailedException"),
            "{newer}"
        );
        let nested = raised("arn:aws:states:::states:startExecution.sync:2");
        assert!(
            nested.contains("StepFunctions.ExecutionAlreadyExistsException"),
            "{nested}"
        );
        let function = raised("arn:aws:states:::lambda:invoke.waitForTaskToken");
        assert!(
            function.contains("Lambda.ClientExecutionTimeoutException"),
            "{function}"
        );
    }
}
