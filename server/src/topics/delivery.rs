//! Subscribers, and one attempt at one of them.

use std::io::Write;
use std::time::Duration;

use hyper::{Method, StatusCode};
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::message::Message;
use super::{All, SubscriberConfig, envelope, file};
use crate::client::address;
use crate::clock::Busy;
use crate::functions::{Functions, Invoked};
use crate::gateway::verify::Signer;

/// How long an endpoint may take, in real time, as with SNS. A delivery keeps virtual time standing as long.
const HTTP_LIMIT: Duration = Duration::from_secs(15);

const LOG_LEVELS: [&str; 4] = ["error", "warn", "info", "debug"];

/// Somebody who hears what is published to a topic.
pub struct Subscriber {
    /// Names it in stored messages: kind and address, for example `function:on-error`.
    pub key: String,
    /// `TOPIC_ARN:UUID`, the UUID made from the key.
    pub arn: String,
    /// What it is.
    pub config: SubscriberConfig,
    /// What a webhook is signed with.
    signer: Signer,
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
        let mut signer = Signer::default();
        let key = match &config {
            SubscriberConfig::Webhook(webhook) => {
                address(&webhook.url).map_err(|what| format!("has a wrong subscriber: {what}"))?;
                if webhook.secrets.is_empty() {
                    return Err(
                        "has a webhook without `secrets`; give one to sign with, or use `http`"
                            .into(),
                    );
                }
                for (index, secret) in webhook.secrets.iter().enumerate() {
                    let added = secret.read().and_then(|text| signer.add(&text));
                    added
                        .map_err(|what| format!("has a webhook whose `secrets[{index}]` {what}"))?;
                }
                format!("webhook:{}", webhook.url)
            }
            SubscriberConfig::Http(url) => {
                address(url).map_err(|what| format!("has a wrong subscriber: {what}"))?;
                format!("http:{url}")
            }
            SubscriberConfig::Function(name) if !functions.has(name) => {
                return Err(format!(
                    "has the function {name:?} as a subscriber, which is not in the configuration; add [functions.{name}]"
                ));
            }
            SubscriberConfig::Function(name) => format!("function:{name}"),
            SubscriberConfig::Log(level) if !LOG_LEVELS.contains(&&**level) => {
                return Err(format!(
                    "has the log level {level:?}; it has to be one of {}",
                    LOG_LEVELS.join(", ")
                ));
            }
            SubscriberConfig::Log(level) => format!("log:{level}"),
            SubscriberConfig::File(path) => {
                file::check(path)
                    .map_err(|what| format!("can't write to its subscriber: {what}"))?;
                format!("file:{}", path.display())
            }
        };
        let digest = Sha256::digest(key.as_bytes());
        let head = digest.first_chunk::<16>().expect("a SHA-256 has 32 bytes");
        let uuid = uuid::Builder::from_custom_bytes(*head).into_uuid();
        Ok(Subscriber {
            key,
            arn: format!("{topic_arn}:{uuid}"),
            config,
            signer,
        })
    }
}

/// Makes one attempt. Keeps virtual time standing, except while a function hangs.
pub async fn deliver(
    all: &All,
    topic_arn: &str,
    subscriber: &Subscriber,
    message: &Message,
    busy: Busy,
) -> (Result<(), Undelivered>, Busy) {
    match &subscriber.config {
        SubscriberConfig::Http(url) => (post(all, url, topic_arn, subscriber, message).await, busy),
        SubscriberConfig::Webhook(webhook) => (
            call(all, &webhook.url, topic_arn, subscriber, message).await,
            busy,
        ),
        SubscriberConfig::Function(name) => {
            let event = envelope::event(topic_arn, &subscriber.arn, message).to_string();
            let arn = function_arn(topic_arn, name);
            let invocation = all.functions.invoke_busy(name, &arn, &event, None, busy);
            let (invoked, busy) = invocation.await;
            let came_to = match invoked {
                Invoked::Answer { .. } => Ok(()),
                Invoked::Failed { error, cause } => {
                    Err(Undelivered::ForNow(format!("{error}: {cause}")))
                }
            };
            (came_to, busy)
        }
        SubscriberConfig::Log(level) => (log(level, topic_arn, message), busy),
        SubscriberConfig::File(path) => {
            let line = envelope::line(topic_arn, message).to_string();
            let written = file::append(path, line).await;
            (written.map_err(Undelivered::ForNow), busy)
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
    send(all, url, &headers, body).await
}

/// A webhook's headers. The id is the same for every attempt, the time that of the attempt.
async fn call(
    all: &All,
    url: &str,
    topic_arn: &str,
    subscriber: &Subscriber,
    message: &Message,
) -> Result<(), Undelivered> {
    let body = envelope::webhook(topic_arn, message).to_string();
    let seconds = (all.clock.now().0 / 1000).to_string();
    let signature = subscriber
        .signer
        .sign(&message.id, &seconds, body.as_bytes());
    let headers = [
        ("content-type", "application/json"),
        ("webhook-id", &*message.id),
        ("webhook-timestamp", &seconds),
        ("webhook-signature", &signature),
    ];
    send(all, url, &headers, body).await
}

async fn send(
    all: &All,
    url: &str,
    headers: &[(&str, &str)],
    body: String,
) -> Result<(), Undelivered> {
    let sent = all
        .client
        .send(Method::POST, url, headers, body.into(), HTTP_LIMIT)
        .await;
    let status = sent.map_err(Undelivered::ForNow)?.status;
    let why = format!("the endpoint answered {status}");
    match status {
        status if status.is_success() => Ok(()),
        // What the endpoint does not want once it will not want again; so says SNS too.
        StatusCode::TOO_MANY_REQUESTS => Err(Undelivered::ForNow(why)),
        status if status.is_client_error() => Err(Undelivered::ForGood(why)),
        _ => Err(Undelivered::ForNow(why)),
    }
}

/// One line on standard error.
fn log(level: &str, topic_arn: &str, message: &Message) -> Result<(), Undelivered> {
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
    writeln!(
        std::io::stderr().lock(),
        "{time} {level} topic {topic} message {id}{subject}: {text}"
    )
    .map_err(|e| Undelivered::ForNow(format!("standard error can't be written: {e}")))
}

/// `arn:aws:lambda:REGION:ACCOUNT:function:NAME`, in the topic's region and account.
fn function_arn(topic_arn: &str, name: &str) -> String {
    let mut parts = topic_arn.split(':').skip(3);
    let region = parts.next().unwrap_or_default();
    let account = parts.next().unwrap_or_default();
    format!("arn:aws:lambda:{region}:{account}:function:{name}")
}
