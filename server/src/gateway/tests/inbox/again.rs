//! Stored callbacks go in again: replayed, replayed by filter, sent to another wait.

use super::*;

impl World {
    async fn replay(&self, id: &str, wish: Value) -> (u16, Value) {
        self.post(&format!("/rejoin/deliveries/{id}/replay"), wish)
            .await
    }

    async fn rematch(&self, id: &str, wish: Value) -> (u16, Value) {
        self.post(&format!("/rejoin/deliveries/{id}/rematch"), wish)
            .await
    }

    async fn shown(&self, id: &str) -> Value {
        self.get(&format!("/rejoin/deliveries/{id}")).await.1
    }

    fn result(&self, execution: u128, wait: u32) -> Option<Value> {
        let state = self.engine.0.lock();
        match &state.waits[&(execution, wait)].1.as_ref()?.end {
            WaitEnd::Succeeded { output } => Some(output.value().clone()),
            other => panic!("{other:?}"),
        }
    }
}

/// A restart with the routes of the configuration changed.
fn with_routes(world: World, routes: Vec<Value>) -> World {
    World::on(routes, world.clock, world.store, world.engine).expect("routes")
}

fn disposition(said: &Value) -> &str {
    said["delivery"]["disposition"].as_str().unwrap_or_default()
}

#[tokio::test]
async fn what_a_wrong_mapping_refused_is_delivered_by_the_right_one() {
    let mut wrong = route();
    wrong["reference"] = json!("$.reference");
    let world = World::with(vec![wrong]).expect("a route");
    let token = world.engine.open(1, 1);
    world.register("r1", &token).await;
    assert_eq!(
        world.call_back(json!({"ref": "r1", "value": 7})).await,
        took(400, "malformed")
    );
    let id = world.listed("?attention=true").await.remove(0);
    let world = with_routes(world, vec![route()]);
    // First to see, then in earnest.
    let (status, said) = world.replay(&id, json!({"dryRun": true})).await;
    assert_eq!(
        (status, &said["would"]["disposition"]),
        (200, &json!("delivered")),
        "{said}"
    );
    assert_eq!(world.store.count(Table::Delivery), 1, "nothing was done");
    let (status, said) = world
        .replay(&id, json!({"by": "ann", "note": "mapping"}))
        .await;
    assert_eq!((status, disposition(&said)), (200, "delivered"), "{said}");
    assert_eq!(said["delivery"]["replayOf"], id.as_str());
    assert_eq!(world.result(1, 1), Some(json!({"ref": "r1", "value": 7})));
    // The origin keeps its own disposition, and says what was done.
    let origin = world.shown(&id).await;
    assert_eq!(origin["dispositions"].as_array().map(Vec::len), Some(1));
    assert_eq!(origin["disposition"], "malformed");
    assert_eq!(origin["replayedAs"], json!([said["delivery"]["id"]]));
    assert_eq!(origin["marks"][0]["by"], "ann");
    assert_eq!(world.listed("?attention=true").await.len(), 0);
    assert_eq!(world.listed(&format!("?replayOf={id}")).await.len(), 1);
    // Whoever sends it again hears the same, and nothing is done again.
    let (_, again) = world.replay(&id, json!({})).await;
    assert_eq!(
        (&again["before"], &again["delivery"]["id"]),
        (&json!(true), &said["delivery"]["id"])
    );
    assert_eq!(world.store.count(Table::Delivery), 2);
    assert_eq!(world.engine.0.lock().completions, 1);
    // Once more if that is meant: the wait has had its answer.
    let (_, said) = world.replay(&id, json!({"again": true})).await;
    assert_eq!(disposition(&said), "duplicate-identical");
    assert_eq!(world.engine.0.lock().completions, 1);
    world.keys_are_right().await;
}

#[tokio::test]
async fn a_request_with_a_key_is_done_once() {
    let world = World::new();
    world
        .call_back(json!({"ref": "nobody's", "value": 1}))
        .await;
    let id = world.listed("").await.remove(0);
    let (_, first) = world.replay(&id, json!({"key": "k1"})).await;
    assert_eq!(disposition(&first), "unknown-reference");
    let world = world.restarted();
    let (_, second) = world.replay(&id, json!({"key": "k1"})).await;
    assert_eq!(second["before"], true);
    assert_eq!(second["delivery"]["id"], first["delivery"]["id"]);
    let (_, third) = world.replay(&id, json!({"key": "k2"})).await;
    assert_eq!(third["before"], Value::Null);
    assert_eq!(
        world.shown(&id).await["replayedAs"]
            .as_array()
            .map(Vec::len),
        Some(2)
    );
}

#[tokio::test]
async fn a_replay_takes_the_place_of_what_is_kept_and_is_delivered_once() {
    let world = World::new();
    world.wait_announced(1, 1);
    assert_eq!(
        world.call_back(json!({"ref": "r1", "value": 1})).await,
        took(202, "early")
    );
    let id = world.listed("").await.remove(0);
    let (_, said) = world.replay(&id, json!({})).await;
    assert_eq!(
        disposition(&said),
        "early",
        "no duplicate of itself: {said}"
    );
    let token = world.engine.open(1, 1);
    world.register("r1", &token).await;
    assert_eq!(world.dispositions().await, ["early", "early > delivered"]);
    assert_eq!(world.engine.0.lock().completions, 1);
    // What the third party repeats is a repeat.
    assert_eq!(
        world.call_back(json!({"ref": "r1", "value": 1})).await,
        took(200, "duplicate-identical")
    );
    world.keys_are_right().await;
}

#[tokio::test]
async fn what_a_route_calls_a_repeat_does_not_stand_against_a_replay() {
    let mut with_ids = route();
    with_ids["repeat"] = json!("$.id");
    let world = World::with(vec![with_ids.clone()]).expect("a route");
    let token = world.engine.open(1, 1);
    world.register("r1", &token).await;
    world.engine.end(1, 1, WaitEnd::TimedOut, false);
    let body = json!({"ref": "r1", "id": "e1", "value": 1});
    assert_eq!(
        world.call_back(body.clone()).await,
        took(410, "late-timed-out")
    );
    let id = world.listed("").await.remove(0);
    let again = world.engine.open(1, 2);
    world.register("r1", &again).await;
    let (_, said) = world.replay(&id, json!({})).await;
    assert_eq!(
        disposition(&said),
        "delivered",
        "the retry waits under the same reference: {said}"
    );
    assert_eq!(
        world.call_back(body).await,
        took(200, "duplicate-identical")
    );
    assert_eq!(world.engine.0.lock().completions, 1);
}

#[tokio::test]
async fn what_cannot_be_replayed_says_why() {
    let mut signed = route();
    signed["verify"] = json!({"scheme": "bearer", "secrets": ["hush"]});
    let world = World::with(vec![signed]).expect("a route");
    let refused = async |id: &str, wish: Value, error: &str| {
        let (status, said) = world.replay(id, wish).await;
        assert_eq!((status, &said["error"]), (409, &json!(error)), "{said}");
        assert!(said["hint"].as_str().is_some_and(|hint| !hint.is_empty()));
    };
    // Not verified: only if somebody vouches for it.
    world.call_back(json!({"ref": "r1", "value": 1})).await;
    let forged = world.listed("").await.remove(0);
    refused(&forged, json!({}), "NotVerified").await;
    refused(&forged, json!({"dryRun": true}), "NotVerified").await;
    let token = world.engine.open(1, 1);
    world.register("r1", &token).await;
    let (_, said) = world
        .replay(&forged, json!({"trust": true, "by": "ann"}))
        .await;
    assert_eq!(disposition(&said), "delivered");
    assert_eq!(said["delivery"]["verifiedBy"], "the word of ann");
    let warning = said["warnings"][0].as_str().expect("a warning");
    assert!(warning.contains("authorization"), "{warning}");
    // A replay of a replay is one of its origin.
    let replay = said["delivery"]["id"].as_str().expect("an id");
    refused(replay, json!({}), "IsAReplay").await;
    // Too large, so not whole.
    let headers = [("authorization", "Bearer hush".to_owned())];
    world.call_back_raw("x".repeat(9000)).await;
    let cut = world.listed("?limit=1").await.remove(0);
    refused(&cut, json!({"trust": true}), "NotWhole").await;
    drop(headers);
    assert_eq!(world.replay("nothing", json!({})).await.0, 404);
    assert_eq!(world.replay(&forged, json!({"trsut": true})).await.0, 400);
}

#[tokio::test]
async fn what_is_still_on_its_way_is_left_to_it() {
    let world = World::new();
    let token = world.engine.open(1, 1);
    world.register("r1", &token).await;
    world.engine.0.lock().down = true;
    world.call_back(json!({"ref": "r1", "value": 1})).await;
    let id = world.listed("").await.remove(0);
    let (status, said) = world.replay(&id, json!({})).await;
    assert_eq!((status, &said["error"]), (409, &json!("StillOpen")));
    world.engine.0.lock().down = false;
    world.pass(1).await;
    assert_eq!(world.dispositions().await, ["undeliverable > delivered"]);
}

#[tokio::test]
async fn what_was_redacted_is_not_given_to_a_workflow_unawares() {
    let mut redacting = route();
    redacting["redact"] = json!(["$.card"]);
    let world = World::with(vec![redacting.clone()]).expect("a route");
    let body = json!({"ref": "r1", "card": "hush", "price": 7});
    world.call_back(body).await;
    let id = world.listed("").await.remove(0);
    let token = world.engine.open(1, 1);
    world.pass(700).await;
    world.register("r1", &token).await;
    let (status, said) = world.replay(&id, json!({})).await;
    assert_eq!(
        (status, &said["error"]),
        (409, &json!("Redacted")),
        "{said}"
    );
    // Where the workflow is given something else, it is only said.
    redacting["output"] = json!("$.price");
    let world = with_routes(world, vec![redacting]);
    let (_, said) = world.replay(&id, json!({"dryRun": true})).await;
    assert_eq!(said["would"]["disposition"], "delivered", "{said}");
    let warning = said["warnings"][0].as_str().expect("a warning");
    assert!(warning.contains("$.card"), "{warning}");
    assert_eq!(
        disposition(&world.replay(&id, json!({})).await.1),
        "delivered"
    );
    assert_eq!(world.result(1, 1), Some(json!(7)));
}

#[tokio::test]
async fn a_path_that_is_gone_is_said_and_a_single_one_is_taken() {
    let mut before = route();
    before["path"] = json!("/callbacks/valuation");
    let world = World::with(vec![before]).expect("a route");
    world.call_back(json!({"ref": "r1", "value": 1})).await;
    let id = world.listed("").await.remove(0);
    let mut moved = route();
    moved["path"] = json!("/elsewhere");
    let world = with_routes(world, vec![moved.clone()]);
    let (_, said) = world.replay(&id, json!({})).await;
    assert_eq!(disposition(&said), "unknown-reference");
    moved["outcomes"] = json!([{"path": "/elsewhere/done", "outcome": "success"}]);
    let world = with_routes(world, vec![moved]);
    let (status, said) = world.replay(&id, json!({})).await;
    assert_eq!((status, &said["error"]), (409, &json!("OtherPath")));
    let world = with_routes(world, vec![]);
    let (status, said) = world.replay(&id, json!({})).await;
    assert_eq!((status, &said["error"]), (404, &json!("NoSuchRoute")));
}

#[tokio::test]
async fn many_go_again_in_their_order_first_to_see_and_then_in_earnest() {
    let mut wrong = route();
    wrong["reference"] = json!("$.reference");
    let world = World::with(vec![wrong]).expect("a route");
    for (reference, value) in [("r1", 1), ("r2", 1), ("r1", 2), ("r3", 1)] {
        world
            .call_back(json!({"ref": reference, "value": value}))
            .await;
        world.pass(1).await;
    }
    let world = with_routes(world, vec![route()]);
    for (execution, reference) in [(1, "r1"), (2, "r2")] {
        let token = world.engine.open(execution, 1);
        world.register(reference, &token).await;
    }
    let became = |said: &Value, of: &str| -> Vec<String> {
        let all = said["deliveries"].as_array().expect("a list").iter();
        all.map(|one| {
            one["result"][of]["disposition"]
                .as_str()
                .unwrap_or("refused")
                .to_owned()
        })
        .collect()
    };
    let path = "/rejoin/deliveries/replay";
    let elsewhere = json!({"filter": {"route": "valuatoin"}});
    let (status, said) = world.post(path, elsewhere).await;
    assert_eq!((status, &said["error"]), (404, &json!("NoSuchRoute")));
    let expected = [
        "delivered",
        "delivered",
        "duplicate-contradicting",
        "unknown-reference",
    ];
    let (status, said) = world
        .post(path, json!({"filter": {"disposition": "malformed"}}))
        .await;
    assert_eq!((status, &said["dryRun"]), (200, &json!(true)));
    assert_eq!(became(&said, "would"), expected);
    assert_eq!(world.store.count(Table::Delivery), 4);
    // In earnest, two at a time; the server dies in between, and the client sends its request again.
    let mut body = json!({"dryRun": false, "limit": 2, "key": "run", "by": "ann"});
    let (_, first) = world.post(path, body.clone()).await;
    assert_eq!(became(&first, "delivery"), expected[..2]);
    let world = with_routes(world, vec![route()]);
    let (_, again) = world.post(path, json!({"dryRun": false, "limit": 2, "key": "run", "filter": {"disposition": "malformed"}})).await;
    assert!(
        again["deliveries"]
            .as_array()
            .expect("a list")
            .iter()
            .all(|one| one["result"]["before"] == true),
        "{again}"
    );
    body["after"] = first["next"].clone();
    let (_, second) = world.post(path, body.clone()).await;
    assert_eq!(became(&second, "delivery"), expected[2..]);
    body["after"] = second["next"].clone();
    let (_, end) = world.post(path, body).await;
    assert_eq!(
        end["deliveries"].as_array().map(Vec::len),
        Some(0),
        "replays are not replayed: {end}"
    );
    assert_eq!(world.result(1, 1), Some(json!({"ref": "r1", "value": 1})));
    assert_eq!(world.engine.0.lock().completions, 2);
    // What the replay did not make good still needs somebody.
    assert_eq!(world.listed("?attention=true").await.len(), 2);
    // What somebody has dismissed is not meant, whatever else fits.
    let (_, before) = world
        .post(path, json!({"filter": {"disposition": "malformed"}}))
        .await;
    let id = before["deliveries"][3]["id"].as_str().expect("an id");
    let dismiss = format!("/rejoin/deliveries/{id}/dismiss");
    assert_eq!(world.post(&dismiss, json!({})).await.0, 200);
    let (_, after) = world
        .post(path, json!({"filter": {"disposition": "malformed"}}))
        .await;
    let left = after["deliveries"].as_array().expect("a list");
    assert!(
        left.len() == 3 && left.iter().all(|one| one["id"] != id),
        "{after}"
    );
    for wrong in [
        json!({"limit": 0}),
        json!({"filter": {"route": 1}}),
        json!({"filter": {"since": "x"}}),
    ] {
        assert_eq!(world.post(path, wrong).await.0, 400);
    }
    world.keys_are_right().await;
}

#[tokio::test]
async fn a_callback_goes_to_the_wait_that_an_operator_names() {
    let world = World::new();
    let (first, second) = (world.engine.open(1, 1), world.engine.open(2, 1));
    world.register("r1", &first).await;
    world.call_back(json!({"ref": "R-1", "value": 7})).await;
    world.call_back_raw(r#"{"value": 8}"#).await;
    let ids = world.listed("?order=oldest").await;
    let (_, said) = world
        .rematch(&ids[0], json!({"reference": "r1", "dryRun": true}))
        .await;
    assert_eq!(said["would"]["disposition"], "delivered", "{said}");
    let (_, said) = world
        .rematch(&ids[0], json!({"reference": "r1", "by": "ann"}))
        .await;
    assert_eq!(disposition(&said), "delivered", "{said}");
    assert_eq!(world.result(1, 1), Some(json!({"ref": "R-1", "value": 7})));
    assert_eq!(world.shown(&ids[0]).await["marks"][0]["deed"], "rematched");
    // Said again, done once; another wish is a conflict, since the wait is over.
    let (_, said) = world.rematch(&ids[0], json!({"reference": "r1"})).await;
    assert_eq!(said["before"], true);
    for (wish, error, words) in [
        (
            json!({"reference": "r1"}),
            "Answered",
            "loan-1 has had an answer",
        ),
        (
            json!({"reference": "r9"}),
            "UnknownReference",
            "nobody has registered",
        ),
        (
            json!({"reference": "R-1"}),
            "UnknownReference",
            "nobody has registered",
        ),
        (
            json!({"taskToken": first}),
            "WaitOver",
            "no longer waits in RequestValuation",
        ),
        (
            json!({"execution": "arn:x"}),
            "NoSuchWait",
            "waits for anything",
        ),
    ] {
        let (status, said) = world.rematch(&ids[1], wish).await;
        assert_eq!((status, &said["error"]), (409, &json!(error)), "{said}");
        assert!(
            said["message"]
                .as_str()
                .is_some_and(|said| said.contains(words)),
            "{said}"
        );
    }
    for wrong in [
        json!({}),
        json!({"reference": "r1", "taskToken": "x"}),
        json!({"taskToken": "x"}),
    ] {
        assert_eq!(world.rematch(&ids[1], wrong).await.0, 400);
    }
    assert_eq!(
        world.shown(&ids[1]).await["marks"],
        json!([]),
        "nothing is noted of what was refused"
    );
    // What had no reference at all goes by the token.
    let (_, said) = world.rematch(&ids[1], json!({"taskToken": second})).await;
    assert_eq!(disposition(&said), "delivered", "{said}");
    assert_eq!(world.result(2, 1), Some(json!({"value": 8})));
    assert_eq!(said["delivery"]["executionName"], "loan-2");
    assert_eq!(world.listed("?execution=loan-2").await.len(), 1);
    assert_eq!(world.listed("?attention=true").await.len(), 0);
    world.keys_are_right().await;
}

#[tokio::test]
async fn a_crash_after_a_replay_is_stored_loses_neither_it_nor_its_mark() {
    let world = World::new();
    let token = world.engine.open(1, 1);
    world.call_back(json!({"ref": "R-1", "value": 7})).await;
    let id = world.listed("").await.remove(0);
    // The engine takes it, and the answer is lost.
    world.engine.0.lock().lose_answer = true;
    let (_, said) = world.rematch(&id, json!({"taskToken": token})).await;
    assert_eq!(disposition(&said), "undeliverable");
    let world = world.restarted();
    assert_eq!(
        world.shown(&id).await["replayedAs"]
            .as_array()
            .map(Vec::len),
        Some(1)
    );
    world.pass(1).await;
    assert_eq!(
        world.dispositions().await,
        ["unknown-reference", "undeliverable > delivered"]
    );
    assert_eq!(world.engine.0.lock().completions, 1);
    assert_eq!(world.listed("?attention=true").await.len(), 0);
    world.keys_are_right().await;
}

#[tokio::test]
async fn of_many_replays_at_once_one_is_delivered() {
    let world = World::new();
    world.call_back(json!({"ref": "r1", "value": 7})).await;
    let id = world.listed("").await.remove(0);
    let token = world.engine.open(1, 1);
    world.pass(700).await;
    world.register("r1", &token).await;
    let all = tokio::join!(
        world.replay(&id, json!({})),
        world.replay(&id, json!({"again": true})),
        world.replay(&id, json!({})),
        world.call_back(json!({"ref": "r1", "value": 7})),
    );
    assert_eq!(world.engine.0.lock().completions, 1, "{all:?}");
    let delivered = world.listed("?disposition=delivered").await;
    assert_eq!(delivered.len(), 1);
    world.keys_are_right().await;
}
