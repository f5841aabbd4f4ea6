//! Requests as no client sends them, to a whole server, through a socket: what is refused is refused in AWS's
//! words, and whoever comes next is served.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use asl::Timestamp;
use serde_json::{Value, json};
use server::app::{App, Place, Settings};
use server::clock::Clock;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

const ROLE: &str = "arn:aws:iam::123456789012:role/r";
const HERE: &str = "arn:aws:states:us-east-1:123456789012";

/// A server that listens.
async fn server() -> (App, SocketAddr) {
    let listener = TcpListener::bind(("127.0.0.1", 0))
        .await
        .expect("there are ports");
    let address = listener.local_addr().expect("it listens");
    let settings = Settings {
        place: Place {
            region: "us-east-1".to_owned(),
            account: "123456789012".to_owned(),
        },
        clock: Clock::standing_at(Timestamp(1_700_000_000_123)),
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
    tokio::spawn(server::http::serve(app.clone(), listener));
    (app, address)
}

fn head(operation: &str, length: usize) -> String {
    format!(
        "POST / HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Type: application/x-amz-json-1.0\r\nX-Amz-Target: AWSStepFunctions.{operation}\r\nContent-Length: {length}\r\n\r\n"
    )
}

/// The status and the body of the answer.
async fn ask(address: SocketAddr, operation: &str, body: &[u8]) -> (u16, Value) {
    let mut stream = TcpStream::connect(address).await.expect("it listens");
    let head = head(operation, body.len());
    stream.write_all(head.as_bytes()).await.expect("it reads");
    // One that refuses a body need not read all of it.
    let _ = stream.write_all(body).await;
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

#[tokio::test]
async fn a_body_that_is_no_request_is_refused() {
    let (_app, address) = server().await;
    let deep = [b"{\"name\":".to_vec(), vec![b'['; 100_000]].concat();
    for (body, kind) in [
        (&b""[..], "SerializationException"),
        (b"nothing of the kind", "SerializationException"),
        (b"{\"name\":\"\xff\xfe\"}", "SerializationException"),
        (b"{\"name\":\"\\ud800\"}", "SerializationException"),
        (b"{\"name\":\"a\0b\"}", "SerializationException"),
        (b"{\"name\":\"a\",\"tags\":1e400}", "SerializationException"),
        (&deep, "SerializationException"),
        (b"{\"name\":\"a\\u0000b\"}", "InvalidName"),
        (b"{\"name\":null}", "ValidationException"),
    ] {
        let shown = String::from_utf8_lossy(&body[..body.len().min(60)]).into_owned();
        let (status, answer) = ask(address, "CreateActivity", body).await;
        assert_eq!(status, 400, "{shown}: {answer}");
        let told = answer["__type"].as_str().expect("an error has a type");
        assert_eq!(told, kind, "{shown}: {answer}");
    }
    let (status, _) = ask(address, "CreateActivity", b"{\"name\":\"a\"}").await;
    assert_eq!(status, 200);
}

#[tokio::test]
async fn a_body_that_is_too_large_is_refused_and_not_kept() {
    let (_app, address) = server().await;
    let (status, _) = ask(address, "CreateActivity", &vec![b' '; 64 * 1024 * 1024]).await;
    assert_eq!(status, 413);
    let (status, _) = ask(address, "ListActivities", b"{}").await;
    assert_eq!(status, 200);
}

/// Numbers keep their value, or the input is refused: never is one quietly another.
#[tokio::test]
async fn numbers_at_the_edge_keep_their_value() {
    let (app, address) = server().await;
    let definition = json!({"StartAt": "P", "States": {"P": {"Type": "Pass", "Parameters": {"n.$": "$.n"}, "End": true}}});
    let body = json!({"name": "m", "definition": definition.to_string(), "roleArn": ROLE});
    let (status, created) = ask(address, "CreateStateMachine", body.to_string().as_bytes()).await;
    assert_eq!(status, 200, "{created}");
    for (at, (given, expected)) in [
        ("9007199254740993", "9007199254740993"),
        ("-9223372036854775808", "-9223372036854775808"),
        ("18446744073709551615", "18446744073709551615"),
        ("1.6666666666666667e64", "1.6666666666666667e+64"),
        ("5e-324", "5e-324"),
        ("-0.0", "-0.0"),
        ("1, \"n\": 2", "2"),
    ]
    .into_iter()
    .enumerate()
    {
        let input = format!("{{\"n\": {given}}}");
        let start = json!({"stateMachineArn": format!("{HERE}:stateMachine:m"), "name": format!("e{at}"), "input": input});
        let (status, started) = ask(address, "StartExecution", start.to_string().as_bytes()).await;
        assert_eq!(status, 200, "{given}: {started}");
        let arn = started["executionArn"].as_str().expect("an ARN");
        drop(app.runner.until_ended(engine::ExecutionKey::of(arn)).await);
        let body = json!({"executionArn": arn}).to_string();
        let (_, ended) = ask(address, "DescribeExecution", body.as_bytes()).await;
        assert_eq!(ended["output"], format!("{{\"n\":{expected}}}"), "{given}");
    }
    for refused in ["1e400", "01", "NaN", "+1"] {
        let input = format!("{{\"n\": {refused}}}");
        let start = json!({"stateMachineArn": format!("{HERE}:stateMachine:m"), "input": input});
        let (status, answer) = ask(address, "StartExecution", start.to_string().as_bytes()).await;
        assert_eq!(
            (status, &answer["__type"]),
            (400, &json!("InvalidExecutionInput")),
            "{refused}: {answer}"
        );
    }
}

/// Hundreds who begin a request and do not end it neither keep others from being served nor virtual time
/// from moving.
#[tokio::test]
async fn those_who_drip_keep_nobody_waiting() {
    let (app, address) = server().await;
    let mut dripping = Vec::new();
    for at in 0..300 {
        let mut stream = TcpStream::connect(address).await.expect("it listens");
        let whole = head("ListActivities", 100) + "{\"maxRe";
        // Some have not even ended their heads.
        let part = &whole[..whole.len() - at % 150];
        stream.write_all(part.as_bytes()).await.expect("it reads");
        dripping.push(stream);
    }
    let served = tokio::time::timeout(Duration::from_secs(20), async {
        let (status, _) = ask(address, "ListActivities", b"{}").await;
        assert_eq!(status, 200);
        let later = Timestamp(app.clock.now().0 + 60_000);
        drop(app.clock.advance(later).await);
        assert_eq!(app.clock.now(), later);
    });
    served.await.expect("they are served at once");
    drop(dripping);
}
