//! Looks for stuck waits when their time has come, and says so.
//!
//! Nothing is kept for each wait. Of each place (a machine's state) it is kept up to which moment those that
//! opened before have been spoken of, so what is left is found in the index by age; of all waits together, up to
//! which moment silence has been spoken of. These marks are documents, written with the alerts that they stand
//! for, so a restart neither repeats nor forgets one. What a place has no waits of any more, it forgets.
//!
//! | what is said | when |
//! | --- | --- |
//! | `wait-without-deadline` | the first wait of a state opens that nothing ends; once for each version of its definition |
//! | `stuck-wait` | a wait is as old as the policy says; and again every `repeat_seconds`, for a place as a whole |
//! | `missing-heartbeats` | heartbeats came though none were asked for, and have stopped |
//! | the same, `resolved` | such a wait has ended, or has a heartbeat again |
//!
//! It counts on the server's clock and survives a restart, but is no reason for virtual time to move
//! ([`Clock::alarm_in_passing`](crate::clock::Clock::alarm_in_passing)): a test that lets time run until nothing
//! is left to do ends where it ended before, and one that advances the clock by a day sees what is said after a
//! day.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use asl::Timestamp;
use engine::{Execution, ExecutionKey, WaitId, WaitKind, Waiting};
use hashbrown::HashSet;
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use store::{
    Commit, CommitError, DocumentChange, Expect, FoundWait, Places, StoreError, Table, WaitMark,
    WaitPlace, WaitQuery,
};

use super::index::{machine_and_state, machine_name};
use super::{Waits, say};
use crate::alerts::{Alert, Kind};
use crate::app::{App, Place, WeakApp};

/// How many waits are spoken of in one commit.
const BATCH: usize = 64;

/// How many states are remembered in memory as spoken of; beyond that the store is asked again.
const WARNED_MAX: usize = 10_000;

/// The part of [`Waits`] that looks.
#[derive(Default)]
pub struct Watch {
    /// The moments at which it will look.
    armed: Mutex<BTreeSet<Timestamp>>,
    marks: Mutex<Marks>,
    /// The states that were warned of, by definition and name.
    warned: Mutex<HashSet<String>>,
    /// One look at a time.
    turn: tokio::sync::Mutex<()>,
    app: std::sync::OnceLock<WeakApp>,
}

/// Up to where everything has been said.
#[derive(Default)]
struct Marks {
    places: BTreeMap<PlaceKey, PlaceMark>,
    /// Silence that began to be odd at this moment or before.
    silence: Option<Timestamp>,
    /// The places that the last look found without waits.
    empty: BTreeSet<PlaceKey>,
}

type PlaceKey = (Arc<str>, bool);

/// Of a place.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct PlaceMark {
    /// Waits that opened at this moment or before have been spoken of.
    opened: Timestamp,
    /// When somebody last spoke of the place.
    spoken: Timestamp,
}

const PLACE: &str = "place/";
const SILENCE: &str = "silence";
const WARNED: &str = "warned/";

fn place_key(place: &str, endless: bool) -> String {
    let kind = if endless { "endless" } else { "ending" };
    format!("{PLACE}{kind}/{place}")
}

fn read_place_key(key: &str) -> Option<PlaceKey> {
    let (kind, place) = key.strip_prefix(PLACE)?.split_once('/')?;
    Some((place.into(), kind == "endless"))
}

fn change(key: String, content: Option<Vec<u8>>) -> DocumentChange {
    DocumentChange {
        table: Table::Stuck,
        key,
        expect: Expect::Any,
        content,
        due: None,
    }
}

fn written(value: &impl Serialize) -> Option<Vec<u8>> {
    Some(serde_json::to_vec(value).expect("times can be written as JSON"))
}

/// When the store could not be read, it is asked again after so long.
const LOOK_AGAIN_SECONDS: i64 = 60;

impl Waits {
    /// Reads what a former run has said, and looks whether something was due meanwhile.
    ///
    /// # Errors
    /// If the store can't be read; text for the log.
    pub async fn begin(&self, app: WeakApp) -> Result<(), String> {
        assert!(self.0.watch.app.set(app).is_ok(), "a watch begins once");
        let mut after: Option<String> = None;
        let unread = |why| format!("what was said of stuck waits can't be read: {why}");
        loop {
            let scanned = self
                .0
                .store
                .scan(Table::Stuck, PLACE, after.as_deref(), BATCH, false);
            let page = scanned.await.map_err(|StoreError(what)| what)?;
            for (key, document) in &page {
                let mark = serde_json::from_slice(&document.content);
                let mark = mark.map_err(|why| unread(why.to_string()))?;
                if let Some(key) = read_place_key(key) {
                    self.0.watch.marks.lock().places.insert(key, mark);
                }
            }
            match page.last() {
                Some((key, _)) => after = Some(key.clone()),
                None => break,
            }
        }
        let silence = self.0.store.get(Table::Stuck, SILENCE).await;
        if let Some(document) = silence.map_err(|StoreError(what)| what)? {
            let at = serde_json::from_slice(&document.content);
            self.0.watch.marks.lock().silence = Some(at.map_err(|why| unread(why.to_string()))?);
        }
        if let Some(next) = self.next() {
            self.look_at(next);
            // It may be now, and on a clock that stands nobody else would say so.
            drop(self.0.clock.busy());
        }
        Ok(())
    }

    /// Sees to it that somebody looks at this moment, or before.
    pub(super) fn look_at(&self, at: Timestamp) {
        let Some(weak) = self.0.watch.app.get().cloned() else {
            return;
        };
        {
            let mut armed = self.0.watch.armed.lock();
            if armed.first().is_some_and(|first| *first <= at) {
                return;
            }
            armed.insert(at);
        }
        let alarm = self.0.clock.alarm_in_passing(at);
        // An alarm must not keep a server alive.
        let watch = Arc::downgrade(&self.0);
        tokio::spawn(async move {
            let _busy = alarm.await;
            let Some(inner) = watch.upgrade() else {
                return;
            };
            let waits = Waits(inner);
            waits.0.watch.armed.lock().remove(&at);
            let Some(app) = weak.upgrade() else {
                return;
            };
            match waits.look(&app).await {
                Ok(Some(next)) => waits.look_at(next),
                Ok(None) => {}
                // The marks stay where they are, so the next look finds what this one has not said.
                Err(what) => {
                    crate::log::say!("stuck waits could not be looked for: {what}");
                    let again = waits.0.clock.now().plus_seconds(LOOK_AGAIN_SECONDS);
                    waits.look_at(again);
                }
            }
        });
    }

    /// When the next wait counts as stuck, if nothing happens to it.
    fn next(&self) -> Option<Timestamp> {
        let silence = self.0.watch.marks.lock().silence;
        let silence = silence.unwrap_or(Timestamp(i64::MIN));
        let quiet = self
            .0
            .store
            .quiet_waits(silence, Timestamp(i64::MAX), 1)
            .first()
            .and_then(|wait| wait.opened.quiet_at);
        let places = self.0.store.wait_places();
        let places = places.iter().filter_map(|place| self.next_of(place));
        places.chain(quiet).min()
    }

    fn mark(&self, place: &WaitPlace) -> Option<PlaceMark> {
        let key = (place.place.clone(), place.endless);
        self.0.watch.marks.lock().places.get(&key).copied()
    }

    /// When there is something to say of a place.
    fn next_of(&self, place: &WaitPlace) -> Option<Timestamp> {
        let (machine, state) = machine_and_state(&place.place);
        let policy = &self.0.policy;
        let after = policy.after_seconds(machine, state, place.endless)?;
        let mark = self.mark(place);
        let unsaid = self.unsaid(place, mark, None, Timestamp(i64::MAX), 1);
        let unsaid = unsaid
            .first()
            .map(|wait| wait.opened.since.plus_seconds(after.into()));
        let again = mark
            .filter(|mark| place.oldest <= mark.opened)
            .and_then(|mark| {
                let repeat = policy.repeat_seconds(machine, state)?;
                Some(mark.spoken.plus_seconds(repeat.into()))
            });
        unsaid.into_iter().chain(again).min()
    }

    /// Waits of a place that nobody has spoken of, the oldest first: until a moment, from after a mark.
    fn unsaid(
        &self,
        place: &WaitPlace,
        mark: Option<PlaceMark>,
        after: Option<WaitMark>,
        until: Timestamp,
        limit: usize,
    ) -> Vec<FoundWait> {
        let spoken_of = mark.map(|mark| WaitMark {
            since: mark.opened,
            slot: u32::MAX,
            wait: WaitId(u32::MAX),
        });
        self.0.store.waits(&WaitQuery {
            places: Places::One(&place.place, place.endless),
            newest_first: false,
            after: after.or(spoken_of),
            until: Some(until),
            limit,
        })
    }

    /// Speaks of all that is stuck by now; gives the moment of the next look.
    async fn look(&self, app: &App) -> Result<Option<Timestamp>, String> {
        let _turn = self.0.watch.turn.lock().await;
        let places = self.0.store.wait_places();
        for place in &places {
            self.look_at_place(app, place).await?;
        }
        self.look_for_silence(app).await?;
        self.forget(&places).await?;
        Ok(self.next())
    }

    async fn look_at_place(&self, app: &App, place: &WaitPlace) -> Result<(), String> {
        let now = self.0.clock.now();
        let (machine, state) = machine_and_state(&place.place);
        let Some(after) = self.0.policy.after_seconds(machine, state, place.endless) else {
            return Ok(());
        };
        let until = now.plus_seconds(-i64::from(after));
        let mut from = None;
        loop {
            let mark = self.mark(place);
            let found = self.unsaid(place, mark, from, until, BATCH);
            let Some(last) = found.last().map(|wait| wait.mark) else {
                break;
            };
            // Others of the same millisecond may be on the next page.
            let whole = found.len() < BATCH;
            let opened = match whole {
                true => last.since,
                false => last.since.plus_millis(-1),
            };
            from = Some(last);
            let mut documents = Vec::new();
            for wait in &found {
                let told = self.told(app, wait, Kind::StuckWait, |execution, waiting| {
                    Some(stuck_for(execution, waiting, now))
                });
                documents.extend(told.await);
            }
            let mark = PlaceMark {
                opened,
                spoken: now,
            };
            self.say_of(place, mark, documents).await?;
            if whole {
                break;
            }
        }
        self.say_again(app, place, now).await
    }

    /// Some waits of a place have been stuck for so long that it is said again.
    async fn say_again(&self, app: &App, place: &WaitPlace, now: Timestamp) -> Result<(), String> {
        let (machine, state) = machine_and_state(&place.place);
        let (Some(mark), Some(repeat)) = (
            self.mark(place),
            self.0.policy.repeat_seconds(machine, state),
        ) else {
            return Ok(());
        };
        if mark.spoken.plus_seconds(repeat.into()) > now {
            return Ok(());
        }
        // The oldest that is open; one may have ended since the index was asked.
        let mut from = None;
        let told = 'open: loop {
            let page = self.unsaid(place, None, from, mark.opened, BATCH);
            let Some(last) = page.last().map(|wait| wait.mark) else {
                break None;
            };
            from = Some(last);
            for wait in &page {
                let told = self.told(app, wait, Kind::StuckWait, |_, waiting| {
                    let age = say::span(now.0 - waiting.opened_at.0);
                    let more = place.open - 1;
                    Some(format!(
                        "Waits in {state} of {machine} are still stuck. The oldest has been open for {age}; {more} others are open there, stuck or not."
                    ))
                });
                if let Some(told) = told.await {
                    break 'open Some(told);
                }
            }
        };
        let documents = told.into_iter().collect();
        let mark = PlaceMark {
            spoken: now,
            ..mark
        };
        self.say_of(place, mark, documents).await
    }

    async fn look_for_silence(&self, app: &App) -> Result<(), String> {
        let now = self.0.clock.now();
        loop {
            let from = self.0.watch.marks.lock().silence;
            let from = from.unwrap_or(Timestamp(i64::MIN));
            let found = self.0.store.quiet_waits(from, now, BATCH);
            let Some(last) = found.last().and_then(|wait| wait.opened.quiet_at) else {
                return Ok(());
            };
            let whole = found.len() < BATCH;
            // All of one moment are spoken of together, or some would be passed over.
            let found = match whole {
                true => found,
                false => {
                    let before = last.plus_millis(-1);
                    match self.0.store.quiet_waits(from, before, BATCH) {
                        earlier if earlier.is_empty() => {
                            self.0.store.quiet_waits(from, last, usize::MAX)
                        }
                        earlier => earlier,
                    }
                }
            };
            let until = found.last().and_then(|wait| wait.opened.quiet_at);
            let mut documents = Vec::new();
            for wait in &found {
                let told = self.told(app, wait, Kind::MissingHeartbeats, |execution, waiting| {
                    // One may have come since the index was asked.
                    let quiet = super::index::quiet_at(waiting, &self.0.policy.silence());
                    (quiet? <= now).then(|| silent_for(execution, waiting, now))
                });
                documents.extend(told.await);
            }
            documents.push(change(SILENCE.to_owned(), written(&until)));
            self.commit(documents).await?;
            self.0.watch.marks.lock().silence = until;
        }
    }

    /// Takes away the marks of places that have been without waits for two looks: whoever is about to say that
    /// the last wait of a place is over has to find that it was said to be stuck.
    async fn forget(&self, places: &[WaitPlace]) -> Result<(), String> {
        let there: BTreeSet<_> = places
            .iter()
            .map(|place| (&place.place, place.endless))
            .collect();
        let empty: Vec<_> = {
            let mut marks = self.0.watch.marks.lock();
            let known = marks.places.keys();
            let empty = known.filter(|(place, endless)| !there.contains(&(place, *endless)));
            let now: BTreeSet<_> = empty.cloned().collect();
            let before = std::mem::replace(&mut marks.empty, now.clone());
            now.intersection(&before).cloned().collect()
        };
        for empty in empty.chunks(BATCH) {
            let keys = empty
                .iter()
                .map(|(place, endless)| place_key(place, *endless));
            self.commit(keys.map(|key| change(key, None)).collect())
                .await?;
            let mut marks = self.0.watch.marks.lock();
            for place in empty {
                marks.places.remove(place);
            }
        }
        Ok(())
    }

    /// Stores what is said of a place, with how far that goes.
    async fn say_of(
        &self,
        place: &WaitPlace,
        mark: PlaceMark,
        mut documents: Vec<DocumentChange>,
    ) -> Result<(), String> {
        let key = place_key(&place.place, place.endless);
        documents.push(change(key, written(&mark)));
        self.commit(documents).await?;
        let key = (place.place.clone(), place.endless);
        self.0.watch.marks.lock().places.insert(key, mark);
        Ok(())
    }

    async fn commit(&self, documents: Vec<DocumentChange>) -> Result<(), String> {
        let commit = Commit {
            execution: None,
            documents,
        };
        let committed = self.0.store.commit(commit).await;
        committed
            .map(drop)
            .map_err(|error: CommitError| error.to_string())
    }

    /// An alert about a wait, unless it is over by now, or there is nothing to be said of it. One whose execution can't be read is stuck as well, and
    /// must not keep the others from being spoken of.
    async fn told(
        &self,
        app: &App,
        wait: &FoundWait,
        kind: Kind,
        description: impl Fn(&Execution, &Waiting) -> Option<String>,
    ) -> Option<DocumentChange> {
        let alert = match app.runner.execution(wait.execution).await {
            Ok(execution) => {
                let execution = execution?;
                let id = wait.opened.wait;
                let waiting = execution.waiting(id)?;
                let said = description(&execution, &waiting)?;
                self.alert(app, kind, wait.execution, id, &execution, &waiting, said)
            }
            Err(what) => self.alert_unread(app, kind, wait, &what),
        };
        Some(app.alerts.prepare(None, alert))
    }

    /// What the index knows of a wait.
    fn alert_unread(&self, app: &App, kind: Kind, wait: &FoundWait, what: &str) -> Alert {
        let since = wait.opened.since;
        let (machine, state) = machine_and_state(&wait.opened.place);
        let age = self.0.clock.now().0 - since.0;
        let description = format!(
            "An execution of {machine} has waited in {state} for {}, and which one is not known, since it can't be read: {what}",
            say::span(age)
        );
        let Place { region, account } = &app.place;
        Alert {
            since: Some(since.into()),
            state_machine_arn: Some(format!(
                "arn:aws:states:{region}:{account}:stateMachine:{machine}"
            )),
            state_name: Some(state.to_owned()),
            wait_began_at: Some(since.into()),
            wait_age_seconds: Some(age.max(0) as f64 / 1000.0),
            next_step:
                "See in the server's log what can't be read; a restart checks the whole store."
                    .into(),
            ..Alert::new(kind, "rejoin waits", description)
        }
    }

    #[allow(clippy::too_many_arguments)]
    fn alert(
        &self,
        app: &App,
        kind: Kind,
        key: ExecutionKey,
        wait: WaitId,
        execution: &Execution,
        waiting: &Waiting,
        description: String,
    ) -> Alert {
        let identity = execution.identity();
        let now = self.0.clock.now();
        let deadlines = [waiting.timeout_at, waiting.execution_timeout_at];
        let held = app.gateway.references_of(key, wait).into_iter().next();
        let (route, reference) = held.unzip();
        Alert {
            since: Some(waiting.opened_at.into()),
            execution_arn: Some(identity.arn.to_string()),
            execution_name: Some(identity.name.to_string()),
            state_machine_arn: Some(identity.state_machine_arn.to_string()),
            state_name: Some(waiting.state_name.to_string()),
            wait_began_at: Some(waiting.opened_at.into()),
            wait_deadline: deadlines.into_iter().flatten().min().map(Into::into),
            wait_age_seconds: Some((now.0 - waiting.opened_at.0).max(0) as f64 / 1000.0),
            last_heartbeat_at: waiting.beats.map(|beats| beats.last.into()),
            route,
            reference,
            trace_id: Some(identity.trace_id().to_string()),
            ..Alert::new(kind, "rejoin waits", description)
        }
    }

    /// A wait that nothing ends has opened: says so, once for each version of its state.
    pub(super) fn warn(&self, execution: &Execution, wait: WaitId, waiting: &Waiting) {
        if !matches!(waiting.kind, WaitKind::Callback | WaitKind::Activity) {
            return;
        }
        let identity = execution.identity();
        let machine = machine_name(identity.defined_machine_arn());
        if !self.0.policy.warns(machine, &waiting.state_name) {
            return;
        }
        let key = format!("{WARNED}{}/{}", identity.definition, waiting.state_name);
        {
            let mut warned = self.0.watch.warned.lock();
            if warned.contains(&key) {
                return;
            }
            if warned.len() >= WARNED_MAX {
                warned.clear();
            }
            warned.insert(key.clone());
        }
        let app = self.0.watch.app.get().and_then(WeakApp::upgrade);
        let Some(app) = app else {
            return;
        };
        let after = self
            .0
            .policy
            .after_seconds(machine, &waiting.state_name, true);
        let then = match after {
            Some(seconds) => format!(
                "an alert comes when one has been open for {}",
                say::span(i64::from(seconds) * 1000)
            ),
            None => "no alert comes however long one is open".to_owned(),
        };
        let said = format!(
            "{} waits in {}, and nothing will end that but an answer: neither the state nor its machine has a deadline. This is said once for each version of the definition; {then}.",
            identity.name, waiting.state_name
        );
        let key_of = ExecutionKey::of(&identity.arn);
        let kind = Kind::WaitWithoutDeadline;
        let mut alert = self.alert(&app, kind, key_of, wait, execution, waiting, said);
        // It is about the state, and no longer there when this wait has ended.
        alert.reference = None;
        alert.route = None;
        let (waits, busy) = (self.clone(), self.0.clock.busy());
        tokio::spawn(async move {
            let _busy = busy;
            let mut said = change(key, Some(Vec::new()));
            said.expect = Expect::Absent;
            let commit = Commit {
                execution: None,
                documents: vec![said, app.alerts.prepare(None, alert)],
            };
            match waits.0.store.commit(commit).await {
                // Somebody has said it before.
                Ok(_) | Err(CommitError::Conflict) => {}
                Err(error) => crate::log::say!("a warning could not be stored: {error}"),
            }
        });
    }

    /// A wait is over: if it was spoken of as stuck, says that this is over too.
    pub(super) fn resolve(
        &self,
        execution: &Execution,
        wait: WaitId,
        waiting: &Waiting,
        how: &'static str,
    ) {
        let now = self.0.clock.now();
        for stuck in self.all_stuck(execution, waiting, now) {
            let said = format!(
                "The wait of {} in {} is over: it {how} after {}.",
                execution.identity().name,
                waiting.state_name,
                say::span(now.0 - waiting.opened_at.0)
            );
            self.say_over(execution, wait, waiting, stuck, said, Some(now));
        }
    }

    /// A heartbeat has come: if it was said that there are none any more, says that this is over.
    pub(super) fn came_back(&self, execution: &Execution, wait: WaitId) {
        let Some(waiting) = execution.waiting(wait) else {
            return;
        };
        let Some((beats, before)) = waiting
            .beats
            .and_then(|beats| Some((beats, beats.before()?)))
        else {
            return;
        };
        let silent = Waiting {
            beats: Some(before),
            ..waiting.clone()
        };
        let quiet_at = super::index::quiet_at(&silent, &self.0.policy.silence());
        let Some(quiet_at) = quiet_at.filter(|at| *at <= beats.last) else {
            return;
        };
        let said = format!(
            "{} has had a heartbeat in {} again, after {} of silence.",
            execution.identity().name,
            waiting.state_name,
            say::span(beats.last.0 - before.last.0)
        );
        let stuck = StuckAt::Silent(quiet_at);
        self.say_over(execution, wait, &waiting, stuck, said, None);
    }

    /// Says that a way in which a wait was stuck is over, if it was said that it is; it may be since the wait has ended.
    fn say_over(
        &self,
        execution: &Execution,
        wait: WaitId,
        waiting: &Waiting,
        stuck: StuckAt,
        said: String,
        ended_at: Option<Timestamp>,
    ) {
        let Some(app) = self.0.watch.app.get().and_then(WeakApp::upgrade) else {
            return;
        };
        let now = self.0.clock.now();
        let key = ExecutionKey::of(&execution.identity().arn);
        let kind = stuck.kind();
        let mut alert = self.alert(&app, kind, key, wait, execution, waiting, said);
        alert.resolved = true;
        alert.wait_ended_at = ended_at.map(Into::into);
        alert.next_step = "Nothing has to be done.".into();
        // Its siblings (of a Map, say) are the same incident, which lasts as long as one of them does.
        let others = execution
            .open_waits()
            .filter_map(|id| execution.waiting(id));
        let others = others.filter(|other| other.state_name == waiting.state_name);
        let last = others
            .flat_map(|other| self.all_stuck(execution, &other, now))
            .filter(|other| other.kind() == kind)
            .min();
        let (waits, busy) = (self.clone(), self.0.clock.busy());
        tokio::spawn(async move {
            let _busy = busy;
            // Who looks at this moment may be about to say that it is stuck, and is to be heard first.
            let _turn = waits.0.watch.turn.lock().await;
            let is_said = |stuck: &StuckAt| waits.is_said(stuck);
            if !is_said(&stuck) || last.as_ref().is_some_and(is_said) {
                return;
            }
            if let Err(what) = app.alerts.raise(None, alert).await {
                crate::log::say!("that a stuck wait is over could not be stored: {what}");
            }
        });
    }

    /// In which ways a wait is stuck.
    fn all_stuck(&self, execution: &Execution, waiting: &Waiting, now: Timestamp) -> Vec<StuckAt> {
        let mut all = Vec::new();
        if let Some(at) = super::index::quiet_at(waiting, &self.0.policy.silence())
            && at <= now
        {
            all.push(StuckAt::Silent(at));
        }
        if self.is_old(execution, waiting, now) {
            let place = super::index::place(execution.identity(), &waiting.state_name);
            all.push(StuckAt::Old(
                waiting.opened_at,
                (place, waiting.is_endless()),
            ));
        }
        all
    }

    /// Whether it was said.
    fn is_said(&self, stuck: &StuckAt) -> bool {
        let marks = self.0.watch.marks.lock();
        match stuck {
            StuckAt::Silent(at) => Some(*at) <= marks.silence,
            StuckAt::Old(opened, place) => {
                let mark = marks.places.get(place);
                mark.is_some_and(|mark| *opened <= mark.opened)
            }
        }
    }
}

/// A way in which a wait is stuck, and by what it is known whether that was said. Of those of one way in one
/// place the first is the one that was said first.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum StuckAt {
    /// Its silence was odd from this moment on.
    Silent(Timestamp),
    /// It opened at this moment, in this place.
    Old(Timestamp, PlaceKey),
}

impl StuckAt {
    fn kind(&self) -> Kind {
        match self {
            StuckAt::Silent(_) => Kind::MissingHeartbeats,
            StuckAt::Old(..) => Kind::StuckWait,
        }
    }
}

fn stuck_for(execution: &Execution, waiting: &Waiting, now: Timestamp) -> String {
    let age = say::span(now.0 - waiting.opened_at.0);
    let ends = [
        waiting.timeout_at,
        waiting.heartbeat_at,
        waiting.execution_timeout_at,
    ];
    let end = match ends.into_iter().flatten().min() {
        None => "nothing ends that but an answer".to_owned(),
        Some(at) => format!("it goes on until {at} if no answer comes"),
    };
    format!(
        "{} has waited in {} for {age}, and {end}.",
        execution.identity().name,
        waiting.state_name
    )
}

fn silent_for(execution: &Execution, waiting: &Waiting, now: Timestamp) -> String {
    let (name, state) = (&execution.identity().name, &waiting.state_name);
    let Some(beats) = waiting.beats else {
        return format!("{name} waits in {state} without a sign of life.");
    };
    let usual = say::span(beats.usual_millis().unwrap_or_default());
    let silent = say::span(now.0 - beats.last.0);
    format!(
        "{name} waits in {state}, whose {} heartbeats came {usual} from one another, and has not had one for {silent}. The state has no HeartbeatSeconds, so it goes on waiting.",
        beats.count
    )
}
