//! A reference comes: a worker says under which name the third party will call back.

use std::sync::Arc;

use engine::token::fingerprint;
use engine::{Token, WaitEnd};
use hyper::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};
use store::Expect;

use super::deliver::Attempt;
use super::found::Found;
use super::inbox::place_members;
use super::manage::no_such_route;
use super::record::{Holder, Place, Reference, Standing, Step};
use super::remote::{Told, trace_told};
use super::route::{REFERENCE_BYTES_MAX, Route};
use super::{Gateway, NotStored, server_error};
use crate::http::{Call, Reply, percent_decode};

/// The body of a registration.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Registration {
    task_token: String,
    // What an engine here knows better, and an engine elsewhere does not tell.
    #[serde(default)]
    execution_arn: Option<String>,
    #[serde(default)]
    state_name: Option<String>,
    #[serde(default)]
    timeout_seconds: Option<u32>,
    #[serde(default)]
    deadline: Option<String>,
}

impl Registration {
    fn parts(self) -> (String, Told) {
        let told = Told {
            execution_arn: self.execution_arn,
            state_name: self.state_name,
            timeout_seconds: self.timeout_seconds,
            deadline: self.deadline,
            trace: None,
        };
        (self.task_token, told)
    }
}

/// What came of a registration.
pub(super) enum Registered {
    /// The reference is this wait's.
    Held,
    /// And a callback had come before; this became of it.
    Early { delivery: String, step: Step },
    /// Somebody else has it.
    Taken { holder: Box<Holder>, open: bool },
    /// A callback has started another execution under it, of this name.
    Started { execution: String },
}

impl Gateway {
    /// `PUT /rejoin/references/{route}/{reference}`.
    pub(super) async fn register(&self, path: &str, call: &Call) -> Reply {
        let (route, reference) = match self.named(path) {
            Ok(named) => named,
            Err(refusal) => return refusal,
        };
        let registration: Registration = match serde_json::from_slice(&call.body) {
            Ok(registration) => registration,
            Err(why) => return invalid_body(&why),
        };
        let (token, mut told) = registration.parts();
        told.trace = trace_told(call);
        match self.holder_on(&route, token, told).await {
            Ok((holder, token)) => self.register_as(&route, reference, holder, token).await,
            Err(refusal) => refusal,
        }
    }

    /// Registers a reference for a wait. It is worked on by a task of its own: a worker that hangs up
    /// early can't leave it half done.
    pub(super) async fn register_as(
        &self,
        route: &Arc<Route>,
        reference: String,
        holder: Holder,
        token: Option<Token>,
    ) -> Reply {
        let (gateway, route, busy) = (self.clone(), route.clone(), self.0.clock.busy());
        let registered = tokio::spawn(async move {
            let _busy = busy;
            let registered = gateway.hold(&route, &reference, holder, token).await;
            gateway
                .answer_registration(&route, &reference, registered)
                .await
        });
        registered
            .await
            .unwrap_or_else(|error| server_error(&error.to_string()))
    }

    /// Who waits for a token that is registered on this route: a token of this server, or of the route's engine.
    pub(super) async fn holder_on(
        &self,
        route: &Route,
        text: String,
        told: Told,
    ) -> Result<(Holder, Option<Token>), Reply> {
        match &route.config.engine {
            Some(engine) => Ok((self.holder_elsewhere(engine, text, told)?, None)),
            None => {
                let (holder, token) = self.holder(text).await?;
                Ok((holder, Some(token)))
            }
        }
    }

    /// Who waits for a token of this server, or why nobody does.
    pub(super) async fn holder(&self, text: String) -> Result<(Holder, Token), Reply> {
        let Ok(token) = self.0.engine.check(&text) else {
            return Err(Reply::refusal(
                StatusCode::BAD_REQUEST,
                "InvalidToken",
                format!(
                    "the task token {} is not one of this server",
                    fingerprint(&text)
                ),
                "register at the server that runs the execution, with the token exactly as the task got it",
            ));
        };
        let view = match self.0.engine.wait(token).await {
            Ok(Some(view)) => view,
            Ok(None) => {
                return Err(Reply::refusal(
                    StatusCode::GONE,
                    "ExecutionGone",
                    "the execution of this task token is no longer kept",
                    "there is nothing left to wait for; no reference is needed",
                ));
            }
            Err(what) => return Err(server_error(&what)),
        };
        let (Ok(wait) | Err(wait)) = view.wait.as_ref().map_err(|ended| &ended.wait);
        let holder = Holder {
            token: text,
            registered_at: self.0.clock.now(),
            place: Place {
                execution_arn: view.identity.arn.to_string(),
                execution_name: view.identity.name.to_string(),
                state_machine_arn: view.identity.state_machine_arn.to_string(),
                state_name: wait.state_name.to_string(),
                wait_began_at: wait.opened_at,
                wait_deadline: wait.timeout_at,
                trace_id: Some(view.identity.trace_id().to_string()),
            },
            engine: None,
            over_at: None,
            stuck_told_at: None,
        };
        Ok((holder, token))
    }

    /// `DELETE /rejoin/references/{route}/{reference}`: nobody answers to it any more. Of an open wait
    /// only who has its token may say so.
    pub(super) async fn release(&self, path: &str, call: &Call) -> Reply {
        let (route, name) = match self.named(path) {
            Ok(named) => named,
            Err(refusal) => return refusal,
        };
        let token = match call.body.is_empty() {
            true => None,
            false => match serde_json::from_slice::<Registration>(&call.body) {
                Ok(registration) => Some(registration.task_token),
                Err(why) => return invalid_body(&why),
            },
        };
        match self.release_from(&route, &name, token.as_deref()).await {
            Ok(reply) => reply,
            Err(what) => server_error(&what),
        }
    }

    async fn release_from(
        &self,
        route: &Route,
        name: &str,
        token: Option<&str>,
    ) -> Result<Reply, String> {
        loop {
            let Some((version, reference)) = self.reference(&route.name, name).await? else {
                return Ok(unknown(route, name));
            };
            let holder = match &reference.standing {
                // A callback is kept for whoever registers it; that is not a worker's to throw away. Nor is
                // what a callback has started.
                Standing::Kept { .. } | Standing::Started(_) => return Ok(unknown(route, name)),
                Standing::Waiting { holder }
                | Standing::Delivering { holder, .. }
                | Standing::Answered { holder, .. } => holder,
            };
            let theirs = token.is_some_and(|token| token == holder.token);
            if matches!(reference.standing, Standing::Delivering { .. })
                || (!theirs && self.is_open(holder).await?)
            {
                return Ok(Reply::refusal(
                    StatusCode::CONFLICT,
                    "ReferenceInUse",
                    format!(
                        "execution {} waits in {} under the reference {name:?} on the route \"{}\"",
                        holder.place.execution_name, holder.place.state_name, route.name
                    ),
                    "send {\"taskToken\": \"...\"} with the token of that wait, or wait for its end",
                ));
            }
            match self.commit(self.forgotten(&reference, version)).await {
                Ok(()) => {
                    return Ok(Reply::json(
                        StatusCode::OK,
                        &json!({ "route": route.name, "reference": name, "released": true }),
                    ));
                }
                Err(NotStored::Conflict) => {}
                Err(NotStored::Server(what)) => return Err(what),
            }
        }
    }

    /// `GET /rejoin/references/{route}/{reference}`.
    pub(super) async fn show_reference(&self, path: &str) -> Reply {
        let (route, name) = match self.named(path) {
            Ok(named) => named,
            Err(refusal) => return refusal,
        };
        match self.reference(&route.name, &name).await {
            Err(what) => server_error(&what),
            Ok(None) => unknown(&route, &name),
            Ok(Some((_, reference))) => Reply::json(StatusCode::OK, &self.shown(&reference).await),
        }
    }

    /// The route and the reference of a path `{route}/{reference}`.
    fn named(&self, path: &str) -> Result<(Arc<Route>, String), Reply> {
        let Some((route, reference)) = path.split_once('/') else {
            return Err(Reply::refusal(
                StatusCode::BAD_REQUEST,
                "InvalidPath",
                "the path has no reference",
                "use /rejoin/references/ROUTE/REFERENCE, with the reference percent-encoded",
            ));
        };
        let name = percent_decode(route);
        let Some(route) = self.route_named(&name) else {
            return Err(no_such_route(&name, &self.routes()));
        };
        let reference = percent_decode(reference);
        if reference.is_empty() || reference.len() > REFERENCE_BYTES_MAX {
            return Err(Reply::refusal(
                StatusCode::BAD_REQUEST,
                "InvalidReference",
                format!("the reference has {} bytes", reference.len()),
                &format!("it must have 1 to {REFERENCE_BYTES_MAX}"),
            ));
        }
        Ok((route, reference))
    }

    /// Makes the reference this holder's, and delivers what came before it.
    pub(super) async fn hold(
        &self,
        route: &Route,
        name: &str,
        holder: Holder,
        token: Option<Token>,
    ) -> Result<Registered, String> {
        loop {
            let held = match self.reference(&route.name, name).await? {
                None => self.take(route, name, &holder, Expect::Absent, None).await,
                Some((version, reference)) => {
                    let expect = Expect::Version(version);
                    match reference.standing {
                        Standing::Kept {
                            delivery, digest, ..
                        } => {
                            self.take_with(route, name, &holder, expect, &delivery, digest)
                                .await
                        }
                        Standing::Started(started) => {
                            // Of a wait elsewhere nobody knows whose it is unless its worker says so.
                            let arn = &holder.place.execution_arn;
                            let theirs = started.start.execution_arn == *arn
                                || (arn.is_empty() && started.start.engine == holder.engine);
                            match started.kept {
                                _ if !theirs
                                    && (!route.config.reuse
                                        || self.runs(&started.start).await?) =>
                                {
                                    Ok(Registered::Started {
                                        execution: started.start.name,
                                    })
                                }
                                Some(kept) => {
                                    let (id, digest) = (kept.delivery, kept.digest);
                                    self.take_with(route, name, &holder, expect, &id, digest)
                                        .await
                                }
                                None => self.take(route, name, &holder, expect, None).await,
                            }
                        }
                        Standing::Waiting { holder: other }
                        | Standing::Delivering { holder: other, .. }
                        | Standing::Answered { holder: other, .. } => {
                            if other.token == holder.token {
                                Ok(Registered::Held)
                            } else if self.is_open(&other).await? {
                                Ok(Registered::Taken {
                                    holder: other.into(),
                                    open: true,
                                })
                            } else if other.place.execution_arn != holder.place.execution_arn
                                && !route.config.reuse
                            {
                                Ok(Registered::Taken {
                                    holder: other.into(),
                                    open: false,
                                })
                            } else {
                                self.take(route, name, &holder, expect, Some(&other)).await
                            }
                        }
                    }
                }
            };
            match held {
                Ok(held) => {
                    if let Some(token) = token
                        && matches!(held, Registered::Held | Registered::Early { .. })
                    {
                        // Only now: until the reference is stored, a callback for it is early.
                        self.0
                            .expected
                            .settled(token.execution, token.wait, Some(&route.name));
                    }
                    return Ok(held);
                }
                Err(NotStored::Conflict) => {}
                Err(NotStored::Server(what)) => return Err(what),
            }
        }
    }

    async fn take(
        &self,
        route: &Route,
        name: &str,
        holder: &Holder,
        expect: Expect,
        before: Option<&Holder>,
    ) -> Result<Registered, NotStored> {
        let reference = Reference {
            route: route.name.clone(),
            reference: name.to_owned(),
            standing: Standing::Waiting {
                holder: holder.clone(),
            },
        };
        let due = self.forget_at(route, holder);
        let mut documents = vec![reference.change(expect, due)];
        documents.extend(before.and_then(|before| self.let_go(before, &route.name, name)));
        documents.extend(before.and_then(|before| self.stuck_over(&reference, before)));
        documents.extend(self.holds(holder, &route.name, name));
        self.commit(documents).await?;
        Ok(Registered::Held)
    }

    /// Takes a reference that a callback is kept for, and delivers it.
    async fn take_with(
        &self,
        route: &Route,
        name: &str,
        holder: &Holder,
        expect: Expect,
        delivery: &str,
        digest: String,
    ) -> Result<Registered, NotStored> {
        let Some((read, mut delivery)) = self.delivery(delivery).await? else {
            // Its record was removed; the reference alone is of no use to anybody.
            return self.take(route, name, holder, expect, None).await;
        };
        let Some(flight) = self.0.flights.begin(&delivery.id) else {
            self.0.flights.landed(&delivery.id).await;
            return Err(NotStored::Conflict);
        };
        delivery.target = Some(holder.clone());
        let reference = Reference {
            route: route.name.clone(),
            reference: name.to_owned(),
            standing: Standing::Delivering {
                holder: holder.clone(),
                delivery: delivery.id.clone(),
                digest,
            },
        };
        let due = match holder.engine {
            Some(_) => None,
            None => self.look_after(),
        };
        let mut documents = delivery.changes(Expect::Version(read), due);
        documents.push(reference.change(expect, self.forget_at(route, holder)));
        documents.extend(self.holds(holder, &route.name, name));
        if let Some(engine) = &holder.engine {
            documents.push(self.enqueue(engine, &delivery));
            self.commit(documents).await?;
            drop(flight);
            let step = self.forward(engine, &delivery).await?;
            let delivery = delivery.id;
            return Ok(Registered::Early { delivery, step });
        }
        self.commit(documents).await?;
        delivery.found = Found::of(&delivery);
        // The registration is durable; if the rest fails the delivery is due, and comes by itself.
        match self.deliver(&mut delivery, Attempt::First, flight).await {
            Ok(step) => Ok(Registered::Early {
                delivery: delivery.id,
                step,
            }),
            Err(what) => {
                crate::log::say!("what became of an early callback could not be stored: {what}");
                Ok(Registered::Held)
            }
        }
    }

    pub(super) async fn is_open(&self, holder: &Holder) -> Result<bool, String> {
        if holder.engine.is_some() {
            return Ok(self.is_open_elsewhere(holder).await);
        }
        let Ok(token) = self.0.engine.check(&holder.token) else {
            return Ok(false);
        };
        let view = self.0.engine.wait(token).await?;
        Ok(view.is_some_and(|view| view.wait.is_ok()))
    }

    async fn answer_registration(
        &self,
        route: &Route,
        name: &str,
        registered: Result<Registered, String>,
    ) -> Reply {
        let early = match registered {
            Err(what) => return server_error(&what),
            Ok(Registered::Taken { holder, open }) => {
                let place = &holder.place;
                let state = if open { "waits" } else { "waited" };
                return Reply::refusal(
                    StatusCode::CONFLICT,
                    "ReferenceTaken",
                    format!(
                        "execution {} {state} in {} under the reference {name:?} on the route \"{}\"",
                        place.execution_name, place.state_name, route.name
                    ),
                    if open {
                        "a reference names one piece of work at a time; use the reference that the third party gave for this one"
                    } else {
                        "a late answer to that execution must not become this one's; use a fresh reference, or say reuse = true for the route if its references are keys of your own"
                    },
                );
            }
            Ok(Registered::Started { execution }) => {
                return Reply::refusal(
                    StatusCode::CONFLICT,
                    "ReferenceTaken",
                    format!(
                        "a callback has started execution {execution} under the reference {name:?} on the route \"{}\"",
                        route.name
                    ),
                    "that execution may register it; another one needs a reference of its own",
                );
            }
            Ok(Registered::Held) => None,
            Ok(Registered::Early { delivery, step }) => Some((delivery, step)),
        };
        let mut body = match self.reference(&route.name, name).await {
            Ok(Some((_, reference))) => self.shown(&reference).await,
            // It was registered, and its time was over at once (used_keep_seconds = 0).
            Ok(None) => json!({ "route": route.name, "reference": name }),
            Err(what) => return server_error(&what),
        };
        if let Some((delivery, step)) = early {
            body["early"] = json!({
                "deliveryId": delivery,
                "disposition": step.disposition,
                "note": step.note,
            });
        }
        Reply::json(StatusCode::OK, &body)
    }

    /// A reference for people.
    async fn shown(&self, reference: &Reference) -> Value {
        let (standing, delivery) = match &reference.standing {
            Standing::Kept {
                delivery,
                unknown: false,
                ..
            } => ("early", Some(delivery)),
            Standing::Kept { delivery, .. } => ("unknown", Some(delivery)),
            Standing::Waiting { .. } => ("waiting", None),
            Standing::Delivering { delivery, .. } => ("delivering", Some(delivery)),
            Standing::Answered { delivery, .. } => ("answered", Some(delivery)),
            Standing::Started(started) => ("started", Some(&started.delivery)),
        };
        let mut shown = json!({
            "route": reference.route,
            "reference": reference.reference,
            "standing": standing,
        });
        if let Some(delivery) = delivery {
            shown["deliveryId"] = delivery.as_str().into();
        }
        if let Standing::Started(started) = &reference.standing {
            shown["executionArn"] = started.start.execution_arn.as_str().into();
        }
        if let Some(holder) = reference.standing.holder() {
            shown["tokenFingerprint"] = fingerprint(&holder.token).into();
            if let Some(engine) = &holder.engine {
                shown["engine"] = engine.as_str().into();
            }
            shown["registeredAt"] = holder.registered_at.to_string().into();
            place_members(&mut shown, &holder.place);
            shown["wait"] = self.wait_shown(holder).await;
        }
        shown
    }

    async fn wait_shown(&self, holder: &Holder) -> Value {
        if holder.engine.is_some() {
            return match self.is_open_elsewhere(holder).await {
                // As far as anybody here knows.
                true => "open".into(),
                false => "over".into(),
            };
        }
        let view = match self.0.engine.check(&holder.token) {
            Ok(token) => self.0.engine.wait(token).await,
            Err(_) => Ok(None),
        };
        match view {
            Err(_) => "unavailable".into(),
            Ok(None) => "gone".into(),
            Ok(Some(view)) => match view.wait {
                Ok(_) => "open".into(),
                Err(ended) => match ended.end {
                    WaitEnd::Succeeded { .. } => "succeeded".into(),
                    WaitEnd::Failed { .. } => "failed".into(),
                    WaitEnd::TimedOut => "timed-out".into(),
                    WaitEnd::HeartbeatTimedOut => "heartbeat-timed-out".into(),
                    WaitEnd::Aborted => "aborted".into(),
                },
            },
        }
    }
}

pub(super) fn invalid_body(why: &serde_json::Error) -> Reply {
    Reply::refusal(
        StatusCode::BAD_REQUEST,
        "InvalidBody",
        format!("the body is not what is expected here: {why}"),
        "send {\"taskToken\": \"...\"} with the token that the task got from $$.Task.Token",
    )
}

fn unknown(route: &Route, name: &str) -> Reply {
    Reply::refusal(
        StatusCode::NOT_FOUND,
        "NotFound",
        format!(
            "nothing is known of the reference {name:?} on the route \"{}\"",
            route.name
        ),
        "it was never registered here, or its time is over; GET /rejoin/deliveries?reference=... shows callbacks that came with it",
    )
}
