//! A callback that nobody waits for starts an execution: once, whatever happens in between.

use super::super::start::{Operations, Refusal, Starter};
use super::*;

/// Executions that run until the test says otherwise, by their ARN.
#[derive(Default)]
struct Executions(Mutex<Started>);

#[derive(Default)]
struct Started {
    all: HashMap<String, Execution>,
    starts: usize,
    /// Every operation is refused with this.
    refuses: Option<&'static str>,
    /// How far the clock that executions are started by is behind the gateway's.
    behind_seconds: i64,
    /// The next start counts, and the process dies before it hears of it.
    dies: bool,
}

#[derive(Clone)]
struct Execution {
    input: String,
    started_at: Timestamp,
    stopped_at: Option<Timestamp>,
}

/// What `Operations` of these tests need beside the executions.
struct Api(Arc<Executions>, Clock);

impl Operations for Api {
    fn perform<'a>(
        &'a self,
        operation: &'a str,
        request: Value,
    ) -> Answering<'a, Result<Value, Refusal>> {
        Box::pin(async move {
            tokio::task::yield_now().await;
            let mut state = self.0.0.lock();
            let refusal = |kind: &str| Refusal {
                kind: kind.to_owned(),
                message: "as the test says".to_owned(),
            };
            if let Some(kind) = state.refuses {
                return Err(refusal(kind));
            }
            let seconds = |at: Timestamp| at.0 as f64 / 1000.0;
            let text = |name: &str| request[name].as_str().expect("text").to_owned();
            if operation == "DescribeExecution" {
                let found = state.all.get(&text("executionArn"));
                let found = found.ok_or_else(|| refusal("ExecutionDoesNotExist"))?;
                let mut said = json!({
                    "startDate": seconds(found.started_at),
                    "input": found.input,
                });
                if let Some(at) = found.stopped_at {
                    said["stopDate"] = seconds(at).into();
                }
                return Ok(said);
            }
            assert_eq!(operation, "StartExecution");
            let machine = text("stateMachineArn");
            let arn = machine.replace(":stateMachine:", ":execution:") + ":" + &text("name");
            let input = text("input");
            if let Some(known) = state.all.get(&arn) {
                return match known.stopped_at.is_none() && known.input == input {
                    true => {
                        Ok(json!({ "executionArn": arn, "startDate": seconds(known.started_at) }))
                    }
                    false => Err(refusal("ExecutionAlreadyExists")),
                };
            }
            let started_at = self.1.now().plus_seconds(-state.behind_seconds);
            state.starts += 1;
            let execution = Execution {
                input,
                started_at,
                stopped_at: None,
            };
            state.all.insert(arn.clone(), execution);
            let dies = std::mem::take(&mut state.dies);
            drop(state);
            assert!(!dies, "the process dies here");
            Ok(json!({ "executionArn": arn, "startDate": seconds(started_at) }))
        })
    }
}

const LOAN_1: &str = "arn:aws:states:us-east-1:123456789012:execution:LoanProcessor:loan-1";

fn starting() -> Value {
    let mut route = route();
    route["expects"] = json!([]);
    route["starts"] = json!({ "state_machine": "LoanProcessor" });
    route
}

/// A world whose route starts executions, and those.
fn world() -> (World, Arc<Executions>) {
    let world = World::with(vec![starting()]).expect("the route is right");
    let executions = Arc::<Executions>::default();
    connect(&world, &executions);
    (world, executions)
}

fn connect(world: &World, executions: &Arc<Executions>) {
    let api = Api(executions.clone(), world.clock.clone());
    let starter = Starter::new(Arc::new(api), "us-east-1", "123456789012");
    world.gateway.start_with(starter);
}

fn end(world: &World, executions: &Executions) {
    let mut state = executions.0.lock();
    let execution = state.all.get_mut(LOAN_1).expect("it was started");
    execution.stopped_at = Some(world.clock.now());
}

fn order(value: u32) -> Value {
    json!({ "ref": "loan-1", "value": value })
}

#[tokio::test]
async fn the_first_callback_starts_an_execution_which_later_ones_are_for() {
    let (world, executions) = world();
    assert_eq!(world.call_back(order(1)).await, took(200, "started"));
    assert_eq!(executions.0.lock().all[LOAN_1].input, order(1).to_string());
    let (_, said) = world
        .get("/rejoin/deliveries?execution=loan-1&disposition=started")
        .await;
    assert_eq!(said["deliveries"][0]["executionArn"], LOAN_1, "{said}");
    assert_eq!(
        world.call_back(order(1)).await,
        took(200, "duplicate-identical")
    );
    // It has not registered the reference yet.
    assert_eq!(world.call_back(order(2)).await, took(202, "early"));
    assert_eq!(
        world.call_back(order(2)).await,
        took(200, "duplicate-identical")
    );
    assert_eq!(
        world.call_back(order(3)).await,
        took(409, "duplicate-contradicting")
    );
    let other = world.engine.open(2, 1);
    let (status, said) = world.register("loan-1", &other).await;
    assert_eq!(status, 409, "{said}");
    let message = said["message"].as_str().expect("text");
    assert!(
        message.contains("has started execution loan-1"),
        "{message}"
    );
    let token = world.engine.open(1, 1);
    let (status, said) = world.register("loan-1", &token).await;
    assert_eq!(
        (status, &said["early"]["disposition"]),
        (200, &json!("delivered"))
    );
    // What started it is not the answer to anything, also if it comes again now.
    let token = world.engine.open(1, 2);
    assert_eq!(world.register("loan-1", &token).await.0, 200);
    assert_eq!(
        world.call_back(order(1)).await,
        took(200, "duplicate-identical")
    );
    // And another one is for its next wait.
    assert_eq!(world.call_back(order(4)).await, took(200, "delivered"));
    assert_eq!(executions.0.lock().starts, 1);
    let alerts = world.alerts().await;
    assert!(alerts.iter().all(|alert| alert["disposition"] != "started"));
}

#[tokio::test]
async fn whenever_the_process_dies_there_is_one_execution() {
    // Whether it has ended before the process is back.
    for ended in [false, true] {
        let (world, executions) = world();
        executions.0.lock().dies = true;
        let body = order(1).to_string();
        let reply = world.send(Method::POST, "/callbacks/valuation", body).await;
        assert_eq!(
            reply.status,
            StatusCode::SERVICE_UNAVAILABLE,
            "nobody knows"
        );
        assert_eq!(world.dispositions().await, [""], "stored, and no more");
        if ended {
            end(&world, &executions);
        }
        let (clock, store, engine) = (world.clock, world.store, world.engine);
        let world = World::on(vec![starting()], clock, store, engine).expect("as before");
        connect(&world, &executions);
        world.pass(2).await;
        assert_eq!(world.dispositions().await, ["started"]);
        assert_eq!(
            world.call_back(order(1)).await,
            took(200, "duplicate-identical")
        );
        assert_eq!(executions.0.lock().starts, 1);
    }
}

#[tokio::test]
async fn what_could_not_be_started_is_tried_again() {
    let (world, executions) = world();
    executions.0.lock().refuses = Some("StateMachineDoesNotExist");
    assert_eq!(world.call_back(order(1)).await, took(503, "undeliverable"));
    world.pass(1).await;
    let alerts = world.alerts().await;
    assert_eq!(alerts.len(), 1, "it is told once: {alerts:?}");
    assert_eq!(alerts[0]["disposition"], "undeliverable");
    executions.0.lock().refuses = None;
    // The third party may bring it home.
    assert_eq!(
        world.call_back(order(1)).await,
        took(200, "duplicate-identical")
    );
    assert_eq!(
        world.dispositions().await,
        ["undeliverable > started", "duplicate-identical"]
    );
    assert_eq!(executions.0.lock().starts, 1);
    world.pass(600).await;
    assert_eq!(executions.0.lock().starts, 1);
    // Who was told that it could not be is told that it is over.
    let mut told = world.alerts().await;
    told.retain(|alert| alert["kind"] == "undeliverable");
    assert_eq!(told.len(), 2, "{told:?}");
    assert_eq!(told[1]["resolved"], true);
    assert_eq!(told[1]["dedupKey"], alerts[0]["dedupKey"]);
}

/// Whose start it was is no question of times: a clock may step back between the callback and the start.
#[tokio::test]
async fn a_clock_that_steps_back_makes_no_start_somebody_elses() {
    let (world, executions) = world();
    executions.0.lock().behind_seconds = 5;
    assert_eq!(world.call_back(order(1)).await, took(200, "started"));

    // And an execution that was there is somebody else's, if its clock is ahead of ours.
    let (world, executions) = self::world();
    let other = Execution {
        input: order(1).to_string(),
        started_at: START.plus_seconds(5),
        stopped_at: None,
    };
    executions.0.lock().all.insert(LOAN_1.to_owned(), other);
    assert_eq!(
        world.call_back(order(1)).await,
        took(200, "duplicate-identical")
    );
    assert_eq!(executions.0.lock().starts, 0);
}

#[tokio::test]
async fn what_comes_for_an_execution_that_can_not_be_started_yet_is_kept_for_it() {
    let (world, executions) = world();
    executions.0.lock().refuses = Some("StateMachineDoesNotExist");
    assert_eq!(world.call_back(order(1)).await, took(503, "undeliverable"));
    assert_eq!(world.call_back(order(2)).await, took(202, "early"));
    executions.0.lock().refuses = None;
    world.pass(60).await;
    let token = world.engine.open(1, 1);
    let (status, said) = world.register("loan-1", &token).await;
    assert_eq!(
        (status, &said["early"]["disposition"]),
        (200, &json!("delivered"))
    );
    assert_eq!(
        world.dispositions().await,
        ["undeliverable > started", "early > delivered"]
    );
}

#[tokio::test]
async fn what_can_never_be_started_is_malformed_and_the_next_one_counts() {
    let (world, executions) = world();
    executions.0.lock().refuses = Some("InvalidName");
    assert_eq!(world.call_back(order(1)).await, took(400, "malformed"));
    executions.0.lock().refuses = None;
    assert_eq!(world.call_back(order(1)).await, took(200, "started"));
}

#[tokio::test]
async fn of_many_at_once_one_starts_it() {
    let (world, executions) = world();
    let world = Arc::new(world);
    let mut sending = tokio::task::JoinSet::new();
    for _ in 0..50 {
        let world = world.clone();
        sending.spawn(async move { world.call_back(order(1)).await });
    }
    let mut started = 0;
    while let Some(heard) = sending.join_next().await {
        match heard.expect("it is answered") {
            heard if heard == took(200, "started") => started += 1,
            heard => assert_eq!(heard, took(200, "duplicate-identical")),
        }
    }
    assert_eq!((started, executions.0.lock().starts), (1, 1));
}

#[tokio::test]
async fn an_execution_that_was_started_otherwise_is_left_alone() {
    let (world, executions) = world();
    let older = Execution {
        input: "{}".into(),
        started_at: START.plus_seconds(-60),
        stopped_at: None,
    };
    let known = (LOAN_1.to_owned(), older);
    executions.0.lock().all.extend([known]);
    // It runs, and may register the reference: the callback is kept for that.
    assert_eq!(
        world.call_back(order(1)).await,
        took(404, "unknown-reference")
    );
    let token = world.engine.open(1, 1);
    let (status, said) = world.register("loan-1", &token).await;
    assert_eq!(
        (status, &said["early"]["disposition"]),
        (200, &json!("delivered"))
    );
    assert_eq!(executions.0.lock().starts, 0);

    let (world, executions) = self::world();
    let over = Execution {
        input: "{}".into(),
        started_at: START.plus_seconds(-60),
        stopped_at: Some(START.plus_seconds(-15)),
    };
    let known = (LOAN_1.to_owned(), over);
    executions.0.lock().all.extend([known]);
    assert_eq!(world.call_back(order(1)).await, took(410, "late-ended"));
    let alerts = world.alerts().await;
    let told = alerts[0]["description"].as_str().expect("text");
    assert!(
        told.contains("loan-1") && told.contains("15 s before"),
        "{told}"
    );
}

#[tokio::test]
async fn what_is_kept_for_an_execution_expires_and_what_comes_after_its_end_is_late() {
    let (world, executions) = world();
    assert_eq!(world.call_back(order(1)).await, took(200, "started"));
    assert_eq!(world.call_back(order(2)).await, took(202, "early"));
    world.pass(600).await;
    assert_eq!(
        world.dispositions().await,
        ["started", "early > unknown-reference"]
    );
    end(&world, &executions);
    assert_eq!(world.call_back(order(2)).await, took(410, "late-ended"));
    world.gateway.sweep_references().await.expect("it is swept");
    assert_eq!(
        world.call_back(order(1)).await,
        took(200, "duplicate-identical")
    );
    world.pass(3600).await;
    world.gateway.sweep_references().await.expect("it is swept");
    let (status, _) = world.get("/rejoin/references/valuation/loan-1").await;
    assert_eq!(status, StatusCode::NOT_FOUND, "it is forgotten");
    // And still there is no second execution of that name.
    assert_eq!(world.call_back(order(1)).await, took(410, "late-ended"));
    assert_eq!(executions.0.lock().starts, 1);
}

#[tokio::test]
async fn neither_a_failure_nor_a_heartbeat_starts_anything() {
    let (world, executions) = world();
    let failed = json!({"ref": "loan-1", "failed": true});
    assert_eq!(
        world.call_back(failed).await,
        took(404, "unknown-reference")
    );
    let beat = json!({"ref": "loan-1", "status": "working"});
    assert_eq!(
        world.call_back(beat.clone()).await,
        took(404, "unknown-reference")
    );
    assert_eq!(executions.0.lock().starts, 0);
    assert_eq!(world.call_back(order(1)).await, took(200, "started"));
    assert_eq!(world.call_back(beat).await, took(200, "heartbeat"));
}

#[tokio::test]
async fn input_and_name_are_what_the_route_says() {
    let mut route = starting();
    route["starts"] = json!({
        "state_machine": "arn:aws:states:us-east-1:123456789012:stateMachine:Orders",
        "input": "{% { 'worth': $body.value } %}",
        "name": "$.key",
    });
    let world = World::with(vec![route]).expect("the route is right");
    let executions = Arc::<Executions>::default();
    connect(&world, &executions);
    assert_eq!(world.call_back(order(1)).await, took(400, "malformed"));
    let mut body = order(7);
    body["key"] = "k-7".into();
    assert_eq!(world.call_back(body).await, took(200, "started"));
    let arn = "arn:aws:states:us-east-1:123456789012:execution:Orders:k-7";
    assert_eq!(executions.0.lock().all[arn].input, r#"{"worth":7}"#);
    for (starts, word) in [
        (json!({"state_machine": ""}), "`starts.state_machine`"),
        (
            json!({"state_machine": "arn:aws:lambda:x"}),
            "`starts.state_machine`",
        ),
        (
            json!({"state_machine": "M", "input": "value"}),
            "`starts.input`",
        ),
        (
            json!({"state_machine": "M", "name": "{% $nowhere %}"}),
            "`starts.name`",
        ),
    ] {
        let mut route = starting();
        route["starts"] = starts.clone();
        let said = World::with(vec![route]).err().expect("it is refused");
        assert!(said.contains(word), "{starts}: {said}");
    }
}
