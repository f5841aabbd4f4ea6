//! HTTP, learned at the door: a request that was read whole, and an answer.

use bytes::Bytes;
use hyper::{HeaderMap, Method, StatusCode};

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
    pub peer: std::net::SocketAddr,
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
}
