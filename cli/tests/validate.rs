//! `rejoin validate` as a shell sees it: what it prints, and its exit status.

mod support;

use std::io::Write;
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use support::Folder;

/// Runs it in `folder`.
fn validate(folder: &Folder, arguments: &[&str], input: &str) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_rejoin"))
        .arg("validate")
        .args(arguments)
        .current_dir(&folder.0)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program runs");
    let mut stdin = child.stdin.take().expect("it was asked for");
    stdin
        .write_all(input.as_bytes())
        .expect("the program reads its input");
    drop(stdin);
    child.wait_with_output().expect("the program ends")
}

fn said(output: &Output) -> (i32, String) {
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    (output.status.code().expect("it ended by itself"), text)
}

const BAD: &str = r#"{
  "StartAt": "Ask",
  "States": {
    "Ask": {
      "Type": "Task",
      "Resource": "arn:aws:states:::sqs:sendMessage.waitForTaskToken",
      "Parameters": {"QueueUrl": "https://sqs/1", "MessageBody": {"order": "$.order"}},
      "HeartbeatSeconds": 60,
      "TimeoutSeconds": 30,
      "Catch": [{"ErrorEquals": ["States.TaskFailed"], "Next": "Failed"}, {"ErrorEquals": ["Rejected"], "Next": "Failed"}],
      "Nxt": "Done"
    },
    "Done": {"Type": "Succeed"},
    "Failed": {"Type": "fail"}
  }
}
"#;

const GOOD: &str = r#"{"StartAt": "Done", "States": {"Done": {"Type": "Succeed"}}}"#;

const WAITS: &str = "\
StartAt: Ask
States:
  Ask:
    Type: Task
    Resource: arn:aws:states:us-east-1:123456789012:activity:approve
    End: true
";

fn folder(name: &str) -> Folder {
    let folder = Folder::new(name);
    for (file, text) in [
        ("bad.asl.json", BAD),
        ("good.asl.json", GOOD),
        ("waits.asl.yaml", WAITS),
    ] {
        std::fs::write(folder.0.join(file), text).expect("a file can be written");
    }
    folder
}

#[test]
fn each_fault_is_shown_in_its_line() {
    let folder = folder("validate-human");
    let (status, text) = said(&validate(&folder, &["bad.asl.json"], ""));
    assert_eq!(status, 1);
    let expected = r#"error[SCHEMA_VALIDATION_FAILED] This object should have only one of the following fields: [Next, End]
 --> bad.asl.json:4:5  /States/Ask
  |
4 |     "Ask": {
  |     ^^^^^
  = Say which state is the next, or "End": true.

warning[REJOIN_TOKEN_NOT_PASSED] The state waits for its task token and does not pass it to anybody
 --> bad.asl.json:4:5  /States/Ask
  |
4 |     "Ask": {
  |     ^^^^^
  = Nobody can answer without it: put "TaskToken.$": "$$.Task.Token" into 'Parameters'.

warning[NO_DOLLAR] The value of 'order' looks like a JSONPath or an intrinsic function, and is taken as text
 --> bad.asl.json:7:76  /States/Ask/Parameters/MessageBody/order
  |
7 |       "Parameters": {"QueueUrl": "https://sqs/1", "MessageBody": {"order": "$.order"}},
  |                                                                            ^^^^^^^^^
  = Call the field 'order.$' to have it evaluated.

error[SCHEMA_VALIDATION_FAILED] HeartbeatSeconds must be smaller than TimeoutSeconds
 --> bad.asl.json:8:27  /States/Ask/HeartbeatSeconds
  |
8 |       "HeartbeatSeconds": 60,
  |                           ^^
  = Give less than 30.

warning[REJOIN_HANDLER_NOT_REACHED] This entry of 'Catch' is never reached
  --> bad.asl.json:10:76  /States/Ask/Catch[1]/ErrorEquals
   |
10 | … Equals": ["States.TaskFailed"], "Next": "Failed"}, {"ErrorEquals": ["Rejected"], "Next": "Failed"}],
   |                                                       ^^^^^^^^^^^^^
   = An entry before it takes 'Rejected' already.

error[SCHEMA_VALIDATION_FAILED] Field 'Nxt' is not supported
  --> bad.asl.json:11:7  /States/Ask
   |
11 |       "Nxt": "Done"
   |       ^^^^^
   = It is spelled 'Next'.

error[SCHEMA_VALIDATION_FAILED] Value should be one of the following: [Task, Pass, Wait, Choice, Succeed, Fail, Parallel, Map]
  --> bad.asl.json:14:24  /States/Failed/Type
   |
14 |     "Failed": {"Type": "fail"}
   |                        ^^^^^^
   = It is spelled 'Fail'.

bad.asl.json: 4 errors, 3 warnings
"#;
    assert_eq!(text, expected);
}

#[test]
fn a_reader_that_has_seen_enough_changes_nothing() {
    for arguments in [&["-"][..], &["--json", "-"]] {
        let folder = folder("closed-pipe");
        let mut child = Command::new(env!("CARGO_BIN_EXE_rejoin"))
            .arg("validate")
            .args(arguments)
            .current_dir(&folder.0)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program runs");
        // Before it has anything to say.
        drop(child.stdout.take());
        let mut stdin = child.stdin.take().expect("it was asked for");
        stdin.write_all(BAD.as_bytes()).expect("it reads its input");
        drop(stdin);
        let output = child.wait_with_output().expect("the program ends");
        assert_eq!(output.status.code(), Some(1), "{arguments:?}");
        assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    }
}

#[test]
fn several_files_are_told_apart_and_one_that_is_wrong_decides() {
    let folder = folder("validate-several");
    let (status, text) = said(&validate(&folder, &["good.asl.json", "waits.asl.yaml"], ""));
    assert_eq!(status, 0);
    assert_eq!(
        text,
        "\
warning[REJOIN_CALLBACK_WITHOUT_TIMEOUT] The state waits for an activity's worker with neither TimeoutSeconds nor HeartbeatSeconds
 --> waits.asl.yaml:3:3  /States/Ask
  |
3 |   Ask:
  |   ^^^
  = If the answer never comes the execution waits for ever: give TimeoutSeconds, and catch
    States.Timeout.

good.asl.json: valid, 1 state
waits.asl.yaml: valid, 1 state, 1 warning
"
    );
    for (arguments, expected) in [
        (&["good.asl.json", "bad.asl.json"][..], 1),
        (&["--strict", "waits.asl.yaml"], 1),
        (&["--strict", "good.asl.json"], 0),
        (&["good.asl.json", "missing.json"], 2),
        (&["bad.asl.json", "missing.json"], 2),
        (&["--type", "express", "waits.asl.yaml"], 1),
        (&[], 2),
        (&["--jsn", "good.asl.json"], 2),
    ] {
        let (status, _) = said(&validate(&folder, arguments, ""));
        assert_eq!(status, expected, "{arguments:?}");
    }
}

#[test]
fn a_program_reads_what_the_api_says_and_where() {
    let folder = folder("validate-json");
    let (status, text) = said(&validate(&folder, &["--json", "-", "waits.asl.yaml"], GOOD));
    assert_eq!(status, 0);
    let read: Value = serde_json::from_str(&text).expect("it is JSON");
    assert_eq!(
        read,
        serde_json::json!({"files": [
            {"file": "<stdin>", "result": "OK", "diagnostics": []},
            {"file": "waits.asl.yaml", "result": "OK", "diagnostics": [{
                "severity": "WARNING",
                "code": "REJOIN_CALLBACK_WITHOUT_TIMEOUT",
                "message": "The state waits for an activity's worker with neither TimeoutSeconds nor HeartbeatSeconds",
                "location": "/States/Ask",
                "file": "waits.asl.yaml",
                "line": 3,
                "column": 3,
                "hint": "If the answer never comes the execution waits for ever: give TimeoutSeconds, and catch States.Timeout.",
            }]},
        ]})
    );
}

#[test]
fn text_that_is_no_definition_is_said_with_its_place() {
    let folder = Folder::new("validate-syntax");
    for (text, parts) in [
        (
            "{\"StartAt\": \"A\",\n}",
            [
                "INVALID_JSON_DESCRIPTION",
                "<stdin>:1:16",
                "Remove the comma",
            ],
        ),
        (
            "StartAt: [A\nStates: B\n",
            ["INVALID_YAML_DESCRIPTION", "<stdin>:2:", "1 error"],
        ),
        ("", ["MISSING_DESCRIPTION", "--> <stdin>\n", "1 error"]),
    ] {
        let (status, report) = said(&validate(&folder, &["-"], text));
        assert_eq!(status, 1, "{report}");
        for part in parts {
            assert!(report.contains(part), "{part:?} is not in: {report}");
        }
    }
}
