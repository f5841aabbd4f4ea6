//! What a fuzzer calls for the bodies of API requests: whole conversations with a server in memory.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use asl::Timestamp;
use hyper::{HeaderMap, Method};
use server::app::{App, Place, Settings};
use server::clock::Clock;
use server::http::Call;

/// So many requests of an input are sent.
const REQUESTS_MAX: usize = 24;
/// Each line is a request: the operation, a blank, the body. `TOKEN` in a body stands for the task token that
/// was answered last.
pub fn api(data: &[u8]) {
    // On a paused clock a long poll ends as soon as nobody has anything else to do.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build();
    let runtime = runtime.expect("a runtime can be built");
    runtime.block_on(converse(data));
    runtime.shutdown_background();
}

async fn converse(data: &[u8]) {
    let app = server().await;
    let mut token = Vec::new();
    for line in data.split(|byte| *byte == b'\n').take(REQUESTS_MAX) {
        let blank = line.iter().position(|byte| *byte == b' ');
        let (operation, body) = line.split_at(blank.unwrap_or(line.len()));
        let body = with_token(body.trim_ascii_start(), &token);
        let Some(call) = call(&app, operation, body) else {
            continue;
        };
        let reply = server::api::handle(&app, call).await;
        let answer: serde_json::Value =
            serde_json::from_slice(&reply.body).expect("an answer is JSON");
        assert!(answer.is_object());
        // A server that is at fault has a fault.
        assert!(!reply.status.is_server_error(), "{answer}");
        if let Some(given) = answer["taskToken"].as_str() {
            token = given.as_bytes().to_vec();
        }
    }
}

async fn server() -> App {
    let clock = Clock::standing_at(Timestamp(1_700_000_000_123));
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
        address: SocketAddr::from(([127, 0, 0, 1], 1)),
        stuck_waits: Default::default(),
        environment: Default::default(),
    };
    let (app, _) = App::open(settings).await.expect("a store in memory opens");
    app
}

fn call(app: &App, operation: &[u8], body: Vec<u8>) -> Option<Call> {
    let mut headers = HeaderMap::new();
    let target = [b"AWSStepFunctions.", operation].concat();
    headers.insert(
        "x-amz-target",
        hyper::header::HeaderValue::from_bytes(&target).ok()?,
    );
    headers.insert(
        hyper::header::CONTENT_TYPE,
        hyper::header::HeaderValue::from_static("application/x-amz-json-1.0"),
    );
    Some(Call {
        method: Method::POST,
        path: "/".to_owned(),
        query: String::new(),
        headers,
        body: body.into(),
        peer: SocketAddr::from(([127, 0, 0, 1], 1)),
        busy: app.clock.busy(),
    })
}

fn with_token(body: &[u8], token: &[u8]) -> Vec<u8> {
    const NAME: &[u8] = b"TOKEN";
    match body.windows(NAME.len()).position(|window| window == NAME) {
        Some(at) => [&body[..at], token, &body[at + NAME.len()..]].concat(),
        None => body.to_vec(),
    }
}
