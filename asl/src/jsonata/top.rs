//! What an expression reads that a state does not have.
//!
//! An expression is evaluated without a context item: everything comes in as `$states` or as a
//! variable. AWS refuses a definition that reads the context all the same. Only the first step of a
//! path does; later steps, predicates, sort terms and groupings look at what came before them.

use std::fmt;

use super::parse::{Ast, Part};

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
pub(super) fn references(tree: &Ast) -> Vec<Reference> {
    let mut found = Vec::new();
    collect(tree, &mut found);
    found
}

/// As deep as the parser allows, which is bounded.
fn collect(tree: &Ast, found: &mut Vec<Reference>) {
    let mut add = |reference: Reference| {
        if !found.contains(&reference) {
            found.push(reference);
        }
    };
    match &tree.part {
        Part::Name(name) => add(Reference::Top(name.clone())),
        Part::Variable(name) if name.is_empty() => add(Reference::Top("$".to_owned())),
        Part::Variable(name) if name == "$" => add(Reference::Root),
        Part::Dot(first, second) => {
            if let (Part::Variable(first), Part::Name(second)) = (&first.part, &second.part)
                && first == "states"
                && second == "errorOutput"
            {
                add(Reference::ErrorOutput);
            }
            collect(first, found);
        }
        // Only what is left of these is not an item of something.
        Part::Predicate(left, _)
        | Part::Group(left, _)
        | Part::Sort(left, _)
        | Part::Focus(left, _)
        | Part::Index(left, _) => collect(left, found),
        Part::Binary(_, left, right)
        | Part::Apply(left, right)
        | Part::Elvis(left, right)
        | Part::Coalesce(left, right) => {
            collect(left, found);
            collect(right, found);
        }
        Part::Bind(_, inner) | Part::Negate(inner) | Part::Lambda(_, _, inner) => {
            collect(inner, found);
        }
        Part::Array(items) | Part::Block(items) => each(items, found),
        Part::Object(pairs) => {
            for (name, value) in pairs {
                collect(name, found);
                collect(value, found);
            }
        }
        Part::Call(procedure, arguments) | Part::Partial(procedure, arguments) => {
            collect(procedure, found);
            each(arguments, found);
        }
        Part::Condition(condition, then, otherwise) => {
            collect(condition, found);
            collect(then, found);
            otherwise
                .iter()
                .for_each(|otherwise| collect(otherwise, found));
        }
        Part::Variable(_)
        | Part::Transform(..)
        | Part::Text(_)
        | Part::Number(_)
        | Part::Bool(_)
        | Part::Null
        | Part::Regex(_)
        | Part::Wildcard
        | Part::Descendants
        | Part::Parent
        | Part::Placeholder
        | Part::End => {}
    }
}

fn each(trees: &[Ast], found: &mut Vec<Reference>) {
    trees.iter().for_each(|tree| collect(tree, found));
}
