//! The reference for users says what is read here: every key is in it, and its examples are cases that pass.

use std::path::Path;
use std::sync::Arc;

use server::gateway::Disposition;

use super::{OF_CASES, Settings, acts, asks, came, expect, play, served, tasks};
use crate::report::junit::reasons;

const REFERENCE: &str = include_str!("../../../docs/scenarios.md");

fn configured(path: &Path) -> Result<Settings, String> {
    let text = std::fs::read_to_string(path).map_err(|why| why.to_string())?;
    let config: toml::Value = toml::from_str(&text).map_err(|why| why.to_string())?;
    let routes = serde_json::to_value(&config["routes"]).map_err(|why| why.to_string())?;
    Ok(Settings {
        topics: [("LoanErrors".to_owned(), Default::default())].into(),
        routes: serde_json::from_value(routes).map_err(|why| why.to_string())?,
        ..Settings::default()
    })
}

#[test]
fn every_example_of_the_reference_passes() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/scenarios.md");
    let file = super::read(&path, &configured, source::report::plain);
    assert_eq!(file.faults, None);
    assert!(file.cases.len() >= 12, "{}", file.cases.len());
    let mut wrong = Vec::new();
    for case in file.cases.into_iter().map(Arc::new) {
        let outcome = play(&case);
        if !outcome.passed() {
            let told = outcome.seen.iter().flat_map(crate::report::story::story);
            let told: Vec<String> = told.collect();
            wrong.push(format!("{case:?}: {:#?} {told:#?}", reasons(&outcome)));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_key_is_in_the_reference() {
    let lists: [&[&str]; 11] = [
        &OF_CASES,
        &acts::OF_TASKS,
        &acts::ABOUT,
        &acts::OF_CALLBACK,
        &asks::NAMES,
        &came::OF_CALLS,
        &expect::NAMES,
        &served::OF_REQUESTS,
        &served::OF_CALLBACKS,
        &served::SAYS,
        &tasks::NAMES,
    ];
    let faults = mock::Fault::words();
    let dispositions = Disposition::ALL
        .iter()
        .map(|disposition| disposition.name());
    for key in lists
        .iter()
        .flat_map(|list| list.iter().copied())
        .chain(faults)
        .chain(dispositions)
    {
        let of_its_own = |end: char| REFERENCE.contains(&format!("`{key}{end}"));
        // In an act's form its settings stand between braces.
        let inside = [format!("{{{key},"), format!(" {key},"), format!(" {key}}}")];
        let is_there = of_its_own('`')
            || of_its_own(':')
            || inside.iter().any(|form| REFERENCE.contains(form));
        assert!(is_there, "`{key}` is not in docs/scenarios.md");
    }
}
