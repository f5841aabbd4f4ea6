//! Alerts: what somebody should know, told once, counted exactly, and never in the way.
//!
//! Any part of the server raises one. As a rule it becomes durable together with what it is about:
//! [`Alerts::prepare`] gives a document for the caller's own commit. Only then, in a task of its own, is it
//! looked at: is it told, or counted with others ([`windows`])? That is one commit for all that have come of a
//! group, which takes the raised ones away, counts them, and publishes to the topic. So nobody who raises an
//! alert waits for anybody else, none is lost or counted twice by a crash, and a storm makes few messages.
//!
//! | document | life |
//! | --- | --- |
//! | `raised/GROUP/ID`, due at once | stored with what it is about; removed when it was looked at |
//! | `windows/GROUP`, due when the next closes | while windows are open |
//! | the alert, by its id | kept for `retention_days`; its count is the window's while that is open |
//!
//! Who hears it is the topic's business, and so is trying again: see [`crate::topics`].
//!
//! In reading order:
//! - [`alert`]: the value. [`kind`]: what it may be about. `record`: what is stored.
//! - [`windows`]: what is told and what is counted. [`config`]: how much.
//! - `pages`: who asks; `about`: what a story needs.

pub(crate) mod about;
pub mod alert;
pub mod config;
pub mod kind;
mod pages;
mod record;
#[cfg(test)]
pub(crate) mod schema;
pub mod windows;

use std::net::SocketAddr;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, OnceLock};

use asl::Timestamp;
use hashbrown::HashMap;
use serde_json::json;
use store::{Commit, CommitError, DocumentChange, Expect, Store, StoreError, Table};
use tokio::sync::Mutex;

pub use alert::{Alert, LookFurther, Moment};
pub use config::AlertsConfig;
pub(crate) use kind::GIVEN_UP;
pub use kind::{Kind, Severity};
use record::{Raised, Record, group_key, group_of, raised_key, read};
use windows::{Group, Taken, Window};

use crate::clock::Clock;
use crate::metrics::Metrics;
use crate::topics::{Publish, Subscriber, Topics};
use crate::trace;

/// The schema of [`Alert`], as it is published.
pub const SCHEMA: &str = include_str!("../../schemas/alert.schema.json");

/// How the schema names itself.
pub const SCHEMA_ID: &str = "urn:rejoin:schema:alert";

/// What alerts name before [`Alerts::announce`] was called: the default address of a server.
const DEFAULT_BASE_URL: &str = "http://127.0.0.1:8083";

/// How many raised alerts of a group are looked at in one commit.
const BATCH: usize = 256;

/// Groups share so many turns: one that is large holds up few others.
const TURNS: usize = 16;

/// How often old alerts are looked for, and how many are looked at in one go.
const SWEEP_EVERY_SECONDS: i64 = 3600;
const SWEEP_BATCH: usize = 256;

/// The alerts of a server. Cloning is a reference count.
#[derive(Clone)]
pub struct Alerts(Arc<Inner>);

struct Inner {
    clock: Clock,
    store: Store,
    topics: Topics,
    config: AlertsConfig,
    /// That of `config.topic`.
    topic_arn: Option<String>,
    base_url: OnceLock<String>,
    turns: [Mutex<()>; TURNS],
    swept_at: AtomicI64,
    metrics: OnceLock<Metrics>,
}

impl Alerts {
    /// Alerts that go to these topics.
    ///
    /// # Errors
    /// One sentence: what is wrong with the configuration and what to do.
    pub fn new(
        config: AlertsConfig,
        clock: Clock,
        store: Store,
        topics: Topics,
    ) -> Result<Alerts, String> {
        let topic_arn = match &config.topic {
            None => None,
            Some(name) => Some(topics.arn(name).ok_or_else(|| {
                format!("`topic` of [alerts] is {name:?}, which is not configured; add [topics.{name}], or name a topic that is")
            })?),
        };
        let swept_at = AtomicI64::new(clock.now().0);
        Ok(Alerts(Arc::new(Inner {
            clock,
            store,
            topics,
            config,
            topic_arn,
            base_url: OnceLock::new(),
            turns: Default::default(),
            swept_at,
            metrics: OnceLock::new(),
        })))
    }

    /// Says where alerts are counted. The first call counts.
    pub fn count_in(&self, metrics: Metrics) {
        let _ = self.0.metrics.set(metrics);
    }

    /// Says where the server listens, for the commands in alerts. The first call counts.
    pub fn announce(&self, address: SocketAddr) {
        let _ = self.0.base_url.set(format!("http://{address}"));
    }

    /// An alert as a document for a commit of the caller's own, so that it and what it is about become durable
    /// together; what follows, follows from the commit by itself. Without a topic it is heard by that of
    /// `[alerts]`, if there is one, and can be asked for in any case.
    pub fn prepare(&self, topic_arn: Option<&str>, mut alert: Alert) -> DocumentChange {
        let now = self.0.clock.now();
        self.complete(&mut alert, now);
        let topic_arn = topic_arn.map(str::to_owned).or(self.0.topic_arn.clone());
        let group = alert.group_key(topic_arn.as_deref());
        Raised { topic_arn, alert }.change(&group, now)
    }

    /// The same, for an alert about a topic: heard by the topic of `[alerts]`, or by that one itself.
    pub fn prepare_for(&self, topic_arn: &str, alert: Alert) -> DocumentChange {
        let topic_arn = self.0.topic_arn.as_deref().unwrap_or(topic_arn);
        self.prepare(Some(topic_arn), alert)
    }

    /// Raises an alert that belongs to nobody else's commit; returns when it is durable.
    ///
    /// # Errors
    /// The store's, as text for the log.
    pub async fn raise(&self, topic_arn: Option<&str>, alert: Alert) -> Result<(), String> {
        let change = self.prepare(topic_arn, alert);
        let committed = self.commit(vec![change]).await;
        committed.map_err(|error| error.to_string())
    }

    /// Fills in what follows from the rest.
    fn complete(&self, alert: &mut Alert, now: Timestamp) {
        alert.alert_id = self.0.topics.id_at(now);
        alert.raised_at = now.into();
        alert.count = 1;
        alert.first_at = Some(now.into());
        alert.last_at = Some(now.into());
        alert.dedup_key = alert.made_dedup_key();
        let base = self.0.base_url.get().map_or(DEFAULT_BASE_URL, |url| url);
        let seen = |path: &str, id: &String| format!("curl {base}/rejoin/{path}/{id}");
        alert.look_further = LookFurther {
            delivery: alert.delivery_id.as_ref().map(|id| seen("deliveries", id)),
            execution: alert.execution_arn.as_ref().map(|arn| {
                format!("aws stepfunctions get-execution-history --endpoint-url {base} --execution-arn {arn}")
            }),
            reference: alert
                .route
                .as_ref()
                .zip(alert.reference.as_ref())
                .map(|(route, name)| format!("curl {base}/rejoin/references/{route}/{}", escaped(name))),
            topic: alert
                .topic
                .as_ref()
                .map(|name| format!("curl {base}/rejoin/topics/{name}/messages")),
            alert: Some(seen("alerts", &alert.alert_id)),
            trace: story(alert).map(|of| format!("rejoin trace --url {base} {of}")),
        };
        if alert.link.is_none() {
            alert.link = self.link(alert);
        }
    }

    /// Where the console shows what an alert is about.
    fn link(&self, alert: &Alert) -> Option<String> {
        let console = self.0.config.console_url.as_ref()?.trim_end_matches('/');
        Some(match (&alert.execution_arn, &alert.delivery_id) {
            (Some(arn), _) => format!("{console}/executions/{arn}"),
            (None, Some(id)) => format!("{console}/deliveries/{id}"),
            (None, None) => format!("{console}/alerts/{}", alert.alert_id),
        })
    }

    /// The scheduler hands over something that is due: an alert was raised, or a window closes.
    pub async fn attend(&self, key: &str) {
        let Some(group) = group_of(key) else {
            return crate::log::say!("{key:?} is stored among alerts and is none");
        };
        if let Err(what) = self.look_at(key, group).await {
            // The document is due again after a restart, which is what a failed store needs.
            crate::log::say!("an alert could not be looked at: {what}");
        }
        self.sweep_sometimes();
    }

    /// Works a group until nothing is left to do.
    async fn look_at(&self, key: &str, group: &str) -> Result<(), String> {
        let turn = group.bytes().map(usize::from).sum::<usize>() % TURNS;
        let _turn = self.0.turns[turn].lock().await;
        // As a rule whoever had the turn before has seen to this one too.
        let there = self.get(Table::Alerting, key).await?;
        let now = self.0.clock.now();
        if there
            .and_then(|document| document.due)
            .is_none_or(|due| due > now)
        {
            return Ok(());
        }
        loop {
            let prefix = raised_key(group, "");
            let scanned = self
                .0
                .store
                .scan(Table::Alerting, &prefix, None, BATCH, false);
            let raised = scanned.await.map_err(|StoreError(what)| what)?;
            let more = raised.len() == BATCH;
            match self.work(group, raised).await? {
                Ok(_) if !more => return Ok(()),
                // One that had come twice is not there any more; look again.
                Ok(_) | Err(CommitError::Conflict) => {}
                Err(error) => return Err(error.to_string()),
            }
        }
    }

    /// Closes the windows that are due, and looks at what was raised: all in one commit.
    async fn work(
        &self,
        group: &str,
        raised: Vec<(String, store::Document)>,
    ) -> Result<Result<(), CommitError>, String> {
        let now = self.0.clock.now();
        let stored = self.get(Table::Alerting, &group_key(group)).await?;
        let version = stored.as_ref().map(|document| document.version);
        let mut windows: Group = match stored {
            Some(document) => read(group, &document.content)?,
            None => Group::default(),
        };
        let limits = self.0.config.limits();
        let mut documents = Vec::new();
        let mut records: HashMap<String, Record> = HashMap::new();
        let mut taken_as: Vec<(Kind, bool)> = Vec::new();
        for closed in windows.close(now) {
            if let Some(mut record) = self.record(&mut records, &closed.alert_id).await? {
                self.close(&mut record, &closed, &mut documents);
                records.insert(closed.alert_id, record);
            }
        }
        for (key, document) in raised {
            let Raised {
                topic_arn,
                mut alert,
            } = read(&key, &document.content)?;
            documents.push(Raised::removal(key, document.version));
            let (taken, ended) = windows.take(&alert, now, limits);
            taken_as.push((alert.kind, matches!(taken, Taken::Counted { .. })));
            if let Some(ended) = ended
                && let Some(mut record) = self.record(&mut records, &ended.alert_id).await?
            {
                record.group = None;
                record.count(&ended);
                if alert.resolved {
                    alert.count = ended.count;
                    alert.first_at = record.alert.first_at;
                }
                records.insert(ended.alert_id, record);
            }
            if let Taken::Told { overflow: true } | Taken::Counted { overflow: true } = taken
                && alert.resolved
            {
                self.tell_of_incident(&alert, topic_arn.as_deref(), &mut documents);
            }
            if let Taken::Told { overflow } = taken {
                if overflow {
                    self.first_of_many(&mut alert, group);
                }
                let mut record = Record {
                    group: windows.has(&alert.alert_id).then(|| group.to_owned()),
                    alert,
                    topic_arn,
                    messages: Vec::new(),
                };
                self.tell(&mut record, &mut documents);
                records.insert(record.alert.alert_id.clone(), record);
            }
        }
        documents.extend(records.values().map(Record::change));
        if version.is_some() || !windows.windows.is_empty() {
            documents.push(windows.change(group, version));
        }
        let committed = self.commit(documents).await;
        if let (Ok(()), Some(metrics)) = (&committed, self.0.metrics.get()) {
            for (kind, suppressed) in taken_as {
                metrics.alert(kind.name(), suppressed);
            }
        }
        Ok(committed)
    }

    /// A record that is read once and changed as often as needed.
    async fn record(
        &self,
        changed: &mut HashMap<String, Record>,
        id: &str,
    ) -> Result<Option<Record>, String> {
        if let Some(record) = changed.remove(id) {
            return Ok(Some(record));
        }
        let found = self.get(Table::Alert, id).await?;
        found
            .map(|document| read(id, &document.content))
            .transpose()
    }

    /// A window's time is over: says how often it was, if that is not what was said.
    fn close(&self, record: &mut Record, window: &Window, documents: &mut Vec<DocumentChange>) {
        record.group = None;
        record.count(window);
        if window.count > window.told {
            record.alert.summary = true;
            self.tell(record, documents);
        }
    }

    /// Publishes an alert as it is now.
    fn tell(&self, record: &mut Record, documents: &mut Vec<DocumentChange>) {
        let Some(topic_arn) = &record.topic_arn else {
            return;
        };
        let message = publish(&record.alert);
        // A topic that the configuration no longer has hears nothing; the alert can be asked for.
        // Whoever fails is not told of it.
        let alert = &record.alert;
        let without = alert.subscriber.as_deref();
        let topics = &self.0.topics;
        let hears = |subscriber: &Subscriber| Some(&*subscriber.key) != without;
        if let Some(prepared) = topics.prepare_for(topic_arn, message, hears) {
            record.messages.push(prepared.message_id);
            documents.push(prepared.change);
        }
    }

    /// Something is over, and people hear how much is: whoever keeps an incident open for each hears of each.
    fn tell_of_incident(
        &self,
        alert: &Alert,
        topic_arn: Option<&str>,
        documents: &mut Vec<DocumentChange>,
    ) {
        let without = alert.subscriber.as_deref();
        let hears = |subscriber: &Subscriber| {
            subscriber.keeps_incidents() && Some(&*subscriber.key) != without
        };
        let topics = &self.0.topics;
        if let Some(arn) = topic_arn.filter(|arn| topics.has(arn, hears)) {
            let prepared = topics.prepare_for(arn, publish(alert), hears);
            documents.extend(prepared.map(|prepared| prepared.change));
        }
    }

    /// It stands for others from here on: what is counted with it has nothing to do with its own incident, which
    /// may be over before they are.
    fn first_of_many(&self, alert: &mut Alert, group: &str) {
        let what = if alert.resolved { "over" } else { "others" };
        alert.dedup_key = format!("{group}-{what}");
        let (most, seconds) = (self.0.config.alerts_max, self.0.config.window_seconds);
        alert.description = format!(
            "There are more than {most} alerts {} within {seconds} s; from here on they are counted and not sent one by one. {}",
            if alert.resolved {
                "that something of this kind is over"
            } else {
                "of this kind"
            },
            alert.description
        );
    }

    async fn get(&self, table: Table, key: &str) -> Result<Option<store::Document>, String> {
        let found = self.0.store.get(table, key).await;
        found.map_err(|StoreError(what)| what)
    }

    async fn commit(&self, documents: Vec<DocumentChange>) -> Result<(), CommitError> {
        let commit = Commit {
            execution: None,
            documents,
        };
        self.0.store.commit(commit).await.map(drop)
    }

    /// Removes old alerts, unless that was done less than an hour ago. There is no timer for that: on the
    /// virtual clock it would be a reason for time to move.
    fn sweep_sometimes(&self) {
        let now = self.0.clock.now();
        let swept_at = self.0.swept_at.load(Ordering::Relaxed);
        let order = Ordering::Relaxed;
        let first = || {
            let cell = &self.0.swept_at;
            cell.compare_exchange(swept_at, now.0, order, order).is_ok()
        };
        if now < Timestamp(swept_at).plus_seconds(SWEEP_EVERY_SECONDS) || !first() {
            return;
        }
        let (this, busy) = (self.clone(), self.0.clock.busy());
        tokio::spawn(async move {
            if let Err(what) = this.sweep(now).await {
                crate::log::say!("old alerts could not be removed: {what}");
            }
            drop(busy);
        });
    }

    async fn sweep(&self, now: Timestamp) -> Result<(), String> {
        let keep_seconds = i64::from(self.0.config.retention_days) * 86_400;
        let before = now.plus_seconds(-keep_seconds);
        loop {
            // The oldest come first, and those that are swept are gone: no need to remember how far it went.
            let scanned = self
                .0
                .store
                .scan(Table::Alert, "", None, SWEEP_BATCH, false);
            let page = scanned.await.map_err(|StoreError(what)| what)?;
            let mut old = Vec::new();
            for (key, document) in &page {
                let record: Record = read(key, &document.content)?;
                if record.alert.raised_at.0 >= before {
                    break;
                }
                old.push(DocumentChange {
                    table: Table::Alert,
                    key: key.clone(),
                    expect: Expect::Any,
                    content: None,
                    due: None,
                });
            }
            let more = old.len() == SWEEP_BATCH;
            if !old.is_empty() {
                self.commit(old).await.map_err(|error| error.to_string())?;
            }
            if !more {
                return Ok(());
            }
        }
    }
}

/// What `rejoin trace` is asked for: what names one thing only, if there is such a thing.
fn story(alert: &Alert) -> Option<String> {
    let one = alert.delivery_id.as_ref().or(alert.execution_arn.as_ref());
    let reference = || {
        let (route, reference) = alert.route.as_ref().zip(alert.reference.as_ref())?;
        Some(format!("--route {route} {}", quoted(reference)))
    };
    one.map(|one| quoted(one)).or_else(reference)
}

/// As a shell takes it: a third party chooses its references, and an operator pastes them.
fn quoted(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._:/".contains(&byte);
    let words = match !text.is_empty() && text.bytes().all(plain) {
        true => text.to_owned(),
        false => format!("'{}'", text.replace('\'', "'\\''")),
    };
    match text.starts_with('-') {
        true => format!("-- {words}"),
        false => words,
    }
}

/// A third party's text as a part of a URL's path, which no shell takes for anything else.
fn escaped(text: &str) -> String {
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~".contains(byte);
    text.bytes().fold(String::new(), |mut escaped, byte| {
        match plain(&byte) {
            true => escaped.push(byte.into()),
            false => escaped.push_str(&format!("%{byte:02X}")),
        }
        escaped
    })
}

/// An alert as a message.
fn publish(alert: &Alert) -> Publish {
    let attribute = |value: &str| json!({"DataType": "String", "StringValue": value});
    let mut attributes = json!({
        "kind": attribute(alert.kind.name()),
        "severity": attribute(alert.severity.name()),
    });
    let more: [(&str, Option<&str>); 2] = [
        ("disposition", alert.disposition.map(|d| d.name())),
        ("route", alert.route.as_deref()),
    ];
    for (name, value) in more {
        if let Some(value) = value {
            attributes[name] = attribute(value);
        }
    }
    let trace = alert.trace_id.as_ref().and_then(|id| id.parse().ok());
    Publish {
        message: serde_json::to_string(alert).expect("an alert is text and finite numbers"),
        subject: Some(alert.subject()),
        attributes: Some(attributes),
        trace: trace.map(trace::of_id),
    }
}
