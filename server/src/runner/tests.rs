//! Runners alone, and within a server.

use std::collections::BTreeMap;
use std::time::Duration;

use engine::Status;
use store::{Options, Table};

use super::*;
use crate::app::{App, Place, Settings};

const NOW: Timestamp = Timestamp(1_700_000_000_000);
const WAITS: &str = r#"{"StartAt":"W","States":{"W":{"Type":"Wait","Seconds":60,"End":true}}}"#;

/// A runner that nobody has connected: its drives panic as soon as there is something to act on,
/// after the commit and after the answers.
fn unconnected() -> Runner {
    let (store, _) = Store::open(Options { directory: None }).expect("a store in memory");
    Runner::new(
        Clock::standing_at(NOW),
        store.clone(),
        TokenKey::new(&[7; 32]),
        Machines::new(store.clone()),
        Activities::new(store, Table::Activity),
        Quotas::default(),
        1,
    )
}

async fn app() -> App {
    app_in(None).await
}

async fn app_in(directory: Option<std::path::PathBuf>) -> App {
    let settings = Settings {
        place: Place {
            region: "us-east-1".to_owned(),
            account: "123456789012".to_owned(),
        },
        clock: Clock::standing_at(NOW),
        directory,
        retention_days: 90,
        quotas: Default::default(),
        stuck_waits: Default::default(),
        environment: Default::default(),
        functions: BTreeMap::new(),
        topics: BTreeMap::new(),
        routes: Vec::new(),
        alerts: Default::default(),
        status_changes: Vec::new(),
        address: ([127, 0, 0, 1], 1).into(),
    };
    let (app, _) = App::open(settings).await.expect("the store opens");
    app
}

const ROUND: &str = r#"{"StartAt":"R","States":{"R":{"Type":"Pass","Next":"C"},
    "C":{"Type":"Choice","Choices":[{"Variable":"$.x","IsPresent":true,"Next":"E"}],"Default":"R"},"E":{"Type":"Succeed"}}}"#;

/// With the seats taken, a loop stands still after its first slice, and others have their say.
#[tokio::test]
async fn a_machine_that_loops_can_be_stopped() {
    let app = app().await;
    let seats = app.runner.0.aside.take_all().await;
    let key = begun_with(&app.runner, ROUND).await;
    let stopped = app.runner.command(key, stop());
    tokio::pin!(stopped);
    not_yet(stopped.as_mut()).await;
    drop(seats);
    stopped.await.expect("it had not ended");
    let summary = app.store.summary(key).await.expect("the store works");
    let status = summary.map(|summary| summary.status);
    assert_eq!(status, Some(Status::Aborted));
}

#[test]
fn what_a_slice_left_goes_on_after_a_restart() {
    let name = format!("rejoin-slices-{}", std::process::id());
    let directory = std::env::temp_dir().join(name);
    let _ = std::fs::remove_dir_all(&directory);
    let runtime = || tokio::runtime::Runtime::new().expect("there are threads");
    let created = serde_json::json!({"name": "m", "definition": ROUND, "roleArn": "arn:aws:iam::123456789012:role/r"});
    let started = serde_json::json!({"stateMachineArn": "arn:aws:states:us-east-1:123456789012:stateMachine:m", "name": "e"});
    let key = ExecutionKey::of("arn:aws:states:us-east-1:123456789012:execution:m:e");

    // With this runtime ends all that it has spawned: a crash between two slices.
    let before = runtime().block_on(async {
        let app = app_in(Some(directory.clone())).await;
        let _seats = app.runner.0.aside.take_all().await;
        for (operation, body) in [("CreateStateMachine", created), ("StartExecution", started)] {
            let body = body.to_string();
            let busy = app.clock.busy();
            let given = crate::trace::Given::inside(None);
            let done = crate::api::perform_holding(&app, operation, body.as_bytes(), &given, busy);
            let (done, _) = done.await;
            assert!(done.is_ok(), "{operation}");
        }
        assert_eq!(app.store.undelivered(None, 10).await, [key]);
        app.runner.events(key).await.expect("they are stored").len()
    });
    runtime().block_on(async {
        let app = app_in(Some(directory.clone())).await;
        drop(app.runner.until_ended(key).await.expect("it ends"));
        let events = app.runner.events(key).await.expect("they are stored");
        assert!(events.len() > before);
        assert_eq!(engine::history::project(&events, false).len(), 25_000);
    });
    let _ = std::fs::remove_dir_all(&directory);
}

/// A waiting execution; it stays in memory, so its definition need not be stored.
async fn begun(runner: &Runner) -> ExecutionKey {
    begun_with(runner, WAITS).await
}

async fn begun_with(runner: &Runner, definition: &str) -> ExecutionKey {
    let machine = asl::parse(definition).machine.expect("a sound machine");
    let arn = "arn:aws:states:us-east-1:123456789012:execution:m:e";
    let identity = Identity {
        arn: arn.into(),
        name: "e".into(),
        state_machine_arn: "arn:aws:states:us-east-1:123456789012:stateMachine:m".into(),
        state_machine_name: "m".into(),
        definition: "none".into(),
        role_arn: "arn:aws:iam::123456789012:role/r".into(),
        input: Data::parse("{}").expect("JSON"),
        started_at: NOW,
        version: None,
        alias: None,
        map_run: None,
        test_case: None,
        trace_context: None,
        trace_header: None,
    };
    let started = runner.start(Arc::new(machine), identity).await;
    assert!(matches!(started, Ok(Started::New(_))));
    ExecutionKey::of(arn)
}

fn stop() -> CommandKind {
    CommandKind::Stop {
        error: None,
        cause: None,
    }
}

/// Polls once, and expects no answer yet.
async fn not_yet<T>(future: std::pin::Pin<&mut impl Future<Output = T>>) {
    tokio::select! {
        biased;
        _ = future => panic!("it is not to end yet"),
        () = std::future::ready(()) => {}
    }
}

#[tokio::test]
async fn a_drive_that_panics_does_not_block_its_execution() {
    let runner = unconnected();
    let key = begun(&runner).await;
    // Its driver has panicked by now.
    let again = tokio::time::timeout(Duration::from_secs(10), runner.command(key, stop()));
    let answer = again.await.expect("somebody answers");
    // The definition of this execution can't be loaded, which is an answer too.
    assert!(matches!(answer, Err(NotDone::Server(_))), "{answer:?}");
}

#[tokio::test]
async fn who_gives_up_waiting_for_an_end_is_forgotten() {
    let app = app().await;
    let key = begun(&app.runner).await;
    let mut stays = Box::pin(app.runner.until_ended(key));
    not_yet(stays.as_mut()).await;
    {
        let mut leaves = Box::pin(app.runner.until_ended(key));
        not_yet(leaves.as_mut()).await;
    }
    assert_eq!(app.runner.0.watchers.lock()[&key].len(), 1);
    app.runner.command(key, stop()).await.expect("it runs");
    drop(stays.await.expect("it ended"));
    assert!(app.runner.0.watchers.lock().is_empty());
}

#[tokio::test]
async fn one_who_finds_an_execution_ended_does_not_send_the_others_away() {
    let app = app().await;
    let key = begun(&app.runner).await;
    let mut first = Box::pin(app.runner.until_ended(key));
    not_yet(first.as_mut()).await;
    // The moment after the commit of its end and before its effects: durable, and nobody told.
    let watchers = std::mem::take(&mut *app.runner.0.watchers.lock());
    app.runner.command(key, stop()).await.expect("it runs");
    *app.runner.0.watchers.lock() = watchers;
    drop(app.runner.until_ended(key).await.expect("it ended"));
    not_yet(first.as_mut()).await;
}

#[tokio::test]
async fn what_is_resumed_and_ended_at_once_still_tells_who_waits() {
    let app = app().await;
    let key = begun(&app.runner).await;
    let mut ended = Box::pin(app.runner.until_ended(key));
    not_yet(ended.as_mut()).await;
    // Without an await between them, both are one batch.
    app.runner
        .enqueue(key, Request::Resume(oneshot::channel().0));
    app.runner.command(key, stop()).await.expect("it runs");
    let told = tokio::time::timeout(Duration::from_secs(10), ended).await;
    drop(told.expect("it is told").expect("it ended"));
}
