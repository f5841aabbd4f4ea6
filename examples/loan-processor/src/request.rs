//! The function `request-valuation`: asks the valuation service for a value, and tells the gateway
//! which reference stands for which task.
//!
//! It is told where things are by its environment, as functions are:
//!
//! | variable | what it is |
//! | --- | --- |
//! | `VALUATION_SERVICE_URL` | where valuations are requested (`POST`) |
//! | `REJOIN_URL` | the server whose gateway the reference is registered at; Rejoin sets it itself |
//! | `CALLBACK_URL` | where the service is to call back; by default the route's path at `REJOIN_URL` |
//!
//! What goes wrong here fails the task with one of the error names of [`RequestFailed`]. The workflow
//! catches only what can happen while it waits, so its execution ends FAILED with that name.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use hyper::{Method, StatusCode};
use lambda_runtime::{Diagnostic, LambdaEvent, service_fn};
use serde::{Deserialize, Serialize};
use serde_json::json;
use server::client::Client;

use crate::{CALLBACK_PATH, ROUTE};

/// How long the service and the gateway may take to answer. Below Lambda's own default of 3 s for the
/// whole function, so that a slow service is named rather than the function killed.
const ANSWER_LIMIT: Duration = Duration::from_millis(1_200);

/// What the task passes on.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Event {
    /// `$$.Task.Token`.
    pub task_token: String,
    /// The execution's input.
    pub loan_application: LoanApplication,
}

/// What somebody wants a loan for.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LoanApplication {
    /// The lender's own number.
    pub application_reference: String,
    /// What is to be valued.
    pub property: Property,
}

/// A property, as addresses go.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Property {
    /// The house's name or number; also what the stand-in of the service is told to do wrong.
    pub name_or_number: String,
    /// The postcode.
    pub postcode: String,
}

/// What the valuation service is asked.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ValuationRequest {
    /// What is to be valued.
    pub property: Property,
    /// Where the answer is to go.
    pub callback_url: String,
}

/// What it says at once.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ValuationRequested {
    /// The service's own name for the work.
    pub valuation_reference: String,
}

/// Why no valuation is under way. The variant's name is the error that Step Functions reports.
#[derive(Debug)]
pub enum RequestFailed {
    /// The function's environment lacks something.
    NotConfigured(String),
    /// The valuation service could not be reached.
    ValuationServiceUnreachable(String),
    /// The valuation service did not take the request.
    ValuationRequestRejected(String),
    /// The gateway did not take the reference, so the answer would find nobody.
    ReferenceNotRegistered(String),
}

impl fmt::Display for RequestFailed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (RequestFailed::NotConfigured(what)
        | RequestFailed::ValuationServiceUnreachable(what)
        | RequestFailed::ValuationRequestRejected(what)
        | RequestFailed::ReferenceNotRegistered(what)) = self;
        f.write_str(what)
    }
}

impl From<RequestFailed> for Diagnostic {
    fn from(failed: RequestFailed) -> Diagnostic {
        let name = match failed {
            RequestFailed::NotConfigured(_) => "NotConfigured",
            RequestFailed::ValuationServiceUnreachable(_) => "ValuationServiceUnreachable",
            RequestFailed::ValuationRequestRejected(_) => "ValuationRequestRejected",
            RequestFailed::ReferenceNotRegistered(_) => "ReferenceNotRegistered",
        };
        Diagnostic {
            error_type: name.into(),
            error_message: failed.to_string(),
        }
    }
}

/// Where things are.
#[derive(Debug, Clone)]
pub struct Surroundings {
    /// `VALUATION_SERVICE_URL`.
    pub valuation_service_url: String,
    /// `REJOIN_URL`.
    pub rejoin_url: String,
    /// `CALLBACK_URL`.
    pub callback_url: String,
}

impl Surroundings {
    /// From the environment.
    ///
    /// # Errors
    /// [`RequestFailed::NotConfigured`].
    pub fn from_environment() -> Result<Surroundings, RequestFailed> {
        let variable = |name: &str| {
            std::env::var(name).map_err(|_| {
                RequestFailed::NotConfigured(format!(
                    "the function's environment has no {name}; set it in the function's configuration"
                ))
            })
        };
        let rejoin_url = variable("REJOIN_URL")?.trim_end_matches('/').to_owned();
        Ok(Surroundings {
            valuation_service_url: variable("VALUATION_SERVICE_URL")?,
            callback_url: std::env::var("CALLBACK_URL")
                .unwrap_or_else(|_| format!("{rejoin_url}{CALLBACK_PATH}")),
            rejoin_url,
        })
    }
}

/// Runs the function until its runtime ends it.
///
/// # Errors
/// If there is no Lambda Runtime API to work for.
pub async fn run_function() -> Result<(), lambda_runtime::Error> {
    let client = Client::new();
    lambda_runtime::run(service_fn(move |event: LambdaEvent<Event>| {
        let client = client.clone();
        async move {
            let surroundings = Surroundings::from_environment()?;
            request_valuation(&client, &surroundings, event.payload).await
        }
    }))
    .await
}

/// Asks for a valuation and registers its reference.
///
/// # Errors
/// [`RequestFailed`].
pub async fn request_valuation(
    client: &Client,
    surroundings: &Surroundings,
    event: Event,
) -> Result<ValuationRequested, RequestFailed> {
    let request = ValuationRequest {
        property: event.loan_application.property,
        callback_url: surroundings.callback_url.clone(),
    };
    let answer = client
        .send(
            Method::POST,
            &surroundings.valuation_service_url,
            &[("content-type", "application/json")],
            json_bytes(&request),
            ANSWER_LIMIT,
        )
        .await
        .map_err(RequestFailed::ValuationServiceUnreachable)?;
    if answer.status != StatusCode::CREATED {
        return Err(RequestFailed::ValuationRequestRejected(format!(
            "the valuation service answered {} to the request: {}",
            answer.status,
            String::from_utf8_lossy(&answer.body)
        )));
    }
    let requested: ValuationRequested = serde_json::from_slice(&answer.body).map_err(|why| {
        RequestFailed::ValuationRequestRejected(format!(
            "the valuation service took the request and gave no valuationReference: {why}"
        ))
    })?;
    register(
        client,
        surroundings,
        &requested.valuation_reference,
        &event.task_token,
    )
    .await?;
    Ok(requested)
}

/// Tells the gateway that callbacks with this reference belong to this task.
async fn register(
    client: &Client,
    surroundings: &Surroundings,
    reference: &str,
    task_token: &str,
) -> Result<(), RequestFailed> {
    let url = format!(
        "{}/rejoin/references/{ROUTE}/{}",
        surroundings.rejoin_url,
        percent_encoded(reference)
    );
    let answer = client
        .send(
            Method::PUT,
            &url,
            &[("content-type", "application/json")],
            json_bytes(&json!({ "taskToken": task_token })),
            ANSWER_LIMIT,
        )
        .await
        .map_err(RequestFailed::ReferenceNotRegistered)?;
    if !answer.status.is_success() {
        return Err(RequestFailed::ReferenceNotRegistered(format!(
            "the gateway answered {} to the reference {reference:?}: {}",
            answer.status,
            String::from_utf8_lossy(&answer.body)
        )));
    }
    Ok(())
}

fn json_bytes(value: &impl Serialize) -> Bytes {
    serde_json::to_vec(value)
        .expect("a request has text keys only")
        .into()
}

/// A reference as one segment of a path.
fn percent_encoded(text: &str) -> String {
    use fmt::Write as _;
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~') {
            encoded.push(char::from(byte));
        } else {
            write!(encoded, "%{byte:02X}").expect("writing to a string can't fail");
        }
    }
    encoded
}
