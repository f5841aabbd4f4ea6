//! Chaos keeps the promises on the loan processor; and the promises can be broken, or they would be none.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::sync::Arc;

use engine::EventKind;
use lab::explore::Question;
use lab::explore::chaos::{chaos, invariant::Books, mishap, outside::Plan, outside::Unlucky};
use lab::explore::outside::Script;
use lab::explore::plan::Choice;
use lab::explore::play::Stage;
use lab::explore::site::{self, Site};
use lab::{Machine, Seen, Settings};
use serde_json::{Value, json};

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

fn machine() -> Machine {
    Machine {
        name: "LoanProcessor".to_owned(),
        definition: DEFINITION.to_owned(),
    }
}

#[test]
fn seeds_keep_all_promises() {
    let question = Question {
        machine: machine(),
        input: None,
        results: BTreeMap::new(),
        settings: settings(),
        choice: Choice::default(),
        notes: Vec::new(),
    };
    let chaos = chaos(&question, 1, 60).unwrap();
    assert_eq!(chaos.broken, None);
    assert_eq!(chaos.played, 60);
    // Chaos that is none, or after which nothing ever ends well, would show little.
    assert!(chaos.mishaps > 60, "{}", chaos.mishaps);
    assert!(
        chaos.ends["SUCCEEDED"] > 5 && chaos.ends["FAILED"] > 5,
        "{:?}",
        chaos.ends
    );
}

/// What was seen of a run in which these things happen to the first attempt, and its tasks.
fn seen(mishaps: &[Value]) -> (Seen, Vec<Site>) {
    let model = Arc::new(asl::parse(DEFINITION).machine.unwrap());
    let sites = site::all(&model, "LoanProcessor", &settings());
    let script = Arc::new(Script {
        sites: sites
            .iter()
            .map(|site| (site.state.clone(), site.clone()))
            .collect(),
        results: [("RequestValuation".to_owned(), json!({ "propertyValue": 1 }))].into(),
    });
    let each = mishaps.iter().map(|what| mishap::Mishap {
        state: "RequestValuation".to_owned(),
        attempt: 0,
        what: serde_json::from_value(what.clone()).unwrap(),
    });
    let outside = Unlucky::new(script, Plan::Written(each.collect()), Arc::default());
    let stage = Stage {
        machine: machine(),
        model,
        settings: settings(),
    };
    let (seen, _) = stage.run(&json!({}), Box::new(outside)).unwrap();
    (seen, sites)
}

#[test]
fn every_promise_can_be_broken() {
    type Tamper = fn(&mut Seen);
    let duplicate = json!({ "duplicate": { "after": 1000, "contradicts": true } });
    let rows: [(&str, Vec<Value>, Tamper); 6] = [
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
        ("every-non-delivery-alerted", vec![duplicate], |seen| {
            seen.told.clear()
        }),
        ("nothing-before-its-time", vec![json!("drop")], |seen| {
            let out =
                |event: &&mut engine::Event| matches!(event.kind, EventKind::TaskTimedOut { .. });
            seen.events.iter_mut().find(out).unwrap().at.0 -= 1;
        }),
        (
            "nothing-before-its-time",
            vec![json!("disconnect")],
            |seen| {
                for event in &mut seen.events {
                    if let EventKind::RetryScheduled { until, .. } = &mut event.kind {
                        until.0 += 1;
                    }
                }
            },
        ),
    ];
    for (invariant, mishaps, tamper) in rows {
        let (mut seen, sites) = seen(&mishaps);
        let settings = settings();
        let before = Books::of(&seen, &sites, &settings).violations();
        assert_eq!(before, [], "{mishaps:?}");
        tamper(&mut seen);
        let violations = Books::of(&seen, &sites, &settings).violations();
        assert!(
            violations.iter().any(|found| found.invariant == invariant),
            "{invariant}: {violations:?}"
        );
    }
}

#[test]
fn a_seed_is_the_same_each_time() {
    let drawn = |seed| mishap::drawn(seed, "RequestValuation", 0);
    assert_eq!(drawn(7), drawn(7));
    let all: Vec<_> = (0..50).map(drawn).collect();
    let some = all.iter().filter(|mishaps| !mishaps.is_empty()).count();
    assert!((20..50).contains(&some), "{some}");
    let written = serde_json::to_string(&all).unwrap();
    let read: Vec<Vec<mishap::Mishap>> = serde_json::from_str(&written).unwrap();
    assert_eq!(read, all);
}
