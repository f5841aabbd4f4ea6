//! What services were asked and what they called back: as a part of what came, and what must come of it.
//!
//! ```yaml
//! services:
//!   valuation:
//!     requests: [{route: POST /valuations, body: {property: {nameOrNumber: "12"}}, status: 201}]
//!     callbacks: 2
//! ```
//!
//! Both are a number, which may be compared (`> 2`), or a list; a text in one is the route of a request, and what a
//! callback says. The server's URL is `$url` in them.

use mock::{Asked, Fault, Sent};
use serde_json::{Map, Value, json};

use super::acts::Known;
use super::expect::{list, timed};
use super::given::Given;
use super::pattern::{Mismatch, Pattern};
use crate::seen::Seen;

pub(super) const OF_REQUESTS: [&str; 14] = [
    "at",
    "route",
    "n",
    "fault",
    "reference",
    "repeated",
    "method",
    "path",
    "query",
    "headers",
    "body",
    "status",
    "reply",
    "remark",
];
pub(super) const OF_CALLBACKS: [&str; 10] = [
    "at",
    "route",
    "says",
    "attempt",
    "fault",
    "reference",
    "to",
    "body",
    "status",
    "error",
];
pub(super) const SAYS: [&str; 4] = ["result", "contradiction", "failure", "heartbeat"];

/// What all services did.
pub(super) fn document(seen: &Seen) -> Value {
    let services = seen.services.iter().map(|served| {
        let requests = served
            .requests
            .iter()
            .map(|(at, asked)| request(*at, asked));
        let callbacks = served
            .callbacks
            .iter()
            .map(|(at, sent)| callback(*at, sent));
        let did = json!({
            "requests": requests.collect::<Value>(),
            "callbacks": callbacks.collect::<Value>(),
        });
        (served.service.clone(), did)
    });
    services.collect::<Map<String, Value>>().into()
}

fn request(at: i64, asked: &Asked) -> Value {
    let mut request = json!({
        "at": at,
        "route": asked.route,
        "n": asked.n,
        "fault": asked.fault,
        "reference": asked.reference,
        "repeated": asked.repeated,
    });
    for name in ["method", "path", "query", "headers", "body"] {
        request[name] = asked.request[name].clone();
    }
    if let Some(answered) = &asked.answered {
        request["status"] = answered.status.into();
        request["reply"] = said(&answered.body);
        request["remark"] = answered.remark.clone().into();
    }
    request
}

fn callback(at: i64, sent: &Sent) -> Value {
    json!({
        "at": at,
        "route": sent.route,
        "says": sent.says,
        "attempt": sent.attempt,
        "fault": sent.fault,
        "reference": sent.reference,
        "to": sent.to,
        "body": said(&sent.body),
        "status": sent.status,
        "error": sent.error,
    })
}

fn said(text: &str) -> Value {
    match text {
        "" => Value::Null,
        text => serde_json::from_str(text).unwrap_or_else(|_| text.into()),
    }
}

/// What must come of one service's requests, or of its callbacks.
#[derive(Debug)]
pub(super) struct Served {
    service: String,
    of: &'static str,
    /// Whether it is about how many there are.
    counts: bool,
    pattern: Pattern,
}

/// Reads what must come of all of them.
pub(super) fn read(given: &Given<'_>, known: &Known<'_>) -> Vec<Served> {
    let names = known.services();
    let mut expected = Vec::new();
    for (service, given) in given.entries() {
        if !names.contains(&service) {
            given.unknown_name("service", service, &names);
            continue;
        }
        for (of, given) in given.members(&["requests", "callbacks"]) {
            let counts = match given.value {
                Value::Number(_) => true,
                Value::String(text) => text.starts_with(['<', '>']),
                _ => false,
            };
            let (of, pattern) = match of {
                _ if counts => (of, Pattern::read(&given)),
                "requests" => {
                    let routes = known.routes_of(service);
                    (of, list(&given, &|item| asked(item, &routes)))
                }
                _ => (of, list(&given, &sent)),
            };
            expected.push(Served {
                service: service.to_owned(),
                of: if of == "requests" {
                    "requests"
                } else {
                    "callbacks"
                },
                counts,
                pattern,
            });
        }
    }
    expected
}

fn asked(given: &Given<'_>, routes: &[&str]) -> Pattern {
    if given.value.is_string() {
        return only("route", given, &mut |given| {
            given.word("route", routes);
        });
    }
    timed(given, Some(&OF_REQUESTS), &mut |name, value| match name {
        "route" if !value.value.is_null() => {
            value.word("route", routes);
        }
        "fault" => fault(value),
        _ => {}
    })
}

fn sent(given: &Given<'_>) -> Pattern {
    if given.value.is_string() {
        return only("says", given, &mut |given| {
            given.word("kind of callback", &SAYS);
        });
    }
    timed(given, Some(&OF_CALLBACKS), &mut |name, value| match name {
        "says" => {
            value.word("kind of callback", &SAYS);
        }
        "fault" => fault(value),
        _ => {}
    })
}

fn fault(given: &Given<'_>) {
    let words: Vec<&str> = Fault::words().collect();
    given.word("fault", &words);
}

/// An object of which one member alone is looked at.
fn only(name: &str, given: &Given<'_>, look: &mut dyn FnMut(&Given<'_>)) -> Pattern {
    look(given);
    Pattern::Object(vec![(name.to_owned(), Pattern::Same(given.value.clone()))])
}

impl Served {
    /// Notes what is not as it must be.
    pub(super) fn compare(&self, came: &Value, into: &mut Vec<Mismatch>) {
        let Served { service, of, .. } = self;
        let there = &came["services"][service][of];
        let at = format!("services.{service}.{of}");
        match self.counts {
            true => {
                let count = json!(there.as_array().map_or(0, Vec::len));
                self.pattern.compare(Some(&count), &at, into);
            }
            false => self.pattern.compare(Some(there), &at, into),
        }
    }
}
