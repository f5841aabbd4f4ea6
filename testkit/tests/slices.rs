//! A command that is worked off in slices comes to the same as one that is worked off at once.

use std::sync::Arc;

use asl::{Data, StateMachine};
use engine::event::Output;
use engine::{Command, CommandKind, Event, EventKind, Execution, Slice, Status};
use testkit::world::{STARTED_AT, identity, machine, tokens};

const LOOP: &str = r#"{"StartAt": "Round", "States": {
    "Round": {"Type": "Pass", "Parameters": {"n.$": "States.MathAdd($.n, 1)"}, "Next": "Again"},
    "Again": {"Type": "Choice", "Choices": [{"Variable": "$.n", "NumericGreaterThan": 20, "Next": "Done"}], "Default": "Round"},
    "Done": {"Type": "Succeed"}}}"#;

const NESTED: &str = r#"{"StartAt": "Both", "States": {
    "Both": {"Type": "Parallel", "End": true, "Branches": [
        {"StartAt": "Each", "States": {"Each": {"Type": "Map", "ItemsPath": "$.items", "MaxConcurrency": 3, "End": true,
            "ItemProcessor": {"StartAt": "A", "States": {
                "A": {"Type": "Pass", "Next": "B"}, "B": {"Type": "Pass", "End": true}}}}}},
        {"StartAt": "C", "States": {"C": {"Type": "Pass", "Next": "D"}, "D": {"Type": "Pass", "Assign": {"v": 1}, "End": true}}}]}}}"#;

const FAILS: &str = r#"{"StartAt": "Both", "States": {
    "Both": {"Type": "Parallel", "Next": "After", "Branches": [
        {"StartAt": "A", "States": {"A": {"Type": "Pass", "Next": "B"}, "B": {"Type": "Fail", "Error": "E"}}},
        {"StartAt": "C", "States": {"C": {"Type": "Pass", "Next": "D"}, "D": {"Type": "Pass", "Next": "F"}, "F": {"Type": "Wait", "Seconds": 9, "End": true}}}],
        "Catch": [{"ErrorEquals": ["E"], "Next": "After"}]},
    "After": {"Type": "Pass", "End": true}}}"#;

const INPUT: &str = r#"{"n": 0, "items": [1, 2, 3, 4, 5, 6, 7]}"#;

fn command(kind: CommandKind) -> Command {
    Command {
        at: STARTED_AT,
        seed: 1,
        kind,
    }
}

/// An execution of which a first slice was worked off, unless its patience ended.
fn begun(
    machine: Arc<StateMachine>,
    input: &str,
    slice: Slice<'_>,
) -> Option<(Execution, Vec<Event>)> {
    let input = Data::parse(input).expect("it is JSON");
    let (identity, tokens) = (identity(input), tokens());
    Execution::begin_within(machine, identity, 1, &tokens, Default::default(), slice)
}

/// All events of an execution that goes on slice by slice, one state in each. `between` is what happens
/// to it between two of them.
fn sliced(
    definition: &str,
    between: impl Fn(Execution, &[Event]) -> Execution,
) -> (Execution, Vec<Event>) {
    let slice = Slice {
        patience: None,
        enough: &|| true,
    };
    let machine = machine(definition).expect("the test's machines are sound");
    let begun = begun(machine, INPUT, slice);
    let (mut execution, mut events) = begun.expect("its patience does not end");
    let mut slices = 1;
    while execution.is_unfinished() {
        execution = between(execution, &events);
        let more = execution.decide_within(command(CommandKind::GoOn), &tokens(), slice);
        events.extend(
            more.expect("it is not refused")
                .expect("its patience does not end"),
        );
        slices += 1;
    }
    assert!(slices > 3, "{slices}");
    (execution, events)
}

#[test]
fn slices_come_to_the_same_as_the_whole() {
    for definition in [LOOP, NESTED, FAILS] {
        let input = Data::parse(INPUT).expect("it is JSON");
        let machine = machine(definition).expect("the test's machines are sound");
        let (whole, all) = Execution::begin(machine, identity(input), 1, &tokens());
        let (execution, events) = sliced(definition, |execution, _| execution);
        assert_eq!(execution.snapshot(), whole.snapshot());
        assert_eq!(events, all);
    }
}

#[test]
fn what_a_slice_leaves_is_found_again_in_what_was_stored() {
    for definition in [LOOP, NESTED, FAILS] {
        let machine = machine(definition).expect("the test's machines are sound");
        let (execution, events) = sliced(definition, |_, events| {
            let mut execution = Execution::replay(machine.clone(), events);
            execution.look_for_unfinished();
            execution
        });
        assert_eq!(execution.status(), Status::Succeeded);
        let replayed = Execution::replay(machine, &events);
        assert_eq!(replayed.snapshot(), execution.snapshot());
    }
}

/// A machine that hands a large document round for as long as its history has room holds a few megabytes
/// of it at a time.
#[test]
fn a_slice_ends_when_its_documents_are_large() {
    const DOCUMENT: usize = 200_000;
    let definition = format!(
        r#"{{"StartAt": "A", "States": {{
            "A": {{"Type": "Pass", "Result": {{"x": "{}"}}, "Next": "B"}},
            "B": {{"Type": "Choice", "Choices": [{{"Variable": "$.done", "IsPresent": true, "Next": "C"}}], "Default": "A"}},
            "C": {{"Type": "Succeed"}}}}}}"#,
        "x".repeat(DOCUMENT)
    );
    let machine = machine(&definition).expect("the test's machine is sound");
    let slice = Slice {
        patience: None,
        enough: &|| false,
    };
    let begun = begun(machine, "{}", slice);
    let (mut execution, mut events) = begun.expect("its patience does not end");
    for _ in 0..5 {
        let exits = events.iter().filter(|event| {
            matches!(
                &event.kind,
                EventKind::StateExited {
                    output: Output::Document(_),
                    ..
                }
            )
        });
        assert!(exits.count() * DOCUMENT < 5 * 1024 * 1024);
        assert!(execution.is_unfinished());
        let more = execution.decide_within(command(CommandKind::GoOn), &tokens(), slice);
        events = more
            .expect("it is not refused")
            .expect("its patience does not end");
    }
}

#[test]
fn a_refused_command_does_not_lose_what_a_slice_left() {
    let slice = Slice {
        patience: None,
        enough: &|| true,
    };
    let machine = machine(LOOP).expect("the test's machine is sound");
    let begun = begun(machine, INPUT, slice);
    let (mut execution, _) = begun.expect("its patience does not end");
    let kind = CommandKind::Heartbeat {
        wait: engine::WaitId(7),
    };
    execution
        .decide_within(command(kind), &tokens(), slice)
        .expect_err("there is no such wait");
    assert!(execution.is_unfinished());
}

/// An expression that takes longer than there is patience for fails nothing: nothing has happened.
#[test]
fn a_slice_whose_patience_ends_has_not_been() {
    let definition = r#"{"QueryLanguage": "JSONata", "StartAt": "A", "States": {"A": {"Type": "Pass", "End": true,
        "Output": "{% ($f := function($n) { $n <= 0 ? 0 : $f($n - 1) }; $f(1000000)) %}"}}}"#;
    let machine = machine(definition).expect("the test's machine is sound");
    let slice = Slice {
        patience: Some(std::time::Duration::ZERO),
        enough: &|| false,
    };
    let begun = begun(machine, "{}", slice);
    assert!(begun.is_none());
}
