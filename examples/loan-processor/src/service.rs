//! The valuation service's stand-in. It takes a request (`POST /valuations`), answers 201 with a
//! reference, and calls back later, on the server's clock. What it does wrong it reads off the
//! property's `nameOrNumber` ([`Fault`]).
//!
//! While it works on a request, or sends a callback, it keeps virtual time standing; while it waits
//! before one it does not.
//!
//! It signs what it sends, by [Standard Webhooks](https://www.standardwebhooks.com), with [`SECRET`].

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use asl::Timestamp;
use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use parking_lot::Mutex;
use serde::Serialize;
use serde_json::{Value, json};
use server::client::Client;
use server::clock::{Busy, Clock};
use server::gateway::verify::Signer;
use tokio::net::{TcpListener, TcpStream};
use uuid::Uuid;

use crate::request::{ValuationRequest, ValuationRequested};

/// The path that takes requests.
pub const VALUATIONS_PATH: &str = "/valuations";

/// What callbacks are signed with; `rejoin.toml` beside this example has the same one. A secret that is not
/// part of an example belongs into a file or a variable.
pub const SECRET: &str = "whsec_dGhlIHZhbHVhdGlvbiBzZXJ2aWNlIG9mIHRoZSBsb2FuIHByb2Nlc3Nvcg==";
/// What somebody who forges a callback signs with, who does not know [`SECRET`].
const SECRET_OF_A_FORGER: &str = "whsec_c29tZWJvZHkgd2hvIGRvZXMgbm90IGtub3cgdGhlIHNlY3JldA==";

/// How long after the request an ordinary callback comes.
const PROMPT_SECONDS: i64 = 6;
/// How long after the request a late one comes: the workflow waits for 30 s.
const LATE_SECONDS: i64 = 45;
/// How long after a callback its duplicate comes.
const DUPLICATE_SECONDS: i64 = 2;
/// How long apart heartbeats are: the workflow with heartbeats wants one every 10 s.
const HEARTBEAT_SECONDS: i64 = 5;
/// The most that a request may have.
const REQUEST_BYTES_MAX: usize = 65_536;
/// How long, in real time, the receiver of a callback may take to answer.
const CALLBACK_LIMIT: Duration = Duration::from_secs(10);

/// What the service is told to do wrong, by the property's `nameOrNumber`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Nothing: any other name.
    None,
    /// It never calls back.
    NoCallback,
    /// It calls back after the workflow has given up.
    LateCallback,
    /// It calls back twice, saying the same.
    DuplicateResponse,
    /// It calls back twice, saying different things.
    ContradictingDuplicate,
    /// It calls back with a reference that it never gave.
    UnknownReference,
    /// It calls back to say that it failed.
    FailedResponse,
    /// It calls back before it has answered the request.
    EarlyCallback,
    /// It calls back with half of a body.
    MalformedCallback,
    /// Somebody else calls back, who can't sign as the service does.
    ForgedCallback,
    /// It sends heartbeats, then stops.
    SlowHeartbeats,
    /// It sends heartbeats and then its answer, which is no fault at all.
    SteadyHeartbeats,
    /// It answers 500 to the request.
    RejectedRequest,
}

impl Fault {
    /// All that have a name, with it.
    pub const NAMED: [(&'static str, Fault); 12] = [
        ("No callback", Fault::NoCallback),
        ("Late callback", Fault::LateCallback),
        ("Duplicate response", Fault::DuplicateResponse),
        ("Contradicting duplicate", Fault::ContradictingDuplicate),
        ("Unknown reference", Fault::UnknownReference),
        ("Failed response", Fault::FailedResponse),
        ("Early callback", Fault::EarlyCallback),
        ("Malformed callback", Fault::MalformedCallback),
        ("Forged callback", Fault::ForgedCallback),
        ("Slow heartbeats", Fault::SlowHeartbeats),
        ("Steady heartbeats", Fault::SteadyHeartbeats),
        ("Rejected request", Fault::RejectedRequest),
    ];

    /// The fault that a property's `nameOrNumber` asks for.
    pub fn of(name_or_number: &str) -> Fault {
        Fault::NAMED
            .into_iter()
            .find(|(name, _)| *name == name_or_number)
            .map_or(Fault::None, |(_, fault)| fault)
    }
}

/// A callback that was sent, and how it was answered.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SentCallback {
    /// When it was sent, by the server's clock, RFC 3339.
    pub at: String,
    /// The reference that the service gave for the request.
    pub valuation_reference: String,
    /// Which property it was about.
    pub name_or_number: String,
    /// What was sent.
    pub body: String,
    /// The answer's status, or why there was none.
    pub answer: Result<u16, String>,
}

/// The stand-in. Cloning is a reference count.
#[derive(Clone)]
pub struct ValuationService(Arc<Inner>);

struct Inner {
    clock: Clock,
    client: Client,
    sent: Mutex<Vec<SentCallback>>,
}

/// One valuation under way.
struct Valuation {
    reference: String,
    request: ValuationRequest,
    requested_at: Timestamp,
}

impl ValuationService {
    /// A service on this clock.
    pub fn new(clock: Clock, client: Client) -> ValuationService {
        ValuationService(Arc::new(Inner {
            clock,
            client,
            sent: Mutex::default(),
        }))
    }

    /// The callbacks that were sent so far, in the order of their answers.
    pub fn sent(&self) -> Vec<SentCallback> {
        self.0.sent.lock().clone()
    }

    /// Takes requests until the task that runs this is ended.
    ///
    /// # Errors
    /// If the listener fails.
    pub async fn serve(&self, listener: TcpListener) -> std::io::Result<Infallible> {
        loop {
            let (stream, _) = listener.accept().await?;
            let service = self.clone();
            tokio::spawn(async move { service.connection(stream).await });
        }
    }

    /// Binds `address` and takes requests in the background; gives the address it listens on.
    ///
    /// # Errors
    /// If the address can't be bound.
    pub async fn start(&self, address: SocketAddr) -> std::io::Result<SocketAddr> {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        let service = self.clone();
        tokio::spawn(async move { service.serve(listener).await });
        Ok(address)
    }

    async fn connection(&self, stream: TcpStream) {
        let _ = stream.set_nodelay(true);
        let service = service_fn(|request| {
            let service = self.clone();
            async move { Ok::<_, Infallible>(service.answer(request).await) }
        });
        // An error here is a client that went away; there is nobody to tell.
        let _ = hyper::server::conn::http1::Builder::new()
            .serve_connection(TokioIo::new(stream), service)
            .await;
    }

    async fn answer(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let busy = self.0.clock.busy();
        if request.method() != Method::POST || request.uri().path() != VALUATIONS_PATH {
            return reply(
                StatusCode::NOT_FOUND,
                &json!({ "message": format!("valuations are requested by POST {VALUATIONS_PATH}") }),
            );
        }
        let body = Limited::new(request.into_body(), REQUEST_BYTES_MAX);
        let body = match body.collect().await {
            Ok(body) => body.to_bytes(),
            Err(why) => {
                return reply(
                    StatusCode::BAD_REQUEST,
                    &json!({ "message": why.to_string() }),
                );
            }
        };
        let request: ValuationRequest = match serde_json::from_slice(&body) {
            Ok(request) => request,
            Err(why) => {
                return reply(
                    StatusCode::BAD_REQUEST,
                    &json!({ "message": why.to_string() }),
                );
            }
        };
        let fault = Fault::of(&request.property.name_or_number);
        if fault == Fault::RejectedRequest {
            return reply(
                StatusCode::INTERNAL_SERVER_ERROR,
                &json!({ "message": "the valuation service is out of order" }),
            );
        }
        let valuation = Valuation {
            reference: Uuid::new_v4().to_string(),
            request,
            requested_at: self.0.clock.now(),
        };
        let requested = ValuationRequested {
            valuation_reference: valuation.reference.clone(),
        };
        if fault == Fault::EarlyCallback {
            self.call_back(&valuation, &valuation.answer()).await;
        } else {
            let service = self.clone();
            tokio::spawn(async move { service.work(valuation, fault, busy).await });
        }
        reply(StatusCode::CREATED, &requested)
    }

    /// Does what the valuation asks for, in its own time.
    async fn work(&self, valuation: Valuation, fault: Fault, busy: Busy) {
        let answer = valuation.answer();
        let mut pace = Pace {
            clock: &self.0.clock,
            requested_at: valuation.requested_at,
            busy: Some(busy),
        };
        match fault {
            Fault::NoCallback | Fault::EarlyCallback | Fault::RejectedRequest => {}
            Fault::None => {
                pace.until(PROMPT_SECONDS).await;
                self.call_back(&valuation, &answer).await;
            }
            Fault::LateCallback => {
                pace.until(LATE_SECONDS).await;
                self.call_back(&valuation, &answer).await;
            }
            Fault::DuplicateResponse => {
                pace.until(PROMPT_SECONDS).await;
                self.call_back(&valuation, &answer).await;
                pace.until(PROMPT_SECONDS + DUPLICATE_SECONDS).await;
                self.call_back(&valuation, &answer).await;
            }
            Fault::ContradictingDuplicate => {
                pace.until(PROMPT_SECONDS).await;
                self.call_back(&valuation, &answer).await;
                pace.until(PROMPT_SECONDS + DUPLICATE_SECONDS).await;
                let other = json!({
                    "valuationReference": valuation.reference,
                    "propertyValue": valuation.property_value() + 1_000,
                });
                self.call_back(&valuation, &other.to_string()).await;
            }
            Fault::UnknownReference => {
                pace.until(PROMPT_SECONDS).await;
                let unknown = json!({
                    "valuationReference": Uuid::new_v4().to_string(),
                    "propertyValue": valuation.property_value(),
                });
                self.call_back(&valuation, &unknown.to_string()).await;
            }
            Fault::FailedResponse => {
                pace.until(PROMPT_SECONDS).await;
                let failed = json!({
                    "valuationReference": valuation.reference,
                    "failed": true,
                    "reason": "the property could not be found",
                });
                self.call_back(&valuation, &failed.to_string()).await;
            }
            Fault::MalformedCallback => {
                pace.until(PROMPT_SECONDS).await;
                let half = &answer[..answer.len() / 2];
                self.call_back(&valuation, half).await;
            }
            Fault::ForgedCallback => {
                pace.until(PROMPT_SECONDS).await;
                self.send(&valuation, &answer, SECRET_OF_A_FORGER).await;
            }
            Fault::SlowHeartbeats => self.heartbeats(&valuation, &mut pace, 3).await,
            Fault::SteadyHeartbeats => {
                self.heartbeats(&valuation, &mut pace, 4).await;
                pace.until(5 * HEARTBEAT_SECONDS).await;
                self.call_back(&valuation, &answer).await;
            }
        }
    }

    async fn heartbeats(&self, valuation: &Valuation, pace: &mut Pace<'_>, count: i64) {
        for beat in 1..=count {
            pace.until(beat * HEARTBEAT_SECONDS).await;
            let heartbeat = json!({
                "valuationReference": valuation.reference,
                "heartbeat": true,
            });
            self.call_back(valuation, &heartbeat.to_string()).await;
        }
    }

    /// Sends one callback, signed.
    async fn call_back(&self, valuation: &Valuation, body: &str) {
        self.send(valuation, body, SECRET).await;
    }

    /// Sends one callback, once: a service that tries again would hide what the scenarios are about.
    async fn send(&self, valuation: &Valuation, body: &str, secret: &str) {
        let at = self.0.clock.now();
        let (id, seconds) = (Uuid::new_v4().to_string(), (at.0 / 1000).to_string());
        let mut signer = Signer::default();
        signer
            .add(secret)
            .expect("the secrets of this file are secrets");
        let signature = signer.sign(&id, &seconds, body.as_bytes());
        let answer = self
            .0
            .client
            .send(
                Method::POST,
                &valuation.request.callback_url,
                &[
                    ("content-type", "application/json"),
                    ("webhook-id", &id),
                    ("webhook-timestamp", &seconds),
                    ("webhook-signature", &signature),
                ],
                Bytes::copy_from_slice(body.as_bytes()),
                CALLBACK_LIMIT,
            )
            .await;
        self.0.sent.lock().push(SentCallback {
            at: at.to_string(),
            valuation_reference: valuation.reference.clone(),
            name_or_number: valuation.request.property.name_or_number.clone(),
            body: body.to_owned(),
            answer: answer.map(|answer| answer.status.as_u16()),
        });
    }
}

/// Waits for moments counted from the request, and keeps virtual time standing between the waits.
struct Pace<'a> {
    clock: &'a Clock,
    requested_at: Timestamp,
    busy: Option<Busy>,
}

impl Pace<'_> {
    async fn until(&mut self, seconds: i64) {
        let busy = self.busy.take();
        let moment = self.requested_at.plus_seconds(seconds);
        // The sleeper is in place before time may move; else it could move past the moment.
        let (woken, ()) = tokio::join!(biased; self.clock.sleep_until(moment), async {
            drop(busy);
        });
        self.busy = Some(woken);
    }
}

impl Valuation {
    /// The service's answer.
    fn answer(&self) -> String {
        json!({
            "valuationReference": self.reference,
            "propertyValue": self.property_value(),
        })
        .to_string()
    }

    /// A value that the same address always gets.
    fn property_value(&self) -> u64 {
        let property = &self.request.property;
        let address = property
            .postcode
            .bytes()
            .chain(property.name_or_number.bytes());
        let sum: u64 = address.map(u64::from).sum();
        250_000 + sum % 500 * 1_000
    }
}

fn reply(status: StatusCode, body: &impl Serialize) -> Response<Full<Bytes>> {
    let body = serde_json::to_vec(body).unwrap_or_else(|_| Value::Null.to_string().into());
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    response.headers_mut().insert(
        hyper::header::CONTENT_TYPE,
        hyper::header::HeaderValue::from_static("application/json"),
    );
    response
}
