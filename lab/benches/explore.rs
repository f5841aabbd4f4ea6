//! How long the explorer takes for the loan processor: its full matrix, and a thousand seeds of chaos.
//!
//! `cargo bench -p lab --bench explore`. The goals: under 1 s and under 60 s on two cores.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::time::Instant;

use lab::explore::{Question, chaos, explore, plan::Choice};
use lab::{Machine, Settings};
use serde_json::json;

const DEFINITION: &str =
    include_str!("../../examples/loan-processor/definition-heartbeats.asl.json");
const SEEDS: u64 = 1000;

fn main() {
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
    let question = Question {
        machine: Machine {
            name: "LoanProcessor".to_owned(),
            definition: DEFINITION.to_owned(),
        },
        input: None,
        results: BTreeMap::new(),
        settings: Settings {
            topics: [("LoanErrors".to_owned(), Default::default())].into(),
            routes: vec![serde_json::from_value(route).unwrap()],
            ..Settings::default()
        },
        choice: Choice::default(),
        notes: Vec::new(),
    };
    let begun = Instant::now();
    let cases = explore(&question).unwrap().rows.len();
    println!(
        "the full matrix, {cases} cases: {} ms",
        begun.elapsed().as_millis()
    );
    let begun = Instant::now();
    let chaos = chaos::chaos(&question, 1, SEEDS).unwrap();
    assert!(
        chaos.broken.is_none(),
        "a promise was broken: {:?}",
        chaos.broken
    );
    println!(
        "{SEEDS} seeds, {} mishaps: {} ms",
        chaos.mishaps,
        begun.elapsed().as_millis()
    );
}
