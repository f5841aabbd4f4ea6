//! What an engine's answer means, by the names of its errors.

use asl::Timestamp;
use engine::Outcome;
use engine::token::fingerprint;
use serde_json::{Value, json};

use super::Remote;
use super::breaker::Trouble;
use crate::gateway::marks::{Try, TryResult};
use crate::services::Refused;

/// What came of one attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It was taken.
    Taken,
    /// `TaskTimedOut`: nobody waits with this token any more, for whatever reason.
    Over,
    /// `TaskDoesNotExist`.
    NoSuchTask(String),
    /// `InvalidToken`: the token is none of this engine's.
    NotItsToken(String),
    /// The engine will never take what the callback says.
    NotAcceptable(String),
    /// Perhaps later.
    Later(Later),
}

/// Why an attempt has to be made again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Later {
    /// What it means for all others.
    pub trouble: Option<Trouble>,
    /// The attempt may have counted all the same.
    pub doubt: bool,
    /// In words.
    pub what: String,
}

/// What the SDKs take for throttling.
const THROTTLING: [&str; 12] = [
    "BandwidthLimitExceeded",
    "EC2ThrottledException",
    "LimitExceededException",
    "PriorRequestNotComplete",
    "ProvisionedThroughputExceededException",
    "RequestLimitExceeded",
    "RequestThrottled",
    "RequestThrottledException",
    "SlowDown",
    "ThrottledException",
    "Throttling",
    "ThrottlingException",
];

/// What says that whoever signs is not known, or no longer.
const CREDENTIALS: [&str; 14] = [
    "CredentialsUnavailable",
    "ExpiredToken",
    "ExpiredTokenException",
    "IncompleteSignature",
    "IncompleteSignatureException",
    "InvalidClientTokenId",
    "InvalidSignatureException",
    "MissingAuthenticationToken",
    "MissingAuthenticationTokenException",
    "NotAuthorized",
    "OptInRequired",
    "RequestExpired",
    "SignatureDoesNotMatch",
    "UnrecognizedClientException",
];

impl Remote {
    /// `SendTaskSuccess`, `SendTaskFailure`, or `SendTaskHeartbeat` if there is no outcome; once.
    pub async fn attempt(&self, token: &str, outcome: Option<&Outcome>) -> Verdict {
        let (operation, request) = match outcome {
            None => ("SendTaskHeartbeat", json!({ "taskToken": token })),
            Some(Outcome::Success(output)) => (
                "SendTaskSuccess",
                // As it came, with all its digits.
                json!({ "taskToken": token, "output": output.text() }),
            ),
            Some(Outcome::Failure(failure)) => {
                let mut request = json!({ "taskToken": token });
                if let Some(error) = &failure.error {
                    request["error"] = Value::from(&**error);
                }
                if let Some(cause) = &failure.cause {
                    request["cause"] = cause.as_str().into();
                }
                ("SendTaskFailure", request)
            }
        };
        match self.api.ask(operation, &request).await {
            Ok(_) => Verdict::Taken,
            Err(Refused::Said {
                status,
                code,
                message,
            }) => verdict(Refused::Said {
                status,
                code,
                // Whoever refuses a token may repeat it.
                message: message.replace(token, &fingerprint(token)),
            }),
            Err(refused) => verdict(refused),
        }
    }
}

impl Verdict {
    /// The attempt, for the delivery that was sent.
    pub(in crate::gateway) fn tried(&self, at: Timestamp, answered_at: Timestamp) -> Try {
        let (result, note) = match self {
            Verdict::Taken => (TryResult::Taken, None),
            Verdict::Over => (TryResult::WaitOver, Some("TaskTimedOut".to_owned())),
            Verdict::NoSuchTask(what) | Verdict::NotItsToken(what) => {
                (TryResult::NoSuchWait, Some(what.clone()))
            }
            Verdict::NotAcceptable(what) => (TryResult::Refused, Some(what.clone())),
            Verdict::Later(Later { trouble, what, .. }) => match trouble {
                Some(Trouble::Unreachable) => (TryResult::Unreachable, Some(what.clone())),
                Some(Trouble::Credentials) | None => (TryResult::Refused, Some(what.clone())),
            },
        };
        Try {
            at,
            answered_at: Some(answered_at),
            result,
            note,
        }
    }
}

pub(super) fn verdict(refused: Refused) -> Verdict {
    let (status, code, message) = match refused {
        Refused::NoAnswer { never_sent, what } => {
            return Verdict::Later(Later {
                trouble: Some(Trouble::Unreachable),
                doubt: !never_sent,
                what,
            });
        }
        Refused::Said {
            status,
            code,
            message,
        } => (status, code, message),
    };
    let what = match message.is_empty() {
        true => code.clone(),
        false => format!("{code}: {message}"),
    };
    match code.as_str() {
        "TaskTimedOut" => Verdict::Over,
        "TaskDoesNotExist" => Verdict::NoSuchTask(what),
        "InvalidToken" => Verdict::NotItsToken(what),
        "InvalidOutput" | "ValidationException" | "SerializationException" => {
            Verdict::NotAcceptable(what)
        }
        code => {
            let throttled =
                status == 429 || THROTTLING.contains(&code) || code.starts_with("TooManyRequests");
            let trouble = if throttled || status >= 500 {
                Some(Trouble::Unreachable)
            } else if CREDENTIALS.contains(&code) {
                Some(Trouble::Credentials)
            } else {
                None
            };
            Verdict::Later(Later {
                trouble,
                // Whoever says that it has too much to do has not done it.
                doubt: status >= 500 && !throttled,
                what,
            })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(status: u16, code: &str) -> Verdict {
        verdict(Refused::Said {
            status,
            code: code.into(),
            message: String::new(),
        })
    }

    #[test]
    fn the_names_of_aws_are_told_apart() {
        let later = |trouble, doubt, what: &str| {
            Verdict::Later(Later {
                trouble,
                doubt,
                what: what.into(),
            })
        };
        let busy = Some(Trouble::Unreachable);
        let rows = [
            (400, "TaskTimedOut", Verdict::Over),
            (
                400,
                "TaskDoesNotExist",
                Verdict::NoSuchTask("TaskDoesNotExist".into()),
            ),
            (
                400,
                "InvalidToken",
                Verdict::NotItsToken("InvalidToken".into()),
            ),
            (
                400,
                "InvalidOutput",
                Verdict::NotAcceptable("InvalidOutput".into()),
            ),
            (
                400,
                "ThrottlingException",
                later(busy, false, "ThrottlingException"),
            ),
            (
                429,
                "TooManyRequestsException",
                later(busy, false, "TooManyRequestsException"),
            ),
            (
                503,
                "ServiceUnavailable",
                later(busy, true, "ServiceUnavailable"),
            ),
            (500, "InternalFailure", later(busy, true, "InternalFailure")),
            (
                400,
                "AccessDeniedException",
                later(None, false, "AccessDeniedException"),
            ),
            (
                400,
                "ExpiredTokenException",
                later(Some(Trouble::Credentials), false, "ExpiredTokenException"),
            ),
            (
                400,
                "UnrecognizedClientException",
                later(
                    Some(Trouble::Credentials),
                    false,
                    "UnrecognizedClientException",
                ),
            ),
            (404, "UnknownError", later(None, false, "UnknownError")),
        ];
        for (status, code, expected) in rows {
            assert_eq!(said(status, code), expected, "{code}");
        }
    }
}
