//! A walk over a parsed expression: what it refers to, and detours around what is dangerous.
//!
//! `a & b` and the functions that need a guard are given names that only [`super::functions`] knows
//! and no expression can spell. The evaluator's own functions keep theirs, so a guard can call what
//! it guards, and a function that is handed to it is guarded inside too.

use std::collections::BTreeSet;

use jsonata_core::ast::{AstNode, BinaryOp, PathStep, Stage};

use super::functions;

/// The name under which `&` is led to its guard. No expression can spell it.
pub(super) const CONCATENATE: &str = "&";

/// The name under which a function is led to its guard, and the names of its parameters.
pub(super) fn guard_of(name: &str) -> Option<(&'static str, &'static [&'static str])> {
    Some(match name {
        "string" => ("string!", &["value"]),
        "join" => ("join!", &["items", "separator"]),
        "replace" => ("replace!", &["text", "pattern", "replacement", "limit"]),
        "pad" => ("pad!", &["text", "width", "character"]),
        "formatInteger" => ("formatInteger!", &["number", "picture"]),
        "formatNumber" => ("formatNumber!", &["number", "picture", "options"]),
        "parseInteger" => ("parseInteger!", &["text", "picture"]),
        "fromMillis" => ("fromMillis!", &["millis", "picture", "timezone"]),
        "toMillis" => ("toMillis!", &["text", "picture"]),
        _ => return None,
    })
}

/// What an expression refers to.
#[derive(Debug, Default)]
pub(super) struct Uses {
    /// Names that it reads and does not bind, in order: workflow variables, and `states`.
    pub(super) names: BTreeSet<String>,
    /// The parts of `$states` that it reads.
    pub(super) parts: Vec<Part>,
    /// The functions of ours that it calls.
    pub(super) functions: BTreeSet<&'static str>,
}

/// A part of `$states`, so that only what is read is converted.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Part {
    Input,
    Result,
    ErrorOutput,
    Context,
    /// A member of the context object.
    ContextMember(String),
}

/// Walks `ast`, puts the detours in, and says what it refers to.
pub(super) fn guard(ast: &mut AstNode) -> Uses {
    // Twice: only the whole says which names the expression binds, and its own are left alone.
    let mut walk = Walk::default();
    walk.node(ast);
    walk.rewriting = true;
    walk.node(ast);
    let Walk {
        mut read,
        bound,
        parts,
        functions,
        ..
    } = walk;
    read.retain(|name| !bound.contains(name) && functions::find(name).is_none());
    Uses {
        names: read,
        parts: parts.into_iter().collect(),
        functions,
    }
}

#[derive(Default)]
struct Walk {
    read: BTreeSet<String>,
    bound: BTreeSet<String>,
    parts: BTreeSet<Part>,
    functions: BTreeSet<&'static str>,
    rewriting: bool,
}

impl Walk {
    /// As deep as the parser allows, which is bounded.
    fn node(&mut self, node: &mut AstNode) {
        match node {
            AstNode::Variable(name) => {
                self.variable(name);
                if let Some(detour) = self.detour(name) {
                    *node = detour;
                }
            }
            AstNode::Path { steps } => self.path(steps),
            AstNode::Binary { op, lhs, rhs } => {
                let op = *op;
                if let (BinaryOp::ColonEqual, AstNode::Variable(name)) = (op, &**lhs) {
                    self.bound.insert(name.clone());
                }
                self.node(lhs);
                match &mut **rhs {
                    // `a ~> $f()` calls `$f(a)`: the first argument is not missing.
                    AstNode::Function { name, args, .. } if op == BinaryOp::ChainPipe => {
                        self.lead(name);
                        self.all(args);
                    }
                    rhs => self.node(rhs),
                }
                if op == BinaryOp::Concatenate && self.rewriting {
                    let take = |side: &mut AstNode| std::mem::replace(side, AstNode::Undefined);
                    let args = vec![take(lhs), take(rhs)];
                    self.functions.insert(CONCATENATE);
                    *node = AstNode::Function {
                        name: CONCATENATE.to_owned(),
                        args,
                        is_builtin: true,
                    };
                }
            }
            AstNode::Unary { operand, .. } => self.node(operand),
            AstNode::Function { name, args, .. } => {
                // An override does not see the context that a built-in function takes for a missing
                // argument, so the argument is written out.
                if self.rewriting && args.is_empty() && functions::takes_context(name) {
                    args.push(AstNode::Variable(String::new()));
                }
                self.lead(name);
                self.all(args);
            }
            AstNode::Call { procedure, args } => {
                self.node(procedure);
                self.all(args);
            }
            AstNode::Lambda { params, body, .. } => {
                self.bound.extend(params.iter().cloned());
                self.node(body);
            }
            AstNode::Array(items) | AstNode::Block(items) | AstNode::ArrayGroup(items) => {
                self.all(items)
            }
            AstNode::Object(pairs) => self.pairs(pairs),
            AstNode::ObjectTransform { input, pattern } => {
                self.node(input);
                self.pairs(pattern);
            }
            AstNode::Conditional {
                condition,
                then_branch,
                else_branch,
            } => {
                self.node(condition);
                self.node(then_branch);
                if let Some(branch) = else_branch {
                    self.node(branch);
                }
            }
            AstNode::FunctionApplication(inner) => self.node(inner),
            AstNode::Sort { input, terms } => {
                self.node(input);
                terms.iter_mut().for_each(|(term, _)| self.node(term));
            }
            AstNode::Transform {
                location,
                update,
                delete,
            } => {
                self.node(location);
                self.node(update);
                if let Some(delete) = delete {
                    self.node(delete);
                }
            }
            AstNode::String(_)
            | AstNode::Name(_)
            | AstNode::Number(_)
            | AstNode::Boolean(_)
            | AstNode::Null
            | AstNode::Undefined
            | AstNode::Placeholder
            | AstNode::Regex { .. }
            | AstNode::ParentVariable(_)
            | AstNode::Wildcard
            | AstNode::Descendant
            | AstNode::Parent(_) => {}
        }
    }

    fn all(&mut self, nodes: &mut [AstNode]) {
        nodes.iter_mut().for_each(|node| self.node(node));
    }

    fn pairs(&mut self, pairs: &mut [(AstNode, AstNode)]) {
        for (name, value) in pairs {
            self.node(name);
            self.node(value);
        }
    }

    fn path(&mut self, steps: &mut [PathStep]) {
        let states = matches!(steps, [first, ..] if is_states(&first.node));
        if states {
            self.read.insert("states".to_owned());
            self.states(steps);
        }
        for (at, step) in steps.iter_mut().enumerate() {
            self.bound.extend(step.focus.iter().cloned());
            self.bound.extend(step.index_var.iter().cloned());
            if !(states && at == 0) {
                self.node(&mut step.node);
            }
            for stage in &mut step.stages {
                match stage {
                    Stage::Filter(condition) => self.node(condition),
                    Stage::Index(name) => drop(self.bound.insert(name.clone())),
                    Stage::KeepArray => {}
                }
            }
        }
    }

    /// Which part of `$states` a path reads, as far as its names say.
    fn states(&mut self, steps: &[PathStep]) {
        let plain = |at: usize| steps.get(at).filter(|step| step.stages.is_empty());
        let name = |at: usize| match steps.get(at).map(|step| &step.node) {
            Some(AstNode::Name(name)) => Some(name.as_str()),
            _ => None,
        };
        let part = match (plain(0).and(name(1)), plain(1).and(name(2))) {
            (Some("input"), _) => Part::Input,
            (Some("result"), _) => Part::Result,
            (Some("errorOutput"), _) => Part::ErrorOutput,
            (Some("context"), Some(member)) => Part::ContextMember(member.to_owned()),
            (Some("context"), None) => Part::Context,
            _ => return self.whole_states(),
        };
        self.parts.insert(part);
    }

    fn whole_states(&mut self) {
        self.parts
            .extend([Part::Input, Part::Result, Part::ErrorOutput, Part::Context]);
    }

    fn variable(&mut self, name: &str) {
        if name == "states" {
            self.whole_states();
        }
        if !name.is_empty() && name != "$" {
            self.read.insert(name.to_owned());
        }
        self.functions.extend(functions::find(name));
    }

    /// What stands for a guarded function that is handed on and not called: a workflow variable of
    /// its name, if there is one ([`super::session`] binds it so), or a function that calls the guard.
    fn detour(&mut self, name: &str) -> Option<AstNode> {
        let (guard, params) =
            guard_of(name).filter(|_| self.rewriting && !self.bound.contains(name))?;
        self.functions.insert(guard);
        let params: Vec<String> = params.iter().map(|name| (*name).to_owned()).collect();
        let call = AstNode::Function {
            name: guard.to_owned(),
            args: params.iter().cloned().map(AstNode::Variable).collect(),
            is_builtin: true,
        };
        let function = AstNode::Lambda {
            params,
            body: Box::new(call),
            signature: None,
            thunk: false,
        };
        Some(AstNode::Binary {
            op: BinaryOp::Coalesce,
            lhs: Box::new(AstNode::Variable(guard.to_owned())),
            rhs: Box::new(function),
        })
    }

    fn lead(&mut self, name: &mut String) {
        if self.bound.contains(name.as_str()) {
            return;
        }
        if let Some((guard, _)) = guard_of(name).filter(|_| self.rewriting) {
            *name = guard.to_owned();
        }
        self.functions.extend(functions::find(name));
    }
}

fn is_states(node: &AstNode) -> bool {
    matches!(node, AstNode::Variable(name) if name == "states")
}
