//! The children of Map Runs: executions of their own, whose states are the machine's all the same. Those of an Express
//! Map Run are kept nowhere, so nobody can look at them.

use engine::{Event, EventKind, ExecutionKey};
use serde_json::{Value, json};

use super::World;
use crate::seen::Child;

/// The children of all Map Runs of these events, those of a Map Run in the order of its items, each before its own.
pub(super) fn of(world: &World, events: &[Event]) -> Result<Vec<Child>, String> {
    let mut children = Vec::new();
    for event in events {
        let EventKind::MapRunStarted { run, .. } = &event.kind else {
            continue;
        };
        let mut of_run = Vec::new();
        for arn in listed(world, &run.arn)? {
            let key = ExecutionKey::of(&arn);
            let runner = &world.life().app.runner;
            let child = world.wait_for(runner.execution(key))?;
            let index = child.and_then(|child| Some(child.identity().map_run.as_ref()?.index));
            of_run.push((index, world.wait_for(runner.events(key))?));
        }
        of_run.sort_by_key(|(index, _)| *index);
        for (_, events) in of_run {
            let below = of(world, &events)?;
            children.push(Child {
                map_run: run.arn.clone(),
                events,
            });
            children.extend(below);
        }
    }
    Ok(children)
}

/// The ARNs of a Map Run's children.
fn listed(world: &World, map_run: &str) -> Result<Vec<String>, String> {
    let mut arns = Vec::new();
    let mut next = Value::Null;
    loop {
        let mut request = json!({ "mapRunArn": map_run, "maxResults": super::read::PAGE });
        if !next.is_null() {
            request["nextToken"] = next;
        }
        let mut page = world.operation("ListExecutions", request)?;
        let items = page["executions"].as_array().into_iter().flatten();
        let found = items.filter_map(|item| item["executionArn"].as_str());
        arns.extend(found.map(str::to_owned));
        next = page["nextToken"].take();
        if next.is_null() {
            return Ok(arns);
        }
    }
}
