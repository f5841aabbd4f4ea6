//! What Lambda and Step Functions call what went wrong.
//!
//! Lambda describes an error as an object with `errorType` and `errorMessage`; Step Functions makes the
//! former the error and the whole object the cause (recorded case `test_raise_exception_catch`). Errors
//! of Lambda's API, as of any service's, have the cause "MESSAGE (Service: AWSLambda; Status Code: ...)".

use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;

use serde::Deserialize;
use serde_json::json;

use super::{ANSWER_BYTES_MAX, Invoked, PAYLOAD_BYTES_MAX};

/// How much of an answer that makes no sense is shown.
const SHOWN_CHARS_MAX: usize = 500;

/// An error that the function reported: `body` is its error object.
pub fn reported(body: &[u8]) -> Invoked {
    #[derive(Deserialize)]
    struct ErrorObject {
        #[serde(rename = "errorType")]
        error_type: String,
    }
    let text = String::from_utf8_lossy(body).into_owned();
    match serde_json::from_str::<ErrorObject>(&text) {
        Ok(object) if !object.error_type.is_empty() => Invoked::Failed {
            error: object.error_type,
            cause: text,
        },
        _ => Invoked::Failed {
            error: "Lambda.Unknown".to_owned(),
            cause: format!(
                "The cause could not be determined because Lambda did not return an error type. Returned payload: {text}"
            ),
        },
    }
}

/// An answer, if it is JSON; an empty one is `null`.
pub fn answered(function: &str, request_id: &str, body: &[u8]) -> Invoked {
    let body = if body.is_empty() { b"null" } else { body };
    let wrong = match std::str::from_utf8(body) {
        Ok(text) => match serde_json::from_str::<serde::de::IgnoredAny>(text) {
            Ok(_) => {
                return Invoked::Answer {
                    payload: text.to_owned(),
                    request_id: request_id.to_owned(),
                };
            }
            Err(e) => e.to_string(),
        },
        Err(e) => e.to_string(),
    };
    Invoked::Failed {
        error: "Lambda.Unknown".to_owned(),
        cause: format!(
            "The function {function} returned a payload that is not JSON ({wrong}). Returned payload: {}",
            shown(body)
        ),
    }
}

/// The function took too long.
pub fn timed_out(request_id: &str, seconds: u32) -> Invoked {
    object(
        "Sandbox.Timedout",
        request_id,
        &format!("Task timed out after {seconds}.00 seconds"),
    )
}

/// The program started, but did not ask for work in time.
pub fn did_not_ask(request_id: &str, function: &str, seconds: i64) -> Invoked {
    object(
        "Sandbox.Timedout",
        request_id,
        &format!(
            "the program of the function {function} did not ask the Lambda Runtime API for its next invocation within {seconds} seconds"
        ),
    )
}

/// The program ended; `taken` says whether it had taken the invocation.
pub fn exited(request_id: &str, status: Option<ExitStatus>, taken: bool) -> Invoked {
    let mut how = match status {
        Some(status) if !status.success() => {
            format!("Runtime exited with error: {}", describe(status))
        }
        _ => "Runtime exited without providing a reason".to_owned(),
    };
    if !taken {
        how.push_str(
            ", before it asked for an invocation; what it printed is in the server's log, and it has to speak the Lambda Runtime API",
        );
    }
    object("Runtime.ExitError", request_id, &how)
}

/// The operating system did not start the program.
pub fn not_started(request_id: &str, what: &str) -> Invoked {
    object("Runtime.InvalidEntrypoint", request_id, what)
}

/// The answer is too long.
pub fn answer_too_large() -> Invoked {
    let cause = json!({
        "errorType": "Function.ResponseSizeTooLarge",
        "errorMessage": format!(
            "Response payload size exceeded maximum allowed payload size ({ANSWER_BYTES_MAX} bytes)."
        ),
    });
    Invoked::Failed {
        error: "Function.ResponseSizeTooLarge".to_owned(),
        cause: cause.to_string(),
    }
}

/// The payload is too long.
pub fn payload_too_large(request_id: &str) -> Invoked {
    let (error, cause) = service(
        "RequestTooLargeException",
        413,
        "RequestEntityTooLargeException",
        request_id,
        &format!(
            "Request must be smaller than {PAYLOAD_BYTES_MAX} bytes for the InvokeFunction operation"
        ),
    );
    Invoked::Failed { error, cause }
}

/// An error of Lambda's API: name and cause.
pub fn service(
    exception: &str,
    status: u16,
    code: &str,
    request_id: &str,
    message: &str,
) -> (String, String) {
    (
        format!("Lambda.{exception}"),
        format!(
            "{message} (Service: AWSLambda; Status Code: {status}; Error Code: {code}; Request ID: {request_id}; Proxy: null)"
        ),
    )
}

/// The beginning of what should have been JSON.
pub fn shown(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(body);
    match text.char_indices().nth(SHOWN_CHARS_MAX) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text.into_owned(),
    }
}

fn object(error_type: &str, request_id: &str, what: &str) -> Invoked {
    let cause = json!({
        "errorType": error_type,
        "errorMessage": format!("RequestId: {request_id} Error: {what}"),
    });
    Invoked::Failed {
        error: error_type.to_owned(),
        cause: cause.to_string(),
    }
}

/// In the words that Lambda has for it: `exit status 1`, `signal: killed`.
fn describe(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit status {code}"),
        (None, Some(signal)) => {
            let name = match signal {
                4 => "illegal instruction",
                6 => "aborted",
                7 => "bus error",
                8 => "floating point exception",
                9 => "killed",
                11 => "segmentation fault",
                15 => "terminated",
                other => return format!("signal: {other}"),
            };
            format!("signal: {name}")
        }
        (None, None) => status.to_string(),
    }
}
