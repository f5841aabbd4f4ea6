//! What a file says, checked.
//!
//! | where | what stands there |
//! | --- | --- |
//! | file | `services`; `seed`, a number that ids are made from |
//! | service | `routes`; `port`; `secret`; `faults`, which names of a request's choosing mean what |
//! | `secret` | text: what callbacks are signed with by Standard Webhooks; or an object: `scheme`, `secret`, and what else a route's `verify` has for the scheme |
//! | route | `get`, `post`, `put`, `patch`, `delete` or `any`: its path, with `{name}` parameters; `when`, JSONata that must be true; `request`, which ones of them (`3`, `1..2`, `3..`); `key`, JSONata: what makes two requests the same work; `reply`, `callbacks`, `fault` |
//! | `reply` | `status` (200), `headers`, `body`, `delay` |
//! | callback | `after` (from the request on), `to`, `method` (POST), `headers`, `body`; `failure` and `heartbeat`, the bodies that say those things |
//! | `fault` | a [`Fault`]; or JSONata that gives the name of one, in the service's `faults` if it has some; any other name is no fault |
//!
//! Of a service's routes the first that fits answers. Requests are counted by method and path as the file has them, and
//! apart for each `key`. Requests with the same `key`, or where the route has none with the same `Idempotency-Key`
//! header, are the same work: they get the same `$reference`, and it is done once.

use std::sync::Arc;

use hyper::Method;
use serde_json::Value;
use server::gateway::verify::sign::Signing;
use source::{Found, Source};

use crate::fault::Fault;
use crate::read::definition;
use crate::reading::Reading;
use crate::template::Template;

/// The services of a file. Cloning is a reference count.
#[derive(Clone)]
pub struct Mock(pub(crate) Arc<Definition>);

pub(crate) struct Definition {
    pub services: Vec<Service>,
    pub seed: Option<u64>,
}

pub(crate) struct Service {
    pub name: String,
    pub port: Option<u16>,
    pub proof: Option<Proof>,
    pub routes: Vec<Route>,
    /// What the names mean that requests choose faults by.
    pub faults: Option<Vec<(String, Fault)>>,
}

/// What callbacks are signed with.
pub(crate) struct Proof {
    pub right: Signing,
    pub forged: Signing,
}

pub(crate) struct Route {
    /// `POST /valuations`; routes of the same name are counted together.
    pub name: String,
    /// None for any.
    pub method: Option<Method>,
    pub path: Vec<Segment>,
    pub when: Option<Template>,
    pub request: Option<Nth>,
    pub key: Option<Template>,
    pub reply: Reply,
    pub callbacks: Vec<Callback>,
    pub fault: Choice,
}

pub(crate) enum Segment {
    Fixed(String),
    Parameter(String),
}

/// From which request to which, both included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Nth(pub u64, pub u64);

pub(crate) struct Reply {
    pub status: u16,
    pub headers: Vec<(String, Template)>,
    pub body: Option<Template>,
    pub delay: i64,
}

pub(crate) struct Callback {
    /// Milliseconds from the request on.
    pub after: i64,
    pub to: Template,
    pub method: Method,
    pub headers: Vec<(String, Template)>,
    pub body: Template,
    pub failure: Option<Template>,
    pub heartbeat: Option<Template>,
}

/// Which fault a request meets.
pub(crate) enum Choice {
    Always(Fault),
    Named(Template),
}

impl Mock {
    /// Reads a file.
    ///
    /// # Errors
    /// Everything that is wrong with it, and where.
    pub fn read(source: &Source) -> Result<Mock, Vec<Found<'_>>> {
        Mock::read_part(source, &source.value()?, "")
    }

    /// Reads a mock that is a part of a file: its `value`, which stands at the pointer `at`.
    ///
    /// # Errors
    /// As [`Mock::read`].
    pub fn read_part<'s>(
        source: &'s Source,
        value: &Value,
        at: &str,
    ) -> Result<Mock, Vec<Found<'s>>> {
        let mut reading = Reading::of(source);
        let definition = definition(&mut reading, value, at);
        match definition {
            Some(definition) if reading.found.is_empty() => Ok(Mock(Arc::new(definition))),
            _ => {
                let line = |found: &Found<'_>| {
                    found.place.as_ref().map(|place| (place.line, place.column))
                };
                reading.found.sort_by_key(line);
                Err(reading.found)
            }
        }
    }

    /// The names of the services, in the order of the file.
    pub fn services(&self) -> impl Iterator<Item = &str> {
        self.0.services.iter().map(|service| service.name.as_str())
    }

    /// The names of a service's routes, like `POST /valuations`, in the order of the file.
    pub fn routes(&self, service: &str) -> impl Iterator<Item = &str> {
        let found = self.0.services.iter().find(|known| known.name == service);
        let routes = found.into_iter().flat_map(|service| &service.routes);
        routes.map(|route| route.name.as_str())
    }

    /// The names that requests to a service choose faults by, in the order of the file.
    pub fn fault_names(&self, service: &str) -> impl Iterator<Item = &str> {
        let found = self.0.services.iter().find(|known| known.name == service);
        let tables = found
            .into_iter()
            .filter_map(|service| service.faults.as_ref());
        tables.flatten().map(|(name, _)| name.as_str())
    }
}
