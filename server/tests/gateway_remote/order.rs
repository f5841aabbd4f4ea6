//! What goes out when: order, pauses, the breaker, a restart.

use std::sync::Arc;

use super::*;

fn answer(reference: &str) -> Value {
    json!({"ref": reference, "value": 1})
}

fn working(reference: &str) -> Value {
    json!({"ref": reference, "status": "working"})
}

#[tokio::test]
async fn a_heartbeat_that_is_held_up_goes_before_the_answer() {
    let engine = Engine::start().await;
    let front = Front::of(&engine.url).await;
    engine.open("t1");
    front.register("r1", json!({}), "t1").await;
    engine.always(Some(Fault::Error(503, "ServiceUnavailable")));
    assert_eq!(
        front.call_back(working("r1")).await,
        took(202, "undeliverable")
    );
    assert_eq!(
        front.call_back(answer("r1")).await,
        took(202, "undeliverable")
    );
    assert!(
        engine.asked("SendTaskSuccess").is_empty(),
        "the heartbeat is first"
    );
    assert_eq!(front.engine().await["queued"], 2);
    engine.always(None);
    front.pass(60).await;
    let all = front.deliveries().await;
    assert_eq!(dispositions(&all[0]), "undeliverable > heartbeat");
    // It has not been tried itself until then.
    assert_eq!(dispositions(&all[1]), "delivered");
    assert_eq!(all[1]["attempts"], 1);
    assert_eq!(engine.result("t1"), Some(answer("r1")));
}

#[tokio::test]
async fn a_repeat_of_what_is_held_up_is_a_repeat() {
    let engine = Engine::start().await;
    let front = Front::of(&engine.url).await;
    engine.open("t1");
    front.register("r1", json!({}), "t1").await;
    engine.always(Some(Fault::Error(400, "ThrottlingException")));
    assert_eq!(
        front.call_back(answer("r1")).await,
        took(202, "undeliverable")
    );
    assert_eq!(
        front.call_back(answer("r1")).await,
        took(200, "duplicate-identical")
    );
    let other = json!({"ref": "r1", "value": 2});
    assert_eq!(
        front.call_back(other).await,
        took(409, "duplicate-contradicting")
    );
    engine.always(None);
    front.pass(600).await;
    assert_eq!(engine.result("t1"), Some(answer("r1")));
    assert_eq!(
        dispositions(&front.deliveries().await[0]),
        "undeliverable > delivered"
    );
}

#[tokio::test]
async fn a_heartbeat_that_is_refused_does_not_hold_up_the_answer() {
    let engine = Engine::start().await;
    let front = Front::of(&engine.url).await;
    engine.open("t1");
    front.register("r1", json!({}), "t1").await;
    engine.next(&[Fault::Error(400, "AccessDeniedException")]);
    assert_eq!(
        front.call_back(working("r1")).await,
        took(503, "undeliverable")
    );
    assert_eq!(front.call_back(answer("r1")).await, took(200, "delivered"));
}

#[tokio::test]
async fn one_reference_that_is_refused_does_not_hold_up_others() {
    let engine = Engine::start().await;
    let front = Front::of(&engine.url).await;
    for token in ["t1", "t2"] {
        engine.open(token);
    }
    front.register("r1", json!({}), "t1").await;
    front.register("r2", json!({}), "t2").await;
    let denied = Fault::Error(400, "AccessDeniedException");
    engine.state.lock().of_token.insert("t1".into(), denied);
    for _ in 0..6 {
        front.call_back(answer("r1")).await;
    }
    assert_eq!(front.engine().await["breaker"], "closed");
    assert_eq!(front.call_back(answer("r2")).await, took(200, "delivered"));
    // It is tried again, but not soon.
    let before = engine.asked("SendTaskSuccess").len();
    front.pass(20).await;
    assert_eq!(engine.asked("SendTaskSuccess").len(), before);
    engine.state.lock().of_token.clear();
    front.pass(3600).await;
    assert_eq!(engine.result("t1"), Some(answer("r1")));
}

#[tokio::test]
async fn one_that_hangs_does_not_hold_up_others_and_the_third_party_hears_in_time() {
    let engine = Engine::start().await;
    let more = json!({"concurrency": 2, "timeout_seconds": 1});
    let front = Front::with(&engine.url, more).await;
    for token in ["t1", "t2"] {
        engine.open(token);
    }
    front.register("r1", json!({}), "t1").await;
    front.register("r2", json!({}), "t2").await;
    engine
        .state
        .lock()
        .of_token
        .insert("t1".into(), Fault::Hang);
    // The answer may take a second of real time.
    let (hanging, other) = tokio::join!(front.call_back(answer("r1")), async {
        front.call_back(answer("r2")).await
    });
    assert_eq!(other, took(200, "delivered"));
    assert_eq!(hanging, took(202, "undeliverable"));
    engine.state.lock().of_token.clear();
    engine.let_go.notify_waiters();
    front.pass(60).await;
    assert_eq!(engine.result("t1"), Some(answer("r1")));
}

#[tokio::test]
async fn no_more_requests_are_open_than_allowed() {
    let engine = Engine::start().await;
    let front = Front::with(&engine.url, json!({"concurrency": 3})).await;
    // A multiple of three, so that the last one is not alone.
    let references: Vec<String> = (0..42).map(|n| format!("r{n}")).collect();
    for reference in &references {
        engine.open(&format!("token of {reference}"));
        front
            .register(reference, json!({}), &format!("token of {reference}"))
            .await;
    }
    engine.state.lock().together = Some(Arc::new(tokio::sync::Barrier::new(3)));
    let calls = references.into_iter().map(|reference| {
        let front = Front(front.0.clone());
        tokio::spawn(async move { front.call_back(answer(&reference)).await })
    });
    for call in calls.collect::<Vec<_>>() {
        assert_eq!(call.await.expect("it answers"), took(200, "delivered"));
    }
    assert_eq!(engine.state.lock().most_at_once, 3);
}

#[tokio::test]
async fn an_engine_that_fails_is_left_alone_and_one_attempt_finds_out() {
    let engine = Engine::start().await;
    let front = Front::of(&engine.url).await;
    for n in 0..20 {
        engine.open(&format!("t{n}"));
        front
            .register(&format!("r{n}"), json!({}), &format!("t{n}"))
            .await;
    }
    engine.always(Some(Fault::Error(500, "InternalFailure")));
    for n in 0..5 {
        assert_eq!(
            front.call_back(answer(&format!("r{n}"))).await,
            took(202, "undeliverable")
        );
    }
    let shown = front.engine().await;
    assert_eq!(
        (&shown["breaker"], &shown["failuresInARow"]),
        (&json!("open"), &json!(5))
    );
    assert_eq!(shown["lastProblem"], "InternalFailure: as the test says");
    assert!(shown["openUntil"].is_string());
    // The others are stored and acknowledged, and nothing is sent.
    for n in 5..20 {
        assert_eq!(
            front.call_back(answer(&format!("r{n}"))).await,
            took(202, "undeliverable")
        );
    }
    assert_eq!(engine.asked("SendTaskSuccess").len(), 5);
    let shown = front.engine().await;
    assert_eq!(
        (&shown["queued"], &shown["lanes"]),
        (&json!(20), &json!(20))
    );
    let first = &front.deliveries().await[0];
    assert_eq!(shown["oldestDelivery"], first["id"]);
    assert_eq!(shown["oldestAt"], first["receivedAt"]);
    let (_, note) = front.last().await;
    assert!(note.contains("is left alone until"), "{note}");
    let (_, alerts) = front.send(Method::GET, "/rejoin/alerts", Value::Null).await;
    assert!(
        alerts.to_string().contains("engine-unreachable"),
        "{alerts}"
    );

    // An hour of it: few attempts, all by one at a time.
    front.pass(3600).await;
    let attempts = engine.asked("SendTaskSuccess").len();
    assert!((60..=120).contains(&(attempts - 5)), "{attempts}");
    assert_eq!(front.engine().await["queued"], 20);
    engine.always(None);
    front.pass(61).await;
    assert_eq!(front.engine().await["queued"], 0);
    let shown = front.engine().await;
    assert_eq!(shown["breaker"], "closed");
    assert!(
        shown["lastAnswerAt"].is_string() && shown["oldestAt"].is_null(),
        "{shown}"
    );
    for n in 0..20 {
        assert_eq!(
            engine.result(&format!("t{n}")),
            Some(answer(&format!("r{n}")))
        );
    }
    // Who was told of it is told that it is over: of the engine once, of each callback once.
    front.pass(1).await;
    let (_, said) = front
        .send(Method::GET, "/rejoin/alerts?limit=1000", Value::Null)
        .await;
    let all = said["alerts"].as_array().expect("a list");
    for (kind, wanted) in [("engine-unreachable", 1), ("undeliverable", 20)] {
        let of = |resolved: bool| {
            let fits =
                |alert: &&Value| alert["kind"] == kind && (alert["resolved"] == true) == resolved;
            let keys = all
                .iter()
                .filter(fits)
                .map(|alert| alert["dedupKey"].to_string());
            keys.collect::<std::collections::BTreeSet<_>>()
        };
        assert_eq!((kind, of(true).len()), (kind, wanted));
        assert_eq!(of(true), of(false), "{kind}");
    }
    // The engine's says which callback has found out, and belongs to its trace.
    for alert in all {
        let of = &alert["deliveryId"];
        let same = |other: &&Value| other["kind"] == "undeliverable" && other["deliveryId"] == *of;
        let told = all.iter().find(same).expect("one of that callback");
        assert!(alert["traceId"].is_string(), "{alert}");
        assert_eq!(alert["traceId"], told["traceId"]);
    }
    for delivery in front.deliveries().await {
        let steps = dispositions(&delivery);
        // Of the first five nobody knows whether an attempt counted; but the engine had said no.
        assert_eq!(steps, "undeliverable > delivered");
    }
}

#[tokio::test]
async fn refused_credentials_stop_everything_at_once_and_are_tried_slowly() {
    let engine = Engine::start().await;
    let front = Front::of(&engine.url).await;
    for n in 0..3 {
        engine.open(&format!("t{n}"));
        front
            .register(&format!("r{n}"), json!({}), &format!("t{n}"))
            .await;
    }
    engine.always(Some(Fault::Error(400, "ExpiredTokenException")));
    for n in 0..3 {
        assert_eq!(
            front.call_back(answer(&format!("r{n}"))).await,
            took(202, "undeliverable")
        );
    }
    assert_eq!(engine.asked("SendTaskSuccess").len(), 1);
    front.pass(40).await;
    assert_eq!(engine.asked("SendTaskSuccess").len(), 1);
    engine.always(None);
    front.pass(30).await;
    assert_eq!(front.engine().await["queued"], 0);
    for n in 0..3 {
        assert!(engine.result(&format!("t{n}")).is_some());
    }
}

#[tokio::test]
async fn what_was_acknowledged_goes_out_after_a_restart() {
    let directory = Folder::new();
    let engine = Engine::start().await;
    engine.open("t1");
    engine.open("t2");
    engine.always(Some(Fault::Error(503, "ServiceUnavailable")));
    let at = |now, folder: &Folder| {
        let directory = Some(folder.0.clone());
        settings(&engine.url, json!({}), Clock::standing_at(now), directory)
    };
    let opened = App::open_gateway(at(NOW, &directory)).await;
    let front = Front(opened.expect("it opens").0);
    front.register("r1", json!({}), "t1").await;
    front.register("r2", json!({}), "t2").await;
    assert_eq!(
        front.call_back(working("r1")).await,
        took(202, "undeliverable")
    );
    assert_eq!(
        front.call_back(answer("r1")).await,
        took(202, "undeliverable")
    );
    assert_eq!(
        front.call_back(answer("r2")).await,
        took(202, "undeliverable")
    );
    // What a crash leaves at this moment.
    let left = Folder::new();
    copy_all(&directory.0, &left.0);

    engine.always(None);
    let later = Timestamp(NOW.0 + 1000);
    let opened = App::open_gateway(at(later, &left)).await;
    let front = Front(opened.expect("it opens").0);
    front.pass(60).await;
    assert_eq!(front.engine().await["queued"], 0);
    assert_eq!(engine.result("t1"), Some(answer("r1")));
    assert_eq!(engine.result("t2"), Some(answer("r2")));
    let before = engine.asked("SendTaskHeartbeat");
    assert!(before.len() >= 2, "{before:?}");
}

/// A folder that goes when the test is over.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Folder {
        let name = format!("rejoin-remote-{}", uuid::Uuid::new_v4());
        Folder(std::env::temp_dir().join(name))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // Left behind if it fails, in the place for things that may be.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn copy_all(from: &std::path::Path, to: &std::path::Path) {
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
