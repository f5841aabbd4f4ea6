//! `rejoin trace` on each row of the loan processor's table: whatever somebody has in hand, the execution, the
//! reference or the callback, one screen says which execution, which step, since when, what arrived and what
//! to do.

mod support;

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, ChildStdout, Command, Output, Stdio};

use serde_json::{Value, json};
use support::Client;

const LINES_MAX: usize = 24;
const COLUMNS_MAX: usize = 120;

/// The demo's stage, on a virtual clock: the server, the function and the valuation service.
struct Stage {
    child: Child,
    address: SocketAddr,
    /// Kept: it has more to say, and whom nobody hears stops.
    _output: BufReader<ChildStdout>,
}

impl Stage {
    fn set() -> Stage {
        let mut child = Command::new(env!("CARGO_BIN_EXE_rejoin"))
            .args([
                "demo",
                "--serve",
                "--clock",
                "virtual",
                "--listen",
                "127.0.0.1:0",
            ])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the demo starts");
        let output = child.stdout.take().expect("its output was asked for");
        let mut line = String::new();
        let mut output = BufReader::new(output);
        output
            .read_line(&mut line)
            .expect("it says where it listens");
        let url = line.split("http://").nth(1).unwrap_or_default();
        let address = url.split([',', ' ']).next().unwrap_or_default();
        let address = address
            .parse()
            .unwrap_or_else(|_| panic!("no address: {line}"));
        Stage {
            child,
            address,
            _output: output,
        }
    }

    fn client(&self) -> Client {
        Client::at(self.address)
    }

    fn start(&self, row: &Row) -> Value {
        let machine = match row.heartbeats {
            true => "LoanProcessorWithHeartbeats",
            false => "LoanProcessor",
        };
        let request = json!({
            "stateMachineArn": format!("arn:aws:states:us-east-1:123456789012:stateMachine:{machine}"),
            "name": row.name(),
            "input": json!({
                "applicationReference": "A-2041",
                "property": { "nameOrNumber": row.property, "postcode": "SW1Y 4JH" },
            }).to_string(),
        });
        let answer = self.client().call("StartExecution", &request);
        let (status, started) = answer.expect("the server answers");
        assert_eq!(status, 200, "{started}");
        started
    }

    fn advance(&self, seconds: u32) {
        let body = json!({ "seconds": seconds }).to_string();
        let answer = self
            .client()
            .send("POST", "/rejoin/clock/advance", "", &body);
        assert_eq!(answer.expect("the server answers").0, 200);
    }

    fn trace(&self, arguments: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_rejoin"))
            .arg("trace")
            .args(arguments)
            .args(["--url", &format!("http://{}", self.address)])
            .env_remove("COLUMNS")
            .output()
            .expect("rejoin runs")
    }

    /// What it prints, which has to fit a screen.
    fn screen(&self, of: &str) -> String {
        let output = self.trace(&[of]);
        let text = String::from_utf8(output.stdout).expect("it prints text");
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{of}: {error}");
        assert!(text.lines().count() <= LINES_MAX, "{of}:\n{text}");
        for line in text.lines() {
            assert!(line.chars().count() <= COLUMNS_MAX, "{of}: {line}");
        }
        text
    }

    fn json(&self, of: &str) -> Value {
        let output = self.trace(&[of, "--json"]);
        serde_json::from_slice(&output.stdout).expect("it prints JSON")
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        let id = self.child.id().to_string();
        let _ = Command::new("kill").args(["-TERM", &id]).status();
        let _ = self.child.wait();
    }
}

/// What the valuation service does, and what the story then says.
struct Row {
    property: &'static str,
    heartbeats: bool,
    status: &'static str,
    /// How the wait ended.
    since: &'static str,
    arrived: &'static [&'static str],
    to_do: &'static str,
}

impl Row {
    fn name(&self) -> String {
        self.property.to_lowercase().replace(' ', "-")
    }
}

const TIMED_OUT: &str = "FAILED, ValuationServiceTimedOut";

const fn row(
    property: &'static str,
    status: &'static str,
    since: &'static str,
    arrived: &'static [&'static str],
    to_do: &'static str,
) -> Row {
    Row {
        property,
        heartbeats: false,
        status,
        since,
        arrived,
        to_do,
    }
}

const ROWS: &[Row] = &[
    row(
        "12",
        "SUCCEEDED",
        "it had its result after 6 s",
        &["delivered at "],
        "Nothing has to be done.",
    ),
    row(
        "No callback",
        TIMED_OUT,
        "it timed out after 30 s",
        &["no callback"],
        "Ask the third party why no callback came for \"",
    ),
    row(
        "Late callback",
        TIMED_OUT,
        "it timed out after 30 s",
        &["late-timed-out at "],
        "Decide whether the answer is still wanted",
    ),
    row(
        "Duplicate response",
        "SUCCEEDED",
        "it had its result after 6 s",
        &["delivered at ", "duplicate-identical at "],
        "Nothing has to be done; if it goes on",
    ),
    row(
        "Contradicting duplicate",
        "SUCCEEDED",
        "it had its result after 6 s",
        &["delivered at ", "duplicate-contradicting at "],
        "which of the two answers is right",
    ),
    row(
        "Failed response",
        "FAILED, ValuationFailed",
        "it failed after 6 s",
        &["delivered-as-failure at "],
        "See in the execution's history",
    ),
    row(
        "Unknown reference",
        TIMED_OUT,
        "it timed out after 30 s",
        &["unknown-reference at ", "perhaps for this wait"],
        "Find out whose it is",
    ),
    row(
        "Early callback",
        "SUCCEEDED",
        "it had its result after",
        &["early, then delivered at "],
        "Nothing has to be done.",
    ),
    row(
        "Malformed callback",
        TIMED_OUT,
        "it timed out after 30 s",
        &["malformed at ", "perhaps for this wait"],
        "Compare the body",
    ),
    row(
        "Forged callback",
        TIMED_OUT,
        "it timed out after 30 s",
        &["unverified at ", "perhaps for this wait"],
        "compare secrets and clocks",
    ),
    Row {
        heartbeats: true,
        ..row(
            "Slow heartbeats",
            TIMED_OUT,
            "it timed out after",
            &["3 heartbeats, the last at "],
            "Ask why the heartbeats for \"",
        )
    },
    Row {
        heartbeats: true,
        ..row(
            "Steady heartbeats",
            "SUCCEEDED",
            "it had its result after",
            &["4 heartbeats", "delivered at "],
            "Nothing has to be done.",
        )
    },
    row(
        "Rejected request",
        "FAILED, ValuationRequestRejected",
        "it failed after",
        &["no callback through the gateway"],
        "See why lambda:invoke.waitForTaskToken failed",
    ),
];

#[test]
fn every_row_of_the_table_is_told_on_one_screen_whatever_is_in_hand() {
    let stage = Stage::set();
    for row in ROWS {
        let started = stage.start(row);
        stage.advance(60);
        let name = row.name();
        let told = stage.screen(&name);
        let holds = |told: &str, wanted: &str| {
            // Answers are broken between words.
            let flat = told.split_whitespace().collect::<Vec<_>>().join(" ");
            let wanted = wanted.split_whitespace().collect::<Vec<_>>().join(" ");
            assert!(
                flat.contains(&wanted),
                "{}: {wanted:?} is not in\n{told}",
                row.property
            );
        };
        let story = stage.json(&name);
        let entries = story["entries"].as_array().expect("it has entries");
        let since = story["summary"]["since"].as_str().expect("it says so");
        let since = since.get(..24).expect("it begins with a time").to_owned();
        for answer in [row.status, row.since, row.to_do, "RequestValuation", &since] {
            holds(&told, answer);
        }
        row.arrived.iter().for_each(|arrived| holds(&told, arrived));

        // Every reference and every callback that the story names, and the ARN, lead to the same.
        let arn = started["executionArn"].as_str().expect("a start gives it");
        holds(&stage.screen(arn), row.status);
        holds(
            &stage.screen(story["traceId"].as_str().expect("it has one")),
            row.status,
        );
        let registered = entries.iter().filter(|entry| entry["kind"] == "reference");
        let references: Vec<_> = registered.filter_map(|e| e["reference"].as_str()).collect();
        assert_eq!(references.is_empty(), row.property == "Rejected request");
        for reference in references {
            let told = stage.screen(reference);
            for answer in [
                row.status,
                row.since,
                row.to_do,
                "RequestValuation",
                &name,
                &since,
            ] {
                holds(&told, answer);
            }
        }
        let ids = entries.iter().filter(|entry| entry["kind"] != "alert");
        let ids: Vec<_> = ids
            .filter_map(|entry| entry["deliveryId"].as_str())
            .collect();
        assert_eq!(ids.is_empty(), row.arrived[0].starts_with("no callback"));
        for id in ids {
            let told = stage.screen(id);
            let story = stage.json(id);
            let met = story["execution"].is_object();
            assert_eq!(
                met,
                !row.arrived.contains(&"perhaps for this wait"),
                "{told}"
            );
            for answer in [&*name, "RequestValuation", &since, row.arrived[0]] {
                if answer != row.arrived[0] || !met {
                    holds(&told, answer);
                }
            }
            let to_do = story["summary"]["next"].as_str().expect("it says so");
            holds(&told, to_do);
        }
    }
}

#[test]
fn while_it_waits_the_story_says_for_how_long_and_for_what() {
    let stage = Stage::set();
    stage.start(&ROWS[1]);
    stage.advance(10);
    let told = stage.screen("no-callback");
    for wanted in [
        "RUNNING",
        "for 10 s now, until ",
        "no callback",
        "Ask the third party what became of the work for \"",
    ] {
        assert!(told.contains(wanted), "{wanted:?} is not in\n{told}");
    }
    let none = stage.trace(&["nobody-knows-it"]);
    let why = String::from_utf8_lossy(&none.stderr);
    assert!(
        !none.status.success() && why.contains("nothing is known of \"nobody-knows-it\""),
        "{why}"
    );
}

#[test]
fn what_somebody_else_sends_is_no_matter_of_a_wait_that_was_answered() {
    let stage = Stage::set();
    let row = &ROWS[0];
    stage.start(row);
    stage.advance(1);
    let stray = json!({ "valuationReference": "of somebody else" }).to_string();
    let answer = stage
        .client()
        .send("POST", "/callbacks/valuation", "", &stray);
    assert_eq!(answer.expect("the server answers").0, 401);
    let waiting = stage.screen(&row.name());
    assert!(waiting.contains("perhaps for this wait"), "{waiting}");
    stage.advance(60);
    let told = stage.screen(&row.name());
    for wanted in ["SUCCEEDED", "delivered at ", "Nothing has to be done."] {
        assert!(told.contains(wanted), "{wanted:?} is not in\n{told}");
    }
    assert!(!told.contains("perhaps for this wait"), "{told}");
}
