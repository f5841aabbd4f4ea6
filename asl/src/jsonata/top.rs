//! What an expression reads that a state does not have.
//!
//! An expression is evaluated without a context item: everything comes in as `$states` or as a
//! variable. AWS refuses a definition that reads the context all the same. Only the first step of a
//! path does; later steps, predicates, sort terms and groupings look at what came before them.

use std::fmt;

use jsonata_core::ast::{AstNode, BinaryOp};

/// Something that is not there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Reference {
    /// A bare name, or `$`.
    Top(String),
    /// `$$`.
    Root,
    /// `$states.errorOutput`, which only a Catch has.
    ErrorOutput,
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Reference::Top(name) => {
                write!(
                    f,
                    "Reference to '{name}' at the top level is not supported."
                )
            }
            Reference::Root => f.write_str("Reference to '$$' is not supported."),
            Reference::ErrorOutput => f.write_str("Field '$states.errorOutput' does not exist."),
        }
    }
}

/// All of them, each once, in the order of the text.
pub(super) fn references(ast: &AstNode) -> Vec<Reference> {
    let mut found = Vec::new();
    collect(ast, &mut found);
    found
}

/// As deep as the parser allows, which is bounded.
fn collect(node: &AstNode, found: &mut Vec<Reference>) {
    let mut add = |reference: Reference| {
        if !found.contains(&reference) {
            found.push(reference);
        }
    };
    match node {
        AstNode::Name(name) => add(Reference::Top(name.clone())),
        AstNode::Variable(name) if name.is_empty() => add(Reference::Top("$".to_owned())),
        AstNode::Variable(name) if name == "$" => add(Reference::Root),
        AstNode::ParentVariable(_) => add(Reference::Root),
        AstNode::Path { steps } => {
            let names = |at: usize| steps.get(at).map(|step| &step.node);
            if let (Some(AstNode::Variable(first)), Some(AstNode::Name(second))) =
                (names(0), names(1))
                && first == "states"
                && second == "errorOutput"
            {
                add(Reference::ErrorOutput);
            }
            if let Some(first) = names(0) {
                collect(first, found);
            }
        }
        AstNode::Binary {
            op: BinaryOp::ColonEqual,
            rhs,
            ..
        } => collect(rhs, found),
        AstNode::Binary { lhs, rhs, .. } => {
            collect(lhs, found);
            collect(rhs, found);
        }
        AstNode::Unary { operand, .. } => collect(operand, found),
        AstNode::Function { args, .. } => each(args, found),
        AstNode::Call { procedure, args } => {
            collect(procedure, found);
            each(args, found);
        }
        AstNode::Lambda { body, .. } => collect(body, found),
        AstNode::Array(items) | AstNode::Block(items) | AstNode::ArrayGroup(items) => {
            each(items, found)
        }
        AstNode::Object(pairs) => {
            for (name, value) in pairs {
                collect(name, found);
                collect(value, found);
            }
        }
        AstNode::Conditional {
            condition,
            then_branch,
            else_branch,
        } => {
            collect(condition, found);
            collect(then_branch, found);
            if let Some(branch) = else_branch {
                collect(branch, found);
            }
        }
        AstNode::ObjectTransform { input, .. } | AstNode::Sort { input, .. } => {
            collect(input, found)
        }
        AstNode::FunctionApplication(inner) => collect(inner, found),
        AstNode::Variable(_)
        | AstNode::Transform { .. }
        | AstNode::String(_)
        | AstNode::Number(_)
        | AstNode::Boolean(_)
        | AstNode::Null
        | AstNode::Undefined
        | AstNode::Placeholder
        | AstNode::Regex { .. }
        | AstNode::Wildcard
        | AstNode::Descendant
        | AstNode::Parent(_) => {}
    }
}

fn each(nodes: &[AstNode], found: &mut Vec<Reference>) {
    nodes.iter().for_each(|node| collect(node, found));
}
