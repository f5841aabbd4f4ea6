//! What operators see and do of callbacks that go to an engine elsewhere, and who is told of waits there.

use store::Table;

use super::*;

impl Front {
    async fn shown(&self, index: usize) -> Value {
        let all = self.deliveries().await;
        let id = all[index]["id"].as_str().expect("an id");
        let path = format!("/rejoin/deliveries/{id}");
        self.send(Method::GET, &path, Value::Null).await.1
    }

    async fn rematch(&self, index: usize, wish: Value) -> (u16, Value) {
        let all = self.deliveries().await;
        let id = all[index]["id"].as_str().expect("an id");
        let path = format!("/rejoin/deliveries/{id}/rematch");
        self.send(Method::POST, &path, wish).await
    }

    /// The alerts of a kind, the oldest first, as the key and whether it is over.
    async fn told(&self, kind: &str) -> Vec<(String, bool)> {
        self.pass(0).await;
        let path = format!("/rejoin/alerts?kind={kind}");
        let (_, said) = self.send(Method::GET, &path, Value::Null).await;
        let alerts = said["alerts"].as_array().expect("a list").iter().rev();
        alerts
            .map(|alert| (alert["dedupKey"].to_string(), alert["resolved"] == true))
            .collect()
    }
}

#[tokio::test]
async fn each_attempt_is_shown_with_what_the_engine_said() {
    let engine = Engine::start().await;
    let front = Front::of(&engine.url).await;
    engine.open("t1");
    front.register("r1", json!({}), "t1").await;
    engine.next(&[
        Fault::Error(503, "ServiceUnavailable"),
        Fault::Error(400, "AccessDeniedException"),
    ]);
    front.call_back(json!({"ref": "r1"})).await;
    front.pass(600).await;
    let shown = front.shown(0).await;
    let tries = shown["tries"].as_array().expect("a list").iter();
    let results: Vec<_> = tries
        .map(|one| {
            assert!(one["answeredAt"].is_string(), "{one}");
            one["result"].as_str().expect("a result").to_owned()
        })
        .collect();
    assert_eq!(results, ["unreachable", "refused", "taken"]);
    let note = shown["tries"][0]["note"].as_str().expect("a note");
    assert!(note.starts_with("ServiceUnavailable"), "{note}");
}

#[tokio::test]
async fn after_an_outage_one_heartbeat_stands_for_all_that_came() {
    let engine = Engine::start().await;
    let front = Front::of(&engine.url).await;
    engine.open("t1");
    front.register("r1", json!({}), "t1").await;
    engine.always(Some(Fault::Error(503, "ServiceUnavailable")));
    for _ in 0..20 {
        front
            .call_back(json!({"ref": "r1", "status": "working"}))
            .await;
    }
    front.call_back(json!({"ref": "r1", "value": 1})).await;
    let before = engine.asked("SendTaskHeartbeat").len();
    engine.always(None);
    front.pass(600).await;
    assert_eq!(engine.asked("SendTaskHeartbeat").len(), before + 1);
    assert_eq!(engine.result("t1"), Some(json!({"ref": "r1", "value": 1})));
    assert_eq!(front.engine().await["queued"], 0);
    let all = front.deliveries().await;
    for delivery in &all[1..20] {
        assert_eq!(delivery["disposition"], "heartbeat");
        let note = delivery["note"].as_str().expect("a note");
        let first = all[0]["id"].as_str().expect("an id");
        assert!(
            note.contains("was not sent itself") && note.contains(first),
            "{note}"
        );
    }
}

#[tokio::test]
async fn what_is_matched_by_hand_goes_out_in_its_lane() {
    let engine = Engine::start().await;
    let front = Front::of(&engine.url).await;
    engine.open("t1");
    // It had another reference than anybody has registered.
    assert_eq!(
        front.call_back(json!({"ref": "r-one", "value": 1})).await,
        took(202, "early")
    );
    engine.always(Some(Fault::Error(503, "ServiceUnavailable")));
    front.pass(700).await;
    assert_eq!(front.last().await.0, "early > unknown-reference");
    let (status, said) = front
        .rematch(0, json!({"taskToken": "t1", "by": "ann"}))
        .await;
    assert_eq!(
        (status, &said["delivery"]["disposition"]),
        (200, &json!("undeliverable")),
        "{said}"
    );
    assert_eq!(front.engine().await["queued"], 1, "it waits in a lane");
    engine.always(None);
    front.pass(60).await;
    assert_eq!(front.last().await.0, "undeliverable > delivered");
    assert_eq!(
        engine.result("t1"),
        Some(json!({"ref": "r-one", "value": 1}))
    );
}

#[tokio::test]
async fn what_is_redacted_is_forgotten_when_the_engine_has_it() {
    let engine = Engine::start().await;
    let clock = Clock::standing_at(NOW);
    let mut settings = settings(&engine.url, json!({}), clock, None);
    let mut route = route();
    route["redact"] = json!(["$.card"]);
    settings.routes = vec![serde_json::from_value(route).expect("a route")];
    let front = Front(App::open_gateway(settings).await.expect("it opens").0);
    engine.open("t1");
    front.register("r1", json!({}), "t1").await;
    engine.always(Some(Fault::Error(503, "ServiceUnavailable")));
    front.call_back(json!({"ref": "r1", "card": "hush"})).await;
    let holds = async || {
        let store = &front.0.store;
        let all = store.scan(Table::Delivery, "", None, 10, false).await;
        let all = all.expect("the store can be read");
        assert_eq!(all.len(), 1);
        String::from_utf8_lossy(&all[0].1.content).contains("hush")
    };
    assert!(holds().await, "the engine is to have it");
    engine.always(None);
    front.pass(60).await;
    assert_eq!(engine.result("t1").expect("it has it")["card"], "hush");
    assert!(!holds().await);
}

/// Nothing is known of a wait elsewhere but how old its registration is.
#[tokio::test]
async fn a_reference_that_is_registered_for_long_is_a_stuck_wait_until_it_is_answered() {
    let engine = Engine::start().await;
    let front = Front::of(&engine.url).await;
    const DAY: i64 = 86_400;
    for token in ["t1", "t2", "t3"] {
        engine.open(token);
    }
    front.register("r1", json!({}), "t1").await;
    let place = json!({ "executionArn": ARN, "stateName": "Ask", "timeoutSeconds": 3 * DAY });
    front.register("r2", place, "t2").await;
    front.register("r3", json!({}), "t3").await;
    front.call_back(json!({"ref": "r3", "value": 3})).await;
    front.pass(DAY - 1).await;
    assert_eq!(front.told("stuck-wait").await, []);
    front.pass(1).await;
    let told = front.told("stuck-wait").await;
    assert_eq!(
        told.len(),
        1,
        "one has a deadline, and one its answer: {told:?}"
    );
    assert!(!told[0].1);
    front.pass(10 * DAY).await;
    assert_eq!(front.told("stuck-wait").await, told, "once");
    let (_, said) = front
        .send(Method::GET, "/rejoin/alerts?kind=stuck-wait", Value::Null)
        .await;
    let alert = &said["alerts"][0];
    assert_eq!(
        (&alert["route"], &alert["reference"]),
        (&json!("valuation"), &json!("r1"))
    );
    assert_eq!(alert["waitAgeSeconds"], DAY as f64);
    assert_eq!(
        front.call_back(json!({"ref": "r1", "value": 1})).await,
        took(200, "delivered")
    );
    let over = (told[0].0.clone(), true);
    assert_eq!(front.told("stuck-wait").await, [told[0].clone(), over]);
}

#[tokio::test]
async fn the_story_of_a_wait_elsewhere_says_what_is_not_known() {
    let engine = Engine::start().await;
    let front = Front::of(&engine.url).await;
    front.register("r1", json!({}), "t1").await;
    let place = json!({ "executionArn": ARN, "stateName": "Ask" });
    front.register("r2", place, "t2").await;
    let told = async |reference: &str| {
        let path = format!("/rejoin/trace/{reference}");
        let (status, story) = front.send(Method::GET, &path, Value::Null).await;
        assert_eq!(status, 200, "{story}");
        story["summary"].clone()
    };
    let summary = told("r1").await;
    assert_eq!(
        summary["execution"],
        "one at the engine aws; its worker did not say which"
    );
    assert_eq!(summary["step"], "not known: its worker did not say");
    let summary = told("r2").await;
    assert_eq!(summary["execution"], "loan-1 of Loans, at the engine aws");
    assert_eq!(summary["step"], "Ask");
    // By the execution it is the same story, before anything has come and after.
    for came in [false, true] {
        if came {
            engine.open("t2");
            let answer = front.call_back(json!({"ref": "r2", "value": 2})).await;
            assert_eq!(answer, took(200, "delivered"));
        }
        for asked in [ARN, "loan-1"] {
            let (status, story) = front
                .send(Method::GET, &format!("/rejoin/trace/{asked}"), Value::Null)
                .await;
            assert_eq!((status, &story["as"]), (200, &json!("execution")));
            assert_eq!(
                story["summary"]["execution"],
                "loan-1 of Loans, at the engine aws"
            );
            let entries = story["entries"].as_array().expect("entries");
            let registered = entries.iter().filter(|e| e["reference"] == "r2").count();
            assert_eq!(registered, 1 + usize::from(came), "{asked}: {entries:?}");
        }
    }
    let (status, _) = front
        .send(Method::GET, "/rejoin/trace/loan-2", Value::Null)
        .await;
    assert_eq!(status, 404);
}

#[tokio::test]
async fn an_execution_elsewhere_has_a_story_by_its_name_and_its_arn() {
    let engine = Engine::start().await;
    let front = Front::of(&engine.url).await;
    engine.open("t1");
    let place = json!({ "executionArn": ARN, "stateName": "Ask" });
    front.register("r1", place, "t1").await;
    front.call_back(json!({"ref": "r1", "value": 1})).await;
    for name in ["loan-1", ARN] {
        let path = format!("/rejoin/trace/{name}");
        let (status, story) = front.send(Method::GET, &path, Value::Null).await;
        assert_eq!(status, 200, "{name}: {story}");
        let summary = &story["summary"];
        assert_eq!(
            summary["execution"], "loan-1 of Loans, at the engine aws",
            "{name}"
        );
        let entries = story["entries"].as_array().expect("a list");
        let kinds: Vec<&str> = entries
            .iter()
            .map(|entry| entry["kind"].as_str().expect("text"))
            .collect();
        assert_eq!(kinds, ["reference", "callback"], "{name}");
    }
}
