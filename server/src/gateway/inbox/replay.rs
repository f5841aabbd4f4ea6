//! A stored callback goes through its route again, as the route is now; or to a wait that an operator names.
//!
//! What comes of it is a delivery of its own, which names its origin and gets a disposition as every callback
//! does. The origin keeps its own, with a mark, in the commit that stores the new one: so there is never the
//! one without the other. It is not verified again: it was, or the operator vouches for it. That its origin came
//! before makes it no duplicate; that the wait has had an answer does.
//!
//! A client may send its request again: with the same `key`, or when a replay has ended well, it hears what
//! came of the first.

use std::sync::Arc;

use hyper::header::{HeaderName, HeaderValue};
use hyper::{HeaderMap, Method, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};

use super::super::arrival::Arrival;
use super::super::disposition::Disposition;
use super::super::in_hand::{Again, Held};
use super::super::keep::NOT_KEPT;
use super::super::marks::{Deed, Mark};
use super::super::record::{Delivery, Holder, Intent, Step};
use super::super::redact::is_redacted;
use super::super::route::{Fault, Reading, Route};
use super::super::routes::Found;
use super::super::verify::Verification;
use super::search::ended_well;
use super::show::{disposition_name, in_brief};
use super::{Gateway, asked, no_such_delivery};
use crate::http::{Call, Reply};

/// How an operator wants it.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Wish {
    /// It was not verified, and the operator vouches for it.
    pub trust: bool,
    /// What was redacted may reach the workflow as what stands in its place.
    pub allow_redacted: bool,
    /// Once more, though a replay has ended well.
    pub again: bool,
    pub dry_run: bool,
    pub by: Option<String>,
    pub note: Option<String>,
    /// What the client calls this request, if it may send it again.
    pub key: Option<String>,
}

const EXAMPLE: &str = r#"{"by": "ann", "note": "the mapping was wrong"}"#;

/// Where it is to go.
#[derive(Clone)]
pub(super) enum Goal {
    /// Wherever its route says.
    Route,
    /// To the reference of this name, on this route.
    Reference(Arc<Route>, String),
    /// To this wait.
    Wait(Box<Holder>),
}

/// What came of the wish.
pub(super) enum Replayed {
    NotThere,
    /// It can't be, or must not.
    Refused(Reply),
    /// An earlier request has had this delivery made.
    Before(Box<Delivery>),
    /// Nothing was done; this would become of it.
    Would(Would),
    Done(Box<Delivery>, Vec<String>),
}

/// What would become of one.
pub(super) struct Would {
    pub step: Step,
    pub route: String,
    pub reference: Option<String>,
    /// Equal for callbacks that say the same.
    pub digest: String,
    warnings: Vec<String>,
}

/// A route, which of its entrances, and what the parameters of its path are.
type Reader = (Arc<Route>, usize, Vec<(String, String)>);

/// What is to go in again.
struct Ready {
    /// On which it arrives.
    route: Arc<Route>,
    arrival: Arrival,
    read: Result<Reading, Fault>,
    /// What the operator should know.
    warnings: Vec<String>,
}

impl Gateway {
    /// `POST /rejoin/deliveries/{id}/replay`.
    pub(super) async fn replay(&self, id: &str, call: &Call) -> Result<Reply, String> {
        let wish: Wish = match asked(call, EXAMPLE) {
            Ok(wish) => wish,
            Err(refusal) => return Ok(refusal),
        };
        let replayed = self.again(id, wish, Goal::Route).await?;
        Ok(answer(id, replayed))
    }

    /// Does as wished, in a task of its own: a client that hangs up early can't leave it half done.
    pub(super) async fn again(&self, id: &str, wish: Wish, goal: Goal) -> Result<Replayed, String> {
        let (gateway, id, busy) = (self.clone(), id.to_owned(), self.0.clock.busy());
        let task = tokio::spawn(async move {
            let _busy = busy;
            gateway.take_in_again(&id, &wish, goal).await
        });
        task.await.unwrap_or_else(|error| Err(error.to_string()))
    }

    async fn take_in_again(&self, id: &str, wish: &Wish, goal: Goal) -> Result<Replayed, String> {
        let Some(held) = self.held(id).await? else {
            return Ok(Replayed::NotThere);
        };
        if let Some(made) = self.made_before(&held.delivery, wish).await? {
            return Ok(Replayed::Before(Box::new(made)));
        }
        let ready = match self.ready(held, wish, &goal) {
            Ok(ready) => ready,
            Err(refusal) => return Ok(Replayed::Refused(refusal)),
        };
        let Ready {
            route,
            mut arrival,
            read,
            warnings,
        } = ready;
        if wish.dry_run {
            let step = self.foresee(&route, &mut arrival, read, &goal).await?;
            return Ok(Replayed::Would(Would {
                step,
                route: arrival.delivery.route,
                reference: arrival.delivery.reference,
                digest: arrival.digest,
                warnings,
            }));
        }
        match (goal, read) {
            (Goal::Wait(holder), Ok(reading)) => {
                arrival.is_read(reading);
                self.send_to(&route, &mut arrival, &holder).await?;
            }
            (_, read) => {
                self.take_in(&route, &mut arrival, read).await?;
            }
        }
        // What goes to an engine elsewhere is recorded by its lane.
        let made = match &arrival.delivery.target {
            Some(holder) if holder.engine.is_some() => {
                let recorded = self.delivery(&arrival.delivery.id).await?;
                recorded.map_or(arrival.delivery, |(_, recorded)| recorded)
            }
            _ => arrival.delivery,
        };
        Ok(Replayed::Done(Box::new(made), warnings))
    }

    /// The delivery that an earlier request has had made, if that was the same wish.
    pub(super) async fn made_before(
        &self,
        origin: &Delivery,
        wish: &Wish,
    ) -> Result<Option<Delivery>, String> {
        let same = |key: Option<&str>| wish.key.is_some() && key == wish.key.as_deref();
        let last = origin.made().next_back();
        let keyed = origin.made().find(|(_, key)| same(*key));
        for (made, key) in keyed.into_iter().chain(last) {
            if let Some((_, made)) = self.delivery(made).await?
                && (same(key) || (ended_well(&made) && !wish.again))
            {
                return Ok(Some(made));
            }
        }
        Ok(None)
    }

    /// Reads a stored callback as its route would now.
    fn ready(&self, held: Held, wish: &Wish, goal: &Goal) -> Result<Ready, Reply> {
        let origin = &held.delivery;
        may_be_repeated(origin)?;
        let (reader, entrance, parameters) = self.reader(origin)?;
        let vouched = !matches!(
            origin.disposition(),
            Some(Disposition::Unverified | Disposition::RateLimited)
        ) || (origin.disposition() == Some(Disposition::RateLimited)
            && matches!(reader.verification, Verification::None));
        if !vouched && !wish.trust {
            return Err(Reply::refusal(
                StatusCode::CONFLICT,
                "NotVerified",
                format!(
                    "delivery {} was not verified, so it may be anybody's",
                    origin.id
                ),
                "if you know that it comes from the third party, say \"trust\": true (rejoin inbox replay --trust)",
            ));
        }
        let now = self.0.clock.now();
        let call = stored_call(origin, self.0.clock.busy());
        // Where an operator says whose it is, it need not say so itself.
        let known = match goal {
            Goal::Route => None,
            Goal::Reference(_, name) => Some(name.as_str()),
            Goal::Wait(_) => Some(origin.reference.as_deref().unwrap_or_default()),
        };
        let read = reader.read_as(known, entrance, &call, &parameters, now);
        let warnings = self.beware(origin, &read, wish)?;
        let route = match goal {
            Goal::Reference(route, _) => route.clone(),
            _ => reader,
        };
        let verified_by = match vouched {
            true => origin.verified_by.clone(),
            false => Some(format!(
                "the word of {}",
                wish.by.as_deref().unwrap_or("an operator")
            )),
        };
        let made = self.delivery_id();
        let key = wish.key.clone();
        let mark = Mark {
            at: now,
            by: wish.by.clone(),
            note: wish.note.clone(),
            deed: match goal {
                Goal::Route => Deed::Replayed {
                    delivery: made.clone(),
                    key,
                },
                _ => Deed::Rematched {
                    delivery: made.clone(),
                    key,
                },
            },
        };
        let delivery = Delivery {
            reference: origin.reference.clone(),
            peer: origin.peer.clone(),
            headers: origin.headers.clone(),
            body: origin.body.clone(),
            body_bytes: origin.body_bytes,
            verified_by,
            sent_to: origin.sent_to.clone(),
            redacted: origin.redacted.clone(),
            replay_of: Some(origin.id.clone()),
            ..Delivery::new(made, route.name.clone(), now)
        };
        let again = Again { origin: held, mark };
        let repeat = read.as_ref().ok().and_then(|read| read.repeat.as_deref());
        let repeat = repeat.filter(|_| matches!(goal, Goal::Route));
        let arrival = Arrival {
            again: Some(again),
            ..Arrival::of(delivery, &route, None, repeat)
        };
        Ok(Ready {
            route,
            arrival,
            read,
            warnings,
        })
    }

    /// The route that reads a stored callback, and at which of its entrances.
    fn reader(&self, origin: &Delivery) -> Result<Reader, Reply> {
        let routes = self.routes();
        let Some(route) = routes.named(&origin.route) else {
            return Err(super::super::manage::no_such_route(&origin.route, &routes));
        };
        let sent_to = origin.sent_to.as_ref();
        let method = sent_to.and_then(|to| Method::from_bytes(to.method.as_bytes()).ok());
        if let (Some(to), Some(method)) = (sent_to, method)
            && let Found::Route(found, entrance, parameters) = routes.at(&to.path, &method)
            && found.name == route.name
        {
            return Ok((found, entrance, parameters));
        }
        // The path has changed, or was not kept. A route with one path of its own needs none.
        match route.entrances.as_slice() {
            [only] if only.address.is_fixed() => Ok((route, 0, Vec::new())),
            _ => Err(Reply::refusal(
                StatusCode::CONFLICT,
                "OtherPath",
                match sent_to {
                    Some(to) => format!(
                        "{} {} is no path of the route \"{}\" any more, so it can't be told what it means",
                        to.method, to.path, route.name
                    ),
                    None => format!(
                        "the path of delivery {} was not kept, and the route \"{}\" has several",
                        origin.id, route.name
                    ),
                },
                "give the route that path again, as one of its `outcomes` for example, or complete the task by its token",
            )),
        }
    }

    /// What an operator should know about what is not as it came.
    fn beware(
        &self,
        origin: &Delivery,
        read: &Result<Reading, Fault>,
        wish: &Wish,
    ) -> Result<Vec<String>, Reply> {
        let mut warnings = Vec::new();
        if !origin.redacted.is_empty() {
            warnings.push(format!(
                "It is not as it came: {} was redacted when it was stored.",
                origin.redacted.join(", ")
            ));
        }
        let secret = origin.headers.iter().filter(|(_, value)| value == NOT_KEPT);
        let secret: Vec<&str> = secret.map(|(name, _)| name.as_str()).collect();
        if !secret.is_empty() {
            warnings.push(format!(
                "Without its {}: secrets are not kept.",
                secret.join(", ")
            ));
        }
        let Ok(reading) = read else {
            return Ok(warnings);
        };
        let said = match &reading.intent {
            Intent::Success { output: None } => origin.body.shown().to_owned(),
            Intent::Success {
                output: Some(output),
            } => output.text().to_owned(),
            Intent::Failure { error, cause } => [error.as_deref(), cause.as_deref()]
                .map(Option::unwrap_or_default)
                .join(" "),
            Intent::Heartbeat => String::new(),
        };
        let started = reading.start.as_ref().and_then(|start| start.as_ref().ok());
        let said = match started.and_then(|start| start.input.as_ref()) {
            Some(input) => format!("{said}{input}"),
            None => said,
        };
        if is_redacted(&reading.reference) || (is_redacted(&said) && !wish.allow_redacted) {
            return Err(Reply::refusal(
                StatusCode::CONFLICT,
                "Redacted",
                format!(
                    "what the workflow would be given was redacted when delivery {} was stored ({}), and is not to be had any more",
                    origin.id,
                    origin.redacted.join(", ")
                ),
                "ask the third party to send it again, or say \"allowRedacted\": true to have the workflow given \"(redacted)\" in its place",
            ));
        }
        Ok(warnings)
    }
}

/// Whether it is a callback, decided, and whole.
fn may_be_repeated(origin: &Delivery) -> Result<(), Reply> {
    let refusal = |error: &str, message: String, hint: &str| {
        Err(Reply::refusal(StatusCode::CONFLICT, error, message, hint))
    };
    let id = &origin.id;
    if origin.refused.is_some() {
        return refusal(
            "NoCallback",
            format!("delivery {id} stands for callbacks over the rate limit, which were not kept"),
            "ask the third party to send them again",
        );
    }
    if let Some(first) = &origin.replay_of {
        return refusal(
            "IsAReplay",
            format!("delivery {id} is itself a replay"),
            &format!("replay its origin, {first}"),
        );
    }
    if origin.is_open() {
        return refusal(
            "StillOpen",
            format!(
                "delivery {id} is {}: it is on its way, and is tried again until the engine takes it",
                disposition_name(origin)
            ),
            "see why with GET /rejoin/deliveries/ID; nothing has to be done for it",
        );
    }
    if !origin.is_whole() {
        return refusal(
            "NotWhole",
            format!(
                "of the {} bytes of delivery {id} only {} are kept",
                origin.body_bytes,
                origin.body.len()
            ),
            "ask the third party to send it again; `body_bytes_max` of the route says how much it takes",
        );
    }
    Ok(())
}

/// A stored callback as it may have come.
fn stored_call(origin: &Delivery, busy: crate::clock::Busy) -> Call {
    let mut headers = HeaderMap::new();
    for (name, value) in &origin.headers {
        if let (Ok(name), Ok(value)) = (
            HeaderName::from_bytes(name.as_bytes()),
            HeaderValue::from_bytes(value.as_bytes()),
        ) {
            headers.append(name, value);
        }
    }
    let to = origin.sent_to.as_ref();
    let method = to.and_then(|to| Method::from_bytes(to.method.as_bytes()).ok());
    Call {
        method: method.unwrap_or(Method::POST),
        path: to.map(|to| to.path.clone()).unwrap_or_default(),
        query: to.map(|to| to.query.clone()).unwrap_or_default(),
        headers,
        body: origin.body.bytes().into_owned().into(),
        peer: origin.peer.parse().unwrap_or(([0, 0, 0, 0], 0).into()),
        busy,
    }
}

/// The answer to whoever wished it.
pub(super) fn answer(id: &str, replayed: Replayed) -> Reply {
    match replayed {
        Replayed::NotThere => no_such_delivery(id),
        Replayed::Refused(reply) => reply,
        other => Reply::json(StatusCode::OK, &told(other)),
    }
}

/// The answer to whoever has wished it before.
pub(super) fn told_before(made: Delivery) -> Reply {
    let told = told(Replayed::Before(Box::new(made)));
    Reply::json(StatusCode::OK, &told)
}

/// What came of it, for a list too.
pub(super) fn told(replayed: Replayed) -> Value {
    match replayed {
        Replayed::NotThere => json!({ "refused": { "error": "NotFound" } }),
        Replayed::Refused(reply) => {
            let why: Value = serde_json::from_slice(&reply.body).unwrap_or_default();
            json!({ "refused": why })
        }
        Replayed::Before(made) => json!({ "before": true, "delivery": in_brief(&made) }),
        Replayed::Would(would) => json!({
            "would": {
                "disposition": would.step.disposition,
                "note": would.step.note,
                "route": would.route,
                "reference": would.reference,
            },
            "warnings": would.warnings,
        }),
        Replayed::Done(made, warnings) => json!({
            "delivery": in_brief(&made),
            "warnings": warnings,
        }),
    }
}
