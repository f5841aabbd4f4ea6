//! What a history leaves out without `includeExecutionData`, one type of event after the other, as the service's
//! model has them: inputs and outputs (the parameters of a task are its input), variables, and what is said of each
//! of these. Errors and causes stay, as they are neither.
//!
//! The events are those of all scenarios, and every type that a history can have must occur in them.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use engine::{HistoryEvent, history};
use serde_json::{Map, Value, json};

/// Type of event; members of its details that are data; members that are none.
#[rustfmt::skip]
const TYPES: &[(&str, &str, &str)] = &[
    ("ActivityFailed", "", "error cause"),
    ("ActivityScheduled", "input", "resource timeoutInSeconds heartbeatInSeconds"),
    ("ActivityStarted", "", "workerName"),
    ("ActivitySucceeded", "output", ""),
    ("ActivityTimedOut", "", "error cause"),
    ("ChoiceStateEntered", "input", "name"),
    ("ChoiceStateExited", "output assignedVariables", "name"),
    ("EvaluationFailed", "", "error cause location state"),
    ("ExecutionAborted", "", "error cause"),
    ("ExecutionFailed", "", "error cause"),
    ("ExecutionRedriven", "", "redriveCount"),
    ("ExecutionStarted", "input", "roleArn stateMachineAliasArn stateMachineVersionArn"),
    ("ExecutionSucceeded", "output", ""),
    ("ExecutionTimedOut", "", "error cause"),
    ("FailStateEntered", "input", "name"),
    ("LambdaFunctionFailed", "", "error cause"),
    ("LambdaFunctionScheduled", "input", "resource timeoutInSeconds taskCredentials"),
    ("LambdaFunctionStarted", "", ""),
    ("LambdaFunctionSucceeded", "output", ""),
    ("LambdaFunctionTimedOut", "", "error cause"),
    ("MapIterationAborted", "", "name index"),
    ("MapIterationFailed", "", "name index"),
    ("MapIterationStarted", "", "name index"),
    ("MapIterationSucceeded", "", "name index"),
    ("MapRunFailed", "", "error cause"),
    ("MapRunRedriven", "", "mapRunArn redriveCount"),
    ("MapRunStarted", "", "mapRunArn"),
    ("MapRunSucceeded", "", ""),
    ("MapStateAborted", "", ""),
    ("MapStateEntered", "input", "name"),
    ("MapStateExited", "output assignedVariables", "name"),
    ("MapStateFailed", "", ""),
    ("MapStateStarted", "", "length"),
    ("MapStateSucceeded", "", ""),
    ("ParallelStateAborted", "", ""),
    ("ParallelStateEntered", "input", "name"),
    ("ParallelStateExited", "output assignedVariables", "name"),
    ("ParallelStateFailed", "", ""),
    ("ParallelStateStarted", "", ""),
    ("ParallelStateSucceeded", "", ""),
    ("PassStateEntered", "input", "name"),
    ("PassStateExited", "output assignedVariables", "name"),
    ("SucceedStateEntered", "input", "name"),
    ("SucceedStateExited", "output assignedVariables", "name"),
    ("TaskFailed", "", "resourceType resource error cause"),
    ("TaskScheduled", "parameters", "resourceType resource region timeoutInSeconds heartbeatInSeconds taskCredentials"),
    ("TaskStarted", "", "resourceType resource"),
    ("TaskStateAborted", "", ""),
    ("TaskStateEntered", "input", "name"),
    ("TaskStateExited", "output assignedVariables", "name"),
    ("TaskSubmitted", "output", "resourceType resource"),
    ("TaskSucceeded", "output", "resourceType resource"),
    ("TaskTimedOut", "", "resourceType resource error cause"),
    ("WaitStateAborted", "", ""),
    ("WaitStateEntered", "input", "name"),
    ("WaitStateExited", "output assignedVariables", "name"),
];

/// What the model has besides: what only comes of AWS's own failures, and a Map Run that ends with its
/// execution, of which no more is written.
const NEVER_WRITTEN: &[&str] = &[
    "ActivityScheduleFailed",
    "LambdaFunctionScheduleFailed",
    "LambdaFunctionStartFailed",
    "MapRunAborted",
    "TaskStartFailed",
    "TaskSubmitFailed",
];

#[test]
fn without_its_data_every_event_keeps_all_that_is_not_an_input_or_an_output() {
    let types: BTreeMap<_, _> = TYPES
        .iter()
        .map(|(name, data, rest)| (*name, (words(data), words(rest))))
        .collect();
    let seen = RefCell::new(BTreeSet::new());
    let play = |scenario: &testkit::scenario::Scenario| {
        let events = testkit::play::events(scenario)?;
        let with = history::project(&events, true);
        let without = history::project(&events, false);
        assert_eq!(with.len(), without.len());
        for (with, without) in with.into_iter().zip(without) {
            let name = with.event_type.clone();
            let (data, rest) = types
                .get(&*name)
                .ok_or_else(|| format!("the table has no {name}"))?;
            let with = stripped(with, data, rest)?;
            if with != without {
                return Err(format!(
                    "{with:?} was left of it by hand, and is {without:?}"
                ));
            }
            seen.borrow_mut().insert(name);
        }
        Ok(scenario.history.clone())
    };
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/scenarios");
    if let Err(differences) = testkit::scenario::check(&directory, &play, false) {
        panic!("{differences}");
    }
    let seen = seen.into_inner();
    let unseen: Vec<_> = types.keys().filter(|name| !seen.contains(**name)).collect();
    assert!(unseen.is_empty(), "no scenario has {unseen:?}");
    assert!(NEVER_WRITTEN.iter().all(|name| !seen.contains(*name)));
}

/// The event without its data, which all of it must have had, and nothing that the model does not know.
fn stripped(
    mut event: HistoryEvent,
    data: &BTreeSet<&str>,
    rest: &BTreeSet<&str>,
) -> Result<HistoryEvent, String> {
    let Some(details) = &mut event.details else {
        return match data.is_empty() {
            true => Ok(event),
            false => Err(format!("{} has no details", event.event_type)),
        };
    };
    for name in data {
        let was = details.remove(*name);
        let said = details.remove(&format!("{name}Details"));
        let wanted = match *name {
            // Of these the model says nothing.
            "parameters" => None,
            _ => was.is_some().then(|| json!({ "truncated": false })),
        };
        if said != wanted || (was.is_none() && *name != "assignedVariables") {
            return Err(format!(
                "{}: {name} is {was:?}, of which is said {said:?}",
                event.event_type
            ));
        }
    }
    match unknown(details, rest) {
        None => Ok(event),
        Some(name) => Err(format!("{} has {name}", event.event_type)),
    }
}

fn unknown(details: &Map<String, Value>, rest: &BTreeSet<&str>) -> Option<String> {
    details
        .keys()
        .find(|name| !rest.contains(name.as_str()))
        .cloned()
}

fn words(text: &str) -> BTreeSet<&str> {
    text.split_whitespace().collect()
}
