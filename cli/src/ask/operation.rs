//! Operations of the Step Functions API, for what a running server tells no other way.

use hyper::Method;
use serde_json::Value;

use super::{PATIENCE, Server, shown};

impl Server {
    /// Calls an operation, for example `DescribeExecution`.
    ///
    /// # Errors
    /// A sentence, ready to be shown: the server is not there, is no Rejoin, or refuses, and why.
    pub fn call(&self, operation: &str, input: &Value) -> Result<Value, String> {
        self.make_known()?;
        let target = format!("AWSStepFunctions.{operation}");
        let headers = [
            ("content-type", "application/x-amz-json-1.0"),
            ("x-amz-target", target.as_str()),
        ];
        let url = format!("{}/", self.url);
        let body = input.to_string().into();
        let sending = self
            .client
            .send(Method::POST, &url, &headers, body, PATIENCE);
        let answer = self.runtime.block_on(sending)?;
        match (
            answer.status.is_success(),
            serde_json::from_slice::<Value>(&answer.body),
        ) {
            (true, Ok(output)) => Ok(output),
            (false, Ok(refusal)) if refusal["__type"].is_string() => Err(format!(
                "{operation}: {}",
                refusal["message"].as_str().unwrap_or_else(|| {
                    let name = refusal["__type"].as_str();
                    name.expect("it has just been looked at")
                })
            )),
            _ => Err(format!(
                "{} answered {operation} with {} and {}",
                self.url,
                answer.status.as_u16(),
                shown(&answer.body)
            )),
        }
    }
}
