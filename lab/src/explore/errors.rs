//! The errors that the integrations of tasks raise.
//!
//! For Lambda those that AWS says to retry, throttling, and a function that fails. For other services: throttled or
//! refused, and no answer, under the names that Step Functions shows; as the server makes
//! them too. Names that only a service's model has are tried where a Retry or Catch has them.

use asl::{Pattern, Resource};

/// The error of a function of the user's that was raised and that nobody has named.
pub const FUNCTIONS_OWN: &str = "UnexpectedError";
/// What a worker or a third party reports that nobody has named.
pub const OUTSIDES_OWN: &str = "UnexpectedFailure";

const LAMBDA: &[&str] = &[
    "Lambda.ServiceException",
    "Lambda.AWSLambdaException",
    "Lambda.SdkClientException",
    "Lambda.TooManyRequestsException",
    "Lambda.Unknown",
];

/// What a task of this resource fails with, before anything waits.
pub fn raised_by(resource: &Resource) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    match resource {
        Resource::Activity { .. } => {}
        Resource::Function { .. } => {
            names.extend(LAMBDA.iter().map(|name| (*name).to_owned()));
            names.push(FUNCTIONS_OWN.to_owned());
        }
        Resource::Service { service, .. } if &**service == "lambda" => {
            names.extend(LAMBDA.iter().map(|name| (*name).to_owned()));
            names.push(FUNCTIONS_OWN.to_owned());
        }
        Resource::Service {
            service, pattern, ..
        } => {
            if &**service == "http" {
                let known = [
                    "States.Http.StatusCode.429",
                    "States.Http.StatusCode.500",
                    "States.Http.Socket",
                ];
                names.extend(known.iter().map(|name| (*name).to_owned()));
                return names;
            }
            let (prefix, base) = prefix(service);
            names.extend(base.map(|base| format!("{prefix}.{base}")));
            names.push(format!("{prefix}.SdkClientException"));
            if *pattern == Pattern::Sync {
                // What the job comes to.
                names.push("States.TaskFailed".to_owned());
            }
        }
    }
    names
}

/// Before the point of a service's errors, and the error that stands for all that have no name of their own.
fn prefix(service: &str) -> (String, Option<String>) {
    if let Some(name) = service.strip_prefix("aws-sdk:") {
        let known = server::services::json_service(name);
        let id = known.map_or_else(|| capitalized(name), |known| known.id.to_owned());
        let base = format!("{id}Exception");
        return (id, Some(base));
    }
    // As the older SDK names its services. Where its name for all other errors is not known here, there is none.
    let (prefix, base) = match service {
        "dynamodb" => ("DynamoDB", Some("AmazonDynamoDBException")),
        "sns" => ("SNS", Some("AmazonSNSException")),
        "sqs" => ("SQS", Some("AmazonSQSException")),
        "events" => ("EventBridge", Some("AmazonEventBridgeException")),
        "states" => ("StepFunctions", Some("AWSStepFunctionsException")),
        "ecs" => ("ECS", Some("AmazonECSException")),
        "batch" => ("Batch", Some("AWSBatchException")),
        "glue" => ("Glue", Some("AWSGlueException")),
        "sagemaker" => ("SageMaker", Some("AmazonSageMakerException")),
        "codebuild" => ("CodeBuild", None),
        "apigateway" => ("ApiGateway", None),
        other => return (capitalized(other), None),
    };
    (prefix.to_owned(), base.map(str::to_owned))
}

fn capitalized(name: &str) -> String {
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
