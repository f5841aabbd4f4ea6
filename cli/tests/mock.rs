//! `rejoin mock`: what it says, and that it serves.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};

use serde_json::Value;

const FILE: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../examples/loan-processor/valuation.mock.yaml"
);

/// Killed when dropped.
struct Mock(Child);

impl Drop for Mock {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn it_says_where_it_listens_and_what_happens() {
    let child = Command::new(env!("CARGO_BIN_EXE_rejoin"))
        .args(["mock", FILE, "--json", "--listen", "127.0.0.1:0"])
        .stdout(Stdio::piped())
        .spawn()
        .expect("it starts");
    let mut mock = Mock(child);
    let output = mock.0.stdout.take().expect("it was asked for");
    let mut lines = BufReader::new(output).lines();
    let mut next = || -> Value {
        let line = lines.next().expect("there is a line").expect("it is text");
        serde_json::from_str(&line).expect("it is JSON")
    };
    let listening = next();
    assert_eq!(listening["event"], "listening");
    assert_eq!(listening["service"], "valuation");
    let url = listening["url"].as_str().expect("a URL");
    let address = url.strip_prefix("http://").expect("HTTP");
    let body = r#"{"property":{"nameOrNumber":"Rejected request","postcode":"P"},"callbackUrl":"http://127.0.0.1:9/"}"#;
    let mut stream = TcpStream::connect(address).expect("it listens");
    write!(
        stream,
        "POST /valuations HTTP/1.1\r\nhost: mock\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
    .expect("it takes it");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("it answers");
    assert!(answer.starts_with("HTTP/1.1 500 "), "{answer}");
    assert!(
        answer.ends_with(r#"{"message":"the valuation service is out of order"}"#),
        "{answer}"
    );
    let (asked, answered) = (next(), next());
    assert_eq!(
        (&asked["event"], &asked["fault"]),
        (&"request".into(), &"error".into())
    );
    assert_eq!(
        asked["request"]["body"]["property"]["nameOrNumber"],
        "Rejected request"
    );
    assert_eq!(
        (&answered["event"], &answered["status"]),
        (&"answer".into(), &500.into())
    );
}

#[test]
fn a_file_that_is_wrong_is_not_run() {
    let mut child = Command::new(env!("CARGO_BIN_EXE_rejoin"))
        .args(["mock", "-"])
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it starts");
    let mut input = child.stdin.take().expect("it was asked for");
    input
        .write_all(b"services:\n  a:\n    routes:\n      - {post: /, relpy: {}}\n")
        .expect("it reads");
    drop(input);
    let output = child.wait_with_output().expect("it ends");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success());
    assert!(
        said.contains("<stdin>:4:19") && said.contains("Did you mean `reply`?"),
        "{said}"
    );
}
