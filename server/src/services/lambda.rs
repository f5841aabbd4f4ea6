//! `lambda:invoke`, and functions named by their ARN alone.
//!
//! A function of this server's configuration is called inside; any other with Lambda's Invoke API.

use asl::{Data, Failure};
use bytes::Bytes;
use hyper::Method;
use serde_json::{Map, Value};

use super::Services;
use super::failure::{self, Older};
use super::http::{Call, header, json_error, with_metadata};
use super::parameters::{members, required, text};
use super::service::LAMBDA;
use super::sign::encode;
use crate::api::jackson;
use crate::client::Answer;
use crate::clock::Busy;
use crate::functions::failure::reported;
use crate::functions::{Invoked, function_not_found, lambda_result, payload_not_json};

const OLDER: Older = Older {
    prefix: "Lambda",
    base: "AWSLambdaException",
    service: "AWSLambda",
};

impl Services {
    /// `lambda:invoke` with the parameters of Lambda's Invoke operation.
    pub(super) async fn invoke(
        &self,
        parameters: &Value,
        busy: Busy,
    ) -> (Result<Data, Failure>, Busy) {
        let parameters = match members(parameters) {
            Ok(parameters) => parameters,
            Err(failure) => return (Err(failure), busy),
        };
        let name = match required(&parameters, "FunctionName") {
            Ok(name) => name,
            Err(failure) => return (Err(failure), busy),
        };
        let payload = match payload(&parameters) {
            Ok(payload) => payload,
            Err(failure) => return (Err(failure), busy),
        };
        if self.is_elsewhere(name) {
            let call = self.invoke_elsewhere(name, payload.unwrap_or_default(), &parameters);
            let result = async { Ok(invoke_result(&call.await?)?.into()) };
            return self.meanwhile(busy, result).await;
        }
        let payload = payload.unwrap_or_else(|| "{}".to_owned());
        let (invoked, busy) = self.invoke_inside(name, &payload, busy).await;
        let result = invoked.and_then(|(payload, request_id)| {
            let payload = document(&payload)?;
            Ok(lambda_result(payload.value().clone(), &request_id).into())
        });
        (result, busy)
    }

    /// A function named by its ARN: the payload is the task's input, the result what it answers.
    pub(crate) async fn invoke_function(
        &self,
        arn: &str,
        input: &Data,
        busy: Busy,
    ) -> (Result<Data, Failure>, Busy) {
        if self.is_elsewhere(arn) {
            let nothing_else = Map::new();
            let call = self.invoke_elsewhere(arn, input.text().to_owned(), &nothing_else);
            let result = async { document(&answered(&call.await?)?) };
            return self.meanwhile(busy, result).await;
        }
        let (invoked, busy) = self.invoke_inside(arn, input.text(), busy).await;
        (invoked.and_then(|(payload, _)| document(&payload)), busy)
    }

    /// Whether a function is not this server's and there is a Lambda that may have it.
    fn is_elsewhere(&self, name_or_arn: &str) -> bool {
        !self.0.functions.has(short(name_or_arn)) && self.0.environment.endpoint(&LAMBDA).is_some()
    }

    /// Gives the payload and Lambda's request id.
    async fn invoke_inside(
        &self,
        name_or_arn: &str,
        payload: &str,
        busy: Busy,
    ) -> (Result<(String, String), Failure>, Busy) {
        let name = short(name_or_arn);
        if !self.0.functions.has(name) {
            let (error, cause) = function_not_found(name_or_arn);
            return (Err(failure::named(error, cause)), busy);
        }
        let functions = &self.0.functions;
        let (invoked, busy) = functions
            .invoke_busy(name, name_or_arn, payload, self.1.clone(), busy)
            .await;
        let outcome = match invoked {
            Invoked::Answer {
                payload,
                request_id,
            } => Ok((payload, request_id)),
            Invoked::Failed { error, cause } => Err(failure::named(error, cause)),
        };
        (outcome, busy)
    }

    async fn invoke_elsewhere(
        &self,
        name_or_arn: &str,
        payload: String,
        parameters: &Map<String, Value>,
    ) -> Result<Answer, Failure> {
        let path = format!(
            "/2015-03-31/functions/{}/invocations",
            encode(name_or_arn, "")
        );
        let mut headers = vec![("content-type", "application/json")];
        for (member, name) in [
            ("InvocationType", "x-amz-invocation-type"),
            ("LogType", "x-amz-log-type"),
            ("ClientContext", "x-amz-client-context"),
        ] {
            headers.extend(text(parameters, member).map(|value| (name, value)));
        }
        let qualifier = text(parameters, "Qualifier").map(|value| ("Qualifier", value));
        let call = Call {
            service: &LAMBDA,
            prefix: OLDER.prefix,
            method: Method::POST,
            path: &path,
            query: qualifier.as_slice(),
            headers: &headers,
            body: Bytes::from(payload),
        };
        self.send(call).await
    }
}

/// The function's name in what a `FunctionName` may be: a name, an ARN, or a part of one, each with a qualifier.
fn short(name_or_arn: &str) -> &str {
    let name = name_or_arn
        .rsplit_once("function:")
        .map_or(name_or_arn, |(_, name)| name);
    name.split(':').next().unwrap_or(name)
}

/// `Payload` as JSON text; a text is JSON text already (recorded cases `test_invoke_json_values`).
fn payload(parameters: &Map<String, Value>) -> Result<Option<String>, Failure> {
    let text = match parameters.get("Payload") {
        None => None,
        Some(Value::String(text)) => match jackson::fault(text) {
            None => Some(text.clone()),
            Some(fault) => {
                let (error, cause) = payload_not_json(&fault);
                return Err(failure::named(error, cause));
            }
        },
        Some(value) => Some(value.to_string()),
    };
    Ok(text)
}

/// What the function answered; JSON text, or nothing if it was only asked to run.
fn answered(answer: &Answer) -> Result<String, Failure> {
    if !answer.status.is_success() {
        return Err(json_error(answer).older(&OLDER));
    }
    if answer.headers.contains_key("x-amz-function-error") {
        return Err(match reported(&answer.body) {
            Invoked::Failed { error, cause } => failure::named(error, cause),
            Invoked::Answer { .. } => unreachable!("an error object is read as a failure"),
        });
    }
    Ok(String::from_utf8_lossy(&answer.body).into_owned())
}

fn invoke_result(answer: &Answer) -> Result<Value, Failure> {
    let payload = answered(answer)?;
    let mut result = Map::new();
    for (member, name) in [
        ("ExecutedVersion", "x-amz-executed-version"),
        ("LogResult", "x-amz-log-result"),
    ] {
        if let Some(value) = header(&answer.headers, name) {
            result.insert(member.to_owned(), value.into());
        }
    }
    if !payload.is_empty() {
        let payload = document(&payload)?;
        result.insert("Payload".to_owned(), payload.value().clone());
    }
    result.insert("StatusCode".to_owned(), answer.status.as_u16().into());
    Ok(with_metadata(result, answer))
}

/// A function's answer as a document.
fn document(payload: &str) -> Result<Data, Failure> {
    Data::parse(payload).map_err(|e| {
        Failure::new(
            "Lambda.Unknown",
            format!("the function's answer is not JSON: {e}"),
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_function_is_found_under_all_its_names() {
        for name in [
            "f",
            "f:live",
            "function:f",
            "123456789012:function:f",
            "arn:aws:lambda:us-east-1:123456789012:function:f",
            "arn:aws:lambda:us-east-1:123456789012:function:f:$LATEST",
        ] {
            assert_eq!(short(name), "f", "{name}");
        }
    }
}
