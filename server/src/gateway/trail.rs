//! What the gateway knows for a story: the references and callbacks of an execution, of a reference, of a
//! callback; and what came that may belong to a wait although nothing says so.
//!
//! Tokens stay here: a wait is told by its number.

use std::sync::Arc;

use asl::Timestamp;
use engine::{ExecutionKey, TraceContext, TraceId, WaitId};
use store::{StoreError, Table};

use super::found::{execution_prefix, id_of, is_odd, reference_prefix};
use super::record::{Delivery, Holder, Place, Reference, Standing};
use super::{Disposition, Gateway, read};
use crate::log::About;
use crate::telemetry::callback::CallbackTold;
use crate::trace::{TRACEPARENT, TRACESTATE, X_RAY, own_trace};

/// How many references and callbacks a story is made of at most.
const TOLD_MAX: usize = 1000;

/// How many callbacks of one reference are looked at for the wait that holds it.
const WAIT_TOLD_MAX: usize = 50;

/// How many documents are looked at to find what may belong together: it is a hint, and it has to be quick.
const LOOKED_AT_MAX: usize = 2000;

/// How many references are looked at for those of an execution elsewhere.
const ELSEWHERE_LOOKED_AT_MAX: usize = 20_000;

/// How many are read at a time.
const PAGE: usize = 256;

/// A reference that somebody has registered.
#[derive(Debug, Clone)]
pub(crate) struct Registration {
    pub route: String,
    pub reference: String,
    pub at: Timestamp,
    pub place: Place,
    pub wait: Option<WaitId>,
    /// The engine elsewhere whose wait it is.
    pub engine: Option<String>,
}

/// A callback that came.
#[derive(Debug, Clone)]
pub(crate) struct Arrived {
    pub id: String,
    pub route: String,
    pub reference: Option<String>,
    pub at: Timestamp,
    /// The wait that it met, and when the reference of that was registered.
    pub met: Option<(Place, Timestamp)>,
    pub wait: Option<WaitId>,
    /// The engine elsewhere whose wait that is.
    pub engine: Option<String>,
    /// Nobody tries to deliver it again.
    pub given_up: bool,
    /// What it was taken for, one after the other, and why.
    pub steps: Vec<(Timestamp, Disposition, String)>,
    /// The trace that it said it belongs to.
    pub traceparent: Option<String>,
    /// The trace that it belongs to.
    pub trace_id: Option<String>,
}

/// What is known of something.
#[derive(Debug, Default)]
pub(crate) struct Trail {
    pub registrations: Vec<Registration>,
    pub arrived: Vec<Arrived>,
}

impl Trail {
    /// Takes over what is not there yet.
    pub fn add(&mut self, other: Trail) {
        for registration in other.registrations {
            let same = |r: &Registration| {
                (&r.route, &r.reference) == (&registration.route, &registration.reference)
            };
            if !self.registrations.iter().any(same) {
                self.registrations.push(registration);
            }
        }
        for arrived in other.arrived {
            if !self.arrived.iter().any(|known| known.id == arrived.id) {
                self.arrived.push(arrived);
            }
        }
    }
}

impl Gateway {
    /// The references and callbacks of an execution.
    pub(crate) async fn trail_of_execution(&self, arn: &str) -> Result<Trail, String> {
        let mut trail = Trail::default();
        let held = self.references_of_execution(ExecutionKey::of(arn), TOLD_MAX);
        for (route, reference) in held {
            if let Some((_, reference)) = self.reference(&route, &reference).await? {
                trail.registrations.extend(self.registration(&reference));
            }
        }
        trail.registrations.retain(|r| r.place.execution_arn == arn);
        let its = |place: &Place| place.execution_arn == arn;
        trail
            .registrations
            .extend(self.registered_elsewhere(its).await?);
        let name = arn.rsplit(':').next().unwrap_or(arn);
        let arrived = self.deliveries_of(&execution_prefix(name)).await?;
        let its = |d: &&Delivery| {
            d.target
                .as_ref()
                .is_some_and(|h| h.place.execution_arn == arn)
        };
        trail.arrived = arrived
            .iter()
            .filter(its)
            .map(|d| self.arrived(d))
            .collect();
        // Of an engine elsewhere nobody here knows the waits, but the callbacks name the references.
        let mut names: Vec<(String, String)> = trail
            .arrived
            .iter()
            .filter_map(|arrived| Some((arrived.route.clone(), arrived.reference.clone()?)))
            .collect();
        names.sort();
        names.dedup();
        for (route, name) in names {
            let Some((_, reference)) = self.reference(&route, &name).await? else {
                continue;
            };
            let registration = self.registration(&reference);
            trail.add(Trail {
                registrations: registration
                    .into_iter()
                    .filter(|r| r.place.execution_arn == arn)
                    .collect(),
                arrived: Vec::new(),
            });
        }
        Ok(trail)
    }

    /// The execution of this name that callbacks have met, or that waits at an engine elsewhere: what is known here is
    /// all there is to know it by. Of several, the one that was met last.
    pub(crate) async fn execution_heard_of(&self, name: &str) -> Result<Option<String>, String> {
        let its = |place: &Place| place.execution_name == name;
        let arrived = self.deliveries_of(&execution_prefix(name)).await?;
        let mut met = arrived
            .iter()
            .filter_map(|d| d.target.as_ref().map(|h| &h.place));
        if let Some(place) = met.find(|place| its(place)) {
            return Ok(Some(place.execution_arn.clone()));
        }
        let registered = self.registered_elsewhere(its).await?;
        let newest = registered.into_iter().max_by_key(|r| r.at);
        Ok(newest.map(|r| r.place.execution_arn))
    }

    /// What is registered for waits at engines elsewhere, of an execution: no index leads from it to them.
    async fn registered_elsewhere(
        &self,
        its: impl Fn(&Place) -> bool,
    ) -> Result<Vec<Registration>, String> {
        let mut found = Vec::new();
        let mut left = ELSEWHERE_LOOKED_AT_MAX;
        for route in self
            .routes()
            .all()
            .filter(|route| route.config.engine.is_some())
        {
            let prefix = format!("{}\n", route.name);
            let mut after: Option<String> = None;
            while left > 0 {
                let limit = PAGE.min(left);
                let store = &self.0.store;
                let page = store.scan(Table::Reference, &prefix, after.as_deref(), limit, false);
                let page = page.await.map_err(|StoreError(what)| what)?;
                left -= page.len();
                let last = page.len() < limit;
                for (key, document) in page {
                    let registration = self.registration(&read(&document)?);
                    found.extend(registration.filter(|r| its(&r.place)));
                    after = Some(key);
                }
                if last {
                    break;
                }
                tokio::task::yield_now().await;
            }
        }
        Ok(found)
    }

    /// The callbacks of a trace that began with one of them, or that third parties say they belong to; of the latter
    /// only what is new is looked at.
    pub(crate) async fn trail_of_trace(&self, trace: TraceId) -> Result<Trail, String> {
        // One of our own begins with the second in which its callback came.
        let began = Timestamp((trace.0 >> 96) as i64 * 1000);
        let ends = id_before(began.plus_seconds(2));
        let store = &self.0.store;
        let first = id_before(began);
        let mut ids = store.keys(Table::Delivery, "", Some(&first), LOOKED_AT_MAX, false);
        ids.retain(|id| *id < ends);
        ids.extend(store.keys(Table::Delivery, "", None, LOOKED_AT_MAX, true));
        ids.sort();
        ids.dedup();
        let mut trail = Trail::default();
        for id in ids {
            if let Some((_, delivery)) = self.delivery(&id).await?
                && own_trace_of(&delivery).trace == trace
            {
                trail.arrived.push(self.arrived(&delivery));
            }
            if trail.arrived.len() == TOLD_MAX {
                break;
            }
        }
        Ok(trail)
    }

    /// The references that a wait holds, and the callbacks that have met it; what is on its way to it has landed then.
    pub(crate) async fn trail_of_wait(
        &self,
        execution: ExecutionKey,
        wait: WaitId,
    ) -> Result<Trail, String> {
        let mut trail = Trail::default();
        for (route, reference) in self.references_of(execution, wait) {
            let Some((_, found)) = self.reference(&route, &reference).await? else {
                continue;
            };
            trail.registrations.extend(self.registration(&found));
            let table = Table::DeliveryIndex;
            let prefix = reference_prefix(&reference);
            let keys = self.0.store.keys(table, &prefix, None, WAIT_TOLD_MAX, true);
            for id in keys.iter().filter_map(|key| id_of(key)) {
                self.0.flights.landed(&id).await;
                if let Some((_, delivery)) = self.delivery(&id).await?
                    && delivery.reference.as_deref() == Some(&reference)
                {
                    trail.arrived.push(self.arrived(&delivery));
                }
            }
        }
        let its = |place: Option<WaitId>| place == Some(wait);
        trail.registrations.retain(|r| its(r.wait));
        trail.arrived.retain(|arrived| its(arrived.wait));
        // Ids begin with the time, and tell even those of one millisecond apart.
        trail.arrived.sort_by(|one, other| one.id.cmp(&other.id));
        Ok(trail)
    }

    /// What there is to tell of a callback that has just got a disposition.
    pub(super) fn told(&self, delivery: &Delivery) -> CallbackTold {
        let place = delivery.target.as_ref().map(|holder| &holder.place);
        let started = delivery.start.as_ref().map(|start| &start.execution_arn);
        let execution = place.map(|place| &place.execution_arn).or(started);
        let sent_to = delivery.sent_to.as_ref();
        CallbackTold {
            arrived: self.arrived(delivery),
            tracestate: header(delivery, TRACESTATE),
            execution_arn: execution.cloned(),
            method: sent_to.map(|sent_to| sent_to.method.clone()),
            peer: delivery.peer.clone(),
            body_bytes: delivery.body_bytes,
            odd: delivery.disposition().is_some_and(is_odd),
        }
    }

    /// A reference on one route, or on whichever has it, and the callbacks that came with it.
    pub(crate) async fn trail_of_reference(
        &self,
        route: Option<&str>,
        reference: &str,
    ) -> Result<Trail, String> {
        let mut trail = Trail::default();
        let routes = self.routes();
        for known in routes.names() {
            if route.is_none_or(|route| route == known)
                && let Some((_, found)) = self.reference(known, reference).await?
            {
                trail.registrations.extend(self.registration(&found));
            }
        }
        let arrived = self.deliveries_of(&reference_prefix(reference)).await?;
        let its = |d: &&Delivery| d.reference.as_deref() == Some(reference);
        let arrived = arrived.iter().filter(its).map(|d| self.arrived(d));
        trail.arrived = arrived
            .filter(|arrived| route.is_none_or(|route| route == arrived.route))
            .collect();
        Ok(trail)
    }

    /// A callback, if there is one with this id.
    pub(crate) async fn trail_of_delivery(&self, id: &str) -> Result<Option<Arrived>, String> {
        let found = self.delivery(id).await?;
        Ok(found.map(|(_, delivery)| self.arrived(&delivery)))
    }

    /// The routes on which a state's callbacks are expected.
    pub(crate) fn routes_expecting(&self, machine_arn: &str, state: &str) -> Vec<Arc<str>> {
        self.0.expected.by(machine_arn, state)
    }

    /// Callbacks that came on one of these routes between two times and met no wait, oldest first.
    pub(crate) async fn strays(
        &self,
        routes: &[String],
        from: Timestamp,
        to: Timestamp,
        most: usize,
    ) -> Result<Vec<Arrived>, String> {
        let mut after = Some(id_before(from));
        let mut strays = Vec::new();
        for _ in 0..LOOKED_AT_MAX / PAGE {
            let store = &self.0.store;
            let page = store.scan(Table::Delivery, "", after.as_deref(), PAGE, false);
            let page = page.await.map_err(|StoreError(what)| what)?;
            let last = page.len() < PAGE;
            for (key, document) in page {
                let delivery: Delivery = read(&document)?;
                if delivery.received_at > to || strays.len() == most {
                    return Ok(strays);
                }
                if delivery.target.is_none() && routes.contains(&delivery.route) {
                    strays.push(self.arrived(&delivery));
                }
                after = Some(key);
            }
            if last {
                break;
            }
        }
        Ok(strays)
    }

    /// Registrations on a route whose waits were open at a time, as far as a short look finds them.
    pub(crate) async fn waiting_at(
        &self,
        route: &str,
        at: Timestamp,
        most: usize,
    ) -> Result<Vec<Registration>, String> {
        let prefix = format!("{route}\n");
        let store = &self.0.store;
        let page = store.scan(Table::Reference, &prefix, None, LOOKED_AT_MAX, false);
        let mut waiting = Vec::new();
        for (_, document) in page.await.map_err(|StoreError(what)| what)? {
            let reference: Reference = read(&document)?;
            let open = |r: &Registration| {
                let deadline = r.place.wait_deadline;
                r.place.wait_began_at <= at && deadline.is_none_or(|deadline| deadline >= at)
            };
            let answered = matches!(reference.standing, Standing::Answered { .. });
            waiting.extend(
                self.registration(&reference)
                    .filter(open)
                    .filter(|_| !answered),
            );
            if waiting.len() == most {
                break;
            }
        }
        Ok(waiting)
    }

    /// The newest deliveries that are found by this.
    async fn deliveries_of(&self, prefix: &str) -> Result<Vec<Delivery>, String> {
        let table = Table::DeliveryIndex;
        let keys = self.0.store.keys(table, prefix, None, TOLD_MAX, true);
        let mut deliveries = Vec::with_capacity(keys.len());
        for id in keys.iter().filter_map(|key| id_of(key)) {
            if let Some((_, delivery)) = self.delivery(&id).await? {
                deliveries.push(delivery);
            }
        }
        Ok(deliveries)
    }

    fn registration(&self, reference: &Reference) -> Option<Registration> {
        let holder = reference.standing.holder()?;
        Some(Registration {
            route: reference.route.clone(),
            reference: reference.reference.clone(),
            at: holder.registered_at,
            place: holder.place.clone(),
            wait: self.wait_of(holder),
            engine: holder.engine.clone(),
        })
    }

    fn arrived(&self, delivery: &Delivery) -> Arrived {
        let steps = delivery.steps.iter();
        let holder = delivery.target.as_ref();
        Arrived {
            trace_id: about(delivery).trace_id,
            id: delivery.id.clone(),
            route: delivery.route.clone(),
            reference: delivery.reference.clone(),
            at: delivery.received_at,
            met: holder.map(|holder| (holder.place.clone(), holder.registered_at)),
            wait: holder.and_then(|holder| self.wait_of(holder)),
            engine: holder.and_then(|holder| holder.engine.clone()),
            given_up: delivery.steps.last().is_some_and(|step| step.given_up),
            steps: steps
                .map(|step| (step.at, step.disposition, step.note.clone()))
                .collect(),
            traceparent: header(delivery, TRACEPARENT),
        }
    }

    fn wait_of(&self, holder: &Holder) -> Option<WaitId> {
        let token = self.0.engine.check(&holder.token).ok()?;
        Some(token.wait)
    }
}

/// What a line of the log is about.
pub(super) fn about(delivery: &Delivery) -> About {
    let place = delivery.target.as_ref().map(|holder| &holder.place);
    let start = delivery.start.as_ref();
    let of_wait = place.and_then(|place| place.trace_id.clone());
    let own = || own_trace_of(delivery).trace.to_string();
    About {
        trace_id: Some(of_wait.unwrap_or_else(own)),
        execution_arn: place
            .map(|place| &place.execution_arn)
            .or(start.map(|start| &start.execution_arn))
            .cloned(),
        delivery_id: Some(delivery.id.clone()),
        message_id: None,
    }
}

/// The trace that a callback said it belongs to.
pub(super) fn trace_of(delivery: &Delivery) -> Option<TraceContext> {
    let header = |wanted| header(delivery, wanted);
    let state = header(TRACESTATE);
    let w3c = header(TRACEPARENT);
    w3c.and_then(|parent| TraceContext::of_headers(&parent, state.as_deref()))
        .or_else(|| header(X_RAY).and_then(|text| TraceContext::of_x_ray(&text)))
}

/// The trace that a callback belongs to if it has met no wait, and that what it starts goes on in: the third party's, or
/// one of its own.
pub(super) fn own_trace_of(delivery: &Delivery) -> TraceContext {
    trace_of(delivery).unwrap_or_else(|| TraceContext {
        trace: own_trace(&delivery.id, delivery.received_at),
        parent: None,
        sampled: true,
        state: None,
    })
}

fn header(delivery: &Delivery, wanted: &str) -> Option<String> {
    let found = delivery.headers.iter().find(|(name, _)| name == wanted);
    found.map(|(_, value)| value.clone())
}

/// What sorts before every id of a delivery that came at a time or later: ids begin with the time.
fn id_before(at: Timestamp) -> String {
    let millis = u64::try_from(at.0).unwrap_or_default();
    uuid::Builder::from_unix_timestamp_millis(millis, &[0; 10])
        .into_uuid()
        .to_string()
}
