//! Each finding, with definitions that have it and with some that only look like it: what is found that is not there
//! is worse than silence.

#![allow(clippy::unwrap_used)]

use std::collections::{BTreeMap, BTreeSet};

use lab::explore::finding::Finding;
use lab::explore::plan::Choice;
use lab::explore::{Question, explore};
use lab::{Machine, Settings};
use serde_json::{Value, json};

/// What is explored: a definition, the input, and how the route of the task `Ask` differs from one that does all.
struct Machinery {
    definition: Value,
    input: Option<Value>,
    route: Option<Value>,
}

fn of(definition: Value) -> Machinery {
    Machinery {
        definition,
        input: None,
        route: None,
    }
}

impl Machinery {
    fn given(mut self, input: Value) -> Machinery {
        self.input = Some(input);
        self
    }

    fn by_route(mut self, differs: Value) -> Machinery {
        self.route = Some(differs);
        self
    }

    fn found(&self) -> Vec<Finding> {
        let mut settings = Settings::default();
        if let Some(differs) = &self.route {
            let mut route = json!({
                "name": "answers", "path": "/callbacks/answers", "reference": "$.id", "expects": ["Machine.Ask"],
                "verify": { "scheme": "standard-webhooks", "secrets": ["whsec_dGhlIHZhbHVhdGlvbiBzZXJ2aWNl"] },
                "failure": { "when": "$.failed", "error": "AskFailed" }, "heartbeat": { "when": "$.heartbeat" }, "topic": "Errors",
            });
            for (name, value) in differs.as_object().unwrap() {
                match value {
                    Value::Null => route.as_object_mut().unwrap().remove(name),
                    value => route
                        .as_object_mut()
                        .unwrap()
                        .insert(name.clone(), value.clone()),
                };
            }
            settings.topics = [("Errors".to_owned(), Default::default())].into();
            settings.routes = vec![serde_json::from_value(route).unwrap()];
        }
        let question = Question {
            machine: Machine {
                name: "Machine".to_owned(),
                definition: self.definition.to_string(),
            },
            input: self.input.clone(),
            results: BTreeMap::new(),
            settings,
            choice: Choice::default(),
            notes: Vec::new(),
        };
        explore(&question).unwrap().findings
    }
}

/// A machine of these states, of which the first is where it starts.
fn machine(states: Value) -> Value {
    let first = states.as_object().unwrap().keys().next().unwrap().clone();
    json!({ "StartAt": first, "States": states })
}

/// A state with more fields.
fn with(mut state: Value, more: Value) -> Value {
    for (name, value) in more.as_object().unwrap() {
        state[name] = value.clone();
    }
    state
}

/// A task that a function answers.
fn function(more: Value) -> Value {
    let task = json!({ "Type": "Task", "Resource": "arn:aws:states:::lambda:invoke", "Parameters": { "FunctionName": "f" } });
    with(task, more)
}

/// One that waits for its token.
fn callback(more: Value) -> Value {
    let parameters = json!({ "QueueUrl": "q", "MessageBody": { "token.$": "$$.Task.Token" } });
    let resource = "arn:aws:states:::sqs:sendMessage.waitForTaskToken";
    let task =
        json!({ "Type": "Task", "Resource": resource, "Parameters": parameters, "End": true });
    with(task, more)
}

fn publish(more: Value) -> Value {
    let parameters =
        json!({ "TopicArn": "arn:aws:sns:us-east-1:123456789012:Errors", "Message": "it failed" });
    let task = json!({ "Type": "Task", "Resource": "arn:aws:states:::sns:publish", "Parameters": parameters });
    with(task, more)
}

fn catching(next: &str, more: Value) -> Value {
    json!([with(
        json!({ "ErrorEquals": ["States.ALL"], "Next": next }),
        more
    )])
}

fn retrying(more: Value) -> Value {
    json!([with(json!({ "ErrorEquals": ["States.ALL"] }), more)])
}

/// `Ask` alone, waiting for its token.
fn asks(more: Value) -> Machinery {
    of(machine(json!({ "Ask": callback(more) })))
}

/// `Work` alone, answered by a function.
fn works(more: Value) -> Machinery {
    of(machine(
        json!({ "Work": function(with(json!({ "End": true }), more)) }),
    ))
}

/// `Work`, whose Catch leads to these states.
fn handled(catch: Value, handlers: Value) -> Machinery {
    let mut states = json!({ "Work": function(json!({ "Catch": catch, "End": true })) });
    for (name, state) in handlers.as_object().unwrap() {
        states[name] = state.clone();
    }
    of(machine(states))
}

/// `Work` in a Map in a Parallel, whose handlers these are.
fn within(map: Value, parallel: Value) -> Machinery {
    let alone = |name: &str, state: Value| json!({ "StartAt": name, "States": { name: state } });
    let work = function(json!({ "End": true }));
    let each = json!({ "Type": "Map", "ItemsPath": "$.items", "ItemProcessor": alone("Work", work), "End": true });
    let both =
        json!({ "Type": "Parallel", "Branches": [alone("Each", with(each, map))], "End": true });
    of(machine(json!({
        "Both": with(both, parallel),
        "Mend": { "Type": "Pass", "End": true },
    })))
    .given(json!({ "items": [1] }))
}

/// A function that is to call back.
fn asks_function(more: Value) -> Machinery {
    let parameters = json!({ "FunctionName": "f", "Payload": { "token.$": "$$.Task.Token" } });
    let resource = "arn:aws:states:::lambda:invoke.waitForTaskToken";
    let task = json!({ "Type": "Task", "Resource": resource, "Parameters": parameters, "TimeoutSeconds": 60, "End": true });
    of(machine(json!({ "Ask": with(task, more) })))
}

/// A failure of which somebody is told in these words.
fn told(message: Value) -> Machinery {
    let parameters =
        json!({ "TopicArn": "arn:aws:sns:us-east-1:123456789012:Errors", "Message": message });
    let tell = publish(json!({ "Parameters": parameters, "Next": "Broken" }));
    handled(
        catching("Tell", json!({ "ResultPath": "$.problem" })),
        json!({ "Tell": tell, "Broken": { "Type": "Fail", "Error": "Broken" } }),
    )
}

#[test]
fn what_is_there_is_found_and_what_is_not_is_not() {
    let done = json!({ "Type": "Succeed" });
    let failed = json!({ "Type": "Fail", "Error": "Broken" });
    let long = |timeout: u64| asks(json!({ "TimeoutSeconds": timeout }));
    let whole = |seconds: u64, more: Value| {
        let mut definition = machine(json!({ "Ask": callback(more) }));
        definition["TimeoutSeconds"] = seconds.into();
        of(definition)
    };
    let chooses = || {
        of(machine(json!({
            "Which": { "Type": "Choice", "Choices": [{ "Variable": "$.kind", "StringEquals": "rare", "Next": "Rare" }], "Default": "Usual" },
            "Rare": function(json!({ "End": true })),
            "Usual": { "Type": "Succeed" },
        })))
    };
    // What the Catch leads to leads back.
    let round = |rest: Value| {
        let first = rest
            .as_object()
            .and_then(|rest| rest.keys().next().cloned());
        let next = first.unwrap_or_else(|| "Work".to_owned());
        handled(catching(&next, json!({})), rest)
    };
    let rests = json!({ "Rest": { "Type": "Wait", "Seconds": 60, "Next": "Work" } });
    type Row = (&'static str, Vec<Machinery>, Vec<Machinery>);
    let rows: Vec<Row> = vec![
        (
            "waits-for-ever",
            vec![asks(json!({})), asks(json!({})).by_route(json!({}))],
            vec![
                asks(json!({ "TimeoutSeconds": 60 })),
                asks(json!({ "HeartbeatSeconds": 60 })),
                whole(60, json!({})),
            ],
        ),
        (
            "waits-too-long",
            vec![long(40_000_000)],
            vec![
                long(31_000_000),
                whole(60, json!({ "TimeoutSeconds": 40_000_000 })),
            ],
        ),
        (
            "no-timeout",
            vec![works(json!({}))],
            vec![works(json!({ "TimeoutSeconds": 60 }))],
        ),
        (
            "heartbeat-never-fires",
            vec![
                asks(json!({ "HeartbeatSeconds": 20, "TimeoutSecondsPath": "$.t" }))
                    .given(json!({ "t": 10 })),
                asks(json!({ "HeartbeatSeconds": 20, "TimeoutSecondsPath": "$.t" }))
                    .given(json!({ "t": 20 })),
                whole(15, json!({ "HeartbeatSeconds": 20 })),
            ],
            vec![
                asks(json!({ "HeartbeatSeconds": 20, "TimeoutSeconds": 30 })),
                asks(json!({ "HeartbeatSeconds": 29, "TimeoutSeconds": 30 })),
                asks(json!({ "HeartbeatSeconds": 20, "TimeoutSecondsPath": "$.t" }))
                    .given(json!({ "t": 21 })),
                whole(60, json!({ "HeartbeatSeconds": 40 })),
            ],
        ),
        (
            "heartbeat-not-sent",
            vec![
                works(json!({ "HeartbeatSeconds": 10, "TimeoutSeconds": 60 })),
                asks(json!({ "HeartbeatSeconds": 10, "TimeoutSeconds": 60 }))
                    .by_route(json!({ "heartbeat": null })),
            ],
            vec![
                works(json!({ "TimeoutSeconds": 60 })),
                asks(json!({ "HeartbeatSeconds": 10, "TimeoutSeconds": 60 })),
                asks(json!({ "HeartbeatSeconds": 10, "TimeoutSeconds": 60 })).by_route(json!({})),
            ],
        ),
        (
            "heartbeats-alone",
            vec![asks(json!({ "HeartbeatSeconds": 10 }))],
            vec![
                asks(json!({ "HeartbeatSeconds": 10, "TimeoutSeconds": 60 })),
                whole(60, json!({ "HeartbeatSeconds": 10 })),
            ],
        ),
        (
            "heartbeat-not-watched",
            vec![asks(json!({ "TimeoutSeconds": 60 })).by_route(json!({}))],
            vec![
                asks(json!({ "TimeoutSeconds": 60 })),
                asks(json!({ "TimeoutSeconds": 60 })).by_route(json!({ "heartbeat": null })),
                asks(json!({ "TimeoutSeconds": 60, "HeartbeatSeconds": 10 })).by_route(json!({})),
            ],
        ),
        (
            "nobody-is-told",
            vec![
                works(json!({})),
                handled(catching("Broken", json!({})), json!({ "Broken": failed })),
            ],
            vec![
                handled(
                    catching("Tell", json!({})),
                    json!({ "Tell": publish(json!({ "Next": "Broken" })), "Broken": failed }),
                ),
                // Whether the function tells anybody only it knows.
                handled(
                    catching("SendAlert", json!({})),
                    json!({ "SendAlert": function(json!({ "Next": "Broken" })), "Broken": failed }),
                ),
            ],
        ),
        (
            "error-swallowed",
            vec![
                handled(
                    catching("Done", json!({ "ResultPath": null })),
                    json!({ "Done": done }),
                ),
                handled(
                    catching("Default", json!({})),
                    json!({ "Default": { "Type": "Pass", "Result": { "price": 0 }, "End": true } }),
                ),
            ],
            vec![
                handled(
                    catching("Done", json!({ "ResultPath": "$.problem" })),
                    json!({ "Done": done }),
                ),
                handled(
                    catching("Say", json!({})),
                    json!({ "Say": { "Type": "Pass", "Result": { "status": "failed" }, "End": true } }),
                ),
                handled(
                    catching("Tell", json!({})),
                    json!({ "Tell": publish(json!({ "End": true })) }),
                ),
                handled(
                    catching("Instead", json!({})),
                    json!({ "Instead": function(json!({ "End": true })) }),
                ),
                works(json!({ "Retry": retrying(json!({})) })),
            ],
        ),
        (
            "notification-fails",
            vec![handled(
                catching("Tell", json!({})),
                json!({ "Tell": publish(json!({ "Next": "Broken" })), "Broken": failed }),
            )],
            vec![handled(
                catching("Tell", json!({})),
                json!({
                    "Tell": publish(json!({ "Next": "Broken", "Catch": catching("TellOtherwise", json!({})) })),
                    "TellOtherwise": with(
                        json!({ "Type": "Task", "Resource": "arn:aws:states:::sqs:sendMessage", "Next": "Broken" }),
                        json!({ "Parameters": { "QueueUrl": "q", "MessageBody": "it failed" }, "Catch": catching("Tell", json!({})) }),
                    ),
                    "Broken": failed,
                }),
            )],
        ),
        (
            "retry-storm",
            vec![
                works(json!({ "Retry": retrying(json!({ "MaxAttempts": 20, "BackoffRate": 1 })) })),
                works(
                    json!({ "Retry": retrying(json!({ "MaxAttempts": 3, "IntervalSeconds": 3600 })) }),
                ),
                works(
                    json!({ "Retry": retrying(json!({ "MaxAttempts": 99_999_999, "BackoffRate": 1, "IntervalSeconds": 1 })) }),
                ),
            ],
            vec![
                works(
                    json!({ "Retry": retrying(json!({ "MaxAttempts": 6, "IntervalSeconds": 2 })) }),
                ),
                // Slow is not often.
                asks(
                    json!({ "TimeoutSeconds": 86_400, "Retry": [{ "ErrorEquals": ["States.Timeout"], "MaxAttempts": 2 }] }),
                ),
            ],
        ),
        (
            "no-end",
            vec![round(rests.clone()), round(json!({}))],
            vec![
                round(json!({ "Done": done })),
                works(
                    json!({ "Retry": retrying(json!({ "MaxAttempts": 99_999_999, "BackoffRate": 1, "IntervalSeconds": 1 })) }),
                ),
            ],
        ),
        (
            "never-reached",
            vec![
                works(json!({ "Retry": [
                    { "ErrorEquals": ["Lambda.ServiceException", "Mine"] },
                    { "ErrorEquals": ["Mine"], "MaxAttempts": 1 },
                ] })),
                // The first one leaves nothing of it.
                within(
                    json!({}),
                    json!({ "Catch": [{ "ErrorEquals": ["Mine"], "Next": "Mend" }, { "ErrorEquals": ["Mine"], "Next": "Mend" }] }),
                ),
            ],
            vec![
                works(json!({ "Retry": [
                    { "ErrorEquals": ["Lambda.ServiceException"] },
                    { "ErrorEquals": ["Mine"], "MaxAttempts": 1 },
                    { "ErrorEquals": ["States.ALL"], "MaxAttempts": 1 },
                ] })),
                within(
                    json!({ "Retry": [{ "ErrorEquals": ["Own"], "MaxAttempts": 1 }] }),
                    json!({ "Catch": [{ "ErrorEquals": ["Mine"], "Next": "Mend" }] }),
                ),
            ],
        ),
        (
            "state-not-reached",
            vec![chooses().given(json!({ "kind": "usual" }))],
            vec![
                chooses(),
                round(rests),
                handled(catching("Broken", json!({})), json!({ "Broken": failed })),
                within(
                    json!({}),
                    json!({ "Catch": [{ "ErrorEquals": ["Mine"], "Next": "Mend" }] }),
                ),
            ],
        ),
        (
            "late-answer-refused",
            vec![asks(json!({ "TimeoutSeconds": 60 }))],
            vec![
                asks(json!({})),
                asks(json!({ "TimeoutSeconds": 60 })).by_route(json!({})),
            ],
        ),
        (
            "callback-lost",
            vec![asks(json!({ "TimeoutSeconds": 60 })).by_route(json!({ "topic": null }))],
            vec![asks(json!({ "TimeoutSeconds": 60 })).by_route(json!({}))],
        ),
        (
            "callback-not-verified",
            vec![asks(json!({ "TimeoutSeconds": 60 })).by_route(json!({ "verify": null }))],
            vec![asks(json!({ "TimeoutSeconds": 60 })).by_route(json!({}))],
        ),
        (
            "handler-fails",
            vec![handled(
                catching("Tell", json!({ "ResultPath": null })),
                json!({ "Tell": publish(json!({ "End": true, "Parameters": { "TopicArn": "t", "Message.$": "$.Cause" } })) }),
            )],
            vec![handled(
                catching("Tell", json!({})),
                json!({ "Tell": publish(json!({ "End": true, "Parameters": { "TopicArn": "t", "Message.$": "$.Cause" } })) }),
            )],
        ),
        (
            "passing-error-not-retried",
            vec![works(json!({})), asks_function(json!({}))],
            vec![
                works(json!({ "Retry": retrying(json!({})) })),
                handled(catching("Done", json!({})), json!({ "Done": done })),
                asks(json!({})),
            ],
        ),
        (
            "notification-anonymous",
            vec![
                told(json!("it failed")),
                told(json!({ "what": "it failed", "at.$": "$$.Execution.StartTime" })),
            ],
            vec![
                told(json!({ "what": "it failed", "of.$": "$$.Execution.Id" })),
                told(json!({ "of.$": "States.Format('look at {}', $$.Execution.Id)" })),
                told(json!({ "of.$": "$$.Execution.Name" })),
                told(json!({ "order.$": "$.order" })).given(json!({ "order": "order-7" })),
            ],
        ),
        (
            "asked-again",
            vec![works(json!({}))],
            vec![of(machine(
                json!({ "Rest": { "Type": "Wait", "Seconds": 1, "End": true } }),
            ))],
        ),
    ];
    let mut wrong = Vec::new();
    for (code, with, without) in &rows {
        for (machineries, there) in [(with, true), (without, false)] {
            for (at, machinery) in machineries.iter().enumerate() {
                let found = machinery.found();
                let of_code: Vec<&str> = found
                    .iter()
                    .filter(|finding| finding.code == *code)
                    .map(|finding| &*finding.what)
                    .collect();
                if of_code.is_empty() == there {
                    let codes: BTreeSet<&str> = found.iter().map(|finding| finding.code).collect();
                    wrong.push(format!("{code} {there} {at}: {of_code:?} of {codes:?}"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn a_finding_says_for_how_long() {
    let what = |machinery: Machinery, code: &str| {
        let found = machinery
            .found()
            .into_iter()
            .find(|finding| finding.code == code);
        found.unwrap().what
    };
    let often = |retry: Value| works(json!({ "Retry": retrying(retry) }));
    for (machinery, code, expected) in [
        (
            often(json!({ "MaxAttempts": 20, "BackoffRate": 1 })),
            "retry-storm",
            "Work is tried 21 times over 20 s before it is given up",
        ),
        (
            often(json!({ "MaxAttempts": 3, "IntervalSeconds": 3600 })),
            "retry-storm",
            "Work is tried 4 times over 7 h before it is given up",
        ),
        (
            often(json!({ "MaxAttempts": 99_999_999, "BackoffRate": 1, "IntervalSeconds": 1 })),
            "retry-storm",
            "Work is tried again and again: 301 times over 5 min here, and no end in sight",
        ),
        (
            asks(json!({ "TimeoutSeconds": 40_000_000 })),
            "waits-too-long",
            "Ask is given up only after 365 d",
        ),
        (
            asks(json!({})),
            "waits-for-ever",
            "Ask waits for its callback for ever: nothing ends the wait but an answer",
        ),
    ] {
        assert_eq!(what(machinery, code), expected);
    }
}

/// `case | how it ends | after seconds`, of restarts.
fn restarts(definition: Value) -> Vec<String> {
    let question = Question {
        machine: Machine {
            name: "Machine".to_owned(),
            definition: definition.to_string(),
        },
        input: None,
        results: BTreeMap::new(),
        settings: Settings::default(),
        choice: Choice::default(),
        notes: Vec::new(),
    };
    let exploration = explore(&question).unwrap();
    let differs = exploration
        .findings
        .iter()
        .any(|finding| finding.code == "restart-differs");
    assert!(!differs, "{:#?}", exploration.findings);
    let rows = exploration
        .rows
        .iter()
        .filter(|row| row.case.fault().way.to_string().starts_with("restart"));
    rows.map(|row| format!("{} | {} | {}", row.case, row.end.name(), row.after / 1000))
        .collect()
}

#[test]
fn the_server_is_restarted_in_each_wait() {
    let definition = machine(json!({
        "Rest": { "Type": "Wait", "Seconds": 60, "Next": "Work" },
        "Work": function(json!({
            "Retry": [{ "ErrorEquals": ["Lambda.ServiceException"], "IntervalSeconds": 30 }],
            "Catch": catching("Cool", json!({})),
            "Next": "Ask",
        })),
        "Ask": callback(json!({ "TimeoutSeconds": 100 })),
        "Cool": { "Type": "Wait", "Seconds": 600, "End": true },
    }));
    let expected = [
        "Work/restart-asked | SUCCEEDED | 67",
        "Ask/restart-asked | SUCCEEDED | 66",
        "Ask/restart-waiting | SUCCEEDED | 66",
        "Rest/restart-waiting | SUCCEEDED | 66",
        "Work/Lambda.ServiceException:once + Work/restart-retrying | SUCCEEDED | 96",
        "Work/Lambda.ServiceException + Cool/restart-waiting | SUCCEEDED | 870",
    ];
    assert_eq!(restarts(definition), expected);
}
