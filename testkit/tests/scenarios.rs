//! Every scenario below `tests/scenarios`, on the engine alone. `BLESS=1` writes the histories anew;
//! the difference is then there to be read before it is committed.

use std::path::Path;

#[test]
fn every_scenario_goes_as_its_file_says() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/scenarios");
    let bless = std::env::var_os("BLESS").is_some();
    match testkit::scenario::check(&directory, &testkit::play::play, bless) {
        Ok(played) => assert!(
            played > 0,
            "there are no scenarios in {}",
            directory.display()
        ),
        Err(differences) => panic!("{differences}"),
    }
}
