//! References by the wait that holds them, for whoever looks at a wait.
//!
//! A document without content stands beside each reference that a wait has, under the execution and the wait;
//! it comes and goes in the same commits. There are as many of them as references that somebody registered,
//! which is how those are told from references that a callback is kept for.

use engine::{ExecutionKey, Token, WaitId};
use store::{DocumentChange, Expect, Table};

use super::Gateway;
use super::record::{Holder, Reference};

/// Separates the parts of a key. The last part is the third party's and may contain it.
const SEPARATOR: char = '\n';

/// How many references of one wait are shown: it may register as many as it likes.
const SHOWN_MAX: usize = 20;

fn prefix(execution: ExecutionKey, wait: WaitId) -> String {
    format!("{:032x}{SEPARATOR}{}{SEPARATOR}", execution.0, wait.0)
}

impl Gateway {
    /// The references that a wait holds, with their routes.
    pub fn references_of(&self, execution: ExecutionKey, wait: WaitId) -> Vec<(String, String)> {
        let prefix = prefix(execution, wait);
        let store = &self.0.store;
        let keys = store.keys(Table::HeldReference, &prefix, None, SHOWN_MAX, false);
        keys.iter()
            .filter_map(|key| key.strip_prefix(&prefix)?.split_once(SEPARATOR))
            .map(|(route, reference)| (route.to_owned(), reference.to_owned()))
            .collect()
    }

    /// The references that an execution's waits hold, with their routes; at most so many.
    pub(super) fn references_of_execution(
        &self,
        execution: ExecutionKey,
        most: usize,
    ) -> Vec<(String, String)> {
        let prefix = format!("{:032x}{SEPARATOR}", execution.0);
        let store = &self.0.store;
        let keys = store.keys(Table::HeldReference, &prefix, None, most, false);
        keys.iter()
            .filter_map(|key| {
                let (_wait, named) = key.strip_prefix(&prefix)?.split_once(SEPARATOR)?;
                named.split_once(SEPARATOR)
            })
            .map(|(route, reference)| (route.to_owned(), reference.to_owned()))
            .collect()
    }

    /// The waits that hold a reference, on whichever route.
    ///
    /// # Errors
    /// If the store can't be read; text for the log.
    pub async fn holders(&self, reference: &str) -> Result<Vec<Token>, String> {
        let mut tokens = Vec::new();
        for route in self.routes().all() {
            let Some((_, found)) = self.reference(&route.name, reference).await? else {
                continue;
            };
            let holder = found.standing.holder();
            tokens.extend(holder.and_then(|holder| self.0.engine.check(&holder.token).ok()));
        }
        Ok(tokens)
    }

    /// A wait holds a reference from now on.
    pub(super) fn holds(
        &self,
        holder: &Holder,
        route: &str,
        reference: &str,
    ) -> Option<DocumentChange> {
        self.link(holder, route, reference, Some(Vec::new()))
    }

    /// A wait no longer holds a reference.
    pub(super) fn let_go(
        &self,
        holder: &Holder,
        route: &str,
        reference: &str,
    ) -> Option<DocumentChange> {
        self.link(holder, route, reference, None)
    }

    /// A reference is forgotten.
    pub(super) fn forgotten(&self, reference: &Reference, version: u64) -> Vec<DocumentChange> {
        let holder = reference.standing.holder();
        let link =
            holder.and_then(|holder| self.let_go(holder, &reference.route, &reference.reference));
        let over = holder.and_then(|holder| self.stuck_over(reference, holder));
        std::iter::once(reference.removal(version))
            .chain(link)
            .chain(over)
            .collect()
    }

    fn link(
        &self,
        holder: &Holder,
        route: &str,
        reference: &str,
        content: Option<Vec<u8>>,
    ) -> Option<DocumentChange> {
        // Only this server's own tokens name an execution.
        let token = self.0.engine.check(&holder.token).ok()?;
        Some(DocumentChange {
            table: Table::HeldReference,
            key: format!(
                "{}{route}{SEPARATOR}{reference}",
                prefix(token.execution, token.wait)
            ),
            expect: Expect::Any,
            content,
            due: None,
        })
    }
}
