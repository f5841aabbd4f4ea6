//! An Express execution as it passes. Nothing of it is stored, so it is told, and kept as far as it is asked
//! for, while it happens; the execution waits for that, so one that never ends needs no memory.

use std::sync::Arc;

use asl::{Data, Failure, Timestamp};
use engine::history::Projection;
use engine::{Event, EventKind, HistoryEvent, Identity, Status};
use server::app::App;
use tokio::sync::oneshot;

use super::narrator::Narrator;
use super::stage::Ended;

/// So many events are kept of a history, as many as one that is stored can have.
const HISTORY_MAX: usize = 25_000;

/// What is to be done with what passes.
pub(super) enum Wanted {
    /// Lines for a person.
    Lines(Narrator),
    /// The history, for a program.
    History,
}

/// Follows the first Express execution that is started from now on, which is the one that is run; others are
/// its own. Gives its end.
pub(super) fn follow(app: &App, wanted: Wanted) -> oneshot::Receiver<Ended> {
    let (told, ended) = oneshot::channel();
    let following = std::sync::Mutex::new(Following {
        wanted,
        execution: None,
        projection: Projection::new(true),
        history: Vec::new(),
        left_out: 0,
        told: Some(told),
    });
    app.runner.show_unstored(move |identity, events| {
        let mut following = following.lock().expect("nobody panics who has it");
        following.see(identity, events);
    });
    ended
}

struct Following {
    wanted: Wanted,
    /// Its ARN, once it has begun, and when.
    execution: Option<(Arc<str>, Timestamp)>,
    projection: Projection,
    history: Vec<HistoryEvent>,
    /// How many events are not in the history.
    left_out: u64,
    told: Option<oneshot::Sender<Ended>>,
}

impl Following {
    fn see(&mut self, identity: &Identity, events: &[Event]) {
        let begun = (identity.arn.clone(), identity.started_at);
        let (arn, started_at) = self.execution.get_or_insert(begun).clone();
        if identity.arn != arn {
            return;
        }
        for event in events {
            self.projection.follow(event);
            let shown = self.projection.take();
            let end = match event.kind.ends_execution() {
                true => Some(end(event, shown.last())),
                false => None,
            };
            match &mut self.wanted {
                Wanted::Lines(narrator) => {
                    // No task of an Express execution waits for an answer.
                    for line in narrator.tell(event, |_| None) {
                        eprintln!("{line}");
                    }
                }
                Wanted::History => {
                    let room = HISTORY_MAX - self.history.len();
                    self.left_out += shown.len().saturating_sub(room) as u64;
                    self.history.extend(shown.into_iter().take(room));
                }
            }
            if let Some((status, output, failure)) = end
                && let Some(told) = self.told.take()
            {
                // Whoever has given up waiting needs no end.
                let _ = told.send(Ended {
                    arn: arn.to_string(),
                    status,
                    started_at,
                    stopped_at: event.at,
                    output,
                    failure,
                    history: std::mem::take(&mut self.history),
                    left_out: self.left_out,
                });
            }
        }
    }
}

/// Status, output and failure, by the event that ends an execution and what the history makes of it.
fn end(event: &Event, shown: Option<&HistoryEvent>) -> (Status, Option<Data>, Option<Failure>) {
    match &event.kind {
        EventKind::ExecutionFailed { failure } => (Status::Failed, None, Some(failure.clone())),
        EventKind::ExecutionTimedOut => {
            let failure = Failure {
                error: Some("States.Timeout".into()),
                cause: None,
            };
            (Status::TimedOut, None, Some(failure))
        }
        EventKind::ExecutionAborted { error, cause } => {
            let failure = Failure {
                error: error.clone().map(Into::into),
                cause: cause.clone(),
            };
            (Status::Aborted, None, Some(failure))
        }
        _ => {
            let details = shown.and_then(|shown| shown.details.as_ref());
            let output = details.and_then(|details| details["output"].as_str());
            let output = output.and_then(|text| Data::parse(text).ok());
            (Status::Succeeded, output, None)
        }
    }
}
