//! Open waits: listed, watched on the virtual clock, counted for Prometheus, and all of it after a crash too.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use asl::Timestamp;
use hyper::{HeaderMap, Method};
use serde_json::{Value, json};
use server::app::{App, Place, Settings};
use server::clock::Clock;
use server::http::Call;
use server::routes;

const START: Timestamp = Timestamp(1_700_000_000_000);
const DAY: i64 = 86_400;

/// A server on a directory that goes when the test is over.
struct Server {
    app: App,
    directory: PathBuf,
    policy: Value,
}

impl Server {
    async fn on(directory: PathBuf, policy: Value, now: Timestamp) -> Server {
        let route =
            json!({ "name": "valuation", "path": "/callbacks/valuation", "reference": "$.ref" });
        let settings = Settings {
            place: Place {
                region: "us-east-1".to_owned(),
                account: "123456789012".to_owned(),
            },
            clock: Clock::standing_at(now),
            directory: Some(directory.clone()),
            retention_days: 90,
            quotas: Default::default(),
            functions: Default::default(),
            topics: [("orders".to_owned(), Default::default())].into(),
            routes: vec![serde_json::from_value(route).expect("a route")],
            alerts: Default::default(),
            status_changes: Vec::new(),
            address: ([127, 0, 0, 1], 8083).into(),
            stuck_waits: serde_json::from_value(policy.clone()).expect("a policy"),
            environment: Default::default(),
        };
        let (app, _) = App::open(settings).await.expect("the server opens");
        Server {
            app,
            directory,
            policy,
        }
    }

    async fn new(policy: Value) -> Server {
        let name = format!("rejoin-waits-{}", uuid::Uuid::new_v4());
        Server::on(std::env::temp_dir().join(name), policy, START).await
    }

    /// What a crash leaves at this moment, and a server that starts on it.
    async fn crashed(&self) -> Server {
        let name = format!("rejoin-waits-{}", uuid::Uuid::new_v4());
        let copy = std::env::temp_dir().join(name);
        copy_all(&self.directory, &copy);
        Server::on(copy, self.policy.clone(), self.app.clock.now()).await
    }

    async fn reply(
        &self,
        method: Method,
        path: &str,
        target: Option<&str>,
        body: Value,
    ) -> (u16, Vec<u8>) {
        let mut headers = HeaderMap::new();
        if let Some(operation) = target {
            let target = format!("AWSStepFunctions.{operation}");
            headers.insert("x-amz-target", target.parse().expect("a header"));
            let kind = "application/x-amz-json-1.0";
            headers.insert("content-type", kind.parse().expect("a header"));
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
        (reply.status.as_u16(), reply.body.to_vec())
    }

    async fn ask(&self, method: Method, path: &str, body: Value) -> Value {
        let (status, said) = self.reply(method, path, None, body).await;
        let said = serde_json::from_slice(&said).expect("JSON");
        assert_eq!(status, 200, "{path}: {said}");
        said
    }

    async fn get(&self, path: &str) -> Value {
        self.ask(Method::GET, path, Value::Null).await
    }

    async fn operation(&self, operation: &str, request: Value) -> Value {
        let (status, said) = self
            .reply(Method::POST, "/", Some(operation), request)
            .await;
        let said = serde_json::from_slice(&said).expect("JSON");
        assert_eq!(status, 200, "{operation}: {said}");
        said
    }

    async fn advance(&self, seconds: i64) {
        self.ask(
            Method::POST,
            "/rejoin/clock/advance",
            json!({ "seconds": seconds }),
        )
        .await;
    }

    /// A machine that waits in `Wait` for a worker of the activity `value`; its ARN. `more` are further members
    /// of the state.
    async fn machine(&self, name: &str, more: Value) -> String {
        let activity = json!({ "name": "value" });
        let activity = self.operation("CreateActivity", activity).await;
        let mut state = json!({ "Type": "Task", "Resource": activity["activityArn"], "End": true });
        let members = more.as_object().expect("members").clone();
        state.as_object_mut().expect("a state").extend(members);
        let definition = json!({ "StartAt": "Wait", "States": { "Wait": state } });
        let machine = json!({
            "name": name,
            "definition": definition.to_string(),
            "roleArn": "arn:aws:iam::123456789012:role/parked",
        });
        text(&self.operation("CreateStateMachine", machine).await["stateMachineArn"])
    }

    /// Starts an execution; its ARN.
    async fn start(&self, machine: &str, name: &str) -> String {
        let request = json!({ "stateMachineArn": machine, "name": name });
        text(&self.operation("StartExecution", request).await["executionArn"])
    }

    /// A worker takes the oldest task; its token.
    async fn take(&self) -> String {
        let arn = "arn:aws:states:us-east-1:123456789012:activity:value";
        let request = json!({ "activityArn": arn });
        text(&self.operation("GetActivityTask", request).await["taskToken"])
    }

    async fn beat(&self, token: &str) {
        self.operation("SendTaskHeartbeat", json!({ "taskToken": token }))
            .await;
    }

    async fn answer(&self, token: &str) {
        let request = json!({ "taskToken": token, "output": "1" });
        self.operation("SendTaskSuccess", request).await;
    }

    /// The names of the executions whose waits a query gives, in its order.
    async fn waiting(&self, query: &str) -> Vec<String> {
        let said = self.get(&format!("/rejoin/waits{query}")).await;
        let waits = said["waits"].as_array().expect("a list");
        waits
            .iter()
            .map(|wait| text(&wait["executionName"]))
            .collect()
    }

    /// The alerts of a kind, the oldest first: when each was raised, in seconds from the start, and by which
    /// execution.
    async fn alerts(&self, kind: &str) -> Vec<(i64, String)> {
        let said = self
            .get(&format!("/rejoin/alerts?kind={kind}&limit=1000"))
            .await;
        let alerts = said["alerts"].as_array().expect("a list");
        let mut alerts: Vec<_> = alerts
            .iter()
            .map(|alert| {
                let at: Timestamp = text(&alert["raisedAt"]).parse().expect("a time");
                let seconds = (at.0 - START.0) / 1000;
                let over = if alert["resolved"] == true {
                    " is over"
                } else {
                    ""
                };
                // Of one that can't be read no more than the machine is known.
                let machine = || text(&alert["stateMachineArn"]);
                let name = alert["executionName"].as_str().map_or_else(
                    || machine().rsplit(':').next().unwrap_or_default().to_owned(),
                    str::to_owned,
                );
                (seconds, name + over)
            })
            .collect();
        alerts.reverse();
        alerts
    }
}

fn text(value: &Value) -> String {
    value
        .as_str()
        .unwrap_or_else(|| panic!("{value} is no text"))
        .to_owned()
}

impl Drop for Server {
    fn drop(&mut self) {
        // Left behind if it fails, in the place for things that may be.
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}

fn copy_all(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a new directory");
    for entry in std::fs::read_dir(from).expect("it is there") {
        let entry = entry.expect("it is there");
        let target = to.join(entry.file_name());
        if entry.file_type().expect("it is there").is_dir() {
            copy_all(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).expect("it can be copied");
        }
    }
}

fn said(seconds: i64, name: &str) -> (i64, String) {
    (seconds, name.to_owned())
}

#[tokio::test]
async fn open_waits_are_found_by_all_that_is_known_of_them_also_after_a_crash() {
    let server = Server::new(json!({})).await;
    let endless = server.machine("Endless", json!({})).await;
    let timed = json!({ "TimeoutSeconds": 3600, "HeartbeatSeconds": 60 });
    let timed = server.machine("Timed", timed).await;
    let first = server.start(&endless, "a").await;
    let token = server.take().await;
    server.advance(10).await;
    server.start(&timed, "b").await;
    server.advance(10).await;
    server.start(&endless, "c").await;
    let body = json!({ "taskToken": token });
    server
        .ask(Method::PUT, "/rejoin/references/valuation/r%2F1", body)
        .await;
    let crashed = server.crashed().await;
    for server in [&server, &crashed] {
        assert_eq!(server.waiting("").await, ["a", "b", "c"]);
        assert_eq!(server.waiting("?order=newest").await, ["c", "b", "a"]);
        assert_eq!(server.waiting("?machine=Timed").await, ["b"]);
        let (status, said) = server
            .reply(Method::GET, "/rejoin/waits?machine=Timd", None, Value::Null)
            .await;
        let said: Value = serde_json::from_slice(&said).expect("JSON");
        assert_eq!(
            (status, &said["hint"]),
            (404, &json!("did you mean \"Timed\"?"))
        );
        assert_eq!(server.waiting("?state=Wait&limit=2").await, ["a", "b"]);
        assert_eq!(server.waiting("?state=Other").await, [""; 0]);
        assert_eq!(server.waiting("?withoutDeadline=true").await, ["a", "c"]);
        assert_eq!(server.waiting("?withoutDeadline=false").await, ["b"]);
        assert_eq!(server.waiting("?olderThan=10s").await, ["a", "b"]);
        assert_eq!(server.waiting("?kind=callback").await, [""; 0]);
        assert_eq!(server.waiting("?kind=activity&stuck=false").await.len(), 3);
        assert_eq!(server.waiting("?reference=r/1").await, ["a"]);
        assert_eq!(server.waiting("?execution=c").await, ["c"]);
        assert_eq!(server.waiting(&format!("?execution={first}")).await, ["a"]);
        // In pages.
        let page = server.get("/rejoin/waits?limit=2").await;
        assert_eq!(page["open"], 3);
        let next = text(&page["next"]);
        let rest = server.waiting(&format!("?limit=2&after={next}")).await;
        assert_eq!(rest, ["c"]);
        let wait = server.get(&format!("/rejoin/waits/{first}/1")).await;
        let references = json!([{ "route": "valuation", "reference": "r/1" }]);
        assert_eq!(wait["references"], references);
        assert_eq!(wait["openedAt"], START.to_string());
        assert_eq!(
            (&wait["ageSeconds"], &wait["attempt"]),
            (&json!(20.0), &json!(1))
        );
        let timed = &server.get("/rejoin/waits?execution=b").await["waits"][0];
        assert_eq!(timed["deadline"], START.plus_seconds(3610).to_string());
        // An activity's heartbeat clock starts with the worker that takes the task.
        assert_eq!(timed["heartbeatDeadline"], Value::Null);
    }
    // What has ended is no longer open, and can be asked for by itself.
    server.answer(&token).await;
    assert_eq!(server.waiting("").await, ["b", "c"]);
    let over = server.get(&format!("/rejoin/waits/{first}/1")).await;
    assert_eq!(
        (&over["end"], &over["endedAt"]),
        (
            &json!("succeeded"),
            &json!(START.plus_seconds(20).to_string())
        )
    );
    server.advance(3600).await;
    assert_eq!(server.waiting("").await, ["c"]);
    let (status, _) = server
        .reply(
            Method::GET,
            "/rejoin/waits?olderThan=soon",
            None,
            Value::Null,
        )
        .await;
    assert_eq!(status, 400);
    let (status, _) = server
        .reply(Method::GET, "/rejoin/waits/nonsense", None, Value::Null)
        .await;
    assert_eq!(status, 404);
}

#[tokio::test]
async fn a_wait_that_is_tried_again_is_another_attempt() {
    let server = Server::new(json!({})).await;
    let retried = json!({
        "TimeoutSeconds": 60,
        "Retry": [{ "ErrorEquals": ["States.ALL"], "IntervalSeconds": 5, "MaxAttempts": 3 }],
    });
    let machine = server.machine("Retried", retried).await;
    server.start(&machine, "a").await;
    server.advance(66).await;
    let wait = &server.get("/rejoin/waits").await["waits"][0];
    assert_eq!(wait["attempt"], 2);
    assert_eq!(wait["openedAt"], START.plus_seconds(65).to_string());
}

#[tokio::test]
async fn a_stuck_wait_is_spoken_of_once_at_its_time_and_time_does_not_run_there_by_itself() {
    let server = Server::new(json!({ "tasks": { "Patient.Wait": { "after_seconds": 0 } } })).await;
    let machine = server.machine("Endless", json!({})).await;
    let patient = server.machine("Patient", json!({})).await;
    server.start(&machine, "a").await;
    server.start(&patient, "p").await;
    // Time that runs by itself has no reason to: nothing is due but what is only looked at in passing.
    server
        .ask(
            Method::PUT,
            "/rejoin/clock/automatic",
            json!({ "automatic": true }),
        )
        .await;
    server
        .ask(
            Method::POST,
            "/rejoin/clock/advance",
            json!({ "seconds": 0 }),
        )
        .await;
    assert_eq!(server.app.clock.now(), START);
    server
        .ask(
            Method::PUT,
            "/rejoin/clock/automatic",
            json!({ "automatic": false }),
        )
        .await;
    let since = 300;
    server.advance(since).await;
    server.start(&machine, "b").await;
    server.advance(DAY - 1 - since).await;
    assert_eq!(server.alerts("stuck-wait").await, []);
    assert_eq!(server.waiting("?stuck=true").await, [""; 0]);
    server.advance(1).await;
    assert_eq!(server.alerts("stuck-wait").await, [said(DAY, "a")]);
    assert_eq!(server.waiting("?stuck=true").await, ["a"]);
    // A restart says nothing again, and what is due later comes at its time.
    let server = server.crashed().await;
    server.advance(10 * DAY).await;
    assert_eq!(
        server.alerts("stuck-wait").await,
        [said(DAY, "a"), said(DAY + since, "b")]
    );
    // It is said when it is over.
    let token = server.take().await;
    server.answer(&token).await;
    server.advance(1).await;
    let last = server
        .alerts("stuck-wait")
        .await
        .pop()
        .expect("there are some");
    assert_eq!(last.1, "a is over");
}

/// One execution that can't be read must not keep others from being spoken of.
#[tokio::test]
async fn a_wait_whose_execution_cannot_be_read_is_spoken_of_and_so_are_the_others() {
    let server = Server::new(
        json!({ "after_seconds": 100, "repeat_seconds": 1000, "warn_without_deadline": false }),
    )
    .await;
    for (machine, execution) in [("First", "spoilt"), ("Second", "whole")] {
        let machine = server.machine(machine, json!({})).await;
        server.start(&machine, execution).await;
    }
    spoil(&server.directory, b"execution:First:spoilt");
    server.advance(100).await;
    let mut told = server.alerts("stuck-wait").await;
    told.sort();
    assert_eq!(told, [said(100, "First"), said(100, "whole")]);
    // And it stays so: it is not asked for again and again.
    server.advance(1000).await;
    assert_eq!(server.alerts("stuck-wait").await.len(), 4);
}

/// Changes a byte of all that is stored and has this text in it.
fn spoil(directory: &Path, text: &[u8]) {
    let mut spoilt = 0;
    for entry in std::fs::read_dir(directory).expect("it is there") {
        let path = entry.expect("it is there").path();
        let mut bytes = std::fs::read(&path).unwrap_or_default();
        let found: Vec<usize> = (0..bytes.len().saturating_sub(text.len()))
            .filter(|at| bytes[*at..].starts_with(text))
            .collect();
        if !found.is_empty() {
            found.iter().for_each(|at| bytes[*at] ^= 1);
            spoilt += found.len();
            // In place: the server has it open.
            let file = std::fs::OpenOptions::new().write(true).open(&path);
            let mut file = file.expect("it can be written");
            std::io::Write::write_all(&mut file, &bytes).expect("it can be written");
        }
    }
    assert!(spoilt > 0, "there is something to spoil");
}

/// A reference that comes and goes, and siblings in a Map, are one incident that ends once.
#[tokio::test]
async fn the_waits_of_a_map_are_over_when_the_last_of_them_is() {
    let server = Server::new(json!({ "after_seconds": 100 })).await;
    let activity = json!({ "name": "value" });
    let activity = server.operation("CreateActivity", activity).await;
    let definition = json!({ "StartAt": "Each", "States": { "Each": {
        "Type": "Map", "End": true, "ItemProcessor": { "StartAt": "Wait", "States": { "Wait": {
            "Type": "Task", "Resource": activity["activityArn"], "End": true } } } } } });
    let machine = json!({
        "name": "Mapped",
        "definition": definition.to_string(),
        "roleArn": "arn:aws:iam::123456789012:role/parked",
    });
    let machine = text(&server.operation("CreateStateMachine", machine).await["stateMachineArn"]);
    let start = json!({ "stateMachineArn": machine, "name": "m", "input": "[1,2]" });
    server.operation("StartExecution", start).await;
    let tokens = [server.take().await, server.take().await];
    server.advance(100).await;
    assert_eq!(server.alerts("stuck-wait").await, [said(100, "m")]);
    server.answer(&tokens[0]).await;
    server.advance(1).await;
    assert_eq!(
        server.alerts("stuck-wait").await,
        [said(100, "m")],
        "one waits still"
    );
    server.answer(&tokens[1]).await;
    server.advance(1).await;
    let told = server.alerts("stuck-wait").await;
    assert_eq!(told, [said(100, "m"), said(101, "m is over")]);
}

#[tokio::test]
async fn what_was_due_while_the_server_was_away_is_said_when_it_is_back() {
    let server = Server::new(json!({ "after_seconds": 100 })).await;
    let machine = server.machine("Endless", json!({})).await;
    server.start(&machine, "a").await;
    let name = format!("rejoin-waits-{}", uuid::Uuid::new_v4());
    let copy = std::env::temp_dir().join(name);
    copy_all(&server.directory, &copy);
    let late = START.plus_seconds(5000);
    let server = Server::on(copy, server.policy.clone(), late).await;
    server.advance(0).await;
    assert_eq!(server.alerts("stuck-wait").await, [said(5000, "a")]);
}

#[tokio::test]
async fn a_deadline_that_is_far_away_does_not_keep_a_wait_from_being_stuck() {
    let policy =
        json!({ "machines": { "Far": { "deadline_after_seconds": 500, "repeat_seconds": 1000 } } });
    let server = Server::new(policy).await;
    let machine = server
        .machine("Far", json!({ "TimeoutSeconds": 31_536_000 }))
        .await;
    server.start(&machine, "a").await;
    server.advance(3000).await;
    // At 500, and again at 1500 and 2500.
    let times: Vec<_> = server.alerts("stuck-wait").await;
    assert_eq!(times, [said(500, "a"), said(1500, "a"), said(2500, "a")]);
    assert_eq!(server.alerts("wait-without-deadline").await, []);
}

#[tokio::test]
async fn that_nothing_ends_a_wait_is_said_once_for_a_version_of_its_state() {
    let server =
        Server::new(json!({ "machines": { "Quiet": { "warn_without_deadline": false } } })).await;
    let machine = server.machine("Endless", json!({})).await;
    let quiet = server
        .machine("Quiet", json!({ "Comment": "another definition" }))
        .await;
    server.start(&quiet, "q").await;
    server.start(&machine, "a").await;
    server.start(&machine, "b").await;
    server.advance(1).await;
    assert_eq!(server.alerts("wait-without-deadline").await, [said(0, "a")]);
    let server = server.crashed().await;
    server.start(&machine, "c").await;
    // Another definition of it is another matter.
    let definition = json!({ "StartAt": "Wait", "States": { "Wait": {
        "Type": "Task", "Resource": "arn:aws:states:us-east-1:123456789012:activity:value", "Next": "End" },
        "End": { "Type": "Succeed" } } });
    let update = json!({ "stateMachineArn": machine, "definition": definition.to_string() });
    server.operation("UpdateStateMachine", update).await;
    server.advance(400).await;
    server.start(&machine, "d").await;
    server.advance(1).await;
    let warned = server.alerts("wait-without-deadline").await;
    assert_eq!(warned, [said(0, "a"), said(401, "d")]);
}

#[tokio::test]
async fn heartbeats_that_nobody_asked_for_are_missed_when_they_stop() {
    let server = Server::new(json!({ "silence_times": 3, "silence_seconds": 20 })).await;
    let machine = server.machine("Endless", json!({})).await;
    server.start(&machine, "a").await;
    let token = server.take().await;
    for _ in 0..4 {
        server.advance(10).await;
        server.beat(&token).await;
    }
    // The last came at 40, every 10 seconds: 30 seconds of silence are odd.
    server.advance(29).await;
    assert_eq!(server.alerts("missing-heartbeats").await, []);
    let server = server.crashed().await;
    server.advance(100).await;
    assert_eq!(server.alerts("missing-heartbeats").await, [said(70, "a")]);
    let wait = &server.get("/rejoin/waits?stuck=true").await["waits"][0];
    assert_eq!(
        (&wait["stuck"], &wait["heartbeats"]),
        (&json!("silent"), &json!(4))
    );
    assert_eq!(wait["lastHeartbeatAt"], START.plus_seconds(40).to_string());
    // It has come back, and stops again; alerts about the same thing are counted together for a while.
    server.advance(400).await;
    server.beat(&token).await;
    assert_eq!(server.waiting("?stuck=true").await, [""; 0]);
    server.advance(0).await;
    let over = said(569, "a is over");
    assert_eq!(
        server.alerts("missing-heartbeats").await,
        [said(70, "a"), over.clone()]
    );
    // That it goes on is no news.
    server.advance(10).await;
    server.beat(&token).await;
    server.advance(DAY / 2).await;
    let all = server.alerts("missing-heartbeats").await;
    assert_eq!((all.len(), &all[1], &*all[2].1), (3, &over, "a"));
}

/// A page, read as the format's description has it: every sample's value by its name and labels.
fn parsed(page: &str) -> BTreeMap<String, f64> {
    assert!(page.ends_with('\n'));
    let name_ok = |name: &str| {
        !name.is_empty()
            && !name.starts_with(|c: char| c.is_ascii_digit())
            && name
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || c == '_' || c == ':')
    };
    let mut families = BTreeSet::new();
    let mut family = (String::new(), String::new());
    let mut help = String::new();
    let mut samples = BTreeMap::new();
    for line in page.lines() {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            let (name, text) = rest.split_once(' ').expect("a name and a text");
            assert!(name_ok(name) && !text.is_empty(), "{line}");
            assert!(families.insert(name.to_owned()), "{name} comes twice");
            help = name.to_owned();
        } else if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').expect("a name and a type");
            assert_eq!(name, help, "the type follows the help");
            assert!(["counter", "gauge", "histogram"].contains(&kind), "{line}");
            assert_eq!(kind == "counter", name.ends_with("_total"), "{line}");
            family = (name.to_owned(), kind.to_owned());
        } else {
            let (series, value) = line.rsplit_once(' ').expect("a series and a value");
            let value: f64 = value.parse().expect("a number");
            assert!(value.is_finite() && value >= 0.0, "{line}");
            let (name, labels) = match series.split_once('{') {
                Some((name, labels)) => (name, labels.strip_suffix('}').expect("closed")),
                None => (series, ""),
            };
            let suffix = name.strip_prefix(&*family.0).expect("it is of its family");
            let allowed: &[&str] = match &*family.1 {
                "histogram" => &["_bucket", "_sum", "_count"],
                _ => &[""],
            };
            assert!(allowed.contains(&suffix), "{line}");
            let mut rest = labels;
            while !rest.is_empty() {
                let (label, more) = rest.split_once("=\"").expect("a label");
                assert!(name_ok(label), "{line}");
                let mut escaped = false;
                let end = more.find(|c| {
                    let ends = c == '"' && !escaped;
                    escaped = c == '\\' && !escaped;
                    ends
                });
                rest = &more[end.expect("a quote at the end") + 1..];
                rest = rest.strip_prefix(',').unwrap_or(rest);
            }
            let before = samples.insert(series.to_owned(), value);
            assert_eq!(before, None, "{series} comes twice");
        }
    }
    // A histogram's buckets rise, and the last is all.
    let mut last: Option<(String, f64)> = None;
    for line in page.lines().filter(|line| line.contains("_bucket{")) {
        let (series, value) = line.rsplit_once(' ').expect("a series and a value");
        let value: f64 = value.parse().expect("a number");
        let (head, le) = series.rsplit_once("le=\"").expect("a bound");
        if let Some((before, count)) = &last {
            assert!(before != head || *count <= value, "{line}");
        }
        last = Some((head.to_owned(), value));
        if le == "+Inf\"}" {
            let labels = head.trim_end_matches(',').replace("_bucket", "_count");
            let all = match labels.strip_suffix('{') {
                Some(bare) => bare.to_owned(),
                None => format!("{labels}}}"),
            };
            assert_eq!(samples.get(&all), Some(&value), "{all}");
            last = None;
        }
    }
    samples
}

#[tokio::test]
async fn prometheus_is_told_in_its_own_format() {
    let server = Server::new(json!({})).await;
    let machine = server.machine("Endless", json!({})).await;
    server.start(&machine, "a").await;
    server.start(&machine, "b").await;
    let token = server.take().await;
    server.advance(30).await;
    let body = json!({ "taskToken": token });
    server
        .ask(Method::PUT, "/rejoin/references/valuation/r1", body)
        .await;
    let call_back = |reference: &'static str, value: u32| {
        let body = json!({ "ref": reference, "value": value });
        server.reply(Method::POST, "/callbacks/valuation", None, body)
    };
    assert_eq!(call_back("r1", 1).await.0, 200);
    assert_eq!(call_back("r1", 2).await.0, 409);
    assert_eq!(call_back("r2", 1).await.0, 202);
    // A route's name is the user's own.
    let odd =
        json!({ "path": "/callbacks/odd", "reference": "$.ref", "verify": { "scheme": "none" } });
    let (status, _) = server
        .reply(Method::PUT, "/rejoin/routes/o%22d%5Cd", None, odd)
        .await;
    if status < 300 {
        let body = json!({ "ref": "x" });
        server
            .reply(Method::POST, "/callbacks/odd", None, body)
            .await;
    }
    let (status, page) = server
        .reply(Method::GET, "/metrics", None, Value::Null)
        .await;
    assert_eq!(status, 200);
    let page = String::from_utf8(page).expect("text");
    let samples = parsed(&page);
    let open = r#"{machine="Endless",state="Wait",deadline="no"}"#;
    for (series, wanted) in [
        (format!("rejoin_open_waits{open}"), 1.0),
        (format!("rejoin_oldest_wait_age_seconds{open}"), 30.0),
        (
            r#"rejoin_waits_ended_total{kind="activity",end="succeeded"}"#.into(),
            1.0,
        ),
        (
            r#"rejoin_callbacks_total{route="valuation",disposition="delivered"}"#.into(),
            1.0,
        ),
        (
            r#"rejoin_callbacks_total{route="valuation",disposition="duplicate-contradicting"}"#
                .into(),
            1.0,
        ),
        (
            r#"rejoin_callbacks_total{route="valuation",disposition="early"}"#.into(),
            1.0,
        ),
        ("rejoin_references".into(), 1.0),
        (r#"rejoin_executions{status="RUNNING"}"#.into(), 1.0),
        (r#"rejoin_executions{status="SUCCEEDED"}"#.into(), 1.0),
        (
            r#"rejoin_executions_ended_total{status="SUCCEEDED"}"#.into(),
            1.0,
        ),
        ("rejoin_executions_started_total".into(), 2.0),
        (r#"rejoin_clock{kind="virtual"}"#.into(), 1.0),
        ("rejoin_store_failed".into(), 0.0),
    ] {
        assert_eq!(samples.get(&series), Some(&wanted), "{series}\n{page}");
    }
    let alerts = r#"rejoin_alerts_total{kind="wait-without-deadline",result="raised"}"#;
    assert_eq!(samples.get(alerts), Some(&1.0));
    assert!(samples["rejoin_callbacks_kept"] >= 1.0);
    assert!(samples["rejoin_commits_total"] >= 6.0);
    assert!(samples["rejoin_sync_seconds_count"] >= 6.0);
    // The states of things are known after a restart, and what was counted begins again.
    let server = server.crashed().await;
    let (_, page) = server
        .reply(Method::GET, "/metrics", None, Value::Null)
        .await;
    let samples = parsed(&String::from_utf8(page).expect("text"));
    assert_eq!(samples[&format!("rejoin_open_waits{open}")], 1.0);
    assert_eq!(samples["rejoin_references"], 1.0);
    assert_eq!(samples["rejoin_executions_started_total"], 0.0);
}

#[tokio::test]
async fn a_callback_task_tells_how_long_its_answer_took() {
    let server = Server::new(json!({})).await;
    let definition = json!({ "StartAt": "Ask", "States": { "Ask": {
        "Type": "Task",
        "Resource": "arn:aws:states:::sns:publish.waitForTaskToken",
        "Parameters": {
            "TopicArn": "arn:aws:sns:us-east-1:123456789012:orders",
            "Message": { "token.$": "$$.Task.Token" },
        },
        "TimeoutSeconds": 600,
        "End": true,
    } } });
    let machine = json!({
        "name": "Orders",
        "definition": definition.to_string(),
        "roleArn": "arn:aws:iam::123456789012:role/parked",
    });
    let machine = text(&server.operation("CreateStateMachine", machine).await["stateMachineArn"]);
    server.start(&machine, "a").await;
    server.advance(6).await;
    assert_eq!(server.waiting("?kind=callback").await, ["a"]);
    let messages = server.get("/rejoin/topics/orders/messages").await;
    let token = text(&messages["messages"][0]["message"]["token"]);
    server.answer(&token).await;
    let (_, page) = server
        .reply(Method::GET, "/metrics", None, Value::Null)
        .await;
    let samples = parsed(&String::from_utf8(page).expect("text"));
    let of = r#"{machine="Orders",state="Ask""#;
    assert_eq!(
        samples[&format!("rejoin_callback_round_trip_seconds_count{of}}}")],
        1.0
    );
    assert_eq!(
        samples[&format!("rejoin_callback_round_trip_seconds_sum{of}}}")],
        6.0
    );
    assert_eq!(
        samples[&format!("rejoin_callback_round_trip_seconds_bucket{of},le=\"5\"}}")],
        0.0
    );
    assert_eq!(
        samples[&format!("rejoin_callback_round_trip_seconds_bucket{of},le=\"15\"}}")],
        1.0
    );
}
