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
use hyper::header::HeaderName;
use serde_json::{Map, Value, json};
use server::gateway::VerifyConfig;
use server::gateway::verify::sign::Signing;
use source::{Found, Part, Source};

use crate::fault::{Fault, status};
use crate::plan::fits;
use crate::reading::Reading;
use crate::template::{Template, is_jsonata};

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

const METHODS: [&str; 6] = ["get", "post", "put", "patch", "delete", "any"];
const ROUTE: [&str; 12] = [
    "get",
    "post",
    "put",
    "patch",
    "delete",
    "any",
    "when",
    "request",
    "key",
    "reply",
    "callbacks",
    "fault",
];
const CALLBACK: [&str; 7] = [
    "after",
    "to",
    "method",
    "headers",
    "body",
    "failure",
    "heartbeat",
];

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

fn definition(reading: &mut Reading<'_>, value: &Value, at: &str) -> Option<Definition> {
    let file = reading.object(value, at, &["services", "seed"])?;
    let seed = match file.get("seed") {
        Some(seed) => Some(reading.whole(seed, &format!("{at}/seed"), 0, u64::MAX)?),
        None => None,
    };
    let at = format!("{at}/services");
    let Some(services) = file.get("services").filter(|services| !is_empty(services)) else {
        reading.wrong(
            &at,
            "`services` is missing",
            "Name at least one service, and its routes below it.",
        );
        return None;
    };
    let mut read = Vec::new();
    for (name, value) in reading.any_object(services, &at)? {
        read.extend(service(reading, name, value, &format!("{at}/{name}")));
    }
    Some(Definition {
        services: read,
        seed,
    })
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Object(members) => members.is_empty(),
        Value::Array(items) => items.is_empty(),
        _ => false,
    }
}

fn service(reading: &mut Reading<'_>, name: &str, value: &Value, at: &str) -> Option<Service> {
    let members = reading.object(value, at, &["routes", "port", "secret", "faults"])?;
    let port = members.get("port").and_then(|port| {
        let port = reading.whole(port, &format!("{at}/port"), 1, u16::MAX.into())?;
        u16::try_from(port).ok()
    });
    let proof = members
        .get("secret")
        .and_then(|secret| proof(reading, secret, &format!("{at}/secret")));
    let faults = members.get("faults").and_then(|table| {
        let at = format!("{at}/faults");
        let mut faults = Vec::new();
        for (name, value) in reading.any_object(table, &at)? {
            if let Some(fault) = Fault::read(reading, value, &format!("{at}/{name}")) {
                faults.push((name.clone(), fault));
            }
        }
        Some(faults)
    });
    let at_routes = format!("{at}/routes");
    let Some(listed) = members.get("routes").filter(|routes| !is_empty(routes)) else {
        let hint = "Say what it answers, for example `- post: /valuations`.";
        reading.wrong(&at_routes, format!("`{name}` has no routes"), hint);
        return None;
    };
    let listed = reading.list(listed, &at_routes).iter().enumerate();
    let routes: Vec<Option<Route>> = listed
        .map(|(index, value)| route(reading, value, &format!("{at_routes}[{index}]")))
        .collect();
    // What a route can't do wrong is wrong to ask of it.
    let signs = members.contains_key("secret");
    let timed = proof.as_ref().is_none_or(|proof| proof.right.is_timed());
    for (index, route) in routes.iter().enumerate() {
        match route.as_ref().map(|route| (route, &route.fault)) {
            Some((route, Choice::Always(fault))) => {
                if let Err(why) = fits(fault, route, signs, timed) {
                    let at = format!("{at_routes}[{index}]/fault");
                    reading.wrong(&at, format!("`{}`: {why}", fault.word()), "");
                }
            }
            Some((route, Choice::Named(_))) => {
                for (name, fault) in faults.iter().flatten() {
                    if let Err(why) = fits(fault, route, signs, timed) {
                        let why = format!("`{}` for {}: {why}", fault.word(), route.name);
                        reading.wrong(&format!("{at}/faults/{name}"), why, "");
                    }
                }
            }
            None => {}
        }
    }
    Some(Service {
        name: name.to_owned(),
        port,
        proof,
        routes: routes.into_iter().flatten().collect(),
        faults,
    })
}

fn proof(reading: &mut Reading<'_>, value: &Value, at: &str) -> Option<Proof> {
    let config = match value {
        Value::String(secret) => json!({"scheme": "standard-webhooks", "secrets": [secret]}),
        Value::Object(members) => {
            let mut config = members.clone();
            if let Some(secret) = config.remove("secret") {
                config.insert("secrets".into(), json!([secret]));
            }
            config.into()
        }
        other => {
            reading.expected(
                at,
                "a secret, or an object with `scheme` and `secret`",
                other,
            );
            return None;
        }
    };
    let made = serde_json::from_value::<VerifyConfig>(config)
        .map_err(|why| why.to_string())
        .and_then(|config| {
            let (right, forged) = (Signing::of(&config)?, Signing::forger(&config)?);
            Ok(Proof { right, forged })
        });
    match made {
        Ok(proof) => Some(proof),
        Err(why) => {
            let why = why
                .replace("`verify.secrets[0]`", "`secret`")
                .replace("`verify.secrets`", "`secret`");
            let why = why.replace("`verify.", "`secret.");
            // The key that it begins with may have a place of its own.
            let key = why
                .strip_prefix("`secret.")
                .and_then(|why| why.split_once('`'));
            let at = key.map_or(at.to_owned(), |(key, _)| format!("{at}/{key}"));
            reading.wrong(&at, why, "It is what callbacks are signed with: whsec_..., env:NAME, or {scheme: github, secret: ...}.");
            None
        }
    }
}

fn route(reading: &mut Reading<'_>, value: &Value, at: &str) -> Option<Route> {
    let members = reading.object(value, at, &ROUTE)?;
    let mut named = METHODS
        .into_iter()
        .filter_map(|method| Some((method, members.get(method)?)));
    let (Some((method, path)), None) = (named.next(), named.next()) else {
        reading.wrong(
            at,
            "a route has one method and its path",
            format!(
                "Write for example `post: /valuations`; there are {}.",
                METHODS.join(", ")
            ),
        );
        return None;
    };
    let at_path = format!("{at}/{method}");
    let path = reading.text(path, &at_path)?;
    let name = format!("{} {path}", method.to_uppercase());
    let path = segments(reading, path, &at_path)?;
    let query = |reading: &mut Reading<'_>, name: &str| match members.get(name) {
        None => Some(None),
        Some(value) => expression(reading, value, &format!("{at}/{name}")).map(Some),
    };
    let when = query(reading, "when");
    let key = query(reading, "key");
    let request = match members.get("request") {
        None => Some(None),
        Some(value) => nth(reading, value, &format!("{at}/request")).map(Some),
    };
    let reply = match members.get("reply") {
        None => Some(Reply {
            status: 200,
            headers: Vec::new(),
            body: None,
            delay: 0,
        }),
        Some(value) => reply(reading, value, &format!("{at}/reply")),
    };
    let at_callbacks = format!("{at}/callbacks");
    let listed = match members.get("callbacks") {
        None => &[],
        Some(listed) => reading.list(listed, &at_callbacks),
    };
    let callbacks: Vec<Option<Callback>> = listed
        .iter()
        .enumerate()
        .map(|(index, value)| callback(reading, value, &format!("{at_callbacks}[{index}]")))
        .collect();
    let callbacks: Option<Vec<Callback>> = callbacks.into_iter().collect();
    let at_fault = format!("{at}/fault");
    let fault = match members.get("fault") {
        None => Some(Choice::Always(Fault::None)),
        Some(Value::String(text)) if is_jsonata(text) => {
            let named = Value::String(text.clone());
            Template::read(reading, &named, &at_fault, None).map(Choice::Named)
        }
        Some(value) => Fault::read(reading, value, &at_fault).map(Choice::Always),
    };
    Some(Route {
        name,
        method: match method {
            "any" => None,
            method => Some(
                method
                    .to_uppercase()
                    .parse()
                    .expect("these are methods of HTTP"),
            ),
        },
        path,
        when: when?,
        request: request?,
        key: key?,
        reply: reply?,
        callbacks: callbacks?,
        fault: fault?,
    })
}

fn segments(reading: &mut Reading<'_>, path: &str, at: &str) -> Option<Vec<Segment>> {
    let Some(rest) = path
        .strip_prefix('/')
        .filter(|path| !path.contains(['?', '#', ' ']))
    else {
        let message = format!("{path:?} is not a path");
        reading.wrong(at, message, "A path begins with /, for example /valuations/{reference}; a query is looked at by `when`.");
        return None;
    };
    let segments = rest.split('/').map(|segment| {
        let inside = segment.strip_prefix('{').and_then(|s| s.strip_suffix('}'));
        match inside {
            Some(name) if !name.is_empty() && !name.contains(['{', '}']) => {
                Some(Segment::Parameter(name.to_owned()))
            }
            None if !segment.contains(['{', '}']) => Some(Segment::Fixed(segment.to_owned())),
            _ => None,
        }
    });
    let segments: Option<Vec<Segment>> = segments.collect();
    if segments.is_none() {
        let hint = "A parameter takes a whole segment, for example /valuations/{reference}.";
        reading.wrong(at, format!("{path:?} is not a path with parameters"), hint);
    }
    segments
}

fn expression(reading: &mut Reading<'_>, value: &Value, at: &str) -> Option<Template> {
    let template = Template::read(reading, value, at, None)?;
    if !template.is_expression() {
        let hint = "For example '{% $request.body.kind = \"house\" %}'.";
        reading.wrong(at, "JSONata in {% %} belongs here", hint);
        return None;
    }
    Some(template)
}

/// `3`, `1..2` or `3..`.
fn nth(reading: &mut Reading<'_>, value: &Value, at: &str) -> Option<Nth> {
    let read = |text: &str| text.trim().parse::<u64>().ok().filter(|n| *n > 0);
    let nth = match value {
        Value::Number(number) => number.as_u64().filter(|n| *n > 0).map(|n| Nth(n, n)),
        Value::String(text) => match text.split_once("..") {
            None => read(text).map(|n| Nth(n, n)),
            Some((from, "")) => read(from).map(|from| Nth(from, u64::MAX)),
            Some((from, to)) => read(from).zip(read(to)).map(|(from, to)| Nth(from, to)),
        },
        _ => None,
    };
    let nth = nth.filter(|Nth(from, to)| from <= to);
    if nth.is_none() {
        reading.expected(
            at,
            "the number of a request from 1 on, or from which to which (1..2, 3..)",
            value,
        );
    }
    nth
}

fn reply(reading: &mut Reading<'_>, value: &Value, at: &str) -> Option<Reply> {
    let members = reading.object(value, at, &["status", "headers", "body", "delay"])?;
    // All of it is read before any of it is given up, so that all faults are told.
    let status = match members.get("status") {
        None => Some(200),
        Some(value) => status(reading, value, &format!("{at}/status")),
    };
    let headers = headers(reading, members, at);
    let body = body(reading, members, "body", at);
    let delay = match members.get("delay") {
        None => Some(0),
        Some(value) => reading.duration(value, &format!("{at}/delay")),
    };
    Some(Reply {
        status: status?,
        headers: headers?,
        body: body?,
        delay: delay?,
    })
}

fn body(
    reading: &mut Reading<'_>,
    members: &Map<String, Value>,
    name: &str,
    at: &str,
) -> Option<Option<Template>> {
    match members.get(name) {
        None => Some(None),
        Some(value) => Template::read(reading, value, &format!("{at}/{name}"), None).map(Some),
    }
}

fn headers(
    reading: &mut Reading<'_>,
    members: &Map<String, Value>,
    at: &str,
) -> Option<Vec<(String, Template)>> {
    let Some(headers) = members.get("headers") else {
        return Some(Vec::new());
    };
    let at = format!("{at}/headers");
    let mut read = Vec::new();
    for (name, value) in reading.any_object(headers, &at)? {
        let at = format!("{at}/{name}");
        if HeaderName::from_bytes(name.as_bytes()).is_err() {
            reading.wrong(&at, format!("{name:?} is no header's name"), "");
            return None;
        }
        read.push((
            name.to_ascii_lowercase(),
            Template::read(reading, value, &at, None)?,
        ));
    }
    Some(read)
}

fn callback(reading: &mut Reading<'_>, value: &Value, at: &str) -> Option<Callback> {
    let members = reading.object(value, at, &CALLBACK)?;
    let (Some(to), Some(says)) = (members.get("to"), members.get("body")) else {
        let hint = "Say where it goes, for example `to: '{% $request.body.callbackUrl %}'`, and its `body`.";
        reading.wrong(at, "a callback has `to` and `body`", hint);
        return None;
    };
    let after = match members.get("after") {
        None => Some(0),
        Some(value) => reading.duration(value, &format!("{at}/after")),
    };
    let to = reading
        .text(to, &format!("{at}/to"))
        .is_some()
        .then_some(to);
    let to = to.and_then(|to| Template::read(reading, to, &format!("{at}/to"), None));
    let says = Template::read(reading, says, &format!("{at}/body"), None);
    let method = match members.get("method") {
        None => Some(Method::POST),
        Some(value) => method(reading, value, &format!("{at}/method")),
    };
    let headers = headers(reading, members, at);
    let failure = body(reading, members, "failure", at);
    let heartbeat = body(reading, members, "heartbeat", at);
    Some(Callback {
        after: after?,
        to: to?,
        method: method?,
        headers: headers?,
        body: says?,
        failure: failure?,
        heartbeat: heartbeat?,
    })
}

fn method(reading: &mut Reading<'_>, value: &Value, at: &str) -> Option<Method> {
    const KNOWN: [&str; 4] = ["POST", "PUT", "PATCH", "GET"];
    let text = reading.text(value, at)?;
    if !KNOWN.contains(&text) {
        reading.unknown(at, Part::Value, text, &KNOWN);
        return None;
    }
    text.parse().ok()
}
