//! What a story comes to, for somebody in a hurry: which execution, which step, since when, what arrived,
//! and what to do.

use asl::Timestamp;
use engine::Status;
use serde::Serialize;

use super::events::{Ended, Wait};
use super::{Asked, Story};
use crate::alerts::{GIVEN_UP, Kind};
use crate::gateway::Disposition;
use crate::gateway::trail::{Arrived, Registration};

/// How many callbacks are named one by one.
const NAMED_MAX: usize = 3;

/// Five answers.
#[derive(Debug, Serialize)]
pub(super) struct Summary {
    execution: String,
    step: String,
    since: String,
    arrived: Vec<String>,
    next: String,
}

pub(super) fn of(story: &Story) -> Summary {
    Summary {
        execution: execution(story),
        step: step(story),
        since: since(story),
        arrived: arrived(story),
        next: next(story),
    }
}

fn execution(story: &Story) -> String {
    if let Some(execution) = &story.execution {
        let identity = execution.identity();
        let failure = execution
            .closing()
            .and_then(|closing| closing.failure.as_ref());
        let error = failure.and_then(|failure| failure.error.as_deref());
        let status = execution.status().name();
        let whose = format!("{} of {}", identity.name, identity.state_machine_name);
        return match error {
            Some(error) => format!("{whose}: {status}, {error}"),
            None => format!("{whose}: {status}"),
        };
    }
    if let Some(place) = story.place() {
        let machine = machine_name(&place.state_machine_arn);
        match (story.engine(), place.execution_name.as_str()) {
            (Some(engine), "") => {
                return format!("one at the engine {engine}; its worker did not say which");
            }
            (Some(engine), name) => return format!("{name} of {machine}, at the engine {engine}"),
            (None, _) => {}
        }
        return format!(
            "{} of {machine}, which is no longer kept",
            place.execution_name
        );
    }
    match story.candidates.as_slice() {
        [] => "none that is known: nobody waited on its route at that time".to_owned(),
        candidates => format!("none by name; perhaps {}", named(candidates)),
    }
}

fn named(candidates: &[Registration]) -> String {
    let names: Vec<String> = candidates
        .iter()
        .map(|r| format!("{} ({:?})", r.place.execution_name, r.reference))
        .collect();
    names.join(" or ")
}

fn step(story: &Story) -> String {
    if let Some(wait) = story.wait() {
        let attempt = match wait.attempt {
            1 => String::new(),
            attempt => format!(", attempt {attempt}"),
        };
        return format!("{}, {}{attempt}", wait.state, wait.of_whom());
    }
    if let Some(place) = story.place() {
        return match place.state_name.as_str() {
            "" => "not known: its worker did not say".to_owned(),
            name => name.to_owned(),
        };
    }
    match story.candidates.first() {
        Some(candidate) => format!("perhaps {}", candidate.place.state_name),
        None if story.execution.is_some() => "no task has begun".to_owned(),
        None => "none".to_owned(),
    }
}

fn since(story: &Story) -> String {
    if let Some(wait) = story.wait() {
        let took = |at: Timestamp| span(at.0 - wait.since.0);
        return match &wait.ended {
            None => format!("{}, for {} now{}", wait.since, took(story.now), limit(wait)),
            Some((at, Ended::Succeeded)) => {
                format!("{}; it had its result after {}", wait.since, took(*at))
            }
            Some((at, Ended::Failed(_))) => {
                format!("{}; it failed after {}", wait.since, took(*at))
            }
            Some((at, Ended::TimedOut | Ended::HeartbeatTimedOut)) => {
                format!("{}; it timed out after {}", wait.since, took(*at))
            }
            Some((at, Ended::Aborted)) => {
                format!("{}; it was given up after {}", wait.since, took(*at))
            }
        };
    }
    let candidate = story.candidates.first().map(|candidate| &candidate.place);
    if let Some(place) = story.place().or(candidate) {
        return match place.wait_deadline {
            Some(deadline) => format!("{}, until {deadline} at most", place.wait_began_at),
            None => format!("{}, without a deadline", place.wait_began_at),
        };
    }
    match (&story.execution, story.trail.arrived.first()) {
        (Some(execution), _) => execution.identity().started_at.to_string(),
        (None, Some(arrived)) => format!("the callback came at {}", arrived.at),
        (None, None) => "not known".to_owned(),
    }
}

fn limit(wait: &Wait) -> String {
    match (wait.deadline, wait.heartbeat_seconds, wait.last_heartbeat) {
        (Some(at), _, _) => format!(", until {at} at most"),
        (None, Some(seconds), Some(last)) => {
            format!(", with a heartbeat every {seconds} s, the last at {last}")
        }
        (None, Some(seconds), None) => format!(", with a heartbeat every {seconds} s at least"),
        (None, None, _) => ", without a deadline".to_owned(),
    }
}

fn arrived(story: &Story) -> Vec<String> {
    let mut all: Vec<&Arrived> = story.trail.arrived.iter().collect();
    all.sort_by(|one, other| one.id.cmp(&other.id));
    // Heartbeats are many and alike.
    let is_beat = |a: &&Arrived| disposition(a) == Some(Disposition::Heartbeat);
    let beats: Vec<&Arrived> = all.iter().copied().filter(is_beat).collect();
    all.retain(|a| !is_beat(a));
    let mut lines = Vec::new();
    if let Some(last) = beats.last() {
        let times = match beats.len() {
            1 => "a heartbeat".to_owned(),
            count => format!("{count} heartbeats"),
        };
        lines.push(format!("{times}, the last at {}", last.at));
    }
    lines.extend(all.iter().take(NAMED_MAX).map(|a| line(a, "")));
    if all.len() > NAMED_MAX {
        lines.push(format!("{} more callbacks", all.len() - NAMED_MAX));
    }
    let strays = story.strays.iter().take(NAMED_MAX);
    lines.extend(strays.map(|a| line(a, ", perhaps for this wait")));
    if lines.is_empty() {
        let answered = story.wait().and_then(|wait| wait.ended.as_ref());
        let waits = story.wait().is_some_and(Wait::is_callback);
        lines.push(match answered {
            Some((_, Ended::Succeeded | Ended::Failed(_))) if waits => {
                "no callback through the gateway; it was answered by its worker".to_owned()
            }
            _ => "no callback".to_owned(),
        });
    }
    lines
}

fn line(arrived: &Arrived, perhaps: &str) -> String {
    let taken_for: Vec<_> = arrived.steps.iter().map(|(_, d, _)| d.name()).collect();
    let taken_for = match taken_for.is_empty() {
        true => "on its way".to_owned(),
        false => taken_for.join(", then "),
    };
    format!(
        "{taken_for} at {}{perhaps}: delivery {}",
        arrived.at, arrived.id
    )
}

fn disposition(arrived: &Arrived) -> Option<Disposition> {
    arrived.steps.last().map(|(_, disposition, _)| *disposition)
}

fn is_plain(disposition: Disposition) -> bool {
    matches!(
        disposition,
        Disposition::Delivered | Disposition::Heartbeat | Disposition::Early
    )
}

/// What to do: what the last callback out of order asks for, else what the wait does.
fn next(story: &Story) -> String {
    let asked = story
        .trail
        .arrived
        .first()
        .filter(|_| story.asked == Asked::Delivery);
    let newest = story
        .trail
        .arrived
        .iter()
        .max_by(|one, other| one.id.cmp(&other.id));
    let last = asked.or(newest);
    if last.is_some_and(|arrived| arrived.given_up) {
        return GIVEN_UP.to_owned();
    }
    let odd = last
        .and_then(disposition)
        .filter(|disposition| !is_plain(*disposition));
    if let Some(disposition) = odd {
        return Kind::Callback(disposition).next_step().to_owned();
    }
    if let Some(stray) = story.strays.first() {
        let step =
            disposition(stray).map_or("", |disposition| Kind::Callback(disposition).next_step());
        return format!("See whether it was delivery {}. {step}", stray.id);
    }
    let reference = story
        .trail
        .registrations
        .first()
        .map(|r| r.reference.as_str());
    let about = match reference {
        Some(reference) => format!(" for {reference:?}"),
        None => String::new(),
    };
    let status = story.execution.as_ref().map(engine::Execution::status);
    let wait = story.wait();
    match (status, wait.map(|wait| (wait, &wait.ended))) {
        (Some(Status::Succeeded), _) => "Nothing has to be done.".to_owned(),
        (_, Some((wait, None))) if wait.is_callback() && !wait.submitted && reference.is_none() => {
            "The request is with its resource; see that this answers and registers a reference."
                .to_owned()
        }
        (_, Some((wait, None))) if wait.is_callback() => format!(
            "Ask the third party what became of the work{about}; answer for it with SendTaskSuccess or SendTaskFailure, or stop the execution."
        ),
        (_, Some((wait, None))) => format!("{} is at work; see that it answers.", wait.of_whom()),
        (_, Some((wait, Some((_, Ended::HeartbeatTimedOut))))) => format!(
            "Ask why the heartbeats{about} stopped, which {} demands every {} s; then start or redrive the execution.",
            wait.state,
            wait.heartbeat_seconds.unwrap_or_default()
        ),
        (_, Some((wait, Some((_, Ended::TimedOut))))) if wait.is_callback() => format!(
            "Ask the third party why no callback came{about}; then start or redrive the execution."
        ),
        (_, Some((wait, Some((_, Ended::Failed(why)))))) => format!(
            "See why {} failed ({}); then start or redrive the execution.",
            wait.of_whom(),
            why.split(':').next().unwrap_or(why)
        ),
        (Some(Status::Running), _) => "Nothing has to be done: it is running.".to_owned(),
        (Some(_), _) => "See in the history why it ended; then start or redrive it.".to_owned(),
        (None, _) if story.engine().is_some() => {
            "Look at its engine what became of it; `rejoin engines` says whether that answers."
                .to_owned()
        }
        (None, _) => "The execution is no longer kept; nothing is left to be done here.".to_owned(),
    }
}

fn machine_name(arn: &str) -> &str {
    arn.rsplit(':').next().unwrap_or(arn)
}

/// So many milliseconds, for people.
fn span(millis: i64) -> String {
    let seconds = millis / 1000;
    match seconds {
        ..60 => format!("{} s", millis as f64 / 1000.0),
        60..3600 => format!("{} min {} s", seconds / 60, seconds % 60),
        3600..86_400 => format!("{} h {} min", seconds / 3600, seconds / 60 % 60),
        _ => format!("{} d {} h", seconds / 86_400, seconds / 3600 % 24),
    }
}
