//! What the program says when it can't do what it is told: one clear sentence, and a status.

mod support;

use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, Output};

use serde_json::json;
use support::{Folder, Server};

fn rejoin(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_rejoin"))
        .args(arguments)
        .output()
        .expect("the program runs")
}

/// The program fails, and its message has these parts.
fn refused(arguments: &[&str], parts: &[&str]) {
    let output = rejoin(arguments);
    let message = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success(), "{arguments:?} went through");
    for part in parts {
        assert!(
            message.contains(part),
            "{arguments:?}: {part:?} is not in: {message}"
        );
    }
}

#[test]
fn a_port_in_use_is_said_with_a_way_out() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let address = taken.local_addr().expect("it has an address").to_string();
    refused(
        &["serve", "--in-memory", "--listen", &address],
        &[&address, "in use", "127.0.0.1:0"],
    );
}

#[test]
fn a_crowd_that_says_nothing_keeps_nobody_out() {
    let folder = Folder::new("crowd");
    let mut shell = Command::new("sh");
    shell
        .args(["-c", "ulimit -S -n 100 && exec \"$0\" \"$@\""])
        .arg(env!("CARGO_BIN_EXE_rejoin"));
    let server = Server::start_by(shell, &folder.0, &[]);
    let silent: Vec<_> = (0..300)
        .map(|_| TcpStream::connect(server.address).expect("it listens"))
        .collect();
    let answer = server.client().send("GET", "/health", "", "");
    assert_eq!(answer.expect("an answer").0, 200);
    drop(silent);
}

#[test]
fn only_loopback_is_listened_on() {
    refused(
        &["serve", "--in-memory", "--listen", "0.0.0.0:0"],
        &["0.0.0.0:0", "loopback"],
    );
}

#[test]
fn an_address_that_is_none_is_said() {
    refused(
        &["serve", "--in-memory", "--listen", "nonsense"],
        &["nonsense", "127.0.0.1:8083"],
    );
}

#[test]
fn a_data_directory_that_cannot_be_made_is_said() {
    let folder = Folder::new("unwritable");
    let file = folder.0.join("file");
    std::fs::write(&file, "not a folder").expect("a file can be written");
    let inside = file.join("data");
    let inside = inside.to_str().expect("the path is text");
    refused(
        &["serve", "--listen", "127.0.0.1:0", "--data-dir", inside],
        &[inside],
    );
}

#[test]
fn a_store_in_use_is_refused() {
    let folder = Folder::new("in-use");
    let _server = Server::start(&folder.0, &[]);
    let directory = folder.0.to_str().expect("the path is text");
    refused(
        &["serve", "--listen", "127.0.0.1:0", "--data-dir", directory],
        &[directory, "use"],
    );
}

#[test]
fn a_configuration_is_refused_with_the_place_of_the_fault() {
    let folder = Folder::new("config");
    let write = |text: &str| {
        let path = folder.0.join("rejoin.toml");
        std::fs::write(&path, text).expect("a file can be written");
        path.to_str().expect("the path is text").to_owned()
    };
    let config = write("[server]\nlisten_on = \"x\"\n");
    refused(
        &["serve", "--config", &config],
        &[&config, "line 2", "listen_on"],
    );
    let config = write("[functions.ghost]\nprogram = [\"./no-such-program\"]\n");
    refused(
        &[
            "serve",
            "--in-memory",
            "--listen",
            "127.0.0.1:0",
            "--config",
            &config,
        ],
        &["ghost", "no-such-program"],
    );
    refused(
        &["serve", "--config", "/no/such/file.toml"],
        &["/no/such/file.toml"],
    );
}

#[test]
fn the_sample_configuration_is_read_with_every_line_uncommented() {
    let sample = std::fs::read_to_string(
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../rejoin.sample.toml"),
    )
    .expect("the sample is there");
    let folder = Folder::new("sample");
    let lines = sample.lines().filter(|line| !line.starts_with("#   "));
    let uncommented: Vec<&str> = lines
        .filter_map(|line| match line.strip_prefix("# ") {
            Some(rest)
                if rest.starts_with(|c: char| "[]{".contains(c))
                    || rest.contains(" = ")
                    || rest.starts_with(' ') =>
            {
                Some(rest)
            }
            Some(_) => None,
            None => Some(line),
        })
        .collect();
    let text = uncommented
        .join("\n")
        .replace("127.0.0.1:8083", "127.0.0.1:0")
        .replace("env:ALERTS_SECRET", "whsec_c2VjcmV0")
        .replace("env:SLACK_URL", "https://hooks.slack.com/services/x")
        .replace("env:PAGERDUTY_KEY", "key")
        .replace("env:SMTP_PASSWORD", "password")
        .replace("env:VALUATION_SECRET", "whsec_c2VjcmV0")
        .replace("log_format = \"json\"", "log_format = \"text\"")
        .replace("env:COLLECTOR_AUTHORIZATION", "Bearer secret")
        .replace("env:ORDERS_SECRET", "secret")
        .replace(
            "target/release/request-valuation",
            env!("CARGO_BIN_EXE_rejoin"),
        );
    let path = folder.0.join("rejoin.toml");
    std::fs::write(&path, text).expect("a file can be written");
    let mocks = folder.0.join("MockConfigFile.json");
    std::fs::write(mocks, r#"{"StateMachines": {}, "MockedResponses": {}}"#)
        .expect("a file can be written");
    let server = Server::start(
        &folder.0.join("data"),
        &["--config", path.to_str().expect("the path is text")],
    );
    let (status, health) = server
        .client()
        .send("GET", "/health", "", "")
        .expect("an answer");
    assert_eq!((status, &health["status"]), (200, &json!("ok")));
}

/// What is wrong with a key that there is not names those that there are.
#[test]
fn the_sample_configuration_shows_every_key() {
    let sample = std::fs::read_to_string(
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../rejoin.sample.toml"),
    )
    .expect("the sample is there");
    let folder = Folder::new("every-key");
    let path = folder.0.join("rejoin.toml");
    let route = "[[routes]]\nname = \"r\"\npath = \"/r\"\nreference = \"$.r\"\n";
    for table in [
        String::new(),
        "[server]\n".to_owned(),
        "[functions.f]\n".to_owned(),
        "[topics.t]\n".to_owned(),
        "[alerts]\n".to_owned(),
        "[mocks]\n".to_owned(),
        "[[status_changes]]\ntopic = \"t\"\n".to_owned(),
        route.to_owned(),
        format!("{route}[routes.verify]\nscheme = \"none\"\n"),
        format!("{route}[[routes.outcomes]]\npath = \"/o\"\noutcome = \"heartbeat\"\n"),
        format!("{route}[routes.answers.delivered]\n"),
        format!("{route}[routes.registers]\n"),
        format!("{route}[routes.rate]\n"),
        format!("{route}[routes.starts]\n"),
        format!("{route}[routes.failure]\nwhen = \"$.w\"\nerror = \"e\"\n"),
        format!("{route}[routes.heartbeat]\nwhen = \"$.w\"\n"),
    ] {
        std::fs::write(&path, format!("{table}no_such_key = 1\n")).expect("it can be written");
        let output = rejoin(&[
            "serve",
            "--config",
            path.to_str().expect("the path is text"),
        ]);
        let message = String::from_utf8_lossy(&output.stderr).into_owned();
        let (_, expected) = message
            .split_once(", expected ")
            .unwrap_or_else(|| panic!("{table}: {message}"));
        let keys: Vec<&str> = expected.split('`').skip(1).step_by(2).collect();
        assert!(!keys.is_empty(), "{table}: {message}");
        for key in keys {
            let shown = sample.lines().any(|line| {
                let line = line.trim_start_matches("# ");
                let header = line.trim_start_matches('[').split(']').next();
                let named = header.is_some_and(|name| name.split('.').any(|part| part == key));
                line.starts_with(&format!("{key} = ")) || (line.starts_with('[') && named)
            });
            assert!(shown, "the sample does not show {key} of {table:?}");
        }
    }
}

#[test]
fn a_server_stops_cleanly_when_told_to() {
    let folder = Folder::new("stop");
    let mut server = Server::start(&folder.0, &[]);
    server.client().make_machine("stop");
    assert!(server.terminate().success());
    let server = Server::start(&folder.0, &[]);
    let machines = server.client().must("ListStateMachines", &json!({}));
    assert_eq!(machines["stateMachines"].as_array().map(Vec::len), Some(1));
}

#[test]
fn a_token_of_another_server_is_invalid() {
    let (one, other) = (Folder::new("one"), Folder::new("other"));
    let (one, other) = (Server::start(&one.0, &[]), Server::start(&other.0, &[]));
    let mut client = one.client();
    let (activity, machine) = client.make_machine("foreign");
    client.must("StartExecution", &json!({ "stateMachineArn": machine }));
    let (token, _) = client
        .fetch(&activity)
        .expect("an answer")
        .expect("a task is waiting");
    let (status, answer) = other
        .client()
        .call(
            "SendTaskSuccess",
            &json!({ "taskToken": token, "output": "{}" }),
        )
        .expect("an answer");
    assert_eq!((status, &answer["__type"]), (400, &json!("InvalidToken")));
    assert_eq!(answer["message"], "Invalid Token: 'Invalid token'");
}
