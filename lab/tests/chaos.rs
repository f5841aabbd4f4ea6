//! Chaos keeps the promises on the loan processor; and the promises can be broken, or they would be none.

#![allow(clippy::unwrap_used)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use engine::EventKind;
use lab::explore::Question;
use lab::explore::chaos::mishap::{Mishap, What, drawn};
use lab::explore::chaos::outside::Plan;
use lab::explore::chaos::{Ground, Named, Run, chaos, chaos_under};
use lab::explore::plan::Choice;
use lab::invariant::{Violation, violations};
use lab::scenario::write::Written;
use lab::scenario::{self, Case, play};
use lab::{Machine, Seen, Settings};
use serde_json::json;

const DEFINITION: &str =
    include_str!("../../examples/loan-processor/definition-heartbeats.asl.json");

fn settings() -> Settings {
    let route = json!({
        "name": "valuation",
        "path": "/callbacks/valuation",
        "verify": { "scheme": "standard-webhooks", "secrets": ["whsec_dGhlIHZhbHVhdGlvbiBzZXJ2aWNl"] },
        "reference": "$.valuationReference",
        "expects": ["LoanProcessor.RequestValuation"],
        "failure": { "when": "$.failed", "error": "ValuationFailed" },
        "heartbeat": { "when": "$.heartbeat" },
        "topic": "LoanErrors",
    });
    Settings {
        topics: [("LoanErrors".to_owned(), Default::default())].into(),
        routes: vec![serde_json::from_value(route).unwrap()],
        ..Settings::default()
    }
}

fn question() -> Question {
    Question {
        machine: Machine {
            name: "LoanProcessor".to_owned(),
            definition: DEFINITION.to_owned(),
        },
        input: None,
        results: BTreeMap::new(),
        settings: settings(),
        choice: Choice::default(),
        notes: Vec::new(),
    }
}

#[test]
fn seeds_keep_all_promises() {
    let chaos = chaos(&question(), 1, 60).unwrap();
    assert!(chaos.broken.is_none(), "{:?}", chaos.broken);
    assert_eq!(chaos.played, 60);
    // Chaos that is none, or after which nothing ever ends well, would show little.
    assert!(chaos.mishaps > 60, "{}", chaos.mishaps);
    assert!(
        chaos.ends["SUCCEEDED"] > 5 && chaos.ends["FAILED"] > 5,
        "{:?}",
        chaos.ends
    );
}

/// A run in which these things happen to the first attempt.
fn run(mishaps: &[What]) -> Run {
    let each = mishaps.iter().map(|what| Mishap {
        state: "RequestValuation".to_owned(),
        attempt: 0,
        what: what.clone(),
    });
    let ground = Ground::of(&question()).unwrap();
    ground.play(Plan::Written(each.collect())).unwrap()
}

#[test]
fn every_promise_can_be_broken() {
    type Tamper = fn(&mut Seen);
    let duplicate = What::Duplicate {
        after: 1000,
        contradicts: true,
    };
    let rows: [(&str, Vec<What>, Tamper); 7] = [
        ("one-completion-per-wait", vec![], |seen| {
            let is_end =
                |event: &&engine::Event| matches!(event.kind, EventKind::TaskSucceeded { .. });
            let again = seen.events.iter().find(is_end).unwrap().clone();
            seen.events.push(again);
        }),
        ("no-acknowledged-callback-lost", vec![], |seen| {
            seen.deliveries.pop();
        }),
        ("no-acknowledged-callback-lost", vec![], |seen| {
            seen.events
                .retain(|event| !matches!(event.kind, EventKind::TaskSucceeded { .. }));
        }),
        // A failure that was acknowledged after the wait had ended otherwise.
        ("no-acknowledged-callback-lost", vec![], |seen| {
            let mut failed = seen.deeds[0].clone();
            failed.what = "SendTaskFailure Late".to_owned();
            failed.answer.0 = 200;
            failed.call = Some(0);
            seen.deeds.push(failed);
        }),
        ("every-non-delivery-alerted", vec![duplicate], |seen| {
            seen.told.clear()
        }),
        ("nothing-before-its-time", vec![What::Drop], |seen| {
            let out =
                |event: &&mut engine::Event| matches!(event.kind, EventKind::TaskTimedOut { .. });
            seen.events.iter_mut().find(out).unwrap().at.0 -= 1;
        }),
        ("nothing-before-its-time", vec![What::Disconnect], |seen| {
            for event in &mut seen.events {
                if let EventKind::RetryScheduled { until, .. } = &mut event.kind {
                    until.0 += 1;
                }
            }
        }),
    ];
    for (invariant, mishaps, tamper) in rows {
        let mut seen = run(&mishaps).seen;
        let settings = settings();
        assert_eq!(violations(&seen, &settings), [], "{mishaps:?}");
        tamper(&mut seen);
        let violations = violations(&seen, &settings);
        assert!(
            violations.iter().any(|found| found.invariant == invariant),
            "{invariant}: {violations:?}"
        );
    }
}

/// The configuration of [`settings`], for whoever reads a scenario file.
fn configured(_: &Path) -> Result<Settings, String> {
    Ok(settings())
}

/// A scenario file's only case.
fn case_of(text: &str) -> Arc<Case> {
    let folder = std::env::temp_dir().join(format!("rejoin-chaos-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let file = folder.join(format!("{:?}.yaml", std::thread::current().id()));
    std::fs::write(&file, text).unwrap();
    let read = scenario::read(&file, &configured, source::report::plain);
    std::fs::remove_dir_all(&folder).unwrap();
    assert_eq!(read.faults, None, "{text}");
    Arc::new(read.cases.into_iter().next().unwrap())
}

fn named() -> Named {
    Named {
        definition: serde_json::from_str(DEFINITION).unwrap(),
        config: Some("rejoin.toml".to_owned()),
    }
}

/// What happened, but for tokens, which are never the same twice.
fn events(seen: &Seen) -> Vec<String> {
    let events = seen.events.iter().map(|event| {
        let what = match &event.kind {
            EventKind::ExecutionStarted { .. } => "it starts".to_owned(),
            EventKind::TaskScheduled { wait, resource, .. } => format!("{wait:?} {resource}"),
            kind => format!("{kind:?}"),
        };
        format!("{} {:?} {what}", event.at.0, event.frame)
    });
    events.collect()
}

#[test]
fn a_scenario_file_says_a_run_word_for_word() {
    let ground = Ground::of(&question()).unwrap();
    let mut drawn: BTreeSet<String> = BTreeSet::new();
    for seed in 1..40 {
        let run = ground.play(Plan::Drawn(seed)).unwrap();
        let kind = |mishap: &Mishap| format!("{:?}", mishap.what);
        let name = |what: String| what.split([' ', '(']).next().unwrap().to_owned();
        drawn.extend(run.mishaps.iter().map(|mishap| name(kind(mishap))));
        let written = Written {
            about: &[],
            name: "a seed",
            definition: &named().definition,
            machine: "LoanProcessor",
            config: Some("rejoin.toml"),
            input: &run.input,
            answered: &run.answered,
            expect: &json!({ "invariants": ["one-completion-per-wait"] }),
        };
        let outcome = play(&case_of(&written.text()));
        assert!(outcome.passed(), "seed {seed}: {outcome:?}");
        let seen = outcome.seen.unwrap();
        assert_eq!(events(&seen), events(&run.seen), "seed {seed}");
        let deeds = |seen: &Seen| -> Vec<(i64, String, u16)> {
            let deeds = seen.deeds.iter();
            let deeds = deeds.map(|deed| (deed.at, deed.what.clone(), deed.answer.0));
            deeds.collect()
        };
        assert_eq!(deeds(&seen), deeds(&run.seen), "seed {seed}");
        let told = |seen: &Seen| seen.told.iter().map(|told| told.at).collect::<Vec<_>>();
        assert_eq!(told(&seen), told(&run.seen), "seed {seed}");
    }
    let all = "Corrupt Delay Disconnect Drop Duplicate Heartbeat Kill Reorder";
    assert_eq!(drawn.into_iter().collect::<Vec<_>>().join(" "), all);
}

/// A promise that no server keeps: nobody is ever late. It stands for one that a fault in the server breaks.
fn nobody_is_late(seen: &Seen, _: &Settings) -> Vec<Violation> {
    let late = seen.deliveries.iter().filter(|delivery| {
        let steps = delivery["dispositions"].as_array().unwrap();
        steps.last().unwrap()["disposition"] == "late-timed-out"
    });
    let violation = |_| Violation {
        invariant: "every-non-delivery-alerted",
        what: "somebody was late".to_owned(),
    };
    late.map(violation).take(1).collect()
}

#[test]
fn what_breaks_a_promise_becomes_the_shortest_scenario_that_does() {
    let broken = chaos_under(&question(), 1, 200, &nobody_is_late);
    let broken = broken.unwrap().broken.unwrap();
    // One thing is enough for that: an answer that takes too long.
    assert!(
        matches!(
            broken.mishaps[..],
            [Mishap {
                what: What::Delay(_) | What::Duplicate { .. },
                ..
            }]
        ),
        "{:?}",
        broken.mishaps
    );
    let text = broken.scenario("LoanProcessor", &named());
    let said = format!(
        "# Seed {} breaks every-non-delivery-alerted: somebody was late.",
        broken.seed
    );
    assert!(text.starts_with(&said), "{text}");
    let case = case_of(&text);
    let outcome = play(&case);
    // All that is left is what the file says, and it still does it.
    assert!(outcome.passed(), "{outcome:?}");
    assert_eq!(nobody_is_late(&outcome.seen.unwrap(), &settings()).len(), 1);
    // Without the answer that is late there is nothing to find.
    let punctual: Vec<&str> = text
        .lines()
        .filter(|line| !line.contains("callback"))
        .collect();
    let outcome = play(&case_of(&punctual.join("\n")));
    assert_eq!(nobody_is_late(&outcome.seen.unwrap(), &settings()), []);
}

#[test]
fn a_seed_is_the_same_each_time() {
    let of_seed = |seed| drawn(seed, "RequestValuation", 0);
    assert_eq!(of_seed(7), of_seed(7));
    let all: Vec<_> = (0..50).map(of_seed).collect();
    let some = all.iter().filter(|mishaps| !mishaps.is_empty()).count();
    assert!((20..50).contains(&some), "{some}");
}
