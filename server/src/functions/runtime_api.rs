//! The AWS Lambda Runtime API, version 2018-06-01, as one copy of a program sees it.
//!
//! | request | answer |
//! | --- | --- |
//! | `GET .../invocation/next` | the next invocation, whenever there is one |
//! | `POST .../invocation/ID/response` | 202; the answer |
//! | `POST .../invocation/ID/error` | 202; the function failed |
//! | `POST .../init/error` | 202; the program can't work at all |
//!
//! Each copy has a listener of its own on loopback, so which copy speaks needs no guessing, and a copy
//! that was given up speaks to nobody. Anybody on this machine who finds the port can speak to it, as
//! with AWS's own emulator of this interface.

use std::convert::Infallible;
use std::sync::Arc;

use asl::Timestamp;
use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use parking_lot::Mutex;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use uuid::Uuid;

use super::{ANSWER_BYTES_MAX, Invocation};
use crate::clock::Clock;
use crate::trace::Sent;

const PREFIX: &str = "/2018-06-01/runtime/";

/// What a copy says.
#[derive(Debug)]
pub enum Report {
    /// It took the invocation, and has until then.
    Taken(Timestamp),
    /// Its answer.
    Answered(Bytes),
    /// Its answer was too long to be taken.
    TooLarge,
    /// It failed; an error object.
    Failed(Bytes),
    /// It can't work at all; an error object.
    InitFailed(Bytes),
}

/// Where one copy fetches its work and brings the results.
pub struct Desk {
    /// What it is to do next. The lock is held by the one request that waits for it.
    invocations: tokio::sync::Mutex<mpsc::Receiver<Arc<Invocation>>>,
    /// The id of what it is doing.
    current: Mutex<Option<String>>,
    reports: mpsc::UnboundedSender<Report>,
    clock: Clock,
    timeout_seconds: u32,
}

impl Desk {
    /// A desk with the ends of its channels.
    pub fn new(
        invocations: mpsc::Receiver<Arc<Invocation>>,
        reports: mpsc::UnboundedSender<Report>,
        clock: Clock,
        timeout_seconds: u32,
    ) -> Desk {
        Desk {
            invocations: tokio::sync::Mutex::new(invocations),
            current: Mutex::new(None),
            reports,
            clock,
            timeout_seconds,
        }
    }

    /// Serves connections until the task that runs this is ended, which closes them too.
    pub async fn serve(self, listener: TcpListener) {
        let desk = Arc::new(self);
        let mut connections = JoinSet::new();
        while let Ok((stream, _)) = listener.accept().await {
            let _ = stream.set_nodelay(true);
            let desk = desk.clone();
            connections.spawn(async move {
                let service = service_fn(move |request| {
                    let desk = desk.clone();
                    async move { Ok::<_, Infallible>(desk.answer(request).await) }
                });
                // An error here is a program that went away; its end is noticed elsewhere.
                let _ = hyper::server::conn::http1::Builder::new()
                    .serve_connection(TokioIo::new(stream), service)
                    .await;
            });
            while connections.try_join_next().is_some() {}
        }
    }

    async fn answer(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let method = request.method().clone();
        let path = request.uri().path().to_owned();
        let parts: Vec<&str> = match path.strip_prefix(PREFIX) {
            Some(rest) => rest.split('/').collect(),
            None => Vec::new(),
        };
        match (&method, &*parts) {
            (&Method::GET, ["invocation", "next"]) => self.next().await,
            (&Method::POST, ["invocation", id, "response"]) => {
                if !self.finish(id) {
                    return wrong_id(id);
                }
                match whole(request).await {
                    Some(body) => self.report(Report::Answered(body)),
                    None => {
                        let _ = self.reports.send(Report::TooLarge);
                        too_large()
                    }
                }
            }
            (&Method::POST, ["invocation", id, "error"]) => {
                if !self.finish(id) {
                    return wrong_id(id);
                }
                self.report(Report::Failed(whole(request).await.unwrap_or_default()))
            }
            (&Method::POST, ["init", "error"]) => {
                self.report(Report::InitFailed(whole(request).await.unwrap_or_default()))
            }
            _ => said(
                StatusCode::NOT_FOUND,
                "InvalidRequest",
                "the Lambda Runtime API has no such path",
            ),
        }
    }

    async fn next(&self) -> Response<Full<Bytes>> {
        let Some(invocation) = self.invocations.lock().await.recv().await else {
            return said(
                StatusCode::INTERNAL_SERVER_ERROR,
                "Stopping",
                "the server stops",
            );
        };
        let deadline = self.clock.now().plus_seconds(self.timeout_seconds.into());
        *self.current.lock() = Some(invocation.request_id.clone());
        let _ = self.reports.send(Report::Taken(deadline));
        let mut response = Response::new(Full::new(invocation.payload.clone()));
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let said = [
            (
                "lambda-runtime-aws-request-id",
                invocation.request_id.clone(),
            ),
            ("lambda-runtime-deadline-ms", deadline.0.to_string()),
            (
                "lambda-runtime-invoked-function-arn",
                invocation.arn.clone(),
            ),
            (
                "lambda-runtime-trace-id",
                trace_id(invocation.trace.as_deref(), self.clock.now()),
            ),
        ];
        for (name, value) in said {
            // An ARN comes from a definition and may hold anything; one that is no header is left out.
            if let Ok(value) = HeaderValue::try_from(value) {
                headers.insert(name, value);
            }
        }
        response
    }

    /// Whether `id` is what the copy is doing; from now on it does nothing.
    fn finish(&self, id: &str) -> bool {
        let mut current = self.current.lock();
        let matches = current.as_deref() == Some(id);
        if matches {
            *current = None;
        }
        matches
    }

    fn report(&self, report: Report) -> Response<Full<Bytes>> {
        let _ = self.reports.send(report);
        let mut response = Response::new(Full::new(Bytes::from_static(b"{\"status\":\"OK\"}\n")));
        *response.status_mut() = StatusCode::ACCEPTED;
        let json = HeaderValue::from_static("application/json");
        response.headers_mut().insert(CONTENT_TYPE, json);
        response
    }
}

/// The body, unless it is too long or was cut off.
async fn whole(request: Request<Incoming>) -> Option<Bytes> {
    let body = Limited::new(request.into_body(), ANSWER_BYTES_MAX);
    Some(body.collect().await.ok()?.to_bytes())
}

fn wrong_id(id: &str) -> Response<Full<Bytes>> {
    said(
        StatusCode::BAD_REQUEST,
        "InvalidRequestID",
        &format!("this copy is not working on the invocation {id}"),
    )
}

fn too_large() -> Response<Full<Bytes>> {
    said(
        StatusCode::PAYLOAD_TOO_LARGE,
        "RequestEntityTooLarge",
        &format!("Exceeded maximum allowed payload size ({ANSWER_BYTES_MAX} bytes)."),
    )
}

fn said(status: StatusCode, error: &str, message: &str) -> Response<Full<Bytes>> {
    let body = serde_json::json!({ "errorMessage": message, "errorType": error });
    let mut response = Response::new(Full::new(Bytes::from(body.to_string())));
    *response.status_mut() = status;
    let json = HeaderValue::from_static("application/json");
    response.headers_mut().insert(CONTENT_TYPE, json);
    response
}

/// In X-Ray's form, and not sampled: nobody collects it.
pub fn trace_id(sent: Option<&Sent>, now: Timestamp) -> String {
    if let Some(sent) = sent {
        return sent.x_ray().to_owned();
    }
    let random = Uuid::new_v4().simple().to_string();
    let parent = Uuid::new_v4().simple().to_string();
    format!(
        "Root=1-{:08x}-{};Parent={};Sampled=0",
        (now.0 / 1000) as u32,
        &random[..24],
        &parent[..16]
    )
}
