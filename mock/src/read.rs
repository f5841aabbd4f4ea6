//! A file's value made into a [`Definition`]; all that is wrong with it is noted on the way.

use std::sync::Arc;

use hyper::Method;
use hyper::header::HeaderName;
use serde_json::{Map, Value, json};
use server::client::address;
use server::gateway::VerifyConfig;
use server::gateway::verify::sign::Signing;
use source::Part;

use crate::definition::{Callback, Choice, Definition, Nth, Proof, Reply, Route, Segment, Service};
use crate::fault::{Fault, status};
use crate::plan::fits;
use crate::reading::Reading;
use crate::template::{Template, is_jsonata};

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
const CALLBACK: [&str; 8] = [
    "after",
    "to",
    "method",
    "headers",
    "body",
    "failure",
    "heartbeat",
    "retries",
];

pub(crate) fn definition(reading: &mut Reading, value: &Value, at: &str) -> Option<Definition> {
    let file = reading.object(value, at, &["services", "seed"])?;
    let seed = match file.get("seed") {
        Some(seed) => Some(reading.whole(seed, &format!("{at}/seed"), 0, u64::MAX)?),
        None => None,
    };
    let at = format!("{at}/services");
    let Some(named) = file.get("services").filter(|services| !is_empty(services)) else {
        reading.wrong(
            &at,
            "`services` is missing",
            "Name at least one service, and its routes below it.",
        );
        return None;
    };
    let services = services(reading, named, &at)?;
    Some(Definition { services, seed })
}

/// What stands below `services`.
pub(crate) fn services(
    reading: &mut Reading,
    value: &Value,
    at: &str,
) -> Option<Vec<Arc<Service>>> {
    let mut read = Vec::new();
    for (name, value) in reading.any_object(value, at)? {
        let service = service(reading, name, value, &format!("{at}/{name}"));
        read.extend(service.map(Arc::new));
    }
    Some(read)
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Object(members) => members.is_empty(),
        Value::Array(items) => items.is_empty(),
        _ => false,
    }
}

fn service(reading: &mut Reading, name: &str, value: &Value, at: &str) -> Option<Service> {
    let members = reading.object(value, at, &["routes", "port", "url", "secret", "faults"])?;
    let port = members.get("port").and_then(|port| {
        let port = reading.whole(port, &format!("{at}/port"), 1, u16::MAX.into())?;
        u16::try_from(port).ok()
    });
    let url = members.get("url").and_then(|url| {
        let at = format!("{at}/url");
        let url = reading.text(url, &at)?;
        match address(url) {
            Ok(_) => Some(url.trim_end_matches('/').to_owned()),
            Err(why) => {
                reading.wrong(&at, why, "");
                None
            }
        }
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
        url,
        proof,
        routes: routes.into_iter().flatten().collect(),
        faults,
    })
}

fn proof(reading: &mut Reading, value: &Value, at: &str) -> Option<Proof> {
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

fn route(reading: &mut Reading, value: &Value, at: &str) -> Option<Route> {
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
    let query = |reading: &mut Reading, name: &str| match members.get(name) {
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

fn segments(reading: &mut Reading, path: &str, at: &str) -> Option<Vec<Segment>> {
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

fn expression(reading: &mut Reading, value: &Value, at: &str) -> Option<Template> {
    let template = Template::read(reading, value, at, None)?;
    if !template.is_expression() {
        let hint = "For example '{% $request.body.kind = \"house\" %}'.";
        reading.wrong(at, "JSONata in {% %} belongs here", hint);
        return None;
    }
    Some(template)
}

/// `3`, `1..2` or `3..`.
fn nth(reading: &mut Reading, value: &Value, at: &str) -> Option<Nth> {
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

fn reply(reading: &mut Reading, value: &Value, at: &str) -> Option<Reply> {
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
    reading: &mut Reading,
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
    reading: &mut Reading,
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

fn callback(reading: &mut Reading, value: &Value, at: &str) -> Option<Callback> {
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
    let retries = retries(reading, members, at);
    Some(Callback {
        after: after?,
        to: to?,
        method: method?,
        headers: headers?,
        body: says?,
        failure: failure?,
        heartbeat: heartbeat?,
        retries: retries?,
    })
}

/// As often a callback is sent again at most.
const RETRIES_MAX: usize = 20;

/// The pauses after which a callback is sent again.
fn retries(reading: &mut Reading, members: &Map<String, Value>, at: &str) -> Option<Vec<i64>> {
    let Some(value) = members.get("retries") else {
        return Some(Vec::new());
    };
    let at = format!("{at}/retries");
    let pauses = value.as_array().filter(|pauses| !pauses.is_empty());
    let Some(pauses) = pauses.filter(|pauses| pauses.len() <= RETRIES_MAX) else {
        let hint = format!("Write the pauses, {RETRIES_MAX} at most: `retries: [5s, 5m, 30m]`.");
        reading.wrong(&at, "it has to be a list of pauses", hint);
        return None;
    };
    let pauses = pauses.iter().enumerate();
    let read = pauses.map(|(index, pause)| reading.duration(pause, &format!("{at}[{index}]")));
    read.collect()
}

fn method(reading: &mut Reading, value: &Value, at: &str) -> Option<Method> {
    const KNOWN: [&str; 4] = ["POST", "PUT", "PATCH", "GET"];
    let text = reading.text(value, at)?;
    if !KNOWN.contains(&text) {
        reading.unknown(at, Part::Value, text, &KNOWN);
        return None;
    }
    text.parse().ok()
}
