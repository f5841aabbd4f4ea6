//! What came of it, read through the server's doors; the events from where they are.

use std::collections::HashMap;

use asl::{Data, Timestamp};
use engine::{Event, EventKind, ExecutionKey, FrameId, Status};
use serde_json::Value;

use super::World;
use crate::seen::{Child, Ended, Passed, Seen, Told};

/// How many of a list are asked for at once.
pub(super) const PAGE: usize = 1000;

pub(super) fn seen(world: &World) -> Result<Seen, String> {
    let (arn, started_at) = world.execution.clone().ok_or("no execution was started")?;
    let runner = &world.life().app.runner;
    let key = ExecutionKey::of(&arn);
    let events = world.wait_for(runner.events(key))?;
    let execution = world.wait_for(runner.execution(key))?;
    let execution = execution.ok_or("the execution is not kept any more")?;
    let since = |at: Timestamp| at.0 - started_at.0;
    let ended = execution.closing().map(|closing| Ended {
        status: execution.status().name(),
        at: since(closing.at),
        output: closing.output.as_ref().map(|output| output.value().clone()),
        failure: closing.failure.clone(),
    });
    let outside = world.outside.lock();
    let mut calls = Vec::with_capacity(outside.calls.len());
    for (at, call) in &outside.calls {
        let mut call = call.clone();
        call.at = since(*at);
        calls.push(call);
    }
    let mut deeds = Vec::with_capacity(outside.done.len());
    for (at, done) in &outside.done {
        let mut done = done.clone();
        done.at = since(*at);
        deeds.push(done);
    }
    drop(outside);
    let children = super::children::of(world, &events)?;
    let mut passed = Vec::new();
    states(&events, &children, started_at, &mut passed);
    Ok(Seen {
        states: passed,
        stuck: match execution.status() {
            Status::Running => world.stuck.clone(),
            _ => None,
        },
        execution_arn: arn,
        started_at,
        ended,
        calls,
        deliveries: deliveries(world)?,
        told: told(world, started_at)?,
        deeds,
        services: super::services::served(world, started_at),
        children,
        events,
    })
}

/// The stays in states. A frame is in one state at a time. Those of a Map Run's children follow upon its start, as
/// those of iterations do.
fn states(events: &[Event], children: &[Child], started_at: Timestamp, states: &mut Vec<Passed>) {
    let mut open: HashMap<FrameId, usize> = HashMap::new();
    for event in events {
        let at = event.at.0 - started_at.0;
        match &event.kind {
            EventKind::StateEntered { name, .. } => {
                open.insert(event.frame, states.len());
                states.push(Passed {
                    name: name.to_string(),
                    entered: at,
                    left: None,
                });
            }
            EventKind::StateExited { .. } => {
                if let Some(index) = open.remove(&event.frame) {
                    states[index].left = Some(at);
                }
            }
            EventKind::MapRunStarted { run, .. } => {
                for child in children.iter().filter(|child| child.map_run == run.arn) {
                    self::states(&child.events, children, started_at, states);
                }
            }
            _ => {}
        }
    }
}

/// All callbacks, oldest first.
fn deliveries(world: &World) -> Result<Vec<Value>, String> {
    if world.settings.routes.is_empty() {
        return Ok(Vec::new());
    }
    let mut ids = Vec::new();
    let mut page = format!("/rejoin/deliveries?limit={PAGE}");
    loop {
        let listed = world.get(&page)?;
        for brief in listed["deliveries"].as_array().into_iter().flatten() {
            ids.push(
                brief["id"]
                    .as_str()
                    .ok_or("a delivery has no id")?
                    .to_owned(),
            );
        }
        match listed["next"].as_str() {
            Some(next) => page = format!("/rejoin/deliveries?limit={PAGE}&after={next}"),
            None => break,
        }
    }
    let deliveries = ids.iter().rev();
    deliveries
        .map(|id| world.get(&format!("/rejoin/deliveries/{id}")))
        .collect()
}

/// What all topics were told, oldest first.
fn told(world: &World, started_at: Timestamp) -> Result<Vec<Told>, String> {
    let mut told = Vec::new();
    for topic in world.settings.topics.keys() {
        let listed = world.get(&format!("/rejoin/topics/{topic}/messages?limit={PAGE}"))?;
        for message in listed["messages"].as_array().into_iter().flatten().rev() {
            let at = message["published_at"]
                .as_str()
                .and_then(|at| at.parse().ok());
            let at: Timestamp = at.ok_or_else(|| format!("a message has no time: {message}"))?;
            let content = match &message["message"] {
                // A topic shows as JSON what is JSON.
                Value::String(text) => Data::parse(text)
                    .map_or_else(|_| message["message"].clone(), |data| data.value().clone()),
                content => content.clone(),
            };
            told.push(Told {
                at: at.0 - started_at.0,
                topic: topic.clone(),
                message: content,
            });
        }
    }
    told.sort_by_key(|told| told.at);
    Ok(told)
}
