//! Every scenario below `tests/scenarios` on a whole server, through its doors: the same files that
//! `testkit` plays on the engine alone must give the same histories here, on a store in memory, and on
//! a directory with the server stopped and started again before every step. The doors are [`stage`]'s.
//!
//! What a script can't say to a server in memory: `oversleep`, because the server forgets.

#![allow(clippy::unwrap_used)]

mod stage;

use std::cell::Cell;
use std::path::{Path, PathBuf};

use stage::Stage;
use testkit::scenario::check;
use testkit::script::{Action, Step};

fn files() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/scenarios")
}

#[test]
fn every_scenario_goes_the_same_on_a_server_in_memory() {
    let left_out = Cell::new(0);
    let played = check(
        &files(),
        &|scenario| {
            let oversleeps = |step: &Step| matches!(step.action, Action::Oversleep(_));
            if scenario.script.iter().any(oversleeps) {
                left_out.set(left_out.get() + 1);
                return Ok(scenario.history.clone());
            }
            Stage::new(None, "").play(scenario)
        },
        false,
    );
    let played = played.unwrap_or_else(|differences| panic!("{differences}"));
    assert!(played > 50, "most of the scenarios are there: {played}");
    assert_eq!(left_out.get(), 2, "the scenarios that oversleep");
}

#[test]
fn every_scenario_goes_the_same_on_a_server_that_is_started_again_before_each_step() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("scenarios");
    let number = Cell::new(0);
    let played = check(
        &files(),
        &|scenario| {
            number.set(number.get() + 1);
            let directory = folder.join(number.get().to_string());
            let _ = std::fs::remove_dir_all(&directory);
            let outline = Stage::new(Some(directory.clone()), "").play(scenario);
            let _ = std::fs::remove_dir_all(&directory);
            outline
        },
        false,
    );
    let played = played.unwrap_or_else(|differences| panic!("{differences}"));
    assert!(played > 50, "most of the scenarios are there: {played}");
}
