//! Documents of one kind, typed: read from the store once, then answered from memory.
//!
//! State machines and activities are looked up with every request and hardly ever change, so a look-up
//! must not touch the disk. Memory is right because this process is the only writer of their tables,
//! and because writers and readers that have to go to the store take turns: nobody can put an old
//! document back into memory after a newer one.

use std::sync::Arc;

use hashbrown::HashMap;
use parking_lot::RwLock;
use serde::Serialize;
use serde::de::DeserializeOwned;
use store::{Commit, DocumentChange, Expect, Store, Table};

/// All documents of a table. Cloning is a reference count.
pub struct Registry<T>(Arc<Inner<T>>);

impl<T> Clone for Registry<T> {
    fn clone(&self) -> Registry<T> {
        Registry(self.0.clone())
    }
}

struct Inner<T> {
    store: Store,
    table: Table,
    known: RwLock<HashMap<Box<str>, Arc<T>>>,
    /// Held by whoever goes to the store, across the whole of it.
    turn: tokio::sync::Mutex<()>,
}

/// What to do about a document, once it was seen.
pub enum Decision<T> {
    /// Leave it as it is.
    Keep,
    /// Write it; and with it, other documents.
    Write(T, Vec<DocumentChange>),
    /// Remove it.
    Remove,
}

impl<T: Serialize + DeserializeOwned> Registry<T> {
    /// The documents of `table`. Nobody else may write it.
    pub fn new(store: Store, table: Table) -> Registry<T> {
        Registry(Arc::new(Inner {
            store,
            table,
            known: RwLock::new(HashMap::new()),
            turn: tokio::sync::Mutex::new(()),
        }))
    }

    /// The document with this key.
    ///
    /// # Errors
    /// The store's, as text for the log.
    pub async fn find(&self, key: &str) -> Result<Option<Arc<T>>, String> {
        if let Some(known) = self.known(key) {
            return Ok(Some(known));
        }
        let _turn = self.0.turn.lock().await;
        self.read(key).await
    }

    /// Decides about the document with this key, makes the decision durable, and returns what is there
    /// then, or the refusal of `decide`.
    ///
    /// # Errors
    /// The store's, as text for the log.
    pub async fn change<R>(
        &self,
        key: &str,
        decide: impl FnOnce(Option<&T>) -> Result<Decision<T>, R>,
    ) -> Result<Result<Option<Arc<T>>, R>, String> {
        let _turn = self.0.turn.lock().await;
        let current = self.read(key).await?;
        let (next, mut documents) = match decide(current.as_deref()) {
            Ok(Decision::Keep) => return Ok(Ok(current)),
            Ok(Decision::Write(next, others)) => (Some(Arc::new(next)), others),
            Ok(Decision::Remove) => (None, Vec::new()),
            Err(refusal) => return Ok(Err(refusal)),
        };
        let content = next.as_ref().map(|next| {
            serde_json::to_vec(&**next)
                .expect("a document is plain data and can be written as JSON")
        });
        documents.push(DocumentChange {
            table: self.0.table,
            key: key.to_owned(),
            expect: if current.is_none() {
                Expect::Absent
            } else {
                Expect::Any
            },
            content,
            due: None,
        });
        let commit = Commit {
            execution: None,
            documents,
        };
        self.0
            .store
            .commit(commit)
            .await
            .map_err(|e| format!("{key}: {e}"))?;
        let mut known = self.0.known.write();
        match &next {
            Some(next) => known.insert(key.into(), next.clone()),
            None => known.remove(key),
        };
        Ok(Ok(next))
    }

    /// How many documents there are.
    pub fn count(&self) -> usize {
        self.0.store.count(self.0.table)
    }

    /// The documents whose keys begin with `prefix` and come after `after`, at most `limit`, by key.
    ///
    /// # Errors
    /// The store's, as text for the log.
    pub async fn list(
        &self,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<T>, String> {
        let Inner { store, table, .. } = &*self.0;
        let found = store.scan(*table, prefix, after, limit, false).await;
        let found = found.map_err(|e| e.to_string())?;
        found
            .iter()
            .map(|(key, document)| decode(key, &document.content))
            .collect()
    }

    fn known(&self, key: &str) -> Option<Arc<T>> {
        self.0.known.read().get(key).cloned()
    }

    /// From memory, or from the store into memory. The caller has its turn.
    async fn read(&self, key: &str) -> Result<Option<Arc<T>>, String> {
        if let Some(known) = self.known(key) {
            return Ok(Some(known));
        }
        let found = self.0.store.get(self.0.table, key).await;
        let Some(document) = found.map_err(|e| format!("{key}: {e}"))? else {
            return Ok(None);
        };
        let document = Arc::new(decode(key, &document.content)?);
        let mut known = self.0.known.write();
        known.insert(key.into(), document);
        Ok(known.get(key).cloned())
    }
}

fn decode<T: DeserializeOwned>(key: &str, content: &[u8]) -> Result<T, String> {
    serde_json::from_slice(content)
        .map_err(|e| format!("the stored document {key} is damaged: {e}"))
}
