//! Which route answers a request, the how-many-eth it is, and what goes wrong with it.

use std::sync::Arc;

use hyper::StatusCode;
use serde_json::Value;
use server::http::percent_decode;

use crate::definition::{Choice, Nth, Route, Segment, Service};
use crate::event::Asked;
use crate::fault::Fault;
use crate::running::{Inner, can};
use crate::template::{World, text_of};

/// A request that fits a route, and what is to become of it.
pub(crate) struct Chosen {
    service: usize,
    route: usize,
    pub at: asl::Timestamp,
    pub key: Option<String>,
    pub reference: String,
    pub fault: Fault,
    pub asked: Asked,
}

impl Chosen {
    pub fn service<'i>(&self, inner: &'i Inner) -> &'i Service {
        inner.service(self.service)
    }

    pub fn route<'i>(&self, inner: &'i Inner) -> &'i Route {
        &inner.service(self.service).routes[self.route]
    }

    /// What its templates see.
    pub fn world<'a>(&'a self, inner: &Inner) -> World<'a> {
        World {
            request: &self.asked.request,
            reference: self.reference.as_str().into(),
            n: self.asked.n.into(),
            body: None,
            now: inner.clock.now(),
            seed: inner
                .seed
                .named(format_args!("{}#{}", self.reference, self.asked.n)),
        }
    }
}

/// A request that the file has no answer for.
pub(crate) struct Refused {
    pub status: StatusCode,
    pub why: String,
    pub request: Arc<Value>,
}

/// The first route that fits, with all that follows from it.
pub(crate) fn chosen(inner: &Inner, index: usize, request: Value) -> Result<Chosen, Refused> {
    let service = inner.service(index);
    let mut request = Arc::new(request);
    // Routes of one name and key are counted together, and a request is counted once.
    let mut counted: Vec<(&str, String, u64)> = Vec::new();
    let mut paths_fit = false;
    for (at, route) in service.routes.iter().enumerate() {
        let Some(parameters) = fits(route, &request) else {
            continue;
        };
        paths_fit = true;
        Arc::make_mut(&mut request)["params"] = parameters;
        let mut world = World {
            request: &request,
            reference: Value::Null,
            n: Value::Null,
            body: None,
            now: inner.clock.now(),
            seed: inner.seed.named("choice"),
        };
        let trouble = |what: &str, why: String| Refused {
            status: StatusCode::INTERNAL_SERVER_ERROR,
            why: format!("the mock can't read `{what}` of {}: {why}", route.name),
            request: request.clone(),
        };
        let own_key = match &route.key {
            None => None,
            Some(key) => key
                .find(&world)
                .map_err(|why| trouble("key", why))?
                .map(text_of),
        };
        let counts = own_key.clone().unwrap_or_default();
        let known = counted
            .iter()
            .find(|(name, key, _)| *name == route.name && *key == counts);
        let n = match known {
            Some((_, _, n)) => *n,
            None => {
                let n = inner.count(index, &route.name, &counts);
                counted.push((&route.name, counts, n));
                n
            }
        };
        if route
            .request
            .is_some_and(|Nth(from, to)| !(from..=to).contains(&n))
        {
            continue;
        }
        world.n = n.into();
        if let Some(when) = &route.when {
            let holds = when.find(&world).map_err(|why| trouble("when", why))?;
            if holds != Some(Value::Bool(true)) {
                continue;
            }
        }
        let fault = fault(inner, service, route, &world).map_err(|why| trouble("fault", why))?;
        let key = own_key.or_else(|| {
            request["headers"]["idempotency-key"]
                .as_str()
                .map(str::to_owned)
        });
        let done = key
            .as_deref()
            .and_then(|key| inner.work(index, &route.name, key));
        let repeated = done.is_some();
        let reference = done.unwrap_or_else(|| {
            inner
                .seed
                .named(format_args!(
                    "{}\n{}\n{}\n{n}",
                    service.name,
                    route.name,
                    key.as_deref().unwrap_or_default()
                ))
                .id()
        });
        let now = inner.clock.now();
        return Ok(Chosen {
            service: index,
            route: at,
            at: now,
            key,
            fault: fault.clone(),
            asked: Asked {
                id: 0,
                at: now.to_string(),
                service: service.name.clone(),
                route: Some(route.name.clone()),
                n,
                fault: fault.word(),
                reference: Some(reference.clone()),
                repeated,
                request: request.clone(),
                answered: None,
            },
            reference,
        });
    }
    let (method, path) = (text(&request["method"]), text(&request["path"]));
    let mut routes: Vec<&str> = service
        .routes
        .iter()
        .map(|route| route.name.as_str())
        .collect();
    routes.dedup();
    let why = match paths_fit {
        true => format!(
            "no route of {} for {method} {path} fits this request",
            service.name
        ),
        false => format!(
            "{} has no {method} {path}; it has {}",
            service.name,
            routes.join(", ")
        ),
    };
    Err(Refused {
        status: StatusCode::NOT_FOUND,
        why,
        request,
    })
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// What the parameters of the route's path stand for, if it is for this method and path.
fn fits(route: &Route, request: &Value) -> Option<Value> {
    if route
        .method
        .as_ref()
        .is_some_and(|method| method != text(&request["method"]))
    {
        return None;
    }
    let mut parameters = serde_json::Map::new();
    let mut there = text(&request["path"]).strip_prefix('/')?.split('/');
    for segment in &route.path {
        let decoded = percent_decode(there.next()?);
        match segment {
            Segment::Fixed(fixed) if *fixed == decoded => {}
            Segment::Parameter(name) if !decoded.is_empty() => {
                parameters.insert(name.clone(), decoded.into());
            }
            _ => return None,
        }
    }
    there.next().is_none().then(|| parameters.into())
}

/// What goes wrong: what was forced, else what the file or the request says.
fn fault(
    inner: &Inner,
    service: &Service,
    route: &Route,
    world: &World<'_>,
) -> Result<Fault, String> {
    // Where it can't go wrong like that it goes as ever.
    let forced = inner.forced(&service.name, &route.name);
    if let Some(forced) = forced.filter(|forced| can(forced, service, route).is_ok()) {
        return Ok(forced);
    }
    let named = match &route.fault {
        Choice::Always(fault) => return Ok(fault.clone()),
        Choice::Named(template) => template.find(world)?.map(text_of).unwrap_or_default(),
    };
    match &service.faults {
        // Those of the table were checked as it was read.
        Some(_) => Ok(service.fault(&named).cloned().unwrap_or(Fault::None)),
        None => {
            let fault = Fault::named(&named).unwrap_or(Fault::None);
            can(&fault, service, route).map(|()| fault)
        }
    }
}
