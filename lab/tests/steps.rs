//! Steps of a script that are refused, or whose time never comes.

#![allow(clippy::unwrap_used)]

mod written;

use std::sync::Arc;

use lab::report::junit::reasons;
use lab::scenario::play;
use written::Written;

const WAITS: &str = r#"
definition:
  StartAt: Ask
  States:
    Ask: {Type: Task, Resource: "arn:aws:states:::lambda:invoke.waitForTaskToken", TimeoutSeconds: 60, Parameters: {FunctionName: f, Payload: {"t.$": $$.Task.Token}}, End: true}
config: rejoin.toml
"#;
const REGISTERED: &str = "tasks: {Ask: {registers: {route: valuation, reference: r-1}}}";

/// What is wrong with the case, all of it.
fn wrong(more: &str) -> Vec<String> {
    let file = Written::of(&format!("{WAITS}{more}")).read();
    assert_eq!(file.faults, None, "{more}");
    reasons(&play(&Arc::new(file.cases.into_iter().next().unwrap())))
}

#[test]
fn a_step_that_is_refused_fails_its_case_unless_it_is_expected() {
    for (script, expected) in [
        ("{30s: {succeed: {}}}", None),
        (
            "[{10s: redrive}, {30s: {succeed: {}}}]",
            Some("script, 10s redrive: expected it is taken, got 400 ExecutionNotRedrivable: "),
        ),
        (
            "[{10s: {redrive: , refused: true}}, {30s: {succeed: {}}}]",
            None,
        ),
        (
            "[{10s: {redrive: , refused: ExecutionNotRedrivable}}, {30s: {succeed: {}}}]",
            None,
        ),
        (
            "[{10s: {redrive: , refused: TaskTimedOut}}, {30s: {succeed: {}}}]",
            Some(
                "script, 10s redrive: expected it is refused with TaskTimedOut, got 400 ExecutionNotRedrivable: ",
            ),
        ),
        (
            "{30s: {succeed: {}, refused: true}}",
            Some("script, 30s succeed: expected it is refused, got it was taken"),
        ),
        (
            "[{30s: {succeed: {}}}, {40s: heartbeat}]",
            Some("script, 40s heartbeat: expected it is taken, got 400 TaskTimedOut: "),
        ),
        (
            "[{30s: {succeed: {}}}, {40s: {heartbeat: , refused: TaskTimedOut}}]",
            None,
        ),
        // What the gateway has has a disposition, which is for `callbacks`; where no route is nobody has it.
        (
            "[{30s: {succeed: {}}}, {40s: {callback: {route: valuation, body: {reference: r-1}}}}]",
            None,
        ),
        (
            "[{30s: {succeed: {}}}, {40s: {callback: {path: /nowhere}}}]",
            Some("script, 40s callback: expected it is taken, got 404 "),
        ),
        (
            "[{30s: {succeed: {}}}, {40s: {callback: {path: /nowhere}, refused: true}}]",
            None,
        ),
        (
            "[{30s: {succeed: {}}}, {500d: stop}]",
            Some("script, 500d stop: expected it is taken, got it was never done: "),
        ),
    ] {
        let wrong = wrong(&format!("{REGISTERED}\nscript: {script}\n"));
        match expected {
            None => assert!(wrong.is_empty(), "{script}: {wrong:?}"),
            Some(expected) => {
                assert_eq!(wrong.len(), 1, "{script}: {wrong:?}");
                assert!(wrong[0].starts_with(expected), "{script}: {wrong:?}");
            }
        }
    }
}

#[test]
fn what_can_not_be_refused_is_said() {
    for (act, expected) in [
        (
            "{restart: 1s, refused: true}",
            "a restart is refused by nobody",
        ),
        (
            "{callback: {path: /x}, refused: TaskTimedOut}",
            "a callback is refused with no name of an error",
        ),
        (
            "{heartbeat: , refused: 400}",
            "it has to be true or the name of an error",
        ),
        ("{heartbeat: , refsed: true}", "`refused`"),
    ] {
        let file = Written::of(&format!("{WAITS}script: {{1s: {act}}}\n")).read();
        let faults = file.faults.unwrap_or_default();
        assert!(faults.contains(expected), "{act}: {faults}");
    }
}

#[test]
fn what_an_operator_is_refused_after_a_task_fails_the_case_too() {
    let wrong = wrong("tasks: {Ask: {then: [{10s: redrive}, {30s: {succeed: {}}}]}}\n");
    assert_eq!(wrong.len(), 1, "{wrong:?}");
    let refused = "RedriveExecution was refused with 400: ";
    assert!(wrong[0].starts_with(refused), "{wrong:?}");
}
