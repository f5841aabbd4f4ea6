//! What a caller and a receiver see of each fault, on the virtual clock. The receiver is a mock too.

use std::time::Duration;

use asl::Timestamp;
use bytes::Bytes;
use hyper::Method;
use mock::{Asked, Event, Fault, Listen, Mock, Running, Start};
use serde_json::{Value, json};
use server::client::{Answer, Client};
use server::clock::Clock;
use server::gateway::verify::Signer;
use source::Source;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::task::JoinHandle;

const SECRET: &str = "whsec_dGhlIHZhbHVhdGlvbiBzZXJ2aWNlIG9mIHRoZSBsb2FuIHByb2Nlc3Nvcg==";
const LIMIT: Duration = Duration::from_secs(20);

/// A service with everything, and a receiver that takes heartbeats for half a minute.
fn file(more: &str) -> String {
    format!(
        "
services:
  orders:
    secret: {SECRET}
    routes:
      - post: /orders
        reply: {{status: 201, body: {{reference: '{{% $reference %}}'}}}}
        callbacks:
          - after: 6s
            to: '{{% $request.body.to %}}'
            body: {{reference: '{{% $reference %}}', price: 5}}
            failure: {{reference: '{{% $reference %}}', failed: true}}
            heartbeat: {{reference: '{{% $reference %}}', alive: true}}
        fault: '{{% $request.body.fault %}}'
      - post: /steps
        reply: {{status: 202}}
        callbacks:
          - {{after: 1s, to: '{{% $request.body.to %}}', body: {{step: 1}}}}
          - {{after: 3s, to: '{{% $request.body.to %}}', body: {{step: 2}}}}
        fault: out-of-order
{more}
  receiver:
    routes:
      - {{post: /, when: '{{% $n > 6 and $request.body.alive %}}', reply: {{status: 410}}}}
      - {{post: /}}
"
    )
}

struct Stage {
    clock: Clock,
    client: Client,
    running: Running,
    events: UnboundedReceiver<Event>,
    began: Timestamp,
}

/// A callback as it came: after how many seconds, what it says, and whether it proves itself.
#[derive(Debug, PartialEq)]
struct Came(i64, Value, bool);

impl Stage {
    async fn set(text: &str) -> Stage {
        let source = Source::of("test.mock.yaml", text.to_owned(), true);
        let read = Mock::read(&source);
        let mock =
            read.unwrap_or_else(|found| panic!("{}", source.report(&found, source::report::plain)));
        let began = Timestamp(1_790_000_000_000);
        let clock = Clock::standing_at(began);
        let client = Client::new();
        let (tell, events) = unbounded_channel();
        let start = Start {
            clock: clock.clone(),
            client: client.clone(),
            listen: Listen::Free,
            seed: 7,
            heard: Some(std::sync::Arc::new(move |event: &Event| {
                let _ = tell.send(event.clone());
            })),
        };
        let running = mock.start(start).await.expect("ports are free");
        Stage {
            clock,
            client,
            running,
            events,
            began,
        }
    }

    /// Asks in the background.
    fn asking(
        &self,
        path: &str,
        headers: &[(&'static str, &'static str)],
        body: &Value,
    ) -> JoinHandle<Result<Answer, String>> {
        let url = format!(
            "{}{path}",
            self.running.url("orders").expect("it is in the file")
        );
        let mut body = body.clone();
        body["to"] = self
            .running
            .url("receiver")
            .expect("it is in the file")
            .into();
        let (client, headers) = (self.client.clone(), headers.to_vec());
        let body = Bytes::from(body.to_string());
        tokio::spawn(async move { client.send(Method::POST, &url, &headers, body, LIMIT).await })
    }

    async fn ask(&self, path: &str, body: &Value) -> Result<Answer, String> {
        self.asking(path, &[], body)
            .await
            .expect("it does not panic")
    }

    /// Returns once a request has been answered, or is known to be not.
    async fn until_answered(&mut self) {
        while let Some(event) = self.events.recv().await {
            if let Event::Answer(_) = event {
                return;
            }
        }
    }

    async fn until_asked(&mut self) {
        while let Some(event) = self.events.recv().await {
            if let Event::Request(_) = event {
                return;
            }
        }
    }

    async fn advance(&self, seconds: i64) {
        drop(
            self.clock
                .advance(self.clock.now().plus_seconds(seconds))
                .await,
        );
    }

    fn received(&self) -> Vec<Asked> {
        let requests = self.running.requests().into_iter();
        requests
            .filter(|asked| asked.service == "receiver")
            .collect()
    }

    /// What came, with the reference made readable.
    fn came(&self) -> Vec<Came> {
        let sent = self.running.sent();
        self.received()
            .iter()
            .zip(&sent)
            .map(|(asked, sent)| {
                let at: Timestamp = asked.at.parse().expect("a time");
                let mut says = asked.request["body"].clone();
                if let Some(reference) = says.get_mut("reference") {
                    let right = *reference == sent.reference;
                    *reference = if right { "right" } else { "wrong" }.into();
                }
                let headers = &asked.request["headers"];
                let header = |name: &str| headers[name].as_str().unwrap_or_default();
                let mut signer = Signer::default();
                signer.add(SECRET).expect("a secret");
                let seconds = header("webhook-timestamp");
                let signature = signer.sign(header("webhook-id"), seconds, sent.body.as_bytes());
                let on_time = seconds == (at.0 / 1000).to_string();
                Came(
                    (at.0 - self.began.0) / 1000,
                    says,
                    on_time && signature == header("webhook-signature"),
                )
            })
            .collect()
    }
}

fn result() -> Value {
    json!({"reference": "right", "price": 5})
}

fn heartbeat() -> Value {
    json!({"reference": "right", "alive": true})
}

#[tokio::test(flavor = "multi_thread")]
async fn each_fault_of_a_callback_is_seen_by_its_receiver() {
    let hour = 3_600;
    for (fault, seconds, expected) in [
        ("none", 60, vec![Came(6, result(), true)]),
        ("any other name", 60, vec![Came(6, result(), true)]),
        ("no-callback", hour, vec![]),
        ("late", hour, vec![Came(hour, result(), true)]),
        ("early", 0, vec![Came(0, result(), true)]),
        (
            "duplicate",
            60,
            vec![Came(6, result(), true), Came(8, result(), true)],
        ),
        (
            "contradicting",
            60,
            vec![
                Came(6, result(), true),
                Came(8, json!({"reference": "right", "price": 6}), true),
            ],
        ),
        (
            "wrong-reference",
            60,
            vec![Came(6, json!({"reference": "wrong", "price": 5}), true)],
        ),
        ("forged", 60, vec![Came(6, result(), false)]),
        ("unsigned", 60, vec![Came(6, result(), false)]),
        ("expired", 60, vec![Came(6, result(), false)]),
        (
            "failed",
            60,
            vec![Came(6, json!({"reference": "right", "failed": true}), true)],
        ),
        (
            "out-of-order",
            60,
            vec![Came(6, result(), true), Came(8, heartbeat(), true)],
        ),
        (
            "heartbeats",
            60,
            vec![
                Came(5, heartbeat(), true),
                Came(10, heartbeat(), true),
                Came(15, heartbeat(), true),
                Came(20, heartbeat(), true),
                Came(25, result(), true),
            ],
        ),
        (
            "heartbeats-stop",
            60,
            vec![
                Came(5, heartbeat(), true),
                Came(10, heartbeat(), true),
                Came(15, heartbeat(), true),
            ],
        ),
        // The seventh is not taken, and no other comes.
        (
            "heartbeats-only",
            hour,
            (1..=7)
                .map(|beat| Came(5 * beat, heartbeat(), true))
                .collect(),
        ),
        ("delay", 60, vec![Came(6, result(), true)]),
        ("slow-body", 60, vec![Came(6, result(), true)]),
        ("malformed-reply", 60, vec![Came(6, result(), true)]),
        ("crash", 60, vec![Came(6, result(), true)]),
        ("no-answer", 60, vec![]),
        ("error", 60, vec![]),
        ("reset", 60, vec![]),
    ] {
        let mut stage = Stage::set(&file("")).await;
        let asked = stage.asking("/orders", &[], &json!({"fault": fault}));
        stage.until_asked().await;
        stage.advance(seconds).await;
        assert_eq!(stage.came(), expected, "{fault}");
        let sent = stage.running.sent();
        assert_eq!(sent.len(), expected.len(), "{fault}");
        assert!(
            sent.iter().all(|sent| sent.error.is_none()),
            "{fault}: {sent:?}"
        );
        asked.abort();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn half_of_a_callback_is_signed_as_it_is() {
    let stage = Stage::set(&file("")).await;
    stage
        .ask("/orders", &json!({"fault": "malformed"}))
        .await
        .expect("an answer");
    stage.advance(60).await;
    let came = stage.came();
    let [Came(6, Value::String(half), true)] = &came[..] else {
        panic!("{came:?}");
    };
    assert!(
        half.starts_with("{\"reference\":\"") && !half.ends_with('}'),
        "{half}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn expired_and_unsigned_are_told_apart_from_forged() {
    let stage = Stage::set(&file("")).await;
    for fault in ["expired", "unsigned", "forged"] {
        stage
            .ask("/orders", &json!({"fault": fault}))
            .await
            .expect("an answer");
        stage.advance(10).await;
    }
    let received = stage.received();
    let header = |index: usize, name: &str| {
        received[index].request["headers"][name]
            .as_str()
            .map(str::to_owned)
    };
    let seconds = |at: i64| Some((stage.began.0 / 1000 + at).to_string());
    // Signed right, but an hour ago.
    assert_eq!(header(0, "webhook-timestamp"), seconds(6 - 3_600));
    let mut signer = Signer::default();
    signer.add(SECRET).expect("a secret");
    let body = stage.running.sent()[0].body.clone();
    let signature = signer.sign(
        &header(0, "webhook-id").unwrap_or_default(),
        &header(0, "webhook-timestamp").unwrap_or_default(),
        body.as_bytes(),
    );
    assert_eq!(header(0, "webhook-signature"), Some(signature));
    assert_eq!(header(1, "webhook-signature"), None);
    // A signature, of the right time, with another secret.
    assert_eq!(header(2, "webhook-timestamp"), seconds(26));
    assert!(header(2, "webhook-signature").is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn each_fault_of_an_answer_is_seen_by_its_caller() {
    let stage = Stage::set(&file("")).await;
    let ask = async |fault: &str| stage.ask("/orders", &json!({"fault": fault})).await;
    let plain = ask("none").await.expect("an answer");
    assert_eq!(plain.status, 201);
    assert_eq!(plain.headers["content-type"], "application/json");
    let body: Value = serde_json::from_slice(&plain.body).expect("JSON");
    assert_eq!(body["reference"].as_str().map(str::len), Some(36));
    let error = ask("error").await.expect("an answer");
    assert_eq!(
        (error.status.as_u16(), &error.body[..]),
        (500, &br#"{"message":"the service is out of order"}"#[..])
    );
    let half = ask("malformed-reply").await.expect("an answer");
    assert_eq!(half.body.len(), plain.body.len() / 2);
    for fault in ["reset", "crash"] {
        let why = ask(fault).await.expect_err("there is no answer");
        assert!(why.contains("reset"), "{fault}: {why}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_comes_late_comes_at_its_time() {
    for fault in ["delay", "slow-body"] {
        let mut stage = Stage::set(&file("")).await;
        let asked = stage.asking("/orders", &[], &json!({"fault": fault}));
        stage.until_asked().await;
        stage.advance(29).await;
        assert!(!asked.is_finished(), "{fault}");
        stage.advance(1).await;
        let answer = asked.await.expect("it does not panic").expect("an answer");
        assert!(
            serde_json::from_slice::<Value>(&answer.body).is_ok(),
            "{fault}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_answer_is_none_until_the_mock_is_gone() {
    let mut stage = Stage::set(&file("")).await;
    let asked = stage.asking("/orders", &[], &json!({"fault": "no-answer"}));
    stage.until_answered().await;
    let answered = stage.running.requests()[0]
        .answered
        .clone()
        .expect("it is known");
    assert_eq!(
        (answered.status, answered.remark.as_deref()),
        (None, Some("never answered"))
    );
    stage.advance(86_400).await;
    assert!(!asked.is_finished());
    drop(stage);
    asked
        .await
        .expect("it does not panic")
        .expect_err("there is no answer");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_comes_last_comes_first_out_of_order() {
    let stage = Stage::set(&file("")).await;
    stage.ask("/steps", &json!({})).await.expect("an answer");
    stage.advance(60).await;
    assert_eq!(
        stage.came(),
        [
            Came(1, json!({"step": 2}), true),
            Came(3, json!({"step": 1}), true)
        ]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_taken_is_sent_again_if_the_file_says_so() {
    let more = "
      - post: /again
        callbacks:
          - {to: '{% $request.body.to & \"/busy\" %}', body: 1, retries: [5s, 1m, 1h]}
          - {to: '{% $request.body.to & \"/gone\" %}', body: 2, after: 7s, retries: [5s]}
";
    let busy =
        "      - {post: /busy, request: 1..2, reply: {status: 503}}\n      - {post: /busy}\n";
    let stage = Stage::set(&format!("{}{busy}", file(more))).await;
    stage.ask("/again", &json!({})).await.expect("an answer");
    stage.advance(7_200).await;
    let sent = stage.running.sent();
    let times: Vec<_> = sent
        .iter()
        .map(|sent| {
            let at: Timestamp = sent.at.parse().expect("a time");
            let seconds = (at.0 - stage.began.0) / 1000;
            (seconds, &*sent.body, sent.attempt, sent.status)
        })
        .collect();
    // What waits to be sent again holds up nobody; a refusal for good is none to try again.
    assert_eq!(
        times,
        [
            (0, "1", 1, Some(503)),
            (5, "1", 2, Some(503)),
            (7, "2", 1, Some(404)),
            (65, "1", 3, Some(200)),
        ]
    );
    let received = stage.received();
    let ids: Vec<_> = received
        .iter()
        .map(|asked| &asked.request["headers"]["webhook-id"])
        .collect();
    assert!(
        ids[0] == ids[1] && ids[1] == ids[3] && ids[0] != ids[2],
        "{ids:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_crash_the_next_request_finds_the_work_done() {
    let more = "
      - {post: /jobs, request: 1, fault: crash, reply: &reply {body: '{% $reference %}'}, callbacks: &calls [{to: '{% $request.body.to %}', body: {of: '{% $reference %}'}}]}
      - {post: /jobs, reply: *reply, callbacks: *calls}
";
    let stage = Stage::set(&file(more)).await;
    let again: &[(&str, &str)] = &[("idempotency-key", "k-1")];
    let first = stage
        .asking("/jobs", again, &json!({}))
        .await
        .expect("no panic");
    assert!(first.is_err_and(|why| why.contains("reset")));
    stage.advance(60).await;
    let done = stage.running.sent();
    assert_eq!(done.len(), 1);
    for _ in 0..2 {
        let next = stage
            .asking("/jobs", again, &json!({}))
            .await
            .expect("no panic");
        assert_eq!(next.expect("an answer").body, done[0].reference);
    }
    let other = stage.ask("/jobs", &json!({})).await.expect("an answer");
    assert_ne!(other.body, done[0].reference);
    stage.advance(60).await;
    assert_eq!(stage.running.sent().len(), 2, "each work is done once");
    let repeated: Vec<bool> = stage
        .running
        .requests()
        .iter()
        .filter(|asked| asked.service == "orders")
        .map(|asked| asked.repeated)
        .collect();
    assert_eq!(repeated, [false, true, true, false]);
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_are_told_apart_by_number_key_and_condition() {
    let more = "
      - {get: '/things/{id}', key: '{% $request.params.id %}', request: 1..2, reply: {status: 503}}
      - {get: '/things/{id}', key: '{% $request.params.id %}', when: '{% $request.query.deep = \"1\" %}', reply: {body: {deep: '{% $n %}'}}}
      - {any: '/things/{id}', reply: {body: '{% $request.method & \" \" & $request.params.id %}', headers: {x-n: '{% $string($n) %}'}}}
";
    let stage = Stage::set(&file(more)).await;
    let base = stage.running.url("orders").expect("it is there");
    for (method, path, status, body) in [
        (Method::GET, "/things/a", 503, ""),
        (Method::GET, "/things/a", 503, ""),
        (Method::GET, "/things/b", 503, ""),
        (Method::GET, "/things/a?deep=1", 200, "{\"deep\":3}"),
        (Method::GET, "/things/a", 200, "GET a"),
        (Method::DELETE, "/things/a%20b", 200, "DELETE a b"),
        (
            Method::GET,
            "/things",
            404,
            "{\"message\":\"orders has no GET /things; it has POST /orders, POST /steps, GET /things/{id}, ANY /things/{id}\"}",
        ),
    ] {
        let url = format!("{base}{path}");
        let answer = stage
            .client
            .send(method, &url, &[], Bytes::new(), LIMIT)
            .await
            .expect("an answer");
        assert_eq!(
            (
                answer.status.as_u16(),
                &*String::from_utf8_lossy(&answer.body)
            ),
            (status, body),
            "{path}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_embeds_it_forces_faults() {
    let stage = Stage::set(&file("")).await;
    let status = async || {
        stage
            .ask("/orders", &json!({}))
            .await
            .expect("an answer")
            .status
            .as_u16()
    };
    let force = |fault: Option<Fault>| stage.running.force("orders", "POST /orders", fault);
    assert_eq!(status().await, 201);
    force(Fault::named("error")).expect("it can");
    assert_eq!(status().await, 500);
    force(None).expect("it can");
    assert_eq!(status().await, 201);
    for (service, route, fault, expected) in [
        (
            "order",
            "POST /orders",
            "error",
            "there is no service \"order\"; there are orders, receiver",
        ),
        (
            "orders",
            "POST /order",
            "error",
            "orders has no route \"POST /order\"; there are POST /orders, POST /steps",
        ),
        (
            "receiver",
            "POST /",
            "late",
            "POST / of receiver can't be `late`: the route has no `callbacks`",
        ),
        (
            "orders",
            "POST /steps",
            "failed",
            "POST /steps of orders can't be `failed`: no callback has a `failure`",
        ),
        (
            "orders",
            "POST /steps",
            "wrong-reference",
            "POST /steps of orders can't be `wrong-reference`: no callback says $reference, and a reference that the caller chose is not the service's to mistake",
        ),
    ] {
        let why = stage
            .running
            .force(service, route, Fault::named(fault))
            .expect_err(fault);
        assert_eq!(why, expected);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_file_cant_say_of_a_request_is_said() {
    let more = "
      - {post: /pay, reply: {body: '{% $request.body.amount * 2 %}'}}
      - {post: /tell, callbacks: [{to: '{% $request.body.where %}', body: {}}]}
";
    let stage = Stage::set(&file(more)).await;
    let refused = stage
        .ask("/pay", &json!({"amount": "much"}))
        .await
        .expect("an answer");
    let said = String::from_utf8_lossy(&refused.body);
    assert_eq!(refused.status, 500);
    assert!(
        said.contains("the mock can't answer POST /pay") && said.contains("$request.body.amount"),
        "{said}"
    );
    stage.ask("/tell", &json!({})).await.expect("an answer");
    stage.advance(1).await;
    let sent = stage.running.sent();
    let why = sent[0].error.as_deref().unwrap_or_default();
    assert!(
        why.contains("`to`") && why.contains("$request.body.where"),
        "{why}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_requests_get_the_same_references() {
    let mut references = Vec::new();
    for _ in 0..2 {
        let stage = Stage::set(&file("")).await;
        for _ in 0..3 {
            stage.ask("/orders", &json!({})).await.expect("an answer");
        }
        let asked = stage.running.requests();
        references.push(
            asked
                .into_iter()
                .map(|asked| asked.reference)
                .collect::<Vec<_>>(),
        );
    }
    assert_eq!(references[0], references[1]);
    assert_ne!(references[0][0], references[0][1]);
}
