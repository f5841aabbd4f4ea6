//! References whose waits elsewhere have been open for longer than anybody meant them to be.
//!
//! Of such a wait nothing is known but how old its registration is, so that counts: the policy of
//! `[stuck_waits]`, as if the wait had begun then. A reference is due for it as it is due to be forgotten, and
//! that it was told stands in its holder, so that it is told to be over, too.

use asl::Timestamp;

use super::place::whose;
use crate::alerts::{Alert, Kind};
use crate::gateway::Gateway;
use crate::gateway::record::{Holder, Reference};
use crate::waits::{StuckWaits, span};
use store::DocumentChange;

impl Gateway {
    /// Says when a wait counts as stuck. The first call counts; before it none does.
    pub fn watch_elsewhere(&self, policy: StuckWaits) {
        let _ = self.0.stuck_waits.set(policy);
    }

    /// When it is to be told, for the first time or again, that a wait elsewhere is stuck.
    pub(in crate::gateway) fn stuck_at(&self, holder: &Holder) -> Option<Timestamp> {
        let policy = self.0.stuck_waits.get()?;
        let place = &holder.place;
        if holder.engine.is_none() || holder.over_at.is_some() {
            return None;
        }
        let machine = place.state_machine_arn.rsplit(':').next();
        let (machine, state) = (machine.unwrap_or_default(), place.state_name.as_str());
        let (from, seconds) = match holder.stuck_told_at {
            Some(told) => (told, policy.repeat_seconds(machine, state)?),
            None => {
                let endless = place.wait_deadline.is_none();
                let after = policy.after_seconds(machine, state, endless)?;
                (holder.registered_at, after)
            }
        };
        Some(from.plus_seconds(seconds.into()))
    }

    /// That a wait elsewhere is stuck.
    pub(in crate::gateway) fn stuck(
        &self,
        reference: &Reference,
        holder: &Holder,
    ) -> DocumentChange {
        let age = span(self.0.clock.now().0 - holder.registered_at.0);
        let engine = holder.engine.as_deref().unwrap_or_default();
        let end = match holder.place.wait_deadline {
            Some(deadline) => format!("its deadline is {deadline}"),
            None => "no deadline of it is known here".to_owned(),
        };
        let said = format!(
            "Stuck wait: no callback has answered {:?} for {age}, since it was registered for {} at the engine {engine}; {end}.",
            reference.reference,
            whose(holder)
        );
        let alert = self.alert_of_stuck(reference, holder, said);
        self.raised_on(&reference.route, alert)
    }

    /// That it is over, if it was told.
    pub(in crate::gateway) fn stuck_over(
        &self,
        reference: &Reference,
        holder: &Holder,
    ) -> Option<DocumentChange> {
        holder.stuck_told_at?;
        let age = span(self.0.clock.now().0 - holder.registered_at.0);
        let said = format!(
            "The wait of {} under {:?} is over, {age} after that was registered.",
            whose(holder),
            reference.reference
        );
        let mut alert = self.alert_of_stuck(reference, holder, said);
        alert.resolved = true;
        alert.next_step = "Nothing has to be done.".into();
        Some(self.raised_on(&reference.route, alert))
    }

    /// Whoever hears of the route's callbacks hears of it.
    fn raised_on(&self, route: &str, alert: Alert) -> DocumentChange {
        let route = self.route_named(route);
        let topic = route
            .as_ref()
            .and_then(|route| route.alerts.topic_arn.as_deref());
        self.0.alerts.prepare(topic, alert)
    }

    fn alert_of_stuck(&self, reference: &Reference, holder: &Holder, said: String) -> Alert {
        let place = &holder.place;
        let known = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        let age = self.0.clock.now().0 - holder.registered_at.0;
        Alert {
            since: Some(holder.registered_at.into()),
            execution_arn: known(&place.execution_arn),
            execution_name: known(&place.execution_name),
            state_machine_arn: known(&place.state_machine_arn),
            state_name: known(&place.state_name),
            wait_began_at: Some(holder.registered_at.into()),
            wait_deadline: place.wait_deadline.map(Into::into),
            wait_age_seconds: Some(age.max(0) as f64 / 1000.0),
            route: Some(reference.route.clone()),
            reference: Some(reference.reference.clone()),
            ..Alert::new(
                Kind::StuckWait,
                format!("rejoin gateway, route {}", reference.route),
                said,
            )
        }
    }
}
