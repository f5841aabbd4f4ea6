//! The inbox: what is kept of a callback, how it is found, what operators do with it.

use super::*;
use crate::gateway::found::Found;

mod again;
mod ends;
mod kept;

impl World {
    /// The ids of the deliveries that fit, newest first.
    async fn listed(&self, query: &str) -> Vec<String> {
        let (status, said) = self.get(&format!("/rejoin/deliveries{query}")).await;
        assert_eq!(status, 200, "{query}: {said}");
        let all = said["deliveries"].as_array().expect("a list");
        all.iter()
            .map(|delivery| delivery["id"].as_str().expect("an id").to_owned())
            .collect()
    }

    /// The one delivery that came last.
    async fn last(&self) -> Value {
        let id = self.listed("?limit=1").await.remove(0);
        self.get(&format!("/rejoin/deliveries/{id}")).await.1
    }

    async fn post(&self, path: &str, body: Value) -> (u16, Value) {
        let reply = self.send(Method::POST, path, body.to_string()).await;
        let said = serde_json::from_slice(&reply.body).expect("JSON");
        (reply.status.as_u16(), said)
    }

    /// Removes what deliveries are found by, as far as it begins so.
    async fn without_keys(&self, prefix: &str) {
        let table = Table::DeliveryIndex;
        let gone = self.store.keys(table, prefix, None, 10_000, false);
        let gone = gone.into_iter().map(|key| store::DocumentChange {
            table,
            key,
            expect: store::Expect::Any,
            content: None,
            due: None,
        });
        assert!(self.gateway.commit(gone.collect()).await.is_ok());
    }

    /// The keys that there are agree with the deliveries that there are.
    async fn keys_are_right(&self) {
        let mut expected: Vec<String> = Vec::new();
        for id in self.store.keys(Table::Delivery, "", None, 10_000, false) {
            let (_, delivery) = self
                .gateway
                .delivery(&id)
                .await
                .expect("the store reads")
                .expect("it is there");
            let changes = Found::default().until(&Found::of(&delivery));
            expected.extend(changes.into_iter().map(|change| change.key));
        }
        expected.sort();
        let mut found = self
            .store
            .keys(Table::DeliveryIndex, "", None, 10_000, false);
        found.sort();
        assert_eq!(found, expected);
        let old = self.store.keys(Table::OddDelivery, "", None, 1, false);
        assert_eq!(old, Vec::<String>::new());
    }
}

#[tokio::test]
async fn a_search_finds_what_fits_and_nothing_else() {
    let world = World::new();
    let token = world.engine.open(1, 1);
    world.register("r1", &token).await;
    world.call_back(json!({"ref": "r1", "value": "Blue"})).await;
    world.pass(3000).await;
    world.call_back(json!({"ref": "r1", "value": "Blue"})).await;
    world.call_back(json!({"ref": "r2", "value": "red"})).await;
    world.pass(3000).await;
    world.call_back_raw("half of a b").await;
    let first = world.listed("?disposition=delivered").await.remove(0);
    for (query, count) in [
        ("", 4),
        ("?reference=r1", 2),
        ("?reference=r", 0),
        ("?execution=loan-1", 2),
        (
            "?execution=arn:aws:states:us-east-1:123456789012:execution:LoanProcessor:loan-1",
            2,
        ),
        (
            "?execution=arn:aws:states:us-east-1:123456789012:execution:Other:loan-1",
            0,
        ),
        ("?disposition=delivered,malformed", 2),
        ("?disposition=malformed", 1),
        ("?disposition=pending", 0),
        ("?since=90m", 3),
        ("?since=2h", 4),
        ("?until=90m", 1),
        ("?since=90m&until=30m", 2),
        ("?since=90m&until=30m&reference=r1", 1),
        ("?since=90m&until=30m&reference=r1&order=oldest", 1),
        ("?since=2023-11-14T22:13:20Z&until=2023-11-14T22:13:20Z", 1),
        ("?until=2023-11-14T22:13:19.999Z&order=oldest", 0),
        ("?text=blue", 2),
        (
            "?text=blue&route=valuation&execution=loan-1&disposition=delivered",
            1,
        ),
        // The repeat said nothing new.
        ("?attention=true", 2),
        ("?attention=true&since=30m", 1),
        ("?dismissed=true", 0),
        ("?dismissed=false", 4),
    ] {
        assert_eq!(world.listed(query).await.len(), count, "{query}");
    }
    let mut oldest = world.listed("?order=oldest").await;
    assert_eq!(oldest[0], first);
    oldest.reverse();
    assert_eq!(oldest, world.listed("").await);
    // Pages, either way, wherever is looked.
    for query in [
        "?order=oldest",
        "?order=newest",
        "?reference=r1&order=oldest",
        "?attention=true",
        "?disposition=malformed,duplicate-identical,early,unknown-reference",
        "?disposition=malformed,duplicate-identical,early&order=oldest",
    ] {
        let all = world.listed(query).await;
        let mut paged = Vec::new();
        let mut after = String::new();
        loop {
            let (_, page) = world
                .get(&format!("/rejoin/deliveries{query}&limit=1{after}"))
                .await;
            let one = page["deliveries"].as_array().expect("a list");
            paged.extend(
                one.iter()
                    .filter_map(|one| one["id"].as_str().map(str::to_owned)),
            );
            match page["next"].as_str() {
                Some(next) => after = format!("&after={next}"),
                None => break,
            }
        }
        assert_eq!(paged, all, "{query}");
    }
    world.keys_are_right().await;
}

#[tokio::test]
async fn a_search_that_makes_no_sense_hears_a_sentence() {
    let world = World::new();
    for (query, error, hint) in [
        (
            "?refrence=r1",
            "InvalidParameter",
            "did you mean \"reference\"?",
        ),
        ("?since=yesterday", "InvalidParameter", "2h"),
        ("?since=-2h", "InvalidParameter", "2h"),
        ("?since=%C3%A9", "InvalidParameter", "2h"),
        ("?attention=yes", "InvalidParameter", "true or false"),
        ("?order=up", "InvalidParameter", "oldest"),
        ("?limit=1001", "InvalidLimit", "1 to 1000"),
        ("?disposition=late", "InvalidDisposition", "late-ended"),
    ] {
        let (status, said) = world.get(&format!("/rejoin/deliveries{query}")).await;
        assert_eq!(
            (status.as_u16(), &said["error"]),
            (400, &json!(error)),
            "{query}"
        );
        let text = said["hint"].as_str().expect("a hint");
        assert!(text.contains(hint), "{query}: {text}");
    }
    let reply = world.send(Method::PUT, "/rejoin/deliveries", "").await;
    assert_eq!(reply.status, 405);
    assert_eq!(world.get("/rejoin/deliveries/nothing/else").await.0, 404);
}

#[tokio::test]
async fn the_keys_follow_a_delivery_through_its_life() {
    let world = World::new();
    world.wait_announced(1, 1);
    world.call_back(json!({"ref": "r1", "value": 1})).await;
    assert_eq!(world.listed("?execution=loan-1").await.len(), 0);
    let token = world.engine.open(1, 1);
    world.engine.0.lock().down = true;
    world.register("r1", &token).await;
    world.keys_are_right().await;
    assert_eq!(
        world.listed("?attention=true").await.len(),
        1,
        "undeliverable"
    );
    world.engine.0.lock().down = false;
    let world = world.restarted();
    world.pass(2).await;
    assert_eq!(world.listed("?attention=true").await.len(), 0);
    assert_eq!(world.listed("?execution=loan-1").await.len(), 1);
    world.keys_are_right().await;
    // An early one that nobody registers becomes odd.
    world.wait_announced(2, 1);
    world.call_back(json!({"ref": "r2"})).await;
    assert_eq!(world.listed("?attention=true").await.len(), 0);
    world.pass(600).await;
    assert_eq!(world.listed("?attention=true").await.len(), 1);
    world.keys_are_right().await;
    world.pass(91 * 86_400).await;
    world.gateway.sweep().await.expect("the store works");
    assert_eq!(world.listed("").await.len(), 0);
    world.keys_are_right().await;
}

#[tokio::test]
async fn deliveries_from_before_there_were_keys_are_found_too() {
    let world = World::new();
    for number in 0..300 {
        world.call_back(json!({"ref": format!("r{number}")})).await;
    }
    world.without_keys("").await;
    assert_eq!(world.listed("?reference=r7").await.len(), 0);
    let world = world.restarted();
    world.gateway.load_routes().await.expect("the store reads");
    assert_eq!(world.listed("?reference=r7").await.len(), 1);
    world.keys_are_right().await;
}

#[tokio::test]
async fn a_store_whose_keys_did_not_tell_dispositions_gets_those_that_do() {
    let world = World::new();
    for number in 0..300 {
        world.call_back(json!({"ref": format!("r{number}")})).await;
    }
    world.call_back_raw("half of a b").await;
    // As an earlier version has left it.
    world.without_keys("d").await;
    let written = |table, key: String| store::DocumentChange {
        table,
        key,
        expect: store::Expect::Any,
        content: Some(Vec::new()),
        due: None,
    };
    let ids = world.store.keys(Table::Delivery, "", None, 10_000, false);
    let mut changes: Vec<_> = ids
        .into_iter()
        .map(|id| written(Table::OddDelivery, id))
        .collect();
    changes.push(written(Table::Meta, "delivery-index".to_owned()));
    assert!(world.gateway.commit(changes).await.is_ok());
    let world = world.restarted();
    world.gateway.load_routes().await.expect("the store reads");
    world.keys_are_right().await;
    assert_eq!(world.listed("?disposition=malformed").await.len(), 1);
    assert_eq!(world.listed("?attention=true&limit=1000").await.len(), 301);
}

#[tokio::test]
async fn who_looks_for_a_disposition_reads_no_delivery_of_another_one() {
    let world = World::new();
    let token = world.engine.open(1, 1);
    world.call_back_raw("half of a b").await;
    world.register("r1", &token).await;
    for _ in 0..3 {
        world.call_back(json!({"ref": "r1", "value": 1})).await;
    }
    let malformed = world.listed("?disposition=malformed").await;
    assert_eq!(malformed.len(), 1);
    // What nobody reads may be damaged.
    let ids = world.store.keys(Table::Delivery, "", None, 10, false);
    let damaged = ids.into_iter().filter(|id| *id != malformed[0]);
    let damaged = damaged.map(|key| store::DocumentChange {
        table: Table::Delivery,
        key,
        expect: store::Expect::Any,
        content: Some(b"{".to_vec()),
        due: None,
    });
    assert!(world.gateway.commit(damaged.collect()).await.is_ok());
    for query in [
        "?disposition=malformed",
        "?disposition=early,malformed,heartbeat",
        "?attention=true",
    ] {
        assert_eq!(world.listed(query).await, malformed, "{query}");
    }
    let (status, _) = world
        .get("/rejoin/deliveries?disposition=duplicate-identical")
        .await;
    assert_eq!(status, 503, "those are damaged");
}

#[tokio::test]
async fn somebody_says_that_nobody_has_to_look_and_takes_it_back() {
    let world = World::new();
    world.call_back(json!({"ref": "nobody's"})).await;
    let id = world.listed("?attention=true").await.remove(0);
    let path = format!("/rejoin/deliveries/{id}/dismiss");
    for _ in 0..2 {
        let (status, said) = world
            .post(&path, json!({"note": "told them", "by": "ann"}))
            .await;
        assert_eq!(
            (status, &said["dismissed"]["note"]),
            (200, &json!("told them"))
        );
        world.pass(1).await;
    }
    assert_eq!(
        world.last().await["marks"].as_array().map(Vec::len),
        Some(1),
        "said twice, meant once"
    );
    assert_eq!(world.listed("?attention=true").await.len(), 0);
    assert_eq!(world.listed("?dismissed=true").await, [id.as_str()]);
    assert_eq!(
        world.last().await["disposition"],
        "unknown-reference",
        "it keeps its own"
    );
    for _ in 0..2 {
        let reply = world.send(Method::DELETE, &path, "").await;
        assert_eq!(reply.status, 200);
    }
    let shown = world.last().await;
    assert_eq!(shown["dismissed"], Value::Null);
    let deeds: Vec<_> = shown["marks"]
        .as_array()
        .expect("marks")
        .iter()
        .map(|mark| &mark["deed"])
        .collect();
    assert_eq!(deeds, ["dismissed", "restored"]);
    assert_eq!(world.listed("?attention=true").await, [id.as_str()]);
    let (status, said) = world.post(&path, json!({"why": "x"})).await;
    assert_eq!((status, &said["error"]), (400, &json!("InvalidBody")));
    let (status, _) = world
        .post("/rejoin/deliveries/nothing/dismiss", json!({}))
        .await;
    assert_eq!(status, 404);
    assert_eq!(world.send(Method::PUT, &path, "").await.status, 405);
    world.keys_are_right().await;
}

#[tokio::test]
async fn a_dismissal_waits_for_a_delivery_that_is_on_its_way_and_is_not_overwritten() {
    let world = World::new();
    let token = world.engine.open(1, 1);
    world.register("r1", &token).await;
    world.engine.0.lock().down = true;
    world.call_back(json!({"ref": "r1", "value": 1})).await;
    world.engine.0.lock().down = false;
    let id = world.listed("").await.remove(0);
    let path = format!("/rejoin/deliveries/{id}/dismiss");
    let (_, marked) = tokio::join!(
        world.gateway.attend(Table::Delivery, &id),
        world.post(&path, json!({"by": "ann"})),
    );
    assert_eq!(marked.0, 200);
    let shown = world.last().await;
    assert_eq!(
        (&shown["disposition"], &shown["dismissed"]["by"]),
        (&json!("delivered"), &json!("ann"))
    );
}
