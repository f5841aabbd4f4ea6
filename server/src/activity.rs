//! Activities as documents: their name, when they were made, their tags. The tasks that wait for workers
//! are in [`crate::activities`].

use std::sync::Arc;

use asl::Timestamp;
use serde::{Deserialize, Serialize};

use crate::machines::EncryptionConfiguration;
use crate::registry::Registry;
use crate::tags::Tag;

/// All activities, by ARN ([`store::Table::Activity`]).
pub type Activities = Registry<Activity>;

/// An activity.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Activity {
    /// Its ARN.
    pub arn: Arc<str>,
    /// The last part of its ARN.
    pub name: Arc<str>,
    /// When it was made.
    pub created_at: Timestamp,
    /// As given.
    pub encryption: EncryptionConfiguration,
    /// Its tags.
    pub tags: Vec<Tag>,
}
