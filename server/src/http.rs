//! HTTP, learned at the door: a request that was read whole, and an answer.
//!
//! HTTP/1.1 and HTTP/2 (with prior knowledge) on the same port, told apart by how a connection begins.
//! Bodies may be compressed with gzip; what reads them sees them unpacked.

use std::convert::Infallible;
use std::io::Read;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use flate2::read::MultiGzDecoder;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderValue};
use hyper::service::service_fn;
use hyper::{HeaderMap, Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use tokio::net::{TcpListener, TcpStream};

use crate::app::App;
use crate::clock::Busy;
use crate::crowd::{Crowd, Guest};
use crate::routes;

/// A request whose body has not come in this time is answered that it is too slow.
const BODY_PATIENCE: Duration = Duration::from_secs(120);

/// Says on every answer that the server goes by a virtual clock, and what time it is; not there on the real one.
const CLOCK: &str = "rejoin-clock";

/// How many requests may be open on one HTTP/2 connection. A worker's long polls stay open for a minute
/// each, so there are more than the usual hundred.
const STREAMS_MAX: u32 = 2000;

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
    let crowd = Crowd::new();
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => {
                let guest = crowd.enter();
                tokio::spawn(connection(app.clone(), stream, peer, guest));
            }
            Err(error) => {
                // Out of descriptors, as a rule: those in use come back, so wait a moment.
                crate::log::say!("a connection could not be accepted: {error}");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
}

async fn connection(app: App, stream: TcpStream, peer: SocketAddr, guest: Guest) {
    let _ = stream.set_nodelay(true);
    let spoke = Arc::new(AtomicBool::new(false));
    let heard = spoke.clone();
    let service = service_fn(move |request| {
        heard.store(true, Ordering::Relaxed);
        let app = app.clone();
        async move { Ok::<_, Infallible>(answer(app, request, peer).await) }
    });
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(guest.patience);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS_MAX);
    let serving = builder.serve_connection(TokioIo::new(stream), service);
    let mut serving = std::pin::pin!(serving);
    // An error here is a client that went away or does not speak HTTP; there is nobody to tell. Until a
    // connection has said which HTTP it speaks, hyper's own patience does not run yet.
    let first = tokio::time::timeout(guest.patience, serving.as_mut()).await;
    if first.is_err() && spoke.load(Ordering::Relaxed) {
        let _ = serving.await;
    }
}

async fn answer(app: App, request: Request<Incoming>, peer: SocketAddr) -> Response<Full<Bytes>> {
    let (head, body) = request.into_parts();
    let mut arrived = Arrived::default();
    let reading = read(&head.headers, body, app.quotas.body_bytes(), &mut arrived);
    let read = tokio::time::timeout(BODY_PATIENCE, reading).await;
    let (body, unreadable) = match read.unwrap_or(Err(Unreadable::Slow)) {
        Ok(body) => (body, None),
        Err(why) => (arrived.whole(), Some(why)),
    };
    // Only now: a client that drips is not to keep virtual time standing.
    let busy = app.clock.busy();
    let call = Call {
        method: head.method,
        path: head.uri.path().to_owned(),
        query: head.uri.query().unwrap_or_default().to_owned(),
        headers: head.headers,
        body,
        peer,
        busy,
    };
    let clock = app.clock.clone();
    let reply = match unreadable {
        None => routes::answer(app, call).await,
        Some(why) => routes::unreadable(&app, &call, why).await,
    };
    let mut response = Response::new(Full::new(reply.body));
    *response.status_mut() = reply.status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(reply.content_type));
    if clock.is_virtual() {
        let now = format!("virtual; now={}", clock.now());
        let value = HeaderValue::from_maybe_shared(Bytes::from(now));
        headers.insert(CLOCK, value.expect("a time is plain text"));
    }
    for (name, value) in reply.headers {
        match HeaderValue::from_maybe_shared(Bytes::from(value)) {
            Ok(value) => drop(headers.insert(name, value)),
            Err(_) => debug_assert!(false, "the header {name} has a value that can't be sent"),
        }
    }
    response
}

/// Why a request's body is not to be had.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unreadable {
    /// It has, or unpacks to, more bytes than this.
    TooLarge(usize),
    /// It is said to be gzip and is not.
    NotGzip,
    /// Its `Content-Encoding` is none that is known here.
    Encoding,
    /// The client went away in the middle of it.
    Cut,
    /// It did not come in time.
    Slow,
}

impl Unreadable {
    /// The status that says so.
    pub fn status(self) -> StatusCode {
        match self {
            Unreadable::TooLarge(_) => StatusCode::PAYLOAD_TOO_LARGE,
            Unreadable::Encoding => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Unreadable::NotGzip | Unreadable::Cut => StatusCode::BAD_REQUEST,
            Unreadable::Slow => StatusCode::REQUEST_TIMEOUT,
        }
    }
}

impl std::fmt::Display for Unreadable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Unreadable::TooLarge(most) => write!(
                f,
                "the request's body has, or unpacks to, more than {most} bytes"
            ),
            Unreadable::NotGzip => {
                f.write_str("the request says Content-Encoding: gzip, and its body is not gzip")
            }
            Unreadable::Encoding => {
                f.write_str("the request's Content-Encoding is not gzip or identity")
            }
            Unreadable::Cut => f.write_str("the request's body ended too early"),
            Unreadable::Slow => write!(
                f,
                "the request's body took more than {} s",
                BODY_PATIENCE.as_secs()
            ),
        }
    }
}

/// What has come of a body so far.
#[derive(Default)]
struct Arrived {
    /// All of it; most bodies are one piece, which is not copied.
    whole: Bytes,
    /// All of it if there were several: a piece of one byte, kept as a piece, would take forty.
    joined: BytesMut,
}

impl Arrived {
    fn add(&mut self, piece: Bytes) {
        match (self.whole.is_empty(), self.joined.is_empty()) {
            (true, true) => self.whole = piece,
            (_, first) => {
                if first {
                    self.joined
                        .extend_from_slice(&std::mem::take(&mut self.whole));
                }
                self.joined.extend_from_slice(&piece);
            }
        }
    }

    /// All of it in one piece.
    fn whole(&mut self) -> Bytes {
        if !self.joined.is_empty() {
            self.whole = self.joined.split().freeze();
        }
        self.whole.clone()
    }
}

/// The whole body, unpacked. If it is not to be had, `arrived` has what came of it.
async fn read(
    headers: &HeaderMap,
    mut body: Incoming,
    most: usize,
    arrived: &mut Arrived,
) -> Result<Bytes, Unreadable> {
    let mut left = most;
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(|_| Unreadable::Cut)?.into_data() else {
            continue;
        };
        left = left
            .checked_sub(data.len())
            .ok_or(Unreadable::TooLarge(most))?;
        arrived.add(data);
    }
    let sent = arrived.whole();
    match headers.get(CONTENT_ENCODING).map(HeaderValue::as_bytes) {
        None | Some(b"") => Ok(sent),
        Some(name) if name.eq_ignore_ascii_case(b"identity") => Ok(sent),
        Some(name) if name.eq_ignore_ascii_case(b"gzip") => unpack(&sent, most),
        Some(_) => Err(Unreadable::Encoding),
    }
}

/// What was compressed. Some bytes may unpack to a thousand times as many, so no more is unpacked than may
/// be sent plain.
fn unpack(packed: &[u8], most: usize) -> Result<Bytes, Unreadable> {
    let mut plain = Vec::with_capacity(packed.len().saturating_mul(4).min(most));
    MultiGzDecoder::new(packed)
        .take(most as u64 + 1)
        .read_to_end(&mut plain)
        .map_err(|_| Unreadable::NotGzip)?;
    match plain.len() > most {
        true => Err(Unreadable::TooLarge(most)),
        false => Ok(plain.into()),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    #[test]
    fn a_body_is_whole_in_however_many_pieces_it_came() {
        for pieces in [&[][..], &["one"], &["", "one"], &["o", "", "n", "e"]] {
            let mut arrived = Arrived::default();
            pieces.iter().for_each(|piece| arrived.add((*piece).into()));
            let whole = pieces.concat();
            assert_eq!(arrived.whole(), whole, "{pieces:?}");
            assert_eq!(arrived.whole(), whole, "and again");
        }
    }

    fn packed(plain: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(plain).expect("memory takes all");
        encoder.finish().expect("memory takes all")
    }

    #[test]
    fn gzip_is_unpacked_as_far_as_a_body_may_go() {
        let most = 1_000_000;
        assert_eq!(unpack(&packed(b"{}"), most).as_deref(), Ok(&b"{}"[..]));
        let largest = packed(&vec![b' '; most]);
        assert_eq!(unpack(&largest, most).map(|plain| plain.len()), Ok(most));
        let bomb = packed(&vec![0; 10 * most]);
        assert!(bomb.len() < most, "it fits when packed");
        assert_eq!(unpack(&bomb, most), Err(Unreadable::TooLarge(most)));
        let mut cut = packed(b"a longer text than that");
        cut.truncate(cut.len() - 9);
        assert_eq!(unpack(&cut, most), Err(Unreadable::NotGzip));
        assert_eq!(unpack(b"{}", most), Err(Unreadable::NotGzip));
    }
}
