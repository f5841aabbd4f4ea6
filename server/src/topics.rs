//! Topics: what is published is stored, listed, and delivered to subscribers until they take it.
//!
//! A message is one document (`message`), with a delivery for each subscriber that its topic had when it
//! was published. The document is due when the next attempt is, so deliveries survive a restart and wait
//! on the server's clock: the scheduler hands it to [`Topics::attend`], which makes the attempts that are
//! due, side by side, and stores what came of them.
//!
//! | state of a delivery | left by |
//! | --- | --- |
//! | pending, due at a moment | an attempt: delivered; pending, due later; given up |
//! | delivered | - |
//! | given up | - : the subscriber refused it for good, was asked too often, or is no longer configured |
//!
//! Delivery is at least once: a server that dies between an attempt and its record makes it again. The
//! subscriber sees the same `MessageId`.
//!
//! Messages that are older than their topic keeps them (14 days, if the configuration does not say) and
//! are done with are removed as others are published or delivered, once an hour at most. There is no
//! timer for that: on the virtual clock it would be a reason for time to move.
//!
//! A topic is one of the configuration, or one that the server's parts [`Topics::ensure`]. There are no
//! filter policies, no raw delivery, no FIFO topics, and SNS's envelopes are not signed; a webhook's are.
//!
//! In reading order:
//! - `message`: the document, and what people see of it.
//! - `delivery`: one attempt at one subscriber; `retry`: when to try again; `failing`: who is told that it is.
//! - `envelope`: SNS's shapes; `file`: lines of JSON. `reading`: what a message says to people, for [`email`],
//!   [`slack`], [`pagerduty`], [`cloud_events`] and [`aws`].
//! - [`task`]: `sns:publish` as a task: its parameters, its result, its errors.
//! - `pages`: `GET /rejoin/topics`.

pub mod aws;
pub mod cloud_events;
mod delivery;
pub mod email;
mod envelope;
mod failing;
mod file;
mod message;
pub mod pagerduty;
mod pages;
mod reading;
mod retry;
pub mod slack;
pub mod task;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI64, AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};

use asl::Timestamp;
use engine::TraceContext;
use parking_lot::RwLock;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use store::{Commit, CommitError, Document, DocumentChange, Expect, Store, Table};
use tokio::sync::Semaphore;
use uuid::Uuid;

use crate::app::{App, Place, WeakApp};
use crate::client::Client;
use crate::clock::{Busy, Clock};
use crate::functions::{Functions, with_grace};
use crate::gateway::verify::secret::SecretSource;
use aws::EventBridgeConfig;
use cloud_events::CloudEventsConfig;
pub(crate) use delivery::Subscriber;
use email::EmailConfig;
use failing::States;
pub use failing::SubscriberState;
use message::Message;
pub use message::{DeliveryView, MessagePage, MessageView};
use pagerduty::PagerDutyConfig;
use slack::SlackConfig;
pub use task::{publish_parameters, publish_result, topic_not_found};

/// How many messages may be in delivery at once; the others wait their turn.
const ROUNDS_MAX: usize = 256;

/// How long messages are kept if the configuration does not say; SNS's queues keep them as long at most.
const RETENTION_DAYS: u32 = 14;

/// How often old messages are looked for, and how many are looked at in one go.
const SWEEP_EVERY_SECONDS: i64 = 3600;
const SWEEP_BATCH: usize = 256;

/// All topics of a server. Cloning is a reference count.
#[derive(Clone)]
pub struct Topics(Arc<All>);

struct All {
    topics: RwLock<BTreeMap<String, Arc<Topic>>>,
    /// `arn:aws:sns:REGION:ACCOUNT:`.
    arn_prefix: String,
    clock: Clock,
    store: Store,
    functions: Functions,
    client: Client,
    /// The rest of this server; it is joined after its parts are made.
    app: OnceLock<WeakApp>,
    rounds: Arc<Semaphore>,
    /// Sorts messages of the same millisecond.
    sequence: AtomicU32,
    swept_at: AtomicI64,
}

struct Topic {
    name: String,
    arn: String,
    subscribers: Vec<Subscriber>,
    retention_days: u32,
}

/// `[topics.NAME]` of the configuration.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TopicConfig {
    /// Who hears what is published.
    #[serde(default)]
    pub subscribers: Vec<SubscriberConfig>,
    /// For how many days messages are kept at least; default 14.
    #[serde(default)]
    pub retention_days: Option<u32>,
}

/// One subscriber.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum SubscriberConfig {
    /// An HTTP or HTTPS endpoint, in SNS's own JSON envelope.
    Http(String),
    /// An endpoint that hears JSON, signed as Standard Webhooks has it.
    Webhook(WebhookConfig),
    /// A function of this server, in the shape of an SNS event.
    Function(String),
    /// The server's log; the value is a level, for example `log = "warn"`.
    Log(String),
    /// A file, one JSON object a line.
    File(PathBuf),
    /// Mailboxes, over SMTP.
    Email(Box<EmailConfig>),
    /// An incoming webhook of Slack, or of what takes the same.
    Slack(SlackConfig),
    /// A service of PagerDuty.
    Pagerduty(PagerDutyConfig),
    /// An endpoint that hears CloudEvents.
    Cloudevents(CloudEventsConfig),
    /// The ARN of a topic of AWS, or of what stands in for it.
    Sns(String),
    /// A bus of EventBridge, or of what stands in for it.
    Eventbridge(EventBridgeConfig),
}

impl SubscriberConfig {
    /// Makes relative paths relative to `folder`.
    pub fn relative_to(&mut self, folder: &Path) {
        match self {
            SubscriberConfig::File(path) => *path = folder.join(&*path),
            SubscriberConfig::Webhook(webhook) => {
                let secrets = webhook.secrets.iter_mut();
                secrets.for_each(|secret| secret.relative_to(folder));
            }
            SubscriberConfig::Email(email) => email.relative_to(folder),
            SubscriberConfig::Slack(slack) => slack.url.relative_to(folder),
            SubscriberConfig::Pagerduty(pagerduty) => pagerduty.routing_key.relative_to(folder),
            SubscriberConfig::Http(_)
            | SubscriberConfig::Function(_)
            | SubscriberConfig::Log(_)
            | SubscriberConfig::Cloudevents(_)
            | SubscriberConfig::Sns(_)
            | SubscriberConfig::Eventbridge(_) => {}
        }
    }
}

/// An endpoint that verifies what it hears.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WebhookConfig {
    /// HTTP or HTTPS.
    pub url: String,
    /// What it is signed with: with each of them, so that the endpoint can change over. `env:NAME`,
    /// `file:PATH` or the secret itself, base64 after `whsec_`.
    pub secrets: Vec<SecretSource>,
}

/// A topic as people see it.
#[derive(Debug, Serialize)]
pub struct TopicView {
    /// Its name.
    pub name: String,
    /// Its ARN.
    pub topic_arn: String,
    /// Who hears what is published, for example `http:http://127.0.0.1:9000/`.
    pub subscribers: Vec<String>,
}

/// How many of a topic's latest messages say how its subscribers are doing.
const STATES_OF: usize = 1000;

/// How many messages are in memory at once for that, and how many bytes of them a page shows at most, about.
const READ_BATCH: usize = 50;
const PAGE_BYTES: usize = 8 << 20;

/// How many messages one call looks at.
const LOOKED_AT_MAX: usize = 20_000;

/// Which messages are wanted.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Wanted {
    /// Published at this moment or later.
    pub since: Option<Timestamp>,
    /// Those that a subscriber has not taken.
    pub undelivered: bool,
}

/// A message to be published.
#[derive(Debug, Clone)]
pub struct Publish {
    /// The message; text, or JSON (Step Functions writes an object as its JSON text).
    pub message: String,
    /// `Subject`.
    pub subject: Option<String>,
    /// `MessageAttributes`, as in the SNS API.
    pub attributes: Option<Value>,
    /// The trace that what it tells of belongs to.
    pub trace: Option<TraceContext>,
}

/// A document to be stored together with others, and what to do once it is.
pub struct Prepared {
    /// Goes into a [`store::Commit`].
    pub change: DocumentChange,
    /// The message's id.
    pub message_id: String,
}

impl Topics {
    /// Makes the topics of the configuration.
    ///
    /// # Errors
    /// One sentence: which topic, what is wrong, what to do.
    pub fn new(
        configs: BTreeMap<String, TopicConfig>,
        place: Place,
        clock: Clock,
        store: Store,
        functions: Functions,
        client: Client,
    ) -> Result<Topics, String> {
        let arn_prefix = format!("arn:aws:sns:{}:{}:", place.region, place.account);
        let mut topics = BTreeMap::new();
        for (name, config) in configs {
            let topic = Topic::new(&name, config, &arn_prefix, &functions)
                .map_err(|what| format!("the topic {name:?} {what}"))?;
            topics.insert(name, Arc::new(topic));
        }
        let swept_at = AtomicI64::new(clock.now().0);
        Ok(Topics(Arc::new(All {
            topics: RwLock::new(topics),
            arn_prefix,
            clock,
            store,
            functions,
            client,
            app: OnceLock::new(),
            rounds: Arc::new(Semaphore::new(ROUNDS_MAX)),
            sequence: AtomicU32::new(0),
            swept_at,
        })))
    }

    /// Names the server whose services subscribers are called with, and whose alerts tell of those that fail.
    pub fn connect(&self, app: WeakApp) {
        assert!(self.0.app.set(app).is_ok(), "topics are connected once");
    }

    /// `arn:aws:sns:REGION:ACCOUNT:NAME` of a topic of this server, given its name or its ARN.
    pub fn arn(&self, name: &str) -> Option<String> {
        Some(self.find(name)?.arn.clone())
    }

    /// Makes a topic without subscribers, unless there is one of this name; for parts of the server
    /// that publish whether or not the configuration names the topic. Gives its ARN.
    ///
    /// # Errors
    /// Completes the sentence "the topic NAME ...".
    pub fn ensure(&self, name: &str) -> Result<String, String> {
        if let Some(arn) = self.arn(name) {
            return Ok(arn);
        }
        let config = TopicConfig::default();
        let topic = Topic::new(name, config, &self.0.arn_prefix, &self.0.functions)?;
        let mut topics = self.0.topics.write();
        let topic = topics
            .entry(name.to_owned())
            .or_insert_with(|| Arc::new(topic));
        Ok(topic.arn.clone())
    }

    /// All topics, by name.
    pub fn list(&self) -> Vec<TopicView> {
        let topics = self.0.topics.read();
        let view = |topic: &Arc<Topic>| TopicView {
            name: topic.name.clone(),
            topic_arn: topic.arn.clone(),
            subscribers: topic.subscribers.iter().map(|s| s.key.clone()).collect(),
        };
        topics.values().map(view).collect()
    }

    /// How the subscribers of a topic (its name or ARN) are doing, by its latest messages.
    ///
    /// # Errors
    /// The store's, as text for the log.
    pub async fn states(&self, topic: &str) -> Result<Vec<SubscriberState>, String> {
        let Some(topic) = self.find(topic) else {
            return Ok(Vec::new());
        };
        let mut states = States::of(topic.subscribers.iter().map(|s| s.key.as_str()));
        let mut after = None;
        for _ in 0..STATES_OF / READ_BATCH {
            let found = self.newest(&topic, after.take(), READ_BATCH).await?;
            let full = found.len() == READ_BATCH;
            for (key, document) in found {
                states.add(&Message::read(&key, &document.content)?);
                after = Some(key);
            }
            if !full {
                break;
            }
        }
        Ok(states.done())
    }

    /// Some messages of a topic, newest first, from after that key.
    async fn newest(
        &self,
        topic: &Topic,
        after: Option<String>,
        limit: usize,
    ) -> Result<Vec<(String, Document)>, String> {
        let prefix = message::key(&topic.name, "");
        let store = &self.0.store;
        let found = store.scan(Table::Message, &prefix, after.as_deref(), limit, true);
        found.await.map_err(|e| e.to_string())
    }

    /// A page of what was published to a topic (its name or ARN), newest first, from after the message
    /// `after`; at most `limit`, and fewer if they are large. `Ok(None)` if there is no such topic.
    ///
    /// # Errors
    /// The store's, as text for the log.
    pub async fn messages(
        &self,
        topic: &str,
        limit: usize,
        after: Option<&str>,
    ) -> Result<Option<MessagePage>, String> {
        self.messages_that(topic, Wanted::default(), limit, after)
            .await
    }

    /// The same, of some messages; of a call that finds few among many the page may be short, and have a `next`.
    ///
    /// # Errors
    /// The store's, as text for the log.
    pub(crate) async fn messages_that(
        &self,
        topic: &str,
        wanted: Wanted,
        limit: usize,
        after: Option<&str>,
    ) -> Result<Option<MessagePage>, String> {
        let Some(topic) = self.find(topic) else {
            return Ok(None);
        };
        let mut after = after.map(|id| message::key(&topic.name, id));
        let (mut messages, mut bytes, mut looked_at) = (Vec::new(), 0, 0);
        let more = 'pages: loop {
            let batch = READ_BATCH.min(limit - messages.len());
            let found = self.newest(&topic, after.take(), batch).await?;
            let full = found.len() == batch;
            for (key, document) in found {
                let message = Message::read(&key, &document.content)?;
                if wanted
                    .since
                    .is_some_and(|since| message.published_at < since)
                {
                    break 'pages false;
                }
                looked_at += 1;
                if !wanted.undelivered || !message.is_delivered() {
                    bytes += document.content.len();
                    messages.push(message.view(&topic.arn));
                }
                after = Some(key);
            }
            if !full || messages.len() == limit || bytes >= PAGE_BYTES || looked_at >= LOOKED_AT_MAX
            {
                break full;
            }
        };
        let prefix = message::key(&topic.name, "");
        let next = after
            .filter(|_| more)
            .and_then(|key| Some(key.strip_prefix(&prefix)?.to_owned()));
        Ok(Some(MessagePage { messages, next }))
    }

    /// A message of a topic (its name or ARN), if it is still kept.
    ///
    /// # Errors
    /// The store's, as text for the log.
    pub async fn message(&self, topic: &str, id: &str) -> Result<Option<MessageView>, String> {
        let Some(topic) = self.find(topic) else {
            return Ok(None);
        };
        let key = message::key(&topic.name, id);
        let found = self.0.store.get(Table::Message, &key).await;
        let Some(document) = found.map_err(|e| e.to_string())? else {
            return Ok(None);
        };
        Ok(Some(
            Message::read(&key, &document.content)?.view(&topic.arn),
        ))
    }

    /// Publishes: returns the message's id when the message is durable; delivery follows.
    /// `Ok(None)` if there is no such topic.
    ///
    /// # Errors
    /// The store's, as text for the log.
    pub async fn publish(
        &self,
        topic_arn: &str,
        publish: Publish,
    ) -> Result<Option<String>, String> {
        let Some(prepared) = self.prepare(topic_arn, publish) else {
            return Ok(None);
        };
        let commit = Commit {
            execution: None,
            documents: vec![prepared.change],
        };
        let stored = self.0.store.commit(commit).await;
        stored.map_err(|e| e.to_string())?;
        self.sweep_sometimes();
        Ok(Some(prepared.message_id))
    }

    /// A message as a document for a commit of the caller's own, so that an alert and what it is
    /// about become durable together. Delivery follows the commit by itself (the document is due at once).
    pub fn prepare(&self, topic_arn: &str, publish: Publish) -> Option<Prepared> {
        self.prepare_for(topic_arn, publish, |_| true)
    }

    /// The same, for some of the subscribers.
    pub(crate) fn prepare_for(
        &self,
        topic_arn: &str,
        publish: Publish,
        hears: impl Fn(&Subscriber) -> bool,
    ) -> Option<Prepared> {
        let topic = self.find(topic_arn)?;
        let now = self.0.clock.now();
        let message_id = self.id_at(now);
        let subscribers = topic.subscribers.iter().filter(|one| hears(one));
        let subscribers = subscribers.map(|one| one.key.as_str());
        let message = Message::new(message_id.clone(), publish, subscribers, now);
        let change = DocumentChange {
            table: Table::Message,
            key: message::key(&topic.name, &message_id),
            expect: Expect::Absent,
            content: Some(message.write()),
            due: message.next_attempt(),
        };
        Some(Prepared { change, message_id })
    }

    /// Whether a topic has such a subscriber.
    pub(crate) fn has(&self, topic_arn: &str, such: impl Fn(&Subscriber) -> bool) -> bool {
        let topic = self.find(topic_arn);
        topic.is_some_and(|topic| topic.subscribers.iter().any(such))
    }

    fn now(&self) -> Timestamp {
        self.0.clock.now()
    }

    /// The scheduler hands over a message whose next delivery is due. Returns at once: the attempts are
    /// made by a task of their own, which keeps virtual time standing as far as that is right.
    pub async fn attend(&self, key: &str) {
        let (this, key, busy) = (self.clone(), key.to_owned(), self.0.clock.busy());
        tokio::spawn(async move {
            if let Err(what) = this.round(&key, busy).await {
                crate::log::say!("the message {key} could not be delivered: {what}");
            }
        });
    }

    /// Makes the attempts that are due, and stores what came of them.
    async fn round(&self, key: &str, busy: Busy) -> Result<(), String> {
        let all = &self.0;
        let turn = async { (all.rounds.clone().acquire_owned().await, all.clock.busy()) };
        let (_turn, busy) = with_grace(&all.clock, busy, turn).await;
        let read = all.store.get(Table::Message, key).await;
        let Some(document) = read.map_err(|e| e.to_string())? else {
            return Ok(());
        };
        let mut message = Message::read(key, &document.content)?;
        let name = message::topic_of(key).unwrap_or_default();
        let topic = self.find(name);
        let before = message.deliveries.clone();
        let busy = match topic {
            Some(topic) => self.attempt(&topic, &mut message, busy).await,
            None => {
                message.abandon(
                    "the topic is no longer in the configuration",
                    all.clock.now(),
                );
                busy
            }
        };
        let mut documents = vec![DocumentChange {
            table: Table::Message,
            key: key.to_owned(),
            expect: Expect::Version(document.version),
            content: Some(message.write()),
            due: message.next_attempt(),
        }];
        if let Some(app) = all.app() {
            let topic_arn = format!("{}{name}", all.arn_prefix);
            let is_told = |subscriber: &str| failing::is_told(&all.store, name, subscriber);
            for alert in failing::alerts(name, &topic_arn, &before, &message, is_told) {
                documents.extend(failing::told(&alert));
                documents.push(app.alerts.prepare_for(&topic_arn, alert));
            }
        }
        let commit = Commit {
            execution: None,
            documents,
        };
        match all.store.commit(commit).await {
            // Somebody else attends to it too, and has the last word.
            Ok(_) | Err(CommitError::Conflict) => {}
            Err(e) => return Err(e.to_string()),
        }
        self.sweep_sometimes();
        drop(busy);
        Ok(())
    }

    /// The attempts that are due, side by side.
    async fn attempt(&self, topic: &Arc<Topic>, message: &mut Message, busy: Busy) -> Busy {
        let all = &self.0;
        let due = message.due(all.clock.now());
        let shared = Arc::new(message.clone());
        let mut attempts = tokio::task::JoinSet::new();
        for index in due {
            let subscriber = &message.deliveries[index].subscriber;
            let Some(at) = topic.subscribers.iter().position(|s| s.key == *subscriber) else {
                let why = "the subscriber is no longer in the configuration";
                message.deliveries[index].give_up(why, all.clock.now());
                continue;
            };
            let (this, topic, message) = (self.clone(), topic.clone(), shared.clone());
            let busy = busy.clone();
            attempts.spawn(async move {
                let subscriber = &topic.subscribers[at];
                let (came_to, busy) =
                    delivery::deliver(&this.0, &topic.arn, subscriber, &message, busy).await;
                if let Some(app) = this.0.app() {
                    // What comes after the kind may be a secret: the address of a webhook is one.
                    let kind = subscriber.key.split(':').next().unwrap_or_default();
                    let name = topic.arn.rsplit(':').next().unwrap_or_default();
                    app.metrics.sent(name, kind, came_to.is_ok());
                }
                (index, came_to, busy)
            });
        }
        if attempts.is_empty() {
            return busy;
        }
        // Each attempt has its own: one that hangs must not be kept from its limit by the others'.
        drop(busy);
        loop {
            let (index, came_to, busy) = match attempts.join_next().await {
                Some(Ok(done)) => done,
                Some(Err(panic)) => std::panic::resume_unwind(panic.into_panic()),
                None => unreachable!("the last attempt returns from the loop"),
            };
            message.deliveries[index].record(came_to, all.clock.now());
            if attempts.is_empty() {
                return busy;
            }
        }
    }

    /// A topic by its name or ARN.
    fn find(&self, name_or_arn: &str) -> Option<Arc<Topic>> {
        let name = match name_or_arn.strip_prefix(&*self.0.arn_prefix) {
            Some(name) => name,
            None if name_or_arn.contains(':') => return None,
            None => name_or_arn,
        };
        self.0.topics.read().get(name).cloned()
    }

    /// A UUID of version 7: its text sorts by time, and within a millisecond by order of asking.
    pub(crate) fn id_at(&self, now: Timestamp) -> String {
        let sequence = self.0.sequence.fetch_add(1, Ordering::Relaxed);
        let mut rest = *Uuid::new_v4().as_bytes();
        // The 26 bits after the time that are not the version's and the variant's.
        rest[0] = (sequence >> 22) as u8 & 0x0f;
        rest[1] = (sequence >> 14) as u8;
        rest[2] = (sequence >> 8) as u8 & 0x3f;
        rest[3] = sequence as u8;
        let rest = rest.first_chunk::<10>().expect("a UUID has sixteen bytes");
        uuid::Builder::from_unix_timestamp_millis(now.0.max(0) as u64, rest)
            .into_uuid()
            .to_string()
    }

    /// Removes old messages, unless that was done less than an hour ago.
    fn sweep_sometimes(&self) {
        let now = self.0.clock.now();
        let swept_at = self.0.swept_at.load(Ordering::Relaxed);
        let exchange = |to| {
            let order = Ordering::Relaxed;
            self.0.swept_at.compare_exchange(swept_at, to, order, order)
        };
        if now < Timestamp(swept_at).plus_seconds(SWEEP_EVERY_SECONDS) || exchange(now.0).is_err() {
            return;
        }
        let (this, busy) = (self.clone(), self.0.clock.busy());
        let topics: Vec<Arc<Topic>> = self.0.topics.read().values().cloned().collect();
        tokio::spawn(async move {
            for topic in topics {
                if let Err(what) = this.sweep(&topic, now).await {
                    crate::log::say!(
                        "old messages of the topic {} could not be removed: {what}",
                        topic.name
                    );
                }
            }
            drop(busy);
        });
    }

    async fn sweep(&self, topic: &Topic, now: Timestamp) -> Result<(), String> {
        let before = now.plus_seconds(-i64::from(topic.retention_days) * 86_400);
        let prefix = message::key(&topic.name, "");
        let mut after: Option<String> = None;
        loop {
            let store = &self.0.store;
            let found = store
                .scan(
                    Table::Message,
                    &prefix,
                    after.as_deref(),
                    SWEEP_BATCH,
                    false,
                )
                .await
                .map_err(|e| e.to_string())?;
            let mut more = found.len() == SWEEP_BATCH;
            let mut old = Vec::new();
            for (key, document) in found {
                let message = Message::read(&key, &document.content)?;
                if message.published_at >= before {
                    more = false;
                    break;
                }
                if message.next_attempt().is_none() {
                    old.push(DocumentChange {
                        table: Table::Message,
                        key: key.clone(),
                        expect: Expect::Any,
                        content: None,
                        due: None,
                    });
                }
                after = Some(key);
            }
            if !old.is_empty() {
                let commit = Commit {
                    execution: None,
                    documents: old,
                };
                store.commit(commit).await.map_err(|e| e.to_string())?;
            }
            if !more {
                return Ok(());
            }
        }
    }
}

impl All {
    fn app(&self) -> Option<App> {
        self.app.get().and_then(WeakApp::upgrade)
    }
}

impl Topic {
    /// The error completes the sentence "the topic NAME ...".
    fn new(
        name: &str,
        config: TopicConfig,
        arn_prefix: &str,
        functions: &Functions,
    ) -> Result<Topic, String> {
        if name.ends_with(".fifo") {
            return Err("is a FIFO topic, which Rejoin does not have; drop the .fifo".to_owned());
        }
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        if name.is_empty() || name.len() > 256 || !name.chars().all(plain) {
            return Err(
                "has a name that SNS does not allow: up to 256 letters, digits, - and _".to_owned(),
            );
        }
        let arn = format!("{arn_prefix}{name}");
        let mut subscribers: Vec<Subscriber> = Vec::new();
        for config in config.subscribers {
            let subscriber = Subscriber::new(config, &arn, functions)?;
            if subscribers.iter().any(|other| other.key == subscriber.key) {
                return Err(format!("has the subscriber {} twice", subscriber.key));
            }
            subscribers.push(subscriber);
        }
        Ok(Topic {
            name: name.to_owned(),
            arn,
            subscribers,
            retention_days: config.retention_days.unwrap_or(RETENTION_DAYS),
        })
    }
}
