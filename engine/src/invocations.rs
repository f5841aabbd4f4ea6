//! How often each Task state of a test case has asked its resource: which mocked response comes next.
//!
//! The count is over the whole execution, its retries, loops, branches and iterations, as Step Functions Local
//! has it: of a Map state that runs several iterations at once nobody knows whose response is which. It is part
//! of a snapshot, so a restart goes on where the count was. An execution without a test case counts nothing.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::identity::WaitId;

/// The invocations of an execution so far.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Invocations {
    /// How many each state has had.
    counts: BTreeMap<Arc<str>, u32>,
    /// Which one each open wait is: a task that goes out again after a restart is the same invocation.
    open: BTreeMap<WaitId, u32>,
}

impl Invocations {
    /// Whether there are none: most executions have none to store.
    pub(crate) fn is_none(&self) -> bool {
        self.counts.is_empty()
    }

    /// A state asks its resource.
    pub(crate) fn begin(&mut self, state: Arc<str>, wait: WaitId) {
        let count = self.counts.entry(state).or_default();
        self.open.insert(wait, *count);
        *count += 1;
    }

    /// A wait is over.
    pub(crate) fn end(&mut self, wait: WaitId) {
        self.open.remove(&wait);
    }

    /// Which invocation of its state an open wait is, from 0.
    pub(crate) fn of(&self, wait: WaitId) -> u32 {
        self.open.get(&wait).copied().unwrap_or_default()
    }
}
