//! Callbacks as they should not come, through a socket, to a whole server: each is in the inbox with what is
//! wrong with it, is told to the topic, and changes nothing for those that come as they should.
//!
//! Those that are bad in what they say, or come at a bad moment, are in the gateway's own tests:
//!
//! | what | `server/src/gateway/...` |
//! | --- | --- |
//! | forged, expired, replayed, in every disposition | `tests/verified.rs` |
//! | another content type, not JSON, too large for its route | `tests/mapped.rs`, `tests.rs` |
//! | early for a reference that never comes, registered after it expired | `tests.rs` |
//! | while the engine is down, and a crash at each step | `tests.rs` |
//! | on a full disk | `tests/disk.rs` |
//! | more than its source may send | `tests/limited.rs` |
//! | by another method | `tests.rs`, `tests/verified.rs` |

use std::net::SocketAddr;
use std::time::Duration;

use asl::Timestamp;
use hyper::{HeaderMap, Method};
use serde_json::{Value, json};
use server::alerts::AlertsConfig;
use server::app::{App, Place, Settings};
use server::clock::Clock;
use server::http::Call;
use server::routes;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

const START: Timestamp = Timestamp(1_700_000_000_000);
/// More than anything here takes, in real time.
const LIMIT: Duration = Duration::from_secs(60);

struct Server {
    app: App,
    address: SocketAddr,
}

impl Server {
    async fn new() -> Server {
        let listener = TcpListener::bind(("127.0.0.1", 0))
            .await
            .expect("there are ports");
        let address = listener.local_addr().expect("it listens");
        let route = json!({
            "name": "valuation",
            "path": "/callbacks/valuation",
            "reference": "$.ref",
            "topic": "errors",
        });
        let settings = Settings {
            place: Place {
                region: "us-east-1".to_owned(),
                account: "123456789012".to_owned(),
            },
            clock: Clock::standing_at(START),
            directory: None,
            retention_days: 90,
            quotas: Default::default(),
            functions: Default::default(),
            topics: [("errors".to_owned(), Default::default())].into(),
            routes: vec![serde_json::from_value(route).expect("a route")],
            // Each one by itself, so that a delivery finds its own.
            status_changes: Vec::new(),
            alerts: AlertsConfig {
                window_seconds: 0,
                ..AlertsConfig::default()
            },
            address,
            stuck_waits: Default::default(),
            environment: Default::default(),
        };
        let (app, _) = App::open(settings).await.expect("the server opens");
        tokio::spawn(server::http::serve(app.clone(), listener));
        Server { app, address }
    }

    async fn ask(&self, method: Method, path: &str, target: Option<&str>, body: Value) -> Value {
        let mut headers = HeaderMap::new();
        if let Some(operation) = target {
            let target = format!("AWSStepFunctions.{operation}");
            headers.insert("x-amz-target", target.parse().expect("a header"));
        }
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let call = Call {
            method,
            path: path.to_owned(),
            query: query.to_owned(),
            headers,
            body: body.to_string().into(),
            peer: ([127, 0, 0, 1], 4000).into(),
            busy: self.app.clock.busy(),
        };
        let reply = routes::answer(self.app.clone(), call).await;
        let said = serde_json::from_slice(&reply.body).expect("JSON");
        assert!(reply.status.is_success(), "{path}: {said}");
        said
    }

    async fn operation(&self, operation: &str, request: Value) -> Value {
        self.ask(Method::POST, "/", Some(operation), request).await
    }

    /// Parks an execution on an activity under a reference; gives its ARN.
    async fn park(&self, reference: &str) -> String {
        let activity = self.operation("CreateActivity", json!({ "name": "value" }));
        let activity = activity.await["activityArn"].clone();
        let definition = json!({
            "StartAt": "Wait",
            "States": { "Wait": { "Type": "Task", "Resource": activity, "End": true } },
        });
        let machine = json!({
            "name": "Parked",
            "definition": definition.to_string(),
            "roleArn": "arn:aws:iam::123456789012:role/parked",
        });
        let machine = self.operation("CreateStateMachine", machine).await;
        let start = json!({ "stateMachineArn": machine["stateMachineArn"] });
        let execution = self.operation("StartExecution", start).await;
        let fetch = json!({ "activityArn": activity });
        let task = self.operation("GetActivityTask", fetch).await;
        let path = format!("/rejoin/references/valuation/{reference}");
        let body = json!({ "taskToken": task["taskToken"] });
        self.ask(Method::PUT, &path, None, body).await;
        let arn = execution["executionArn"].as_str();
        arn.expect("an ARN").to_owned()
    }

    async fn status(&self, execution: &str) -> Value {
        let request = json!({ "executionArn": execution });
        self.operation("DescribeExecution", request).await["status"].clone()
    }

    /// The only delivery there is, in full, once it is there.
    async fn only_delivery(&self) -> Value {
        let found = tokio::time::timeout(LIMIT, async {
            loop {
                let said = self.ask(Method::GET, "/rejoin/deliveries", None, Value::Null);
                let said = said.await;
                if let [only] = said["deliveries"].as_array().expect("a list").as_slice() {
                    let path = format!("/rejoin/deliveries/{}", only["id"].as_str().expect("text"));
                    return self.ask(Method::GET, &path, None, Value::Null).await;
                }
                tokio::task::yield_now().await;
            }
        });
        found.await.expect("it comes to the inbox")
    }

    /// What the topic heard.
    async fn alerts(&self) -> Vec<Value> {
        // What was raised is published as soon as somebody has looked at it.
        drop(self.app.clock.advance(self.app.clock.now()).await);
        let page = self.app.topics.messages("errors", 100, None).await;
        let page = page.expect("the store reads").expect("it is there");
        page.messages.into_iter().map(|m| m.message).collect()
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.expect("it listens")
    }

    /// Sends all and reads the answer: its status, and its body as JSON.
    async fn exchange(&self, request: &[u8]) -> (u16, Value) {
        let mut stream = self.connect().await;
        // One that refuses a body need not read all of it.
        let _ = stream.write_all(request).await;
        answer(stream).await
    }
}

async fn answer(mut stream: TcpStream) -> (u16, Value) {
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    let answer = String::from_utf8(answer).expect("an answer is text");
    let (head, body) = answer.split_once("\r\n\r\n").expect("an answer has a head");
    let status = head
        .split(' ')
        .nth(1)
        .and_then(|status| status.parse().ok());
    let body = serde_json::from_str(body).expect("an answer is JSON");
    (status.expect("an answer has a status"), body)
}

fn head(length: usize, more: &str) -> String {
    format!(
        "POST /callbacks/valuation HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n{more}\r\n"
    )
}

const BODY: &str = r#"{"ref": "r1", "propertyValue": 250000}"#;
const PART: &str = r#"{"ref": "r1", "prop"#;

/// That nothing of a bad one was believed, that it was told, and that the good one after it counts.
async fn nothing_came_of_it(server: &Server, execution: &str, bad: &Value) {
    for absent in ["reference", "verifiedBy", "executionArn"] {
        assert_eq!(bad[absent], Value::Null, "{absent}: {bad}");
    }
    let alerts = server.alerts().await;
    let told = alerts.iter().any(|alert| alert["deliveryId"] == bad["id"]);
    assert!(told, "{alerts:?}");
    assert_eq!(server.status(execution).await, "RUNNING");
    let (status, said) = server
        .exchange((head(BODY.len(), "") + BODY).as_bytes())
        .await;
    assert_eq!((status, &said["disposition"]), (200, &json!("delivered")));
    assert_eq!(server.status(execution).await, "SUCCEEDED");
}

#[tokio::test]
async fn one_that_breaks_off_is_kept_as_far_as_it_came() {
    for abruptly in [false, true] {
        let server = Server::new().await;
        let execution = server.park("r1").await;
        let mut stream = server.connect().await;
        let sent = head(BODY.len(), "") + PART;
        stream.write_all(sent.as_bytes()).await.expect("it reads");
        if abruptly {
            // The connection is reset, and what was sent last may be lost with it.
            stream.set_zero_linger().expect("the socket takes it");
        }
        drop(stream);
        let bad = server.only_delivery().await;
        assert_eq!(bad["disposition"], "malformed", "{bad}");
        let body = bad["body"].as_str().expect("text");
        assert!(PART.starts_with(body), "{bad}");
        assert!(abruptly || body == PART, "{bad}");
        let note = bad["note"].as_str().expect("a note");
        let came = format!(
            "ended too early; {} of {} bytes came",
            body.len(),
            BODY.len()
        );
        assert!(note.contains(&came), "{note}");
        nothing_came_of_it(&server, &execution, &bad).await;
    }
}

#[tokio::test]
async fn one_that_drips_is_given_up_and_kept() {
    let server = Server::new().await;
    let execution = server.park("r1").await;
    let mut stream = server.connect().await;
    let sent = head(BODY.len(), "") + PART;
    stream.write_all(sent.as_bytes()).await.expect("it reads");
    // From here on real time goes to the next timer whenever nobody has anything to do.
    tokio::time::pause();
    let (status, said) = answer(stream).await;
    tokio::time::resume();
    assert_eq!((status, &said["disposition"]), (408, &json!("malformed")));
    let bad = server.only_delivery().await;
    let note = bad["note"].as_str().expect("a note");
    assert!(note.contains("took more than 120 s"), "{note}");
    assert!(
        PART.starts_with(bad["body"].as_str().expect("text")),
        "{bad}"
    );
    nothing_came_of_it(&server, &execution, &bad).await;
}

#[tokio::test]
async fn one_that_is_larger_than_any_request_may_be_is_kept_in_its_beginning() {
    let server = Server::new().await;
    let execution = server.park("r1").await;
    let huge = vec![b'x'; 16 * 1024 * 1024];
    let request = [head(huge.len(), "").as_bytes(), &huge].concat();
    let (status, said) = server.exchange(&request).await;
    assert_eq!((status, &said["disposition"]), (413, &json!("too-large")));
    let bad = server.only_delivery().await;
    assert_eq!(
        bad["body"].as_str().map(str::len),
        Some(8 * 1024),
        "of a stranger"
    );
    nothing_came_of_it(&server, &execution, &bad).await;
}

#[tokio::test]
async fn one_that_is_not_packed_as_it_says_is_kept_as_it_came() {
    for (encoding, expected) in [("gzip", 400), ("br", 415)] {
        let server = Server::new().await;
        let execution = server.park("r1").await;
        let request = head(BODY.len(), &format!("Content-Encoding: {encoding}\r\n")) + BODY;
        let (status, said) = server.exchange(request.as_bytes()).await;
        assert_eq!(
            (status, &said["disposition"]),
            (expected, &json!("malformed"))
        );
        let bad = server.only_delivery().await;
        assert_eq!(bad["body"], BODY);
        nothing_came_of_it(&server, &execution, &bad).await;
    }
}

/// Nothing is known of whose it is before its path is there, so it is no callback; who drips there neither
/// keeps others waiting nor is in the inbox.
#[tokio::test]
async fn one_that_comes_to_nobody_is_counted_and_one_that_almost_comes_to_somebody_is_kept() {
    let server = Server::new().await;
    let execution = server.park("r1").await;
    let to = |path: &str| {
        let head = head(BODY.len(), "").replace("/callbacks/valuation", path);
        head + BODY
    };
    let (status, _) = server
        .exchange(to("/callbacks/valuations").as_bytes())
        .await;
    assert_eq!(status, 404);
    let mut stream = server.connect().await;
    let page = "GET /metrics HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n";
    stream.write_all(page.as_bytes()).await.expect("it reads");
    let mut page = String::new();
    stream.read_to_string(&mut page).await.expect("text");
    assert!(
        page.contains("\nrejoin_requests_astray_total 1\n"),
        "{page}"
    );

    let (status, said) = server
        .exchange(to("/callbacks/valuation/").as_bytes())
        .await;
    assert_eq!((status, &said["disposition"]), (404, &json!("malformed")));
    let bad = server.only_delivery().await;
    nothing_came_of_it(&server, &execution, &bad).await;
}

#[tokio::test]
async fn one_that_breaks_off_in_its_head_is_no_callback() {
    let server = Server::new().await;
    let execution = server.park("r1").await;
    let mut stream = server.connect().await;
    let part = &head(BODY.len(), "")[..60];
    stream.write_all(part.as_bytes()).await.expect("it reads");
    drop(stream);
    let (status, _) = server
        .exchange((head(BODY.len(), "") + BODY).as_bytes())
        .await;
    assert_eq!(status, 200);
    assert_eq!(server.status(&execution).await, "SUCCEEDED");
    assert_eq!(server.only_delivery().await["disposition"], "delivered");
}

#[tokio::test]
async fn of_many_at_the_same_instant_on_as_many_connections_one_counts() {
    const CONNECTIONS: usize = 32;
    let server = Server::new().await;
    let execution = server.park("r1").await;
    let (begin, end) = BODY.split_at(BODY.len() - 1);
    let mut streams = Vec::new();
    for _ in 0..CONNECTIONS {
        let mut stream = server.connect().await;
        let sent = head(BODY.len(), "") + begin;
        stream.write_all(sent.as_bytes()).await.expect("it reads");
        streams.push(stream);
    }
    for stream in &mut streams {
        stream.write_all(end.as_bytes()).await.expect("it reads");
    }
    let mut delivered = 0;
    for stream in streams {
        let (status, said) = answer(stream).await;
        assert_eq!(status, 200, "{said}");
        match said["disposition"].as_str() {
            Some("delivered") => delivered += 1,
            other => assert_eq!(other, Some("duplicate-identical")),
        }
    }
    assert_eq!(delivered, 1);
    assert_eq!(server.status(&execution).await, "SUCCEEDED");
    let path = "/rejoin/deliveries?limit=1000";
    let said = server.ask(Method::GET, path, None, Value::Null).await;
    assert_eq!(
        said["deliveries"].as_array().map(Vec::len),
        Some(CONNECTIONS)
    );
    assert!(!server.alerts().await.is_empty());
}
