//! Executions under a rain of random commands, each made from one seed that a failure names.
//!
//! What must hold, whatever comes: the events rebuild the value; a refused command changes nothing;
//! every wait ends exactly once; the history has no gaps, and no event follows a later one.

use std::collections::HashMap;
use std::sync::Arc;

use asl::{Data, Failure, Random, StateMachine, Timestamp};
use engine::{
    Command, CommandKind, Effect, Event, EventKind, Execution, Outcome, Status, TokenKey, WaitId,
    history, wait_end,
};
use testkit::world::{STARTED_AT, identity, machine, tokens};
use testkit::{rebuild, spans};

/// Enough for every ending; in a release build ten times as many take a second.
const SEEDS: u64 = 25;
const COMMANDS: usize = 60;

/// Machines that together have every state type, and everything that can fail in them.
const MACHINES: [&str; 6] = [
    r#"{"StartAt": "Ask", "TimeoutSeconds": 400, "States": {
        "Ask": {"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke.waitForTaskToken",
            "Parameters": {"FunctionName": "f", "token.$": "$$.Task.Token", "id.$": "States.UUID()"},
            "TimeoutSeconds": 60, "HeartbeatSeconds": 20,
            "Retry": [{"ErrorEquals": ["States.Timeout"], "MaxAttempts": 2, "JitterStrategy": "FULL"}],
            "Catch": [{"ErrorEquals": ["Oops"], "ResultPath": "$.failure", "Next": "Rest"}], "Next": "Which"},
        "Rest": {"Type": "Wait", "Seconds": 30, "Next": "Ask"},
        "Which": {"Type": "Choice", "Choices": [{"Variable": "$.n", "NumericLessThan": 3, "Next": "Done"}], "Default": "Ask"},
        "Done": {"Type": "Succeed"}}}"#,
    r#"{"StartAt": "Both", "States": {
        "Both": {"Type": "Parallel", "Branches": [
            {"StartAt": "A", "States": {"A": {"Type": "Task", "Resource": "arn:aws:states:us-east-1:123456789012:activity:a",
                "HeartbeatSeconds": 15, "End": true}}},
            {"StartAt": "B", "States": {"B": {"Type": "Wait", "Seconds": 40, "Next": "C"},
                "C": {"Type": "Task", "Resource": "arn:aws:lambda:us-east-1:123456789012:function:c", "End": true}}},
            {"StartAt": "D", "States": {"D": {"Type": "Parallel", "End": true, "Branches": [
                {"StartAt": "E", "States": {"E": {"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke", "Parameters": {"FunctionName": "f"}, "TimeoutSeconds": 50, "End": true}}},
                {"StartAt": "F", "States": {"F": {"Type": "Wait", "Seconds": 10, "End": true}}}]}}}],
            "Retry": [{"ErrorEquals": ["States.ALL"], "MaxAttempts": 1}],
            "Catch": [{"ErrorEquals": ["States.ALL"], "Next": "Both again"}], "End": true},
        "Both again": {"Type": "Pass", "End": true}}}"#,
    r#"{"StartAt": "Each", "States": {
        "Each": {"Type": "Map", "ItemsPath": "$.items", "MaxConcurrency": 2,
            "ItemSelector": {"value.$": "$$.Map.Item.Value", "index.$": "$$.Map.Item.Index"},
            "ItemProcessor": {"StartAt": "Ask", "States": {
                "Ask": {"Type": "Task", "Resource": "arn:aws:states:::sqs:sendMessage.waitForTaskToken", "TimeoutSeconds": 45,
                    "Parameters": {"QueueUrl": "q", "MessageBody": "b"},
                    "Retry": [{"ErrorEquals": ["Oops"], "MaxAttempts": 1}], "Next": "Inner"},
                "Inner": {"Type": "Map", "ItemsPath": "$.list",
                    "ItemProcessor": {"StartAt": "Deep", "States": {"Deep": {"Type": "Wait", "Seconds": 3, "End": true}}}, "End": true}}},
            "ResultPath": "$.answers", "Next": "After"},
        "After": {"Type": "Pass", "OutputPath": "$.answers", "End": true}}}"#,
    r#"{"StartAt": "Loop", "States": {
        "Loop": {"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke", "Parameters": {"FunctionName": "f"}, "ResultPath": null,
            "Catch": [{"ErrorEquals": ["States.TaskFailed"], "ResultPath": null, "Next": "Loop"}], "Next": "Again"},
        "Again": {"Type": "Choice", "Choices": [{"Variable": "$.n", "NumericEquals": 7, "Next": "Done"}], "Default": "Loop"},
        "Done": {"Type": "Succeed"}}}"#,
    r#"{"StartAt": "Give up", "States": {
        "Give up": {"Type": "Wait", "SecondsPath": "$.n", "Next": "Fail"},
        "Fail": {"Type": "Fail", "Error": "Enough"}}}"#,
    r#"{"QueryLanguage": "JSONata", "StartAt": "Set", "States": {
        "Set": {"Type": "Pass", "Assign": {"seen": 0, "all": "{% $states.input.items %}"}, "Next": "Each"},
        "Each": {"Type": "Map", "Items": "{% $all %}", "MaxConcurrency": 2,
            "ItemSelector": {"value": "{% $states.context.Map.Item.Value %}"},
            "ItemProcessor": {"StartAt": "Ask", "States": {
                "Ask": {"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke.waitForTaskToken",
                    "Arguments": {"FunctionName": "f", "token": "{% $states.context.Task.Token %}", "value": "{% $states.input.value %}"},
                    "TimeoutSeconds": "{% 40 + $seen %}", "Assign": {"own": "{% $states.result.n %}"},
                    "Catch": [{"ErrorEquals": ["States.QueryEvaluationError"], "Assign": {"own": 0}, "Next": "Give"}], "Next": "Give"},
                "Give": {"Type": "Pass", "Output": "{% $own + $seen %}", "End": true}}},
            "Retry": [{"ErrorEquals": ["Oops"], "MaxAttempts": 1}],
            "Catch": [{"ErrorEquals": ["States.ALL"], "Assign": {"seen": "{% $seen + 1 %}"}, "Output": "{% $states.errorOutput %}", "Next": "Which"}],
            "Assign": {"seen": "{% $sum($states.result) %}"}, "Next": "Which"},
        "Which": {"Type": "Choice", "Choices": [{"Condition": "{% $seen > 2 %}", "Output": "{% $random() %}", "Next": "Done"}], "Default": "Each"},
        "Done": {"Type": "Succeed", "Output": {"seen": "{% $seen %}", "id": "{% $uuid() %}"}}}}"#,
];

struct Rain(std::cell::Cell<u64>);

impl Random for Rain {
    fn next(&self) -> u64 {
        // Xorshift; the engine has its own.
        let mut x = self.0.get();
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        self.0.set(x);
        x
    }
}

impl Rain {
    fn below(&self, limit: u64) -> u64 {
        (self.next() >> 11) % limit
    }

    fn command(&self, execution: &Execution) -> CommandKind {
        // Mostly a wait that is open, sometimes one that was or never will be.
        let open: Vec<WaitId> = execution.open_waits().collect();
        let wait = match open.is_empty() || self.below(5) == 0 {
            true => WaitId(self.below(20) as u32),
            false => open[self.below(open.len() as u64) as usize],
        };
        let list = r#"{"n": 1, "list": [1, 2, 3]}"#;
        match self.below(40) {
            0..8 => CommandKind::Complete {
                wait,
                outcome: Outcome::Success(data(list)),
            },
            8..12 => CommandKind::Complete {
                wait,
                outcome: Outcome::Success(data(r#"{"n": 5, "list": []}"#)),
            },
            12..16 => {
                let failure = Failure {
                    error: Some("Oops".into()),
                    cause: Some("It broke.".into()),
                };
                CommandKind::Complete {
                    wait,
                    outcome: Outcome::Failure(failure),
                }
            }
            16..18 => CommandKind::Complete {
                wait,
                outcome: Outcome::Failure(Failure {
                    error: None,
                    cause: None,
                }),
            },
            18..22 => CommandKind::Submitted {
                wait,
                output: data("{}"),
            },
            22..26 => CommandKind::PickedUp {
                wait,
                worker: Some("worker".to_owned()),
            },
            26..30 => CommandKind::Heartbeat { wait },
            39 if self.below(8) == 0 => CommandKind::Stop {
                error: None,
                cause: None,
            },
            _ => CommandKind::Tick,
        }
    }
}

fn data(text: &str) -> Data {
    Data::parse(text).expect("the test's documents are JSON")
}

#[test]
fn random_commands_break_no_promise() {
    let mut endings: HashMap<Status, u32> = HashMap::new();
    for definition in MACHINES {
        let machine = machine(definition).expect("the test's machines are sound");
        for seed in 1..=SEEDS {
            let status = one_life(&machine, seed);
            *endings.entry(status).or_default() += 1;
        }
    }
    // Otherwise the rain has missed something, and the test says less than it seems to.
    for status in [
        Status::Succeeded,
        Status::Failed,
        Status::TimedOut,
        Status::Aborted,
    ] {
        assert!(
            endings.contains_key(&status),
            "no execution ended {status:?}: {endings:?}"
        );
    }
}

fn one_life(machine: &Arc<StateMachine>, seed: u64) -> Status {
    let rain = Rain(std::cell::Cell::new(
        seed.wrapping_mul(0x9e37_79b9_7f4a_7c15),
    ));
    let tokens = tokens();
    let input = data(r#"{"n": 2, "list": [4], "items": ["x", "y", "z"]}"#);
    let (mut execution, mut events) =
        Execution::begin(machine.clone(), identity(input), seed, &tokens);
    let mut now = STARTED_AT;
    for _ in 0..COMMANDS {
        now = now.plus_millis(rain.below(20_000) as i64);
        let kind = rain.command(&execution);
        send(
            &mut execution,
            &mut events,
            now,
            rain.next(),
            kind,
            &tokens,
            seed,
        );
        check(machine, &execution, &events, seed);
    }
    if execution.status() == Status::Running {
        let stop = CommandKind::Stop {
            error: Some("Over".to_owned()),
            cause: None,
        };
        send(
            &mut execution,
            &mut events,
            now,
            rain.next(),
            stop,
            &tokens,
            seed,
        );
    }
    check(machine, &execution, &events, seed);
    assert_eq!(
        execution.next_timer(),
        None,
        "seed {seed}: an ended execution wants a tick"
    );
    assert!(
        !execution.has_undelivered(),
        "seed {seed}: an ended execution has dispatches"
    );
    execution.status()
}

fn send(
    execution: &mut Execution,
    events: &mut Vec<Event>,
    at: Timestamp,
    command_seed: u64,
    kind: CommandKind,
    tokens: &TokenKey,
    seed: u64,
) {
    let before = execution.snapshot();
    match execution.decide(
        Command {
            at,
            seed: command_seed,
            kind: kind.clone(),
        },
        tokens,
    ) {
        Err(refusal) => {
            assert_eq!(
                execution.snapshot(),
                before,
                "seed {seed}: {kind:?} was refused with {refusal:?}"
            );
        }
        Ok(made) => {
            for effect in execution.effects(&made) {
                if let Effect::Dispatch(dispatch) = effect {
                    assert!(
                        execution.open_wait(dispatch.wait).is_some(),
                        "seed {seed}: {dispatch:?}"
                    );
                }
            }
            events.extend(made);
        }
    }
}

fn check(machine: &Arc<StateMachine>, execution: &Execution, events: &[Event], seed: u64) {
    let promises = rebuild::check(machine, execution, events);
    if let Err(broken) = promises.and_then(|()| spans::check(execution, events)) {
        panic!("seed {seed}: {broken}");
    }
    assert_eq!(
        execution.has_undelivered(),
        !execution.undelivered().is_empty(),
        "seed {seed}"
    );

    let mut ends: HashMap<WaitId, u32> = HashMap::new();
    for event in events {
        match &event.kind {
            EventKind::TaskScheduled { wait, .. } => assert_eq!(
                ends.insert(*wait, 0),
                None,
                "seed {seed}: {wait:?} is used twice"
            ),
            EventKind::TaskSucceeded { wait, .. }
            | EventKind::TaskFailed { wait, .. }
            | EventKind::TaskTimedOut { wait, .. }
            | EventKind::WaitAborted { wait } => {
                *ends.get_mut(wait).expect("it was scheduled") += 1
            }
            _ => {}
        }
    }
    for (wait, ended) in ends {
        let open = u32::from(execution.open_wait(wait).is_some());
        assert_eq!(ended + open, 1, "seed {seed}: {wait:?} ended {ended} times");
        assert_eq!(
            wait_end(events, wait).is_some(),
            ended == 1,
            "seed {seed}: {wait:?}"
        );
    }

    let history = history::project(events, true);
    assert_eq!(
        history.len() as u64,
        execution.history_events(),
        "seed {seed}: the counts differ"
    );
    for (event, id) in history.iter().zip(1..) {
        assert_eq!(event.id, id, "seed {seed}: the history has a gap");
        assert!(
            event.previous_event_id < id,
            "seed {seed}: event {id} follows a later one"
        );
    }
}
