//! State machines: stored, compiled once, found by ARN or by the hash of their definition.
//!
//! A machine's document names its definition by hash; the text is a document of its own, written in
//! the same commit and never changed. An execution keeps the hash it began with, so an update or a
//! deletion of its machine does not concern it. A machine that is deleted while executions of it are open is
//! *deleting* until they have ended: nobody watches for that, whoever looks for it next sees that it is gone.

use std::sync::Arc;

use asl::{StateMachine, Timestamp};
use engine::Status;
use hashbrown::HashMap;
use parking_lot::RwLock;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use store::{DocumentChange, Expect, ListQuery, MachineKey, Store, Table};

use crate::registry::{Decision, Registry};
use crate::tags::Tag;
use crate::unstored::Unstored;
use crate::versions::{Alias, Version};

/// When so many compiled definitions are kept, those that nobody uses at the moment are dropped.
const COMPILED_MAX: usize = 1000;

/// The state machines of a server. Cloning is a reference count.
#[derive(Clone)]
pub struct Machines {
    store: Store,
    documents: Registry<Machine>,
    compiled: Arc<RwLock<HashMap<Box<str>, Arc<StateMachine>>>>,
    unstored: Unstored,
}

/// A state machine.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Machine {
    /// Its ARN.
    pub arn: Arc<str>,
    /// The last part of its ARN.
    pub name: Arc<str>,
    /// Its type.
    pub kind: MachineType,
    /// Its role; kept, and told to those who ask.
    pub role_arn: Arc<str>,
    /// Which text defines it: the hex SHA-256.
    pub definition: Arc<str>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed, if ever.
    pub updated_at: Option<Timestamp>,
    /// Changes with every change; a machine as it was made has none.
    pub revision_id: Option<String>,
    /// `loggingConfiguration`.
    pub logging: LoggingConfiguration,
    /// `tracingConfiguration`.
    pub tracing: TracingConfiguration,
    /// `encryptionConfiguration`.
    pub encryption: EncryptionConfiguration,
    /// Its tags.
    pub tags: Vec<Tag>,
    /// Its versions, by number.
    #[serde(default)]
    pub versions: Vec<Version>,
    /// The highest number that a version ever had.
    #[serde(default)]
    pub last_version: u32,
    /// Its aliases, by name.
    #[serde(default)]
    pub aliases: Vec<Alias>,
    /// Whether it was deleted while executions of it were open.
    #[serde(default)]
    pub deleting: bool,
}

/// `type`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
#[allow(missing_docs)]
pub enum MachineType {
    Standard,
    Express,
}

/// `loggingConfiguration`, checked. Kept and given back; nothing is sent to CloudWatch.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LoggingConfiguration {
    /// `OFF`, `ERROR`, `FATAL` or `ALL`.
    pub level: String,
    /// Whether logs are to have inputs and outputs.
    pub include_execution_data: bool,
    /// Where logs go.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub destinations: Option<Vec<LogDestination>>,
}

impl Default for LoggingConfiguration {
    fn default() -> LoggingConfiguration {
        LoggingConfiguration {
            level: "OFF".to_owned(),
            include_execution_data: false,
            destinations: None,
        }
    }
}

/// One of `destinations`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LogDestination {
    /// The only kind there is.
    pub cloud_watch_logs_log_group: Option<LogGroup>,
}

/// `cloudWatchLogsLogGroup`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LogGroup {
    /// Ends with `:*`.
    pub log_group_arn: Option<String>,
}

/// `tracingConfiguration`. Kept and given back; nothing is sent to X-Ray.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct TracingConfiguration {
    /// Whether traces are wanted.
    #[serde(default)]
    pub enabled: bool,
}

/// `encryptionConfiguration`, checked. Kept and given back.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EncryptionConfiguration {
    /// `AWS_OWNED_KEY` or `CUSTOMER_MANAGED_KMS_KEY`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Which key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kms_key_id: Option<String>,
    /// How long a data key is used.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kms_data_key_reuse_period_seconds: Option<i64>,
}

impl Default for EncryptionConfiguration {
    fn default() -> EncryptionConfiguration {
        EncryptionConfiguration {
            kind: "AWS_OWNED_KEY".to_owned(),
            kms_key_id: None,
            kms_data_key_reuse_period_seconds: None,
        }
    }
}

/// A definition that was checked: its text, its hash and what it compiles to.
pub struct Definition {
    /// As given.
    pub text: String,
    /// The hex SHA-256 of the text.
    pub hash: Arc<str>,
    /// Ready to run.
    pub compiled: Arc<StateMachine>,
}

impl Definition {
    /// A text and what it compiles to.
    pub fn new(text: String, compiled: StateMachine) -> Definition {
        let digest = Sha256::digest(text.as_bytes());
        let hash: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        Definition {
            text,
            hash: hash.into(),
            compiled: Arc::new(compiled),
        }
    }
}

impl Machines {
    /// The machines of a store.
    pub fn new(store: Store) -> Machines {
        Machines {
            documents: Registry::new(store.clone(), Table::StateMachine),
            store,
            compiled: Arc::default(),
            unstored: Unstored::default(),
        }
    }

    /// The machine with this ARN.
    ///
    /// # Errors
    /// The store's, as text for the log.
    pub async fn find(&self, arn: &str) -> Result<Option<Arc<Machine>>, String> {
        match self.documents.find(arn).await? {
            Some(machine) if machine.deleting && !self.is_busy(arn).await? => {
                self.remove(arn).await?;
                Ok(None)
            }
            found => Ok(found),
        }
    }

    /// Which machines have open executions that the store does not know.
    pub fn unstored(&self) -> &Unstored {
        &self.unstored
    }

    /// Whether executions of a machine are open.
    async fn is_busy(&self, arn: &str) -> Result<bool, String> {
        if self.unstored.any(arn) {
            return Ok(true);
        }
        let open = self.store.list(ListQuery {
            state_machine: Some(MachineKey::of(arn)),
            status: Some(Status::Running),
            after: None,
            limit: 1,
        });
        let open = open.await.map_err(|e| e.to_string())?;
        Ok(!open.executions.is_empty())
    }

    /// Stores `machine` unless there is one of its ARN; returns the one that is there then, or `None` if
    /// there are as many as `most` already.
    ///
    /// # Errors
    /// The store's, as text for the log.
    pub async fn create(
        &self,
        machine: Machine,
        definition: Definition,
        most: usize,
    ) -> Result<Option<Arc<Machine>>, String> {
        let arn = machine.arn.clone();
        // One that has been deleted is no longer in the way.
        self.find(&arn).await?;
        let text = self.text_to_store(&definition).await?;
        let decide = |current: Option<&Machine>| match current {
            Some(_) => Ok::<_, std::convert::Infallible>(Decision::Keep),
            None if self.documents.count() >= most => Ok(Decision::Keep),
            None => Ok(Decision::Write(machine, text)),
        };
        let there = match self.documents.change(&arn, decide).await? {
            Ok(there) => there,
            Err(never) => match never {},
        };
        self.remember(definition);
        Ok(there)
    }

    /// Replaces a machine by what `change` makes of it, or not, if `change` refuses; `None` if there is
    /// no such machine. `definition` is the text that the new one names, if it is new.
    ///
    /// # Errors
    /// The store's, as text for the log.
    pub async fn update<R>(
        &self,
        arn: &str,
        definition: Option<Definition>,
        change: impl FnOnce(&Machine) -> Result<Machine, R>,
    ) -> Result<Option<Result<Arc<Machine>, R>>, String> {
        self.find(arn).await?;
        let text = match &definition {
            Some(definition) => self.text_to_store(definition).await?,
            None => Vec::new(),
        };
        let decide = |current: Option<&Machine>| match current {
            None => Ok(Decision::Keep),
            Some(current) => match change(current)? {
                same if same == *current => Ok(Decision::Keep),
                next => Ok(Decision::Write(next, text)),
            },
        };
        let changed = self.documents.change(arn, decide).await?;
        if let Some(definition) = definition {
            self.remember(definition);
        }
        Ok(changed.transpose())
    }

    /// Deletes a machine, at once or as soon as its executions have ended. It is no mistake if there is
    /// none.
    ///
    /// # Errors
    /// The store's, as text for the log.
    pub async fn delete(&self, arn: &str) -> Result<(), String> {
        if !self.is_busy(arn).await? {
            return self.remove(arn).await;
        }
        let decide = |current: Option<&Machine>| match current {
            Some(current) if !current.deleting => {
                let deleting = Machine {
                    deleting: true,
                    ..current.clone()
                };
                Ok::<_, std::convert::Infallible>(Decision::Write(deleting, Vec::new()))
            }
            _ => Ok(Decision::Keep),
        };
        self.documents.change(arn, decide).await.map(drop)
    }

    async fn remove(&self, arn: &str) -> Result<(), String> {
        let decide = |current: Option<&Machine>| match current {
            Some(_) => Ok::<_, std::convert::Infallible>(Decision::Remove),
            None => Ok(Decision::Keep),
        };
        self.documents.change(arn, decide).await.map(drop)
    }

    /// The machines whose ARNs come after `after`, at most `limit`, by ARN.
    ///
    /// # Errors
    /// The store's, as text for the log.
    pub async fn list(&self, after: Option<&str>, limit: usize) -> Result<Vec<Machine>, String> {
        let mut listed: Vec<Machine> = Vec::new();
        let mut after = after.map(str::to_owned);
        while listed.len() < limit {
            let wanted = limit - listed.len();
            let page = self.documents.list("", after.as_deref(), wanted).await?;
            after = page.last().map(|machine| machine.arn.to_string());
            if after.is_none() {
                break;
            }
            for machine in page {
                if !machine.deleting || self.find(&machine.arn).await?.is_some() {
                    listed.push(machine);
                }
            }
        }
        Ok(listed)
    }

    /// The compiled definition with this hash (`engine::Identity::definition`), from the cache or the store.
    ///
    /// # Errors
    /// The store's, or that there is none, as text for the log.
    pub async fn definition(&self, hash: &str) -> Result<Arc<StateMachine>, String> {
        let known = self.compiled.read().get(hash).cloned();
        if let Some(compiled) = known {
            return Ok(compiled);
        }
        let text = self.definition_text(hash).await?;
        let parsed = asl::parse(&text);
        let Some(compiled) = parsed.machine else {
            let faults: Vec<String> = parsed.diagnostics.iter().map(|d| d.to_string()).collect();
            return Err(format!(
                "the stored definition {hash} is not accepted by this version: {}",
                faults.join("; ")
            ));
        };
        let definition = Definition {
            text,
            hash: hash.into(),
            compiled: Arc::new(compiled),
        };
        Ok(self.remember(definition))
    }

    /// The text of the definition with this hash.
    ///
    /// # Errors
    /// The store's, or that there is none, as text for the log.
    pub async fn definition_text(&self, hash: &str) -> Result<String, String> {
        let found = self.store.get(Table::Definition, hash).await;
        let document = found
            .map_err(|e| format!("the definition {hash}: {e}"))?
            .ok_or_else(|| format!("the definition {hash} is not in the store"))?;
        String::from_utf8(document.content)
            .map_err(|_| format!("the stored definition {hash} is damaged: it is not UTF-8"))
    }

    /// The document that keeps a definition's text, unless it is kept already.
    async fn text_to_store(&self, definition: &Definition) -> Result<Vec<DocumentChange>, String> {
        let Definition { hash, text, .. } = definition;
        let kept = self.store.get(Table::Definition, hash).await;
        if kept.map_err(|e| e.to_string())?.is_some() {
            return Ok(Vec::new());
        }
        Ok(vec![DocumentChange {
            table: Table::Definition,
            key: hash.to_string(),
            // Another writer of the same hash writes the same text.
            expect: Expect::Any,
            content: Some(text.as_bytes().to_vec()),
            due: None,
        }])
    }

    fn remember(&self, definition: Definition) -> Arc<StateMachine> {
        let mut compiled = self.compiled.write();
        if compiled.len() >= COMPILED_MAX {
            compiled.retain(|_, machine| Arc::strong_count(machine) > 1);
        }
        let entry = compiled.entry((&*definition.hash).into());
        entry.or_insert(definition.compiled).clone()
    }
}

#[cfg(test)]
mod tests {
    use store::Options;

    use super::*;

    const TEXT: &str = r#"{"StartAt":"P","States":{"P":{"Type":"Pass","End":true}}}"#;

    fn definition(text: &str) -> Definition {
        let compiled = asl::parse(text).machine.expect("the definition is good");
        Definition::new(text.to_owned(), compiled)
    }

    fn machine(definition: &Definition) -> Machine {
        Machine {
            arn: "arn:aws:states:us-east-1:123456789012:stateMachine:m".into(),
            name: "m".into(),
            kind: MachineType::Standard,
            role_arn: "arn:aws:iam::123456789012:role/r".into(),
            definition: definition.hash.clone(),
            created_at: Timestamp(1),
            updated_at: None,
            revision_id: None,
            logging: LoggingConfiguration::default(),
            tracing: TracingConfiguration::default(),
            encryption: EncryptionConfiguration::default(),
            tags: Vec::new(),
            versions: Vec::new(),
            last_version: 0,
            aliases: Vec::new(),
            deleting: false,
        }
    }

    fn store() -> Store {
        let options = Options { directory: None };
        Store::open(options).expect("a store in memory opens").0
    }

    #[tokio::test]
    async fn a_machine_is_found_by_whoever_opens_the_store_next() {
        let store = store();
        let first = definition(TEXT);
        let (wanted, hash) = (machine(&first), first.hash.clone());
        let created = Machines::new(store.clone())
            .create(wanted.clone(), first, 1)
            .await;
        assert_eq!(created.expect("the store works").as_deref(), Some(&wanted));

        // Another `Machines` has an empty memory, as after a restart.
        let machines = Machines::new(store);
        let found = machines.find(&wanted.arn).await.expect("the store works");
        assert_eq!(found.as_deref(), Some(&wanted));
        let text = machines.definition_text(&hash).await;
        assert_eq!(text.as_deref(), Ok(TEXT));
        let compiled = machines.definition(&hash).await.expect("it was stored");
        let again = machines.definition(&hash).await.expect("it was stored");
        assert!(
            Arc::ptr_eq(&compiled, &again),
            "a definition is compiled once"
        );
        assert!(machines.definition("unknown").await.is_err());
    }

    #[tokio::test]
    async fn a_definition_outlives_its_machine() {
        let machines = Machines::new(store());
        let first = definition(TEXT);
        let (wanted, hash) = (machine(&first), first.hash.clone());
        let created = machines.create(wanted.clone(), first, 1).await;
        created.expect("the store works").expect("it is the first");
        let second = Machine {
            arn: format!("{}2", wanted.arn).into(),
            ..wanted.clone()
        };
        let created = machines.create(second, definition(TEXT), 1).await;
        assert_eq!(created.expect("the store works"), None, "one is enough");
        machines.delete(&wanted.arn).await.expect("the store works");
        let found = machines.find(&wanted.arn).await;
        assert_eq!(found.expect("the store works"), None);
        let text = machines.definition_text(&hash).await;
        assert_eq!(text.as_deref(), Ok(TEXT));
    }

    #[tokio::test]
    async fn definitions_that_nobody_uses_are_dropped_from_memory() {
        let machines = Machines::new(store());
        let used = definition(TEXT);
        let in_use = used.compiled.clone();
        machines.remember(used);
        for i in 0..COMPILED_MAX {
            machines.remember(definition(&TEXT.replace("\"P\"", &format!("\"P{i}\""))));
        }
        let kept = machines.compiled.read();
        assert!(kept.len() <= COMPILED_MAX);
        assert!(kept.values().any(|machine| Arc::ptr_eq(machine, &in_use)));
    }
}
