//! The parts, joined.

use std::sync::Arc;

use store::Store;

use crate::activities::ActivityQueues;
use crate::activity::Activities;
use crate::clock::Clock;
use crate::functions::Functions;
use crate::gateway::Gateway;
use crate::http::Client;
use crate::machines::Machines;
use crate::runner::Runner;
use crate::topics::Topics;

/// One server. Cloning is a reference count.
#[derive(Clone)]
pub struct App(Arc<Parts>);

/// What a server is made of.
pub struct Parts {
    /// Which region and account the server's ARNs name.
    pub place: Place,
    /// What time it is.
    pub clock: Clock,
    /// What is durable.
    pub store: Store,
    /// Requests out.
    pub client: Client,
    /// State machines.
    pub machines: Machines,
    /// Executions.
    pub runner: Runner,
    /// Activities.
    pub activity_documents: Activities,
    /// Activity tasks.
    pub activities: ActivityQueues,
    /// Functions.
    pub functions: Functions,
    /// Topics.
    pub topics: Topics,
    /// Callbacks.
    pub gateway: Gateway,
}

/// The region and account of the server's ARNs.
#[derive(Debug, Clone)]
pub struct Place {
    /// For example `us-east-1`.
    pub region: String,
    /// Twelve digits, for example `123456789012`.
    pub account: String,
}

impl std::ops::Deref for App {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.0
    }
}
