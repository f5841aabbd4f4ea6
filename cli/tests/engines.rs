//! `rejoin engines`, against a gateway in front of an engine that is not there.

mod support;

use std::process::Command;

use serde_json::Value;
use support::{Folder, Server};

const CONFIGURATION: &str = r#"
[engines.aws]
endpoint_url = "http://127.0.0.1:1"
region = "eu-west-1"
credentials_file = "credentials"
[[routes]]
name = "valuation"
path = "/callbacks/valuation"
reference = "$.ref"
engine = "aws"
verify = { scheme = "none" }
"#;

const CREDENTIALS: &str = "[default]\naws_access_key_id = AKID\naws_secret_access_key = secret\n";

fn shown(server: &Server, arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_rejoin"))
        .args(arguments)
        .args(["--url", &format!("http://{}", server.address)])
        .output()
        .expect("the program runs");
    let message = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {message}");
    String::from_utf8(output.stdout).expect("text")
}

#[test]
fn engines_are_shown_with_what_waits_for_them_and_what_was_wrong() {
    let folder = Folder::new("engines");
    std::fs::create_dir_all(&folder.0).expect("a folder");
    std::fs::write(folder.0.join("credentials"), CREDENTIALS).expect("it can be written");
    let configuration = folder.0.join("rejoin.toml");
    std::fs::write(&configuration, CONFIGURATION).expect("it can be written");
    let configuration = configuration.to_str().expect("text");
    let more = ["--clock", "virtual", "--config", configuration];
    let server = Server::start(&folder.0.join("data"), &more);
    let before = shown(&server, &["engines"]);
    for part in ["engine", "aws", "http://127.0.0.1:1", "closed"] {
        assert!(before.contains(part), "{part:?} is not in:\n{before}");
    }
    let mut client = server.client();
    let token = r#"{"taskToken": "t1"}"#;
    let answer = client.send("PUT", "/rejoin/references/valuation/r1", "", token);
    assert_eq!(answer.expect("an answer").0, 200);
    let answer = client.send("POST", "/callbacks/valuation", "", r#"{"ref": "r1"}"#);
    assert_eq!(answer.expect("an answer").0, 202);

    let lines = shown(&server, &["engines", "--json"]);
    let engine: Value = serde_json::from_str(lines.trim()).expect("one line of JSON");
    assert_eq!(
        (&engine["queued"], &engine["lanes"]),
        (&1.into(), &1.into())
    );
    assert!(engine["oldestAt"].is_string(), "{engine}");
    let after = shown(&server, &["engines"]);
    assert!(after.contains("nothing listens there"), "{after}");
}

#[test]
fn a_server_without_engines_elsewhere_says_so() {
    let folder = Folder::new("no-engines");
    let server = Server::start(&folder.0.join("data"), &[]);
    let said = shown(&server, &["engines"]);
    assert!(said.starts_with("There are no engines elsewhere"), "{said}");
}
