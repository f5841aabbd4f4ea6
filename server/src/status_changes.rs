//! Execution status changes, as EventBridge tells them.
//!
//! An event is published in the very commit that changes the status, so it is neither lost nor told of
//! something that did not happen; from there on it is a topic's message. Its members are AWS's ("Step Functions
//! Execution Status Change"), moments as milliseconds. Express executions have no events, as on AWS. The
//! children of Map Runs have some only for who names their machine (`MACHINE/LABEL`): there may be a million.

use asl::{Data, Failure, Timestamp};
use engine::{Event, EventKind, Execution, Identity, NotRedrivable, Status};
use serde::Deserialize;
use serde_json::{Value, json};
use store::DocumentChange;
use uuid::Uuid;

use crate::app::Place;
use crate::topics::{Publish, Topics};

/// How many bytes input and output may have, as they are escaped in an event: AWS's own limit.
const PAYLOAD_BYTES_MAX: usize = 248 * 1024;

/// `[[status_changes]]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StatusChangeConfig {
    /// Who hears of them.
    pub topic: String,
    /// Of which state machines, by name or ARN; by default of all.
    #[serde(default)]
    pub state_machines: Vec<String>,
    /// To which statuses; by default to any.
    #[serde(default)]
    pub statuses: Vec<String>,
}

/// Who hears of which changes.
pub struct StatusChanges {
    place: Place,
    topics: Topics,
    rules: Vec<Rule>,
}

struct Rule {
    topic_arn: String,
    state_machines: Vec<String>,
    statuses: Vec<Status>,
}

/// A status that an execution has got.
struct Change<'a> {
    at: Timestamp,
    status: Status,
    /// With what it ended.
    output: Option<&'a Data>,
    failure: Option<Failure>,
    redrives: u32,
    redriven_at: Option<Timestamp>,
}

const STATUSES: [Status; 5] = [
    Status::Running,
    Status::Succeeded,
    Status::Failed,
    Status::TimedOut,
    Status::Aborted,
];

impl StatusChanges {
    /// The changes that topics are to hear of.
    ///
    /// # Errors
    /// One sentence: what is wrong with the configuration and what to do.
    pub fn new(
        configs: Vec<StatusChangeConfig>,
        place: Place,
        topics: Topics,
    ) -> Result<StatusChanges, String> {
        let rule = |config: StatusChangeConfig| {
            let StatusChangeConfig {
                topic,
                state_machines,
                statuses,
            } = config;
            let topic_arn = topics.arn(&topic).ok_or_else(|| {
                format!("[[status_changes]] names the topic {topic:?}, which is not configured; add [topics.{topic}], or name a topic that is")
            })?;
            let status = |name: &String| {
                let found = STATUSES.into_iter().find(|status| status.name() == name);
                found.ok_or_else(|| {
                    let known = STATUSES.map(Status::name).join(", ");
                    format!("[[status_changes]] names the status {name:?}; there are {known}")
                })
            };
            let statuses = statuses.iter().map(status).collect::<Result<_, _>>()?;
            Ok(Rule {
                topic_arn,
                state_machines,
                statuses,
            })
        };
        let rules = configs
            .into_iter()
            .map(rule)
            .collect::<Result<_, String>>()?;
        Ok(StatusChanges {
            place,
            topics,
            rules,
        })
    }

    /// Messages for the commit that stores `events`, after which the execution is `execution`.
    pub fn documents(&self, execution: &Execution, events: &[Event]) -> Vec<DocumentChange> {
        let identity = execution.identity();
        if !self.rules.iter().any(|rule| rule.is_of(identity)) {
            return Vec::new();
        }
        let mut documents = Vec::new();
        for change in changes(execution, events) {
            let mut message = None;
            let span = identity.execution_span(change.redrives);
            for rule in &self.rules {
                if !rule.is_of(identity) || !rule.hears_of(change.status) {
                    continue;
                }
                let message =
                    message.get_or_insert_with(|| self.event(execution, &change).to_string());
                let publish = Publish {
                    message: message.clone(),
                    subject: None,
                    attributes: None,
                    trace: Some(identity.trace().below(span)),
                };
                let prepared = self.topics.prepare(&rule.topic_arn, publish);
                documents.extend(prepared.map(|prepared| prepared.change));
            }
        }
        documents
    }

    /// The event as EventBridge has it.
    fn event(&self, execution: &Execution, change: &Change<'_>) -> Value {
        let identity = execution.identity();
        let escaped = |data: &Data| json!(data.text()).to_string().len();
        let input_bytes = escaped(&identity.input);
        let output_bytes = change.output.map_or(0, escaped);
        let input = (input_bytes + output_bytes <= PAYLOAD_BYTES_MAX).then_some(&identity.input);
        let output = change.output.filter(|_| output_bytes <= PAYLOAD_BYTES_MAX);
        let ended = change.status != Status::Running;
        let redrivable = match change.status {
            Status::Running => Err(NotRedrivable::Running),
            _ => execution.redrivable(change.at),
        };
        let failure = change.failure.as_ref();
        // AWS's events have seconds here, and milliseconds below.
        let time = Timestamp(change.at.0.div_euclid(1000) * 1000).to_string();
        json!({
            "version": "0",
            "id": Uuid::new_v4().to_string(),
            "detail-type": "Step Functions Execution Status Change",
            "source": "aws.states",
            "account": self.place.account,
            "time": time.replace(".000Z", "Z"),
            "region": self.place.region,
            "resources": [&*identity.arn],
            "detail": {
                "executionArn": &*identity.arn,
                "stateMachineArn": &*identity.state_machine_arn,
                "stateMachineVersionArn": identity.version_arn(),
                "stateMachineAliasArn": identity.alias_arn(),
                "name": &*identity.name,
                "status": change.status.name(),
                "startDate": identity.started_at.0,
                "stopDate": ended.then_some(change.at.0),
                "input": input.map(Data::text),
                "inputDetails": { "included": input.is_some() },
                "output": output.map(Data::text),
                "outputDetails": change.output.map(|_| json!({ "included": output.is_some() })),
                "error": failure.and_then(|failure| failure.error.as_deref()),
                "cause": failure.and_then(|failure| failure.cause.as_deref()),
                "redriveCount": change.redrives,
                "redriveDate": change.redriven_at.map(|at| at.0),
                "redriveStatus": match redrivable {
                    Ok(()) => "REDRIVABLE",
                    Err(_) => "NOT_REDRIVABLE",
                },
                "redriveStatusReason": redrivable.err().map(NotRedrivable::reason),
            },
        })
    }
}

impl Rule {
    fn is_of(&self, identity: &Identity) -> bool {
        let arn = &*identity.state_machine_arn;
        let name = arn.rsplit(':').next().unwrap_or(arn);
        match self.state_machines.is_empty() {
            true => identity.map_run.is_none(),
            false => self
                .state_machines
                .iter()
                .any(|wanted| wanted == arn || wanted == name),
        }
    }

    fn hears_of(&self, status: Status) -> bool {
        self.statuses.is_empty() || self.statuses.contains(&status)
    }
}

/// The statuses that an execution has got by these events, in their order.
fn changes<'a>(execution: &'a Execution, events: &[Event]) -> Vec<Change<'a>> {
    let (mut redrives, mut redriven_at) = execution.redrives();
    // Before the redrives among these events there were fewer.
    for event in events.iter().rev() {
        if let EventKind::ExecutionRedriven { count, .. } = &event.kind {
            redrives = count - 1;
            redriven_at = None;
        }
    }
    let mut changes = Vec::new();
    for event in events {
        let (status, failure) = match &event.kind {
            EventKind::ExecutionStarted { .. } => (Status::Running, None),
            EventKind::ExecutionRedriven { count, .. } => {
                (redrives, redriven_at) = (*count, Some(event.at));
                (Status::Running, None)
            }
            EventKind::ExecutionSucceeded => (Status::Succeeded, None),
            EventKind::ExecutionFailed { failure } => (Status::Failed, Some(failure.clone())),
            EventKind::ExecutionTimedOut => {
                let closing = execution.closing();
                let failure = closing.and_then(|closing| closing.failure.clone());
                (Status::TimedOut, failure)
            }
            EventKind::ExecutionAborted { error, cause } => {
                let failure = Failure {
                    error: error.clone().map(Into::into),
                    cause: cause.clone(),
                };
                (Status::Aborted, Some(failure))
            }
            _ => continue,
        };
        // One that has succeeded stays so: what it closed with is its output.
        let output = match status {
            Status::Succeeded => execution
                .closing()
                .and_then(|closing| closing.output.as_ref()),
            _ => None,
        };
        changes.push(Change {
            at: event.at,
            status,
            output,
            failure,
            redrives,
            redriven_at,
        });
    }
    changes
}
