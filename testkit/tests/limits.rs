//! AWS's limits, where a scenario file would be too long to read.

use asl::Data;
use engine::limits::{HISTORY_EVENTS_MAX, PAYLOAD_BYTES_MAX};
use engine::{Command, CommandKind, Execution, Outcome, Status, WaitId, history};
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
            "A": {"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke", "Parameters": {},
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
