//! A callback comes: read it, store it, deliver it, answer.

use std::sync::Arc;

use asl::Timestamp;
use engine::execution::EndedWait;
use hyper::StatusCode;
use serde_json::json;
use store::{DocumentChange, Expect, Table};

use super::alert::late_by;
use super::arrival::Arrival;
use super::deliver::Attempt;
use super::disposition::Disposition;
use super::found::Found;
use super::keep::Kept;
use super::marks::Try;
use super::record::{Delivery, Holder, Intent, Receipt, Reference, Standing, Step};
use super::route::{Fault, Reading, Route};
use super::trail::about;
use super::urls::{is_person, told_to_a_person};
use super::verify::{Verification, Verified};
use super::{Gateway, NotStored};
use crate::http::{Call, Reply, Unreadable};
use crate::runner::TokenError;

/// What is wrong with a callback before it is looked at.
pub(super) enum Wrong {
    /// It is not to be had whole.
    Unreadable(Unreadable),
    /// It came by another method than these, which only those hear of who can prove who they are.
    Method(String),
    /// It came to a path that is almost this one; the same.
    Path(String),
}

impl Wrong {
    /// What is told to whom it may concern.
    fn told(self, call: &Call, manner: &mut Manner) -> Option<String> {
        match self {
            Wrong::Unreadable(_) => None,
            Wrong::Method(methods) => {
                manner.status = Some(StatusCode::METHOD_NOT_ALLOWED);
                let told = format!("It came by {}, and this path takes {methods}.", call.method);
                manner.allow = Some(methods);
                Some(told)
            }
            Wrong::Path(path) => {
                manner.status = Some(StatusCode::NOT_FOUND);
                Some(format!(
                    "It came to {}, and the route's path is {path}.",
                    call.path
                ))
            }
        }
    }
}

impl From<Unreadable> for Wrong {
    fn from(why: Unreadable) -> Wrong {
        Wrong::Unreadable(why)
    }
}

/// When a third party should try again after a 503.
const RETRY_AFTER_SECONDS: u32 = 5;

impl Gateway {
    /// Takes a callback in. It is worked on by a task of its own: a third party that hangs up early
    /// can't leave it half done.
    pub(super) async fn receive(
        &self,
        at: Arc<Route>,
        entrance: usize,
        parameters: &[(String, String)],
        call: &Call,
        wrong: Option<Wrong>,
    ) -> Reply {
        self.sweep_sometimes(call.body.len(), at.config.inbox_bytes_max);
        let received_at = self.0.clock.now();
        let mut manner = Manner {
            person: matches!(at.verification, Verification::SignedUrl) && is_person(call),
            ..Manner::default()
        };
        let admitted = at.rate.as_ref().map(|rate| rate.admit(call, received_at));
        let cut = matches!(wrong, Some(Wrong::Unreadable(_)));
        let verified = match (admitted, wrong) {
            (Some(Err(too_many)), _) => {
                manner.retry_after_seconds = Some(too_many.retry_after_seconds);
                let fault = Fault {
                    disposition: Disposition::RateLimited,
                    reason: too_many.reason.clone(),
                    doubt: None,
                };
                if let Some(counted) = self.count_refused(&at, &too_many).await {
                    let step = self.step(fault.disposition, fault.reason);
                    return match counted {
                        Ok(id) => reply(&at, &id, Ok(step), manner),
                        Err(what) => reply(&at, "", Err(what), manner),
                    };
                }
                Err(fault)
            }
            (_, Some(Wrong::Unreadable(why))) => {
                manner.status = Some(why.status());
                Err(broken(call, why))
            }
            (_, wrong) => self
                .verify(&at, parameters, call, received_at)
                .map(|verified| (verified, wrong)),
        };
        let (verified, read) = match verified {
            Ok((verified, wrong)) => {
                let told = wrong.and_then(|wrong| wrong.told(call, &mut manner));
                let read = match told {
                    None => at.read(entrance, call, parameters, received_at),
                    Some(reason) => Err(Fault {
                        disposition: Disposition::Malformed,
                        reason,
                        doubt: None,
                    }),
                };
                (Some(verified), read)
            }
            Err(fault) => (None, Err(fault)),
        };
        let kept = Kept::of(call, &at, verified.is_some());
        let read = match (kept.redacted.is_empty(), read) {
            (true, read) => read,
            (false, Ok(reading)) => Ok(reading.without_its_body(&call.body)),
            (false, Err(fault)) => Err(fault.without_values()),
        };
        let (by, id) = verified.map_or((None, None), |verified| (verified.by, verified.id));
        let delivery = Delivery {
            peer: call.peer.to_string(),
            headers: kept.headers,
            body: kept.body,
            body_bytes: call.body.len(),
            verified_by: by.map(|by| by.to_string()),
            sent_to: Some(kept.sent_to),
            body_cut: kept.body_cut || cut,
            redacted: kept.redacted,
            ..Delivery::new(self.delivery_id(), at.name.clone(), received_at)
        };
        let repeat = read.as_ref().ok();
        let repeat = repeat.and_then(|reading| reading.repeat.as_deref());
        let mut arrival = Arrival::of(delivery, &at, id, repeat);
        let (gateway, busy) = (self.clone(), self.0.clock.busy());
        let taken = tokio::spawn(async move {
            let _busy = busy;
            let met = gateway.take_in(&at, &mut arrival, read).await;
            reply(&at, &arrival.delivery.id, met, manner)
        });
        taken
            .await
            .unwrap_or_else(|error| super::server_error(&error.to_string()))
    }

    /// Whether it comes from the third party.
    fn verify(
        &self,
        route: &Route,
        parameters: &[(String, String)],
        call: &Call,
        now: Timestamp,
    ) -> Result<Verified, Fault> {
        let verified = match route.verification {
            Verification::SignedUrl => self.check_url(route, parameters, now),
            _ => route.verification.check(call, now),
        };
        verified.map_err(|unverified| Fault {
            disposition: Disposition::Unverified,
            reason: unverified.reason,
            doubt: Some(unverified.doubt),
        })
    }

    pub(super) async fn take_in(
        &self,
        route: &Route,
        arrival: &mut Arrival,
        read: Result<Reading, Fault>,
    ) -> Result<Step, String> {
        match read {
            Ok(reading) => {
                arrival.is_read(reading);
                self.meet(route, arrival).await
            }
            Err(fault) => {
                // Nothing has come of it, so it may come again.
                arrival.receipts.clear();
                let step = Step {
                    doubt: fault.doubt,
                    ..self.step(fault.disposition, fault.reason)
                };
                loop {
                    match self.settle(route, arrival, None, step.clone(), None).await {
                        Ok(step) => return Ok(step),
                        // Its id is new; what it repeats may have changed.
                        Err(NotStored::Conflict) => arrival.refresh(self).await?,
                        Err(NotStored::Server(what)) => return Err(what),
                    }
                }
            }
        }
    }

    /// What a callback is that has come before, under the same signed id or by what the route calls a
    /// repeat, if something came of that one.
    pub(super) async fn replayed(&self, arrival: &mut Arrival) -> Result<Option<Step>, String> {
        for index in 0..arrival.receipts.len() {
            if let Some(step) = self.replayed_as(arrival, index).await? {
                arrival.receipts.clear();
                return Ok(Some(step));
            }
        }
        Ok(None)
    }

    async fn replayed_as(
        &self,
        arrival: &mut Arrival,
        index: usize,
    ) -> Result<Option<Step>, String> {
        let slot = &mut arrival.receipts[index];
        slot.expect = Expect::Absent;
        slot.taken = false;
        let found: Option<(u64, Receipt)> = self.document(Table::Receipt, &slot.key).await?;
        let Some((version, receipt)) = found else {
            return Ok(None);
        };
        slot.expect = Expect::Version(version);
        // What becomes of the first one decides: wait for it, or try it again now.
        let its_origin = arrival.repeats(&receipt.delivery);
        if !its_origin {
            self.attend_delivery(&receipt.delivery).await?;
        }
        let Some((_, first)) = self.delivery(&receipt.delivery).await? else {
            return Ok(None);
        };
        let counts = match first.disposition() {
            Some(
                Disposition::Delivered
                | Disposition::DeliveredAsFailure
                | Disposition::Started
                | Disposition::Heartbeat
                | Disposition::Early,
            )
            | None => true,
            // A heartbeat that could not be delivered is not tried again, so the next one counts.
            Some(Disposition::Undeliverable) => {
                first.intent != Some(Intent::Heartbeat)
                    || first.steps.last().is_some_and(|step| step.kept)
            }
            Some(_) => false,
        };
        if !counts {
            return Ok(None);
        }
        if its_origin {
            // That it came before is no reason against it, but stays one against what comes from elsewhere.
            arrival.receipts[index].taken = true;
            return Ok(None);
        }
        arrival.delivery.target = first.target;
        Ok(Some(self.repeat(
            &receipt.delivery,
            receipt.digest == arrival.digest,
        )))
    }

    /// Brings a callback together with its reference, whatever stands there by now.
    async fn meet(&self, route: &Route, arrival: &mut Arrival) -> Result<Step, String> {
        let name = arrival.delivery.reference.clone().unwrap_or_default();
        let heartbeat = arrival.delivery.intent == Some(Intent::Heartbeat);
        let mut waited = false;
        loop {
            // What was not stored, because somebody else was first, has not been.
            let delivery = &mut arrival.delivery;
            (delivery.steps, delivery.target, delivery.attempts) = (Vec::new(), None, 0);
            let before = match self.replayed(arrival).await? {
                Some(step) => Some(step),
                None => self.begun_before(route, arrival).await?,
            };
            if let Some(step) = before {
                match self.settle(route, arrival, None, step, None).await {
                    Ok(step) => return Ok(step),
                    Err(NotStored::Conflict) => {
                        arrival.refresh(self).await?;
                        continue;
                    }
                    Err(NotStored::Server(what)) => return Err(what),
                }
            }
            let found = self.reference(&route.name, &name).await?;
            let (version, standing) = match found {
                Some((version, reference)) => (Some(version), Some(reference.standing)),
                None => (None, None),
            };
            let expect = version.map_or(Expect::Absent, Expect::Version);
            let met = match standing {
                None | Some(Standing::Kept { unknown: true, .. }) if arrival.start.is_some() => {
                    self.begin(route, arrival, &name, expect).await
                }
                Some(Standing::Started(started)) if !started.done && !waited => {
                    waited = true;
                    self.attend_delivery(&started.delivery).await?;
                    continue;
                }
                Some(Standing::Started(started)) => {
                    self.meet_started(route, arrival, &name, expect, started)
                        .await
                }
                None => self.keep(route, arrival, &name, expect).await,
                // It takes the place of what it repeats.
                Some(Standing::Kept { delivery, .. }) if arrival.repeats(&delivery) => {
                    self.keep(route, arrival, &name, expect).await
                }
                Some(Standing::Kept { unknown: true, .. }) if self.may_be_early(route) => {
                    self.keep(route, arrival, &name, expect).await
                }
                Some(Standing::Kept { .. }) if heartbeat => {
                    self.keep(route, arrival, &name, expect).await
                }
                Some(Standing::Kept {
                    delivery: first,
                    unknown: true,
                    ..
                }) => {
                    let note = format!(
                        "Nobody has registered {name:?} on this route, and delivery {first} came with it before; that one is kept in case somebody does."
                    );
                    let step = self.step(Disposition::UnknownReference, note);
                    self.settle(route, arrival, None, step, None).await
                }
                Some(Standing::Kept {
                    delivery: first,
                    digest: said,
                    unknown: false,
                }) => {
                    let step = self.repeat(&first, said == arrival.digest);
                    self.settle(route, arrival, None, step, None).await
                }
                Some(Standing::Answered {
                    holder, delivery, ..
                }) if heartbeat => {
                    let note = format!(
                        "Execution {} no longer waits in {}: delivery {delivery} answered it.",
                        holder.place.execution_name, holder.place.state_name
                    );
                    let step = self.step(Disposition::LateEnded, note);
                    self.settle(route, arrival, Some(&holder), step, None).await
                }
                Some(Standing::Waiting { holder } | Standing::Delivering { holder, .. })
                    if heartbeat =>
                {
                    self.beat(route, arrival, holder).await
                }
                Some(Standing::Waiting { holder }) => {
                    self.hand_over(route, arrival, holder, &name, expect).await
                }
                Some(Standing::Delivering {
                    delivery: first, ..
                }) if !waited => {
                    // What becomes of the first one decides what this one is: wait for it, or, if it
                    // is not on its way because the engine could not be reached, try it now.
                    waited = true;
                    self.attend_delivery(&first).await?;
                    continue;
                }
                Some(
                    Standing::Delivering {
                        holder,
                        delivery: first,
                        digest: said,
                    }
                    | Standing::Answered {
                        holder,
                        delivery: first,
                        digest: said,
                    },
                ) => {
                    let step = self.repeat(&first, said == arrival.digest);
                    self.settle(route, arrival, Some(&holder), step, None).await
                }
            };
            match met {
                Ok(step) => return Ok(step),
                Err(NotStored::Conflict) => arrival.refresh(self).await?,
                Err(NotStored::Server(what)) => return Err(what),
            }
        }
    }

    /// Whether a callback without a registered reference may be early on this route.
    pub(super) fn may_be_early(&self, route: &Route) -> bool {
        // A URL is made for a wait that is registered by then.
        if matches!(route.verification, Verification::SignedUrl) {
            return false;
        }
        (route.expects.is_empty() && !route.starts()) || self.0.expected.any(&route.name)
    }

    /// Keeps a callback whose reference nobody has registered.
    async fn keep(
        &self,
        route: &Route,
        arrival: &mut Arrival,
        name: &str,
        expect: Expect,
    ) -> Result<Step, NotStored> {
        let delivery = &arrival.delivery;
        let early = self.may_be_early(route);
        let keep = route.early_keep_seconds;
        let until = delivery.received_at.plus_seconds(keep);
        let (disposition, note) = match (early, delivery.intent == Some(Intent::Heartbeat)) {
            (true, true) => (
                Disposition::Heartbeat,
                format!("{name:?} is not registered yet, so no wait was extended."),
            ),
            (true, false) => (
                Disposition::Early,
                format!("{name:?} is not registered yet; kept until {until}."),
            ),
            (false, _) => (
                Disposition::UnknownReference,
                format!(
                    "Nobody has registered {name:?} on this route, and no task that could is open; kept until {until} in case somebody does."
                ),
            ),
        };
        let step = self.step(disposition, note);
        let reference = (delivery.intent != Some(Intent::Heartbeat)).then(|| {
            let reference = Reference {
                route: route.name.clone(),
                reference: name.to_owned(),
                standing: Standing::Kept {
                    delivery: delivery.id.clone(),
                    digest: arrival.digest.clone(),
                    unknown: !early,
                },
            };
            reference.change(expect, Some(until))
        });
        self.settle(route, arrival, None, step, reference).await
    }

    /// A callback meets the wait it is for: stores both as being delivered, then delivers.
    async fn hand_over(
        &self,
        route: &Route,
        arrival: &mut Arrival,
        holder: Holder,
        name: &str,
        expect: Expect,
    ) -> Result<Step, NotStored> {
        let (digest, beside) = (arrival.digest.clone(), arrival.beside());
        let delivery = &mut arrival.delivery;
        let elsewhere = holder.engine.clone();
        let flight = self.0.flights.begin(&delivery.id);
        let flight = flight.expect("nobody else knows of a delivery before it is stored");
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
        let due = match elsewhere {
            Some(_) => None,
            None => self.look_after(),
        };
        let mut documents = delivery.changes(Expect::Absent, due);
        documents.push(reference.change(expect, self.forget_at(route, &holder)));
        documents.extend(beside);
        if let Some(engine) = elsewhere {
            documents.push(self.enqueue(&engine, delivery));
            self.commit(documents).await?;
            drop(flight);
            return Ok(self.forward(&engine, delivery).await?);
        }
        self.commit(documents).await?;
        delivery.found = Found::of(delivery);
        Ok(self.deliver(delivery, Attempt::First, flight).await?)
    }

    /// Tells the engine that the work goes on. There is nothing to make up for if that fails, and a
    /// heartbeat is no use later, so it is stored once, with what came of it.
    async fn beat(
        &self,
        route: &Route,
        arrival: &mut Arrival,
        holder: Holder,
    ) -> Result<Step, NotStored> {
        if let Some(engine) = &holder.engine {
            // In its turn: an answer that is still on its way came before it, or it before the answer.
            let beside = arrival.beside();
            let delivery = &mut arrival.delivery;
            delivery.target = Some(holder.clone());
            let mut documents = delivery.changes(Expect::Absent, None);
            documents.push(self.enqueue(engine, delivery));
            documents.extend(beside);
            self.commit(documents).await?;
            return Ok(self.forward(engine, delivery).await?);
        }
        let delivery = &mut arrival.delivery;
        delivery.attempts = 1;
        delivery.target = Some(holder.clone());
        let began = self.0.clock.now();
        let answer = self.0.engine.heartbeat(&holder.token).await;
        delivery.tried(Try::of(began, self.0.clock.now(), &answer));
        let step = match answer {
            Ok(()) => self.step(
                Disposition::Heartbeat,
                format!("The wait in {} goes on.", holder.place.state_name),
            ),
            Err(TokenError::Server(what)) => {
                crate::log::say_about!(
                    about(delivery),
                    "a heartbeat could not be delivered: {what}"
                );
                self.step(
                    Disposition::Undeliverable,
                    "The engine could not be reached; a heartbeat is not tried again.".into(),
                )
            }
            Err(error) => self.late(delivery, &holder, error),
        };
        self.settle(route, arrival, Some(&holder), step, None).await
    }

    /// A callback meets a wait that an operator has chosen: stores it, then delivers.
    pub(super) async fn send_to(
        &self,
        route: &Route,
        arrival: &mut Arrival,
        holder: &Holder,
    ) -> Result<Step, String> {
        loop {
            let met = match arrival.delivery.intent {
                Some(Intent::Heartbeat) => self.beat(route, arrival, holder.clone()).await,
                _ => self.hand_to(arrival, holder).await,
            };
            match met {
                Ok(step) => return Ok(step),
                Err(NotStored::Conflict) => arrival.refresh(self).await?,
                Err(NotStored::Server(what)) => return Err(what),
            }
        }
    }

    async fn hand_to(&self, arrival: &mut Arrival, holder: &Holder) -> Result<Step, NotStored> {
        let beside = arrival.beside();
        let delivery = &mut arrival.delivery;
        let flight = self.0.flights.begin(&delivery.id);
        let flight = flight.expect("nobody else knows of a delivery before it is stored");
        delivery.target = Some(holder.clone());
        if let Some(engine) = &holder.engine {
            // In the lane of its reference, as everything that goes to that engine.
            let mut documents = delivery.changes(Expect::Absent, None);
            documents.push(self.enqueue(engine, delivery));
            documents.extend(beside);
            self.commit(documents).await?;
            drop(flight);
            return Ok(self.forward(engine, delivery).await?);
        }
        let mut documents = delivery.changes(Expect::Absent, self.look_after());
        documents.extend(beside);
        self.commit(documents).await?;
        delivery.found = Found::of(delivery);
        Ok(self.deliver(delivery, Attempt::First, flight).await?)
    }

    /// A callback for a reference that has had its answer.
    pub(super) fn repeat(&self, first: &str, identical: bool) -> Step {
        if identical {
            let note = format!("It says the same as delivery {first}, which counts.");
            self.step(Disposition::DuplicateIdentical, note)
        } else {
            let note = format!(
                "It says something else than delivery {first}, which counts; this one changed nothing."
            );
            self.step(Disposition::DuplicateContradicting, note)
        }
    }

    /// A callback for a wait that is over.
    pub(super) fn late(&self, delivery: &Delivery, holder: &Holder, error: TokenError) -> Step {
        let place = &holder.place;
        let whose = format!(
            "Execution {} no longer waits in {}",
            place.execution_name, place.state_name
        );
        let TokenError::Ended(ended) = error else {
            return self.step(
                Disposition::LateEnded,
                format!("{whose}: the execution is no longer kept."),
            );
        };
        let late = late_by(delivery, ended.ended_at);
        let when = match late < 0.0 {
            false => format!("{late} s before the callback came"),
            // It was kept for its reference, and the wait did not last until that came.
            true => format!(
                "{} s after the callback came, before its reference was registered",
                -late
            ),
        };
        let (disposition, how) = how_it_ended(&ended);
        Step {
            wait_ended_at: Some(ended.ended_at),
            ..self.step(disposition, format!("{whose}: {how} {when}."))
        }
    }

    pub(super) fn step(&self, disposition: Disposition, note: String) -> Step {
        Step {
            at: self.0.clock.now(),
            disposition,
            note,
            wait_ended_at: None,
            kept: false,
            given_up: false,
            doubt: None,
        }
    }

    /// Stores a new delivery whose disposition is clear, with its alert and what else changes.
    pub(super) async fn settle(
        &self,
        route: &Route,
        arrival: &mut Arrival,
        holder: Option<&Holder>,
        step: Step,
        reference: Option<DocumentChange>,
    ) -> Result<Step, NotStored> {
        let beside = arrival.beside();
        let delivery = &mut arrival.delivery;
        if delivery.target.is_none() {
            delivery.target = holder.cloned();
        }
        delivery.steps = vec![step.clone()];
        if reference.is_none() {
            delivery.forget_what_was_redacted();
        }
        let mut documents = delivery.changes(Expect::Absent, None);
        documents.extend(reference);
        documents.extend(beside);
        documents.extend(self.alert(Some(route), delivery, &step));
        self.commit(documents).await?;
        self.counted(&arrival.delivery, &step);
        Ok(step)
    }
}

/// Which kind of late a callback is for a wait that ended so, and how it ended.
pub(super) fn how_it_ended(ended: &EndedWait) -> (Disposition, &'static str) {
    if ended.superseded {
        (
            Disposition::LateSuperseded,
            "a later attempt of the state took its place, under a token of its own",
        )
    } else {
        match ended.end {
            engine::WaitEnd::TimedOut => (Disposition::LateTimedOut, "it had timed out"),
            engine::WaitEnd::HeartbeatTimedOut => (
                Disposition::LateTimedOut,
                "it had gone without a heartbeat for too long",
            ),
            engine::WaitEnd::Succeeded { .. } => (
                Disposition::LateEnded,
                "it had been answered by other means",
            ),
            engine::WaitEnd::Failed { .. } => {
                (Disposition::LateEnded, "it had failed by other means")
            }
            engine::WaitEnd::Aborted => (
                Disposition::LateEnded,
                "the execution had ended or gone another way",
            ),
        }
    }
}

/// Why a body is not to be had, with what came of it. None of it is verified: what is signed is the whole.
fn broken(call: &Call, why: Unreadable) -> Fault {
    let came = call.body.len();
    let reason = match (why, call.header("content-length")) {
        (Unreadable::TooLarge(_), _) => format!("There is too much of it: {why}."),
        (_, Some(said)) => format!("It could not be read: {why}; {came} of {said} bytes came."),
        (_, None) => format!("It could not be read: {why}; {came} bytes came."),
    };
    Fault {
        disposition: match why {
            Unreadable::TooLarge(_) => Disposition::TooLarge,
            _ => Disposition::Malformed,
        },
        reason,
        doubt: None,
    }
}

/// How an answer is given.
#[derive(Default)]
struct Manner {
    /// A person reads it.
    person: bool,
    /// Its status, if the disposition's says less.
    status: Option<StatusCode>,
    /// When to come again.
    retry_after_seconds: Option<u32>,
    /// By which methods.
    allow: Option<String>,
}

/// What the third party hears. It is a stranger: nothing of the execution is told.
fn reply(route: &Route, id: &str, met: Result<Step, String>, manner: Manner) -> Reply {
    let (disposition, message) = match &met {
        Ok(step) => (step.disposition, told(step)),
        Err(what) => {
            crate::log::say!("a callback could not be stored: {what}");
            (
                Disposition::Undeliverable,
                "The callback could not be stored; send it again later.",
            )
        }
    };
    let mut body = json!({ "disposition": disposition, "message": message });
    if met.is_ok() {
        body["deliveryId"] = id.into();
    }
    let acknowledged = met.as_ref().is_ok_and(Step::is_acknowledged);
    let status = manner.status.filter(|_| met.is_ok());
    let status = status.or(acknowledged.then_some(StatusCode::ACCEPTED));
    let mut reply = Reply::json(status.unwrap_or(disposition.status()), &body);
    if met.is_ok() {
        if manner.person {
            let given_up = met.as_ref().is_ok_and(|step| step.given_up);
            reply = told_to_a_person(reply.status, disposition, given_up);
        }
        reply = route.answer(disposition, reply);
    }
    let retry_after = match disposition {
        Disposition::Undeliverable if !acknowledged => Some(RETRY_AFTER_SECONDS),
        _ => manner.retry_after_seconds,
    };
    if let Some(seconds) = retry_after {
        reply.headers.push(("Retry-After", seconds.to_string()));
    }
    reply
        .headers
        .extend(manner.allow.map(|methods| ("Allow", methods)));
    if disposition == Disposition::Unverified
        && let Some(challenge) = route.verification.challenge()
    {
        reply
            .headers
            .push(("WWW-Authenticate", challenge.to_owned()));
    }
    reply
}

fn told(step: &Step) -> &str {
    match step.disposition {
        Disposition::Delivered => "The callback was delivered.",
        Disposition::DeliveredAsFailure => "The callback was delivered, as a failure.",
        Disposition::Started => "The callback was taken, and something new begins with it.",
        Disposition::Heartbeat => "The heartbeat was taken.",
        Disposition::Early => "The reference is not known yet; the callback is kept for it.",
        Disposition::DuplicateIdentical => "The callback was taken before.",
        Disposition::DuplicateContradicting => {
            "Another callback with this reference was taken before and says something else; this one has no effect."
        }
        Disposition::LateTimedOut | Disposition::LateEnded | Disposition::LateSuperseded => {
            "Nobody waits for this callback any longer."
        }
        Disposition::UnknownReference => "Nobody knows this reference.",
        // It speaks of the body alone.
        Disposition::Malformed | Disposition::TooLarge => &step.note,
        Disposition::RateLimited => "There are too many callbacks; send it again later.",
        // Why is for the operator: whoever forges one must not learn how near it was.
        Disposition::Unverified => "The callback is not verified.",
        Disposition::Undeliverable if step.kept => {
            "The callback is stored, and will be delivered; do not send it again."
        }
        Disposition::Undeliverable if step.given_up => {
            "The callback is stored, and could not be delivered; do not send it again, those who can help know of it."
        }
        Disposition::Undeliverable => "The callback is stored, and could not be delivered yet.",
    }
}
