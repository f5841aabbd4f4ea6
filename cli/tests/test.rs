//! `rejoin test` as a shell and a build server see it: what is printed where, the exit status, the files.

mod support;

use std::io::{BufRead, BufReader};
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use support::Folder;

const DEFINITION: &str = r#"{"StartAt": "Ask", "States": {
  "Ask": {"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke", "Parameters": {"FunctionName": "f"}, "Next": "Done"},
  "Done": {"Type": "Succeed"}}}"#;

const GOOD: &str = "\
definition: ask.asl.json
tasks: {Ask: {returns: {StatusCode: 200}}}
cases:
  - name: well
  - name: also well
    expect: {states: [Ask, Done]}
";

/// The second case fails, and its name is one that XML and shells have trouble with.
const BAD: &str = "\
definition: ask.asl.json
cases:
  - name: well
    tasks: {Ask: {returns: {StatusCode: 200}}}
  - name: \"<bad> & \\\"quoted\\\" \\u0007\"
    tasks: {Ask: {throws: {error: Broken, cause: \"]]> & more\"}}}
";

const WRONG: &str = "definition: ask.asl.json\nexpct: {}\nuntil: soon\n";

fn folder(name: &str) -> Folder {
    let folder = Folder::new(&format!("test-{name}"));
    for (file, text) in [
        ("ask.asl.json", DEFINITION),
        ("good.yaml", GOOD),
        ("bad.yaml", BAD),
        ("wrong.yaml", WRONG),
    ] {
        std::fs::write(folder.0.join(file), text).expect("the file can be written");
    }
    folder
}

fn command(folder: &Folder, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rejoin"));
    command
        .arg("test")
        .args(arguments)
        .current_dir(&folder.0)
        .stdin(Stdio::null());
    command
}

fn test(folder: &Folder, arguments: &[&str]) -> (i32, String, String) {
    let output = command(folder, arguments).output();
    let Output {
        status,
        stdout,
        stderr,
    } = output.expect("the program runs");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("it writes UTF-8");
    let status = status.code().expect("it ended by itself");
    (status, text(stdout), text(stderr))
}

#[test]
fn the_status_says_whether_all_passed_some_failed_or_a_file_is_not_right() {
    let folder = folder("status");
    for (arguments, status, said, complained) in [
        (&["good.yaml"][..], 0, "\n2 cases passed in ", ""),
        (
            &["good.yaml", "bad.yaml"],
            1,
            "\n1 of 4 cases failed in ",
            "",
        ),
        (
            &["bad.yaml", "--filter", "WELL"],
            0,
            "\n1 case passed in ",
            "",
        ),
        (
            &["good.yaml", "--filter", "nobody"],
            2,
            "",
            "rejoin: no case has this text",
        ),
        (
            &["good.yaml", "wrong.yaml"],
            2,
            "",
            "error: `expct` is not known here\n --> wrong.yaml:2:1",
        ),
        (
            &["good.yaml", "gone.yaml"],
            2,
            "",
            "gone.yaml can't be read",
        ),
        (
            &["good.yaml", "--junit", "no/such/folder.xml"],
            2,
            "",
            "no/such/folder.xml can't be written",
        ),
        (
            &["good.yaml", "--list"],
            0,
            "good.yaml  well\ngood.yaml  also well\n",
            "",
        ),
        (&["good.yaml", "--timeout", "never"], 2, "", "write seconds"),
    ] {
        let (got, stdout, stderr) = test(&folder, arguments);
        assert_eq!(got, status, "{arguments:?}\n{stdout}\n{stderr}");
        assert!(stdout.contains(said), "{arguments:?}\n{stdout}");
        assert!(stderr.contains(complained), "{arguments:?}\n{stderr}");
        // No colours where there is no terminal.
        assert!(
            !stdout.contains('\u{1b}') && !stderr.contains('\u{1b}'),
            "{arguments:?}"
        );
        if complained.is_empty() {
            assert_eq!(stderr, "", "{arguments:?}");
        }
    }
}

/// Two faults of a file are two complaints.
#[test]
fn all_that_is_wrong_with_files_is_said_at_once() {
    let folder = folder("faults");
    let (status, stdout, stderr) = test(&folder, &["wrong.yaml", "gone.yaml", "good.yaml"]);
    assert_eq!(status, 2);
    // What is right is played all the same.
    assert!(
        stdout.contains("good.yaml") && stdout.contains("cases passed"),
        "{stdout}"
    );
    let at = |what: &str| {
        stderr
            .find(what)
            .unwrap_or_else(|| panic!("{what}: {stderr}"))
    };
    assert!(at("wrong.yaml:2:1") < at("wrong.yaml:3:8"));
    assert!(at("wrong.yaml:3:8") < at("gone.yaml can't be read"));
}

#[test]
fn json_is_one_document_of_one_shape_whatever_comes() {
    let folder = folder("json");
    for (files, counts) in [
        (&["good.yaml", "bad.yaml"][..], (3, 1, 4, 0)),
        (&["wrong.yaml", "good.yaml"], (2, 0, 2, 2)),
        (&["good.yaml", "--filter", "nobody"], (0, 0, 0, 0)),
    ] {
        let (_, stdout, _) = test(&folder, &[files, &["--json"]].concat());
        let document: Value = serde_json::from_str(&stdout).expect("it is JSON");
        let number = |name: &str| document[name].as_u64().expect("a number");
        let list = |name: &str| document[name].as_array().expect("a list").len();
        let got = (
            number("passed"),
            number("failed"),
            list("cases"),
            list("faults"),
        );
        assert_eq!(got, counts, "{files:?}");
        number("milliseconds");
        list("coverage");
        for case in document["cases"].as_array().into_iter().flatten() {
            let mut names: Vec<&str> = case
                .as_object()
                .expect("an object")
                .keys()
                .map(String::as_str)
                .collect();
            names.sort_unstable();
            assert_eq!(
                names,
                [
                    "came",
                    "file",
                    "mismatches",
                    "name",
                    "passed",
                    "realMilliseconds",
                    "troubles",
                    "virtualMilliseconds"
                ]
            );
        }
    }
    let (_, stdout, _) = test(&folder, &["bad.yaml", "--json"]);
    let document: Value = serde_json::from_str(&stdout).expect("it is JSON");
    let bad = &document["cases"][1];
    assert_eq!(bad["came"]["cause"], "]]> & more");
    assert_eq!(bad["mismatches"][0]["at"], "status");
    let (_, stdout, _) = test(&folder, &["wrong.yaml", "--json"]);
    let document: Value = serde_json::from_str(&stdout).expect("it is JSON");
    let fault = &document["faults"][0];
    assert_eq!(
        (&fault["file"], &fault["line"], &fault["column"]),
        (&"wrong.yaml".into(), &2.into(), &1.into())
    );
    assert!(fault["message"].is_string(), "{fault}");
    let (_, stdout, _) = test(&folder, &["good.yaml", "--json", "--list"]);
    let listed: Value = serde_json::from_str(&stdout).expect("it is JSON");
    assert_eq!(listed[1]["name"], "also well");
}

#[test]
fn junit_has_a_suite_for_each_file_also_for_one_that_is_not_right() {
    let folder = folder("junit");
    let read = || std::fs::read_to_string(folder.0.join("out.xml")).expect("it was written");
    let (status, ..) = test(&folder, &["good.yaml", "bad.yaml", "--junit", "out.xml"]);
    assert_eq!(status, 1);
    let xml = read();
    let suites: Vec<&str> = xml
        .lines()
        .filter(|line| line.contains("<testsuite "))
        .collect();
    assert_eq!(suites.len(), 2, "{xml}");
    assert!(
        suites[0].contains("name=\"good.yaml\" tests=\"2\" failures=\"0\" errors=\"0\""),
        "{xml}"
    );
    assert!(
        suites[1].contains("name=\"bad.yaml\" tests=\"2\" failures=\"1\" errors=\"0\""),
        "{xml}"
    );
    // The bell is no character of XML.
    assert!(
        xml.contains("name=\"&lt;bad&gt; &amp; &quot;quoted&quot; \" time=\"0."),
        "{xml}"
    );
    assert!(
        xml.contains(
            "message=\"status: expected SUCCEEDED, got FAILED Broken: ]]&gt; &amp; more\""
        ),
        "{xml}"
    );
    let (status, ..) = test(&folder, &["good.yaml", "wrong.yaml", "--junit", "out.xml"]);
    assert_eq!(status, 2);
    let xml = read();
    assert!(
        xml.contains("name=\"wrong.yaml\" tests=\"1\" failures=\"0\" errors=\"1\""),
        "{xml}"
    );
    assert!(xml.contains("`expct` is not known here"), "{xml}");
}

/// `rejoin test | head -1`, and nobody reads its complaints.
#[test]
fn whoever_stops_listening_is_no_fault() {
    let folder = folder("pipe");
    for arguments in [
        &["bad.yaml", "--verbose"][..],
        &["bad.yaml", "--json"],
        &["bad.yaml", "--list"],
        &["bad.yaml", "--coverage"],
        &["wrong.yaml"],
    ] {
        let mut child = command(&folder, arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program runs");
        drop((child.stdout.take(), child.stderr.take()));
        let status = child.wait().expect("the program ends");
        let expected = match arguments {
            ["wrong.yaml"] => 2,
            [_, "--list"] => 0,
            _ => 1,
        };
        assert_eq!(status.code(), Some(expected), "{arguments:?}");
    }
}

/// The definition, a scenario that was not right, one that was: each change is heard of, none is missed.
#[test]
fn a_change_of_any_file_runs_the_cases_again() {
    let folder = folder("watch");
    let mut child = command(&folder, &["wrong.yaml", "--watch"])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("the program runs");
    let output = child.stdout.take().expect("it was asked for");
    let mut lines = BufReader::new(output).lines();
    let mut until_it_waits = || -> Vec<String> {
        let mut said = Vec::new();
        for line in lines.by_ref() {
            let line = line.expect("it writes UTF-8");
            if line.starts_with("waiting for a file to change") {
                return said;
            }
            said.push(line);
        }
        panic!("it ended: {said:?}");
    };
    let ends = |said: &[String], with: &str| {
        let found = said.iter().any(|line| line.starts_with(with));
        assert!(found, "{with}: {said:?}");
    };
    // At once, or the program may read half of it.
    let write = |file: &str, text: &str| {
        let draft = folder.0.join("draft");
        std::fs::write(&draft, text).expect("the file can be written");
        std::fs::rename(draft, folder.0.join(file)).expect("the file can be replaced");
    };
    assert_eq!(until_it_waits(), [""]);
    write("wrong.yaml", GOOD);
    ends(&until_it_waits(), "2 cases passed in ");
    write("ask.asl.json", &DEFINITION.replace("Done", "Finished"));
    // `Done` is no state any more, so the file is not right.
    assert_eq!(until_it_waits(), ["", ""]);
    write("wrong.yaml", &GOOD.replace("Done", "Finished"));
    ends(&until_it_waits(), "2 cases passed in ");
    write("wrong.yaml", BAD);
    ends(&until_it_waits(), "1 of 2 cases failed in ");
    child.kill().expect("the program can be killed");
    child.wait().expect("the program's end can be seen");
}

/// With nothing to break, with a case that fails already, and with a case that notices nothing.
#[test]
fn a_definition_is_broken_and_who_notices_is_said() {
    let folder = folder("break");
    let (status, _, stderr) = test(&folder, &["good.yaml", "--break"]);
    assert_eq!(status, 2, "{stderr}");
    assert!(stderr.contains("there is nothing to break"), "{stderr}");
    let (status, _, stderr) = test(&folder, &["bad.yaml", "--break"]);
    assert_eq!(status, 2, "{stderr}");
    assert!(stderr.contains("fail with nothing broken"), "{stderr}");

    let retries = DEFINITION.replace(
        r#""Next": "Done""#,
        r#""TimeoutSeconds": 9, "Retry": [{"ErrorEquals": ["Busy"]}], "Next": "Done""#,
    );
    std::fs::write(folder.0.join("ask.asl.json"), retries).expect("the file can be written");
    let file = "\
definition: ask.asl.json
cases:
  - name: busy at first
    tasks: {Ask: [{throws: Busy}, {returns: {StatusCode: 200}}]}
";
    std::fs::write(folder.0.join("busy.yaml"), file).expect("the file can be written");
    let (status, stdout, stderr) = test(&folder, &["busy.yaml", "--break"]);
    assert_eq!(status, 1, "{stdout}{stderr}");
    for said in [
        "✓ Ask: no Retry of Busy\n    test     busy at first: status: expected SUCCEEDED, got FAILED",
        "✗ Ask: no TimeoutSeconds\n    test     no case notices\n    explore  ",
        "1 of 2 ways to break it are noticed by no case",
    ] {
        assert!(stdout.contains(said), "{said}: {stdout}");
    }
    let (status, stdout, _) = test(&folder, &["busy.yaml", "--break", "--json"]);
    assert_eq!(status, 1);
    let document: Value = serde_json::from_str(&stdout).expect("it is JSON");
    assert_eq!(document["noticed"], 1, "{document:#}");
    assert_eq!(document["unseen"], 1, "{document:#}");
    assert_eq!(document["breakages"][0]["what"], "Ask: no TimeoutSeconds");
    assert_eq!(document["breakages"][1]["case"], "busy at first");
}
