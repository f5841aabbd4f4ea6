//! Routes over the API.

use super::*;

impl World {
    async fn route(&self, method: Method, path: &str, body: Value) -> (u16, Value) {
        let path = format!("/rejoin/routes{path}");
        let body = if body.is_null() {
            String::new()
        } else {
            body.to_string()
        };
        let reply = self.send(method, &path, body).await;
        let said = serde_json::from_slice(&reply.body).expect("JSON");
        (reply.status.as_u16(), said)
    }

    async fn posts(&self, path: &str, body: Value) -> Option<u16> {
        let call = Call {
            method: Method::POST,
            path: path.to_owned(),
            query: String::new(),
            headers: HeaderMap::new(),
            body: body.to_string().into(),
            peer: ([127, 0, 0, 1], 4000).into(),
            busy: self.clock.busy(),
        };
        let reply = self.gateway.handle(&call).await;
        reply.map(|reply| reply.status.as_u16())
    }
}

fn orders() -> Value {
    json!({ "path": "/callbacks/orders", "reference": "$.order" })
}

#[tokio::test]
async fn a_route_is_made_used_changed_and_removed() {
    let world = World::new();
    assert_eq!(
        world.posts("/callbacks/orders", json!({"order": 1})).await,
        None
    );
    let (status, said) = world.route(Method::PUT, "/orders", orders()).await;
    assert_eq!(
        (status, &said["name"], &said["from"]),
        (201, &json!("orders"), &json!("api"))
    );
    assert_eq!(
        world.posts("/callbacks/orders", json!({"order": 1})).await,
        Some(202)
    );
    let mut other = orders();
    other["path"] = json!("/callbacks/{order}/done");
    other["reference"] = json!("$path.order");
    assert_eq!(world.route(Method::PUT, "/orders", other).await.0, 200);
    assert_eq!(
        world.posts("/callbacks/orders", json!({"order": 1})).await,
        None
    );
    assert_eq!(world.posts("/callbacks/2/done", json!({})).await, Some(202));
    let (_, said) = world.route(Method::GET, "", Value::Null).await;
    let names: Vec<_> = said["routes"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|route| {
            format!(
                "{} {}",
                route["name"].as_str().unwrap_or_default(),
                route["from"].as_str().unwrap_or_default()
            )
        })
        .collect();
    assert_eq!(names, ["orders api", "valuation configuration"]);
    assert_eq!(
        world.route(Method::DELETE, "/orders", Value::Null).await.0,
        200
    );
    assert_eq!(world.posts("/callbacks/2/done", json!({})).await, None);
    assert_eq!(
        world.route(Method::GET, "/orders", Value::Null).await.0,
        404
    );
    assert_eq!(
        world.route(Method::DELETE, "/orders", Value::Null).await.0,
        404
    );
}

#[tokio::test]
async fn a_route_survives_a_restart_with_its_secret_and_shows_it_to_nobody() {
    let world = World::new();
    let mut route = orders();
    route["verify"] =
        json!({"scheme": "bearer", "header": "x-key", "secrets": ["sesame", "env:PATH"]});
    let (_, said) = world.route(Method::PUT, "/orders", route).await;
    assert_eq!(
        said["verify"]["secrets"],
        json!(["(not shown)", "env:PATH"])
    );
    let world = world.restarted();
    world.gateway.load_routes().await.expect("the store reads");
    let (_, shown) = world.route(Method::GET, "/orders", Value::Null).await;
    assert!(!shown.to_string().contains("sesame"), "{shown}");
    for (key, status) in [("sesame", 202), ("sesam", 401)] {
        let headers = [("x-key", key.to_owned())];
        let body = r#"{"order":1}"#;
        let reply = world
            .send_with(Method::POST, "/callbacks/orders", &headers, body)
            .await;
        assert_eq!(reply.status, status);
    }
    // What is shown can't be sent back by mistake.
    let mut again = shown.clone();
    again.as_object_mut().expect("an object").remove("from");
    let (status, said) = world.route(Method::PUT, "/orders", again).await;
    assert_eq!(
        (status, &said["error"]),
        (400, &json!("InvalidRoute")),
        "{said}"
    );
    let log = format!(
        "{:?}",
        world.gateway.route_named("orders").expect("a route").config
    );
    assert!(!log.contains("sesame"), "{log}");
}

#[tokio::test]
async fn a_route_with_open_waits_is_not_removed_unless_that_is_meant() {
    let world = World::new();
    world.route(Method::PUT, "/orders", orders()).await;
    let token = world.engine.open(1, 1);
    let body = json!({ "taskToken": token }).to_string();
    world
        .send(Method::PUT, "/rejoin/references/orders/7", body)
        .await;
    let (status, said) = world.route(Method::DELETE, "/orders", Value::Null).await;
    assert_eq!((status, &said["error"]), (409, &json!("RouteInUse")));
    assert_eq!(
        world
            .route(Method::DELETE, "/orders?force=true", Value::Null)
            .await
            .0,
        200
    );
}

#[tokio::test]
async fn a_route_that_is_not_right_is_refused_in_a_sentence() {
    let world = World::new();
    world.route(Method::PUT, "/orders", orders()).await;
    for (method, path, body, expected) in [
        (
            Method::PUT,
            "/valuation",
            orders(),
            (409, "RouteOfConfiguration"),
        ),
        (
            Method::DELETE,
            "/valuation",
            Value::Null,
            (409, "RouteOfConfiguration"),
        ),
        (Method::PUT, "/x", orders(), (400, "InvalidRoute")),
        (Method::PUT, "/x", Value::Null, (400, "InvalidRoute")),
        (
            Method::PUT,
            "/x",
            json!({"path": "/x"}),
            (400, "InvalidRoute"),
        ),
        (
            Method::PUT,
            "/x",
            json!({"path": "/x", "reference": "$.x", "refrence": 1}),
            (400, "InvalidRoute"),
        ),
        (
            Method::PUT,
            "/x",
            json!({"name": "y", "path": "/x", "reference": "$.x"}),
            (400, "InvalidRoute"),
        ),
        (
            Method::PUT,
            "/x",
            json!({"path": "/x", "reference": "$.x", "topic": "None"}),
            (400, "InvalidRoute"),
        ),
        (
            Method::PUT,
            "/a%20b",
            json!({"path": "/x", "reference": "$.x"}),
            (400, "InvalidRoute"),
        ),
        (Method::GET, "/ordrs", Value::Null, (404, "NoSuchRoute")),
        (Method::POST, "/orders", orders(), (405, "MethodNotAllowed")),
        (Method::PUT, "", orders(), (405, "MethodNotAllowed")),
    ] {
        let (status, said) = world.route(method.clone(), path, body).await;
        let error = said["error"].as_str().unwrap_or_default();
        assert_eq!((status, error), expected, "{method} {path}: {said}");
    }
    let (_, said) = world.route(Method::GET, "/ordrs", Value::Null).await;
    assert_eq!(
        said["hint"],
        "did you mean \"orders\"? There are orders, valuation"
    );
}

#[tokio::test]
async fn a_stored_route_that_no_longer_fits_is_listed_with_its_problem() {
    let world = World::new();
    world.route(Method::PUT, "/orders", orders()).await;
    let mut taken = route();
    taken["path"] = json!("/callbacks/orders");
    let World {
        clock,
        store,
        engine,
        ..
    } = world;
    let world = World::on(vec![taken], clock, store, engine).expect("the route is right");
    world.gateway.load_routes().await.expect("the store reads");
    let (_, said) = world.route(Method::GET, "/orders", Value::Null).await;
    let problem = said["problem"].as_str().expect("a problem");
    assert!(problem.contains("have the same path"), "{problem}");
    let mut other = orders();
    other["path"] = json!("/callbacks/other");
    assert_eq!(world.route(Method::PUT, "/orders", other).await.0, 200);
    assert_eq!(
        world.posts("/callbacks/other", json!({"order": 1})).await,
        Some(202)
    );
}
