//! What is kept of a callback: its bytes, its headers, the times that it was tried; and what is not.

use super::*;

impl World {
    async fn body_of_last(&self) -> Reply {
        let id = self.listed("?limit=1").await.remove(0);
        self.send(Method::GET, &format!("/rejoin/deliveries/{id}/body"), "")
            .await
    }
}

fn header<'a>(reply: &'a Reply, name: &str) -> Option<&'a str> {
    let found = reply.headers.iter().find(|(found, _)| *found == name);
    found.map(|(_, value)| value.as_str())
}

#[tokio::test]
async fn the_bytes_come_back_as_they_came_under_a_type_that_does_nothing() {
    let world = World::new();
    for (kind, body, shown) in [
        (
            "application/json",
            &b"{\"ref\":\n \"r1\" }\r\n"[..],
            "application/json",
        ),
        (
            "application/problem+json; charset=utf-8",
            b"{}",
            "application/json",
        ),
        (
            "text/html",
            b"<script>alert(1)</script>",
            "text/plain; charset=utf-8",
        ),
        ("image/svg+xml", b"<svg/>", "text/plain; charset=utf-8"),
        ("image/png", b"\x89PNG\x00\xff", "application/octet-stream"),
        (
            "text/plain",
            b"half a character: \xc3",
            "text/plain; charset=utf-8",
        ),
        ("", b"", "application/octet-stream"),
    ] {
        let headers = [("content-type", kind.to_owned())];
        world
            .send_with(Method::POST, "/callbacks/valuation", &headers, body)
            .await;
        let reply = world.body_of_last().await;
        assert_eq!(reply.body, body, "{kind}");
        assert_eq!(reply.content_type, shown, "{kind}");
        assert_eq!(header(&reply, "X-Content-Type-Options"), Some("nosniff"));
        assert_eq!(
            header(&reply, "Rejoin-Body-Bytes"),
            None,
            "{kind}: it is whole"
        );
    }
    // A route takes so much; the rest is not there, and that is said.
    world.call_back_raw("x".repeat(201)).await;
    let reply = world.body_of_last().await;
    assert_eq!(
        (reply.body.len(), header(&reply, "Rejoin-Body-Bytes")),
        (200, Some("201"))
    );
    assert_eq!(world.last().await["bodyWhole"], false);
}

#[tokio::test]
async fn headers_are_kept_with_all_their_values_and_without_secrets() {
    let world = World::new();
    let headers = [
        ("x-hop", "one".to_owned()),
        ("x-hop", "two".to_owned()),
        ("cookie", "session=1".to_owned()),
        ("x-api-key", "k".to_owned()),
        ("x-gitlab-token", "t".to_owned()),
    ];
    world
        .send_with(Method::POST, "/callbacks/valuation?a=1", &headers, "{}")
        .await;
    let shown = world.last().await;
    assert_eq!(
        shown["headers"],
        json!([
            ["x-request-id", "third-party-1"],
            ["authorization", "(not kept)"],
            ["x-hop", "one"],
            ["x-hop", "two"],
            ["cookie", "(not kept)"],
            ["x-api-key", "(not kept)"],
            ["x-gitlab-token", "(not kept)"],
        ])
    );
    assert_eq!(
        (&shown["method"], &shown["path"], &shown["query"]),
        (
            &json!("POST"),
            &json!("/callbacks/valuation"),
            &json!("a=1")
        )
    );
}

#[tokio::test]
async fn every_try_is_there_with_its_time_and_result() {
    let world = World::new();
    let token = world.engine.open(1, 1);
    world.register("r1", &token).await;
    world.engine.0.lock().down = true;
    world.call_back(json!({"ref": "r1", "value": 1})).await;
    world.pass(1).await;
    world.engine.0.lock().down = false;
    let world = world.restarted();
    world.pass(2).await;
    let shown = world.last().await;
    let tries: Vec<_> = shown["tries"]
        .as_array()
        .expect("tries")
        .iter()
        .map(|one| {
            (
                one["at"].as_str().expect("a time"),
                one["result"].as_str().expect("a result"),
                one["note"].clone(),
            )
        })
        .collect();
    let down = json!("the engine is down");
    assert_eq!(
        tries,
        [
            ("2023-11-14T22:13:20.000Z", "unreachable", down.clone()),
            ("2023-11-14T22:13:21.000Z", "unreachable", down),
            ("2023-11-14T22:13:23.000Z", "taken", Value::Null),
        ]
    );
    assert_eq!(shown["attempts"], 3);
}

#[tokio::test]
async fn a_try_that_a_crash_swallowed_is_told_as_that() {
    let world = World::new();
    let token = world.engine.open(1, 1);
    world.register("r1", &token).await;
    let world = crashed_after_storing(world).await;
    world.pass(1).await;
    let shown = world.last().await;
    let results: Vec<_> = shown["tries"]
        .as_array()
        .expect("tries")
        .iter()
        .map(|one| &one["result"])
        .collect();
    assert_eq!(results, ["not-recorded", "taken"]);
}

#[tokio::test]
async fn of_endless_tries_the_first_and_the_last_are_kept() {
    let world = World::new();
    let token = world.engine.open(1, 1);
    world.register("r1", &token).await;
    world.engine.0.lock().down = true;
    world.call_back(json!({"ref": "r1", "value": 1})).await;
    for _ in 0..99 {
        world.pass(300).await;
    }
    let shown = world.last().await;
    assert_eq!(shown["attempts"], 100);
    let tries = shown["tries"].as_array().expect("tries");
    assert_eq!(tries.len(), 50);
    assert_eq!(tries[0]["at"], "2023-11-14T22:13:20.000Z");
    assert_eq!(tries[49]["at"], world.clock.now().to_string());
}

fn redacting() -> Vec<Value> {
    let mut route = route();
    route["redact"] = json!(["$.card", "$headers.x-token", "$query.key"]);
    vec![route]
}

async fn sent(world: &World, body: &str) -> u16 {
    let headers = [("x-token", "hush".to_owned())];
    let path = "/callbacks/valuation?key=hush&b=2";
    world
        .send_with(Method::POST, path, &headers, body.to_owned())
        .await
        .status
        .as_u16()
}

/// Nothing that is stored as text has the secret in it.
async fn nowhere(world: &World, secret: &str) -> bool {
    let mut all = String::new();
    for table in [Table::Delivery, Table::Reference, Table::Message] {
        for (_, document) in world
            .store
            .scan(table, "", None, 100, false)
            .await
            .expect("readable")
        {
            all += &String::from_utf8_lossy(&document.content);
        }
    }
    !all.contains(secret)
}

#[tokio::test]
async fn what_is_redacted_reaches_the_workflow_and_is_not_stored() {
    let world = World::with(redacting()).expect("a route");
    let token = world.engine.open(1, 1);
    world.register("r1", &token).await;
    let body = r#"{"ref": "r1",  "card": {"no": "hush"}, "n": 1.50}"#;
    assert_eq!(sent(&world, body).await, 200);
    let ended = world.engine.0.lock().waits[&(1, 1)]
        .1
        .clone()
        .expect("it ended");
    let WaitEnd::Succeeded { output } = ended.end else {
        panic!("{:?}", ended.end)
    };
    assert_eq!(
        output,
        Data::parse(body).expect("JSON"),
        "the workflow has all of it"
    );
    let shown = world.last().await;
    assert_eq!(
        shown["body"],
        r#"{"ref": "r1",  "card": "(redacted)", "n": 1.50}"#
    );
    assert_eq!(shown["query"], "key=(redacted)&b=2");
    assert_eq!(
        shown["redacted"],
        json!(["$headers.x-token", "$query.key", "$.card"])
    );
    assert_eq!(shown["bodyWhole"], true);
    assert!(nowhere(&world, "hush").await);
    // An alert has none of it either, nor has what could not be read.
    assert_eq!(sent(&world, r#"{"ref": "r1", "card": "hush"}"#).await, 409);
    assert_eq!(sent(&world, r#"{"card": "hush", "#).await, 400);
    assert_eq!(world.alerts().await.len(), 2);
    assert!(nowhere(&world, "hush").await);
}

#[tokio::test]
async fn what_is_redacted_is_kept_only_until_it_is_clear_what_becomes_of_it() {
    let world = World::with(redacting()).expect("a route");
    world.wait_announced(1, 1);
    assert_eq!(sent(&world, r#"{"ref": "r1", "card": "hush"}"#).await, 202);
    assert!(!nowhere(&world, "hush").await, "the workflow is to have it");
    world.pass(600).await;
    assert_eq!(world.last().await["disposition"], "unknown-reference");
    assert!(nowhere(&world, "hush").await);
    // The same if it was unknown at once.
    world.gateway.wait_ended(ExecutionKey(1), WaitId(1));
    assert_eq!(sent(&world, r#"{"ref": "r2", "card": "hush"}"#).await, 404);
    world.pass(600).await;
    assert!(nowhere(&world, "hush").await);
    // And if it is late.
    let token = world.engine.open(2, 1);
    world.register("r3", &token).await;
    world.engine.end(2, 1, WaitEnd::TimedOut, false);
    assert_eq!(sent(&world, r#"{"ref": "r3", "card": "hush"}"#).await, 410);
    assert!(nowhere(&world, "hush").await);
}

#[tokio::test]
async fn what_is_redacted_is_stored_at_no_time_if_the_workflow_is_not_to_have_it() {
    let mut route = redacting().remove(0);
    route["output"] = json!("$.n");
    let mut wrong = route.clone();
    wrong["name"] = json!("wrong");
    wrong["path"] = json!("/callbacks/wrong");
    wrong["output"] = json!("{% $number($body.card) %}");
    let world = World::with(vec![route, wrong]).expect("the routes are right");
    world.wait_announced(1, 1);
    let body = r#"{"ref": "r1", "card": "hush", "n": 1}"#;
    assert_eq!(sent(&world, body).await, 202);
    assert!(nowhere(&world, "hush").await, "while it is kept");
    // Nor does what went wrong with it tell what it was.
    let reply = world.send(Method::POST, "/callbacks/wrong", body).await;
    assert_eq!(reply.status, 400);
    let said = String::from_utf8_lossy(&reply.body);
    assert!(
        said.contains("$number($body.card)") && said.contains(" D3030; "),
        "{said}"
    );
    assert!(!said.contains("hush"), "{said}");
    assert!(nowhere(&world, "hush").await, "{}", world.last().await);
    assert!(
        !world
            .alerts()
            .await
            .iter()
            .any(|alert| alert.to_string().contains("hush"))
    );
}
