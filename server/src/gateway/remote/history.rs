//! How a wait elsewhere ended: read from its execution's history, if the worker said whose it is.
//!
//! The task is found by its token, which stands in what was scheduled; else by its state's name, if the
//! execution was in that state once only.

use asl::Timestamp;
use engine::Outcome;
use hashbrown::HashMap;
use serde_json::{Value, json};

use super::Remote;
use crate::gateway::record::Holder;
use crate::services::moment;

/// How many events a page has. They carry data, and 100 of the largest are as much as an answer may have.
const PAGE: usize = 100;
/// AWS's histories end with the 25,000th event.
const PAGES_MAX: usize = 250;

/// How a wait ended.
#[derive(Debug, Clone, PartialEq)]
pub struct Ending {
    /// In which way.
    pub how: How,
    /// When.
    pub at: Option<Timestamp>,
}

/// See [`Ending`].
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs)]
pub enum How {
    Succeeded(Option<Value>),
    Failed {
        error: Option<String>,
        cause: Option<String>,
    },
    TimedOut,
    HeartbeatTimedOut,
    /// The execution ended, and the wait with it.
    Stopped,
}

impl Ending {
    /// Whether it is what this outcome brings about.
    pub fn is_of(&self, outcome: &Outcome) -> bool {
        match (&self.how, outcome) {
            (How::Succeeded(Some(output)), Outcome::Success(sent)) => output == sent.value(),
            (How::Failed { error, cause }, Outcome::Failure(sent)) => {
                error.as_deref() == sent.error.as_deref() && *cause == sent.cause
            }
            _ => false,
        }
    }
}

impl Remote {
    /// How a holder's wait ended; `None` if that can't be known, or if it has not.
    pub async fn ending(&self, holder: &Holder) -> Option<Ending> {
        if holder.place.execution_arn.is_empty() {
            return None;
        }
        let mut search = Search::new(holder);
        let mut request = json!({
            "executionArn": holder.place.execution_arn,
            "maxResults": PAGE,
            "includeExecutionData": true,
        });
        for _ in 0..PAGES_MAX {
            let page = self.api.ask("GetExecutionHistory", &request).await.ok()?;
            for event in page["events"].as_array()? {
                search.see(event);
            }
            match page["nextToken"].as_str() {
                Some(next) => request["nextToken"] = next.into(),
                None => break,
            }
        }
        search.found()
    }
}

/// What is remembered while events pass, in their order.
struct Search<'a> {
    token: &'a str,
    state_name: &'a str,
    /// Events that may lead on to others: in which state they are, and of which task.
    known: HashMap<i64, (bool, Option<usize>)>,
    tasks: Vec<Task>,
}

struct Task {
    by_token: bool,
    in_state: bool,
    ending: Option<Ending>,
}

impl<'a> Search<'a> {
    fn new(holder: &'a Holder) -> Search<'a> {
        Search {
            token: &holder.token,
            state_name: &holder.place.state_name,
            known: HashMap::new(),
            tasks: Vec::new(),
        }
    }

    fn see(&mut self, event: &Value) {
        let id = event["id"].as_i64().unwrap_or_default();
        let kind = event["type"].as_str().unwrap_or_default();
        let before = event["previousEventId"].as_i64().unwrap_or_default();
        let (mut in_state, mut task) = self.known.get(&before).copied().unwrap_or_default();
        match kind {
            "TaskScheduled" | "ActivityScheduled" => {
                let details = match kind {
                    "TaskScheduled" => &event["taskScheduledEventDetails"]["parameters"],
                    _ => &event["activityScheduledEventDetails"]["input"],
                };
                let by_token = details
                    .as_str()
                    .is_some_and(|text| text.contains(self.token));
                task = Some(self.tasks.len());
                self.tasks.push(Task {
                    by_token,
                    in_state,
                    ending: None,
                });
            }
            _ if kind.ends_with("StateEntered") => {
                let name = event["stateEnteredEventDetails"]["name"].as_str();
                in_state = !self.state_name.is_empty() && name == Some(self.state_name);
                task = None;
            }
            // A redrive may follow, with tasks of its own.
            "ExecutionSucceeded" | "ExecutionFailed" | "ExecutionTimedOut" | "ExecutionAborted" => {
                for task in self.tasks.iter_mut().filter(|task| task.ending.is_none()) {
                    task.ending = Some(Ending {
                        how: How::Stopped,
                        at: moment(&event["timestamp"]),
                    });
                }
            }
            _ => {
                if let Some(how) = how(kind, event)
                    && let Some(task) = task
                {
                    self.tasks[task].ending = Some(Ending {
                        how,
                        at: moment(&event["timestamp"]),
                    });
                }
            }
        }
        self.known.insert(id, (in_state, task));
    }

    fn found(self) -> Option<Ending> {
        let by_token = self.tasks.iter().position(|task| task.by_token);
        let mut in_state = self.tasks.iter().filter(|task| task.in_state);
        let task = match by_token {
            Some(at) => &self.tasks[at],
            None => in_state.next().filter(|_| in_state.next().is_none())?,
        };
        task.ending.clone()
    }
}

fn how(kind: &str, event: &Value) -> Option<How> {
    let text = |details: &str, name: &str| event[details][name].as_str().map(str::to_owned);
    Some(match kind {
        "TaskSucceeded" | "ActivitySucceeded" => {
            let details = match kind {
                "TaskSucceeded" => "taskSucceededEventDetails",
                _ => "activitySucceededEventDetails",
            };
            let output = text(details, "output");
            How::Succeeded(output.and_then(|output| serde_json::from_str(&output).ok()))
        }
        // What was never asked (no permission, no such queue) waits for nobody either.
        "TaskFailed"
        | "TaskSubmitFailed"
        | "TaskStartFailed"
        | "ActivityFailed"
        | "ActivityScheduleFailed" => {
            let details = match kind {
                "TaskFailed" => "taskFailedEventDetails",
                "TaskSubmitFailed" => "taskSubmitFailedEventDetails",
                "TaskStartFailed" => "taskStartFailedEventDetails",
                "ActivityFailed" => "activityFailedEventDetails",
                _ => "activityScheduleFailedEventDetails",
            };
            How::Failed {
                error: text(details, "error"),
                cause: text(details, "cause"),
            }
        }
        "TaskTimedOut" | "ActivityTimedOut" => {
            let details = match kind {
                "TaskTimedOut" => "taskTimedOutEventDetails",
                _ => "activityTimedOutEventDetails",
            };
            match text(details, "error").as_deref() {
                Some("States.HeartbeatTimeout") => How::HeartbeatTimedOut,
                _ => How::TimedOut,
            }
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gateway::record::Place;

    fn holder(state_name: &str) -> Holder {
        Holder {
            token: "the-token".to_owned(),
            registered_at: Timestamp(0),
            place: Place {
                execution_arn: "arn".to_owned(),
                execution_name: String::new(),
                state_machine_arn: String::new(),
                state_name: state_name.to_owned(),
                wait_began_at: Timestamp(0),
                wait_deadline: None,
                trace_id: None,
            },
            engine: None,
            over_at: None,
            stuck_told_at: None,
        }
    }

    /// Events, each after the one before, a second apart; `scheduled TEXT` with that as parameters.
    fn ending(state_name: &str, kinds: &[&str]) -> Option<Ending> {
        let holder = holder(state_name);
        let mut search = Search::new(&holder);
        for (index, kind) in kinds.iter().enumerate() {
            let (kind, text) = kind.split_once(' ').unwrap_or((kind, ""));
            search.see(&json!({
                "id": index + 1, "previousEventId": index, "timestamp": index + 1, "type": kind,
                "taskScheduledEventDetails": { "parameters": text },
                "stateEnteredEventDetails": { "name": text },
                "taskTimedOutEventDetails": { "error": text },
                "taskSubmitFailedEventDetails": { "error": text },
            }));
        }
        search.found()
    }

    #[test]
    fn a_wait_has_the_end_of_its_own_task_or_of_its_execution() {
        type Row<'a> = (&'a str, &'a [&'a str], Option<(How, i64)>);
        let stopped = |seconds: i64| (How::Stopped, seconds);
        let rows: [Row<'_>; 9] = [
            ("", &["ExecutionStarted", "TaskScheduled the-token"], None),
            (
                "",
                &["TaskScheduled the-token", "TaskTimedOut States.Timeout"],
                Some((How::TimedOut, 2)),
            ),
            (
                "",
                &[
                    "TaskScheduled the-token",
                    "TaskTimedOut States.HeartbeatTimeout",
                    "ExecutionFailed",
                ],
                Some((How::HeartbeatTimedOut, 2)),
            ),
            (
                "",
                &["TaskScheduled the-token", "ExecutionAborted"],
                Some(stopped(2)),
            ),
            (
                "",
                &[
                    "TaskScheduled the-token",
                    "TaskSubmitFailed SQS.Denied",
                    "ExecutionFailed",
                ],
                Some((
                    How::Failed {
                        error: Some("SQS.Denied".to_owned()),
                        cause: None,
                    },
                    2,
                )),
            ),
            // The first of two ends: what comes after a redrive has nothing to do with it.
            (
                "",
                &[
                    "TaskScheduled the-token",
                    "ExecutionFailed",
                    "ExecutionRedriven",
                    "TaskScheduled other",
                    "ExecutionFailed",
                ],
                Some(stopped(2)),
            ),
            (
                "",
                &[
                    "TaskScheduled other",
                    "ExecutionFailed",
                    "ExecutionRedriven",
                    "TaskScheduled the-token",
                ],
                None,
            ),
            // Without the token, by its state, if that was there once.
            (
                "Ask",
                &[
                    "TaskStateEntered Ask",
                    "TaskScheduled x",
                    "ExecutionTimedOut",
                ],
                Some(stopped(3)),
            ),
            (
                "Ask",
                &[
                    "TaskStateEntered Ask",
                    "TaskScheduled x",
                    "TaskStateEntered Ask",
                    "TaskScheduled x",
                    "ExecutionTimedOut",
                ],
                None,
            ),
        ];
        for (state_name, kinds, expected) in rows {
            let expected = expected.map(|(how, seconds)| Ending {
                how,
                at: Some(Timestamp(seconds * 1000)),
            });
            assert_eq!(ending(state_name, kinds), expected, "{kinds:?}");
        }
    }
}
