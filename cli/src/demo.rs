//! `rejoin demo`: the loan processor, with everything that can go wrong with its callback.
//!
//! A real server on loopback, a real store in a temporary folder, the request function as a child
//! process, the valuation service over HTTP; only the clock is virtual, unless `--real-time`.
//!
//! - [`rows`]: DESIGN.md's table: what is done to the workflow, and what must come of it.
//! - [`stage`]: the server, the function, the valuation service.
//! - [`report`]: the table and the alerts.
