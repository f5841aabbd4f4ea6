//! The loan processor's table as scenario files, and whether the scenarios notice when the definition is broken.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use lab::Settings;
use lab::breakage::breakages;
use lab::breakage::noticed::{self, Noticed};
use lab::report::junit::reasons;
use lab::scenario::{self, Case, play, play::play_of};
use serde::Deserialize;
use server::gateway::RouteConfig;
use server::topics::TopicConfig;

/// What of `rejoin.toml` a case needs; the rest is the command's to read.
#[derive(Deserialize)]
struct Config {
    topics: BTreeMap<String, TopicConfig>,
    routes: Vec<RouteConfig>,
}

fn configured(path: &Path) -> Result<Settings, String> {
    let text = std::fs::read_to_string(path).map_err(|why| why.to_string())?;
    let config: Config = toml::from_str(&text).map_err(|why| why.to_string())?;
    Ok(Settings {
        topics: config.topics,
        routes: config.routes,
        ..Settings::default()
    })
}

fn cases() -> Vec<Arc<Case>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/loan-processor");
    let file: PathBuf = folder.join("loan-processor.test.yaml");
    let read = scenario::read(&file, &configured, source::report::plain);
    assert_eq!(read.faults, None);
    read.cases.into_iter().map(Arc::new).collect()
}

#[test]
fn the_table_passes_in_no_time() {
    let cases = cases();
    // All rows of `rejoin demo`, and four more: see the file.
    assert_eq!(cases.len(), 17);
    let begun = Instant::now();
    for case in &cases {
        let outcome = play(case);
        assert!(outcome.passed(), "{case:?}: {:#?}", reasons(&outcome));
    }
    // A second, on a machine that does nothing else; a minute and a half of virtual time would not fit into ten.
    let took = begun.elapsed();
    assert!(took < Duration::from_secs(10), "{took:?}");
}

#[test]
fn every_way_to_break_the_definition_is_found_and_named() {
    let cases = cases();
    let mut machines: BTreeMap<&str, Vec<&Arc<Case>>> = BTreeMap::new();
    for case in &cases {
        machines.entry(&case.machine).or_default().push(case);
    }
    let plain = &machines["LoanProcessor"];
    let broken = breakages(&definition(plain[0]));
    assert_eq!(broken.len(), 1 + 1 + 2 + 2 + 8);
    for (what, said) in [
        (
            "no TimeoutSeconds",
            "it never ends, the execution waits in RequestValuation",
        ),
        ("no Retry", "retries.RequestValuation: expected 2, got 0"),
        (
            "no Catch of States.Timeout",
            "error: expected ValuationServiceTimedOut, got States.Timeout",
        ),
        (
            "no Catch of ValuationFailed",
            "passes: expected PublishValuationFailedError, ValuationFailed",
        ),
        ("TimeoutError: not there", "alerts: expected 1: "),
        ("FailedError: not there", "alerts: expected 1: "),
        (
            "no executionId in",
            "executionId: expected /:execution:LoanProcessor:/, got nothing",
        ),
        ("no description in", "description: expected The valuation"),
        (
            "no source in",
            "source: expected /:stateMachine:LoanProcessor$/, got nothing",
        ),
        (
            "no executionStartTime in",
            "executionStartTime: expected /^20.*Z$/, got nothing",
        ),
    ] {
        let matching: Vec<_> = broken.iter().filter(|b| b.what.contains(what)).collect();
        assert!(!matching.is_empty(), "{what}");
        for broken in matching {
            let found = found(plain, &broken.definition.to_string());
            assert!(
                found.iter().any(|reason| reason.contains(said)),
                "{}: {found:#?}",
                broken.what
            );
        }
    }
}

#[test]
fn no_breakage_is_unseen() {
    let noticed = noticed::all(&cases()).unwrap();
    assert_eq!(noticed.len(), 14 + 15);
    let unseen: Vec<&Noticed> = noticed.iter().filter(|one| one.by_case.is_none()).collect();
    assert!(unseen.is_empty(), "{unseen:#?}");
    // Whose it is the explorer can know, and not what else a message should say.
    let only_by_cases = noticed.iter().filter(|one| one.by_explorer.is_none());
    let only_by_cases: Vec<&str> = only_by_cases.map(|one| &*one.what).collect();
    assert_eq!(only_by_cases.len(), 2 * 6, "{only_by_cases:#?}");
    assert!(
        only_by_cases
            .iter()
            .all(|what| what.ends_with("in its message"))
    );
}

#[test]
fn a_heartbeat_or_a_timeout_that_is_gone_is_found_where_there_are_heartbeats() {
    let cases = cases();
    let beating: Vec<&Arc<Case>> = cases
        .iter()
        .filter(|case| case.machine == "LoanProcessorWithHeartbeats")
        .collect();
    let broken = breakages(&definition(beating[0]));
    for (what, said) in [
        (
            "no HeartbeatSeconds",
            "heartbeats stop: ended: expected 25s, got 30s",
        ),
        (
            "no TimeoutSeconds",
            "heartbeats and no answer: ended: expected 30s, got 37s",
        ),
    ] {
        let broken = broken.iter().find(|b| b.what.contains(what)).unwrap();
        let found = found(&beating, &broken.definition.to_string());
        assert!(
            found.iter().any(|reason| reason == said),
            "{what}: {found:#?}"
        );
    }
}

fn definition(case: &Case) -> serde_json::Value {
    serde_json::from_str(&case.definition.text).unwrap()
}

/// What the cases say of another definition.
fn found(cases: &[&Arc<Case>], definition: &str) -> Vec<String> {
    let mut found = Vec::new();
    for case in cases {
        let outcome = play_of(case, definition);
        let reasons = reasons(&outcome).into_iter();
        found.extend(reasons.map(|reason| format!("{}: {reason}", case.name)));
    }
    found
}
