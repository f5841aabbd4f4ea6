//! What Step Functions calls the errors of services.
//!
//! The optimized integrations (`sqs:sendMessage`) show them as the older SDK does, `aws-sdk:*` as the
//! newer one; the shapes are those of the recorded cases `error_handling` and `services`.
//!
//! | | error | cause |
//! | --- | --- | --- |
//! | older | `DynamoDB.ResourceNotFoundException` | `MESSAGE (Service: AmazonDynamoDBv2; Status Code: 400; Error Code: ResourceNotFoundException; Request ID: ID; Proxy: null)` |
//! | older, not in the service's model | `DynamoDB.AmazonDynamoDBException` | the same |
//! | newer | `DynamoDb.ResourceNotFoundException` | `MESSAGE (Service: DynamoDb, Status Code: 400, Request ID: ID)` |
//! | newer, not in the service's model | `DynamoDb.DynamoDbException` | the same |
//! | never answered | `SQS.SdkClientException` | `Unable to execute HTTP request: ...` |

use asl::Failure;
use uuid::Uuid;

/// An error as the service reported it.
#[derive(Debug, Default)]
pub struct Reported {
    /// The HTTP status.
    pub status: u16,
    /// For example `ResourceNotFoundException`.
    pub code: String,
    /// What the older SDK shows as the code, if that is another one (`x-amzn-query-error`).
    pub query_code: Option<String>,
    /// In the service's words.
    pub message: String,
    /// The service's.
    pub request_id: String,
    /// S3's second one.
    pub extended_request_id: Option<String>,
}

/// How the older SDK names a service.
#[derive(Debug)]
pub struct Older {
    /// Before the point of an error's name.
    pub prefix: &'static str,
    /// The error that stands for all without a name of their own.
    pub base: &'static str,
    /// In causes.
    pub service: &'static str,
}

/// Codes that every service has and none has a class for, and those of DynamoDB, SQS and SNS.
const UNMODELLED: &[&str] = &[
    "AccessDenied",
    "AccessDeniedException",
    "ExpiredToken",
    "ExpiredTokenException",
    "IncompleteSignature",
    "InternalError",
    "InternalFailure",
    "InvalidAction",
    "InvalidClientTokenId",
    "InvalidParameterValue",
    "InvalidSignatureException",
    "MissingAuthenticationToken",
    "MissingAuthenticationTokenException",
    "MissingParameter",
    "NotAuthorized",
    "SerializationException",
    "SignatureDoesNotMatch",
    "ThrottlingException",
    "UnknownError",
    "UnknownOperationException",
    "UnrecognizedClientException",
    "ValidationError",
    "ValidationException",
];

impl Reported {
    /// What the service would say to a request that is not worth sending.
    pub fn locally(code: &str, message: impl Into<String>) -> Reported {
        Reported {
            status: 400,
            code: code.to_owned(),
            message: message.into(),
            request_id: Uuid::new_v4().to_string(),
            ..Reported::default()
        }
    }

    /// As an optimized integration shows it.
    pub fn older(&self, older: &Older) -> Failure {
        let error = match self.class() {
            Some(class) => format!("{}.{class}", older.prefix),
            None => format!("{}.{}", older.prefix, older.base),
        };
        let cause = format!(
            "{} (Service: {}; Status Code: {}; Error Code: {}; Request ID: {}; Proxy: null)",
            self.message,
            older.service,
            self.status,
            self.query_code.as_ref().unwrap_or(&self.code),
            self.request_id
        );
        named(error, cause)
    }

    /// As `aws-sdk:*` shows it.
    pub fn newer(&self, id: &str) -> Failure {
        let error = match self.class() {
            Some(class) => format!("{id}.{class}"),
            None => format!("{id}.{id}Exception"),
        };
        let extended = match &self.extended_request_id {
            Some(extended) => format!(", Extended Request ID: {extended}"),
            None => String::new(),
        };
        // AWS's SDK began to count attempts between the recordings of 2023 (DynamoDB, S3) and those of
        // 2025 (Step Functions).
        let attempts = match id {
            "Sfn" => " (SDK Attempt Count: 1)",
            _ => "",
        };
        let cause = format!(
            "{} (Service: {id}, Status Code: {}, Request ID: {}{extended}){attempts}",
            self.message, self.status, self.request_id
        );
        named(error, cause)
    }

    /// The class that an SDK has for the code, if it has one.
    fn class(&self) -> Option<String> {
        let code = &self.code;
        if code.is_empty() || UNMODELLED.contains(&code.as_str()) {
            return None;
        }
        let code = match code.as_str() {
            // The model names the shape and not the code that is sent.
            "NotFound" => "NotFoundException",
            "InvalidParameter" => "InvalidParameterException",
            "AWS.SimpleQueueService.NonExistentQueue" => "QueueDoesNotExistException",
            code => code,
        };
        Some(if code.ends_with("Exception") {
            code.to_owned()
        } else {
            format!("{code}Exception")
        })
    }
}

/// The request got no answer.
pub fn unreachable(prefix: &str, what: &str) -> Failure {
    named(
        format!("{prefix}.SdkClientException"),
        format!("Unable to execute HTTP request: {what}"),
    )
}

/// There is neither an endpoint nor anybody to sign for AWS.
pub fn no_credentials(prefix: &str, variable: &str) -> Failure {
    named(
        format!("{prefix}.SdkClientException"),
        format!(
            "Unable to load AWS credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY to call AWS, or \
             AWS_ENDPOINT_URL_{variable} or AWS_ENDPOINT_URL to call a stand-in"
        ),
    )
}

/// A failure in a sentence.
pub fn said(failure: &Failure) -> String {
    let error = failure.error.as_deref().unwrap_or_default();
    let cause = failure.cause.as_deref().unwrap_or_default();
    format!("{error}: {cause}")
}

/// A failure with a name that is made here.
pub fn named(error: String, cause: String) -> Failure {
    Failure {
        error: Some(error.into()),
        cause: Some(cause),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DYNAMODB: Older = Older {
        prefix: "DynamoDB",
        base: "AmazonDynamoDBException",
        service: "AmazonDynamoDBv2",
    };

    fn reported(code: &str, message: &str) -> Reported {
        Reported {
            status: 400,
            code: code.to_owned(),
            message: message.to_owned(),
            request_id: "ID".to_owned(),
            ..Reported::default()
        }
    }

    #[test]
    fn errors_are_named_as_recorded() {
        let missing = reported("ResourceNotFoundException", "Requested resource not found");
        let failure = missing.older(&DYNAMODB);
        assert_eq!(
            failure.error.as_deref(),
            Some("DynamoDB.ResourceNotFoundException")
        );
        assert_eq!(
            failure.cause.as_deref(),
            Some(
                "Requested resource not found (Service: AmazonDynamoDBv2; Status Code: 400; Error Code: \
                 ResourceNotFoundException; Request ID: ID; Proxy: null)"
            )
        );
        let failure = missing.newer("DynamoDb");
        assert_eq!(
            failure.error.as_deref(),
            Some("DynamoDb.ResourceNotFoundException")
        );
        assert_eq!(
            failure.cause.as_deref(),
            Some(
                "Requested resource not found (Service: DynamoDb, Status Code: 400, Request ID: ID)"
            )
        );
        let invalid = reported("ValidationException", "no");
        let error = |failure: Failure| failure.error.expect("a name").to_string();
        assert_eq!(
            error(invalid.older(&DYNAMODB)),
            "DynamoDB.AmazonDynamoDBException"
        );
        assert_eq!(
            error(invalid.newer("DynamoDb")),
            "DynamoDb.DynamoDbException"
        );
        assert_eq!(
            error(reported("NoSuchBucket", "").newer("S3")),
            "S3.NoSuchBucketException"
        );
    }
}
