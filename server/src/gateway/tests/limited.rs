//! More callbacks than a route takes from one source.

use super::*;

fn limited() -> World {
    let mut route = route();
    route["rate"] = json!({ "per_second": 1, "burst": 2 });
    World::with(vec![route]).expect("the route is right")
}

#[tokio::test]
async fn a_flood_is_refused_counted_to_the_last_and_does_not_fill_the_inbox() {
    let world = limited();
    let token = world.engine.open(1, 1);
    assert_eq!(world.register("r1", &token).await.0, 200);
    let answer = json!({"ref": "r1"}).to_string();
    let mut statuses = Vec::new();
    for _ in 0..1000 {
        let reply = world
            .send(Method::POST, "/callbacks/valuation", answer.clone())
            .await;
        if reply.status == StatusCode::TOO_MANY_REQUESTS {
            assert!(reply.headers.contains(&("Retry-After", "1".to_owned())));
            let said: Value = serde_json::from_slice(&reply.body).expect("JSON");
            let id = said["deliveryId"].as_str().expect("it is kept somewhere");
            let (status, kept) = world.get(&format!("/rejoin/deliveries/{id}")).await;
            assert_eq!(
                (status, &kept["disposition"]),
                (StatusCode::OK, &json!("rate-limited"))
            );
        }
        statuses.push(reply.status.as_u16());
    }
    assert_eq!(statuses[..3], [200, 200, 429]);
    assert!(statuses[2..].iter().all(|status| *status == 429));
    let expected = ["delivered", "duplicate-identical"]
        .into_iter()
        .chain(["rate-limited"; 6]);
    assert_eq!(world.dispositions().await, expected.collect::<Vec<_>>());
    // Nothing of what was refused is believed.
    let (_, said) = world
        .get("/rejoin/deliveries?disposition=rate-limited")
        .await;
    let newest = &said["deliveries"][0];
    assert_eq!(newest["reference"], Value::Null);
    assert_eq!(
        newest["refused"]["count"], 512,
        "as it was stored last: {newest}"
    );
    assert_eq!(newest["refused"]["complete"], false);

    world.pass(60).await;
    let (_, said) = world
        .get("/rejoin/deliveries?disposition=rate-limited")
        .await;
    let newest = &said["deliveries"][0];
    assert_eq!(newest["refused"]["count"], 993, "{newest}");
    assert_eq!(newest["refused"]["complete"], true);
    assert_eq!(newest["refused"]["sources"], json!([["127.0.0.1", 993]]));
    let alerts = world.alerts().await;
    let refused = alerts
        .iter()
        .filter(|alert| alert["disposition"] == "rate-limited");
    assert_eq!(
        refused.count(),
        6,
        "five for themselves, one for the others"
    );
    let last = alerts
        .last()
        .and_then(|alert| alert["description"].as_str());
    assert!(
        last.is_some_and(|text| text.contains("993 more callbacks were refused")),
        "{last:?}"
    );
    // Time makes room again.
    assert_eq!(
        world.call_back(json!({"ref": "r1"})).await,
        took(200, "duplicate-identical")
    );
    let (_, said) = world
        .get("/rejoin/deliveries?disposition=rate-limited")
        .await;
    assert_eq!(said["deliveries"].as_array().map(Vec::len), Some(6));
}

#[tokio::test]
async fn what_an_operator_says_of_a_flood_stays_while_it_goes_on_and_after() {
    let world = limited();
    for _ in 0..20 {
        world.call_back(json!({"ref": "r1"})).await;
    }
    let (_, said) = world.get("/rejoin/deliveries?limit=1").await;
    let id = said["deliveries"][0]["id"].as_str().expect("an id");
    let path = format!("/rejoin/deliveries/{id}/dismiss");
    let note = json!({ "note": "they are testing", "by": "ann" }).to_string();
    let reply = world.send(Method::POST, &path, note).await;
    assert_eq!(reply.status, StatusCode::OK);
    let kept = async |count: u32| {
        let (_, kept) = world.get(&format!("/rejoin/deliveries/{id}")).await;
        assert_eq!(kept["refused"]["count"], count, "{kept}");
        assert_eq!(kept["dismissed"]["note"], "they are testing", "{kept}");
    };
    kept(8).await;
    for _ in 0..20 {
        world.call_back(json!({"ref": "r1"})).await;
    }
    kept(32).await;
    world.pass(60).await;
    kept(33).await;
    let (_, said) = world.get("/rejoin/deliveries?attention=true").await;
    let ids: Vec<_> = said["deliveries"]
        .as_array()
        .expect("a list")
        .iter()
        .collect();
    assert!(
        ids.iter().all(|one| one["id"] != id),
        "nobody has to look at it"
    );
}

#[tokio::test]
async fn after_a_crash_the_count_says_that_there_may_have_been_more() {
    let world = limited();
    for _ in 0..100 {
        world.call_back(json!({"ref": "r1"})).await;
    }
    let world = world.restarted();
    world.pass(60).await;
    let (_, said) = world
        .get("/rejoin/deliveries?disposition=rate-limited")
        .await;
    let newest = &said["deliveries"][0];
    assert_eq!(newest["refused"]["count"], 64, "{newest}");
    let note = newest["note"].as_str().expect("a note");
    assert!(note.starts_with("At least 64 more"), "{note}");
    let alerts = world.alerts().await;
    let last = alerts.last().expect("there are alerts");
    assert_eq!(last["deliveryId"], newest["id"]);
}

#[tokio::test]
async fn a_source_that_floods_takes_nothing_from_others() {
    let mut route = route();
    route["rate"] = json!({
        "per_second": 1,
        "client_header": "x-forwarded-for",
        "trusted_proxies": ["127.0.0.1"],
    });
    let world = World::with(vec![route]).expect("the route is right");
    let from = async |address: &str| {
        let more = [("x-forwarded-for", address.to_owned())];
        let body = json!({"ref": "r1"}).to_string();
        let reply = world
            .send_with(Method::POST, "/callbacks/valuation", &more, body)
            .await;
        reply.status.as_u16()
    };
    assert_eq!(from("192.0.2.1").await, 404);
    assert_eq!(from("192.0.2.1").await, 429);
    assert_eq!(from("192.0.2.2").await, 404);
    assert_eq!(from("192.0.2.2").await, 429);
}
