//! `rejoin graph` as a shell sees it: a file's picture, and an execution's, asked from a server.

mod support;

use std::process::{Command, Output};

use serde_json::json;
use support::{Folder, Server};

fn graph(folder: &Folder, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_rejoin"))
        .arg("graph")
        .args(arguments)
        .current_dir(&folder.0)
        .output()
        .expect("the program runs")
}

fn drawn(output: &Output) -> String {
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{error}");
    String::from_utf8(output.stdout.clone()).expect("a picture is UTF-8")
}

#[test]
fn a_file_is_drawn_and_one_with_faults_is_told_of() {
    let folder = Folder::new("graph-file");
    let file = |name: &str| folder.0.join(name);
    let good = "StartAt: A\nStates: {A: {Type: Wait, Seconds: 60, Next: B}, B: {Type: Succeed}}\n";
    std::fs::write(file("good.yaml"), good).expect("it is written");
    std::fs::write(file("bad.json"), r#"{"StartAt": "A", "States": {}}"#).expect("it is written");
    let svg = drawn(&graph(&folder, &["good.yaml"]));
    assert!(svg.contains("<title>good.yaml</title>") && svg.contains("Wait · 1 min"));
    assert!(svg.contains("prefers-color-scheme"));
    let more = ["good.yaml", "--theme", "dark", "--output", "good.svg"];
    assert_eq!(drawn(&graph(&folder, &more)), "");
    let svg = std::fs::read_to_string(file("good.svg")).expect("it is there");
    assert!(svg.contains("Wait · 1 min") && !svg.contains("prefers-color-scheme"));
    let refused = graph(&folder, &["bad.json"]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(refused.stdout.is_empty());
    let why = String::from_utf8_lossy(&refused.stderr);
    assert!(
        why.contains("bad.json is not drawn, because of the"),
        "{why}"
    );
}

#[test]
fn an_execution_is_drawn_as_far_as_it_has_come() {
    let folder = Folder::new("graph-execution");
    let server = Server::start(&folder.0.join("data"), &[]);
    let mut client = server.client();
    let activity = client.must("CreateActivity", &json!({"name": "ask"}));
    let activity = activity["activityArn"].as_str().expect("it has an ARN");
    let definition = json!({"Comment": "Asks", "StartAt": "Ask", "States": {
        "Ask": {"Type": "Task", "Resource": activity, "TimeoutSeconds": 600, "End": true,
            "Parameters": {"execution.$": "$$.Execution.Id"},
            "Catch": [{"ErrorEquals": ["No"], "Next": "Refused"}]},
        "Refused": {"Type": "Fail", "Error": "Refused"}
    }});
    let made = client.must(
        "CreateStateMachine",
        &json!({"name": "asks", "definition": definition.to_string(), "roleArn": "arn:aws:iam::123456789012:role/test"}),
    );
    let started = client.must(
        "StartExecution",
        &json!({"stateMachineArn": made["stateMachineArn"]}),
    );
    let arn = started["executionArn"].as_str().expect("it has an ARN");
    let url = format!("http://{}", server.address);
    let picture = || drawn(&graph(&folder, &["--execution", arn, "--url", &url]));

    let svg = picture();
    assert!(svg.contains("<title>Asks</title>") && svg.contains("▶ running"));
    assert_eq!(svg.matches(">not reached<").count(), 1);

    let task = client.fetch(activity).expect("the server answers");
    let (token, _) = task.expect("a task waits");
    client.must(
        "SendTaskFailure",
        &json!({"taskToken": token, "error": "No"}),
    );
    let svg = picture();
    for words in ["⚠ failed, caught", "✗ failed", r#"<g class="catch taken""#] {
        assert!(svg.contains(words), "{words}: {svg}");
    }

    let name = arn.rsplit(':').next().expect("it has a name");
    let by_name = graph(&folder, &["--execution", name, "--url", &url]);
    assert_eq!(drawn(&by_name), svg);

    let none = graph(
        &folder,
        &["--execution", &format!("{arn}-none"), "--url", &url],
    );
    assert_eq!(none.status.code(), Some(1));
    let why = String::from_utf8_lossy(&none.stderr);
    assert!(
        why.contains("DescribeStateMachineForExecution: Execution Does Not Exist"),
        "{why}"
    );
}
