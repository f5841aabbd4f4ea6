//! Subscribers, and one attempt at one of them.

use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use hyper::{Method, StatusCode};
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::aws::{self, EventBridgeConfig};
use super::cloud_events::{self, CloudEventsConfig};
use super::email::Email;
use super::message::Message;
use super::pagerduty::PagerDuty;
use super::reading::Reading;
use super::slack::{self, Slack};
use super::{All, SubscriberConfig, WebhookConfig, envelope, file};
use crate::client::address;
use crate::clock::Busy;
use crate::functions::{Functions, Invoked};
use crate::gateway::verify::Signer;
use crate::log;
use crate::trace::Sent;

/// How long an endpoint may take, in real time, as with SNS. A delivery keeps virtual time standing as long.
const HTTP_LIMIT: Duration = Duration::from_secs(15);

const LOG_LEVELS: [&str; 4] = ["error", "warn", "info", "debug"];

/// Somebody who hears what is published to a topic.
pub struct Subscriber {
    /// Names it in stored messages: kind and address, for example `function:on-error`.
    pub key: String,
    /// `TOPIC_ARN:UUID`, the UUID made from the key.
    pub arn: String,
    sink: Sink,
}

/// What a subscriber is, checked.
enum Sink {
    Http(String),
    Webhook { url: String, signer: Signer },
    Function(String),
    Log(String),
    File(PathBuf),
    Email(Box<Email>),
    Slack(Slack),
    PagerDuty(PagerDuty),
    CloudEvents(CloudEventsConfig),
    Sns(String),
    EventBridge(EventBridgeConfig),
}

/// Why an attempt failed.
#[derive(Debug)]
pub enum Undelivered {
    /// Another attempt may succeed.
    ForNow(String),
    /// No attempt will succeed.
    ForGood(String),
}

impl Subscriber {
    /// The error completes the sentence "the topic NAME ...".
    pub fn new(
        config: SubscriberConfig,
        topic_arn: &str,
        functions: &Functions,
    ) -> Result<Subscriber, String> {
        let (key, sink) = sink(config, functions)?;
        let digest = Sha256::digest(key.as_bytes());
        let head = digest.first_chunk::<16>().expect("a SHA-256 has 32 bytes");
        let uuid = uuid::Builder::from_custom_bytes(*head).into_uuid();
        Ok(Subscriber {
            key,
            arn: format!("{topic_arn}:{uuid}"),
            sink,
        })
    }
}

impl Subscriber {
    /// Whether what it is told of stays open there until it is told that it is over.
    pub fn keeps_incidents(&self) -> bool {
        matches!(self.sink, Sink::PagerDuty(_))
    }
}

fn sink(config: SubscriberConfig, functions: &Functions) -> Result<(String, Sink), String> {
    let wrong = |what: String| format!("has a wrong subscriber: {what}");
    Ok(match config {
        SubscriberConfig::Http(url) => {
            address(&url).map_err(wrong)?;
            (format!("http:{url}"), Sink::Http(url))
        }
        SubscriberConfig::Webhook(WebhookConfig { url, secrets }) => {
            address(&url).map_err(wrong)?;
            if secrets.is_empty() {
                return Err(
                    "has a webhook without `secrets`; give one to sign with, or use `http`".into(),
                );
            }
            let mut signer = Signer::default();
            for (index, secret) in secrets.iter().enumerate() {
                let added = secret.read().and_then(|text| signer.add(&text));
                added.map_err(|what| format!("has a webhook whose `secrets[{index}]` {what}"))?;
            }
            (format!("webhook:{url}"), Sink::Webhook { url, signer })
        }
        SubscriberConfig::Function(name) => {
            if !functions.has(&name) {
                return Err(format!(
                    "has the function {name:?} as a subscriber, which is not in the configuration; add [functions.{name}]"
                ));
            }
            (format!("function:{name}"), Sink::Function(name))
        }
        SubscriberConfig::Log(level) => {
            if !LOG_LEVELS.contains(&&*level) {
                return Err(format!(
                    "has the log level {level:?}; it has to be one of {}",
                    LOG_LEVELS.join(", ")
                ));
            }
            (format!("log:{level}"), Sink::Log(level))
        }
        SubscriberConfig::File(path) => {
            file::check(&path).map_err(|what| format!("can't write to its subscriber: {what}"))?;
            (format!("file:{}", path.display()), Sink::File(path))
        }
        SubscriberConfig::Email(config) => {
            let email = Email::new(*config)?;
            (email.key(), Sink::Email(Box::new(email)))
        }
        SubscriberConfig::Slack(config) => {
            let slack = Slack::new(&config)?;
            (slack.key(), Sink::Slack(slack))
        }
        SubscriberConfig::Pagerduty(config) => {
            let pagerduty = PagerDuty::new(&config)?;
            (pagerduty.key(), Sink::PagerDuty(pagerduty))
        }
        SubscriberConfig::Cloudevents(config) => {
            address(&config.url).map_err(wrong)?;
            (
                format!("cloudevents:{}", config.url),
                Sink::CloudEvents(config),
            )
        }
        SubscriberConfig::Sns(arn) => {
            if !arn.starts_with("arn:") || !arn.contains(":sns:") {
                return Err(wrong(format!(
                    "{arn:?} is no topic of SNS; write its ARN, arn:aws:sns:REGION:ACCOUNT:NAME"
                )));
            }
            (format!("sns:{arn}"), Sink::Sns(arn))
        }
        SubscriberConfig::Eventbridge(config) => (
            format!("eventbridge:{}", config.bus),
            Sink::EventBridge(config),
        ),
    })
}

/// Names a subscriber whose address or key is a secret: by its host, and by a few digits that tell it from others.
pub fn address_key(kind: &str, url: &str, secret: &str) -> String {
    let digest = Sha256::digest(secret.as_bytes());
    let uri = address(url).ok();
    let host = uri.as_ref().and_then(|uri| uri.authority());
    // What stands before an @ is a password.
    let host = host.map_or("", |host| {
        host.as_str().rsplit('@').next().unwrap_or_default()
    });
    let [a, b, c, ..] = digest[..] else {
        unreachable!("a SHA-256 has 32 bytes")
    };
    format!("{kind}:{host}#{a:02x}{b:02x}{c:02x}")
}

/// Makes one attempt. Keeps virtual time standing, except while a function hangs.
pub async fn deliver(
    all: &All,
    topic_arn: &str,
    subscriber: &Subscriber,
    message: &Message,
    busy: Busy,
) -> (Result<(), Undelivered>, Busy) {
    let Sink::Function(name) = &subscriber.sink else {
        return (attempt(all, topic_arn, subscriber, message).await, busy);
    };
    let event = envelope::event(topic_arn, &subscriber.arn, message).to_string();
    let arn = function_arn(topic_arn, name);
    let (invoked, busy) = all
        .functions
        .invoke_busy(name, &arn, &event, message.sent().map(Arc::new), busy)
        .await;
    let came_to = match invoked {
        Invoked::Answer { .. } => Ok(()),
        Invoked::Failed { error, cause } => Err(Undelivered::ForNow(format!("{error}: {cause}"))),
    };
    (came_to, busy)
}

async fn attempt(
    all: &All,
    topic_arn: &str,
    subscriber: &Subscriber,
    message: &Message,
) -> Result<(), Undelivered> {
    let reading = || Reading::of(topic_arn, message);
    match &subscriber.sink {
        Sink::Function(_) => unreachable!("a function is invoked"),
        Sink::Http(url) => post(all, url, topic_arn, subscriber, message).await,
        Sink::Webhook { url, signer } => call(all, url, topic_arn, signer, message).await,
        Sink::Log(level) => write(level, topic_arn, message),
        Sink::File(path) => {
            let line = envelope::line(topic_arn, message).to_string();
            let written = file::append(path, line).await;
            written.map_err(Undelivered::ForNow)
        }
        Sink::Email(email) => email.send(&reading(), message).await,
        Sink::Slack(slack) => {
            let body = slack::body(&reading()).to_string();
            let sent = send(all, &slack.url, &[JSON], body, message).await;
            // The URL's path is a secret, and what went wrong is shown.
            sent.map_err(|undelivered| undelivered.without(&slack.url))
        }
        Sink::PagerDuty(pagerduty) => {
            let body = pagerduty.body(&reading(), message).to_string();
            send(all, &pagerduty.url, &[JSON], body, message).await
        }
        Sink::CloudEvents(config) => {
            let (headers, body) =
                cloud_events::request(config.mode, topic_arn, &reading(), message);
            let headers: Vec<_> = headers
                .iter()
                .map(|(name, value)| (name.as_str(), value.as_str()))
                .collect();
            send(all, &config.url, &headers, body, message).await
        }
        Sink::Sns(topic_arn) => aws::publish(all, topic_arn, message).await,
        Sink::EventBridge(config) => aws::put_event(all, config, &reading(), message).await,
    }
}

const JSON: (&str, &str) = ("content-type", "application/json");

impl Undelivered {
    /// The same, without the path of this URL.
    fn without(self, url: &str) -> Undelivered {
        let path = address(url).map(|uri| uri.path().to_owned());
        let hidden = |why: String| match &path {
            Ok(path) if path.len() > 1 => why.replace(path.as_str(), "/..."),
            _ => why,
        };
        match self {
            Undelivered::ForNow(why) => Undelivered::ForNow(hidden(why)),
            Undelivered::ForGood(why) => Undelivered::ForGood(hidden(why)),
        }
    }
}

async fn post(
    all: &All,
    url: &str,
    topic_arn: &str,
    subscriber: &Subscriber,
    message: &Message,
) -> Result<(), Undelivered> {
    let headers = [
        ("content-type", "text/plain; charset=UTF-8"),
        ("user-agent", "Amazon Simple Notification Service Agent"),
        ("x-amz-sns-message-type", "Notification"),
        ("x-amz-sns-message-id", &message.id),
        ("x-amz-sns-topic-arn", topic_arn),
        ("x-amz-sns-subscription-arn", &subscriber.arn),
    ];
    let body = envelope::notification(topic_arn, &subscriber.arn, message).to_string();
    send(all, url, &headers, body, message).await
}

/// A webhook's headers. The id is the same for every attempt, the time that of the attempt.
async fn call(
    all: &All,
    url: &str,
    topic_arn: &str,
    signer: &Signer,
    message: &Message,
) -> Result<(), Undelivered> {
    let body = envelope::webhook(topic_arn, message).to_string();
    let seconds = (all.clock.now().0 / 1000).to_string();
    let signature = signer.sign(&message.id, &seconds, body.as_bytes());
    let headers = [
        ("content-type", "application/json"),
        ("webhook-id", &*message.id),
        ("webhook-timestamp", &seconds),
        ("webhook-signature", &signature),
    ];
    send(all, url, &headers, body, message).await
}

async fn send(
    all: &All,
    url: &str,
    headers: &[(&str, &str)],
    body: String,
    message: &Message,
) -> Result<(), Undelivered> {
    let trace = message.sent();
    let mut headers = headers.to_vec();
    for (name, value) in trace.iter().flat_map(Sent::headers) {
        headers.push((name, value));
    }
    let sent = all
        .client
        .send(Method::POST, url, &headers, body.into(), HTTP_LIMIT)
        .await;
    let status = sent.map_err(Undelivered::ForNow)?.status;
    let why = format!("the endpoint answered {status}");
    match status {
        status if status.is_success() => Ok(()),
        // What the endpoint does not want once it will not want again; so says SNS too.
        StatusCode::TOO_MANY_REQUESTS => Err(Undelivered::ForNow(why)),
        // A proxy that was slow, or too early: the subscriber has not refused anything.
        StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_EARLY => Err(Undelivered::ForNow(why)),
        status if status.is_client_error() => Err(Undelivered::ForGood(why)),
        _ => Err(Undelivered::ForNow(why)),
    }
}

/// One line on standard error.
fn write(level: &str, topic_arn: &str, message: &Message) -> Result<(), Undelivered> {
    // Text is written as a JSON string, so that it stays on its line.
    let text = match serde_json::from_str::<Value>(&message.message) {
        Ok(value) => value,
        Err(_) => Value::String(message.message.clone()),
    };
    let topic = topic_arn.rsplit(':').next().unwrap_or(topic_arn);
    let subject = match &message.subject {
        Some(subject) => format!(" {}", Value::String(subject.clone())),
        None => String::new(),
    };
    let (time, id) = (message.published_at, &message.id);
    let line = match log::format() {
        log::Format::Text => format!("{time} {level} topic {topic} message {id}{subject}: {text}"),
        log::Format::Json => {
            let mut members = log::beginning(&time.to_string(), level);
            let known = |name: &str| text.get(name).and_then(Value::as_str).map(str::to_owned);
            let about = log::About {
                trace_id: message.trace.as_ref().map(|of| of.trace.to_string()),
                execution_arn: known("executionArn").or_else(|| known("executionId")),
                delivery_id: known("deliveryId"),
                message_id: Some(id.clone()),
            };
            about.add_to(&mut members);
            members.insert("topic".to_owned(), topic.into());
            members.extend(
                message
                    .subject
                    .clone()
                    .map(|s| ("subject".to_owned(), s.into())),
            );
            members.insert("message".to_owned(), text);
            Value::Object(members).to_string()
        }
    };
    writeln!(std::io::stderr().lock(), "{line}")
        .map_err(|e| Undelivered::ForNow(format!("standard error can't be written: {e}")))
}

/// `arn:aws:lambda:REGION:ACCOUNT:function:NAME`, in the topic's region and account.
fn function_arn(topic_arn: &str, name: &str) -> String {
    let mut parts = topic_arn.split(':').skip(3);
    let region = parts.next().unwrap_or_default();
    let account = parts.next().unwrap_or_default();
    format!("arn:aws:lambda:{region}:{account}:function:{name}")
}
