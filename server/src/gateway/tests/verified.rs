//! A route that verifies, against every disposition: a forged, an expired and a changed callback do
//! nothing and are told in full to the operator alone; the genuine one does what it would do anyway;
//! and the genuine one sent again does nothing twice.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::hmac;

use super::*;

const SECRET: &[u8] = b"a secret of the third party";

fn verifying() -> Value {
    let mut route = route();
    route["verify"] = json!({
        "scheme": "standard-webhooks",
        "secrets": [format!("whsec_{}", STANDARD.encode(SECRET))],
    });
    route
}

/// The headers of a message, signed as Standard Webhooks has it.
fn signed(id: &str, at: Timestamp, body: &str, secret: &[u8]) -> Vec<(&'static str, String)> {
    let at = at.0 / 1000;
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret);
    let tag = hmac::sign(&key, format!("{id}.{at}.{body}").as_bytes());
    vec![
        ("webhook-id", id.to_owned()),
        ("webhook-timestamp", at.to_string()),
        ("webhook-signature", format!("v1,{}", STANDARD.encode(tag))),
    ]
}

impl World {
    fn verifying() -> World {
        World::with(vec![verifying()]).expect("the route is right")
    }

    async fn call_back_with(&self, headers: &[(&str, String)], body: &str) -> (u16, Value) {
        let path = "/callbacks/valuation";
        let reply = self
            .send_with(Method::POST, path, headers, body.to_owned())
            .await;
        let said = serde_json::from_slice(&reply.body).expect("JSON");
        (reply.status.as_u16(), said)
    }

    /// Sends what the third party itself would send.
    async fn signed(&self, id: &str, body: &str) -> (u16, String) {
        let headers = signed(id, self.clock.now(), body, SECRET);
        let (status, said) = self.call_back_with(&headers, body).await;
        (
            status,
            said["disposition"].as_str().unwrap_or_default().to_owned(),
        )
    }

    fn completions(&self) -> (usize, usize) {
        let state = self.engine.0.lock();
        (state.completions, state.heartbeats)
    }
}

/// A moment, what comes then, what it must be, and what the very same must be when it comes again.
struct Row {
    named: &'static str,
    before: fn(&World),
    registered: bool,
    /// Another callback of the third party came before.
    first: Option<&'static str>,
    body: &'static str,
    expected: (u16, &'static str),
    again: (u16, &'static str),
}

const ANSWER: &str = r#"{"ref":"r1","value":1}"#;
const DUPLICATE: (u16, &str) = (200, "duplicate-identical");

fn rows() -> Vec<Row> {
    let plain = Row {
        named: "",
        before: |_| {},
        registered: true,
        first: None,
        body: ANSWER,
        expected: (200, "delivered"),
        again: DUPLICATE,
    };
    vec![
        Row {
            named: "in time",
            ..plain
        },
        Row {
            named: "a failure",
            body: r#"{"ref":"r1","failed":true}"#,
            expected: (200, "delivered-as-failure"),
            ..plain
        },
        Row {
            named: "a heartbeat, which must not be extended by whoever has overheard it",
            body: r#"{"ref":"r1","status":"working"}"#,
            expected: (200, "heartbeat"),
            ..plain
        },
        Row {
            named: "early",
            before: |world| drop(world.wait_announced(1, 1)),
            registered: false,
            expected: (202, "early"),
            ..plain
        },
        Row {
            named: "the same under another id",
            first: Some(ANSWER),
            expected: DUPLICATE,
            ..plain
        },
        Row {
            named: "a contradiction under another id",
            first: Some(r#"{"ref":"r1","value":2}"#),
            expected: (409, "duplicate-contradicting"),
            again: (409, "duplicate-contradicting"),
            ..plain
        },
        Row {
            named: "after the timeout",
            before: |world| world.engine.end(1, 1, WaitEnd::TimedOut, false),
            expected: (410, "late-timed-out"),
            again: (410, "late-timed-out"),
            ..plain
        },
        Row {
            named: "after the end",
            before: |world| world.engine.end(1, 1, WaitEnd::Aborted, false),
            expected: (410, "late-ended"),
            again: (410, "late-ended"),
            ..plain
        },
        Row {
            named: "after a retry",
            before: |world| world.engine.end(1, 1, WaitEnd::TimedOut, true),
            expected: (410, "late-superseded"),
            again: (410, "late-superseded"),
            ..plain
        },
        Row {
            named: "for nobody",
            registered: false,
            expected: (404, "unknown-reference"),
            again: (404, "unknown-reference"),
            ..plain
        },
        Row {
            named: "without a reference",
            body: r#"{"value":1}"#,
            expected: (400, "malformed"),
            again: (400, "malformed"),
            ..plain
        },
        Row {
            named: "too large",
            body: r#"{"ref":"r1","pad":"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"}"#,
            expected: (413, "too-large"),
            again: (413, "too-large"),
            ..plain
        },
        Row {
            named: "while the engine is down",
            before: |world| world.engine.0.lock().down = true,
            expected: (503, "undeliverable"),
            ..plain
        },
    ]
}

impl Row {
    async fn world(&self) -> World {
        let world = World::verifying();
        let token = world.engine.open(1, 1);
        if self.registered {
            assert_eq!(world.register("r1", &token).await.0, 200);
        }
        if let Some(first) = self.first {
            assert_eq!(world.signed("msg_0", first).await, took(200, "delivered"));
        }
        (self.before)(&world);
        world
    }
}

#[tokio::test]
async fn in_every_disposition_the_genuine_counts_and_its_replay_does_nothing() {
    for row in rows() {
        let world = row.world().await;
        let first = world.signed("msg_1", row.body).await;
        assert_eq!(first, took(row.expected.0, row.expected.1), "{}", row.named);
        let done = world.completions();
        let again = world.signed("msg_1", row.body).await;
        assert_eq!(again, took(row.again.0, row.again.1), "{}", row.named);
        assert_eq!(world.completions(), done, "{}", row.named);
        let (_, said) = world.get("/rejoin/deliveries").await;
        for delivery in said["deliveries"].as_array().expect("a list") {
            assert_eq!(
                delivery["verifiedBy"], "standard-webhooks, secret 1 of 1",
                "{}",
                row.named
            );
        }
    }
}

#[tokio::test]
async fn in_every_disposition_what_is_not_genuine_does_nothing_at_all() {
    for row in rows() {
        let world = row.world().await;
        let (done, alerts) = (world.completions(), world.alerts().await.len());
        let (_, standing) = world.get("/rejoin/references/valuation/r1").await;
        let now = world.clock.now();
        let long_ago = now.plus_seconds(-301);
        let genuine = signed("msg_1", now, row.body, SECRET);
        let (cut, _) = row.body.split_at(row.body.len() - 2);
        let mut other_id = genuine.clone();
        other_id[0].1 = "msg_2".into();
        for (headers, body, why) in [
            (vec![], row.body, "It has no header webhook-id."),
            (
                signed("msg_1", now, row.body, b"another"),
                row.body,
                "Its signature was not made with the route's secret for what came.",
            ),
            (
                other_id,
                row.body,
                "Its signature was not made with the route's secret",
            ),
            (genuine.clone(), cut, "it may have been cut short."),
            (
                signed("msg_1", long_ago, row.body, SECRET),
                row.body,
                "is 301 s before the server's clock, and the route allows 300 s.",
            ),
        ] {
            let (status, said) = world.call_back_with(&headers, body).await;
            assert_eq!(
                (status, &said["disposition"]),
                (401, &json!("unverified")),
                "{}",
                row.named
            );
            assert_eq!(said["message"], "The callback is not verified.");
            let heard = world.alerts().await.pop().expect("an alert");
            let description = heard["description"].as_str().expect("text");
            assert!(
                description.starts_with("Unverified callback: "),
                "{description}"
            );
            assert!(description.contains(why), "{description}");
            assert!(
                heard.get("reference").is_none(),
                "nothing of it is believed: {heard}"
            );
        }
        assert_eq!(world.completions(), done, "{}", row.named);
        assert_eq!(world.alerts().await.len(), alerts + 5);
        let (_, after) = world.get("/rejoin/references/valuation/r1").await;
        assert_eq!(after, standing, "{}", row.named);
        // None of it stands in the way of the genuine one.
        let (_, said) = world.call_back_with(&genuine, row.body).await;
        assert_eq!(said["disposition"], row.expected.1, "{}", row.named);
    }
}

#[tokio::test]
async fn a_replayed_heartbeat_does_not_extend_the_wait_and_a_new_one_does() {
    let world = World::verifying();
    let token = world.engine.open(1, 1);
    world.register("r1", &token).await;
    let beat = r#"{"ref":"r1","status":"working"}"#;
    let overheard = signed("msg_1", world.clock.now(), beat, SECRET);
    world.call_back_with(&overheard, beat).await;
    world.pass(20).await;
    let (_, said) = world.call_back_with(&overheard, beat).await;
    assert_eq!(said["disposition"], "duplicate-identical");
    assert_eq!(world.completions(), (0, 1));
    assert_eq!(world.signed("msg_2", beat).await, took(200, "heartbeat"));
    assert_eq!(world.completions(), (0, 2));
}

#[tokio::test]
async fn a_replay_of_an_undeliverable_callback_brings_it_home() {
    let world = World::verifying();
    let token = world.engine.open(1, 1);
    world.register("r1", &token).await;
    world.engine.0.lock().down = true;
    assert_eq!(
        world.signed("msg_1", ANSWER).await,
        took(503, "undeliverable")
    );
    world.engine.0.lock().down = false;
    assert_eq!(
        world.signed("msg_1", ANSWER).await,
        took(200, "duplicate-identical")
    );
    assert_eq!(
        world.dispositions().await,
        ["undeliverable > delivered", "duplicate-identical"]
    );
    // A heartbeat is not tried again, so the one that the third party repeats is the one that counts.
    let token = world.engine.open(2, 1);
    world.register("r2", &token).await;
    let beat = r#"{"ref":"r2","status":"working"}"#;
    world.engine.0.lock().down = true;
    assert_eq!(
        world.signed("msg_2", beat).await,
        took(503, "undeliverable")
    );
    world.engine.0.lock().down = false;
    assert_eq!(world.signed("msg_2", beat).await, took(200, "heartbeat"));
}

#[tokio::test]
async fn an_old_answer_does_not_become_the_answer_of_a_reference_that_is_used_again() {
    let mut route = verifying();
    route["used_keep_seconds"] = json!(0);
    let world = World::with(vec![route]).expect("the route is right");
    let token = world.engine.open(1, 1);
    world.register("r1", &token).await;
    let overheard = signed("msg_1", world.clock.now(), ANSWER, SECRET);
    world.call_back_with(&overheard, ANSWER).await;
    world.pass(1).await;
    let token = world.engine.open(2, 1);
    assert_eq!(
        world.register("r1", &token).await.0,
        200,
        "the reference is free again"
    );
    let (_, said) = world.call_back_with(&overheard, ANSWER).await;
    assert_eq!(said["disposition"], "duplicate-identical");
    assert_eq!(world.completions(), (1, 0));
    // Once the id is forgotten, the same message is too old to pass.
    world.pass(600).await;
    let (_, said) = world.call_back_with(&overheard, ANSWER).await;
    assert_eq!(said["disposition"], "unverified");
    assert_eq!(world.signed("msg_2", ANSWER).await, took(200, "delivered"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_one_message_at_once_on_many_connections_one_counts() {
    for round in 0..50 {
        let world = Arc::new(World::verifying());
        let token = world.engine.open(1, 1);
        world.register("r1", &token).await;
        let beat = round % 2 == 0;
        let body = if beat {
            r#"{"ref":"r1","status":"working"}"#
        } else {
            ANSWER
        };
        let headers = signed("msg_1", world.clock.now(), body, SECRET);
        let mut calls = tokio::task::JoinSet::new();
        for _ in 0..8 {
            let (world, headers) = (world.clone(), headers.clone());
            calls.spawn(async move { world.call_back_with(&headers, body).await.1 });
        }
        let answers = calls.join_all().await;
        let first = if beat { "heartbeat" } else { "delivered" };
        let count = |wanted: &str| {
            answers
                .iter()
                .filter(|said| said["disposition"] == wanted)
                .count()
        };
        assert_eq!(
            (count(first), count("duplicate-identical")),
            (1, 7),
            "{answers:?}"
        );
        assert_eq!(world.completions().0, usize::from(!beat));
    }
}

#[tokio::test]
async fn of_a_stranger_only_so_much_is_kept_and_no_password() {
    let mut route = verifying();
    route["body_bytes_max"] = json!(100_000);
    let world = World::with(vec![route]).expect("the route is right");
    let long = vec![("x-long", "y".repeat(6000)), ("x-longer", "z".repeat(6000))];
    let (status, _) = world.call_back_with(&long, &"x".repeat(50_000)).await;
    assert_eq!(status, 401);
    let (_, said) = world.get("/rejoin/deliveries").await;
    assert_eq!(said["deliveries"][0]["bodyBytes"], 50_000);
    let id = said["deliveries"][0]["id"]
        .as_str()
        .expect("an id")
        .to_owned();
    let (_, full) = world.get(&format!("/rejoin/deliveries/{id}")).await;
    assert_eq!(full["body"].as_str().map(str::len), Some(8192));
    let text = full.to_string();
    assert!(
        text.contains("x-long") && !text.contains("x-longer"),
        "{}",
        text.len()
    );
    assert!(!text.contains("Bearer secret"));
}

#[tokio::test]
async fn who_may_come_with_a_password_hears_how() {
    let mut route = route();
    route["verify"] = json!({"scheme": "bearer", "secrets": ["t0ken"], "header": "x-api-key"});
    let mut basic = route.clone();
    basic["name"] = json!("basic");
    basic["path"] = json!("/callbacks/basic");
    basic["verify"] = json!({"scheme": "basic", "secrets": ["a:b"]});
    let world = World::with(vec![route, basic]).expect("the routes are right");
    let reply = world.send(Method::POST, "/callbacks/basic", ANSWER).await;
    assert_eq!(
        reply.headers,
        [("WWW-Authenticate", "Basic realm=\"callbacks\"".to_owned())]
    );
    let key = |key: &str| vec![("x-api-key", key.to_owned())];
    assert_eq!(world.call_back_with(&key("t0kem"), ANSWER).await.0, 401);
    assert_eq!(world.call_back_with(&key("t0ken"), ANSWER).await.0, 404);
    let (_, said) = world.get("/rejoin/deliveries?route=valuation").await;
    for delivery in said["deliveries"].as_array().expect("a list") {
        let id = delivery["id"].as_str().expect("an id");
        let (_, full) = world.get(&format!("/rejoin/deliveries/{id}")).await;
        assert!(!full.to_string().contains("t0ke"), "{full}");
    }
}

#[tokio::test]
async fn only_who_is_verified_hears_that_the_method_is_wrong() {
    let world = World::verifying();
    let token = world.engine.open(1, 1);
    world.register("r1", &token).await;
    let put = async |secret| {
        let headers = signed("m1", world.clock.now(), ANSWER, secret);
        let reply = world
            .send_with(Method::PUT, "/callbacks/valuation", &headers, ANSWER)
            .await;
        (reply.status.as_u16(), reply.headers)
    };
    assert_eq!(put(b"another secret").await, (401, Vec::new()));
    let allow = vec![("Allow", "POST".to_owned())];
    assert_eq!(put(SECRET).await, (405, allow));
    assert_eq!(world.dispositions().await, ["unverified", "malformed"]);
    // Nothing came of it, so the very message is not a repeat when it comes as it should.
    assert_eq!(world.signed("m1", ANSWER).await, took(200, "delivered"));
}

#[tokio::test]
async fn what_comes_to_a_path_that_is_almost_right_is_kept_and_can_be_replayed() {
    let world = World::verifying();
    let token = world.engine.open(1, 1);
    world.register("r1", &token).await;
    let post = async |path: &str, secret| {
        let headers = signed("m1", world.clock.now(), ANSWER, secret);
        let reply = world.send_with(Method::POST, path, &headers, ANSWER).await;
        reply.status.as_u16()
    };
    assert_eq!(post("/callbacks/Valuation/", b"another secret").await, 401);
    assert_eq!(post("/callbacks/Valuation/", SECRET).await, 404);
    assert_eq!(world.dispositions().await, ["unverified", "malformed"]);
    let (_, said) = world.get("/rejoin/deliveries?limit=1").await;
    let id = said["deliveries"][0]["id"].as_str().expect("an id");
    let (_, shown) = world.get(&format!("/rejoin/deliveries/{id}")).await;
    assert_eq!(
        shown["note"],
        "It came to /callbacks/Valuation/, and the route's path is /callbacks/valuation."
    );
    assert_eq!(shown["body"], ANSWER);
    let reply = world
        .send(
            Method::POST,
            &format!("/rejoin/deliveries/{id}/replay"),
            "{}",
        )
        .await;
    assert_eq!(reply.status, 200);
    assert_eq!(world.completions(), (1, 0));
}
