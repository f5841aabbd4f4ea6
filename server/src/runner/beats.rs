//! The beats for one batch of requests: decide, append, apply (the engine applies as it decides), act.

use std::sync::Arc;

use asl::StateMachine;
use engine::{EventKind, Execution, ExecutionKey, Identity, Status, Surroundings};
use store::{Commit, CommitError, ExecutionCommit, MachineKey, Summary, WaitChanges};

use super::cell::{Keeping, Resident};
use super::decide::Decided;
use super::request::{Request, answer_all};
use super::volatile::Volatile;
use super::{Inner, Runner};
use crate::abandoned;
use crate::aside;
use crate::logs::Logging;
use crate::redrives::Redrives;

/// A snapshot is stored with the commit that brings the events since the last one to this number:
/// loading then never replays more than about as many.
const SNAPSHOT_EVENTS: usize = 256;

/// How many times a batch is decided again after a conflict. This server is the only writer of its
/// store, so one retry is already a surprise.
const CONFLICTS_MAX: usize = 3;

impl Runner {
    /// Decides on a batch, makes it durable, answers, and acts.
    pub(super) async fn work(
        &self,
        key: ExecutionKey,
        resident: &mut Option<Resident>,
        mut batch: Vec<Request>,
        mut aside: bool,
    ) {
        let mut conflicts = 0;
        loop {
            if resident.is_none() {
                match self.0.load(key).await {
                    Ok(loaded) => *resident = loaded,
                    Err(what) => return self.answer_error(key, batch, &what).await,
                }
            }
            let surroundings = match self.0.surroundings(resident.as_ref(), &batch).await {
                Ok(surroundings) => surroundings,
                Err(what) => return self.answer_error(key, batch, &what).await,
            };
            let definition = definition(resident.as_ref(), &batch);
            let slow = |hash: &Arc<str>| self.0.aside.is_slow(hash);
            // What takes too long is given up and begun again from the store, where a volatile execution is not.
            let irreplaceable = resident.as_ref().is_some_and(Resident::is_volatile);
            let sent = !aside && (irreplaceable || definition.as_ref().is_some_and(slow));
            let inner = self.0.clone();
            let there = resident.take();
            let decide = move |patience| inner.decide_in_time(there, batch, surroundings, patience);
            let tried = match aside || sent {
                true => self.0.aside.run(|| decide(None)).await,
                false => decide(Some(aside::PATIENCE)),
            };
            let decided;
            (*resident, batch, decided) = (tried.resident, tried.batch, tried.decided);
            if let Some(definition) = definition {
                let finished = !resident.as_ref().is_some_and(Resident::is_unfinished);
                if !aside && !sent && tried.slow {
                    self.0.aside.remember(definition, true);
                } else if sent && finished && !tried.slow {
                    self.0.aside.remember(definition, false);
                }
            }
            let Some(mut decided) = decided else {
                // As after a commit that failed: the value is gone, and nothing has happened.
                *resident = None;
                aside = true;
                continue;
            };
            let waits = self.0.wait_changes(resident.as_ref(), &decided);
            let committed = self
                .0
                .commit(key, resident.as_mut(), &decided, waits.clone())
                .await;
            match committed {
                Ok(()) => {
                    // First told, then answered: whoever has an answer, and stops the server or asks for what is told,
                    // misses nothing of what it is the answer to.
                    if let Some(resident) = resident {
                        self.tell(key, resident, &waits, &decided);
                    }
                    answer_all(batch, std::mem::take(&mut decided.verdicts), None);
                    if let Some(resident) = resident {
                        self.act(key, &resident.execution, &decided);
                        if let Keeping::Volatile(volatile) = &mut resident.keeping {
                            volatile.arm(self, key, &resident.execution);
                        }
                    }
                    return;
                }
                Err(CommitError::Conflict) if conflicts < CONFLICTS_MAX => {
                    conflicts += 1;
                    *resident = None;
                }
                Err(error) => {
                    *resident = None;
                    return self.answer_error(key, batch, &error.to_string()).await;
                }
            }
        }
    }

    /// Tells those who look on of what is durable now.
    fn tell(&self, key: ExecutionKey, resident: &Resident, waits: &WaitChanges, decided: &Decided) {
        let execution = &resident.execution;
        let (identity, volatile) = (execution.identity(), resident.is_volatile());
        let (events, before) = (&decided.events, decided.history_before);
        if let (Some(logging), Some(logs)) = (&resident.logging, self.0.logs.get()) {
            logs.offer(logging, key, events, before);
        }
        if let Some(telemetry) = self.0.telemetry.get() {
            telemetry.offer(key, identity, volatile, events, before);
        }
        if volatile && let Some(shows) = self.0.shows_unstored.get() {
            shows(identity, events);
        }
        if let Some(watch) = self.0.waits.get() {
            watch.changed(execution, events, waits, &decided.ended);
        }
    }

    /// The fourth beat.
    fn act(&self, key: ExecutionKey, execution: &Execution, decided: &Decided) {
        let mut effects = execution.effects(&decided.events);
        if decided.resume {
            // These are among all that have no answer yet.
            effects.retain(|effect| {
                !matches!(
                    effect,
                    engine::Effect::Dispatch(_) | engine::Effect::StartMapRun(_)
                )
            });
            effects.extend(execution.undelivered());
        }
        let dispatcher = self
            .0
            .dispatcher
            .get()
            .expect("a runner is connected before it runs");
        // If the app is gone, what it leaves undone is undelivered in the store, for the next start.
        let Some(dispatcher) = dispatcher.upgrade() else {
            return;
        };
        for effect in effects {
            match effect {
                engine::Effect::Dispatch(dispatch) => {
                    dispatcher.dispatch(key, execution.identity(), dispatch)
                }
                engine::Effect::StartMapRun(wait) => dispatcher.start_map_run(key, wait),
                engine::Effect::WaitEnded(wait) => dispatcher.wait_ended(key, wait),
                engine::Effect::ExecutionEnded => {
                    self.0.tell_end(key, execution);
                    for watcher in self.0.watchers.lock().remove(&key).into_iter().flatten() {
                        let _ = watcher.send(self.0.clock.busy());
                    }
                    dispatcher.execution_ended(execution.identity(), execution.status());
                }
            }
        }
    }

    /// Answers all of a batch with the same error.
    async fn answer_error(&self, key: ExecutionKey, batch: Vec<Request>, what: &str) {
        if batch.iter().any(Request::is_own) {
            crate::log::say_about!(
                self.about(key).await,
                "an execution can't go on before the next start: {what}"
            );
        }
        answer_all(batch, Vec::new(), Some(what));
    }
}

impl Inner {
    /// The second and third beats' reading side: snapshot and events to a value.
    pub(super) async fn load(&self, key: ExecutionKey) -> Result<Option<Resident>, String> {
        let Some(loaded) = self.store.load(key).await.map_err(|e| e.to_string())? else {
            return Ok(None);
        };
        let tail = loaded.events.len();
        let mut execution = match loaded.snapshot {
            Some(snapshot) => {
                let machine = self
                    .machines
                    .definition(&snapshot.identity().definition)
                    .await?;
                let mut execution = Execution::restore(machine, snapshot);
                for event in &loaded.events {
                    execution.apply(event);
                }
                execution
            }
            None => {
                let first = loaded.events.first().and_then(Execution::identity_of);
                let identity = first.ok_or("an execution's first event is not its start")?;
                let machine = self.machines.definition(&identity.definition).await?;
                Execution::replay(machine, &loaded.events)
            }
        };
        execution.look_for_unfinished();
        let logging = self.logging(execution.identity()).await?;
        Ok(Some(Resident {
            execution,
            logging,
            keeping: Keeping::Durable {
                version: loaded.version,
                tail,
            },
        }))
    }

    /// What the log of an execution is to have.
    pub(super) async fn logging(
        &self,
        identity: &Identity,
    ) -> Result<Option<Arc<Logging>>, String> {
        match self.logs.get() {
            Some(logs) => logs.wanted(identity).await,
            None => Ok(None),
        }
    }

    /// The quotas, and which activities of the batch's machine are not there. A machine without activities
    /// costs nothing here, and those that are there are known in memory.
    async fn surroundings(
        &self,
        resident: Option<&Resident>,
        batch: &[Request],
    ) -> Result<Surroundings, String> {
        let machine = match resident {
            Some(resident) => Some(resident.execution.machine()),
            None => batch.iter().find_map(|request| match request {
                Request::Start(start, _) => Some(&*start.machine),
                _ => None,
            }),
        };
        let mut deleted_activities = Vec::new();
        for arn in machine.into_iter().flat_map(StateMachine::activities) {
            if self.activities.find(arn).await?.is_none() {
                deleted_activities.push(arn.clone());
            }
        }
        Ok(Surroundings {
            deleted_activities,
            quotas: self.quotas,
            synchronous: matches!(
                resident.map(|resident| &resident.keeping),
                Some(Keeping::Volatile(Volatile {
                    synchronous: true,
                    ..
                }))
            ),
        })
    }

    /// What a commit says of waits. Those of an Express execution are in memory with it, for minutes at most.
    fn wait_changes(&self, resident: Option<&Resident>, decided: &Decided) -> WaitChanges {
        match (resident, self.waits.get()) {
            (Some(resident), Some(watch)) if !resident.is_volatile() => {
                watch.changes(&resident.execution, &decided.events, &decided.ended)
            }
            _ => WaitChanges::default(),
        }
    }

    /// The second beat.
    async fn commit(
        &self,
        key: ExecutionKey,
        resident: Option<&mut Resident>,
        decided: &Decided,
        waits: WaitChanges,
    ) -> Result<(), CommitError> {
        let Some(resident) = resident else {
            return Ok(());
        };
        let events = &decided.events;
        if events.is_empty() {
            return Ok(());
        }
        let execution = &resident.execution;
        let Keeping::Durable { version, tail } = &mut resident.keeping else {
            return Ok(());
        };
        let new_tail = *tail + events.len();
        let running = execution.status() == Status::Running;
        let snapshot = (running && new_tail >= SNAPSHOT_EVENTS).then(|| execution.snapshot());
        let new_tail = if snapshot.is_some() { 0 } else { new_tail };
        let identity = execution.identity();
        let redriven = events
            .iter()
            .any(|event| matches!(event.kind, EventKind::ExecutionRedriven { .. }));
        let changes = self.status_changes.get();
        let told = changes.map(|changes| changes.documents(execution, events));
        let told = told.into_iter().flatten();
        let at = events[events.len() - 1].at;
        let given_up = abandoned::changes(key, at, &decided.ended);
        let commit = Commit {
            execution: Some(ExecutionCommit {
                key,
                expected_version: *version,
                events: events.clone(),
                snapshot,
                summary: Summary {
                    name: identity.name.clone(),
                    // A child is listed with its Map Run, and not with the machine.
                    state_machine: MachineKey::of(match &identity.map_run {
                        Some(child) => &child.arn,
                        None => &identity.state_machine_arn,
                    }),
                    status: execution.status(),
                    started_at: identity.started_at,
                    stopped_at: execution.closing().map(|closing| closing.at),
                    next_timer: execution.next_timer(),
                    // What is not finished has to be taken up after a restart, too.
                    undelivered: execution.has_undelivered() || execution.is_unfinished(),
                },
                waits,
            }),
            documents: redriven
                .then(|| Redrives::change(key, execution))
                .flatten()
                .into_iter()
                .chain(told)
                .chain(given_up)
                .collect(),
        };
        *version = self.store.commit(commit).await?;
        *tail = new_tail;
        Ok(())
    }
}

/// Which definition a batch is about, by its hash.
fn definition(resident: Option<&Resident>, batch: &[Request]) -> Option<Arc<str>> {
    if let Some(resident) = resident {
        return Some(resident.execution.identity().definition.clone());
    }
    batch.iter().find_map(|request| match request {
        Request::Start(start, _) => Some(start.identity.definition.clone()),
        _ => None,
    })
}
