//! Subscribers that fail: who is told of it, and how they are doing.
//!
//! A subscriber that has failed for a while is an alert to everybody else; that it takes messages again, too. Of
//! an alert about a failing subscriber nobody is told that it could not be delivered, or two that fail would
//! tell of each other for ever.
//!
//! That a subscriber was said to fail is a document until it takes a message again, whichever: the one that it
//! did not take may have been given up.

use std::collections::BTreeMap;

use serde::Serialize;
use store::{DocumentChange, Expect, Store, Table};

use super::message::{Delivery, Message};
use super::reading::Reading;
use crate::alerts::{Alert, Kind};

/// After how many failed attempts a subscriber counts as failing: about a minute.
pub const FAILING_AFTER: u32 = 5;

/// The alerts about what an attempt has come to; `is_told` says which subscribers were said to fail.
pub fn alerts(
    topic: &str,
    topic_arn: &str,
    before: &[Delivery],
    message: &Message,
    is_told: impl Fn(&str) -> bool,
) -> Vec<Alert> {
    let pairs = before.iter().zip(&message.deliveries);
    let mut news: Vec<(&Delivery, News)> = pairs
        .filter_map(|(before, after)| Some((after, news(before, after, &is_told)?)))
        .collect();
    if news.iter().any(|(_, news)| *news != News::Well)
        && Reading::of(topic_arn, message).is_about_a_subscriber()
    {
        news.retain(|(_, news)| *news == News::Well);
    }
    let about = |(delivery, news): (&Delivery, News)| {
        let (attempts, id) = (delivery.attempts, &message.id);
        let error = delivery.last_error.as_deref().unwrap_or_default();
        let subscriber = &delivery.subscriber;
        let description = match news {
            News::Failing => format!(
                "Failing subscriber: {subscriber} has not taken the message {id} in {attempts} attempts, and it is tried again. {error}"
            ),
            News::GivenUp => format!(
                "Failing subscriber: {subscriber} will not get the message {id}, which was given up after {attempts} attempts. {error}"
            ),
            News::Well => {
                format!(
                    "{subscriber} takes messages again: it has taken the message {id} in attempt {attempts}."
                )
            }
        };
        let source = format!("rejoin, topic {topic}");
        Alert {
            resolved: news == News::Well,
            since: Some(message.published_at.into()),
            topic: Some(topic.to_owned()),
            subscriber: Some(subscriber.clone()),
            message_id: Some(id.clone()),
            attempts: Some(attempts.max(1)),
            last_error: delivery.last_error.clone(),
            // Of the message: who looks for what belongs to a trace finds that nobody was told of it.
            trace_id: message.trace.as_ref().map(|of| of.trace.to_string()),
            ..Alert::new(Kind::FailingSink, source, description)
        }
    };
    news.into_iter().map(about).collect()
}

#[derive(Clone, Copy, PartialEq)]
enum News {
    Failing,
    GivenUp,
    Well,
}

fn news(before: &Delivery, after: &Delivery, is_told: impl Fn(&str) -> bool) -> Option<News> {
    if before.given_up_at.is_none() && after.given_up_at.is_some() {
        return Some(News::GivenUp);
    }
    if before.delivered_at.is_none() && after.delivered_at.is_some() {
        let told = before.attempts >= FAILING_AFTER || is_told(&after.subscriber);
        return told.then_some(News::Well);
    }
    (before.attempts < FAILING_AFTER && after.attempts == FAILING_AFTER).then_some(News::Failing)
}

/// Whether a subscriber was said to fail, and not to be well again.
pub fn is_told(store: &Store, topic: &str, subscriber: &str) -> bool {
    let key = told_key(topic, subscriber);
    let found = store.keys(Table::FailingSink, &key, None, 1, false);
    found.first() == Some(&key)
}

/// What is remembered of an alert about a subscriber.
pub fn told(alert: &Alert) -> Option<DocumentChange> {
    Some(DocumentChange {
        table: Table::FailingSink,
        key: told_key(alert.topic.as_deref()?, alert.subscriber.as_deref()?),
        // Two messages may find it well, or failing, at the same time.
        expect: Expect::Any,
        content: (!alert.resolved).then(Vec::new),
        due: None,
    })
}

fn told_key(topic: &str, subscriber: &str) -> String {
    format!("{topic}/{subscriber}")
}

/// How a subscriber is doing, by the latest messages of its topic.
#[derive(Debug, Default, Clone, Serialize)]
pub struct SubscriberState {
    /// For example `http:http://127.0.0.1:9000/`.
    pub subscriber: String,
    /// `ok`, `failing`, or `idle` if it has had nothing to take.
    pub status: &'static str,
    /// Messages that it has taken.
    pub delivered: u32,
    /// Messages that it has yet to take.
    pub pending: u32,
    /// Messages that it will not get.
    pub given_up: u32,
    /// When it took one last, RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_delivered_at: Option<String>,
    /// When it is tried next, RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_attempt_at: Option<String>,
    /// What was wrong the last time that something was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_error: Option<String>,
}

/// How these subscribers are doing: made of messages that come one by one, newest first.
pub struct States {
    order: Vec<String>,
    all: BTreeMap<String, (SubscriberState, Times)>,
}

impl States {
    /// Of these.
    pub fn of<'a>(subscribers: impl Iterator<Item = &'a str>) -> States {
        let order: Vec<String> = subscribers.map(str::to_owned).collect();
        let state = |subscriber: &String| SubscriberState {
            subscriber: subscriber.clone(),
            ..SubscriberState::default()
        };
        let all = order
            .iter()
            .map(|s| (s.clone(), (state(s), Times::default())));
        States {
            all: all.collect(),
            order,
        }
    }

    /// The next message.
    pub fn add(&mut self, message: &Message) {
        for delivery in &message.deliveries {
            // Those that are no longer configured are not asked for.
            if let Some((state, times)) = self.all.get_mut(&delivery.subscriber) {
                add(state, times, delivery);
            }
        }
    }

    /// That were all, in the order of the configuration.
    pub fn done(mut self) -> Vec<SubscriberState> {
        let mut states = Vec::with_capacity(self.order.len());
        for subscriber in &self.order {
            let (mut state, times) = self.all.remove(subscriber).unwrap_or_default();
            state.status = match (times.failed, times.delivered) {
                (None, None) if state.pending == 0 => "idle",
                (Some(failed), delivered) if delivered.is_none_or(|at| at <= failed) => "failing",
                _ => "ok",
            };
            state.last_delivered_at = times.delivered.map(|at| at.to_string());
            state.next_attempt_at = times.next.map(|at| at.to_string());
            states.push(state);
        }
        states
    }
}

#[derive(Default)]
struct Times {
    delivered: Option<asl::Timestamp>,
    /// Of the newest message that it did not take.
    failed: Option<asl::Timestamp>,
    next: Option<asl::Timestamp>,
}

fn add(state: &mut SubscriberState, times: &mut Times, delivery: &Delivery) {
    match (delivery.delivered_at, delivery.given_up_at) {
        (Some(at), _) => {
            state.delivered += 1;
            times.delivered = times.delivered.max(Some(at));
        }
        (None, Some(at)) => {
            state.given_up += 1;
            times.failed = times.failed.max(Some(at));
        }
        (None, None) => {
            state.pending += 1;
            let next = delivery.next_attempt_at;
            times.next = match (times.next, next) {
                (Some(a), Some(b)) => Some(a.min(b)),
                (a, b) => a.or(b),
            };
            if delivery.attempts > 0 {
                times.failed = times.failed.max(next);
            }
        }
    }
    if delivery.delivered_at.is_none() && state.last_error.is_none() {
        state.last_error.clone_from(&delivery.last_error);
    }
}
