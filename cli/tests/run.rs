//! `rejoin run` as a shell sees it: what passes on standard error, the output on standard output,
//! and the exit status.

mod support;

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, Command, Output, Stdio};

use serde_json::{Value, json};
use support::{Client, Folder};

const NESTED: &str = "\
StartAt: Prepare
States:
  Prepare: {Type: Pass, Result: [1, 2], ResultPath: $.items, Next: Each}
  Each:
    Type: Map
    ItemsPath: $.items
    MaxConcurrency: 1
    ItemProcessor:
      StartAt: Add
      States:
        Add: {Type: Pass, Parameters: {n.$: 'States.MathAdd($, 1)'}, Next: Both}
        Both:
          Type: Parallel
          Branches:
            - {StartAt: Rest, States: {Rest: {Type: Wait, Seconds: 3600, End: true}}}
            - {StartAt: Go, States: {Go: {Type: Pass, End: true}}}
          ResultSelector: {n.$: '$[0].n'}
          End: true
    Next: Send
  Send:
    Type: Task
    Resource: arn:aws:states:::sqs:sendMessage
    Parameters: {QueueUrl: 'http://127.0.0.1:9/1/q', MessageBody: hello}
    Retry: [{ErrorEquals: [States.ALL], MaxAttempts: 1, IntervalSeconds: 30}]
    Catch: [{ErrorEquals: [States.ALL], ResultPath: null, Next: Enough}]
    End: true
  Enough: {Type: Choice, Choices: [{Variable: '$[1].n', NumericEquals: 3, Next: Done}], Default: Sorry}
  Sorry: {Type: Fail, Error: Wrong}
  Done: {Type: Succeed}
";

const WAITS: &str =
    r#"{"StartAt": "Rest", "States": {"Rest": {"Type": "Wait", "Seconds": 86400, "End": true}}}"#;

/// Without what this machine may say about AWS.
fn command(folder: &Folder, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rejoin"));
    command.arg("run").args(arguments).current_dir(&folder.0);
    let variables = std::env::vars_os().map(|(name, _)| name);
    for name in variables.filter(|name| name.to_string_lossy().starts_with("AWS_")) {
        command.env_remove(name);
    }
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

fn run(folder: &Folder, arguments: &[&str], input: &str) -> Output {
    let mut child = command(folder, arguments)
        .spawn()
        .expect("the program runs");
    let mut stdin = child.stdin.take().expect("it was asked for");
    // A program that refuses its arguments does not read.
    let _ = stdin.write_all(input.as_bytes());
    drop(stdin);
    child.wait_with_output().expect("the program ends")
}

fn folder(name: &str) -> Folder {
    let folder = Folder::new(name);
    for (file, text) in [
        ("nested.asl.yaml", NESTED),
        ("waits.asl.json", WAITS),
        (
            "pass.json",
            r#"{"StartAt": "A", "States": {"A": {"Type": "Pass", "End": true}}}"#,
        ),
        (
            "bad.json",
            r#"{"StartAt": "A", "States": {"A": {"Type": "Pas", "End": true}}}"#,
        ),
        ("input.yaml", "order: 7\n"),
    ] {
        std::fs::write(folder.0.join(file), text).expect("a file can be written");
    }
    folder
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn states_pass_by_and_the_output_comes_out() {
    let folder = folder("run-nested");
    let output = run(&folder, &["nested.asl.yaml", "--virtual-time"], "");
    assert_eq!(
        text(&output.stderr),
        "\
\x20  0.000 s ✓ Prepare  Pass
   0.000 s ▸ Each  2 items
   0.000 s   [0] ✓ Add  Pass
   0.000 s   [0] ▸ Both  2 branches
   0.000 s     [0][0] ▸ Rest  waits 1 h 00 m
   0.000 s     [0][1] ✓ Go  Pass
  1 h 00 m     [0][0] ✓ Rest  1 h 00 m
  1 h 00 m   [0] ✓ Both  1 h 00 m
  1 h 00 m   [1] ✓ Add  Pass
  1 h 00 m   [1] ▸ Both  2 branches
  1 h 00 m     [1][0] ▸ Rest  waits 1 h 00 m
  1 h 00 m     [1][1] ✓ Go  Pass
  2 h 00 m     [1][0] ✓ Rest  1 h 00 m
  2 h 00 m   [1] ✓ Both  1 h 00 m
  2 h 00 m ✓ Each  2 h 00 m
  2 h 00 m ▸ Send  sqs:sendMessage
  2 h 00 m ✗ Send  SQS.SdkClientException: Unable to load AWS credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY to call AWS, or AWS_ …
  2 h 00 m ↻ Send  tried again in 30.00 s
  2 h 00 m ▸ Send  sqs:sendMessage
  2 h 00 m ✗ Send  SQS.SdkClientException: Unable to load AWS credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY to call AWS, or AWS_ …
  2 h 00 m ↷ Send  caught
  2 h 00 m ✓ Enough  Choice
  2 h 00 m ✓ Done  Succeed
SUCCEEDED in 2 h 00 m of virtual time
"
    );
    assert_eq!(text(&output.stdout), "[{\"n\":2},{\"n\":3}]\n");
    assert_eq!(output.status.code(), Some(0));
}

#[test]
fn an_input_comes_from_anywhere_and_the_status_says_how_it_went() {
    let folder = folder("run-input");
    for (arguments, input, status, printed) in [
        (&["pass.json"][..], "", 0, "{}\n"),
        (&["pass.json", "[1, 2]"], "", 0, "[1, 2]\n"),
        (&["pass.json", "@input.yaml"], "", 0, "{\"order\":7}\n"),
        (&["pass.json", "-"], "\"in\"", 0, "\"in\"\n"),
        (
            &["-", "1"],
            r#"{"StartAt": "A", "States": {"A": {"Type": "Fail", "Error": "No"}}}"#,
            1,
            "",
        ),
        (&["pass.json", "{a}"], "", 2, ""),
        (&["pass.json", "@missing.json"], "", 2, ""),
        (&["-", "-"], "", 2, ""),
        (&["missing.json"], "", 2, ""),
        (&["bad.json"], "", 2, ""),
        (&["pass.json", "--config", "missing.toml"], "", 2, ""),
        (&["pass.json", "--name", "no name!"], "", 2, ""),
        (&["pass.json", "--timeout", "soon"], "", 2, ""),
        (&[], "", 2, ""),
    ] {
        let output = run(&folder, arguments, input);
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(status), "{arguments:?}: {said}");
        assert_eq!(text(&output.stdout), printed, "{arguments:?}");
        assert!(!said.is_empty(), "{arguments:?}");
    }
    let refused = text(&run(&folder, &["bad.json"], "").stderr);
    assert!(refused.contains("bad.json:1:43"), "{refused}");
    assert!(refused.contains("It is spelled 'Pass'"), "{refused}");
    let failed = run(
        &folder,
        &["-"],
        r#"{"StartAt": "A", "States": {"A": {"Type": "Fail", "Error": "No", "Cause": "Because"}}}"#,
    );
    let failed = text(&failed.stderr);
    assert!(failed.ends_with(" ms\nNo\nBecause\n"), "{failed}");
}

#[test]
fn a_map_run_and_what_fails_have_one_line_each() {
    let folder = Folder::new("run-distributed");
    let definition = json!({"StartAt": "Spread", "QueryLanguage": "JSONata", "States": {
        "Spread": {
            "Type": "Map",
            "ItemProcessor": {
                "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"},
                "StartAt": "Rest",
                "States": {"Rest": {"Type": "Wait", "Seconds": 5, "End": true}},
            },
            "Next": "None",
        },
        "None": {"Type": "Map", "Items": "{% $states.input.missing %}", "End": true, "ItemProcessor": {
            "StartAt": "Go", "States": {"Go": {"Type": "Pass", "End": true}},
        }},
    }});
    let arguments = ["-", "[1, 2]", "--virtual-time"];
    let output = run(&folder, &arguments, &definition.to_string());
    let said = text(&output.stderr);
    let lines: Vec<&str> = said
        .lines()
        .map(|line| line.get(..44).unwrap_or(line))
        .collect();
    assert_eq!(
        lines[..4],
        [
            "   0.000 s ▸ Spread  a Map Run of 2 items",
            "   5.000 s ✓ Spread  5.00 s",
            "   5.000 s ✗ None  States.QueryEvaluationE",
            "FAILED in 5.00 s of virtual time",
        ],
        "{said}"
    );
}

#[test]
fn a_program_reads_one_document() {
    let folder = folder("run-json");
    let output = run(&folder, &["pass.json", "7", "--json", "--name", "once"], "");
    assert_eq!(text(&output.stderr), "");
    let read: Value = serde_json::from_slice(&output.stdout).expect("it is JSON");
    assert_eq!(read["status"], "SUCCEEDED");
    assert_eq!(read["output"], 7);
    assert_eq!(
        read["executionArn"],
        "arn:aws:states:us-east-1:123456789012:execution:pass:once"
    );
    let types: Vec<&str> = read["events"]
        .as_array()
        .expect("a history")
        .iter()
        .filter_map(|event| event["type"].as_str())
        .collect();
    assert_eq!(
        types,
        [
            "ExecutionStarted",
            "PassStateEntered",
            "PassStateExited",
            "ExecutionSucceeded"
        ]
    );
    let output = run(
        &folder,
        &["waits.asl.json", "--json", "--timeout", "0.1"],
        "",
    );
    assert_eq!(output.status.code(), Some(1));
    let read: Value = serde_json::from_slice(&output.stdout).expect("it is JSON");
    assert_eq!(
        (&read["status"], &read["error"]),
        (&json!("ABORTED"), &json!("States.Timeout"))
    );
}

/// The lines of a running program's standard error, up to one that has `part`.
fn until(child: &mut BufReader<std::process::ChildStderr>, part: &str) -> String {
    let mut line = String::new();
    loop {
        line.clear();
        let read = child
            .read_line(&mut line)
            .expect("the program speaks UTF-8");
        assert!(read > 0, "the program ended without {part:?}");
        if line.contains(part) {
            return line;
        }
    }
}

fn start(folder: &Folder, arguments: &[&str]) -> (Child, BufReader<std::process::ChildStderr>) {
    let mut child = command(folder, arguments)
        .spawn()
        .expect("the program runs");
    let said = child.stderr.take().expect("it was asked for");
    (child, BufReader::new(said))
}

#[test]
fn a_task_that_waits_says_how_to_answer_it() {
    let folder = Folder::new("run-waits");
    let arn = "arn:aws:states:eu-west-1:210987654321:activity:approve";
    let definition = json!({"StartAt": "Ask", "States": {"Ask": {"Type": "Task", "Resource": arn, "End": true}}});
    let file = folder.0.join("ask.json");
    std::fs::write(file, definition.to_string()).expect("a file can be written");
    let (child, mut said) = start(&folder, &["ask.json", "{\"order\": 7}"]);
    let line = until(&mut said, "get-activity-task");
    assert!(line.contains(arn), "{line}");
    let mut words = line.split_whitespace();
    let url = words
        .find(|word| word.starts_with("http://"))
        .expect("it says where");
    let address = url
        .trim_start_matches("http://")
        .parse()
        .expect("an address");
    let mut client = Client::at(address);
    let task = client.must("GetActivityTask", &json!({ "activityArn": arn }));
    assert_eq!(task["input"], "{\"order\": 7}");
    let line = until(&mut said, "send-task-success");
    let token = task["taskToken"].as_str().expect("a token");
    assert!(line.contains(token), "the token is the one: {line}");
    client.must(
        "SendTaskSuccess",
        &json!({ "taskToken": token, "output": "{\"ok\": true}" }),
    );
    let output = end(child, said);
    assert_eq!(output, (Some(0), "{\"ok\": true}\n".to_owned()));
}

#[test]
fn a_signal_stops_the_execution_cleanly() {
    let folder = folder("run-signal");
    let (child, mut said) = start(&folder, &["waits.asl.json"]);
    until(&mut said, "waits 1 d 00 h");
    let id = child.id().to_string();
    let sent = Command::new("kill").args(["-INT", &id]).status();
    assert!(sent.expect("kill runs").success());
    until(&mut said, "ABORTED");
    until(&mut said, "Stopped by a signal");
    assert_eq!(end(child, said), (Some(1), String::new()));
}

/// What an Express execution does is told as a Standard one's is, though nothing of it is stored.
#[test]
fn an_express_execution_passes_by_as_a_standard_one_does() {
    let folder = folder("run-express");
    let nested = ["nested.asl.yaml", "--virtual-time", "--type"];
    // An Express execution has five minutes, and this one rests for an hour.
    let output = run(&folder, &[&nested[..], &["express"]].concat(), "");
    let told = text(&output.stderr);
    let standard = run(&folder, &[&nested[..], &["standard"]].concat(), "");
    let begins: Vec<String> = text(&standard.stderr)
        .lines()
        .take(6)
        .map(str::to_owned)
        .collect();
    let lines: Vec<&str> = told.lines().collect();
    assert_eq!(lines[..6], begins, "{told}");
    assert_eq!(
        lines[lines.len() - 2..],
        ["TIMED_OUT in 5 m 00 s of virtual time", "States.Timeout"],
        "{told}"
    );
    assert_eq!(
        (text(&output.stdout), output.status.code()),
        (String::new(), Some(1))
    );

    let output = run(&folder, &["pass.json", "7", "--type", "express"], "");
    assert!(
        text(&output.stderr).contains("✓"),
        "{}",
        text(&output.stderr)
    );
    assert_eq!(
        (text(&output.stdout), output.status.code()),
        ("7\n".to_owned(), Some(0))
    );

    let json = [
        "pass.json",
        "7",
        "--json",
        "--name",
        "once",
        "--type",
        "express",
    ];
    let output = run(&folder, &json, "");
    let read: Value = serde_json::from_slice(&output.stdout).expect("it is JSON");
    let arn = read["executionArn"].as_str().expect("an ARN");
    assert!(
        arn.starts_with("arn:aws:states:us-east-1:123456789012:express:pass:once:"),
        "{arn}"
    );
    assert_eq!(
        (&read["status"], &read["output"]),
        (&json!("SUCCEEDED"), &json!(7))
    );
    assert_eq!(read["events"].as_array().map(Vec::len), Some(4));
    assert_eq!(read["events"][3]["type"], "ExecutionSucceeded");
    assert_eq!(text(&output.stderr), "");
}

/// One that never ends is ended by its time, its history kept no longer than a stored one can be; a definition
/// that no Express state machine can have is refused as one.
#[test]
fn an_express_execution_has_its_own_limits() {
    let folder = folder("run-express-limits");
    let looping = r#"{"StartAt": "Again", "States": {
        "Again": {"Type": "Pass", "Next": "Enough"},
        "Enough": {"Type": "Choice", "Default": "Again", "Choices": [{"Variable": "$.enough", "IsPresent": true, "Next": "Done"}]},
        "Done": {"Type": "Succeed"}}}"#;
    std::fs::write(folder.0.join("loop.json"), looping).expect("a file");
    let output = run(
        &folder,
        &["loop.json", "--type", "express", "--json", "--timeout", "2"],
        "",
    );
    assert_eq!(output.status.code(), Some(1));
    let read: Value = serde_json::from_slice(&output.stdout).expect("it is JSON");
    assert_eq!(
        (&read["status"], &read["error"]),
        (&json!("ABORTED"), &json!("States.Timeout"))
    );
    // A slow machine does not come that far; no machine keeps more.
    let kept = read["events"].as_array().map_or(0, Vec::len);
    match read["eventsLeftOut"].as_u64() {
        Some(more) => assert!(kept == 25_000 && more > 0, "{kept} {more}"),
        None => assert!(kept <= 25_000, "{kept}"),
    }

    let token = r#"{"StartAt": "T", "States": {"T": {"Type": "Task", "End": true,
        "Resource": "arn:aws:states:::sqs:sendMessage.waitForTaskToken",
        "Parameters": {"QueueUrl": "q", "MessageBody": "b"}}}}"#;
    std::fs::write(folder.0.join("token.json"), token).expect("a file");
    let output = run(&folder, &["token.json", "--type", "express"], "");
    assert_eq!(output.status.code(), Some(2));
    assert!(
        text(&output.stderr).contains("/Resource") || text(&output.stderr).contains("Resource"),
        "{}",
        text(&output.stderr)
    );
}

/// The end of a program, with what it printed.
fn end(mut child: Child, mut said: BufReader<std::process::ChildStderr>) -> (Option<i32>, String) {
    let mut rest = String::new();
    said.read_to_string(&mut rest)
        .expect("the program speaks UTF-8");
    let output = child.stdout.take().expect("it was asked for");
    let printed = std::io::read_to_string(output).expect("the program speaks UTF-8");
    let status = child.wait().expect("the program ends");
    (status.code(), printed)
}

/// The flag, either variable, and the file that lies there.
#[test]
fn a_test_case_answers_for_services_wherever_its_file_is_named() {
    let folder = Folder::new("run-mocks");
    let write = |name: &str, content: Value| {
        std::fs::write(folder.0.join(name), content.to_string()).expect("it can be written");
    };
    write(
        "Publish.asl.json",
        json!({ "StartAt": "S", "States": { "S": {
            "Type": "Task", "Resource": "arn:aws:states:::sns:publish", "Parameters": { "Message": "m" },
            "Retry": [{ "ErrorEquals": ["E"], "IntervalSeconds": 3600 }], "End": true,
        } } }),
    );
    let mocks = |id: &str| {
        json!({
            "StateMachines": { "Publish": { "TestCases": { "Late": { "S": "R" } } } },
            "MockedResponses": { "R": {
                "0": { "Throw": { "Error": "E", "Cause": "c" } },
                "1": { "Return": { "MessageId": id } },
            } },
        })
    };
    for name in ["flag", "sfn", "localstack", "MockConfigFile"] {
        write(&format!("{name}.json"), mocks(name));
    }
    write("wrong.json", json!({ "StateMachines": {} }));
    let arguments = ["Publish.asl.json", "--test-case", "Late", "--virtual-time"];
    let play = |more: &[&str], variables: &[(&str, &str)]| {
        let mut command = command(&folder, &[&arguments[..], more].concat());
        command
            .env_remove("SFN_MOCK_CONFIG")
            .env_remove("LOCALSTACK_SFN_MOCK_CONFIG")
            .envs(variables.iter().copied())
            .stdin(Stdio::null());
        command.output().expect("the program ends")
    };
    let sfn = ("SFN_MOCK_CONFIG", "sfn.json");
    let localstack = ("LOCALSTACK_SFN_MOCK_CONFIG", "localstack.json");
    for (more, variables, id) in [
        (&["--mock-config", "flag.json"][..], &[sfn][..], "flag"),
        (&[], &[sfn, localstack], "sfn"),
        (&[], &[localstack], "localstack"),
        (&[], &[], "MockConfigFile"),
    ] {
        let output = play(more, variables);
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{id}: {told}");
        let said: Value = serde_json::from_slice(&output.stdout).expect("JSON");
        assert_eq!(said, json!({ "MessageId": id }));
    }

    for (more, told) in [
        (
            ["--mock-config", "wrong.json"],
            "the mock configuration wrong.json is not right: at /, 'MockedResponses' is missing; there are StateMachines",
        ),
        (
            ["--mock-config", "none.json"],
            "the mock configuration none.json can't be read: ",
        ),
        (
            ["--state-machine", "Other"],
            "the state machine Other has no test case 'Late': MockConfigFile.json does not name it; it names Publish",
        ),
    ] {
        let output = play(&more, &[]);
        let message = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{message}");
        assert!(message.contains(told), "{message}");
    }
}
