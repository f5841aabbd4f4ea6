//! AWS's limits, where a scenario file would be too long to read.

use asl::Data;
use asl::data::DEPTH_MAX;
use engine::limits::{HISTORY_EVENTS_MAX, PAYLOAD_BYTES_MAX};
use engine::{
    Command, CommandKind, Execution, Outcome, Quotas, Status, Surroundings, WaitId, history,
};
use testkit::world::{STARTED_AT, identity, machine, tokens};

fn started(definition: &str) -> (Execution, Vec<engine::Event>) {
    let machine = machine(definition).expect("the test's machines are sound");
    let input = Data::parse("{}").expect("it is JSON");
    Execution::begin(machine, identity(input), 1, &tokens())
}

fn error(execution: &Execution) -> &str {
    let failure = execution
        .closing()
        .and_then(|closing| closing.failure.as_ref());
    failure
        .and_then(|failure| failure.error.as_deref())
        .unwrap_or_default()
}

#[test]
fn an_execution_that_goes_round_in_circles_ends_with_its_history_full() {
    let (execution, events) = started(
        r#"{"StartAt": "Round", "States": {
            "Round": {"Type": "Pass", "Next": "Again"},
            "Again": {"Type": "Choice", "Choices": [{"Variable": "$.done", "IsPresent": true, "Next": "Done"}], "Default": "Round"},
            "Done": {"Type": "Succeed"}}}"#,
    );
    let history = history::project(&events, false);
    assert_eq!(execution.status(), Status::Failed);
    assert_eq!(history.len() as u64, HISTORY_EVENTS_MAX);
    assert_eq!(history[history.len() - 1].event_type, "ExecutionFailed");
}

#[test]
fn an_output_that_is_too_large_fails_the_execution() {
    let large = "a".repeat(PAYLOAD_BYTES_MAX);
    let (execution, _) = started(&format!(
        r#"{{"StartAt": "A", "States": {{"A": {{"Type": "Pass", "Result": "{large}", "End": true}}}}}}"#
    ));
    assert_eq!(error(&execution), "States.DataLimitExceeded");
}

#[test]
fn a_result_that_is_too_large_is_a_failure_of_the_task() {
    let (mut execution, _) = started(
        r#"{"StartAt": "A", "States": {
            "A": {"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke", "Parameters": {"FunctionName": "f"},
                "Catch": [{"ErrorEquals": ["States.DataLimitExceeded"], "Next": "B"}], "End": true},
            "B": {"Type": "Pass", "End": true}}}"#,
    );
    let large = Data::from(serde_json::Value::from("a".repeat(PAYLOAD_BYTES_MAX)));
    let kind = CommandKind::Complete {
        wait: WaitId(1),
        outcome: Outcome::Success(large),
    };
    let command = Command {
        at: STARTED_AT,
        seed: 2,
        kind,
    };
    execution
        .decide(command, &tokens())
        .expect("the wait is open");
    assert_eq!(execution.status(), Status::Succeeded);
}

fn cause(execution: &Execution) -> &str {
    let failure = execution
        .closing()
        .and_then(|closing| closing.failure.as_ref());
    failure
        .and_then(|failure| failure.cause.as_deref())
        .unwrap_or_default()
}

fn nested(levels: usize) -> serde_json::Value {
    (0..levels).fold(serde_json::Value::Null, |inner, _| {
        serde_json::Value::Array(vec![inner])
    })
}

/// What is stored has to be read again, so whatever nests deeper ends the execution before it is stored.
#[test]
fn data_that_nests_too_deep_to_be_read_back_fails_the_execution() {
    let deep = nested(DEPTH_MAX);
    let shallow_error = r#""Catch": [{"ErrorEquals": ["States.ALL"], "Next": "B"}]"#;
    let path = ".a".repeat(DEPTH_MAX + 1);
    for (what, state) in [
        ("an output", r#""Type": "Pass", "Parameters": {"a.$": "$"}, "Next": "B""#.to_owned()),
        ("a result's place", format!(r#""Type": "Pass", "Result": 1, "ResultPath": "${path}", "Next": "B""#)),
        (
            "parameters",
            format!(r#""Type": "Task", "Resource": "arn:aws:states:::lambda:invoke", "Parameters": {{"FunctionName": "f", "a.$": "$"}}, {shallow_error}, "Next": "B""#),
        ),
        (
            "an iteration's input",
            r#""Type": "Map", "ItemSelector": {"a.$": "$"}, "ItemProcessor": {"StartAt": "I", "States": {"I": {"Type": "Succeed"}}}, "Next": "B""#.to_owned(),
        ),
        (
            "the outputs of branches",
            r#""Type": "Parallel", "Branches": [{"StartAt": "I", "States": {"I": {"Type": "Succeed"}}}], "Next": "B""#.to_owned(),
        ),
        (
            "a caught error's place",
            format!(
                r#""Type": "Parallel", "Branches": [{{"StartAt": "I", "States": {{"I": {{"Type": "Fail"}}}}}}],
                "Catch": [{{"ErrorEquals": ["States.ALL"], "ResultPath": "${path}", "Next": "B"}}], "Next": "B""#
            ),
        ),
    ] {
        let machine = machine(&format!(
            r#"{{"StartAt": "A", "States": {{"A": {{{state}}}, "B": {{"Type": "Succeed"}}}}}}"#
        ))
        .unwrap_or_else(|faults| panic!("{what}: {faults:?}"));
        let input = match what.contains("place") {
            true => Data::parse("{}").expect("it is JSON"),
            false => Data::from(deep.clone()),
        };
        let (execution, _) = Execution::begin(machine, identity(input), 1, &tokens());
        assert_eq!(error(&execution), "States.Runtime", "{what}");
        assert!(cause(&execution).contains("127 levels deep"), "{what}: {}", cause(&execution));
    }
}

#[test]
fn a_result_that_nests_too_deep_fails_the_execution() {
    let (mut execution, _) = started(
        r#"{"StartAt": "A", "States": {
            "A": {"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke", "Parameters": {"FunctionName": "f"}, "ResultPath": null, "End": true}}}"#,
    );
    let kind = CommandKind::Complete {
        wait: WaitId(1),
        outcome: Outcome::Success(Data::from(nested(DEPTH_MAX + 1))),
    };
    let command = Command {
        at: STARTED_AT,
        seed: 2,
        kind,
    };
    let events = execution
        .decide(command, &tokens())
        .expect("the wait is open");
    assert_eq!(error(&execution), "States.Runtime");
    assert!(
        !events
            .iter()
            .any(|event| matches!(event.kind, engine::EventKind::TaskSucceeded { .. }))
    );
}

#[test]
fn an_operator_may_set_other_limits_and_the_past_does_not_notice() {
    let definition = r#"{"StartAt": "A", "States": {"A": {"Type": "Pass", "Next": "B"},
        "B": {"Type": "Pass", "Result": "0123456789", "End": true}}}"#;
    let begun = |quotas| {
        let machine = machine(definition).expect("the test's machines are sound");
        let input = Data::parse("{}").expect("it is JSON");
        let surroundings = Surroundings {
            quotas,
            ..Surroundings::default()
        };
        Execution::begin_in(machine, identity(input), 1, &tokens(), surroundings)
    };
    let small = Quotas {
        payload_bytes: 11,
        ..Quotas::default()
    };
    assert_eq!(error(&begun(small).0), "States.DataLimitExceeded");
    let short = Quotas {
        history_events: 3,
        ..Quotas::default()
    };
    let (execution, events) = begun(short);
    assert_eq!(history::project(&events, false).len(), 3);
    let message = "The execution reached the maximum number of history events (3).";
    assert_eq!(cause(&execution), message);

    let (execution, events) = begun(Quotas::default());
    assert_eq!(execution.status(), Status::Succeeded);
    let mut again = Execution::replay(machine(definition).expect("it is sound"), &events[..1]);
    again.set_surroundings(Surroundings {
        quotas: small,
        ..Surroundings::default()
    });
    for event in &events[1..] {
        again.apply(event);
    }
    assert_eq!(again.snapshot(), execution.snapshot());
}
