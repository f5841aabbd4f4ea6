//! Where references come from: URLs that this server makes, the workflow itself; and where they go.

use super::*;
use crate::gateway::Phase;

fn approvals() -> Value {
    json!({
        "name": "approvals",
        "path": "/approvals/{code}",
        "reference": "$path.code",
        "verify": { "scheme": "signed-url" },
        "public_url": "https://hooks.example.com/",
        "topic": "LoanErrors",
        "outcomes": [
            { "path": "/approvals/{code}/approve", "outcome": "success", "output": "{% { 'approved': true } %}" },
            { "path": "/approvals/{code}/reject", "outcome": "failure", "error": "Rejected" },
        ],
    })
}

impl World {
    async fn with_urls() -> World {
        let world = World::with(vec![approvals(), route()]).expect("the routes are right");
        world.gateway.load_routes().await.expect("the store reads");
        world
    }

    /// The paths of a wait's URLs: to say what it is, to approve, to reject.
    async fn urls(&self, token: &str, more: Value) -> Vec<String> {
        let mut body = json!({ "taskToken": token });
        for (key, value) in more.as_object().into_iter().flatten() {
            body[key] = value.clone();
        }
        let path = "/rejoin/references/approvals";
        let reply = self.send(Method::POST, path, body.to_string()).await;
        let said: Value = serde_json::from_slice(&reply.body).expect("JSON");
        assert_eq!(reply.status, 201, "{said}");
        let urls = said["urls"].as_array().expect("a list").iter();
        urls.map(|url| {
            let url = url["url"].as_str().expect("text");
            url.strip_prefix("https://hooks.example.com")
                .expect("the public address")
                .to_owned()
        })
        .collect()
    }

    async fn follow(&self, method: Method, path: &str) -> (u16, String) {
        let accept = [("accept", "text/html,*/*".to_owned())];
        let reply = self.send_with(method, path, &accept, "").await;
        assert_eq!(reply.content_type, "text/html; charset=utf-8");
        (
            reply.status.as_u16(),
            String::from_utf8_lossy(&reply.body).into_owned(),
        )
    }
}

#[tokio::test]
async fn a_url_answers_its_wait_once() {
    let world = World::with_urls().await;
    let token = world.engine.open(1, 1);
    let urls = world.urls(&token, Value::Null).await;
    assert!(urls[1].len() < 64, "it is short: {}", urls[1]);
    let (status, page) = world.follow(Method::GET, &urls[1]).await;
    assert_eq!(status, 200);
    assert!(
        page.contains("<form method=\"post\"><button>approve</button></form>"),
        "{page}"
    );
    assert_eq!(
        world.engine.0.lock().completions,
        0,
        "a mail server that looks at a link approves nothing"
    );
    let (status, page) = world.follow(Method::POST, &urls[1]).await;
    assert_eq!(status, 200);
    assert!(page.contains("Your answer was taken."), "{page}");
    let ended = world.engine.0.lock().waits[&(1, 1)]
        .1
        .clone()
        .expect("it ended");
    assert_eq!(
        ended.end,
        WaitEnd::Succeeded {
            output: json!({"approved": true}).into()
        }
    );
    let (status, page) = world.follow(Method::POST, &urls[1]).await;
    assert!(
        status == 200 && page.contains("Your answer was taken before"),
        "{page}"
    );
    let (status, page) = world.follow(Method::POST, &urls[2]).await;
    assert!(
        status == 409 && page.contains("Another answer was taken before"),
        "{page}"
    );
    assert_eq!(world.engine.0.lock().completions, 1);
    // Who follows the link then is not asked again.
    let (status, page) = world.follow(Method::GET, &urls[2]).await;
    assert!(
        status == 410 && page.contains("An answer was taken before") && !page.contains("<form"),
        "{page}"
    );
    // A program hears JSON.
    let reply = world.send(Method::POST, &urls[1], "").await;
    assert_eq!(reply.content_type, "application/json");

    let token = world.engine.open(2, 1);
    let urls = world.urls(&token, Value::Null).await;
    world.engine.end(2, 1, WaitEnd::Aborted, false);
    let (status, page) = world.follow(Method::GET, &urls[1]).await;
    assert!(
        status == 410 && page.contains("Nobody waits for this answer"),
        "{page}"
    );
}

#[tokio::test]
async fn a_url_that_is_made_up_expired_or_of_another_route_finds_nobody() {
    let world = World::with_urls().await;
    let token = world.engine.open(1, 1);
    let urls = world.urls(&token, json!({"expiresInSeconds": 10})).await;
    let code = urls[0].rsplit('/').next().expect("a code");
    let other = if code.starts_with('A') { "B" } else { "A" };
    for made_up in [
        format!("/approvals/{other}{}", &code[1..]),
        "/approvals/x".to_owned(),
        format!("/approvals/{code}AAAA"),
    ] {
        let (status, page) = world.follow(Method::POST, &made_up).await;
        assert!(
            status == 401 && page.contains("This link is not valid"),
            "{page}"
        );
        assert_eq!(world.follow(Method::GET, &made_up).await.0, 401);
    }
    world.pass(10).await;
    assert_eq!(world.follow(Method::POST, &urls[1]).await.0, 401);
    let alerts = world.alerts().await;
    let last = alerts.last().expect("an alert")["description"]
        .as_str()
        .expect("text");
    assert!(
        last.contains("It is expired: its URL was good until "),
        "{last}"
    );
    assert_eq!(world.engine.0.lock().completions, 0);
    // Until its wait's deadline, if nobody says otherwise.
    let token = world.engine.open(2, 1);
    let urls = world.urls(&token, Value::Null).await;
    world.pass(TIMEOUT_SECONDS - 1).await;
    assert_eq!(world.follow(Method::GET, &urls[1]).await.0, 200);
    world.pass(1).await;
    assert_eq!(world.follow(Method::GET, &urls[1]).await.0, 401);
}

#[tokio::test]
async fn urls_survive_a_restart_and_belong_to_routes_that_have_them() {
    let world = World::with_urls().await;
    let token = world.engine.open(1, 1);
    let urls = world.urls(&token, Value::Null).await;
    let World {
        clock,
        store,
        engine,
        ..
    } = world;
    let world = World::on(vec![approvals(), route()], clock, store, engine).expect("as before");
    world.gateway.load_routes().await.expect("the store reads");
    assert_eq!(world.follow(Method::POST, &urls[2]).await.0, 200);
    let ended = world.engine.0.lock().waits[&(1, 1)]
        .1
        .clone()
        .expect("it ended");
    assert!(matches!(ended.end, WaitEnd::Failed { .. }));
    for (path, body, expected) in [
        (
            "/rejoin/references/valuation",
            json!({"taskToken": token}),
            (409, "NoCallbackUrls"),
        ),
        (
            "/rejoin/references/approvls",
            json!({"taskToken": token}),
            (404, "NoSuchRoute"),
        ),
        (
            "/rejoin/references/approvals",
            json!({"taskToken": "x"}),
            (400, "InvalidToken"),
        ),
        (
            "/rejoin/references/approvals",
            json!({}),
            (400, "InvalidBody"),
        ),
    ] {
        let reply = world.send(Method::POST, path, body.to_string()).await;
        let said: Value = serde_json::from_slice(&reply.body).expect("JSON");
        let error = said["error"].as_str().unwrap_or_default();
        assert_eq!((reply.status.as_u16(), error), expected, "{path}: {said}");
    }
    let mut wrong = approvals();
    wrong["reference"] = json!("$.code");
    let said = World::with(vec![wrong]).err().expect("it is wrong");
    assert!(
        said.contains("the reference is a part of the path"),
        "{said}"
    );
}

fn choosing() -> Value {
    let mut route = route();
    route["registers"] = json!({
        "from_request": "{% $states.input.order ? $states.input.order : $execution.name %}",
        "from_result": "$.reference",
    });
    route
}

#[tokio::test]
async fn what_the_workflow_chooses_is_registered_before_anybody_can_call_back() {
    let world = World::with(vec![choosing()]).expect("the route is right");
    for (request, result, reference) in [
        (json!({"order": "o-1"}), json!({}), "o-1"),
        (json!({}), json!({}), "loan-2"),
        (json!({"order": "o-3"}), json!({"reference": 33}), "33"),
    ] {
        let execution = match reference {
            "o-1" => 1,
            "loan-2" => 2,
            _ => 3,
        };
        let token = world.engine.open(execution, 1);
        let chosen = world.wait_announced(execution, 1);
        for (phase, said) in [(Phase::Request, &request), (Phase::Result, &result)] {
            // A task that goes out again registers again.
            for _ in 0..2 {
                let done = world
                    .gateway
                    .register_chosen(&chosen, &token, phase, said)
                    .await;
                assert_eq!(done, Ok(()));
            }
        }
        let said = world.call_back(json!({"ref": reference, "value": 1})).await;
        assert_eq!(said, took(200, "delivered"), "{reference}");
    }
}

#[tokio::test]
async fn a_retry_adopts_the_reference_and_another_execution_fails() {
    let world = World::with(vec![choosing()]).expect("the route is right");
    let request = json!({"order": "o-1"});
    let register = async |execution: u128, wait: u32| {
        let token = world.engine.open(execution, wait);
        let chosen = world.wait_announced(execution, wait);
        world
            .gateway
            .register_chosen(&chosen, &token, Phase::Request, &request)
            .await
    };
    assert_eq!(register(1, 1).await, Ok(()));
    let failure = register(2, 1).await.expect_err("it is taken");
    assert_eq!(failure.error.as_deref(), Some("Rejoin.ReferenceTaken"));
    let cause = failure.cause.expect("a cause");
    assert!(
        cause.contains("\"o-1\"") && cause.contains("loan-1"),
        "{cause}"
    );
    world.engine.end(1, 1, WaitEnd::TimedOut, true);
    assert_eq!(register(1, 2).await, Ok(()));
    assert_eq!(
        world.call_back(json!({"ref": "o-1"})).await,
        took(200, "delivered")
    );
    assert!(world.engine.0.lock().waits[&(1, 2)].1.is_some());
    let long = json!({"order": "x".repeat(513)});
    let token = world.engine.open(3, 1);
    let chosen = world.wait_announced(3, 1);
    let refused = world
        .gateway
        .register_chosen(&chosen, &token, Phase::Request, &long)
        .await;
    assert_eq!(
        refused.expect_err("too long").error.as_deref(),
        Some("Rejoin.ReferenceInvalid")
    );
}

#[tokio::test]
async fn a_reference_is_free_for_another_execution_if_the_route_reuses_them() {
    for reuse in [true, false] {
        let mut route = route();
        route["reuse"] = json!(reuse);
        let world = World::with(vec![route]).expect("the route is right");
        let first = world.engine.open(1, 1);
        world.register("r1", &first).await;
        let second = world.engine.open(2, 1);
        assert_eq!(
            world.register("r1", &second).await.0,
            409,
            "the wait is open"
        );
        world.call_back(json!({"ref": "r1"})).await;
        let expected = if reuse { 200 } else { 409 };
        assert_eq!(world.register("r1", &second).await.0, expected);
    }
}

#[tokio::test]
async fn a_reference_is_released_by_who_has_the_token_or_once_the_wait_is_over() {
    let world = World::new();
    let r1 = "/rejoin/references/valuation/r1";
    let token = world.engine.open(1, 1);
    let release = async |body: Value| {
        let body = if body.is_null() {
            String::new()
        } else {
            body.to_string()
        };
        world.send(Method::DELETE, r1, body).await.status.as_u16()
    };
    assert_eq!(release(Value::Null).await, 404);
    world.register("r1", &token).await;
    assert_eq!(release(Value::Null).await, 409);
    assert_eq!(release(json!({"taskToken": "2/1"})).await, 409);
    assert_eq!(release(json!({"token": "2/1"})).await, 400);
    assert_eq!(release(json!({"taskToken": token})).await, 200);
    assert_eq!(world.get(r1).await.0, 404);
    world.register("r1", &token).await;
    world.engine.end(1, 1, WaitEnd::Aborted, false);
    assert_eq!(release(Value::Null).await, 200);
    let other = world.engine.open(2, 1);
    assert_eq!(world.register("r1", &other).await.0, 200);
}
