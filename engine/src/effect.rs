//! What has to leave the process once the events that ask for it are durable.

use std::sync::Arc;

use asl::{Data, Resource, Timestamp};

use crate::identity::WaitId;

/// One thing to do outside.
#[derive(Debug, Clone)]
pub enum Effect {
    /// Hand a task to its resource.
    Dispatch(Dispatch),
    /// Run the children of a distributed Map state ([`crate::Execution::map_run`]).
    StartMapRun(WaitId),
    /// A wait is over, whatever ended it: give up an invocation in flight, take an activity task
    /// off its queue, release its references.
    WaitEnded(WaitId),
    /// The execution is over: tell whoever waits for it.
    ExecutionEnded,
}

/// A task for its resource.
#[derive(Debug, Clone)]
pub struct Dispatch {
    /// The wait that the answer is for; with the execution it is the idempotency key.
    pub wait: WaitId,
    /// The Task state's name.
    pub state_name: Arc<str>,
    /// Who does the work.
    pub resource: Resource,
    /// The task's parameters; the activity's input.
    pub parameters: Data,
    /// When nobody waits any longer.
    pub timeout_at: Option<Timestamp>,
    /// Which invocation of its state it is, from 0; counted in executions of a test case only.
    pub invocation: u32,
}
