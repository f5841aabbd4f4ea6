//! Services: what they are called here and there, and which protocol they speak.
//!
//! One row a service, from the public service models. AWS has two names for most things: those of the
//! older SDK, which the optimized integrations (`dynamodb:putItem`) still show in errors, and those of
//! the newer one, which `aws-sdk:dynamodb:putItem` shows.

/// A service of AWS.
#[derive(Debug)]
pub struct Service {
    /// In `aws-sdk:NAME:operation`.
    pub name: &'static str,
    /// What the newer SDK calls it, for example in `DynamoDb.ResourceNotFoundException`.
    pub id: &'static str,
    /// The first part of its host name.
    pub endpoint: &'static str,
    /// What requests are signed for.
    pub signing: &'static str,
    /// The ends of `AWS_ENDPOINT_URL_...` that name it.
    pub variables: &'static [&'static str],
    /// How it is talked to.
    pub protocol: Protocol,
}

/// How a service is talked to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// AWS JSON: every operation is a POST to `/` and named by a header.
    Json {
        /// `1.0` or `1.1`.
        version: &'static str,
        /// The header's first part.
        target: &'static str,
        /// How its members are written.
        case: Case,
    },
    /// Each operation has its own method and path, and its own code here.
    Own,
}

/// How a service writes the names of members. Step Functions always writes `PascalCase`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Case {
    Pascal,
    Camel,
}

const fn json(
    names: [&'static str; 4],
    variables: &'static [&'static str],
    version: &'static str,
    target: &'static str,
    case: Case,
) -> Service {
    let [name, id, endpoint, signing] = names;
    Service {
        name,
        id,
        endpoint,
        signing,
        variables,
        protocol: Protocol::Json {
            version,
            target,
            case,
        },
    }
}

const fn own(name: &'static str, id: &'static str, variables: &'static [&'static str]) -> Service {
    Service {
        name,
        id,
        endpoint: name,
        signing: name,
        variables,
        protocol: Protocol::Own,
    }
}

/// Amazon SQS.
pub static SQS: Service = json(
    ["sqs", "Sqs", "sqs", "sqs"],
    &["SQS"],
    "1.0",
    "AmazonSQS",
    Case::Pascal,
);

/// Amazon DynamoDB.
pub static DYNAMODB: Service = json(
    ["dynamodb", "DynamoDb", "dynamodb", "dynamodb"],
    &["DYNAMODB"],
    "1.0",
    "DynamoDB_20120810",
    Case::Pascal,
);

/// Amazon EventBridge.
pub static EVENTS: Service = json(
    ["eventbridge", "EventBridge", "events", "events"],
    &["EVENTBRIDGE", "EVENTS"],
    "1.1",
    "AWSEvents",
    Case::Pascal,
);

/// AWS Step Functions, where it is not this server.
pub static STATES: Service = json(
    ["sfn", "Sfn", "states", "states"],
    &["SFN", "STEPFUNCTIONS"],
    "1.0",
    "AWSStepFunctions",
    Case::Camel,
);

/// AWS Lambda.
pub static LAMBDA: Service = own("lambda", "Lambda", &["LAMBDA"]);

/// Amazon SNS.
pub static SNS: Service = own("sns", "Sns", &["SNS"]);

/// Amazon S3.
pub static S3: Service = own("s3", "S3", &["S3"]);

/// Other services that speak AWS JSON.
#[rustfmt::skip]
static OTHERS: &[Service] = &[
    json(["athena", "Athena", "athena", "athena"], &["ATHENA"], "1.1", "AmazonAthena", Case::Pascal),
    json(["cloudwatchlogs", "CloudWatchLogs", "logs", "logs"], &["CLOUDWATCH_LOGS", "LOGS"], "1.1", "Logs_20140328", Case::Camel),
    json(["cognitoidentityprovider", "CognitoIdentityProvider", "cognito-idp", "cognito-idp"], &["COGNITO_IDENTITY_PROVIDER"], "1.1", "AWSCognitoIdentityProviderService", Case::Pascal),
    json(["dynamodbstreams", "DynamoDbStreams", "streams.dynamodb", "dynamodb"], &["DYNAMODB_STREAMS"], "1.0", "DynamoDBStreams_20120810", Case::Pascal),
    json(["ecr", "Ecr", "api.ecr", "ecr"], &["ECR"], "1.1", "AmazonEC2ContainerRegistry_V20150921", Case::Camel),
    json(["ecs", "Ecs", "ecs", "ecs"], &["ECS"], "1.1", "AmazonEC2ContainerServiceV20141113", Case::Camel),
    json(["firehose", "Firehose", "firehose", "firehose"], &["FIREHOSE"], "1.1", "Firehose_20150804", Case::Pascal),
    json(["glue", "Glue", "glue", "glue"], &["GLUE"], "1.1", "AWSGlue", Case::Pascal),
    json(["kinesis", "Kinesis", "kinesis", "kinesis"], &["KINESIS"], "1.1", "Kinesis_20131202", Case::Pascal),
    json(["kms", "Kms", "kms", "kms"], &["KMS"], "1.1", "TrentService", Case::Pascal),
    json(["organizations", "Organizations", "organizations", "organizations"], &["ORGANIZATIONS"], "1.1", "AWSOrganizationsV20161128", Case::Pascal),
    json(["redshiftdata", "RedshiftData", "redshift-data", "redshift-data"], &["REDSHIFT_DATA"], "1.1", "RedshiftData", Case::Pascal),
    json(["rekognition", "Rekognition", "rekognition", "rekognition"], &["REKOGNITION"], "1.1", "RekognitionService", Case::Pascal),
    json(["sagemaker", "SageMaker", "api.sagemaker", "sagemaker"], &["SAGEMAKER"], "1.1", "SageMaker", Case::Pascal),
    json(["secretsmanager", "SecretsManager", "secretsmanager", "secretsmanager"], &["SECRETS_MANAGER", "SECRETSMANAGER"], "1.1", "secretsmanager", Case::Pascal),
    json(["ssm", "Ssm", "ssm", "ssm"], &["SSM"], "1.1", "AmazonSSM", Case::Pascal),
    json(["transfer", "Transfer", "transfer", "transfer"], &["TRANSFER"], "1.1", "TransferService", Case::Pascal),
];

/// The service that `aws-sdk:NAME:...` means and that speaks AWS JSON.
pub fn json_service(name: &str) -> Option<&'static Service> {
    [&SQS, &DYNAMODB, &EVENTS]
        .into_iter()
        .chain(OTHERS)
        .find(|service| service.name == name)
}
