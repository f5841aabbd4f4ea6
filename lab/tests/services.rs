//! Services in scenarios: what a case with them is like, each time the same.

#![allow(clippy::unwrap_used)]

mod written;

use std::path::Path;
use std::sync::Arc;

use lab::Settings;
use lab::report::junit::reasons;
use lab::report::story::story;
use lab::scenario::{self, Case, Outcome, play};
use serde_json::{Value, json};
use written::Written;

const PAYS: &str = r#"
definition:
  StartAt: Pay
  States:
    Pay: {Type: Task, Resource: "arn:aws:states:::lambda:invoke.waitForTaskToken", TimeoutSeconds: 60, Parameters: {FunctionName: f, Payload: {"t.$": $$.Task.Token}}, Retry: [{ErrorEquals: [Broken], IntervalSeconds: 5, MaxAttempts: 2}], End: true}
config: rejoin.toml
services:
  bank:
    routes:
      - post: /payments
        key: '{% $request.body.key %}'
        reply: {status: 202, body: {reference: '{% $reference %}', n: '{% $n %}'}}
        callbacks:
          - {after: 10s, to: '{% $request.body.to %}', body: {reference: '{% $reference %}', paid: true}, heartbeat: {reference: '{% $reference %}', alive: true}}
      - {get: /rates, reply: {body: {rate: 3}, delay: 8s}}
    faults:
      slow bank: {delay: {after: 20s}}
tasks:
  Pay:
    asks: {post: /payments, body: {key: k-1, to: '{% $url & "/callbacks/payment" %}'}}
    registers: {route: payment, reference: '{% $reply.body.reference %}'}
    throws: {error: Broken, cause: '{% $reply.error %}'}
"#;

fn cases(text: &str) -> Vec<Arc<Case>> {
    let file = Written::of(text).read();
    assert_eq!(file.faults, None);
    file.cases.into_iter().map(Arc::new).collect()
}

fn played(more: &str) -> Outcome {
    let cases = cases(&format!("{PAYS}\n{more}"));
    play(&cases[0])
}

fn told(outcome: &Outcome) -> Vec<String> {
    story(outcome.seen.as_ref().unwrap())
}

fn passes(more: &str) {
    let outcome = played(more);
    let (why, told) = (reasons(&outcome), told(&outcome));
    assert!(outcome.passed(), "{more}\n{why:#?}\n{told:#?}");
}

fn loan_processor(name: &str) -> scenario::File {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/loan-processor");
    let configured = |path: &Path| {
        let text = std::fs::read_to_string(path).map_err(|why| why.to_string())?;
        let config: toml::Value = toml::from_str(&text).map_err(|why| why.to_string())?;
        let part = |name: &str| serde_json::to_value(&config[name]).unwrap();
        Ok(Settings {
            topics: [("LoanErrors".to_owned(), Default::default())].into(),
            routes: serde_json::from_value(part("routes")).unwrap(),
            ..Settings::default()
        })
    };
    scenario::read(&folder.join(name), &configured, source::report::plain)
}

#[test]
fn the_loan_processors_table_comes_with_its_service() {
    let file = loan_processor("services.test.yaml");
    assert_eq!(file.faults, None);
    let names: Vec<_> = file
        .files
        .iter()
        .filter_map(|file| file.file_name())
        .collect();
    assert!(names.contains(&"valuation.mock.yaml".as_ref()), "{names:?}");
    assert_eq!(file.cases.len(), 17);
    for case in file.cases.into_iter().map(Arc::new) {
        let outcome = play(&case);
        assert!(outcome.passed(), "{case:?}: {:#?}", reasons(&outcome));
    }
}

/// A story without the ids that the server draws, as every server does: those of deliveries.
fn without_ids(outcome: &Outcome) -> Vec<String> {
    let lines = told(outcome).into_iter();
    let lines = lines.map(|line| match line.split_once("delivery 018") {
        Some((before, after)) => format!("{before}{}", &after[33..]),
        None => line,
    });
    lines.collect()
}

#[test]
fn a_case_is_the_same_fifty_times() {
    let file = loan_processor("services.test.yaml");
    let busy = [
        "duplicate, contradicting",
        "early",
        "heartbeats go on",
        "the server is killed while it waits",
    ];
    let mut cases: Vec<Arc<Case>> = file.cases.into_iter().map(Arc::new).collect();
    cases.retain(|case| busy.contains(&&*case.name));
    assert_eq!(cases.len(), busy.len());
    let services = |outcome: &Outcome| outcome.came["services"].clone();
    for case in &cases {
        let first = play(case);
        for again in 1..50 {
            let outcome = play(case);
            assert_eq!(
                without_ids(&outcome),
                without_ids(&first),
                "{case:?}, run {again}"
            );
            assert_eq!(
                services(&outcome),
                services(&first),
                "{case:?}, run {again}"
            );
        }
    }
}

#[test]
fn services_wait_in_virtual_time_and_so_does_who_asks_them() {
    passes("expect: {ended: 10s, callbacks: [delivered]}");
    // The answer comes after its callback, which is early then.
    passes("faults: {bank: slow bank}\nexpect: {ended: 20s, callbacks: ['early, then delivered']}");
    passes(
        "faults: {bank: {slow-body: {after: 30s}}}\nexpect: {ended: 30s, callbacks: ['early, then delivered']}",
    );
    // Nobody answers, so the state's own limit is what ends it.
    passes(
        "faults: {bank: no-answer}\nexpect: {error: States.Timeout, ended: 60s, services: {bank: {requests: [{remark: never answered}]}}}",
    );
}

#[test]
fn early_callbacks_are_there_before_the_answer() {
    passes(
        "faults: {bank: early}\nexpect: {ended: 0s, callbacks: ['early, then delivered'], services: {bank: {callbacks: [{status: 202}]}}}",
    );
}

#[test]
fn what_a_service_does_wrong_is_seen_at_the_gateway() {
    for (fault, expected) in [
        (
            "duplicate",
            "{callbacks: [delivered, duplicate-identical], services: {bank: {callbacks: 2}}}",
        ),
        (
            "contradicting",
            "{callbacks: [delivered, duplicate-contradicting]}",
        ),
        (
            "wrong-reference",
            "{error: States.Timeout, callbacks: [unknown-reference]}",
        ),
        (
            "malformed",
            "{error: States.Timeout, callbacks: [malformed], services: {bank: {callbacks: [{status: 400}]}}}",
        ),
        (
            "no-callback",
            "{error: States.Timeout, services: {bank: {callbacks: 0}}}",
        ),
        (
            "{late: {after: 2m}}",
            "{error: States.Timeout, ended: 60s, callbacks: [{disposition: late-timed-out, at: 2m}]}",
        ),
    ] {
        passes(&format!("faults: {{bank: {fault}}}\nexpect: {expected}"));
    }
}

/// The work was done and nobody knows: who asks again with the same key gets the same reference, and no work is done
/// twice. The callback of the first attempt is what ends the second.
#[test]
fn after_a_crash_the_work_is_done_once() {
    passes(
        "faults: {bank: crash}
expect:
  error: Broken
  cause: the connection was reset
  retries: {Pay: 2}
  services:
    bank:
      requests:
        - {n: 1, repeated: false, status: null, remark: connection reset after the work was done}
        - {n: 2, repeated: true, at: 5s}
        - {n: 3, repeated: true}
      callbacks: 1",
    );
    let once = PAYS
        .replace(
            "      - {get: /rates",
            "      - {post: /other}\n      - {get: /rates",
        )
        .replace(
            "        key: '{% $request.body.key %}'\n",
            "        key: '{% $request.body.key %}'\n        request: 2..\n",
        );
    // The first request crashes, the rest go well.
    let routes = once.replace(
        "      - post: /payments\n",
        "      - {post: /payments, request: 1, key: '{% $request.body.key %}', reply: {body: {reference: '{% $reference %}'}}, fault: crash, callbacks: [{after: 10s, to: '{% $request.body.to %}', body: {reference: '{% $reference %}', paid: true}}]}\n      - post: /payments\n",
    );
    let text = format!(
        "{routes}\nexpect: {{retries: {{Pay: 1}}, ended: 10s, callbacks: [delivered], services: {{bank: {{requests: [{{n: 1}}, {{n: 2, repeated: true, status: 202}}], callbacks: 1}}}}}}"
    );
    let cases = cases(&text);
    let outcome = play(&cases[0]);
    assert!(
        outcome.passed(),
        "{:#?}\n{:#?}",
        reasons(&outcome),
        told(&outcome)
    );
}

/// A function dies with the server that waits for it, and is called again: it asks the service again, too.
#[test]
fn after_a_restart_a_task_asks_again() {
    passes(
        "faults: {bank: slow bank}
script: [{3s: {restart: 1s}}]
expect:
  ended: 24s
  services:
    bank:
      requests: [{at: 0s, n: 1}, {at: 4s, n: 2, repeated: true}]
      callbacks: [{at: 10s, status: 202}]",
    );
    // Once the answer was there, nobody asks again, and the callback finds the new server at the old place.
    passes(
        "script: [{3s: restart}]
expect: {ended: 10s, services: {bank: {requests: 1, callbacks: [{at: 10s, status: 200}]}}}",
    );
}

const RETRIES: &str = r#"
services:
  bank:
    routes:
      - post: /payments
        reply: {status: 202, body: {reference: '{% $reference %}'}}
        callbacks:
          - {to: '{% $request.body.to %}', body: {reference: '{% $reference %}'}, after: 10s, PAUSES}
script: [{8s: {restart: 6s}}]
"#;

/// Plays what a service does whose callback meets a server that is down from 8 s to 14 s.
fn passes_while_down(pauses: &str, expect: &str) {
    let (before, rest) = PAYS.split_once("services:").unwrap();
    let (_, after) = rest.split_once("tasks:").unwrap();
    let services = RETRIES.replace("PAUSES", pauses);
    let cases = cases(&format!(
        "{before}tasks:{after}{services}expect: {expect}\n"
    ));
    let outcome = play(&cases[0]);
    let (why, told) = (reasons(&outcome), told(&outcome));
    assert!(outcome.passed(), "{pauses}\n{why:#?}\n{told:#?}");
}

#[test]
fn a_callback_that_meets_a_closed_port_is_sent_again_if_its_service_does_so() {
    passes_while_down(
        "retries: [1s, 5s, 1h]",
        "{ended: 16s, callbacks: [delivered], services: {bank: {callbacks: [
            {at: 10s, attempt: 1, error: connection refused}, {at: 11s, attempt: 2, error: connection refused},
            {at: 16s, attempt: 3, status: 200}]}}}",
    );
    // One that sends it once has lost it.
    passes_while_down(
        "method: POST",
        "{error: States.Timeout, callbacks: [], services: {bank: {callbacks: [{at: 10s, error: connection refused}]}}}",
    );
}

#[test]
fn cases_put_their_services_over_those_of_the_file() {
    let text = format!(
        "{PAYS}
cases:
  - name: as it is
    expect: {{ended: 10s}}
  - name: another bank
    services: {{bank: {{routes: [{{post: /payments, reply: {{body: {{reference: r-1}}}}, callbacks: [{{to: '{{% $request.body.to %}}', body: {{reference: r-1}}}}]}}]}}}}
    expect: {{ended: 0s, output: {{reference: r-1}}}}
  - name: one more
    services: {{ledger: {{routes: [{{post: /}}]}}}}
    tasks: {{Pay: {{asks: {{service: ledger, post: /, body: 1}}}}}}
    expect: {{error: States.Timeout, services: {{ledger: {{requests: [POST /]}}, bank: {{requests: 0}}}}}}
"
    );
    for case in cases(&text) {
        let outcome = play(&case);
        assert!(outcome.passed(), "{case:?}: {:#?}", reasons(&outcome));
    }
}

#[test]
fn services_call_each_other_and_nobody_else() {
    let services = "services: {bank: {port: 8090, routes: [{post: /payments, reply: {body: {reference: r-1}}, callbacks: [{after: 1s, to: 'http://localhost:8091/seen', body: 1}, {after: 2s, to: 'http://example.com/seen', body: 2}]}]}, ledger: {port: 8091, routes: [{post: /seen}]}}";
    let outcome = played(&format!(
        "cases: [{{name: c, {services}, tasks: {{Pay: {{asks: {{service: bank, post: /payments}}}}}}, expect: {{error: States.Timeout, services: {{ledger: {{requests: [{{body: 1, at: 1s}}]}}, bank: {{callbacks: [{{status: 200}}, {{status: null, error: /nobody else is called/}}]}}}}}}}}]"
    ));
    let told = told(&outcome);
    assert!(outcome.passed(), "{:#?}\n{told:#?}", reasons(&outcome));
    let says = |what: &str| told.iter().any(|line| line.contains(what));
    assert!(
        says("bank: no callback, since http://example.com/seen is neither"),
        "{told:#?}"
    );
}

#[test]
fn without_throws_a_task_says_what_the_service_has_said() {
    let text = PAYS.replace(
        "    throws: {error: Broken, cause: '{% $reply.error %}'}\n",
        "",
    );
    for (fault, cause) in [
        (
            "{error: {status: 503, body: {why: closed}}}",
            r#"bank was asked POST /payments: 503 {"why":"closed"}"#,
        ),
        (
            "reset",
            "bank was asked POST /payments: the connection was reset",
        ),
        ("malformed-reply", "/is not JSON: ./"),
    ] {
        let text = format!(
            "{text}\nfaults: {{bank: {fault}}}\nexpect: {{error: States.TaskFailed, cause: '{cause}', ended: 0s}}"
        );
        let outcome = play(&cases(&text)[0]);
        assert!(outcome.passed(), "{:#?}", reasons(&outcome));
    }
}

#[test]
fn a_story_has_what_services_were_asked() {
    let told = told(&played("faults: {bank: duplicate}\nexpect: {}"));
    let says = |what: &str| told.iter().filter(|line| line.contains(what)).count();
    assert_eq!(
        says("bank (duplicate): POST /payments => 202 {"),
        1,
        "{told:#?}"
    );
    assert_eq!(
        says("asked {\"key\":\"k-1\",\"to\":\"$url/callbacks/payment\"}"),
        1,
        "{told:#?}"
    );
    assert_eq!(
        says("outside: bank (duplicate): callback to /callbacks/payment:"),
        2,
        "{told:#?}"
    );
}

#[test]
fn what_is_not_as_expected_of_a_service_is_said() {
    let outcome = played(
        "expect: {services: {bank: {requests: 2, callbacks: [{says: result, status: 410}]}}}",
    );
    let said: Vec<_> = outcome
        .mismatches
        .iter()
        .map(|m| (&*m.at, &*m.expected, &*m.got))
        .collect();
    assert_eq!(
        said,
        [
            ("services.bank.requests", "2", "1"),
            ("services.bank.callbacks[0].status", "410", "200"),
        ]
    );
    assert_eq!(
        outcome.came["services"]["bank"]["requests"][0]["reply"]["n"],
        json!(1)
    );
    assert_eq!(
        outcome.came["services"]["bank"]["callbacks"][0]["to"],
        "$url/callbacks/payment"
    );
    assert_ne!(
        outcome.came["services"]["bank"]["requests"][0]["reference"],
        Value::Null
    );
}

/// Each mistake, where it stands, and the nearest word.
#[test]
fn a_mistake_names_its_place_and_the_nearest_word() {
    let lines = PAYS.lines().count() + 1;
    for (line, at, message, hint) in [
        (
            "expect: {services: {bnk: {requests: 1}}}",
            21,
            "there is no service `bnk`",
            "Did you mean `bank`?",
        ),
        (
            "expect: {services: {bank: {request: 1}}}",
            28,
            "`request` is not known here",
            "Did you mean `requests`?",
        ),
        (
            "expect: {services: {bank: {requests: [POST /payment]}}}",
            39,
            "there is no route `POST /payment`",
            "Did you mean `POST /payments`?",
        ),
        (
            "expect: {services: {bank: {callbacks: [reslt]}}}",
            40,
            "there is no kind of callback `reslt`",
            "Did you mean `result`?",
        ),
        (
            "expect: {services: {bank: {requests: [{stats: 1}]}}}",
            40,
            "`stats` is not known here",
            "Did you mean `status`?",
        ),
        (
            "faults: {bnk: late}",
            10,
            "there is no service `bnk`",
            "Did you mean `bank`?",
        ),
        (
            "faults: {bank: lat}",
            16,
            "`lat` is not known here",
            "Did you mean `late`?",
        ),
        (
            "faults: {bank: slow bnk}",
            16,
            "`slow bnk` is not known here",
            "Did you mean `slow bank`?",
        ),
        (
            "faults: {bank: forged}",
            16,
            "the service has no `secret`",
            "",
        ),
        (
            "faults: {bank: {late: {aftr: 1s}}}",
            24,
            "`aftr` is not known here",
            "Did you mean `after`?",
        ),
    ] {
        let said = Written::of(&format!("{PAYS}{line}\n"))
            .read()
            .faults
            .unwrap_or_default();
        for part in [&*format!(":{lines}:{at} "), message, hint] {
            assert!(said.contains(part), "{line}: {part:?} is not in\n{said}");
        }
    }
    for (right, wrong, message, hint) in [
        (
            "asks: {post:",
            "asks: {pst:",
            "`pst` is not known here",
            "Did you mean `post`?",
        ),
        (
            "asks: {post: /payments",
            "asks: {service: bnk, post: /payments",
            "there is no service `bnk`",
            "Did you mean `bank`?",
        ),
        (
            "asks: {post: /payments",
            "asks: {post: payments",
            "`payments` is no path",
            "begins with /",
        ),
        (
            "asks: {post: /payments",
            "asks: {post: /payments, get: /rates",
            "one method and its path",
            "there are get, post",
        ),
        (
            "      - post: /payments",
            "      - pots: /payments",
            "`pots` is not known here",
            "Did you mean `post`?",
        ),
        (
            "$reference %}', n:",
            "$referense %}', n:",
            "it reads $referense",
            "Did you mean $reference?",
        ),
        (
            "    registers:",
            "    never: true\n    registers:",
            "`never` is another answer",
            "",
        ),
        (
            "services:\n  bank:",
            "services: 7\nx:\n  bank:",
            "these are no services",
            "the name of such a file",
        ),
        (
            "services:\n  bank:",
            "services: nowhere.mock.yaml\nx:\n  bank:",
            "nowhere.mock.yaml can't be read",
            "",
        ),
    ] {
        assert!(PAYS.contains(right), "{right}");
        let said = Written::of(&PAYS.replace(right, wrong))
            .read()
            .faults
            .unwrap_or_default();
        for part in [message, hint] {
            assert!(said.contains(part), "{wrong}: {part:?} is not in\n{said}");
        }
    }
}

/// What is wrong with a mock's own file is said of that file.
#[test]
fn a_file_of_services_that_is_not_right_is_shown() {
    let mock = std::env::temp_dir().join(format!("rejoin-{}.mock.yaml", std::process::id()));
    std::fs::write(
        &mock,
        "services:\n  bank:\n    routes: [{post: /payments, replay: {}}]\n",
    )
    .unwrap();
    let text = "definition: {StartAt: W, States: {W: {Type: Wait, Seconds: 1, End: true}}}";
    let said = Written::of(&format!("{text}\nservices: {}\n", mock.display()))
        .read()
        .faults;
    std::fs::remove_file(&mock).unwrap();
    let said = said.unwrap_or_default();
    for part in [
        "the services are not right",
        ".mock.yaml:3:",
        "Did you mean `reply`?",
    ] {
        assert!(said.contains(part), "{said}");
    }
}

/// `http:invoke` of the real server, whose requests come to the service instead.
const RATES: &str = r#"
definition:
  StartAt: Ask
  States:
    Ask:
      Type: Task
      Resource: arn:aws:states:::http:invoke
      Parameters: {ApiEndpoint: https://api.bank.example/v1/rates, Method: POST, RequestBody: {"for.$": $.for}, Authentication: {ConnectionArn: "arn:aws:events:us-east-1:123456789012:connection/bank/1"}}
      Retry: [{ErrorEquals: [States.Http.StatusCode.503], IntervalSeconds: 5, MaxAttempts: 1}]
      End: true
input: {for: house}
services:
  bank:
    url: https://api.bank.example/v1
    routes:
      - {post: /rates, reply: {status: 201, headers: {x-request: '{% $string($n) %}'}, body: {rate: 3, for: '{% $request.body.for %}'}}}
"#;

fn rates(more: &str) -> Outcome {
    let text = format!("{RATES}{more}\n");
    let outcome = play(&cases(&text)[0]);
    let (why, told) = (reasons(&outcome), told(&outcome));
    assert!(outcome.passed(), "{more}\n{why:#?}\n{told:#?}");
    outcome
}

#[test]
fn http_tasks_come_to_the_service_that_is_at_their_url() {
    rates(
        "expect:
  output: {StatusCode: 201, ResponseBody: {rate: 3, for: house}, Headers: {x-request: ['1']}}
  ended: 0s
  services: {bank: {requests: [{route: POST /rates, path: /rates, body: {for: house}, headers: {user-agent: /HttpInvoke/}}]}}",
    );
    // Waiting is virtual, however long the clock's patience with those that hang.
    let begun = std::time::Instant::now();
    rates("faults: {bank: {delay: {after: 50s}}}\nexpect: {ended: 50s}");
    rates(
        "faults: {bank: {slow-body: {after: 10s}}}\nexpect: {ended: 10s, output: {ResponseBody: {rate: 3}}}",
    );
    rates(
        "faults: {bank: no-answer}\nexpect: {error: States.Http.Socket, cause: /did not answer within 60 s/, ended: 60s}",
    );
    assert!(
        begun.elapsed() < server::clock::GRACE,
        "{:?}",
        begun.elapsed()
    );
    rates(
        "faults: {bank: reset}\nexpect: {error: States.Http.Socket, cause: /connection reset/, ended: 0s}",
    );
    rates(
        "faults: {bank: {error: {status: 503}}}\nexpect: {error: States.Http.StatusCode.503, ended: 5s, retries: {Ask: 1}, services: {bank: {requests: 2}}}",
    );
}

#[test]
fn an_http_task_that_a_restart_cuts_off_asks_again() {
    rates(
        "faults: {bank: {delay: {after: 20s}}}
script: [{5s: {restart: 1s}}]
expect: {ended: 26s, services: {bank: {requests: [{at: 0s}, {at: 6s}]}}}",
    );
}

#[test]
fn the_states_own_limit_ends_an_http_task_whose_service_hangs() {
    let text = RATES.replace(
        "      End: true",
        "      TimeoutSeconds: 20\n      End: true",
    );
    let text = format!(
        "{text}faults: {{bank: no-answer}}\nexpect: {{error: States.Timeout, ended: 20s}}\n"
    );
    let outcome = play(&cases(&text)[0]);
    assert!(
        outcome.passed(),
        "{:#?}\n{:#?}",
        reasons(&outcome),
        told(&outcome)
    );
}

#[test]
fn an_http_task_to_nobody_is_no_case() {
    let text = RATES.replace(
        "url: https://api.bank.example/v1",
        "url: https://api.bonk.example/v1",
    );
    let outcome = play(&cases(&text)[0]);
    let said = reasons(&outcome).join("\n");
    assert!(
        said.contains("Ask asks https://api.bank.example/v1/rates, and nothing answers"),
        "{said}"
    );
}

/// Two requests under way at once, one of which is answered while the other waits.
#[test]
fn tasks_that_ask_at_the_same_time_are_the_same_story_each_time() {
    let branch = |name: &str, path: &str| {
        format!(
            "{{StartAt: {name}, States: {{{name}: {{Type: Task, Resource: 'arn:aws:states:::http:invoke', Parameters: {{ApiEndpoint: 'http://localhost:8095{path}', Method: GET, Authentication: {{ConnectionArn: 'arn:aws:events:us-east-1:123456789012:connection/bank/1'}}}}, End: true}}}}}}"
        )
    };
    let (a, b, c) = (
        branch("A", "/slow"),
        branch("B", "/fast"),
        branch("C", "/slow"),
    );
    let text = format!(
        "definition: {{StartAt: Both, States: {{Both: {{Type: Parallel, End: true, Branches: [{a}, {b}, {c}]}}}}}}
services: {{bank: {{port: 8095, routes: [{{get: /slow, reply: {{body: '{{% $n %}}', delay: 30s}}}}, {{get: /fast, reply: {{body: 2}}}}]}}}}
expect: {{ended: 30s, output: [{{ResponseBody: 1}}, {{ResponseBody: 2}}, {{ResponseBody: 2}}], services: {{bank: {{requests: 3}}}}}}
"
    );
    let case = cases(&text).remove(0);
    let first = play(&case);
    assert!(
        first.passed(),
        "{:#?}\n{:#?}",
        reasons(&first),
        told(&first)
    );
    for _ in 1..50 {
        assert_eq!(told(&play(&case)), told(&first));
    }
}
