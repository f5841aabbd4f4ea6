//! Payload templates: JSON in which a member whose name ends in `.$` holds a path or an intrinsic.
//!
//! What does not depend on the input is kept as a finished value; the rest is a tree that mirrors
//! the template. Members keep their order, which users see in the history.

#[cfg(test)]
mod tests;

use serde_json::{Map, Value};

use crate::failure::Failure;
use crate::intrinsic::Expression;
use crate::scope::Scope;

/// A compiled template.
#[derive(Debug)]
pub struct Template(Node);

#[derive(Debug)]
enum Node {
    Constant(Value),
    Expression(Expression),
    Object(Vec<(String, Node)>),
    Array(Vec<Node>),
}

/// A member of a template that is not an expression although its name ends in `.$`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TemplateFault {
    /// Where the object that has the member stands inside of the template: empty at its top, else
    /// for example `/Payload/items[0]`.
    pub pointer: String,
    /// The member, for example `taskToken.$`.
    pub field: String,
    /// What is wrong with it.
    pub why: String,
}

impl Template {
    /// Compiles `value`.
    ///
    /// # Errors
    /// All members that are not what their name says.
    pub fn parse(value: &Value) -> Result<Template, Vec<TemplateFault>> {
        let mut faults = Vec::new();
        let node = compile(value, "", &mut faults);
        if faults.is_empty() {
            Ok(Template(node))
        } else {
            Err(faults)
        }
    }

    /// What the template gives for `scope`.
    ///
    /// # Errors
    /// `States.IntrinsicFailure` or `States.Runtime`, with AWS's causes.
    pub fn render(&self, scope: Scope<'_>) -> Result<Value, Failure> {
        render(&self.0, scope)
    }
}

/// Depth is bounded by that of the definition, which the parser limits.
fn compile(value: &Value, pointer: &str, faults: &mut Vec<TemplateFault>) -> Node {
    match value {
        Value::Object(members) => {
            let members: Vec<(String, Node)> = members
                .iter()
                .map(|(name, value)| match name.strip_suffix(".$") {
                    Some(short) => {
                        let compiled = match value {
                            Value::String(text) => Expression::parse(text, name),
                            _ => Err("its value is not a string".to_owned()),
                        };
                        let node = compiled.map_or_else(
                            |why| {
                                faults.push(TemplateFault {
                                    pointer: pointer.to_owned(),
                                    field: name.clone(),
                                    why,
                                });
                                Node::Constant(Value::Null)
                            },
                            Node::Expression,
                        );
                        (short.to_owned(), node)
                    }
                    None => (
                        name.clone(),
                        compile(value, &format!("{pointer}/{name}"), faults),
                    ),
                })
                .collect();
            if members
                .iter()
                .all(|(_, node)| matches!(node, Node::Constant(_)))
            {
                return Node::Constant(value.clone());
            }
            Node::Object(members)
        }
        Value::Array(items) => {
            let nodes: Vec<Node> = items
                .iter()
                .enumerate()
                .map(|(at, item)| compile(item, &format!("{pointer}[{at}]"), faults))
                .collect();
            if nodes.iter().all(|node| matches!(node, Node::Constant(_))) {
                return Node::Constant(value.clone());
            }
            Node::Array(nodes)
        }
        scalar => Node::Constant(scalar.clone()),
    }
}

fn render(node: &Node, scope: Scope<'_>) -> Result<Value, Failure> {
    match node {
        Node::Constant(value) => Ok(value.clone()),
        Node::Expression(expression) => expression.evaluate(scope),
        Node::Array(items) => items.iter().map(|item| render(item, scope)).collect(),
        Node::Object(members) => {
            let mut object = Map::with_capacity(members.len());
            for (name, node) in members {
                object.insert(name.clone(), render(node, scope)?);
            }
            Ok(Value::Object(object))
        }
    }
}
