//! A task whose function asks a service: what it sends, and what becomes of the service's reply.
//!
//! ```yaml
//! tasks:
//!   RequestValuation:
//!     asks:
//!       post: /valuations
//!       body: {property: '{% $input.property %}', callbackUrl: '{% $url & "/callbacks/valuation" %}'}
//!     registers: {reference: '{% $reply.body.valuationReference %}'}
//!     returns: {StatusCode: 200, Payload: '{% $reply.body %}'}
//!     throws: {error: ValuationRequestRejected, cause: '{% $reply.status %}'}
//! ```
//!
//! `returns`, `registers` and `then` are what it does if the service answers with a status of 2xx, and `throws` is what
//! it fails with if not. It does so when the reply is there, and times count from then on.

use asl::Failure;
use hyper::Method;
use mock::Played;
use mock::played::{Callbacks, Given as Answered, Request};
use serde_json::{Map, Value, json};

use super::acts::Known;
use super::given::{Given, member, spoken};
use super::tasks::Attempt;
use super::template::{Surroundings, Template};
use crate::part::{Part, Reply};
use crate::world::header_map;

/// What is asked.
#[derive(Debug)]
pub(super) struct Asks {
    service: String,
    method: Method,
    path: Template,
    headers: Vec<(String, Template)>,
    body: Option<Template>,
    /// How long it waits for the reply, in milliseconds; for ever if it does not say.
    timeout: Option<i64>,
    throws: Option<Throws>,
}

/// What it fails with, if there is no reply or not the right one.
#[derive(Debug)]
struct Throws {
    error: Template,
    cause: Option<Template>,
}

const METHODS: [&str; 5] = ["get", "post", "put", "patch", "delete"];
pub(super) const NAMES: [&str; 9] = [
    "service", "get", "post", "put", "patch", "delete", "headers", "body", "timeout",
];

impl Asks {
    /// Reads it, and what the task `throws` then.
    pub(super) fn read(
        given: &Given<'_>,
        throws: Option<&Given<'_>>,
        known: &Known<'_>,
    ) -> Option<Asks> {
        if !given.is_object() {
            return None;
        }
        let members = given.members(&NAMES);
        let of = |name| member(&members, name);
        let services = known.services();
        let service = match (of("service"), services.as_slice()) {
            (_, []) => {
                let hint = "Say what it answers: `services: FILE`, or the services themselves.";
                given.wrong_but("there is no service", hint);
                return None;
            }
            (Some(named), all) => named.word("service", all)?,
            (None, [only]) => only,
            (None, all) => {
                let hint = format!("There are: {}.", all.join(", "));
                given.wrong_but("a `service` is missing", hint);
                return None;
            }
        };
        let mut asked = members.iter().filter(|(name, _)| METHODS.contains(name));
        let (Some((method, path)), None) = (asked.next(), asked.next()) else {
            let hint = format!(
                "For example `post: /valuations`; there are {}.",
                METHODS.join(", ")
            );
            given.wrong_but("a request has one method and its path", hint);
            return None;
        };
        if let Some(fixed) = path
            .value
            .as_str()
            .filter(|path| !path.starts_with(['/', '{']))
        {
            path.wrong_but(format!("`{fixed}` is no path"), "A path begins with /.");
        }
        let headers = of("headers").map(Given::entries).into_iter().flatten();
        let timeout = match of("timeout") {
            Some(timeout) => Some(timeout.duration()?),
            None => None,
        };
        Some(Asks {
            service: service.to_owned(),
            method: method
                .to_uppercase()
                .parse()
                .expect("these are methods of HTTP"),
            path: Template::read(path),
            headers: headers
                .map(|(name, value)| (name.to_lowercase(), Template::read(&value)))
                .collect(),
            body: of("body").map(Template::read),
            timeout,
            throws: match throws {
                Some(throws) => Some(Throws::read(throws)?),
                None => None,
            },
        })
    }

    /// Asks, and gives what the outside does then.
    ///
    /// # Errors
    /// What an expression says is wrong.
    pub(super) fn part(
        &self,
        attempt: &Attempt,
        services: &Played,
        mut surroundings: Surroundings,
    ) -> Result<Part, String> {
        let request = self.request(&surroundings)?;
        let told = services.ask(&self.service, &request);
        let told = told.expect("the service was looked for as the file was read");
        let comes = match told.answer {
            Answered::Nothing => None,
            Answered::Reply { .. } | Answered::Reset => Some(told.after),
        };
        let too_late = |limit: &i64| comes.is_none_or(|after| after > *limit);
        let (waits, heard) = match (self.timeout.filter(too_late), comes) {
            (Some(limit), _) => (
                limit,
                Heard::nothing(format!("no answer within {}", spoken(limit))),
            ),
            (None, Some(after)) => (after, Heard::of(told.answer)),
            (None, None) => return Ok(asking(Part::of(Reply::Never), told.callbacks)),
        };
        surroundings.reply = heard.reply;
        surroundings.now = surroundings.now.plus_millis(waits);
        let mut part = match heard.wrong {
            None => attempt.part(surroundings)?,
            Some(why) => {
                let mut part =
                    Part::of(Reply::Throw(self.thrown(&request, &why, &surroundings)?));
                part.delay = attempt.delay;
                part
            }
        };
        part.delay += waits;
        for deed in &mut part.deeds {
            deed.after += waits;
        }
        Ok(asking(part, told.callbacks))
    }

    fn request(&self, surroundings: &Surroundings) -> Result<Request, String> {
        let mut headers = Vec::with_capacity(self.headers.len() + 1);
        for (name, value) in &self.headers {
            headers.push((name.clone(), value.text(surroundings)?));
        }
        let body = match &self.body {
            None => String::new(),
            Some(body) => match body.evaluate(surroundings)? {
                // A text is the body as it is: a form, for example.
                Value::String(text) => text,
                other => {
                    if !headers.iter().any(|(name, _)| name == "content-type") {
                        headers.push(("content-type".to_owned(), "application/json".to_owned()));
                    }
                    other.to_string()
                }
            },
        };
        Ok(Request {
            method: self.method.clone(),
            path: self.path.text(surroundings)?,
            headers: header_map(&headers),
            body: body.into(),
        })
    }

    /// What it fails with.
    fn thrown(
        &self,
        request: &Request,
        why: &str,
        surroundings: &Surroundings,
    ) -> Result<Failure, String> {
        let asked = || {
            format!(
                "{} was asked {} {}: {why}",
                self.service, request.method, request.path
            )
        };
        let Some(throws) = &self.throws else {
            // The language's own name for a task that has failed, whatever it was.
            return Ok(Failure::new("States.TaskFailed", asked()));
        };
        let cause = match &throws.cause {
            Some(cause) => cause.text(surroundings)?,
            None => asked(),
        };
        Ok(Failure {
            error: Some(throws.error.text(surroundings)?.into()),
            cause: Some(cause),
        })
    }
}

impl Throws {
    /// `ERROR`, or `{error, cause}`.
    fn read(given: &Given<'_>) -> Option<Throws> {
        if let Value::String(_) = given.value {
            return Some(Throws {
                error: Template::read(given),
                cause: None,
            });
        }
        let members = given.members(&["error", "cause"]);
        let Some(error) = member(&members, "error") else {
            given.wrong_but(
                "an error is missing",
                "It is its name, or `{error: NAME, cause: TEXT}`.",
            );
            return None;
        };
        Some(Throws {
            error: Template::read(error),
            cause: member(&members, "cause").map(Template::read),
        })
    }
}

/// What the task has heard of the service.
struct Heard {
    /// `$reply`.
    reply: Value,
    /// Why it can't go on with it.
    wrong: Option<String>,
}

impl Heard {
    fn nothing(why: String) -> Heard {
        Heard {
            reply: json!({ "error": why }),
            wrong: Some(why),
        }
    }

    fn of(answer: Answered) -> Heard {
        let Answered::Reply {
            status,
            headers,
            body,
        } = answer
        else {
            return Heard::nothing("the connection was reset".to_owned());
        };
        let parsed = match body.is_empty() {
            true => Some(Value::Null),
            false => serde_json::from_slice(&body).ok(),
        };
        let kind = headers.get("content-type");
        let says_json = kind.is_some_and(|kind| kind.as_bytes().starts_with(b"application/json"));
        let text = String::from_utf8_lossy(&body);
        let wrong = match (status.is_success(), says_json && parsed.is_none()) {
            (true, false) => None,
            (true, true) => Some(format!("its answer is not JSON: {text}")),
            (false, _) => Some(format!("{} {text}", status.as_u16()).trim_end().to_owned()),
        };
        let said = parsed.unwrap_or_else(|| text.into());
        let headers = headers.iter().map(|(name, value)| {
            let value = String::from_utf8_lossy(value.as_bytes());
            (name.to_string(), value.into())
        });
        let headers: Map<String, Value> = headers.collect();
        Heard {
            reply: json!({ "status": status.as_u16(), "headers": headers, "body": said }),
            wrong,
        }
    }
}

/// A part for which somebody was asked.
fn asking(mut part: Part, callbacks: Option<Callbacks>) -> Part {
    part.asked = true;
    part.callbacks.extend(callbacks);
    part
}
