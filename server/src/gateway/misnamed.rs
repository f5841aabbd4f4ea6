//! What routes expect of a state machine that it does not have. A route that names a wrong state gets its callbacks, and
//! takes each that is early for one that nobody knows: nobody would look for the reason there.

use asl::{Pattern, Resource, StateKind, StateMachine, nearest};

use super::Gateway;
use crate::app::Place;
use crate::machines::Machines;

/// What a route's `expects` names that this state machine does not have, a sentence each.
pub fn misnamed(
    route: &str,
    expects: &[String],
    name: &str,
    machine: &StateMachine,
) -> Vec<String> {
    let states = expects.iter().filter_map(|expected| {
        let (of, state) = expected.split_once('.')?;
        (of == name).then_some(state)
    });
    let wrong = states.filter_map(|state| {
        let found = machine.find(state).map(|id| &machine.state(id).kind);
        let what = match found {
            Some(kind) if waits_for_others(kind) => return None,
            Some(_) => {
                format!("{state:?} of {name} is no task that waits for an answer from outside")
            }
            None => format!("{name} has no state {state:?}"),
        };
        let tasks = machine
            .states
            .iter()
            .filter(|state| waits_for_others(&state.kind));
        let tasks: Vec<&str> = tasks.map(|state| &*state.name).collect();
        let meant = match (nearest(state, tasks.iter().copied()), tasks.as_slice()) {
            (Some(near), _) => format!("; did you mean \"{name}.{near}\"?"),
            (None, []) => String::new(),
            (None, tasks) => format!("; tasks that wait for one are {}", tasks.join(", ")),
        };
        Some(format!(
            "the route {route:?} expects \"{name}.{state}\", and {what}{meant}"
        ))
    });
    wrong.collect()
}

fn waits_for_others(kind: &StateKind) -> bool {
    match kind {
        StateKind::Task(task) => match &task.resource {
            Resource::Activity { .. } => true,
            Resource::Service { pattern, .. } => *pattern == Pattern::WaitForTaskToken,
            Resource::Function { .. } => false,
        },
        _ => false,
    }
}

impl Gateway {
    /// Says what routes expect of a state machine in vain, now that it is as it is.
    pub(crate) fn say_misnamed(&self, name: &str, machine: &StateMachine) {
        for route in self.routes().all() {
            for what in misnamed(&route.name, &route.expects, name, machine) {
                crate::log::say!("{what}");
            }
        }
    }

    /// The same for all state machines that routes name and that are there.
    pub(crate) async fn say_all_misnamed(&self, machines: &Machines, place: &Place) {
        let routes = self.routes();
        let mut names: Vec<&str> = routes
            .all()
            .flat_map(|route| &route.expects)
            .filter_map(|expected| Some(expected.split_once('.')?.0))
            .collect();
        names.sort_unstable();
        names.dedup();
        for name in names {
            let arn = format!(
                "arn:aws:states:{}:{}:stateMachine:{name}",
                place.region, place.account
            );
            // What can't be read is said by whoever runs it.
            let Ok(Some(found)) = machines.find(&arn).await else {
                continue;
            };
            if let Ok(machine) = machines.definition(&found.definition).await {
                self.say_misnamed(name, &machine);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_route_that_expects_what_is_not_there_is_told_what_is() {
        let parameters = json!({ "QueueUrl": "q", "MessageBody": { "token.$": "$$.Task.Token" } });
        let resource = "arn:aws:states:::sqs:sendMessage.waitForTaskToken";
        let text = json!({ "StartAt": "Warehouse", "States": {
            "Warehouse": { "Type": "Task", "Resource": resource, "Parameters": parameters, "Next": "Done" },
            "Done": { "Type": "Succeed" },
        } });
        let parsed = asl::parse(&text.to_string());
        let machine = parsed
            .machine
            .unwrap_or_else(|| panic!("{:?}", parsed.diagnostics));
        let said = |expected: &str| misnamed("stock", &[expected.to_owned()], "Fulfil", &machine);
        for (expected, wanted) in [
            ("Fulfil.Warehouse", ""),
            ("Other.Warehose", ""),
            (
                "Fulfil.Warehose",
                "the route \"stock\" expects \"Fulfil.Warehose\", and Fulfil has no state \"Warehose\"; did you mean \"Fulfil.Warehouse\"?",
            ),
            (
                "Fulfil.Done",
                "the route \"stock\" expects \"Fulfil.Done\", and \"Done\" of Fulfil is no task that waits for an answer from outside; tasks that wait for one are Warehouse",
            ),
        ] {
            assert_eq!(said(expected).concat(), wanted);
        }
    }
}
