//! Every mistake that people make in a scenario file is said where it stands, with what to do.

#![allow(clippy::unwrap_used)]

mod written;

use std::sync::Arc;
use std::time::Duration;

use lab::report::junit::reasons;
use lab::scenario::play;
use written::Written;

const PAYS: &str = r#"
definition:
  StartAt: Reserve
  States:
    Reserve: {Type: Task, Resource: "arn:aws:states:::lambda:invoke", Parameters: {FunctionName: f}, Retry: [{ErrorEquals: [Busy], MaxAttempts: 1}], Next: Pay}
    Pay: {Type: Task, Resource: "arn:aws:states:::lambda:invoke.waitForTaskToken", Parameters: {FunctionName: g, Payload: {"t.$": $$.Task.Token}}, End: true}
tasks:
  Reserve: {returns: {StatusCode: 200}}
  Pay: {returns: {}, then: [{5m: {succeed: {paid: true}}}]}
"#;

/// What is said of a file: place and message of each fault, then its hint.
fn said(text: &str) -> Vec<String> {
    let faults = Written::of(text).read().faults.unwrap_or_default();
    let mut said: Vec<String> = Vec::new();
    for line in faults.lines() {
        if let Some(message) = line.strip_prefix("error") {
            let message = message
                .split_once(' ')
                .map_or(message, |(_, message)| message);
            said.push(message.to_owned());
        } else if let Some((_, place)) = line.split_once("--> ") {
            let place = place.split("  ").next().unwrap_or_default();
            let mut numbers = place.rsplitn(3, ':');
            let (column, line) = (numbers.next(), numbers.next());
            let last = said.last_mut().unwrap();
            *last = match (line, column) {
                (Some(line), Some(column)) => format!("{line}:{column} {last}"),
                _ => format!("- {last}"),
            };
        } else if let Some((_, hint)) = line.split_once(" = ") {
            let last = said.last_mut().unwrap();
            *last = format!("{last} = {hint}");
        }
    }
    said
}

#[test]
fn what_is_no_scenario_file_says_what_it_is() {
    for (text, expected) in [
        ("", "- the file is empty"),
        ("# later\n", "2:1 there are comments here and nothing else"),
        (
            "- a\n",
            "1:3 it has to be an object: `name: value`, one a line",
        ),
        (
            "StartAt: A\nStates: {A: {Type: Succeed}}\n",
            "1:1 this is a state machine's definition, and no scenario = `rejoin validate` checks it; a file of scenarios names it: `definition: FILE`.",
        ),
        (
            "cases: [{name: a}, {name: b}]",
            "1:1 there is no definition = Add `definition: FILE`, for one case or at the top for all.",
        ),
        (
            "cases: [{name: a, definition: {StartAt: A, States: {A: {Type: Succeed}}}}, {name: b}]",
            "1:77 there is no definition for this case = Add `definition: FILE`, for one case or at the top for all.",
        ),
        (
            "# Nothing\n\n```sh\nls\n```\n",
            "- the document has no case = Below each `## Heading` a fenced block of yaml is a case.",
        ),
        (
            "## A\n\n```yaml\nexpect: {error: X}\n```\n",
            "- there is no definition = Add `definition: FILE`, for one case or at the top for all.",
        ),
        (
            "## A\n\n```yaml\ndefinition: {StartAt: A, States: {A: {Type: Succeed}}}\n```\n\n### More\n\n```yaml\nexpect: {error: X}\n```\n",
            "10:1 there is a block of YAML before this one, and a case has one = Give it a `##` heading of its own; the fence of what is only for people says ```text.",
        ),
    ] {
        assert_eq!(said(text), [expected], "{text}");
    }
}

#[test]
fn what_says_nothing_or_can_not_be_is_a_fault() {
    const WHEN: &str = "Say when and what: `- 6s: heartbeat`.";
    const ANSWERS: &str =
        "Say what does: `{returns: ...}`, `{throws: ERROR}`, `{asks: ...}`, `never`, or `real`.";
    for (line, expected) in [
        ("cases: []", "10:8 there is no case = Each case is one of a list: `- name: ...`.".to_owned()),
        (
            "cases: {a: {until: 5}}",
            "10:1 it has to be a list = Each case is one of a list: `- name: ...`.".to_owned(),
        ),
        (
            "cases: [{name: a}, {name: a}]",
            "10:27 another case is called `a` = Give it a name of its own, so that a report tells them apart.".to_owned(),
        ),
        ("script: [{5s: }]", format!("10:11 nothing happens after 5s = {WHEN}")),
        ("script: [heartbeat]", format!("10:10 nothing happens at a time = {WHEN}")),
        (
            "script: [{1s: {stop: X, of: Pay}}]",
            "10:25 a `stop` is about no task".to_owned(),
        ),
        ("tasks: {Pay: }", format!("10:12 nothing is said here = {ANSWERS}")),
        ("tasks: {Pay: [{throws: X}, ]}", String::new()),
        ("tasks: {Pay: [{throws: X}, null]}", format!("10:28 nothing answers = {ANSWERS}")),
        (
            "tasks: {Pay: {never: false}}",
            format!("10:22 `never: false` says nothing = {ANSWERS}"),
        ),
        (
            "tasks: {Pay: [{throws: X, times: 0}, never]}",
            "10:34 no attempt is answered so = Leave it out, or say 1 or more.".to_owned(),
        ),
        (
            "tasks: {Reserve: {returns: {id: 1}}}",
            "10:19 it is no result of arn:aws:states:::lambda:invoke: it has neither StatusCode nor Payload = What the function returns is the `Payload` in it.".to_owned(),
        ),
        ("expect: {never: }", "10:15 nothing is said here = Name a state, or leave it out.".to_owned()),
        (
            "expect: {callbacks: {includes: []}}",
            "10:32 nothing is said here = Say what has to be there: `{includes: [...]}`.".to_owned(),
        ),
        (
            "expect: {calls: 2}",
            "10:17 it has to be an object: `name: value`, one a line".to_owned(),
        ),
        ("mock: MockConfigFile.json", "10:7 it has to be an object: `name: value`, one a line".to_owned()),
    ] {
        // What all cases have in common may be said twice, and the later one counts.
        let text = match line.starts_with("tasks") {
            true => PAYS.split("tasks:").next().unwrap().to_owned() + "\n\n\n" + line,
            false => PAYS.to_owned() + line,
        };
        let expected: Vec<String> = Some(expected).filter(|said| !said.is_empty()).into_iter().collect();
        assert_eq!(said(&text), expected, "{line}");
    }
}

#[test]
fn a_length_of_time_is_none_that_time_can_not_go() {
    for text in [
        "-5",
        "-5s",
        "nan",
        "inf",
        "1e300",
        "99999999999999d",
        "36501d",
        "''",
        "[]",
    ] {
        let until = said(&format!("{PAYS}until: {text}\n"));
        assert_eq!(until.len(), 1, "{text}: {until:?}");
        assert!(until[0].contains("it is no length of time"), "{until:?}");
        if text != "[]" {
            let script = said(&format!("{PAYS}script: [{{{text}: stop}}]\n"));
            assert_eq!(script.len(), 1, "{text}: {script:?}");
            assert!(script[0].contains("is no time"), "{script:?}");
        }
    }
}

#[test]
fn a_definition_that_is_not_right_is_shown_where_it_stands() {
    let inline = "definition:\n  StartAt: A\n  States:\n    A: {Type: Pass, Next: C}\n    B: {Type: Pass, End: tru}\ncases: [{name: x, expect: {outpt: 1}}]\n";
    assert_eq!(
        said(inline),
        [
            "4:27 Missing 'Next' target: C = A transition leads to a state of the same 'States' object.",
            "5:26 Expected value of type Boolean",
        ]
    );
    let file = Written::of("StartAt: A\nStates:\n  A: {Type: Pass, Nxt: B, End: true}\n");
    let text = format!("definition: {}\n", file.0.display());
    let faults = said(&text);
    assert_eq!(faults[0], "1:13 the definition is not right");
    assert_eq!(
        faults[1], "3:19 Field 'Nxt' is not supported = It is spelled 'Next'.",
        "{faults:?}"
    );
    let text = "definition: |\n  {\"StartAt\": \"A\",\n   \"States\": {\"A\": {\"Type\": \"Succeed\"},}}\n";
    assert_eq!(
        said(text),
        [
            "2:3 the definition is not right",
            "2:37 trailing comma = Remove the comma: nothing follows it.",
        ]
    );
    assert_eq!(
        said("definition: {tempalte: a.yaml}"),
        [
            "1:1 there is no definition here = It is a file, the definition itself with StartAt and States, or `{template: FILE, resource: ID}`.",
            "1:14 `tempalte` is not known here = Did you mean `template`?",
        ]
    );
}

#[test]
fn a_document_is_read_as_people_write_it() {
    let text = "\u{feff}# Payments\r\n\r\n```YAML\r\ndefinition: {StartAt: A, States: {A: {Type: Fail, Error: X}}}\r\n```\r\n\r\n## Closed ##\r\n\r\n```sh\r\nls\r\n```\r\n\r\n~~~yml title=\"x\"\r\nexpect: {error: X}\r\n~~~\r\n\r\n## For people\r\n\r\nNothing.\r\n\r\n## Open\r\n\r\n```yaml\r\nexpect: {error: Y}\r\n";
    let read = Written::of(text).read();
    assert_eq!(read.faults, None);
    let names: Vec<&str> = read.cases.iter().map(|case| case.name.as_str()).collect();
    assert_eq!(names, ["Closed", "Open"]);
    let passed = read
        .cases
        .into_iter()
        .map(|case| play(&Arc::new(case)).passed());
    assert_eq!(passed.collect::<Vec<_>>(), [true, false]);
}

#[test]
fn a_case_that_hangs_took_until_it_hung() {
    let text = "definition: {StartAt: Rest, States: {Rest: {Type: Wait, Seconds: 3, Next: Ask}, Ask: {Type: Task, Resource: 'arn:aws:states:::sqs:sendMessage.waitForTaskToken', Parameters: {QueueUrl: q, MessageBody: {t.$: $$.Task.Token}}, End: true}}}\ntasks: {Ask: never}\nexpect: {status: RUNNING}\n";
    let read = Written::of(text).read();
    assert_eq!(read.faults, None);
    let case = read.cases.into_iter().next().unwrap();
    assert_eq!(play(&Arc::new(case)).virtual_millis, 3_000);
}

/// Each expectation fits what comes, and the one beside it does not: none of them passes whatever happens.
#[test]
fn every_expectation_can_fail() {
    for (fits, fails, at) in [
        ("status: SUCCEEDED", "status: RUNNING", "status"),
        (
            "output: {paid: true}",
            "output: {paid: 'true'}",
            "output.paid",
        ),
        (
            "output: {exactly: {paid: true}}",
            "output: {exactly: {}}",
            "output",
        ),
        ("ended: 301s", "ended: 5m", "ended"),
        ("ended: '>= 301s'", "ended: '> 301'", "ended"),
        (
            "states: [Reserve, Pay]",
            "states: [Pay, Reserve]",
            "states[0]",
        ),
        ("states: {includes: [Pay]}", "states: [Pay]", "states"),
        ("passes: [Reserve, Pay]", "passes: [Pay, Reserve]", "passes"),
        (
            "retries: {Reserve: 1}",
            "retries: {Reserve: 0}",
            "retries.Reserve",
        ),
        ("retries: {Pay: 0}", "retries: {Pay: 1}", "retries.Pay"),
        (
            "retries: {exactly: {Reserve: 1}}",
            "retries: {exactly: {Pay: 0}}",
            "retries",
        ),
        ("callbacks: []", "callbacks: [delivered]", "callbacks"),
        (
            "callbacks: {exactly: []}",
            "callbacks: {includes: [delivered]}",
            "callbacks",
        ),
        ("alerts: []", "alerts: [/./]", "alerts"),
        (
            "alerts: {exactly: []}",
            "alerts: {includes: [{topic: Errors}]}",
            "alerts",
        ),
        (
            "calls: [Reserve, {attempt: 2, at: 1s}, {exactly: {machine: Shop, state: Pay, attempt: 1, at: 1s, resource: /lambda/, parameters: {FunctionName: g, Payload: {t: /./}}}}]",
            "calls: [Reserve, {attempt: 2, at: 0s}, {exactly: {state: Pay}}]",
            "calls[1].at",
        ),
        (
            "calls: {includes: [{state: Pay, parameters: {FunctionName: g}}]}",
            "calls: {includes: [{state: Pay, parameters: {FunctionName: f}}]}",
            "calls",
        ),
        ("error: null", "error: /./", "status"),
        ("cause: null", "cause: /./", "cause"),
        ("waits: null", "waits: /./", "waits"),
        ("never: [Cancel]", "never: [Pay]", "never"),
    ] {
        let text = PAYS.replace(
            "End: true}\ntasks:",
            "Catch: [{ErrorEquals: [Declined], Next: Cancel}], End: true}\n    Cancel: {Type: Fail}\ntasks:",
        );
        let text = text.replace(
            "Reserve: {returns: {StatusCode: 200}}",
            "Reserve: [{throws: Busy}, {returns: {StatusCode: 200}}]",
        );
        let text = text.replace(
            "definition:",
            "config: rejoin.toml\nmachine: Shop\ndefinition:",
        );
        for (expect, wrong) in [(fits, None), (fails, Some(at))] {
            let text = format!("{text}expect: {{{expect}}}\n");
            let mut read = Written::of(&text).read();
            assert_eq!(read.faults, None, "{expect}");
            let outcome = play(&Arc::new(read.cases.remove(0)));
            let first = outcome.mismatches.first();
            let first = first.map(|mismatch| mismatch.at.as_str());
            assert_eq!(first, wrong, "{expect}: {:?}", reasons(&outcome));
        }
    }
}

/// That there is no error says nothing of how an execution ended, so it has to end well.
#[test]
fn what_is_not_there_does_not_say_how_it_ends() {
    for expect in ["error: null", "cause: null", "waits: null"] {
        let text = format!("{PAYS}script: [{{1s: stop}}]\nexpect: {{{expect}}}\n");
        let mut read = Written::of(&text).read();
        let outcome = play(&Arc::new(read.cases.remove(0)));
        assert_eq!(
            reasons(&outcome),
            ["status: expected SUCCEEDED, got ABORTED"],
            "{expect}"
        );
    }
}

/// `MACHINE.STATE` is the task of another machine, in `tasks` as in `calls`.
#[test]
fn a_call_of_another_machine_is_named_as_its_mock_is() {
    const OUTER: &str = r#"
definition:
  StartAt: Begin
  States:
    Begin: {Type: Task, Resource: "arn:aws:states:::states:startExecution.sync:2", Parameters: {StateMachineArn: "arn:aws:states:us-east-1:123456789012:stateMachine:inner", Input: {}}, End: true}
machines:
  inner:
    StartAt: Ask
    States:
      Ask: {Type: Task, Resource: "arn:aws:states:::lambda:invoke", Parameters: {FunctionName: f}, End: true}
tasks: {inner.Ask: {returns: {StatusCode: 200}}}
"#;
    for (calls, passes) in [("[Begin, inner.Ask]", true), ("[inner.Ask, Begin]", false)] {
        let mut read = Written::of(&format!("{OUTER}expect: {{calls: {calls}}}\n")).read();
        assert_eq!(read.faults, None);
        let outcome = play(&Arc::new(read.cases.remove(0)));
        assert_eq!(outcome.passed(), passes, "{:?}", reasons(&outcome));
    }
}

/// A machine that starts itself, and waits for it or not, goes on at one moment of virtual time, or through the years.
#[test]
fn a_machine_that_starts_itself_is_cut_off_and_said_to_go_on() {
    for (wait, how, expected) in [
        (
            "",
            "startExecution",
            "the execution has ended, and what came of it goes on; ",
        ),
        (
            "Seconds: 60, ",
            "startExecution",
            "the execution has ended, and what came of it goes on; ",
        ),
        (
            "",
            "startExecution.sync:2",
            "the execution waits in Again for the end of its job, no deadline; ",
        ),
    ] {
        let begins = match wait {
            "" => "W: {Type: Pass, ".to_owned(),
            wait => format!("W: {{Type: Wait, {wait}"),
        };
        let text = format!(
            "machine: Me\ndefinition:\n  StartAt: W\n  States:\n    {begins}Next: Again}}\n    Again: {{Type: Task, Resource: \"arn:aws:states:::states:{how}\", Parameters: {{StateMachineArn: \"arn:aws:states:us-east-1:123456789012:stateMachine:Me\"}}, End: true}}\n"
        );
        let mut read = Written::of(&text).read();
        assert_eq!(read.faults, None);
        let mut case = read.cases.remove(0);
        case.patience = Duration::from_millis(300);
        let outcome = play(&Arc::new(case));
        let [trouble] = &reasons(&outcome)[..] else {
            panic!("{:?}", reasons(&outcome))
        };
        let expected = format!("it takes more than 300ms of real time: {expected}");
        assert!(trouble.starts_with(&expected), "{trouble}");
        assert!(
            trouble.contains(" executions were started so far"),
            "{trouble}"
        );
        assert!(outcome.seen.is_some());
    }
}
