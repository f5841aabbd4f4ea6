//! How long the lab takes for the loan processor: the explorer's full matrix, a thousand seeds of chaos, a thousand
//! cases of scenarios.
//!
//! `cargo bench -p lab --bench explore`. The goals on two cores: under 1 s, under 60 s, under 10 s.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use lab::explore::{Question, chaos, explore, plan::Choice, play::each};
use lab::scenario::{self, Case, play};
use lab::{Machine, Settings};
use serde_json::json;

const DEFINITION: &str =
    include_str!("../../examples/loan-processor/definition-heartbeats.asl.json");
const SEEDS: u64 = 1000;
const CASES: usize = 1000;

fn main() {
    let route = json!({
        "name": "valuation",
        "path": "/callbacks/valuation",
        "verify": { "scheme": "standard-webhooks", "secrets": ["whsec_dGhlIHZhbHVhdGlvbiBzZXJ2aWNl"] },
        "reference": "$.valuationReference",
        "expects": ["LoanProcessor.RequestValuation", "LoanProcessorWithHeartbeats.RequestValuation"],
        "failure": { "when": "$.failed", "error": "ValuationFailed", "cause": "$.reason" },
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
    let file = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../examples/loan-processor/loan-processor.test.yaml");
    let settings = |_: &Path| Ok(question.settings.clone());
    let read = scenario::read(&file, &settings, source::report::plain);
    assert_eq!(read.faults, None);
    let cases: Vec<Arc<Case>> = read.cases.into_iter().map(Arc::new).collect();
    let cases: Vec<&Arc<Case>> = cases.iter().cycle().take(CASES).collect();
    let begun = Instant::now();
    let passed = each(&cases, |case| play(case).passed());
    let passed = passed.into_iter().filter(|passed| *passed).count();
    assert_eq!(passed, CASES);
    println!("{CASES} cases: {} ms", begun.elapsed().as_millis());
}
