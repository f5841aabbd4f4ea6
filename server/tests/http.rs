//! The server's port, spoken to over real connections: both HTTPs, packed and chunked bodies.

use std::collections::BTreeMap;
use std::io::Write;
use std::net::SocketAddr;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use http_body_util::{BodyExt, Full};
use hyper::{HeaderMap, Request, StatusCode, Version};
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::Value;
use server::app::{App, Place, Settings};
use server::clock::Clock;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

const TARGET: &str = "AWSStepFunctions.ListStateMachines";

async fn server() -> SocketAddr {
    server_on(Clock::real()).await
}

async fn server_on(clock: Clock) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let settings = Settings {
        place: Place {
            region: "us-east-1".to_owned(),
            account: "123456789012".to_owned(),
        },
        clock,
        directory: None,
        retention_days: 90,
        quotas: Default::default(),
        functions: BTreeMap::new(),
        topics: BTreeMap::new(),
        routes: Vec::new(),
        alerts: Default::default(),
        status_changes: Vec::new(),
        address,
        stuck_waits: Default::default(),
        environment: Default::default(),
    };
    let (app, _) = App::open(settings).await.expect("the store opens");
    tokio::spawn(server::http::serve(app, listener));
    address
}

/// Sends bytes and reads until the server closes the connection or `enough` answers have come.
async fn talk(address: SocketAddr, sent: &[u8], enough: usize) -> String {
    let mut stream = TcpStream::connect(address).await.expect("it listens");
    stream.write_all(sent).await.expect("it is read");
    let mut heard = String::new();
    while heard.matches("HTTP/1.1 ").count() < enough || !heard.ends_with('}') {
        let mut buffer = vec![0; 4096];
        let count = stream.read(&mut buffer).await.expect("it answers");
        assert_ne!(count, 0, "closed after {heard}");
        heard.push_str(std::str::from_utf8(&buffer[..count]).expect("an answer is text"));
    }
    heard
}

fn gzip(text: &str) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder
        .write_all(text.as_bytes())
        .expect("memory takes all");
    encoder.finish().expect("memory takes all")
}

/// Over HTTP/2, with prior knowledge.
async fn post(
    address: SocketAddr,
    headers: &[(&str, &str)],
    body: impl Into<Bytes>,
) -> (StatusCode, HeaderMap, Value) {
    let stream = TcpStream::connect(address).await.expect("it listens");
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream))
            .await
            .expect("it speaks HTTP/2");
    tokio::spawn(connection);
    let mut request = Request::post(format!("http://{address}/"));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(Full::new(body.into())).expect("a request");
    let answer = sender.send_request(request).await.expect("an answer");
    assert_eq!(answer.version(), Version::HTTP_2);
    let (head, body) = answer.into_parts();
    let body = body.collect().await.expect("a whole answer").to_bytes();
    let body = serde_json::from_slice(&body).expect("an answer is JSON");
    (head.status, head.headers, body)
}

#[tokio::test]
async fn http_2_is_spoken_on_the_same_port() {
    let address = server().await;
    let headers = [
        ("x-amz-target", TARGET),
        ("content-type", "application/x-amz-json-1.0"),
    ];
    let (status, headers, body) = post(address, &headers, "{}").await;
    assert_eq!(
        (status, body),
        (StatusCode::OK, serde_json::json!({"stateMachines": []}))
    );
    assert_eq!(headers["content-type"], "application/x-amz-json-1.0");
    assert_eq!(headers["x-amzn-requestid"].len(), 36);
}

#[tokio::test]
async fn a_connection_is_kept_and_bodies_may_be_chunked() {
    let head = format!("POST / HTTP/1.1\r\nHost: h\r\nX-Amz-Target: {TARGET}\r\n");
    let chunked =
        format!("{head}Transfer-Encoding: chunked\r\n\r\n1\r\n{{\r\n1\r\n}}\r\n0\r\n\r\n");
    let plain = format!("{head}Content-Length: 2\r\n\r\n{{}}");
    let sent = format!("{chunked}{plain}{chunked}");
    let heard = talk(server().await, sent.as_bytes(), 3).await;
    assert_eq!(
        heard.matches(r#"{"stateMachines":[]}"#).count(),
        3,
        "{heard}"
    );
    assert_eq!(heard.matches("x-amzn-requestid: ").count(), 3);
}

#[tokio::test]
async fn a_packed_body_is_unpacked() {
    let address = server().await;
    let headers = [("x-amz-target", TARGET), ("content-encoding", "gzip")];
    let (status, _, body) = post(address, &headers, gzip(r#"{"maxResults": 5000}"#)).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert_eq!(body["__type"], "ValidationException", "{body}");
    let (status, _, body) = post(address, &headers, r#"{"maxResults": 5}"#).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert_eq!(body["__type"], "SerializationException");
    let headers = [("x-amz-target", TARGET), ("content-encoding", "br")];
    let (status, _, _) = post(address, &headers, "{}").await;
    assert_eq!(status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
}

#[tokio::test]
async fn a_body_that_is_too_large_is_refused_plain_or_packed() {
    let address = server().await;
    let large = " ".repeat(9 * 1024 * 1024);
    for (encoding, body) in [("gzip", gzip(&large)), ("identity", large.into_bytes())] {
        let headers = [("x-amz-target", TARGET), ("content-encoding", encoding)];
        let (status, _, body) = post(address, &headers, body).await;
        assert_eq!(status, StatusCode::PAYLOAD_TOO_LARGE, "{encoding}");
        assert_eq!(body["__type"], "RequestEntityTooLargeException");
    }
}

#[tokio::test]
async fn another_protocol_is_an_unknown_operation() {
    let address = server().await;
    for kind in [
        "application/cbor",
        "application/x-www-form-urlencoded",
        "application/x-amz-json-1.1",
    ] {
        let headers = [("x-amz-target", TARGET), ("content-type", kind)];
        let (status, _, body) = post(address, &headers, "{}").await;
        assert_eq!(status, StatusCode::NOT_FOUND);
        assert_eq!(body["__type"], "UnknownOperationException");
    }
    let headers = [
        ("x-amz-target", TARGET),
        ("content-type", "application/json; charset=utf-8"),
    ];
    assert_eq!(post(address, &headers, "{}").await.0, StatusCode::OK);
}

/// Whoever takes it for a server that runs in real time can see on any answer that it is none.
#[tokio::test]
async fn a_virtual_clock_is_said_on_every_answer() {
    let told = "rejoin-clock: virtual; now=2023-11-14T22:13:20.000Z";
    let clocks = [
        (Clock::standing_at(asl::Timestamp(1_700_000_000_000)), true),
        (Clock::real(), false),
    ];
    for (clock, is_virtual) in clocks {
        let address = server_on(clock).await;
        for path in ["/health", "/nowhere"] {
            let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n");
            let heard = talk(address, request.as_bytes(), 1).await;
            assert_eq!(heard.contains(told), is_virtual, "{heard}");
        }
    }
}
