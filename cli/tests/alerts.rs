//! `rejoin alerts` and `rejoin topics`, against a server of their own.

mod support;

use std::process::Command;

use serde_json::Value;
use support::{Folder, Server};

const CONFIGURATION: &str = r#"
[topics.errors]
subscribers = [{ log = "warn" }, { http = "http://127.0.0.1:1/nobody" }]
[[routes]]
name = "valuation"
path = "/callbacks/valuation"
reference = "$.ref"
topic = "errors"
verify = { scheme = "bearer", secrets = ["secret"] }
"#;

/// What a command prints, which goes well.
fn shown(server: &Server, arguments: &[&str]) -> String {
    let url = format!("http://{}", server.address);
    let output = Command::new(env!("CARGO_BIN_EXE_rejoin"))
        .args(arguments)
        .args(["--url", &url])
        .output()
        .expect("the program runs");
    let message = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {message}");
    String::from_utf8(output.stdout).expect("text")
}

fn has(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "{part:?} is not in:\n{text}");
    }
}

#[test]
fn alerts_and_topics_are_shown_to_people_and_to_programs() {
    let folder = Folder::new("alerts");
    let configuration = folder.0.join("rejoin.toml");
    std::fs::write(&configuration, CONFIGURATION).expect("it can be written");
    let configuration = configuration.to_str().expect("text");
    let more = ["--clock", "virtual", "--config", configuration];
    let server = Server::start(&folder.0.join("data"), &more);
    has(&shown(&server, &["alerts"]), &["There are no such alerts."]);
    let mut client = server.client();
    for _ in 0..3 {
        let headers = "Authorization: Bearer guessed\r\n";
        let answer = client.send("POST", "/callbacks/valuation", headers, "{}");
        assert_eq!(answer.expect("an answer").0, 401);
    }
    // Whatever is due has been done when this is answered.
    let passed = client.send("POST", "/rejoin/clock/advance", "", r#"{"seconds":1}"#);
    assert_eq!(passed.expect("an answer").0, 200);

    has(
        &shown(&server, &["alerts"]),
        &[
            "severity",
            "warning",
            "3",
            "valuation",
            "Unverified callback",
        ],
    );
    let lines = shown(&server, &["alerts", "--json", "--kind", "unverified"]);
    let alert: Value = serde_json::from_str(lines.trim()).expect("one line of JSON");
    assert_eq!(alert["count"], 3);
    let id = alert["alertId"].as_str().expect("an id");
    has(
        &shown(&server, &["alerts", id]),
        &[
            "times           3",
            "Next: If it is the third party's own",
            "log:warn delivered",
            "pending",
        ],
    );
    has(
        &shown(&server, &["topics"]),
        &[
            "topic",
            "errors",
            "log:warn",
            "ok",
            "failing",
            "nothing listens there",
        ],
    );
    has(
        &shown(&server, &["topics", "errors"]),
        &["Unverified callback on route valuation", "1 of 2"],
    );
    has(
        &shown(&server, &["alerts", "--since", "1h"]),
        &["valuation"],
    );
    let failing = shown(&server, &["topics", "--failing"]);
    has(&failing, &["http:http://127.0.0.1:1/nobody"]);
    assert!(!failing.contains("log:warn"), "{failing}");
    has(
        &shown(&server, &["topics", "errors", "--failing", "--since", "2h"]),
        &["Unverified callback", "1 of 2"],
    );

    // What anybody may send is shown, and commands no terminal.
    let body = "{\"ref\": \"\\u001b]0;mine\\u0007\\u009b2J\"}";
    let headers = "Authorization: Bearer secret\r\n";
    let answer = client.send("POST", "/callbacks/valuation", headers, body);
    assert_eq!(answer.expect("an answer").0, 202);
    let answer = client.send("POST", "/callbacks/valuation", headers, "\u{1b}[2J\u{9b}2J");
    assert_eq!(answer.expect("an answer").0, 400);
    let delivery = shown(&server, &["inbox", "--disposition", "malformed", "--json"]);
    let delivery: Value = serde_json::from_str(&delivery).expect("one line of JSON");
    let delivery = delivery["id"].as_str().expect("an id");
    let early = shown(&server, &["inbox", "--disposition", "early", "--json"]);
    let early: Value = serde_json::from_str(&early).expect("one line of JSON");
    assert_eq!(early["reference"], "\u{1b}]0;mine\u{7}\u{9b}2J");
    for arguments in [
        &["inbox"][..],
        &["inbox", "--json"],
        &["inbox", "show", delivery],
        &["inbox", "show", delivery, "--json"],
        &["trace", delivery],
        &["trace", early["id"].as_str().expect("an id")],
        &["alerts"],
        &["topics", "errors"],
    ] {
        let text = shown(&server, arguments);
        let command = text.chars().find(|c| c.is_control() && *c != '\n');
        assert_eq!(command, None, "{arguments:?}: {text:?}");
    }
    for (arguments, said) in [
        (
            ["alerts", "--kind", "sabotage"],
            &["sabotage", "stuck-wait"][..],
        ),
        (["alerts", "--since", "yesterday"], &["yesterday", "2h"]),
        (["inbox", "--limit", "0"], &["--limit"]),
    ] {
        let refused = Command::new(env!("CARGO_BIN_EXE_rejoin"))
            .args(arguments)
            .arg("--url")
            .arg(format!("http://{}", server.address))
            .output()
            .expect("the program runs");
        let message = String::from_utf8_lossy(&refused.stderr);
        assert!(!refused.status.success());
        has(&message, said);
    }
}
