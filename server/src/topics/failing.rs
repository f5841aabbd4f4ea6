//! Subscribers that fail: who is told of it, and how they are doing.
//!
//! A subscriber that has failed for a while is an alert to everybody else; that it takes messages again, too. Of
//! an alert about a failing subscriber nobody is told that it could not be delivered, or two that fail would
//! tell of each other for ever.

use std::collections::BTreeMap;

use serde::Serialize;

use super::message::{Delivery, Message};
use super::reading::Reading;
use crate::alerts::{Alert, Kind};

/// After how many failed attempts a subscriber counts as failing: about a minute.
pub const FAILING_AFTER: u32 = 5;

/// The alerts about what an attempt has come to.
pub fn alerts(topic: &str, topic_arn: &str, before: &[Delivery], message: &Message) -> Vec<Alert> {
    let pairs = before.iter().zip(&message.deliveries);
    let news: Vec<(&Delivery, News)> = pairs
        .filter_map(|(before, after)| Some((after, news(before, after)?)))
        .collect();
    if news.is_empty() || Reading::of(topic_arn, message).is_about_a_subscriber() {
        return Vec::new();
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
                format!("{subscriber} has taken the message {id} after {attempts} attempts.")
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

fn news(before: &Delivery, after: &Delivery) -> Option<News> {
    if before.given_up_at.is_none() && after.given_up_at.is_some() {
        return Some(News::GivenUp);
    }
    if before.delivered_at.is_none() && after.delivered_at.is_some() {
        return (before.attempts >= FAILING_AFTER).then_some(News::Well);
    }
    (before.attempts < FAILING_AFTER && after.attempts == FAILING_AFTER).then_some(News::Failing)
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

/// How these subscribers are doing; the messages come newest first.
pub fn states<'a>(
    subscribers: impl Iterator<Item = &'a str>,
    messages: &[Message],
) -> Vec<SubscriberState> {
    let mut order = Vec::new();
    let mut all: BTreeMap<&str, (SubscriberState, Times)> = BTreeMap::new();
    for subscriber in subscribers {
        order.push(subscriber);
        all.entry(subscriber).or_default().0.subscriber = subscriber.to_owned();
    }
    for message in messages {
        for delivery in &message.deliveries {
            // Those that are no longer configured are not asked for.
            if let Some((state, times)) = all.get_mut(delivery.subscriber.as_str()) {
                add(state, times, delivery);
            }
        }
    }
    let mut states = Vec::with_capacity(order.len());
    for subscriber in order {
        let (mut state, times) = all.remove(subscriber).unwrap_or_default();
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
