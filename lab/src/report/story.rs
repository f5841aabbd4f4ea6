//! What happened in a case, in the order of time: what the execution did, what the outside did and how it was answered,
//! who was told.

use std::collections::HashMap;

use engine::{Event, EventKind, FrameId};
use mock::Asked;
use serde_json::Value;

use crate::scenario::came::dispositions;
use crate::scenario::spoken;
use crate::seen::Seen;
use crate::world::named;

/// As many lines as are good to read; more are left out in the middle.
const LINES_MAX: usize = 40;
/// As much of a line.
const LINE_MAX: usize = 160;

/// The story, one line each.
pub fn story(seen: &Seen) -> Vec<String> {
    let mut lines: Vec<(i64, String)> = Vec::new();
    let mut deliveries = seen.deliveries.iter();
    // What the outside did comes before what it led to.
    for deed in &seen.deeds {
        let is_callback = deed.what.contains("callback to ");
        let became = is_callback.then(|| deliveries.next()).flatten();
        let became = became.map(|delivery| format!(" {}", dispositions(delivery).join(", then ")));
        let became = became.unwrap_or_default();
        let answer = match deed.answer.0 {
            200 if !is_callback => String::new(),
            status => {
                let message = deed.answer.1["message"].as_str();
                let message = message.filter(|_| became.is_empty());
                let message = message.map(|said| format!(" {said}")).unwrap_or_default();
                format!(" => {status}{message}")
            }
        };
        lines.push((deed.at, format!("outside: {}{answer}{became}", deed.what)));
    }
    for (place, events) in seen.runs().enumerate() {
        let mut states: HashMap<FrameId, &str> = HashMap::new();
        for event in events {
            let Some(line) = said(event, &mut states) else {
                continue;
            };
            let line = match place {
                0 => line,
                child => format!("child {child}: {line}"),
            };
            lines.push((event.at.0 - seen.started_at.0, line));
        }
    }
    for served in &seen.services {
        for (at, asked) in &served.requests {
            lines.push((*at, request(asked)));
        }
        for (at, sent) in &served.callbacks {
            if let Some(why) = &sent.error {
                let who = named(&sent.service, sent.fault);
                lines.push((*at, format!("{who}: no callback, since {why}")));
            }
        }
    }
    for told in &seen.told {
        let message = match &told.message["description"] {
            Value::String(description) => description.clone(),
            _ => told.message.to_string(),
        };
        lines.push((told.at, format!("{} hears: {message}", told.topic)));
    }
    if let Some(stuck) = &seen.stuck {
        let last = lines.iter().map(|(at, _)| *at).max().unwrap_or_default();
        lines.push((last, format!("nothing more will happen: {stuck}")));
    }
    lines.sort_by_key(|(at, _)| *at);
    let count = lines.len();
    let mut told: Vec<String> = Vec::with_capacity(count.min(LINES_MAX));
    for (index, (at, line)) in lines.into_iter().enumerate() {
        let (head, tail) = (LINES_MAX / 2, count.saturating_sub(LINES_MAX / 2));
        if index == head && head < tail {
            told.push(format!("{:>9}", "..."));
        }
        if index < head || index >= tail {
            told.push(format!("{:>9}  {}", spoken(at), cut(&line)));
        }
    }
    told
}

/// How a service answered, and what it was asked.
fn request(asked: &Asked) -> String {
    let of = |name: &str| asked.request[name].as_str().unwrap_or_default();
    let who = named(&asked.service, asked.fault);
    let mut line = format!("{who}: {} {} =>", of("method"), of("path"));
    if let Some(answered) = &asked.answered {
        if let Some(status) = answered.status {
            line.push_str(&format!(" {status}"));
        }
        for said in answered.remark.iter().chain(Some(&answered.body)) {
            if !said.is_empty() {
                line.push_str(&format!(" {said}"));
            }
        }
    }
    match &asked.request["body"] {
        Value::Null => line,
        body => format!("{line}, asked {body}"),
    }
}

fn cut(line: &str) -> String {
    match line.chars().count() > LINE_MAX {
        true => line.chars().take(LINE_MAX).chain([' ', '…']).collect(),
        false => line.to_owned(),
    }
}

fn said<'s>(event: &'s Event, states: &mut HashMap<FrameId, &'s str>) -> Option<String> {
    let state = states.get(&event.frame).copied().unwrap_or_default();
    let failed = |failure: &asl::Failure| {
        let error = failure
            .error
            .as_deref()
            .unwrap_or("without an error's name");
        match &failure.cause {
            Some(cause) => format!("{error}: {cause}"),
            None => error.to_owned(),
        }
    };
    Some(match &event.kind {
        EventKind::StateEntered { name, .. } => {
            states.insert(event.frame, name);
            format!("{name} is entered")
        }
        EventKind::TaskScheduled { resource, .. } => {
            let asked = resource
                .strip_prefix("arn:aws:states:::")
                .unwrap_or(resource);
            format!("{state} asks {asked}")
        }
        EventKind::TaskSucceeded { .. } => format!("{state} has its result"),
        EventKind::TaskFailed { failure, .. }
        | EventKind::MapRunFailed { failure, .. }
        | EventKind::EvaluationFailed { failure, .. } => {
            format!("{state} fails: {}", failed(failure))
        }
        EventKind::TaskTimedOut {
            heartbeat: true, ..
        } => {
            format!("{state} has no heartbeat any more")
        }
        EventKind::TaskTimedOut { .. } => format!("{state} times out"),
        EventKind::RetryScheduled { until, .. } => {
            format!("{state} is tried again in {}", spoken(until.0 - event.at.0))
        }
        EventKind::ExecutionSucceeded => "SUCCEEDED".to_owned(),
        EventKind::ExecutionFailed { failure } => format!("FAILED {}", failed(failure)),
        EventKind::ExecutionTimedOut => "TIMED_OUT".to_owned(),
        EventKind::ExecutionAborted { error, .. } => {
            format!("ABORTED {}", error.as_deref().unwrap_or_default())
        }
        EventKind::ExecutionRedriven { .. } => "redriven".to_owned(),
        _ => return None,
    })
}
