//! Callbacks that start an execution at an engine elsewhere: once, whatever the engine does meanwhile.

use super::*;

const MACHINE: &str = "arn:aws:states:eu-west-1:123456789012:stateMachine:Orders";
const EXECUTION: &str = "arn:aws:states:eu-west-1:123456789012:execution:Orders";

fn started(url: &str, machine: &str, directory: Option<PathBuf>) -> Settings {
    started_by(url, json!({}), machine, directory)
}

fn started_by(url: &str, more: Value, machine: &str, directory: Option<PathBuf>) -> Settings {
    let mut settings = settings(url, more, Clock::standing_at(NOW), directory);
    let mut route = route();
    route["starts"] = json!({ "state_machine": machine });
    settings.routes = vec![serde_json::from_value(route).expect("a route")];
    settings
}

async fn front(engine: &Engine) -> Front {
    let settings = started(&engine.url, MACHINE, None);
    Front(App::open_gateway(settings).await.expect("it opens").0)
}

#[tokio::test]
async fn the_first_callback_starts_an_execution_whose_worker_registers_for_later_ones() {
    let engine = Engine::start().await;
    let front = front(&engine).await;
    let order = json!({"ref": "o-1", "items": 3});
    assert_eq!(front.call_back(order.clone()).await, took(200, "started"));
    let (input, _) = engine.state.lock().executions["o-1"].clone();
    assert_eq!(serde_json::from_str::<Value>(&input).expect("JSON"), order);
    assert_eq!(
        front.deliveries().await[0]["executionArn"],
        format!("{EXECUTION}:o-1")
    );
    // Again the same, and something else before anybody has registered.
    assert_eq!(
        front.call_back(order).await,
        took(200, "duplicate-identical")
    );
    let paid = json!({"ref": "o-1", "paid": true});
    assert_eq!(front.call_back(paid.clone()).await, took(202, "early"));
    engine.open("t1");
    let whose = json!({ "executionArn": format!("{EXECUTION}:o-1") });
    let (status, said) = front.register("o-1", whose, "t1").await;
    assert_eq!(
        (status, &said["early"]["disposition"]),
        (200, &json!("delivered"))
    );
    assert_eq!(engine.result("t1"), Some(paid));
    assert_eq!(engine.asked("StartExecution").len(), 1);

    // A worker that says no more than its token is believed; one of another execution is not.
    front.call_back(json!({"ref": "o-2"})).await;
    front.call_back(json!({"ref": "o-3"})).await;
    engine.open("t2");
    assert_eq!(front.register("o-2", json!({}), "t2").await.0, 200);
    let other = json!({ "executionArn": format!("{EXECUTION}:o-2") });
    assert_eq!(front.register("o-3", other, "t3").await.0, 409);
    // A failure starts nothing.
    let failed = json!({"ref": "o-4", "failed": true});
    assert_eq!(
        front.call_back(failed).await,
        took(404, "unknown-reference")
    );
    assert_eq!(engine.asked("StartExecution").len(), 3);
}

#[tokio::test]
async fn an_engine_that_is_down_starts_it_once_when_it_is_back() {
    let engine = Engine::start().await;
    let front = front(&engine).await;
    engine.always(Some(Fault::Error(503, "ServiceUnavailable")));
    for n in 0..8 {
        let callback = json!({"ref": format!("o-{n}")});
        assert_eq!(front.call_back(callback).await, took(202, "undeliverable"));
    }
    // The breaker has opened, and asks no more than it has to.
    assert_eq!(front.engine().await["breaker"], "open");
    let asked = engine.asked("StartExecution").len();
    assert_eq!(asked, 5);
    front.pass(600).await;
    let attempts = engine.asked("StartExecution").len() - asked;
    assert!((5..=30).contains(&attempts), "{attempts}");
    engine.always(None);
    // The answer to the first of them is lost: the execution is there, and is this callback's all the same.
    engine.next(&[Fault::LoseAnswer]);
    front.pass(600).await;
    for delivery in front.deliveries().await {
        assert_eq!(dispositions(&delivery), "undeliverable > started");
    }
    assert_eq!(engine.state.lock().executions.len(), 8);
    let (_, said) = front
        .send(Method::GET, "/rejoin/alerts?limit=1000", Value::Null)
        .await;
    let of = |kind: &str, resolved: bool| {
        let all = said["alerts"].as_array().expect("a list");
        all.iter()
            .filter(|alert| alert["kind"] == kind && (alert["resolved"] == true) == resolved)
            .count()
    };
    assert_eq!(of("engine-unreachable", false), 1);
    assert_eq!(of("engine-unreachable", true), 1);
    assert_eq!(
        (of("undeliverable", false), of("undeliverable", true)),
        (8, 8)
    );
}

#[tokio::test]
async fn one_that_hangs_is_stored_and_acknowledged_and_survives_a_crash() {
    let engine = Engine::start().await;
    let directory = support::whole::scratch();
    let open = async || {
        let more = json!({"timeout_seconds": 1});
        let settings = started_by(&engine.url, more, MACHINE, Some(directory.clone()));
        Front(App::open_gateway(settings).await.expect("it opens").0)
    };
    let front = open().await;
    engine.always(Some(Fault::Hang));
    let (status, said) = front.call_back(json!({"ref": "o-1"})).await;
    assert_eq!((status, &*said), (202, "undeliverable"));
    drop(front);
    engine.always(None);
    let copy = support::whole::scratch();
    support::whole::copy_all(&directory, &copy);
    let settings = started(&engine.url, MACHINE, Some(copy.clone()));
    let front = Front(App::open_gateway(settings).await.expect("it opens").0);
    front.pass(10).await;
    assert_eq!(engine.state.lock().executions.len(), 1);
    let (steps, _) = front.last().await;
    assert!(steps.ends_with("started"), "{steps}");
    for left in [directory, copy] {
        let _ = std::fs::remove_dir_all(left);
    }
}

#[tokio::test]
async fn what_can_never_be_started_is_malformed_and_what_has_ended_is_late() {
    let engine = Engine::start().await;
    let front = front(&engine).await;
    engine
        .state
        .lock()
        .executions
        .insert("o-1".into(), ("{}".into(), false));
    assert_eq!(
        front.call_back(json!({"ref": "o-1"})).await,
        took(410, "late-ended")
    );
    // It is looked up before it is started.
    engine.next(&[
        Fault::Error(400, "ExecutionDoesNotExist"),
        Fault::Error(400, "InvalidExecutionInput"),
    ]);
    assert_eq!(
        front.call_back(json!({"ref": "o-2"})).await,
        took(400, "malformed")
    );
    // And the next one may say it right.
    assert_eq!(
        front.call_back(json!({"ref": "o-2"})).await,
        took(200, "started")
    );
}

#[tokio::test]
async fn a_machine_of_an_engine_elsewhere_is_named_by_its_arn() {
    let said = App::open_gateway(started("http://127.0.0.1:1", "Orders", None))
        .await
        .err()
        .expect("it is refused");
    for part in [
        "route \"valuation\": `starts.state_machine`",
        "\"Orders\"",
        "\"aws\"",
        "ARN",
    ] {
        assert!(said.contains(part), "{said}");
    }
}
