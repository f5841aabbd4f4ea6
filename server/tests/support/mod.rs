//! What the tests of functions and topics share.
#![allow(dead_code)] // each test file uses a part of it

pub mod whole;

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::io::Read as _;
use std::net::SocketAddr;
use std::sync::Arc;

use asl::Timestamp;
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{HeaderMap, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use server::client::Client;
use server::clock::Clock;
use server::functions::{FunctionConfig, Functions, Invoked};
use tokio::net::TcpListener;
use tokio::sync::mpsc;

/// 2026-01-02T03:04:05.678Z.
pub const NOW: Timestamp = Timestamp(1_767_323_045_678);

pub const ARN: &str = "arn:aws:lambda:eu-west-1:123456789012:function:f";

/// A program that does what it is told.
pub fn program(arguments: &[&str]) -> FunctionConfig {
    let path = env!("CARGO_BIN_EXE_function-for-tests");
    let command = [path].into_iter().chain(arguments.iter().copied());
    FunctionConfig {
        program: Some(command.map(str::to_owned).collect()),
        ..nothing()
    }
}

pub fn url(url: String) -> FunctionConfig {
    FunctionConfig {
        url: Some(url),
        ..nothing()
    }
}

pub fn nothing() -> FunctionConfig {
    FunctionConfig {
        program: None,
        url: None,
        environment: BTreeMap::new(),
        timeout_seconds: None,
        copies_max: None,
        memory_mib: None,
    }
}

/// Functions with one, called `f`.
pub fn functions(config: FunctionConfig, clock: &Clock) -> Result<Functions, String> {
    let configs = BTreeMap::from([("f".to_owned(), config)]);
    Functions::new(configs, "eu-west-1", clock.clone(), Client::new())
}

/// An answer's payload.
pub fn answer(invoked: Invoked) -> serde_json::Value {
    match invoked {
        Invoked::Answer { payload, .. } => serde_json::from_str(&payload).expect("JSON"),
        Invoked::Failed { error, cause } => panic!("{error}: {cause}"),
    }
}

/// A failure's error and cause.
pub fn failure(invoked: Invoked) -> (String, String) {
    match invoked {
        Invoked::Answer { payload, .. } => panic!("answered {payload}"),
        Invoked::Failed { error, cause } => (error, cause),
    }
}

/// A request that an [`Endpoint`] got.
#[derive(Debug)]
pub struct Received {
    pub path: String,
    pub headers: HeaderMap,
    pub body: String,
}

/// An HTTP server that answers as it is told and keeps what it got.
pub struct Endpoint {
    pub address: SocketAddr,
    pub received: mpsc::UnboundedReceiver<Received>,
}

fn unpacked(headers: &HeaderMap, body: &[u8]) -> String {
    let mut text = String::new();
    let read = match headers.get("content-encoding").map(|name| name.as_bytes()) {
        Some(b"gzip") => flate2::read::GzDecoder::new(body).read_to_string(&mut text),
        None => (&mut &body[..]).read_to_string(&mut text),
        Some(other) => panic!("{other:?}"),
    };
    read.expect("text");
    text
}

/// What an [`Endpoint`] answers; `None` never.
pub type Answers =
    dyn Fn(&str) -> Option<(u16, &'static [(&'static str, &'static str)], String)> + Send + Sync;

impl Endpoint {
    pub async fn start(answers: Arc<Answers>) -> Endpoint {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let (keep, received) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                stream.set_nodelay(true).expect("a TCP connection");
                let (answers, keep) = (answers.clone(), keep.clone());
                let service = service_fn(move |request: Request<Incoming>| {
                    let (answers, keep) = (answers.clone(), keep.clone());
                    async move {
                        let (head, body) = request.into_parts();
                        let body = body.collect().await.expect("a whole request").to_bytes();
                        let path = head.uri.path().to_owned();
                        let Some((status, headers, text)) = answers(&path) else {
                            return std::future::pending().await;
                        };
                        let _ = keep.send(Received {
                            path,
                            body: unpacked(&head.headers, &body),
                            headers: head.headers,
                        });
                        let mut response = Response::new(Full::new(Bytes::from(text)));
                        *response.status_mut() = StatusCode::from_u16(status).expect("a status");
                        for (name, value) in headers {
                            let value = value.parse().expect("a header");
                            response.headers_mut().insert(*name, value);
                        }
                        Ok::<_, Infallible>(response)
                    }
                });
                tokio::spawn(
                    hyper::server::conn::http1::Builder::new()
                        .serve_connection(TokioIo::new(stream), service),
                );
            }
        });
        Endpoint { address, received }
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }
}

/// A port on loopback that nothing listens on.
pub async fn closed_port() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    listener.local_addr().expect("an address")
}
