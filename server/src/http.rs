//! HTTP, learned at the door: a request that was read whole, and an answer.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::service::service_fn;
use hyper::{HeaderMap, Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};

use crate::app::App;
use crate::clock::Busy;
use crate::routes;

/// Larger requests are refused unread. The largest that is meant to be: a `CreateStateMachine` with a
/// definition of 1 MiB, escaped; a function's answer has a limit of its own.
const BODY_BYTES_MAX: usize = 8 * 1024 * 1024;

/// A connection that has not sent a whole request head in this time is closed.
const HEAD_PATIENCE: Duration = Duration::from_secs(60);

/// A request, its body read.
#[derive(Debug)]
pub struct Call {
    /// Its method.
    pub method: Method,
    /// The path without the query, as sent.
    pub path: String,
    /// The query without the question mark.
    pub query: String,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body.
    pub body: Bytes,
    /// Who sent it.
    pub peer: SocketAddr,
    /// Keeps virtual time standing; a handler that waits for something drops it first.
    pub busy: Busy,
}

impl Call {
    /// A header's text, if it is there and is text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// A query parameter, percent-decoded.
    pub fn parameter(&self, name: &str) -> Option<String> {
        self.query.split('&').find_map(|pair| {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            (key == name).then(|| percent_decode(&value.replace('+', " ")))
        })
    }
}

/// Text with its `%XX` read; what is not an escape stays as it is.
pub fn percent_decode(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let escape = (bytes[at] == b'%')
            .then(|| text.get(at + 1..at + 3))
            .flatten()
            .and_then(|hex| u8::from_str_radix(hex, 16).ok());
        decoded.push(escape.unwrap_or(bytes[at]));
        at += if escape.is_some() { 3 } else { 1 };
    }
    String::from_utf8_lossy(&decoded).into_owned()
}

/// An answer.
#[derive(Debug)]
pub struct Reply {
    /// Its status.
    pub status: StatusCode,
    /// `Content-Type`.
    pub content_type: &'static str,
    /// Further headers.
    pub headers: Vec<(&'static str, String)>,
    /// Its body.
    pub body: Bytes,
}

impl Reply {
    /// A JSON answer.
    pub fn json(status: StatusCode, body: &impl serde::Serialize) -> Reply {
        let body = serde_json::to_vec(body).expect("an answer can always be written as JSON");
        Reply {
            status,
            content_type: "application/json",
            headers: Vec::new(),
            body: body.into(),
        }
    }

    /// A refusal on Rejoin's own paths: what was wrong, and what to do.
    pub fn refusal(
        status: StatusCode,
        error: &str,
        message: impl Into<String>,
        hint: &str,
    ) -> Reply {
        Reply::json(
            status,
            &serde_json::json!({ "error": error, "message": message.into(), "hint": hint }),
        )
    }
}

/// Accepts connections until the task that runs this is ended.
pub async fn serve(app: App, listener: TcpListener) {
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => drop(tokio::spawn(connection(app.clone(), stream, peer))),
            Err(error) => {
                // Out of descriptors, as a rule: those in use come back, so wait a moment.
                eprintln!("rejoin: a connection could not be accepted: {error}");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
}

async fn connection(app: App, stream: TcpStream, peer: SocketAddr) {
    let _ = stream.set_nodelay(true);
    let service = service_fn(move |request| {
        let app = app.clone();
        async move { Ok::<_, Infallible>(answer(app, request, peer).await) }
    });
    // An error here is a client that went away or does not speak HTTP; there is nobody to tell.
    let _ = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_PATIENCE)
        .serve_connection(TokioIo::new(stream), service)
        .await;
}

async fn answer(app: App, request: Request<Incoming>, peer: SocketAddr) -> Response<Full<Bytes>> {
    let busy = app.clock.busy();
    let (head, body) = request.into_parts();
    let reply = match Limited::new(body, BODY_BYTES_MAX).collect().await {
        Ok(body) => {
            let call = Call {
                method: head.method,
                path: head.uri.path().to_owned(),
                query: head.uri.query().unwrap_or_default().to_owned(),
                headers: head.headers,
                body: body.to_bytes(),
                peer,
                busy,
            };
            routes::answer(app, call).await
        }
        Err(_) => Reply::refusal(
            StatusCode::PAYLOAD_TOO_LARGE,
            "BodyTooLarge",
            format!(
                "the request's body could not be read, or has more than {BODY_BYTES_MAX} bytes"
            ),
            "send less",
        ),
    };
    let mut response = Response::new(Full::new(reply.body));
    *response.status_mut() = reply.status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(reply.content_type));
    for (name, value) in reply.headers {
        match HeaderValue::from_maybe_shared(Bytes::from(value)) {
            Ok(value) => drop(headers.insert(name, value)),
            Err(_) => debug_assert!(false, "the header {name} has a value that can't be sent"),
        }
    }
    response
}
