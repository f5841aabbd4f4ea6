//! `--log-format json`: what operators read as objects, with the trace that a line is about.

mod support;

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use serde_json::Value;
use support::{Client, Folder};

const CONFIGURATION: &str = r#"
[topics.errors]
subscribers = [{ log = "warn" }]
[[routes]]
name = "answers"
path = "/callbacks/answers"
reference = "$.ref"
topic = "errors"
verify = { scheme = "bearer", secrets = ["the-third-party"] }
[[routes]]
name = "open"
path = "/callbacks/open"
reference = "$.ref"
"#;

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

#[test]
fn lines_are_objects_and_name_their_trace() {
    let folder = Folder::new("log");
    let configuration = folder.0.join("rejoin.toml");
    std::fs::write(&configuration, CONFIGURATION).expect("it can be written");
    let mut child = Command::new(env!("CARGO_BIN_EXE_rejoin"))
        .args(["serve", "--listen", "127.0.0.1:0", "--data-dir"])
        .arg(folder.0.join("data"))
        .args(["--log-format", "json", "--config"])
        .arg(&configuration)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the server starts");
    let mut said = BufReader::new(child.stdout.take().expect("it was asked for"));
    let log = BufReader::new(child.stderr.take().expect("it was asked for"));
    let mut first = String::new();
    said.read_line(&mut first)
        .expect("it says where it listens");
    let first: Value = serde_json::from_str(&first).expect("that is an object, too");
    let message = first["message"].as_str().expect("a message");
    let address = message.rsplit_once("http://").expect("an address").1;
    let mut client = Client::at(address.parse().expect("an address"));
    let traceparent = format!("traceparent: 00-{TRACE}-00f067aa0ba902b7-01\r\n");
    let forged = client.send(
        "POST",
        "/callbacks/answers",
        &traceparent,
        r#"{"ref": "r1"}"#,
    );
    assert_eq!(forged.expect("an answer").0, 401);

    // The pipe ends with the server, so a line that never comes fails the test and does not hang it for long.
    let mut lines = log.lines().map(|line| line.expect("text")).map(|line| {
        serde_json::from_str::<Value>(&line)
            .unwrap_or_else(|e| panic!("{line:?} is no object: {e}"))
    });
    let warning = lines
        .next()
        .expect("a route that verifies nothing is warned of");
    assert_eq!(warning["level"], "warn");
    assert!(warning["time"].is_string() && warning["trace_id"].is_null());
    assert!(
        warning["message"]
            .as_str()
            .is_some_and(|text| text.contains("\"open\" verifies nothing"))
    );
    let alert = lines.find(|line| line["trace_id"] == TRACE);
    let alert = alert.expect("the alert names the trace of its callback");
    assert!(
        alert["message"].to_string().contains("Unverified callback"),
        "{alert}"
    );
    child.kill().expect("it can be killed");
    child.wait().expect("its end can be seen");
}
