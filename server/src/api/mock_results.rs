//! What the results of `aws-sdk:*` tasks look like, for [`super::mock_shape`].
//!
//! The table is written by `scripts/mock-results` from the public service models, for the services that tasks
//! use most; the result of another service is not known here. It is read when a mock first asks for it.

use std::collections::HashMap;
use std::sync::LazyLock;

use serde::Deserialize;

static SERVICES: LazyLock<HashMap<Box<str>, Service>> = LazyLock::new(|| {
    serde_json::from_str(include_str!("mock_results.json"))
        .expect("the table was written by a program, and a test reads all of it")
});

/// The results of one service.
#[derive(Debug, Deserialize)]
pub(super) struct Service {
    operations: HashMap<Box<str>, Box<str>>,
    shapes: HashMap<Box<str>, Shape>,
}

/// What a value may be.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum Shape {
    /// A text, whose characters may be counted. Blobs and moments are texts, too.
    Text(Bounds),
    /// A number.
    Number(Bounds),
    /// True or false.
    Boolean {},
    /// One of a few texts.
    Enum(Vec<Box<str>>),
    /// Values of one shape, named.
    List(Box<str>),
    /// Values of one shape, named, under keys of the user's.
    Map(Box<str>),
    /// Members, each with the name of its shape.
    #[serde(untagged)]
    Object {
        /// All that there may be.
        members: HashMap<Box<str>, Box<str>>,
        /// Those that have to be there.
        required: Vec<Box<str>>,
    },
}

/// From where to where.
#[derive(Debug, Clone, Copy, Deserialize)]
pub(super) struct Bounds {
    /// The least.
    pub(super) min: Option<f64>,
    /// The most.
    pub(super) max: Option<f64>,
}

/// The service, and the shape of the result of one of its operations, if the table has it. `action` is
/// `SERVICE:OPERATION`.
pub(super) fn result(action: &str) -> Option<(&'static Service, &'static Shape)> {
    let (service, operation) = action.split_once(':')?;
    let service = SERVICES.get(service)?;
    Some((service, service.shape(service.operations.get(operation)?)))
}

impl Service {
    /// The shape of a name that the table has.
    pub(super) fn shape(&self, name: &str) -> &Shape {
        &self.shapes[name]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_in_the_table_leads_to_a_shape() {
        assert_eq!(SERVICES.len(), 9);
        for service in SERVICES.values() {
            assert!(!service.operations.is_empty());
            for name in service.operations.values() {
                assert!(
                    matches!(service.shape(name), Shape::Object { .. }),
                    "{name}"
                );
            }
            for shape in service.shapes.values() {
                match shape {
                    Shape::List(name) | Shape::Map(name) => {
                        assert!(service.shapes.contains_key(name));
                    }
                    Shape::Object { members, required } => {
                        assert!(
                            members
                                .values()
                                .all(|name| service.shapes.contains_key(name))
                        );
                        assert!(required.iter().all(|name| members.contains_key(name)));
                    }
                    _ => {}
                }
            }
        }
    }
}
