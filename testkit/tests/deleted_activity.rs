//! What the engine is told about the outside, and a scenario file cannot say.

use asl::Data;
use engine::{Execution, Status, Surroundings, history};
use testkit::world::{identity, machine, tokens};

/// As recorded in `test_activity_task_on_deleted`: no ActivityScheduled, and no Catch helps.
#[test]
fn a_task_for_a_deleted_activity_fails_the_execution_and_is_never_scheduled() {
    let activity = "arn:aws:states:us-east-1:123456789012:activity:gone";
    let machine = machine(&format!(
        r#"{{"StartAt": "Ask", "States": {{
            "Ask": {{"Type": "Task", "Resource": "{activity}",
                "Catch": [{{"ErrorEquals": ["States.ALL"], "Next": "Never"}}], "Next": "Never"}},
            "Never": {{"Type": "Succeed"}}}}}}"#
    ))
    .expect("the machine is sound");
    let input = Data::parse("{}").expect("it is JSON");
    let surroundings = Surroundings {
        deleted_activities: vec![activity.into()],
        ..Surroundings::default()
    };
    let (execution, events) =
        Execution::begin_in(machine, identity(input), 1, &tokens(), surroundings);

    assert_eq!(execution.status(), Status::Failed);
    let types: Vec<String> = history::project(&events, true)
        .into_iter()
        .map(|event| event.event_type)
        .collect();
    assert_eq!(
        types,
        ["ExecutionStarted", "TaskStateEntered", "ExecutionFailed"]
    );
    let failure = execution
        .closing()
        .and_then(|closing| closing.failure.clone());
    let cause = failure
        .and_then(|failure| failure.cause)
        .unwrap_or_default();
    assert_eq!(
        cause,
        format!(
            "An error occurred while executing the state 'Ask' (entered at the event id #2). The \
             activity {activity} does not exist."
        )
    );
}
