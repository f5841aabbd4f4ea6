//! Topics: what is published is stored, listed, and delivered to subscribers until they take it.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Deserialize;
use serde_json::Value;
use store::Store;

use crate::client::Client;
use crate::clock::Clock;
use crate::functions::Functions;

/// All topics of a server. Cloning is a reference count.
#[derive(Clone)]
pub struct Topics {}

/// `[topics.NAME]` of the configuration.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TopicConfig {
    /// Who hears what is published.
    #[serde(default)]
    pub subscribers: Vec<SubscriberConfig>,
}

/// One subscriber.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum SubscriberConfig {
    /// An HTTP or HTTPS endpoint, in SNS's own JSON envelope.
    Http(String),
    /// A function of this server, in the shape of an SNS event.
    Function(String),
    /// The server's log; the value is a level, for example `log = "warn"`.
    Log(String),
    /// A file, one JSON object a line.
    File(PathBuf),
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
}

/// A document to be stored together with others, and what to do once it is.
pub struct Prepared {
    /// Goes into a [`store::Commit`].
    pub change: store::DocumentChange,
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
        place: crate::app::Place,
        clock: Clock,
        store: Store,
        functions: Functions,
        client: Client,
    ) -> Result<Topics, String> {
        let _ = (configs, place, clock, store, functions, client);
        todo!()
    }

    /// `arn:aws:sns:REGION:ACCOUNT:NAME` of a topic of this server, given its name or its ARN.
    pub fn arn(&self, name: &str) -> Option<String> {
        let _ = name;
        todo!()
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
        let _ = (topic_arn, publish);
        todo!()
    }

    /// A message as a document for a commit of the caller's own, so that an alert and what it is
    /// about become durable together. Delivery follows the commit by itself (the document is due at once).
    pub fn prepare(&self, topic_arn: &str, publish: Publish) -> Option<Prepared> {
        let _ = (topic_arn, publish);
        todo!()
    }

    /// The scheduler hands over a message whose next delivery is due.
    pub async fn attend(&self, key: &str) {
        let _ = key;
        todo!()
    }
}
