//! Promises under `kill -9`: acknowledged is durable; one completion per wait.

mod support;

use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde_json::json;
use support::{Client, Folder, Server};

/// How often the server is killed.
const KILLS: usize = 50;
/// Clients that start, fetch and call back all the while.
const WORKERS: usize = 6;

/// What clients were told, and so what must be true ever after.
#[derive(Default)]
struct World {
    /// Executions whose start was acknowledged.
    started: Mutex<Vec<String>>,
    /// The output whose callback was acknowledged, by execution.
    completed: Mutex<HashMap<String, String>>,
    /// Outputs whose callback was sent without an answer: one of them may have counted.
    perhaps: Mutex<HashMap<String, Vec<String>>>,
    /// Tasks that were fetched and not called back for certain: token and execution.
    open: Mutex<Vec<(String, String)>>,
    outputs: AtomicUsize,
    stop: AtomicBool,
}

#[test]
fn acknowledged_starts_and_callbacks_survive_fifty_kills_and_no_wait_ends_twice() {
    let seed = std::env::var("SEED")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(20_261_122_u64);
    println!("seed {seed} (SEED=... for other moments)");
    let mut random = seed;
    let folder = Folder::new("crash");
    let mut server = Server::start(&folder.0, &[]);
    let (activity, machine) = server.client().make_machine("crash");
    let world = World::default();

    for _ in 0..KILLS {
        world.stop.store(false, Ordering::Relaxed);
        std::thread::scope(|scope| {
            for _ in 0..WORKERS {
                let client = server.client();
                scope.spawn(|| world.work(client, &machine, &activity));
            }
            // Between 5 and 60 ms of work, then death at whatever instant that is.
            random = random
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            let moment = Instant::now() + Duration::from_millis(5 + (random >> 33) % 55);
            while Instant::now() < moment {
                std::thread::yield_now();
            }
            server.kill();
            world.stop.store(true, Ordering::Relaxed);
        });
        server = Server::start(&folder.0, &[]);
    }

    // What was fetched before any of the kills can still be called back.
    let mut client = server.client();
    for (token, execution) in std::mem::take(&mut *world.open.lock().expect("no worker panicked")) {
        assert!(
            world.call_back(&mut client, token, execution),
            "the server answers now"
        );
    }
    let completed = world.completed.into_inner().expect("no worker panicked");
    let perhaps = world.perhaps.into_inner().expect("no worker panicked");
    let started = world.started.into_inner().expect("no worker panicked");
    println!(
        "{} starts and {} callbacks were acknowledged",
        started.len(),
        completed.len()
    );
    assert!(
        completed.len() > 2 * KILLS,
        "the kills left no time for work"
    );
    for execution in &started {
        let described = client.must("DescribeExecution", &json!({ "executionArn": execution }));
        let output = described["output"].as_str();
        match completed.get(execution) {
            Some(told) => assert_eq!(
                output,
                Some(told.as_str()),
                "an acknowledged callback did not count: {execution}"
            ),
            None => {
                let sent = perhaps.get(execution).map_or(&[][..], Vec::as_slice);
                assert!(
                    output.is_none_or(|output| sent.iter().any(|sent| sent == output)),
                    "an output that nobody sent: {execution}: {output:?}"
                );
            }
        }
        let history = client.must(
            "GetExecutionHistory",
            &json!({ "executionArn": execution, "maxResults": 1000 }),
        );
        let events = history["events"].as_array().expect("a history has events");
        let ends = events
            .iter()
            .filter(|event| event["type"] == "ActivitySucceeded")
            .count();
        assert_eq!(
            ends,
            usize::from(output.is_some()),
            "completions of one wait: {execution}"
        );
    }
}

impl World {
    /// Starts, fetches and calls back until the server is gone.
    fn work(&self, mut client: Client, machine: &str, activity: &str) {
        let lock = "no worker panicked";
        while !self.stop.load(Ordering::Relaxed) {
            let Ok((200, started)) =
                client.call("StartExecution", &json!({ "stateMachineArn": machine }))
            else {
                return;
            };
            let execution = started["executionArn"]
                .as_str()
                .expect("a start gives an ARN")
                .to_owned();
            self.started.lock().expect(lock).push(execution);
            let Ok(task) = client.fetch(activity) else {
                return;
            };
            // Some tasks wait for a later life of the server: the oldest is called back.
            let chosen = {
                let mut open = self.open.lock().expect(lock);
                open.extend(task);
                (open.len() > 10).then(|| open.remove(0))
            };
            if let Some((token, execution)) = chosen
                && !self.call_back(&mut client, token, execution)
            {
                return;
            }
        }
    }

    /// Sends a result and notes what is known of it; false if the server is gone.
    fn call_back(&self, client: &mut Client, token: String, execution: String) -> bool {
        let lock = "no worker panicked";
        let output = format!("{{\"n\":{}}}", self.outputs.fetch_add(1, Ordering::Relaxed));
        match client.call(
            "SendTaskSuccess",
            &json!({ "taskToken": token, "output": output }),
        ) {
            Ok((200, _)) => {
                let before = self
                    .completed
                    .lock()
                    .expect(lock)
                    .insert(execution.clone(), output);
                assert_eq!(
                    before, None,
                    "two acknowledged completions of one wait: {execution}"
                );
                true
            }
            Ok((status, answer)) => {
                assert_eq!(
                    (status, answer["__type"].as_str()),
                    (400, Some("TaskTimedOut")),
                    "{answer}"
                );
                assert!(
                    self.perhaps.lock().expect(lock).contains_key(&execution),
                    "refused, though nobody had called back: {execution}"
                );
                true
            }
            Err(_) => {
                self.perhaps
                    .lock()
                    .expect(lock)
                    .entry(execution.clone())
                    .or_default()
                    .push(output);
                self.open.lock().expect(lock).push((token, execution));
                false
            }
        }
    }
}

#[test]
fn a_thousand_parked_executions_take_their_callbacks_after_a_kill() {
    const PARKED: usize = 1000;
    let folder = Folder::new("parked");
    let mut server = Server::start(&folder.0, &[]);
    let mut client = server.client();
    let (activity, machine) = client.make_machine("parked");
    let mut tasks = Vec::new();
    for _ in 0..PARKED {
        client.must("StartExecution", &json!({ "stateMachineArn": machine }));
        tasks.push(
            client
                .fetch(&activity)
                .expect("an answer")
                .expect("a task is waiting"),
        );
    }
    server.kill();

    let server = Server::start(&folder.0, &[]);
    let mut client = server.client();
    for (number, (token, _)) in tasks.iter().enumerate() {
        client.must(
            "SendTaskSuccess",
            &json!({ "taskToken": token, "output": number.to_string() }),
        );
    }
    for (number, (_, execution)) in tasks.iter().enumerate() {
        let described = client.must("DescribeExecution", &json!({ "executionArn": execution }));
        assert_eq!(
            (&described["status"], &described["output"]),
            (&json!("SUCCEEDED"), &json!(number.to_string()))
        );
    }
}
