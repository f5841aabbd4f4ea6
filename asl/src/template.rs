//! Payload templates: JSON in which a member whose name ends in `.$` holds a path or an intrinsic,
//! or, where the query language is JSONata, in which text between `{%` and `%}` is an expression.
//!
//! What does not depend on the input is kept as a finished value; the rest is a tree that mirrors
//! the template. Members keep their order, which users see in the history.

#[cfg(test)]
mod tests;

use serde_json::{Map, Value};

use crate::failure::Failure;
use crate::intrinsic::Expression;
use crate::jsonata;
use crate::scope::Scope;

/// A compiled template.
#[derive(Debug)]
pub struct Template(Node);

#[derive(Debug)]
enum Node {
    Constant(Value),
    Expression(Expression),
    Jsonata(jsonata::Expression),
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

    /// Compiles `value`, which stands in `field` of a state whose query language is JSONata.
    ///
    /// # Errors
    /// All faults of its expressions, each with the place of its expression inside of the template.
    pub fn parse_jsonata(
        value: &Value,
        field: &str,
    ) -> Result<Template, Vec<(String, jsonata::Fault)>> {
        let mut faults = Vec::new();
        let node = compile_jsonata(value, field, "", &mut faults);
        if faults.is_empty() {
            Ok(Template(node))
        } else {
            Err(faults)
        }
    }

    /// The expression, if the template is one as a whole.
    pub fn as_jsonata(&self) -> Option<&jsonata::Expression> {
        match &self.0 {
            Node::Jsonata(expression) => Some(expression),
            _ => None,
        }
    }

    /// The names of the variables that it reads.
    pub fn variables(&self) -> Vec<&str> {
        fn of<'n>(node: &'n Node, names: &mut Vec<&'n str>) {
            match node {
                Node::Constant(_) => {}
                Node::Expression(expression) => names.extend(expression.variables()),
                Node::Jsonata(expression) => names.extend(expression.names()),
                Node::Object(members) => members.iter().for_each(|(_, node)| of(node, names)),
                Node::Array(items) => items.iter().for_each(|node| of(node, names)),
            }
        }
        let mut names = Vec::new();
        of(&self.0, &mut names);
        names
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

fn compile_jsonata(
    value: &Value,
    field: &str,
    pointer: &str,
    faults: &mut Vec<(String, jsonata::Fault)>,
) -> Node {
    let constant = |node: &Node| matches!(node, Node::Constant(_));
    match value {
        Value::String(text) => {
            let Some(inside) = jsonata::between_braces(text) else {
                if jsonata::is_half_braced(text) {
                    let message = "JSONata string must start with {% and end with %}";
                    let fault = jsonata::Fault {
                        code: "SCHEMA_VALIDATION_FAILED",
                        message: message.to_owned(),
                    };
                    faults.push((pointer.to_owned(), fault));
                }
                return Node::Constant(value.clone());
            };
            match jsonata::Expression::parse(inside, &format!("{field}{pointer}")) {
                Ok(expression) => Node::Jsonata(expression),
                Err(found) => {
                    faults.extend(found.into_iter().map(|fault| (pointer.to_owned(), fault)));
                    Node::Constant(Value::Null)
                }
            }
        }
        Value::Object(members) => {
            let members = members.iter().map(|(name, value)| {
                let pointer = format!("{pointer}/{name}");
                (
                    name.clone(),
                    compile_jsonata(value, field, &pointer, faults),
                )
            });
            let members: Vec<(String, Node)> = members.collect();
            match members.iter().all(|(_, node)| constant(node)) {
                true => Node::Constant(value.clone()),
                false => Node::Object(members),
            }
        }
        Value::Array(items) => {
            let nodes = items.iter().enumerate().map(|(at, item)| {
                compile_jsonata(item, field, &format!("{pointer}[{at}]"), faults)
            });
            let nodes: Vec<Node> = nodes.collect();
            match nodes.iter().all(constant) {
                true => Node::Constant(value.clone()),
                false => Node::Array(nodes),
            }
        }
        scalar => Node::Constant(scalar.clone()),
    }
}

fn render(node: &Node, scope: Scope<'_>) -> Result<Value, Failure> {
    match node {
        Node::Constant(value) => Ok(value.clone()),
        Node::Expression(expression) => expression.evaluate(scope),
        Node::Jsonata(expression) => expression.evaluate(scope),
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
