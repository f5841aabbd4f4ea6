//! A function behind a URL: the payload is POSTed, the body of a 2xx answer is the answer.
//!
//! A server reports the function's own error as Lambda's Invoke API does, with the header
//! `X-Amz-Function-Error` and an error object as the body, or with an error object (something with an
//! `errorType`) under any status of 400 and up. Other such answers are the service's own errors, under the
//! names that Lambda's would have, so that the retriers written for Lambda apply.

use std::time::Duration;

use bytes::Bytes;
use hyper::{Method, StatusCode};
use serde_json::Value;

use super::{ANSWER_BYTES_MAX, Invocation, Invoked, failure, runtime_api, with_grace};
use crate::client::{Answer, Client, address};
use crate::clock::{Busy, Clock};

/// The limit is the clock's to watch; in real time a connection may hang this much longer.
const REAL_LIMIT_EXTRA: Duration = Duration::from_secs(60);

/// A function that is a URL.
pub struct UrlFunction {
    url: String,
    timeout_seconds: u32,
    clock: Clock,
    client: Client,
}

impl UrlFunction {
    /// The error completes the sentence "the function NAME ...".
    pub fn new(
        url: String,
        timeout_seconds: u32,
        clock: Clock,
        client: Client,
    ) -> Result<UrlFunction, String> {
        address(&url).map_err(|what| format!("has a wrong url: {what}"))?;
        Ok(UrlFunction {
            url,
            timeout_seconds,
            clock,
            client,
        })
    }

    /// Sends the payload and reads the answer.
    pub async fn invoke(&self, invocation: Invocation, busy: Busy) -> (Invoked, Busy) {
        let now = self.clock.now();
        let deadline = now.plus_seconds(self.timeout_seconds.into());
        let deadline_ms = deadline.0.to_string();
        let trace = invocation.trace.as_deref();
        let trace_id = runtime_api::trace_id(trace, now);
        let mut headers = vec![
            ("content-type", "application/json"),
            ("lambda-runtime-aws-request-id", &invocation.request_id),
            ("lambda-runtime-deadline-ms", &deadline_ms),
            ("lambda-runtime-invoked-function-arn", &invocation.arn),
            ("lambda-runtime-trace-id", &trace_id),
        ];
        headers.extend(trace.into_iter().flat_map(|sent| sent.headers()));
        let limit = Duration::from_secs(self.timeout_seconds.into()) + REAL_LIMIT_EXTRA;
        let id = &invocation.request_id;
        let exchange = async {
            let payload = invocation.payload.clone();
            tokio::select! {
                biased;
                answer = self.client.send(Method::POST, &self.url, &headers, payload, limit) => {
                    let invoked = match answer {
                        Ok(answer) => self.read(id, answer),
                        Err(what) => Invoked::Failed {
                            error: "Lambda.SdkClientException".to_owned(),
                            cause: format!("Unable to execute HTTP request: {what}"),
                        },
                    };
                    (invoked, self.clock.busy())
                }
                busy = self.clock.sleep_until(deadline) => {
                    (failure::timed_out(id, self.timeout_seconds), busy)
                }
            }
        };
        with_grace(&self.clock, busy, exchange).await
    }

    fn read(&self, id: &str, answer: Answer) -> Invoked {
        if answer.headers.contains_key("x-amz-function-error") {
            return failure::reported(&answer.body);
        }
        if answer.status.is_success() {
            if answer.body.len() > ANSWER_BYTES_MAX {
                return failure::answer_too_large();
            }
            return failure::answered(&self.url, id, &answer.body);
        }
        if is_error_object(&answer.body) {
            return failure::reported(&answer.body);
        }
        let exception = match answer.status {
            StatusCode::NOT_FOUND => "ResourceNotFoundException",
            StatusCode::TOO_MANY_REQUESTS => "TooManyRequestsException",
            status if status.is_server_error() => "ServiceException",
            _ => "AWSLambdaException",
        };
        let said = match &*answer.body {
            [] => String::new(),
            body => format!(": {}", failure::shown(body)),
        };
        Invoked::Failed {
            error: format!("Lambda.{exception}"),
            cause: format!("{} answered {}{said}", self.url, answer.status),
        }
    }
}

fn is_error_object(body: &Bytes) -> bool {
    serde_json::from_slice::<Value>(body)
        .is_ok_and(|value| value.get("errorType").is_some_and(Value::is_string))
}
