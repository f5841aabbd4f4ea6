//! What a message says, for people: the same for every subscriber that is read by one.
//!
//! An alert of this server and an event about an execution's status are known by their members. Of anything
//! else, an object's text members are its facts, and text is text.

use serde_json::{Map, Value, json};

use super::message::Message;
use crate::alerts::{Alert, Kind, Severity};

/// How much of a body that came is shown to people; the message itself has more.
const BODY_CHARS_MAX: usize = 1000;

/// How long a key for what belongs together may be: PagerDuty's limit.
const DEDUP_KEY_CHARS_MAX: usize = 255;

/// What a message says.
#[derive(Debug)]
pub struct Reading {
    /// A headline.
    pub title: String,
    /// How bad it is.
    pub severity: Severity,
    /// Who says it.
    pub source: String,
    /// What happened.
    pub text: String,
    /// What is known, by name.
    pub facts: Vec<(String, String)>,
    /// What to do next.
    pub next_step: Option<String>,
    /// Commands to paste.
    pub commands: Vec<String>,
    /// Where a console shows it.
    pub link: Option<String>,
    /// Whether it says that something is over.
    pub resolved: bool,
    /// Equal for messages about the same thing.
    pub dedup_key: String,
    /// What kind of message it is, for machines: an alert's kind, or what else.
    pub class: String,
    /// Which schema its JSON has, if one is published.
    pub schema: Option<&'static str>,
    /// What it is about.
    pub about: Option<String>,
    /// All of it.
    pub details: Value,
}

impl Reading {
    /// Reads a message.
    pub fn of(topic_arn: &str, message: &Message) -> Reading {
        let details = serde_json::from_str(&message.message).ok();
        match details {
            Some(Value::Object(members)) => Reading::of_object(topic_arn, message, members),
            _ => {
                let first = message.message.lines().next().unwrap_or_default();
                Reading {
                    title: message.subject.clone().unwrap_or_else(|| cut(first, 100)),
                    text: message.message.clone(),
                    details: json!({ "message": message.message }),
                    ..plain(topic_arn, message)
                }
            }
        }
    }

    fn of_object(topic_arn: &str, message: &Message, members: Map<String, Value>) -> Reading {
        let details = Value::Object(members);
        if details.get("alertId").is_some()
            && let Ok(alert) = <Alert as serde::Deserialize>::deserialize(&details)
        {
            return Reading::of_alert(&alert, details);
        }
        let event = details.get("detail").and_then(Value::as_object);
        if details.get("source").and_then(Value::as_str) == Some("aws.states")
            && let Some(event) = event
        {
            let reading = Reading::of_status_change(event, &details);
            return Reading { details, ..reading };
        }
        let member = |name: &str| details.get(name).and_then(Value::as_str).map(str::to_owned);
        let text = member("description").unwrap_or_else(|| details.to_string());
        let severity = member("severity").and_then(|name| Severity::named(&name));
        let plain = plain(topic_arn, message);
        Reading {
            title: message
                .subject
                .clone()
                .or_else(|| member("description").map(|text| cut(&text, 100)))
                .unwrap_or(plain.title),
            severity: severity.unwrap_or(plain.severity),
            source: member("source").unwrap_or(plain.source),
            text,
            facts: facts(&details, &["description", "severity"]),
            about: member("executionArn").or_else(|| member("executionId")),
            details,
            ..plain_again(plain.class, plain.dedup_key)
        }
    }

    fn of_alert(alert: &Alert, details: Value) -> Reading {
        let mut facts = Vec::new();
        let mut fact = |name: &str, value: Option<String>| {
            facts.extend(value.map(|value| (name.to_owned(), value)));
        };
        let at = |moment: Option<crate::alerts::Moment>| moment.map(|moment| moment.0.to_string());
        if alert.count > 1 {
            let between = (at(alert.first_at), at(alert.last_at));
            let between = match between {
                (Some(first), Some(last)) => format!(", from {first} to {last}"),
                _ => String::new(),
            };
            fact("Times", Some(format!("{}{between}", alert.count)));
        }
        let execution = alert.execution_name.clone();
        fact("Execution", execution.or(alert.execution_arn.clone()));
        fact("State machine", alert.state_machine_arn.clone());
        fact("State", alert.state_name.clone());
        fact("Route", alert.route.clone());
        fact("Reference", alert.reference.clone());
        fact("Since", at(alert.since));
        fact("Wait began", at(alert.wait_began_at));
        fact("Deadline", at(alert.wait_deadline));
        fact("Wait ended", at(alert.wait_ended_at));
        fact("Last heartbeat", at(alert.last_heartbeat_at));
        let late = alert.late_by_seconds;
        fact("Late by", late.map(|seconds| format!("{seconds} s")));
        fact("Callback came", at(alert.received_at));
        fact("From", alert.peer.clone().filter(|peer| !peer.is_empty()));
        fact("Delivery", alert.delivery_id.clone());
        fact("Request", alert.event_request_id.clone());
        let body = alert.event_body.as_deref().filter(|body| !body.is_empty());
        fact("Body", body.map(|body| cut(body, BODY_CHARS_MAX)));
        fact("Topic", alert.topic.clone());
        fact("Subscriber", alert.subscriber.clone());
        let attempts = alert.attempts;
        fact("Attempts", attempts.map(|attempts| attempts.to_string()));
        fact("Last error", alert.last_error.clone());
        let further = &alert.look_further;
        let commands = [
            &further.trace,
            &further.execution,
            &further.delivery,
            &further.reference,
            &further.topic,
            &further.alert,
        ];
        Reading {
            title: alert.subject(),
            severity: alert.severity,
            source: alert.source.clone(),
            text: alert.description.clone(),
            facts,
            next_step: (!alert.resolved).then(|| alert.next_step.clone()),
            commands: commands.into_iter().flatten().cloned().collect(),
            link: alert.link.clone(),
            resolved: alert.resolved,
            dedup_key: alert.dedup_key.clone(),
            class: alert.kind.name().to_owned(),
            schema: Some(crate::alerts::SCHEMA_ID),
            about: alert.execution_arn.clone().or(alert.delivery_id.clone()),
            details,
        }
    }

    fn of_status_change(event: &Map<String, Value>, details: &Value) -> Reading {
        let member = |name: &str| event.get(name).and_then(Value::as_str).map(str::to_owned);
        let (name, status) = (
            member("name").unwrap_or_default(),
            member("status").unwrap_or_default(),
        );
        let machine = member("stateMachineArn").unwrap_or_default();
        let machine = machine.rsplit(':').next().unwrap_or_default();
        let severity = match status.as_str() {
            "FAILED" | "TIMED_OUT" => Severity::Error,
            "ABORTED" => Severity::Warning,
            _ => Severity::Info,
        };
        let mut text = format!("The execution {name} of {machine} is {status}.");
        if let Some(error) = member("error") {
            text = format!("{text} {error}: {}", member("cause").unwrap_or_default());
        }
        Reading {
            title: cut(&format!("{machine} {status}: {name}"), 100),
            severity,
            source: details["source"].as_str().unwrap_or_default().to_owned(),
            text,
            facts: facts(&Value::Object(event.clone()), &["input", "output", "cause"]),
            next_step: None,
            commands: Vec::new(),
            link: None,
            // One that runs again, or has come to a good end, is not failed any more.
            resolved: matches!(status.as_str(), "RUNNING" | "SUCCEEDED"),
            dedup_key: tail(&member("executionArn").unwrap_or_default()),
            class: "execution-status".to_owned(),
            schema: None,
            about: member("executionArn"),
            details: Value::Null,
        }
    }

    /// Whether it is about a subscriber that fails, so that nothing is told of its own failing.
    pub fn is_about_a_subscriber(&self) -> bool {
        self.class == Kind::FailingSink.name()
    }
}

/// What is known of any message.
fn plain(topic_arn: &str, message: &Message) -> Reading {
    let topic = topic_arn.rsplit(':').next().unwrap_or(topic_arn);
    Reading {
        title: format!("A message on the topic {topic}"),
        source: topic_arn.to_owned(),
        ..plain_again("message".to_owned(), message.id.clone())
    }
}

/// A workflow that publishes to where somebody is woken means that something is wrong.
fn plain_again(class: String, dedup_key: String) -> Reading {
    Reading {
        title: String::new(),
        severity: Severity::Error,
        source: String::new(),
        text: String::new(),
        facts: Vec::new(),
        next_step: None,
        commands: Vec::new(),
        link: None,
        resolved: false,
        dedup_key,
        class,
        schema: None,
        about: None,
        details: Value::Null,
    }
}

/// The members of an object that are short enough to be read, but not those that are said elsewhere.
fn facts(object: &Value, elsewhere: &[&str]) -> Vec<(String, String)> {
    let members = object.as_object().into_iter().flatten();
    members
        .filter(|(name, _)| !elsewhere.contains(&name.as_str()))
        .filter_map(|(name, value)| {
            let text = match value {
                Value::String(text) => cut(text, BODY_CHARS_MAX),
                Value::Number(_) | Value::Bool(_) => value.to_string(),
                _ => return None,
            };
            Some((name.clone(), text))
        })
        .collect()
}

/// At most so many characters, the last one a sign that there was more.
pub fn cut(text: &str, chars_max: usize) -> String {
    if text.chars().count() <= chars_max {
        return text.to_owned();
    }
    let head = text.chars().take(chars_max.saturating_sub(1));
    head.chain(['…']).collect()
}

/// The end of an ARN, which tells it from others.
fn tail(arn: &str) -> String {
    let chars = arn.chars().count();
    arn.chars()
        .skip(chars.saturating_sub(DEDUP_KEY_CHARS_MAX))
        .collect()
}
