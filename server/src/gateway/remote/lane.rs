//! Lanes: callbacks of one reference on their way to an engine elsewhere, one after the other.
//!
//! A place in a lane is a document of its own, keyed by engine, route, reference and delivery: deliveries'
//! ids sort by time, so the keys of a lane are in the order of arrival. It is stored with the delivery and
//! goes with the commit that records the outcome. A lane is worked by one task at a time; whoever comes
//! meanwhile waits for that and looks again.
//!
//! What is due: a delivery that has just come, so that it is found after a crash; one that failed, after
//! its pause. What the breaker does not let out is due when the breaker's pause is over, and one of them
//! then finds out for all; if that goes well, all lanes are worked off, so many at a time.

use std::sync::Arc;
use std::time::Duration;

use asl::Timestamp;
use serde::{Deserialize, Serialize};
use store::{DocumentChange, Expect, StoreError, Table};
use tokio::task::JoinSet;

use super::breaker::State;
use super::judge::Circumstances;
use super::place::whose;
use super::verdict::{Later, Verdict};
use super::{Remote, lot, unreachable};
use crate::alerts::Alert;
use crate::gateway::deliver::{LOOK_AFTER_SECONDS, used_keep_seconds};
use crate::gateway::disposition::Disposition;
use crate::gateway::marks::{Try, TryResult};
use crate::gateway::record::{Delivery, Holder, Intent, Standing, Step};
use crate::gateway::trail::about;
use crate::gateway::{Gateway, NotStored, read};

/// Separates the parts of a key.
const SEPARATOR: char = '\n';
/// A delivery's id is a UUID.
const ID_BYTES: usize = 36;

/// How long a third party is kept waiting for the outcome, in real time; then it hears that its callback
/// is stored. Most give up after ten seconds, some after three.
pub(super) const PATIENCE: Duration = Duration::from_secs(3);

/// The pause after a failure: doubled each time, up to the second figure.
const PAUSE_SECONDS: i64 = 1;
const PAUSE_MAX_SECONDS: i64 = 300;
/// The same after a refusal that somebody has to do something about.
const REFUSED_PAUSE_SECONDS: i64 = 60;
const REFUSED_PAUSE_MAX_SECONDS: i64 = 900;

/// When a callback is given up: no wait is open for longer than a year.
const GIVE_UP_SECONDS: i64 = 366 * 86_400;

/// How many keys are read at a time when all lanes are worked off.
const KEYS_PAGE: usize = 1024;

/// A delivery's place in its lane: what is known of its attempts.
#[derive(Clone, Default, Serialize, Deserialize)]
#[serde(default)]
struct Turn {
    /// Which run of the server wrote this. One that died may have made an attempt of which nothing is written.
    run: u64,
    attempts: u32,
    /// One of them may have counted.
    doubt: bool,
    /// The last one was refused for a reason of its own, which does not pass when the engine answers.
    refused: bool,
}

impl Turn {
    fn change(&self, key: String, due: Timestamp) -> DocumentChange {
        DocumentChange {
            table: Table::Remote,
            key,
            expect: Expect::Any,
            content: Some(serde_json::to_vec(self).expect("a turn is numbers and flags")),
            due: Some(due),
        }
    }
}

/// What becomes of a place.
enum Next {
    /// It is left.
    Gone,
    /// It is kept until then.
    Again(Turn, Timestamp),
}

/// Why a lane is worked.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Why {
    /// Its first is due.
    Due,
    /// The engine answers again.
    Recovered,
    /// Somebody has come and waits.
    Asked,
}

/// A lane's name.
#[derive(Clone, PartialEq, Eq)]
pub(in crate::gateway) struct Lane {
    engine: String,
    /// All of a key before the delivery's id.
    prefix: String,
}

/// A place, read.
struct First {
    id: String,
    due: Option<Timestamp>,
    turn: Turn,
}

/// An attempt that the breaker has let out, and that has to say how it went.
pub(super) struct Admitted<'a> {
    pub gateway: &'a Gateway,
    pub engine: &'a Arc<Remote>,
    pub told: bool,
}

impl Drop for Admitted<'_> {
    fn drop(&mut self) {
        if !self.told {
            let now = self.gateway.0.clock.now();
            self.engine.breaker.lock().gave_up(now);
        }
    }
}

impl Lane {
    fn of(engine: &str, delivery: &Delivery) -> Lane {
        let reference = delivery.reference.as_deref().unwrap_or_default();
        let route = &delivery.route;
        Lane {
            engine: engine.to_owned(),
            prefix: format!("{engine}{SEPARATOR}{route}{SEPARATOR}{reference}{SEPARATOR}"),
        }
    }

    fn key(&self, delivery: &str) -> String {
        format!("{}{delivery}", self.prefix)
    }

    /// The lane that a key belongs to.
    fn at(key: &str) -> Option<Lane> {
        let prefix = key.get(..key.len().checked_sub(ID_BYTES)?)?;
        Some(Lane {
            engine: prefix.split(SEPARATOR).next()?.to_owned(),
            prefix: prefix.to_owned(),
        })
    }
}

/// What waits for an engine.
#[derive(Default)]
pub(super) struct Queue {
    /// How many deliveries.
    pub deliveries: usize,
    /// Of how many references.
    pub lanes: usize,
    /// The delivery that came first.
    pub oldest: Option<String>,
}

/// What waits for an engine: keys in memory say it all.
pub(super) fn queue(gateway: &Gateway, engine: &str) -> Queue {
    let start = format!("{engine}{SEPARATOR}");
    let (mut queue, mut lane) = (Queue::default(), String::new());
    let mut after: Option<String> = None;
    loop {
        let store = &gateway.0.store;
        let keys = store.keys(Table::Remote, &start, after.as_deref(), KEYS_PAGE, false);
        for key in &keys {
            let Some((prefix, id)) = key.split_at_checked(key.len().saturating_sub(ID_BYTES))
            else {
                continue;
            };
            queue.deliveries += 1;
            if prefix != lane {
                queue.lanes += 1;
                prefix.clone_into(&mut lane);
            }
            // Ids sort by time.
            if queue.oldest.as_deref().is_none_or(|oldest| id < oldest) {
                queue.oldest = Some(id.to_owned());
            }
        }
        if keys.len() < KEYS_PAGE {
            return queue;
        }
        after = keys.last().cloned();
    }
}

impl Gateway {
    /// The place of a delivery that is stored now, for the same commit.
    pub(in crate::gateway) fn enqueue(&self, engine: &str, delivery: &Delivery) -> DocumentChange {
        let turn = Turn {
            run: self.0.run,
            ..Turn::default()
        };
        let key = Lane::of(engine, delivery).key(&delivery.id);
        turn.change(key, self.0.clock.now().plus_seconds(LOOK_AFTER_SECONDS))
    }

    /// Works a stored delivery's lane, and says what became of it, or that it is stored if that takes too
    /// long for a third party that waits.
    pub(in crate::gateway) async fn forward(
        &self,
        engine: &str,
        delivery: &Delivery,
    ) -> Result<Step, String> {
        self.hurry(engine, delivery).await;
        let found = self.delivery(&delivery.id).await?;
        let step = found.and_then(|(_, delivery)| delivery.steps.last().cloned());
        // An early callback that was registered just now is still called early.
        let step = step.filter(|step| {
            !matches!(
                step.disposition,
                Disposition::Early | Disposition::UnknownReference
            )
        });
        Ok(step.unwrap_or_else(|| {
            self.kept(format!(
                "It is stored, and on its way to the engine {engine}."
            ))
        }))
    }

    /// Works a delivery's lane now, whatever its pause is, but does not wait for ever.
    pub(in crate::gateway) async fn hurry(&self, engine: &str, delivery: &Delivery) {
        let lane = Lane::of(engine, delivery);
        let (gateway, busy) = (self.clone(), self.0.clock.busy());
        let working = tokio::spawn(async move {
            let _busy = busy;
            gateway.work(&lane, Why::Asked).await;
        });
        let _ = tokio::time::timeout(PATIENCE, working).await;
    }

    /// A place is due.
    pub(in crate::gateway) async fn attend_lane(&self, key: &str) {
        if let Some(lane) = Lane::at(key) {
            self.work(&lane, Why::Due).await;
        }
    }

    /// Works a lane off, as far as that is possible now.
    async fn work(&self, lane: &Lane, why: Why) {
        let Some(engine) = self.0.engines.named(&lane.engine) else {
            return crate::log::say!(
                "callbacks wait for the engine \"{0}\", which is not configured any more; add [engines.{0}] and start again",
                lane.engine
            );
        };
        let _flight = loop {
            match self.0.flights.begin(&lane.prefix) {
                Some(flight) => break flight,
                None => self.0.flights.landed(&lane.prefix).await,
            }
        };
        loop {
            match self.work_one(&engine, lane, why).await {
                Ok(true) => {}
                Ok(false) => return,
                // What is stored says what is still to be done, now or after a restart.
                Err(what) => {
                    return crate::log::say!(
                        "what became of a callback could not be stored: {what}"
                    );
                }
            }
        }
    }

    /// Makes one attempt with the first of a lane. Says whether there may be another one to be made.
    async fn work_one(&self, engine: &Arc<Remote>, lane: &Lane, why: Why) -> Result<bool, String> {
        let Some(first) = self.first(lane).await? else {
            return Ok(false);
        };
        let now = self.0.clock.now();
        let paused = first.turn.attempts > 0 && first.due.is_some_and(|due| due > now);
        let keeps = match why {
            Why::Due => true,
            Why::Recovered => first.turn.refused,
            Why::Asked => false,
        };
        if paused && keeps {
            return Ok(false);
        }
        let found = self.delivery(&first.id).await?;
        let open = found.filter(|(_, delivery)| is_open(delivery));
        let Some((mut delivery, holder)) = open.and_then(|(_, delivery)| {
            let holder = delivery.target.clone()?;
            Some((delivery, holder))
        }) else {
            // It was settled otherwise. Perhaps it was the one that was to find out.
            self.leave(lane, &first).await?;
            if engine.breaker.lock().state() != State::Closed {
                self.work_all(engine);
            }
            return Ok(true);
        };
        let age = (now.0 - delivery.received_at.0) / 1000;
        if age > GIVE_UP_SECONDS {
            let note = "It could not be delivered for a year, and no wait is open for longer; it is given up.";
            let step = self.given_up(note.into());
            self.settle_elsewhere(lane, &mut delivery, &holder, step, Next::Gone, None)
                .await?;
            return Ok(true);
        }
        let seat = engine.seats.acquire().await;
        let _seat = seat.expect("the seats of an engine are never closed");
        if !engine.breaker.lock().admit(self.0.clock.now()) {
            self.park(engine, lane, &first, &mut delivery, &holder)
                .await?;
            return Ok(false);
        }
        let admitted = Admitted {
            engine,
            gateway: self,
            told: false,
        };
        self.attempt(admitted, lane, first, &mut delivery, &holder)
            .await
    }

    async fn attempt(
        &self,
        mut admitted: Admitted<'_>,
        lane: &Lane,
        first: First,
        delivery: &mut Delivery,
        holder: &Holder,
    ) -> Result<bool, String> {
        let engine = admitted.engine;
        let doubt = first.turn.doubt || first.turn.run != self.0.run;
        let outcome = delivery.outcome();
        if first.turn.run != self.0.run {
            delivery.tried(Try {
                at: delivery.received_at,
                answered_at: None,
                result: TryResult::NotRecorded,
                note: Some("An earlier run of the server may have sent it.".to_owned()),
            });
        }
        delivery.attempts = delivery.attempts.saturating_add(1);
        let began = self.0.clock.now();
        let verdict = engine.attempt(&holder.token, outcome.as_ref()).await;
        admitted.told = true;
        delivery.tried(verdict.tried(began, self.0.clock.now()));
        let opened = self.tell_breaker(engine, delivery, &verdict);
        let ending = match verdict {
            // Some stand-ins say of a token that it is not theirs as soon as its wait is over.
            Verdict::Over | Verdict::NoSuchTask(_) | Verdict::NotItsToken(_) => {
                engine.ending(holder).await
            }
            _ => None,
        };
        let step = self.judge_elsewhere(
            &verdict,
            &Circumstances {
                delivery,
                holder,
                engine: &engine.name,
                doubt,
                ending,
            },
        );
        let next = match &verdict {
            Verdict::Later(later) if step.kept => {
                crate::log::say_about!(
                    about(delivery),
                    "delivery {} could not be delivered to the engine {} and will be tried again: {}",
                    delivery.id,
                    engine.name,
                    later.what
                );
                let turn = Turn {
                    run: self.0.run,
                    attempts: first.turn.attempts.saturating_add(1),
                    doubt: doubt || later.doubt,
                    refused: later.trouble.is_none(),
                };
                let due = self.again_at(engine, &turn);
                Next::Again(turn, due)
            }
            _ => Next::Gone,
        };
        let goes_on = matches!(next, Next::Gone);
        self.settle_elsewhere(lane, delivery, holder, step, next, opened)
            .await?;
        if verdict == Verdict::Taken && outcome.is_none() {
            self.settle_heartbeats(lane, delivery, holder, began)
                .await?;
        }
        Ok(goes_on)
    }

    /// A heartbeat was sent: those behind it that had come by then have said the same, and need not be sent. After
    /// an outage that may be all that came meanwhile.
    async fn settle_heartbeats(
        &self,
        lane: &Lane,
        sent: &Delivery,
        holder: &Holder,
        sent_at: Timestamp,
    ) -> Result<(), String> {
        while let Some(next) = self.first(lane).await? {
            let Some((_, mut delivery)) = self.delivery(&next.id).await? else {
                return Ok(());
            };
            let same = delivery.intent == Some(Intent::Heartbeat)
                && delivery.received_at <= sent_at
                && delivery
                    .target
                    .as_ref()
                    .is_some_and(|t| t.token == holder.token);
            if !same || !is_open(&delivery) {
                return Ok(());
            }
            let note = format!(
                "The wait of {} goes on. It was not sent itself: the heartbeat of delivery {} was, after this one had come.",
                whose(holder),
                sent.id
            );
            let step = self.step(Disposition::Heartbeat, note);
            self.settle_elsewhere(lane, &mut delivery, holder, step, Next::Gone, None)
                .await?;
        }
        Ok(())
    }

    /// Tells the breaker how an attempt went. If it closes, all that waits goes out; when it first opens,
    /// that is told, and when the engine answers again, that.
    pub(super) fn tell_breaker(
        &self,
        engine: &Arc<Remote>,
        delivery: &Delivery,
        verdict: &Verdict,
    ) -> Option<Alert> {
        let (trouble, what) = match verdict {
            Verdict::Later(Later {
                trouble: Some(trouble),
                what,
                ..
            }) => (*trouble, what),
            // It has answered, whatever it said.
            _ => {
                if engine.breaker.lock().answered(self.0.clock.now()) {
                    crate::log::say!("the engine {} answers again", engine.name);
                    self.work_all(engine);
                }
                return unreachable::is_told(&self.0.store, &engine.name)
                    .then(|| unreachable::over(&engine.name, &engine.api.endpoint(), delivery));
            }
        };
        let now = self.0.clock.now();
        let mut breaker = engine.breaker.lock();
        let closed = breaker.state() == State::Closed;
        breaker.failed(now, trouble, what.clone(), lot());
        let State::Open(until) = breaker.state() else {
            return None;
        };
        if !closed {
            return None;
        }
        let name = &engine.name;
        crate::log::say!("the engine {name} is left alone until {until}: {what}");
        Some(unreachable::alert(
            name,
            &engine.api.endpoint(),
            what,
            until,
            delivery,
        ))
    }

    /// When the next attempt is made: not all at once, and not before the breaker lets it.
    fn again_at(&self, engine: &Remote, turn: &Turn) -> Timestamp {
        let (first, most) = match turn.refused {
            false => (PAUSE_SECONDS, PAUSE_MAX_SECONDS),
            true => (REFUSED_PAUSE_SECONDS, REFUSED_PAUSE_MAX_SECONDS),
        };
        let pause = (first << turn.attempts.saturating_sub(1).min(10)).min(most);
        let millis = pause as f64 * 1000.0 * (0.5 + lot() / 2.0);
        let due = Timestamp(self.0.clock.now().0 + millis as i64);
        match engine.breaker.lock().state() {
            // The breaker's pauses are enough: whoever is due first finds out for all.
            State::Open(until) if !turn.refused => until,
            _ => due,
        }
    }

    /// The breaker does not let it out. The first time that is said; then it waits for whoever finds out.
    async fn park(
        &self,
        engine: &Remote,
        lane: &Lane,
        first: &First,
        delivery: &mut Delivery,
        holder: &Holder,
    ) -> Result<(), String> {
        let state = engine.breaker.lock().state();
        let State::Open(until) = state else {
            return Ok(());
        };
        if delivery.disposition() == Some(Disposition::Undeliverable)
            && first.due.is_some_and(|due| due >= until)
        {
            return Ok(());
        }
        let step = self.kept(format!(
            "The engine {} does not answer and is left alone until {until}; it is kept, and delivered in its turn.",
            engine.name
        ));
        let turn = Turn {
            run: self.0.run,
            attempts: first.turn.attempts.max(1),
            doubt: first.turn.doubt || first.turn.run != self.0.run,
            refused: first.turn.refused,
        };
        let next = Next::Again(turn, until);
        self.settle_elsewhere(lane, delivery, holder, step, next, None)
            .await
    }

    /// Works all lanes of an engine off, for as long as it answers; if it is not known whether it does, the
    /// first one finds out.
    fn work_all(&self, engine: &Arc<Remote>) {
        let (gateway, engine, busy) = (self.clone(), engine.clone(), self.0.clock.busy());
        tokio::spawn(async move {
            let prefix = format!("{}{SEPARATOR}", engine.name);
            let mut after: Option<String> = None;
            let mut working = JoinSet::new();
            let mut before = None;
            loop {
                let store = &gateway.0.store;
                let keys = store.keys(Table::Remote, &prefix, after.as_deref(), KEYS_PAGE, false);
                for lane in keys.iter().filter_map(|key| Lane::at(key)) {
                    if before.as_ref() == Some(&lane) {
                        continue;
                    }
                    before = Some(lane.clone());
                    if working.len() >= engine.concurrency {
                        let _ = working.join_next().await;
                    }
                    let (gateway, busy) = (gateway.clone(), busy.clone());
                    working.spawn(async move {
                        let _busy = busy;
                        gateway.work(&lane, Why::Recovered).await;
                    });
                    if engine.breaker.lock().state() != State::Closed {
                        break;
                    }
                }
                if engine.breaker.lock().state() != State::Closed {
                    break;
                }
                if keys.len() < KEYS_PAGE {
                    break;
                }
                after = keys.last().cloned();
            }
            while working.join_next().await.is_some() {}
        });
    }

    /// The first of a lane.
    async fn first(&self, lane: &Lane) -> Result<Option<First>, String> {
        let mut after: Option<String> = None;
        loop {
            let store = &self.0.store;
            let found = store
                .scan(Table::Remote, &lane.prefix, after.as_deref(), 1, false)
                .await
                .map_err(|StoreError(what)| what)?;
            let Some((key, document)) = found.into_iter().next() else {
                return Ok(None);
            };
            // A longer reference may begin with this one and the separator.
            if Lane::at(&key).as_ref() != Some(lane) {
                after = Some(key);
                continue;
            }
            return Ok(Some(First {
                id: key[lane.prefix.len()..].to_owned(),
                due: document.due,
                turn: read(&document)?,
            }));
        }
    }

    /// Stores what became of a delivery: its step (if that is news), its place, its reference, the alert.
    async fn settle_elsewhere(
        &self,
        lane: &Lane,
        delivery: &mut Delivery,
        holder: &Holder,
        step: Step,
        next: Next,
        alert: Option<Alert>,
    ) -> Result<(), String> {
        let before = delivery.steps.last();
        let news = !(step.kept && before.is_some_and(|before| before.kept));
        if news {
            delivery.steps.push(step.clone());
        }
        if matches!(next, Next::Gone) {
            delivery.forget_what_was_redacted();
        }
        let route = self.route_named(&delivery.route);
        let name = delivery.reference.clone().unwrap_or_default();
        loop {
            let place = match &next {
                Next::Gone => removal(lane, &delivery.id),
                Next::Again(turn, due) => turn.change(lane.key(&delivery.id), *due),
            };
            // The lane's flight keeps everybody else away from the delivery and its place.
            let mut documents = delivery.changes(Expect::Any, None);
            documents.push(place);
            if let Some((version, mut reference)) = self.reference(&delivery.route, &name).await?
                && let Some((standing, due)) =
                    self.standing_after(&reference.standing, delivery, holder, &step)
            {
                let before = reference.standing.holder().cloned();
                reference.standing = standing;
                documents.push(reference.change(Expect::Version(version), due));
                // Its wait has had its answer, or is over otherwise.
                let told =
                    |holder: Option<&Holder>| holder.is_some_and(|h| h.stuck_told_at.is_some());
                if told(before.as_ref()) && !told(reference.standing.holder()) {
                    documents
                        .extend(before.and_then(|holder| self.stuck_over(&reference, &holder)));
                }
            }
            if news {
                documents.extend(self.alert(route.as_deref(), delivery, &step));
                documents.extend(self.all_clear(route.as_deref(), delivery, &step));
            }
            if let Some(alert) = &alert {
                documents.push(unreachable::remembered(&lane.engine, alert));
                documents.push(self.0.alerts.prepare(None, alert.clone()));
            }
            match self.commit(documents).await {
                Ok(()) => {
                    if news {
                        self.counted(delivery, &step);
                    }
                    return Ok(());
                }
                Err(NotStored::Conflict) => {}
                Err(NotStored::Server(what)) => return Err(what),
            }
        }
    }

    /// What becomes of the reference, and when it is looked at; nothing if it stays.
    fn standing_after(
        &self,
        standing: &Standing,
        delivery: &Delivery,
        holder: &Holder,
        step: &Step,
    ) -> Option<(Standing, Option<Timestamp>)> {
        if step.kept || standing.holder()?.token != holder.token {
            return None;
        }
        let keep = used_keep_seconds(self.route_named(&delivery.route).as_deref());
        let mut holder = holder.clone();
        let over = matches!(
            step.disposition,
            Disposition::LateTimedOut | Disposition::LateEnded
        );
        holder.stuck_told_at = standing.holder()?.stuck_told_at;
        if over {
            holder.stuck_told_at = None;
            holder.over_at = Some(step.wait_ended_at.unwrap_or(step.at));
        }
        let over_due = holder.over_at.map(|at| at.max(step.at).plus_seconds(keep));
        match standing {
            Standing::Delivering {
                delivery: current,
                digest,
                ..
            } if *current == delivery.id => Some(match step.disposition {
                Disposition::Delivered | Disposition::DeliveredAsFailure => (
                    Standing::Answered {
                        holder: Holder {
                            stuck_told_at: None,
                            ..holder
                        },
                        delivery: current.clone(),
                        digest: digest.clone(),
                    },
                    Some(step.at.plus_seconds(keep)),
                ),
                _ => {
                    let due = over_due.or_else(|| Some(self.forget_elsewhere_at(&holder, keep)));
                    (Standing::Waiting { holder }, due)
                }
            }),
            Standing::Waiting { .. } if over => Some((Standing::Waiting { holder }, over_due)),
            _ => None,
        }
    }

    /// When the reference of a wait elsewhere is looked at if nothing happens to it: it is forgotten then, or its
    /// wait is stuck by then.
    pub(in crate::gateway) fn forget_elsewhere_at(&self, holder: &Holder, keep: i64) -> Timestamp {
        let over = holder
            .over_at
            .unwrap_or_else(|| super::place::last_moment(holder));
        let now = self.0.clock.now();
        let forget = over.max(now).plus_seconds(keep.max(1));
        match self.stuck_at(holder) {
            Some(stuck) => forget.min(stuck.max(now)),
            None => forget,
        }
    }

    async fn leave(&self, lane: &Lane, first: &First) -> Result<(), String> {
        match self.commit(vec![removal(lane, &first.id)]).await {
            Ok(()) | Err(NotStored::Conflict) => Ok(()),
            Err(NotStored::Server(what)) => Err(what),
        }
    }
}

/// A place is left.
fn removal(lane: &Lane, delivery: &str) -> DocumentChange {
    DocumentChange {
        table: Table::Remote,
        key: lane.key(delivery),
        expect: Expect::Any,
        content: None,
        due: None,
    }
}

/// Whether a delivery still has to reach its wait.
fn is_open(delivery: &Delivery) -> bool {
    match delivery.steps.last() {
        None => true,
        Some(step) => match step.disposition {
            // One that comes again later has its place; one that does not, has none.
            Disposition::Undeliverable => true,
            Disposition::Early | Disposition::UnknownReference => delivery.target.is_some(),
            _ => false,
        },
    }
}
