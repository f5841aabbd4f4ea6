//! Versions of a state machine, which never change, and aliases, which lead to one or two versions.
//!
//! Both are kept in the machine's document: publishing, routing and deleting are then one change of one
//! document, and an alias can never lead to a version that is gone. The number of a deleted version is
//! not given again.

use std::sync::Arc;

use asl::Timestamp;
use serde::{Deserialize, Serialize};

use crate::machines::{
    EncryptionConfiguration, LoggingConfiguration, Machine, TracingConfiguration,
};

/// A machine as it was when somebody published it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Version {
    /// From 1; the last part of its ARN.
    pub number: u32,
    /// `versionDescription`.
    pub description: Option<String>,
    /// When it was published.
    pub created_at: Timestamp,
    /// Which revision of the machine it is; the first one has no id.
    pub revision_id: Option<String>,
    /// Which text defines it: the hex SHA-256.
    pub definition: Arc<str>,
    /// The role.
    pub role_arn: Arc<str>,
    /// `loggingConfiguration`.
    pub logging: LoggingConfiguration,
    /// `tracingConfiguration`.
    pub tracing: TracingConfiguration,
    /// `encryptionConfiguration`.
    pub encryption: EncryptionConfiguration,
}

/// A name for one or two versions.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Alias {
    /// The last part of its ARN; never a number.
    pub name: Arc<str>,
    /// What it is for.
    pub description: Option<String>,
    /// One or two, whose weights make 100.
    pub routes: Vec<Route>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed, at first when it was made.
    pub updated_at: Timestamp,
}

/// One way that an alias leads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Route {
    /// To which version.
    pub version: u32,
    /// How many of a hundred executions.
    pub weight: u8,
}

/// What stands behind the machine's own ARN in a version's or an alias's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Qualifier<'a> {
    /// A version's number.
    Version(u32),
    /// An alias's name.
    Alias(&'a str),
}

impl Qualifier<'_> {
    /// Reads the last part of a qualified ARN. Numbers are versions: an alias's name has a letter.
    pub fn of(text: &str) -> Qualifier<'_> {
        let number = text.bytes().all(|byte| byte.is_ascii_digit());
        match text.parse() {
            Ok(version) if number && !text.starts_with('0') => Qualifier::Version(version),
            _ => Qualifier::Alias(text),
        }
    }
}

/// What an execution begins with.
#[derive(Debug, Clone, PartialEq)]
pub struct Chosen {
    /// Which text: the hex SHA-256.
    pub definition: Arc<str>,
    /// The role.
    pub role_arn: Arc<str>,
    /// The version, if one was asked for or an alias led to it.
    pub version: Option<u32>,
    /// The alias, if one was asked for.
    pub alias: Option<Arc<str>>,
}

impl Machine {
    /// The version with this number.
    pub fn version(&self, number: u32) -> Option<&Version> {
        // Numbers ascend, since the next one is always the highest.
        let place = self.versions.binary_search_by_key(&number, |v| v.number);
        Some(&self.versions[place.ok()?])
    }

    /// The alias of this name.
    pub fn alias(&self, name: &str) -> Option<&Alias> {
        Some(&self.aliases[self.alias_place(name).ok()?])
    }

    /// Where the alias of this name is, or would be.
    pub fn alias_place(&self, name: &str) -> Result<usize, usize> {
        self.aliases
            .binary_search_by(|alias| (*alias.name).cmp(name))
    }

    /// The version that is this machine as it stands, if it was published.
    pub fn current_version(&self) -> Option<&Version> {
        let mut newest_first = self.versions.iter().rev();
        newest_first.find(|version| version.revision_id == self.revision_id)
    }

    /// This machine with its current state published; unchanged if that was done already.
    pub fn published(mut self, description: Option<String>, at: Timestamp) -> Machine {
        if self.current_version().is_none() {
            self.last_version += 1;
            self.versions.push(Version {
                number: self.last_version,
                description,
                created_at: at,
                revision_id: self.revision_id.clone(),
                definition: self.definition.clone(),
                role_arn: self.role_arn.clone(),
                logging: self.logging.clone(),
                tracing: self.tracing.clone(),
                encryption: self.encryption.clone(),
            });
        }
        self
    }

    /// The names of the aliases that lead to a version.
    pub fn aliases_of(&self, version: u32) -> impl Iterator<Item = &Alias> {
        let leads = move |alias: &&Alias| alias.routes.iter().any(|r| r.version == version);
        self.aliases.iter().filter(leads)
    }

    /// What an execution begins with that was started on this machine, a version or an alias of it.
    /// `draw` gives a number from 0 to 99, which decides where an alias leads. `None`: there is no such version or
    /// alias.
    pub fn choose(
        &self,
        qualifier: Option<Qualifier<'_>>,
        draw: impl FnOnce() -> u8,
    ) -> Option<Chosen> {
        let (number, alias) = match qualifier {
            None => {
                return Some(Chosen {
                    definition: self.definition.clone(),
                    role_arn: self.role_arn.clone(),
                    version: None,
                    alias: None,
                });
            }
            Some(Qualifier::Version(number)) => (number, None),
            Some(Qualifier::Alias(name)) => {
                let alias = self.alias(name)?;
                (alias.lead(draw()), Some(alias.name.clone()))
            }
        };
        let version = self.version(number)?;
        Some(Chosen {
            definition: version.definition.clone(),
            role_arn: version.role_arn.clone(),
            version: Some(number),
            alias,
        })
    }
}

impl Alias {
    fn lead(&self, draw: u8) -> u32 {
        let mut left = draw;
        for route in &self.routes {
            if left < route.weight {
                return route.version;
            }
            left -= route.weight;
        }
        let last = self.routes.last();
        last.expect("an alias has a route").version
    }
}

#[cfg(test)]
mod tests {
    use crate::machines::MachineType;

    use super::*;

    fn machine() -> Machine {
        Machine {
            arn: "arn:aws:states:us-east-1:123456789012:stateMachine:m".into(),
            name: "m".into(),
            kind: MachineType::Standard,
            role_arn: "arn:aws:iam::123456789012:role/r".into(),
            definition: "first".into(),
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

    fn updated(machine: Machine, text: &str) -> Machine {
        Machine {
            definition: text.into(),
            revision_id: Some(text.to_owned()),
            ..machine
        }
    }

    fn numbers(machine: &Machine) -> Vec<u32> {
        machine.versions.iter().map(|v| v.number).collect()
    }

    #[test]
    fn what_was_published_is_not_published_again() {
        let once = machine().published(None, Timestamp(2));
        let twice = once.clone().published(Some("again".into()), Timestamp(3));
        assert_eq!(once, twice);
        let next = updated(twice, "second").published(None, Timestamp(4));
        assert_eq!(numbers(&next), [1, 2]);
        assert_eq!(
            next.version(1).map(|v| &*v.definition),
            Some("first"),
            "a version does not follow its machine"
        );
    }

    #[test]
    fn the_number_of_a_deleted_version_is_not_given_again() {
        let first = machine().published(None, Timestamp(2));
        let mut second = updated(first, "second").published(None, Timestamp(3));
        second.versions.retain(|version| version.number != 2);
        assert_eq!(second.version(2), None);
        let third = second.published(None, Timestamp(4));
        assert_eq!(numbers(&third), [1, 3]);
    }

    #[test]
    fn a_machine_that_was_stored_before_there_were_versions_has_none() {
        let mut document = serde_json::to_value(machine()).expect("a machine is plain data");
        let fields = document.as_object_mut().expect("a machine is an object");
        for later in ["versions", "last_version", "aliases"] {
            assert!(fields.remove(later).is_some());
        }
        let read: Machine = serde_json::from_value(document).expect("it is read");
        assert_eq!(read, machine());
    }

    #[test]
    fn an_alias_leads_by_weight() {
        let first = machine().published(None, Timestamp(2));
        let mut machine = updated(first, "second").published(None, Timestamp(3));
        let route = |version, weight| Route { version, weight };
        machine.aliases.push(Alias {
            name: "prod".into(),
            description: None,
            routes: vec![route(1, 30), route(2, 70)],
            created_at: Timestamp(4),
            updated_at: Timestamp(4),
        });
        let led = |draw| {
            let chosen = machine.choose(Some(Qualifier::of("prod")), || draw);
            chosen.expect("there is such an alias").version
        };
        let first = (0..100).filter(|draw| led(*draw) == Some(1)).count();
        assert_eq!(first, 30);
        assert_eq!((led(0), led(29), led(30)), (Some(1), Some(1), Some(2)));

        let version = machine.choose(Some(Qualifier::of("1")), || 0);
        let version = version.expect("there is such a version");
        assert_eq!((&*version.definition, version.alias), ("first", None));
        let none = machine.choose(None, || 0).expect("there is a machine");
        assert_eq!((&*none.definition, none.version), ("second", None));
        for unknown in ["3", "01", "+1", "99999999999", ""] {
            assert_eq!(machine.choose(Some(Qualifier::of(unknown)), || 0), None);
        }
        assert_eq!(machine.choose(Some(Qualifier::of("test")), || 0), None);
    }
}
