//! Definitions for the tests: a few by hand, any number by lot, from a seed.

use asl::StateMachine;
use serde_json::{Map, Value, json};

/// A definition that the parser takes.
pub fn machine(text: &str) -> StateMachine {
    let parsed = asl::parse(text);
    let found = parsed.diagnostics;
    parsed
        .machine
        .unwrap_or_else(|| panic!("{found:#?}\n{text}"))
}

/// All that the words of a picture are about.
pub const ORDER: &str = r#"{"StartAt": "Ask", "States": {
  "Ask": {"Type": "Task", "Resource": "arn:aws:states:::sqs:sendMessage.waitForTaskToken",
    "Parameters": {"QueueUrl": "https://q", "MessageBody": {"token.$": "$$.Task.Token"}},
    "TimeoutSeconds": 86400, "HeartbeatSeconds": 3600, "Next": "How much?",
    "Retry": [{"ErrorEquals": ["States.TaskFailed"]}],
    "Catch": [{"ErrorEquals": ["States.Timeout"], "Next": "Remind"}]},
  "Remind": {"Type": "Wait", "Seconds": 3600, "Next": "Ask"},
  "How much?": {"Type": "Choice", "Choices": [
    {"And": [{"Variable": "$.amount", "NumericGreaterThan": 1000}, {"Variable": "$.vip", "IsPresent": false}], "Next": "Refused"}],
    "Default": "Pack"},
  "Pack": {"Type": "Task", "Resource": "arn:aws:states:us-east-1:123456789012:activity:pack", "End": true},
  "Refused": {"Type": "Fail", "Error": "Refused"}}}"#;

/// What is small or awkward.
pub const SMALL: &[(&str, &str)] = &[
    ("order", ORDER),
    (
        "one state",
        r#"{"StartAt": "A", "States": {"A": {"Type": "Succeed"}}}"#,
    ),
    (
        "into itself",
        r#"{"StartAt": "A", "States": {
          "A": {"Type": "Choice", "Choices": [{"Variable": "$.a", "IsNull": true, "Next": "A"}], "Default": "B"},
          "B": {"Type": "Task", "Resource": "arn:aws:lambda:us-east-1:123456789012:function:f", "End": true,
            "Catch": [{"ErrorEquals": ["States.ALL"], "Next": "B"}]}}}"#,
    ),
    (
        "signs in names",
        r#"{"StartAt": "a <&> \"b\" 日本語の状態の名前はとても長いです。本当に", "States": {
          "a <&> \"b\" 日本語の状態の名前はとても長いです。本当に": {"Type": "Pass", "Next": "WWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWW"},
          "WWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWW": {"Type": "Succeed"}}}"#,
    ),
];

/// States one after the other, all with the same handler.
pub fn chain(count: usize) -> String {
    let mut states = Map::new();
    for at in 0..count - 1 {
        let mut state = task(json!([{"ErrorEquals": ["States.ALL"], "Next": "Handler"}]));
        if at + 2 < count {
            state["Next"] = format!("State {}", at + 1).into();
        } else {
            state["End"] = true.into();
        }
        states.insert(format!("State {at}"), state);
    }
    states.insert("Handler".into(), json!({"Type": "Fail"}));
    json!({"StartAt": "State 0", "States": states}).to_string()
}

/// One choice of many.
pub fn wide(count: usize) -> String {
    let mut states = Map::new();
    let rule = |at| json!({"Variable": "$.a", "NumericEquals": at, "Next": format!("State {at}")});
    let rules: Vec<Value> = (0..count).map(rule).collect();
    states.insert("Which".into(), json!({"Type": "Choice", "Choices": rules}));
    for at in 0..count {
        states.insert(
            format!("State {at}"),
            json!({"Type": "Pass", "Next": "Last"}),
        );
    }
    states.insert("Last".into(), json!({"Type": "Succeed"}));
    json!({"StartAt": "Which", "States": states}).to_string()
}

fn task(catch: Value) -> Value {
    json!({"Type": "Task", "Resource": "arn:aws:lambda:us-east-1:123456789012:function:work", "Catch": catch,
        "Retry": [{"ErrorEquals": ["States.ALL"], "MaxAttempts": 2}]})
}

/// Draws lots.
pub struct Making {
    lot: std::cell::Cell<u64>,
    names: std::cell::Cell<usize>,
}

impl Making {
    pub fn new(seed: u64) -> Making {
        Making {
            lot: (seed * 2 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15).into(),
            names: 0.into(),
        }
    }

    fn below(&self, end: usize) -> usize {
        // xorshift
        let mut lot = self.lot.get();
        lot ^= lot << 13;
        lot ^= lot >> 7;
        lot ^= lot << 17;
        self.lot.set(lot);
        (lot >> 11) as usize % end.max(1)
    }

    /// A definition of about that many states.
    pub fn definition(&self, count: usize) -> String {
        self.region(count, 0).to_string()
    }

    fn region(&self, count: usize, depth: usize) -> Value {
        let words = [
            "Check",
            "NotifyCustomer",
            "Wait-for-the-bank",
            "x",
            "ReserveInventoryInWarehouse",
        ];
        let name = |_| {
            let number = self.names.get();
            self.names.set(number + 1);
            format!("{}{number}", words[self.below(words.len())])
        };
        let names: Vec<String> = (0..count.max(1)).map(name).collect();
        let mut states = Map::new();
        let mut spent = 0;
        for (at, name) in names.iter().enumerate() {
            let any = || names[self.below(names.len())].clone();
            let near = || names[(at + 1 + self.below(6)).min(names.len() - 1)].clone();
            let catch = || match self.below(3) {
                0 => {
                    json!([{"ErrorEquals": ["States.Timeout", "Problem"], "Next": names[names.len() - 1]}])
                }
                1 => json!([{"ErrorEquals": ["States.ALL"], "Next": any()}]),
                _ => json!([]),
            };
            let mut state = match self.below(if at + 1 < names.len() { 12 } else { 4 }) {
                0..=2 => task(catch()),
                3 => json!({"Type": "Pass"}),
                4 => json!({"Type": "Wait", "Seconds": 90}),
                5..=7 => {
                    let mut rules = vec![
                        json!({"Variable": "$.order.total", "NumericGreaterThan": at, "Next": near()}),
                    ];
                    if self.below(2) == 0 {
                        rules.push(json!({"Not": {"Variable": "$.kind", "StringMatches": "some*"}, "Next": any()}));
                    }
                    json!({"Type": "Choice", "Choices": rules, "Default": names[at + 1]})
                }
                8 if depth < 3 && spent < count => {
                    spent += 4;
                    let mut map = task(catch());
                    map["Type"] = "Map".into();
                    map.as_object_mut()
                        .expect("it is an object")
                        .remove("Resource");
                    map["ItemProcessor"] = self.region(1 + self.below(5), depth + 1);
                    map
                }
                9 if depth < 3 && spent < count => {
                    spent += 6;
                    let branches: Vec<Value> = (0..1 + self.below(4))
                        .map(|_| self.region(1 + self.below(4), depth + 1))
                        .collect();
                    json!({"Type": "Parallel", "Branches": branches, "Catch": catch()})
                }
                _ => {
                    json!({"Type": "Task", "Resource": "arn:aws:states:::sns:publish.waitForTaskToken",
                    "Parameters": {"TopicArn": "t", "Message.$": "$$.Task.Token"}, "HeartbeatSeconds": 5})
                }
            };
            if state["Type"] != "Choice" {
                match names.get(at + 1) {
                    Some(next) => state["Next"] = next.as_str().into(),
                    None => state["End"] = true.into(),
                }
            }
            states.insert(name.clone(), state);
        }
        json!({"StartAt": names[0], "States": states})
    }
}
