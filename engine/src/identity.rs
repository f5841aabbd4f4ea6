//! What an execution is called, by people and by machines.

use std::sync::Arc;

use asl::{Data, Timestamp};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::trace::TraceContext;

/// Names an execution in stores, timers and tokens: the first 16 bytes of the SHA-256 of its ARN.
///
/// Sixteen bytes instead of an ARN of up to 300 characters keep a parked execution small, and the
/// hash makes the name in an ARN enough to find the execution.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ExecutionKey(pub u128);

impl ExecutionKey {
    /// The key of the execution with this ARN.
    pub fn of(arn: &str) -> ExecutionKey {
        let digest = Sha256::digest(arn.as_bytes());
        let head: [u8; 16] = digest[..16].try_into().expect("a SHA-256 has 32 bytes");
        ExecutionKey(u128::from_be_bytes(head))
    }
}

/// One task state's stay for its result, numbered within its execution from 1; never used again,
/// so a retry's wait has another number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct WaitId(pub u32);

/// What an execution is given when it starts, and keeps.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Identity {
    /// `arn:aws:states:REGION:ACCOUNT:execution:MACHINE:NAME`.
    pub arn: Arc<str>,
    /// The last part of the ARN.
    pub name: Arc<str>,
    /// The machine's ARN.
    pub state_machine_arn: Arc<str>,
    /// The machine's name.
    pub state_machine_name: Arc<str>,
    /// Which text the machine had: the hex SHA-256 of the definition.
    pub definition: Arc<str>,
    /// The role that the machine had.
    pub role_arn: Arc<str>,
    /// The input, as given.
    pub input: Data,
    /// When it was started.
    pub started_at: Timestamp,
    /// Which version of the machine it was started on, itself or through an alias.
    #[serde(default)]
    pub version: Option<u32>,
    /// The name of the alias that it was started through.
    #[serde(default)]
    pub alias: Option<Arc<str>>,
    /// What a child workflow execution is a part of; it runs the processor of one Map state, and not
    /// the machine from its start.
    #[serde(default)]
    pub map_run: Option<MapRunChild>,
    /// The test case whose mocked responses its Task states get (`#CASE` after the machine's ARN).
    #[serde(default)]
    pub test_case: Option<Arc<str>>,
    /// Which trace whoever started it said that it belongs to.
    #[serde(default)]
    pub trace_context: Option<Arc<TraceContext>>,
    /// `traceHeader` of the request that started it, as given, which is also shown if it names no trace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace_header: Option<Arc<str>>,
}

/// Which part of a Map Run an execution is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MapRunChild {
    /// The Map Run.
    pub arn: Arc<str>,
    /// The Map state whose `ItemProcessor` it runs.
    pub state: Arc<str>,
    /// Which child, from 0: the order of the items or batches.
    pub index: u32,
    /// How many items it was given.
    pub items: u32,
}

impl Identity {
    /// Whether it is an execution of an EXPRESS machine, which its ARN says (`...:express:...`).
    pub fn is_express(&self) -> bool {
        self.arn.split(':').nth(5) == Some("express")
    }

    /// The ARN of the machine that is defined: that of a child names its Map state's label as well.
    pub fn defined_machine_arn(&self) -> &str {
        let labelled = self.state_machine_arn.split_once('/');
        labelled.map_or(&self.state_machine_arn, |(arn, _)| arn)
    }

    /// The name of the machine that is defined.
    pub fn defined_machine_name(&self) -> &str {
        let arn = self.defined_machine_arn();
        arn.rsplit(':').next().unwrap_or(arn)
    }

    /// The ARN of the version that the execution was started on.
    pub fn version_arn(&self) -> Option<String> {
        let version = self.version?;
        Some(format!("{}:{version}", self.state_machine_arn))
    }

    /// The ARN of the alias that the execution was started through.
    pub fn alias_arn(&self) -> Option<String> {
        let alias = self.alias.as_deref()?;
        Some(format!("{}:{alias}", self.state_machine_arn))
    }
}
