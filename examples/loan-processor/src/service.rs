//! The valuation service's stand-in: what `valuation.mock.yaml` says, which `rejoin mock` runs as well. What it does
//! wrong it reads off the property's `nameOrNumber`.

use mock::Mock;
use source::Source;

/// The service's name in the file.
pub const SERVICE: &str = "valuation";

/// The path that takes requests.
pub const VALUATIONS_PATH: &str = "/valuations";

const FILE: &str = include_str!("../valuation.mock.yaml");

/// The service, to be started.
pub fn valuation_service() -> Mock {
    let source = Source::of("valuation.mock.yaml", FILE.to_owned(), true);
    let read = Mock::read(&source);
    read.unwrap_or_else(|found| panic!("{}", source.report(&found, source::report::plain)))
}
