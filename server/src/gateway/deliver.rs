//! A stored callback goes to its wait, and what came of it is recorded.

use asl::Timestamp;
use engine::Outcome;
use store::{DocumentChange, Expect};

use super::alert;
use super::disposition::Disposition;
use super::flights::Flight;
use super::marks::{Try, TryResult};
use super::record::{Delivery, Holder, Reference, Standing, Step, ended_by};
use super::route::Route;
use super::route::config::USED_KEEP_SECONDS;
use super::trail::about;
use super::{Gateway, NotStored};
use crate::alerts::Alert;
use crate::runner::TokenError;

/// A delivery that is stored and has no outcome is looked after this long after it came. While it is
/// on its way in this process that changes nothing; after a crash it is what brings it back.
pub(super) const LOOK_AFTER_SECONDS: i64 = 1;

/// The pause before an undeliverable one is tried again: doubled each time, up to the second figure.
const RETRY_FIRST_SECONDS: i64 = 1;
const RETRY_MAX_SECONDS: i64 = 300;

/// Whether the engine may have heard of a delivery before.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Attempt {
    /// It has not.
    First,
    /// It may have: the process died, or the engine failed, at a moment that is not known.
    Again,
}

impl Gateway {
    /// Hands a stored delivery to its wait and records what came of it. If recording fails the
    /// delivery stays as it is stored, on its way, and is tried again.
    pub(super) async fn deliver(
        &self,
        delivery: &mut Delivery,
        attempt: Attempt,
        _flight: Flight,
    ) -> Result<Step, String> {
        let (Some(holder), Some(outcome)) = (delivery.target.clone(), delivery.outcome()) else {
            return Err(format!(
                "delivery {} is stored without its target or outcome",
                delivery.id
            ));
        };
        if attempt == Attempt::Again && delivery.disposition().is_none() {
            delivery.tried(Try {
                at: delivery.received_at,
                answered_at: None,
                result: TryResult::NotRecorded,
                note: None,
            });
        }
        delivery.attempts += 1;
        let began = self.0.clock.now();
        let result = self.0.engine.complete(&holder.token, outcome.clone()).await;
        delivery.tried(Try::of(began, self.0.clock.now(), &result));
        let again = delivery.disposition() == Some(Disposition::Undeliverable);
        let step = self.judge(delivery, &holder, &outcome, attempt, result);
        let still_undeliverable = again && step.disposition == Disposition::Undeliverable;
        if !still_undeliverable {
            delivery.steps.push(step.clone());
        }
        if step.disposition != Disposition::Undeliverable {
            delivery.forget_what_was_redacted();
        }
        loop {
            match self
                .record(delivery, &holder, &step, !still_undeliverable)
                .await
            {
                Ok(()) => {
                    if !still_undeliverable {
                        self.counted(delivery, &step);
                    }
                    return Ok(step);
                }
                Err(NotStored::Conflict) => {}
                Err(NotStored::Server(what)) => return Err(what),
            }
        }
    }

    /// What the engine's answer means.
    fn judge(
        &self,
        delivery: &Delivery,
        holder: &Holder,
        outcome: &Outcome,
        attempt: Attempt,
        result: Result<(), TokenError>,
    ) -> Step {
        let state = &holder.place.state_name;
        let taken = || match outcome {
            Outcome::Success(_) => self.step(
                Disposition::Delivered,
                format!("It was the result of {state}."),
            ),
            Outcome::Failure(failure) => self.step(
                Disposition::DeliveredAsFailure,
                format!(
                    "{state} failed with {}.",
                    failure.error.as_deref().unwrap_or("no error name")
                ),
            ),
        };
        match result {
            Ok(()) => taken(),
            Err(TokenError::Ended(ended))
                if attempt == Attempt::Again && ended_by(&ended.end, outcome) =>
            {
                taken()
            }
            Err(TokenError::Server(what)) => {
                crate::log::say_about!(
                    about(delivery),
                    "delivery {} could not be delivered and will be tried again: {what}",
                    delivery.id
                );
                self.step(
                    Disposition::Undeliverable,
                    format!(
                        "The engine that {state} waits in could not be reached; it is tried again."
                    ),
                )
            }
            Err(error @ (TokenError::Ended(_) | TokenError::Gone | TokenError::Invalid)) => {
                self.late(delivery, holder, error)
            }
        }
    }

    /// Stores a delivery's outcome, with what becomes of its reference, and the alert.
    async fn record(
        &self,
        delivery: &Delivery,
        holder: &Holder,
        step: &Step,
        tell: bool,
    ) -> Result<(), NotStored> {
        let route = self.route_named(&delivery.route);
        let route = route.as_deref();
        let name = delivery.reference.as_deref().unwrap_or_default();
        let due = match step.disposition {
            Disposition::Undeliverable => self.retry_due(delivery.attempts),
            _ => None,
        };
        // The flight keeps everybody else away from the delivery's document.
        let mut documents = delivery.changes(Expect::Any, due);
        if let Some((version, reference)) = self.reference(&delivery.route, name).await? {
            documents.extend(self.afterwards(route, delivery, holder, step, version, reference));
        }
        if tell {
            documents.extend(self.alert(route, delivery, step));
            documents.extend(self.all_clear(route, delivery, step));
        }
        self.commit(documents).await
    }

    /// What becomes of the reference that a delivery was for. Nothing, if another wait holds it by now.
    fn afterwards(
        &self,
        route: Option<&Route>,
        delivery: &Delivery,
        holder: &Holder,
        step: &Step,
        version: u64,
        mut reference: Reference,
    ) -> Option<DocumentChange> {
        let Standing::Delivering {
            delivery: current,
            digest,
            ..
        } = reference.standing
        else {
            return None;
        };
        if current != delivery.id || step.disposition == Disposition::Undeliverable {
            return None;
        }
        let holder = holder.clone();
        let (standing, ended_at) = match step.disposition {
            Disposition::Delivered | Disposition::DeliveredAsFailure => (
                Standing::Answered {
                    holder,
                    delivery: current,
                    digest,
                },
                step.at,
            ),
            _ => (
                Standing::Waiting { holder },
                step.wait_ended_at.unwrap_or(step.at),
            ),
        };
        reference.standing = standing;
        let due = ended_at.plus_seconds(used_keep_seconds(route));
        Some(reference.change(Expect::Version(version), Some(due)))
    }

    /// The alert about what a delivery has just become, if there is to be one.
    pub(super) fn alert(
        &self,
        route: Option<&Route>,
        delivery: &Delivery,
        step: &Step,
    ) -> Option<DocumentChange> {
        let route = route?;
        if !route.alerts.include(step.disposition) {
            return None;
        }
        let topic_arn = route.alerts.topic_arn.as_deref();
        let alert = alert::about(delivery, step);
        Some(self.0.alerts.prepare(topic_arn, alert))
    }

    /// That the engine has answered again, if it was told that it did not.
    pub(super) fn all_clear(
        &self,
        route: Option<&Route>,
        delivery: &Delivery,
        step: &Step,
    ) -> Option<DocumentChange> {
        let before = delivery.steps.iter().rev().nth(1)?;
        let was_told = route?.alerts.include(Disposition::Undeliverable);
        let is_over = before.disposition == Disposition::Undeliverable
            && step.disposition != Disposition::Undeliverable;
        if !is_over || !was_told {
            return None;
        }
        let over = Step {
            note: format!("The engine answers again. {}", step.note),
            ..before.clone()
        };
        let alert = Alert {
            resolved: true,
            next_step: "Nothing has to be done.".to_owned(),
            ..alert::about(delivery, &over)
        };
        let topic_arn = route?.alerts.topic_arn.as_deref();
        Some(self.0.alerts.prepare(topic_arn, alert))
    }

    /// When a delivery that is stored now is looked after.
    pub(super) fn look_after(&self) -> Option<Timestamp> {
        Some(self.0.clock.now().plus_seconds(LOOK_AFTER_SECONDS))
    }

    pub(super) fn retry_due(&self, attempts: u32) -> Option<Timestamp> {
        let doublings = attempts.saturating_sub(1).min(16);
        let pause = (RETRY_FIRST_SECONDS << doublings).min(RETRY_MAX_SECONDS);
        Some(self.0.clock.now().plus_seconds(pause))
    }

    /// When a registered reference is to be looked at if nothing happens to it. A wait without a
    /// deadline has no such moment: its reference stays until it is answered.
    pub(super) fn forget_at(&self, route: &Route, holder: &Holder) -> Option<Timestamp> {
        if holder.engine.is_some() {
            return Some(self.forget_elsewhere_at(holder, route.used_keep_seconds));
        }
        let deadline = holder.place.wait_deadline?;
        Some(
            deadline
                .max(self.0.clock.now())
                .plus_seconds(route.used_keep_seconds),
        )
    }
}

/// How long a route's references are remembered; one that is no longer configured has the default.
pub(super) fn used_keep_seconds(route: Option<&Route>) -> i64 {
    route.map_or(USED_KEEP_SECONDS.into(), |route| route.used_keep_seconds)
}
