//! What the explorer finds in the loan processor as it is, and in one that somebody has broken.

#![allow(clippy::unwrap_used)]

use std::collections::{BTreeMap, BTreeSet};

use lab::breakage::breakages;
use lab::explore::finding::Severity;
use lab::explore::plan::Choice;
use lab::explore::{Exploration, Question, explore, report};
use lab::{Machine, Settings};
use serde_json::{Value, json};

const PLAIN: &str = include_str!("../../examples/loan-processor/definition.asl.json");
const HEARTBEATS: &str =
    include_str!("../../examples/loan-processor/definition-heartbeats.asl.json");

fn settings() -> Settings {
    let route = json!({
        "name": "valuation",
        "path": "/callbacks/valuation",
        "verify": { "scheme": "standard-webhooks", "secrets": ["whsec_dGhlIHZhbHVhdGlvbiBzZXJ2aWNl"] },
        "reference": "$.valuationReference",
        "expects": ["LoanProcessor.RequestValuation"],
        "failure": { "when": "$.failed", "error": "ValuationFailed", "cause": "$.reason" },
        "heartbeat": { "when": "$.heartbeat" },
        "topic": "LoanErrors",
    });
    Settings {
        topics: [("LoanErrors".to_owned(), Default::default())].into(),
        routes: vec![serde_json::from_value(route).unwrap()],
        ..Settings::default()
    }
}

fn question(definition: &Value) -> Question {
    Question {
        machine: Machine {
            name: "LoanProcessor".to_owned(),
            definition: definition.to_string(),
        },
        input: None,
        results: BTreeMap::new(),
        settings: settings(),
        choice: Choice::default(),
        notes: Vec::new(),
    }
}

fn read(definition: &str) -> Value {
    serde_json::from_str(definition).unwrap()
}

fn explored(definition: &Value) -> Exploration {
    explore(&question(definition)).unwrap()
}

/// `failure | how it ends | after seconds | retries | callbacks | who is told`, of RequestValuation.
fn rows(exploration: &Exploration) -> Vec<String> {
    let own = exploration
        .rows
        .iter()
        .filter(|row| row.case.fault().state == "RequestValuation");
    own.map(|row| {
        format!(
            "{} | {} | {} | {} | {} | {}",
            row.case.fault().failure(),
            report::html::ending(row),
            row.after / 1000,
            row.retries,
            row.dispositions.join(" "),
            report::html::told(row)
        )
    })
    .collect()
}

#[test]
fn the_loan_processors_matrix() {
    let expected = "\
Lambda.ServiceException | FAILED Lambda.ServiceException | 126 | 6 |  | 
Lambda.AWSLambdaException | FAILED Lambda.AWSLambdaException | 126 | 6 |  | 
Lambda.SdkClientException | FAILED Lambda.SdkClientException | 126 | 6 |  | 
Lambda.ClientExecutionTimeoutException | FAILED Lambda.ClientExecutionTimeoutException | 0 | 0 |  | 
Lambda.TooManyRequestsException | FAILED Lambda.TooManyRequestsException | 0 | 0 |  | 
Lambda.Unknown | FAILED Lambda.Unknown | 0 | 0 |  | 
UnexpectedError | FAILED UnexpectedError | 0 | 0 |  | 
failed:ValuationFailed | FAILED ValuationFailed | 5 | 0 | delivered-as-failure | LoanErrors
no-callback | FAILED ValuationServiceTimedOut | 10 | 0 |  | LoanErrors
late | FAILED ValuationServiceTimedOut | 10 | 0 | late-timed-out | LoanErrors
duplicate-identical | SUCCEEDED | 5 | 0 | delivered duplicate-identical | LoanErrors
duplicate-contradicting | SUCCEEDED | 5 | 0 | delivered duplicate-contradicting | LoanErrors
heartbeats-stop | FAILED ValuationServiceTimedOut | 20 | 0 | heartbeat heartbeat | LoanErrors
heartbeats-go-on | FAILED ValuationServiceTimedOut | 30 | 0 | heartbeat heartbeat heartbeat heartbeat heartbeat | LoanErrors
unknown-reference | FAILED ValuationServiceTimedOut | 10 | 0 | unknown-reference | LoanErrors
malformed | FAILED ValuationServiceTimedOut | 10 | 0 | malformed | LoanErrors
forged | FAILED ValuationServiceTimedOut | 10 | 0 | unverified | LoanErrors
early | SUCCEEDED | 1 | 0 | delivered | 
restart-asked | SUCCEEDED | 5 | 0 | delivered | 
restart-waiting | SUCCEEDED | 5 | 0 | delivered | 
Lambda.ServiceException:once | SUCCEEDED | 7 | 1 | delivered | 
restart-retrying | SUCCEEDED | 7 | 1 | delivered | ";
    let exploration = explored(&read(HEARTBEATS));
    assert_eq!(rows(&exploration).join("\n"), expected);
    // The states behind a Catch fail, too, and the server is restarted before a Retry.
    let led: Vec<String> = exploration
        .rows
        .iter()
        .filter(|row| row.case.lead > 0)
        .map(|row| row.case.to_string())
        .collect();
    for expected in [
        "RequestValuation/no-callback + PublishValuationServiceTimeoutError/SNS.NotFoundException",
        "RequestValuation/failed:ValuationFailed + PublishValuationFailedError/no-answer",
        "RequestValuation/Lambda.ServiceException:once + RequestValuation/restart-retrying",
    ] {
        assert!(led.iter().any(|case| case == expected), "{led:#?}");
    }
    assert!(exploration.notes.is_empty(), "{:?}", exploration.notes);
}

/// Findings as `severity code states: what about them`; which class of failures it is stands in the words.
fn found(exploration: &Exploration) -> BTreeSet<String> {
    let findings = exploration.findings.iter();
    findings
        .map(|finding| {
            format!(
                "{} {} {}",
                finding.severity.name(),
                finding.code,
                finding.what
            )
        })
        .collect()
}

/// The definition, broken in this way.
fn broken(definition: &str, what: &str) -> Value {
    let mut all = breakages(&read(definition)).into_iter();
    all.find(|broken| broken.what == what).unwrap().definition
}

/// What the explorer says that nobody else has told it: by a part of what is broken. What a message should say beside
/// whose it is, it can't know.
const FOUND: [(&str, &[&str]); 7] = [
    (
        "no TimeoutSeconds",
        &[
            "error waits-for-ever RequestValuation waits for its callback for ever",
            "info heartbeats-alone RequestValuation",
        ],
    ),
    (
        "no HeartbeatSeconds",
        &["info heartbeat-not-watched RequestValuation"],
    ),
    (
        "no Retry of Lambda.ServiceException",
        &["info passing-error-not-retried RequestValuation"],
    ),
    (
        "no Catch of States.Timeout",
        &[
            "RequestValuation: no answer in time ends the execution FAILED with States.Timeout, and nobody is told",
        ],
    ),
    (
        "no Catch of ValuationFailed",
        &[
            "RequestValuation: a failure that the outside reports ends the execution FAILED with ValuationFailed, and nobody is told",
        ],
    ),
    (
        ": not there",
        &[
            "RequestValuation: no answer in time ends the execution FAILED with ValuationServiceTimedOut, and nobody is told",
            "RequestValuation: a failure that the outside reports ends the execution FAILED with ValuationFailed, and nobody is told",
        ],
    ),
    (
        "no executionId in its message",
        &["info notification-anonymous What Publish"],
    ),
];

#[test]
fn every_way_to_break_the_definition_is_found_by_the_explorer_alone() {
    for definition in [PLAIN, HEARTBEATS] {
        let definition = read(definition);
        let whole = found(&explored(&definition));
        let mut unknown = 0;
        for broken in breakages(&definition) {
            let mut known = FOUND.iter();
            let Some((_, expected)) = known.find(|(what, _)| broken.what.contains(what)) else {
                assert!(broken.what.ends_with("in its message"), "{}", broken.what);
                unknown += 1;
                continue;
            };
            let found = found(&explored(&broken.definition));
            let mut new = found.difference(&whole);
            assert!(
                new.any(|found| expected.iter().any(|expected| found.contains(expected))),
                "{}: {found:#?}",
                broken.what
            );
        }
        assert_eq!(unknown, 6);
    }
}

#[test]
fn a_timeout_that_is_not_named_is_found() {
    let mut definition = read(HEARTBEATS);
    let whole = found(&explored(&definition));
    let caught = &mut definition["States"]["RequestValuation"]["Catch"][0]["ErrorEquals"];
    *caught = json!(["States.HeartbeatTimeout"]);
    let found = found(&explored(&definition));
    let expected = "RequestValuation: no answer in time ends the execution FAILED";
    assert!(
        found
            .difference(&whole)
            .any(|found| found.contains(expected)),
        "{found:#?}"
    );
}

#[test]
fn what_is_not_wrong_is_not_found() {
    let exploration = explored(&read(HEARTBEATS));
    let bad: Vec<_> = exploration
        .findings
        .iter()
        .filter(|finding| finding.severity > Severity::Info)
        .map(|finding| (finding.code, finding.cases.len()))
        .collect();
    // What the Retry gives up, and what it is not for, is caught by nobody: that is so.
    assert_eq!(bad, [("nobody-is-told", 7)]);
    // Somebody who watches for executions that fail has nothing left to do.
    let mut watched = question(&read(HEARTBEATS));
    let change = json!({ "topic": "LoanErrors", "statuses": ["FAILED"] });
    watched.settings.status_changes = vec![serde_json::from_value(change).unwrap()];
    let findings = explore(&watched).unwrap().findings;
    assert!(
        findings
            .iter()
            .all(|finding| finding.severity == Severity::Info),
        "{findings:#?}"
    );
}

#[test]
fn routes_that_lose_callbacks_are_found() {
    let mut question = question(&read(PLAIN));
    question.settings.routes[0].topic = None;
    question.settings.routes[0].verify = None;
    let codes: BTreeSet<_> = explore(&question)
        .unwrap()
        .findings
        .iter()
        .map(|finding| finding.code)
        .collect();
    assert!(
        codes.contains("callback-lost") && codes.contains("callback-not-verified"),
        "{codes:?}"
    );
}

#[test]
fn too_much_is_not_played_unasked() {
    let mut question = question(&read(PLAIN));
    question.choice.only = vec!["*/late".to_owned()];
    assert_eq!(explore(&question).unwrap().rows.len(), 1);
    question.choice.only = vec!["*/later".to_owned()];
    let why = explore(&question).err().unwrap();
    assert!(
        why.contains("no case is chosen by */later") && why.contains("RequestValuation"),
        "{why}"
    );
    question.choice.only.clear();
    question.choice.limit = Some(4);
    let exploration = explore(&question).unwrap();
    assert!(
        exploration.notes[0].contains("the first 4 of 19 cases"),
        "{:?}",
        exploration.notes
    );
}

/// A machine of somebody else's kind: an approval with its Choice, and values that nobody gives.
fn approval() -> Value {
    json!({
        "StartAt": "Ask",
        "States": {
            "Ask": {
                "Type": "Task",
                "Resource": "arn:aws:states:::sqs:sendMessage.waitForTaskToken",
                "Parameters": { "QueueUrl": "q", "MessageBody": { "id.$": "$.order.id", "token.$": "$$.Task.Token" } },
                "TimeoutSeconds": 3600,
                "ResultPath": "$.answer",
                "Next": "Approved?",
            },
            "Approved?": {
                "Type": "Choice",
                "Choices": [
                    { "And": [{ "Variable": "$.answer.result", "IsPresent": true }, { "Variable": "$.answer.result", "BooleanEquals": true }], "Next": "Ship" },
                    { "Variable": "$.answer.result", "IsPresent": true, "Next": "Refund" },
                ],
                "Default": "Odd",
            },
            "Ship": {
                "Type": "Task",
                "Resource": "arn:aws:states:::lambda:invoke",
                "Parameters": { "FunctionName": "f", "Payload.$": "$.order" },
                "ResultSelector": { "parcel.$": "$.Payload.parcel" },
                "ResultPath": "$.shipped",
                "Catch": [{ "ErrorEquals": ["States.ALL"], "ResultPath": null, "Next": "Done" }],
                "Next": "Track",
            },
            "Track": {
                "Type": "Task",
                "Resource": "arn:aws:states:::lambda:invoke",
                "Parameters": { "FunctionName": "f", "Payload.$": "$.shipped.parcel.number" },
                "End": true,
            },
            "Refund": { "Type": "Task", "Resource": "arn:aws:states:::lambda:invoke", "Parameters": { "FunctionName": "f" }, "End": true },
            "Odd": { "Type": "Fail", "Error": "Odd" },
            "Done": { "Type": "Succeed" },
        },
    })
}

#[test]
fn what_nobody_gives_is_made_up_and_each_way_is_tried() {
    let exploration = explored(&approval());
    let ends: Vec<(&str, &str)> = exploration
        .courses
        .iter()
        .map(|course| (&*course.name, course.well.end.name()))
        .collect();
    assert_eq!(
        ends,
        [
            ("as given", "SUCCEEDED"),
            ("Approved? leads to Refund", "SUCCEEDED")
        ]
    );
    let well = &exploration.courses[0];
    assert_eq!(well.input["order"]["id"], "made-up id");
    assert_eq!(well.script.results["Ask"]["result"], true);
    assert_eq!(
        well.script.results["Ship"]["Payload"]["parcel"]["number"],
        "made-up number"
    );
    let explored: BTreeSet<&str> = exploration
        .rows
        .iter()
        .map(|row| &*row.case.fault().state)
        .collect();
    assert_eq!(explored, BTreeSet::from(["Ask", "Refund", "Ship", "Track"]));
    let swallowed = exploration
        .findings
        .iter()
        .find(|finding| finding.code == "error-swallowed")
        .unwrap();
    assert_eq!(swallowed.states, ["Ship"]);
    // What is given stays as it is, and what it lacks is said.
    let mut given = question(&approval());
    given.input = Some(json!({}));
    let findings = explore(&given).unwrap().findings;
    let said = findings.iter().find(|found| found.code == "ends-badly");
    let what = &said.expect("it is found").what;
    assert!(what.contains("FAILED in Ask (States.Runtime"), "{what}");
    given.input = None;
    given.results = [("Nobody".to_owned(), json!({}))].into();
    let why = explore(&given).err().unwrap();
    assert!(why.contains("no Task of this machine"), "{why}");
}

#[test]
fn reports_say_the_same_in_every_form() {
    let exploration = explored(&broken(PLAIN, "RequestValuation: no TimeoutSeconds"));
    let document = report::json::document(&exploration);
    assert_eq!(document["findings"][0]["code"], "waits-for-ever");
    assert_eq!(
        document["cases"].as_array().unwrap().len(),
        exploration.rows.len()
    );
    let junit = report::junit::file(&exploration, Some(Severity::Error));
    assert!(
        junit.contains(r#"failures="1""#) && junit.contains("waits-for-ever RequestValuation"),
        "{junit}"
    );
    let page = report::html::page(&exploration);
    assert!(page.contains("<svg ") && page.contains("waits for its callback for ever"));
    assert!(!page.contains("http://") || page.contains("http://www.w3.org/2000/svg"));
}

#[test]
fn a_handler_that_fails_itself_is_found() {
    let broken = {
        let mut definition = read(PLAIN);
        let message = &mut definition["States"]["PublishValuationServiceTimeoutError"]["Parameters"]
            ["Message"];
        message["token.$"] = json!("$$.Task.Token");
        definition
    };
    let exploration = explored(&broken);
    let found = exploration
        .findings
        .iter()
        .find(|finding| finding.code == "handler-fails")
        .unwrap();
    assert_eq!(found.states, ["RequestValuation"]);
    assert!(
        found
            .what
            .contains("in PublishValuationServiceTimeoutError"),
        "{}",
        found.what
    );
    assert!(
        found
            .cases
            .contains(&"RequestValuation/no-callback".to_owned())
    );
}

#[test]
fn a_story_tells_what_came_first_first() {
    let exploration = explored(&read(PLAIN));
    for (case, expected) in [
        (
            "RequestValuation/early",
            &[
                "0 RequestValuation begins",
                "500 callback 202",
                "1000 register 200",
                "1000 the execution SUCCEEDED",
            ][..],
        ),
        (
            "RequestValuation/failed:ValuationFailed",
            &[
                "0 RequestValuation begins",
                "0 register 200",
                "6000 callback 200",
                "6000 RequestValuation fails with ValuationFailed",
                "6000 PublishValuationFailedError begins",
                "6000 LoanErrors is told",
                "6000 ValuationFailed begins",
                "6000 the execution FAILED with ValuationFailed",
            ],
        ),
        (
            "RequestValuation/late",
            &[
                "0 RequestValuation begins",
                "0 register 200",
                "30000 RequestValuation",
                "30000 PublishValuationServiceTimeoutError begins",
                "30000 LoanErrors is told",
                "30000 ValuationServiceTimedOut begins",
                "30000 the execution FAILED with ValuationServiceTimedOut",
                "45000 callback 410",
                "45000 LoanErrors is told",
            ],
        ),
    ] {
        let rows = exploration.rows.iter();
        let mut rows = rows.filter(|row| row.case.to_string() == case);
        let story = rows.next().expect(case).chronicle();
        let short = story
            .iter()
            .map(|(at, what)| match what.split_once(" -> ") {
                Some((deed, status)) => {
                    let word = deed.split(' ').next().unwrap();
                    format!("{at} {word} {status}")
                }
                None => format!("{at} {}", what.split(':').next().unwrap()),
            });
        assert_eq!(short.collect::<Vec<_>>(), expected, "{case}");
    }
}

#[test]
fn a_later_attempt_goes_wrong_only_where_there_is_one() {
    let mut both = question(&read(PLAIN));
    both.choice.pairs = true;
    let rows = explore(&both).unwrap().rows;
    let cases: BTreeSet<String> = rows.iter().map(|row| row.case.to_string()).collect();
    let then = "RequestValuation/restart-waiting:then";
    let pair = |first: &str| cases.contains(&format!("RequestValuation/{first}:once + {then}"));
    assert!(pair("Lambda.ServiceException"), "{cases:?}");
    // Nothing retries it.
    assert!(!pair("Lambda.Unknown"), "{cases:?}");
}
