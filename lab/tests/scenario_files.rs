//! Scenario files: what they can say, and what is said of those that are not right.

#![allow(clippy::unwrap_used)]

mod written;

use std::path::Path;
use std::sync::Arc;

use lab::coverage::Coverage;
use lab::report::junit::{self, reasons};
use lab::report::story::story;
use lab::scenario::{self, Case, File, play};
use written::{Written, configured};

fn file(name: &str) -> File {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/files");
    scenario::read(&folder.join(name), &configured, source::report::plain)
}

fn cases(name: &str) -> Vec<Arc<Case>> {
    let file = file(name);
    assert_eq!(file.faults, None);
    file.cases.into_iter().map(Arc::new).collect()
}

#[test]
fn everything_in_the_files_comes_as_it_says() {
    for (name, count) in [
        ("approval.test.md", 6),
        ("lambda-sqs.test.yaml", 3),
        ("template.test.yaml", 2),
    ] {
        let cases = cases(name);
        assert_eq!(cases.len(), count, "{name}");
        for case in &cases {
            let outcome = play(case);
            let story = outcome.seen.as_ref().map(story);
            assert!(
                outcome.passed(),
                "{case:?}: {:#?}\n{story:#?}",
                reasons(&outcome)
            );
        }
    }
}

#[test]
fn all_that_was_read_is_known_for_whoever_watches() {
    let file = file("template.test.yaml");
    let names: Vec<&str> = file
        .files
        .iter()
        .map(|file| file.file_name().unwrap().to_str().unwrap())
        .collect();
    assert_eq!(
        names,
        ["outer.asl.json", "template.test.yaml", "template.yaml"]
    );
}

#[test]
fn coverage_says_what_was_never_reached() {
    let cases = cases("approval.test.md");
    let mut coverage = Coverage::of(cases[0].definition.machine.clone());
    for case in &cases[..1] {
        coverage.add(&play(case).seen.unwrap());
    }
    let counts: Vec<_> = coverage
        .counts()
        .iter()
        .map(|c| (c.of, c.reached, c.all))
        .collect();
    assert_eq!(
        counts,
        [
            ("states", 3, 4),
            ("ways", 2, 3),
            ("retriers", 0, 1),
            ("catchers", 0, 1)
        ]
    );
    assert_eq!(
        coverage.missed(),
        [
            "Ask Retry[0] (Busy)",
            "Ask Catch[0] (States.Timeout)",
            "way Approved? -> Given up",
            "state Given up",
        ]
    );
    for case in &cases[1..] {
        coverage.add(&play(case).seen.unwrap());
    }
    assert_eq!(coverage.missed(), Vec::<String>::new());
    let svg = coverage.svg("Approval");
    assert!(svg.starts_with("<svg ") && svg.contains("Given up"));
}

const ASKS: &str = r#"
definition:
  StartAt: Ask
  States:
    Ask: {Type: Task, Resource: "arn:aws:states:::lambda:invoke.waitForTaskToken", Parameters: {FunctionName: f, Payload: {"t.$": $$.Task.Token}}, Next: Tell}
    Tell: {Type: Task, Resource: "arn:aws:states:::lambda:invoke", Parameters: {FunctionName: g}, End: true}
config: rejoin.toml
"#;

#[test]
fn a_typo_names_its_place_and_the_nearest_word() {
    for (line, place, message, hint) in [
        (
            "expct: {status: FAILED}",
            ":8:1 ",
            "`expct` is not known here",
            "Did you mean `expect`?",
        ),
        (
            "expect: {status: FAILD}",
            ":8:18 ",
            "there is no status `FAILD`",
            "Did you mean `FAILED`?",
        ),
        (
            "expect: {passes: [Akk]}",
            ":8:19 ",
            "there is no state `Akk`",
            "Did you mean `Ask`?",
        ),
        (
            "expect: {callbacks: [deliverd]}",
            ":8:22 ",
            "there is no disposition `deliverd`",
            "Did you mean `delivered`?",
        ),
        (
            "expect: {alerts: [{topic: Erors}]}",
            ":8:27 ",
            "there is no topic `Erors`",
            "Did you mean `Errors`?",
        ),
        (
            "expect: {calls: [{stat: Ask}]}",
            ":8:19 ",
            "`stat` is not known here",
            "Did you mean `state`?",
        ),
        (
            "expect: {retries: {Aks: 1}}",
            ":8:20 ",
            "there is no state `Aks`",
            "Did you mean `Ask`?",
        ),
        (
            "expect: {cause: /(/}",
            ":8:17 ",
            "the regular expression is not right: unclosed group",
            "",
        ),
        (
            "expect: {ended: soon}",
            ":8:17 ",
            "it is no time after the start",
            "6s",
        ),
        (
            "tasks: {Aks: never}",
            ":8:9 ",
            "there is no Task state `Aks`",
            "Did you mean `Ask`?",
        ),
        (
            "tasks: {Ask: nevr}",
            ":8:14 ",
            "there is no answer `nevr`",
            "Did you mean `never`?",
        ),
        (
            "tasks: {Ask: {return: 1}}",
            ":8:15 ",
            "`return` is not known here",
            "Did you mean `returns`?",
        ),
        (
            "tasks: {Ask: {returns: {}, throws: X}}",
            ":8:28 ",
            "an attempt has one answer",
            "A list",
        ),
        (
            "tasks: {Ask: {registers: {route: valuatoin, reference: r}}}",
            ":8:34 ",
            "there is no route `valuatoin`",
            "Did you mean `valuation`?",
        ),
        (
            "tasks: {Ask: {registers: {reference: r}}}",
            ":8:15 ",
            "a `route` is missing",
            "There are: valuation, payment.",
        ),
        (
            "tasks: {Ask: {returns: '{% $task. %}'}}",
            ":8:24 ",
            "the expression is not right",
            "",
        ),
        (
            "tasks: {Tell: {returns: {StatusCode: ok}}}",
            ":8:",
            "Field 'StatusCode' must be a number",
            "What the function returns is the `Payload` in it.",
        ),
        (
            "script: [{6s: hartbeat}]",
            ":8:15 ",
            "there is no act `hartbeat`",
            "Did you mean `heartbeat`?",
        ),
        (
            "script: [{6 seconds: heartbeat}]",
            ":8:11 ",
            "`6 seconds` is no time",
            "6s",
        ),
        (
            "script: [{6s: {callback: {route: payment, bdy: {}}}}]",
            ":8:43 ",
            "`bdy` is not known here",
            "Did you mean `body`?",
        ),
        (
            "script: [{6s: {succeed: {}, of: Aks}}]",
            ":8:33 ",
            "there is no Task state `Aks`",
            "Did you mean `Ask`?",
        ),
        ("until: [1]", ":8:1 ", "it is no length of time", "6s"),
        (
            "mock: {file: none.json, case: a}",
            ":8:14 ",
            "none.json can't be read",
            "",
        ),
        (
            "input: '@none.json'",
            ":8:8 ",
            "none.json can't be read",
            "",
        ),
        (
            "machines: {Other: none.asl.json}",
            ":8:19 ",
            "none.asl.json can't be read",
            "",
        ),
    ] {
        let text = format!("{ASKS}{line}\n");
        let faults = Written::of(&text).read().faults.expect(line);
        for expected in [place, message, hint] {
            assert!(faults.contains(expected), "{line}: {expected}\n{faults}");
        }
        let said = faults.lines().filter(|line| line.starts_with("error:"));
        assert_eq!(said.count(), 1, "{line}\n{faults}");
    }
}

#[test]
fn all_faults_are_said_at_once_and_each_once() {
    let text = format!(
        "{ASKS}tasks: {{Aks: never}}\ncases:\n  - {{name: a, until: soon}}\n  - {{name: b, expect: {{states: [Telll]}}}}\n"
    );
    let faults = Written::of(&text).read().faults.unwrap();
    assert_eq!(faults.matches("error:").count(), 3, "{faults}");
    let at = |what: &str| faults.find(what).unwrap();
    assert!(at("`Aks`") < at("length of time") && at("length of time") < at("`Telll`"));
}

#[test]
fn what_only_aws_or_a_stranger_could_answer_is_said_to_be_missing() {
    let text = r#"
definition:
  QueryLanguage: JSONata
  StartAt: Ask
  States:
    Ask: {Type: Choice, Choices: [{Condition: "{% $states.input = 'http' %}", Next: Call}], Default: Queue}
    Call: {Type: Task, Resource: "arn:aws:states:::http:invoke", Arguments: {ApiEndpoint: "https://bank.example.com/pay", Method: POST, Authentication: {ConnectionArn: c}}, Catch: [{ErrorEquals: [States.ALL], Next: Sorry}], End: true}
    Queue: {Type: Task, Resource: "arn:aws:states:::sqs:sendMessage", Arguments: {QueueUrl: q, MessageBody: hello}, Catch: [{ErrorEquals: [States.ALL], Next: Sorry}], End: true}
    Sorry: {Type: Fail, Error: Sorry}
cases:
  - {name: a stranger, input: http, expect: {error: States.Runtime}}
  - {name: aws, input: sqs, expect: {error: States.Runtime}}
  - {name: answered, input: sqs, tasks: {Queue: {throws: SQS.SdkClientException}}, expect: {error: Sorry}}
"#;
    let read = Written::of(text).read();
    assert_eq!(read.faults, None);
    let outcomes: Vec<_> = read
        .cases
        .into_iter()
        .map(Arc::new)
        .map(|case| play(&case))
        .collect();
    assert_eq!(
        reasons(&outcomes[0]),
        [
            "Call asks https://bank.example.com/pay, and nothing answers: say under `tasks` what does, or that it is `real`"
        ]
    );
    assert_eq!(
        reasons(&outcomes[1]),
        [
            "Queue asks sqs:sendMessage, and nothing answers: say under `tasks` what does, or configure it (`config`)"
        ]
    );
    assert!(outcomes[2].passed(), "{:?}", reasons(&outcomes[2]));
}

#[test]
fn what_nobody_answers_is_said_and_what_never_ends_says_what_it_waits_for() {
    let text = format!(
        "{ASKS}cases:\n  - name: nobody\n    expect: {{error: States.Runtime}}\n  - name: hangs\n    tasks: {{Ask: {{returns: {{}}}}}}\n  - name: known\n    tasks: {{Ask: never}}\n    expect: {{waits: /in Ask/}}\n"
    );
    let read = Written::of(&text).read();
    assert_eq!(read.faults, None);
    let cases: Vec<Arc<Case>> = read.cases.into_iter().map(Arc::new).collect();
    let outcomes: Vec<_> = cases.iter().map(play).collect();
    assert_eq!(
        reasons(&outcomes[0]),
        [
            "Ask asks the function f, and nothing answers: say under `tasks` what does, or configure it (`config`)"
        ]
    );
    assert_eq!(
        reasons(&outcomes[1]),
        [
            "status: expected SUCCEEDED, got RUNNING: it never ends, the execution waits in Ask for its callback, no deadline"
        ]
    );
    assert!(outcomes[2].passed(), "{:?}", reasons(&outcomes[2]));
    let played = cases.iter().map(|case| &**case).zip(&outcomes);
    let xml = junit::document(played, std::iter::empty());
    assert!(xml.contains("tests=\"3\" failures=\"2\""), "{xml}");
    assert!(
        xml.contains(
            "<failure type=\"expectation\" message=\"status: expected SUCCEEDED, got RUNNING"
        ),
        "{xml}"
    );
    assert!(xml.contains("nothing more will happen"), "{xml}");
}

/// The children of a distributed Map are executions of their own, and their states the machine's.
#[test]
fn states_in_a_distributed_map_are_passed_and_covered() {
    let text = r#"
definition:
  StartAt: Each
  States:
    Each:
      Type: Map
      ItemsPath: $.items
      ItemProcessor:
        ProcessorConfig: {Mode: DISTRIBUTED, ExecutionType: STANDARD}
        StartAt: Look
        States:
          Look: {Type: Pass, Next: Ask}
          Ask: {Type: Task, Resource: "arn:aws:states:::lambda:invoke", Parameters: {FunctionName: f}, Retry: [{ErrorEquals: [Busy], MaxAttempts: 1}], End: true}
      Next: Done
    Done: {Type: Succeed}
input: {items: [1, 2]}
tasks: {Ask: [{throws: Busy}, {returns: {StatusCode: 200}}]}
expect:
  states: [Each, Look, Ask, Look, Ask, Done]
  passes: [Each, Ask, Done]
  retries: {Ask: 2}
  calls: [Ask, Ask, Ask, Ask]
"#;
    let mut read = Written::of(text).read();
    assert_eq!(read.faults, None);
    let case = Arc::new(read.cases.remove(0));
    let outcome = play(&case);
    assert!(outcome.passed(), "{:?}", reasons(&outcome));
    let seen = outcome.seen.unwrap();
    let mut coverage = Coverage::of(case.definition.machine.clone());
    coverage.add(&seen);
    assert_eq!(coverage.missed(), Vec::<String>::new());
    assert_eq!(coverage.json()["executions"], 1);
    let told = story(&seen).join("\n");
    assert!(told.contains("child 2: Ask is tried again in 1s"), "{told}");
}
