//! CloudWatch Logs: where the logs of executions go.

use asl::Timestamp;
use bytes::Bytes;
use hyper::Method;
use serde_json::{Value, json};

use super::environment::Environment;
use super::http::{Call, json_error};
use super::service::{self, Protocol, Service};
use crate::client::Client;

/// CloudWatch Logs at the place that the environment names.
#[derive(Clone)]
pub struct CloudWatchLogs {
    client: Client,
    environment: Environment,
    service: &'static Service,
}

/// Why nothing was taken.
#[derive(Debug)]
pub enum NotTaken {
    /// There is no such group or stream.
    NoPlace,
    /// It may be taken if it is sent again.
    Later(String),
    /// It will not be taken.
    Never(String),
}

impl CloudWatchLogs {
    /// `None` if the environment names neither a place nor credentials.
    pub fn of(client: Client, environment: Environment) -> Option<CloudWatchLogs> {
        let service =
            service::json_service("cloudwatchlogs").expect("it is in the list of services");
        environment.endpoint(service)?;
        Some(CloudWatchLogs {
            client,
            environment,
            service,
        })
    }

    /// Makes a stream; one that is there already is as good.
    ///
    /// # Errors
    /// [`NotTaken`].
    pub async fn create_stream(&self, group: &str, stream: &str) -> Result<(), NotTaken> {
        let request = json!({ "logGroupName": group, "logStreamName": stream });
        self.ask("CreateLogStream", &request).await
    }

    /// Writes lines, which have to be in the order of their times.
    ///
    /// # Errors
    /// [`NotTaken`].
    pub async fn put(
        &self,
        group: &str,
        stream: &str,
        lines: impl Iterator<Item = (Timestamp, &str)>,
    ) -> Result<(), NotTaken> {
        let events: Vec<Value> = lines
            .map(|(at, message)| json!({ "timestamp": at.0, "message": message }))
            .collect();
        let request =
            json!({ "logGroupName": group, "logStreamName": stream, "logEvents": events });
        self.ask("PutLogEvents", &request).await
    }

    async fn ask(&self, operation: &str, request: &Value) -> Result<(), NotTaken> {
        let Protocol::Json {
            version, target, ..
        } = self.service.protocol
        else {
            unreachable!("CloudWatch Logs speaks AWS JSON");
        };
        let call = Call {
            service: self.service,
            prefix: self.service.id,
            method: Method::POST,
            path: "/",
            query: &[],
            headers: &[
                ("content-type", &format!("application/x-amz-json-{version}")),
                ("x-amz-target", &format!("{target}.{operation}")),
            ],
            body: Bytes::from(request.to_string()),
        };
        let answer = match call.send(&self.client, &self.environment, None).await {
            Ok(answer) if answer.status.is_success() => return Ok(()),
            Ok(answer) => answer,
            Err(failure) => return Err(NotTaken::Later(failure.cause.unwrap_or_default())),
        };
        let error = json_error(&answer);
        let what = format!("{}: {}", error.code, error.message);
        match error.code.as_str() {
            "ResourceAlreadyExistsException" => Ok(()),
            "ResourceNotFoundException" => Err(NotTaken::NoPlace),
            code if answer.status.is_server_error() || code.contains("Throttl") => {
                Err(NotTaken::Later(what))
            }
            _ => Err(NotTaken::Never(what)),
        }
    }
}
