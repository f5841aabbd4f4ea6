//! The callback gateway: references, callbacks, dispositions, alerts.

use serde::Deserialize;
use store::Store;

use crate::clock::Clock;
use crate::http::{Call, Reply};
use crate::runner::Runner;
use crate::topics::Topics;

/// The gateway of a server. Cloning is a reference count.
#[derive(Clone)]
pub struct Gateway {}

/// `[[routes]]` of the configuration: how one third party calls back.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RouteConfig {
    /// Its name, part of a reference's key.
    pub name: String,
    /// The path that the third party POSTs to, for example `/callbacks/valuation`.
    pub path: String,
    // the gateway's author: reference, failure, output, error, cause, early_seconds, used_seconds, alerts ...
}

impl Gateway {
    /// Makes the routes of the configuration.
    ///
    /// # Errors
    /// One sentence: which route, what is wrong, what to do.
    pub fn new(
        routes: Vec<RouteConfig>,
        clock: Clock,
        store: Store,
        runner: Runner,
        topics: Topics,
    ) -> Result<Gateway, String> {
        let _ = (routes, clock, store, runner, topics);
        todo!()
    }

    /// Answers a call on a route's path, or on the gateway's own API under `/rejoin/`; `None` if it is neither.
    pub async fn handle(&self, call: &Call) -> Option<Reply> {
        let _ = call;
        todo!()
    }

    /// The scheduler hands over a reference or a delivery that is due (an early callback expires, a
    /// used reference is forgotten, an undelivered one is tried again).
    pub async fn attend(&self, table: store::Table, key: &str) {
        let _ = (table, key);
        todo!()
    }
}
