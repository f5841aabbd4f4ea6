//! A message as it is stored, and as people see it.

use asl::Timestamp;
use engine::TraceContext;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Publish;
use super::delivery::Undelivered;
use super::retry;
use crate::trace::{self, Sent};

/// A stored message.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Message {
    /// `MessageId`.
    pub id: String,
    /// When it was published.
    pub published_at: Timestamp,
    /// The message, text.
    pub message: String,
    /// `Subject`.
    pub subject: Option<String>,
    /// `MessageAttributes`, as they were given.
    pub attributes: Option<Value>,
    /// One for each subscriber that the topic had.
    pub deliveries: Vec<Delivery>,
    /// The trace that what it tells of belongs to, and the step that tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace: Option<TraceContext>,
}

/// How far a message has come with one subscriber.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Delivery {
    /// [`super::delivery::Subscriber::key`].
    pub subscriber: String,
    /// How often it was tried.
    pub attempts: u32,
    /// When it is tried next; none if it is done with.
    pub next_attempt_at: Option<Timestamp>,
    /// What was wrong the last time.
    pub last_error: Option<String>,
    /// When the subscriber took it.
    pub delivered_at: Option<Timestamp>,
    /// When it was given up.
    pub given_up_at: Option<Timestamp>,
}

/// The key of a message's document; with an empty id what the keys of all messages of a topic begin with.
pub fn key(topic: &str, id: &str) -> String {
    format!("{topic}/{id}")
}

/// The topic's name in a key.
pub fn topic_of(key: &str) -> Option<&str> {
    Some(key.split_once('/')?.0)
}

impl Message {
    /// A message that has to be delivered to all subscribers at once.
    pub fn new<'a>(
        id: String,
        publish: Publish,
        subscribers: impl Iterator<Item = &'a str>,
        now: Timestamp,
    ) -> Message {
        let deliveries = subscribers
            .map(|subscriber| Delivery {
                subscriber: subscriber.to_owned(),
                attempts: 0,
                next_attempt_at: Some(now),
                last_error: None,
                delivered_at: None,
                given_up_at: None,
            })
            .collect();
        Message {
            trace: publish.trace.map(|of| trace::of_message(of, &id)),
            id,
            published_at: now,
            message: publish.message,
            subject: publish.subject,
            attributes: publish.attributes,
            deliveries,
        }
    }

    /// What whoever hears it is told of its trace.
    pub fn sent(&self) -> Option<Sent> {
        Sent::onward(self.trace.clone()?)
    }

    /// Reads a document's content.
    ///
    /// # Errors
    /// One sentence for the log.
    pub fn read(key: &str, content: &[u8]) -> Result<Message, String> {
        serde_json::from_slice(content)
            .map_err(|e| format!("the stored message {key} can't be read: {e}"))
    }

    /// The document's content.
    pub fn write(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("a message can always be written as JSON")
    }

    /// Whether all have taken it who were to.
    pub fn is_delivered(&self) -> bool {
        self.deliveries.iter().all(|d| d.delivered_at.is_some())
    }

    /// When the next attempt is due; none if all is done.
    pub fn next_attempt(&self) -> Option<Timestamp> {
        self.deliveries
            .iter()
            .filter_map(|d| d.next_attempt_at)
            .min()
    }

    /// The deliveries that are due.
    pub fn due(&self, now: Timestamp) -> Vec<usize> {
        let is_due = |d: &Delivery| d.next_attempt_at.is_some_and(|at| at <= now);
        (0..self.deliveries.len())
            .filter(|&index| is_due(&self.deliveries[index]))
            .collect()
    }

    /// Gives up all that is left to do.
    pub fn abandon(&mut self, why: &str, now: Timestamp) {
        for delivery in &mut self.deliveries {
            if delivery.next_attempt_at.is_some() {
                delivery.give_up(why, now);
            }
        }
    }

    /// The message for people. An object or an array is shown as such, not as its text.
    pub fn view(self, topic_arn: &str) -> MessageView {
        let message = match serde_json::from_str(&self.message) {
            Ok(value @ (Value::Object(_) | Value::Array(_))) => value,
            _ => Value::String(self.message),
        };
        MessageView {
            message_id: self.id,
            topic_arn: topic_arn.to_owned(),
            published_at: self.published_at.to_string(),
            subject: self.subject,
            message,
            attributes: self.attributes,
            deliveries: self.deliveries.into_iter().map(Delivery::view).collect(),
        }
    }
}

impl Delivery {
    /// Notes what an attempt came to.
    pub fn record(&mut self, came_to: Result<(), Undelivered>, now: Timestamp) {
        self.attempts += 1;
        self.next_attempt_at = None;
        match came_to {
            Ok(()) => {
                self.delivered_at = Some(now);
                self.last_error = None;
            }
            Err(Undelivered::ForGood(why)) => self.give_up(&why, now),
            Err(Undelivered::ForNow(why)) => match retry::seconds_until_next(self.attempts) {
                Some(seconds) => {
                    self.next_attempt_at = Some(now.plus_seconds(seconds));
                    self.last_error = Some(why);
                }
                None => self.give_up(&why, now),
            },
        }
    }

    /// It will not be delivered.
    pub fn give_up(&mut self, why: &str, now: Timestamp) {
        self.next_attempt_at = None;
        self.given_up_at = Some(now);
        self.last_error = Some(why.to_owned());
    }

    fn view(self) -> DeliveryView {
        let status = match (self.delivered_at, self.given_up_at) {
            (Some(_), _) => "delivered",
            (None, Some(_)) => "given up",
            (None, None) => "pending",
        };
        let text = |time: Option<Timestamp>| time.map(|time| time.to_string());
        DeliveryView {
            subscriber: self.subscriber,
            status,
            attempts: self.attempts,
            next_attempt_at: text(self.next_attempt_at),
            delivered_at: text(self.delivered_at),
            given_up_at: text(self.given_up_at),
            last_error: self.last_error,
        }
    }
}

/// A message as people see it.
#[derive(Debug, Serialize)]
pub struct MessageView {
    /// Its id.
    pub message_id: String,
    /// The topic's ARN.
    pub topic_arn: String,
    /// RFC 3339.
    pub published_at: String,
    /// Its subject.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// The message: an object or array if its text is one, otherwise the text.
    pub message: Value,
    /// Its attributes, as they were given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attributes: Option<Value>,
    /// How far it has come.
    pub deliveries: Vec<DeliveryView>,
}

/// How far a message has come with one subscriber, as people see it.
#[derive(Debug, Serialize)]
pub struct DeliveryView {
    /// For example `http:http://127.0.0.1:9000/`.
    pub subscriber: String,
    /// `pending`, `delivered` or `given up`.
    pub status: &'static str,
    /// How often it was tried.
    pub attempts: u32,
    /// RFC 3339, if it is pending.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_attempt_at: Option<String>,
    /// RFC 3339, if it was delivered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delivered_at: Option<String>,
    /// RFC 3339, if it was given up.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub given_up_at: Option<String>,
    /// What was wrong with the last attempt.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_error: Option<String>,
}

/// A page of messages, newest first.
#[derive(Debug, Serialize)]
pub struct MessagePage {
    /// What was found.
    pub messages: Vec<MessageView>,
    /// The id to go on after, if there may be more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}
