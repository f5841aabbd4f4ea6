//! Time passes: what is undelivered is tried again, what was kept expires, what is over is forgotten.

use store::{DocumentChange, Expect, StoreError, Table};

use super::deliver::{Attempt, used_keep_seconds};
use super::disposition::Disposition;
use super::record::{Holder, Reference, Standing};
use super::{Gateway, NotStored, read};

impl Gateway {
    /// A delivery that is stored, and of which nobody knows what became: hands it to the engine again.
    pub(super) async fn attend_delivery(&self, id: &str) -> Result<(), String> {
        let flight = loop {
            match self.0.flights.begin(id) {
                Some(flight) => break flight,
                // It is on its way. As a rule it then has its outcome; if storing that failed, it is
                // up to this round.
                None => self.0.flights.landed(id).await,
            }
        };
        let Some((_, mut delivery)) = self.delivery(id).await? else {
            return Ok(());
        };
        if delivery.refused.is_some() {
            return self.close_window(id).await;
        }
        if delivery.start.is_some() && delivery.target.is_none() {
            return match delivery.disposition() {
                None | Some(Disposition::Undeliverable)
                    if delivery.start.as_ref().is_some_and(|s| s.engine.is_some()) =>
                {
                    self.start_soon(&delivery, flight).await.map(drop)
                }
                None | Some(Disposition::Undeliverable) => {
                    self.start(&mut delivery, flight).await.map(drop)
                }
                Some(_) => Ok(()),
            };
        }
        if let Some(engine) = delivery.target.as_ref().and_then(|t| t.engine.clone()) {
            drop(flight);
            self.hurry(&engine, &delivery).await;
            return Ok(());
        }
        // It may have landed between being due and now.
        if !delivery.is_open() || delivery.outcome().is_none() {
            return Ok(());
        }
        self.deliver(&mut delivery, Attempt::Again, flight)
            .await
            .map(drop)
    }

    /// A signed id that would no longer pass verification.
    pub(super) async fn attend_receipt(&self, key: &str) -> Result<(), String> {
        let found = self.0.store.get(Table::Receipt, key).await;
        let Some(document) = found.map_err(|StoreError(what)| what)? else {
            return Ok(());
        };
        if document.due.is_none_or(|due| due > self.0.clock.now()) {
            return Ok(());
        }
        let removal = DocumentChange {
            table: Table::Receipt,
            key: key.to_owned(),
            expect: Expect::Version(document.version),
            content: None,
            due: None,
        };
        match self.commit(vec![removal]).await {
            // It has come again, and has another time now.
            Ok(()) | Err(NotStored::Conflict) => Ok(()),
            Err(NotStored::Server(what)) => Err(what),
        }
    }

    /// A reference whose time has come.
    pub(super) async fn attend_reference(&self, key: &str) -> Result<(), String> {
        loop {
            let found = self.0.store.get(Table::Reference, key).await;
            let Some(document) = found.map_err(|StoreError(what)| what)? else {
                return Ok(());
            };
            // Something has happened to it since it was found due, and it has another time now.
            if document.due.is_none_or(|due| due > self.0.clock.now()) {
                return Ok(());
            }
            match self.look_at(document.version, read(&document)?).await {
                Ok(()) => return Ok(()),
                Err(NotStored::Conflict) => {}
                Err(NotStored::Server(what)) => return Err(what),
            }
        }
    }

    pub(super) async fn look_at(
        &self,
        version: u64,
        reference: Reference,
    ) -> Result<(), NotStored> {
        let route = self.route_named(&reference.route);
        let route = route.as_deref();
        let now = self.0.clock.now();
        let keep = used_keep_seconds(route);
        let again = |due| vec![reference.change(Expect::Version(version), due)];
        let mut expired = None;
        let documents = match &reference.standing {
            Standing::Kept {
                delivery, unknown, ..
            } => {
                let mut documents = vec![reference.removal(version)];
                if let Some((read, mut delivery)) = self.delivery(delivery).await?
                    && !(*unknown && delivery.redacted.is_empty())
                {
                    delivery.forget_what_was_redacted();
                    if *unknown {
                        documents.extend(delivery.changes(Expect::Version(read), None));
                        return self.commit(documents).await;
                    }
                    let note = format!(
                        "Nobody registered {:?} on this route within {} s.",
                        reference.reference,
                        (now.0 - delivery.received_at.0) / 1000
                    );
                    let step = self.step(Disposition::UnknownReference, note);
                    delivery.steps.push(step.clone());
                    documents.extend(delivery.changes(Expect::Version(read), None));
                    documents.extend(self.alert(route, &delivery, &step));
                    expired = Some((delivery, step));
                }
                documents
            }
            Standing::Answered { .. } => self.forgotten(&reference, version),
            Standing::Started(started) => {
                return self.look_at_started(version, &reference, started).await;
            }
            // Its outcome sets another time.
            Standing::Delivering { .. } => again(Some(now.plus_seconds(keep.max(1)))),
            Standing::Waiting { holder } if holder.engine.is_some() => {
                let open = self.is_open_elsewhere(holder).await;
                let stuck = open && self.stuck_at(holder).is_some_and(|at| at <= now);
                let over = holder.over_at.or(holder.place.wait_deadline);
                let forget = over.map(|over| over.plus_seconds(keep));
                if !open && forget.is_none_or(|at| at <= now) {
                    return self.commit(self.forgotten(&reference, version)).await;
                }
                let told = match open {
                    true => stuck.then(|| self.stuck(&reference, holder)),
                    false => self.stuck_over(&reference, holder),
                };
                let holder = Holder {
                    stuck_told_at: match (open, stuck) {
                        (true, true) => Some(now),
                        (true, false) => holder.stuck_told_at,
                        (false, _) => None,
                    },
                    ..holder.clone()
                };
                let due = match open {
                    true => Some(self.forget_elsewhere_at(&holder, keep)),
                    false => forget,
                };
                let next = Reference {
                    standing: Standing::Waiting { holder },
                    ..reference.clone()
                };
                let mut documents = vec![next.change(Expect::Version(version), due)];
                documents.extend(told);
                documents
            }
            Standing::Waiting { holder } => {
                let Ok(token) = self.0.engine.check(&holder.token) else {
                    return self.commit(self.forgotten(&reference, version)).await;
                };
                match self.0.engine.wait(token).await? {
                    None => self.forgotten(&reference, version),
                    Some(view) => match view.wait {
                        Err(ended) => match ended.ended_at.plus_seconds(keep) {
                            due if due <= now => self.forgotten(&reference, version),
                            due => again(Some(due)),
                        },
                        // A wait that outlives its deadline: it had none, or it was moved.
                        Ok(open) => again(
                            open.timeout_at
                                .map(|at| at.plus_seconds(keep.max(1)))
                                .filter(|due| *due > now),
                        ),
                    },
                }
            }
        };
        self.commit(documents).await?;
        if let Some((delivery, step)) = expired {
            self.counted(&delivery, &step);
        }
        Ok(())
    }
}
