//! How a state machine may be broken: each way removes one thing that is there for when something goes wrong. What
//! looks for failure modes has to notice every one.
//!
//! | what is removed | |
//! | --- | --- |
//! | `TimeoutSeconds`, `HeartbeatSeconds` | a wait that nothing ends |
//! | an entry of `Catch` or `Retry` | a failure that is not handled |
//! | a state that tells somebody (`sns:publish`, `sqs:sendMessage`, `events:putEvents`) | a failure that nobody hears of |
//! | a field of its message | a message that does not say enough |
//!
//! [`noticed`] says who does.

pub mod noticed;

use serde_json::{Map, Value};

/// A state machine that lacks something.
#[derive(Debug, Clone)]
pub struct Breakage {
    /// What it lacks: `RequestValuation: no TimeoutSeconds`.
    pub what: String,
    /// The definition.
    pub definition: Value,
}

const LIMITS: [&str; 4] = [
    "TimeoutSeconds",
    "TimeoutSecondsPath",
    "HeartbeatSeconds",
    "HeartbeatSecondsPath",
];
const TELLING: [&str; 3] = ["sns:publish", "sqs:sendMessage", "events:putEvents"];
/// Where a message is in what such a state asks.
const MESSAGES: [&str; 2] = ["Message", "MessageBody"];

/// All ways to break a definition.
pub fn breakages(definition: &Value) -> Vec<Breakage> {
    let mut found = Vec::new();
    let mut states = Vec::new();
    places(definition, String::new(), &mut states);
    if definition.get("TimeoutSeconds").is_some() {
        let mut broken = definition.clone();
        remove(&mut broken, "", "TimeoutSeconds");
        found.push(breakage(
            "the machine: no TimeoutSeconds".to_owned(),
            broken,
        ));
    }
    for (region, name) in states {
        let path = format!("{region}/States/{}", escaped(&name));
        let Some(state) = definition.pointer(&path) else {
            continue;
        };
        for limit in LIMITS.iter().filter(|limit| state.get(**limit).is_some()) {
            let mut broken = definition.clone();
            remove(&mut broken, &path, limit);
            found.push(breakage(format!("{name}: no {limit}"), broken));
        }
        for list in ["Retry", "Catch"] {
            for (index, entry) in state[list].as_array().into_iter().flatten().enumerate() {
                let mut broken = definition.clone();
                if let Some(Value::Array(entries)) = broken.pointer_mut(&format!("{path}/{list}")) {
                    entries.remove(index);
                }
                prune(&mut broken, &region);
                let errors = entry["ErrorEquals"].as_array().into_iter().flatten();
                let errors: Vec<&str> = errors.filter_map(Value::as_str).collect();
                let errors = errors.join(", ");
                found.push(breakage(format!("{name}: no {list} of {errors}"), broken));
            }
        }
        let resource = state["Resource"].as_str().unwrap_or_default();
        if TELLING.iter().any(|telling| resource.contains(telling)) {
            found.extend(silent(definition, &region, &name, state));
            found.extend(terse(definition, &path, &name, state));
        }
    }
    found
}

fn breakage(what: String, definition: Value) -> Breakage {
    Breakage { what, definition }
}

/// Without the state: who led to it leads to what comes after it.
fn silent(definition: &Value, region: &str, name: &str, state: &Value) -> Option<Breakage> {
    let next = state["Next"].as_str()?;
    let mut broken = definition.clone();
    let whole = broken.pointer_mut(region)?;
    rename(whole, name, next);
    remove(&mut broken, &format!("{region}/States"), name);
    Some(breakage(format!("{name}: not there"), broken))
}

/// Without one of the fields of its message.
fn terse(definition: &Value, path: &str, name: &str, state: &Value) -> Vec<Breakage> {
    let mut found = Vec::new();
    for of in ["Parameters", "Arguments"] {
        for message in MESSAGES {
            let fields = state[of][message].as_object().into_iter().flatten();
            for (field, _) in fields {
                let mut broken = definition.clone();
                remove(&mut broken, &format!("{path}/{of}/{message}"), field);
                let field = field.trim_end_matches(".$");
                found.push(breakage(
                    format!("{name}: no {field} in its message"),
                    broken,
                ));
            }
        }
    }
    found
}

/// All states, each with the pointer to what its `States` is in.
fn places(region: &Value, at: String, into: &mut Vec<(String, String)>) {
    let states = region["States"].as_object().into_iter().flatten();
    for (name, state) in states {
        into.push((at.clone(), name.clone()));
        let inside = format!("{at}/States/{}", escaped(name));
        for (index, branch) in state["Branches"]
            .as_array()
            .into_iter()
            .flatten()
            .enumerate()
        {
            places(branch, format!("{inside}/Branches/{index}"), into);
        }
        for processor in ["ItemProcessor", "Iterator"] {
            if let Some(of) = state.get(processor) {
                places(of, format!("{inside}/{processor}"), into);
            }
        }
    }
}

/// A name as a step of a JSON pointer.
fn escaped(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

fn remove(value: &mut Value, pointer: &str, name: &str) {
    if let Some(Value::Object(members)) = value.pointer_mut(pointer) {
        members.shift_remove(name);
    }
}

/// Lets all that leads to one state lead to another one.
fn rename(value: &mut Value, from: &str, to: &str) {
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                let leads = ["Next", "Default", "StartAt"].contains(&name.as_str());
                if leads && *member == from {
                    *member = to.into();
                } else {
                    rename(member, from, to);
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| rename(item, from, to)),
        _ => {}
    }
}

/// Takes away the states that nothing leads to any more: no definition may have such.
fn prune(definition: &mut Value, region: &str) {
    let Some(region) = definition.pointer_mut(region) else {
        return;
    };
    let Some(start) = region["StartAt"].as_str().map(str::to_owned) else {
        return;
    };
    let Some(Value::Object(states)) = region.get_mut("States") else {
        return;
    };
    let mut reached = Vec::new();
    let mut next = vec![start];
    while let Some(name) = next.pop() {
        if let (false, Some(state)) = (reached.contains(&name), states.get(&name)) {
            targets(state, &mut next);
            reached.push(name);
        }
    }
    let kept: Map<String, Value> = std::mem::take(states)
        .into_iter()
        .filter(|(name, _)| reached.contains(name))
        .collect();
    *states = kept;
}

/// Where a state leads.
fn targets(state: &Value, into: &mut Vec<String>) {
    let entries = ["Catch", "Choices"].iter().flat_map(|list| {
        let entries = state[*list].as_array();
        entries.into_iter().flatten()
    });
    let all = entries.map(|entry| &entry["Next"]);
    let all = all.chain([&state["Next"], &state["Default"]]);
    into.extend(all.filter_map(Value::as_str).map(str::to_owned));
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOAN_PROCESSOR: &str =
        include_str!("../../examples/loan-processor/definition-heartbeats.asl.json");

    #[test]
    fn everything_that_is_there_for_failures_can_be_taken_away() {
        let definition: Value = serde_json::from_str(LOAN_PROCESSOR).expect("it is JSON");
        let found = breakages(&definition);
        let what: Vec<&str> = found.iter().map(|broken| broken.what.as_str()).collect();
        for expected in [
            "RequestValuation: no TimeoutSeconds",
            "RequestValuation: no HeartbeatSeconds",
            "RequestValuation: no Catch of ValuationFailed",
            "PublishValuationFailedError: not there",
            "PublishValuationFailedError: no executionId in its message",
        ] {
            assert!(what.contains(&expected), "{expected}: {what:#?}");
        }
        assert_eq!(found.len(), 2 + 1 + 2 + 2 + 8, "{what:#?}");
        for broken in found {
            let parsed = asl::parse(&broken.definition.to_string());
            assert!(
                parsed.machine.is_some(),
                "{}: {:?}",
                broken.what,
                parsed.diagnostics
            );
        }
    }
}
