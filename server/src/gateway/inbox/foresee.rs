//! What would become of a callback if it came now. It looks where `meet` looks, and changes nothing.

use super::super::arrival::Arrival;
use super::super::disposition::Disposition;
use super::super::record::{Holder, Intent, Standing, Step};
use super::super::route::{Fault, Reading, Route};
use super::Gateway;
use super::replay::Goal;
use crate::runner::TokenError;

impl Gateway {
    /// The disposition that it would get. The world may be another one when it does come.
    pub(super) async fn foresee(
        &self,
        route: &Route,
        arrival: &mut Arrival,
        read: Result<Reading, Fault>,
        goal: &Goal,
    ) -> Result<Step, String> {
        let reading = match read {
            Ok(reading) => reading,
            Err(fault) => return Ok(self.step(fault.disposition, fault.reason)),
        };
        arrival.is_read(reading);
        if let Goal::Wait(holder) = goal {
            return self.foresee_at(arrival, holder).await;
        }
        if let Some(step) = self.replayed(arrival).await? {
            return Ok(step);
        }
        let name = arrival.delivery.reference.clone().unwrap_or_default();
        let heartbeat = arrival.delivery.intent == Some(Intent::Heartbeat);
        let found = self.reference(&route.name, &name).await?;
        match found.map(|(_, reference)| reference.standing) {
            None | Some(Standing::Kept { unknown: true, .. }) if arrival.start.is_some() => {
                Ok(match arrival.start.as_ref() {
                    Some(Err(why)) => self.step(Disposition::Malformed, why.clone()),
                    start => {
                        let name = start.and_then(|start| start.as_ref().ok());
                        let name = name.map_or("", |start| start.name.as_str());
                        let note = format!("It would start the execution {name}.");
                        self.step(Disposition::Started, note)
                    }
                })
            }
            None => Ok(self.would_be_kept(route, &name, heartbeat)),
            Some(Standing::Started(started)) => {
                let execution = &started.start.name;
                let kept = started.kept.filter(|kept| !arrival.repeats(&kept.delivery));
                let same = started.digest == arrival.digest;
                Ok(match kept {
                    _ if heartbeat => self.step(
                        Disposition::Heartbeat,
                        format!("Execution {execution} has not registered {name:?} yet, so no wait would be extended."),
                    ),
                    _ if same || !started.done => self.repeat(&started.delivery, same),
                    Some(kept) => self.repeat(&kept.delivery, kept.digest == arrival.digest),
                    None => self.step(
                        Disposition::Early,
                        format!("It would be kept until execution {execution} registers {name:?}, if that is still open."),
                    ),
                })
            }
            Some(Standing::Kept {
                delivery: first,
                digest,
                unknown,
            }) => {
                let takes_its_place =
                    heartbeat || arrival.repeats(&first) || (unknown && self.may_be_early(route));
                Ok(match (takes_its_place, unknown) {
                    (true, _) => self.would_be_kept(route, &name, heartbeat),
                    (false, true) => self.step(
                        Disposition::UnknownReference,
                        format!("Nobody has registered {name:?}, and delivery {first} is kept for it already."),
                    ),
                    (false, false) => self.repeat(&first, digest == arrival.digest),
                })
            }
            Some(Standing::Waiting { holder }) => self.foresee_at(arrival, &holder).await,
            Some(Standing::Delivering { holder, .. } | Standing::Answered { holder, .. })
                if heartbeat =>
            {
                self.foresee_at(arrival, &holder).await
            }
            Some(
                Standing::Delivering {
                    delivery: first,
                    digest,
                    ..
                }
                | Standing::Answered {
                    delivery: first,
                    digest,
                    ..
                },
            ) => Ok(self.repeat(&first, digest == arrival.digest)),
        }
    }

    /// At a wait that is known.
    async fn foresee_at(&self, arrival: &Arrival, holder: &Holder) -> Result<Step, String> {
        let late = |error| self.late(&arrival.delivery, holder, error);
        let place = &holder.place;
        let (disposition, what) = match &arrival.delivery.intent {
            Some(Intent::Heartbeat) => (Disposition::Heartbeat, "a heartbeat of"),
            Some(Intent::Failure { .. }) => (Disposition::DeliveredAsFailure, "the failure of"),
            _ => (Disposition::Delivered, "the result of"),
        };
        if let Some(engine) = &holder.engine {
            let note = format!(
                "It would be sent to the engine {engine:?}, as {what} {}; whether that still waits is not known here.",
                place.state_name
            );
            return Ok(self.step(disposition, note));
        }
        let token = match self.0.engine.check(&holder.token) {
            Ok(token) => token,
            Err(error) => return Ok(late(error)),
        };
        let view = match self.0.engine.wait(token).await? {
            Some(view) => view,
            None => return Ok(late(TokenError::Gone)),
        };
        if let Err(ended) = view.wait {
            return Ok(late(TokenError::Ended(Box::new(ended))));
        }
        let note = format!(
            "It would be {what} {} in execution {}.",
            place.state_name, place.execution_name
        );
        Ok(self.step(disposition, note))
    }

    fn would_be_kept(&self, route: &Route, name: &str, heartbeat: bool) -> Step {
        let (disposition, note) = match (self.may_be_early(route), heartbeat) {
            (true, true) => (
                Disposition::Heartbeat,
                format!("{name:?} is not registered yet, so no wait would be extended."),
            ),
            (true, false) => (
                Disposition::Early,
                format!("{name:?} is not registered yet; it would be kept for it."),
            ),
            (false, _) => (
                Disposition::UnknownReference,
                format!("Nobody has registered {name:?}, and no task that could is open."),
            ),
        };
        self.step(disposition, note)
    }
}
