//! Every scenario below `tests/callbacks` on a whole server: each way in which a wait can end, and each
//! callback that may come then. What became of each, and whether somebody was told, must be as the file
//! says, on a store in memory and on a directory with the server stopped and started again before every
//! step. `BLESS=1` writes what came of them into the files.

#![allow(clippy::unwrap_used)]

mod stage;

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use server::gateway::Disposition;
use stage::Stage;
use testkit::scenario::check;

fn files() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/callbacks")
}

#[test]
fn every_callback_has_its_disposition_on_a_server_in_memory() {
    let bless = std::env::var_os("BLESS").is_some();
    let seen = RefCell::new(BTreeSet::new());
    let played = check(
        &files(),
        &|scenario| {
            let outline = Stage::new(None, &scenario.route).play(scenario)?;
            let named = Disposition::ALL
                .iter()
                .filter(|d| outline.contains(d.name()));
            seen.borrow_mut()
                .extend(named.map(|disposition| disposition.name()));
            Ok(outline)
        },
        bless,
    );
    let played = played.unwrap_or_else(|differences| panic!("{differences}"));
    assert!(
        played > 12,
        "all ways in which a wait can end are there: {played}"
    );
    // An engine in this process can't be out of reach.
    let all = Disposition::ALL
        .iter()
        .map(|disposition| disposition.name());
    let missing: Vec<_> = all.filter(|name| !seen.borrow().contains(name)).collect();
    assert_eq!(
        missing,
        ["undeliverable"],
        "dispositions that no scenario shows"
    );
}

#[test]
fn every_callback_has_its_disposition_on_a_server_that_is_started_again_before_each_step() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("callbacks");
    let number = Cell::new(0);
    let played = check(
        &files(),
        &|scenario| {
            // How much a source has sent is in memory; a server that starts again begins to count.
            if scenario.route.contains("\"rate\"") {
                return Ok(scenario.history.clone());
            }
            number.set(number.get() + 1);
            let directory = folder.join(number.get().to_string());
            let _ = std::fs::remove_dir_all(&directory);
            let outline = Stage::new(Some(directory.clone()), &scenario.route).play(scenario);
            let _ = std::fs::remove_dir_all(&directory);
            outline
        },
        false,
    );
    played.unwrap_or_else(|differences| panic!("{differences}"));
}
