//! What a file says, checked.
//!
//! | where | what stands there |
//! | --- | --- |
//! | file | `services`; `seed`, a number that ids are made from |
//! | service | `routes`; `port`; `url`, where the real one is: who plays the mock in its place brings what is sent there; `secret`; `faults`, which names of a request's choosing mean what |
//! | `secret` | text: what callbacks are signed with by Standard Webhooks; or an object: `scheme`, `secret`, and what else a route's `verify` has for the scheme |
//! | route | `get`, `post`, `put`, `patch`, `delete` or `any`: its path, with `{name}` parameters; `when`, JSONata that must be true; `request`, which ones of them (`3`, `1..2`, `3..`); `key`, JSONata: what makes two requests the same work; `reply`, `callbacks`, `fault` |
//! | `reply` | `status` (200), `headers`, `body`, `delay` |
//! | callback | `after` (from the request on), `to`, `method` (POST), `headers`, `body`; `failure` and `heartbeat`, the bodies that say those things; `retries`, the pauses (`[5s, 5m, 30m]`) after which it is sent again if nobody is reached, or the answer is 429 or 5xx; it is signed anew with the same id. Without it, it is sent once |
//! | `fault` | a [`Fault`]; or JSONata that gives the name of one, in the service's `faults` if it has some; any other name is no fault |
//!
//! Of a service's routes the first that fits answers. Requests are counted by method and path as the file has them, and
//! apart for each `key`. Requests with the same `key`, or where the route has none with the same `Idempotency-Key`
//! header, are the same work: they get the same `$reference`, and it is done once.

use std::sync::Arc;

use hyper::Method;
use serde_json::Value;
use server::gateway::verify::sign::Signing;
use source::{Found, Part, Source};

use crate::fault::Fault;
use crate::read::{definition, services};
use crate::reading::{Reading, Wrong};
use crate::running::can;
use crate::template::Template;

/// The services of a file. Cloning is a reference count.
#[derive(Clone)]
pub struct Mock(pub(crate) Arc<Definition>);

pub(crate) struct Definition {
    pub services: Vec<Arc<Service>>,
    pub seed: Option<u64>,
}

pub(crate) struct Service {
    pub name: String,
    pub port: Option<u16>,
    /// Without a slash at its end.
    pub url: Option<String>,
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
    /// The pauses, in milliseconds, after which it is sent again.
    pub retries: Vec<i64>,
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
        let mut reading = Reading::default();
        let definition = definition(&mut reading, value, at);
        checked(reading, definition).map_err(|wrong: Vec<Wrong>| {
            let found = wrong.into_iter().map(|wrong| wrong.place(source));
            let mut found: Vec<Found<'_>> = found.collect();
            found.sort_by_key(|found| found.place.as_ref().map(|place| (place.line, place.column)));
            found
        })
    }

    /// Reads what stands below `services` in some other file, at the pointer `at`.
    ///
    /// # Errors
    /// Everything that is wrong with it, and where.
    pub fn of_services(value: &Value, at: &str) -> Result<Mock, Vec<Wrong>> {
        let mut reading = Reading::default();
        let services = services(&mut reading, value, at);
        let definition = services.map(|services| Definition {
            services,
            seed: None,
        });
        checked(reading, definition)
    }

    /// The same with the services of another one, which take the place of those that have the same name.
    #[must_use]
    pub fn with(&self, other: &Mock) -> Mock {
        let mut services = self.0.services.clone();
        for service in &other.0.services {
            match services.iter_mut().find(|known| known.name == service.name) {
                Some(known) => *known = service.clone(),
                None => services.push(service.clone()),
            }
        }
        Mock(Arc::new(Definition {
            services,
            seed: other.0.seed.or(self.0.seed),
        }))
    }

    /// Reads what a service is to do wrong whatever is asked of it, which stands at `at`: the name of one of its
    /// `faults`, or a [`Fault`] as a route has it.
    ///
    /// # Errors
    /// What is wrong with it, and where. That no route of the service can go wrong like that is, too.
    pub fn fault(&self, service: &str, value: &Value, at: &str) -> Result<Fault, Vec<Wrong>> {
        let mut reading = Reading::default();
        let fault = self.service(service).and_then(|service| {
            let named = value.as_str().and_then(|name| service.fault(name));
            let fault = match (named, value) {
                (Some(fault), _) => Some(fault.clone()),
                (None, Value::String(word)) if Fault::named(word).is_none() => {
                    let names = service
                        .faults
                        .iter()
                        .flatten()
                        .map(|(name, _)| name.as_str());
                    let mut known: Vec<&str> = names.collect();
                    for word in Fault::words() {
                        known.push(word);
                    }
                    reading.unknown(at, Part::Value, word, &known);
                    None
                }
                _ => Fault::read(&mut reading, value, at),
            }?;
            let mut can = service
                .routes
                .iter()
                .map(|route| can(&fault, service, route));
            let first = can.next()?;
            if let (Err(why), true) = (first, can.all(|can| can.is_err())) {
                reading.wrong(at, why, "");
            }
            Some(fault)
        });
        checked(reading, fault)
    }

    /// Which service is at a URL, the real one or the mock on its port; and the path there, with the query.
    pub fn at(&self, url: &str) -> Option<(&str, String)> {
        self.0.services.iter().find_map(|service| {
            let port = service.port.into_iter();
            let own = port.flat_map(|port| {
                ["127.0.0.1", "localhost"].map(|host| format!("http://{host}:{port}"))
            });
            let mut bases = service.url.clone().into_iter().chain(own);
            let rest = bases.find_map(|base| url.strip_prefix(&base).map(str::to_owned));
            let path = match rest? {
                path if path.starts_with('/') => path,
                query if query.is_empty() || query.starts_with('?') => format!("/{query}"),
                _ => return None,
            };
            Some((&*service.name, path))
        })
    }

    fn service(&self, name: &str) -> Option<&Service> {
        let mut services = self.0.services.iter();
        services
            .find(|known| known.name == name)
            .map(|service| &**service)
    }

    /// The names of the services, in the order of the file.
    pub fn services(&self) -> impl Iterator<Item = &str> {
        self.0.services.iter().map(|service| service.name.as_str())
    }

    /// The names of a service's routes, like `POST /valuations`, in the order of the file.
    pub fn routes(&self, service: &str) -> impl Iterator<Item = &str> {
        let routes = self
            .service(service)
            .into_iter()
            .flat_map(|found| &found.routes);
        routes.map(|route| route.name.as_str())
    }

    /// The names that requests to a service choose faults by, in the order of the file.
    pub fn fault_names(&self, service: &str) -> impl Iterator<Item = &str> {
        let tables = self
            .service(service)
            .and_then(|found| found.faults.as_ref())
            .into_iter();
        tables.flatten().map(|(name, _)| name.as_str())
    }
}

/// What was read, if nothing was wrong with it.
fn checked<T: Into<R>, R>(reading: Reading, read: Option<T>) -> Result<R, Vec<Wrong>> {
    match read {
        Some(read) if reading.found.is_empty() => Ok(read.into()),
        _ => Err(reading.found),
    }
}

impl From<Definition> for Mock {
    fn from(definition: Definition) -> Mock {
        Mock(Arc::new(definition))
    }
}

impl Service {
    /// What a name means that a request chooses a fault by.
    pub fn fault(&self, name: &str) -> Option<&Fault> {
        let mut faults = self.faults.iter().flatten();
        faults
            .find(|(known, _)| known == name)
            .map(|(_, fault)| fault)
    }
}
