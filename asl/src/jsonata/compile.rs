//! What is written to what is evaluated: paths in one piece, each `%` bound to the step that
//! remembers its item, names resolved as far as the text says.

use std::collections::{BTreeSet, HashMap};

use super::error::{Failed, error};
use super::functions::{self, Builtin};
use super::parse::{Ast, Binary, Part, too_deep};
use super::regex::Pattern;
use super::signature::Signature;
use super::stack::Stack;

/// A variable's name: its place in [`Program::names`].
pub(super) type Name = u32;

/// An expression, compiled.
#[derive(Debug)]
pub(super) struct Program {
    pub(super) root: Node,
    pub(super) names: Vec<String>,
    /// By the number of a `%`: what it reads.
    pub(super) ancestors: Vec<Name>,
    /// The names that are read and not bound, without those of functions.
    pub(super) free: BTreeSet<String>,
    /// Whether a variable is bound outside of all blocks and functions.
    pub(super) binds: bool,
}

/// A part of an expression.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) kind: Kind,
    /// What it finds stays a list (`[]`).
    pub(super) keep: bool,
    /// It hands on all the items that it came by.
    pub(super) tuple: bool,
    /// An array that stays one among the results of a step.
    pub(super) constructed: bool,
    /// What few nodes have.
    pub(super) marks: Option<Box<Marks>>,
}

/// What may follow a node.
#[derive(Debug, Default)]
pub(super) struct Marks {
    pub(super) predicates: Vec<Node>,
    pub(super) stages: Vec<Stage>,
    pub(super) group: Option<Vec<(Node, Node)>>,
    pub(super) focus: Option<Name>,
    pub(super) index: Option<Name>,
    pub(super) ancestor: Option<usize>,
    /// The `%` inside that have not found their step.
    seeking: Vec<usize>,
}

#[derive(Debug)]
pub(super) enum Stage {
    Filter(Node),
    Index(Name),
}

#[derive(Debug)]
pub(super) enum Kind {
    Path(Path),
    /// A name as a step.
    Field(String),
    Text(String),
    Number(f64),
    Bool(bool),
    Null,
    Regex(Pattern),
    Wildcard,
    Descendants,
    Parent(usize),
    Context,
    Root,
    Variable(Variable),
    /// A part of `$states`.
    States(States),
    Binary(Binary, Box<(Node, Node)>),
    Negate(Box<Node>),
    /// Items, and whether each is an array constructor itself.
    Array(Vec<(Node, bool)>),
    Object(Vec<(Node, Node)>),
    Bind(Name, Box<Node>),
    Apply(Box<(Node, Node)>),
    Call(Box<Call>),
    Partial(Box<Call>),
    Lambda(Box<Lambda>),
    Condition(Box<(Node, Node, Option<Node>)>),
    Elvis(Box<(Node, Node)>),
    Coalesce(Box<(Node, Node)>),
    Transform(Box<Transform>),
    Block(Block),
    Sort(Vec<(Node, bool)>),
    Placeholder,
}

#[derive(Debug)]
pub(super) struct Path {
    pub(super) steps: Vec<Node>,
    pub(super) keep_singleton: bool,
    /// A name and nothing else.
    pub(super) single: bool,
}

#[derive(Debug)]
pub(super) struct Variable {
    pub(super) name: Name,
    /// Whether the expression binds the name somewhere; otherwise it comes from outside.
    pub(super) bound: bool,
    pub(super) builtin: Option<&'static Builtin>,
}

/// A part of `$states`, so that only what is read is looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum States {
    Whole,
    Input,
    Result,
    ErrorOutput,
    Context,
    /// What is at these names in the context object.
    ContextPart(Vec<String>),
}

#[derive(Debug)]
pub(super) struct Call {
    pub(super) procedure: Node,
    pub(super) arguments: Vec<Node>,
    /// Nothing is left to do after it, so that it needs no room of its own.
    pub(super) tail: bool,
}

#[derive(Debug)]
pub(super) struct Lambda {
    pub(super) parameters: Vec<Name>,
    pub(super) signature: Option<Signature>,
    pub(super) body: Node,
}

#[derive(Debug)]
pub(super) struct Transform {
    pub(super) pattern: Node,
    pub(super) update: Node,
    pub(super) delete: Option<Node>,
}

#[derive(Debug)]
pub(super) struct Block {
    pub(super) parts: Vec<Node>,
    /// Whether it binds variables of its own.
    pub(super) binds: bool,
}

impl Node {
    fn new(kind: Kind) -> Node {
        Node {
            kind,
            keep: false,
            tuple: false,
            constructed: false,
            marks: None,
        }
    }

    fn marks(&mut self) -> &mut Marks {
        self.marks.get_or_insert_default()
    }

    pub(super) fn stages(&self) -> &[Stage] {
        self.marks.as_ref().map_or(&[], |marks| &marks.stages)
    }

    fn take_seeking(&mut self) -> Vec<usize> {
        let seeking = self.marks.as_mut();
        seeking
            .map(|marks| std::mem::take(&mut marks.seeking))
            .unwrap_or_default()
    }

    /// The last step of a path, or the node itself.
    fn last_step(&mut self) -> &mut Node {
        match self.kind {
            Kind::Path(ref mut path) => path.steps.last_mut().expect("a path has steps"),
            _ => self,
        }
    }
}

/// Compiles a tree.
pub(super) fn compile(ast: Ast) -> Result<Program, Failed> {
    let mut compiler = Compiler {
        stack: Stack::here(),
        names: Vec::new(),
        known: HashMap::new(),
        read: BTreeSet::new(),
        bound: BTreeSet::new(),
        slots: Vec::new(),
        binds: false,
    };
    let mut root = compiler.node(ast)?;
    let seeking = root
        .marks
        .as_ref()
        .is_some_and(|marks| !marks.seeking.is_empty());
    if seeking || matches!(root.kind, Kind::Parent(_)) {
        return Err(no_parent());
    }
    compiler.seal(&mut root);
    let Compiler {
        names,
        read,
        bound,
        slots,
        binds,
        ..
    } = compiler;
    let free = read
        .difference(&bound)
        .map(|name| names[*name as usize].clone());
    Ok(Program {
        free: free
            .filter(|name| functions::find(name).is_none())
            .collect(),
        root,
        binds,
        names,
        ancestors: slots.into_iter().map(|slot| slot.label).collect(),
    })
}

struct Compiler {
    stack: Stack,
    names: Vec<String>,
    known: HashMap<String, Name>,
    read: BTreeSet<Name>,
    bound: BTreeSet<Name>,
    slots: Vec<Slot>,
    /// Whether a variable has been bound since the block around began.
    binds: bool,
}

/// What a `%` seeks.
struct Slot {
    /// The name under which the step that it finds remembers its item.
    label: Name,
    /// How many steps are still to go.
    level: i32,
}

impl Compiler {
    fn name(&mut self, name: &str) -> Name {
        if let Some(known) = self.known.get(name) {
            return *known;
        }
        let new = self.names.len() as Name;
        self.names.push(name.to_owned());
        self.known.insert(name.to_owned(), new);
        new
    }

    fn all(&mut self, parts: Vec<Ast>) -> Result<Vec<Node>, Failed> {
        // A loop, since an iterator that collects results takes much of the stack.
        let mut nodes = Vec::with_capacity(parts.len());
        for part in parts {
            nodes.push(self.node(part)?);
        }
        Ok(nodes)
    }

    fn pairs(&mut self, pairs: Vec<(Ast, Ast)>) -> Result<Vec<(Node, Node)>, Failed> {
        let pairs = pairs.into_iter();
        pairs
            .map(|(name, value)| Ok((self.node(name)?, self.node(value)?)))
            .collect()
    }

    fn boxed(&mut self, ast: Ast) -> Result<Box<Node>, Failed> {
        self.node(ast).map(Box::new)
    }

    fn two(&mut self, left: Ast, right: Ast) -> Result<Box<(Node, Node)>, Failed> {
        Ok(Box::new((self.node(left)?, self.node(right)?)))
    }

    /// As deep as the parser allows, which is bounded.
    fn node(&mut self, ast: Ast) -> Result<Node, Failed> {
        if self.stack.is_used_up() {
            return Err(too_deep());
        }
        let keep = ast.keep;
        let mut node = match ast.part {
            Part::Dot(left, right) => self.dot(*left, *right)?,
            Part::Predicate(left, condition) => self.predicate(*left, *condition)?,
            Part::Group(left, pairs) => {
                let mut node = self.node(*left)?;
                if node
                    .marks
                    .as_ref()
                    .is_some_and(|marks| marks.group.is_some())
                {
                    return Err(error(
                        "S0210",
                        "Each step can only have one grouping expression",
                    ));
                }
                node.marks().group = Some(self.pairs(pairs)?);
                node
            }
            Part::Sort(left, terms) => self.sort(*left, terms)?,
            Part::Focus(left, name) => {
                let mut node = self.focus(*left, &name)?;
                node.last_step().keep |= keep;
                node
            }
            Part::Index(left, name) => self.index(*left, &name)?,
            Part::Call(procedure, arguments) => {
                let call = self.call(*procedure, arguments)?;
                with_seeking(Kind::Call(call.0), call.1)
            }
            Part::Partial(procedure, arguments) => {
                let call = self.call(*procedure, arguments)?;
                with_seeking(Kind::Partial(call.0), call.1)
            }
            Part::Name(name) => Node::new(Kind::Path(Path {
                steps: vec![Node {
                    keep,
                    ..Node::new(Kind::Field(name))
                }],
                keep_singleton: keep,
                single: false,
            })),
            Part::Negate(inner) => {
                let mut inner = self.node(*inner)?;
                match &mut inner.kind {
                    Kind::Number(number) => {
                        *number = -*number;
                        inner
                    }
                    _ => {
                        let seeking = seeking_of(&mut inner);
                        with_seeking(Kind::Negate(Box::new(inner)), seeking)
                    }
                }
            }
            other => self.plain(other)?,
        };
        node.keep |= keep;
        Ok(node)
    }

    /// What has parts and no steps.
    fn plain(&mut self, part: Part) -> Result<Node, Failed> {
        let mut kind = match part {
            Part::Text(text) => Kind::Text(text),
            Part::Number(number) => Kind::Number(number),
            Part::Bool(flag) => Kind::Bool(flag),
            Part::Null => Kind::Null,
            Part::Regex(pattern) => Kind::Regex(pattern),
            Part::Wildcard => Kind::Wildcard,
            Part::Descendants => Kind::Descendants,
            Part::Placeholder => Kind::Placeholder,
            Part::Variable(name) if name.is_empty() => Kind::Context,
            Part::Variable(name) if name == "$" => Kind::Root,
            Part::Variable(name) => {
                let name = self.name(&name);
                self.read.insert(name);
                Kind::Variable(Variable {
                    name,
                    bound: true,
                    builtin: None,
                })
            }
            Part::Parent => {
                let slot = self.slots.len();
                let label = self.name(&format!("%{slot}"));
                self.slots.push(Slot { label, level: 1 });
                Kind::Parent(slot)
            }
            Part::Binary(operator, left, right) => Kind::Binary(operator, self.two(*left, *right)?),
            Part::Apply(left, right) => {
                let sides = self.two(*left, *right)?;
                let keep = sides.0.keep || sides.1.keep;
                return Ok(Node {
                    keep,
                    ..Node::new(Kind::Apply(sides))
                });
            }
            Part::Bind(name, value) => {
                let name = self.name(&name);
                let value = self.boxed(*value)?;
                self.bound.insert(name);
                self.binds = true;
                Kind::Bind(name, value)
            }
            Part::Array(items) => {
                let is_array = |item: &Ast| matches!(item.part, Part::Array(_));
                let arrays: Vec<bool> = items.iter().map(is_array).collect();
                Kind::Array(self.all(items)?.into_iter().zip(arrays).collect())
            }
            Part::Object(pairs) => Kind::Object(self.pairs(pairs)?),
            Part::Lambda(parameters, signature, body) => {
                let parameters: Vec<Name> = parameters.iter().map(|name| self.name(name)).collect();
                self.bound.extend(&parameters);
                let around = std::mem::take(&mut self.binds);
                let mut body = self.node(*body)?;
                self.binds = around;
                mark_tail(&mut body);
                // What seeks a parent in it has no path to look in.
                body.take_seeking();
                Kind::Lambda(Box::new(Lambda {
                    parameters,
                    signature,
                    body,
                }))
            }
            Part::Condition(condition, then, otherwise) => {
                let condition = self.node(*condition)?;
                let then = self.node(*then)?;
                let otherwise = otherwise.map(|part| self.node(*part)).transpose()?;
                Kind::Condition(Box::new((condition, then, otherwise)))
            }
            Part::Elvis(left, right) => Kind::Elvis(self.two(*left, *right)?),
            Part::Coalesce(left, right) => Kind::Coalesce(self.two(*left, *right)?),
            Part::Transform(pattern, update, delete) => Kind::Transform(Box::new(Transform {
                pattern: self.node(*pattern)?,
                update: self.node(*update)?,
                delete: delete.map(|part| self.node(*part)).transpose()?,
            })),
            Part::Block(parts) => {
                let around = std::mem::take(&mut self.binds);
                let parts = self.all(parts)?;
                let binds = std::mem::replace(&mut self.binds, around);
                Kind::Block(Block { parts, binds })
            }
            Part::End => return Err(error("S0207", "Unexpected end of expression")),
            _ => unreachable!("the caller knows the parts that make steps"),
        };
        let mut seeking = Vec::new();
        for_each_part(&mut kind, &mut |node| seeking.extend(seeking_of(node)));
        let mut node = with_seeking(kind, seeking);
        if let Kind::Block(block) = &node.kind {
            node.constructed = block.parts.iter().any(|part| match &part.kind {
                Kind::Path(path) => path.steps[0].constructed,
                _ => part.constructed,
            });
        }
        Ok(node)
    }

    fn call(
        &mut self,
        procedure: Ast,
        arguments: Vec<Ast>,
    ) -> Result<(Box<Call>, Vec<usize>), Failed> {
        let mut arguments = self.all(arguments)?;
        let seeking = arguments.iter_mut().flat_map(seeking_of).collect();
        let call = Call {
            arguments,
            procedure: self.node(procedure)?,
            tail: false,
        };
        Ok((Box::new(call), seeking))
    }

    fn dot(&mut self, left: Ast, right: Ast) -> Result<Node, Failed> {
        let mut left = self.node(left)?;
        let mut node = match left.kind {
            Kind::Path(_) => left,
            _ => {
                let seeking = match left.kind {
                    Kind::Parent(slot) => vec![slot],
                    _ => Vec::new(),
                };
                if !seeking.is_empty() {
                    left.take_seeking();
                }
                with_seeking(path(left), seeking)
            }
        };
        let mut right = self.node(right)?;
        let Kind::Path(path) = &mut node.kind else {
            unreachable!("it is a path by now");
        };
        match right.kind {
            Kind::Path(rest) => {
                // What the right side as a whole is marked with goes on with the path.
                path.steps.extend(rest.steps);
            }
            _ => {
                if let Some(marks) = &mut right.marks {
                    let predicates = std::mem::take(&mut marks.predicates);
                    marks
                        .stages
                        .extend(predicates.into_iter().map(Stage::Filter));
                }
                path.steps.push(right);
            }
        }
        for step in &mut path.steps {
            match &mut step.kind {
                Kind::Number(number) => {
                    return Err(not_a_step(&number.to_string()));
                }
                Kind::Bool(flag) => return Err(not_a_step(&flag.to_string())),
                Kind::Null => return Err(not_a_step("null")),
                Kind::Text(text) => step.kind = Kind::Field(std::mem::take(text)),
                _ => {}
            }
        }
        path.keep_singleton |= path.steps.iter().any(|step| step.keep);
        let last = path.steps.len() - 1;
        for at in [0, last] {
            let step = &mut path.steps[at];
            step.constructed |= matches!(step.kind, Kind::Array(_));
        }
        self.resolve_ancestry(&mut node)?;
        Ok(node)
    }

    fn predicate(&mut self, left: Ast, condition: Ast) -> Result<Node, Failed> {
        let mut node = self.node(left)?;
        let in_path = matches!(node.kind, Kind::Path(_));
        let step = node.last_step();
        if step
            .marks
            .as_ref()
            .is_some_and(|marks| marks.group.is_some())
        {
            let what = "A predicate cannot follow a grouping expression in a step";
            return Err(error("S0209", what));
        }
        let mut condition = self.node(condition)?;
        let seeking = condition.take_seeking();
        for slot in &seeking {
            match self.slots[*slot].level {
                1 => self.seek(step, *slot)?,
                _ => self.slots[*slot].level -= 1,
            }
        }
        let marks = step.marks();
        marks.seeking.extend(seeking);
        match in_path {
            true => marks.stages.push(Stage::Filter(condition)),
            false => marks.predicates.push(condition),
        }
        Ok(node)
    }

    fn sort(&mut self, left: Ast, terms: Vec<(Ast, bool)>) -> Result<Node, Failed> {
        let mut node = self.as_path(left)?;
        let mut seeking = Vec::new();
        let mut sorted = Vec::with_capacity(terms.len());
        for (term, descending) in terms {
            let mut term = self.node(term)?;
            seeking.extend(seeking_of(&mut term));
            sorted.push((term, descending));
        }
        let Kind::Path(path) = &mut node.kind else {
            unreachable!("it is a path by now");
        };
        path.steps.push(with_seeking(Kind::Sort(sorted), seeking));
        self.resolve_ancestry(&mut node)?;
        Ok(node)
    }

    fn as_path(&mut self, left: Ast) -> Result<Node, Failed> {
        let node = self.node(left)?;
        Ok(match node.kind {
            Kind::Path(_) => node,
            _ => Node::new(path(node)),
        })
    }

    fn focus(&mut self, left: Ast, name: &str) -> Result<Node, Failed> {
        let mut node = self.node(left)?;
        let name = self.name(name);
        self.bound.insert(name);
        let step = node.last_step();
        let marks = step.marks.get_or_insert_default();
        if !marks.stages.is_empty() || !marks.predicates.is_empty() {
            let what = "A context variable binding must precede any predicates on a step";
            return Err(error("S0215", what));
        }
        if matches!(step.kind, Kind::Sort(_)) {
            let what = "A context variable binding must precede the 'order-by' clause on a step";
            return Err(error("S0216", what));
        }
        marks.focus = Some(name);
        step.tuple = true;
        Ok(node)
    }

    fn index(&mut self, left: Ast, name: &str) -> Result<Node, Failed> {
        let mut node = self.node(left)?;
        let name = self.name(name);
        self.bound.insert(name);
        if !matches!(node.kind, Kind::Path(_)) {
            if let Some(marks) = &mut node.marks {
                let predicates = std::mem::take(&mut marks.predicates);
                marks
                    .stages
                    .extend(predicates.into_iter().map(Stage::Filter));
            }
            node = Node::new(path(node));
        }
        let step = node.last_step();
        let marks = step.marks();
        match marks.stages.is_empty() {
            true => marks.index = Some(name),
            false => marks.stages.push(Stage::Index(name)),
        }
        step.tuple = true;
        Ok(node)
    }

    /// Lets `slot` look for the step whose input it means, from `node` on to the left.
    fn seek(&mut self, node: &mut Node, slot: usize) -> Result<(), Failed> {
        match &mut node.kind {
            Kind::Field(_) | Kind::Wildcard => {
                self.slots[slot].level -= 1;
                if self.slots[slot].level == 0 {
                    let marks = node.marks.get_or_insert_default();
                    match marks.ancestor {
                        None => marks.ancestor = Some(slot),
                        // The step remembers its input already.
                        Some(other) => self.slots[slot].label = self.slots[other].label,
                    }
                    node.tuple = true;
                }
            }
            Kind::Parent(_) => self.slots[slot].level += 1,
            Kind::Block(block) => {
                if let Some(last) = block.parts.last_mut() {
                    node.tuple = true;
                    self.seek(last, slot)?;
                }
            }
            Kind::Path(path) => {
                node.tuple = true;
                let mut steps = path.steps.iter_mut().rev();
                let last = steps.next().expect("a path has steps");
                self.seek(last, slot)?;
                for step in steps {
                    if self.slots[slot].level <= 0 {
                        break;
                    }
                    self.seek(step, slot)?;
                }
            }
            _ => return Err(no_parent()),
        }
        Ok(())
    }

    fn resolve_ancestry(&mut self, node: &mut Node) -> Result<(), Failed> {
        let Kind::Path(path) = &mut node.kind else {
            return Ok(());
        };
        let last = path.steps.last_mut().expect("a path has steps");
        let mut slots: Vec<usize> = last
            .marks
            .as_ref()
            .map(|marks| marks.seeking.clone())
            .unwrap_or_default();
        if let Kind::Parent(slot) = last.kind {
            slots.push(slot);
        }
        let mut unresolved = Vec::new();
        for slot in slots {
            let mut rest = path.steps.len() - 1;
            while self.slots[slot].level > 0 {
                if rest == 0 {
                    unresolved.push(slot);
                    break;
                }
                rest -= 1;
                // Steps that are bound to variables in a row have one input.
                while rest > 0 && focus(&path.steps[rest]) && focus(&path.steps[rest - 1]) {
                    rest -= 1;
                }
                self.seek(&mut path.steps[rest], slot)?;
            }
        }
        if !unresolved.is_empty() {
            node.marks().seeking.extend(unresolved);
        }
        Ok(())
    }

    /// What is known only of the whole: which names come from outside.
    fn seal(&mut self, node: &mut Node) {
        if let Some(marks) = &mut node.marks {
            marks
                .predicates
                .iter_mut()
                .for_each(|inner| self.seal(inner));
            for stage in &mut marks.stages {
                if let Stage::Filter(inner) = stage {
                    self.seal(inner);
                }
            }
            for (name, value) in marks.group.iter_mut().flatten() {
                self.seal(name);
                self.seal(value);
            }
        }
        if let Kind::Variable(variable) = &mut node.kind {
            variable.bound = self.bound.contains(&variable.name);
            variable.builtin = functions::find(&self.names[variable.name as usize]);
            if !variable.bound && self.names[variable.name as usize] == "states" {
                node.kind = Kind::States(States::Whole);
            }
        }
        for_each_part(&mut node.kind, &mut |inner| self.seal(inner));
        if let Kind::Path(path) = &mut node.kind {
            fold_states(&mut path.steps);
            path.single = path.steps.len() == 1
                && !path.keep_singleton
                && node.marks.is_none()
                && matches!(path.steps[0].kind, Kind::Field(_))
                && path.steps[0].marks.is_none()
                && !path.steps[0].tuple;
        }
    }
}

/// `$states.input` is one step, and so on.
fn fold_states(steps: &mut Vec<Node>) {
    let plain = |node: &Node| node.marks.is_none() && !node.tuple && !node.keep;
    if !matches!(&steps[0].kind, Kind::States(States::Whole)) || !plain(&steps[0]) {
        return;
    }
    let field = |at: usize| match steps.get(at).map(|step| &step.kind) {
        Some(Kind::Field(name)) => Some(name.as_str()),
        _ => None,
    };
    let tuple = |at: usize| steps.get(at).is_some_and(|step| step.tuple);
    let named = |range: std::ops::Range<usize>| -> Vec<String> {
        range.map_while(field).map(str::to_owned).collect()
    };
    let folded = match (field(1), field(2)) {
        _ if tuple(1) => return,
        (Some("input"), _) => States::Input,
        (Some("result"), _) => States::Result,
        (Some("errorOutput"), _) => States::ErrorOutput,
        (Some("context"), Some(member)) if plain(&steps[1]) && !tuple(2) => {
            // As far as only objects stand there; the last name may have anything.
            let last = match (member, field(3)) {
                ("Execution" | "StateMachine" | "State" | "Task", Some(_)) => 3,
                ("Map", Some("Item")) if field(4).is_some() => 4,
                _ => 2,
            };
            let plain = (2..last).all(|at| plain(&steps[at])) && !tuple(last);
            States::ContextPart(named(2..if plain { last + 1 } else { 3 }))
        }
        (Some("context"), _) => States::Context,
        _ => return,
    };
    let count = match &folded {
        States::ContextPart(names) => 1 + names.len(),
        _ => 1,
    };
    steps.drain(..count);
    steps[0].kind = Kind::States(folded);
}

fn focus(step: &Node) -> bool {
    step.marks
        .as_ref()
        .is_some_and(|marks| marks.focus.is_some())
}

fn path(step: Node) -> Kind {
    Kind::Path(Path {
        steps: vec![step],
        keep_singleton: false,
        single: false,
    })
}

fn with_seeking(kind: Kind, seeking: Vec<usize>) -> Node {
    let mut node = Node::new(kind);
    if !seeking.is_empty() {
        node.marks().seeking = seeking;
    }
    node
}

/// The `%` in a node, and itself, that have not found their step.
fn seeking_of(node: &mut Node) -> Vec<usize> {
    let mut seeking = node.take_seeking();
    if let Kind::Parent(slot) = node.kind {
        seeking.push(slot);
    }
    seeking
}

fn no_parent() -> Failed {
    let what = "The object representing the 'parent' cannot be derived from this expression";
    error("S0217", what)
}

fn not_a_step(literal: &str) -> Failed {
    error(
        "S0213",
        format!("The literal value {literal} cannot be used as a step within a path expression"),
    )
}

/// Marks the calls after which a function has nothing left to do.
fn mark_tail(node: &mut Node) {
    let plain = node
        .marks
        .as_ref()
        .is_none_or(|marks| marks.predicates.is_empty());
    match &mut node.kind {
        Kind::Call(call) if plain => call.tail = true,
        Kind::Condition(parts) => {
            mark_tail(&mut parts.1);
            parts.2.iter_mut().for_each(mark_tail);
        }
        Kind::Block(block) => block
            .parts
            .iter_mut()
            .last()
            .into_iter()
            .for_each(mark_tail),
        _ => {}
    }
}

/// Gives `visit` each part of a node, without what follows the node.
fn for_each_part(kind: &mut Kind, visit: &mut dyn FnMut(&mut Node)) {
    match kind {
        Kind::Path(path) => path.steps.iter_mut().for_each(visit),
        Kind::Binary(_, sides)
        | Kind::Apply(sides)
        | Kind::Elvis(sides)
        | Kind::Coalesce(sides) => {
            visit(&mut sides.0);
            visit(&mut sides.1);
        }
        Kind::Negate(inner) | Kind::Bind(_, inner) => visit(inner),
        Kind::Array(items) => items.iter_mut().for_each(|(item, _)| visit(item)),
        Kind::Object(pairs) => {
            for (name, value) in pairs {
                visit(name);
                visit(value);
            }
        }
        Kind::Call(call) | Kind::Partial(call) => {
            visit(&mut call.procedure);
            call.arguments.iter_mut().for_each(visit);
        }
        Kind::Lambda(lambda) => visit(&mut lambda.body),
        Kind::Condition(parts) => {
            visit(&mut parts.0);
            visit(&mut parts.1);
            parts.2.iter_mut().for_each(visit);
        }
        Kind::Transform(transform) => {
            visit(&mut transform.pattern);
            visit(&mut transform.update);
            transform.delete.iter_mut().for_each(visit);
        }
        Kind::Block(block) => block.parts.iter_mut().for_each(visit),
        Kind::Sort(terms) => terms.iter_mut().for_each(|(term, _)| visit(term)),
        Kind::Field(_)
        | Kind::Text(_)
        | Kind::Number(_)
        | Kind::Bool(_)
        | Kind::Null
        | Kind::Regex(_)
        | Kind::Wildcard
        | Kind::Descendants
        | Kind::Parent(_)
        | Kind::Context
        | Kind::Root
        | Kind::Variable(_)
        | Kind::States(_)
        | Kind::Placeholder => {}
    }
}
